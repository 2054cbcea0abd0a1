"""A checksum over a whole Parquet file, kept inside that file, so that any changed byte shows.

The footer's metadata holds `encorpus.checksum`: the SHA-256, in hexadecimal, of the file as it is when those 64
digits are zeros. Nothing is parsed to check it, so that a damaged footer cannot lead a parser astray.
"""

import hashlib

KEY = "encorpus.checksum"
PLACEHOLDER = "0" * 64
MAGIC = b"PAR1"

# Thrift's compact protocol writes a string's field header and length in one byte each (0x18: next field, binary).
_MARK = KEY.encode() + b"\x18" + bytes([len(PLACEHOLDER)])

_TRAILER = 8  # the footer's length, 4 bytes little-endian, and the magic


def seal(file: memoryview) -> str:
    """Puts the checksum in place of the placeholder, in the given bytes; returns it.

    Raises ValueError when the file was not written with `KEY: PLACEHOLDER` in its metadata.
    """
    place = _place(file)
    checksum = _digest(file, place)
    file[place : place + len(checksum)] = checksum.encode()
    return checksum


def check_seal(file: memoryview) -> str | None:
    """What is wrong with the file's bytes, None if they are as they were sealed."""
    try:
        place = _place(file)
    except ValueError as error:
        return str(error)
    if bytes(file[place : place + len(PLACEHOLDER)]) != _digest(file, place).encode():
        return "its bytes are not those that were written: the checksum differs"
    return None


def _place(file: memoryview) -> int:
    """Where the checksum's digits begin."""
    if len(file) < _TRAILER or file[-4:] != MAGIC:
        raise ValueError("it is cut off or no Parquet file: it does not end with PAR1")
    length = int.from_bytes(file[-_TRAILER:-4], "little")
    start = max(len(file) - _TRAILER - length, 0)
    mark = bytes(file[start:]).rfind(_MARK)
    place = start + mark + len(_MARK)
    if mark < 0 or place + len(PLACEHOLDER) > len(file) - _TRAILER:
        raise ValueError(f"its footer has no {KEY}")
    return place


def _digest(file: memoryview, place: int) -> str:
    digest = hashlib.sha256(file[:place])
    digest.update(PLACEHOLDER.encode())
    digest.update(file[place + len(PLACEHOLDER) :])
    return digest.hexdigest()
