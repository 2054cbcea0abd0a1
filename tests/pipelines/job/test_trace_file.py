"""The trace: JSON at any moment, a process row a worker, a lane a thread, and never the end of a run."""

import json
import os
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import UsageError
from pipelines.job.spans import DRIVER, MAIN_LANE, Span
from pipelines.job.trace_file import trace_file

STARTED = 1_790_000_000.0


def span(process="node:7", lane=1, name="read", start=1.0, stop=2.0, **details):
    return Span(process, lane, name, STARTED + start, STARTED + stop, details)


def events_of(path: Path, kind="X"):
    return [event for event in json.loads(path.read_text())["traceEvents"] if event["ph"] == kind]


def test_a_span_is_a_complete_event_in_microseconds_since_the_start(tmp_path):
    with trace_file(str(tmp_path / "trace.json"), STARTED) as trace:
        trace(span(start=1.5, stop=1.75, unit="part-000000-000001"))
    (event,) = events_of(tmp_path / "trace.json")
    assert (event["name"], event["ts"], event["dur"]) == ("read", 1_500_000, 250_000)
    assert event["args"] == {"unit": "part-000000-000001"}


def test_each_worker_has_a_process_row_and_each_thread_a_lane(tmp_path):
    with trace_file(str(tmp_path / "trace.json"), STARTED) as trace:
        for process, lane in ((DRIVER, MAIN_LANE), ("a:1", 1), ("a:1", 2), ("b:1", 1), ("a:1", 1)):
            trace(span(process, lane))
    named = events_of(tmp_path / "trace.json", "M")
    rows = {event["pid"]: event["args"]["name"] for event in named if event["name"] == "process_name"}
    assert list(rows.values()) == ["driver", "worker a:1", "worker b:1"]
    lanes = [(rows[event["pid"]], event["args"]["name"]) for event in named if event["name"] == "thread_name"]
    assert lanes == [
        ("driver", "main"),
        ("worker a:1", "thread 1"),
        ("worker a:1", "thread 2"),
        ("worker b:1", "thread 1"),
    ]
    where = [(event["pid"], event["tid"]) for event in events_of(tmp_path / "trace.json")]
    assert (len(set(where)), where[1]) == (4, where[4])


@given(st.lists(st.integers(0, 10**8), min_size=2, max_size=20).map(sorted))
def test_spans_that_follow_each_other_never_overlap_however_times_are_rounded(tmp_path_factory, ticks):
    path, edges = tmp_path_factory.mktemp("trace") / "trace.json", [tick / 2**22 for tick in ticks]
    with trace_file(str(path), STARTED) as trace:
        for start, stop in pairwise(edges):
            trace(span(start=start, stop=stop))
    events = events_of(path)
    ends = [event["ts"] + event["dur"] for event in events]
    assert [event["ts"] for event in events[1:]] == ends[:-1]


def test_until_its_end_the_file_has_another_name_and_is_json_after_every_span(tmp_path):
    with trace_file(str(tmp_path / "trace.json"), STARTED) as trace:
        for number in range(3):
            (hidden,) = tmp_path.iterdir()
            assert (hidden.name[0], len(events_of(hidden))) == (".", number)
            trace(span())
    assert [path.name for path in tmp_path.iterdir()] == ["trace.json"]


def test_a_run_that_something_stops_leaves_what_there_was(tmp_path):
    with pytest.raises(KeyboardInterrupt), trace_file(str(tmp_path / "trace.json"), STARTED) as trace:
        trace(span())
        raise KeyboardInterrupt
    assert len(events_of(tmp_path / "trace.json")) == 1


def test_a_trace_takes_the_place_of_the_one_before(tmp_path):
    for _ in range(2):
        with trace_file(str(tmp_path / "trace.json"), STARTED) as trace:
            trace(span())
    assert len(events_of(tmp_path / "trace.json")) == 1


def test_no_span_is_kept_in_memory(tmp_path):
    with trace_file(str(tmp_path / "trace.json"), STARTED) as trace:
        trace(span())
        tracemalloc.start()
        for number in range(2000):
            trace(span(unit=f"part-000000-{number:06d}"))
        kept = tracemalloc.take_snapshot()
        tracemalloc.stop()
    # Other threads of this process have memory of their own.
    ours = kept.filter_traces([tracemalloc.Filter(True, __file__), tracemalloc.Filter(True, "*/pipelines/job/*")])
    assert sum(one.size for one in ours.statistics("filename")) < 10_000


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("", "a folder or device is there; name a file"),
        ("/dev/null", "a folder or device is there; name a file"),
        ("missing/trace.json", "cannot be written: No such file or directory"),
        ("s3://bucket/trace.json", "name a file on this machine's disk"),
    ],
)
def test_where_no_file_can_be_written_nothing_is_begun(tmp_path, file, why):
    file = file if "://" in file else str(tmp_path / file)
    with pytest.raises(UsageError, match=f"--profile {file}: {why}"), trace_file(file, STARTED):
        pytest.fail("begun")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_ends_the_trace_and_not_the_run(tmp_path, monkeypatch):
    def full(*given):
        raise OSError(28, "No space left on device")

    with trace_file(str(tmp_path / "trace.json"), STARTED) as trace:
        trace(span())
        monkeypatch.setattr(os, "pwrite", full)
        trace(span())
        monkeypatch.undo()
        trace(span())
    assert trace.error == "No space left on device"
    assert len(events_of(tmp_path / "trace.json")) == 1


def test_a_disk_with_room_for_a_part_of_a_span_leaves_json(tmp_path, monkeypatch):
    with trace_file(str(tmp_path / "trace.json"), STARTED) as trace:
        trace(span())
        whole = os.pwrite
        monkeypatch.setattr(os, "pwrite", lambda file, data, at: whole(file, data[:20], at))
        trace(span())
    assert trace.error
    assert len(events_of(tmp_path / "trace.json")) == 1


def test_a_link_stays_one(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "trace.json")
    with trace_file(str(tmp_path / "link"), STARTED):
        pass
    assert (tmp_path / "link").is_symlink()
    assert json.loads((tmp_path / "trace.json").read_text())
