"""Sparse placeholders, a product with a dense matrix, conversions."""

import numpy as np
import tensorflow as tf

sp = tf.sparse_placeholder(tf.float32)
dense = tf.constant(np.arange(6, dtype=np.float32).reshape(3, 2))
product = tf.sparse_tensor_dense_matmul(sp, dense)
fixed = tf.SparseTensor(indices=[[0, 1], [2, 0]], values=[1.0, 2.0], dense_shape=[3, 2])
full = tf.sparse_tensor_to_dense(fixed)
ordered = tf.sparse_reorder(tf.SparseTensor([[1, 0], [0, 2]], [5, 6], [2, 3]))
old = tf.sparse_to_dense([[0, 0], [1, 2]], [2, 3], 7)
total = tf.sparse_reduce_sum(fixed, 1)
value = tf.SparseTensorValue([[0, 0], [1, 2]], [2.0, 3.0], [2, 3])
with tf.Session() as sess:
    RESULT = {"product": sess.run(product, {sp: value}), "full": sess.run(full)}
    got = sess.run(ordered)
    RESULT["ordered"] = [got.indices, got.values, got.dense_shape]
    RESULT["old"], RESULT["total"] = sess.run([old, total])
