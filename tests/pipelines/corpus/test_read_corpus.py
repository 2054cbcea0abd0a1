"""The corpus as a Ray Dataset."""

from pathlib import Path

from pipelines.corpus.datasource import read_corpus
from tests.pipelines.corpus.reading import json_lines, numbered, read, rejects_of, rows_of, write_gzip


def test_a_dataset_has_the_good_rows_of_all_files_and_a_block_a_task(tmp_path: Path, ray_session: None):
    (tmp_path / "a.jsonl").write_bytes(json_lines([*numbered(25), {"text": None}]))
    write_gzip(tmp_path / "b.jsonl.gz", [json_lines(numbered(15))])
    units = read(tmp_path)
    cut = {unit.unit for unit in units if unit.unit.file == 0}
    dataset = read_corpus(str(tmp_path), shard_rows=10).materialize()
    assert sorted(dataset.take_all(), key=lambda row: row["id"]) == sorted(rows_of(units), key=lambda row: row["id"])
    assert len(rejects_of(units)) == 1
    assert dataset.columns() == ["id", "row", "text"]
    assert dataset.num_blocks() == len(cut) + 1
