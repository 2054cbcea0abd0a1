"""The simulations run, on a few hundred units: what they measure at scale is told by `make scale-sim`."""

import pytest

from tests.scale.driver import measured
from tests.scale.hosts import throughput

pytestmark = pytest.mark.usefixtures("ray_session")


def test_a_simulated_job_comes_to_its_manifest(tmp_path):
    figures = measured("encorpus", 300, tmp_path / "job", processes=1)
    assert (figures.units, figures.what) == (300, "encorpus")
    assert figures.work_cpu > 0


def test_workers_whose_encoders_sleep_do_all_their_units(tmp_path):
    seen = throughput(tmp_path, workers=2, units_a_worker=20, unit_seconds=0.1)
    assert seen.units == 40
    assert 0 < seen.busy <= 1
