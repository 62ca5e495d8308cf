"""A variational autoencoder: noise from the graph's seed, two terms of loss."""

import numpy as np
import tensorflow as tf

tf.set_random_seed(7)
data = np.random.RandomState(8).rand(32, 16).astype(np.float32)


def xavier(shape):
    bound = np.sqrt(6.0 / sum(shape))
    return tf.random_uniform(shape, -bound, bound)


x = tf.placeholder(tf.float32, [None, 16])
h = tf.nn.tanh(tf.matmul(x, tf.Variable(xavier([16, 8]))) + tf.Variable(tf.zeros([8])))
z_mean = tf.matmul(h, tf.Variable(xavier([8, 2])))
z_log = tf.matmul(h, tf.Variable(xavier([8, 2])))
eps = tf.random_normal((tf.shape(x)[0], 2), 0, 1, dtype=tf.float32)
z = tf.add(z_mean, tf.multiply(tf.sqrt(tf.exp(z_log)), eps))
out = tf.nn.sigmoid(tf.matmul(z, tf.Variable(xavier([2, 16]))) + tf.Variable(tf.zeros([16])))
rec = -tf.reduce_sum(x * tf.log(1e-10 + out) + (1 - x) * tf.log(1e-10 + 1 - out), 1)
latent = -0.5 * tf.reduce_sum(1 + z_log - tf.square(z_mean) - tf.exp(z_log), 1)
cost = tf.reduce_mean(rec + latent)
train = tf.train.AdamOptimizer(0.02).minimize(cost)
sess = tf.InteractiveSession()
sess.run(tf.global_variables_initializer())
RESULT = {"cost": [sess.run((cost, train), {x: data})[0] for _ in range(15)]}
RESULT["sample"] = out.eval({z: [[0.0, 1.0], [0.5, -0.5]]})
sess.close()
