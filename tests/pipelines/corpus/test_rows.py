"""The rows of a unit, as they are handed on."""

import pyarrow as pa
import pytest

from pipelines.corpus.plan_types import Unit
from pipelines.corpus.rows import MADE_BYTES, REJECT_SCHEMA, UnitRows


def rows_of(texts: list[str]) -> UnitRows:
    table = pa.table({"text": pa.array(texts, pa.string())})
    return UnitRows(Unit(0, 0), table, REJECT_SCHEMA.empty_table(), 0, len(texts), last=True)


@pytest.mark.parametrize(
    "texts",
    [[], [""], ["", "a", "é", "", "漢字"], [str(number) for number in range(5000)], ["x" * MADE_BYTES, "b"] * 3],
    ids=["none", "empty", "several", "many", "large"],
)
def test_every_text_comes_once_and_in_order(texts):
    assert list(rows_of(texts).texts()) == texts
