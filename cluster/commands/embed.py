"""`encorpus embed`: runs a job, shows its progress, sums it up."""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cluster.console import Console
from cluster.job_options import job_of
from cluster.progress_display import progress_display
from cluster.summary import command_told, exit_status, plan_line, summary_lines, update_lines
from cluster.workforce import workforce_of
from pipelines.job.embed import embed
from pipelines.job.prepare import Prepared
from pipelines.job.process_started import process_started
from pipelines.job.spans import DRIVER, MAIN_LANE, Span
from pipelines.job.trace_file import trace_file


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Embeds and tells the exit status: 0 all, 1 some units failed, 3 some rows or files were rejected."""
    job = job_of(arguments)
    with (
        _profile(arguments.profile, console) as on_span,
        workforce_of(arguments, job) as workforce,
        progress_display(console) as display,
    ):

        def begin(prepared: Prepared) -> None:
            for line in update_lines(prepared):
                console.note(line)
            display.begin(plan_line(prepared))

        summary = embed(job, begin, display, command_told(arguments.words), workforce, on_span)
    for line in summary_lines(summary, job.storage.options):
        console.print(line)
    return exit_status(summary)


@contextmanager
def _profile(file: str | None, console: Console) -> Iterator[Callable[[Span], None] | None]:
    """What writes the profile that was asked for, from the start of this process on. Raises UsageError."""
    if file is None:
        yield None
        return
    started, now = process_started(), time.time()
    with trace_file(file, started) as trace:
        trace(Span(DRIVER, MAIN_LANE, "start Python", started, now))
        yield trace
    if trace.error is None:
        console.note(f"profile: {file}; open it in Perfetto or chrome://tracing")
    else:
        console.note(f"the profile could not be written to its end: {file}: {trace.error}")
