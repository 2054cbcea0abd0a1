"""A companion preprocessor's graphs, run by TensorFlow, which can be kept on disk.

The preprocessor's `.tokenize` and `.bert_pack_inputs` are called directly, so that the packed length is ours. Legacy
modules without a companion carry `.vocab_file` and `.do_lower_case`; from these the same two functions are built.
"""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.encoder.bert_preprocessor import BertPreprocessor
from pipelines.encoder.saved_model import load_saved_model
from pipelines.encoder.saved_token_graphs import DESCRIPTION
from pipelines.encoder.spec import ResolvedSpec
from pipelines.encoder.token_graphs import INPUT_NAMES, Packed
from pipelines.errors import ModelError, first_line

TEXTS = tf.TensorSpec([None], tf.string, "texts")
IDS, COUNTS = (tf.TensorSpec([None], tf.int32, name) for name in ("ids", "counts"))
MAX_TOKENS = tf.TensorSpec([], tf.int32, "max_tokens")


class PreprocessorGraphs:
    """TokenGraphs."""

    in_calling_thread = False

    def __init__(self, preprocessor: Any, max_tokens: int, told: str) -> None:
        """max_tokens: to which a text is packed for a trial. told: what errors call the preprocessor. Raises ModelError
        when it is none."""
        for name in ("tokenize", "bert_pack_inputs"):
            if not callable(getattr(preprocessor, name, None)):
                raise ModelError(f"{told}: not a companion preprocessor of the encoder API: it has no `{name}`")
        self._preprocessor = preprocessor
        # What `.tokenize` gives, known from when the graph is made.
        self._form: Any = None
        try:
            # Concrete, since what tf.function does before it takes as long as a fifth of a short text.
            self._of_texts = _concrete(self._tokenize_and_pack, TEXTS, MAX_TOKENS)
            self.of_texts([b""], max_tokens)
        except Exception as error:  # its functions may take or give anything
            raise ModelError(
                f"{told}: not a companion preprocessor of the encoder API: it fails on a text: {first_line(error)}"
            ) from error
        self.vocabulary = _vocabulary(preprocessor)

    @classmethod
    def of(cls, resolved: ResolvedSpec, encoder_module: Any) -> "PreprocessorGraphs":
        """Those of the companion preprocessor, or of the encoder's own vocabulary.

        Raises ModelError where there is neither.
        """
        spec, folder = resolved.spec, resolved.preprocessor_folder
        if folder is not None:
            told = f"--preprocessor {spec.preprocessor}" if spec.preprocessor else f"preprocessor {folder}"
            return cls(load_saved_model(folder), resolved.max_tokens, told)
        vocabulary = getattr(encoder_module, "vocab_file", None)
        lower_case = getattr(encoder_module, "do_lower_case", None)
        if vocabulary is None or lower_case is None:
            raise ModelError(
                f"model {spec.model}: it carries no vocabulary: name its companion preprocessor with --preprocessor"
            )
        path = bytes(vocabulary.asset_path.numpy()).decode()
        preprocessor = BertPreprocessor(path, bool(lower_case.numpy()))
        return cls(preprocessor, resolved.max_tokens, f"model {spec.model}")

    def of_texts(self, texts: Sequence[bytes], max_tokens: int) -> tuple[Packed, np.ndarray]:
        """As TokenGraphs.of_texts."""
        results = self._of_texts(tf.constant(texts, tf.string), tf.constant(max_tokens, tf.int32))
        return _packed(results), results["counts"].numpy()

    def ids(self, texts: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """As TokenGraphs.ids."""
        results = self._ids(tf.constant(texts, tf.string))
        return results["ids"].numpy(), results["counts"].numpy()

    def pack(self, ids: np.ndarray, counts: np.ndarray, max_tokens: int) -> Packed:
        """As TokenGraphs.pack."""
        return _packed(self._pack(tf.constant(ids), tf.constant(counts), tf.constant(max_tokens, tf.int32)))

    @functools.cached_property
    def _ids(self) -> Any:
        return _concrete(self._uncut, TEXTS)

    @functools.cached_property
    def _pack(self) -> Any:
        return _concrete(self._pack_rows, IDS, COUNTS, MAX_TOKENS)

    def save(self, folder: Path) -> None:
        """Writes them for `SavedTokenGraphs`. Raises what TensorFlow raises for a preprocessor it cannot save again."""
        module: Any = tf.Module()
        module.preprocessor = self._preprocessor  # whose tables are saved along
        graphs = {"of_texts": self._of_texts, "ids": self._ids, "pack": self._pack}
        tf.saved_model.save(module, str(folder), signatures=graphs)
        told = {"vocabulary": self.vocabulary, "signatures": _signatures(folder, graphs)}
        (folder / DESCRIPTION).write_text(json.dumps(told), encoding="utf-8")

    def _tokenize_and_pack(self, texts: tf.Tensor, max_tokens: tf.Tensor) -> dict[str, tf.Tensor]:
        tokens = self._preprocessor.tokenize(texts)
        self._form = tf.type_spec_from_value(tokens)
        return {**self._packed(tokens, max_tokens), "counts": tf.cast(_flat(tokens).row_lengths(), tf.int32)}

    def _uncut(self, texts: tf.Tensor) -> dict[str, tf.Tensor]:
        flat = _flat(self._preprocessor.tokenize(texts))
        return {"ids": tf.cast(flat.flat_values, tf.int32), "counts": tf.cast(flat.row_lengths(), tf.int32)}

    def _pack_rows(self, ids: tf.Tensor, counts: tf.Tensor, max_tokens: tf.Tensor) -> dict[str, tf.Tensor]:
        """Packs ids in the form in which `.tokenize` gives them, which is the one that the packer surely takes."""
        form = self._form
        ragged: Any = tf.RaggedTensor
        rows = ragged.from_row_lengths(tf.cast(ids, form.dtype), tf.cast(counts, form.row_splits_dtype))
        return self._packed(tf.expand_dims(rows, 1) if form.ragged_rank > 1 else rows, max_tokens)

    def _packed(self, tokens: tf.RaggedTensor, max_tokens: tf.Tensor) -> dict[str, tf.Tensor]:
        packed = self._preprocessor.bert_pack_inputs([tokens], seq_length=max_tokens)
        return {name: tf.cast(packed[name], tf.int32) for name in INPUT_NAMES}


def _concrete(function: Callable, *specs: tf.TensorSpec) -> Any:
    return tf.function(function, autograph=False).get_concrete_function(*specs)


def _vocabulary(preprocessor: Any) -> int | None:
    """How many ids there are, which the published preprocessors tell, and others need not."""
    try:
        return int(preprocessor.tokenize.get_special_tokens_dict()["vocab_size"])
    except Exception:  # there is no such function, or it takes or gives anything
        return None


def _flat(tokens: Any) -> Any:
    """Ragged tokens [n, tokens], from these or from [n, words, pieces]."""
    return tokens.merge_dims(1, -1) if tokens.ragged_rank > 1 else tokens


def _packed(results: Mapping[str, tf.Tensor]) -> Packed:
    word_ids, mask, type_ids = (results[name].numpy() for name in INPUT_NAMES)
    return word_ids, mask, type_ids


def _signatures(folder: Path, names: Sequence[str] | Mapping[str, Any]) -> dict[str, dict[str, dict[str, str]]]:
    """What the saved graph calls the tensors of each signature, as `Signature` has them."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel()
    saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    definitions = saved.meta_graphs[0].signature_def
    return {
        name: {
            "inputs": {argument: tensor.name for argument, tensor in definitions[name].inputs.items()},
            "outputs": {result: tensor.name for result, tensor in definitions[name].outputs.items()},
        }
        for name in names
    }
