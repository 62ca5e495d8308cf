"""``tensorflow.python.keras.utils.conv_utils``; values of TensorFlow 1.15."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.face.insides import with_gradient
from graphc.keras import conv_sizes

CONVOLVED = {
    (10, 3, 1, 1): [10, 8, 12, 10], (10, 3, 2, 1): [5, 4, 6, 5], (9, 4, 3, 2): [3, 1, 5, 3],
    (None, 3, 1, 1): [None] * 4,
}  # fmt: skip
TRANSPOSED = {
    (10, 3, None, 1, 1): [10, 12, 8], (10, 3, None, 2, 1): [20, 21, 17],
    (9, 4, 1, 3, 2): [26, 32, 20], (5, 2, None, 3, 1): [15, 15, 12], (5, 2, 0, 3, 1): [12, 14, 12],
    (None, 3, None, 1, 1): [None] * 3,
}  # fmt: skip


@pytest.mark.parametrize("case", CONVOLVED)
def test_lengths_of_convolutions(case):
    n, k, stride, dilation = case
    words = ("same", "valid", "full", "causal")
    found = [conv_sizes.conv_output_length(n, k, p, stride, dilation) for p in words]
    assert found == CONVOLVED[case]


@pytest.mark.parametrize("case", TRANSPOSED)
def test_lengths_of_transposed_convolutions(case):
    n, k, more, stride, dilation = case
    words = ("same", "valid", "full")
    found = [conv_sizes.deconv_output_length(n, k, p, more, stride, dilation) for p in words]
    assert found == TRANSPOSED[case]


def test_lengths_of_operands():
    cases = ((10, 3, 1), (10, 3, 2), (9, 4, 3))
    words = ("same", "valid", "full")
    found = [conv_sizes.conv_input_length(n, k, p, s) for p in words for n, k, s in cases]
    assert found == [10, 19, 24, 12, 21, 28, 8, 17, 22]
    with pytest.raises(AssertionError, match="not 'causal'"):
        conv_sizes.conv_input_length(3, 3, "causal", 1)


def test_words_and_filters():
    assert conv_sizes.normalize_data_format(None) == "channels_last"
    assert conv_sizes.normalize_data_format("Channels_First") == "channels_first"
    assert [conv_sizes.normalize_padding(p) for p in ("SAME", "causal")] == ["same", "causal"]
    with pytest.raises(ValueError, match="must be a list/tuple or one of"):
        conv_sizes.normalize_padding("x")
    turned = conv_sizes.convert_kernel(np.arange(8).reshape(2, 2, 2, 1))
    assert turned.ravel().tolist() == [6, 7, 4, 5, 2, 3, 0, 1]
    with pytest.raises(ValueError, match="Invalid kernel shape"):
        conv_sizes.convert_kernel(np.zeros(3))


def test_a_gradient_of_ones_own_without_a_decorator():
    x = tf.constant(3.0)
    y = with_gradient(lambda a: (a * a, lambda dy: 7.0 * dy), x)
    with tf.Session() as session:
        assert session.run([y, *tf.gradients(y, x)]) == [9.0, 7.0]
    assert tf.keras.__version__ == "2.2.4-tf"
