"""Gathers what a run was, and writes its report. A report that cannot be made is a line, and never a failed job."""

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pyarrow.compute as pc

from pipelines.errors import EncorpusError, StorageError, first_line
from pipelines.job.history import History
from pipelines.job.idle import Encoder
from pipelines.job.prepare import Prepared
from pipelines.output.layout import Output
from pipelines.output.manifest import Manifest, ShardEntry
from pipelines.output.rejects import read_rejects
from pipelines.pool_map import pool_map
from pipelines.report.page import report_html
from pipelines.report.run_report import End, FailedUnit, Norms, RejectExample, RunReport, Units, Whole, WorkerEncoder
from pipelines.version import encorpus_version

NORMS = 300
EXAMPLES = 3
FILES_AT_ONCE = 8

# A run that was stopped ends at once, but for this.
LAST_WORDS_SECONDS = 5.0

log = logging.getLogger(__name__)


def write_report(prepared: Prepared, history: History, command: str | None, manifest: Manifest | None) -> str | None:
    """Writes the report of a run that came to its end; tells in a line why it could not, None if it could."""
    unfinished = End.UNITS_FAILED if history.totals.failures else End.LIMITED
    end = unfinished if manifest is None else End.COMPLETE
    try:
        report = gathered(prepared, history, command, manifest, end)
        examples = examples_of(prepared.output, history.rejecting_units())
        _write(prepared.output, replace(report, examples=examples))
    except Exception as error:  # of ours, too: the shards are worth more than a page about them
        log.error("the report could not be made", exc_info=error)
        return first_line(error)
    return None


def write_last_words(
    prepared: Prepared,
    history: History,
    command: str | None,
    stopped: BaseException,
    seconds: float = LAST_WORDS_SECONDS,
) -> None:
    """Writes the report of a run that something stopped, if that takes no more than so many seconds.

    It has no examples of rejects: the interpreter would wait for the threads that read them, however long they hang.
    """
    end = End.INTERRUPTED if isinstance(stopped, KeyboardInterrupt) else End.STOPPED
    told = str(stopped) if isinstance(stopped, EncorpusError) else f"{type(stopped).__name__}: {first_line(stopped)}"
    message = told if end is End.STOPPED else ""

    def write() -> None:
        try:
            _write(prepared.output, gathered(prepared, history, command, None, end, message))
        except Exception as error:  # what stopped the run is what the user should hear of
            log.error("the report could not be made", exc_info=error)

    writing = threading.Thread(target=write, daemon=True)
    writing.start()
    writing.join(seconds)


def _write(output: Output, report: RunReport) -> None:
    output.storage.write_atomic(output.report_uri, report_html(report).encode())


def gathered(
    prepared: Prepared,
    history: History,
    command: str | None,
    manifest: Manifest | None,
    end: End,
    message: str = "",
) -> RunReport:
    """The run as plain values, without examples of its rejects."""
    totals, over_time = history.totals, history.over_time()
    now = history.progress()
    least, most = history.pool
    planned = manifest.units if manifest else totals.planned
    norms = norms_of_entries(manifest.shards) if manifest else history.norms()
    return RunReport(
        output=prepared.output.uri,
        spec=prepared.resolved.describe(),
        fingerprint=prepared.resolved.fingerprint,
        encorpus_version=encorpus_version(),
        command=command,
        storage_options=tuple(prepared.job.storage.options),
        started=history.started,
        seconds=over_time.seconds,
        seconds_to_first_shard=history.seconds_to_first_shard,
        end=end,
        message=message,
        units=Units(totals.committed, totals.done, totals.units_failed, planned),
        files_failed=totals.files_failed,
        workers=min(max(int(over_time.workers.max()), least), most),
        rows=totals.rows,
        documents=totals.documents,
        rejects=totals.rejects,
        tokens=totals.tokens,
        bytes=history.bytes,
        retries=totals.retries,
        rows_per_second=now.rows_per_second,
        tokens_per_second=now.tokens_per_second,
        stats=totals.stats,
        over_time=over_time,
        lengths=history.lengths(),
        norms=norms_of(norms, whole=manifest is not None),
        reasons=dict(totals.reasons),
        examples={},
        slowest=history.slowest(),
        encoders=encoders_of(history.encoders),
        failures=tuple(FailedUnit(record.unit, record.outcome, record.message) for record in totals.failures.values()),
        whole=whole_of(manifest) if manifest else None,
    )


def encoders_of(encoders: Mapping[str, Encoder]) -> tuple[WorkerEncoder, ...]:
    """The encoders of all workers, those first that were idle longest."""
    told = (
        WorkerEncoder(worker, encoder.units, encoder.last - encoder.first, encoder.idle)
        for worker, encoder in encoders.items()
    )
    return tuple(sorted(told, key=lambda encoder: (-encoder.idle, encoder.worker)))


def whole_of(manifest: Manifest) -> Whole:
    """The totals of a complete output."""
    return Whole(manifest.units, manifest.rows, manifest.documents, manifest.rejects, manifest.bytes)


def norms_of_entries(shards: Iterable[ShardEntry]) -> np.ndarray:
    """Rows, and the least, mean and largest norm of each shard's vectors, float64 [n, 4]."""
    numbers = ((shard.rows, shard.norm_min, shard.norm_mean, shard.norm_max) for shard in shards)
    return np.fromiter(numbers, np.dtype((np.float64, 4)))


def norms_of(table: np.ndarray, whole: bool) -> Norms:
    """The vector norms of shards in order, given as `norms_of_entries` does; neighbours are taken together where there
    are more than NORMS."""
    rows, least, mean, most = table[np.isfinite(table).all(axis=1) & (table[:, 0] > 0)].T
    if not len(rows):
        return Norms(rows, rows, rows, 0, whole)
    groups = min(len(rows), NORMS)
    starts = np.arange(groups) * len(rows) // groups
    return Norms(
        least=np.minimum.reduceat(least, starts),
        mean=np.add.reduceat(mean * rows, starts) / np.add.reduceat(rows, starts),
        most=np.maximum.reduceat(most, starts),
        shards=len(rows),
        whole=whole,
    )


def examples_of(output: Output, units: Mapping[str, str]) -> dict[str, tuple[RejectExample, ...]]:
    """A few rejects of each reason, from the rejects of one unit each. A file that cannot be read gives none."""
    by_unit = {unit: [reason for reason, other in units.items() if other == unit] for unit in units.values()}
    found = pool_map(lambda item: _examples_in(output, *item), by_unit.items(), FILES_AT_ONCE)
    return {reason: examples for part in found for reason, examples in part.items()}


def _examples_in(output: Output, unit: str, reasons: Iterable[str]) -> dict[str, tuple[RejectExample, ...]]:
    try:
        table = read_rejects(output.storage, output.storage.join(output.rejects_folder, f"{unit}.parquet"))
    except StorageError:
        return {}
    chosen = {reason: table.filter(pc.field("reason") == reason).slice(0, EXAMPLES) for reason in reasons}
    return {
        reason: tuple(RejectExample(row["file"], row["row"], row["id"], row["text"]) for row in rows.to_pylist())
        for reason, rows in chosen.items()
    }
