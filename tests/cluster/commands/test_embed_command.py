"""`encorpus embed`: what it writes, what it says, and what a rerun does."""

import pytest

from pipelines.numbers import size
from tests.cluster.command_line import encorpus, encorpus_process
from tests.cluster.small_outputs import (
    MAX_TOKENS,
    ROWS,
    content_of,
    embed,
    names_of,
    rows_of,
    text_of,
    write_parquet,
)

SHARDS = 9


def test_every_good_row_of_every_format_is_embedded(mixed):
    due = [name for part in ROWS for name in names_of(part)]
    assert [row["id"] for row in rows_of(mixed.output)] == due


def test_the_kept_column_lies_beside_the_vector(mixed):
    rows = rows_of(mixed.output)
    assert list(rows[0]) == ["id", "topic", "tokens", "truncated", "embedding"]
    assert {row["topic"] for row in rows} == {"parquet", "lines", "gzip", "csv, and more"}


def test_ids_come_from_file_and_row_where_no_column_is_named(clean):
    assert [row["id"] for row in rows_of(clean.output)] == [f"000000:{row}" for row in range(ROWS["parquet"])]


def test_the_text_can_be_kept(clean):
    assert [row["text"] for row in rows_of(clean.output)] == [text_of(name) for name in names_of("parquet")]


def test_status_0_where_all_is_embedded(clean):
    assert clean.finished.status == 0


def test_status_3_where_some_rows_are_rejected(mixed):
    assert mixed.finished.status == 3


def test_the_plan_is_told_before_the_work(mixed):
    held = size(sum(path.stat().st_size for path in mixed.corpus.iterdir()))
    told = f"4 files, {held}; 0 units committed, 5 units and 2 streamed files to do"
    assert mixed.finished.told == told


def test_the_summary_counts_rows_rejects_by_reason_and_shards(mixed):
    lines = mixed.finished.out.splitlines()
    assert lines[0].startswith("embedded 72 rows in ")
    assert "first shard after" in lines[0]
    assert f"3 rejects, kept in {mixed.output}/_encorpus/rejects:" in lines
    reasons = {"text is null", "text is a number, not a string", "more fields than the header"}
    assert {f"  1 × {reason}" for reason in reasons} < set(lines)
    assert lines[-2].startswith(f"{mixed.output}: complete, 72 rows in {SHARDS} shards, ")


def test_the_summary_says_what_to_do_next(mixed):
    look, prove = f"encorpus search {mixed.output} 'a query'", f"encorpus verify {mixed.output}"
    assert mixed.finished.out.splitlines()[-1] == f"look at it: {look}     prove it: {prove}"


def test_the_summary_says_where_the_report_is(mixed):
    assert mixed.finished.out.splitlines()[-3] == f"report: {mixed.output}/_encorpus/report.html"


def test_a_rerun_with_nothing_to_do_says_nothing_of_a_report(mixed):
    assert "report:" not in mixed.again().out


def test_the_summary_says_nothing_of_rejects_where_there_are_none(clean):
    assert "reject" not in clean.finished.out


@pytest.mark.parametrize("name", ["mixed", "clean"])
def test_a_rerun_has_nothing_to_do_and_ends_alike(name, request):
    done = request.getfixturevalue(name)
    before = content_of(done.output)
    again = done.again()
    assert again.told.endswith(" committed, nothing missing")
    assert again.status == done.finished.status
    assert again.out.splitlines()[-2:] == done.finished.out.splitlines()[-2:]
    assert content_of(done.output) == before


@pytest.fixture(scope="module")
def grown(tiny_model, ray_session, tmp_path_factory):
    """An output that lost a shard and whose corpus got a file; its content before that, and the same command again."""
    folder = tmp_path_factory.mktemp("grown")
    (folder / "corpus").mkdir()
    write_parquet(folder / "corpus" / "b.parquet", names_of("parquet"))
    done = embed(folder / "corpus", folder / "out", tiny_model, "--shard-rows", "10")
    before = content_of(done.output)
    (done.output / "part-000000-000001.parquet").unlink()
    write_parquet(folder / "corpus" / "a.parquet", ["a-0", "a-1"])
    return done.output, before, done.again()


def test_a_rerun_makes_only_what_is_missing(grown):
    _, _, again = grown
    assert again.told.endswith("; 2 units committed, 2 units to do")
    assert again.out.startswith("embedded 12 rows in ")


def test_what_is_made_again_is_as_before(grown):
    output, before, _ = grown
    after = content_of(output)
    shards = [name for name in before if name.startswith("part-")]
    assert [name for name in shards if after[name] != before[name]] == []


def test_new_files_get_the_next_numbers(grown):
    output, _, _ = grown
    assert [row["id"] for row in rows_of(output)][-3:] == ["000000:29", "000001:0", "000001:1"]


def test_an_output_that_has_grown_is_whole(grown):
    assert encorpus("verify", grown[0], "--input").status == 0


def test_the_installed_command_with_its_options_in_a_file(tiny_model, tmp_path):
    corpus = write_parquet(tmp_path / "a.parquet", names_of("parquet"))
    config = tmp_path / "job.toml"
    config.write_text(
        f"""
        output = "{tmp_path / "out"}"
        model = "{tiny_model}"
        max-tokens = {MAX_TOKENS}
        text-column = "name"
        id-column = "number"
        keep = ["topic"]
        dtype = "float16"
        normalize = true
        workers = 1
        """
    )
    finished = encorpus_process("embed", corpus, "--config", config)
    assert finished.status == 0
    assert len(finished.err.splitlines()) == 1
    first = rows_of(tmp_path / "out")[0]
    assert list(first) == ["id", "topic", "tokens", "truncated", "embedding"]
    assert (first["id"], first["topic"]) == (0, "parquet")
    assert sum(number**2 for number in first["embedding"]) == pytest.approx(1, abs=1e-2)


def test_a_rerun_tells_of_the_rejects_of_earlier_runs(mixed):
    assert "3 rejects" in mixed.again().out
