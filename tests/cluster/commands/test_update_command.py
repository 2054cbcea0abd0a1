"""`encorpus embed --update`, `--prune` and `--limit`, and `encorpus retry`: an output follows its corpus."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.cluster.command_line import Finished, encorpus
from tests.cluster.small_outputs import SmallOutput, content_of, embed, names_of, rejects_of, rows_of, write_parquet


@pytest.fixture
def small(tiny_model: Path, ray_session: None, tmp_path: Path) -> SmallOutput:
    """Two good files of 30 rows each, in three shards each."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for name in "ab":
        write_parquet(corpus / f"{name}.parquet", [f"{name}-{row}" for row in range(30)])
    return embed(corpus, tmp_path / "out", tiny_model, "--id-column", "name", "--shard-rows", "10")


def ids_of(output: Path) -> list[str]:
    return sorted(row["id"] for row in rows_of(output))


def assert_proven(output: Path) -> None:
    finished = encorpus("verify", output, "--input")
    assert (finished.status, finished.out[:1]) == (0, "✓"), finished


def test_new_changed_and_vanished_files_are_told_and_followed(small):
    write_parquet(small.corpus / "a.parquet", ["changed-0", "changed-1"])
    (small.corpus / "b.parquet").unlink()
    write_parquet(small.corpus / "c.parquet", ["new-0"])
    again = small.again("--update")
    assert again.status == 0
    assert again.err.splitlines()[:2] == [
        "1 new file, 1 changed, 1 vanished (kept; --prune removes its rows)",
        f"  {small.corpus / 'b.parquet'} vanished",
    ]
    assert ids_of(small.output) == sorted([*(f"b-{row}" for row in range(30)), "changed-0", "changed-1", "new-0"])
    assert_proven(small.output)


def test_pruning_leaves_the_rows_of_the_corpus_alone(small):
    (small.corpus / "b.parquet").unlink()
    again = small.again("--update", "--prune")
    assert (again.status, again.err.splitlines()[0]) == (0, "1 vanished (its rows will be removed)")
    assert ids_of(small.output) == sorted(f"a-{row}" for row in range(30))
    assert_proven(small.output)


def test_pruning_without_updating_is_a_usage_error(small):
    again = small.again("--prune")
    told = "encorpus embed: --prune removes rows of files that are gone, as a part of --update; add --update"
    assert (again.status, again.told) == (2, told)


def test_an_update_without_changes_says_no_more_than_a_rerun(small):
    before = {name: data for name, data in content_of(small.output).items() if name.startswith("part-")}
    again = small.again("--update", "--prune")
    assert (again.status, again.told.endswith("6 units committed, nothing missing")) == (0, True)
    assert {name: data for name, data in content_of(small.output).items() if name.startswith("part-")} == before


def test_a_limit_stops_the_run_and_a_rerun_goes_on(small, tiny_model, tmp_path):
    output = tmp_path / "limited"
    limited = embed(small.corpus, output, tiny_model, "--id-column", "name", "--shard-rows", "10", "--limit", "15")
    assert limited.finished.status == 0
    assert f"{output}: stopped at the limit; run the same command without --limit to do what is missing" in (
        limited.finished.out.splitlines()
    )
    assert ids_of(output) == sorted(f"a-{row}" for row in range(20))
    assert not (output / "_encorpus" / "manifest.json").exists()
    assert small.again("-o", output).status == 0
    assert ids_of(output) == ids_of(small.output)


def test_a_limit_beyond_the_end_is_none(small, tiny_model, tmp_path):
    whole = embed(small.corpus, tmp_path / "whole", tiny_model, "--limit", "61")
    assert "complete, 60 rows in 2 shards" in whole.finished.out


def retry(output: Path, *words: str | Path) -> Finished:
    return encorpus("retry", output, "--workers", "1", *words)


def test_a_corrected_file_leaves_the_rejects(small):
    lines = [json.dumps({"name": f"c-{row}", "text": "a text"}) for row in range(3)]
    path = small.corpus / "c.jsonl"
    path.write_text("\n".join([*lines, "{broken", ""]))
    assert small.again().status == 3
    path.write_text("\n".join([*lines, '{"name": "c-3", "text": "mended"}', ""]))
    retried = retry(small.output)
    assert (retried.status, retried.out.splitlines()[-1]) == (0, "1 reject before, 0 left")
    assert ids_of(small.output)[-4:] == [f"c-{row}" for row in range(4)]
    assert_proven(small.output)


def test_rejects_that_stay_keep_status_3(mixed, tmp_path):
    output = Path(shutil.copytree(mixed.output, tmp_path / "out"))
    retried = retry(output)
    assert (retried.status, retried.out.splitlines()[-1]) == (3, "3 rejects before, 3 left")
    assert sorted(rejects_of(output), key=str) == sorted(rejects_of(mixed.output), key=str)
    assert_proven(output)


def test_without_rejects_nothing_is_done(small):
    before = content_of(small.output)
    retried = retry(small.output)
    assert (retried.status, retried.out, retried.err) == (0, f"{small.output}: no rejects, nothing to retry\n", "")
    assert content_of(small.output) == before


def test_a_retry_finds_a_model_that_has_moved(mixed, tiny_model, tmp_path):
    output = Path(shutil.copytree(mixed.output, tmp_path / "out"))
    moved = tmp_path / "moved"
    moved.symlink_to(tiny_model)
    assert retry(output, "--model", moved).status == 3


def test_other_changes_are_named_by_a_retry_and_left(small):
    (small.corpus / "c.jsonl").write_text("{broken\n")
    assert small.again().status == 3
    write_parquet(small.corpus / "a.parquet", names_of("parquet"))
    os.utime(small.corpus / "a.parquet", ns=(1, 1))
    retried = retry(small.output)
    assert retried.status == 3
    assert retried.err.splitlines()[-1] == f"  {small.corpus / 'a.parquet'} has changed"
    assert {f"a-{row}" for row in range(30)} <= set(ids_of(small.output))


def test_what_is_no_output_cannot_be_retried(tmp_path):
    finished = encorpus("retry", tmp_path)
    assert finished.status == 2
    assert "not an output of encorpus embed" in finished.told
