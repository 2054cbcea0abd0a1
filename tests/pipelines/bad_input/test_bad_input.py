"""Every kind of bad input becomes rejects with a reason of its own, and the good rows beside it are embedded."""

from collections import defaultdict
from pathlib import Path

import pytest

from pipelines.output.verify import verify
from tests.pipelines.bad_input.bad_csv_and_text import BAD_CSV, BAD_TEXT
from tests.pipelines.bad_input.bad_file import (
    NEIGHBOUR,
    Bad,
    embed_beside_a_neighbour,
    rejects_of,
    vectors_due,
    vectors_of,
)
from tests.pipelines.bad_input.bad_json_lines import BAD_JSON_LINES
from tests.pipelines.bad_input.bad_parquet import BAD_PARQUET
from tests.pipelines.bad_input.bad_streams import BAD_STREAMS

KINDS = [*BAD_JSON_LINES, *BAD_CSV, *BAD_TEXT, *BAD_PARQUET, *BAD_STREAMS]

# Faults that are the same thing in other words, or in another format, and so have one reason.
SAME = [
    {"the text is null", "the last of two texts is null"},
    {"no text", "no keys"},
    {"the id is null", "an empty id"},
    {"a line cut off in a value", "a brace left open"},
    {"two objects", "a comma after the object"},
    {"NaN", "minus infinity"},
    {"a raw control character", "a raw NUL"},
    {"invalid UTF-8", "invalid UTF-8 in quotes", "a surrogate as UTF-8", "Latin-1"},
    {"a field too many", "a tab too many"},
    {"another format", "a hole of zeros"},
    {"a file cut off", "no footer"},
    {"an encrypted file", "an encrypted column"},
    {"a cut gzip stream", "a cut CSV stream"},
]


@pytest.mark.parametrize("bad", KINDS, ids=str)
def test_the_bad_is_rejected_with_its_reason_and_the_good_is_embedded(bad: Bad, tmp_path: Path):
    job = embed_beside_a_neighbour(bad, tmp_path)
    rejects = rejects_of(job)
    assert [reject["reason"] for reject in rejects] == [bad.reason] * bad.rejects
    assert {reject["file"] for reject in rejects} == {str(tmp_path / "corpus" / bad.file)}
    assert vectors_of(job, 0) == vectors_due(bad.good)
    assert vectors_of(job, 1) == vectors_due(NEIGHBOUR)
    assert verify(job.output, with_input=True).violations == ()


def test_no_two_faults_share_a_reason():
    faults: defaultdict[str, set[str]] = defaultdict(set)
    for bad in KINDS:
        faults[bad.reason].add(bad.fault)
    shared = [found for found in faults.values() if len(found) > 1]
    assert all(any(found <= same for same in SAME) for found in shared), shared


def test_reasons_are_one_short_line():
    assert all("\n" not in bad.reason and len(bad.reason) < 200 for bad in KINDS)


def test_there_are_many_kinds():
    assert len({bad.reason for bad in KINDS}) >= 60
