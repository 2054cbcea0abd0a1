"""What all workers of a job are told, and how each of them comes to its encoder."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pipelines.corpus.plan import Columns, Unit
from pipelines.encoder.spec import EncoderSpec, ResolvedSpec, resolve_spec
from pipelines.encoder.tokens import Tokens
from pipelines.errors import EncorpusError, ModelError, NodeUnfitError
from pipelines.job.ledger import MOST_DEATHS
from pipelines.storage import Storage

if TYPE_CHECKING:
    from pipelines.encoder.text_encoder import Encoded
    from pipelines.job.prepare import Prepared


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


def load_encoder(order: "WorkOrder") -> UnitEncoder:
    """Loads the models on this node, and makes sure that they are the ones the job was planned with.

    Raises NodeUnfitError where the node cannot have them: the job's plan was made with them at hand.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    from pipelines.encoder.text_encoder import TextEncoder

    try:
        resolved = resolve_spec(order.encoder, order.storage.options)
    except ModelError as error:
        raise NodeUnfitError(str(error)) from error
    if resolved.fingerprint != order.fingerprint:
        raise EncorpusError(
            f"model {order.encoder.model}: its content on this node differs from the driver's; copy it again"
        )
    return TextEncoder.load_resolved(resolved, order.threads, order.runtime)


@dataclass(frozen=True)
class WorkOrder:
    """All that a worker needs to know: small, and the same for every worker of a job.

    plan: the digest of plan.parquet. threads: CPU threads of one worker, None where it has a GPU. runtime: one of
    RUNTIMES. on_bad_row: reject or fail. replaced: the units whose shards are there already, and make way. most_deaths:
    so many workers die with a unit in hand before it is set aside. load: gives a worker its encoder.
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
    replaced: frozenset[Unit] = frozenset()
    most_deaths: int = MOST_DEATHS
    load: Callable[["WorkOrder"], UnitEncoder] = load_encoder


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
        replaced=prepared.replaced,
    )
