"""What fails or kills on purpose: real processes die, at a file or a moment that a test names."""

import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipelines.errors import StorageError, StorageFullError
from pipelines.job.ledger import Holder, UnitLedger
from pipelines.job.record import Record
from pipelines.storage import Storage


@dataclass(frozen=True)
class DeadlyStorage(Storage):
    """Kills every process but `driver` that opens the file `victim`, the first `times` times.

    tally: a folder with a file a death, by the id of the process that died.
    """

    victim: str = ""
    times: int = 0
    driver: int = 0
    tally: str = ""

    def open(self, uri: str) -> BinaryIO:
        if uri == self.victim and os.getpid() != self.driver and self.deaths < self.times:
            (Path(self.tally) / str(os.getpid())).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().open(uri)

    @property
    def deaths(self) -> int:
        """How many processes died so far."""
        return len(list(Path(self.tally).iterdir()))


@dataclass(frozen=True)
class StuckStorage(Storage):
    """The first process but `driver` that opens the file `victim` never comes back from it. tally: a folder."""

    victim: str = ""
    driver: int = 0
    tally: str = ""

    def open(self, uri: str) -> BinaryIO:
        if uri == self.victim and os.getpid() != self.driver:
            try:
                (Path(self.tally) / "stuck").touch(exist_ok=False)
            except FileExistsError:
                return super().open(uri)
            threading.Event().wait()
        return super().open(uri)


@dataclass(frozen=True)
class GatedStorage(Storage):
    """Opens the files of a corpus but the first one only when there is a file `gate`."""

    corpus: str = ""
    gate: str = ""
    driver: int = 0

    def open(self, uri: str) -> BinaryIO:
        gated = uri.startswith(self.corpus) and not uri.endswith("0.parquet") and os.getpid() != self.driver
        while gated and not Path(self.gate).exists():
            threading.Event().wait(0.05)
        return super().open(uri)


@dataclass(frozen=True)
class ReadOnlyShard(Storage):
    """Cannot write files whose name ends with `ending`."""

    ending: str = ""

    def write_atomic(self, uri: str, data: bytes | memoryview, lasting: bool = True) -> None:
        if uri.endswith(self.ending):
            raise StorageError(f"{uri}: cannot write: no space left on device")
        super().write_atomic(uri, data, lasting)


@dataclass(frozen=True)
class FullDisk(Storage):
    """Takes no more."""

    def write_atomic(self, uri: str, data: bytes | memoryview, lasting: bool = True) -> None:
        raise StorageFullError(f"{uri}: cannot write: no space left on device; make room and run again")


class DyingLedger(UnitLedger):
    """A ledger whose process ends with the third unit that does."""

    def end(self, name: str, holder: Holder, record: Record | None = None) -> None:
        """As UnitLedger.end."""
        super().end(name, holder, record)
        if len(self._done) == 3:
            os._exit(1)
