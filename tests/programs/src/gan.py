"""Generator against discriminator: two sets of variables, two optimizers."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(9)
tf.set_random_seed(3)


def generator(z, reuse=None):
    with tf.variable_scope("gen", reuse=reuse):
        h = tf.layers.dense(z, 8, activation=tf.nn.leaky_relu)
        return tf.layers.dense(h, 2, activation=tf.nn.tanh)


def discriminator(x, reuse=None):
    with tf.variable_scope("dis", reuse=reuse):
        h = tf.layers.dense(x, 8, activation=tf.nn.leaky_relu)
        logits = tf.layers.dense(h, 1)
        return tf.sigmoid(logits), logits


real = tf.placeholder(tf.float32, [None, 2])
z = tf.placeholder(tf.float32, [None, 3])
fake = generator(z)
_, real_logits = discriminator(real)
_, fake_logits = discriminator(fake, reuse=True)


def loss_of(logits, labels):
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(logits=logits, labels=labels))


d_loss = loss_of(real_logits, tf.ones_like(real_logits) * 0.9) + loss_of(
    fake_logits, tf.zeros_like(real_logits)
)
g_loss = loss_of(fake_logits, tf.ones_like(fake_logits))
tvars = tf.trainable_variables()
d_vars = [v for v in tvars if "dis" in v.name]
g_vars = [v for v in tvars if "gen" in v.name]
d_train = tf.train.AdamOptimizer(0.01, beta1=0.5).minimize(d_loss, var_list=d_vars)
g_train = tf.train.AdamOptimizer(0.01, beta1=0.5).minimize(g_loss, var_list=g_vars)
RESULT = {"names": [v.name for v in g_vars + d_vars], "losses": []}
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for _ in range(10):
        feed = {real: 0.3 * rng.randn(16, 2) + 0.4, z: rng.uniform(-1, 1, (16, 3))}
        _, d = sess.run([d_train, d_loss], feed_dict=feed)
        _, g = sess.run([g_train, g_loss], feed_dict=feed)
        RESULT["losses"].append([d, g])
    RESULT["fake"] = sess.run(generator(z, reuse=True), feed_dict={z: np.ones((2, 3))})
