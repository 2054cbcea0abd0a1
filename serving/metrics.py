"""What a replica counts, in Prometheus' words. Its registry is its own; label values are of a known set."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest

from serving.lanes.lanes import Lane, MicroBatch
from serving.served_model import ServedModel

MICRO_BATCH_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
WAIT_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """All counters, gauges and histograms of one replica. replica: its name, a label of each."""

    def __init__(self, replica: str) -> None:
        self.replica = replica
        self._registry = CollectorRegistry()
        counter, histogram = self._counter, self._histogram
        self.tokens = counter("tokens", "Tokens encoded, without padding.", "model", "lane")
        self.rows = counter("rows", "Texts encoded, repeated ones of a request once.", "model", "lane")
        self.micro_batches = counter("micro_batches", "Micro-batches encoded.", "model")
        self.positions = counter("positions", "Positions of the micro-batches, padding included.", "model")
        self.capacity = counter("capacity", "Positions that the micro-batches could have had.", "model")
        self.micro_batch_seconds = histogram(
            "micro_batch_seconds", "Seconds that a micro-batch took.", MICRO_BATCH_SECONDS, "model"
        )
        self.wait_seconds = histogram(
            "wait_seconds",
            "Seconds from a request's entering a lane to its first micro-batch.",
            WAIT_SECONDS,
            "model",
            "lane",
        )
        self.waiting_tokens = Gauge(
            "encorpus_waiting_tokens",
            "Tokens that wait in a lane.",
            ("replica", "model", "lane"),
            registry=self._registry,
        )
        self.requests = counter("requests", "Requests answered, by HTTP status.", "endpoint", "model", "status")
        self.request_seconds = histogram("request_seconds", "Seconds to an answer.", REQUEST_SECONDS, "endpoint")
        self.shed = counter("shed", "Requests refused since too much waited (429).", "model")
        self.late = counter("late", "Requests whose deadline passed while they waited.", "model", "lane")
        self.cancelled = counter("cancelled", "Requests given up before they were done.", "model")
        self.model_info = Gauge(
            "encorpus_model_info",
            "The models that are served; always 1.",
            ("replica", "model", "fingerprint", "dimension", "max_tokens"),
            registry=self._registry,
        )

    def _counter(self, name: str, told: str, *labels: str) -> Counter:
        return Counter(f"encorpus_{name}_total", told, ("replica", *labels), registry=self._registry)

    def _histogram(self, name: str, told: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"encorpus_{name}", told, ("replica", *labels), buckets=buckets, registry=self._registry)

    def request(self, endpoint: str, model: str, status: int, seconds: float) -> None:
        """A request was answered. endpoint: a known path, or `other`. model: a known one, `other`, or none at all."""
        self.requests.labels(self.replica, endpoint, model, status).inc()
        self.request_seconds.labels(self.replica, endpoint).observe(seconds)

    def watch(self, model: ServedModel) -> None:
        """A model is served from now on. What waits in its lanes is asked for whenever the text is made."""
        encoder = model.encoder
        facts = (encoder.fingerprint, encoder.dimension, encoder.tokenize.max_tokens)
        self.model_info.labels(self.replica, model.name, *facts).set(1)
        for lane in Lane:
            waiting = self.waiting_tokens.labels(self.replica, model.name, lane)
            waiting.set_function(lambda lane=lane: model.waiting(lane))

    def exposition(self) -> str:
        """All of it in Prometheus' text format."""
        return generate_latest(_WithoutCreated(self._registry)).decode()  # pyright: ignore[reportArgumentType]


class ModelMeter:
    """The LaneMeter of one model. token_budget: positions that a micro-batch may have."""

    def __init__(self, metrics: Metrics, model: str, token_budget: int) -> None:
        labels = (metrics.replica, model)
        self._budget = token_budget
        self._micro_batches = metrics.micro_batches.labels(*labels)
        self._positions = metrics.positions.labels(*labels)
        self._capacity = metrics.capacity.labels(*labels)
        self._seconds = metrics.micro_batch_seconds.labels(*labels)
        self._shed = metrics.shed.labels(*labels)
        self._cancelled = metrics.cancelled.labels(*labels)
        self._tokens = {lane: metrics.tokens.labels(*labels, lane) for lane in Lane}
        self._rows = {lane: metrics.rows.labels(*labels, lane) for lane in Lane}
        self._wait = {lane: metrics.wait_seconds.labels(*labels, lane) for lane in Lane}
        self._late = {lane: metrics.late.labels(*labels, lane) for lane in Lane}

    def micro_batch(self, batch: MicroBatch, positions: int, seconds: float) -> None:
        self._micro_batches.inc()
        self._seconds.observe(seconds)
        self._positions.inc(positions)
        self._capacity.inc(max(self._budget, batch.length))
        for lane, rows in ((Lane.ONLINE, batch.rows[: batch.online]), (Lane.BATCH, batch.rows[batch.online :])):
            self._rows[lane].inc(len(rows))
            self._tokens[lane].inc(sum(row.tokens for row in rows))

    def begun(self, lane: Lane, seconds: float) -> None:
        self._wait[lane].observe(seconds)

    def late(self, lane: Lane) -> None:
        self._late[lane].inc()

    def cancelled(self) -> None:
        self._cancelled.inc()

    def shed(self) -> None:
        self._shed.inc()


class _WithoutCreated:
    """A registry without the times at which its counters were made, which nobody asks for and no label tells apart."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> list[Metric]:
        families = list(self._registry.collect())
        for family in families:
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
        return families


def merged(texts: list[str]) -> str:
    """The texts of several replicas as one: of each family one HELP and TYPE, and then everybody's samples."""
    heads: dict[str, str] = {}
    samples: dict[str, list[str]] = {}
    for text in texts:
        for part in f"\n{text}".split("\n# HELP ")[1:]:
            told, kind, *lines = part.splitlines()
            name = told.split(" ", 1)[0]
            heads.setdefault(name, f"# HELP {told}\n{kind}\n")
            samples.setdefault(name, []).extend(lines)
    return "".join(head + "".join(f"{line}\n" for line in samples[name]) for name, head in heads.items())
