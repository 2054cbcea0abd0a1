"""The image: pinned, without root, and made of what the tests run with."""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.cluster.deploy.files import DEPLOY, LAUNCHED, ROOT, all_files, relative

DOCKERFILE = (DEPLOY / "docker" / "Dockerfile").read_text()
LOCKS = ["runtime", "gcs", "gpu", "launcher"]
[BASE] = re.findall(r"^FROM \S+ AS base\n(.*?)(?=^FROM)", DOCKERFILE, re.MULTILINE | re.DOTALL)
TARGETS = re.findall(r"^FROM \S+ AS (cpu|gpu|launcher)\n(.*?)(?=^FROM|\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL)


def pins(name: str) -> dict[str, str]:
    """Versions by package."""
    text = (ROOT / name).read_text()
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)(?:\[.*?\])?==(\S+)", text, re.MULTILINE))


def tool(name: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name(name)
    return subprocess.run([command, *words], capture_output=True, text=True, timeout=120, check=False)


def test_hadolint_has_nothing_to_say():
    done = tool("hadolint", DEPLOY / "docker" / "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("path", [path for path in all_files() if path.read_bytes().startswith(b"#!")], ids=relative)
def test_shellcheck_has_nothing_to_say(path):
    done = tool("shellcheck", "--external-sources", path)
    assert (done.returncode, done.stdout) == (0, "")


def test_there_are_three_targets_and_none_runs_as_root():
    assert [name for name, _ in TARGETS] == ["cpu", "gpu", "launcher"]
    assert [steps.split("USER ")[-1].splitlines()[0] for _, steps in TARGETS] == ["1000:1000"] * 3


def test_a_login_shell_finds_the_programs(tmp_path):
    [profile] = re.findall(r"(echo '.*') > /etc/profile.d/encorpus.sh", BASE, re.MULTILINE)
    programs = re.findall(r"^ENV PATH=(.*):\$PATH", BASE, re.MULTILINE)
    script = f"{profile} > profile.sh; PATH=/usr/bin:/bin; . ./profile.sh; echo $PATH"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"{programs[0]}:/usr/bin:/bin\n"


def test_the_image_has_what_kuberay_asks_a_serving_pod_with():
    assert re.search(r"apt-get install .*\bwget\b", BASE)


def test_a_ray_of_the_image_asks_for_a_token():
    assert "RAY_AUTH_MODE=token" in DOCKERFILE


@pytest.mark.parametrize("path", all_files(), ids=relative)
def test_images_are_of_a_version(path):
    text = path.read_text()
    assert ":latest" not in text
    for image in re.findall(r"(?:^FROM|image:) +([\w./-]+/[\w./-]+|python)(\S*)", text, re.MULTILINE):
        assert re.fullmatch(r":\d+\.\d+\.\d+[\w.-]*", image[1]), image


def test_all_nodes_of_a_cluster_have_one_build():
    tags = {tag for path in LAUNCHED for tag in re.findall(r"/encorpus:(\S+?)-(?:cpu|gpu|launcher)", path.read_text())}
    kustomization = (DEPLOY / "kubernetes" / "ray_cluster" / "kustomization.yaml").read_text()
    tags |= set(re.findall(r"newTag: (\S+?)-(?:cpu|gpu)", kustomization))
    assert tags == {importlib.metadata.version("encorpus")}


def test_python_is_one_that_encorpus_runs_on():
    [version] = {match[0] for match in re.findall(r"^FROM python:((\d+\.\d+)\.\d+)", DOCKERFILE, re.MULTILINE)}
    assert version.startswith("3.11.")


def test_kubernetes_is_told_the_version_of_ray():
    text = (DEPLOY / "kubernetes" / "ray_cluster" / "ray_cluster.yaml").read_text()
    assert f"rayVersion: {pins('requirements-runtime.lock')['ray']}\n" in text


def test_the_image_has_the_versions_that_are_tested():
    tested, runtime = pins("requirements.lock"), pins("requirements-runtime.lock")
    assert {name: version for name, version in runtime.items() if tested.get(name) != version} == {}


@pytest.mark.parametrize("kind", ["gcs", "gpu", "launcher"])
def test_what_is_added_takes_the_place_of_nothing(kind):
    assert pins(f"requirements-{kind}.lock").keys() & pins("requirements-runtime.lock").keys() == set()


@pytest.mark.parametrize("kind", LOCKS)
def test_every_package_has_its_hashes(kind):
    text = (ROOT / f"requirements-{kind}.lock").read_text()
    packages = re.split(r"\n(?=\S)", text.strip())
    assert all("--hash=sha256:" in package for package in packages)
    assert f"requirements-{kind}.lock" in DOCKERFILE


def test_what_encorpus_needs_is_in_the_image():
    needed = {
        Requirement(one).name.lower() for one in importlib.metadata.requires("encorpus") or () if "extra" not in one
    }
    assert needed <= pins("requirements-runtime.lock").keys()


def test_gpus_have_what_tensorflow_asks_for_them():
    wanted = [Requirement(one) for one in importlib.metadata.requires("tensorflow") or () if "and-cuda" in one]
    there = pins("requirements-gpu.lock")
    assert all(there[one.name] in one.specifier for one in wanted)


def test_only_what_the_image_is_made_from_goes_to_docker():
    ignored = (ROOT / ".dockerignore").read_text()
    copied = {
        word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()
    }
    allowed = set(re.findall(r"^!(\S+)$", ignored, re.MULTILINE))
    assert (ignored.splitlines()[1], allowed) == ("*", copied)
