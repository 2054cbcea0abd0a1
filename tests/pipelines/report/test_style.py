"""Every colour of text and lines can be told from what it stands on, in light and dark, as WCAG measures it."""

import re

import pytest

from pipelines.report.style import STYLE

LIGHT, DARK = (
    dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
)


def luminance(colour: str) -> float:
    """Relative luminance, 0 to 1, of a colour such as #1859b8."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """1 to 21."""
    lower, higher = sorted((luminance(one), luminance(other)))
    return (higher + 0.05) / (lower + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("behind", ["page", "card"])
@pytest.mark.parametrize("name", ["ink", "muted", "blue", "orange", "green", "amber", "red"])
def test_a_colour_has_the_contrast_of_readable_text(colours, behind, name):
    assert contrast(colours[name], colours[behind]) >= 4.5


def test_both_schemes_name_the_same_colours():
    assert LIGHT.keys() == DARK.keys()
