"""The job as it was asked for."""

from dataclasses import dataclass, field, replace

from pipelines.corpus.plan import Columns
from pipelines.encoder.spec import EncoderSpec
from pipelines.errors import UsageError
from pipelines.local_files import absolute
from pipelines.storage import Storage


@dataclass(frozen=True)
class Job:
    """What to embed, with what, to where, by how many workers.

    workers: least and most, None for one a CPU core (or GPU). shard_rows: rows of a unit, about; None for those of
    the output's shards, or the default of the device. runtime: one of RUNTIMES, of every worker. calibrated_since: as
    TextEncoder takes it. address: of a Ray cluster, None for this machine. on_bad_row: reject or fail. update: follow
    changes of the input. prune: then also remove the rows of files that the inputs no longer hold. limit: rows after
    which the run stops, about.
    """

    inputs: tuple[str, ...]
    output: str
    encoder: EncoderSpec
    columns: Columns = field(default_factory=lambda: Columns(text="text"))
    shard_rows: int | None = None
    workers: tuple[int, int] | None = None
    gpus_per_worker: float = 0.0
    runtime: str = "tensorflow"
    calibrated_since: float = 0.0
    address: str | None = None
    on_bad_row: str = "reject"
    storage: Storage = field(default_factory=Storage)
    update: bool = False
    prune: bool = False
    limit: int | None = None

    def __post_init__(self) -> None:
        gpus = self.gpus_per_worker
        if gpus < 0 or (gpus > 1 and gpus != int(gpus)):
            raise UsageError(f"--gpus-per-worker {gpus:g}: a whole number, or a part below 1, is needed")
        if self.prune and not self.update:
            raise UsageError("--prune removes rows of files that are gone, as a part of --update; add --update")


def located(job: Job) -> Job:
    """The job with absolute paths: workers and later commands may run in other folders."""
    preprocessor = job.encoder.preprocessor
    encoder = replace(
        job.encoder,
        model=absolute(job.encoder.model),
        preprocessor=None if preprocessor is None else absolute(preprocessor),
    )
    inputs = tuple(map(absolute, job.inputs))
    return replace(job, inputs=inputs, output=absolute(job.output).rstrip("/"), encoder=encoder)
