"""Changes to a finished output, as a broken disk, a careless hand or a defect would make them."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.output.layout import Output
from pipelines.output.seal import KEY, PLACEHOLDER, seal
from pipelines.output.shard import ShardInfo, read_info, shard_bytes


def copy_of(output: Output, folder: Path) -> Output:
    """The output, to be changed."""
    return Output(shutil.copytree(output.uri, folder / "copy").as_posix(), output.storage)


def shard(output: Output, name: str) -> Path:
    """A shard's file."""
    return Path(output.uri) / f"{name}.parquet"


def rejects(output: Output, name: str) -> Path:
    """A rejects file."""
    return Path(output.rejects_folder) / f"{name}.parquet"


def rewrite(
    output: Output,
    name: str,
    rows: Callable[[pa.Table], pa.Table] = lambda table: table,
    info: Callable[[ShardInfo], ShardInfo] = lambda info: info,
) -> None:
    """Changes a shard and seals it again, as a defect of encorpus would: its checksum is right."""
    path = shard(output, name)
    before = read_info(output.storage, str(path))
    table = rows(pq.read_table(path).replace_schema_metadata(None)).combine_chunks()
    path.write_bytes(shard_bytes(table, info(replace(before, rows=table.num_rows, **_counts(table))))[0])


def rewrite_rejects(output: Output, name: str, rows: Callable[[pa.Table], pa.Table]) -> None:
    """Changes a rejects file."""
    path = rejects(output, name)
    pq.write_table(rows(pq.read_table(path)), path)


def edit_json(path: str, change: Callable[[dict[str, Any]], Any]) -> None:
    """Changes a JSON file."""
    plain = orjson.loads(Path(path).read_bytes())
    change(plain)
    Path(path).write_bytes(orjson.dumps(plain))


def flip(path: Path, place: int, bit: int = 0) -> None:
    """Changes one bit of a file."""
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)


def edit_footer(path: Path, key: str, value: str) -> None:
    """Changes a value in a shard's footer to one that is not longer, and seals the shard again."""
    old = pq.read_metadata(path).metadata[f"encorpus.{key}".encode()]
    digits = pq.read_metadata(path).metadata[KEY.encode()]
    data = path.read_bytes().replace(old, value.encode().ljust(len(old))).replace(digits, PLACEHOLDER.encode())
    file = memoryview(bytearray(data))
    seal(file)
    path.write_bytes(file)


def swap(one: Path, other: Path) -> None:
    """Exchanges two files' contents."""
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def _counts(table: pa.Table) -> dict[str, int]:
    documents = table["chunk"].to_pylist().count(0) if "chunk" in table.schema.names else table.num_rows
    return {"documents": documents} | {
        name: int(sum(table[name].to_pylist())) for name in ("tokens", "truncated") if name in table.schema.names
    }
