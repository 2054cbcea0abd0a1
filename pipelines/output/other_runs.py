"""Runs beside each other on one output: none overwrites what it has not seen, and none finishes what is not its own.

There is no lock. Of two runs that write the same file in the same moment, one may not notice it here: then its workers
do before their next commit, or it does when it finishes.
"""

from collections.abc import Collection

from pipelines.corpus.plan_file import plan_digest
from pipelines.corpus.plan_types import Unit
from pipelines.errors import EncorpusError
from pipelines.output.job_file import load_job_file
from pipelines.output.layout import Output
from pipelines.storage import Storage


def replace_known(storage: Storage, uri: str, before: bytes | None, data: bytes) -> bool:
    """Writes a file that held `before` (None: was not there) when this run looked at it; nothing where it is the same.

    Tells whether a run of the same command has written just this meanwhile, and is at work. Raises EncorpusError where
    another run has written something else, or does so now.
    """
    if data == before:
        return False
    now = storage.read_if_there(uri)
    if now == data:
        return True
    if now != before:
        raise _changed(uri)
    storage.write_atomic(uri, data)
    if storage.read_if_there(uri) != data:
        raise _changed(uri)
    return False


def refuse_new_shards(output: Output, known: frozenset[Unit], kept: Collection[int]) -> None:
    """Raises EncorpusError where the output has shards by now that are not known, of files other than those kept."""
    if any(unit.file not in kept for unit in output.committed() - known):
        raise _changed(output.uri)


def refuse_changes(output: Output, digest: str, fingerprint: str) -> None:
    """Raises EncorpusError where plan.parquet and job.json are no longer those of a run.

    digest, fingerprint: of its plan and of its encoder.
    """
    plan, job = output.storage.read_if_there(output.plan_uri), load_job_file(output)
    if plan is None or plan_digest(plan) != digest:
        raise _changed(output.plan_uri)
    if job is None or job.fingerprint != fingerprint:
        raise _changed(output.job_uri)


def _changed(uri: str) -> EncorpusError:
    return EncorpusError(f"{uri}: another run has changed it; run the same command again")
