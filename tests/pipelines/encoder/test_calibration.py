"""A calibration takes the faster runtime and the smallest batches as good as the best; a machine measures once."""

import errno
import fcntl
import json
import multiprocessing
import os
import time

import numpy as np
import pytest

from pipelines.encoder.calibration import Calibration, calibrate, openvino_budget, smallest_good_budget
from pipelines.encoder.kept_calibration import calibrated, calibration_key, kept_calibration

FOUND = Calibration("openvino", 1024, "1 ms")
KEY = "key"
FILE = '{"runtime": %s, "token_budget": %s, "reason": "", "measured": 1}'
WRONG = [('"onnx"', "512"), ("[]", "512"), ('"openvino"', "1e999"), ('"openvino"', "0"), ('"openvino"', "[]")]


@pytest.fixture(autouse=True)
def own_cache(cache):
    """Nothing is kept yet."""
    return cache


class Clock:
    """Time that passes only in batches."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


class Simulated:
    """A Runtime whose batches take seconds_per_token for each token and `each` more; compiled, a share of that."""

    name = "simulated"
    closed_shapes = True

    def __init__(self, clock, seconds_per_token, each=0.0, compiled=1.0):
        self.clock, self.seconds_per_token, self.each, self.compiled = clock, seconds_per_token, each, compiled
        self.warmed = []
        self.shapes = []

    def __call__(self, word_ids, mask, type_ids, full):
        self.shapes.append(word_ids.shape)
        share = self.compiled if full and word_ids.shape in self.warmed else 1.0
        self.clock.now += (self.seconds_per_token * word_ids.size + self.each) * share
        return np.zeros((len(word_ids), 4), np.float32)

    def warm(self, shapes):
        self.warmed.extend(shapes)

    @property
    def sizes(self):
        return [rows * length for rows, length in self.shapes]

    @property
    def compiled_shapes(self):
        return frozenset(self.warmed)


def test_the_faster_runtime_is_taken(clock):
    quick, slow = Simulated(clock, 1e-4), Simulated(clock, 1e-3)
    assert calibrate(slow, quick, 32, 512, clock).runtime == "openvino"
    assert calibrate(quick, slow, 32, 512, clock).runtime == "tensorflow"


def test_tensorflow_has_to_be_faster_by_what_its_padding_costs(clock):
    assert calibrate(Simulated(clock, 0.95e-4), Simulated(clock, 1e-4), 32, 512, clock).runtime == "openvino"


def test_both_times_are_told(clock):
    found = calibrate(Simulated(clock, 1e-3), Simulated(clock, 1e-4), 32, 512, clock)
    assert found.reason == "51.2 ms for 512 tokens, and tensorflow 512.0 ms"


def test_tensorflow_is_compiled_where_that_may_make_it_the_faster_one(clock):
    tensorflow = Simulated(clock, 1.2e-4, compiled=0.7)
    assert calibrate(tensorflow, Simulated(clock, 1e-4), 32, 512, clock).runtime == "tensorflow"
    assert tensorflow.warmed == [(16, 32)]


@pytest.mark.parametrize("seconds", [0.8e-4, 2e-4])
def test_tensorflow_is_not_compiled_where_that_changes_nothing(clock, seconds):
    tensorflow = Simulated(clock, seconds)
    calibrate(tensorflow, Simulated(clock, 1e-4), 32, 512, clock)
    assert tensorflow.warmed == []


@pytest.mark.parametrize(("each", "budget"), [(0.0, 256), (1e-3, 256), (1e-2, 1024), (5e-2, 2048)])
def test_what_each_batch_costs_decides_how_large_they_are(clock, each, budget):
    assert openvino_budget(Simulated(clock, 1e-4, each), 32, 512, clock) == budget


def test_batches_that_take_long_are_not_tried(clock):
    slow = Simulated(clock, 1e-2)
    assert openvino_budget(slow, 32, 512, clock) == 256
    assert max(slow.sizes) == 512


def test_the_batches_are_of_the_length_that_is_told(clock):
    tensorflow = Simulated(clock, 1e-4)
    calibrate(tensorflow, Simulated(clock, 1e-3), 128, 512, clock)
    assert {shape[1] for shape in tensorflow.shapes} == {128}


def test_a_large_encoder_is_tried_with_the_smallest_batch_and_not_compiled(clock):
    tensorflow, openvino = Simulated(clock, 1.2e-2), Simulated(clock, 1e-2)
    assert calibrate(tensorflow, openvino, 32, 512, clock).token_budget == 256
    assert ({*tensorflow.sizes, *openvino.sizes}, tensorflow.warmed) == ({256}, [])


def test_the_smallest_budget_wins_among_equals():
    assert smallest_good_budget({256: 1.01, 512: 1.0, 1024: 1.0}) == 256


def fail():
    raise AssertionError("measured")


def test_what_was_measured_is_kept():
    assert calibrated(KEY, 0.0, lambda: FOUND) == FOUND
    assert kept_calibration(KEY, 0.0) == FOUND


def test_what_is_kept_is_not_measured_again():
    calibrated(KEY, 0.0, lambda: FOUND)
    assert calibrated(KEY, 0.0, fail) == FOUND


def test_what_is_older_than_asked_for_is_measured_again():
    calibrated(KEY, 0.0, lambda: FOUND)
    other = Calibration("tensorflow", 512, "2 ms")
    since = time.time() + 60  # by a clock that is ahead of this machine's
    assert calibrated(KEY, since, lambda: other) == other
    assert calibrated(KEY, since, fail) == other


@pytest.mark.parametrize("content", ["", "{", "[]", '{"runtime": "openvino"}', *(FILE % wrong for wrong in WRONG)])
def test_a_damaged_file_is_measured_again(cache, content):
    calibrated(KEY, 0.0, lambda: FOUND)
    (cache / "calibrations" / f"{KEY}.json").write_text(content)
    assert kept_calibration(KEY, 0.0) is None
    assert calibrated(KEY, 0.0, lambda: FOUND) == kept_calibration(KEY, 0.0) == FOUND


def test_without_a_folder_to_keep_it_in_it_is_measured(cache, caplog):
    cache.write_text("no folder")
    assert calibrated(KEY, 0.0, lambda: FOUND) == FOUND
    assert "cannot be kept" in caplog.text


def test_another_user_of_the_folder_reads_what_is_kept(cache):
    calibrated(KEY, 0.0, lambda: FOUND)
    assert (cache / "calibrations" / f"{KEY}.json").stat().st_mode & 0o044


def test_where_files_cannot_be_locked_it_is_measured(monkeypatch, caplog):
    def refuse(*given):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert calibrated(KEY, 0.0, lambda: FOUND) == FOUND
    assert "cannot be kept" in caplog.text


def test_what_is_kept_is_read_without_a_lock(monkeypatch):
    calibrated(KEY, 0.0, lambda: FOUND)
    monkeypatch.setattr(fcntl, "flock", fail)
    assert calibrated(KEY, 0.0, fail) == FOUND


def test_what_fails_to_be_measured_is_not_kept():
    with pytest.raises(AssertionError):
        calibrated(KEY, 0.0, fail)
    assert kept_calibration(KEY, 0.0) is None


def measure_beside_others(folder, barrier):
    os.environ["ENCORPUS_CACHE"] = str(folder)
    barrier.wait()

    def measure():
        with (folder / "measured").open("a") as file:
            file.write("x")
        return FOUND

    assert calibrated(KEY, 0.0, measure) == FOUND


def test_of_processes_that_start_together_one_measures(tmp_path):
    spawned = multiprocessing.get_context("spawn")
    barrier = spawned.Barrier(4)
    processes = [spawned.Process(target=measure_beside_others, args=(tmp_path, barrier)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert (tmp_path / "measured").read_text() == "x"


def cpu(tmp_path, model="one", flags="avx512f"):
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor : 0\nmodel name : {model}\nflags : {flags}\ncpu MHz : 2400\n" * 2)
    return path


@pytest.mark.parametrize(
    "other", [("b", 1, {}), ("a", 2, {}), ("a", None, {}), ("a", 1, {"model": "two"}), ("a", 1, {"flags": "avx2"})]
)
def test_another_encoder_thread_or_cpu_has_its_own(tmp_path, other):
    fingerprint, threads, machine = other
    assert calibration_key("a", 1, cpu(tmp_path)) != calibration_key(fingerprint, threads, cpu(tmp_path, **machine))


def test_a_machine_has_the_same_each_time(tmp_path):
    assert calibration_key("a", 1, cpu(tmp_path)) == calibration_key("a", 1, cpu(tmp_path))


def test_a_machine_without_a_list_of_cpus_has_one_too(tmp_path):
    assert calibration_key("a", 1, tmp_path / "none")


def test_what_is_kept_can_be_read(cache):
    calibrated(KEY, 0.0, lambda: FOUND)
    told = json.loads((cache / "calibrations" / f"{KEY}.json").read_text())
    assert (told["runtime"], told["token_budget"]) == ("openvino", 1024)
