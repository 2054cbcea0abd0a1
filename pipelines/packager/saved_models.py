"""Writes a checkpoint as SavedModels in the TF-Hub encoder format, with the preprocessor beside the encoder."""

import json
import tempfile
from pathlib import Path
from typing import Any

import tensorflow as tf

from pipelines.encoder.bert_preprocessor import BertPreprocessor
from pipelines.encoder.recommendation import RECOMMENDATION_FILE
from pipelines.encoder.token_graphs import INPUT_NAMES
from pipelines.errors import StorageError
from pipelines.packager.checkpoint import Checkpoint
from pipelines.packager.transformer_encoder import TransformerEncoder

PREPROCESSOR_FOLDER = "preprocess"


def write_saved_models(checkpoint: Checkpoint, target: Path) -> None:
    """Writes the encoder to `target`, its preprocessor and recommendations inside; all of it or nothing.

    `target` is missing or an empty folder. Raises StorageError when it cannot be written.
    """
    preprocessor = BertPreprocessor(str(checkpoint.vocab_file), checkpoint.do_lower_case)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent) as scratch:
            built = Path(scratch) / target.name
            _save_encoder(checkpoint, built)
            _save_preprocessor(preprocessor, built / PREPROCESSOR_FOLDER)
            recommended = json.dumps(recommendations(checkpoint), indent=2) + "\n"
            (built / RECOMMENDATION_FILE).write_text(recommended, encoding="utf-8")
            built.rename(target)
    except (OSError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0]
        raise StorageError(f"{target} cannot be written: {reason}") from error


def recommendations(checkpoint: Checkpoint) -> dict[str, Any]:
    """What `encorpus.json` says; pooling, normalize and max_tokens only where the source recommends them."""
    architecture = checkpoint.architecture
    recommended = {
        "pooling": checkpoint.pooling,
        "normalize": checkpoint.normalize,
        "max_tokens": checkpoint.max_tokens,
    }
    return {
        "preprocessor": PREPROCESSOR_FOLDER,
        **{name: value for name, value in recommended.items() if value is not None},
        "source": checkpoint.source,
        "architecture": architecture.family,
        "layers": architecture.layers,
        "width": architecture.width,
        "heads": architecture.heads,
        "vocabulary": architecture.vocabulary,
        "positions": architecture.positions,
    }


def _save_encoder(checkpoint: Checkpoint, folder: Path) -> None:
    encoder = TransformerEncoder(checkpoint.architecture, checkpoint.weights)
    call: Any = encoder.__call__
    spec = {name: tf.TensorSpec([None, None], tf.int32, name=name) for name in INPUT_NAMES}
    for training in (True, False):
        call.get_concrete_function(spec, training=training)

    @tf.function(input_signature=[spec[name] for name in INPUT_NAMES])
    def serve(input_word_ids: tf.Tensor, input_mask: tf.Tensor, input_type_ids: tf.Tensor) -> dict[str, tf.Tensor]:
        values = (input_word_ids, input_mask, input_type_ids)
        outputs = call(dict(zip(INPUT_NAMES, values, strict=True)), training=False)
        layers = outputs.pop("encoder_outputs")
        return outputs | {f"encoder_outputs_{layer}": output for layer, output in enumerate(layers)}

    # Only attributes that are tracked objects survive saving, and a tf.Module's variables are properties: so the
    # encoder is saved under a plain object with the attributes that hub.KerasLayer and the tokenisers look for.
    root: Any = tf.train.Checkpoint()
    root.__call__ = call
    root.do_lower_case = tf.Variable(tf.constant(checkpoint.do_lower_case), trainable=False, name="do_lower_case")
    root.trainable_variables = list(encoder.weights.values())
    root.variables = [*root.trainable_variables, root.do_lower_case]
    root.regularization_losses = []
    root.vocab_file = tf.saved_model.Asset(str(checkpoint.vocab_file))
    tf.saved_model.save(root, str(folder), signatures={"serving_default": serve})


def _save_preprocessor(preprocessor: BertPreprocessor, folder: Path) -> None:
    # The calls that the loaded object will answer: one or two segments, of tokens or of words' pieces, any length.
    pack: Any = preprocessor.bert_pack_inputs.__call__
    seq_length = tf.TensorSpec([], tf.int32, name="seq_length")
    for rank in (2, 3):
        segment = tf.RaggedTensorSpec([None] * rank, tf.int32)
        for segments in ([segment], [segment, segment]):
            pack.get_concrete_function(segments, seq_length=seq_length)
    tf.saved_model.save(preprocessor, str(folder), signatures={"serving_default": preprocessor.__call__})
