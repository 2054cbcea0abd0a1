"""What a job says to replicas. Imports no TensorFlow, which the job's own process has no need of."""

from dataclasses import dataclass

from pipelines.encoder.spec import EncoderSpec
from pipelines.job.ledger import Ledger
from pipelines.job.tasks import Task
from pipelines.job.work_order import WorkOrder


@dataclass(frozen=True)
class Wanted:
    """What a job is made with. fingerprint: of its encoder. version: of the encorpus that runs it."""

    encoder: EncoderSpec
    fingerprint: str
    version: str


@dataclass(frozen=True)
class Call:
    """A task for a replica.

    job: another name each run. name: of this call, another one whenever the task is sent. idle: seconds since every
    task was with a replica for the first time.
    """

    job: str
    name: str
    task: Task
    order: WorkOrder
    ledger: Ledger
    idle: float = 0.0
