"""What the machines may do in storage and clouds is named: no wildcard but those that have their reason here."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.deploy.files import DEPLOY, relative

AWS = sorted(DEPLOY.rglob("*_policy.json"))
ROLES = sorted(DEPLOY.rglob("*_role.yaml"))
CONDITIONS = sorted(DEPLOY.glob("storage/*_condition.yaml"))

# EC2 tells of machines only to who may see all of them.
ONLY_OF_EVERYTHING = {"ec2:DescribeInstances"}


def statements(path: Path) -> list[dict[str, Any]]:
    policy = json.loads(path.read_text())
    assert policy["Version"] == "2012-10-17"
    return policy["Statement"]


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


EVERY = [pytest.param(one, id=f"{relative(path)} {one['Sid']}") for path in AWS for one in statements(path)]


@pytest.mark.parametrize("statement", EVERY)
def test_it_allows_actions_by_their_names(statement):
    assert statement["Effect"] == "Allow"
    assert not [action for action in listed(statement["Action"]) if "*" in action]


@pytest.mark.parametrize("statement", EVERY)
def test_a_resource_is_named_but_for_what_is_below_a_prefix_of_ones_own(statement):
    if statement["Resource"] == "*":
        assert set(listed(statement["Action"])) <= ONLY_OF_EVERYTHING
        return
    for resource in listed(statement["Resource"]):
        assert re.fullmatch(
            r"arn:aws:s3:::your-[^*]+(/your-[^*/]+(/\*)?)?|arn:aws:(ec2|iam):[^*]*(/[^*]*\*?)", resource
        )


@pytest.mark.parametrize("statement", [one for one in EVERY if "ec2:TerminateInstances" in str(one)])
def test_a_head_ends_machines_of_its_own_cluster_alone(statement):
    assert statement["Condition"] == {"StringEquals": {"aws:ResourceTag/ray-cluster-name": "encorpus"}}


def allowed(name: str, bucket: str) -> set[str]:
    rows = [one for one in statements(DEPLOY / "storage" / name) if bucket in str(one["Resource"])]
    return {action.removeprefix("s3:") for one in rows for action in listed(one["Action"])}


def test_a_job_reads_its_corpus_and_its_model_and_writes_its_output():
    read, written = {"ListBucket", "GetObject"}, {"PutObject", "DeleteObject"}
    uploads = {"ListBucketMultipartUploads", "AbortMultipartUpload"}
    buckets = [allowed("aws_embed_policy.json", f"your-{one}-bucket") for one in ("corpus", "model", "output")]
    assert buckets == [read, read, read | written | uploads]


def test_a_service_reads_its_model_and_nothing_else():
    buckets = [allowed("aws_serve_policy.json", f"your-{one}-bucket") for one in ("corpus", "model", "output")]
    assert buckets == [set(), {"ListBucket", "GetObject"}, set()]


def test_listings_are_of_a_prefix():
    for path in AWS:
        for statement in statements(path):
            if statement["Action"] == "s3:ListBucket":
                [prefixes] = [one["s3:prefix"] for one in statement["Condition"].values()]
                assert all(prefix.startswith("your-") for prefix in prefixes)


@pytest.mark.parametrize("path", ROLES, ids=relative)
def test_roles_of_google_have_permissions_by_their_names(path):
    permissions = yaml.safe_load(path.read_text())["includedPermissions"]
    assert permissions == sorted(set(permissions))
    assert not [one for one in permissions if "*" in one or "setIamPolicy" in one]


@pytest.mark.parametrize("path", CONDITIONS, ids=relative)
def test_google_bounds_a_role_to_one_prefix(path):
    name = path.name.removeprefix("gcs_").removesuffix("_condition.yaml")
    condition = yaml.safe_load(path.read_text())
    assert condition["title"] == f"encorpus-{name}"
    thing, listing = "resource.name", 'api.getAttribute("storage.googleapis.com/objectListPrefix", "")'
    folder = f"projects/_/buckets/your-{name}-bucket/objects/your-{name}"
    assert condition["expression"].split(" || ") == [
        f'{thing} == "{folder}"',
        f'{thing}.startsWith("{folder}/")',
        f'{listing} == "your-{name}"',
        f'{listing}.startsWith("your-{name}/")',
    ]
