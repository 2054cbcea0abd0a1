"""A preprocessor's graphs as they are kept on disk, run by TensorFlow's C library."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.encoder.tensorflow_library import SavedModelSession, Signature
from pipelines.encoder.token_graphs import INPUT_NAMES, Packed

# Beside the SavedModel: what its signatures' tensors are called, and the size of the vocabulary.
DESCRIPTION = "encorpus.json"


class SavedTokenGraphs:
    """TokenGraphs out of a folder that `PreprocessorGraphs.save` has filled."""

    in_calling_thread = True

    def __init__(self, folder: Path, threads: int | None) -> None:
        """threads: of the CPU, None for all. Raises TensorFlowLibraryError, and OSError, ValueError, KeyError or
        TypeError for a folder that is damaged."""
        told = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        self.vocabulary: int | None = told["vocabulary"]
        signatures = {name: Signature(**signature) for name, signature in told["signatures"].items()}
        self._run = SavedModelSession(folder, signatures, threads)

    def of_texts(self, texts: Sequence[bytes], max_tokens: int) -> tuple[Packed, np.ndarray]:
        """As TokenGraphs.of_texts."""
        results = self._run("of_texts", {"texts": texts, "max_tokens": np.array(max_tokens, np.int32)})
        return _packed(results), results["counts"]

    def ids(self, texts: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """As TokenGraphs.ids."""
        results = self._run("ids", {"texts": texts})
        return results["ids"], results["counts"]

    def pack(self, ids: np.ndarray, counts: np.ndarray, max_tokens: int) -> Packed:
        """As TokenGraphs.pack."""
        arguments = {"ids": ids, "counts": counts, "max_tokens": np.array(max_tokens, np.int32)}
        return _packed(self._run("pack", arguments))


def _packed(results: dict[str, np.ndarray]) -> Packed:
    word_ids, mask, type_ids = (results[name] for name in INPUT_NAMES)
    return word_ids, mask, type_ids
