"""What was measured goes into BENCHMARKS.md, between two comments that name it, and into a chart beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from tests.bench import bench

BENCHMARKS = bench.ROOT / "BENCHMARKS.md"
CHARTS = bench.ROOT / "docs"

BAR, GAP, LEFT, RIGHT, LABEL = 18, 6, 350, 90, 13


@dataclass(frozen=True)
class Bar:
    """low, high: of all turns; value: their median."""

    name: str
    ours: bool
    value: float
    low: float
    high: float


def write_section(name: str, lines: Sequence[str]) -> None:
    """Puts lines in place of what stands between `<!-- NAME -->` and `<!-- end of NAME -->`; prints them too."""
    print("\n".join(lines), flush=True)
    text = BENCHMARKS.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{BENCHMARKS}: there is no place for {name!r}: put {begin.strip()} and {end.strip()} in it")
    BENCHMARKS.write_text(before + begin + "\n".join(lines) + "\n" + end + after, encoding="utf-8")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of Markdown."""
    return [f"| {' | '.join(words)} |" for words in (head, ["---"] * len(head), *rows)]


def write_chart(name: str, title: str, bars: Sequence[Bar]) -> Path:
    """An SVG of bars with the span of their turns, at docs/NAME.svg."""
    path = CHARTS / f"{name}.svg"
    path.write_text(chart_svg(title, bars), encoding="utf-8")
    return path


def chart_svg(title: str, bars: Sequence[Bar]) -> str:
    """Level bars from one zero, each with its name, its median and a line from its least to its largest value."""
    width, top = 880, 34
    most = max(bar.high for bar in bars)
    scale = (width - LEFT - RIGHT) / most
    drawn = [_bar_svg(bar, top + number * (BAR + GAP), scale) for number, bar in enumerate(bars)]
    height = top + len(bars) * (BAR + GAP) + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'font-family="sans-serif" font-size="{LABEL}"><title>{escape(title)}</title>'
        "<style>.ours{fill:#1f6feb}.peer{fill:#8b949e}text{fill:#57606a}.span{stroke:#24292f;stroke-width:1.5}"
        "@media (prefers-color-scheme: dark){text{fill:#c9d1d9}.span{stroke:#f0f6fc}}</style>"
        f'<text x="0" y="16" font-weight="bold">{escape(title)}</text>{"".join(drawn)}</svg>\n'
    )


def _bar_svg(bar: Bar, top: float, scale: float) -> str:
    middle, baseline = top + BAR / 2, top + BAR - 4
    low, high = LEFT + bar.low * scale, LEFT + bar.high * scale
    style = "ours" if bar.ours else "peer"
    return (
        f'<text x="{LEFT - 8}" y="{baseline}" text-anchor="end">{escape(bar.name)}</text>'
        f'<rect class="{style}" x="{LEFT}" y="{top}" width="{bar.value * scale:.1f}" height="{BAR}"/>'
        f'<line class="span" x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}"/>'
        f'<text x="{high + 8:.1f}" y="{baseline}">{bar.value:,.0f}</text>'
    )
