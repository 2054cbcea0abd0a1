"""A compressed file's bytes, as far as they go: truncation and damage are found, never passed over.

Concatenated gzip members (RFC 1952), zstd frames (RFC 8878) and bz2 streams are one stream, as for the tools that
make them.
"""

import bz2
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import zstandard

# Compressed bytes a step. What a step may expand to is bounded by it (32 MiB at worst, for zstd), and what lies
# before a damage in the same step is lost.
STEP_BYTES = 1024
MAX_BZ2_CHUNK = 1 << 20
PLAIN_BYTES = 1 << 18
GZIP_WINDOW_BITS = 31
# The most that the zstd tool makes, with --long=31. A frame's window is in memory while it is read.
MAX_ZSTD_WINDOW = 1 << 31

DECODERS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(GZIP_WINDOW_BITS),
    "zstd": lambda: zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW).decompressobj(),
    "bz2": bz2.BZ2Decompressor,
}
DECODER_ERRORS = (zlib.error, zstandard.ZstdError, OSError)
# How a stream may begin: each zstd frame, or a skippable one.
BEGINNINGS = {
    "gzip": (b"\x1f\x8b",),
    "zstd": (b"\x28\xb5\x2f\xfd", *(bytes([byte]) + b"\x2a\x4d\x18" for byte in range(0x50, 0x60))),
    "bz2": (b"BZh",),
}
# What zstd says where the machine is at fault, and not the file.
NO_MEMORY = "not enough memory"


class BrokenStreamError(Exception):
    """The file's content ends or fails before its end; the message is the reject's reason."""


def content_chunks(file: BinaryIO, compression: str | None) -> Iterator[bytes]:
    """The file's uncompressed content in order, in chunks of bounded size.

    Raises BrokenStreamError where the compressed content is truncated or damaged, after all that came before, and
    MemoryError where there is no room for a zstd window.
    """
    if compression is None:
        while chunk := file.read(PLAIN_BYTES):
            yield chunk
        return
    decoder: Any = None
    ended_one = False
    while data := file.read(STEP_BYTES):
        while data:
            if decoder is None:
                # gzip files may be padded with zeros, as on tapes.
                if compression == "gzip" and ended_one and not (data := data.lstrip(b"\0")):
                    break
                if not any(magic.startswith(data[: len(magic)]) for magic in BEGINNINGS[compression]):
                    raise BrokenStreamError(_no_stream(compression, ended_one))
                decoder = DECODERS[compression]()
            yield from _decode(decoder, data, compression)
            data = b""
            if decoder.eof:
                data, decoder, ended_one = decoder.unused_data, None, True
    if decoder is not None:
        raise BrokenStreamError(f"truncated {compression} stream")


def _decode(decoder: Any, data: bytes, compression: str) -> Iterator[bytes]:
    try:
        if compression != "bz2":
            yield decoder.decompress(data)
            return
        # 40 bytes of bz2 can be 46 MB: here the output has to be bounded by itself.
        yield decoder.decompress(data, MAX_BZ2_CHUNK)
        while not (decoder.eof or decoder.needs_input):
            yield decoder.decompress(b"", MAX_BZ2_CHUNK)
    except DECODER_ERRORS as error:
        if NO_MEMORY in str(error):
            raise MemoryError(f"no room for the window of a {compression} stream") from None
        # Before the last colon stands whose error it is.
        raise BrokenStreamError(f"broken {compression} stream: {str(error).rpartition(': ')[2]}") from None


def _no_stream(compression: str, ended_one: bool) -> str:
    if ended_one:
        return f"after the end of its {compression} stream comes something else"
    return f"its name says {compression}, its first bytes do not; name it by what it holds"
