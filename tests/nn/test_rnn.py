"""Recurrent nets: lengths, errors, reuse, gradients, and the unrolled form against the loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf

c = tf.nn.rnn_cell


@pytest.fixture(autouse=True)
def fresh_graph() -> Any:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


def x(*shape: int | None) -> Any:
    return tf.placeholder(tf.float32, list(shape))


def sigmoid(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))


# ------------------------------------------------------------------------------ cells by hand


def lstm_by_hand(x: Any, lengths: Any, kernel: Any, bias: Any) -> tuple[Any, Any, Any]:
    """An LSTM net in numpy, row by row, each as far as its length."""
    units = bias.size // 4
    out = np.zeros((*x.shape[:2], units))
    c, h = np.zeros((len(x), units)), np.zeros((len(x), units))
    for r, n in enumerate(lengths):
        for t in range(n):
            i, j, f, o = np.split(np.concatenate([x[r, t], h[r]]) @ kernel + bias, 4)
            c[r] = c[r] * sigmoid(f + 1) + sigmoid(i) * np.tanh(j)
            h[r] = np.tanh(c[r]) * sigmoid(o)
            out[r, t] = h[r]
    return out, c, h


@pytest.mark.parametrize("form", ["loop", "unrolled"])
@pytest.mark.parametrize("lengths", [[5, 5, 5, 5], [0, 1, 3, 5], [0, 0, 0, 0], [2, 2, 1, 0]])
def test_lengths(form: str, lengths: list[int]) -> None:
    data = np.random.default_rng(0).normal(size=(4, 5, 3))
    cell = c.BasicLSTMCell(2)
    feed = tf.placeholder(tf.float64, [None, 5, 3])
    n = tf.placeholder(tf.int32, [None])
    if form == "loop":
        out, state = tf.nn.dynamic_rnn(cell, feed, sequence_length=n, dtype=tf.float64)
    else:
        steps, state = tf.nn.static_rnn(
            cell, tf.unstack(feed, axis=1), sequence_length=n, dtype=tf.float64
        )
        out = tf.stack(steps, axis=1)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        got, (memory, last), (kernel, bias) = sess.run(
            [out, state, cell.variables], {feed: data, n: lengths}
        )
    want = lstm_by_hand(data, lengths, kernel, bias)
    for a, b in zip((got, memory, last), want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_other_sizes_need_no_other_kernels() -> None:
    """One compilation serves batches and lengths of every size."""
    feed = tf.placeholder(tf.float32, [None, None, 3])
    out, _ = tf.nn.dynamic_rnn(c.GRUCell(2), feed, dtype=tf.float32)
    from graphc.runtime.counting import counters

    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(out, {feed: np.ones((4, 5, 3))})
        sess.run(out, {feed: np.ones((5, 4, 3))})
        before = counters.plans
        for rows, steps in ((2, 9), (7, 3), (3, 30)):
            got = sess.run(out, {feed: np.ones((rows, steps, 3))})
            assert got.shape == (rows, steps, 2)
        assert counters.plans == before


@pytest.mark.parametrize(
    "make",
    [
        lambda: c.BasicRNNCell(3),
        lambda: c.GRUCell(3),
        lambda: c.LSTMCell(3, use_peepholes=True, num_proj=2),
        lambda: c.MultiRNNCell([c.BasicLSTMCell(2), c.ResidualWrapper(c.GRUCell(2))]),
    ],
    ids=["rnn", "gru", "lstm", "multi"],
)
@pytest.mark.parametrize("form", ["loop", "unrolled"])
def test_gradients(make: Callable[[], Any], form: str) -> None:
    """Against differences, in float64, by weights and by inputs."""
    random = np.random.default_rng(1)
    feed = tf.placeholder(tf.float64, [None, 3, 2])
    if form == "loop":
        out, _ = tf.nn.dynamic_rnn(make(), feed, sequence_length=[3, 2], dtype=tf.float64)
    else:
        steps, _ = tf.nn.static_rnn(make(), tf.unstack(feed, axis=1), dtype=tf.float64)
        out = tf.stack(steps)
    loss = tf.reduce_sum(tf.square(out))
    data = random.normal(size=(2, 3, 2))
    variables = tf.trainable_variables()
    slopes = tf.gradients(loss, [feed, *variables])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        got = sess.run(slopes, {feed: data})
        direction = random.normal(size=data.shape)
        step = 1e-6
        up, down = (sess.run(loss, {feed: data + s * step * direction}) for s in (1, -1))
        np.testing.assert_allclose((up - down) / (2 * step), np.sum(got[0] * direction), rtol=1e-6)
        for v, g in zip(variables, got[1:], strict=True):
            value = sess.run(v)
            direction = random.normal(size=value.shape)
            ends = []
            for s in (1, -1):
                v.load(value + s * step * direction, sess)
                ends.append(sess.run(loss, {feed: data}))
            v.load(value, sess)
            want = (ends[0] - ends[1]) / (2 * step)
            np.testing.assert_allclose(np.sum(g * direction), want, rtol=1e-5, atol=1e-7)


def test_second_derivative_through_a_loop() -> None:
    """Of what a gradient penalty needs; TensorFlow refuses it for loops."""
    feed = tf.placeholder(tf.float64, [None, 3, 2])
    cell = c.GRUCell(3)
    out, _ = tf.nn.dynamic_rnn(cell, feed, dtype=tf.float64)
    unrolled, _ = tf.nn.static_rnn(cell, tf.unstack(feed, axis=1), dtype=tf.float64)
    penalties = []
    for y in (out, tf.stack(unrolled, axis=1)):
        slope = tf.gradients(tf.reduce_sum(tf.square(y)), feed)[0]
        penalties.append(tf.gradients(tf.reduce_sum(tf.square(slope)), [feed, *cell.variables]))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        looped, plain = sess.run(penalties, {feed: np.random.default_rng(0).normal(size=(2, 3, 2))})
    for a, b in zip(looped, plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


# ------------------------------------------------------------------------------ dropout


def test_dropout_draws_anew_each_step_and_run() -> None:
    cell = c.DropoutWrapper(c.BasicRNNCell(400), output_keep_prob=0.25)
    out, _ = tf.nn.static_rnn(cell, [tf.ones([1, 3])] * 2, dtype=tf.float32)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        first, second = sess.run(out), sess.run(out)
    kept = [a != 0 for a in (*first, *second)]
    assert all(0.15 < k.mean() < 0.35 for k in kept)
    assert not np.array_equal(kept[0], kept[1])
    assert not np.array_equal(kept[0], kept[2])


def test_variational_dropout_keeps_its_mask_for_a_run() -> None:
    cell = c.DropoutWrapper(
        c.BasicRNNCell(50), output_keep_prob=0.5, variational_recurrent=True, dtype=tf.float32
    )
    out, _ = tf.nn.static_rnn(cell, [tf.ones([1, 3])] * 3, dtype=tf.float32)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        first, second = sess.run(out), sess.run(out)
    assert all(np.array_equal(a != 0, first[0] != 0) for a in first)
    assert not np.array_equal(first[0] != 0, second[0] != 0)


# ------------------------------------------------------------------------------ reuse


def test_reuse() -> None:
    cell = c.GRUCell(2)
    tf.nn.dynamic_rnn(cell, x(None, 3, 2), dtype=tf.float32)
    tf.nn.dynamic_rnn(cell, x(None, 3, 2), dtype=tf.float32)  # a built cell keeps its variables
    assert len(tf.trainable_variables()) == 4
    with pytest.raises(ValueError, match="rnn/gru_cell/gates/kernel already exists, disallowed"):
        tf.nn.dynamic_rnn(c.GRUCell(2), x(None, 3, 2), dtype=tf.float32)
    with tf.variable_scope("", reuse=True):
        tf.nn.dynamic_rnn(c.GRUCell(2), x(None, 3, 2), dtype=tf.float32)
    assert len(tf.trainable_variables()) == 4
    assert cell.trainable_variables == tf.trainable_variables()


def test_a_failed_call_leaves_the_graph_as_it_was() -> None:
    cell = c.BasicLSTMCell(2)
    state = cell.zero_state(2, tf.float32)
    before = len(tf.get_default_graph().get_operations())
    with pytest.raises(ValueError, match="expected ndim=2, found ndim=3"):
        cell(tf.zeros([2, 3, 4]), state)
    assert len(tf.get_default_graph().get_operations()) == before + 1  # the zeros
    cell(tf.zeros([2, 3]), state)
    assert len(cell.variables) == 2


# ------------------------------------------------------------------------------ errors

ERRORS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "no_dtype": (
        lambda: tf.nn.dynamic_rnn(c.GRUCell(2), x(None, 3, 2)), ValueError,
        "If there is no initial_state, you must give a dtype.",
    ),
    "static_no_dtype": (
        lambda: tf.nn.static_rnn(c.GRUCell(2), [x(None, 2)]), ValueError,
        "If no initial_state is provided, dtype must be specified",
    ),
    "static_tensor": (
        lambda: tf.nn.static_rnn(c.GRUCell(2), x(None, 2), dtype=tf.float32), TypeError,
        "inputs must be a sequence",
    ),
    "static_empty": (
        lambda: tf.nn.static_rnn(c.GRUCell(2), [], dtype=tf.float32), ValueError,
        "inputs must not be empty",
    ),
    "not_a_cell": (
        lambda: tf.nn.dynamic_rnn(3, x(None, 3, 2), dtype=tf.float32), TypeError,
        "The argument 'cell' (3) is not an RNNCell: 'output_size' property is missing, "
        "'state_size' property is missing, either 'zero_state' or 'get_initial_state' method is "
        "required, is not callable.",
    ),
    "unknown_depth": (
        lambda: tf.nn.dynamic_rnn(c.GRUCell(2), x(None, 3, None), dtype=tf.float32), ValueError,
        "Input size (depth of inputs) must be accessible via shape inference, but saw value None.",
    ),
    "static_unknown_depth": (
        lambda: tf.nn.static_rnn(c.GRUCell(2), [x(None, None)], dtype=tf.float32), ValueError,
        "Input size (dimension 0 of inputs) must be accessible via shape inference, but saw value "
        "None.",
    ),
    "rank": (
        lambda: tf.nn.dynamic_rnn(c.GRUCell(2), x(None, 3), dtype=tf.float32), ValueError,
        "Shape (3, ?) must have rank at least 3",
    ),
    "int_input": (
        lambda: c.GRUCell(2)(tf.zeros([2, 3], tf.int32), tf.zeros([2, 2])), ValueError,
        "RNN cell only supports floating point inputs, but saw dtype: <dtype: 'int32'>",
    ),
    "int_dtype": (
        lambda: c.GRUCell(2, dtype=tf.int32), ValueError,
        "RNN cell only supports floating point inputs, but saw dtype: <dtype: 'int32'>",
    ),
    "multi_empty": (
        lambda: c.MultiRNNCell([]), ValueError,
        "Must specify at least one cell for MultiRNNCell.",
    ),
    "multi_flat": (
        lambda: c.MultiRNNCell([c.BasicLSTMCell(2)], state_is_tuple=False), ValueError,
        "Some cells return tuples of states, but the flag state_is_tuple is not set.  State sizes "
        "are: [LSTMStateTuple(c=2, h=2)]",
    ),
    "multi_state": (
        lambda: c.MultiRNNCell([c.GRUCell(2)])(x(2, 3), x(2, 2)), ValueError,
        "Expected state to be a tuple of length 1, but received: Tensor",
    ),
    "keep_prob": (
        lambda: c.DropoutWrapper(c.GRUCell(2), output_keep_prob=1.5), ValueError,
        "Parameter output_keep_prob must be between 0 and 1: 1",
    ),
    "variational": (
        lambda: c.DropoutWrapper(c.GRUCell(2), variational_recurrent=True), ValueError,
        "When variational_recurrent=True, dtype must be provided",
    ),
    "none_batch": (
        lambda: c.GRUCell(2).zero_state(None, tf.float32), ValueError,
        "Provided a prefix or suffix of None: None and 2",
    ),
    "lengths_rank": (
        lambda: tf.nn.dynamic_rnn(
            c.GRUCell(2), x(None, 3, 2), tf.zeros([2, 2], tf.int32), dtype=tf.float32
        ),
        ValueError, "sequence_length must be a vector of length batch_size, but saw shape: (2, 2)",
    ),
    "abstract": (lambda: c.RNNCell().state_size, NotImplementedError, "Abstract method"),
    "decoder": (
        lambda: tf.contrib.seq2seq.dynamic_decode(3), TypeError,
        "Expected decoder to be type Decoder, but saw: <class 'int'>",
    ),
    "helper": (
        lambda: tf.contrib.seq2seq.BasicDecoder(c.GRUCell(2), 3, None), TypeError,
        "helper must be a Helper, received: <class 'int'>",
    ),
    "loss_rank": (
        lambda: tf.contrib.seq2seq.sequence_loss(x(2, 3), x(2, 3), x(2, 3)), ValueError,
        "Logits must be a [batch_size x sequence_length x logits] tensor",
    ),
    "loss_both": (
        lambda: tf.contrib.seq2seq.sequence_loss(
            x(2, 3, 4), x(2, 3), x(2, 3), sum_over_batch=True
        ),
        ValueError,
        "average_across_batch and sum_over_batch cannot be set to True at same time.",
    ),
    "legacy_lengths": (
        lambda: tf.contrib.legacy_seq2seq.sequence_loss([x(2, 3)], [], []), ValueError,
        "Lengths of logits, weights, and targets must be the same 1, 0, 0.",
    ),
    "attention": (
        lambda: tf.contrib.seq2seq.AttentionWrapper(c.GRUCell(2), 3), TypeError,
        "attention_mechanism must be an AttentionMechanism or list of multiple "
        "AttentionMechanism instances, saw type: int",
    ),
    "luong_units": (
        lambda: tf.contrib.seq2seq.LuongAttention(3, x(2, 4, 5))(x(2, 2), None), ValueError,
        "Incompatible or unknown inner dimensions between query and keys.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_error(name: str) -> None:
    f, kind, text = ERRORS[name]
    with pytest.raises(kind) as caught:
        f()
    assert type(caught.value) is kind
    assert str(caught.value).startswith(text)


def test_rows_that_differ() -> None:
    """What TF finds by its assertions in the run is found while the graph is made or run."""
    memory = tf.zeros([3, 4, 2])
    cell = tf.contrib.seq2seq.AttentionWrapper(
        c.GRUCell(2), tf.contrib.seq2seq.LuongAttention(2, memory)
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="3 and 6"):
        cell.zero_state(6, tf.float32)
    feed, n = x(None, 3, 2), tf.placeholder(tf.int32, [None])
    out, _ = tf.nn.dynamic_rnn(c.GRUCell(2), feed, n, dtype=tf.float32)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        with pytest.raises(tf.errors.InvalidArgumentError):
            sess.run(out, {feed: np.zeros((4, 3, 2)), n: [1, 2]})
        assert sess.run(out, {feed: np.zeros((2, 3, 2)), n: [1, 2]}).shape == (2, 3, 2)


def test_names_of_other_times_and_places() -> None:
    from graphc.contrib.rnn import static_rnn
    from graphc.python.ops import rnn, rnn_cell, seq2seq

    assert tf.nn.rnn is tf.nn.static_rnn is static_rnn is rnn.static_rnn
    assert rnn_cell.BasicLSTMCell is tf.contrib.rnn.BasicLSTMCell is tf.nn.rnn_cell.BasicLSTMCell
    assert tf.nn.rnn_cell.OutputProjectionWrapper is tf.contrib.rnn.OutputProjectionWrapper
    assert seq2seq.sequence_loss is tf.nn.seq2seq.sequence_loss
    assert tf.nn.seq2seq.sequence_loss is tf.contrib.legacy_seq2seq.sequence_loss


#: What TensorFlow 1.15 draws: sums of the first weights, and the seed of what is drawn behind.
DRAWN_CELLS = {
    "ugrnn": (lambda: tf.contrib.rnn.UGRNNCell(6), {3: (33.5623, 42), None: (33.5623, 42)}),
    "glstm": (
        lambda: tf.contrib.rnn.GLSTMCell(6, number_of_groups=2),
        {3: (17.5089, 103), None: (18.7944, 112)},
    ),
    "variational dropout": (
        lambda: tf.nn.rnn_cell.DropoutWrapper(
            tf.nn.rnn_cell.GRUCell(6), 0.7, 0.8, 0.9, variational_recurrent=True, input_size=4,
            dtype=tf.float32, seed=3,
        ),
        {3: (32.2168, 110), None: (32.2168, 110)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWN_CELLS)
def test_cells_count_the_operations_of_tensorflow(name: str) -> None:
    """Weights without a seed of their own are drawn by the number of operations before them."""
    make, found = DRAWN_CELLS[name]
    for batch, (total, seed) in found.items():
        with tf.Graph().as_default() as graph, tf.Session() as sess:
            tf.set_random_seed(5)
            x = tf.placeholder(tf.float32, [batch, 4])
            cell = make()
            cell(x, cell.zero_state(3, tf.float32))
            tf.random_uniform([])
            drawn = [o for o in graph.get_operations() if o.type == "RandomUniform"]
            assert drawn[-1].get_attr("seed2") == seed
            sess.run(tf.global_variables_initializer())
            first = sess.run(tf.trainable_variables()[0])
            np.testing.assert_allclose(np.abs(first).sum(), total, rtol=1e-5)
