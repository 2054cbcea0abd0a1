"""A served model does a job's work only where its vectors are those of the job's own encoder."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.encoder.spec import EncoderSpec, ResolvedSpec, resolve_spec
from pipelines.errors import UsageError
from pipelines.version import encorpus_version
from serving.batch.batch_call import Wanted
from serving.batch.fit import fit


@dataclass(frozen=True)
class Encoder:
    """What is asked of a served encoder before it has anything to do."""

    resolved: ResolvedSpec
    ladder: tuple[int, ...] = (64,)


@dataclass(frozen=True)
class Served:
    encoder: Encoder


@pytest.fixture
def other_preprocessor(tiny_model, tmp_path) -> Path:
    """The model's own with another file in it."""
    shutil.copytree(tiny_model / "preprocess", tmp_path / "other")
    (tmp_path / "other" / "assets" / "more.txt").touch()
    return tmp_path / "other"


def fits(served: EncoderSpec, job: EncoderSpec) -> None:
    """Raises as `fit`."""
    wanted = Wanted(job, resolve_spec(job).fingerprint, encorpus_version())
    fit({"tiny": Served(Encoder(resolve_spec(served)))}, wanted)  # pyright: ignore[reportArgumentType]


def test_the_same_model_and_preprocessor_fit(tiny_model):
    fits(EncoderSpec(str(tiny_model)), EncoderSpec(str(tiny_model), max_tokens=20))


def test_a_copy_of_the_preprocessor_that_the_model_recommends_fits(tiny_model, tmp_path):
    copy = shutil.copytree(tiny_model / "preprocess", tmp_path / "copy")
    fits(EncoderSpec(str(tiny_model), str(copy)), EncoderSpec(str(tiny_model)))


def test_a_server_of_another_preprocessor_than_the_one_the_model_recommends_does_not_fit(
    tiny_model, other_preprocessor
):
    with pytest.raises(UsageError, match="tiny: the files of model or preprocessor are others"):
        fits(EncoderSpec(str(tiny_model), str(other_preprocessor)), EncoderSpec(str(tiny_model)))


def test_another_pooling_does_not_fit(tiny_model):
    with pytest.raises(UsageError, match="tiny: pooling is cls, not mean"):
        fits(EncoderSpec(str(tiny_model), pooling="cls"), EncoderSpec(str(tiny_model), pooling="mean"))
