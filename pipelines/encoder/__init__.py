"""The encoder runtime: texts become vectors. Imports no Ray; a notebook can use it as it is.

The data's way, a module a step: `resolve` (handle → folder, by way of `download`, `remote`, `archive` and
`model_cache`), `spec` (what is asked for and what the model recommends → fingerprint), `saved_model` and `tokenizer`
(folders → functions), `batching` (lengths → batches), `pooling` (encoder outputs → vectors), `adaptive` (graph or
XLA), `text_encoder` (all of it together). Up to `spec` nothing imports TensorFlow.
"""
