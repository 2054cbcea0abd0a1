"""The end of a job: the manifest, which switches its readers to the new state, and only then the old shards go."""

import logging

from pipelines.errors import StorageError, first_line
from pipelines.job.prepare import Prepared
from pipelines.output.manifest import Manifest, write_manifest
from pipelines.pool_map import pool_map

DELETIONS_AT_ONCE = 32

log = logging.getLogger(__name__)


def finish(prepared: Prepared) -> Manifest:
    """Writes the manifest, unless there is one of this plan; removes what is left of retired files, and of workers that
    were killed while they wrote.

    Raises EncorpusError when units are missing after all, or another run has changed the plan or job.json.
    """
    output, manifest = prepared.output, prepared.manifest
    if manifest is None:
        manifest = write_manifest(output, prepared.plan, prepared.plan_digest, prepared.resolved.fingerprint)
    if prepared.retired or prepared.manifest is None:
        _remove_retired(prepared)
    if prepared.manifest is None:
        _sweep(prepared)
    return manifest


def _sweep(prepared: Prepared) -> None:
    """The job is done, whether or not this can be; no reader sees what is left."""
    try:
        prepared.output.sweep()
    except StorageError as error:
        log.warning("half-written files may be left: %s", first_line(error))


def _remove_retired(prepared: Prepared) -> None:
    """Rejects first: where shards are left, the next run looks for both."""
    output, files = prepared.output, prepared.plan.files
    if len(prepared.plan.live) == len(files):
        return
    rejected = [unit for unit in output.rejected() if unit.file < len(files) and files[unit.file].retired]
    for uri in (map(output.rejects_uri, rejected), map(output.shard_uri, prepared.retired)):
        list(pool_map(output.storage.delete, uri, DELETIONS_AT_ONCE))
