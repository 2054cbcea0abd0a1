"""Rewrites an encoder's OpenVINO graph: the same function, in the forms that OpenVINO runs fast and in bfloat16 right.

OpenVINO knows the graphs that people export from PyTorch. Published TensorFlow encoders say the same in other words.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as ops

# Encoders add a number like -1e9 to the attention scores of padding: at most this, as exp() of more is no exact zero.
MOST_MASKING = -1000.0
# The softmax gives the same with this number, which bfloat16 and float16 hold exactly.
MASKING = -(2.0**14)

# What leaves numbers as they are.
ARRANGING = frozenset({"Broadcast", "Convert", "Reshape", "Squeeze", "StridedSlice", "Transpose", "Unsqueeze"})


def rewrite(model: ov.Model) -> None:
    """Rewrites a float32 model in place. Its constants may be shared with somebody else's memory, and stay as they
    are."""
    rules: dict[str, tuple[Callable[[Any], Any], ...]] = {
        "Einsum": (_product_of_einsum,),
        "MatMul": (_lookup_of_one_hot,),
        "Multiply": (_gelu, _masking),
        "ReduceMean": (_mean_over_list,),
    }
    for node in model.get_ordered_ops():
        made = (rule(node) for rule in rules.get(node.get_type_name(), ()))
        replacement = next((new for new in made if new is not None), None)
        if replacement is not None:
            _replace(node, replacement)


def _replace(node: Any, replacement: Any) -> None:
    replacement.set_friendly_name(node.get_friendly_name())
    for reader in node.output(0).get_target_inputs():
        reader.replace_source_output(replacement.output(0))


def _masking(product: Any) -> Any | None:
    """(1 - mask) * -1e9, or another number of the kind, with a number that any precision holds; None for all else.

    OpenVINO turns it into mask * 1e9 - 1e9 and computes the product in bfloat16, where 1e9 becomes 999292928: then
    -707072 is added to the scores of real tokens, in bfloat16, and nothing is left of them.
    """
    for place in (0, 1):
        number, other = _number(product.input_value(place)), product.input_value(1 - place)
        if number is not None and number <= MOST_MASKING and _is_of_padding(other.get_node()):
            return ops.multiply(other, np.float32(MASKING))
    return None


def _is_of_padding(node: Any) -> bool:
    while node.get_type_name() in ARRANGING:
        node = node.input_value(0).get_node()
    return node.get_type_name() == "Subtract" and _number(node.input_value(0)) == 1.0


def _product_of_einsum(einsum: Any) -> Any | None:
    """Matrix products for what a dense layer or attention says as an Einsum, which OpenVINO would take apart into
    broadcasts and products of every shape; None for any other."""
    equation = einsum.get_attributes()["equation"]
    if einsum.get_input_size() != 2 or "." in equation:  # an ellipsis stands for any number of axes
        return None
    operands, _, result = equation.partition("->")
    first, second = operands.split(",")
    if einsum.input_value(1).get_node().get_type_name() == "Constant":
        return _dense(einsum, first, second, result)
    return _batched_product(einsum, first, second, result)


def _dense(einsum: Any, first: str, second: str, result: str) -> Any | None:
    """abc,cde->abde and abde,dec->abc, and the like: a dense layer, whose kernel is one matrix."""
    summed = first[-_common(first, second) :]
    kept, given = first[: len(first) - len(summed)], second[len(summed) :]
    if not summed or not second.startswith(summed) or result != kept + given or set(kept) & set(given):
        return None
    x, kernel = einsum.input_value(0), einsum.input_value(1)
    shape = [int(size) for size in kernel.get_shape()]
    rows, columns = int(np.prod(shape[: len(summed)])), shape[len(summed) :]
    if len(summed) > 1:
        x = ops.reshape(x, np.array([0] * len(kept) + [rows]), special_zero=True)
    product = ops.matmul(x, ops.reshape(kernel, np.array([rows, -1]), special_zero=False), False, False)
    if len(columns) == 1:
        return product
    divided = np.array([0] * len(kept) + columns)
    if (addition := _added_bias(einsum, columns)) is not None:
        # Before the columns are divided into heads, so that it becomes a part of the product.
        bias = ops.reshape(addition.input_value(1), np.array([-1]), special_zero=False)
        _replace(addition, ops.reshape(ops.add(product, bias), divided, special_zero=True))
        return None
    return ops.reshape(product, divided, special_zero=True)


def _added_bias(einsum: Any, columns: list[int]) -> Any | None:
    """The addition of a constant of this shape, if that is all that is done with the Einsum's result."""
    readers = [reader.get_node() for reader in einsum.output(0).get_target_inputs()]
    if len(readers) != 1 or readers[0].get_type_name() != "Add":
        return None
    bias = readers[0].input_value(1).get_node()
    shape = list(bias.get_output_shape(0)) if bias.get_type_name() == "Constant" else []
    # Ones may stand before it.
    return readers[0] if shape[-len(columns) :] == columns and np.prod(shape) == np.prod(columns) else None


def _common(first: str, second: str) -> int:
    """How many axes at the end of the first operand are, in the same order, at the beginning of the second."""
    return next((n for n in range(min(len(first), len(second)), 0, -1) if first.endswith(second[:n])), 0)


def _batched_product(einsum: Any, first: str, second: str, result: str) -> Any | None:
    """aecd,abcd->acbe and acbe,aecd->abcd, and the like: one product for each text and head."""
    batch = [axis for axis in result if axis in first and axis in second]
    summed = [axis for axis in first if axis in second and axis not in result]
    left = [axis for axis in first if axis not in second]
    right = [axis for axis in second if axis not in first]
    if not len(summed) == len(left) == len(right) == 1 or sorted(result) != sorted(batch + left + right):
        return None
    # The result's own order of rows and columns, so that it needs no transposition where that can be.
    if result.index(right[0]) < result.index(left[0]):
        left, right = right, left
        operands = (einsum.input_value(1), second), (einsum.input_value(0), first)
    else:
        operands = (einsum.input_value(0), first), (einsum.input_value(1), second)
    (x, x_axes), (y, y_axes) = operands
    # Of keys and values alike the last axis is the width of a head, as OpenVINO's attention wants them.
    transposed = y_axes.index(summed[0]) > y_axes.index(right[0])
    product = ops.matmul(
        _in_order(x, x_axes, [*batch, *left, *summed]),
        _in_order(y, y_axes, [*batch, *right, *summed] if transposed else [*batch, *summed, *right]),
        False,
        transposed,
    )
    return _in_order(product, "".join([*batch, *left, *right]), list(result))


def _in_order(x: Any, axes: str, wanted: list[str]) -> Any:
    order = [axes.index(axis) for axis in wanted]
    return x if order == sorted(order) else ops.transpose(x, np.array(order))


def _lookup_of_one_hot(product: Any) -> Any | None:
    """A row of a table, where a one-hot vector is multiplied with it; None for any other product."""
    one_hot, table = product.input_value(0).get_node(), product.input_value(1)
    attributes = product.get_attributes()
    if one_hot.get_type_name() != "OneHot" or attributes["transpose_a"]:
        return None
    table_rank = table.get_partial_shape().rank
    if table_rank.is_dynamic or table_rank.get_length() != 2:
        return None
    values = [_number(one_hot.input_value(place)) for place in (2, 3)]
    rank = one_hot.get_output_partial_shape(0).rank
    last = rank.is_static and one_hot.get_attributes()["axis"] in (-1, rank.get_length() - 1)
    if values != [1.0, 0.0] or not last:
        return None
    rows = ops.transpose(table, np.array([1, 0])) if attributes["transpose_b"] else table
    return ops.gather(rows, one_hot.input_value(0), np.array(0))


def _mean_over_list(mean: Any) -> Any | None:
    """A mean over an axis that is given as a number, with a list of it: what OpenVINO makes of the mean and variance of
    a layer normalisation takes no other."""
    axis = mean.input_value(1)
    if axis.get_node().get_type_name() != "Constant" or axis.get_shape():
        return None
    axes = np.array([axis.get_node().get_data().item()])
    return ops.reduce_mean(mean.input_value(0), axes, mean.get_attributes()["keep_dims"])


def _gelu(product: Any) -> Any | None:
    """GELU, where it is said as x / 2 * (1 - erf(-x / sqrt(2))), TensorFlow's own way; None for any other product."""
    half, rest = product.input_value(0).get_node(), product.input_value(1).get_node()
    x = _times(half, 0.5)
    if x is None or rest.get_type_name() != "Subtract" or _number(rest.input_value(0)) != 1.0:
        return None
    erf = rest.input_value(1).get_node()
    scaled = _times(erf.input_value(0).get_node(), 0.5**0.5) if erf.get_type_name() == "Erf" else None
    if scaled is None or scaled.get_node().get_type_name() != "Negative":
        return None
    return ops.gelu(x, "erf") if scaled.get_node().input_value(0) == x else None


def _times(product: Any, factor: float) -> Any | None:
    """What is multiplied with this number; None where it is no such product."""
    if product.get_type_name() != "Multiply":
        return None
    for place in (0, 1):
        number = _number(product.input_value(place))
        if number is not None and abs(number - factor) < 1e-6:
            return product.input_value(1 - place)
    return None


def _number(value: Any) -> float | None:
    """A constant of one number; None for everything else."""
    node = value.get_node()
    if node.get_type_name() != "Constant" or node.get_data().size != 1:
        return None
    return float(node.get_data().item())
