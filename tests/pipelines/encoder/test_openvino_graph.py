"""What published encoders say in TensorFlow's words becomes what OpenVINO runs fast, and in bfloat16 right."""

from collections import Counter
from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from pipelines.encoder.openvino_graph import MASKING, rewrite
from pipelines.encoder.openvino_runtime import converted
from pipelines.encoder.saved_model import load_encoder
from pipelines.encoder.spec import EncoderSpec, resolve_spec
from pipelines.encoder.vector_function import VectorFunction
from tests.pipelines.encoder.keras_encoder import save_keras_encoder
from tests.tiny_model import LAYERS

# Its annotations say less than it takes.
MODEL: Any = ov.Model


def kinds(model):
    return Counter(node.get_type_name() for node in model.get_ops())


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    folder = save_keras_encoder(tmp_path_factory.mktemp("keras") / "model")
    function = VectorFunction(load_encoder(folder), resolve_spec(EncoderSpec(str(folder), pooling="mean")))
    return converted(function)[0]


def test_no_einsum_is_left(keras):
    assert kinds(keras)["Einsum"] == 0


def test_token_types_are_looked_up(keras):
    assert kinds(keras)["OneHot"] == 0


def test_padding_is_masked_by_a_number_that_bfloat16_holds(keras):
    constants = [node.get_data() for node in keras.get_ops() if node.get_type_name() == "Constant"]
    numbers = {float(data.item()) for data in constants if data.size == 1}
    assert MASKING in numbers
    assert -1e9 not in numbers


def test_tensorflows_exact_gelu_is_recognised(tiny_model):
    function = VectorFunction(load_encoder(tiny_model), resolve_spec(EncoderSpec(str(tiny_model))))
    found = kinds(converted(function)[0])
    assert (found["Gelu"], found["Erf"]) == (LAYERS, 0)


@pytest.mark.parametrize(
    ("equation", "first", "second"),
    [
        ("abc,cd->abd", (2, 3, 4), (4, 5)),
        ("abc,cde->abde", (2, 3, 4), (4, 2, 5)),
        ("abde,dec->abc", (2, 3, 4, 2), (4, 2, 5)),
        ("aecd,abcd->acbe", (2, 3, 4, 5), (2, 6, 4, 5)),
        ("acbe,aecd->abcd", (2, 4, 6, 3), (2, 3, 4, 5)),
        ("abc,acd->abd", (2, 3, 4), (2, 4, 5)),
        ("abc,adc->abd", (2, 3, 4), (2, 5, 4)),
        ("ab,cb->ca", (3, 4), (5, 4)),
    ],
)
@pytest.mark.parametrize("constant", [False, True])
def test_an_einsum_keeps_its_value(equation, first, second, constant):
    rng = np.random.default_rng(1)
    x, y = (rng.standard_normal(shape).astype(np.float32) for shape in (first, second))
    inputs = [ops.parameter([-1] * len(shape), np.float32) for shape in (first, second)]
    kernel = ops.constant(y) if constant else inputs[1]
    given = inputs[:1] if constant else inputs
    model = MODEL([ops.result(ops.einsum([inputs[0], kernel], equation))], given)
    rewrite(model)
    found = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([x, y][: len(given)])[0]
    np.testing.assert_allclose(found, np.einsum(equation, x, y), rtol=1e-5, atol=1e-5)
