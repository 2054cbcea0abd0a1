"""`--dtype int8` and `--dtype binary` through the commands: embedded, proven, and found again."""

import pyarrow.dataset as ds
import pytest

from pipelines.numbers import size
from tests.cluster.command_line import encorpus
from tests.cluster.small_outputs import ROWS, embed, text_of
from tests.tiny_model import WIDTH


@pytest.fixture(scope="module", params=["int8", "binary"])
def dtype(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def small(dtype, mixed, tiny_model, tmp_path_factory):
    """The mixed corpus in vectors of this dtype."""
    options = ("--id-column", "name", "--shard-rows", "10", "--dtype", dtype)
    return embed(mixed.corpus, tmp_path_factory.mktemp(dtype) / "out", tiny_model, *options)


def test_the_corpus_is_embedded_and_proven_against_its_input(small):
    assert small.finished.status == 3  # the corpus has bad rows
    proven = encorpus("verify", small.output, "--input")
    assert (proven.status, proven.err) == (0, "")


def test_each_vector_has_so_many_numbers(small, dtype):
    vectors = ds.dataset(small.output, format="parquet").to_table()["embedding"]
    assert len(vectors) == sum(ROWS.values())
    assert (str(vectors.type.value_type), vectors.type.list_size) == (
        ("int8", WIDTH) if dtype == "int8" else ("uint8", WIDTH // 8)
    )


@pytest.mark.parametrize("part", ROWS)
def test_no_row_is_nearer_than_that_of_the_same_text(small, part):
    # So few bits are the same for several texts.
    found = encorpus("search", small.output, text_of(f"{part}-7"), "--top", "100")
    assert f"1.000  {part}-7" in found.out.splitlines()


def test_a_rerun_has_nothing_to_do_and_one_in_another_dtype_is_refused(small, dtype):
    assert "nothing missing" in small.again().err
    refused = small.again("--dtype", "float32")
    assert (refused.status, f"dtype was {dtype}, now float32" in refused.err) == (2, True)


def test_the_plan_tells_their_size(small, dtype, mixed, tiny_model):
    told = encorpus("plan", mixed.corpus, "--model", tiny_model, "--dtype", dtype, "--workers", "1").out
    assert f" rows × {size(WIDTH / (1 if dtype == 'int8' else 8))} = " in told
