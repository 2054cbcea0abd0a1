"""`encorpus embed`: runs a job, shows its progress, sums it up."""

import argparse

from cluster.console import Console
from cluster.job_options import job_of
from cluster.progress_display import progress_display
from cluster.summary import command_told, exit_status, plan_line, summary_lines, update_lines
from cluster.workforce import workforce_of
from pipelines.job.embed import embed
from pipelines.job.prepare import Prepared


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Embeds and tells the exit status: 0 all, 1 some units failed, 3 some rows or files were rejected."""
    job = job_of(arguments)
    with workforce_of(arguments, job) as workforce, progress_display(console) as display:

        def begin(prepared: Prepared) -> None:
            for line in update_lines(prepared):
                console.note(line)
            display.begin(plan_line(prepared))

        summary = embed(job, begin, display, command_told(arguments.words), workforce)
    for line in summary_lines(summary, job.storage.options):
        console.print(line)
    return exit_status(summary)
