"""How many nodes a job needs, how long it takes on them, and what holds it back: sums over measured rates.

Where each constant comes from is in docs/scale.md.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

# S3's own limits for one prefix, a second: PUT, COPY, POST, DELETE; and GET, HEAD.
S3_WRITES = 3500
S3_READS = 5500

# Requests of one unit: its shard, and its rejects or their removal; looks at the input file before and after, at the
# plan, and the first range read. Reading on takes one for each further range.
UNIT_WRITES = 2
UNIT_READS = 4
RANGE_BYTES = 8 << 20

# What one driver and its ledger follow, seen on two cores that they share with the workers.
DRIVER_UNITS = 300


class Bound(StrEnum):
    """What holds a job back. workers: the encoders. network: of the nodes. writes, reads: requests to the storage.
    driver: its ledger. Only the first two give way to more nodes."""

    WORKERS = "workers"
    NETWORK = "network"
    WRITES = "storage writes"
    READS = "storage reads"
    DRIVER = "driver"


@dataclass(frozen=True)
class Demand:
    """What a corpus asks for. rows: > 0. tokens: a row. bytes_read, bytes_written: a row, of the input's files and of
    vectors. unit_rows: rows a unit, about."""

    rows: float
    tokens: float
    bytes_read: float
    bytes_written: float
    unit_rows: float

    @property
    def unit_writes(self) -> float:
        """Requests a unit that change something in the output."""
        return UNIT_WRITES

    @property
    def unit_reads(self) -> float:
        """Requests a unit that read, looks at a single object among them."""
        return UNIT_READS + self.bytes_read * self.unit_rows / RANGE_BYTES


@dataclass(frozen=True)
class Node:
    """What a node gives. workers: how many it has. tokens_per_second: of one worker. gbit: of its network, a second, in
    both directions together."""

    workers: int
    tokens_per_second: float
    gbit: float


@dataclass(frozen=True)
class ClusterSize:
    """A job on so many nodes. seconds: from its first unit to its last, without starting. bound: what holds it back.
    busy: how much of their time the workers encode, 0 to 1. writes, reads: requests to the storage a second. gbit: a
    second and node."""

    nodes: int
    seconds: float
    bound: Bound
    busy: float
    writes: float
    reads: float
    gbit: float


def row_rates(demand: Demand, node: Node, nodes: int) -> dict[Bound, float]:
    """Rows a second that each part would allow by itself."""
    moved = demand.bytes_read + demand.bytes_written
    return {
        Bound.WORKERS: nodes * node.workers * node.tokens_per_second / demand.tokens,
        Bound.NETWORK: nodes * node.gbit * 1e9 / 8 / moved if moved else math.inf,
        Bound.WRITES: S3_WRITES * demand.unit_rows / demand.unit_writes,
        Bound.READS: S3_READS * demand.unit_rows / demand.unit_reads,
        Bound.DRIVER: DRIVER_UNITS * demand.unit_rows,
    }


def size_of(demand: Demand, node: Node, nodes: int) -> ClusterSize:
    """The job on so many nodes; the first of the bounds counts where several are equal."""
    rates = row_rates(demand, node, nodes)
    bound = min(rates, key=rates.__getitem__)
    rate = rates[bound]
    units = rate / demand.unit_rows
    return ClusterSize(
        nodes=nodes,
        seconds=demand.rows / rate,
        bound=bound,
        busy=rate / rates[Bound.WORKERS],
        writes=units * demand.unit_writes,
        reads=units * demand.unit_reads,
        gbit=rate * (demand.bytes_read + demand.bytes_written) * 8 / 1e9 / nodes,
    )


def nodes_within(demand: Demand, node: Node, seconds: float) -> int | None:
    """The fewest nodes on which the job takes no longer; None where what does not grow with them takes longer."""
    rates = row_rates(demand, node, nodes=1)
    fixed = min(rates[bound] for bound in (Bound.WRITES, Bound.READS, Bound.DRIVER))
    if demand.rows / fixed > seconds:
        return None
    nodes = max(1, math.ceil(demand.rows / min(rates[Bound.WORKERS], rates[Bound.NETWORK]) / seconds))
    # A quotient that rounding has taken just beyond a whole number.
    if nodes > 1 and size_of(demand, node, nodes - 1).seconds <= seconds:
        nodes -= 1
    return nodes if size_of(demand, node, nodes).seconds <= seconds else nodes + 1
