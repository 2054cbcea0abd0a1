"""The names in an output, and what a listing of it tells."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pipelines.corpus.plan import Unit
from pipelines.output.layout import Listing, Output
from pipelines.storage import Storage
from tests.pipelines.output.fake_job import output_in


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def test_an_output_that_is_not_there_holds_nothing(tmp_path: Path):
    assert output_in(tmp_path).listing() == Listing(frozenset(), ())


def test_shards_are_the_committed_units(tmp_path: Path):
    touch(tmp_path / "out", "part-000000-000003.parquet", "part-1000000-000000.parquet")
    assert output_in(tmp_path).committed() == {Unit(0, 3), Unit(1_000_000, 0)}


def test_names_that_no_unit_has_are_strangers(tmp_path: Path):
    strangers = ["notes.txt", "part-0-0.parquet", "part-000000-000000.parquet.bak", "part-0000001-000000.parquet"]
    touch(tmp_path / "out", *strangers)
    assert output_in(tmp_path).listing() == Listing(frozenset(), tuple(sorted(strangers)))


def test_internal_and_half_written_files_count_for_nothing(tmp_path: Path):
    touch(tmp_path / "out", ".part-000000-000000.parquet.1.tmp", "_SUCCESS")
    assert output_in(tmp_path).listing() == Listing(frozenset(), ())


def test_units_with_rejects_are_listed_apart(tmp_path: Path):
    output = output_in(tmp_path)
    touch(Path(output.rejects_folder), "part-000002-000001.parquet", ".part-000002-000001.parquet.1.tmp")
    assert output.rejected() == {Unit(2, 1)}
    assert output.committed() == frozenset()


@given(st.builds(Unit, st.integers(0, 10**8), st.integers(0, 10**8)))
def test_a_unit_is_found_by_the_name_that_its_shard_gets(unit: Unit):
    class OneName(Storage):
        def names(self, folder_uri: str) -> list[str]:
            return [output.shard_uri(unit).rpartition("/")[2]]

    output = Output("somewhere", OneName())
    assert output.committed() == {unit}
