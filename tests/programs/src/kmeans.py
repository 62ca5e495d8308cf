"""Lloyd's algorithm in a graph: assignments and centres in variables."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(3)
points_np = np.concatenate([rng.randn(40, 2) + c for c in ([0, 0], [5, 1], [1, 6])]).astype("f")
N, K = 120, 3
points = tf.constant(points_np)
assignments = tf.Variable(tf.zeros([N], dtype=tf.int64))
centroids = tf.Variable(tf.slice(points, [0, 0], [K, 2]))
rep_centroids = tf.reshape(tf.tile(centroids, [N, 1]), [N, K, 2])
rep_points = tf.reshape(tf.tile(points, [1, K]), [N, K, 2])
sum_squares = tf.reduce_sum(tf.square(rep_points - rep_centroids), reduction_indices=2)
best = tf.argmin(sum_squares, 1)
changed = tf.reduce_any(tf.not_equal(best, assignments))
total = tf.unsorted_segment_sum(points, best, K)
count = tf.unsorted_segment_sum(tf.ones_like(points), best, K)
with tf.control_dependencies([changed]):
    update = tf.group(centroids.assign(total / count), assignments.assign(best))
sess = tf.Session()
sess.run(tf.global_variables_initializer())
rounds, moving = 0, True
while moving and rounds < 50:
    moving, _ = sess.run([changed, update])
    rounds += 1
RESULT = {"rounds": rounds, "centres": sess.run(centroids)}
RESULT["counts"] = np.bincount(sess.run(assignments))
