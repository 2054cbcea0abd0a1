"""What a worker asks an object store for a unit: what the sums of a cluster's size count with."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.job.cluster_size import RANGE_BYTES, UNIT_READS, UNIT_WRITES
from pipelines.job.job import Job
from pipelines.job.ledger import UnitLedger
from pipelines.job.prepare import prepare
from pipelines.job.tasks import Task
from pipelines.job.work_order import work_order
from pipelines.job.worker import EmbedWorker
from tests.fault_proxy import FaultProxy, running
from tests.s3_server import free_port, new_bucket, storage_at
from tests.scale.simulated import COLUMNS, sleeping, write_model


@pytest.fixture
def requests_of(s3, tmp_path):
    """Counts the requests, by method, of a worker for so many units, each of so many rows of 1,000 characters."""

    def counted(units: int, unit_rows: int) -> Counter[str]:
        bucket, port = new_bucket(s3), free_port()
        texts = [np.random.default_rng(row).bytes(500).hex() for row in range(units * unit_rows)]
        pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet", row_group_size=unit_rows, compression="none")
        s3.write_atomic(f"{bucket}/in/a.parquet", (tmp_path / "a.parquet").read_bytes())
        with running(FaultProxy(s3.options["endpoint_url"]), port) as proxy:
            storage = storage_at(proxy.url(port))
            spec = write_model(tmp_path / "model")
            prepared = prepare(Job((f"{bucket}/in",), f"{bucket}/out", spec, COLUMNS, unit_rows, storage=storage))
            worker = EmbedWorker(replace(work_order(prepared, threads=1), load=sleeping(0)), UnitLedger())
            before = proxy.requests.copy()
            worker.do(Task(0, tuple(range(units))))
            return proxy.requests - before

    return counted


def test_a_unit_of_little_text(requests_of):
    units = 10
    seen = requests_of(units, unit_rows=50)
    assert seen["PUT"] + seen["DELETE"] == UNIT_WRITES * units
    assert 3 * units < seen["GET"] + seen["HEAD"] <= UNIT_READS * units


def test_a_unit_of_several_ranges(requests_of):
    rows = 2 * RANGE_BYTES // 1000
    seen = requests_of(2, rows)
    assert seen["PUT"] + seen["DELETE"] == UNIT_WRITES * 2
    assert seen["GET"] + seen["HEAD"] <= (UNIT_READS + 2) * 2 + 4  # the first ranges of a file are smaller
