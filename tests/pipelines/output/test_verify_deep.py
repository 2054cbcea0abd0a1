"""Verify, deep: ids that repeat, vectors that are zero, and rows that are embedded again to see whether they agree."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines.corpus.plan import Columns
from pipelines.errors import UsageError
from pipelines.output.check_sample import Sampling
from pipelines.output.layout import Output
from pipelines.output.manifest import write_manifest
from pipelines.output.planned import load_planned
from pipelines.output.vectors import Vectors, embedding_column
from pipelines.output.verify import Verification, verify
from tests.pipelines.output.corruption import copy_of, rewrite
from tests.pipelines.output.fake_job import (
    DIMENSION,
    FINGERPRINT,
    FakeJob,
    mixed_corpus,
    output_in,
    texts_of,
    write_json_lines,
    write_parquet,
)

FIRST, SECOND = "part-000000-000000", "part-000000-000001"
KEYED = Columns("text", "key")


def deep(job: FakeJob, output: Output | None = None, rows: int = 10_000, seed: int = 1, **changes) -> Verification:
    """What a deep look finds, at every row unless told otherwise."""
    sampling = replace(Sampling(job.encode, FINGERPRINT, rows, seed), **changes)
    return verify(output or job.output, deep=sampling)


def lines(found: Verification) -> list[str]:
    return [str(violation) for violation in found.violations]


def finished(folder: Path, *inputs: Path, **options) -> FakeJob:
    job = FakeJob(inputs, output_in(folder), **options)
    job.run()
    return job


def rewritten(job: FakeJob, folder: Path, name: str, change: Callable[[pa.Table], pa.Table]) -> Output:
    """A copy in which a shard's rows are others, and all else agrees with them."""
    output = copy_of(job.output, folder)
    rewrite(output, name, change)
    planned = load_planned(output)
    write_manifest(output, planned.plan, planned.digest, FINGERPRINT)
    return output


def with_vectors(vectors: Vectors) -> Callable[[pa.Table], pa.Table]:
    """Puts these vectors in the place of a shard's."""
    column = embedding_column(vectors, DIMENSION, "float32")
    return lambda table: table.set_column(table.schema.get_field_index("embedding"), "embedding", column)


def with_swapped_vectors(table: pa.Table) -> pa.Table:
    """Rows 1 and 3 have each other's vectors."""
    swapped = table["embedding"].take(pa.array([0, 3, 2, 1, *range(4, table.num_rows)]))
    return table.set_column(table.schema.get_field_index("embedding"), "embedding", swapped)


# Whole outputs.


@pytest.mark.parametrize(
    "options", [{}, {"dtype": "float16"}, {"dtype": "int8"}, {"dtype": "binary"}, {"pooling": "sequence"}], ids=str
)
def test_every_row_of_a_healthy_output_has_the_vector_of_its_text(tmp_path: Path, options: dict):
    job = finished(tmp_path, *mixed_corpus(tmp_path / "corpus"), **options)
    found = deep(job)
    assert (lines(found), found.sampled) == ([], found.rows)


def test_rows_that_the_encoder_rejected_move_no_others(tmp_path: Path):
    @dataclass(frozen=True)
    class Failing(FakeJob):
        def vectors(self, texts):
            vectors = np.array(super().vectors(texts))
            vectors[[text == "a 1 and more" for text in texts]] = np.nan
            return vectors

    job = Failing((write_parquet(tmp_path / "a.parquet", [None, *texts_of("a", 8)]),), output_in(tmp_path))
    job.run()
    found = deep(job)
    assert (lines(found), found.rejects, found.sampled) == ([], 2, 7)


# Repeated ids.


def test_an_id_that_is_twice_in_a_file_is_found_in_one_shard_and_across(tmp_path: Path):
    keys = [f"key {row}" for row in range(20)]
    keys[4], keys[15], keys[16] = keys[2], keys[1], keys[1]
    job = finished(tmp_path, write_parquet(tmp_path / "a.parquet", texts_of("a", 20), key=keys), columns=KEYED)
    assert lines(deep(job)) == [
        f"{FIRST}.parquet: 1 of its ids are there before: row 4 has the id of row 2; "
        "--input tells whether the input's ids are so too",
        f"{SECOND}.parquet: 2 of its ids are there before: row 5 has the id of row 1 of {FIRST}; "
        "--input tells whether the input's ids are so too",
    ]
    assert verify(job.output).violations == ()


def test_an_integer_that_is_twice_in_a_file_is_found(tmp_path: Path):
    keys = [-1, 1 << 40, -1]
    job = finished(tmp_path, write_parquet(tmp_path / "a.parquet", texts_of("a", 3), key=keys), columns=KEYED)
    [line] = lines(deep(job))
    assert "row 2 has the id of row 0" in line


def test_two_files_may_have_the_same_ids(tmp_path: Path):
    files = [write_parquet(tmp_path / name, texts_of(name, 5), key=list(range(5))) for name in ("a.pq", "b.pq")]
    assert lines(deep(finished(tmp_path, *files, columns=KEYED))) == []


# Zero vectors.


def test_zero_vectors_are_counted_and_their_first_rows_named(tmp_path: Path):
    job = finished(tmp_path, write_parquet(tmp_path / "a.parquet", texts_of("a", 8)))
    vectors = np.array(job.vectors(texts_of("a", 8)))
    vectors[[1, 3, 4, 6]] = 0
    output = rewritten(job, tmp_path, FIRST, with_vectors(vectors))
    told = f"{FIRST}.parquet: 4 of its vectors are zero, in rows 1, 3, 4, …; check the model"
    assert lines(deep(job, output)) == [told]
    assert verify(output).violations == ()


def test_a_zero_vector_of_a_token_is_found_in_its_row(tmp_path: Path):
    job = finished(tmp_path, write_parquet(tmp_path / "a.parquet", texts_of("a", 4)), pooling="sequence")
    vectors = [np.array(states) for states in job.vectors(texts_of("a", 4))]
    vectors[2][-1] = 0
    output = rewritten(job, tmp_path, FIRST, with_vectors(vectors))
    assert lines(deep(job, output)) == [f"{FIRST}.parquet: 1 of its vectors are zero, in row 2; check the model"]


@pytest.mark.parametrize(("pooling", "advice"), [("mean", " or --normalize"), ("sequence", "")])
def test_vectors_that_the_scale_of_int8_makes_zero_are_found(tmp_path: Path, pooling: str, advice: str):
    @dataclass(frozen=True)
    class OfManyLengths(FakeJob):
        def vectors(self, texts):
            vectors = super().vectors(texts)
            lengths = [1e-3 if text == "a 2" else 1 for text in texts]
            longer = [np.float32(length) * vector for length, vector in zip(lengths, vectors, strict=True)]
            return longer if self.pooling == "sequence" else np.array(longer)

    corpus = write_parquet(tmp_path / "a.parquet", texts_of("a", 4))
    job = OfManyLengths((corpus,), output_in(tmp_path), dtype="int8", pooling=pooling)
    job.run()
    [line] = lines(deep(job))
    assert "of its vectors are zero, in row 2; " in line
    assert line.endswith(f"too small for the shard's scale, or the model is at fault; use --dtype float16{advice}")


# Rows that are embedded again.


@pytest.mark.parametrize("pooling", ["mean", "sequence"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "binary"])
def test_vectors_of_other_texts_are_found(tmp_path: Path, pooling: str, dtype: str):
    job = finished(tmp_path, write_parquet(tmp_path / "a.parquet", texts_of("a", 8)), pooling=pooling, dtype=dtype)
    output = rewritten(job, tmp_path, FIRST, with_swapped_vectors)
    assert verify(output).violations == ()
    [line] = lines(deep(job, output))
    assert line.startswith(f"{FIRST}.parquet: 2 of 8 sampled rows have other vectors than their texts: that of row ")
    assert line.endswith("may be; delete the shard and run the same embed command again")


@pytest.mark.parametrize(
    ("dtype", "off", "violations"),
    [
        ("float32", 5e-5, 0),
        ("float32", 3e-4, 1),
        ("float16", 3e-4, 0),
        ("float16", 3e-3, 1),
        ("int8", 5e-5, 0),
        ("int8", 9e-3, 1),
        ("binary", 5e-5, 0),
        ("binary", 0.5, 1),
    ],
)
def test_vectors_may_differ_by_what_their_dtype_allows(tmp_path: Path, dtype: str, off: float, violations: int):
    job = finished(tmp_path, write_json_lines(tmp_path / "a.jsonl", texts_of("a", 8)), dtype=dtype)
    scaled = deep(job, encode=lambda texts, chosen: np.asarray(job.vectors(texts), np.float32) + np.float32(off))
    assert len(scaled.violations) == violations


def test_the_tolerance_grows_with_the_vectors_length(tmp_path: Path):
    job = finished(tmp_path, write_json_lines(tmp_path / "a.jsonl", texts_of("a", 4)))
    output = rewritten(job, tmp_path, FIRST, with_vectors(100 * np.array(job.vectors(texts_of("a", 4)))))
    assert lines(deep(job, output, encode=lambda texts, chosen: 100 * np.array(job.vectors(texts)) + 5e-3)) == []
    assert len(lines(deep(job, output, encode=lambda texts, chosen: 100 * np.array(job.vectors(texts)) + 5e-2))) == 1


def test_rows_that_are_not_the_inputs_are_found(tmp_path: Path):
    corpus = write_parquet(tmp_path / "a.parquet", texts_of("a", 8), key=list(range(8)))
    job = finished(tmp_path, corpus, columns=KEYED)
    output = rewritten(job, tmp_path, FIRST, lambda table: table.take([0, 2, 1, *range(3, 8)]))
    assert lines(deep(job, output)) == [f"{FIRST}.parquet: its id in row 1 is not the input's: 2, where 1 is due"]


def test_lost_rows_are_found(tmp_path: Path):
    job = finished(tmp_path, write_json_lines(tmp_path / "a.jsonl", texts_of("a", 8)))
    output = rewritten(job, tmp_path, FIRST, lambda table: table.slice(1))
    assert lines(deep(job, output)) == [f"{FIRST}.parquet: holds 7 rows, where the input gives 8"]
    assert deep(job, output).sampled == 0


def test_a_sampled_slice_that_a_stream_does_not_have_is_found_and_not_counted(tmp_path: Path):
    corpus = write_json_lines(tmp_path / "a.jsonl.gz", texts_of("a", 25))
    job = finished(tmp_path, corpus)
    planned = corpus.stat()
    shorter = write_json_lines(corpus, texts_of("a", 20)).read_bytes()
    corpus.write_bytes(shorter.ljust(planned.st_size, b"\0"))
    os.utime(corpus, ns=(planned.st_atime_ns, planned.st_mtime_ns))
    found = deep(job)
    assert lines(found) == [f"part-000000-000002.parquet: {corpus} has no such slice"]
    assert (found.rows, found.sampled) == (25, 20)


@pytest.mark.parametrize("what", ["is gone", "has changed"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_an_input_that_is_not_the_planned_one_is_a_violation_that_names_it(tmp_path: Path, what: str, name: str):
    corpus = write_json_lines(tmp_path / name, texts_of("a", 8))
    other = write_json_lines(tmp_path / "b.jsonl", texts_of("b", 8))
    job = finished(tmp_path, corpus, other)
    if what == "is gone":
        corpus.unlink()
    else:
        write_json_lines(corpus, texts_of("other", 9))
    due = [f"{corpus}: {what} since the plan was made; its rows cannot be compared"]
    assert lines(deep(job)) == due
    both = verify(job.output, with_input=True, deep=Sampling(job.encode, FINGERPRINT, 100, 1))
    assert lines(both) == due


def test_an_encoder_that_is_not_the_outputs_is_refused(tmp_path: Path):
    job = finished(tmp_path, write_json_lines(tmp_path / "a.jsonl", texts_of("a", 8)))
    with pytest.raises(UsageError, match=r"its encoder has fingerprint .+, the one named has 0000"):
        deep(job, fingerprint="0" * 64)


def test_a_damaged_shard_is_not_sampled(tmp_path: Path):
    job = finished(tmp_path, write_json_lines(tmp_path / "a.jsonl", texts_of("a", 8)))
    path = Path(job.output.uri) / f"{FIRST}.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    found = deep(job)
    assert (len(found.violations), found.sampled) == (1, 0)


def test_rows_whose_file_has_vanished_are_not_sampled(tmp_path):
    paths = [write_parquet(tmp_path / "corpus" / f"{name}.parquet", texts_of(name, 5)) for name in "ab"]
    job = finished(tmp_path, tmp_path / "corpus")
    paths[0].unlink()
    job.run(update=True)
    found = deep(job)
    assert (lines(found), found.rows, found.sampled) == ([], 10, 5)
