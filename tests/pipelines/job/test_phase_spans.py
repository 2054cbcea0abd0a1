"""Records become spans of time, one after the other."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pipelines.job.phases import Phase, Spent, StartPhase
from pipelines.job.record import Outcome, Record
from pipelines.job.spans import MAIN_LANE, encode_of, spans_of
from tests.pipelines.report.runs import record_of

PHASES = st.tuples(*[st.integers(0, 9).map(float)] * len(Phase))
UNIT = Record("part-000000-000000", Outcome.FAILED, worker="node:7", lane=2, started=100.0)


@given(PHASES)
def test_the_spans_of_a_unit_follow_each_other_without_gaps(phases):
    spans = list(spans_of(replace(UNIT, phases=phases)))
    assert [span.name for span in spans] == [phase.name.lower() for phase in Phase if phases[phase]]
    edges = [100.0, *[span.stop for span in spans]]
    assert [span.start for span in spans] == edges[:-1]
    assert edges[-1] == 100.0 + sum(phases)


@given(PHASES)
def test_when_a_unit_was_encoded_is_where_its_span_lies(phases):
    found = [(span.start, span.stop) for span in spans_of(replace(UNIT, phases=phases)) if span.name == "encode"]
    assert not found or [encode_of(replace(UNIT, phases=phases))] == found


def test_a_unit_that_failed_before_it_was_encoded_was_not():
    assert encode_of(replace(UNIT, phases=(1.0, 1.0, 1.0, 0, 0, 0, 0, 0, 0))) is None


def test_a_record_without_phases_has_no_spans():
    assert list(spans_of(UNIT)) == []
    assert encode_of(UNIT) is None


def test_a_worker_s_start_comes_with_its_first_record_in_a_lane_of_its_own():
    loading = Spent(90.0, tuple(float(phase) for phase in StartPhase))
    spans = [span for span in spans_of(replace(UNIT, loading=loading)) if span.lane == MAIN_LANE]
    assert [(span.name, span.start, span.stop) for span in spans] == [
        ("plan", 90, 91),
        ("model", 91, 93),
        ("load", 93, 96),
    ]


def test_a_span_tells_of_which_worker_lane_and_unit_it_is_and_how_large_that_was():
    *_, span = spans_of(record_of(3, rows=10, lane=2))
    assert (span.process, span.lane, span.details["unit"]) == ("node-3:4242", 2, "part-000000-000003")
    assert (span.details["rows"], span.details["outcome"]) == (10, "done")
