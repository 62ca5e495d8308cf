"""What tf.layers refuses, with TF 1.15's words; and that a refusal changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

import graphc as tf


def x(*shape: Any, dtype: Any = tf.float32) -> Any:
    return tf.placeholder(dtype, shape)


L = tf.layers
REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: L.dense(x(3), 3, name="d"), ValueError,
     "Input 0 of layer d is incompatible with the layer: : expected min_ndim=2, found ndim=1. "
     "Full shape received: [3]"),
    (lambda: L.dense(tf.placeholder(tf.float32), 3, name="d"), ValueError,
     "Input 0 of layer d is incompatible with the layer: its rank is undefined, but the layer "
     "requires a defined rank."),
    (lambda: L.dense(x(None, None), 3), ValueError,
     "The last dimension of the inputs to `Dense` should be defined. Found `None`."),
    (lambda: L.dense(x(2, 3, dtype=tf.int32), 3), TypeError,
     "Unable to build `Dense` layer with non-floating point dtype <dtype: 'int32'>"),
    (lambda: L.dense([[1.0, 2.0]], 3, name="d"), ValueError,
     "Layer d expects 1 inputs, but it received 2 input tensors."),
    (lambda: L.dense(x(2, 4), 3, activation=3), TypeError,
     "Could not interpret activation function identifier: 3"),
    (lambda: L.dense(x(2, 4), 3, activation="fop"), ValueError, "Unknown activation function:fop"),
    (lambda: L.dense(x(2, 4), 3, kernel_initializer="fop"), ValueError, "Unknown initializer:fop"),
    (lambda: L.dense(x(2, 4), 3, kernel_initializer=0.5), ValueError,
     "Could not interpret initializer identifier: 0.5"),
    (lambda: L.dense(x(2, 4), "a"), ValueError, "invalid literal for int"),
    (lambda: L.conv2d(x(None, 4), 3, 3, name="c"), ValueError,
     "Input 0 of layer c is incompatible with the layer: expected ndim=4, found ndim=2. "
     "Full shape received: [None, 4]"),
    (lambda: L.conv2d(x(None, 3, 3, None), 3, 3), ValueError,
     "The channel dimension of the inputs should be defined. Found `None`."),
    (lambda: L.conv2d(x(1, 6, 6, 4), 3, (3, 3, 3)), ValueError,
     "The `kernel_size` argument must be a tuple of 2 integers. Received: (3, 3, 3)"),
    (lambda: L.conv2d(x(1, 6, 6, 4), 3, "a"), ValueError,
     "The `kernel_size` argument must be a tuple of 2 integers. Received: a"),
    (lambda: L.conv2d(x(1, 6, 6, 4), 3, 3, padding="foo"), ValueError,
     'The `padding` argument must be a list/tuple or one of "valid", "same" (or "causal", only '
     "for `Conv1D). Received: foo"),
    (lambda: L.conv2d(x(1, 6, 6, 4), 3, 3, data_format="foo"), ValueError,
     'The `data_format` argument must be one of "channels_first", "channels_last". Received: foo'),
    (lambda: L.conv2d(x(1, 6, 6, 4), 3, 3, strides=2, dilation_rate=2), ValueError,
     "strides > 1 not supported in conjunction with dilation_rate > 1"),
    (lambda: L.Dense(3, foo=3), TypeError, "('Keyword argument not understood:', 'foo')"),
    (lambda: L.max_pooling2d(x(None, 4), 2, 2, name="p"), ValueError,
     "Input 0 of layer p is incompatible with the layer: expected ndim=4, found ndim=2."),
    (lambda: L.batch_normalization(x(None, 4), axis=5), ValueError, "Invalid axis: 5"),
    (lambda: L.batch_normalization(tf.placeholder(tf.float32)), ValueError,
     "('Input has undefined rank:', TensorShape(None))"),
    (lambda: L.flatten(tf.placeholder(tf.float32), name="f"), ValueError,
     "Input 0 of layer f is incompatible with the layer: its rank is undefined"),
    (lambda: L.dropout(x(2, 4), rate=1.5, training=True), ValueError,
     "rate must be a scalar tensor or a float in the range [0, 1), got 1.5"),
    (lambda: L.Dense(2)(x(2, 4), 3), TypeError, "call() takes 2 positional arguments but 3"),
]  # fmt: skip


@pytest.mark.parametrize(("f", "kind", "text"), REFUSED, ids=[r[2][:40] for r in REFUSED])
def test_refused(f: Any, kind: type[Exception], text: str) -> None:
    with tf.Graph().as_default() as g:
        with pytest.raises(kind) as e:
            f()
        assert text in str(e.value)
        assert all(op.type == "Placeholder" or op.type == "Const" for op in g.get_operations())
        assert not tf.global_variables()


def test_a_second_layer_of_a_name_is_refused() -> None:
    with tf.Graph().as_default() as g:
        a = x(None, 4)
        L.dense(a, 3, name="l")
        before = [op.name for op in g.get_operations()]
        with pytest.raises(ValueError, match="Variable l/kernel already exists, disallowed"):
            L.dense(a, 3, name="l")
        assert [op.name for op in g.get_operations()] == before


def test_a_failed_call_leaves_the_layer_as_it_was() -> None:
    with tf.Graph().as_default() as g:
        layer = L.Dense(
            2, kernel_regularizer=tf.nn.l2_loss, activation=lambda y: tf.reshape(y, [3, 7])
        )
        a = x(4, 4)
        with pytest.raises(ValueError, match=r"(?i)reshape"):
            layer(a)
        assert not layer.built
        assert layer.variables == []
        assert len(g.get_operations()) == 1
        layer.activation = None
        assert layer(a).name == "dense/BiasAdd:0"
        with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 4"):
            layer(x(None, 7))
        with pytest.raises(AttributeError, match="not connected"):
            _ = L.Dense(2).output


def test_before_the_first_call() -> None:
    with tf.Graph().as_default():
        layer = L.Dense(3, name="q")
        with pytest.raises(ValueError, match="No name available for layer scope"):
            _ = layer.scope_name
        with pytest.raises(ValueError, match="You tried to call `count_params` on q"):
            layer.count_params()
        assert repr(L.InputSpec(ndim=3, axes={-1: 2})) == "InputSpec(ndim=3, axes={-1: 2})"
        y = layer(x(None, 4))
        assert layer.output is y
        assert layer.input_shape == (None, 4)
        assert layer.compute_output_shape([None, 4]).as_list() == [None, 3]
