"""No file has a secret in it, and none turns off what asks for one."""

import re

import pytest

from tests.cluster.deploy.files import all_files, relative

LOOKS_SECRET = [
    r"-----BEGIN [A-Z ]*PRIVATE KEY",
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    r"\b(?=\w*[0-9])(?=\w*[a-z])(?=\w*[A-Z])[A-Za-z0-9+]{30,}",
    r"\b[0-9a-f]{32,}\b",
    r"(?i)(?:password|secret|token|key)\w*[\"']?\s*[:=]\s*[\"']?(?=[^\s\"']*\d)[A-Za-z0-9_+/-]{12,}",
]
TURNED_OFF = [r"RAY_AUTH_MODE[=: \"']+disabled", r"mode: disabled", r"no-auth", r"0\.0\.0\.0(?!/0)"]

# KubeRay talks to a head's dashboard, requests come to Serve from other pods; both behind a NetworkPolicy.
ON_ALL_INTERFACES = {"kubernetes/ray_cluster/ray_cluster.yaml", "kubernetes/overlays/serve/ray_service.yaml"}


@pytest.mark.parametrize("path", all_files(), ids=relative)
def test_no_file_has_a_secret(path):
    text = path.read_text()
    assert [match[0] for pattern in LOOKS_SECRET for match in re.finditer(pattern, text)] == []


@pytest.mark.parametrize("path", all_files(), ids=relative)
def test_no_file_lets_in_who_has_no_secret(path):
    told = [pattern for pattern in TURNED_OFF if re.search(pattern, path.read_text())]
    assert told == ([TURNED_OFF[-1]] if relative(path) in ON_ALL_INTERFACES else [])


@pytest.mark.parametrize(
    "secret", ["token: 8f14e45fceea167a5a36dedd4bea2543", "AKIAIOSFODNN7EXAMPLE", 'key = "a1b2c3d4e5f6g7"']
)
def test_what_looks_secret_is_found(secret):
    assert any(re.search(pattern, secret) for pattern in LOOKS_SECRET)
