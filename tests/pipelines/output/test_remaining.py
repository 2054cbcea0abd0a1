"""What an output still lacks, from names and from the footers of streamed files' highest slices."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.corpus.plan import CorpusFile, Plan, Unit
from pipelines.errors import StorageError
from pipelines.output.layout import Output
from pipelines.output.remaining import missing, possible_ends, remaining
from tests.pipelines.output.fake_job import FakeJob, mixed_corpus, output_in


def file_of(number: int, slices: int | None) -> CorpusFile:
    bounds = None if slices is None else tuple(range(slices + 1))
    return CorpusFile(number, f"{number}.jsonl", slices or 1, "v", "jsonl", None, None, bounds, None)


PLAN = Plan((file_of(0, 3), file_of(1, None), file_of(2, None)), shard_rows=1)
CUT = frozenset(PLAN.units())


def test_nothing_is_there_at_first():
    left = missing(PLAN, frozenset(), [])
    assert left.units == tuple(PLAN.units())
    assert [(file.number, done) for file, done in left.streams] == [(1, ()), (2, ())]
    assert left.planned is None


def test_units_of_cut_files_are_missing_by_name_alone():
    assert missing(PLAN, CUT - {Unit(0, 1)}, []).units == (Unit(0, 1),)


def test_a_stream_is_finished_when_its_highest_slice_is_its_end():
    committed = CUT | {Unit(1, 0), Unit(1, 1), Unit(2, 0)}
    left = missing(PLAN, committed, [Unit(1, 1)])
    assert [(file.number, done) for file, done in left.streams] == [(2, (0,))]


def test_the_number_of_units_is_known_when_every_stream_is_finished():
    committed = CUT | {Unit(1, 0), Unit(1, 1), Unit(2, 0)}
    left = missing(PLAN, committed, [Unit(1, 1), Unit(2, 0)])
    assert left.nothing
    assert left.planned == 6


def test_a_stream_with_a_gap_is_not_finished_whatever_its_highest_slice_says():
    assert possible_ends(PLAN, {Unit(1, 0), Unit(1, 2), Unit(2, 1)}) == []


def test_only_the_highest_slice_may_be_the_end():
    assert possible_ends(PLAN, {Unit(1, 1), Unit(1, 0), Unit(0, 2), Unit(2, 0)}) == [Unit(1, 1), Unit(2, 0)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Plan, Output]:
    folder = tmp_path_factory.mktemp("remaining")
    job = FakeJob(mixed_corpus(folder / "corpus"), output_in(folder))
    return job.run(), job.output


def test_a_finished_output_lacks_nothing(finished):
    plan, output = finished
    assert remaining(plan, output.committed(), output).nothing


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_whatever_shards_are_lost_just_they_are_missing(finished, data):
    plan, output = finished
    every = output.committed()
    lost = data.draw(st.sets(st.sampled_from(sorted(every, key=lambda unit: unit.name))))
    left = remaining(plan, every - lost, output)
    streamed = {unit for unit in lost if plan.files[unit.file].streamed}
    assert set(left.units) == lost - streamed
    assert {file.number for file, _ in left.streams} == {unit.file for unit in streamed}
    for file, done in left.streams:
        assert done == tuple(sorted(unit.slice for unit in every - lost if unit.file == file.number))


def test_a_damaged_end_of_a_stream_is_one_clear_line(finished, tmp_path: Path):
    plan, output = finished
    copy = Output(shutil.copytree(output.uri, tmp_path / "copy").as_posix(), output.storage)
    end = max((unit for unit in copy.committed() if unit.file == 2), key=lambda unit: unit.slice)
    Path(copy.shard_uri(end)).write_bytes(b"cut off")
    with pytest.raises(StorageError, match=rf"{end.name}\.parquet: not a whole shard"):
        remaining(plan, copy.committed(), copy)
