"""Counts the work of a batch: the floating-point operations of the matrix products that its vectors need.

Weights do not tell it: some models use the same ones in every layer, others keep them out of sight. The traced graph
does. Its functions are put in place of their calls, and it is laid out for a batch of a known shape, so that the shape
of every product is known; products that the vectors do not need are left out, as TensorFlow leaves them out.
"""

import logging
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf

log = logging.getLogger(__name__)

CALLS = ("PartitionedCall", "StatefulPartitionedCall")
# Matrix products, and whether the first operand's last axis but one is summed over instead of its last.
PRODUCTS = {"MatMul": "transpose_a", "BatchMatMul": "adj_x", "BatchMatMulV2": "adj_x", "BatchMatMulV3": "adj_x"}


def flop_by_length(function: Callable[..., tf.Tensor], fixed_length: int | None, longest: int) -> tuple[float, ...]:
    """What a row of a length costs in `function`: a polynomial of the length, its coefficients from the highest power
    on; none where the cost cannot be known.

    function takes three int32 tensors [rows, length]: of length `fixed_length` only, if that is a number, else of any
    up to `longest`.
    """
    # A product's cost grows with the length, with its square, or not at all: three lengths tell how much of each.
    lengths = [fixed_length] if fixed_length else [longest * third // 3 for third in (1, 2, 3)]
    try:
        specs = [tf.TensorSpec([1, fixed_length], tf.int32)] * 3
        traced = tf.function(function, autograph=False).get_concrete_function(*specs)
        flat = _FlatGraph(traced.graph.as_graph_def(), traced.outputs[0].name)
        costs = [_cost(traced, flat.needed, length) for length in lengths]
    except Exception as error:  # a graph of a kind that is not foreseen here makes no model unusable
        log.info("the operations of this encoder cannot be counted: %s", error)
        return ()
    return tuple(np.polyfit(lengths, costs, len(lengths) - 1).tolist())


class _FlatGraph:
    """A GraphDef whose calls of functions are replaced by the functions' nodes. needed: those an output depends on."""

    def __init__(self, graph: Any, output: str) -> None:
        self._library = {function.signature.name: function for function in graph.library.function}
        self._nodes: dict[str, Any] = {}
        self._same: dict[str, str] = {}
        self._add(graph.node, "", {})
        self.needed = tf.compat.v1.GraphDef(versions=graph.versions, node=self._ancestors(output))

    def _add(self, nodes: Iterable[Any], scope: str, arguments: dict[str, str]) -> None:
        """Adds nodes under a name; arguments: the results that take the place of a function's placeholders."""
        for node in nodes:
            name = scope + node.name
            inputs = [scope + _result(given) for given in node.input if not given.startswith("^")]
            if node.name in arguments:
                self._same[_result(name)] = arguments[node.name]
            elif node.op in CALLS:
                self._add_call(self._library[node.attr["f"].func.name], name, inputs)
            else:
                node.name = name
                node.input[:] = inputs
                self._nodes[name] = node

    def _add_call(self, function: Any, name: str, inputs: list[str]) -> None:
        # Of TensorFlow's own modules, which may move: then nothing is counted, and models still load.
        from tensorflow.python.framework.function_def_to_graph import function_def_to_graph_def

        body, flat_names = function_def_to_graph_def(function)
        parameters = [argument.name for argument in function.signature.input_arg]
        self._add(body.node, f"{name}/", dict(zip(parameters, inputs, strict=True)))
        for index, returned in enumerate(function.signature.output_arg):
            self._same[f"{name}:{index}"] = f"{name}/{flat_names[function.ret[returned.name]]}"

    def _ancestors(self, output: str) -> list[Any]:
        found: dict[str, Any] = {}
        pending = [self._source(output)]
        while pending:
            name = pending.pop().partition(":")[0]
            if name not in found:
                node = found[name] = self._nodes[name]
                if any(attribute.func.name or attribute.list.func for attribute in node.attr.values()):
                    raise ValueError(f"{name} is a {node.op}, whose functions may run any number of times")
                node.input[:] = [self._source(given) for given in node.input]
                pending += node.input
        return list(found.values())

    def _source(self, result: str) -> str:
        while result in self._same:
            result = self._same[result]
        return result


def _result(name: str) -> str:
    """A graph calls the first result of a node by the node's name alone."""
    return name if ":" in name else f"{name}:0"


def _cost(traced: Any, nodes: Any, length: int) -> int:
    """The operations of all products among the nodes, for one row of a length."""
    names = {node.name for node in nodes.node}
    from tensorflow.python.framework.func_graph import FuncGraph

    with FuncGraph("laid_out").as_default() as graph:
        inputs = [tf.compat.v1.placeholder(tf.int32, [1, length]) for _ in range(3)]
        # Identity brings an eager variable's handle into this graph, and with it the variable's shape.
        captures = [tf.identity(external) for external, _ in traced.graph.captures]
        values = zip(traced.graph.inputs, [*inputs, *captures], strict=True)
        given = {placeholder.name: value for placeholder, value in values if placeholder.op.name in names}
        tf.graph_util.import_graph_def(nodes, input_map=given)
    return sum(map(_flop, graph.get_operations()))


def _flop(operation: tf.Operation) -> int:
    """Two operations, a multiplication and an addition, for each number of the result and each term of its sum."""
    if operation.type == "Einsum":
        terms = _summed(operation)
    elif operation.type in PRODUCTS:
        first: Any = operation.inputs[0].shape
        terms = first[-2 if operation.get_attr(PRODUCTS[operation.type]) else -1]
    else:
        return 0
    results = operation.outputs[0].shape.num_elements()
    if results is None or terms is None:
        raise ValueError(f"the shape of {operation.name} depends on more than that of the input")
    return 2 * results * terms


def _summed(einsum: tf.Operation) -> int:
    """How many terms the sums of an Einsum have: the sizes of the axes that are not in its result, multiplied."""
    operands, _, result = einsum.get_attr("equation").decode().partition("->")
    sizes: dict[str, int] = {}
    for axes, tensor in zip(operands.split(","), einsum.inputs, strict=True):
        # From the end, since an ellipsis stands at the beginning.
        sizes |= dict(zip(reversed(axes), reversed(tensor.shape.as_list()), strict=False))
    return math.prod(size for axis, size in sizes.items() if axis not in result)
