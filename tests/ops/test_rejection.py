"""Gamma and Poisson numbers, and derivatives by a gamma distribution's shape, beside TF 1.15's."""

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ops import special

NAN, INF = np.nan, np.inf

#: What two runs of one session give, with the seed 7 of the graph.
DRAWN = {
    "gamma": (
        lambda: tf.random_gamma([3], [0.0, 0.5, 1.0, 3.0, 40.0], dtype=tf.float64, seed=1),
        [[[0, 0.392316, 1.619829, 2.65398, 41.500406], [0, 0.574686, 0.557367, 2.662776, 34.551056],
          [0, 0.008982, 0.190712, 1.399602, 48.227874]],
         [[0, 0.776546, 2.146855, 0.802427, 47.490395], [0, 0.006596, 0.995577, 4.874219, 39.11091],
          [0, 0.018933, 1.793305, 2.00435, 51.334364]]],
    ),
    "gamma of 16 bits": (
        lambda: tf.random_gamma([2], tf.constant([3.0, 0.7], tf.float16), dtype=tf.float16, seed=1),
        [[[2.798828, 0.722168], [1.270508, 0.682129]],
         [[2.925781, 0.760254], [1.100586, 0.124329]]],
    ),
    "gamma with rates": (
        lambda: tf.random_gamma([2], [[3.0, 0.7]], beta=[[2.0], [4.0]], seed=1),
        [[[[1.399008, 0.361018], [0.731403, 0.190006]],
          [[0.635131, 0.34101], [0.275232, 0.031058]]],
         [[[1.897593, 0.392122], [0.790732, 0.840918]],
          [[1.32699, 0.258373], [0.376411, 0.451387]]]],
    ),
    "poisson": (
        lambda: tf.random_poisson(
            tf.constant([0.0, 0.3, 9.0, 10.0, 1e5], tf.float64), [3], dtype=tf.float64, seed=1
        ),
        [[[0, 0, 11, 7, 99430], [0, 0, 11, 12, 99868], [0, 0, 8, 9, 100707]],
         [[0, 0, 9, 9, 99543], [0, 0, 10, 9, 100427], [0, 0, 13, 8, 99529]]],
    ),
    "poisson of integers": (
        lambda: tf.random_poisson([30.0, 3.0], [3], dtype=tf.int32, seed=1),
        [[[35, 1], [33, 4], [31, 3]], [[35, 2], [29, 5], [24, 4]]],
    ),
    "beta": (
        lambda: tf.distributions.Beta(2.0, 3.0).sample(3, seed=1),
        [[0.24533, 0.46522, 0.26783], [0.3582, 0.37139, 0.10856]],
    ),
    "student": (
        lambda: tf.distributions.StudentT(2.0, 3.0, 1.0).sample(3, seed=1),
        [[1.37476, 3.65484, 12.41381], [8.67328, 2.04169, 3.97809]],
    ),
}  # fmt: skip


@pytest.fixture
def sess() -> Any:
    with tf.Graph().as_default(), tf.Session() as made:
        yield made


@pytest.mark.parametrize("name", DRAWN)
def test_numbers_are_tensorflows(sess: Any, name: str) -> None:
    f, runs = DRAWN[name]
    tf.set_random_seed(7)
    y = f()
    for run in runs:
        np.testing.assert_allclose(sess.run(y), run, rtol=2e-6, atol=6e-6)


def test_many_numbers_are_tensorflows(sess: Any) -> None:
    """Each test by which a number is refused decides in some of so many draws."""
    x = sess.run(tf.random_gamma([20000], [0.3, 1.0, 2.5], seed=5, dtype=tf.float64))
    sums = [6001.384990516161, 20243.53353207456, 50018.08151025221]
    squares = [7877.443309087747, 40620.44725907701, 175337.39363082597]
    np.testing.assert_allclose(x.sum(0), sums, rtol=1e-9)
    np.testing.assert_allclose((x**2).sum(0), squares, rtol=1e-9)
    n = sess.run(tf.random_poisson([0.5, 3.0, 12.0, 200.0], [5000], seed=5, dtype=tf.float64))
    assert n.sum(0).tolist() == [2499, 14948, 59332, 1001016]
    assert (n**2).sum(0).tolist() == [3735, 59830, 762688, 201413170]


A = [0.1, 0.5, 1, 2, 5, 30, 100, 1000, 1e-3, 3, 3, 0, -1, 2, 2, NAN]
X = [0.2, 0.1, 3, 2, 9, 25, 100, 900, 1e-2, 50, 0, 1, 1, INF, -1, 1]
BY_A = [
    -1.1828680306527428, -0.8229360969795989, -0.09648294199134624, -0.29400469074623103,
    -0.0461226784990304, -0.04995487742583435, -0.03992749785778549, -6.245709035842537e-05,
    -4.023271651801225, -7.552056917446361e-19, 0, NAN, NAN, 0, NAN, NAN,
]  # fmt: skip
BY_PLACE = {
    (0.1, 0.2): 3.228961454769042, (1, 0.5): 0.806979116825318, (5, 9): 1.367118188723254,
    (200, 180): 0.949034925111777, (5, -1): NAN, (-1, 1): NAN, (0.5, 0): 0,
    (1e-3, 1e-300): 6.901999559664034e-295,
    (0.1, 1e-9): 2.0299510915815878e-07, (1, 50): 4.508853780259793,
    (5, 0.01): 0.012644200458450366, (200, 300): 1.2174040621568993, (5, INF): 0,
}  # fmt: skip


@pytest.mark.parametrize(("function", "sign"), [(tf.igamma, 1), (tf.igammac, -1)])
def test_incomplete_gamma_by_its_shape(sess: Any, function: Any, sign: int) -> None:
    a, x = tf.constant(A, tf.float64), tf.constant(X, tf.float64)
    found = sess.run(tf.gradients(function(a, x), a)[0])
    np.testing.assert_allclose(found, sign * np.array(BY_A), rtol=1e-12, atol=0)
    a, x = tf.placeholder(tf.float64), tf.placeholder(tf.float64)
    by = sess.run(tf.gradients(function(a, x), [a, x]), {a: [[2.0], [5.0]], x: [1.0, 3.0, 9.0]})
    np.testing.assert_allclose(by[0], [[-0.4759471556 * sign], [-0.1855359092 * sign]], rtol=1e-9)
    np.testing.assert_allclose(
        by[1], sign * np.array([0.38320775122, 0.3173925608, 0.0348478434]), rtol=1e-9
    )
    with pytest.raises(LookupError, match="IgammaGradA"):
        tf.gradients(tf.gradients(function(a, x), a), a)


def test_shapes_of_many_thousands(sess: Any) -> None:
    a = np.array([1e5, 1e6, 3e6])
    x = a - 2 * np.sqrt(a)
    slope = special._gamma_slope(a, x, True)
    # far from 0 a number is alpha and as many deviations as it is apart: 1 - 1 / sqrt(a)
    np.testing.assert_allclose(slope, 1 - 1 / np.sqrt(a), atol=1e-5)


def test_gradients_of_numbers(sess: Any) -> None:
    made = special._gamma_slope(*map(np.array, zip(*BY_PLACE, strict=True)), True)
    np.testing.assert_allclose(made, list(BY_PLACE.values()), rtol=1e-12)
    tf.set_random_seed(7)
    a, b = (tf.constant(v, tf.float64) for v in ([0.5, 2.0, 30.0], [1.0, 2.0, 3.0]))
    y = tf.random_gamma([2], a, b, dtype=tf.float64, seed=1)
    by = sess.run(tf.gradients(y * y, [a, b]))
    want = [
        [0.99295997800, 1.89202333421, 11.4703782642],
        [-0.3370859060, -1.7398279561, -109.383658552],
    ]
    np.testing.assert_allclose(by, want, rtol=1e-9)
    p = tf.placeholder(tf.float64)
    y = tf.random_gamma(tf.placeholder_with_default([2], [None]), p, dtype=tf.float64, seed=1)
    assert sess.run(tf.gradients(y, p)[0], {p: [[1.0, 5.0]]}).shape == (1, 2)
    with pytest.raises(LookupError, match="RandomPoissonV2"):
        tf.gradients(tf.random_poisson(a, [2], dtype=tf.float64), a)


def test_parameters_that_would_never_be_accepted(sess: Any) -> None:
    made = sess.run(tf.random_gamma([2], [NAN, -1.0, INF, 2.0], seed=1))
    assert np.isnan(made[:, :2]).all()
    assert np.isinf(made[:, 2]).all()
    assert (made[:, 3] > 0).all()
    assert sess.run(tf.random_poisson([-2.0], [3], seed=1)).tolist() == [[0]] * 3
    for rate, dtype in ((NAN, tf.float32), (INF, tf.float32), (1e10, tf.int32)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="rate 1 is"):
            sess.run(tf.random_poisson([1.0, rate], [3], dtype))


@pytest.mark.parametrize("shape", [[], [0], [65]])
def test_one_number_or_none_or_more_than_a_unit(sess: Any, shape: list[int]) -> None:
    numbers = [tf.random_gamma(shape, 2.0, seed=3), tf.random_poisson(20.0, shape, seed=3)]
    many = [tf.random_gamma([200], 2.0, seed=3), tf.random_poisson(20.0, [200], seed=3)]
    size = int(np.prod(shape))
    for got, want in zip(sess.run(numbers), sess.run(many), strict=True):
        assert got.shape == tuple(shape)
        np.testing.assert_array_equal(got.reshape(-1), want[:size])


def test_operands_are_checked() -> None:
    with pytest.raises(ValueError, match="float32"):
        tf.random_gamma([2], tf.constant([1.0], tf.float64))
    for f in (
        lambda: tf.random_gamma([2.5], 1.0), lambda: tf.random_gamma([2], "a"),
        lambda: tf.random_poisson("a", [2]), lambda: tf.random_poisson([1.0], [2], tf.bool),
    ):  # fmt: skip
        with pytest.raises(TypeError):
            f()
