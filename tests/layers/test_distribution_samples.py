"""Samples that TensorFlow draws otherwise: their moments; and what distributions refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf

D = tf.distributions

DRAWN: list[tuple[str, Any]] = [
    ("gamma", lambda: D.Gamma([2.0, 5.0], 1.5)),
    ("beta", lambda: D.Beta([2.0, 5.0], 1.5)),
    ("student", lambda: D.StudentT([6.0, 9.0], 0.5, 2.0)),
    ("dirichlet", lambda: D.Dirichlet([2.0, 3.0, 1.5])),
    ("multinomial", lambda: D.Multinomial([3.0, 6.0], probs=[[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]])),
    ("dirichlet multinomial", lambda: D.DirichletMultinomial(4.0, [2.0, 3.0, 1.5])),
]


@pytest.mark.parametrize(("name", "made"), DRAWN, ids=[n for n, _ in DRAWN])
def test_moments_of_samples(name: str, made: Any) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.set_random_seed(3)
        d = made()
        n = 20000
        x, mean, variance = sess.run([d.sample(n, seed=7), d.mean(), d.variance()])
        assert x.shape == (n, *d.batch_shape.as_list(), *d.event_shape.as_list())
        np.testing.assert_allclose(x.mean(0), mean, atol=6 * np.sqrt(variance.max() / n))
        np.testing.assert_allclose(x.var(0), variance, rtol=0.15)


def test_cdf_of_gamma_and_beta() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        got = sess.run([D.Gamma(1.0, 2.0).cdf(0.5), D.Beta(2.0, 1.0).cdf(0.5)])
        np.testing.assert_allclose(got, [1.0 - np.exp(-1.0), 0.25], rtol=1e-6)


def test_samples_of_a_shape_that_is_fed() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        shape = tf.placeholder(tf.int32, [2])
        rates = tf.placeholder(tf.float32, [None])
        x = D.Exponential(rates).sample(shape, seed=1)
        assert sess.run(x, {shape: [3, 4], rates: [1.0, 2.0]}).shape == (3, 4, 2)


def test_refusals() -> None:
    with tf.Graph().as_default():
        with pytest.raises(ValueError, match="Must pass probs or logits, but not both"):
            D.Bernoulli()
        with pytest.raises(ValueError, match="Must pass probs or logits, but not both"):
            D.Categorical(logits=[0.0, 1.0], probs=[0.5, 0.5])
        with pytest.raises(NotImplementedError, match=r"No KL\(distribution_a \|\| distribution_b"):
            D.kl_divergence(D.Normal(0.0, 1.0), D.Uniform())
        with pytest.raises(NotImplementedError, match="mean is not implemented: Categorical"):
            D.Categorical([0.0, 1.0]).mean()
        with pytest.raises(ValueError, match="Expected floating point type"):
            D.Normal(0, 1)
        with pytest.raises(ValueError, match="has already been registered"):
            D.RegisterKL(D.Normal, D.Normal)(lambda a, b, name=None: None)


def test_a_registered_divergence() -> None:
    class Mine(D.Normal):
        pass

    class Other(D.Laplace):
        pass

    @D.RegisterKL(Mine, Other)
    def _kl(a: Any, b: Any, name: Any = None) -> Any:
        return a.loc - b.loc

    with tf.Graph().as_default(), tf.Session() as sess:
        a, b = Mine(3.0, 1.0), Other(1.0, 1.0)
        assert sess.run(D.kl_divergence(a, b)) == 2.0
        assert sess.run(a.kl_divergence(D.Normal(3.0, 1.0))) == 0.0
