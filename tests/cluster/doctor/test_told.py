"""Findings as lines: aligned, the worst first, those of many nodes folded into one."""

from cluster.doctor.finding import checked, failure, ok, warning
from cluster.doctor.told import told
from pipelines.errors import StorageError

FULL = failure("cache", "the disk is full", "make room")
SMALL = warning("shared memory", "64 MB", "give it more")
FINE = ok("packages", "all there")


def test_one_machine_is_told_the_worst_first_with_what_to_do():
    assert list(told([FINE, SMALL, FULL], {})) == [
        "  FAILURE  cache          the disk is full",
        "                          → make room",
        "  warning  shared memory  64 MB",
        "                          → give it more",
        "  ok       packages       all there",
        "3 checks: 1 failure, 1 warning",
    ]


def test_a_machine_with_nothing_wrong_is_told_so():
    assert list(told([FINE], {}))[-1] == "1 check: nothing is wrong"


def test_what_all_nodes_say_is_told_once():
    lines = list(told([], {f"10.0.0.{n}": [FINE] for n in range(12)}))
    assert lines == ["on all 12 nodes:", "  ok       packages  all there", "12 checks on 12 nodes: nothing is wrong"]


def test_what_some_nodes_say_is_told_once_with_their_names():
    nodes = {f"10.0.0.{n}": [FINE, FULL] if n < 5 else [FINE] for n in range(12)}
    assert "on 5 nodes (10.0.0.0, 10.0.0.1, 10.0.0.2 and 2 more):" in list(told([], nodes))


def test_a_check_that_fails_itself_is_a_finding_and_not_an_end():
    def broken():
        yield FINE
        raise ZeroDivisionError("by zero")

    first, second = checked("clock", broken)
    assert first == FINE
    assert (second.level, second.found) == ("warning", "could not be looked at: ZeroDivisionError: by zero")


def test_an_error_of_ours_is_told_in_its_own_words():
    def broken():
        raise StorageError("s3://b: cannot list: no answer")

    (finding,) = checked("output", broken)
    assert (finding.level, finding.found) == ("FAILURE", "s3://b: cannot list: no answer")
