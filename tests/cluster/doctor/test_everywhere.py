"""Every node of a real cluster is asked; one that does not answer, or cannot, is a finding."""

import threading

import pytest
import ray

from cluster.doctor.clocks import check_clocks
from cluster.doctor.everywhere import alive_nodes, ask_clocks, ask_nodes
from cluster.doctor.node import Answer, Questions
from pipelines.job.session import ray_session
from tests.cluster.command_line import encorpus
from tests.two_nodes import ray_cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster of a head and a worker whose cache cannot be written."""
    folder = tmp_path_factory.mktemp("r")
    (folder / "taken").write_text("a file where the cache should be")
    with ray_cluster(folder / "t", {"ENCORPUS_CACHE": str(folder / "taken")}) as address:
        yield address


@pytest.fixture
def nodes(cluster):
    with ray_session(cluster, cpus=1):
        yield alive_nodes()


def test_a_cluster_is_told_by_its_nodes_and_what_is_wrong_with_one_fails(cluster, tmp_path, tiny_model):
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n')
    found = encorpus(
        "doctor", tmp_path / "in.jsonl", "-o", tmp_path / "out", "--model", tiny_model, "--address", cluster
    )
    assert found.status == 1, found
    assert "cannot be written: " in found.out
    assert "FAILURE" in found.out
    assert found.out.splitlines()[-1].split(": ")[1].startswith("1 failure"), found.out
    assert not (tmp_path / "out").exists()


def test_a_node_that_gives_no_answer_is_a_finding(nodes):
    head = next(node["NodeID"] for node in nodes.values() if not node["Resources"].get("CPU"))

    def look(questions, share):
        if ray.get_runtime_context().get_node_id() != head:
            threading.Event().wait()
        return Answer(())

    answers = ask_nodes(nodes, Questions(), seconds=20, look=look)
    told = sorted(finding.found for answer in answers.values() for finding in answer.findings)
    assert told == ["gave no answer in 20 s"]


def test_a_node_without_encorpus_is_a_finding(nodes):
    def look(questions, share):
        raise ModuleNotFoundError("No module named 'cluster'")

    answers = ask_nodes(nodes, Questions(), look=look)
    for answer in answers.values():
        (finding,) = answer.findings
        assert "No module named 'cluster'" in finding.found


def test_clocks_of_one_machine_agree(nodes):
    asked = ask_clocks(nodes)
    assert len(asked) == len(nodes)
    (finding,) = check_clocks(asked)
    assert finding.level == "ok"
