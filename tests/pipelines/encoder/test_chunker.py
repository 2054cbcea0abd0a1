"""Chunks: each is encoded as `encoder(bert_pack_inputs([its ids]))` would be, and its offsets say what it covers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings

from pipelines.encoder.spec import EncoderSpec
from pipelines.encoder.text_encoder import TextEncoder
from pipelines.encoder.tokenizer import UnencodableTextError
from pipelines.encoder.tokens import Chunks
from pipelines.errors import UsageError
from tests.pipelines.encoder.fake_encoders import NAMES, FakeEncoder, save, specs
from tests.pipelines.encoder.test_placed_tokens import NASTY, TEXTS
from tests.tiny_model import POSITIONS, WORDS

TOLERANCE = 1e-4
SHARED = Path(__file__).parents[4] / "shared" / "models"
CHUNK, OVERLAP = 12, 3
LONG = [" ".join(WORDS[(place * step) % len(WORDS)] for place in range(200)) for step in (1, 2, 7)]
ENDLESS = "readread"
DOCUMENTS = [*LONG, "", " \n", "the zip", "\u200b", ENDLESS * 10, " ".join(NASTY), LONG[0]]


def load(model, **options):
    return TextEncoder.load(EncoderSpec(str(model), **{"pooling": "mean", "chunk_tokens": CHUNK, **options}))


@pytest.fixture(scope="module")
def encoder(tiny_model):
    return load(tiny_model, chunk_overlap=OVERLAP)


def chunks_of(encoder, texts) -> Chunks:
    chunks = encoder.tokenize_documents(texts)
    assert isinstance(chunks, Chunks)
    return chunks


def own_ids(chunks: Chunks, chunk: int) -> list[int]:
    row = chunks.row[chunk]
    return chunks.word_ids[row, 1 : chunks.lengths[row] - 1].tolist()


class Snippet:
    """The published usage, on ids."""

    def __init__(self, model: Path, preprocessor: Path) -> None:
        self.encoder = tf.saved_model.load(str(model))
        self.preprocessor = tf.saved_model.load(str(preprocessor))

    def ids(self, text: str) -> list[int]:
        return self.preprocessor.tokenize(tf.constant([text])).flat_values.numpy().tolist()

    def vector(self, ids: list[int], length: int) -> np.ndarray:
        ragged: Any = tf.RaggedTensor
        rows = ragged.from_row_lengths(tf.constant(ids, tf.int32), tf.constant([len(ids)], tf.int64))
        inputs = self.preprocessor.bert_pack_inputs([rows], seq_length=tf.constant(length))
        states = self.encoder(inputs, training=False)["sequence_output"].numpy()[0]
        return states[inputs["input_mask"].numpy()[0] > 0].mean(axis=0)


def assert_chunks_are_the_snippets(encoder, snippet, texts, length):
    chunks = chunks_of(encoder, texts)
    places = chunks.places
    vectors = np.asarray(encoder.encode_tokens(chunks).vectors)
    for chunk, vector in enumerate(vectors):
        ids = own_ids(chunks, chunk)
        text, start, end = texts[places.document[chunk]], places.start[chunk], places.end[chunk]
        found = snippet.ids(text[start:end])
        # One character may be more than a chunk; of a word that is, the place is only about the right one.
        cut_character = len(found) > length - 2 and str(ids)[1:-1] in str(found)
        cut_word = ENDLESS in text[max(0, start - len(ENDLESS)) : end + len(ENDLESS)]
        assert ids == found or cut_character or cut_word
        np.testing.assert_allclose(vector, snippet.vector(ids, length), rtol=0, atol=TOLERANCE)


@pytest.fixture(scope="module")
def snippet(tiny_model):
    return Snippet(tiny_model, tiny_model / "preprocess")


def test_each_chunk_has_the_vector_of_its_ids_and_offsets_that_cover_them(encoder, snippet):
    assert_chunks_are_the_snippets(encoder, snippet, DOCUMENTS, CHUNK)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the format's reference models lie outside the repository")
def test_chunks_of_the_model_gardens_own_export_are_the_snippets():
    model, preprocessor = SHARED / "electra_tiny", SHARED / "preprocess"
    encoder = load(model, preprocessor=str(preprocessor), chunk_overlap=OVERLAP)
    assert_chunks_are_the_snippets(encoder, Snippet(model, preprocessor), DOCUMENTS, CHUNK)


def test_a_model_that_takes_one_length_only_encodes_chunks_too(tiny_model, tmp_path):
    fake = FakeEncoder()
    given = [specs(length=32)[name] for name in NAMES]
    save(fake, lambda inputs: list(fake.encode(inputs[0]).values()), tmp_path / "model", ((given,), {}))
    encoder = load(tmp_path / "model", preprocessor=str(tiny_model / "preprocess"))
    chunks = chunks_of(encoder, DOCUMENTS)
    alone = load(tmp_path / "model", preprocessor=str(tiny_model / "preprocess")).encode(["the zip"])
    assert chunks.lengths.max() == CHUNK
    vectors = np.asarray(encoder.encode_tokens(chunks).vectors)
    np.testing.assert_allclose(vectors[chunks.places.document == 5], alone, rtol=0, atol=TOLERANCE)


@settings(deadline=None, max_examples=100)
@given(text=TEXTS)
def test_chunks_cover_every_token_of_any_text_in_order(encoder, snippet, text):
    chunks = chunks_of(encoder, [text])
    places, found = chunks.places, []
    for chunk in range(len(chunks.row)):
        ids = own_ids(chunks, chunk)
        assert len(ids) == chunks.own[chunk] <= CHUNK - 2
        repeated = next(n for n in range(OVERLAP, -1, -1) if n == 0 or found[-n:] == ids[:n])
        found += ids[repeated:]
    assert np.all(np.diff(places.start) >= 0) and np.all(np.diff(places.end) >= 0)
    assert places.start.min() >= 0 and places.end.max() <= len(text)
    assert set(snippet.ids(text)) == set(found)
    assert chunks.document_tokens.tolist() == [len(snippet.ids(text)) + 2]


def test_a_document_that_fits_a_chunk_has_the_vector_that_it_has_without_chunks(tiny_model, encoder):
    texts = ["the zip", "", "a", "file data text model read write of and to in"]
    chunks = chunks_of(encoder, texts)
    plain = load(tiny_model, chunk_tokens=None, max_tokens=CHUNK)
    assert chunks.places.number.tolist() == [0, 0, 0, 0]
    np.testing.assert_array_equal(encoder.encode_tokens(chunks).vectors, plain.encode(texts))


@pytest.mark.parametrize("blank", ["", " \n\t", "\u200b"])
def test_a_document_without_a_token_is_one_chunk_of_all_of_it(encoder, blank):
    places = chunks_of(encoder, ["the zip", blank, "file"]).places
    assert places.document.tolist() == [0, 1, 2]
    assert (places.start[1], places.end[1]) == (0, len(blank))


def test_documents_and_chunks_are_numbered_in_order(encoder):
    places = chunks_of(encoder, [LONG[0], "", LONG[1]]).places
    for document in range(3):
        numbers = places.number[places.document == document].tolist()
        assert numbers == list(range(len(numbers)))
    assert np.all(np.diff(places.document) >= 0)


def test_a_word_is_in_two_chunks_only_if_it_is_longer_than_one(encoder):
    text = "the archives, archives; zipzipzip files! " * 10
    places = chunks_of(encoder, [text]).places
    for start, end in zip(places.start, places.end, strict=True):
        assert not (text[start - 1 : start + 1].isalpha() and start) and not text[end - 1 : end + 1].isalpha()


def test_each_chunk_of_an_endless_word_is_of_its_own_part_of_it(encoder):
    places = chunks_of(encoder, [ENDLESS * 10]).places
    assert len(places.start) > 5
    assert np.all(np.diff(places.start) > 0) and np.all(places.end[:-1] >= places.start[1:])
    assert np.all(places.end - places.start <= CHUNK + 1)


def test_identical_chunks_are_encoded_once(encoder):
    chunks = chunks_of(encoder, [LONG[0]] * 50)
    assert len(chunks.lengths) == len(chunks_of(encoder, LONG[:1]).lengths) < len(chunks.row) // 50
    assert encoder.encode_tokens(chunks).stats.distinct == len(chunks.lengths)


def test_some_chunks_have_the_vectors_that_they_have_among_all(encoder):
    places = chunks_of(encoder, LONG).places
    every = np.asarray(encoder.encode_documents(LONG))
    document, number = np.array([2, 0, 2]), np.array([5, 0, 1])
    some = np.asarray(encoder.encode_documents(LONG, (document, number)))
    np.testing.assert_allclose(some, every[places.first[document] + number], rtol=0, atol=TOLERANCE)


def test_no_documents_have_no_chunks(encoder):
    chunks = chunks_of(encoder, [])
    assert len(chunks.row) == len(chunks.places.document) == 0
    assert np.asarray(encoder.encode_tokens(chunks).vectors).shape == (0, encoder.dimension)


def test_chunks_of_a_vector_a_token_have_one_for_each_of_their_own(tiny_model):
    encoder = load(tiny_model, pooling="sequence")
    chunks = chunks_of(encoder, LONG)
    states = encoder.encode_tokens(chunks).vectors
    assert [len(state) for state in states] == chunks.lengths[chunks.row].tolist()


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_pooled_document_has_the_mean_of_its_chunks_weighted_by_their_own_tokens(tiny_model, normalize, dtype):
    options = {"normalize": normalize, "chunk_overlap": OVERLAP}
    pooled, apart = load(tiny_model, chunk_pool="mean", dtype=dtype, **options), load(tiny_model, **options)
    vectors = np.asarray(pooled.encode_tokens(pooled.tokenize_documents(DOCUMENTS)).vectors)
    chunks = chunks_of(apart, DOCUMENTS)
    each = np.asarray(apart.encode_tokens(chunks).vectors)
    for document, vector in enumerate(vectors):
        mine = chunks.places.document == document
        due = np.average(each[mine], axis=0, weights=np.maximum(chunks.own[mine], 1))
        due = due / np.linalg.norm(due) if normalize else due
        np.testing.assert_allclose(vector, due, rtol=0, atol=TOLERANCE if dtype == "float32" else 2e-3)
    assert vectors.dtype == dtype


def test_a_query_is_cut_and_not_chunked(tiny_model, encoder):
    plain = load(tiny_model, chunk_tokens=None, max_tokens=CHUNK)
    np.testing.assert_array_equal(encoder.encode(DOCUMENTS), plain.encode(DOCUMENTS))


def test_a_lone_surrogate_is_told_by_its_documents_number(encoder):
    with pytest.raises(UnencodableTextError, match=r"text 1: .* \(U\+D800\) at character 7"):
        encoder.tokenize_documents(["fine", "broken \ud800"])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"chunk_tokens": 2}, r"--chunk-tokens 2: at least 3 \(two of them are \[CLS\] and \[SEP\]\)"),
        ({"chunk_tokens": POSITIONS + 1}, f"--chunk-tokens {POSITIONS + 1}: the model takes at most {POSITIONS}"),
        ({"chunk_overlap": 10}, "--chunk-overlap 10: 0 to 9, since 10 tokens of a chunk of 12 are the document's own"),
        ({"chunk_overlap": -1}, "--chunk-overlap -1: 0 to 9"),
        ({"max_tokens": 13}, "--max-tokens and --chunk-tokens exclude each other: leave one out"),
        ({"chunk_pool": "max"}, "--chunk-pool max: one of mean"),
        ({"chunk_pool": "mean", "pooling": "sequence"}, "--chunk-pool and --pooling sequence exclude each other"),
        ({"chunk_tokens": None, "chunk_overlap": 1}, "--chunk-overlap needs --chunk-tokens, the tokens of a chunk"),
        ({"chunk_tokens": None, "chunk_pool": "mean"}, "--chunk-pool needs --chunk-tokens"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_the_model_is_loaded(tiny_model, options, told):
    with pytest.raises(UsageError, match=told):
        load(tiny_model, **options)
