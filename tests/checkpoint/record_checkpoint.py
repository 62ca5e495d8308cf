"""Writes ``data/model-7.*`` and ``data/model-7.npz``: run by hand under TensorFlow 1.15."""

import os

import numpy as np
import tensorflow as tf

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
w = tf.Variable(np.arange(6, dtype=np.float32).reshape(2, 3), name="w")
tf.get_variable("net/b", initializer=np.array([1, 2], np.int64))
tf.Variable([b"abc", b"", b"x" * 200], name="s", trainable=False)
tf.Variable([True, False], name="flag", trainable=False)
tf.Variable(np.array([1.5, 2], np.float16), name="h", trainable=False)
tf.Variable(tf.cast([1.5, 3.0], tf.bfloat16), name="bf", trainable=False)
tf.Variable(3.25, dtype=tf.float64, name="sc", trainable=False)
part = tf.get_variable(
    "part", [5, 4], initializer=tf.random_normal_initializer(seed=1),
    partitioner=tf.fixed_size_partitioner(2),
)  # fmt: skip
loss = tf.reduce_sum(w * w) + tf.reduce_sum(tf.identity(part))
step = tf.train.AdamOptimizer().minimize(loss)
saver = tf.train.Saver()
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    sess.run(step)
    saver.save(sess, os.path.join(folder, "model"), global_step=7, write_meta_graph=False)
    values = {
        v.op.name: tf.cast(v, tf.float32) if v.dtype.base_dtype == tf.bfloat16 else v
        for v in tf.global_variables()
        if v.dtype.base_dtype != tf.string
    }
    np.savez(os.path.join(folder, "model-7.npz"), **sess.run(values))
os.remove(os.path.join(folder, "checkpoint"))
