"""How many CPU cores this process may use: what the machine has, less what its container or affinity mask withholds."""

import math
import os
from pathlib import Path

QUOTA_FILE = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(quota_file: Path = QUOTA_FILE) -> int:
    """At least 1. quota_file: of control groups v2, "max 100000" or "150000 100000" (microseconds a period)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = quota_file.read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, math.ceil(int(quota) / int(period))))
