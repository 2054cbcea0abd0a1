"""`encorpus doctor`: what is wrong with this machine, or with the nodes of a cluster."""

import argparse
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace

from cluster.console import Console
from cluster.doctor.clocks import check_clocks
from cluster.doctor.finding import Finding, Level, checked, failure
from cluster.doctor.node import Questions, examine
from cluster.doctor.packages import check_same, required_packages, versions_here
from cluster.doctor.ports import check_ports
from cluster.doctor.room import check_room
from cluster.doctor.storage_rights import check_input, check_listable, probing, shared_marker
from cluster.doctor.told import told
from cluster.job_options import storage_of
from cluster.line_display import line_display
from pipelines.errors import EncorpusError
from pipelines.storage import Storage

HEALTHY, UNHEALTHY = 0, 1


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Looks, and tells; the exit status is 0 where nothing is a failure, and 1 otherwise."""
    storage = probing(storage_of(arguments))
    with line_display(console, "looking"):
        everywhere, files = _input(arguments.inputs, storage)
        if arguments.output:
            everywhere += checked("output", lambda: check_listable(arguments.output, storage))
        questions = Questions(
            storage=storage,
            files=files,
            output=arguments.output,
            models=tuple(filter(None, (arguments.model, arguments.preprocessor))),
            gpus_per_worker=arguments.gpus_per_worker,
        )
        nodes: Mapping[str, Sequence[Finding]] = {}
        if arguments.address:
            of_all, nodes = _cluster(questions, arguments.address)
            everywhere += of_all
        else:
            everywhere += [*examine(questions, None).findings, *checked("ports", check_ports)]
    for line in told(everywhere, nodes):
        console.print(line)
    findings = [*everywhere, *(finding for found in nodes.values() for finding in found)]
    return UNHEALTHY if any(finding.level is Level.FAILURE for finding in findings) else HEALTHY


def _input(uris: Sequence[str], storage: Storage) -> tuple[list[Finding], tuple[str, ...]]:
    """What listing the inputs says, and a file of each."""
    found = [check_input(uri, storage) for uri in uris]
    return [one.finding for one in found], tuple(one.first for one in found if one.first is not None)


def _cluster(questions: Questions, address: str) -> tuple[list[Finding], dict[str, Sequence[Finding]]]:
    """What is no one node's, and what each node says."""
    # Ray takes seconds to import.
    from cluster.doctor.everywhere import alive_nodes, ask_clocks, ask_nodes, share_of
    from pipelines.job.session import ray_session

    everywhere: list[Finding] = []
    output, storage = questions.output, questions.storage
    try:
        with (
            ray_session(address, cpus=1),
            shared_marker(output, storage, everywhere) if output else nullcontext() as marker,
        ):
            nodes = alive_nodes()
            answers = ask_nodes(nodes, replace(questions, marker=marker))
            clocks = ask_clocks({name: node for name, node in nodes.items() if answers[name].versions})
    except EncorpusError as error:
        advice = "is the cluster up, and is that the address of its head; the nodes were not asked"
        return [failure("Ray", str(error), advice)], {}
    everywhere += check_room([share_of(node) for node in nodes.values()], questions.gpus_per_worker)
    here = versions_here(required_packages())
    versions = {"this machine": here} | {name: one.versions for name, one in answers.items() if one.versions}
    everywhere += [*check_same(versions), *checked("clock", lambda: check_clocks(clocks))]
    return everywhere, {name: one.findings for name, one in answers.items()}
