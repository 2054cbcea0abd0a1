"""What all workers of a job are told, and how each of them comes to its encoder."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.corpus.plan import Columns, Unit
from pipelines.encoder.spec import EncoderSpec, resolve_spec
from pipelines.errors import EncorpusError
from pipelines.storage import Storage

if TYPE_CHECKING:
    from pipelines.encoder.text_encoder import TextEncoder
    from pipelines.job.prepare import Prepared


def load_encoder(order: "WorkOrder") -> "TextEncoder":
    """Loads the models on this node, and makes sure that they are the ones the job was planned with."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    from pipelines.encoder.text_encoder import TextEncoder

    resolved = resolve_spec(order.encoder, order.storage.options)
    if resolved.fingerprint != order.fingerprint:
        raise EncorpusError(
            f"model {order.encoder.model}: its content on this node differs from the driver's; copy it again"
        )
    return TextEncoder.load_resolved(resolved, order.threads)


@dataclass(frozen=True)
class WorkOrder:
    """All that a worker needs to know: small, and the same for every worker of a job.

    plan: the digest of plan.parquet. threads: CPU threads of one worker, None where it has a GPU. on_bad_row: reject
    or fail. replaced: the units whose shards are there already, and make way. load: gives a worker its encoder.
    """

    encoder: EncoderSpec
    fingerprint: str
    plan: str
    columns: Columns
    output: str
    storage: Storage
    on_bad_row: str
    threads: int | None
    replaced: frozenset[Unit] = frozenset()
    load: Callable[["WorkOrder"], "TextEncoder"] = load_encoder


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
        replaced=prepared.replaced,
    )
