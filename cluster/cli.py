"""The `encorpus` command: reads the command line, runs one subcommand, turns errors into one line and a status.

Exit status: 0 all embedded; 1 failed; 2 usage; 3 finished, but some rows or files were rejected; 130 interrupted.
"""

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from types import FrameType

from cluster.arguments import parse
from cluster.console import Console, quiet_console
from pipelines.errors import EncorpusError, first_line

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit status."""
    try:
        arguments = parse(sys.argv[1:] if argv is None else argv)
    except EncorpusError as error:
        print(f"encorpus: {error}", file=sys.stderr)  # noqa: T201  there is no console yet
        return error.exit_status
    signal.signal(signal.SIGTERM, _interrupt)
    with quiet_console(arguments.command) as console:
        return _run(arguments.command, arguments, console)


def _run(command: str, arguments: object, console: Console) -> int:
    try:
        return import_module(f"cluster.commands.{command}").run(arguments, console)
    except EncorpusError as error:
        console.note(f"encorpus {command}: {error}")
        return error.exit_status
    except KeyboardInterrupt:
        advice = (
            "; what is committed stays, run the same command again to go on" if command in ("embed", "retry") else ""
        )
        console.note(f"encorpus {command}: interrupted{advice}")
        return INTERRUPTED
    except Exception as error:
        traceback.print_exc()
        what = f"{type(error).__name__}: {first_line(error)}"
        console.note(f"encorpus {command}: internal error: {what} (the trace is in {console.log})")
        return 1


def program() -> None:
    """The installed command. The interpreter is not taken down: after an interruption Ray's threads may be anywhere,
    and a thread of Arrow's that lets go of Python's bytes meanwhile aborts the process."""
    os._exit(main())


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    program()
