"""L1 and L2 through regularizers of variables and the collection of losses."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(26)
data, target = rng.randn(30, 6), rng.randn(30, 1)
x = tf.placeholder(tf.float32, [None, 6])
y = tf.placeholder(tf.float32, [None, 1])
l1, l2 = tf.contrib.layers.l1_regularizer(0.01), tf.contrib.layers.l2_regularizer(0.1)
with tf.variable_scope("a", regularizer=l2):
    w = tf.get_variable("w", initializer=rng.randn(6, 3).astype("f"))
with tf.variable_scope("b"):
    v = tf.get_variable("v", initializer=rng.randn(3, 1).astype("f"), regularizer=l1)
mse = tf.losses.mean_squared_error(y, tf.matmul(tf.tanh(tf.matmul(x, w)), v))
terms = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
loss = mse + tf.add_n(terms)
total = tf.losses.get_total_loss()
train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
RESULT = {"names": [t.op.name for t in terms]}
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    feed = {x: data, y: target}
    RESULT["loss"] = [sess.run([train, loss, total, mse], feed)[1:] for _ in range(6)]
    RESULT["w"] = sess.run(w)
