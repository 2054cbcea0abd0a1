"""Small real jobs: a corpus of every format, the tiny model, and the vectors that are due."""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from pipelines.corpus.plan import Columns
from pipelines.encoder.spec import EncoderSpec
from pipelines.encoder.text_encoder import TextEncoder
from pipelines.job.embed import Job
from pipelines.job.prepare import Prepared
from pipelines.job.work_order import WorkOrder, work_order
from pipelines.output.layout import Output
from pipelines.output.vectors import vectors_of
from pipelines.storage import Storage
from tests.tiny_model import WORDS

COLUMNS = Columns("text", id="name")
SHARD_ROWS = 20


def texts_of(name: str, rows: int) -> dict[str, str]:
    """Named texts of one to nine words; each is there twice."""
    return {
        f"{name}-{row}": " ".join(WORDS[(row // 2 * step) % len(WORDS)] for step in range(1, 2 + row // 2 % 9))
        for row in range(rows)
    }


def write_mixed_corpus(folder: Path) -> dict[str, str]:
    """Parquet and JSON Lines, which are cut, gzip and CSV, which are streamed; gives every text by its id."""
    folder.mkdir(parents=True)
    parts = {name: texts_of(name, 55) for name in ("parquet", "lines", "gzip", "csv")}
    write_parquet(folder / "a.parquet", parts["parquet"])
    (folder / "b.jsonl").write_bytes(json_lines(parts["lines"]))
    (folder / "c.jsonl.gz").write_bytes(gzip.compress(json_lines(parts["gzip"])))
    table = io.StringIO()
    csv.writer(table).writerows([("name", "text"), *parts["csv"].items()])
    (folder / "d.csv").write_text(table.getvalue(), encoding="utf-8")
    return {name: text for part in parts.values() for name, text in part.items()}


def write_parquet(path: Path, texts: Mapping[str, str | None]) -> Path:
    """Columns name and text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"name": list(texts), "text": pa.array(texts.values(), pa.string())}), path)
    return path


def json_lines(texts: Mapping[str, str]) -> bytes:
    """Lines of name and text."""
    return "".join(json.dumps({"name": name, "text": text}) + "\n" for name, text in texts.items()).encode()


def spec_of(model: Path, **options: Any) -> EncoderSpec:
    """The tiny model with mean pooling, unless told otherwise."""
    return EncoderSpec(str(model), **{"pooling": "mean", "max_tokens": 32, **options})


def job_of(inputs: Path | Iterable[Path | str], output: Path | str, model: Path, **options: Any) -> Job:
    """A job of two workers over units of 20 rows."""
    paths = [inputs] if isinstance(inputs, Path) else inputs
    encoder = options.pop("encoder", None) or spec_of(model)
    settled = {"columns": COLUMNS, "shard_rows": SHARD_ROWS, "workers": (2, 2), **options}
    return Job(inputs=tuple(map(str, paths)), output=str(output), encoder=encoder, **settled)


def order_of(prepared: Prepared, **changes: Any) -> WorkOrder:
    """What the workers of a planned job are told."""
    return replace(work_order(prepared, threads=1), **changes)


def rows_written(output: Path) -> dict[str, np.ndarray]:
    """Every row's vector by its id, as a reader of Parquet datasets sees the output. Fails on an id seen twice."""
    table = ds.dataset(output, format="parquet").to_table()
    ids = table["id"].to_pylist()
    assert len(set(ids)) == len(ids)
    return dict(zip(ids, vectors_of(table["embedding"]), strict=True)) if ids else {}


def assert_embedded(output: Path, texts: Mapping[str, str], encoder: TextEncoder) -> None:
    """The output has each text once, under its id and with its vector."""
    found = rows_written(output)
    assert sorted(found) == sorted(texts)
    due = np.asarray(encoder.encode(list(texts.values())))
    np.testing.assert_allclose([found[name] for name in texts], due, rtol=0, atol=1e-4)


def shards_of(output: Path) -> dict[str, tuple[int, bytes]]:
    """Each shard's time of change and bytes, by name."""
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in sorted(output.glob("*.parquet"))}


def output_of(folder: Path) -> Output:
    """The output in a folder."""
    return Output(str(folder), Storage())
