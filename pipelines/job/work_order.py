"""What all workers of a job are told, and how each of them comes to its encoder."""

import logging
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pipelines.corpus.plan import Columns, Unit
from pipelines.encoder.spec import EncoderSpec, ResolvedSpec, resolve_spec
from pipelines.encoder.tokens import Tokens
from pipelines.errors import ModelError, NodeUnfitError, RuntimeUnfitError
from pipelines.job.ledger import MOST_DEATHS
from pipelines.job.phases import StartPhase
from pipelines.storage import Storage
from pipelines.store_errors import Failure, failure_of

if TYPE_CHECKING:
    from pipelines.encoder.text_encoder import Encoded
    from pipelines.job.prepare import Prepared


log = logging.getLogger(__name__)

# How long a failure that passes may take to do so.
AGAIN_SECONDS = 5.0


class UnitEncoder(Protocol):
    """What a worker needs of an encoder, as TextEncoder has it."""

    resolved: ResolvedSpec

    @property
    def dimension(self) -> int: ...

    @property
    def fingerprint(self) -> str: ...

    def tokenize_documents(self, texts: Iterable[str]) -> Tokens:
        """For several threads."""
        ...

    def encode_tokens(self, tokens: Tokens) -> "Encoded":
        """For one thread at a time."""
        ...


def load_encoder(order: "WorkOrder", enter: Callable[[StartPhase], None]) -> UnitEncoder:
    """Loads the models on this node, and makes sure that they are the ones the job was planned with.

    enter: told of each phase that begins. Raises NodeUnfitError where the node cannot have them, or has others: the
    job's plan was made with them at hand. So it does where the node has not the runtime.
    """
    enter(StartPhase.MODEL)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    try:
        resolved = _resolved(order)
    except ModelError as error:
        raise NodeUnfitError(str(error)) from error
    if resolved.fingerprint != order.fingerprint:
        raise NodeUnfitError(
            f"model {order.encoder.model}: its content on this node differs from the driver's; copy it again"
        )
    enter(StartPhase.LOAD)
    from pipelines.encoder.text_encoder import TextEncoder

    try:
        return TextEncoder.load_resolved(resolved, order.threads, order.runtime, order.calibrated_since)
    except RuntimeUnfitError as error:
        raise NodeUnfitError(str(error)) from error


def _resolved(order: "WorkOrder") -> ResolvedSpec:
    """Not every fetch is repeated by itself, and a node that has once failed gets no work of the whole job."""
    try:
        return resolve_spec(order.encoder, order.storage.options)
    except ModelError as error:
        if error.__cause__ and failure_of(error.__cause__) is Failure.LASTING:  # as of a disk
            raise
        log.warning("the model is asked for once more: %s", error)
        time.sleep(AGAIN_SECONDS)
        return resolve_spec(order.encoder, order.storage.options)


@dataclass(frozen=True)
class WorkOrder:
    """All that a worker needs to know: small, and the same for every worker of a job.

    plan: the digest of plan.parquet. threads: CPU threads of one worker, None where it has a GPU. runtime: one of
    RUNTIMES; calibrated_since: as TextEncoder takes it. on_bad_row: reject or fail. replaced: the units whose shards
    are there already, and make way. most_deaths: so many workers die with a unit in hand before it is set aside. load:
    gives a worker its encoder, and tells of the phases of that.
    """

    encoder: EncoderSpec
    fingerprint: str
    plan: str
    columns: Columns
    output: str
    storage: Storage
    on_bad_row: str
    threads: int | None
    runtime: str = "tensorflow"
    calibrated_since: float = 0.0
    replaced: frozenset[Unit] = frozenset()
    most_deaths: int = MOST_DEATHS
    load: Callable[["WorkOrder", Callable[[StartPhase], None]], UnitEncoder] = load_encoder


def work_order(prepared: "Prepared", threads: int | None) -> WorkOrder:
    """What the workers of a prepared job are told."""
    job = prepared.job
    return WorkOrder(
        encoder=job.encoder,
        fingerprint=prepared.resolved.fingerprint,
        plan=prepared.plan_digest,
        columns=job.columns,
        output=job.output,
        storage=job.storage,
        on_bad_row=job.on_bad_row,
        threads=threads,
        runtime=job.runtime,
        calibrated_since=job.calibrated_since,
        replaced=prepared.replaced,
    )
