"""`embed --profile FILE`: where the time of a real run went, as a trace."""

import json
from itertools import groupby, pairwise

import pytest

from tests.cluster.command_line import encorpus
from tests.cluster.small_outputs import ROWS, embed, names_of, write_parquet

pytestmark = pytest.mark.usefixtures("ray_session")

SHARD_ROWS = 5
PHASES = {"ask", "read", "tokenize", "encode", "assemble", "claim", "commit"}


@pytest.fixture(scope="module")
def profiled(tiny_model, tmp_path_factory):
    """A run with a profile: what the command said, and the events of the trace."""
    folder = tmp_path_factory.mktemp("profiled")
    corpus = write_parquet(folder / "a.parquet", names_of("parquet"))
    profile = folder / "trace.json"
    output = embed(corpus, folder / "out", tiny_model, "--shard-rows", str(SHARD_ROWS), "--profile", str(profile))
    return output.finished, json.loads(profile.read_text())["traceEvents"], profile


def spans(events, process):
    """The complete events of processes whose names begin so."""
    names = {event["pid"]: event["args"]["name"] for event in events if event["name"] == "process_name"}
    return [event for event in events if event["ph"] == "X" and names[event["pid"]].startswith(process)]


def test_every_unit_has_its_phases(profiled):
    _, events, _ = profiled
    units = {}
    for event in spans(events, "worker"):
        units.setdefault(event["args"].get("unit"), set()).add(event["name"])
    assert len(units.keys() - {None}) == ROWS["parquet"] // SHARD_ROWS
    assert all(phases >= PHASES for unit, phases in units.items() if unit)


def test_phases_of_a_thread_do_not_overlap(profiled):
    _, events, _ = profiled
    by_lane = sorted(spans(events, ""), key=lambda event: (event["pid"], event["tid"], event["ts"]))
    for _, lane in groupby(by_lane, key=lambda event: (event["pid"], event["tid"])):
        for one, other in pairwise(lane):
            assert one["ts"] + one["dur"] <= other["ts"], (one, other)


def test_a_worker_encodes_one_unit_at_a_time(profiled):
    _, events, _ = profiled
    encodes = [event for event in spans(events, "worker") if event["name"] == "encode"]
    by_worker = sorted(encodes, key=lambda event: (event["pid"], event["ts"]))
    for _, worker in groupby(by_worker, key=lambda event: event["pid"]):
        for one, other in pairwise(worker):
            assert one["ts"] + one["dur"] <= other["ts"]


def test_idle_adds_up_to_what_the_summary_tells(profiled):
    finished, events, _ = profiled
    encodes = {}
    for event in spans(events, "worker"):
        if event["name"] == "encode":
            encodes.setdefault(event["pid"], []).append((event["ts"], event["ts"] + event["dur"]))
    between = sum(max(stop for _, stop in each) - min(start for start, _ in each) for each in encodes.values())
    busy = sum(stop - start for each in encodes.values() for start, stop in each)
    (told,) = [line for line in finished.out.splitlines() if "encoders idle" in line]
    assert float(told.split("idle ")[1].split("%")[0]) == pytest.approx(100 * (1 - busy / between), abs=0.11)


def test_the_starts_of_driver_and_workers_are_there(profiled):
    _, events, _ = profiled
    assert {"start Python", "prepare", "start Ray", "work", "finish"} <= {e["name"] for e in spans(events, "driver")}
    assert {"boot", "plan", "model", "load"} <= {event["name"] for event in spans(events, "worker")}


def test_it_is_told_where_the_profile_is(profiled):
    finished, _, profile = profiled
    assert finished.err.splitlines()[-1] == f"profile: {profile}; open it in Perfetto or chrome://tracing"


def test_a_profile_that_cannot_be_written_is_refused_before_the_work(tiny_model, tmp_path):
    write_parquet(tmp_path / "a.parquet", names_of("parquet"))
    words = ("embed", tmp_path / "a.parquet", "-o", tmp_path / "out", "--model", tiny_model)
    refused = encorpus(*words, "--profile", tmp_path / "missing" / "trace.json")
    file = tmp_path / "missing" / "trace.json"
    assert (refused.status, refused.told) == (
        2,
        f"encorpus embed: --profile {file}: cannot be written: No such file or directory",
    )
    assert not (tmp_path / "out").exists()
