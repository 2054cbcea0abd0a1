"""One kind of bad input: a file with something bad in it and good rows beside it, and what has to become of both."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from pipelines.corpus.plan import Columns
from tests.pipelines.output.fake_job import DIMENSION, TEXT, FakeJob, fake_vector, output_in

GOOD = ("good", "good too")
# Texts of the good file that is embedded beside each bad one.
NEIGHBOUR = ("the neighbour", "another")


@dataclass(frozen=True)
class Bad:
    """fault: what is wrong, in a few words. file: its name, which tells the format. reason: of its rejects, and of no
    other fault's. good: the texts that have to be embedded nevertheless. rejects: how many there are."""

    fault: str
    file: str
    content: bytes
    reason: str
    good: tuple[str, ...] = GOOD
    columns: Columns = TEXT
    rejects: int = 1

    def __str__(self) -> str:
        return f"{self.fault} in {self.file}"


def embed_beside_a_neighbour(bad: Bad, folder: Path) -> FakeJob:
    """A whole job over the file and a good one."""
    (folder / "corpus").mkdir()
    path = folder / "corpus" / bad.file
    path.write_bytes(bad.content)
    neighbour = folder / "neighbour.jsonl"
    named = bad.columns.names[1:]
    rows = [{"text": text} | dict.fromkeys(named, f"{number}") for number, text in enumerate(NEIGHBOUR)]
    neighbour.write_text("".join(json.dumps(row) + "\n" for row in rows))
    job = FakeJob((path, neighbour), output_in(folder), columns=bad.columns, shard_rows=1000)
    job.run()
    return job


def vectors_of(job: FakeJob, file: int) -> list[list[float]]:
    """The vectors in the shards of a file, in order."""
    shards = sorted(map(str, Path(job.output.uri).glob(f"part-{file:06d}-*.parquet")))
    return [vector for shard in shards for vector in ds.dataset(shard).to_table()["embedding"].to_pylist()]


def vectors_due(texts: Sequence[str]) -> list[list[float]]:
    """What the job's encoder makes of texts."""
    return np.array([fake_vector(text) for text in texts], np.float32).reshape(-1, DIMENSION).tolist()


def rejects_of(job: FakeJob) -> list[dict]:
    """The rejects of all files."""
    return [
        row for path in sorted(Path(job.output.rejects_folder).glob("*")) for row in pq.read_table(path).to_pylist()
    ]
