"""The packages of a machine: there, new enough, and the same on every node."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from cluster.doctor.finding import Finding, failure, ok, warning
from cluster.doctor.node_names import few

ABOUT = "packages"
# Ray pickles code and data between nodes, and TensorFlow's versions give vectors of their own.
COMPARED = ("ray", "tensorflow", "tensorflow-text", "pyarrow", "encorpus")


def required_packages() -> tuple[str, ...]:
    """What encorpus needs, as its package says; nothing where only its folders are there."""
    try:
        return tuple(requires("encorpus") or ())
    except PackageNotFoundError:
        return ()


def versions_here(required: Sequence[str]) -> dict[str, str | None]:
    """The version of Python, of what is compared and of what is required; None for what is not there."""
    names = [*COMPARED, *(one.name for one in _needed(required))]
    return {"Python": ".".join(platform.python_version_tuple()[:2])} | {name: _version(name) for name in names}


def check_packages(versions: Mapping[str, str | None], required: Sequence[str]) -> Iterator[Finding]:
    """Whether what is required is there and new enough, and TensorFlow's two packages belong together."""
    needed = _needed(required) or [Requirement(name) for name in COMPARED if name != "encorpus"]
    wrong = False
    for one in needed:
        found = versions.get(one.name)
        wanted = f"{one.name}{one.specifier}"
        if found is None:
            wrong = True
            yield failure(ABOUT, f"{one.name} is not installed", f"pip install '{wanted}' there")
        elif not one.specifier.contains(found, prereleases=True):
            wrong = True
            yield failure(ABOUT, f"{one.name} {found} where {wanted} is needed", f"pip install '{wanted}' there")
    tensorflow, text = versions.get("tensorflow"), versions.get("tensorflow-text")
    if tensorflow and text and _minor(tensorflow) != _minor(text):
        wrong = True
        advice = f"pip install 'tensorflow-text=={_minor(tensorflow)}.*' there"
        yield failure(ABOUT, f"tensorflow {tensorflow} does not go with tensorflow-text {text}", advice)
    if versions.get("encorpus") is None:
        found = "encorpus is not installed as a package, so that nobody can say which versions it needs"
        yield warning(ABOUT, found, "pip install the wheel in the nodes' image")
    if not wrong:
        yield ok(ABOUT, ", ".join(f"{name} {versions[name]}" for name in ("Python", *COMPARED) if versions.get(name)))


def check_same(versions: Mapping[str, Mapping[str, str | None]]) -> Iterator[Finding]:
    """Whether all nodes have the same versions. versions: by node, and by package."""
    for name in ("Python", *COMPARED):
        nodes: dict[str, list[str]] = {}
        for node, found in versions.items():
            nodes.setdefault(found.get(name) or "nothing", []).append(node)
        if len(nodes) > 1:
            told = "; ".join(f"{one} on {few(where)}" for one, where in sorted(nodes.items()))
            yield failure("versions", f"{name} differs: {told}", "use one image, or one environment, on every node")


def _needed(required: Sequence[str]) -> list[Requirement]:
    """The requirements, without those of extras."""
    all_of_them = map(Requirement, required)
    return [one for one in all_of_them if one.marker is None or one.marker.evaluate({"extra": ""})]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _minor(text: str) -> str:
    return ".".join(text.split(".")[:2])
