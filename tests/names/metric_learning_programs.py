"""Losses of embeddings, values of images between pixels, and multiplied losses."""

import numpy as np
from families import error, pattern, started, variables


def _embeddings(tf, n, k=0.0):
    x = pattern(n, 4, k=k, scale=1.0)
    return tf.constant(x / np.linalg.norm(x, axis=1, keepdims=True), tf.float32)


def embeddings(tf, say, folder):
    m = tf.contrib.losses.metric_learning
    with tf.Session() as session:
        for labels in ([0, 1, 0, 2, 1, 1], [0, 1, 2, 3, 4, 4], [0, 0, 0, 0, 0, 1]):
            e = _embeddings(tf, 6)
            y = tf.constant(labels)
            for f in (m.triplet_semihard_loss, m.lifted_struct_loss):
                for margin in (1.0, 0.3):
                    loss = f(y, e, margin)
                    say([loss.name, loss.shape.as_list()])
                    say(session.run([loss, tf.gradients(loss, [e])[0]]))
            p = _embeddings(tf, 6, k=1.0)
            loss = m.npairs_loss(y, e, p)
            say(session.run([loss, tf.gradients(loss, [e, p])]))
            loss = m.npairs_loss(y, e, p, reg_lambda=0.5)
            say(session.run(loss))
        e, p = _embeddings(tf, 4), _embeddings(tf, 4, k=1.0)
        loss = m.contrastive_loss(tf.constant([0, 1, 1, 0]), e, p, 1.5)
        say([loss.name])
        say(session.run([loss, tf.gradients(loss, [e, p])]))
        rows = [[1, 0, 1], [0, 1, 1], [1, 0, 1], [0, 0, 1]]
        sparse = [
            tf.SparseTensor([[0, i] for i, v in enumerate(r) if v], [1] * sum(r), [1, 3])
            for r in rows
        ]
        say(session.run(m.npairs_loss_multilabel(sparse, e, p)))
        say(error(m.npairs_loss_multilabel, [1], e, p))


def resampled(tf, say, folder):
    f = tf.contrib.resampler.resampler
    data = tf.constant(pattern(2, 4, 5, 3), tf.float32)
    points = [[0, 0], [1.5, 2.25], [4, 3], [4.5, 3.5], [-0.5, -0.25], [-1.0, 1.0], [5.0, 2.0],
              [2.0, 4.0], [3.999, 0.001], [1e6, -1e6]]  # fmt: skip
    warp = tf.constant([points, points[::-1]], tf.float32)
    y = f(data, warp)
    say([y.name, y.shape.as_list()])
    with tf.Session() as session:
        say(session.run(y))
        weights = tf.constant(pattern(2, 10, 3), tf.float32)
        inner = warp[:, 1:3] * 0.9 + 0.05
        z = f(data, inner)
        say(session.run(tf.gradients(tf.reduce_sum(z * weights[:, :2]), [data, inner])))
        grid = tf.reshape(warp, [2, 5, 2, 2])
        say(f(data, grid).shape.as_list())
        say(session.run(f(data, grid))[1, 2])


def scales(tf, say, folder):
    c = tf.contrib.mixed_precision
    say([error(c.FixedLossScaleManager, 0.5)])
    x = tf.placeholder(tf.float32, [2])
    v = tf.get_variable("v", initializer=[1.0, 2.0])
    fixed = c.LossScaleOptimizer(
        tf.train.GradientDescentOptimizer(0.1), c.FixedLossScaleManager(64.0)
    )
    step = tf.train.get_or_create_global_step()
    train = fixed.minimize(tf.reduce_sum(x * v * v), step)
    manager = c.ExponentialUpdateLossScaleManager(16.0, 2, 2, 2.0, 0.5)
    say(variables(tf))
    say([u.name for u in tf.trainable_variables()])
    other = c.LossScaleOptimizer(tf.train.MomentumOptimizer(0.1, 0.9), manager)
    pairs = other.compute_gradients(tf.reduce_sum(tf.sqrt(x) * v), [v])
    also = other.apply_gradients(pairs)
    session = started(tf)
    for a in ([1.0, 2.0], [np.inf, 1.0], [0.5, 0.5]):
        session.run(train, {x: a})
        say(session.run([v, step]))
    good, bad = [1.0, 4.0], [np.nan, 1.0]
    for a in (good, good, good, bad, good, bad, bad, good, good, bad, bad, bad, bad):
        session.run(also, {x: a})
        say(session.run([v, *tf.global_variables()[2:5]]))
