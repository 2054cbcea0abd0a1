"""What to do after a run: the commands, each with what it is for."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.output_command import output_command
from pipelines.report.run_report import End, RunReport
from pipelines.report.safe_text import escaped
from pipelines.visible_text import visible

MOST_COMMAND_CHARACTERS = 2000
LIMIT = "--limit"


@dataclass(frozen=True)
class Step:
    """What to do, in words of the program's own, and the command for it as a shell takes it, where it is known."""

    why: str
    command: str | None


def next_steps(report: RunReport) -> Iterator[Step]:
    """In the order in which they make sense."""
    output, options = report.output, report.storage_options
    if report.end is not End.COMPLETE:
        yield _same_again(report)
        yield Step("See how far the output is.", output_command("status", output, options))
        return
    yield Step("Prove that nothing is lost, doubled or damaged.", output_command("verify", output, options))
    if report.spec.get("pooling") != "sequence" and report.whole and report.whole.rows:
        yield Step("Look at the result.", output_command("search", output, options, "a query"))
    if report.rejects_left:
        yield Step("Embed again what was rejected, from corrected input.", output_command("retry", output, options))


def _same_again(report: RunReport) -> Step:
    stays = "what is committed stays."
    if report.end is End.LIMITED:
        rest = report.command and _without_limit(report.command)
        return Step(f"Do what is missing: run the same command again, without {LIMIT}; {stays}", rest)
    return Step(f"Do what is missing: run the same command again; {stays}", report.command)


def _without_limit(command: str) -> str | None:
    """The command without its limit; None where that is not in it, but in a file of options."""
    try:
        words = shlex.split(command)
    except ValueError:  # what Python calls a run need be no command
        return None
    before = ["", *words]
    rest = [word for last, word in zip(before, words, strict=False) if LIMIT not in (last, word.partition("=")[0])]
    return None if rest == words else shlex.join(rest)


def next_steps_html(report: RunReport) -> str:
    """A list of what to do."""
    items = "".join(f"<li>{step.why}{_command_html(step.command)}</li>" for step in next_steps(report))
    return f'<section><h2>What to run next</h2><ol class="steps">{items}</ol></section>'


def _command_html(command: str | None) -> str:
    """Nothing for a command that cannot be shown as it is: run with a part missing, it would do something else."""
    if command is None or len(command) > MOST_COMMAND_CHARACTERS or visible(command) != command:
        return ""
    return f"<pre><code>{escaped(command, MOST_COMMAND_CHARACTERS)}</code></pre>"
