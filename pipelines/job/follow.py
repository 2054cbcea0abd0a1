"""Follows a job's tasks to their end through its ledger: the records as they are told, whoever does the tasks."""

import time
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipelines.corpus.plan import Unit
from pipelines.errors import EncorpusError, first_line, last_line
from pipelines.job.head import Head
from pipelines.job.ledger import LATE_SECONDS, UnitLedger
from pipelines.job.record import Outcome, Record
from pipelines.job.tasks import Task

# How often the driver takes records, and how often it looks whether the head and the nodes are there.
TAKE_SECONDS = 1.0
NODES_SECONDS = 5.0

# Has the tasks done by somebody, from entering to leaving the context; the future comes to its end when they are.
# It is given the ledger, an actor of UnitLedger, and whether it has units that whoever has nothing to do may take over.
Start = Callable[[Any, bool], AbstractContextManager["Future[None]"]]


def follow(
    tasks: Sequence[Task], replaced: Collection[Unit], start: Start, late_seconds: float = LATE_SECONDS
) -> Generator[Record]:
    """Gives the records of all tasks, the ends of stripes too, in the order of completion. Needs a connected Ray.

    A unit that is late is given to others, so it may have several records. The end is when all units have one, and all
    stripes are read, whatever a stuck worker still holds of units that others could do; stripes and units of
    `replaced` are for their own worker alone, and waited for. late_seconds: as in UnitLedger.

    Raises HeadLostError when Ray's head is away, and EncorpusError when the workers as a whole break down, or the
    ledger, not for a unit's failure.
    """
    head = Head(ray.get_runtime_context().gcs_address)
    left = {unit.name for unit in _units(tasks)} | {task.name for task in tasks if not task.slices}
    # What replaces a shard is not done twice: nobody could tell the new one from the old.
    ledger = ledger_actor([unit for unit in _units(tasks) if unit not in replaced], late_seconds)
    try:
        with start(ledger, any(unit not in replaced for unit in _units(tasks))) as work:
            ended, looked = False, time.monotonic()
            while left and not ended:
                if time.monotonic() - looked >= NODES_SECONDS:
                    if head.answers():
                        _tell_of_lost_nodes(ledger)
                    looked = time.monotonic()
                # Before they are taken: what was told before the end is taken after it.
                ended = work.done() or bool(wait([work], TAKE_SECONDS).done)
                for record in ray.get(ledger.take.options(max_task_retries=0).remote()):
                    left.discard(record.unit)
                    yield record
            if left:
                work.result()
    except RayError as error:
        cause = getattr(error, "cause", None) or error
        reason = f"{type(cause).__name__}: {_told(cause)}"
        raise EncorpusError(f"the workers broke down: {reason}; run the same command again to resume") from error
    finally:
        if not head.lost:
            # Workers that outlive the job, as a service's do, learn by it that there is nothing left to do.
            ray.kill(ledger)
    stripes = {task.name: f"file {task.file} of the plan, read on" for task in tasks if not task.slices}
    for name in sorted({stripes.get(name, name) for name in left}):
        yield Record(name, Outcome.FAILED, "its workers ended without a word of it; run the same command again")


def _told(error: BaseException) -> str:
    """What broke, and why: an error that ends with a trace names its cause on the last line."""
    what, why = first_line(error), last_line(str(error))
    return what if why in what else f"{what}: {why}"


def _tell_of_lost_nodes(ledger: Any) -> None:
    if lost := [node["NodeID"] for node in ray.nodes() if not node["Alive"]]:
        ray.get(ledger.nodes_lost.remote(lost))


def ledger_actor(units: Sequence[Unit], late_seconds: float = LATE_SECONDS) -> Any:
    """A UnitLedger as an actor beside the driver.

    It dies with the driver, whose node it shares, and hardly alone: then the job ends, and is run again. A call
    whose connection breaks is repeated, which is nobody's fault: but for `take`, what is said twice is as said once.
    """
    actor: Any = ray.remote(UnitLedger).options(
        num_cpus=0,
        max_task_retries=-1,
        # Ray's head would keep hundreds of MB of what it is told of all the calls.
        enable_task_events=False,
        scheduling_strategy=_beside_the_driver(),
    )
    return actor.remote(units, late_seconds)


def _units(tasks: Sequence[Task]) -> Iterator[Unit]:
    """Those of files that are cut, of which there may be very many."""
    return (Unit(task.file, number) for task in tasks if task.file is not None for number in task.slices)


def _beside_the_driver() -> NodeAffinitySchedulingStrategy:
    # A soft wish is none to Ray where the driver's node is a head without CPUs.
    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
