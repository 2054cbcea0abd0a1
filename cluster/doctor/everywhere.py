"""Asks every node of a cluster at once, each with a deadline: one that does not answer is a finding too."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from cluster.doctor.clocks import Asked
from cluster.doctor.finding import failure
from cluster.doctor.node import Answer, Questions, Share, examine, time_here
from pipelines.errors import last_line

# TensorFlow's own limit, and a worker process that starts.
DEADLINE_SECONDS = 240.0
CLOCK_SECONDS = 10.0


def ask_nodes(
    nodes: Mapping[str, Mapping[str, Any]],
    questions: Questions,
    seconds: float = DEADLINE_SECONDS,
    look: Callable[[Questions, Share | None], Answer] = examine,
) -> dict[str, Answer]:
    """What each node says of itself, by its address. nodes: as `alive_nodes` gives them. look: what is run there."""
    sent = {_pinned(look, node).remote(questions, share_of(node)): name for name, node in nodes.items()}
    answered, silent = ray.wait(list(sent), num_returns=len(sent), timeout=seconds) if sent else ([], [])
    for task in silent:
        ray.cancel(task, force=True)
    answers = {sent[task]: _answer(task) for task in answered}
    answers |= {sent[task]: _silent(seconds) for task in silent}
    return {name: answers[name] for name in nodes}


def ask_clocks(nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, Asked]:
    """The time on each node, by its address, of those that answer soon."""
    asked: dict[str, Asked] = {}
    for name, node in nodes.items():
        sent = time.time()
        task: Any = _pinned(time_here, node).remote()
        try:
            told: Any = ray.get(task, timeout=CLOCK_SECONDS)
        except (RayError, TimeoutError):
            continue
        asked[name] = Asked(sent, told, time.time())
    return asked


def alive_nodes() -> dict[str, dict[str, Any]]:
    """The cluster's nodes as Ray describes them, by address; those that share one, by their ids too."""
    nodes = [node for node in ray.nodes() if node["Alive"]]
    addresses = [node["NodeManagerAddress"] for node in nodes]
    return {
        address if addresses.count(address) == 1 else f"{address} ({node['NodeID'][:8]})": node
        for address, node in zip(addresses, nodes, strict=True)
    }


def share_of(node: Mapping[str, Any]) -> Share:
    """What a node, as Ray describes it, has for work."""
    resources = node["Resources"]
    # /tmp/ray/session_…/sockets/raylet
    temp_folder = node["RayletSocketName"].partition("/session_")[0]
    return Share(
        cpus=resources.get("CPU", 0.0),
        gpus=resources.get("GPU", 0.0),
        object_store_bytes=resources.get("object_store_memory", 0.0),
        temp_folder=temp_folder,
    )


def _pinned(function: Callable[..., Any], node: Mapping[str, Any]) -> Any:
    """A task for that node alone, whatever else it does."""
    there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    return ray.remote(function).options(num_cpus=0, max_retries=0, scheduling_strategy=there)


def _answer(task: Any) -> Answer:
    try:
        return ray.get(task)
    except Exception as error:
        # Ray's own, or one that its worker met while it unpickled what encorpus is.
        cause = getattr(error, "cause", None) or error
        found = f"cannot be examined: {type(cause).__name__}: {last_line(str(cause))}"
        advice = (
            "install encorpus on that node, in the version of this machine (`encorpus submit` sends its own along, and "
            "needs none there); `ray status` tells whether it lives"
        )
        return Answer((failure("node", found, advice),))


def _silent(seconds: float) -> Answer:
    found = f"gave no answer in {seconds:.0f} s"
    return Answer((failure("node", found, "look at the machine and its raylet's log; drain it, or take it away"),))
