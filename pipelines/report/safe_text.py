"""Texts of strangers as HTML: nothing in them is markup, moves what stands around them, or goes on for ever."""

import html

from pipelines.visible_text import visible

MOST_CHARACTERS = 300


def shown(text: str, most: int = MOST_CHARACTERS) -> str:
    """The text as an element that keeps its own direction of writing to itself."""
    return f"<bdi>{escaped(text, most)}</bdi>"


def escaped(text: str, most: int = MOST_CHARACTERS) -> str:
    """At most so many characters of the text, for an element's content; invisible ones by their numbers."""
    return html.escape(visible(text if len(text) <= most else text[: most - 1] + "…"))
