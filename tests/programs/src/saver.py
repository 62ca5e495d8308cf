"""Save, find and restore a checkpoint in another session; names of files."""

import os
import tempfile

import numpy as np
import tensorflow as tf

folder = tempfile.mkdtemp()
x = tf.placeholder(tf.float32, [None, 3], name="x")
w = tf.Variable(np.arange(6, dtype=np.float32).reshape(3, 2), name="w")
y = tf.matmul(x, w, name="y")
train = tf.train.AdamOptimizer(0.1).minimize(tf.reduce_sum(tf.square(y)))
saver = tf.train.Saver(max_to_keep=2)
one = np.ones((1, 3))
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for step in range(3):
        sess.run(train, {x: one})
        path = saver.save(sess, os.path.join(folder, "model.ckpt"), global_step=step)
    before = sess.run(y, {x: one})
    sess.run(train, {x: one})
    later = sess.run(y, {x: one})
with tf.Session() as sess:
    saver.restore(sess, tf.train.latest_checkpoint(folder))
    after = sess.run(y, {x: one})
    sess.run(train, {x: one})
    resumed = sess.run(y, {x: one})
RESULT = {
    "before": before,
    "same": bool((before == after).all()),
    "resumed": bool((later == resumed).all()),
    "path": os.path.basename(path),
    "kept": [os.path.basename(p) for p in saver.last_checkpoints],
    "files": sorted(f for f in os.listdir(folder) if not f.endswith(".meta")),
}
