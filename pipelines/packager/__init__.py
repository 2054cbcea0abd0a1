"""A checkpoint becomes a SavedModel in the TF-Hub encoder format: `pipelines.packager.package.package`.

    checkpoint folder ─read_checkpoint─▶ Checkpoint (architecture, weights, vocabulary, recommendations)
       ─TransformerEncoder─▶ tf.Module ─write_saved_models─▶ DIR, DIR/preprocess, DIR/encorpus.json

Importing this folder imports no TensorFlow.
"""
