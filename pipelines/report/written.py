"""How the report writes its numbers."""

import math

from pipelines.numbers import duration


def number(value: float, step: float = 1.0) -> str:
    """The value with as many decimals as the step has: '1,200', '0.05', '2.5 M'."""
    if value and not 1e-6 <= abs(value) < 1e15:
        return f"{value:.3g}"
    for size, letter in ((1e9, " G"), (1e6, " M")):
        if abs(value) >= size:
            return f"{value / size:,.{decimals(step / size)}f}{letter}"
    return f"{value:,.{decimals(step)}f}"


def decimals(step: float) -> int:
    """How many decimals tell one multiple of the step from the next."""
    return min(9, max(0, -math.floor(math.log10(step) + 1e-9)))


def time_spent(seconds: float) -> str:
    """'0.4 s', '3 min 20 s'."""
    return f"{seconds:.1f} s" if seconds < 10 else duration(seconds)


def share(part: float, whole: float) -> str:
    """'12%', '0.013%': a share to two digits, of nothing 0. It is never said to be none or all when it is not."""
    per_cent = 100 * part / whole if whole else 0.0
    if 0 < per_cent < 0.0001:
        return "under 0.0001%"
    if 99.5 <= per_cent < 100:
        return "over 99%"
    return f"{per_cent:.0f}%" if per_cent >= 10 else f"{per_cent:.2g}%"
