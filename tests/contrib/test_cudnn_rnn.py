"""cuDNN's recurrent layers compute what the cells with the same weights compute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf

X = np.sin(np.arange(4 * 3 * 6)).reshape(4, 3, 6).astype(np.float32)


def layer(kind: str, direction: str = "unidirectional", **more: Any) -> Any:
    return getattr(tf.contrib.cudnn_rnn, kind)(2, 5, direction=direction, name="enc", **more)


@pytest.mark.parametrize("direction", ["unidirectional", "bidirectional"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_checkpoints_are_those_of_cells(kind: str, direction: str, tmp_path: Path) -> None:
    with tf.Graph().as_default():
        net = layer("Cudnn" + kind, direction)
        y, _ = net(tf.constant(X))
        assert [v.name for v in net.trainable_variables] == ["enc/opaque_kernel:0"]
        saver = tf.train.Saver([net.saveable])
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            net.kernel.load(np.cos(np.arange(net.kernel.shape[0].value)) * 0.4, session)
            want, path = session.run(y), saver.save(session, str(tmp_path / "m"))
    cell = getattr(tf.contrib.cudnn_rnn, f"CudnnCompatible{kind}Cell")
    with tf.Graph().as_default():
        pair = [[cell(5), cell(5)] for _ in range(2)]
        with tf.variable_scope("enc"):
            if direction == "unidirectional":
                many = tf.nn.rnn_cell.MultiRNNCell(pair[0])
                y, _ = tf.nn.dynamic_rnn(many, tf.constant(X), dtype=tf.float32, time_major=True)
            else:
                y, _, _ = tf.contrib.rnn.stack_bidirectional_dynamic_rnn(
                    *pair, tf.constant(X), dtype=tf.float32, time_major=True
                )
        with tf.Session() as session:
            tf.train.Saver().restore(session, path)
            np.testing.assert_allclose(session.run(y), want, 1e-5, 1e-6)
    with tf.Graph().as_default():
        net = layer("Cudnn" + kind, direction)
        y, _ = net(tf.constant(X), training=False)
        with tf.Session() as session:
            tf.train.Saver([net.saveable]).restore(session, path)
            np.testing.assert_allclose(session.run(y), want, 1e-5, 1e-6)


def test_lengths_and_first_states() -> None:
    net = layer("CudnnLSTM", "bidirectional")
    first = tuple(tf.constant(np.full((4, 3, 5), v, np.float32)) for v in (0.2, -0.1))
    y, (h, c) = net(X, initial_state=first, sequence_lengths=[4, 2, 3])
    again, _ = net(np.swapaxes(X, 0, 1), initial_state=first, time_major=False)
    short, (h1, c1) = net(X[:2], initial_state=first)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        y, h, c, short, h1, c1, again, whole = session.run(
            [y, h, c, short, h1, c1, again, net(X, initial_state=first)[0]]
        )
    assert (y[2:, 1] == 0).all()
    np.testing.assert_allclose(y[:2, 1], short[:, 1], 1e-5, 1e-6)
    np.testing.assert_allclose(h[:, 1], h1[:, 1], 1e-5, 1e-6)
    np.testing.assert_allclose(c[:, 1], c1[:, 1], 1e-5, 1e-6)
    np.testing.assert_allclose(np.swapaxes(again, 0, 1), whole, 1e-5, 1e-6)


@pytest.mark.parametrize("kind", ["CudnnRNNTanh", "CudnnRNNRelu"])
def test_plain(kind: str) -> None:
    net = getattr(tf.contrib.cudnn_rnn, kind)(1, 6, input_mode="skip_input")
    y, _ = net(X)
    assert net.canonical_weight_shapes == [(6, 6)]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        got, k = session.run([y, net.kernel])
    f = np.tanh if kind.endswith("Tanh") else lambda v: np.maximum(v, 0)
    h = np.zeros((3, 6), np.float32)
    for t in range(4):
        h = f(X[t] + h @ k[:36].reshape(6, 6).T)
        np.testing.assert_allclose(got[t], h, 1e-5, 1e-6)


def test_canonical_shapes() -> None:
    net = layer("CudnnLSTM", "bidirectional")
    with pytest.raises(ValueError, match="input_size"):
        _ = net.input_size
    net.build([None, None, 6])
    one = [(5, 6)] * 4 + [(5, 5)] * 4
    two = [(5, 10)] * 4 + [(5, 5)] * 4
    assert net.canonical_weight_shapes == one * 2 + two * 2
    assert net.canonical_bias_shapes == [[5]] * 32
    assert net.state_shape(3) == ([4, 3, 5], [4, 3, 5])


def test_misuse() -> None:
    c = tf.contrib.cudnn_rnn
    with pytest.raises(ValueError, match="Invalid direction: x, expecting unidirectional or"):
        c.CudnnLSTM(1, 2, direction="x")
    with pytest.raises(ValueError, match="Invalid input_mode: x, expect one of"):
        c.CudnnGRU(1, 2, input_mode="x")
    with pytest.raises(ValueError, match="Only support float16, float32, float64"):
        c.CudnnGRU(1, 2, dtype=tf.int32)
    with pytest.raises(ValueError, match="Expecting input_shape with 3 dims, got 2"):
        c.CudnnGRU(1, 2)(tf.zeros([2, 3]))
    with pytest.raises(ValueError, match="last dimension"):
        c.CudnnGRU(1, 2)(tf.placeholder(tf.float32, [2, 3, None]))
    with pytest.raises(TypeError, match="Invalid initial_state type"):
        c.CudnnGRU(1, 2)(X, initial_state=tf.zeros([1, 3, 2]))
