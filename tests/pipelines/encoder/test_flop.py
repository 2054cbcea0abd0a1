"""The operations of a batch are those of the matrix products that its vectors need, counted in the graph itself."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.encoder.flop import flop_by_length
from pipelines.encoder.spec import EncoderSpec
from pipelines.encoder.text_encoder import TextEncoder
from tests.tiny_model import INNER, LAYERS, POSITIONS, WIDTH

W = 6


def states_of(word_ids):
    return tf.one_hot(word_ids % W, W)


def count(function, length=10, fixed_length=None, longest=30):
    flop = flop_by_length(lambda ids, mask, types: function(ids), fixed_length, longest)
    return float(np.round(np.polyval(flop, length)))


def of_a_layer(length):
    """Four projections and two wide ones a token, and attention's two products a pair of tokens."""
    return 2 * length * (4 * WIDTH * WIDTH + 2 * WIDTH * INNER) + 4 * length * length * WIDTH


@pytest.mark.parametrize("length", [3, 16, 64])
def test_a_bert_costs_what_its_layers_cost(tiny_model, length):
    encoder = TextEncoder.load(EncoderSpec(str(tiny_model), pooling="mean", max_tokens=length))
    assert encoder.flop_of_row(length) == LAYERS * of_a_layer(length)


def test_the_pooler_costs_once_a_row_where_it_is_needed(tiny_model):
    encoder = TextEncoder.load(EncoderSpec(str(tiny_model), max_tokens=POSITIONS))
    assert encoder.flop_of_row(POSITIONS) == LAYERS * of_a_layer(POSITIONS) + 2 * WIDTH * WIDTH


def test_layers_above_the_last_one_asked_for_cost_nothing(tiny_model):
    encoder = TextEncoder.load(EncoderSpec(str(tiny_model), pooling="cls", layers=(0,), max_tokens=POSITIONS))
    assert encoder.flop_of_row(POSITIONS) == of_a_layer(POSITIONS)


def test_a_job_reports_what_its_batches_cost_padding_included(tiny_model):
    encoder = TextEncoder.load(EncoderSpec(str(tiny_model), pooling="mean", max_tokens=POSITIONS))
    stats = encoder.encode_tokens(encoder.tokenize(["the zip", "read and write"])).stats
    assert stats.padded_tokens == 2 * 8
    assert stats.flop == 2 * LAYERS * of_a_layer(8)


def test_weights_that_every_layer_shares_cost_as_often_as_they_are_used():
    kernel = tf.Variable(tf.ones([W, W]))

    @tf.function
    def layer(states):
        return tf.tensordot(states, kernel, 1)

    def shared(word_ids):
        states = states_of(word_ids)
        for _ in range(12):
            states = layer(states)
        return states

    assert count(shared) == 12 * 2 * 10 * W * W


@pytest.mark.parametrize(
    ("product", "cost"),
    [
        (lambda x: tf.einsum("abc,cd->abd", x, tf.ones([W, 5])), 2 * 10 * W * 5),
        (lambda x: tf.einsum("...c,cde->...de", x, tf.ones([W, 2, 3])), 2 * 10 * W * 6),
        (lambda x: tf.einsum("aec,abc->aeb", x, x), 2 * 10 * 10 * W),
        (lambda x: tf.matmul(x, x, transpose_b=True), 2 * 10 * 10 * W),
        (lambda x: tf.matmul(x, x, transpose_a=True), 2 * W * W * 10),
        (lambda x: tf.reshape(x, [-1, W]) @ tf.ones([W, 5]), 2 * 10 * W * 5),
        (lambda x: x[:, 0] @ tf.ones([W, 5]), 2 * W * 5),
        (lambda x: x + x, 0),
    ],
)
def test_every_kind_of_product_costs_its_results_times_the_terms_of_each(product, cost):
    assert count(lambda word_ids: product(states_of(word_ids))) == cost


def test_a_single_length_is_counted_as_it_is():
    assert count(lambda ids: states_of(ids) @ tf.ones([W, W]), length=7, fixed_length=7, longest=5) == 2 * 7 * W * W


def test_where_the_graph_does_not_tell_nothing_is_claimed():
    def until_done(word_ids):
        return tf.while_loop(lambda x: tf.reduce_sum(x) > 0, lambda x: (x @ tf.ones([W, W]),), (states_of(word_ids),))[
            0
        ]

    assert count(until_done) == 0
    assert count(lambda word_ids: tf.boolean_mask(states_of(word_ids), word_ids > 0) @ tf.ones([W, 3])) == 0
