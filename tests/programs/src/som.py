"""A self-organising map of 3 by 3 places."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(22)
colours = rng.rand(20, 3).astype(np.float32)
m = n = 3
weightage = tf.Variable(rng.randn(m * n, 3).astype(np.float32))
locations = tf.constant(np.array([[i, j] for i in range(m) for j in range(n)]))
vect = tf.placeholder("float", [3])
it = tf.placeholder("float")
distance = tf.sqrt(tf.reduce_sum(tf.pow(weightage - tf.stack([vect] * (m * n)), 2), 1))
bmu_index = tf.argmin(distance, 0)
slice_input = tf.pad(tf.reshape(bmu_index, [1]), np.array([[0, 1]]))
bmu_loc = tf.reshape(
    tf.slice(locations, slice_input, tf.constant(np.array([1, 2]), dtype=tf.int64)), [2]
)
rate = 1.0 - it / 20
alpha, sigma = 0.3 * rate, 1.5 * rate
squares = tf.reduce_sum(tf.pow(locations - tf.stack([bmu_loc] * (m * n)), 2), 1)
near = tf.exp(tf.negative(tf.div(tf.cast(squares, "float32"), tf.pow(sigma, 2))))
learn = tf.multiply(alpha, near)
multiplier = tf.stack([tf.tile(tf.slice(learn, [i], [1]), [3]) for i in range(m * n)])
delta = tf.multiply(multiplier, tf.stack([vect] * (m * n)) - weightage)
train = tf.assign(weightage, tf.add(weightage, delta))
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for i in range(20):
        sess.run(train, {vect: colours[i], it: float(i)})
    RESULT = {"weights": sess.run(weightage)}
    RESULT["places"] = [sess.run(bmu_index, {vect: c}) for c in colours]
