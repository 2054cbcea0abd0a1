"""Before the work: what is missing is found, what a killed run left is swept, and what does not fit is refused."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.corpus.plan import plan_from_bytes
from pipelines.errors import EncorpusError, InputChangedError, StorageError, UsageError
from pipelines.job import shard_rows
from pipelines.job.prepare import prepare
from pipelines.output.layout import Output
from pipelines.storage import Storage
from tests.pipelines.job.jobs import job_of, spec_of, texts_of, write_parquet
from tests.pipelines.output.fake_job import FakeJob
from tests.tiny_model import WIDTH, package_tiny_model


@pytest.fixture
def corpus(tmp_path):
    return write_parquet(tmp_path / "corpus" / "a.parquet", texts_of("a", 60)).parent


def commit_one(prepared) -> str:
    """Commits the job's first missing unit, with made-up vectors; gives its name."""
    unit = prepared.remaining.units[0]
    fake = FakeJob((), prepared.output, prepared.job.columns, fingerprint=prepared.resolved.fingerprint)
    fake.commit(prepared.plan, fake.rows_of(prepared.plan, unit))
    return unit.name


def test_a_fresh_output_lacks_every_unit(corpus, tiny_model, tmp_path):
    prepared = prepare(job_of(corpus, tmp_path / "out", tiny_model))
    assert (prepared.committed, [unit.slice for unit in prepared.remaining.units]) == (0, [0, 1, 2])


def test_a_committed_unit_is_not_missing(corpus, tiny_model, tmp_path):
    job = job_of(corpus, tmp_path / "out", tiny_model)
    commit_one(prepare(job))
    prepared = prepare(job)
    assert (prepared.committed, [unit.slice for unit in prepared.remaining.units]) == (1, [1, 2])


def test_relative_paths_mean_the_same_from_any_folder(corpus, tiny_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = job_of(["corpus"], "out", tiny_model)
    commit_one(prepare(job))
    monkeypatch.chdir(corpus)
    assert prepare(job_of(["."], "../out", tiny_model)).committed == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"encoder": {"pooling": "cls"}}, "pooling was mean, now cls"),
        ({"encoder": {"max_tokens": 16}}, "max-tokens was 32, now 16"),
        ({"encoder": {"dtype": "float16"}}, "dtype was float32, now float16"),
        ({"shard_rows": 30}, "shard-rows was 20, now 30"),
    ],
)
def test_another_spec_into_the_same_output_is_refused_by_what_differs(corpus, tiny_model, tmp_path, options, told):
    commit_one(prepare(job_of(corpus, tmp_path / "out", tiny_model)))
    other = {**options, "encoder": spec_of(tiny_model, **options.get("encoder", {}))}
    with pytest.raises(UsageError, match=f"made otherwise: {told}; use the same options"):
        prepare(job_of(corpus, tmp_path / "out", tiny_model, **other))


def test_another_model_is_refused_by_its_fingerprint_and_a_moved_one_is_not(corpus, tiny_model, tmp_path):
    commit_one(prepare(job_of(corpus, tmp_path / "out", tiny_model)))
    moved = tmp_path / "moved"
    subprocess.run(["cp", "-r", tiny_model, moved], check=True)
    assert prepare(job_of(corpus, tmp_path / "out", moved)).committed == 1
    other = package_tiny_model(tmp_path, seed=8)
    with pytest.raises(UsageError, match="the model or preprocessor is another one"):
        prepare(job_of(corpus, tmp_path / "out", other))


def test_rows_of_a_unit_are_those_of_the_output_unless_told_otherwise(corpus, tiny_model, tmp_path):
    commit_one(prepare(job_of(corpus, tmp_path / "out", tiny_model, shard_rows=30)))
    prepared = prepare(job_of(corpus, tmp_path / "out", tiny_model, shard_rows=None))
    assert (prepared.plan.shard_rows, prepared.committed, len(prepared.remaining.units)) == (30, 1, 1)


def test_a_changed_input_is_refused(corpus, tiny_model, tmp_path):
    job = job_of(corpus, tmp_path / "out", tiny_model)
    commit_one(prepare(job))
    write_parquet(corpus / "a.parquet", texts_of("b", 60))
    with pytest.raises(
        InputChangedError, match=r"a.parquet has changed since the plan was made; restore the input, or run"
    ):
        prepare(job)


def test_an_output_without_shards_is_planned_anew(corpus, tiny_model, tmp_path):
    prepare(job_of(corpus, tmp_path / "out", tiny_model, shard_rows=30))
    write_parquet(corpus / "a.parquet", texts_of("b", 90))
    assert len(prepare(job_of(corpus, tmp_path / "out", tiny_model, shard_rows=None)).remaining.units) == 3


@pytest.mark.parametrize("name", ["job.json", "plan.parquet"])
def test_shards_without_job_or_plan_are_left_alone(corpus, tiny_model, tmp_path, name):
    job = job_of(corpus, tmp_path / "out", tiny_model)
    commit_one(prepare(job))
    (tmp_path / "out" / "_encorpus" / name).unlink()
    with pytest.raises(
        UsageError, match=r"out: not an output of encorpus embed: it has no _encorpus/job\.json or plan"
    ):
        prepare(job)


def test_a_damaged_plan_is_one_clear_line(corpus, tiny_model, tmp_path):
    job = job_of(corpus, tmp_path / "out", tiny_model)
    commit_one(prepare(job))
    (tmp_path / "out" / "_encorpus" / "plan.parquet").write_bytes(b"PAR1")
    with pytest.raises(StorageError, match=r"plan\.parquet: not a plan of encorpus; put the right one back"):
        prepare(job)


def test_a_plan_that_another_run_changes_meanwhile_is_not_overwritten(corpus, tiny_model, tmp_path):
    job = job_of(corpus, tmp_path / "out", tiny_model)
    commit_one(prepare(job))

    @dataclass(frozen=True)
    class SlowStorage(Storage):
        """While this run looks at the new file, another one adds a file of its own."""

        def open(self, uri):
            if uri.endswith("c.parquet"):
                prepare(job_of([corpus / "a.parquet", tmp_path / "b.parquet"], tmp_path / "out", tiny_model))
            return super().open(uri)

    for name in "bc":
        write_parquet(tmp_path / f"{name}.parquet", texts_of(name, 20))
    late = job_of([corpus, tmp_path / "c.parquet"], tmp_path / "out", tiny_model, storage=SlowStorage())
    with pytest.raises(EncorpusError, match=r"plan\.parquet: another run has changed it; run the same command again"):
        prepare(late)
    plan = plan_from_bytes((tmp_path / "out" / "_encorpus" / "plan.parquet").read_bytes())
    assert [Path(file.uri).name for file in plan.files] == ["a.parquet", "b.parquet"]


@pytest.mark.parametrize("given", ["{corpus}", "{corpus}/**/*.parquet", "{corpus}/o*", "{link}", "{link}/*/*.parquet"])
@pytest.mark.parametrize("output", ["{corpus}/out", "{link}/out"])
def test_an_output_inside_the_input_is_refused(corpus, tiny_model, tmp_path, given, output):
    places = {"corpus": corpus, "link": tmp_path / "link"}
    places["link"].symlink_to(corpus)
    given, output = given.format(**places), output.format(**places)
    told = re.escape(f"-o {output}: lies inside the input {given}; choose a folder beside it")
    with pytest.raises(UsageError, match=told):
        prepare(job_of([given], output, tiny_model))


def test_an_output_that_the_input_passes_over_may_lie_inside(corpus, tiny_model):
    job = job_of(corpus, corpus / "_out", tiny_model)
    commit_one(prepare(job))
    assert prepare(job).committed == 1


def test_shards_that_links_in_the_input_lead_to_are_not_taken_for_input(corpus, tiny_model, tmp_path):
    job = job_of(corpus, tmp_path / "elsewhere" / "out", tiny_model)
    commit_one(prepare(job))
    (corpus / "more").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=r"the input has files of the output, such as .*part-000000-000000\.parquet"):
        prepare(job)


def test_a_folder_with_files_of_others_is_refused(corpus, tiny_model, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"out: holds notes\.txt, which is no shard; move it away, or choose another"):
        prepare(job_of(corpus, tmp_path / "out", tiny_model))


def test_rejects_of_a_unit_that_another_run_is_committing_are_left_alone(corpus, tiny_model, tmp_path):
    job = job_of(corpus, tmp_path / "out", tiny_model)
    commit_one(prepare(job))
    other = "part-000000-000002.parquet"
    Storage().write_atomic(str(tmp_path / "out" / "_encorpus" / "rejects" / other), b"rejects")
    prepare(job)
    assert (tmp_path / "out" / "_encorpus" / "rejects" / other).exists()


@pytest.mark.parametrize(("pooling", "gpus", "rows"), [("mean", 0, 1000), ("mean", 1, 50_000), ("sequence", 1, 250)])
def test_units_are_as_large_as_the_device_and_the_vectors_allow(corpus, tiny_model, tmp_path, pooling, gpus, rows):
    encoder = spec_of(tiny_model, pooling=pooling)
    job = job_of(corpus, tmp_path / "out", tiny_model, encoder=encoder, shard_rows=None, gpus_per_worker=gpus)
    assert prepare(job).plan.shard_rows == rows


def test_units_with_a_vector_a_token_are_as_large_as_a_shard_may_be(corpus, tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(shard_rows, "SEQUENCE_SHARD_BYTES", 10 * 32 * WIDTH * 4)
    job = job_of(corpus, tmp_path / "out", tiny_model, encoder=spec_of(tiny_model, pooling="sequence"), shard_rows=None)
    assert prepare(job).plan.shard_rows == 10


@pytest.mark.parametrize("gpus", [-1, 1.5])
def test_parts_of_gpus_that_cannot_be_are_refused(corpus, tiny_model, tmp_path, gpus):
    with pytest.raises(UsageError, match=f"--gpus-per-worker {gpus}: a whole number, or a part below 1, is needed"):
        job_of(corpus, tmp_path / "out", tiny_model, gpus_per_worker=gpus)


def test_what_a_killed_run_left_is_swept_and_what_lives_is_not(corpus, tiny_model, tmp_path):
    job = job_of(corpus, tmp_path / "out", tiny_model)
    committed = commit_one(prepare(job))
    output = Output(str(tmp_path / "out"), Storage())
    write_half_a_file(tmp_path / "out" / "part-000000-000001.parquet")
    for unit in (committed, "part-000007-000001"):
        Storage().write_atomic(f"{output.rejects_folder}/{unit}.parquet", b"rejects")
    prepare(job)
    assert [path.name for path in (tmp_path / "out").iterdir() if path.is_file()] == [f"{committed}.parquet"]
    assert Storage().names(output.rejects_folder) == [f"{committed}.parquet"]


def write_half_a_file(path) -> None:
    """A process that is killed while it writes there."""
    script = (
        "import os, signal, sys, pathlib\n"
        "from pipelines import local_files\n"
        "local_files.os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)\n"
        "local_files.write_atomic(pathlib.Path(sys.argv[1]), b'half')\n"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert [child for child in path.parent.iterdir() if child.name.startswith(f".{path.name}")]
