"""How far an output is: what is committed, what is missing, and why rows were rejected."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pipelines.corpus.plan_types import CorpusFile, Unit
from pipelines.output.footers import read_footers
from pipelines.output.layout import Output
from pipelines.output.manifest import load_manifest
from pipelines.output.planned import Planned, load_planned, units_of_plan
from pipelines.output.rejects import read_rejects
from pipelines.output.remaining import Remaining, remaining
from pipelines.pool_map import pool_map

REJECTS_AT_ONCE = 32


@dataclass(frozen=True)
class Status:
    """remaining: what is missing. rows, documents, rejects, tokens, truncated, bytes: of the committed shards. reasons:
    rejects by reason. manifest: whether there is one of the present plan, which there is at the end of a job. listed:
    how many shards an earlier one lists, which readers go by until then; None where there is none."""

    planned: Planned
    files: int
    committed: int
    remaining: Remaining
    rows: int
    documents: int
    rejects: int
    tokens: int
    truncated: int
    bytes: int
    reasons: Mapping[str, int]
    manifest: bool
    listed: int | None

    @property
    def finished(self) -> bool:
        """Whether nothing is missing and the manifest is written."""
        return self.remaining.nothing and self.manifest

    @property
    def unfinished_streams(self) -> tuple[tuple[CorpusFile, int], ...]:
        """The streamed files that are not finished, each with how many of its slices are there."""
        return tuple((file, len(done)) for file, done in self.remaining.streams)


def status(output: Output) -> Status:
    """Looks at an output by two listings, the footers of its shards (or its manifest) and its rejects files.

    Raises UsageError when there is no output of encorpus, StorageError when a file of it cannot be read.
    """
    planned = load_planned(output)
    committed = frozenset(units_of_plan(planned.plan, output.committed()))
    found = load_manifest(output)
    manifest = found if found is not None and found.plan == planned.digest else None
    left = remaining(planned.plan, committed, output, manifest.listed if manifest else ())
    shards = manifest.shards if manifest is not None and left.nothing else list(read_footers(output, committed))
    return Status(
        planned=planned,
        files=len(planned.plan.live),
        committed=len(committed),
        remaining=left,
        rows=sum(shard.rows for shard in shards),
        documents=sum(shard.documents for shard in shards),
        rejects=sum(shard.rejects for shard in shards),
        tokens=sum(shard.tokens for shard in shards),
        truncated=sum(shard.truncated for shard in shards),
        bytes=sum(shard.bytes for shard in shards),
        reasons=rejects_by_reason(output, committed),
        manifest=manifest is not None,
        listed=None if found is None or manifest is not None else found.units,
    )


def rejects_by_reason(output: Output, committed: Collection[Unit]) -> Mapping[str, int]:
    """How many rows of the committed units were rejected for each reason, most frequent first."""
    units = sorted(output.rejected().intersection(committed))
    tables = pool_map(
        lambda unit: read_rejects(output.storage, output.rejects_uri(unit), ["reason"]), units, REJECTS_AT_ONCE
    )
    reasons: Counter[str] = Counter()
    for table in tables:
        reasons.update(table["reason"].to_pylist())
    return dict(reasons.most_common())
