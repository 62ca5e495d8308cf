"""As many operations as TensorFlow 1.15 makes: what is drawn without a seed of its own counts them.

The counts are in ``gradient_counts.json``, what is counted in `gradient_count_programs`.
"""

import json
from pathlib import Path

import gradient_count_programs as programs
import numpy as np
import pytest

import graphc as tf

VALUES = json.loads((Path(__file__).parent / "gradient_counts.json").read_text())
#: What is counted otherwise here.
DIFFERENT = {
    "tf.segment_mean(x,i)",
    "tf.cond(s>0,lambda:tf.while_loop(lambda j,a:j<3,lambda j,a:(j+1,a*2.),[0,s])[1],lambda:s)",
    "tf.cond(s>0,lambda:tf.while_loop(lambda j,a:j<3,lambda "
    "j,a:(j+1,tf.tanh(a)),[0,n])[1],lambda:n*2.)",
    "tf.keras.layers.LSTM(4)(n3)",
    "tf.keras.layers.GRU(4,return_sequences=True)(n3)",
    "tf.keras.layers.SimpleRNN(4)(x3)",
    "tf.keras.layers.LSTM(4,dropout=.5,recurrent_dropout=.2)(n3)",
    "tf.linalg.expm(q)",
    "tf.TensorArray(tf.float32,2,clear_after_read=False).unstack(x).gather([0,1])",
    "tf.TensorArray(tf.float32,2).split(x,[1,1]).concat()",
    "tf.while_loop(lambda j,a:j<3,lambda j,a:(j+1,tf.cond(j>1,lambda:tf.while_loop(lambda "
    "l,c:l<2,lambda l,c:(l+1,c*2.),[0,a])[1],lambda:a)),[0,s])[1]",
}


def test_expressions():
    """Of each the operations, those of its gradient, and of its gated gradient."""
    want = VALUES["expressions"]
    got = {text: programs.counts(tf, text) for text in want}
    assert {k: v for k, v in got.items() if v != want[k] and k not in DIFFERENT} == {}


def test_known_differences():
    """One that is no difference any more belongs to the others."""
    want = VALUES["expressions"]
    assert [text for text in DIFFERENT if programs.counts(tf, text) == want[text]] == []


def test_optimizers():
    want = VALUES["optimizers"]
    assert {key: programs.optimized(tf, *key.split()) for key in want} == want


@pytest.mark.parametrize("name", VALUES["programs"])
def test_programs(name):
    if name == "decoder":  # its helper reads what it says next otherwise than TensorFlow's
        pytest.xfail("the decoder's helper is recorded otherwise")
    assert programs.marks(tf, getattr(programs, name)) == VALUES["programs"][name]


def test_what_is_drawn_behind_a_loop():
    """Initial values and draws after `dynamic_rnn` and `minimize` are TensorFlow's."""
    tf.reset_default_graph()
    tf.set_random_seed(7)
    x, y = tf.placeholder(tf.float32, [None, 6, 3]), tf.placeholder(tf.float32, [None, 2])
    out, _ = tf.nn.dynamic_rnn(tf.nn.rnn_cell.LSTMCell(5), x, dtype=tf.float32)
    loss = tf.reduce_mean(tf.square(tf.layers.dense(out[:, -1], 2) - y))
    train = tf.train.AdamOptimizer(0.01).minimize(loss)
    tf.nn.dropout(tf.ones([8]), 0.5)
    normal = tf.random_normal([3])
    w = tf.get_variable("w", [2, 2])
    random = np.random.RandomState(0)
    feed = {x: random.randn(4, 6, 3), y: random.randn(4, 2)}
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        losses = [session.run([loss, train], feed)[0] for _ in range(3)]
        np.testing.assert_allclose(losses, [0.648131, 0.592031, 0.540309], rtol=1e-5)
        want = [0.26589987, 0.7992967, -0.67506504]
        np.testing.assert_allclose(session.run(normal), want, rtol=1e-6)
        want = [[-0.800097, 0.23283184], [-0.32508487, 0.9138583]]
        np.testing.assert_allclose(session.run(w), want, rtol=1e-6)
