"""What a job does with its storage, tried against a real S3 server behind a proxy that denies, and on disk."""

import pytest

from cluster.doctor.storage_rights import (
    check_input,
    check_listable,
    check_output,
    check_readable,
    check_shared,
    check_writable,
    shared_marker,
)
from pipelines.errors import StorageError
from pipelines.output.layout import Output
from pipelines.storage import Storage
from tests.s3_server import NO_WAIT, free_port, new_bucket, storage_at

HERE = Storage()


@pytest.fixture
def bucket(s3):
    return new_bucket(s3)


def told(findings):
    return [(finding.level.value, finding.found) for finding in findings]


def test_an_output_that_all_can_be_done_with_is_fine_and_empty_afterwards(s3, bucket):
    assert told(check_writable(f"{bucket}/out", s3)) == [
        ("ok", f"{bucket}/out: can be written, read, overwritten, deleted")
    ]
    assert s3.names(f"{bucket}/out") == []


def test_an_input_that_can_be_listed_gives_a_file_which_can_be_read(s3, bucket):
    s3.write_atomic(f"{bucket}/in/a.jsonl", b"{}")
    found = check_input(f"{bucket}/in", s3)
    assert (found.finding.level, found.first) == ("ok", f"{bucket}/in/a.jsonl")
    assert told(check_readable(f"{bucket}/in/a.jsonl", s3)) == [("ok", f"{bucket}/in/a.jsonl: can be read")]


def test_an_input_with_nothing_in_it_is_a_failure(s3, bucket):
    found = check_input(f"{bucket}/in", s3)
    assert (found.finding.level, found.first) == ("FAILURE", None)


@pytest.mark.parametrize(("method", "right"), [("PUT", "s3:PutObject"), ("DELETE", "s3:DeleteObject")])
def test_a_right_to_the_output_that_is_missing_is_named_as_s3_names_it(faulty, s3, bucket, method, right):
    storage, proxy = faulty
    proxy.denied = {method}
    findings = list(check_writable(f"{bucket}/out", storage))
    assert [finding.level for finding in findings] == ["FAILURE"]
    assert f"the right {right} is missing, says AccessDenied" in findings[0].found


def test_a_probe_that_cannot_be_deleted_is_no_shard_and_told_by_its_name(faulty, s3, bucket):
    storage, proxy = faulty
    proxy.denied = {"DELETE"}
    (finding,) = check_writable(f"{bucket}/out", storage)
    (left,) = s3.names(f"{bucket}/out")
    assert finding.advice.endswith(f"then delete {bucket}/out/{left}")
    assert Output(f"{bucket}/out", s3).listing().strangers == ()


@pytest.mark.parametrize("check", [check_readable, check_listable])
def test_a_right_to_read_that_is_missing_is_named(faulty, bucket, check):
    storage, proxy = faulty
    proxy.denied = {"GET", "HEAD"}
    (finding,) = check(f"{bucket}/in", storage)
    right = "s3:GetObject" if check is check_readable else "s3:ListBucket"
    assert f"the right {right} is missing" in finding.found


def test_a_store_that_is_not_there_is_told_once():
    nowhere = storage_at(f"http://127.0.0.1:{free_port()}")
    findings = list(check_writable("s3://bucket/out", Storage(nowhere.options, NO_WAIT)))
    assert [finding.level for finding in findings] == ["FAILURE"]
    assert "cannot write" in findings[0].found


def test_a_local_output_is_not_made_by_looking(tmp_path):
    assert told(check_writable(str(tmp_path / "deep" / "out"), HERE))[0][0] == "ok"
    assert list(tmp_path.iterdir()) == []


def test_what_is_in_a_local_output_stays(tmp_path):
    (tmp_path / "part-000000-000000.parquet").write_bytes(b"shard")
    assert told(check_writable(str(tmp_path), HERE))[0][0] == "ok"
    assert [path.name for path in tmp_path.iterdir()] == ["part-000000-000000.parquet"]


def test_an_output_that_is_no_folder_is_a_failure(tmp_path):
    (tmp_path / "file").write_text("")
    (finding,) = check_writable(str(tmp_path / "file" / "out"), HERE)
    assert finding.level == "FAILURE"


def test_an_output_that_another_machine_sees_too_needs_no_word(s3, bucket):
    with shared_marker(f"{bucket}/out", s3, []) as marker:
        assert marker is not None
        assert told(check_shared(f"{bucket}/out", marker, s3)) == []
    assert s3.names(f"{bucket}/out") == []


def test_an_output_of_this_machine_alone_is_a_failure(tmp_path):
    (finding,) = check_shared("/out", str(tmp_path / "marker"), HERE)
    assert finding.level == "FAILURE"


def test_a_marker_that_cannot_be_written_is_none(faulty, bucket):
    storage, proxy = faulty
    proxy.denied = {"PUT"}
    with shared_marker(f"{bucket}/out", storage, []) as marker:
        assert marker is None


def test_a_place_that_no_store_knows_has_no_marker():
    with shared_marker("nope://b/out", HERE, []) as marker:
        assert marker is None


def test_a_marker_that_cannot_be_deleted_is_told_by_its_name_and_what_was_found_stays(faulty, bucket):
    storage, proxy = faulty
    proxy.denied = {"DELETE"}
    findings = []
    with shared_marker(f"{bucket}/out", storage, findings) as marker:
        pass
    (finding,) = findings
    assert (finding.level, "the right s3:DeleteObject is missing" in finding.found) == ("FAILURE", True)
    assert finding.advice.endswith(f"; then delete {marker}")


def test_a_right_to_read_the_output_that_is_missing_is_named_once_and_writing_is_tried(faulty, s3, bucket):
    storage, proxy = faulty
    s3.write_atomic(f"{bucket}/out/marker", b"of another machine")
    proxy.denied = {"GET", "HEAD"}
    (finding,) = check_output(f"{bucket}/out", f"{bucket}/out/marker", storage)
    assert "the right s3:GetObject is missing, says AccessDenied" in finding.found
    assert proxy.requests["PUT"] > 0


def test_the_marker_of_a_run_that_fails_is_taken_away(s3, bucket):
    with pytest.raises(StorageError), shared_marker(f"{bucket}/out", s3, []):
        raise StorageError("of the work")
    assert s3.names(f"{bucket}/out") == []
