"""A unit has as many rows as its device, and with a vector a token the size of a shard, allow."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.encoder.spec import EncoderSpec, ResolvedSpec
from pipelines.job.shard_rows import SEQUENCE_SHARD_BYTES, default_shard_rows, sequence_bytes

MB = 1 << 20


@pytest.mark.parametrize(("gpus", "rows"), [(0, 1000), (0.5, 50_000), (2, 50_000)])
@pytest.mark.parametrize("pooling", [None, "mean", "pooled"])
def test_with_a_vector_a_row_the_device_decides(pooling, gpus, rows):
    assert default_shard_rows(pooling, gpus) == rows


@pytest.mark.parametrize(("row_bytes", "rows"), [(1, 250), (MB, 250), (2 * MB, 128), (200 * MB, 1), (500 * MB, 1)])
def test_with_a_vector_a_token_the_bytes_of_a_full_row_decide(row_bytes, rows):
    assert default_shard_rows("sequence", 1, row_bytes) == rows


def test_without_a_model_a_wide_one_is_assumed():
    assert default_shard_rows("sequence", 0) == 128


@pytest.mark.parametrize(("dtype", "size"), [("float32", 4), ("float16", 2)])
def test_a_full_row_has_the_models_width_at_its_longest(electra_large, dtype, size):
    assert sequence_bytes(electra_large(dtype)) == 512 * 1024 * size


@pytest.mark.parametrize("dtype", ["int8", "binary"])
def test_what_is_only_stored_smaller_counts_as_it_is_encoded(tmp_path, dtype):
    (tmp_path / "saved_model.pb").write_bytes(b"nothing that tells")
    assert sequence_bytes(resolved_spec(tmp_path, dtype)) == 512 * 4096 * 4


def test_a_shard_of_a_large_model_is_no_larger_than_it_may_be(electra_large):
    resolved = electra_large("float32")
    rows = default_shard_rows("sequence", 0, sequence_bytes(resolved))
    assert rows == 128
    assert rows * sequence_bytes(resolved) == SEQUENCE_SHARD_BYTES


def test_a_model_that_does_not_tell_its_width_is_taken_for_a_wide_one(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"nothing that tells")
    assert sequence_bytes(resolved_spec(tmp_path, "float32")) == 512 * 4096 * 4


@pytest.fixture
def electra_large(tmp_path):
    """The spec of a model that is 1024 wide, for texts of 512 tokens, by dtype."""
    import tensorflow as tf

    module: Any = tf.Module()
    spec = {"input_word_ids": tf.TensorSpec([None, None], tf.int32)}

    @tf.function(input_signature=[spec])
    def call(inputs):
        return {"sequence_output": tf.zeros([*tf.unstack(tf.shape(inputs["input_word_ids"])), 1024])}

    module.__call__ = call
    tf.saved_model.save(module, str(tmp_path))
    return lambda dtype: resolved_spec(tmp_path, dtype)


def resolved_spec(folder: Path, dtype: str) -> ResolvedSpec:
    spec = EncoderSpec(str(folder), pooling="sequence", max_tokens=512, dtype=dtype)
    return ResolvedSpec(spec, "sequence", False, 512, folder, None, "f" * 64)
