"""Texts that go together into one call: enough to amortise it, few enough to bound its memory."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

Text = TypeVar("Text", str, bytes)


def grouped(texts: Iterable[Text], most_size: int, most_texts: int | None = None) -> Iterator[list[Text]]:
    """The texts in their order, as many together as have `most_size` characters or bytes, or one that has more."""
    group: list[Text] = []
    size = 0
    for text in texts:
        if group and (len(group) == most_texts or size + len(text) > most_size):
            yield group
            group, size = [], 0
        group.append(text)
        size += len(text)
    if group:
        yield group
