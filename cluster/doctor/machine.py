"""What a machine lets a job have: open files, shared memory, disk, cores, memory."""

import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cluster.doctor.finding import Finding, failure, ok, warning
from pipelines.job.pool_size import OBJECT_STORE_BYTES
from pipelines.numbers import count, size

# Ray raises the soft limit to the hard one by itself, and asks for so many.
OPEN_FILES = 65536
LEAST_OPEN_FILES = 4096

# Ray stops using a disk that is fuller.
LEAST_FREE_SHARE = 0.05
LEAST_FREE_BYTES = 2e9

# What TensorFlow and a unit in hand take of a worker's memory, and how often the model's weights are in it.
WORKER_BYTES = 1e9
TIMES_THE_MODEL = 2

SHARED_MEMORY = Path("/dev/shm")
MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")


class Disk(NamedTuple):
    """In bytes."""

    total: int
    free: int


def open_files_limit() -> int:
    """The hard limit of `ulimit -n` of this process."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return OPEN_FILES if hard == resource.RLIM_INFINITY else hard


def check_open_files(hard: int) -> Iterator[Finding]:
    """Whether Ray may open as many files and connections as it needs."""
    if hard >= OPEN_FILES:
        yield ok("open files", f"{OPEN_FILES:,} or more are allowed")
        return
    advice = f"raise it to {OPEN_FILES:,} (`ulimit -Hn`, LimitNOFILE, the container's --ulimit nofile)"
    kind = failure if hard < LEAST_OPEN_FILES else warning
    yield kind("open files", f"no more than {hard:,} are allowed", advice)


def check_shared_memory(object_store_bytes: float | None, folder: Path = SHARED_MEMORY) -> Iterator[Finding]:
    """Whether Ray's object store has room. object_store_bytes: what it takes on this node; None for a job's own Ray."""
    wanted = object_store_bytes or OBJECT_STORE_BYTES
    if not folder.is_dir():
        yield warning("shared memory", f"there is no {folder}", "Ray uses a disk in its place, which is slow")
        return
    room = shutil.disk_usage(folder).total
    if room < wanted:
        advice = f"give it {size(wanted)} (the container's --shm-size, a Memory volume at {folder})"
        yield warning("shared memory", f"{folder} has {size(room)}, Ray's object store {size(wanted)}", advice)
    else:
        yield ok("shared memory", f"{folder} holds Ray's object store, {size(wanted)}")


def disk_of(folder: Path) -> Disk:
    """The disk of a folder, which need not be there yet."""
    usage = shutil.disk_usage(next(one for one in (folder, *folder.parents) if one.exists()))
    return Disk(usage.total, usage.free)


def check_disk(about: str, folder: Path) -> Iterator[Finding]:
    """Whether the disk of a folder has room left."""
    disk = disk_of(folder)
    if disk.free < LEAST_FREE_BYTES or disk.free < LEAST_FREE_SHARE * disk.total:
        found = f"{folder}: {size(disk.free)} free of {size(disk.total)}"
        yield warning(about, found, "make room there, or choose another folder: Ray stops at a disk that is 95 % full")
    else:
        yield ok(about, f"{folder}: over {_round_size(disk.free)} free")


def check_cores(usable: int, believed: float | None) -> Iterator[Finding]:
    """Whether Ray counts on no more cores than this process may use. believed: None where Ray is not asked."""
    if believed is not None and believed > usable:
        found = f"Ray counts on {count(round(believed), 'CPU')}, the container or machine gives {usable}"
        yield warning("cores", found, f"start Ray there with --num-cpus {usable}, or workers share cores")
    elif believed is not None and 0 < believed < usable:
        yield ok("cores", f"Ray uses {believed:g} of {usable}")
    else:
        yield ok("cores", f"{usable}" if believed is None or believed else f"{usable}, none of them for work")


def memory_limit(limit_file: Path = MEMORY_LIMIT) -> int:
    """Bytes of memory that the machine has, or its container may use."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(machine, int(limit_file.read_text()))
    except (OSError, ValueError):
        return machine


def check_memory(memory: int, workers: int, model_bytes: int) -> Iterator[Finding]:
    """Whether so many workers have room, roughly."""
    each = WORKER_BYTES + TIMES_THE_MODEL * model_bytes
    told = f"{count(workers, 'worker')} of about {size(each)} each"
    if workers * each > memory:
        fewer = max(1, int(memory / each))
        found = f"{told} may not fit into {size(memory)}"
        yield warning("memory", found, f"take fewer workers (about {fewer} fit here), or nodes with more memory")
    else:
        yield ok("memory", f"{told} fit")


def _round_size(number: float) -> str:
    """A size of one digit that is not more than the number: machines alike are told alike."""
    power = 10 ** (len(f"{number:.0f}") - 1)
    return size(number // power * power)
