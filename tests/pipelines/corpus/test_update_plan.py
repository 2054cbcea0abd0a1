"""A plan that follows its corpus: changed files get new numbers, vanished ones are kept or retired."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipelines.corpus.changes import Changes
from pipelines.corpus.extend import extend_plan, mend_plan, update_plan
from pipelines.corpus.plan import FileState, Plan, make_plan, plan_from_bytes, plan_to_bytes
from pipelines.errors import InputChangedError, StorageError
from pipelines.storage import FileEntry, Storage
from tests.pipelines.corpus.reading import STORAGE, TEXT, plan_of, read_plan, texts_of, write_parquet, write_text

CURRENT, VANISHED, RETIRED = FileState


def updated(plan: Plan, folder: Path, *with_shards: int, prune: bool = False) -> tuple[Plan, Changes]:
    return update_plan(plan, [str(folder)], TEXT, STORAGE, with_shards, prune)


def states(plan: Plan) -> list[tuple[str, FileState]]:
    return [(Path(file.uri).name, file.state) for file in plan.files]


@pytest.fixture
def three(tmp_path: Path) -> Plan:
    """Three files of a line each."""
    for name in "abc":
        write_text(tmp_path / f"{name}.txt", f"{name}\n")
    return plan_of(tmp_path)


def test_a_changed_file_gets_a_new_number_and_the_old_one_is_retired(three: Plan, tmp_path: Path):
    write_text(tmp_path / "b.txt", "b\nlonger\n")
    plan, changes = updated(three, tmp_path, 0, 1, 2)
    assert states(plan) == [("a.txt", CURRENT), ("b.txt", RETIRED), ("c.txt", CURRENT), ("b.txt", CURRENT)]
    assert [file.number for file in plan.files] == [0, 1, 2, 3]
    assert {unit.file for unit in plan.units()} == {0, 2, 3}
    assert list(changes.changed) == [1]
    assert texts_of(read_plan(plan)) == ["a", "c", "b", "longer"]


def test_new_and_changed_files_are_numbered_in_the_order_of_the_inputs(three: Plan, tmp_path: Path):
    for name in ("c", "aa", "d"):
        write_text(tmp_path / f"{name}.txt", "new content\n")
    plan, _ = updated(three, tmp_path, 0, 1, 2)
    assert [Path(file.uri).name for file in plan.files[3:]] == ["aa.txt", "c.txt", "d.txt"]


def test_a_changed_file_without_shards_is_planned_anew_in_place(three: Plan, tmp_path: Path):
    write_text(tmp_path / "b.txt", "b\nlonger\n")
    plan, _ = updated(three, tmp_path, 0, 2)
    assert states(plan) == states(three)
    assert texts_of(read_plan(plan)) == ["a", "b", "longer", "c"]


def test_a_vanished_file_is_kept_and_a_later_run_does_not_miss_it(three: Plan, tmp_path: Path):
    (tmp_path / "b.txt").unlink()
    plan, changes = updated(three, tmp_path, 0, 1, 2)
    assert states(plan)[1] == ("b.txt", VANISHED)
    assert [Path(file.uri).name for file in changes.vanished] == ["b.txt"]
    assert extend_plan(plan, [str(tmp_path)], TEXT, STORAGE, [0, 1, 2]) is plan


def test_a_vanished_file_that_returns_as_it_was_is_the_planned_one(three: Plan, tmp_path: Path):
    path = tmp_path / "b.txt"
    path.rename(tmp_path / "_b")
    plan, _ = updated(three, tmp_path, 0, 1, 2)
    (tmp_path / "_b").rename(path)
    assert extend_plan(plan, [str(tmp_path)], TEXT, STORAGE, [0, 1, 2]).files == three.files


def test_a_pruned_file_is_retired_and_gets_a_new_number_when_it_returns(three: Plan, tmp_path: Path):
    path = tmp_path / "b.txt"
    path.rename(tmp_path / "_b")
    plan, _ = updated(three, tmp_path, 0, 1, 2, prune=True)
    assert states(plan)[1] == ("b.txt", RETIRED)
    (tmp_path / "_b").rename(path)
    again, _ = updated(plan, tmp_path, 0, 2)
    assert states(again) == [*states(plan), ("b.txt", CURRENT)]


def test_a_file_that_was_kept_before_is_pruned_as_well(three: Plan, tmp_path: Path):
    (tmp_path / "b.txt").unlink()
    kept, _ = updated(three, tmp_path, 0, 1, 2)
    plan, _ = updated(kept, tmp_path, 0, 1, 2, prune=True)
    assert states(plan)[1] == ("b.txt", RETIRED)


def test_a_file_that_vanished_before_it_had_shards_is_retired(three: Plan, tmp_path: Path):
    (tmp_path / "b.txt").unlink()
    assert states(updated(three, tmp_path, 0, 2)[0])[1] == ("b.txt", RETIRED)


def test_what_narrower_inputs_leave_out_has_vanished(three: Plan, tmp_path: Path):
    plan, _ = updated(three, tmp_path / "a.txt", 0, 1, 2, prune=True)
    assert states(plan) == [("a.txt", CURRENT), ("b.txt", RETIRED), ("c.txt", RETIRED)]


def test_without_changes_the_plan_is_the_same(three: Plan, tmp_path: Path):
    assert updated(three, tmp_path, 0, 1, 2, prune=True) == (three, Changes())


def test_a_plan_comes_back_from_its_bytes_with_its_states_and_revision(three: Plan, tmp_path: Path):
    (tmp_path / "b.txt").unlink()
    write_text(tmp_path / "c.txt", "longer\n")
    plan, _ = updated(three, tmp_path, 0, 1, 2)
    plan = Plan(plan.files, plan.shard_rows, plan.schema, revision=7)
    assert plan_from_bytes(plan_to_bytes(plan)) == plan


@dataclass(frozen=True)
class LookedAt(Storage):
    """Remembers the files that were looked at one by one."""

    looks: list[str] = field(default_factory=list)

    def entry(self, uri: str) -> FileEntry | None:
        """As Storage.entry."""
        self.looks.append(Path(uri).name)
        return super().entry(uri)


def test_files_that_the_listing_shows_need_no_look_of_their_own(three: Plan, tmp_path: Path):
    storage = LookedAt()
    extend_plan(three, [str(tmp_path)], TEXT, storage, [0, 1, 2])
    assert storage.looks == []
    extend_plan(three, [str(tmp_path / "b.txt")], TEXT, storage, [0, 1, 2])
    assert sorted(storage.looks) == ["a.txt", "c.txt"]


class HalfListing(Storage):
    """Lists files without `b.txt`, as a store may that has not heard of it yet."""

    def list_files(self, uri: str) -> Iterator[FileEntry]:
        """As Storage.list_files."""
        return (entry for entry in super().list_files(uri) if not entry.uri.endswith("b.txt"))


@pytest.mark.parametrize("prune", [True, False])
def test_a_file_that_is_there_does_not_vanish_by_half_a_listing(three: Plan, tmp_path: Path, prune: bool):
    with pytest.raises(StorageError, match=r"b\.txt: is there, but the listing of the input lacks it; run the same"):
        update_plan(three, [str(tmp_path)], TEXT, HalfListing(), [0, 1, 2], prune)


def test_a_file_that_cannot_be_looked_at_does_not_vanish(three: Plan, tmp_path: Path):
    class Unreachable(HalfListing):
        def entry(self, uri: str) -> FileEntry | None:
            raise StorageError(f"{uri}: cannot look at: no answer")

    with pytest.raises(StorageError, match="no answer"):
        update_plan(three, [str(tmp_path)], TEXT, Unreachable(), [0, 1, 2], prune=True)


def test_a_retry_takes_over_changes_of_files_with_rejects_only(three: Plan, tmp_path: Path):
    for name in "ab":
        write_text(tmp_path / f"{name}.txt", "corrected\n")
    write_text(tmp_path / "new.txt", "new\n")
    plan, changes = mend_plan(three, [str(tmp_path)], TEXT, STORAGE, [1, 2])
    assert states(plan) == [("a.txt", CURRENT), ("b.txt", RETIRED), ("c.txt", CURRENT), ("b.txt", CURRENT)]
    assert sorted(changes.changed) == [0, 1]


def test_a_retry_plans_a_file_anew_that_could_not_be_read_and_now_can(tmp_path: Path):
    paths = [write_parquet(tmp_path / f"{name}.parquet", text=[name]) for name in "abc"]
    whole = paths[1].read_bytes()
    for path in paths[1:]:
        path.write_bytes(bytes(len(whole)))
        os.utime(path, ns=(1, 1))
    plan = make_plan([str(tmp_path)], TEXT, 10, STORAGE)
    paths[1].write_bytes(whole)
    os.utime(paths[1], ns=(1, 1))
    mended, _ = mend_plan(plan, [str(tmp_path)], TEXT, STORAGE, [1, 2])
    assert [file.state for file in mended.files] == [CURRENT, RETIRED, CURRENT, CURRENT]
    assert mended.files[3].error is None


def test_a_refusal_names_the_way_out(three: Plan, tmp_path: Path):
    (tmp_path / "b.txt").unlink()
    with pytest.raises(InputChangedError, match=r"b\.txt is gone since .*; restore the input, or run again with --upd"):
        extend_plan(three, [str(tmp_path)], TEXT, STORAGE, [0, 1, 2])
