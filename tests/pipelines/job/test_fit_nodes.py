"""A job whose nodes are unfit goes on only where another one is left that is large enough for a worker."""

import pytest

from pipelines.errors import EncorpusError
from pipelines.job.pool import require_a_fit_node
from pipelines.job.pool_size import PoolSize
from pipelines.job.record import Outcome, Record

TOLD = Record("a", Outcome.UNFIT, "node gpu-7: the disk is full")
TWO_CPUS, ONE_GPU = PoolSize(2, 2, 2, 0), PoolSize(2, 2, 1, 1)


def node(name: str, alive: bool = True, **resources: float):
    return {"NodeID": name, "Alive": alive, "Resources": resources}


@pytest.mark.parametrize(
    ("size", "fit"),
    [(TWO_CPUS, node("b", CPU=2)), (ONE_GPU, node("b", CPU=1, GPU=1))],
    ids=["CPUs", "GPU"],
)
def test_a_job_goes_on_where_another_node_is_large_enough(size, fit):
    require_a_fit_node([node("a", CPU=16, GPU=8), fit], {"a"}, size, TOLD)


@pytest.mark.parametrize(
    ("size", "other"),
    [
        (TWO_CPUS, node("b", CPU=1)),
        (TWO_CPUS, node("b", alive=False, CPU=16)),
        (TWO_CPUS, node("b")),
        (ONE_GPU, node("b", CPU=16)),
        (ONE_GPU, node("b", CPU=0, GPU=1)),
    ],
    ids=["small", "dead", "head without work", "no GPU", "no CPU"],
)
def test_a_job_without_such_a_node_ends_and_says_why(size, other):
    with pytest.raises(EncorpusError, match=r"^no node is fit for the job; node gpu-7: the disk is full"):
        require_a_fit_node([node("a", CPU=16, GPU=8), other], {"a"}, size, TOLD)
