"""TextEncoder: texts in, vectors out. The encoder runtime put together. Imports no TensorFlow."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from pipelines.encoder.batching import (
    Batch,
    cheapest_batches,
    closed_rows,
    cut_batches,
    every_length,
    full_batch_rows,
    half_batch_rows,
    length_ladder,
)
from pipelines.encoder.chunker import document_tokenizer
from pipelines.encoder.execution import Execution
from pipelines.encoder.load import encoder_parts
from pipelines.encoder.parts import EncoderParts
from pipelines.encoder.spec import EncoderSpec, ResolvedSpec, resolve_spec
from pipelines.encoder.stats import EncodeStats
from pipelines.encoder.tokenizer import Tokenizer
from pipelines.encoder.tokens import Chunks, Tokens
from pipelines.encoder.vectors_of_rows import dtype_of_rows, vectors_of_texts

# A call of a runtime costs as much as so many more tokens: in the time of one, the weights come from memory.
CALL_TOKENS = 16

# Texts that `encode` sorts by length together, and tokenises while the ones before are being encoded.
WINDOW_TEXTS = 16384


class Encoded(NamedTuple):
    """vectors: [n, dim], or for `sequence` a list of n arrays [tokens, dim], of n texts, chunks, or documents whose
    chunks are pooled; stats: what it cost."""

    vectors: np.ndarray | list[np.ndarray]
    stats: EncodeStats


class TextEncoder:
    """A preprocessor and an encoder, loaded once, that turn texts into vectors.

    `encode` is `tokenize` followed by `encode_tokens`. A caller with its own pipeline runs `tokenize` in one
    thread while `encode_tokens` runs in another; `encode_tokens` itself is for one thread at a time.

    `encode` and `tokenize` cut a text that is longer than a chunk; `tokenize_documents` makes chunks where the spec
    asks for them.

    ladder: the lengths that batches are padded to, rising. token_budget: positions of a batch, padding included.
    facts: what the encoder is. flop_of_row: what a row of a length costs, 0 where the model's graph does not tell.
    runtime: the name of what runs the batches; runtime_reason: why it is that one, for people.
    """

    def __init__(self, resolved: ResolvedSpec, parts: EncoderParts, execution: Execution) -> None:
        self.resolved = resolved
        self.facts = facts = parts.facts
        self._parts = parts
        self._execution = execution
        self.tokenize = parts.tokenizer
        self._tokenize_documents = document_tokenizer(parts.tokenizer, resolved.spec)
        self._vectors, self.runtime_reason, self.token_budget = parts.chosen
        self.runtime = self._vectors.name
        self.flop_of_row = facts.flop_of_row
        lengths = length_ladder if self._vectors.closed_shapes else every_length
        self.ladder = (facts.fixed_length,) if facts.fixed_length else lengths(resolved.max_tokens)

    @classmethod
    def load(
        cls,
        spec: EncoderSpec,
        threads: int | None = None,
        storage_options: Mapping[str, Any] | None = None,
        runtime: str = "tensorflow",
        calibrated_since: float = 0.0,
    ) -> "TextEncoder":
        """Resolves the handles, and loads both SavedModels, or what this machine keeps of them.

        threads: CPU threads of this process (None: all). runtime: one of RUNTIMES; auto is what this machine was
        calibrated to, in the cache folder, and calibrates it where it was not since that time (seconds of the epoch).
        Raises ModelError when a model cannot be used, and UsageError when the spec asks for what it cannot give, such
        as more tokens than it has positions.
        """
        return cls.load_resolved(resolve_spec(spec, storage_options), threads, runtime, calibrated_since)

    @classmethod
    def load_resolved(
        cls,
        resolved: ResolvedSpec,
        threads: int | None = None,
        runtime: str = "tensorflow",
        calibrated_since: float = 0.0,
    ) -> "TextEncoder":
        """As `load`, from a spec that is already resolved on this machine."""
        execution = Execution(runtime, threads, calibrated_since=calibrated_since)
        return cls(resolved, encoder_parts(resolved, execution), execution)

    def giving(self, output: str) -> "TextEncoder":
        """An encoder of the same model for another thread, which gives an output of the encoder API as it is, in
        float32. output: `pooled`, or `sequence`."""
        resolved = self.resolved
        spec = EncoderSpec(
            model=str(resolved.model_folder),
            preprocessor=str(resolved.preprocessor_folder) if resolved.preprocessor_folder else None,
            pooling=output,
            normalize=False,
            max_tokens=resolved.max_tokens,
            precision=resolved.spec.precision,
        )
        execution, other = self._execution.going_on_with(self.runtime), resolve_spec(spec)
        return TextEncoder(other, encoder_parts(other, execution, self._parts), execution)

    @property
    def dimension(self) -> int:
        """The width of a vector."""
        return self.facts.pooled_width if self.resolved.pooling == "pooled" else self.facts.sequence_width

    @property
    def fingerprint(self) -> str:
        """Equal fingerprint, comparable vectors."""
        return self.resolved.fingerprint

    @property
    def compiled_shapes(self) -> frozenset[tuple[int, int]]:
        """The batch shapes (rows, length) that have been compiled so far, where the runtime does so shape by shape."""
        return self._vectors.compiled_shapes

    def encode(self, texts: Sequence[str]) -> np.ndarray | list[np.ndarray]:
        """The vectors of n texts in their order, [n, dim], or a list of [tokens, dim], in the spec's `encoded_dtype`.

        Raises UnencodableTextError when a text has no UTF-8 form, and UsageError for what is no text at all.
        """
        parts = [self.encode_tokens(tokens).vectors for tokens in self._tokenized_ahead(texts)]
        if self.resolved.pooling == "sequence":
            return [states for part in parts for states in part]
        return np.concatenate(
            [np.empty((0, self.dimension), self.resolved.spec.encoded_dtype), *map(np.asarray, parts)]
        )

    def encode_documents(
        self, texts: Iterable[str], chosen: tuple[np.ndarray, np.ndarray] | None = None
    ) -> np.ndarray | list[np.ndarray]:
        """The vectors that n documents have in a shard: one each, or where the spec asks for chunks one a chunk.

        chosen: the document, from 0, and the number of each chunk that is wanted, int [m] each; None for all.
        """
        tokens = self.tokenize_documents(texts)
        if chosen is not None and isinstance(tokens, Chunks):
            document, number = chosen
            tokens = tokens.part(np.minimum(tokens.places.first[document] + number, len(tokens.row) - 1))
        return self.encode_tokens(tokens).vectors

    def tokenize_documents(self, texts: Iterable[str]) -> Tokens:
        """The tokens of texts: `Chunks` where the spec asks for chunks, else each text's, cut. Raises as `tokenize`."""
        return self._tokenize_documents(texts)

    def tokenizer_for(self, resolved: ResolvedSpec) -> Tokenizer:
        """A tokenizer as another spec of the same model and preprocessor asks for."""
        return Tokenizer(self.tokenize.graphs, resolved.max_tokens)

    def encode_tokens(self, tokens: Tokens) -> Encoded:
        """Encodes tokenised texts or chunks, each distinct one once."""
        start = time.perf_counter()
        distinct = len(tokens.lengths)
        sequence = self.resolved.pooling == "sequence"
        states: list[np.ndarray] = [np.empty(0)] * (distinct if sequence else 0)
        vectors = np.empty((0 if sequence else distinct, self.dimension), dtype_of_rows(tokens, self.resolved))
        padded = flop = 0
        for batch in self._batches(tokens.lengths):
            full = len(batch.rows) == full_batch_rows(batch.length, self.token_budget)
            given = (
                _columns(array, batch.rows, batch.length) for array in (tokens.word_ids, tokens.mask, tokens.type_ids)
            )
            value = self._vectors(*given, full=full)
            # A number that float16 cannot hold becomes infinite, and its row a reject.
            with np.errstate(over="ignore"):
                if sequence:
                    for row, state in zip(batch.rows, value, strict=True):
                        states[row] = state[: tokens.lengths[row]].astype(self.resolved.spec.encoded_dtype)
                else:
                    vectors[batch.rows] = value
            padded += len(batch.rows) * batch.length
            flop += len(batch.rows) * self.flop_of_row(batch.length)
        stats = EncodeStats(
            texts=len(tokens.row),
            distinct=distinct,
            tokens=int(tokens.lengths.sum()),
            padded_tokens=padded,
            flop=flop,
            seconds=time.perf_counter() - start,
            runtimes=(self.runtime,),
        )
        return Encoded(vectors_of_texts(states if sequence else vectors, tokens, self.resolved), stats)

    def _batches(self, lengths: np.ndarray) -> list[Batch]:
        if self._vectors.closed_shapes or self.facts.fixed_length:
            return cut_batches(lengths, self.ladder, self.token_budget)
        return cheapest_batches(np.maximum(1, lengths), self.token_budget, CALL_TOKENS)

    def encode_batch(self, word_ids: np.ndarray, mask: np.ndarray, type_ids: np.ndarray) -> np.ndarray:
        """The vectors of one batch that the caller cut, int32 [b, L] each with L of the ladder: [b, dim], or
        [b, L, dim] for `sequence`, in the spec's `encoded_dtype`. For one thread at a time, as `encode_tokens`."""
        value = self._closed(word_ids, mask, type_ids) if self.pads else self._grouped(word_ids, mask, type_ids)
        with np.errstate(over="ignore"):
            return value.astype(self.resolved.spec.encoded_dtype)

    @property
    def pads(self) -> bool:
        """Whether `encode_batch` pads all rows of a batch to its length; else those of about one length go together."""
        return self._vectors.closed_shapes or len(self.ladder) == 1 or self.resolved.pooling == "sequence"

    def _grouped(self, *batch: np.ndarray) -> np.ndarray:
        """Rows of about one length together, so that short ones do not wait for the padding of long ones."""
        lengths = np.maximum(1, batch[1].sum(axis=1))
        vectors = np.empty((len(lengths), self.dimension), np.float32)
        for group in cheapest_batches(lengths, self.token_budget, CALL_TOKENS):
            vectors[group.rows] = self._vectors(*(array[group.rows, : group.length] for array in batch), full=False)
        return vectors

    def _closed(self, *batch: np.ndarray) -> np.ndarray:
        """The batch at a row count of a closed set."""
        rows, length = batch[0].shape
        closed = closed_rows(rows, length, self.token_budget) if self._vectors.closed_shapes else rows
        # A row that is there already, since one without a token may have no finite vector.
        more = closed - rows
        padded = (np.concatenate([array, array[:1].repeat(more, axis=0)]) for array in batch)
        # Of the others, each would be compiled while somebody waits.
        return self._vectors(*padded, full=closed in self._warm_rows(length))[:rows]

    def warm(self) -> None:
        """Compiles the shapes of full batches, of half ones and of single rows, so that no caller of `encode_batch`
        waits for it."""
        self._vectors.warm((rows, length) for length in self.ladder for rows in self._warm_rows(length))

    def _warm_rows(self, length: int) -> set[int]:
        return {1, half_batch_rows(length, self.token_budget), full_batch_rows(length, self.token_budget)}

    def _tokenized_ahead(self, texts: Sequence[str]) -> Iterator[Tokens]:
        """Windows of tokens; the next window is tokenised while the caller encodes this one."""
        if len(texts) <= WINDOW_TEXTS:
            # To start a thread takes as long as a third of a short query.
            yield self.tokenize(texts, 0)
            return
        starts = range(0, len(texts), WINDOW_TEXTS)
        with ThreadPoolExecutor(1) as ahead:

            def tokenize(start: int) -> Future[Tokens]:
                return ahead.submit(self.tokenize, texts[start : start + WINDOW_TEXTS], start)

            pending = tokenize(0)
            for start in starts[1:]:
                tokens, pending = pending.result(), tokenize(start)
                yield tokens
            yield pending.result()


def _columns(array: np.ndarray, rows: np.ndarray, length: int) -> np.ndarray:
    """The first `length` columns of these rows, filled up with zeros where the array is narrower."""
    part = array[rows, :length]
    return part if part.shape[1] == length else np.pad(part, ((0, 0), (0, length - part.shape[1])))
