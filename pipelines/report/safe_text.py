"""Texts of strangers as HTML: nothing in them is markup, moves what stands around them, or goes on for ever."""

import html
import unicodedata

MOST_CHARACTERS = 300

# They join letters in some scripts, and do nothing else.
JOINERS = "\u200c\u200d"


def shown(text: str, most: int = MOST_CHARACTERS) -> str:
    """The text as an element that keeps its own direction of writing to itself."""
    return f"<bdi>{escaped(text, most)}</bdi>"


def escaped(text: str, most: int = MOST_CHARACTERS) -> str:
    """At most so many characters of the text, for an element's content; invisible ones by their numbers."""
    cut = text if len(text) <= most else text[: most - 1] + "…"
    return html.escape("".join(character if _visible(character) else _numbered(character) for character in cut))


def _visible(character: str) -> bool:
    """Not a control, a mark of direction, a lone surrogate or the like, and no break of a line."""
    return character in JOINERS or unicodedata.category(character) not in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")


def _numbered(character: str) -> str:
    return character.encode("unicode_escape").decode()
