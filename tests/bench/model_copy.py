"""How fast a model of 388 MiB comes out of two S3 servers on this machine, beside fsspec's own copy of a folder."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import fsspec
import numpy as np

from pipelines.encoder.remote import RemoteModel
from pipelines.storage import Storage
from tests.s3_server import moto_server, new_bucket, rclone_server

MIB = 1 << 20
FILES = {
    "saved_model.pb": 8 * MIB,
    "variables/variables.data-00000-of-00001": 380 * MIB,
    "variables/variables.index": MIB // 64,
    "assets/vocab.txt": MIB // 4,
}
RUNS = 3


def by_fsspec(uri: str, storage: Storage, folder: Path) -> None:
    """As fsspec copies a folder."""
    fs, path = fsspec.core.url_to_fs(uri, **storage.options)
    fs.get(f"{path}/", f"{folder}/", recursive=True)


def by_encorpus(uri: str, storage: Storage, folder: Path) -> None:
    """As a worker does."""
    RemoteModel(uri, storage.options).copy_to(folder)


def seconds(copy: Callable[[str, Storage, Path], None], uri: str, storage: Storage) -> float:
    """Of one copy, of which each byte is counted."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        copy(uri, storage, Path(folder))
        passed = time.perf_counter() - started
        assert sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) == sum(FILES.values())
    return passed


def compare(name: str, storage: Storage) -> None:
    """Both ways, in turn."""
    uri = f"{new_bucket(storage)}/model"
    fs = fsspec.filesystem("s3", **storage.options)
    for file, size in FILES.items():
        fs.pipe_file(f"{uri}/{file}", np.random.default_rng(0).bytes(size))
    for run in range(RUNS):
        ways = (by_fsspec, by_encorpus) if run % 2 else (by_encorpus, by_fsspec)
        took = {way.__name__: seconds(way, uri, storage) for way in ways}
        each = ", ".join(f"{way} {took[way]:.1f} s" for way in sorted(took))
        print(f"{name}: {each}: {took['by_fsspec'] / took['by_encorpus']:.2f} times as fast", flush=True)


def main() -> None:
    with moto_server() as storage:
        compare("moto", storage)
    with tempfile.TemporaryDirectory() as folder, rclone_server(Path(folder)) as storage:
        compare("rclone", storage)


if __name__ == "__main__":
    main()
