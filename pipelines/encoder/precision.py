"""Mixed precision: the matrix products of a graph in bfloat16 or float16, everything else in float32.

A SavedModel's graph is float32 throughout. This rewrites a traced function's graph: each matrix product's operands are
cast down and its result is cast up again, so that softmax, normalisation and sums keep their precision, and the
hardware's fast matrix units do the work. XLA fuses the casts with their neighbours.
"""

from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context

# Matrix products, and what TensorFlow calls the result of each.
PRODUCTS = {"MatMul": "product", "BatchMatMul": "output", "BatchMatMulV2": "output", "Einsum": "output"}

# What TensorFlow calls the result of a cast.
CAST_RESULT = "y"


def with_precision(
    function: Callable[..., tf.Tensor], dtype: str, specs: Iterable[tf.TensorSpec]
) -> Callable[..., Any]:
    """A traceable function that computes as `function` does, but its matrix products in `dtype`.

    function takes and gives tensors; specs: its arguments.
    """
    traced = tf.function(function, autograph=False).get_concrete_function(*specs)
    graph = traced.graph.as_graph_def()
    lower_products(graph, tf.as_dtype(dtype).as_datatype_enum)
    # Importing a graph leaves its functions in it; to run as part of another function they must be known to all.
    runtime: Any = context.context()
    for body in graph.library.function:
        if not runtime.has_function(body.signature.name):
            runtime.add_function_def(body)
    inputs = [tensor.name for tensor in traced.graph.inputs]
    _remove_nodes(graph, {tensor.op.name for tensor in traced.graph.inputs})
    captures = [external for external, _ in traced.graph.captures]
    output = traced.graph.outputs[0].name

    def lowered(*arguments: tf.Tensor) -> tf.Tensor:
        # Identity brings an eager variable's handle into the graph that is being traced.
        values = [*arguments, *(tf.identity(capture) for capture in captures)]
        (result,) = tf.graph_util.import_graph_def(
            graph, input_map=dict(zip(inputs, values, strict=True)), return_elements=[output], name=""
        )
        return result

    return lowered


def lower_products(graph: Any, dtype: int) -> None:
    """Rewrites a GraphDef and its library of functions in place. dtype: a DataType of TensorFlow's protocol."""
    suffix = f"_lowered_{dtype}"
    names = {function.signature.name: function.signature.name + suffix for function in graph.library.function}
    del graph.library.gradient[:]
    _lower_nodes(graph.node, dtype, in_function=False)
    for node in graph.node:
        _rename_functions(node, names)
    for function in graph.library.function:
        function.signature.name = names[function.signature.name]
        replaced = _lower_nodes(function.node_def, dtype, in_function=True)
        for node in function.node_def:
            _rename_functions(node, names)
        for key, value in function.ret.items():
            function.ret[key] = replaced.get(value, value)


def _lower_nodes(nodes: Any, dtype: int, in_function: bool) -> dict[str, str]:
    """Lowers the products among these nodes; gives the new name of each product's result.

    The body of a function names a value `node:result:index`, a graph `node` or `node:index`.
    """
    products = [node for node in nodes if node.op in PRODUCTS and node.attr["T"].type == tf.float32.as_datatype_enum]
    replaced: dict[str, str] = {}
    for node in products:
        raised = f"{node.name}/raised"
        if in_function:
            replaced[f"{node.name}:{PRODUCTS[node.op]}:0"] = f"{raised}:{CAST_RESULT}:0"
        else:
            replaced |= {node.name: raised, f"{node.name}:0": raised}
    for node in nodes:
        for index, name in enumerate(node.input):
            node.input[index] = replaced.get(name, name)
    for node in products:
        for index, name in enumerate(node.input):
            if not name.startswith("^"):
                lowered = _add_cast(nodes, f"{node.name}/lowered_{index}", name, tf.float32.as_datatype_enum, dtype)
                node.input[index] = f"{lowered}:{CAST_RESULT}:0" if in_function else lowered
        node.attr["T"].type = dtype
        result = f"{node.name}:{PRODUCTS[node.op]}:0" if in_function else node.name
        _add_cast(nodes, f"{node.name}/raised", result, dtype, tf.float32.as_datatype_enum)
    return replaced


def _add_cast(nodes: Any, name: str, source: str, given: int, wanted: int) -> str:
    cast = nodes.add(name=name, op="Cast", input=[source])
    cast.attr["SrcT"].type = given
    cast.attr["DstT"].type = wanted
    cast.attr["Truncate"].b = False
    return name


def _remove_nodes(graph: Any, names: set[str]) -> None:
    """Takes out the inputs' placeholders, whose values are mapped in: XLA compiles no placeholder, used or not."""
    kept = [node for node in graph.node if node.name not in names]
    del graph.node[:]
    graph.node.extend(kept)


def _rename_functions(node: Any, names: dict[str, str]) -> None:
    """Functions that were rewritten go by new names, since the old ones are known to the runtime as they were."""
    node.op = names.get(node.op, node.op)
    for attribute in node.attr.values():
        for called in [attribute.func, *attribute.list.func] if attribute.HasField("func") else attribute.list.func:
            called.name = names.get(called.name, called.name)
