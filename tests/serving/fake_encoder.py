"""An encoder without TensorFlow: a token a word, and a vector that tells what came in."""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.encoder.batching import length_ladder
from pipelines.encoder.spec import EncoderSpec, ResolvedSpec
from pipelines.encoder.tokens import Tokens

MAX_TOKENS = 16


class FakeTokenizer:
    """Of each text the lengths of its words, between 1 and 2. Texts that are the same have one row."""

    max_tokens = MAX_TOKENS
    special = 2
    vocabulary: int | None = 1000
    in_calling_thread = False

    def __call__(self, texts: Sequence[str]) -> Tokens:
        distinct = list(dict.fromkeys(texts))
        rows = [np.array([len(word) for word in text.split()], np.int32) for text in distinct]
        truncated = np.array([len(row) + self.special > MAX_TOKENS for row in rows])
        return Tokens(*self.pack(rows), truncated=truncated, row=np.array([distinct.index(text) for text in texts]))

    def pack(self, rows: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        ids, mask = np.zeros((2, len(rows), MAX_TOKENS), np.int32)
        for place, row in enumerate(rows):
            whole = [1, *row[: MAX_TOKENS - self.special], 2]
            ids[place, : len(whole)] = whole
            mask[place, : len(whole)] = 1
        return ids, mask, np.zeros_like(ids), mask.sum(axis=1, dtype=np.int32)


class FakeEncoder:
    """Vectors [sum of ids, tokens, first id]; `free` is cleared to hold it back. As the encoder API's own outputs,
    `pooled` gives them doubled, and `sequence` [id, 1] of each token."""

    ladder = length_ladder(MAX_TOKENS)
    token_budget = 64
    pads = True
    runtime = "tensorflow"
    fingerprint = "f" * 64
    tokenize = FakeTokenizer()
    resolved = ResolvedSpec(EncoderSpec("fake"), "mean", True, MAX_TOKENS, Path("fake"), None, "f" * 64)

    def __init__(self, output: str | None = None) -> None:
        self.output = output
        if output:
            self.fingerprint = {"pooled": "a" * 64, "sequence": "b" * 64}[output]
        self.dimension = 2 if output == "sequence" else 3
        self.free = threading.Event()
        self.free.set()
        self.begun = threading.Semaphore(0)
        self.rows = 0

    def giving(self, output: str) -> "FakeEncoder":
        return FakeEncoder(output)

    def encode_batch(self, word_ids: np.ndarray, mask: np.ndarray, type_ids: np.ndarray) -> np.ndarray:
        self.begun.release()
        assert self.free.wait(timeout=60)
        self.rows += len(word_ids)
        if self.output == "sequence":
            return np.stack([word_ids, mask], axis=2).astype(np.float32)
        times = 2 if self.output else 1
        return times * np.stack([word_ids.sum(axis=1), mask.sum(axis=1), word_ids[:, 0]], axis=1).astype(np.float32)


def vector_of(text: str) -> list[float]:
    """What FakeEncoder makes of a text."""
    lengths = [len(word) for word in text.split()]
    return [sum(lengths) + 3.0, len(lengths) + 2.0, 1.0]
