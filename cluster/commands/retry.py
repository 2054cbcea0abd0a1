"""`encorpus retry`: embeds again what was rejected, and tells how much of it still is."""

import argparse

from cluster.console import Console
from cluster.job_options import job_of_output, storage_of
from cluster.progress_display import progress_display
from cluster.summary import ALL_EMBEDDED, command_told, exit_status, file_lines, plan_line, summary_lines
from cluster.workforce import workforce_of
from pipelines.job.retry import retry
from pipelines.numbers import count
from pipelines.output.layout import Output
from pipelines.output.planned import load_planned


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Retries and tells the exit status: 0 no rejects are left, 1 some units failed, 3 some rejects are left."""
    job = job_of_output(load_planned(Output(arguments.output, storage_of(arguments))), arguments)
    with workforce_of(arguments, job) as workforce, progress_display(console) as display:
        retried = retry(
            job, lambda prepared: display.begin(plan_line(prepared)), display, command_told(arguments.words), workforce
        )
    if retried.summary is None:
        console.print(f"{job.output}: no rejects, nothing to retry")
        return ALL_EMBEDDED
    if retried.untouched:
        console.note("left as they are, since nothing of them was rejected, or they are gone; see embed --update:")
        for line in file_lines(retried.untouched):
            console.note(line)
    for line in summary_lines(retried.summary, job.storage.options):
        console.print(line)
    before, after = sum(retried.before.values()), sum(retried.after.values())
    console.print(f"{count(before, 'reject')} before, {after:,} left")
    return exit_status(retried.summary)
