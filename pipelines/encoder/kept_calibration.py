"""Calibrations of this machine, each in a file of its cache folder, so that one process of the machine measures it."""

import fcntl
import hashlib
import json
import logging
import os
import platform
import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipelines.cache_folder import cache_folder
from pipelines.encoder.calibration import BUDGETS, OPENVINO, TENSORFLOW, Calibration
from pipelines.local_files import write_atomic

log = logging.getLogger(__name__)

CPU_FILE = Path("/proc/cpuinfo")
# What compiles and runs the batches, so that another version of it may have other times.
PACKAGES = ("tensorflow", "openvino")


def calibration_key(fingerprint: str, threads: int | None, cpu_file: Path = CPU_FILE) -> str:
    """What a calibration holds for: the encoder of this fingerprint, with so many threads (None: all), on this CPU."""
    told = [
        fingerprint,
        threads or f"all of {os.cpu_count()}",
        _cpu(cpu_file),
        *[package_version(package) for package in PACKAGES],
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


def kept_calibration(key: str, since: float) -> Calibration | None:
    """The one that this machine has, unless it is older than that time, in seconds of the epoch."""
    try:
        told = json.loads(_file(key).read_text(encoding="utf-8"))
        known = Calibration(told["runtime"], BUDGETS[BUDGETS.index(told["token_budget"])], str(told["reason"]))
        if known.runtime not in (TENSORFLOW, OPENVINO):
            raise ValueError(f"no runtime: {known.runtime}")
        return known if float(told["measured"]) >= since else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s: cannot be read, so it is measured again: %s", _file(key), error)
        return None


def calibrated(key: str, since: float, measure: Callable[[], Calibration]) -> Calibration:
    """The one that this machine has, or what `measure` gives, kept. One process measures while others wait for it.

    Without a folder that it can write, and lock files in, each process measures for itself.
    """
    if known := kept_calibration(key, since):
        return known
    with ExitStack() as stack:
        try:
            _file(key).parent.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context(_file(key).with_suffix(".lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            log.warning("calibrations cannot be kept in %s: %s", _file(key).parent, error)
            return measure()
        if known := kept_calibration(key, since):
            return known
        found = measure()
        # The clock of whoever asked for a new one may be ahead of this machine's.
        told = {**asdict(found), "measured": max(time.time(), since)}
        try:
            write_atomic(_file(key), json.dumps(told).encode())
        except OSError as error:
            log.warning("%s: cannot be kept: %s", _file(key), error)
        return found


def _file(key: str) -> Path:
    return cache_folder() / "calibrations" / f"{key}.json"


def _cpu(cpu_file: Path) -> list[str]:
    """Its name and what it can, as Linux tells it."""
    try:
        told = cpu_file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return [platform.machine(), platform.processor()]
    return [line for name in ("model name", "flags") for line in re.findall(rf"^{name}\s*:.*$", told, re.MULTILINE)[:1]]


def package_version(package: str) -> str | None:
    """The installed version, None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
