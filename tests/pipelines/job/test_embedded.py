"""A row whose vector is not finite becomes a reject; the rows beside it are embedded."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from pipelines.errors import EncorpusError
from pipelines.job.embedded import embedded_rows
from pipelines.output.rejects import NOT_FINITE
from pipelines.output.verify import verify
from tests.pipelines.corpus.reading import STORAGE, TEXT, plan_of, read_plan
from tests.pipelines.output.fake_job import FakeJob, output_in, write_parquet

TEXTS = ["one", None, "two", "three"]
GOOD = [1.0, 2.0, 3.0]


def embed(tmp_path, wrong, texts=TEXTS, sequence=False):
    """The first unit of those texts, with the wrong value in the vectors of the rows at `wrong`."""
    plan = plan_of(write_parquet(tmp_path / "a.parquet", texts))
    (rows,) = read_plan(plan)
    vectors = np.array([GOOD] * rows.table.num_rows, np.float32)
    for row, value in wrong.items():
        vectors[row, 1] = value
    count = rows.table.num_rows
    tokens = SimpleNamespace(lengths=np.arange(count), truncated=np.zeros(count, bool), row=np.arange(count))
    given = [np.tile(vector, (2, 1)) for vector in vectors] if sequence else vectors
    encoded = SimpleNamespace(vectors=given)
    return embedded_rows(plan.files[0], rows, cast(Any, tokens), cast(Any, encoded))


@pytest.mark.parametrize("sequence", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_vector_that_is_not_finite_is_a_reject_in_its_place(tmp_path, value, sequence):
    embedded = embed(tmp_path, {1: value}, sequence=sequence)
    assert embedded.rows.table["row"].to_pylist() == [0, 3]
    assert embedded.tokens.tolist() == [0, 2]
    assert np.isfinite(np.asarray(embedded.vectors)).all() and len(embedded.vectors) == 2
    rejects = [(reject["row"], reject["id"], reject["reason"]) for reject in embedded.rows.rejects.to_pylist()]
    assert rejects == [(1, "000000:1", "text is null"), (2, "000000:2", NOT_FINITE)]


def test_finite_vectors_are_left_as_they_are(tmp_path):
    embedded = embed(tmp_path, {})
    assert (embedded.rows.table.num_rows, embedded.rows.rejects.num_rows, len(embedded.vectors)) == (3, 1, 3)


def test_a_unit_without_one_finite_vector_is_the_models_fault(tmp_path):
    with pytest.raises(EncorpusError, match=r"part-000000-000000 of .*: all 3 vectors are NaN or infinite; check the"):
        embed(tmp_path, {0: np.nan, 1: np.nan, 2: np.nan})


def test_a_single_row_may_be_at_fault_itself(tmp_path):
    assert embed(tmp_path, {0: np.nan}, texts=["one"]).rows.table.num_rows == 0


def test_an_output_with_such_rejects_is_proven_against_its_input(tmp_path):
    class OneInfinite(FakeJob):
        def vectors(self, texts):
            vectors = np.asarray(super().vectors(texts))
            vectors[[text.startswith("two") for text in texts]] = np.inf
            return vectors

    job = OneInfinite((write_parquet(tmp_path / "a.parquet", TEXTS),), output_in(tmp_path), TEXT)
    job.run()
    verified = verify(job.output, with_input=True)
    assert (verified.rows, verified.rejects, verified.violations) == (2, 2, ())
    assert job.output.storage == STORAGE
