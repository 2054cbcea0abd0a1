"""What the files start has the options that there are: of encorpus, of its applications, of Ray."""

import importlib
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.scripts.scripts import start
from ray.serve.schema import ServeDeploySchema

from cluster.arguments import parse, parse_mapping
from tests.cluster.deploy.files import DEPLOY, ROOT, all_files, documents, found, relative

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SCRIPT = DEPLOY / "slurm" / "embed.sbatch"
YAML = [path for path in all_files() if path.suffix == ".yaml"]
SERVICE = DEPLOY / "kubernetes" / "overlays" / "serve" / "ray_service.yaml"


def strings(value: Any) -> Iterator[str]:
    """Every string of a YAML document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def lines_of(path: Path) -> list[str]:
    """The shell commands of a file, a line each; in Markdown without what stands far to the right of them."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".yaml":
        return [string for document in documents(text) for string in strings(document)]
    if path.suffix == ".md":
        lines = re.findall(r"^    (\S.*)$", re.sub(r"\\\n +", "", text), re.MULTILINE)
        return [piece for line in lines for piece in re.split(" {3,}", line)]
    joined = re.sub(r"(?<=\()\n(.*?)\n(?=\))", lambda array: " ".join(array[1].split()), text, flags=re.DOTALL)
    return joined.replace("\\\n", " ").splitlines()


def commands(path: Path, program: str) -> list[str]:
    """What comes after the program in each command, up to the command's end."""
    ends = r"(?=\s*(?:\|\||&&|[;&#>)]|$))"
    found_ones = (
        re.findall(rf"(?<![\w/-])(?<!-n ){program} ((?:'[^']*'|[^;&|#>)'])*?){ends}", line) for line in lines_of(path)
    )
    return [one for inner in found_ones for one in inner]


EMBED = [
    pytest.param(words, id=f"{path.name} {number}")
    for path in [*YAML, SCRIPT, *PAGES]
    if path.exists() and not path.name.endswith("_role.yaml")  # whose titles begin with the name
    for number, words in enumerate(commands(path, "encorpus"))
    if "[" not in words  # what an option is, and not one
]
STARTS = [
    pytest.param(words, id=f"{path.parent.name} {number}")
    for path in [*YAML, SCRIPT]
    for number, words in enumerate(commands(path, "ray start"))
]


@pytest.mark.parametrize("words", EMBED)
def test_every_command_of_encorpus_is_one(words):
    assert parse(shlex.split(words)).command


@pytest.mark.parametrize(
    "path", [path for path in [*YAML, SCRIPT] if "encorpus embed" in path.read_text()], ids=relative
)
def test_every_job_is_among_them(path):
    told = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    assert len(commands(path, "encorpus")) == sum("encorpus embed" in line for line in told)


@pytest.mark.parametrize("words", STARTS)
def test_every_start_of_ray_has_options_that_ray_has(words):
    script = SCRIPT.read_text()
    [common] = re.findall(r"^common=\(\n(.*?)^\)$", script, re.MULTILINE | re.DOTALL)
    words = words.replace('"${common[@]}"', " ".join(common.split()))
    words = re.sub(r'"?\$(\w+|\{[^}]*\})"?', "1", words)
    start.make_context("start", shlex.split(words))


@pytest.mark.parametrize("path", YAML, ids=relative)
def test_parameters_of_nodes_are_options_of_ray(path):
    known = {option.removeprefix("--") for parameter in start.params for option in parameter.opts}
    for parameters in (inner for one in documents(path.read_text()) for inner in found(one, "rayStartParams")):
        assert set(parameters) <= known


def test_ray_serve_takes_the_service():
    [service] = documents(SERVICE.read_text())
    ServeDeploySchema.model_validate(yaml.safe_load(service["spec"]["serveConfigV2"]))


def test_the_service_has_options_of_serve():
    [service] = documents(SERVICE.read_text())
    [application] = yaml.safe_load(service["spec"]["serveConfigV2"])["applications"]
    arguments = parse_mapping("serve", application["args"], "args")
    assert (arguments.replicas, arguments.api_keys) == ((2, 8), "/etc/encorpus/keys/keys.toml")
    module, _, name = application["import_path"].partition(":")
    assert hasattr(importlib.import_module(module), name)


def test_a_job_goes_through_the_service_that_there_is():
    [service] = documents(SERVICE.read_text())
    [application] = yaml.safe_load(service["spec"]["serveConfigV2"])["applications"]
    [words] = commands(SERVICE.parents[1] / "both_lanes" / "ray_job.yaml", "encorpus")
    assert parse(shlex.split(words)).through == application["name"]


@pytest.mark.parametrize("path", [*YAML, SCRIPT], ids=relative)
def test_every_module_that_is_started_is_there(path):
    for module in commands(path, "python -m"):
        assert importlib.util.find_spec(module.split()[0]), module
