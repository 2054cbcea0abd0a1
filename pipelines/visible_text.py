"""Texts of strangers as text alone: nothing in them drives a terminal, or moves what stands around them."""

import unicodedata

# They join letters in some scripts, and do nothing else.
JOINERS = "\u200c\u200d"


def visible(text: str) -> str:
    """The text with its invisible characters by their numbers: controls, marks of direction, breaks of a line, lone
    surrogates and the like."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _is_visible(character) else _numbered(character) for character in text)


def _is_visible(character: str) -> bool:
    return character in JOINERS or unicodedata.category(character) not in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")


def _numbered(character: str) -> str:
    return character.encode("unicode_escape").decode()
