"""float32 is exact, even where something else has used TensorFlow before."""

import tensorflow as tf

from pipelines.encoder.device import prepare_tensorflow


def test_reduced_float32_is_off_even_when_tensorflow_has_run_before():
    tf.add(1.0, 1.0)
    tf.config.experimental.enable_tensor_float_32_execution(True)
    prepare_tensorflow(threads=1)
    assert not tf.config.experimental.tensor_float_32_execution_enabled()
