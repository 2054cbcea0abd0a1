"""What verify asks of a store: each shard once, and little else."""

from collections import Counter
from pathlib import Path
from typing import BinaryIO

from pipelines.output.layout import Output
from pipelines.output.verify import verify
from pipelines.storage import FileEntry, Storage
from tests.pipelines.output.fake_job import FakeJob, output_in, texts_of, write_parquet


def test_verify_reads_each_shard_once_and_asks_for_nothing_else_of_it(tmp_path: Path):
    job = FakeJob((write_parquet(tmp_path / "a.parquet", [None, *texts_of("a", 39)]),), output_in(tmp_path))
    job.run()
    asked: Counter[str] = Counter()

    class Counting(Storage):
        def entry(self, uri: str) -> FileEntry | None:
            asked[f"entry {uri}"] += 1
            return super().entry(uri)

        def open(self, uri: str) -> BinaryIO:
            asked[f"open {uri}"] += 1
            return super().open(uri)

        def read_bytes(self, uri: str) -> bytes:
            asked[f"read {uri}"] += 1
            return super().read_bytes(uri)

        def names(self, folder_uri: str) -> list[str]:
            asked[f"list {folder_uri}"] += 1
            return super().names(folder_uri)

    output = Output(job.output.uri, Counting())
    assert verify(output).violations == ()
    shards = [f"read {path}" for path in Path(output.uri).glob("*.parquet")]
    state = [f"read {output.state_uri}/{name}" for name in ("job.json", "plan.parquet", "manifest.json")]
    rejects = [f"read {output.rejects_folder}/part-000000-000000.parquet"]
    assert asked == Counter([*shards, *state, *rejects, f"list {output.uri}", f"list {output.rejects_folder}"])
