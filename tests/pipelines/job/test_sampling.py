"""Samples are spread over a corpus, are small whatever it holds, and tell about how many rows there are."""

import gzip
import json
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numbers

from pipelines.corpus.plan import Columns, Plan, make_plan
from pipelines.job.estimate import bars
from pipelines.job.sampling import PLACE_BYTES, PLACE_ROWS, PLACES, rows_by_kind, take_samples
from pipelines.storage import Storage

TEXT = Columns("text")


@dataclass(frozen=True)
class Counting(Storage):
    """Storage that knows how often files were read."""

    reads: list[str] = field(default_factory=list)

    def open(self, uri):
        self.reads.append(uri)
        return super().open(uri)

    def read_range(self, uri, start, stop):
        self.reads.append(uri)
        return super().read_range(uri, start, stop)


def lines(rows: int, width: int = 10) -> bytes:
    return b"".join(json.dumps({"text": f"{row:>{width}}"}).encode() + b"\n" for row in range(rows))


def plan_of(path: Path, shard_rows: int = 1000) -> Plan:
    return make_plan([str(path)], TEXT, shard_rows, Storage())


def about(path: Path, shard_rows: int = 1000) -> dict[str, int]:
    plan = plan_of(path, shard_rows)
    return {kind.kind: kind.rows for kind in rows_by_kind(plan, take_samples(plan, TEXT, Storage()))}


def test_a_corpus_of_one_file_is_sampled_from_its_beginning_to_its_end(tmp_path):
    texts = [str(row) for row in range(80_000)]
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet", row_group_size=20_000)
    (sample,) = take_samples(plan_of(tmp_path), TEXT, Storage())
    found = [int(text) for text in sample.texts]
    assert len(found) == PLACES * PLACE_ROWS
    assert [row // 10_000 for row in found[::PLACE_ROWS]] == list(range(PLACES))


def test_of_many_files_few_are_read(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(lines(20))
    plan = plan_of(tmp_path)
    many = replace(plan, files=tuple(replace(plan.files[0], number=number) for number in range(100_000)))
    samples = take_samples(many, TEXT, storage := Counting())
    assert [sample.file.number for sample in samples] == [6250 + 12_500 * place for place in range(PLACES)]
    assert len(storage.reads) == PLACES


def test_the_larger_files_are_read_more(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(lines(10))
    (tmp_path / "b.jsonl").write_bytes(lines(10_000))
    samples = take_samples(plan_of(tmp_path), TEXT, Storage())
    assert [Path(sample.file.uri).name for sample in samples] == ["b.jsonl"]


def test_every_kind_of_file_whose_rows_nobody_knows_is_read(tmp_path):
    pq.write_table(pa.table({"text": ["x" * 1000 + str(row) for row in range(3000)]}), tmp_path / "a.parquet")
    (tmp_path / "b.jsonl").write_bytes(lines(40))
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(lines(70)))
    (tmp_path / "d.csv").write_text("text\n" + "x\n" * 90)
    (tmp_path / "e.txt").write_text("x\n\n" * 25)
    assert about(tmp_path) == {"jsonl": 40, "gzip jsonl": 70, "csv": 90, "text": 50}


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "a.txt.gz"])
def test_rows_of_a_large_file_are_told_from_a_part_of_it(name, tmp_path):
    rng = np.random.default_rng(1)
    words = [" ".join(map(str, rng.integers(0, 10**6, rng.integers(1, 60)))) for _ in range(40_000)]
    rows = [json.dumps({"text": text}) for text in words] if "jsonl" in name else words
    content = "\n".join(["text"] * ("csv" in name) + rows).encode()
    (tmp_path / name).write_bytes(gzip.compress(content, 1) if name.endswith("gz") else content)
    (kind,) = rows_by_kind(plan := plan_of(tmp_path), take_samples(plan, TEXT, Storage()))
    assert kind.sampled_bytes < kind.bytes
    assert kind.rows == pytest.approx(40_000, rel=0.05)


def test_a_small_file_that_holds_much_is_not_read_to_its_end(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines(60, width=1_000_000)))
    (sample,) = take_samples(plan_of(tmp_path), TEXT, Storage())
    assert sample.rows < 20


def test_a_unit_of_long_rows_is_not_read_as_a_whole(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(lines(400, width=100_000))
    samples = take_samples(plan_of(tmp_path), TEXT, Storage())
    assert sum(sample.bytes for sample in samples) <= PLACES * PLACE_BYTES


def test_rows_that_will_be_rejects_count_and_have_no_text(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines(10) + b"{\n" * 10))
    (sample,) = take_samples(plan_of(tmp_path), TEXT, Storage())
    assert (sample.rows, len(sample.texts)) == (20, 10)


@pytest.mark.parametrize("content", [b"", b"{\n"])
def test_a_corpus_without_texts_has_none(content, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(content)
    assert [text for sample in take_samples(plan_of(tmp_path), TEXT, Storage()) for text in sample.texts] == []


def test_a_file_that_cannot_be_read_is_left_out(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(lines(10))
    (tmp_path / "b.parquet").write_bytes(b"no Parquet" * 1000)
    assert about(tmp_path) == {"jsonl": 10}


@given(numbers.arrays(np.int32, st.integers(1, 50), elements=st.integers(1, 600)))
def test_bars_hold_every_length_once(lengths):
    found = list(bars(lengths))
    assert sum(bar.share for bar in found) == pytest.approx(1)
    assert found[0].least == 1 and found[-1].least <= lengths.max() <= found[-1].most
    assert all(before.most + 1 == after.least for before, after in pairwise(found))
