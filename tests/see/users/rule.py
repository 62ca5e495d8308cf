"""A rule, in one file: log(sum(exp(x))) of two values without an overflow."""

import numpy as np

import graphc as tf

softer = tf.extend.rule(
    lambda x, y: tf.log(tf.exp(x) + tf.exp(y)),
    lambda x, y: tf.maximum(x, y) + tf.log1p(tf.exp(-tf.abs(x - y))),
    needs="STABLER",
    kinds="f",
    name="log of two exps",
)
even = tf.extend.rule(
    lambda x, c=tf.extend.constant: tf.pow(tf.abs(x), c),
    lambda x, c, result: tf.pow(x, c),
    when=lambda c: bool(np.all(c.node.attrs["value"] % 2 == 0)),
    kinds="f",
    name="even power of abs",
)

if __name__ == "__main__":
    x = tf.placeholder(tf.float32, [None], name="x")
    y = tf.placeholder(tf.float32, [None], name="y")
    z = tf.log(tf.exp(x) + tf.exp(y), name="z")
    fed = {x: [200.0, 1.0], y: [199.0, 2.0]}
    with tf.Session() as sess:
        got = sess.run(z, fed)
    np.testing.assert_allclose(got, np.logaddexp([200.0, 1.0], [199.0, 2.0]), rtol=1e-6)
    without = tf.ConfigProto(graphc_passes=tf.extend.passes(licences="-STABLER"))
    with tf.Session(config=without) as sess:
        assert np.isinf(sess.run(z, fed)[0])
    print(tf.dump(z, stage="pure,simplify"))
    print(tf.dump(tf.pow(tf.abs(x), 4.0), stage="pure,simplify"))
    assert "abs" in tf.dump(tf.pow(tf.abs(x), 3.0), stage="simplify")
