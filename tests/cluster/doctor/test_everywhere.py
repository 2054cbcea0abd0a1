"""Every node of a real cluster is asked; one that does not answer, or cannot, is a finding."""

import re
import tarfile
import threading

import pytest
import ray

from cluster.doctor.clocks import check_clocks
from cluster.doctor.everywhere import alive_nodes, ask_clocks, ask_nodes
from cluster.doctor.node import Answer, Questions
from pipelines.job.session import ray_session
from tests.cluster.command_line import encorpus
from tests.ray_nodes import ray_cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster of a head and a worker whose cache cannot be written."""
    folder = tmp_path_factory.mktemp("r")
    (folder / "taken").write_text("a file where the cache should be")
    with ray_cluster(folder / "t", {"ENCORPUS_CACHE": str(folder / "taken")}) as cluster:
        yield cluster.address


@pytest.fixture
def nodes(cluster):
    with ray_session(cluster, cpus=1):
        yield alive_nodes()


def test_a_cluster_is_told_by_its_nodes_and_what_is_wrong_with_one_fails(cluster, tmp_path, tiny_model):
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n')
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        archive.add(tiny_model, arcname=".")
    options = ["--model", tmp_path / "model.tar.gz", "--address", cluster]
    found = encorpus("doctor", tmp_path / "in.jsonl", "-o", tmp_path / "out", *options)
    assert found.status == 1, found
    all_nodes, *of_one = re.split(r"^on .*:$", found.out, flags=re.MULTILINE)[1:]
    [of_the_worker] = [told for told in of_one if "TensorFlow" in told]
    assert re.search("ok +packages", all_nodes), found.out
    assert re.search("FAILURE  cache .*cannot be written: Not a directory", of_the_worker), found.out
    assert re.search("ok +output .*can be written, read, overwritten, deleted", of_the_worker), found.out
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
