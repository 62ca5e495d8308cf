"""Sequences of other lengths and batches of other sizes in each step; attention and last states."""

import numpy as np
import tensorflow as tf

x = tf.placeholder(tf.float32, [None, None, 3])
lengths = tf.placeholder(tf.int32, [None])
labels = tf.placeholder(tf.int32, [None])

cells = tf.nn.rnn_cell.GRUCell(4), tf.nn.rnn_cell.GRUCell(4)
outputs, _ = tf.nn.bidirectional_dynamic_rnn(
    *cells, inputs=x, sequence_length=lengths, dtype=tf.float32
)
hidden = tf.concat(outputs, 2)
score = tf.squeeze(tf.layers.dense(tf.layers.dense(hidden, 5, tf.nn.tanh), 1), -1)
inside = tf.sequence_mask(lengths, tf.shape(x)[1])
weights = tf.nn.softmax(tf.where(inside, score, tf.fill(tf.shape(score), -1e9)))
context = tf.reduce_sum(hidden * tf.expand_dims(weights, -1), 1)
last = tf.gather_nd(hidden, tf.stack([tf.range(tf.shape(lengths)[0]), lengths - 1], 1))
logits = tf.layers.dense(tf.concat([context, last], 1), 3, name="out")
loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
optimizer = tf.train.AdamOptimizer(0.02)
pairs = optimizer.compute_gradients(loss)
train = optimizer.apply_gradients([(tf.clip_by_norm(g, 0.5), v) for g, v in pairs])

rng = np.random.RandomState(0)
variables = sorted(tf.trainable_variables(), key=lambda v: v.name)
start = [tf.assign(v, rng.randn(*v.shape.as_list()).astype("f") * 0.3) for v in variables]
losses = []
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    sess.run(start)
    for batch, steps in ((4, 5), (2, 7), (1, 1), (4, 5), (3, 2)):
        feed = {
            x: rng.randn(batch, steps, 3),
            lengths: rng.randint(1, steps + 1, batch),
            labels: rng.randint(0, 3, batch),
        }
        losses.append(sess.run([loss, train], feed)[0])
    found = sess.run([logits, weights], {x: rng.randn(2, 4, 3), lengths: [4, 2]})

RESULT = {"losses": losses, "found": found, "names": [v.name for v in tf.global_variables()]}
