"""A packaged model as the tests use it: where it lies, what it was made of, and how to call it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401  registers the ops of the preprocessor

from pipelines.packager.package import PackageReport

# Two models that the program behind the published encoders exported; not every machine has them.
SHARED = Path(__file__).parents[4] / "shared" / "models"


@dataclass(frozen=True)
class PackagedModel:
    """`tensors` are the source's weights under Hugging Face names without prefix."""

    folder: Path
    report: PackageReport
    config: Mapping[str, Any]
    tensors: Mapping[str, np.ndarray]

    @cached_property
    def encoder(self) -> Any:
        return tf.saved_model.load(str(self.folder))

    @cached_property
    def preprocessor(self) -> Any:
        return tf.saved_model.load(str(self.folder / "preprocess"))


def random_inputs(seed: int, lengths: list[int], padded_to: int, vocabulary: int) -> dict[str, np.ndarray]:
    """int32 encoder inputs of texts with these numbers of tokens, in the order of the keys of the encoder API."""
    random = np.random.default_rng(seed)
    shape = (len(lengths), padded_to)
    mask = (np.arange(padded_to) < np.array(lengths)[:, None]).astype(np.int32)
    return {
        "input_word_ids": random.integers(0, vocabulary, shape, np.int32) * mask,
        "input_mask": mask,
        "input_type_ids": random.integers(0, 2, shape, np.int32) * mask,
    }
