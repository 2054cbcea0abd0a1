"""The names of everything below OUTPUT, and what one listing of it tells."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pipelines.corpus.plan_types import Unit
from pipelines.storage import Storage

UNIT_NAME = re.compile(r"part-(\d{6,})-(\d{6,})", re.ASCII)
STATE_FOLDER = "_encorpus"


@dataclass(frozen=True)
class Listing:
    """units: those whose shards are there. strangers: other names, which readers would take for rows too."""

    units: frozenset[Unit]
    strangers: tuple[str, ...]


@dataclass(frozen=True)
class Output:
    """An output folder. Shards alone are named `part-*.parquet` there, which is what readers go by."""

    uri: str
    storage: Storage

    @property
    def state_uri(self) -> str:
        """The folder of everything but shards."""
        return self.storage.join(self.uri, STATE_FOLDER)

    @property
    def plan_uri(self) -> str:
        """plan.parquet."""
        return self.storage.join(self.state_uri, "plan.parquet")

    @property
    def job_uri(self) -> str:
        """job.json."""
        return self.storage.join(self.state_uri, "job.json")

    @property
    def manifest_uri(self) -> str:
        """manifest.json."""
        return self.storage.join(self.state_uri, "manifest.json")

    @property
    def report_uri(self) -> str:
        """report.html."""
        return self.storage.join(self.state_uri, "report.html")

    @property
    def rejects_folder(self) -> str:
        """The folder of rejects files."""
        return self.storage.join(self.state_uri, "rejects")

    def shard_uri(self, unit: Unit) -> str:
        """The unit's shard."""
        return self.storage.join(self.uri, f"{unit.name}.parquet")

    def rejects_uri(self, unit: Unit) -> str:
        """The unit's rejects."""
        return self.storage.join(self.rejects_folder, f"{unit.name}.parquet")

    def listing(self) -> Listing:
        """What is in the output folder, by one listing; names that start with `_` or `.` do not count."""
        return _sorted_out(name for name in self.storage.names(self.uri) if not name.startswith(("_", ".")))

    def committed(self) -> frozenset[Unit]:
        """The units whose shards are there, by one listing."""
        return self.listing().units

    def sweep(self) -> None:
        """Removes what writers left half-written that are no more."""
        self.storage.sweep(self.uri, self.state_uri, self.rejects_folder)

    def rejected(self) -> frozenset[Unit]:
        """The units that have a rejects file, by one listing; some of them may not be committed."""
        return _sorted_out(self.storage.names(self.rejects_folder)).units


def unit_named(name: str) -> Unit | None:
    """The unit that a file name without its ending means."""
    match = UNIT_NAME.fullmatch(name)
    unit = Unit(int(match[1]), int(match[2])) if match else None
    return unit if unit is not None and unit.name == name else None


def _sorted_out(names: Iterable[str]) -> Listing:
    units: set[Unit] = set()
    strangers: list[str] = []
    for name in names:
        stem, dot, ending = name.partition(".")
        unit = unit_named(stem) if dot + ending == ".parquet" else None
        if unit is not None:
            units.add(unit)
        else:
            strangers.append(name)
    return Listing(frozenset(units), tuple(strangers))
