"""An op with loops of its own, in one file: a leaky sum along the last axis.

y[t] = x[t] + decay * y[t - 1]. Each row is a loop that runs in order; rows run in parallel. The
gradient is the same op from the other end.
"""

import numpy as np

import graphc as tf
from graphc.extend import KernelBuilder, dims, lit


def meaning(x, decay, reverse):
    y = (x[..., ::-1] if reverse else x).copy()
    for t in range(1, y.shape[-1]):
        y[..., t] += y.dtype.type(decay) * y[..., t - 1]
    return y[..., ::-1] if reverse else y


def loops(node, site):
    (x,) = node.inputs
    *outer, steps = x.static_shape  # numbers, or symbols: one kernel serves every size
    rows, reverse = dims.product(outer), node.attrs["reverse"]
    k = KernelBuilder("leaky_sum")
    a = k.input("x", x.dtype, (rows, steps))
    y = k.output("y", x.dtype, (rows, steps))
    with k.loop("parallel", "row", rows) as row, k.loop("for", "s", steps) as s:
        t, before = (steps - 1 - s, steps - s) if reverse else (s, s - 1)
        on = k.let("greater", k.index(s), lit(0, tf.int64), dtype=tf.bool)
        kept = k.let("multiply", k.load(y, (row, before), on), lit(node.attrs["decay"], x.dtype))
        k.store(y, (row, t), k.let("add", k.load(a, (row, t)), kept))
    site.step(k.build(), [site.input(0), site.output()])


leaky_sum = tf.extend.op(
    "leaky_sum",
    doc="Sums along the last axis in which what is past counts less and less.",
    attrs={"decay": 0.9, "reverse": False},
    numpy=meaning,
    lower=loops,
    grad=lambda y, dy, x, decay, reverse: leaky_sum(dy, decay=decay, reverse=not reverse),
)

if __name__ == "__main__":
    x = tf.placeholder(tf.float64, [None, None], name="x")
    y = leaky_sum(x * 2.0, decay=0.5)
    weights = tf.range(1.0, 6.0)
    dx = tf.gradients(tf.reduce_sum(y * tf.cast(weights, tf.float64)), x)[0]
    with tf.Session() as sess:
        for rows in (1, 3, 200):
            fed = np.random.RandomState(rows).randn(rows, 5)
            got, slope = sess.run([y, dx], {x: fed})
            np.testing.assert_allclose(got, meaning(2 * fed, 0.5, False), rtol=1e-12)
            exact = 2 * meaning(np.tile(np.arange(1.0, 6.0), (rows, 1)), 0.5, True)
            np.testing.assert_allclose(slope, exact, rtol=1e-12)
    print(tf.dump(y, {x: fed}, stage="kernels"))
