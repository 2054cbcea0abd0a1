"""Storage on the local disk: what it lists, how it writes, and how its failures read."""

import errno
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.errors import StorageError, UsageError
from pipelines.storage import FileEntry, Storage

STORAGE = Storage()
NOBODY = 65534


@pytest.fixture
def not_root(tmp_path: Path) -> Iterator[None]:
    """A folder `closed` with a file `a`, and no rights to either."""
    write(tmp_path / "closed", "a")
    (tmp_path / "closed").chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    yield
    os.seteuid(user)
    (tmp_path / "closed").chmod(0o700)


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def names_below(folder: Path | str, uri: str) -> list[str]:
    return [entry.uri.split(f"{folder}/", 1)[1] for entry in STORAGE.list_files(uri)]


def test_lists_a_folder_recursively_in_order_of_names(tmp_path: Path):
    write(tmp_path, "b/2.txt", "a.txt", "b/1.txt")
    assert names_below(tmp_path, str(tmp_path)) == ["a.txt", "b/1.txt", "b/2.txt"]


def test_skips_names_that_start_with_underscore_or_dot(tmp_path: Path):
    write(tmp_path, "a.txt", "_SUCCESS", ".a.txt.crc", "_encorpus/plan.parquet", ".git/x.txt")
    assert names_below(tmp_path, str(tmp_path)) == ["a.txt"]


def test_a_file_that_may_not_be_there_is_read_or_none(tmp_path: Path):
    write(tmp_path, "a")
    assert STORAGE.read_if_there(f"{tmp_path}/a") == b"a"
    assert STORAGE.read_if_there(f"{tmp_path}/b") is None
    assert STORAGE.read_if_there(f"{tmp_path}/a/b") is None


def test_a_file_that_is_there_and_cannot_be_read_is_an_error(tmp_path: Path, not_root: None):
    with pytest.raises(StorageError, match=r"closed/a: cannot read: Permission denied"):
        STORAGE.read_if_there(f"{tmp_path}/closed/a")


def test_a_hidden_parent_of_the_folder_hides_nothing(tmp_path: Path):
    write(tmp_path, "_raw/.x/a.txt")
    assert names_below(tmp_path, f"{tmp_path}/_raw/.x") == ["_raw/.x/a.txt"]
    assert names_below(tmp_path, f"{tmp_path}/_raw/.x/*.txt") == ["_raw/.x/a.txt"]


def test_a_glob_lists_files_and_the_folders_it_matches(tmp_path: Path):
    write(tmp_path, "x1/a.txt", "x2.txt", "y.txt", "x1/_b.txt")
    assert names_below(tmp_path, f"{tmp_path}/x*") == ["x1/a.txt", "x2.txt"]


def test_a_file_whose_name_looks_like_a_glob_is_itself(tmp_path: Path):
    write(tmp_path, "a[1].txt", "a1.txt")
    assert names_below(tmp_path, f"{tmp_path}/a[1].txt") == ["a[1].txt"]


def test_a_folder_that_links_reach_again_is_read_once(tmp_path: Path):
    write(tmp_path, "d/a.txt")
    (tmp_path / "d/loop").symlink_to(tmp_path / "d")
    (tmp_path / "other").symlink_to(tmp_path / "d")
    assert names_below(tmp_path, str(tmp_path)) == ["d/a.txt"]


def test_a_dangling_link_is_not_passed_over(tmp_path: Path):
    write(tmp_path, "a.txt")
    (tmp_path / "b.txt").symlink_to(tmp_path / "gone")
    with pytest.raises(StorageError, match=r"cannot list: No such file or directory .*b\.txt"):
        STORAGE.list_files(str(tmp_path))


def test_local_uris_come_out_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, "d/a.txt")
    monkeypatch.chdir(tmp_path)
    expected = [f"{tmp_path}/d/a.txt"]
    for uri in ("d", "./d/a.txt", f"file://{tmp_path}/d", "d/*"):
        assert [entry.uri for entry in STORAGE.list_files(uri)] == expected


@pytest.mark.parametrize("uri", ["file://data/x", "file://localhost/x", "file://"])
def test_a_file_uri_without_an_absolute_path_is_refused(uri: str):
    with pytest.raises(UsageError, match=rf"^{uri}: file:// needs an absolute path, as in file:///data"):
        STORAGE.list_files(uri)


@pytest.mark.parametrize("what", ["nowhere", "empty", "*.txt"])
def test_nothing_there_is_a_usage_error_that_names_it(tmp_path: Path, what: str):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no files there") as caught:
        STORAGE.list_files(f"{tmp_path}/{what}")
    assert f"{tmp_path}/{what}" in str(caught.value)


def test_an_entry_changes_its_version_with_the_file(tmp_path: Path):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    before = STORAGE.entry(str(path))
    os.utime(path, ns=(1, 1))
    assert before is not None and before[:2] == (str(path), 3)
    assert STORAGE.entry(str(path)) == FileEntry(str(path), 3, "1")


def test_folders_and_missing_files_have_no_entry(tmp_path: Path):
    write(tmp_path, "a")
    assert STORAGE.entry(str(tmp_path)) is None
    assert STORAGE.entry(f"{tmp_path}/b") is None
    assert STORAGE.entry(f"{tmp_path}/a/b") is None
    assert not STORAGE.exists(f"{tmp_path}/b")


def test_reads_whole_ranged_and_seeking(tmp_path: Path):
    uri = f"{tmp_path}/a"
    STORAGE.write_atomic(uri, b"0123456789")
    assert STORAGE.read_bytes(uri) == b"0123456789"
    assert STORAGE.read_range(uri, 3, 5) == b"34"
    assert STORAGE.read_range(uri, 8, 50) == b"89"
    with STORAGE.open(uri) as file:
        file.seek(-2, os.SEEK_END)
        assert file.read() == b"89"


def test_names_are_those_directly_in_the_folder(tmp_path: Path):
    write(tmp_path, "b", "a", "c/d")
    assert STORAGE.names(str(tmp_path)) == ["a", "b", "c"]
    assert STORAGE.names(f"{tmp_path}/nowhere") == []


def test_a_write_makes_its_folders_and_leaves_nothing_else(tmp_path: Path):
    STORAGE.write_atomic(f"{tmp_path}/x/y/a", memoryview(b"new"))
    STORAGE.write_atomic(f"{tmp_path}/x/y/a", b"newer")
    assert STORAGE.names(f"{tmp_path}/x/y") == ["a"]
    assert STORAGE.read_bytes(f"{tmp_path}/x/y/a") == b"newer"


def test_a_failed_write_keeps_the_old_content_and_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    STORAGE.write_atomic(f"{tmp_path}/a", b"old")

    def disk_full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(StorageError, match=r"/a: cannot write: No space left on device"):
        STORAGE.write_atomic(f"{tmp_path}/a", b"new")
    assert STORAGE.names(str(tmp_path)) == ["a"]
    assert STORAGE.read_bytes(f"{tmp_path}/a") == b"old"


def test_a_file_where_a_folder_is_needed_is_one_line(tmp_path: Path):
    write(tmp_path, "a")
    for act in (
        lambda: STORAGE.write_atomic(f"{tmp_path}/a/b", b""),
        lambda: STORAGE.names(f"{tmp_path}/a"),
        lambda: STORAGE.open(f"{tmp_path}/a/b"),
        lambda: STORAGE.read_bytes(str(tmp_path)),
    ):
        with pytest.raises(StorageError) as caught:
            act()
        assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_missing_rights_are_one_line(tmp_path: Path, not_root: None):
    with pytest.raises(StorageError, match=r"/closed/a: cannot read: Permission denied"):
        STORAGE.open(f"{tmp_path}/closed/a")
    with pytest.raises(StorageError, match=r"/closed/b: cannot write: Permission denied"):
        STORAGE.write_atomic(f"{tmp_path}/closed/b", b"")
    with pytest.raises(StorageError, match=r"/closed: cannot list: Permission denied"):
        STORAGE.list_files(f"{tmp_path}/closed")


def test_a_failure_while_reading_an_open_file_is_a_storage_error(tmp_path: Path):
    write(tmp_path, "a")
    with STORAGE.open(f"{tmp_path}/a") as file, pytest.raises(StorageError, match="cannot read"):
        file.seek(-5)


def test_sweep_removes_what_dead_writers_left_and_nothing_else(tmp_path: Path):
    script = (
        "import os, sys; from pathlib import Path; from pipelines.storage import Storage;"
        "os.fsync = lambda _: os._exit(9); Storage().write_atomic(sys.argv[1], b'half')"
    )
    subprocess.run([sys.executable, "-c", script, f"{tmp_path}/shard"], check=False, cwd=Path(__file__).parents[2])
    leftover = STORAGE.names(str(tmp_path))
    assert len(leftover) == 1 and leftover[0].endswith(".tmp")
    dead = leftover[0].split(".")[-3]
    alive = leftover[0].replace(f".{dead}.", f".{os.getpid()}.")
    write(tmp_path, alive, ".other.tmp", "shard2", f"named/{leftover[0]}", f"unnamed/{leftover[0]}")
    STORAGE.sweep(str(tmp_path), f"{tmp_path}/named")
    assert STORAGE.names(str(tmp_path)) == sorted([alive, ".other.tmp", "shard2", "named", "unnamed"])
    assert [STORAGE.names(f"{tmp_path}/{folder}") for folder in ("named", "unnamed")] == [[], leftover]
    STORAGE.sweep(f"{tmp_path}/nowhere")


def test_sweep_removes_what_writers_on_other_machines_left_a_day_ago(tmp_path: Path):
    old, new = ".shard.elsewhere-7.1.0123abcd.tmp", ".shard.elsewhere-7.2.0123abcd.tmp"
    write(tmp_path, old, new)
    yesterday = time.time() - 86_500
    os.utime(tmp_path / old, (yesterday, yesterday))
    STORAGE.sweep(str(tmp_path))
    assert STORAGE.names(str(tmp_path)) == [new]


def test_delete_is_content_with_nothing_there(tmp_path: Path):
    write(tmp_path, "a")
    STORAGE.delete(f"{tmp_path}/a")
    STORAGE.delete(f"{tmp_path}/a")
    assert STORAGE.names(str(tmp_path)) == []


def test_an_unknown_scheme_is_a_usage_error():
    with pytest.raises(UsageError, match="nosuch"):
        STORAGE.list_files("nosuch://bucket/a")


def test_joins_with_single_slashes():
    assert STORAGE.join("s3://b/out/", "_encorpus", "plan.parquet") == "s3://b/out/_encorpus/plan.parquet"
    assert STORAGE.join("/", "a") == "/a"


def test_travels_to_workers():
    storage = Storage({"key": "value"})
    assert pickle.loads(pickle.dumps(storage)) == storage
