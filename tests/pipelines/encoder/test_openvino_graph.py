"""What published encoders say in TensorFlow's words becomes what OpenVINO runs fast, and in bfloat16 right."""

from collections import Counter
from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from pipelines.encoder.openvino_conversion import converted
from pipelines.encoder.openvino_graph import MASKING, rewrite
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
    return converted(function).model


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
    found = kinds(converted(function).model)
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
        ("...b,bc->...c", (2, 3, 4), (4, 5)),
        ("...b,bcd->...cd", (2, 3, 4), (4, 2, 5)),
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
    np.testing.assert_allclose(
        value_of(model, *[x, y][: len(given)])[0], np.einsum(equation, x, y), rtol=1e-5, atol=1e-5
    )


def value_of(model, *given):
    """Its results in float32."""
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return [np.array(value) for value in compiled(list(given)).values()]


def rewritten(graph, given, dtype: type = np.float32):
    """The kinds of nodes of a graph of one input after the rewriting, which leaves its results as they were.

    graph: gives the results of a parameter."""
    x = np.asarray(given, dtype)

    def model_of():
        parameter = ops.parameter([-1] * x.ndim, dtype)
        return MODEL([ops.result(node) for node in graph(parameter)], [parameter])

    model = model_of()
    rewrite(model)
    for found, due in zip(value_of(model, x), value_of(model_of(), x), strict=True):
        np.testing.assert_allclose(found, due, rtol=1e-5, atol=1e-5)
    return kinds(model)


def numbers_of(model):
    constants = [node.get_data() for node in model.get_ops() if node.get_type_name() == "Constant"]
    return {float(data.item()) for data in constants if data.size == 1}


def number(value):
    return ops.constant(np.float32(value))


@pytest.mark.parametrize(
    ("minuend", "factor", "masking"), [(1.0, -1e9, True), (1.0, 1e9, False), (1.0, -2.0, False), (2.0, -1e9, False)]
)
def test_only_1_less_the_mask_times_a_great_negative_number_is_masking(minuend, factor, masking):
    mask = ops.parameter([-1], np.float32)
    product = ops.multiply(ops.subtract(number(minuend), mask), number(factor))
    model = MODEL([ops.result(product)], [mask])
    rewrite(model)
    assert numbers_of(model) == {minuend, MASKING if masking else factor}


def one_hot_product(on=1.0, off=0.0, axis=-1, table=(3, 3)):
    """Of a one-hot vector, whose width is 3, and a table."""
    rows = np.arange(np.prod(table), dtype=np.float32).reshape(table)

    def graph(ids):
        one_hot = ops.one_hot(ids, ops.constant(np.int64(3)), number(on), number(off), axis)
        return [ops.matmul(one_hot, ops.constant(rows), False, False)]

    return graph


def test_a_one_hot_product_is_a_lookup():
    found = rewritten(one_hot_product(), [[0, 1, 2], [2, 2, 0]], np.int32)
    assert (found["Gather"], found["OneHot"]) == (1, 0)


@pytest.mark.parametrize("options", [{"on": 2.0}, {"off": 0.5}, {"axis": 1}, {"table": (2, 3, 4)}])
def test_any_other_product_of_that_kind_is_none(options):
    found = rewritten(one_hot_product(**options), [[0, 1, 2], [2, 2, 0]], np.int32)
    assert (found["Gather"], found["OneHot"]) == (0, 1)


def erf_product(inner):
    """x / 2 * (1 - erf(-y / sqrt(2))), y being made of x."""

    def graph(x):
        scaled = ops.multiply(ops.negative(inner(x)), number(0.5**0.5))
        return [ops.multiply(ops.multiply(x, number(0.5)), ops.subtract(number(1), ops.erf(scaled)))]

    return graph


def test_gelu_is_recognised():
    assert rewritten(erf_product(lambda x: x), [-1.0, 0.5, 2.0])["Gelu"] == 1


def test_it_is_no_gelu_where_the_two_are_not_the_same():
    assert rewritten(erf_product(lambda x: ops.add(x, number(1))), [-1.0, 0.5, 2.0])["Gelu"] == 0


def test_it_is_no_gelu_where_the_sign_is_another():
    def graph(x):
        scaled = ops.multiply(x, number(0.5**0.5))
        return [ops.multiply(ops.multiply(x, number(0.5)), ops.subtract(number(1), ops.erf(scaled)))]

    assert rewritten(graph, [-1.0, 0.5, 2.0])["Gelu"] == 0


@pytest.mark.parametrize(("read_twice", "last"), [(False, "Reshape"), (True, "Add")])
def test_a_bias_becomes_a_part_of_the_product_unless_something_else_reads_that_too(read_twice, last):
    rng = np.random.default_rng(1)
    kernel, bias = (rng.standard_normal(shape).astype(np.float32) for shape in ((4, 2, 5), (2, 5)))
    x = rng.standard_normal((2, 3, 4)).astype(np.float32)
    parameter = ops.parameter([-1, -1, 4], np.float32)
    product = ops.einsum([parameter, ops.constant(kernel)], "abc,cde->abde")
    results = [ops.result(ops.add(product, ops.constant(bias)))]
    model = MODEL(results + [ops.result(ops.tanh(product))] * read_twice, [parameter])
    rewrite(model)
    assert results[0].input_value(0).get_node().get_type_name() == last
    due = np.einsum("abc,cde->abde", x, kernel)
    for found, wanted in zip(value_of(model, x), [due + bias, np.tanh(due)], strict=False):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
