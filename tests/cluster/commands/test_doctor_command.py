"""`encorpus doctor`: what it found stays told, whatever cannot be asked."""

import subprocess
import sys


def test_a_cluster_that_does_not_answer_is_a_failure_beside_what_was_found(tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n')
    words = ["doctor", tmp_path / "in.jsonl", "-o", tmp_path / "out", "--address", "127.0.0.1:1"]
    # In a process of its own, which has no connection to Ray yet.
    found = subprocess.run([sys.executable, "-m", "cluster.cli", *words], capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (1, "")
    failure, _, *_, last = found.stdout.splitlines()
    assert failure.startswith("  FAILURE  Ray     --address 127.0.0.1:1: no Ray cluster answers there")
    assert "in.jsonl: can be listed, 1 file" in found.stdout
    assert last == "3 checks: 1 failure"
