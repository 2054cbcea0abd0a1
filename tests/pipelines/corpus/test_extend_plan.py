"""Extending a plan: new files, files that changed, and which of these an output with shards allows."""

import os
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.corpus.extend import extend_plan
from pipelines.corpus.plan import Columns, Plan
from pipelines.errors import InputChangedError
from tests.pipelines.corpus.reading import STORAGE, TEXT, plan_of, read_plan, texts_of, write_parquet, write_text


def extended(plan: Plan, folder: Path, *with_shards: int, columns: Columns = TEXT) -> Plan:
    return extend_plan(plan, [str(folder)], columns, STORAGE, with_shards)


def names(plan: Plan) -> list[tuple[int, str]]:
    return [(file.number, Path(file.uri).name) for file in plan.files]


def test_new_files_are_appended_under_the_next_numbers(tmp_path: Path):
    write_text(tmp_path / "b.txt", "x")
    plan = plan_of(tmp_path)
    assert extended(plan, tmp_path, 0) is plan
    write_text(tmp_path / "a.txt", "y")
    longer = extended(plan, tmp_path, 0)
    assert longer.files[0] == plan.files[0]
    assert names(longer) == [(0, "b.txt"), (1, "a.txt")]


def test_a_new_link_to_a_planned_file_is_no_new_file(tmp_path: Path):
    write_text(tmp_path / "b.txt", "x")
    plan = plan_of(tmp_path)
    (tmp_path / "a.txt").symlink_to("b.txt")
    assert extended(plan, tmp_path, 0) is plan


def test_new_files_do_not_change_the_shards_types(tmp_path: Path):
    columns = Columns("text", keep=("size",))
    write_parquet(tmp_path / "a.parquet", text=["x"], size=pa.array([1], pa.int32()))
    plan = plan_of(tmp_path, columns=columns)
    write_parquet(tmp_path / "b.parquet", text=["x"], size=[1 << 40])
    write_parquet(tmp_path / "c.parquet", text=["x"], size=pa.array([1], pa.int16()))
    longer = extended(plan, tmp_path, 0, columns=columns)
    assert longer.schema == plan.schema
    told = "column 'size' is int64, but int32 in the files before"
    assert [file.error for file in longer.files] == [None, told, None]


def test_changed_and_vanished_files_that_have_shards_are_refused_by_name(tmp_path: Path):
    paths = [write_text(tmp_path / f"{number}.txt", "x") for number in range(5)]
    plan = plan_of(tmp_path)
    paths[0].unlink()
    write_text(paths[1], "longer")
    os.utime(paths[2], ns=(1, 1))
    paths[3].unlink()
    with pytest.raises(InputChangedError) as caught:
        extended(plan, tmp_path, *range(5))
    assert str(caught.value) == (
        f"{paths[0]} is gone, {paths[1]} has changed, {paths[2]} has changed and 1 more since the plan was made; "
        "restore the input, or run again with --update to follow it"
    )


def test_a_changed_file_without_shards_is_planned_anew_under_its_number(tmp_path: Path):
    write_text(tmp_path / "a.jsonl", '{"text": "a"}\n')
    write_text(tmp_path / "b.jsonl", '{"text": "b"}\n{broken\n')
    write_text(tmp_path / "c.jsonl", '{"text": "c"}\n')
    plan = plan_of(tmp_path)
    write_text(tmp_path / "b.jsonl", '{"text": "b"}\n{"text": "mended"}\n')
    again = extended(plan, tmp_path, 0, 2)
    assert names(again) == names(plan)
    assert (again.files[0], again.files[2]) == (plan.files[0], plan.files[2])
    assert texts_of(read_plan(again)) == ["a", "b", "mended", "c"]


def test_a_changed_file_without_shards_is_planned_anew_though_no_input_names_it_now(tmp_path: Path):
    path = write_text(tmp_path / "a.txt", "a\n")
    other = write_text(tmp_path / "b.txt", "b\n")
    plan = plan_of(path, other)
    write_text(path, "longer\n")
    again = extended(plan, other, 1)
    assert texts_of(read_plan(again)) == ["longer", "b"]


def test_a_file_that_was_still_being_written_when_planned_is_planned_anew(tmp_path: Path):
    write_parquet(tmp_path / "a.parquet", text=["a"])
    path = write_parquet(tmp_path / "b.parquet", text=["b"])
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    plan = plan_of(tmp_path)
    assert plan.files[1].error is not None
    path.write_bytes(whole)
    assert texts_of(read_plan(extended(plan, tmp_path, 0))) == ["a", "b"]


def test_a_file_with_an_error_and_no_shards_is_looked_at_again_though_it_seems_unchanged(tmp_path: Path):
    write_parquet(tmp_path / "a.parquet", text=["a"])
    path = tmp_path / "b.parquet"
    path.write_bytes(bytes(write_parquet(tmp_path / "whole", text=["b"]).stat().st_size))
    os.utime(path, ns=(1, 1))
    (tmp_path / "whole").rename(tmp_path / "_whole")
    plan = plan_of(tmp_path)
    path.write_bytes((tmp_path / "_whole").read_bytes())
    os.utime(path, ns=(1, 1))
    assert extended(plan, tmp_path, 0, 1) is plan
    assert extended(plan, tmp_path, 0).files[1].error is None


def test_a_planned_file_that_is_gone_is_refused_with_and_without_shards(tmp_path: Path):
    paths = [write_text(tmp_path / f"{number}.txt", "x") for number in range(2)]
    plan = plan_of(tmp_path)
    paths[1].unlink()
    for with_shards in ((0,), (0, 1)):
        with pytest.raises(
            InputChangedError, match=f"^{paths[1]} is gone since the plan was made; restore the input, or"
        ):
            extended(plan, tmp_path, *with_shards)
