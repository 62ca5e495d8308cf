"""Scalars, histograms and images merged and written with the graph."""

import os
import tempfile

import numpy as np
import tensorflow as tf

folder = tempfile.mkdtemp()
x = tf.placeholder(tf.float32, [None, 4], name="x")
with tf.name_scope("layer"):
    w = tf.Variable(tf.zeros([4, 2]), name="w")
    out = tf.nn.sigmoid(tf.matmul(x, w))
    tf.summary.histogram("weights", w)
with tf.name_scope("loss"):
    loss = tf.reduce_mean(tf.square(out - 1.0))
    tf.summary.scalar("mean loss", loss)
tf.summary.image("picture", tf.reshape(x, [-1, 2, 2, 1]), max_outputs=2)
merged = tf.summary.merge_all()
train = tf.train.GradientDescentOptimizer(1.0).minimize(loss)
data = np.random.RandomState(31).rand(5, 4)
with tf.Session() as sess:
    writer = tf.summary.FileWriter(folder, sess.graph)
    sess.run(tf.global_variables_initializer())
    for i in range(3):
        text, _ = sess.run([merged, train], {x: data})
        writer.add_summary(text, i)
    writer.close()
    summary = tf.Summary()
    summary.ParseFromString(text)
    RESULT = {"tags": sorted(v.tag for v in summary.value)}
    RESULT["loss"] = [v.simple_value for v in summary.value if v.tag.startswith("loss")]
RESULT["files"] = [f.startswith("events.out.tfevents.") for f in os.listdir(folder)]
RESULT["keys"] = len(tf.get_collection(tf.GraphKeys.SUMMARIES))
