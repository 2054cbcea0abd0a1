"""Tasks: what travels to a worker, and how work is dealt out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.corpus.plan import CorpusFile, Unit
from pipelines.job.tasks import MOST_UNITS, Task, left_of, task_table, tasks_for, tasks_of
from pipelines.output.remaining import Remaining

NUMBERS = st.integers(0, 2**40)
RUNS = st.lists(NUMBERS).map(tuple)


@given(st.builds(Task, NUMBERS, RUNS, NUMBERS, NUMBERS, RUNS))
def test_a_task_arrives_as_it_was_sent(task):
    assert list(tasks_of(task_table(task))) == [task]


def stream(number: int) -> CorpusFile:
    return CorpusFile(number, f"{number}.csv", 1, "1", "csv", None, None, None, None)


@pytest.mark.parametrize(
    ("streams", "workers", "stripes"),
    [(1, 1, 1), (1, 4, 4), (3, 4, 2), (8, 4, 1)],
    ids=["one of each", "a stream for all workers", "more workers than streams", "more streams than workers"],
)
def test_streams_are_shared_so_that_every_worker_has_one(streams, workers, stripes):
    left = Remaining((), tuple((stream(number), ()) for number in range(streams)), None)
    tasks = tasks_for(left, workers)
    assert {(task.file, task.stripe) for task in tasks} == {(f, s) for f in range(streams) for s in range(stripes)}
    assert {task.stripes for task in tasks} == {stripes}


def test_streams_come_before_units_and_know_what_is_done():
    left = Remaining((Unit(0, 3), Unit(0, 5)), ((stream(1), (0, 1)),), None)
    assert tasks_for(left, workers=1) == [Task(1, done=(0, 1)), Task(0, (3,)), Task(0, (5,))]


@given(st.lists(st.integers(0, 400), max_size=4), st.integers(1, 8))
def test_runs_have_every_unit_once_in_order_and_end_with_single_ones(counts, workers):
    units = tuple(Unit(file, number) for file, count in enumerate(counts) for number in range(count))
    tasks = tasks_for(Remaining(units, (), len(units)), workers)
    assert tuple(Unit(task.file or 0, number) for task in tasks for number in task.slices) == units
    assert all(len(task.slices) <= MOST_UNITS for task in tasks)
    assert all(len(task.slices) == 1 for task in tasks[-min(workers, len(tasks)) :])


def test_what_is_left_of_a_run_is_its_other_units():
    tasks = [Task(0, (0, 1, 2)), Task(0, (3,)), Task(1, (1,))]
    assert left_of(tasks, {Unit(0, 1).name, Unit(0, 3).name}) == [Task(0, (0, 2)), Task(1, (1,))]


def test_what_is_left_of_a_stripe_is_without_the_slices_that_have_an_end():
    (left,) = left_of([Task(2, stripe=1, stripes=2, done=(1,))], {Unit(2, 3).name, Unit(3, 5).name})
    assert left == Task(2, stripe=1, stripes=2, done=(1, 3))


def test_nothing_is_left_of_a_stripe_that_has_ended():
    first, second = (Task(2, stripe=stripe, stripes=2) for stripe in range(2))
    assert left_of([first, second], {first.name}) == [second]
