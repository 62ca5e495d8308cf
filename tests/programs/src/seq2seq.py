"""Encoder, decoder with its own scope, sequence loss with weights."""

import numpy as np
import tensorflow as tf

tf.set_random_seed(10)
tf.get_variable_scope().set_initializer(tf.random_uniform_initializer(-0.5, 0.5, seed=3))
rng = np.random.RandomState(17)
source = rng.randint(1, 8, (6, 5))
goal = source[:, ::-1].copy()
enc_in = tf.placeholder(tf.int32, [None, None])
dec_in = tf.placeholder(tf.int32, [None, None])
target = tf.placeholder(tf.int32, [None, None])
table = tf.get_variable("embedding", [8, 6], initializer=tf.random_uniform_initializer(-1, 1))
with tf.variable_scope("encoder"):
    cell = tf.contrib.rnn.BasicLSTMCell(8)
    _, state = tf.nn.dynamic_rnn(cell, tf.nn.embedding_lookup(table, enc_in), dtype=tf.float32)
with tf.variable_scope("decoder"):
    cell = tf.contrib.rnn.BasicLSTMCell(8)
    out, _ = tf.nn.dynamic_rnn(cell, tf.nn.embedding_lookup(table, dec_in), initial_state=state)
logits = tf.layers.dense(out, 8)
weights = tf.ones_like(target, dtype=tf.float32)
loss = tf.contrib.seq2seq.sequence_loss(logits, target, weights)
opt = tf.train.AdamOptimizer(0.02)
grads, tvars = zip(*opt.compute_gradients(loss))
clipped, norm = tf.clip_by_global_norm(grads, 5.0)
train = opt.apply_gradients(zip(clipped, tvars))
shifted = np.concatenate([np.zeros((6, 1), int), goal[:, :-1]], 1)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    feed = {enc_in: source, dec_in: shifted, target: goal}
    RESULT = {"loss": [], "norm": []}
    for _ in range(8):
        _, a, b = sess.run([train, loss, norm], feed)
        RESULT["loss"].append(a)
        RESULT["norm"].append(b)
