"""The command's own lines, each once, however often the log is read again."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cluster.jobs.job_log import JobLog
from tests.cluster.jobs.jobs import RUNNING

HEADER = f"2026 INFO job_manager.py -- Runtime env is setting up.\nRunning entrypoint for job {RUNNING.id}: x\n"
LINES = [f"line {number}" for number in range(30)]
LOG = HEADER + "".join(f"{line}\n" for line in LINES)


def pieces(log, cuts):
    """The log, cut at these places."""
    bounds = [0, *sorted(cuts), len(log)]
    return [log[start:stop] for start, stop in pairwise(bounds)]


cuts = st.lists(st.integers(0, len(LOG)), max_size=6)


@given(cuts)
def test_lines_come_whole_and_without_ray_s(places):
    log = JobLog(RUNNING)
    assert [line for piece in pieces(LOG, places) for line in log.new_lines(piece)] == LINES


@given(st.lists(st.tuples(cuts, st.integers(0, len(LOG))), max_size=4))
def test_a_log_read_again_repeats_and_loses_nothing(connections):
    log, told = JobLog(RUNNING), []
    for places, lost_at in connections:
        log.read_again()
        told += [
            line for piece in pieces(LOG[:lost_at], [min(p, lost_at) for p in places]) for line in log.new_lines(piece)
        ]
    assert told + log.all_lines(LOG) == LINES


def test_a_last_line_without_an_end_comes_with_the_whole_log():
    assert JobLog(RUNNING).all_lines(LOG + "killed he") == [*LINES, "killed he"]


def test_a_job_that_has_not_begun_has_no_lines():
    assert JobLog(RUNNING).all_lines(HEADER.splitlines()[0]) == []


def test_a_command_of_several_lines_is_not_the_job_s():
    job = replace(RUNNING, entrypoint="exec encorpus embed -- 'a\nb'")
    log = JobLog(job).all_lines(f"Running entrypoint for job {job.id}: {job.entrypoint}\nfirst\n")
    assert log == ["first"]
