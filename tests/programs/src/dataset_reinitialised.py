"""One iterator over training and test data, training a model from it."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(29)
xs = rng.randn(24, 3).astype(np.float32)
ys = xs.sum(1, keepdims=True)
train_data = tf.data.Dataset.from_tensor_slices((xs[:16], ys[:16])).repeat().batch(4)
test_data = tf.data.Dataset.from_tensor_slices((xs[16:], ys[16:])).batch(8)
iterator = tf.data.Iterator.from_structure(train_data.output_types, train_data.output_shapes)
x, y = iterator.get_next()
train_init = iterator.make_initializer(train_data)
test_init = iterator.make_initializer(test_data)
w = tf.get_variable("w", initializer=np.zeros((3, 1), np.float32))
loss = tf.reduce_mean(tf.square(tf.matmul(x, w) - y))
train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    RESULT = {"losses": [], "test": []}
    for _ in range(2):
        sess.run(train_init)
        for _ in range(5):
            RESULT["losses"].append(sess.run([loss, train])[0])
        sess.run(test_init)
        RESULT["test"].append(sess.run(loss))
    RESULT["w"] = sess.run(w)
