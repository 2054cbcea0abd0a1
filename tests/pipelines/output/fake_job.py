"""A whole job without Ray and TensorFlow: the product's own plan, readers, commit and manifest, and made-up vectors."""

import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.corpus.plan import Columns, Plan, Unit, make_plan, plan_to_bytes
from pipelines.corpus.readers import read_slice, stream_slices
from pipelines.corpus.rows import UnitRows
from pipelines.encoder.spec import EncoderSpec, ResolvedSpec
from pipelines.encoder.tokens import Chunks, Tokens
from pipelines.job.commit import commit_unit
from pipelines.job.embedded import embedded_rows
from pipelines.job.finish import finish
from pipelines.job.found import Found, look_at_output
from pipelines.job.job import Job
from pipelines.job.prepare import Prepared, settle
from pipelines.job.retry import due_again
from pipelines.output.layout import Output
from pipelines.output.shard_info import ShardInfo
from pipelines.storage import Storage
from tests.pipelines.output.fake_tokens import encoded_texts, fake_chunks, fake_tokens

DIMENSION = 8
FINGERPRINT = hashlib.sha256(b"a fake encoder").hexdigest()
STORAGE = Storage()
TEXT = Columns("text")


def fake_vector(text: str, dimension: int = DIMENSION) -> np.ndarray:
    """A direction, float32 [dimension], at most 32, that follows from the text alone."""
    digest = hashlib.sha256(text.encode()).digest()
    vector = np.frombuffer(digest, np.uint8)[:dimension].astype(np.float32) - 127.5
    return vector / np.linalg.norm(vector)


@dataclass(frozen=True)
class FakeJob:
    """A job whose encoder is `fake_vector`; `run` does what is missing."""

    inputs: tuple[Path, ...]
    output: Output
    columns: Columns = TEXT
    shard_rows: int = 10
    dtype: str = "float32"
    dimension: int = DIMENSION
    pooling: str = "mean"
    fingerprint: str = FINGERPRINT
    chunk_tokens: int | None = None
    chunk_pool: str | None = None

    def prepare(self, **options: Any) -> Prepared:
        """Writes plan and job.json; options: of the Job, such as update=True."""
        return settle(self.found(**options))

    def run(self, most: int | None = None, **options: Any) -> Plan:
        """Embeds what is missing, or so many units of it; writes the manifest when nothing is missing."""
        return self.work(self.prepare(**options), most)

    def retry(self) -> Plan | None:
        """Embeds again what was rejected; None where nothing was."""
        due = due_again(self.found())
        return None if due is None else self.work(due.prepared)

    def work(self, prepared: Prepared, most: int | None = None) -> Plan:
        """As `run`, for a job that is prepared."""
        for done, rows in enumerate(self._missing_rows(prepared)):
            if done == most:
                return prepared.plan
            self.commit(prepared.plan, rows, rows.unit in prepared.replaced)
        finish(prepared)
        return prepared.plan

    def plan_anew(self, *inputs: Path) -> Plan:
        """Puts another plan in the place of the output's, as no run ever does."""
        plan = make_plan([str(path) for path in inputs], self.columns, self.shard_rows, self.output.storage)
        self.output.storage.write_atomic(self.output.plan_uri, plan_to_bytes(plan))
        return plan

    def found(self, **options: Any) -> Found:
        """What is there before a run."""
        inputs = tuple(str(path) for path in self.inputs)
        chunks = {"chunk_tokens": self.chunk_tokens, "chunk_pool": self.chunk_pool}
        encoder = EncoderSpec("fake", dtype=self.dtype, pooling=self.pooling, **cast(Any, chunks))
        job = Job(
            inputs, self.output.uri, encoder, self.columns, self.shard_rows, storage=self.output.storage, **options
        )
        nowhere = Path("/nonexistent")
        resolved = ResolvedSpec(encoder, self.pooling, False, 128, nowhere, None, self.fingerprint)
        return look_at_output(job, resolved)

    def _missing_rows(self, prepared: Prepared) -> Iterator[UnitRows]:
        """The rows of the units that are not committed."""
        plan, storage = prepared.plan, self.output.storage
        for unit in prepared.remaining.units:
            yield read_slice(plan, unit, self.columns, storage)
        for file, done in prepared.remaining.streams:
            yield from stream_slices(plan, file, self.columns, storage, stripe=0, stripes=1, done=done)

    def rows_of(self, plan: Plan, unit: Unit) -> UnitRows:
        """One unit's rows."""
        file = plan.files[unit.file]
        if not file.streamed:
            return read_slice(plan, unit, self.columns, STORAGE)
        return next(stream_slices(plan, file, self.columns, STORAGE, unit.slice, unit.slice + 1, ()))

    def commit(self, plan: Plan, rows: UnitRows, again: bool = False) -> ShardInfo:
        """Encodes a unit and commits it."""
        texts = rows.table["text"].to_pylist()
        tokens, encoded = self.tokens(texts), SimpleNamespace(vectors=self.encode(texts))
        encoder = SimpleNamespace(
            dimension=self.dimension,
            fingerprint=self.fingerprint,
            resolved=SimpleNamespace(spec=SimpleNamespace(dtype=self.dtype)),
        )
        embedded = embedded_rows(plan.files[rows.unit.file], rows, tokens, cast(Any, encoded))
        return commit_unit(self.output, plan, self.columns, embedded, cast(Any, encoder), again)

    def encode(
        self, texts: Sequence[str], chosen: tuple[np.ndarray, np.ndarray] | None = None
    ) -> np.ndarray | list[np.ndarray]:
        """The vectors of documents, or of some of their chunks, as `TextEncoder.encode_documents` gives them."""
        tokens = self.tokens(texts)
        vectors = self.vectors(encoded_texts(list(texts), tokens))
        if chosen is None or not isinstance(tokens, Chunks):
            return vectors
        rows = tokens.places.first[chosen[0]] + chosen[1]
        return [vectors[row] for row in rows] if isinstance(vectors, list) else vectors[rows]

    def tokens(self, texts: Sequence[str]) -> Tokens:
        """What the texts become."""
        if self.chunk_tokens is None:
            return fake_tokens(texts)
        return fake_chunks(texts, self.chunk_tokens, self.chunk_pool)

    def vectors(self, texts: Sequence[str]) -> np.ndarray | list[np.ndarray]:
        """The texts' vectors [n, dimension], or for `sequence` one array [words + 2, dimension] a text."""
        dtype = np.float16 if self.dtype == "float16" else np.float32
        vectors = np.array([fake_vector(text, self.dimension) for text in texts], dtype).reshape(-1, self.dimension)
        if self.pooling == "sequence":
            return [np.tile(v, (len(text.split()) + 2, 1)) for v, text in zip(vectors, texts, strict=True)]
        return vectors


def texts_of(name: str, rows: int) -> list[str]:
    """Texts of one to four words, with the name of their file."""
    return [f"{name} {row}" + " and more" * (row % 2) for row in range(rows)]


def write_parquet(path: Path, texts: Sequence[str | None], **columns: Sequence[object]) -> Path:
    """One row group; `None` is a row to be rejected."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"text": pa.array(texts, pa.string()), **columns}), path)
    return path


def write_json_lines(path: Path, texts: Sequence[str | None]) -> Path:
    """JSON Lines, gzipped where the name says so; `None` becomes a line to be rejected."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ("{broken\n" if text is None else json.dumps({"text": text}) + "\n" for text in texts)
    data = "".join(lines).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


def mixed_corpus(folder: Path) -> tuple[Path, ...]:
    """Every kind of file: cut by rows, cut by bytes, streamed, streamed and cut off, broken, empty; with bad rows."""
    cut = write_parquet(folder / "a.parquet", [*texts_of("rows", 24), None, *texts_of("later rows", 10)])
    ranges = write_json_lines(folder / "b.jsonl", [*texts_of("bytes", 20), None, None, "last"])
    stream = write_json_lines(folder / "c.jsonl.gz", [*texts_of("stream", 14), None, *texts_of("rest", 20)])
    table = folder / "d.csv"
    table.write_text("text\n" + "".join(f'"a cell, {row}"\n' for row in range(12)) + "too,many\n")
    torn = write_json_lines(folder / "e.jsonl.gz", [hashlib.sha256(bytes([row])).hexdigest() for row in range(250)])
    torn.write_bytes(torn.read_bytes()[:-400])
    broken = folder / "f.parquet"
    broken.write_bytes(b"PAR1 but no footer")
    empty = folder / "g.jsonl"
    empty.touch()
    return cut, ranges, stream, table, torn, broken, empty


def output_in(folder: Path) -> Output:
    """An output there."""
    return Output(str(folder / "out"), STORAGE)
