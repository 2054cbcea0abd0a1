"""Small corpora, and the real `encorpus embed` over them, for the commands that look at what it wrote."""

import gzip
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from tests.cluster.command_line import Finished, encorpus

MAX_TOKENS = 32
ROWS = {"parquet": 30, "lines": 15, "gzip": 15, "csv": 12}


@dataclass(frozen=True)
class SmallOutput:
    """A corpus, the output that was made of it, the words of the command, and what it said."""

    corpus: Path
    output: Path
    words: tuple[str, ...]
    finished: Finished

    def again(self, *more: str | Path) -> Finished:
        """The same command, perhaps with more options, which win."""
        return encorpus(*self.words, *more)


def embed(corpus: Path, output: Path, model: Path, *options: str) -> SmallOutput:
    """Runs the command with one worker and mean pooling."""
    given = ("--model", str(model), "--max-tokens", str(MAX_TOKENS), "--pooling", "mean", "--workers", "1")
    words = ("embed", str(corpus), "-o", str(output), *given, *options)
    return SmallOutput(corpus, output, words, encorpus(*words))


def text_of(name: str) -> str:
    """A row's text; no two have the same tokens."""
    return f"the {name.replace('-', ' file ')}"


def names_of(part: str) -> list[str]:
    """The names of the good rows of one file of the mixed corpus."""
    return [f"{part}-{row}" for row in range(ROWS[part])]


def write_mixed_corpus(folder: Path) -> Path:
    """Parquet and JSON Lines, which are cut, and gzip and CSV, which are streamed; three bad rows."""
    folder.mkdir()
    write_parquet(folder / "a.parquet", names_of("parquet"))
    (folder / "b.jsonl").write_text(_lines(names_of("lines")) + '{"name": "bad", "topic": "t", "text": null}\n')
    lines = _lines(names_of("gzip")) + '{"name": "bad", "topic": "t", "text": 5}\n'
    (folder / "c.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    rows = "".join(f'{name},"csv, and more",{text_of(name)}\n' for name in names_of("csv"))
    (folder / "d.csv").write_text(f"name,topic,text\n{rows}too,many,fields,here\n")
    return folder


def write_parquet(path: Path, names: list[str]) -> Path:
    """Columns name, topic, number and text."""
    texts = [text_of(name) for name in names]
    topics = [name.partition("-")[0] for name in names]
    columns = {"name": names, "topic": topics, "number": list(range(len(names))), "text": pa.array(texts, pa.string())}
    pq.write_table(pa.table(columns), path)
    return path


def rows_of(output: Path) -> list[dict]:
    """The rows as a reader of Parquet datasets finds them, in the order of the shards' names."""
    return ds.dataset(output, format="parquet").to_table().to_pylist()


def rejects_of(output: Path) -> list[dict]:
    """The rejects."""
    return ds.dataset(output / "_encorpus" / "rejects", format="parquet").to_table().to_pylist()


def content_of(output: Path) -> dict[str, bytes]:
    """All of an output, byte by byte."""
    return {str(path.relative_to(output)): path.read_bytes() for path in output.rglob("*") if path.is_file()}


@contextmanager
def put_back(path: Path) -> Iterator[None]:
    """Afterwards the file is as before, and no later."""
    status, content = path.stat(), path.read_bytes()
    try:
        yield
    finally:
        path.write_bytes(content)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _lines(names: list[str]) -> str:
    rows = ({"name": name, "topic": name.partition("-")[0], "text": text_of(name)} for name in names)
    return "".join(json.dumps(row) + "\n" for row in rows)
