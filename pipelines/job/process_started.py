"""When this process began."""

import os
import time
from pathlib import Path

# In proc(5), "starttime" is the 22nd field; the 2nd, the name of the program, is in brackets and may hold anything.
FIELDS_AFTER_NAME, STARTTIME = 3, 22


def process_started() -> float:
    """Seconds since 1970, to a hundredth; where the system does not tell, now."""
    now = time.time()
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        since_boot = int(fields[STARTTIME - FIELDS_AFTER_NAME]) / os.sysconf("SC_CLK_TCK")
        return min(now - time.clock_gettime(time.CLOCK_BOOTTIME) + since_boot, now)
    except (OSError, ValueError, IndexError, AttributeError):
        return now
