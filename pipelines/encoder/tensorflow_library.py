"""TensorFlow's C library without its Python: the signatures of a SavedModel, run on this CPU.

`import tensorflow` takes seconds, and some hundred MB of each process; the library out of the same wheel a quarter of
a second. The functions are those of TensorFlow's C API, https://www.tensorflow.org/install/lang_c, and what is handed
to them as bytes are messages of its config.proto.
"""

import ctypes
import functools

# Before TensorFlow, as its own Python has them: it brings another implementation of what these modules are linked to.
import hashlib  # noqa: F401
import ssl  # noqa: F401
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from ctypes import POINTER, Structure, c_char_p, c_int, c_int64, c_size_t, c_void_p
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

INT32, STRING = 3, 7  # of DataType in types.proto
STRING_BYTES = 24  # of a TF_TString

# ConfigProto.device_count: no GPU, of which a session would take all the memory.
NO_GPU = b"\x0a\x07\x0a\x03GPU\x10\x00"
# The fields of ConfigProto for threads inside an operation, and across operations.
INTRA_THREADS, INTER_THREADS = b"\x10", b"\x28"
# RunOptions.inter_op_thread_pool, -1: in the thread that calls, so that none has to be woken.
IN_CALLING_THREAD = b"\x18" + b"\xff" * 9 + b"\x01"


class TensorFlowLibraryError(Exception):
    """What TensorFlow says of a call that failed, or why its library is of no use here."""


@dataclass(frozen=True)
class Signature:
    """What the graph calls a function's tensors, "operation:number", by the names of its arguments and results."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


class SavedModelSession:
    """A SavedModel's graph with its tables and variables, in memory. For several threads."""

    def __init__(self, folder: Path, signatures: Mapping[str, Signature], threads: int | None) -> None:
        """threads: of the CPU, None for all. Raises TensorFlowLibraryError."""
        self._library = library = _library()
        self._graph = library.TF_NewGraph()
        self._at_end(library.TF_DeleteGraph, self._graph)
        self._run_options = library.TF_NewBufferFromString(IN_CALLING_THREAD, len(IN_CALLING_THREAD))
        self._at_end(library.TF_DeleteBuffer, self._run_options)
        self._session = _load(library, folder, self._graph, threads)
        self._at_end(_delete_session, library, self._session)  # before its graph, as the last made is ended first
        self._signatures = {
            name: (self._places(signature.inputs), self._places(signature.outputs))
            for name, signature in signatures.items()
        }

    def __call__(self, signature: str, arguments: Mapping[str, np.ndarray | Sequence[bytes]]) -> dict[str, np.ndarray]:
        """Runs a signature on int32 arrays and lists of strings; its results are int32 arrays.

        Raises TensorFlowLibraryError.
        """
        library, (inputs, outputs) = self._library, self._signatures[signature]
        results = (c_void_p * len(outputs))()
        with ExitStack() as stack:
            tensors = [stack.enter_context(_tensor(library, arguments[name])) for name in inputs]
            with _checked(library) as status:
                library.TF_SessionRun(
                    self._session,
                    self._run_options,
                    (_Output * len(inputs))(*inputs.values()),
                    (c_void_p * len(inputs))(*tensors),
                    len(inputs),
                    (_Output * len(outputs))(*outputs.values()),
                    results,
                    len(outputs),
                    None,
                    0,
                    None,
                    status,
                )
        try:
            return {name: _array(library, result) for name, result in zip(outputs, results, strict=True)}
        finally:
            for result in results:
                library.TF_DeleteTensor(result)

    def _at_end(self, end: Callable[..., None], *given: object) -> None:
        weakref.finalize(self, end, *given).atexit = False

    def _places(self, names: Mapping[str, str]) -> "dict[str, _Output]":
        return {argument: self._place(tensor) for argument, tensor in names.items()}

    def _place(self, tensor: str) -> "_Output":
        name, _, number = tensor.partition(":")
        operation = self._library.TF_GraphOperationByName(self._graph, name.encode())
        if operation is None:
            raise TensorFlowLibraryError(f"there is no operation {name} in the graph")
        return _Output(operation, int(number))


class _Output(Structure):
    """TF_Output: a result of an operation."""

    _fields_ = (("operation", c_void_p), ("index", c_int))


# A function's name: what it gives, and what it takes.
Functions = dict[str, tuple[type | None, list[type]]]

# They take their time, in which other threads of Python's go on.
LONG: Functions = {
    "TF_LoadLibrary": (c_void_p, [c_char_p, c_void_p]),
    "TF_LoadSessionFromSavedModel": (
        c_void_p,
        [c_void_p, c_void_p, c_char_p, POINTER(c_char_p), c_int, c_void_p, c_void_p, c_void_p],
    ),
    "TF_SessionRun": (
        None,
        [
            *(c_void_p, c_void_p),
            *(POINTER(_Output), POINTER(c_void_p), c_int),
            *(POINTER(_Output), POINTER(c_void_p), c_int),
            *(POINTER(c_void_p), c_int),
            *(c_void_p, c_void_p),
        ],
    ),
    "TF_CloseSession": (None, [c_void_p, c_void_p]),
    "TF_DeleteSession": (None, [c_void_p, c_void_p]),
}
# They are over before another thread could have its turn, and this one would have to wait for its own again.
SHORT: Functions = {
    "TF_NewStatus": (c_void_p, []),
    "TF_DeleteStatus": (None, [c_void_p]),
    "TF_GetCode": (c_int, [c_void_p]),
    "TF_Message": (c_char_p, [c_void_p]),
    "TF_NewBufferFromString": (c_void_p, [c_char_p, c_size_t]),
    "TF_DeleteBuffer": (None, [c_void_p]),
    "TF_NewSessionOptions": (c_void_p, []),
    "TF_SetConfig": (None, [c_void_p, c_char_p, c_size_t, c_void_p]),
    "TF_DeleteSessionOptions": (None, [c_void_p]),
    "TF_NewGraph": (c_void_p, []),
    "TF_DeleteGraph": (None, [c_void_p]),
    "TF_GraphOperationByName": (c_void_p, [c_void_p, c_char_p]),
    "TF_AllocateTensor": (c_void_p, [c_int, POINTER(c_int64), c_int, c_size_t]),
    "TF_DeleteTensor": (None, [c_void_p]),
    "TF_TensorType": (c_int, [c_void_p]),
    "TF_TensorData": (c_void_p, [c_void_p]),
    "TF_NumDims": (c_int, [c_void_p]),
    "TF_Dim": (c_int64, [c_void_p, c_int]),
    "TF_StringInit": (None, [c_void_p]),
    "TF_StringCopy": (None, [c_void_p, c_char_p, c_size_t]),
    "TF_StringDealloc": (None, [c_void_p]),
}


class _Library:
    """The functions, by their names."""

    def __init__(self, path: Path) -> None:
        for library, functions in ((ctypes.CDLL(str(path)), LONG), (ctypes.PyDLL(str(path)), SHORT)):
            for name, (gives, takes) in functions.items():
                function = getattr(library, name)
                function.restype, function.argtypes = gives, takes
                setattr(self, name, function)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


@functools.cache
def _library() -> _Library:
    """The library of the installed wheel, with the operations of tensorflow-text. Raises TensorFlowLibraryError."""
    try:
        framework, rest = (_only(f"libtensorflow_{part}.so.*") for part in ("framework", "cc"))
        # As `import tensorflow` leaves it. Else an operation's library has its own copy of what hashes a message's
        # fields, and ends the process, as it does not find them.
        ctypes.CDLL(str(framework), ctypes.RTLD_GLOBAL)
        library = _Library(rest)
    except (OSError, ValueError, AttributeError) as error:
        raise TensorFlowLibraryError(f"TensorFlow's C library cannot be used: {error}") from error
    for operations in sorted(_package("tensorflow_text").glob("python/**/_*.so")):
        with _checked(library) as status:
            library.TF_LoadLibrary(bytes(operations), status)
    return library


def _only(pattern: str) -> Path:
    (path,) = _package("tensorflow").glob(pattern)
    return path


def _package(name: str) -> Path:
    """An installed package's folder; the package is not imported."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise TensorFlowLibraryError(f"{name} is not installed")
    return Path(spec.origin).parent


@contextmanager
def _checked(library: _Library) -> Iterator[int]:
    """A status for one call, whose failure is raised."""
    status = library.TF_NewStatus()
    try:
        yield status
        if library.TF_GetCode(status):
            raise TensorFlowLibraryError(library.TF_Message(status).decode(errors="replace"))
    finally:
        library.TF_DeleteStatus(status)


def _load(library: _Library, folder: Path, graph: int, threads: int | None) -> int:
    options = library.TF_NewSessionOptions()
    config = _config(threads)
    try:
        with _checked(library) as status:
            library.TF_SetConfig(options, config, len(config), status)
        with _checked(library) as status:
            tags = (c_char_p * 1)(b"serve")
            return library.TF_LoadSessionFromSavedModel(options, None, bytes(folder), tags, 1, graph, None, status)
    finally:
        library.TF_DeleteSessionOptions(options)


def _config(threads: int | None) -> bytes:
    """A ConfigProto."""
    return NO_GPU if threads is None else NO_GPU + INTRA_THREADS + _varint(threads) + INTER_THREADS + _varint(1)


def _varint(number: int) -> bytes:
    """A number as protocol buffers have it: seven bits a byte, the lowest first, all but the last marked.

    >>> _varint(1), _varint(300)
    (b'\\x01', b'\\xac\\x02')
    """
    low = number & 0x7F
    return bytes([low]) if number < 0x80 else bytes([low | 0x80]) + _varint(number >> 7)


def _delete_session(library: _Library, session: int) -> None:
    status = library.TF_NewStatus()
    library.TF_CloseSession(session, status)
    library.TF_DeleteSession(session, status)
    library.TF_DeleteStatus(status)


@contextmanager
def _tensor(library: _Library, value: np.ndarray | Sequence[bytes]) -> Iterator[int]:
    """A TF_Tensor that holds a copy of the value."""
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value, np.int32)
        with _allocated(library, INT32, value.shape, array.nbytes) as tensor:
            ctypes.memmove(library.TF_TensorData(tensor), array.ctypes.data, array.nbytes)
            yield tensor
        return
    size = STRING_BYTES * len(value)
    with _allocated(library, STRING, (len(value),), size) as tensor:
        first = library.TF_TensorData(tensor) or 0
        strings = range(first, first + size, STRING_BYTES)
        for place in strings:
            library.TF_StringInit(place)
        try:
            for place, text in zip(strings, value, strict=True):
                library.TF_StringCopy(place, text, len(text))
            yield tensor
        finally:
            for place in strings:  # which the tensor's own end leaves in memory
                library.TF_StringDealloc(place)


@contextmanager
def _allocated(library: _Library, kind: int, shape: tuple[int, ...], size: int) -> Iterator[int]:
    tensor = library.TF_AllocateTensor(kind, (c_int64 * len(shape))(*shape), len(shape), size)
    if tensor is None:
        raise MemoryError(f"no {size:,} bytes for a tensor")
    try:
        yield tensor
    finally:
        library.TF_DeleteTensor(tensor)


def _array(library: _Library, tensor: int) -> np.ndarray:
    """A copy of an int32 tensor."""
    kind = library.TF_TensorType(tensor)
    if kind != INT32:
        raise TensorFlowLibraryError(f"a result is of the type {kind}, and int32 is {INT32}")
    shape = [library.TF_Dim(tensor, axis) for axis in range(library.TF_NumDims(tensor))]
    array = np.empty(shape, np.int32)
    ctypes.memmove(array.ctypes.data, library.TF_TensorData(tensor), array.nbytes)
    return array
