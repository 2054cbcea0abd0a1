"""encorpus's first room: a corpus becomes embedding shards.

    TextEncoder.load(EncoderSpec(model)).encode(texts)   float32 [n, dim], no Ray needed
    read_corpus(inputs)                                  a Ray Dataset of the corpus's rows
    embed(job)                                           runs a job, returns its summary

Names are imported on first use, so that `import pipelines` loads neither TensorFlow nor Ray.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.corpus.datasource import read_corpus
    from pipelines.encoder.spec import EncoderSpec
    from pipelines.encoder.text_encoder import TextEncoder
    from pipelines.job.embed import Job, embed

__all__ = ["EncoderSpec", "Job", "TextEncoder", "embed", "read_corpus"]

_HOME = {
    "EncoderSpec": "pipelines.encoder.spec",
    "Job": "pipelines.job.embed",
    "TextEncoder": "pipelines.encoder.text_encoder",
    "embed": "pipelines.job.embed",
    "read_corpus": "pipelines.corpus.datasource",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'pipelines' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
