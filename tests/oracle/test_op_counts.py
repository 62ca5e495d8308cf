"""How many operations TensorFlow 1.15 makes: seeds of random ops under a graph seed come from it.

``op_counts.json``: ``counts`` of expressions, those that are ``different`` here, and the second
seeds of the initializers of recurrent nets (``cells``).
"""

import json
from pathlib import Path

import pytest

import graphc as tf

VALUES = json.loads((Path(__file__).parent / "op_counts.json").read_text())
R = tf.nn.rnn_cell


def names():
    """What the expressions read."""
    p = tf.placeholder
    return {
        "tf": tf, "x": p(tf.float32, [2, 4]), "u": p(tf.float32, [None, None]), "r": p(tf.float32),
        "r3": p(tf.float32, [2, 5, 3]), "u3": p(tf.float32, [None, 5, 3]), "i": p(tf.int32, [2]),
        "k": p(tf.float32, []), "b": tf.ones([4]), "b2": tf.ones([3]), "c3": tf.ones([3]),
        "im": p(tf.float32, [2, 8, 8, 3]), "f": tf.ones([2, 2, 3, 2]), "t": p(tf.bool, []),
        "w2": tf.ones([2, 1]), "v5": p(tf.float32, [1, 4, 4, 4, 2]),
        "wv": tf.Variable(tf.ones([4, 3])),
    }  # fmt: skip


def count(text):
    with tf.Graph().as_default() as g:
        tf.set_random_seed(1)
        given = names()
        before = g.version
        eval(text, given)
        return g.version - before


def test_counts():
    got = {text: count(text) for text in VALUES["counts"]}
    assert got == VALUES["counts"]


def test_known_differences():
    """One that is no difference any more belongs to the others."""
    equal = [text for text, n in VALUES["different"].items() if count(text) == n]
    assert equal == []


CELLS = {
    "basic_rnn": lambda: R.BasicRNNCell(4),
    "basic_lstm": lambda: R.BasicLSTMCell(4),
    "lstm": lambda: R.LSTMCell(4),
    "lstm_p": lambda: R.LSTMCell(4, use_peepholes=True, num_proj=3),
    "gru": lambda: R.GRUCell(4),
    "multi": lambda: R.MultiRNNCell([R.BasicLSTMCell(4), R.GRUCell(3)]),
    "drop": lambda: R.DropoutWrapper(R.GRUCell(4), 0.5, 0.5, 0.5),
    "resid": lambda: R.ResidualWrapper(R.GRUCell(3)),
    "lnlstm": lambda: tf.contrib.rnn.LayerNormBasicLSTMCell(4),
}


def one(make):
    x, cell = tf.placeholder(tf.float32, [2, 3]), make()
    cell(x, cell.zero_state(2, tf.float32))


def inputs():
    return tf.placeholder(tf.float32, [None, 4, 3], name="x")


def dyn(make, lengths=False, initial=False, time_major=False):
    x, cell = inputs(), make()
    n = tf.placeholder(tf.int32, [None]) if lengths else None
    state = cell.zero_state(tf.shape(x)[0], tf.float32) if initial else None
    out, _ = tf.nn.dynamic_rnn(
        cell, x, n, initial_state=state, dtype=None if initial else tf.float32,
        time_major=time_major,
    )  # fmt: skip
    tf.layers.dense(out[:, -1], 2)


def static(make):
    out, _ = tf.nn.static_rnn(make(), tf.unstack(inputs(), 4, 1), dtype=tf.float32)
    tf.layers.dense(out[-1], 2)


def bi(lengths):
    x = inputs()
    n = tf.placeholder(tf.int32, [None]) if lengths else None
    cells = R.LSTMCell(4), R.LSTMCell(4)
    out, _ = tf.nn.bidirectional_dynamic_rnn(*cells, x, n, dtype=tf.float32)
    tf.layers.dense(tf.concat(out, 2), 2)


def bi_static():
    rows = tf.unstack(inputs(), 4, 1)
    cells = R.GRUCell(4), R.GRUCell(4)
    out, _, _ = tf.nn.static_bidirectional_rnn(*cells, rows, dtype=tf.float32)
    tf.layers.dense(out[-1], 2)


def legacy():
    xs = [tf.placeholder(tf.int32, [2]) for _ in range(3)]
    seq2seq = tf.contrib.legacy_seq2seq
    out, _ = seq2seq.embedding_rnn_seq2seq(xs, xs, R.GRUCell(4), 7, 7, 3)
    tf.layers.dense(out[-1], 2)


NETS = {
    **{
        f"{kind.__name__}_{name}": (kind, make)
        for name, make in CELLS.items()
        for kind in (one, dyn, static)
    },
    "dyn_seq": (dyn, CELLS["basic_lstm"], True),
    "dyn_seq_gru": (dyn, CELLS["gru"], True),
    "dyn_init": (dyn, CELLS["multi"], False, True),
    "dyn_tm": (dyn, CELLS["gru"], False, False, True),
    "bi": (bi, False),
    "bi_seq": (bi, True),
    "bi_static": (bi_static,),
    "legacy": (legacy,),
}


@pytest.mark.parametrize("name", NETS)
def test_seeds_of_recurrent_nets(name):
    with tf.Graph().as_default() as g:
        tf.set_random_seed(1)
        build, *given = NETS[name]
        build(*given)
        tf.random_uniform([1], name="last")
        seeds = {o.name: o.get_attr("seed2") for o in g.get_operations() if "seed2" in o.attrs}
    assert seeds == VALUES["cells"][name]
