"""The manifest: what it says of the shards, and that it is the same however the job came to its end."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.corpus.plan import Plan, plan_digest, plan_to_bytes
from pipelines.errors import EncorpusError, StorageError
from pipelines.output.manifest import load_manifest, make_manifest, write_manifest
from tests.pipelines.output.corruption import edit_json
from tests.pipelines.output.fake_job import FINGERPRINT, FakeJob, mixed_corpus, output_in, texts_of, write_parquet


def test_totals_are_sums_over_the_shards(tmp_path: Path):
    job = FakeJob((write_parquet(tmp_path / "a.parquet", [*texts_of("a", 24), None]),), output_in(tmp_path))
    job.run()
    manifest = load_manifest(job.output)
    assert manifest is not None
    assert (manifest.units, manifest.rows, manifest.rejects) == (2, 24, 1)
    assert manifest.bytes == sum(path.stat().st_size for path in Path(job.output.uri).glob("part-*"))
    assert manifest.norm_min == pytest.approx(1)
    assert manifest.fingerprint == FINGERPRINT


def test_shards_stand_in_the_order_of_the_corpus(tmp_path: Path):
    job = FakeJob(mixed_corpus(tmp_path / "corpus"), output_in(tmp_path))
    job.run()
    manifest = load_manifest(job.output)
    assert manifest is not None
    assert [shard.unit for shard in manifest.shards] == sorted(
        path.stem for path in Path(job.output.uri).glob("part-*")
    )


def test_an_interrupted_job_ends_with_the_manifest_of_an_uninterrupted_one(tmp_path: Path):
    corpus = mixed_corpus(tmp_path / "corpus")
    once, often = (FakeJob(corpus, output_in(tmp_path / name)) for name in ("once", "often"))
    once.run()
    while load_manifest(often.output) is None:
        often.run(most=3)
    assert load_manifest(often.output) == load_manifest(once.output)


def test_the_file_has_a_line_a_shard_and_is_plain_json(tmp_path: Path):
    job = FakeJob((write_parquet(tmp_path / "a.parquet", texts_of("a", 24)),), output_in(tmp_path))
    job.run()
    text = Path(job.output.manifest_uri).read_text()
    assert sum(line.startswith('{"unit":') for line in text.splitlines()) == 2
    assert json.loads(text)["rows"] == 24


def test_an_output_without_rows_has_a_manifest_too():
    assert make_manifest("p", "f", []).rows == 0


def test_there_is_none_before_the_end(tmp_path: Path):
    assert load_manifest(output_in(tmp_path)) is None


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"shards": [{}]}'])
def test_a_damaged_one_is_one_clear_line(tmp_path: Path, content: bytes):
    output = output_in(tmp_path)
    output.storage.write_atomic(output.manifest_uri, content)
    with pytest.raises(StorageError, match=r"manifest\.json: not a manifest of encorpus; delete it"):
        load_manifest(output)


@pytest.mark.parametrize("wrong", [{"rows": "3"}, {"rejects": None}, {"tokens": 1.5}, {"plan": 7}, {"norm_min": "1"}])
def test_a_total_of_another_type_is_damage(tmp_path: Path, wrong: dict):
    assert_damaged(tmp_path, lambda plain: plain.update(wrong))


@pytest.mark.parametrize("wrong", [{"unit": 7}, {"rows": None}, {"bytes": True}, {"scale": []}, {"checksum": 1}])
def test_a_shards_figure_of_another_type_is_damage(tmp_path: Path, wrong: dict):
    assert_damaged(tmp_path, lambda plain: plain["shards"][0].update(wrong))


def assert_damaged(folder: Path, change: Callable[[dict], None]) -> None:
    """A manifest so changed is refused."""
    job = FakeJob((write_parquet(folder / "a.parquet", texts_of("a", 4)),), output_in(folder))
    job.run()
    edit_json(job.output.manifest_uri, change)
    with pytest.raises(StorageError, match=r"manifest\.json: not a manifest of encorpus; delete it"):
        load_manifest(job.output)


def manifest_again(job: FakeJob, plan: Plan) -> None:
    """Writes the manifest of an output whose shards somebody has changed."""
    write_manifest(job.output, plan, plan_digest(plan_to_bytes(plan)), job.fingerprint)


def test_a_renamed_shard_keeps_the_manifest_from_being_written(tmp_path: Path):
    job = FakeJob((write_parquet(tmp_path / "a.parquet", texts_of("a", 24)),), output_in(tmp_path))
    plan = job.run()
    first, second = sorted(Path(job.output.uri).glob("part-*"))
    second.write_bytes(first.read_bytes())
    with pytest.raises(StorageError, match=r"000001\.parquet: is part-000000-000000 by its footer, so it was renamed"):
        manifest_again(job, plan)


def test_a_shard_that_cannot_be_read_keeps_the_manifest_from_being_written(tmp_path: Path):
    job = FakeJob((write_parquet(tmp_path / "a.parquet", texts_of("a", 24)),), output_in(tmp_path))
    plan = job.run()
    (Path(job.output.uri) / "part-000000-000001.parquet").write_bytes(b"")
    with pytest.raises(StorageError, match=r"part-000000-000001\.parquet: not a whole shard"):
        manifest_again(job, plan)


def test_a_shard_of_another_file_is_not_counted(tmp_path: Path):
    mine, theirs = (write_parquet(tmp_path / f"{name}.parquet", texts_of(name, 10)) for name in "ab")
    job, other = FakeJob((mine,), output_in(tmp_path)), FakeJob((theirs,), output_in(tmp_path / "other"))
    plan = job.run()
    other.run()
    shard = "part-000000-000000.parquet"
    (tmp_path / "out" / shard).write_bytes((tmp_path / "other" / "out" / shard).read_bytes())
    with pytest.raises(EncorpusError, match=rf"{shard}: of {theirs}, so another run wrote it; delete it and run"):
        manifest_again(job, plan)


def test_a_shard_of_another_model_is_not_counted(tmp_path: Path):
    corpus = write_parquet(tmp_path / "a.parquet", texts_of("a", 24))
    plan = FakeJob((corpus,), output_in(tmp_path), fingerprint="another").run()
    job = FakeJob((corpus,), output_in(tmp_path))
    edit_json(job.output.job_uri, lambda plain: plain.update(fingerprint=job.fingerprint))
    with pytest.raises(EncorpusError, match=r"part-000000-000000\.parquet: of another model or spec"):
        manifest_again(job, plan)


def test_a_unit_that_the_plan_does_not_have_is_not_counted(tmp_path: Path):
    corpus = write_parquet(tmp_path / "a.parquet", texts_of("a", 24))
    FakeJob((corpus,), output_in(tmp_path), shard_rows=5).run()
    job = FakeJob((corpus,), output_in(tmp_path))
    with pytest.raises(EncorpusError, match=r"part-000000-000002\.parquet: no unit of the plan"):
        manifest_again(job, job.plan_anew(corpus))


def test_an_output_with_a_gap_gets_no_manifest(tmp_path: Path):
    job = FakeJob((write_parquet(tmp_path / "a.parquet", texts_of("a", 24)),), output_in(tmp_path))
    plan = job.run()
    (tmp_path / "out" / "part-000000-000000.parquet").unlink()
    with pytest.raises(EncorpusError, match="shards vanished while the job ran"):
        manifest_again(job, plan)
