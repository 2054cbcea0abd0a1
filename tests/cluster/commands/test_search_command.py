"""`encorpus search`: score, id and text of the nearest rows, best first."""

import re

import pytest

from tests.cluster.command_line import encorpus
from tests.cluster.small_outputs import ROWS, embed, put_back, text_of
from tests.pipelines.output.fake_job import FakeJob, output_in, texts_of, write_parquet

HIT = re.compile(r"(-?\d\.\d{3})  (\S+)")


def hits(output, query, *options):
    """Score, id and text of each hit."""
    finished = encorpus("search", output, query, *options)
    assert (finished.status, finished.err) == (0, "")
    found = []
    for line in finished.out.splitlines():
        if match := HIT.fullmatch(line):
            found.append((float(match[1]), match[2], []))
        else:
            found[-1][2].append(line.strip())
    return [(score, name, " ".join(text)) for score, name, text in found]


@pytest.mark.parametrize("part", ROWS)
def test_a_row_is_nearest_to_its_own_text_which_is_read_from_the_input(part, mixed):
    name = f"{part}-7"
    assert hits(mixed.output, text_of(name), "--top", "1") == [(1.0, name, text_of(name))]


def test_a_kept_text_is_read_from_the_output(clean):
    with put_back(clean.corpus / "a.parquet"):
        (clean.corpus / "a.parquet").unlink()
        found = hits(clean.output, text_of("parquet-7"), "--top", "1")
    assert found == [(1.0, "000000:7", text_of("parquet-7"))]


def test_a_text_whose_input_is_gone_is_said_to_be_so(mixed):
    with put_back(mixed.corpus / "a.parquet"):
        (mixed.corpus / "a.parquet").unlink()
        found = hits(mixed.output, text_of("parquet-7"), "--top", "1")
    assert found == [(1.0, "parquet-7", "(the text is not kept, and its input is gone or changed)")]


def test_a_text_that_would_drive_the_terminal_is_shown_by_its_characters(tmp_path, tiny_model, ray_session):
    path = write_parquet(tmp_path / "a.parquet", ["a \x1b[2Jtext"])
    embed(path, tmp_path / "out", tiny_model)
    assert [text for _, _, text in hits(tmp_path / "out", "a text", "--top", "1")] == ["a \\x1b[2Jtext"]


def test_five_hits_unless_told_otherwise_the_best_first(mixed):
    scores = [score for score, _, _ in hits(mixed.output, "a text about files")]
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)


def test_no_more_hits_than_rows(mixed):
    assert len(hits(mixed.output, "a text", "--top", "1000")) == sum(ROWS.values())


def test_any_text_can_be_asked_for(mixed):
    assert len(hits(mixed.output, "", "--top", "1")) == 1


def test_the_model_may_lie_elsewhere_now(mixed, tiny_model, tmp_path):
    (tmp_path / "moved").symlink_to(tiny_model)
    query = text_of("csv-3")
    assert hits(mixed.output, query, "--top", "1", "--model", tmp_path / "moved")[0][1] == "csv-3"


def test_a_vector_a_token_cannot_be_ranked(tmp_path):
    job = FakeJob((write_parquet(tmp_path / "a.parquet", texts_of("a", 3)),), output_in(tmp_path), pooling="sequence")
    job.run()
    finished = encorpus("search", job.output.uri, "a text")
    assert finished.status == 2
    told = "holds a vector a token (pooling sequence), which search cannot rank"
    assert finished.told == f"encorpus search: {job.output.uri}: {told}"
