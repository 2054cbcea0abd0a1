"""What to do after a run: the commands, each with what it is for."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.report.run_report import End, RunReport
from pipelines.report.safe_text import escaped

MOST_COMMAND_CHARACTERS = 2000


@dataclass(frozen=True)
class Step:
    """A command, as a shell takes it, and why."""

    why: str
    command: str


def next_steps(report: RunReport) -> Iterator[Step]:
    """In the order in which they make sense."""
    output = shlex.quote(report.output)
    options = "".join(f" --storage-option {shlex.quote(name)}=…" for name in report.storage_options)
    if report.end is not End.COMPLETE:
        yield Step("Do what is missing; what is committed stays.", report.command or "run the same job again")
        yield Step("See how far the output is.", f"encorpus status {output}{options}")
        return
    yield Step("Prove that nothing is lost, doubled or damaged.", f"encorpus verify {output}{options}")
    if report.spec.get("pooling") != "sequence":
        yield Step("Look at the result.", f"encorpus search {output} 'a query'{options}")
    if report.rejects_left:
        yield Step("Embed again what was rejected, from corrected input.", f"encorpus retry {output}{options}")


def next_steps_html(report: RunReport) -> str:
    """A list of commands."""
    items = "".join(
        f"<li>{step.why}<pre><code>{escaped(step.command, MOST_COMMAND_CHARACTERS)}</code></pre></li>"
        for step in next_steps(report)
    )
    return f'<section><h2>What to run next</h2><ol class="steps">{items}</ol></section>'
