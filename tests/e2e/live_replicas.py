"""People and a job on live replicas, while these are killed, replaced by an update, and started again from none.

    SECONDS=n .venv/bin/python -m tests.e2e.live_replicas

No row may be lost or doubled. Who asks may have to ask a second time while replicas are killed, and never in an update.
"""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import openai
import psutil

from serving.ingress import haproxy_environment
from tests.e2e.case import Case
from tests.e2e.killing import Run, command_line, running, wait_for_shards
from tests.pipelines.job.jobs import output_of
from tests.s3_server import free_port
from tests.tiny_model import WORDS, package_tiny_model

BIN = Path(sys.executable).parent
ROWS, SHARD_ROWS = 60_000, 200
ROWS_PER_SECOND = 3000
REPLICAS = 3
CLIENTS = 4
KILL_SECONDS = 10.0
READY_SECONDS = 180.0
FINISHED_WITH_REJECTS, MOST_RUNS = 3, 10
MANY = [" ".join(WORDS[place % len(WORDS) :][:9]) + f" {place}" for place in range(2000)]


class Cluster:
    """A Ray of its own with the application of `serve deploy`."""

    def __init__(self, folder: Path, model: Path) -> None:
        self._folder, self._model = folder, model
        self.ray, self.http, self._dashboard = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.http}"
        haproxy = folder / "haproxy"
        haproxy.mkdir()
        self._environment = {
            **os.environ,
            **haproxy_environment(haproxy),
            "RAY_AUTH_MODE": "disabled",
            "RAY_ADDRESS": f"127.0.0.1:{self.ray}",
        }
        command = ["ray", "start", "--head", "--block", f"--port={self.ray}", f"--dashboard-port={self._dashboard}"]
        command += ["--num-cpus=8", "--disable-usage-stats", f"--temp-dir={folder}/ray"]
        environment = {name: value for name, value in self._environment.items() if name != "RAY_ADDRESS"}
        with (folder / "ray.log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(BIN / command[0]), *command[1:]], env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def deploy(self, replicas: str, **options: object) -> None:
        """Has the application run with these options; is back before it does."""
        args = {"model": f"tiny={self._model}", "pooling": "mean", "replicas": replicas, "no-auth": True, **options}
        file = {
            "http_options": {"host": "127.0.0.1", "port": self.http},
            "applications": [
                {"name": "live", "route_prefix": "/", "import_path": "cluster.deployed:application", "args": args}
            ],
        }
        path = self._folder / "serve.yaml"
        path.write_text(json.dumps(file))
        address = f"http://127.0.0.1:{self._dashboard}"
        until = time.monotonic() + READY_SECONDS
        while subprocess.run(
            [str(BIN / "serve"), "deploy", "-a", address, str(path)],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=(self._folder / "deploy.log").open("ab"),
        ).returncode:
            assert time.monotonic() < until, "serve deploy fails"
            time.sleep(1.0)

    def replicas(self) -> list[psutil.Process]:
        """Those that have come so far as to be called so, oldest first."""
        family = psutil.Process(self._process.pid).children(recursive=True)
        return sorted(
            (process for process in family if "ServeReplica" in command_line(process)), key=psutil.Process.create_time
        )

    def end(self) -> None:
        """Ends every process of it."""
        family = psutil.Process(self._process.pid).children(recursive=True)
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=60)
        _, left = psutil.wait_procs(family, timeout=20)
        for process in left:
            process.kill()


class People:
    """Clients of OpenAI's own that ask again and again, now and then for many vectors, and look at what they get.

    retries: how often each may ask for one answer.
    """

    def __init__(self, url: str, retries: int) -> None:
        self._url, self._retries = url, retries
        self._due = self._vectors(MANY, retries=5)
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        self.outcomes: Counter[str] = Counter()
        self.slowest = 0.0

    def __enter__(self) -> "People":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        for number in itertools.count():
            if self._end.wait(0.05):
                return
            texts = MANY if number % 10 == 9 else MANY[:2]
            started = time.monotonic()
            try:
                same = np.allclose(self._vectors(texts, self._retries), self._due[: len(texts)], rtol=0, atol=1e-4)
                self.outcomes["answered" if same else "answered with other vectors"] += 1
            except openai.OpenAIError as error:
                self.outcomes[f"{type(error).__name__}: {error}"[:200]] += 1
            self.slowest = max(self.slowest, time.monotonic() - started)

    def _vectors(self, texts: list[str], retries: int) -> np.ndarray:
        # A client of its own, and so a connection of its own, each time.
        with openai.OpenAI(base_url=f"{self._url}/v1", api_key="-", max_retries=retries, timeout=90) as client:
            return np.array([row.embedding for row in client.embeddings.create(model="tiny", input=texts).data])

    def told(self) -> str:
        return f"{dict(self.outcomes)}, the slowest after {self.slowest:.1f} s"


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    seconds = float(os.environ.get("SECONDS", "120"))
    with tempfile.TemporaryDirectory(prefix="live-", dir="/tmp") as name:
        folder = Path(name)
        model = package_tiny_model(folder)
        # More than the replicas embed in that time.
        case = Case(folder, model, int(ROWS_PER_SECOND * seconds), SHARD_ROWS)
        with cluster(folder, model) as live:
            live.deploy(str(REPLICAS))
            wait_until_ready(live)
            print(f"{REPLICAS} replicas answer", flush=True)
            while_killed(live, case, seconds)
            case.assert_whole(model)
            print("its rows are all there, once", flush=True)
            while_updated(live, Case(fresh(folder, "update"), model, ROWS, SHARD_ROWS))
            without_its_driver(live, Case(fresh(folder, "driver"), model, ROWS, SHARD_ROWS), model)
            from_none(live)


def fresh(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


@contextmanager
def cluster(folder: Path, model: Path) -> Iterator[Cluster]:
    """A cluster that does not outlive the block."""
    live = Cluster(folder, model)
    try:
        yield live
    finally:
        live.end()


@contextmanager
def job(live: Cluster, case: Case) -> Iterator[Run]:
    """A job through the replicas."""
    words = [word for word in case.command if word not in ("--workers", "2")]
    with running(*words, "--through", "live", "--address", f"127.0.0.1:{live.ray}", log=case.log) as run:
        yield run


def while_killed(live: Cluster, case: Case, seconds: float) -> None:
    """SIGKILL of a replica every ten seconds, beside people who may ask twice and a job."""
    choice, kills, runs = random.Random(7), 0, 0
    until = time.monotonic() + seconds
    with People(live.url, retries=1) as people:
        status = None
        while status != FINISHED_WITH_REJECTS:
            runs += 1
            assert runs <= MOST_RUNS, f"{case.log}: the job does not come to its end"
            with job(live, case) as run:
                while run.alive:
                    time.sleep(KILL_SECONDS)
                    if time.monotonic() < until and (victims := live.replicas()):
                        choice.choice(victims).kill()
                        kills += 1
                status = run.wait()
    assert set(people.outcomes) == {"answered"}, people.told()
    print(f"{kills} replicas killed, {runs} runs of the job, exit {status}; people: {people.told()}", flush=True)


def while_updated(live: Cluster, case: Case) -> None:
    """All replicas are replaced, beside people who ask once and a job."""
    with job(live, case) as run:
        assert wait_for_shards(run, case.output, 5)
        before = {process.pid for process in live.replicas()}
        with People(live.url, retries=0) as people:
            started = time.monotonic()
            live.deploy(str(REPLICAS), **{"max-tokens": 64})
            while before & {process.pid for process in live.replicas()}:
                time.sleep(0.5)
            wait_until_ready(live)
            took = time.monotonic() - started
        status = run.wait()
    assert (status, set(people.outcomes)) == (FINISHED_WITH_REJECTS, {"answered"}), people.told()
    print(f"replaced within {took:.0f} s; the job: exit {status}; people: {people.told()}", flush=True)
    case.assert_proven(output_of(case.output))


def without_its_driver(live: Cluster, case: Case, model: Path) -> None:
    """SIGKILL of the job's own process, and the same command again."""
    with job(live, case) as run:
        assert wait_for_shards(run, case.output, 20)
        run.kill("driver", random.Random(0))
    with job(live, case) as run:
        status = run.wait()
    assert status == FINISHED_WITH_REJECTS
    case.assert_whole(model)
    print(f"after its driver was killed, the job goes on: exit {status}", flush=True)


def from_none(live: Cluster) -> None:
    """With MIN 0 the last replica goes when nobody asks, and one comes when somebody does."""
    live.deploy("0:2")
    started = time.monotonic()
    while live.replicas():
        time.sleep(1.0)
        assert time.monotonic() - started < 900, "replicas stay"
    print(f"no replica is left after {time.monotonic() - started:.0f} s", flush=True)
    started = time.monotonic()
    client = openai.OpenAI(base_url=f"{live.url}/v1", api_key="-", max_retries=0, timeout=120)
    client.embeddings.create(model="tiny", input="the film")
    print(f"and one request has its answer after {time.monotonic() - started:.1f} s", flush=True)


def wait_until_ready(live: Cluster) -> None:
    """Until replicas answer."""
    until = time.monotonic() + READY_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{live.url}/ready", timeout=5):
                return
        except OSError:
            assert time.monotonic() < until, "no replica answers"
            time.sleep(0.5)


if __name__ == "__main__":
    main()
