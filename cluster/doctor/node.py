"""Examines one machine, by all the checks: this one, or as a task a node of a cluster."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cluster.doctor.authentication import check_authentication, check_dashboard
from cluster.doctor.finding import Finding, checked
from cluster.doctor.gpu import check_tensorflow
from cluster.doctor.machine import (
    check_cores,
    check_disk,
    check_memory,
    check_open_files,
    check_shared_memory,
    memory_limit,
    open_files_limit,
)
from cluster.doctor.model_cache import check_cache, check_models, look
from cluster.doctor.packages import check_packages, required_packages, versions_here
from cluster.doctor.storage_rights import check_output, check_readable
from pipelines.cache_folder import cache_folder
from pipelines.encoder.presence import Presence
from pipelines.job.cores import usable_cores
from pipelines.storage import Storage


@dataclass(frozen=True)
class Questions:
    """What the job is to be. files: one of each INPUT, to be read. output: None where none is named. marker: a file
    that the asking machine wrote in OUTPUT, None where it asks about itself. models: handles."""

    storage: Storage = field(default_factory=Storage)
    files: tuple[str, ...] = ()
    output: str | None = None
    marker: str | None = None
    models: tuple[str, ...] = ()
    gpus_per_worker: float = 0.0


@dataclass(frozen=True)
class Share:
    """What Ray believes that a node has for work. temp_folder: where Ray keeps its sessions."""

    cpus: float
    gpus: float
    object_store_bytes: float
    temp_folder: str

    def workers(self, gpus_per_worker: float) -> int:
        """How many of a job's workers find room there."""
        return int(self.gpus / gpus_per_worker + 1e-9) if gpus_per_worker else int(self.cpus)


@dataclass(frozen=True)
class Answer:
    """versions: of packages, by name; None for what is not there."""

    findings: tuple[Finding, ...]
    versions: Mapping[str, str | None] = field(default_factory=dict)


def examine(questions: Questions, share: Share | None) -> Answer:
    """Looks at the machine that it runs on. share: None for a machine that is asked about by itself."""
    required = required_packages()
    versions = versions_here(required)
    checks: list[tuple[str, Callable[[], Iterable[Finding]]]] = [
        ("packages", lambda: check_packages(versions, required)),
        ("machine", lambda: _machine(share)),
        ("access", lambda: _access(share)),
    ]
    works = share is None or share.workers(questions.gpus_per_worker) > 0
    if works:
        gpus = share.gpus if share else questions.gpus_per_worker
        checks += [
            ("TensorFlow", lambda: check_tensorflow(gpus, questions.gpus_per_worker)),
            ("model", lambda: _models(questions, share)),
            *[("input", lambda file=file: check_readable(file, questions.storage)) for file in questions.files],
        ]
        if (output := questions.output) is not None:
            checks.append(("output", lambda: check_output(output, questions.marker, questions.storage)))
    return Answer(tuple(finding for about, check in checks for finding in checked(about, check)), versions)


def time_here() -> float:
    """Seconds since 1970, by this machine's clock."""
    return time.time()


def _machine(share: Share | None) -> Iterator[Finding]:
    yield from check_cores(usable_cores(), share.cpus if share else None)
    yield from check_open_files(open_files_limit())
    yield from check_shared_memory(share.object_store_bytes if share else None)
    yield from check_disk("Ray's folder", Path(share.temp_folder if share else os.environ.get("RAY_TMPDIR", "/tmp")))
    yield from check_disk("cache", cache_folder())


def _access(share: Share | None) -> Iterator[Finding]:
    yield from check_authentication(os.environ, on_a_cluster=share is not None)
    yield from check_dashboard(os.environ)


def _models(questions: Questions, share: Share | None) -> Iterator[Finding]:
    found = look(questions.models, questions.storage.options)
    here = [isinstance(one, Presence) and one.here for one in found.values()]
    yield from check_cache(needed=not here or not all(here))
    yield from check_models(found)
    known = [one.bytes or 0 for one in found.values() if isinstance(one, Presence)]
    workers = share.workers(questions.gpus_per_worker) if share else 1 if questions.gpus_per_worker else usable_cores()
    if known:
        yield from check_memory(memory_limit(), workers, sum(known))
