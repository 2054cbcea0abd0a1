"""Who does the work is said once."""

import pytest

from cluster.arguments import parse
from cluster.job_options import job_of
from cluster.workforce import workforce_of
from pipelines.errors import UsageError


@pytest.mark.parametrize("option", ["--workers", "--gpus-per-worker"])
def test_an_application_has_no_other_workers_than_its_replicas(option):
    arguments = parse(["embed", "corpus", "-o", "out", "--model", "model", "--through", "app", option, "1"])
    with (
        pytest.raises(UsageError, match=f"^--through and {option} exclude each other"),
        workforce_of(arguments, job_of(arguments)),
    ):
        pass
