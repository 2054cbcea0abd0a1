"""What is sent to Kubernetes: every object follows its schema, pods may do little, and nodes come and go in order."""

from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from tests.cluster.deploy.crd import NAMES, require_valid
from tests.cluster.deploy.files import KUBERNETES, OVERLAYS, documents, found, relative
from tests.cluster.deploy.overlays import built, built_with, cluster_of

VERSION = kubernetes_validate.latest_version()
KUSTOMIZE = ("Kustomization", "Component")
CLUSTER = documents((KUBERNETES / "ray_cluster" / "ray_cluster.yaml").read_text())[0]["spec"]
PLAIN = [
    pytest.param(document, id=f"{relative(path)} {document['metadata']['name']}")
    for path in sorted(KUBERNETES.rglob("*.yaml"))
    for document in documents(path.read_text())
    if document["kind"] not in KUSTOMIZE
]

every_overlay = pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)


def require_follows_its_schema(document: dict[str, Any]) -> None:
    if document["kind"] in NAMES:
        require_valid(document)
    else:
        kubernetes_validate.validate(document, VERSION, strict=True)


def node_templates(cluster: dict[str, Any]) -> list[dict[str, Any]]:
    return [group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]


@pytest.mark.parametrize("document", PLAIN)
def test_every_object_follows_its_schema(document):
    if document["kind"] == "RayService":  # as ../with_own_cluster has it
        document = {**document, "spec": {**document["spec"], "rayClusterConfig": CLUSTER}}
    require_follows_its_schema(document)


@every_overlay
def test_every_overlay_is_built_of_objects_that_follow_their_schemas(overlay: Path):
    for document in built(overlay):
        require_follows_its_schema(document)


@pytest.mark.parametrize("overlay", [one for one in OVERLAYS if one.name != "both_lanes"], ids=lambda path: path.name)
@pytest.mark.parametrize("platform", ["gke", "eks"])
def test_platforms_and_tls_go_with_every_overlay(overlay: Path, platform: str, tmp_path: Path):
    objects = built_with(overlay, [platform, "tls"], tmp_path)
    for document in objects:
        require_follows_its_schema(document)
    cluster = cluster_of(objects)
    assert cluster["tlsOptions"] == {"enabled": True}
    assert all("nodeSelector" in group["template"]["spec"] for group in cluster["workerGroupSpecs"])


@pytest.mark.parametrize(("kind", "place"), [("RayCluster", ()), ("RayJob", ("rayClusterSpec", "headGroupSpec"))])
def test_a_field_that_kuberay_does_not_know_is_found(kind, place):
    spec: dict[str, Any] = {"headGroupSpec": {"template": {}}} if kind == "RayCluster" else {}
    inner = spec
    for name in place:
        inner = inner.setdefault(name, {})
    inner["numberOfHeads"] = 2
    with pytest.raises(jsonschema.ValidationError, match="numberOfHeads"):
        require_valid({"apiVersion": "ray.io/v1", "kind": kind, "metadata": {"name": "x"}, "spec": spec})


@every_overlay
def test_every_overlay_has_the_one_cluster(overlay: Path):
    keys = {"volumes", "volumeMounts"}  # those of API keys

    def bare(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: bare(inner) for name, inner in value.items() if name not in keys and name != "image"}
        return [bare(inner) for inner in value] if isinstance(value, list) else value

    assert bare(cluster_of(built(overlay))) == bare(CLUSTER)


@every_overlay
def test_every_node_asks_for_the_token(overlay: Path):
    assert cluster_of(built(overlay))["authOptions"] == {"mode": "token", "secretName": "encorpus-ray-token"}


def test_the_head_has_no_work():
    assert CLUSTER["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"


def test_workers_come_from_none():
    assert [group["minReplicas"] for group in CLUSTER["workerGroupSpecs"]] == [0, 0]


@pytest.mark.parametrize("pod", node_templates(CLUSTER), ids=["head", "gpu", "cpu"])
def test_pods_may_do_what_the_namespace_allows_and_no_more(pod):
    [container] = pod["containers"]
    assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["seccompProfile"]) == (
        True,
        {"type": "RuntimeDefault"},
    )
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize("pod", node_templates(CLUSTER), ids=["head", "gpu", "cpu"])
def test_the_object_store_fits_its_memory(pod):
    [shm] = [volume for volume in pod["volumes"] if volume["name"] == "shm"]
    assert shm["emptyDir"] == {"medium": "Memory", "sizeLimit": "512Mi"}
    assert set(found(CLUSTER, "object-store-memory")) == {"200000000"}


def test_workers_have_time_to_leave():
    for group in CLUSTER["workerGroupSpecs"]:
        pod = group["template"]["spec"]
        [command] = found(pod["containers"][0]["lifecycle"], "command")
        assert "cluster.spot_notice now" in command[-1]
        assert pod["terminationGracePeriodSeconds"] > 90


def test_nobody_reaches_a_pod_unless_a_policy_says_so():
    policies = {one["metadata"]["name"]: one["spec"] for one in built(KUBERNETES / "namespace") if "spec" in one}
    assert policies["deny-all"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_only_the_nodes_of_ray_reach_each_other_on_all_ports():
    policies = [one for one in built(KUBERNETES / "namespace") if one["kind"] == "NetworkPolicy"]
    wide = [
        one["metadata"]["name"] for one in policies for rule in one["spec"].get("ingress", ()) if "ports" not in rule
    ]
    assert wide == ["ray-among-itself"]
