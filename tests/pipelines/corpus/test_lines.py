"""Lines: offsets, the last line, the byte order mark, and lines too long to hold."""

import codecs
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.corpus import lines
from pipelines.corpus.lines import Line, lines_of_range, split_lines
from pipelines.corpus.plan import CorpusFile
from pipelines.storage import Storage

CONTENT = st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r\n", b"\xc3\xa9", codecs.BOM_UTF8]), max_size=40).map(
    b"".join
)


def cut(content: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(content), *(place for place in places if place < len(content))})
    return [content[start:stop] for start, stop in pairwise(edges)]


@settings(deadline=None)
@given(CONTENT, st.lists(st.integers(0, 80)))
def test_chunks_do_not_matter(content: bytes, places: list[int]):
    assert list(split_lines(cut(content, places))) == list(split_lines([content]))


@settings(deadline=None)
@given(CONTENT)
def test_lines_and_line_feeds_make_up_the_content(content: bytes):
    found = list(split_lines([content]))
    rebuilt = b"\n".join(line.content for line in found)
    assert content.removeprefix(codecs.BOM_UTF8) in (rebuilt, rebuilt + b"\n")
    assert all(content[line.offset :].startswith(line.content) for line in found[1:])


def test_offsets_are_those_of_the_lines_first_bytes():
    assert list(split_lines([b"ab\n\ncd"])) == [Line(0, b"ab", True), Line(3, b"", True), Line(4, b"cd", True)]


def test_a_byte_order_mark_is_no_content():
    assert list(split_lines([codecs.BOM_UTF8 + b"a\nb"])) == [Line(0, b"a", True), Line(5, b"b", True)]
    assert list(split_lines([codecs.BOM_UTF8])) == []


def test_a_line_over_the_bound_gives_its_start_only(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 8)
    monkeypatch.setattr(lines, "PREFIX_BYTES", 4)
    chunks = [b"ab\n0123", b"4567", b"89", b"ABCDEF\ncd\n"]
    assert list(split_lines(chunks)) == [Line(0, b"ab", True), Line(3, b"0123", False), Line(20, b"cd", True)]


def test_a_line_over_the_bound_is_not_held(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 100)
    given = iter([b"x" * 60] * 1_000)
    first = next(split_lines(given))
    assert (first.whole, len(list(given))) == (False, 998)


@given(content=CONTENT, places=st.lists(st.integers(0, 80), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_ranges_tile_the_lines_exactly_once(tmp_path: Path, content: bytes, places: list[int]):
    path = tmp_path / "file"
    path.write_bytes(content)
    file = CorpusFile(0, str(path), len(content), "", "text", None, None, None, None)
    bounds = sorted({0, len(content), *(place for place in places if place < len(content))})
    found = [line for start, stop in pairwise(bounds) for line in lines_of_range(file, start, stop, Storage())]
    assert found == list(split_lines([content]))


def test_a_range_reads_beyond_its_end_only_for_a_line_that_goes_on(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(b"0123\n5678\n")
    reads: list[tuple[int, int]] = []

    class Watched(Storage):
        def read_range(self, uri: str, start: int, stop: int) -> bytes:
            reads.append((start, stop))
            return super().read_range(uri, start, stop)

    file = CorpusFile(0, str(path), 10, "", "text", None, None, None, None)
    assert [line.content for line in lines_of_range(file, 0, 5, Watched())] == [b"0123"]
    assert reads == [(0, 5)]
    assert [line.content for line in lines_of_range(file, 5, 7, Watched())] == [b"5678"]
    assert reads == [(0, 5), (4, 7), (7, 10)]
