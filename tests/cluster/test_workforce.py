"""Who does the work is said once."""

import pytest

from cluster.arguments import parse
from cluster.job_options import job_of
from cluster.workforce import workforce_of
from pipelines.errors import UsageError

OF_A_POOL = [("--workers", "1"), ("--gpus-per-worker", "1"), ("--runtime", "openvino"), ("--calibrate",)]


@pytest.mark.parametrize("words", OF_A_POOL, ids=" ".join)
def test_an_application_has_no_other_workers_than_its_replicas(words):
    arguments = parse(["embed", "corpus", "-o", "out", "--model", "model", "--through", "app", *words])
    with (
        pytest.raises(UsageError, match=f"^--through and {words[0]} exclude each other"),
        workforce_of(arguments, job_of(arguments)),
    ):
        pass
