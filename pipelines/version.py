"""Which encorpus this is."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def encorpus_version() -> str:
    """The installed version; "unknown" when run from a folder that was never installed."""
    try:
        return version("encorpus")
    except PackageNotFoundError:
        return "unknown"
