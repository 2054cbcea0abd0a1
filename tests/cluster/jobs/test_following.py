"""A cluster that is gone for good: the watching ends, and says that the job may not have."""

import io

import pytest

from cluster.console import Console
from cluster.jobs.client import Cluster
from cluster.jobs.following import ConnectionLostError, follow
from tests.cluster.jobs.jobs import RUNNING
from tests.cluster.jobs.other_servers import answering


def test_a_cluster_that_does_not_come_back_is_given_up(tmp_path):
    out, err = io.StringIO(), io.StringIO()
    with answering(200, b'{"ray_version": "2.60.0"}') as url:
        cluster = Cluster(url)
    with pytest.raises(ConnectionLostError, match="the job may well go on"):
        follow(cluster, RUNNING, Console(out, err, tmp_path), patience=0)
    (told,) = err.getvalue().splitlines()
    assert told.startswith(f"the connection is lost ({url}: no Ray cluster answers there")
    assert out.getvalue() == ""
