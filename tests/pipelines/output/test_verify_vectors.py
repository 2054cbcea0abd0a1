"""Verify, of the vectors: every form is proven, and a number, a scale or a dimension that cannot be is found."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines.encoder.spec import DTYPES
from pipelines.output.layout import Output
from pipelines.output.vectors import embedding_column, vectors_of
from pipelines.output.verify import verify
from tests.pipelines.output.corruption import copy_of, edit_footer, edit_json, rewrite, shard
from tests.pipelines.output.fake_job import FakeJob, mixed_corpus, output_in

DIMENSION = 12  # a byte and a half of bits
CUT = "part-000000-000000"


@pytest.fixture(scope="module")
def jobs(tmp_path_factory) -> dict[str, FakeJob]:
    """A finished job of each dtype."""
    folder = tmp_path_factory.mktemp("forms")
    corpus = mixed_corpus(folder / "corpus")
    made = {name: FakeJob(corpus, output_in(folder / name), dtype=name, dimension=DIMENSION) for name in DTYPES}
    for job in made.values():
        job.run()
    return made


@pytest.fixture
def int8(jobs, tmp_path: Path) -> Output:
    return copy_of(jobs["int8"].output, tmp_path)


@pytest.fixture
def binary(jobs, tmp_path: Path) -> Output:
    return copy_of(jobs["binary"].output, tmp_path)


def with_vectors(change: Callable[[np.ndarray], None], dtype: str) -> Callable[[pa.Table], pa.Table]:
    """Changes the stored vectors of a shard's table."""

    def changed(table: pa.Table) -> pa.Table:
        stored = vectors_of(table["embedding"]).copy()
        change(stored)
        column = embedding_column(stored, stored.shape[1], dtype)
        return table.set_column(table.schema.get_field_index("embedding"), "embedding", column)

    return changed


def lines(output: Output) -> list[str]:
    return [line for line in map(str, verify(output).violations) if line.startswith(CUT)]


def set_first(value: int) -> Callable[[np.ndarray], None]:
    def change(stored: np.ndarray) -> None:
        stored[0, -1] = value

    return change


@pytest.mark.parametrize("pooling", ["mean", "sequence"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_form_is_proven(jobs, tmp_path, dtype, pooling):
    job = replace(jobs[dtype], output=output_in(tmp_path), pooling=pooling)
    job.run()
    verified = verify(job.output, with_input=True)
    assert verified.rows > 100 and verified.violations == ()


def test_minus_128_is_found(int8):
    rewrite(int8, CUT, with_vectors(set_first(-128), "int8"))
    assert lines(int8) == [f"{CUT}.parquet: 1 of its int8 vectors hold bits or numbers that encorpus never writes"]


def test_a_bit_behind_the_last_number_is_found(binary):
    rewrite(binary, CUT, with_vectors(set_first(0b1000), "binary"))
    assert lines(binary) == [f"{CUT}.parquet: 1 of its binary vectors hold bits or numbers that encorpus never writes"]


@pytest.mark.parametrize("scale", ["1", "0", "-0.5", "nan", "inf"])
def test_another_scale_than_that_of_the_norms_is_found(int8, scale):
    edit_footer(shard(int8, CUT), "scale", scale)
    assert any("lengths of its vectors" in line or "NaN or infinite" in line for line in lines(int8))


@pytest.mark.parametrize("scale", [0.0, -0.5])
def test_a_scale_that_none_can_be_is_found(int8, scale):
    rewrite(int8, CUT, info=lambda info: replace(info, scale=scale))
    assert any(f"its footer gives the scale {scale:g} to int8 vectors" in line for line in lines(int8))


@pytest.mark.parametrize("dimension", [-1, 0, 3, 8, 17, 10**12])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_dimension_that_does_not_fit_the_column_is_found(jobs, tmp_path, dtype, dimension):
    output = copy_of(jobs[dtype].output, tmp_path)
    rewrite(output, CUT, info=lambda info: replace(info, dimension=dimension))
    assert any(f"its footer gives {dimension} numbers to a vector" in line for line in lines(output))


def test_another_dimension_that_the_bits_have_room_for_is_found(binary):
    rewrite(binary, CUT, info=lambda info: replace(info, dimension=13))
    assert f"{CUT}.parquet: its vectors have 13 numbers, those of other shards 12" in lines(binary)


@pytest.mark.parametrize("dtype", ["float32", "float16", "binary"])
def test_a_scale_of_vectors_that_have_none_is_found(jobs, tmp_path, dtype):
    output = copy_of(jobs[dtype].output, tmp_path)
    rewrite(output, CUT, info=lambda info: replace(info, scale=0.5))
    assert any(f"its footer gives the scale 0.5 to {dtype} vectors" in line for line in lines(output))


@pytest.mark.parametrize(("dtype", "other"), [("int8", "float32"), ("binary", "int8"), ("float32", "binary")])
def test_vectors_of_another_form_are_found(jobs, tmp_path, dtype, other):
    output = copy_of(jobs[dtype].output, tmp_path)
    edit_json(output.job_uri, lambda plain: plain["encoder"].update(dtype=other))
    assert any("its columns are" in line for line in lines(output))


def test_a_manifest_with_another_scale_is_found(int8):
    edit_json(int8.manifest_uri, lambda plain: plain["shards"][0].update(scale=1.0))
    assert any(f"says of {CUT} otherwise than its footer: scale" in str(found) for found in verify(int8).violations)
