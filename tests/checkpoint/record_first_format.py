"""Writes ``data/first*``, checkpoints of the first format: run by hand under TensorFlow 1.15."""

import os

import numpy as np
import tensorflow as tf

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
VALUES = {
    "a": np.arange(12, dtype="f").reshape(3, 4), "d": np.array([[1.5, -2.5]]),
    "net/b": np.array([1, -2, 2**40]), "i": np.int32(-7), "u": np.array([0, 200], np.uint8),
    "h": np.array([1.5, -2], np.float16), "flag": np.array([True, False]),
    "empty": np.zeros((0, 3), "f"),
}  # fmt: skip
for name, value in VALUES.items():
    tf.Variable(value, name=name)
tf.Variable([b"x", b"", b"y" * 200], name="s")
tf.get_variable(
    "part", [10, 3], partitioner=tf.fixed_size_partitioner(3),
    initializer=lambda shape, dtype, partition_info: tf.reshape(tf.range(30.0), [10, 3])[
        partition_info.var_offset[0] : partition_info.var_offset[0] + shape[0]
    ],
)  # fmt: skip
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    tf.train.Saver(write_version=1).save(
        sess, os.path.join(folder, "first"), write_meta_graph=False, write_state=False
    )
    tf.train.Saver(write_version=1, sharded=True).save(
        sess, os.path.join(folder, "first-sharded"), write_meta_graph=False, write_state=False
    )
