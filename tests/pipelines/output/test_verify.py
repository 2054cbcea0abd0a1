"""Verify: a healthy output has no violation, and whatever is done to one is found and said in one line."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.corpus.plan import Columns, plan_from_bytes, plan_to_bytes
from pipelines.errors import StorageError, UsageError
from pipelines.output.layout import Output
from pipelines.output.verify import verify
from pipelines.storage import Storage
from tests.pipelines.output.corruption import (
    copy_of,
    edit_json,
    flip,
    rejects,
    rewrite,
    rewrite_rejects,
    shard,
    swap,
)
from tests.pipelines.output.fake_job import FakeJob, mixed_corpus, output_in, texts_of, write_json_lines, write_parquet

# Units of the mixed corpus: a.parquet is cut, with a reject in its third slice; c.jsonl.gz is streamed.
CUT, OTHER_CUT, WITH_REJECTS = "part-000000-000000", "part-000000-000001", "part-000000-000002"
BYTES = "part-000001-000000"
STREAM, STREAM_NEXT, STREAM_END = "part-000002-000000", "part-000002-000001", "part-000002-000003"


@pytest.fixture(scope="module")
def healthy(tmp_path_factory) -> FakeJob:
    folder = tmp_path_factory.mktemp("verify")
    job = FakeJob(mixed_corpus(folder / "corpus"), output_in(folder))
    job.run()
    return job


@pytest.fixture
def output(healthy, tmp_path: Path) -> Output:
    return copy_of(healthy.output, tmp_path)


def lines(output: Output) -> list[str]:
    found = [str(violation) for violation in verify(output).violations]
    assert all("\n" not in line for line in found)
    return found


def assert_found(output: Output, where: str, what: str) -> None:
    found = lines(output)
    assert any(line.startswith(where) and what in line for line in found), found


# Healthy outputs.


def test_a_healthy_output_has_no_violation(healthy):
    assert verify(healthy.output).violations == ()


@pytest.mark.parametrize("changes", [{"dtype": "float16"}, {"pooling": "sequence"}], ids=["float16", "sequence"])
def test_every_kind_of_embedding_is_proven(healthy, tmp_path, changes):
    job = replace(healthy, output=output_in(tmp_path), **changes)
    job.run()
    assert verify(job.output).violations == ()


def test_own_ids_and_kept_columns_of_any_type_are_proven(tmp_path):
    kept = {
        "tags": pa.array([["a"], [], None, ["b", "c"]] * 5),
        "when": pa.array([0, 1, None, 3] * 5, pa.timestamp("s")),
        "where": pa.array([{"x": 1.0}, None, {"x": float("nan")}, {"x": 2.0}] * 5),
        "kind": pa.array(["one", "two", None, "one"] * 5).dictionary_encode(),
    }
    corpus = write_parquet(tmp_path / "a.parquet", texts_of("a", 20), key=["not unique"] * 20, **kept)
    job = FakeJob((corpus,), output_in(tmp_path), columns=Columns("text", "key", tuple(kept)))
    job.run()
    assert verify(job.output, with_input=True).violations == ()


def test_an_output_in_an_object_store_is_proven(healthy):
    job = replace(healthy, output=Output("memory://verify/out", Storage()))
    job.run()
    assert verify(job.output).violations == ()


def test_it_tells_what_it_looked_at(healthy):
    found = verify(healthy.output)
    shards = list(Path(healthy.output.uri).glob("part-*"))
    assert (found.shards, found.bytes) == (len(shards), sum(path.stat().st_size for path in shards))


def test_what_a_killed_run_leaves_is_no_violation(output):
    (Path(output.uri) / ".part-000000-000000.parquet.123.tmp").write_bytes(b"half")
    assert lines(output) == []


def test_rejects_of_a_unit_that_is_missing_anyway_are_no_violation_of_their_own(output):
    shard(output, WITH_REJECTS).unlink()
    Path(output.manifest_uri).unlink()
    assert [line.partition(":")[0] for line in lines(output)] == ["the output"]


def test_what_is_no_output_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="not an output of encorpus embed"):
        verify(output_in(tmp_path))


@pytest.mark.parametrize("name", ["plan_uri", "job_uri"])
def test_a_damaged_plan_or_job_is_one_clear_line(output, name):
    Path(getattr(output, name)).write_bytes(b"damaged")
    with pytest.raises(StorageError, match="not a"):
        verify(output)


# Unfinished outputs.


def test_an_unfinished_output_is_one_line_with_what_to_do(healthy, tmp_path):
    job = replace(healthy, output=output_in(tmp_path))
    job.run(most=2)
    [line] = lines(job.output)
    assert line.startswith("the output: 6 units without a shard (part-000000-000002, part-000000-000003, ")
    assert "3 streamed files not finished" in line
    assert line.endswith("; run the same embed command again to finish")


def test_a_lost_shard_is_found(output):
    shard(output, CUT).unlink()
    assert_found(output, "the output", f"1 unit without a shard ({CUT})")
    assert_found(output, "_encorpus/manifest.json", f"lists {CUT}, which is not there")


@pytest.mark.parametrize("name", [STREAM, STREAM_NEXT, STREAM_END])
def test_a_lost_slice_of_a_stream_is_found(output, name):
    shard(output, name).unlink()
    Path(output.manifest_uri).unlink()
    assert_found(output, "the output", "1 streamed file not finished")


def test_a_missing_manifest_is_found(output):
    Path(output.manifest_uri).unlink()
    assert lines(output) == [
        "_encorpus/manifest.json: missing, though every unit has its shard; "
        "run the same embed command again to write it"
    ]


# Damaged shards.


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_flipped_bit_of_any_shard_is_found(healthy, tmp_path_factory, data):
    name = data.draw(st.sampled_from(sorted(path.stem for path in Path(healthy.output.uri).glob("part-*"))))
    output = copy_of(healthy.output, tmp_path_factory.mktemp("flip"))
    path = shard(output, name)
    flip(path, data.draw(st.integers(0, path.stat().st_size - 1)), data.draw(st.integers(0, 7)))
    [violation] = verify(output).violations
    assert violation.where == f"{name}.parquet"
    shutil.rmtree(output.uri)


@pytest.mark.parametrize("length", [0, 3, 8, 500, -1])
def test_a_cut_shard_is_found(output, length):
    path = shard(output, CUT)
    path.write_bytes(path.read_bytes()[:length])
    assert_found(output, CUT, "delete it and run the same embed command again")


def test_a_parquet_file_of_somebody_else_under_a_shards_name_is_found(output):
    pq.write_table(pa.table({"id": ["a"]}), shard(output, CUT))
    assert_found(output, CUT, "its footer has no encorpus.checksum")


def test_two_shards_with_swapped_names_are_found(output):
    swap(shard(output, CUT), shard(output, OTHER_CUT))
    assert_found(output, CUT, f"its footer says that it is {OTHER_CUT}")
    assert_found(output, OTHER_CUT, f"its footer says that it is {CUT}")


# Shards that are whole, and wrong.


def test_a_doubled_row_is_found(output):
    rewrite(output, CUT, lambda table: pa.concat_tables([table, table.slice(0, 1)]))
    assert_found(output, CUT, "its ids do not ascend, each once, from 0 to 8")
    assert_found(output, CUT, "9 documents and 0 rejects do not make up the 8 rows that its slice has")


def test_a_doubled_row_in_place_of_another_is_found(output):
    rewrite(output, CUT, lambda table: pa.concat_tables([table.slice(0, 1), table.slice(0, table.num_rows - 1)]))
    assert_found(output, CUT, "its ids do not ascend")


def test_a_lost_row_is_found(output):
    rewrite(output, CUT, lambda table: table.slice(1))
    assert_found(output, CUT, "7 documents and 0 rejects do not make up the 8 rows")


def test_reordered_rows_are_found(output):
    rewrite(output, BYTES, lambda table: table.take(list(range(table.num_rows))[::-1]))
    assert_found(output, BYTES, "its ids do not ascend")


def test_rows_of_another_slice_are_found(output):
    other = pq.read_table(shard(output, OTHER_CUT)).replace_schema_metadata(None)
    rewrite(output, CUT, lambda table: other.slice(0, 8))
    assert_found(output, CUT, "its ids do not ascend, each once, from 0 to 8: rows were moved or doubled")


def test_ids_of_another_file_are_found(output):
    other = pq.read_table(shard(output, BYTES)).replace_schema_metadata(None)
    rewrite(output, CUT, lambda table: other.slice(0, 8))
    assert_found(output, CUT, "not made from its file's number")


def test_an_id_that_is_null_is_found(output):
    rewrite(output, CUT, lambda table: table.set_column(0, "id", pa.nulls(table.num_rows, pa.string())))
    assert_found(output, CUT, "8 of its ids are null")


def test_a_rewritten_shard_differs_from_the_manifest(output):
    rewrite(output, CUT, lambda table: table.set_column(1, "tokens", pa.array(range(8), pa.int32())))
    assert_found(output, "_encorpus/manifest.json", f"says of {CUT} otherwise than its footer: tokens")


@pytest.mark.parametrize(
    ("column", "values", "what"),
    [
        ("tokens", pa.array(range(8), pa.int64()), "its columns are id string, tokens int64"),
        ("embedding", pa.FixedSizeListArray.from_arrays(pa.array(np.ones(32, np.float32)), 4), "its columns are"),
        ("embedding", pa.FixedSizeListArray.from_arrays(pa.array(np.ones(64, np.float16)), 8), "halffloat"),
    ],
    ids=["type of a column", "nullable vectors", "dtype of the vectors"],
)
def test_another_schema_is_found(output, column, values, what):
    rewrite(output, CUT, lambda table: table.set_column(table.schema.get_field_index(column), column, values))
    assert_found(output, CUT, what)


def test_vectors_of_another_length_are_found(output):
    number = pa.field("element", pa.float32(), nullable=False)
    short = pa.FixedSizeListArray.from_arrays(pa.array(np.ones(32, np.float32)), type=pa.list_(number, 4))
    rewrite(output, CUT, lambda table: table.set_column(3, "embedding", short))
    assert_found(output, CUT, "its footer gives 8 numbers to a vector, its embedding column 4 to a stored one")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"fingerprint": "0" * 64}, "its vectors are of another encoder"),
        ({"version": "older"}, "(version older), not from"),
        ({"file": "elsewhere.parquet"}, "made from elsewhere.parquet"),
        ({"unit": OTHER_CUT}, f"its footer says that it is {OTHER_CUT}"),
        ({"stop": 9}, "covers 0 to 9, where 0 to 8 was planned"),
        ({"start": 99}, "covers 99 to 8, which is no range"),
        ({"last": True}, "says that it is its file's last slice, against the plan"),
        ({"rows": 7}, "holds 8 rows, its footer says 7"),
        ({"tokens": 1}, "its tokens add up to 40, its footer says 1"),
        ({"truncated": 5}, "its truncated add up to 0, its footer says 5"),
        ({"rejects": 1}, "missing, with 1 rows"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_footer_that_says_something_else_is_found(output, change, what):
    rewrite(output, CUT, info=lambda info: replace(info, **change))
    found = lines(output)
    assert any(what in line for line in found), found


# Streams.


def test_a_slice_after_the_last_is_found(output):
    rewrite(output, STREAM, info=lambda info: replace(info, last=True))
    assert_found(output, STREAM_NEXT, f"comes after {STREAM}, which says that it is the last slice")


def test_a_gap_between_slices_is_found(output):
    rewrite(output, STREAM_NEXT, info=lambda info: replace(info, start=info.start - 1))
    assert_found(output, STREAM_NEXT, f"where {STREAM} ends at")


def test_a_stream_that_does_not_begin_at_its_beginning_is_found(output):
    rewrite(output, STREAM, info=lambda info: replace(info, start=1))
    assert_found(output, STREAM, "begins at 1 of")


def test_a_stream_without_an_end_is_not_finished(output):
    rewrite(output, STREAM_END, info=lambda info: replace(info, last=False))
    assert_found(output, "the output", "1 streamed file not finished")


# What does not belong.


@pytest.mark.parametrize("name", ["part-000000-000099", "part-000099-000000"])
def test_a_shard_that_the_plan_does_not_know_is_found(output, name):
    shutil.copy(shard(output, CUT), shard(output, name))
    assert_found(output, name, "no unit of the plan is called so")


@pytest.mark.parametrize("name", ["part-0-0.parquet", "copy of part-000000-000000.parquet", "notes.txt"])
def test_a_file_that_is_no_shard_is_found(output, name):
    shutil.copy(shard(output, CUT), Path(output.uri) / name)
    assert_found(output, name, "not a shard of this output")


# Rejects.


def test_a_lost_rejects_file_is_found(output):
    rejects(output, WITH_REJECTS).unlink()
    assert_found(output, f"_encorpus/rejects/{WITH_REJECTS}", "missing, with 1 rows")


def test_a_rejects_file_that_is_not_due_is_found(output):
    shutil.copy(rejects(output, WITH_REJECTS), rejects(output, CUT))
    assert_found(output, f"_encorpus/rejects/{CUT}", "holds 1 rows, where the shard's footer counts 0")


def test_a_shortened_rejects_file_is_found(output):
    rewrite_rejects(output, WITH_REJECTS, lambda table: table.slice(1))
    assert_found(output, f"_encorpus/rejects/{WITH_REJECTS}", "holds 0 rows, where the shard's footer counts 1")


def test_rejects_of_another_slice_are_found(output):
    rewrite_rejects(output, WITH_REJECTS, lambda table: table.set_column(2, "row", pa.array([3], pa.int64())))
    assert_found(output, f"_encorpus/rejects/{WITH_REJECTS}", "their rows do not ascend, each once, from 17 to 26")


def test_rejects_of_another_file_are_found(output):
    rewrite_rejects(output, WITH_REJECTS, lambda table: table.set_column(1, "file", pa.array(["elsewhere"])))
    assert_found(output, f"_encorpus/rejects/{WITH_REJECTS}", "rows of other files")


def test_a_row_both_embedded_and_rejected_is_found(output):
    rewrite_rejects(output, WITH_REJECTS, lambda table: table.set_column(2, "row", pa.array([18], pa.int64())))
    assert_found(output, f"_encorpus/rejects/{WITH_REJECTS}", "1 of them are in the shard too, the first being row 18")


def test_a_rejects_file_with_other_columns_is_found(output):
    rewrite_rejects(output, WITH_REJECTS, lambda table: table.drop_columns(["reason"]))
    assert_found(output, f"_encorpus/rejects/{WITH_REJECTS}", "its columns are")


def test_a_damaged_rejects_file_is_found(output):
    flip(rejects(output, WITH_REJECTS), 40)
    assert_found(output, f"_encorpus/rejects/{WITH_REJECTS}", "not a whole rejects file")


# Manifest, job and plan.


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda plain: plain.update(rows=1), "its totals are not those of its shards: rows"),
        (lambda plain: plain.update(fingerprint="0"), "its fingerprint is 0"),
        (lambda plain: plain["shards"].pop(0), f"does not list {CUT}"),
        (lambda plain: plain["shards"].append(plain["shards"][0]), "lists some shards twice"),
        (lambda plain: plain["shards"][0].update(unit="part-000077-000000"), "lists part-000077-000000, which is not"),
        (lambda plain: plain["shards"][0].update(checksum="0"), f"says of {CUT} otherwise than its footer: checksum"),
        (lambda plain: plain["shards"][0].update(bytes=1), f"says of {CUT} otherwise than its footer: bytes"),
        (lambda plain: plain.pop("rows"), "not a manifest of encorpus"),
    ],
    ids=["total", "fingerprint", "lost", "twice", "unknown", "checksum", "bytes", "damaged"],
)
def test_an_edited_manifest_is_found(output, change, what):
    edit_json(output.manifest_uri, change)
    assert_found(output, "_encorpus/manifest.json", what)


def test_a_shard_that_was_written_once_more_is_found_and_a_new_manifest_is_true_of_it(healthy, tmp_path):
    job = replace(healthy, output=copy_of(healthy.output, tmp_path))
    rewrite(job.output, CUT, info=lambda info: replace(info, encorpus_version="9"))
    [line] = lines(job.output)
    assert line.startswith(f"_encorpus/manifest.json: says of {CUT} otherwise than its footer: ")
    assert line.endswith("checksum; delete it and run the same embed command again to write it anew")
    Path(job.output.manifest_uri).unlink()
    job.run()
    assert lines(job.output) == []


def test_a_job_file_of_another_encoder_is_found(output):
    edit_json(output.job_uri, lambda plain: plain.update(fingerprint="0"))
    assert_found(output, CUT, "its vectors are of another encoder")


def test_a_plan_whose_slices_do_not_cover_a_file_is_found(output):
    plan = plan_from_bytes(Path(output.plan_uri).read_bytes())
    first = replace(plan.files[0], bounds=(0, 8, 17, 26))
    Path(output.plan_uri).write_bytes(plan_to_bytes(replace(plan, files=(first, *plan.files[1:]))))
    assert_found(output, "_encorpus/plan.parquet", "do not cover that file")
    assert_found(output, "part-000000-000003", "no unit of the plan is called so")


def test_a_smaller_plan_makes_left_over_shards_violations(tmp_path):
    one = write_parquet(tmp_path / "a.parquet", texts_of("a", 40))
    two = write_json_lines(tmp_path / "b.jsonl", texts_of("b", 40))
    job = FakeJob((one, two), output_in(tmp_path))
    job.run()
    job.plan_anew(one)
    assert_found(job.output, "part-000001-000000", "left from another job; delete it")
