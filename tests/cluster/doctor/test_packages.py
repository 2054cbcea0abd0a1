"""Packages: there, new enough, belonging together, and the same on every node."""

import pytest

from cluster.doctor.packages import check_packages, check_same, required_packages, versions_here

REQUIRED = ("tensorflow>=2.19", "ray[data,serve]>=2.60", 'demo-only>=1; extra == "demo"')
FINE = {"Python": "3.11", "tensorflow": "2.19.1", "tensorflow-text": "2.19.0", "ray": "2.60.0", "encorpus": "0.1.0"}


def levels(findings):
    return [finding.level.value for finding in findings]


def test_this_environment_is_fine():
    required = required_packages()
    assert levels(check_packages(versions_here(required), required)) == ["ok"]


def test_what_is_there_is_told_with_its_version():
    (finding,) = check_packages(FINE, REQUIRED)
    assert finding.found == "Python 3.11, ray 2.60.0, tensorflow 2.19.1, tensorflow-text 2.19.0, encorpus 0.1.0"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"ray": None}, "ray is not installed"),
        ({"ray": "2.40.0"}, "ray 2.40.0 where ray>=2.60 is needed"),
        ({"tensorflow-text": "2.20.0"}, "tensorflow 2.19.1 does not go with tensorflow-text 2.20.0"),
    ],
)
def test_what_a_job_would_fail_of_is_told_with_a_command(changed, told):
    (finding,) = check_packages(FINE | changed, REQUIRED)
    assert (finding.level, finding.found) == ("FAILURE", told)
    assert finding.advice.startswith("pip install '")


def test_an_encorpus_that_was_never_installed_is_a_warning():
    findings = list(check_packages(FINE | {"encorpus": None, "pyarrow": "20.0"}, ()))
    assert levels(findings) == ["warning", "ok"]


def test_versions_that_differ_between_nodes_are_told_with_the_nodes():
    nodes = {f"n{n}": FINE | {"pyarrow": "19.0" if n == 7 else "20.0"} for n in range(8)}
    (finding,) = check_same(nodes)
    assert (finding.level, finding.found) == (
        "FAILURE",
        "pyarrow differs: 19.0 on n7; 20.0 on n0, n1, n2 and 4 more",
    )


def test_nodes_alike_need_no_word():
    assert list(check_same({"n1": FINE, "n2": FINE})) == []
