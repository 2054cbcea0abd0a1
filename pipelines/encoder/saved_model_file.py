"""How long a text a SavedModel takes and how wide its vectors are, read from its file without TensorFlow, whose import
takes seconds.

saved_model.pb is a protocol buffer. The numbers are those of the fields in tensorflow/core/protobuf: saved_model.proto,
meta_graph.proto, saved_object_graph.proto and struct.proto.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

OBJECT_GRAPH = (2, 7)
OBJECT, FUNCTION = 1, 2  # the first object is the encoder itself
CHILD, CHILD_ID, CHILD_NAME, TRACED_NAME = 1, 1, 2, (6, 1)
VARIABLE, VARIABLE_SHAPE, VARIABLE_NAME = 7, 2, 6
MAP_KEY, MAP_VALUE = 1, 2
ARGUMENT = (MAP_VALUE, 3, 52, 1, 52, 1)
SHAPES_IN_ARGUMENT = ((53, 1, MAP_VALUE, 33, 2), (51, 1, 33, 2), (52, 1, 33, 2))  # of a dict, a list, a tuple
OUTPUTS = (MAP_VALUE, 4)
DICT_ENTRY, LIST_VALUE, TUPLE_VALUE = (53, 1), (51, 1), (52, 1)
SPEC_SHAPE = (33, 2)
DIMENSION, SIZE = 2, 1

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

# Every published BERT, ELECTRA and ALBERT export names the table so.
POSITION_TABLE = b"position_embedding"

SEQUENCE_OUTPUT = b"sequence_output"


def longest_text(folder: Path) -> int | None:
    """Tokens of the longest text that the model takes, None where its file does not tell. Raises OSError."""
    return min((limit for limit in (positions(folder), fixed_length(folder)) if limit), default=None)


def positions(folder: Path) -> int | None:
    """Rows of the position embedding table, None where there is no such variable. Raises OSError."""
    return _told(folder, _positions)


def fixed_length(folder: Path) -> int | None:
    """The only number of tokens that the encoder's call takes, None where it takes any. Raises OSError."""
    return _told(folder, _fixed_length)


def sequence_width(folder: Path) -> int | None:
    """The width of the encoder's sequence_output, None where its file does not tell. Raises OSError."""
    return _told(folder, _sequence_width)


def _told(folder: Path, ask: Callable[[memoryview], int | None]) -> int | None:
    """What is found in the graph of objects. A broken file tells nothing: loading it will say what is wrong with it."""
    data = memoryview((folder / "saved_model.pb").read_bytes())
    try:
        for graph in _values(data, *OBJECT_GRAPH):
            if found := ask(graph):
                return found
    except (ValueError, LookupError, TypeError, StopIteration, OverflowError):
        pass
    return None


def _positions(graph: memoryview) -> int | None:
    for variable in _values(graph, OBJECT, VARIABLE):
        shapes = [_shape(shape) for shape in _values(variable, VARIABLE_SHAPE)]
        if POSITION_TABLE in bytes(next(_values(variable, VARIABLE_NAME), b"")) and len(shapes[0]) == 2:
            return shapes[0][0]
    return None


def _fixed_length(graph: memoryview) -> int | None:
    for call in _calls(graph):
        for path in SHAPES_IN_ARGUMENT:
            for shape in _values(call, *ARGUMENT, *path):
                return _shape(shape)[1]
    return None


def _sequence_width(graph: memoryview) -> int | None:
    for call in _calls(graph):
        for output in _sequence_outputs(call):
            for shape in _values(output, *SPEC_SHAPE):
                return _shape(shape)[2]
    return None


def _sequence_outputs(call: memoryview) -> Iterator[memoryview]:
    """What a call gives for sequence_output, which is the second where it gives a list."""
    for entry in _values(call, *OUTPUTS, *DICT_ENTRY):
        if bytes(next(_values(entry, MAP_KEY))) == SEQUENCE_OUTPUT:
            yield from _values(entry, MAP_VALUE)
    for kind in (LIST_VALUE, TUPLE_VALUE):
        yield from list(_values(call, *OUTPUTS, *kind))[1:2]


def _calls(graph: memoryview) -> Iterator[memoryview]:
    """The functions that calling the encoder can run."""
    objects = list(_values(graph, OBJECT))
    names = [(bytes(next(_values(child, CHILD_NAME))), child) for child in _values(objects[0], CHILD)]
    calls = [objects[next(_values(child, CHILD_ID))] for name, child in names if name == b"__call__"]
    traced = {bytes(name) for call in calls for name in _values(call, *TRACED_NAME)}
    return (entry for entry in _values(graph, FUNCTION) if bytes(next(_values(entry, MAP_KEY))) in traced)


def _shape(message: memoryview) -> list[int | None]:
    """The dimensions; None for one that may be any, which the file writes as -1."""
    sizes = (next(_values(dimension, SIZE), 0) for dimension in _values(message, DIMENSION))
    return [size if size < 1 << 63 else None for size in sizes]


def _values(message: memoryview, *path: int) -> Iterator[Any]:
    """What stands in the fields at the end of a path of field numbers: bytes of a memoryview, or numbers."""
    wanted, *below = path
    at = 0
    while at < len(message):
        value: Any
        tag, at = _varint(message, at)
        if tag & 7 == VARINT:
            value, at = _varint(message, at)
        else:
            size, at = _varint(message, at) if tag & 7 == BYTES else ({FIXED64: 8, FIXED32: 4}[tag & 7], at)
            value, at = message[at : at + size], at + size
        if tag >> 3 == wanted:
            yield from _values(value, *below) if below else (value,)


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """The number that starts at a byte, seven bits a byte from the lowest, and where it ends."""
    number = shift = 0
    while message[at] & 0x80:
        number |= (message[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    return number | message[at] << shift, at + 1
