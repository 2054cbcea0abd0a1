"""Limits of a machine, as findings."""

import pytest

from cluster.doctor.machine import (
    check_cores,
    check_disk,
    check_memory,
    check_open_files,
    check_shared_memory,
    memory_limit,
    open_files_limit,
)


def level(findings):
    (finding,) = findings
    return finding.level.value


@pytest.mark.parametrize(("hard", "due"), [(1024, "FAILURE"), (8192, "warning"), (65536, "ok"), (1 << 20, "ok")])
def test_open_files(hard, due):
    assert level(check_open_files(hard)) == due


def test_the_limit_of_open_files_is_read():
    assert open_files_limit() > 0


def test_shared_memory_that_is_smaller_than_the_object_store_is_a_warning(tmp_path):
    assert level(check_shared_memory(1e18, tmp_path)) == "warning"
    assert level(check_shared_memory(1.0, tmp_path)) == "ok"


def test_a_machine_without_shared_memory_is_told_so(tmp_path):
    assert level(check_shared_memory(None, tmp_path / "none")) == "warning"


def test_the_disk_of_a_folder_that_is_not_there_yet_is_looked_at(tmp_path):
    (finding,) = check_disk("cache", tmp_path / "not" / "yet")
    assert str(tmp_path / "not" / "yet") in finding.found


@pytest.mark.parametrize(
    ("usable", "believed", "due"), [(4, 8.0, "warning"), (8, 8.0, "ok"), (8, 4.0, "ok"), (8, None, "ok")]
)
def test_cores_that_ray_counts_on_and_the_container_withholds_are_a_warning(usable, believed, due):
    assert level(check_cores(usable, believed)) == due


def test_a_head_without_work_is_fine():
    (finding,) = check_cores(8, 0.0)
    assert (finding.level, finding.found) == ("ok", "8, none of them for work")


def test_more_workers_than_memory_has_room_for_is_a_warning_that_says_how_many_fit():
    (finding,) = check_memory(8_000_000_000, workers=8, model_bytes=500_000_000)
    assert (finding.level, "about 4 fit here" in finding.advice) == ("warning", True)
    assert level(check_memory(16_000_000_000, workers=8, model_bytes=500_000_000)) == "ok"


@pytest.mark.parametrize(("said", "due"), [("1000000\n", 1000000), ("max\n", memory_limit())])
def test_a_containers_limit_counts(tmp_path, said, due):
    (tmp_path / "memory.max").write_text(said)
    assert memory_limit(tmp_path / "memory.max") == due
