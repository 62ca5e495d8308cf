"""Complex numbers: values and gradients of TensorFlow 1.15, in loops and beside the host's ops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf

NAN = float("nan")
Z = np.array([[1 + 1j, 0.5 - 2j], [0.25j, -3 + 0.5j]], np.complex64)
W = np.array([[1 - 1j, 2.5 + 1j], [0.75j, 1 + 0.5j]], np.complex64)
TURNED = [[-2j, 0.25 - 0.625j], [-1.5 + 0.375j, -2.75 - 2j]]
TURNED_GRADIENT = [[-2 - 4j, 2.25 + 0.75j], [5.5 - 6.5j, 2.5 - 2.5j]]

#: Functions of Z, what they give, and the gradient of ``sum(real(y * W[0, 0]) + 2 * imag(y))``.
FUNCTIONS: dict[str, tuple[Callable[[Any], Any], Any, Any]] = {
    "transpose": (lambda z: tf.transpose(z, conjugate=True) * W, TURNED, TURNED_GRADIENT),
    "matrix_transpose": (
        lambda z: tf.matrix_transpose(z, conjugate=True) * W, TURNED, TURNED_GRADIENT
    ),
    "adjoint": (lambda z: tf.linalg.adjoint(z) * W, TURNED, TURNED_GRADIENT),
    "norm": (
        lambda z: tf.norm(z, axis=1), [2.5, 3.05164],
        [[0.4 + 0.4j, 0.2 - 0.8j], [0.08192j, -0.98308 + 0.16385j]],
    ),
    "squared_difference": (
        lambda z: tf.squared_difference(z, W[0]), [[4, 13], [2.5625, 30.5]],
        [[-12 + 4j, 14 - 18j], [-9.5 - 3.5j, -8 - 34j]],
    ),
    "moments": (
        lambda z: tf.nn.moments(z, [0])[1], [0.390625, 4.625],
        [[-0.625 + 1.875j, 5.5 + 4j], [0.625 - 1.875j, -5.5 - 4j]],
    ),
    # TensorFlow takes no conjugate in this gradient
    "cumprod": (
        lambda z: tf.cumprod(z, 1), [[1 + 1j, 2.5 - 1.5j], [0.25j, -0.125 - 0.75j]],
        [[7.5 + 2.5j, -2 + 4j], [-3.5 - 5.5j, -0.75 + 0.25j]],
    ),
    "sign": (
        tf.sign, [[0.70711 + 0.70711j, 0.24254 - 0.97014j], [1j, -0.98639 + 0.1644j]],
        np.zeros([2, 2]),
    ),
}  # fmt: skip


def _results(f: Callable[[Any], Any], given: Any) -> tuple[Any, Any]:
    """What `f` makes of a fed value, and the gradient of a sum of it."""
    with tf.Graph().as_default(), tf.Session() as sess:
        z = tf.placeholder(tf.complex64, given.shape)
        y = f(z)
        loss = tf.reduce_sum(tf.real(y * W[0, 0]) + 2 * tf.imag(y))
        made, gradient = sess.run([y, tf.gradients(loss, z)[0]], {z: given})
    return made, gradient


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_gradients(name: str) -> None:
    f, value, gradient = FUNCTIONS[name]
    made, found = _results(f, Z)
    np.testing.assert_allclose(made, value, atol=2e-5)
    np.testing.assert_allclose(found, gradient, atol=2e-5)


def _stepped(z: Any) -> Any:
    return tf.while_loop(lambda i, h: i < 2, lambda i, h: (i + 1, h * h), [0, z])[1]


def _read_from_an_array(z: Any) -> Any:
    array = tf.TensorArray(tf.complex64, 2).unstack(z)
    return array.read(1) * array.read(0)


@tf.custom_gradient
def _squared(z: Any) -> Any:
    return z * z, lambda dy: dy * tf.conj(z) * 3


#: The gradients of constructs, for the first row of Z.
CONSTRUCTS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "while_loop": (_stepped, [16 - 32j, 54.5 - 96.5j]),
    "cond": (
        lambda z: tf.cond(tf.real(z[0]) > 0, lambda: z * z, lambda: z), [8 + 4j, -11 + 7j]
    ),
    "map_fn": (lambda z: tf.map_fn(lambda r: r * r, z), [8 + 4j, -11 + 7j]),
    "scan": (lambda z: tf.scan(lambda a, b: a * b, z), [-4.5 + 6.5j, 4 + 2j]),
    "foldl": (lambda z: tf.foldl(lambda a, b: a * b + b, z), [-5.5 + 3.5j, 5 + 5j]),
    "an array": (_read_from_an_array, [-5.5 + 3.5j, 4 + 2j]),
    "custom_gradient": (_squared, [12 + 6j, -16.5 + 10.5j]),
    "rows": (lambda z: tf.gather(z, [1, 1, 0]) * z[0], [-3 + 11j, 8 + 4j]),
}  # fmt: skip


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_gradients_of_constructs(name: str) -> None:
    f, gradient = CONSTRUCTS[name]
    np.testing.assert_allclose(_results(f, Z[0])[1], gradient, atol=2e-5)


def test_the_angle_of_zero_has_no_derivative() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        z = tf.placeholder(tf.complex64, [2])
        (g,) = tf.gradients(tf.reduce_sum(tf.angle(z)), z)
        found = sess.run(g, {z: [0, 1 + 1j]})
    np.testing.assert_allclose(found, [NAN + NAN * 1j, -0.5 + 0.5j])


@pytest.mark.parametrize("conjugate", [False, True])
def test_a_transpose_is_one_operation_and_its_axes(conjugate: bool) -> None:
    with tf.Graph().as_default() as g:
        z = tf.placeholder(tf.complex64, [2, 3])
        before = g.version
        y = tf.transpose(z, conjugate=conjugate, name="turned")
        assert y.name == "turned:0"
        assert g.version - before == 2


@pytest.mark.parametrize("resource", [False, True])
def test_absolute_values_of_what_is_no_tensor_yet(resource: bool) -> None:
    numbers = [3 + 4j, -2]
    with tf.Graph().as_default(), tf.Session() as sess:
        v = tf.get_variable("v", initializer=np.array(numbers), use_resource=resource)
        sess.run(v.initializer)
        made = [tf.abs(x) for x in (v, numbers, np.array(numbers))] + [abs(v)]
        assert [y.op.name for y in made] == ["Abs", "Abs_1", "Abs_2", "Abs_3"]
        for y in sess.run(made):
            assert y.tolist() == [5, 2]
        assert sess.run(tf.abs([1, -2])).tolist() == [1, 2]


KINDS = {"complex": (tf.complex64, [1, 2]), "string": (tf.string, [b"a", b"b"])}


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_host_makes_beside_what_is_fed(kind: str) -> None:
    """Under other names, alone and both together (there was an IndexError)."""
    dtype, given = KINDS[kind]
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(dtype, [2])
        twice = x + x
        both = tf.identity_n([twice, x])
        alone = tf.tuple([twice, x])[0]
        for got in (sess.run(both, {x: given})[0], sess.run(both[0], {x: given})):
            assert list(got) == [g + g for g in given]
        assert list(sess.run(both[1], {x: given})) == given
        assert list(sess.run(alone, {x: given})) == [g + g for g in given]


@pytest.mark.parametrize("kind", KINDS)
def test_what_only_comes_after_a_fed_value(kind: str) -> None:
    dtype, given = KINDS[kind]
    with tf.Graph().as_default(), tf.Session() as sess:
        x, other = tf.placeholder(tf.float32, []), tf.placeholder(dtype, [2])
        y = tf.py_func(lambda a: a + a, [x], tf.float32)
        with tf.control_dependencies([y, other]):
            z = tf.py_func(lambda a: a + 1, [y], tf.float32)
        assert sess.run(z, {x: 2.0, other: given}) == 5.0
        with pytest.raises(tf.errors.InvalidArgumentError, match="You must feed a value"):
            sess.run(z, {x: 2.0})


def test_optimizers_refuse_complex_variables() -> None:
    with tf.Graph().as_default():
        v = tf.Variable([1 + 1j], dtype=tf.complex64, name="v")
        with pytest.raises(ValueError, match=r"Invalid type tf\.complex64 for v:0, expected"):
            tf.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(tf.abs(v) ** 2))
