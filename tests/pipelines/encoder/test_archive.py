"""An archive gives the whole model or none."""

import io
import tarfile

import pytest

from pipelines.encoder.archive import unpack
from pipelines.errors import ModelError
from tests.pipelines.encoder.archives import archive_of


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def target(tmp_path):
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


@pytest.mark.parametrize("inside", ["", "wrapper", "saved_model.pb"])
def test_the_model_is_unpacked_with_or_without_a_folder_round_it(saved_model, target, inside):
    unpack(io.BytesIO(archive_of(saved_model, inside)), target, "a.tar.gz")
    assert contents(target) == contents(saved_model)


def test_no_flipped_bit_changes_the_model_unseen(saved_model, tmp_path):
    archive = archive_of(saved_model)
    refused = 0
    for place in range(len(archive)):
        damaged = bytearray(archive)
        damaged[place] ^= 1 << (place % 8)
        target = tmp_path / str(place)
        target.mkdir()
        try:
            unpack(io.BytesIO(damaged), target, "a.tar.gz")
        except ModelError as error:
            refused += 1
            assert "model a.tar.gz: not a whole .tar.gz archive" in str(error)
        else:
            # Some bits, such as the time in the header, are no part of the content.
            assert contents(target) == contents(saved_model)
    assert refused > 0.9 * len(archive)


@pytest.mark.parametrize("kept", [0, 5, 100, -40, -8, -1])
def test_a_truncated_archive_is_refused(saved_model, target, kept):
    with pytest.raises(ModelError, match=r"not a whole \.tar\.gz"):
        unpack(io.BytesIO(archive_of(saved_model)[:kept]), target, "a.tar.gz")


def test_an_archive_that_writes_outside_its_folder_is_refused(target):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("../escaped"), io.BytesIO())
    with pytest.raises(ModelError):
        unpack(io.BytesIO(buffer.getvalue()), target, "a.tar.gz")
    assert not (target.parent / "escaped").exists()


def test_a_failing_disk_or_network_is_no_fault_of_the_archive(saved_model, target):
    class Broken(io.BytesIO):
        def read(self, size=-1):
            raise ConnectionResetError(104, "Connection reset by peer")

    with pytest.raises(ConnectionResetError):
        unpack(Broken(), target, "a.tar.gz")
