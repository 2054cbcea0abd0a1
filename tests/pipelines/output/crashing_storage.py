"""A store whose process dies: after so many writes and deletions, everything that changes it fails."""

from dataclasses import dataclass, field

from pipelines.storage import Storage


class Crash(Exception):  # noqa: N818 - it stands for the end of a process, which is no error of its program
    """The process is dead from here on."""


@dataclass(frozen=True)
class CrashingStorage(Storage):
    """left: how many changes still succeed; None for all of them. A list of one number, since workers share it."""

    left: list[int | None] = field(default_factory=lambda: [None])

    def write_atomic(self, uri: str, data: bytes | memoryview, lasting: bool = True) -> None:
        """As Storage.write_atomic, while the process lives."""
        self._live()
        super().write_atomic(uri, data, lasting)

    def delete(self, uri: str) -> None:
        """As Storage.delete, while the process lives."""
        self._live()
        super().delete(uri)

    def _live(self) -> None:
        left = self.left[0]
        if left == 0:
            raise Crash
        self.left[0] = None if left is None else left - 1
