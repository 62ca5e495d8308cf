"""LeNet by hand: conv2d, bias_add, max_pool, a dense head."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(11)
images = rng.rand(12, 196).astype(np.float32)
labels = np.eye(3)[rng.randint(0, 3, 12)]


def init(*shape):
    return tf.Variable(0.2 * rng.randn(*shape).astype(np.float32))


def conv2d(x, W, b, strides=1):
    x = tf.nn.conv2d(x, W, strides=[1, strides, strides, 1], padding="SAME")
    return tf.nn.relu(tf.nn.bias_add(x, b))


def maxpool2d(x, k=2):
    return tf.nn.max_pool(x, ksize=[1, k, k, 1], strides=[1, k, k, 1], padding="SAME")


x = tf.placeholder(tf.float32, [None, 196])
y = tf.placeholder(tf.float32, [None, 3])
h = maxpool2d(conv2d(tf.reshape(x, [-1, 14, 14, 1]), init(5, 5, 1, 4), init(4)))
h = maxpool2d(conv2d(h, init(3, 3, 4, 6), init(6)))
wd = init(4 * 4 * 6, 3)
fc = tf.reshape(h, [-1, wd.get_shape().as_list()[0]])
logits = tf.add(tf.matmul(fc, wd), init(3))
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(logits=logits, labels=y))
train = tf.train.AdamOptimizer(0.005).minimize(loss)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    RESULT = {"shape": fc.get_shape().as_list(), "loss": []}
    for _ in range(8):
        RESULT["loss"].append(sess.run([loss, train], {x: images, y: labels})[0])
    RESULT["one"] = sess.run(tf.nn.softmax(logits), {x: images[:1]})
