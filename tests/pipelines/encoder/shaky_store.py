"""A store in memory that fails as real ones do, each for reasons of its own."""

from contextlib import contextmanager

import fsspec
from fsspec.implementations.memory import MemoryFileSystem


class ShakyStore(MemoryFileSystem):
    """In `failing(error)` every access raises it; `after_a_file` is called when a part of one was read."""

    protocol = "shaky"
    store: dict = {}  # noqa: RUF012  its own, not the one that all stores in memory share
    pseudo_dirs = [""]  # noqa: RUF012
    after_a_file = staticmethod(lambda store: None)
    _error: BaseException | None = None

    def __init__(self, endpoint=None):
        super().__init__()

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.replace("shaky://", "memory://"))

    @classmethod
    @contextmanager
    def failing(cls, error):
        cls._error = error
        try:
            yield
        finally:
            cls._error = None

    def info(self, path, **options):
        self._fail()
        return super().info(path, **options)

    def cat_file(self, path, *arguments, **options):
        data = super().cat_file(path, *arguments, **options)
        self.after_a_file(self)
        return data

    def _open(self, path, *arguments, **options):
        self._fail()
        return super()._open(path, *arguments, **options)

    def _fail(self):
        error = type(self)._error
        if error is not None:
            raise error


fsspec.register_implementation("shaky", ShakyStore, clobber=True)
