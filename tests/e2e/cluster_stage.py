"""A cluster of hosts, a store on one of them, and a corpus in it that `encorpus embed` is to embed there."""

import contextlib
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from tests.e2e.case import Case
from tests.e2e.chaos import check_with_duckdb
from tests.e2e.hosts import RAY_PORT, Host, hosts

GIVE_UP_SECONDS = 600
POLL_SECONDS = 0.2
S3_PORT = 9000
SHARD_ROWS = 20
UPLOAD = """
import sys
from pathlib import Path
from pipelines.storage import Storage
import s3fs
for bucket in ("corpora", "vectors"):
    s3fs.S3FileSystem().mkdir(bucket)
for path in Path(sys.argv[1]).iterdir():
    Storage().write_atomic(f"s3://corpora/{path.name}", path.read_bytes())
"""


JOINED = """
import sys
import time
import ray
ray.init(address=sys.argv[1], log_to_driver=False)
while sum(node["Alive"] for node in ray.nodes()) <= int(sys.argv[2]):
    time.sleep(0.1)
"""
LOST = """
import sys
import time
import ray
ray.init(address=sys.argv[1], log_to_driver=False)
while any(node["Alive"] and node["NodeManagerAddress"] == sys.argv[2] for node in ray.nodes()):
    time.sleep(0.1)
"""
DOWNLOAD = """
import sys
from pathlib import Path
from pipelines.storage import Storage
for name in Storage().names(sys.argv[1]):
    if name.startswith("part-"):
        Path(sys.argv[2], name).write_bytes(Storage().read_bytes(f"{sys.argv[1]}/{name}"))
"""


@dataclass(frozen=True)
class Stage:
    """head: without work, where drivers run. store: with the S3 server. nodes: one worker each."""

    head: Host
    store: Host
    nodes: tuple[Host, ...]
    case: Case
    model: Path

    def start(self) -> None:
        """Ray on the head, which all nodes have joined."""
        self.head.start_head()
        for node in self.nodes:
            node.join(self.head)
        joined = self.head.run(sys.executable, "-c", JOINED, f"{self.head.address}:{RAY_PORT}", str(len(self.nodes)))
        assert joined.returncode == 0, joined.stderr

    def loss_of(self, host: Host) -> Popen[bytes]:
        """Starts a command that ends when the head takes a host for dead."""
        return self.head.start(sys.executable, "-c", LOST, f"{self.head.address}:{RAY_PORT}", host.address)

    def end(self) -> None:
        """Nothing runs any more but the store, and all cables are plugged in."""
        for host in (self.head, *self.nodes):
            host.die()
            host.mend()

    def embed(self, output: str, on: Host | None = None) -> Popen[bytes]:
        """Starts the command, on the head unless told."""
        words = [*self.case.options, "--address", f"{self.head.address}:{RAY_PORT}", "--workers", str(len(self.nodes))]
        return self.encorpus("embed", "s3://corpora", "-o", f"s3://vectors/{output}", *words, on=on)

    def encorpus(self, *words: str, on: Host | None = None) -> Popen[bytes]:
        """Starts any command of encorpus there; what it says is in the host's file `said`."""
        return (on or self.head).start(sys.executable, "-m", "cluster.cli", *words, log="said")

    def said(self, on: Host | None = None) -> str:
        """What commands have said on a host so far."""
        return ((on or self.head).folder / "said").read_text(errors="replace")

    def assert_whole(self, output: str) -> None:
        """`verify` finds nothing wrong; every row is there once, with its vector, for a reader that is none of ours."""
        verified = self.head.run(sys.executable, "-m", "cluster.cli", "verify", f"s3://vectors/{output}", "--input")
        assert verified.returncode == 0, verified.stdout + verified.stderr
        assert f"{len(self.case.texts):,} rows, {self.case.rejects} rejects" in verified.stdout
        shards = self.head.folder / output
        shards.mkdir()
        assert self.head.run(sys.executable, "-c", DOWNLOAD, f"s3://vectors/{output}", str(shards)).returncode == 0
        check_with_duckdb(shards, self.case, self.model)

    def puts(self, output: str) -> Counter[str]:
        """How often each shard of an output was written, by the server's log."""
        log = (self.store.folder / "s3.log").read_text(errors="replace")
        return Counter(re.findall(rf'"PUT /vectors/{output}/(part-[\d-]+\.parquet)[ ?]', log))


@contextlib.contextmanager
def stage(folder: Path, model: Path, rows: int, nodes: int) -> Iterator[Stage]:
    """Such a cluster, with token authentication on, whose Ray does not run yet."""
    case = Case(folder, model, rows, SHARD_ROWS)
    address = "10.77.0.2"
    store_environment = {
        "AWS_ENDPOINT_URL": f"http://{address}:{S3_PORT}",
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with hosts(folder, 2 + nodes, store_environment) as (head, store, *others):
        assert store.address == address
        server = Path(sys.executable).with_name("moto_server")
        store.start(str(server), "-H", address, "-p", str(S3_PORT), log="s3.log")
        store.wait_for_port(S3_PORT)
        uploaded = head.run(sys.executable, "-c", UPLOAD, str(case.corpus))
        assert uploaded.returncode == 0, uploaded.stderr
        yield Stage(head, store, tuple(others), case, model)


def until(condition: Callable[[], bool], what: str) -> None:
    """Waits for it. Raises TimeoutError, which says what."""
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} not in {GIVE_UP_SECONDS} s")
        time.sleep(POLL_SECONDS)
