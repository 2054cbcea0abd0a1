"""`encorpus doctor`: what it found stays told, whatever cannot be asked."""

from tests.cluster.command_line import encorpus


def test_a_cluster_that_does_not_answer_is_a_failure_beside_what_was_found(tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n')
    found = encorpus("doctor", tmp_path / "in.jsonl", "-o", tmp_path / "out", "--address", "127.0.0.1:1")
    assert (found.status, found.err) == (1, "")
    failure, _, *_, last = found.out.splitlines()
    assert failure.startswith("  FAILURE  Ray     --address 127.0.0.1:1: no Ray cluster answers there")
    assert "in.jsonl: can be listed, 1 file" in found.out
    assert last == "3 checks: 1 failure"
