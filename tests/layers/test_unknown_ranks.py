"""Losses of tensors whose rank only a run knows."""

import numpy as np
import pytest

import graphc as tf


@pytest.mark.parametrize("weighted", [False, True])
def test_pairs_of_errors(weighted: bool) -> None:
    """The value of TensorFlow 1.15 is 19.668066 without weights, whatever is known of the shape."""
    p, t = (np.random.RandomState(i).randn(2, 3).astype(np.float32) for i in (1, 2))
    found = []
    for shape in ((2, 3), (None, None), None):
        with tf.Graph().as_default(), tf.Session() as sess:
            a, b = tf.placeholder(tf.float32, shape), tf.placeholder(tf.float32, shape)
            w = np.array([[0.0], [2.0]], np.float32) if weighted else 1.0
            loss = tf.losses.mean_pairwise_squared_error(b, a, w)
            found.append(sess.run([loss, tf.gradients(loss, a)[0]], {a: p, b: t}))
    for loss, gradient in found:
        if not weighted:
            np.testing.assert_allclose(loss, 19.668066, rtol=1e-6)
        np.testing.assert_allclose(loss, found[0][0], rtol=1e-6)
        np.testing.assert_allclose(gradient, found[0][1], rtol=1e-5)
