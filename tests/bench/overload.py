"""Ten times what a server can do, for a minute: every request is answered, and afterwards all is as before.

.venv/bin/python -m tests.bench.overload [CORPUS.parquet]
"""

import threading
from pathlib import Path

import psutil

from tests.bench import bench
from tests.bench.both_lanes import told
from tests.bench.load import send
from tests.bench.servers import encorpus

TIMES = 10
# More than can wait for three seconds, so that most of what they ask is refused.
CLIENTS = 1500
SECONDS = 60.0
NORMAL = 0.1


def main() -> None:
    print(bench.machine())
    texts = bench.corpus_texts(bench.corpus_file())
    sample = texts[:: len(texts) // 2000]
    model = Path(bench.minilm_spec().model)
    with encorpus(model) as (address, process):
        send(address, "minilm", sample, 32, 5.0)
        capacity = len(send(address, "minilm", sample, 32, 15.0).seconds) / 15.0
        before = send(address, "minilm", sample, 8, 15.0, NORMAL * capacity)
        print(f"can do {capacity:.0f} requests/s; normal load, before: {told(before)}")
        with Memory(process) as memory:
            seen = send(address, "minilm", sample, CLIENTS, SECONDS, TIMES * capacity)
        offered = sum(seen.statuses.values()) / SECONDS
        slowest = max(seen.refused, default=0.0)
        print(
            f"offered {offered:.0f} requests/s: {told(seen)}; refused within {slowest * 1e3:.0f} ms at most, "
            f"{seen.without_retry_after} without Retry-After"
        )
        print(f"memory of all processes: {memory.first / 1e9:.2f} GB at first, {memory.most / 1e9:.2f} GB at most")
        for second in (0, 5):
            after = send(address, "minilm", sample, 8, 5.0, NORMAL * capacity)
            print(f"normal load, {second} s after: {told(after)}")


class Memory:
    """Of a process and all that it started, its own pages only, looked at again and again."""

    def __init__(self, process: int) -> None:
        self._process = psutil.Process(process)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.first = self.most = 0

    def __enter__(self) -> "Memory":
        self.first = self.most = self._now()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(2.0):
            self.most = max(self.most, self._now())

    def _now(self) -> int:
        total = 0
        for process in (self._process, *self._process.children(recursive=True)):
            try:
                memory = process.memory_info()
            except psutil.NoSuchProcess:
                continue
            total += memory.rss - memory.shared
        return total


if __name__ == "__main__":
    main()
