"""Decompression: several streams in one file are one, and what is cut off or damaged is found."""

import bz2
import gzip
import io
import random
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.corpus.decompress import DECODERS, BrokenStreamError, content_chunks

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
    "bz2": bz2.compress,
}
KINDS = st.sampled_from(sorted(COMPRESS))
NOISE = random.Random(1).randbytes(200_000)


def content(data: bytes, compression: str | None) -> bytes:
    return b"".join(content_chunks(io.BytesIO(data), compression))


def content_before_the_break(data: bytes, compression: str) -> tuple[bytes, str]:
    got = b""
    with pytest.raises(BrokenStreamError) as caught:
        for chunk in content_chunks(io.BytesIO(data), compression):
            got += chunk
    return got, str(caught.value)


@settings(deadline=None)
@given(KINDS, st.lists(st.binary(max_size=5_000), min_size=1, max_size=4))
def test_concatenated_streams_are_one(kind: str, parts: list[bytes]):
    assert content(b"".join(COMPRESS[kind](part) for part in parts), kind) == b"".join(parts)


@settings(deadline=None)
@given(KINDS, st.lists(st.integers(0, 50_000), min_size=1, max_size=3), st.data())
def test_any_truncation_is_found_unless_it_lies_between_streams(kind: str, sizes: list[int], data: st.DataObject):
    streams = [COMPRESS[kind](NOISE[:size]) for size in sizes]
    whole = b"".join(streams)
    edges = {len(b"".join(streams[:count])) for count in range(len(streams) + 1)}
    cut = data.draw(st.integers(1, len(whole) - 1).filter(lambda place: place not in edges))
    got, reason = content_before_the_break(whole[:cut], kind)
    assert reason == f"truncated {kind} stream"
    assert b"".join(NOISE[:size] for size in sizes).startswith(got)


@pytest.mark.parametrize("kind", sorted(COMPRESS))
def test_what_comes_before_a_truncation_is_given(kind: str):
    noise = random.Random(2).randbytes(3_000_000)
    got, _ = content_before_the_break(COMPRESS[kind](noise)[: -len(noise) // 10], kind)
    assert len(got) >= len(noise) // 2


@pytest.mark.parametrize("kind", sorted(COMPRESS))
def test_damage_is_found(kind: str):
    whole = COMPRESS[kind](NOISE)
    _, reason = content_before_the_break(whole[:-40] + b"\0" * 20 + whole[-20:], kind)
    assert reason.startswith((f"broken {kind} stream: ", f"truncated {kind} stream"))


@pytest.mark.parametrize("kind", sorted(COMPRESS))
@pytest.mark.parametrize("more", [b"g", b"garbage", b"g" * 5_000])
def test_what_follows_a_stream_and_is_none_is_found(kind: str, more: bytes):
    got, reason = content_before_the_break(COMPRESS[kind](NOISE) + more, kind)
    assert (got, reason) == (NOISE, f"after the end of its {kind} stream comes something else")


@pytest.mark.parametrize("kind", sorted(COMPRESS))
@pytest.mark.parametrize("data", [b"{", b"no stream", b"no stream" * 5_000])
def test_what_is_no_stream_from_its_start_is_found(kind: str, data: bytes):
    told = f"its name says {kind}, its first bytes do not; name it by what it holds"
    assert content_before_the_break(data, kind) == (b"", told)


def test_a_damaged_gzip_checksum_is_found():
    whole = bytearray(gzip.compress(b"text\n" * 100))
    whole[-5] ^= 1
    _, reason = content_before_the_break(bytes(whole), "gzip")
    assert "broken gzip stream" in reason


def test_gzip_padded_with_zeros_is_whole():
    assert content(gzip.compress(b"a") + b"\0" * 3_000 + gzip.compress(b"b") + b"\0" * 3_000, "gzip") == b"ab"


def test_zstd_skippable_frames_are_skipped():
    skippable = (0x184D2A50).to_bytes(4, "little") + (4).to_bytes(4, "little") + b"meta"
    frame = zstandard.ZstdCompressor().compress(b"a")
    assert content(skippable + frame + skippable, "zstd") == b"a"


def zstd_with_window(data: bytes, window_log: int) -> bytes:
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=window_log)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return compressor.compress(data) + compressor.flush()


def test_zstd_windows_of_every_length_that_the_tool_makes_are_read():
    assert content(zstd_with_window(b"a", 28) + zstd_with_window(b"b", 31), "zstd") == b"ab"


def test_a_zstd_window_without_room_is_not_the_files_damage(monkeypatch: pytest.MonkeyPatch):
    class NoRoom:
        def decompress(self, _: bytes) -> bytes:
            raise zstandard.ZstdError("zstd decompressor error: Allocation error : not enough memory")

    monkeypatch.setitem(DECODERS, "zstd", NoRoom)
    with pytest.raises(MemoryError):
        content(zstandard.compress(b""), "zstd")


@pytest.mark.parametrize("kind", [None, *sorted(COMPRESS)])
def test_an_empty_file_has_no_content(kind: str | None):
    assert content(b"", kind) == b""


@pytest.mark.parametrize("kind", sorted(COMPRESS))
def test_what_expands_a_thousandfold_comes_in_bounded_chunks(kind: str):
    squeezed = COMPRESS[kind](bytes(100 << 20))
    sizes = [len(chunk) for chunk in content_chunks(io.BytesIO(squeezed), kind)]
    assert sum(sizes) == 100 << 20
    assert max(sizes) <= 64 << 20
