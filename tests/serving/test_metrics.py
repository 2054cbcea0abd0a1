"""What is counted, and how several replicas' counts become one text."""

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.http.http_app import Limits, http_app
from serving.lanes.lanes import Lane
from serving.metrics import Metrics, ModelMeter, merged
from serving.served_model import ServedModel
from tests.serving.fake_encoder import FakeEncoder
from tests.serving.http.http_server import ask, client_of, running, vectors, wait_for

MODEL = {"model": "small"}
ONLINE, BATCH = MODEL | {"lane": "online"}, MODEL | {"lane": "batch"}


def samples(text: str) -> dict[tuple[str, frozenset], float]:
    """The values by name and labels, of which the replica is left out. Each may be there once."""
    found: dict[tuple[str, frozenset], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "replica"}
            key = sample.name, frozenset(labels.items())
            assert key not in found
            found[key] = sample.value
    return found


class Served:
    """A model with metrics; `held` holds its encoder back."""

    def __init__(self, held: bool = False, **options: Any) -> None:
        self.encoder = FakeEncoder()
        if held:
            self.encoder.free.clear()
        self.metrics = Metrics("r1")
        meter = ModelMeter(self.metrics, "small", self.encoder.token_budget)
        options = {"most_waiting": 20, "batch_floor": 0.1, "deadline_seconds": 30} | options
        self.model = ServedModel("small", self.encoder, meter=meter, **options)
        self.metrics.watch(self.model)
        self.app = http_app({"small": self.model}, None, Limits(), self.metrics)

    def value(self, name: str, labels: dict[str, Any]) -> float | None:
        return samples(self.metrics.exposition()).get((f"encorpus_{name}", frozenset(labels.items())))


@pytest.fixture
def make():
    made: list[Served] = []

    def making(**options: Any) -> Served:
        made.append(Served(**options))
        return made[-1]

    yield making
    for served in made:
        served.encoder.free.set()
        served.model.stop()


def test_a_micro_batch_is_counted_with_its_padding(make):
    served = make()
    with running(served.app) as url:
        vectors(client_of(url, "-"), "a text")
    wait_for(lambda: served.value("micro_batches_total", MODEL))
    names = ("micro_batches_total", "positions_total", "capacity_total", "micro_batch_seconds_count")
    assert [served.value(name, MODEL) for name in names] == [1, 8, 64, 1]
    assert [served.value(name, ONLINE) for name in ("tokens_total", "rows_total", "wait_seconds_count")] == [4, 1, 1]
    assert [served.value(name, BATCH) for name in ("tokens_total", "rows_total", "wait_seconds_count")] == [0, 0, 0]


def test_each_lane_counts_its_own(make):
    served = make()
    served.model.lanes.submit(Lane.BATCH, served.encoder.tokenize(["a text", "b"])).result(30)
    wait_for(lambda: served.value("micro_batches_total", MODEL))
    assert [served.value(name, BATCH) for name in ("tokens_total", "rows_total", "wait_seconds_count")] == [7, 2, 1]


def test_what_waits_is_asked_for(make):
    served = make(held=True)
    served.model.lanes.submit(Lane.BATCH, served.encoder.tokenize(["at hand"]))
    assert served.encoder.begun.acquire(timeout=30)
    served.model.lanes.submit(Lane.BATCH, served.encoder.tokenize(["a text"]))
    assert (served.value("waiting_tokens", BATCH), served.value("waiting_tokens", ONLINE)) == (4, 0)


def test_a_request_that_found_no_room_is_counted(make):
    served = make(held=True)
    with running(served.app) as url, ThreadPoolExecutor() as asking:
        answers = [asking.submit(vectors, client_of(url, "-"), "at hand")]
        assert served.encoder.begun.acquire(timeout=30)
        answers.append(asking.submit(vectors, client_of(url, "-"), "waits " * 14))
        wait_for(lambda: served.value("waiting_tokens", ONLINE))
        with pytest.raises(openai.RateLimitError):
            vectors(client_of(url, "-"), "one more text")
        served.encoder.free.set()
    assert served.value("shed_total", MODEL) == 1
    assert served.value("requests_total", MODEL | {"endpoint": "/v1/embeddings", "status": "429"}) == 1


def test_a_request_that_was_given_up_is_counted(make):
    served = make(held=True)
    served.model.lanes.submit(Lane.ONLINE, served.encoder.tokenize(["at hand"]))
    assert served.encoder.begun.acquire(timeout=30)
    served.model.lanes.submit(Lane.ONLINE, served.encoder.tokenize(["a text"])).cancel()
    assert served.value("cancelled_total", MODEL) == 1


def test_a_request_that_is_too_late_is_counted(make):
    served = make(held=True, deadline_seconds=0.0)
    with running(served.app) as url, ThreadPoolExecutor() as asking:
        served.model.lanes.submit(Lane.ONLINE, served.encoder.tokenize(["at hand"]))
        assert served.encoder.begun.acquire(timeout=30)
        late = asking.submit(vectors, client_of(url, "-"), "a text")
        wait_for(lambda: served.value("waiting_tokens", ONLINE))
        served.encoder.free.set()
        with pytest.raises(openai.InternalServerError):
            late.result()
    assert served.value("late_total", ONLINE) == 1


def test_names_that_clients_make_up_are_not_kept(make):
    served = make()
    with running(served.app) as url:
        ask(f"{url}/made/up")
        ask(f"{url}/v1/models/made-up:predict", b'{"instances": ["a"]}')
        ask(f"{url}/v1/embeddings", b'{"model": "made-up", "input": "a"}')
        ask(f"{url}/v1/embeddings", b"{")
    text = served.metrics.exposition()
    assert "made" not in text
    counted = {("other", "", "404"), ("/v1/models/{name}:predict", "other", "404")}
    counted |= {("/v1/embeddings", "other", "404"), ("/v1/embeddings", "", "400")}
    labels = [family.samples for family in text_string_to_metric_families(text) if family.name == "encorpus_requests"]
    assert {(s.labels["endpoint"], s.labels["model"], s.labels["status"]) for s in labels[0]} == counted


def test_a_model_tells_what_it_is(make):
    served = make()
    facts = {"fingerprint": "f" * 64, "dimension": "3", "max_tokens": "16"}
    assert served.value("model_info", MODEL | facts) == 1


def test_metrics_are_answered_without_a_key(make):
    with running(make().app) as url:
        answer = ask(f"{url}/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert samples(answer.body.decode())


def text_of(replica: str, rows: int) -> str:
    metrics = Metrics(replica)
    metrics.rows.labels(replica, "a\n# HELP b", "online").inc(rows)
    return metrics.exposition()


def test_texts_of_several_replicas_become_one():
    text = merged([text_of("r1", 3), text_of("r2", 4), ""])
    (family,) = [family for family in text_string_to_metric_families(text) if family.name == "encorpus_rows"]
    assert {sample.labels["replica"]: sample.value for sample in family.samples} == {"r1": 3, "r2": 4}
    heads = [line for line in text.splitlines() if line.startswith("# ")]
    assert len(heads) == len(set(heads))


def test_what_several_replicas_counted_adds_up():
    texts = []
    for replica, seconds in (("r1", [0.02, 0.3]), ("r2", [0.3, 70.0]), ("r3", [])):
        metrics = Metrics(replica)
        for taken in seconds:
            metrics.request("/v1/embeddings", "small", 200, taken)
        texts.append(metrics.exposition())
    sums: dict[tuple[str, str | None], float] = defaultdict(float)
    for family in text_string_to_metric_families(merged(texts)):
        for sample in family.samples:
            sums[sample.name, sample.labels.get("le")] += sample.value
    counts = [sums["encorpus_request_seconds_bucket", le] for le in ("0.01", "0.025", "0.5", "60.0", "+Inf")]
    assert counts == [0, 1, 3, 3, 4]
    assert sums["encorpus_request_seconds_count", None] == sums["encorpus_requests_total", None] == 4
    assert sums["encorpus_request_seconds_sum", None] == pytest.approx(70.62)


def test_one_text_merged_is_that_text():
    assert merged([text_of("r1", 1)]) == text_of("r1", 1)
