"""TensorFlow's function of an encoder becomes an OpenVINO model."""

import tensorflow as tf
from openvino.frontend import FrontEndManager

from pipelines.encoder.openvino_graph import rewrite
from pipelines.encoder.openvino_runtime import OpenVinoModel, OpenVinoRuntime
from pipelines.encoder.vector_function import VectorFunction


def openvino_runtime(function: VectorFunction, threads: int | None) -> OpenVinoRuntime:
    """The function by OpenVINO, in its precision. threads: of the CPU, None for all. Raises what OpenVINO raises where
    it knows an operation not."""
    return OpenVinoRuntime(converted(function), function.precision, threads)


def converted(function: VectorFunction) -> OpenVinoModel:
    """The function as an OpenVINO model, whose weights are TensorFlow's own memory.

    Not by `openvino.convert_model`, which reports its use over the network.
    """
    from openvino.frontend.tensorflow.graph_iterator import GraphIteratorTFGraph

    traced = tf.function(function, autograph=False).get_concrete_function(*function.specs)
    frontend = FrontEndManager().load_by_framework("tf")
    nodes = GraphIteratorTFGraph(traced.graph, share_weights=True)  # which nothing else keeps alive
    model = frontend.convert(frontend.load(nodes))
    rewrite(model)
    return OpenVinoModel(model, [tensor.name for tensor in traced.inputs[:3]], owner=function)
