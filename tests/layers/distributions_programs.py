"""Programs of tf.distributions and tf.contrib.distributions; see `layer_harness.py`."""

from layer_harness import data

PROGRAMS = {}


def program(f):
    assert f.__name__ not in PROGRAMS
    PROGRAMS[f.__name__] = f
    return f


def described(tf, d, x, extra=()):
    """Numbers and shapes of a distribution, densities at x, and gradients of them."""
    out = []
    for f in ("mean", "variance", "stddev", "mode", "entropy", "covariance"):
        try:
            out.append(getattr(d, f)())
        except NotImplementedError:
            out.append(None)
    out += [d.log_prob(x), d.prob(x)]
    try:
        out += [d.cdf(x), d.log_cdf(x), d.survival_function(x)]
    except NotImplementedError:
        pass
    out += [d.batch_shape_tensor(), d.event_shape_tensor(), *extra]
    said = [d.name, str(d.dtype.name), str(d.batch_shape), str(d.event_shape)]
    return {"fetch": [None if t is None else tf.identity(t, name="v") for t in out], "said": said}


@program
def normal(tf, np):
    D = tf.distributions
    d = D.Normal([0.5, -1.0], [[1.0], [2.5]])
    x = tf.constant([[0.25, -8.0], [3.0, 9.0]])
    e = D.Normal(loc=1.0, scale=2.0, name="mine")
    return described(tf, d, x, [D.kl_divergence(d, e), e.log_prob([1.0, 30.0]), e.cdf(-40.0)])


@program
def normal_samples(tf, np):
    D = tf.distributions
    tf.set_random_seed(4)
    mu = tf.constant([1.0, 2.0])
    d = D.Normal(mu, 0.5)
    a, b = d.sample(seed=1), d.sample([2, 3], seed=2)
    c = tf.contrib.distributions.Normal(loc=0.0, scale=1.0).sample(4, seed=8)
    g = tf.gradients(tf.reduce_sum(d.sample(3, seed=5) * 2.0), mu)[0]
    e = tf.squeeze(d.sample(1, seed=3), axis=0)
    return {"fetch": [a, b, tf.identity(c, name="c"), g, e]}


@program
def uniform(tf, np):
    D = tf.distributions
    d = D.Uniform([0.0, -1.0], 3.0)
    x = tf.constant([[0.25, -2.0], [2.0, 3.0]])
    s = D.Uniform(low=-2.0, high=[1.0, 5.0]).sample(3, seed=9)
    return described(tf, d, x, [d.range(), s])


@program
def bernoulli(tf, np):
    D = tf.distributions
    d = D.Bernoulli(logits=[-1.0, 0.0, 2.0])
    e = D.Bernoulli(probs=[0.3, 0.9, 0.5], dtype=tf.float32)
    x = tf.constant([[1, 0, 1], [0, 0, 0]])
    extra = [
        d.probs, e.logits, D.kl_divergence(d, e), d.sample(5, seed=3), e.sample([2, 2], seed=4),
        e.log_prob([1.0, 0.0, 1.0]),
    ]  # fmt: skip
    return described(tf, d, x, extra)


@program
def categorical(tf, np):
    D = tf.distributions
    z = tf.constant(data(2, 4))
    d, e = D.Categorical(logits=z), D.Categorical(probs=tf.nn.softmax(-z), dtype=tf.int64)
    x = tf.constant([3, 1])
    extra = [
        d.probs, e.logits, D.kl_divergence(d, e), d.sample(3, seed=3), e.sample(seed=4),
        d.log_prob([[3, 1], [0, 0]]), d.event_size, d.mode(),
        tf.gradients(d.log_prob(x), z)[0], tf.gradients(d.entropy(), z)[0],
    ]  # fmt: skip
    got = described(tf, d, x, extra)
    return got


@program
def waiting(tf, np):
    D = tf.distributions
    d = D.Exponential([0.5, 2.0])
    x = tf.constant([[0.25, 2.0], [2.0, 3.0]])
    e = D.Laplace([0.5, 2.0], 1.5)
    extra = [
        d.sample(3, seed=2), e.log_prob(x), e.cdf(x), e.entropy(), e.mean(), e.stddev(),
        e.sample(3, seed=3),
    ]  # fmt: skip
    return described(tf, d, x, extra)


@program
def gamma_beta(tf, np):
    D = tf.distributions
    x = tf.constant([0.25, 0.75])
    g, h = D.Gamma([2.0, 3.5], 1.5), D.Gamma(1.0, [0.5, 2.0])
    b, c = D.Beta([2.0, 3.5], 1.5), D.Beta(2.0, [0.5, 2.0])
    out = []
    for d in (g, b):
        out += [d.mean(), d.variance(), d.mode(), d.entropy(), d.log_prob(x), d.prob(x)]
    out += [D.kl_divergence(g, h), D.kl_divergence(b, c)]
    t = D.StudentT([3.0, 5.0], 0.5, 2.0)
    out += [t.mean(), t.variance(), t.mode(), t.entropy(), t.log_prob(x), t.prob(x)]
    return {"fetch": [tf.identity(v, name="v") for v in out]}


@program
def vectors(tf, np):
    D = tf.distributions
    d, e = D.Dirichlet([[2.0, 3.0, 1.5], [1.0, 1.0, 4.0]]), D.Dirichlet([1.0, 2.0, 3.0])
    p = tf.constant([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]])
    m = D.Multinomial([4.0, 6.0], probs=p)
    counts = tf.constant([[1.0, 1.0, 2.0], [0.0, 2.0, 4.0]])
    q = D.DirichletMultinomial(4.0, [2.0, 3.0, 1.5])
    out = [
        d.mean(), d.variance(), d.covariance(), d.entropy(), d.log_prob(p),
        D.kl_divergence(d, e), e.mode(), m.mean(), m.variance(), m.covariance(),
        m.log_prob(counts), q.mean(), q.variance(), q.log_prob([1.0, 1.0, 2.0]),
    ]  # fmt: skip
    n = tf.contrib.distributions.MultivariateNormalDiag([0.5, 1.0], [1.0, 2.0])
    k = tf.contrib.distributions.MultivariateNormalDiag(loc=[[0.0, 0.0], [1.0, 1.0]])
    x = tf.constant([0.25, 0.75])
    out += [
        n.mean(), n.variance(), n.stddev(), n.covariance(), n.entropy(), n.log_prob(x),
        n.prob(x), tf.distributions.kl_divergence(n, k), n.sample(3, seed=4), k.mean(),
    ]  # fmt: skip
    said = [str(v.batch_shape) + str(v.event_shape) for v in (d, m, q, n, k)]
    return {"fetch": [tf.identity(v, name="v") for v in out], "said": said}
