"""What a check found: fine or not, in words, and what to do about it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from pipelines.errors import EncorpusError, first_line


class Level(StrEnum):
    """warning: a job may run, but slower, or less safely. failure: it would fail, or strangers could run code."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "FAILURE"


@dataclass(frozen=True)
class Finding:
    """about: what was looked at, in a word or two. advice: what to do, empty where there is nothing to be done."""

    level: Level
    about: str
    found: str
    advice: str = ""


def ok(about: str, found: str) -> Finding:
    """Nothing to do."""
    return Finding(Level.OK, about, found)


def warning(about: str, found: str, advice: str) -> Finding:
    """What a job survives."""
    return Finding(Level.WARNING, about, found, advice)


def failure(about: str, found: str, advice: str) -> Finding:
    """What a job would fail of, or a door open to strangers."""
    return Finding(Level.FAILURE, about, found, advice)


def checked(about: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """The findings of a check. One that fails itself is a finding too, and the other checks go on."""
    try:
        yield from check()
    except EncorpusError as error:
        yield failure(about, str(error), "mend that and ask again")
    except Exception as error:  # a machine may be unlike any that we know
        yield warning(about, f"could not be looked at: {type(error).__name__}: {first_line(error)}", "look yourself")
