"""Two ops in one file: one made of other ops, one that Python runs."""

import numpy as np

import graphc as tf

entropy = tf.extend.op(
    "entropy",
    doc="The entropy of each row of logits.",
    infer=lambda inputs, attrs: [(inputs[0].dtype, inputs[0].static_shape[:-1])],
    numpy=lambda x: -np.sum(np.exp(x - np.log(np.sum(np.exp(x), -1, keepdims=True)))
                            * (x - np.log(np.sum(np.exp(x), -1, keepdims=True))), -1),
    expand=lambda x: -tf.reduce_sum(tf.nn.softmax(x) * tf.nn.log_softmax(x), -1),
    grad=lambda y, dy, x: tf.expand_dims(dy, -1)
    * -tf.nn.softmax(x) * (tf.nn.log_softmax(x) + tf.expand_dims(y, -1)),
)  # fmt: skip

median = tf.extend.op(
    "median",
    doc="The median of each row.",
    infer=lambda inputs, attrs: [(inputs[0].dtype, inputs[0].static_shape[:-1])],
    numpy=lambda x: np.median(x, axis=-1).astype(x.dtype),
)

if __name__ == "__main__":
    x = tf.placeholder(tf.float32, [None, 4], name="x")
    both = entropy(x) + median(tf.square(x))
    slope = tf.gradients(entropy(x), x)[0]
    fed = np.random.RandomState(0).randn(5, 4).astype(np.float32)
    with tf.Session() as sess:
        got, dx = sess.run([both, slope], {x: fed})
    wide = fed.astype(np.float64)

    def meaning(a):
        p = np.exp(a) / np.exp(a).sum(-1, keepdims=True)
        return -(p * np.log(p)).sum(-1)

    np.testing.assert_allclose(got, meaning(wide) + np.median(wide**2, axis=-1), rtol=1e-5)
    for i in range(4):
        step = np.eye(4)[i] * 1e-6
        change = (meaning(wide + step) - meaning(wide - step)) / 2e-6
        np.testing.assert_allclose(dx[:, i], change, rtol=1e-3, atol=1e-5)
    print(tf.dump(entropy(x), stage="pure,expand"))
