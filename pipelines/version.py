"""Which encorpus this is."""

from importlib.metadata import PackageNotFoundError, version


def encorpus_version() -> str:
    """The installed version; "unknown" when run from a folder that was never installed."""
    try:
        return version("encorpus")
    except PackageNotFoundError:
        return "unknown"
