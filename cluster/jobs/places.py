"""Where a job reads and writes, as the cluster's nodes see it."""

import argparse
from collections.abc import Iterable, Iterator

from pipelines.errors import UsageError
from pipelines.local_files import local_path


def places_of(arguments: argparse.Namespace) -> Iterator[str]:
    """INPUTs, OUTPUT, model, preprocessor and profile, as given."""
    yield from arguments.inputs
    yield from filter(None, (arguments.output, arguments.model, arguments.preprocessor, arguments.profile))


def shared_paths(places: Iterable[str]) -> list[str]:
    """The local paths among them, which every node has to have. Raises UsageError for one that is not absolute."""
    local = [place for place in places if local_path(place) is not None]
    for place in local:
        if not place.removeprefix("file://").startswith("/"):
            raise UsageError(
                f"{place}: a relative path means a folder of this machine, which the cluster does not have; "
                "give a URI such as s3://…, or the absolute path of a disk that all its nodes share"
            )
    return local
