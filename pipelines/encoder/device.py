"""Sets TensorFlow up in this process: threads, GPU memory, exact float32. Call before anything runs on it."""

from contextlib import suppress

import tensorflow as tf


def prepare_tensorflow(threads: int | None = None) -> bool:
    """Prepares the runtime and tells whether it has a GPU.

    threads: CPU threads for this process, None for all cores. Too late once TensorFlow has run something, and
    then left as it is. GPU memory grows as needed, so that several processes can share a card. TensorFloat-32
    is off: float32 means float32 (invariant 4), and reduced precision is asked for by `--precision`.
    """
    tf.config.experimental.enable_tensor_float_32_execution(False)
    with suppress(RuntimeError):
        if threads is not None:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    return bool(tf.config.list_physical_devices("GPU"))
