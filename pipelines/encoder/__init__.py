"""The encoder runtime: texts become vectors. Imports no Ray; a notebook can use it as it is.

The data's way, a module a step: `resolve` (handle → folder), `saved_model` and `tokenizer` (folders →
functions), `batching` (lengths → batches), `pooling` (encoder outputs → vectors), `adaptive` (graph or XLA),
`text_encoder` (all of it together).
"""
