"""Findings as lines for people: aligned, those of many nodes folded into one, and a count at the end."""

from collections.abc import Iterator, Mapping, Sequence

from cluster.doctor.finding import Finding, Level
from cluster.doctor.node_names import few
from pipelines.numbers import count

WORST_FIRST = (Level.FAILURE, Level.WARNING, Level.OK)


def told(everywhere: Sequence[Finding], nodes: Mapping[str, Sequence[Finding]]) -> Iterator[str]:
    """everywhere: what is no one node's. nodes: findings by node; none where one machine was asked."""
    groups = _groups(nodes)
    width = max(
        (len(one.about) for one in [*everywhere, *(one for group in groups.values() for one in group)]), default=0
    )
    yield from _lines(everywhere, width)
    for where, findings in groups.items():
        yield f"on {_where(where, len(nodes))}:"
        yield from _lines(findings, width)
    yield _last([*everywhere, *(finding for findings in nodes.values() for finding in findings)], len(nodes))


def _groups(nodes: Mapping[str, Sequence[Finding]]) -> dict[tuple[str, ...], list[Finding]]:
    """Findings by the nodes that have them, the most nodes first."""
    where: dict[Finding, list[str]] = {}
    for node, findings in nodes.items():
        for finding in dict.fromkeys(findings):
            where.setdefault(finding, []).append(node)
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding, names in where.items():
        groups.setdefault(tuple(names), []).append(finding)
    return dict(sorted(groups.items(), key=lambda group: -len(group[0])))


def _where(names: tuple[str, ...], nodes: int) -> str:
    if len(names) == nodes:
        return names[0] if nodes == 1 else f"all {nodes} nodes"
    return names[0] if len(names) == 1 else f"{len(names)} nodes ({few(names)})"


def _lines(findings: Sequence[Finding], width: int) -> Iterator[str]:
    for level in WORST_FIRST:
        for finding in findings:
            if finding.level is level:
                yield f"  {level:<7}  {finding.about:<{width}}  {finding.found}"
                if finding.advice:
                    yield f"  {'':<7}  {'':<{width}}  → {finding.advice}"


def _last(findings: Sequence[Finding], nodes: int) -> str:
    levels = [finding.level for finding in findings]
    failures, warnings = levels.count(Level.FAILURE), levels.count(Level.WARNING)
    parts = [count(failures, "failure")] if failures else []
    parts += [count(warnings, "warning")] if warnings else []
    looked = count(len(levels), "check") + (f" on {count(nodes, 'node')}" if nodes else "")
    return f"{looked}: {', '.join(parts) or 'nothing is wrong'}"
