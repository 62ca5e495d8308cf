"""Programs of tf.contrib.distributions and its bijectors; see `layer_harness.py`."""

import numpy as np
from distributions_programs import described
from layer_harness import data

PROGRAMS = {}


def program(f):
    assert f.__name__ not in PROGRAMS
    PROGRAMS[f.__name__] = f
    return f


def positive(*shape):
    return np.abs(data(*shape)) + np.float32(0.5)


def both(tf, *parts):
    """Several descriptions as one program."""
    return {
        "fetch": [t for p in parts for t in p["fetch"]],
        "said": [s for p in parts for s in p["said"]],
    }  # fmt: skip


@program
def of_numbers(tf, np):
    D = tf.contrib.distributions
    x = np.float32([[0.25, 0.75], [0.5, 0.125]])
    return both(
        tf,
        described(tf, D.Cauchy([0.5, -1.0], 2.0), x, [D.Cauchy(0.0, 1.0).quantile(0.75)]),
        described(tf, D.Logistic([0.5, -1.0], [[1.0], [2.5]]), x),
        described(tf, D.HalfNormal([0.5, 2.0]), x, [D.HalfNormal(2.0).quantile([0.25, 0.999])]),
        described(tf, D.InverseGamma([1.5, 3.5], 1.5), x),
        described(tf, D.Chi2([3.0, 5.0]), x),
        described(tf, D.Kumaraswamy([2.0, 3.0], 1.5), x),
    )


@program
def softened(tf, np):
    D = tf.contrib.distributions
    x = np.float32([0.25, 0.75])
    made = [
        D.BetaWithSoftplusConcentration([2.0, -1.0], 1.5),
        D.GammaWithSoftplusConcentrationRate([2.0, -1.0], 1.5),
        D.InverseGammaWithSoftplusConcentrationRate([2.0, -1.0], 1.5),
        D.ExponentialWithSoftplusRate([2.0, -1.0]), D.NormalWithSoftplusScale(0.5, [2.0, -1.0]),
        D.LaplaceWithSoftplusScale(0.5, [2.0, -1.0]),
        D.StudentTWithAbsDfSoftplusScale([-3.5, 4.5], 0.5, 1.5), D.Chi2WithAbsDf([-3.5, 4.0]),
    ]  # fmt: skip
    return {"fetch": [tf.identity(d.log_prob(x), name="v") for d in made]}


@program
def samples_of_numbers(tf, np):
    D = tf.contrib.distributions
    tf.set_random_seed(3)
    made = [
        D.Cauchy([0.5, -1.0], 2.0), D.Logistic([0.5, -1.0], 2.0), D.HalfNormal([0.5, 2.0]),
        D.Kumaraswamy(2.0, [1.5, 3.0]), D.Geometric(probs=[0.3, 0.6]),
        D.Deterministic([1.0, 2.0]), D.OneHotCategorical(data(3, 4)),
        D.ExpRelaxedOneHotCategorical(0.5, data(2, 3)), D.RelaxedOneHotCategorical(0.5, data(2, 3)),
        D.RelaxedBernoulli(0.5, logits=[0.5, -1.0]), D.SinhArcsinh([0.5, 1.0], 2.0, 0.25, 1.5),
        D.NormalWithSoftplusScale(0.5, [2.0, -1.0]),
    ]  # fmt: skip
    out = [d.sample(4, seed=i + 2) for i, d in enumerate(made)] + [made[1].sample([2, 3], seed=1)]
    return {"fetch": [tf.identity(t, name="v") for t in out]}


@program
def counts(tf, np):
    D = tf.contrib.distributions
    x = np.float32([[0.0, 3.0], [2.0, 1.0]])
    return both(
        tf,
        described(tf, D.Poisson([0.5, 4.0]), x),
        described(tf, D.Poisson(log_rate=[0.5, 1.0]), x),
        described(tf, D.Binomial([4.0, 5.0], probs=[0.25, 0.5]), x),
        described(tf, D.Geometric(probs=[0.25, 0.5]), x),
        described(tf, D.Geometric(logits=[0.25, 0.5]), x),
        described(tf, D.NegativeBinomial([4.0, 5.0], probs=[0.3, 0.6]), x[0]),
        described(tf, D.Deterministic([0.0, 1.0], atol=0.5), x),
    )


@program
def classes(tf, np):
    D = tf.contrib.distributions
    d, e = (
        D.OneHotCategorical(data(3, 4)),
        D.OneHotCategorical(probs=np.float32([[0.1, 0.2, 0.3, 0.4]])),
    )
    x = np.eye(4, dtype=np.int32)[:3]
    f = D.VectorDeterministic([[1.0, 2.0], [3.0, 4.0]])
    extra = [D.kl_divergence(d, D.OneHotCategorical(-data(3, 4))), f.prob([1.0, 2.0]), f.mean()]
    return both(tf, described(tf, d, x, extra), described(tf, e, x))


@program
def relaxed(tf, np):
    D = tf.contrib.distributions
    y = np.float32([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])
    z = tf.constant(data(2, 3))
    d, e = D.RelaxedOneHotCategorical(0.5, z), D.ExpRelaxedOneHotCategorical(0.75, z)
    b = D.RelaxedBernoulli(0.5, probs=[0.25, 0.75])
    out = [
        d.log_prob(y),
        d.prob(y),
        e.log_prob(np.log(y)),
        b.log_prob([0.2, 0.6]),
        b.cdf([0.2, 0.6]),
    ]
    out += [d.event_shape_tensor(), b.batch_shape_tensor(), d.distribution.event_size]
    out += [tf.gradients(tf.reduce_sum(d.sample(3, seed=2) * y), z)[0]]
    return {"fetch": [tf.identity(t, name="v") for t in out], "said": [str(b.temperature.shape)]}


@program
def normal_vectors(tf, np):
    D = tf.contrib.distributions
    x, mu = data(2, 3), np.float32([0.5, -1.0, 2.0])
    low = np.tril(positive(3, 3)).astype(np.float32)
    made = [
        D.MultivariateNormalDiag(mu, positive(2, 3)), D.MultivariateNormalDiag(mu),
        D.MultivariateNormalDiag(mu, scale_identity_multiplier=2.0),
        D.MultivariateNormalTriL(mu, low), D.MultivariateNormalTriL(np.tile(mu, [2, 1]), low[None]),
        D.MultivariateNormalFullCovariance(mu, low @ low.T + np.eye(3, dtype=np.float32)),
        D.MultivariateNormalDiagWithSoftplusScale(mu, [0.5, -1.0, 2.0]),
        D.MultivariateNormalDiagPlusLowRank(mu, positive(3), scale_perturb_factor=data(3, 2)),
        D.VectorExponentialDiag(mu - 4.0, positive(3)), D.VectorLaplaceDiag(mu, positive(3)),
    ]  # fmt: skip
    a, b = made[0], made[3]
    extra = [D.kl_divergence(a, b), D.kl_divergence(b, made[5]), b.scale.to_dense(), b.loc]
    got = [described(tf, d, x) for d in made]
    got.append({"fetch": [tf.identity(t, name="v") for t in extra], "said": [b.bijector.name]})
    return both(tf, *got)


@program
def samples_of_vectors(tf, np):
    D = tf.contrib.distributions
    tf.set_random_seed(5)
    mu = tf.constant([0.5, -1.0, 2.0])
    low = tf.constant(np.tril(positive(3, 3)).astype(np.float32))
    made = [
        D.MultivariateNormalDiag(mu, positive(2, 3)), D.MultivariateNormalTriL(mu, low),
        D.VectorLaplaceDiag(mu, positive(3)), D.VectorExponentialDiag(mu, positive(3)),
        D.VectorSinhArcsinhDiag(mu, positive(3), skewness=0.5, tailweight=1.5),
    ]  # fmt: skip
    out = [d.sample(4, seed=i + 2) for i, d in enumerate(made)] + [made[1].sample([2, 3], seed=1)]
    out += tf.gradients(tf.reduce_sum(tf.square(out[1])), [mu, low])
    out += tf.gradients(made[1].log_prob(data(2, 3)), [mu, low])
    return {"fetch": [tf.identity(t, name="v") for t in out]}


@program
def of_functions(tf, np):
    D = tf.contrib.distributions
    B = D.bijectors
    x = np.float32([[0.25, 0.75], [0.5, 3.0]])
    log_normal = D.TransformedDistribution(D.Normal([0.5, -1.0], 2.0), B.Exp())
    many = D.TransformedDistribution(
        D.Normal(0.0, 1.0), B.Affine(shift=[1.0, 2.0], scale_diag=[2.0, 0.5]), event_shape=[2]
    )
    batch = D.TransformedDistribution(D.Normal(0.0, 1.0), B.AffineScalar(1.0, 2.0), batch_shape=[2])
    folded = D.TransformedDistribution(D.Normal(0.5, 2.0), B.AbsoluteValue())
    skewed = D.SinhArcsinh([0.5, 1.0], 2.0, 0.25, 1.5)
    fit = D.TransformedDistribution(D.Gamma([2.0, 3.0], 1.5), B.Softsign())
    out = [log_normal.quantile([0.25, 0.5]), folded.log_prob(x), folded.prob(x), fit.log_prob(x[0])]
    out += [log_normal.log_prob(x), log_normal.cdf(x), many.log_prob(x), many.entropy()]
    out += [batch.log_prob(x), batch.entropy(), skewed.log_prob(x), skewed.cdf(x)]
    out += [d.sample(3, seed=4) for d in (log_normal, many, batch, folded)]
    said = [d.name for d in (log_normal, many, batch, skewed)]
    return {"fetch": [tf.identity(t, name="v") for t in out], "said": said}


@program
def of_several(tf, np):
    D = tf.contrib.distributions
    x = np.float32([[0.25, 0.75], [0.5, 3.0]])
    cat = D.Categorical(probs=[[0.2, 0.8], [0.5, 0.5]])
    mix = D.Mixture(cat, [D.Normal([0.0, 1.0], 1.0), D.Normal([2.0, 3.0], [0.5, 1.5])])
    same = D.MixtureSameFamily(
        D.Categorical(probs=[0.3, 0.7]), D.Normal([[0.0, 1.0], [2.0, 3.0]], [1.0, 0.5])
    )
    vectors = D.MixtureSameFamily(
        D.Categorical(probs=[0.3, 0.7]), D.MultivariateNormalDiag(data(2, 3), positive(2, 3))
    )
    ind = D.Independent(D.Normal(data(2, 3), positive(2, 3)), 1)
    other = D.Independent(D.Normal(data(2, 3) * 0.5, positive(2, 3)), 1)
    turned = D.BatchReshape(D.Normal(data(6), 1.0), [2, 3])
    stepped = D.QuantizedDistribution(D.Normal([0.5, 1.0], 2.0), low=-2.0, high=3.0)
    bare = D.QuantizedDistribution(D.Uniform(0.0, 10.0))
    y = data(2, 3)
    extra = [mix.entropy_lower_bound(), vectors.covariance(), vectors.log_prob(y)]
    extra += [D.kl_divergence(ind, other), turned.mean(), turned.log_prob(y), turned.cdf(y)]
    extra += [turned.sample(2, seed=4), ind.sample(2, seed=5), stepped.sample(5, seed=6)]
    z = np.float32([[-3.0, -2.0], [0.0, 1.0], [3.0, 4.0]])
    extra += [
        stepped.prob(z),
        stepped.cdf(z),
        stepped.survival_function(z),
        bare.log_prob([1.0, 5.0]),
    ]
    out = [mix.mean(), mix.stddev(), mix.variance(), mix.log_prob(x), mix.cdf(x)]
    got = [{"fetch": [tf.identity(t, name="v") for t in out + extra], "said": [mix.name]}]
    return both(tf, *got, described(tf, same, np.float32([0.5, 1.0])), described(tf, ind, y))


@program
def flows(tf, np):
    D = tf.contrib.distributions
    B = D.bijectors
    chained = B.Chain([B.Exp(), B.AffineScalar(1.0, 0.5)])
    number = positive(2, 3)
    made = [
        (B.Exp(), number, 1), (B.Sigmoid(), number, 1), (B.Softplus(), number, 0),
        (B.Softplus(hinge_softness=0.5), number, 1), (B.Softsign(), number, 1),
        (B.Square(), number, 1), (B.PowerTransform(0.5), number, 1),
        (B.Gumbel(0.5, 2.0), number, 1),
        (B.Kumaraswamy(2.0, 3.0), number * 0.5, 1), (B.SinhArcsinh(0.5, 1.5), number, 1),
        (B.AffineScalar(1.0, 2.0), number, 1), (B.AffineScalar(1.0, [2.0, 3.0, 4.0]), number, 1),
        (B.Affine([1.0, 2.0, 3.0], scale_tril=np.tril(positive(3, 3))), number, 1),
        (B.Affine(scale_identity_multiplier=2.0), number, 1),
        (B.Permute([2, 0, 1]), number, 1), (B.SoftmaxCentered(), number, 1),
        (B.Ordered(), np.cumsum(number, -1), 1), (chained, number, 1),
        (B.Invert(B.Exp()), number, 1), (B.Identity(), number, 1),
        (B.FillTriangular(), positive(2, 6), 1), (B.ScaleTriL(), positive(2, 6), 1),
        (B.CholeskyOuterProduct(), np.tril(positive(2, 2, 2)), 2),
        (B.TransformDiagonal(B.Exp()), positive(2, 2, 2), 2),
        (B.Reshape([3, 2], [6]), data(2, 6), 1),
        (B.MatrixInverseTriL(), np.tril(positive(2, 2, 2)), 2),
    ]  # fmt: skip
    out = []
    for b, x, n in made:
        x = tf.constant(x, tf.float32)
        y = b.forward(x)
        back = n + b.inverse_min_event_ndims - b.forward_min_event_ndims
        out += [y, b.inverse(tf.identity(y)), b.forward_log_det_jacobian(x, n)]
        out += [b.inverse_log_det_jacobian(tf.identity(y), back)]
    said = [b.name for b, _, _ in made]
    said += [str(b.forward_event_shape(x.shape[len(x.shape) - n :])) for b, x, n in made]
    return {"fetch": [tf.identity(t, name="v") for t in out], "said": said}


@program
def learned_flows(tf, np):
    D = tf.contrib.distributions
    B = D.bijectors

    def moved(x, n):
        return tf.reduce_sum(x, -1, keepdims=True) * np.ones(n, np.float32), tf.fill([n], 0.5)

    mask = np.tril(np.full((3, 3), 0.5, np.float32), -1).T

    def masked(y):
        return tf.matmul(y, mask), 0.25 * tf.matmul(y, mask)

    x = tf.constant(data(2, 3))
    real, auto = B.RealNVP(1, moved), B.MaskedAutoregressiveFlow(masked)
    out = []
    for b in (real, auto):
        y = b.forward(x)
        out += [y, b.inverse(tf.identity(y)), b.inverse_log_det_jacobian(tf.identity(y), 1)]
    d = D.TransformedDistribution(D.MultivariateNormalDiag([0.0, 0.0, 0.0]), auto)
    out += [d.log_prob(x), d.sample(2, seed=3)]
    return {"fetch": [tf.identity(t, name="v") for t in out]}


@program
def wishart(tf, np):
    D = tf.contrib.distributions
    low = np.tril(positive(2, 2)).astype(np.float32)
    x = np.float32([[2.0, 0.5], [0.5, 1.0]])
    out = []
    for d in (D.WishartCholesky(4.0, low), D.WishartFull(4.0, low @ low.T)):
        out += [d.mean(), d.variance(), d.mode(), d.entropy(), d.log_prob(x), d.mean_log_det()]
        out += [d.log_normalization(), d.scale(), d.dimension, d.df]
    return {"fetch": [tf.identity(t, name="v") for t in out]}


@program
def steps(tf, np):
    D = tf.contrib.distributions

    def f(x=None):
        mean = tf.zeros([3]) if x is None else tf.cumsum(x, axis=-1, exclusive=True)
        return D.Independent(D.Normal(0.5 * mean, 1.0), 1)

    d = D.Autoregressive(f, tf.zeros([3]))
    return {
        "fetch": [tf.identity(t, name="v") for t in (d.log_prob(data(2, 3)), d.sample(2, seed=3))]
    }


@program
def helpers(tf, np):
    D = tf.contrib.distributions
    x = tf.constant(data(3, 6))
    m = D.fill_triangular(x)
    v = tf.Variable([0.5, 1.0])
    out = [m, D.fill_triangular(x, upper=True), D.fill_triangular_inverse(m)]
    out += [D.fill_triangular_inverse(D.fill_triangular(x, True), True)]
    out += [D.matrix_diag_transform(m, tf.exp), D.softplus_inverse(positive(4) * 10)]
    out += [
        D.softplus_inverse([1e-6, 0.1, 50.0]),
        D.tridiag([1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0]),
    ]
    for how in ("nearest", "lower", "higher"):
        out += [D.percentile(x, 30.0, interpolation=how), D.percentile(x, 70.0, [1], how)]
    out += [D.percentile(x, 50.0, axis=0, keep_dims=True)]
    out += [D.reduce_weighted_logsumexp(x, data(3, 6)[::-1].copy(), axis=1)]
    out += list(
        D.reduce_weighted_logsumexp(x, -np.ones((3, 6), np.float32), axis=1, return_sign=True)
    )
    out += [D.reduce_weighted_logsumexp(x)]
    out += [D.auto_correlation(x), D.auto_correlation(x, axis=0, max_lags=1, normalize=False)]
    prior = D.Normal(1.0, 2.0)
    for f in (
        D.normal_conjugates_known_scale_posterior, D.normal_conjugates_known_scale_predictive
    ):  # fmt: skip
        d = f(prior, tf.constant(0.5), tf.constant(3.0), 4)
        out += [d.loc, d.scale]
    mean, variance = tf.Variable([0.0, 0.0]), tf.Variable([1.0, 1.0])
    moved = D.assign_moving_mean_variance(mean, variance, [2.0, 3.0], 0.75)
    out += [t + 0.0 for t in moved] + [D.assign_log_moving_mean_exp(v, [2.0, 0.0], 0.75) + 0.0]
    s = D.SeedStream(7, "salt")
    said = [str(s()), str(s()), str(s.original_seed), s.salt, str(D.SeedStream(None, "x")())]
    return {"fetch": [tf.identity(t, name="v") for t in out], "said": said, "load": False}
