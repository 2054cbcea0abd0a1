"""TensorFlow, asked in a process of its own, whatever becomes of it."""

import pytest

from cluster.doctor.gpu import check_tensorflow


@pytest.mark.parametrize(
    ("program", "gpus", "gpus_per_worker", "level", "told"),
    [
        ("print('gpus: 0')", 0, 0, "ok", "loads"),
        ("print('gpus: 2')", 2, 1, "ok", "loads, sees 2 GPUs"),
        ("print('gpus: 0')", 2, 1, "FAILURE", "sees 0 GPUs where 2 should be"),
        ("print('gpus: 0')", 2, 0, "warning", "sees 0 GPUs where 2 should be"),
        ("raise ImportError('undefined symbol')", 0, 0, "FAILURE", "(exit status 1): ImportError: undefined symbol"),
        ("import os; os.kill(os.getpid(), 4)", 0, 0, "FAILURE", "(signal 4): no word"),
    ],
)
def test_what_it_sees_and_how_it_ends_is_told(program, gpus, gpus_per_worker, level, told):
    (finding,) = check_tensorflow(gpus, gpus_per_worker, program)
    assert (finding.level, finding.found.endswith(told)) == (level, True), finding


def test_one_that_takes_too_long_is_a_failure(monkeypatch):
    monkeypatch.setattr("cluster.doctor.gpu.LOAD_SECONDS", 0.2)
    (finding,) = check_tensorflow(0, 0, "import threading; threading.Event().wait()")
    assert finding.level == "FAILURE"
