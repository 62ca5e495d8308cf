"""Embeddings, convolutions of three widths, max over time."""

import numpy as np
import tensorflow as tf

tf.set_random_seed(13)
rng = np.random.RandomState(41)
input_x = tf.placeholder(tf.int32, [None, 9], name="input_x")
input_y = tf.placeholder(tf.float32, [None, 2], name="input_y")
keep = tf.placeholder(tf.float32, name="dropout_keep_prob")
l2_loss = tf.constant(0.0)
with tf.device("/cpu:0"), tf.name_scope("embedding"):
    W = tf.Variable(tf.random_uniform([15, 6], -1.0, 1.0), name="W")
    chars = tf.expand_dims(tf.nn.embedding_lookup(W, input_x), -1)
pooled = []
for i, size in enumerate([2, 3, 4]):
    with tf.name_scope("conv-maxpool-%s" % size):
        f = tf.Variable(tf.truncated_normal([size, 6, 1, 3], stddev=0.1), name="W")
        b = tf.Variable(tf.constant(0.1, shape=[3]), name="b")
        conv = tf.nn.conv2d(chars, f, strides=[1, 1, 1, 1], padding="VALID", name="conv")
        h = tf.nn.relu(tf.nn.bias_add(conv, b), name="relu")
        pooled.append(
            tf.nn.max_pool(h, [1, 9 - size + 1, 1, 1], [1, 1, 1, 1], "VALID", name="pool")
        )
h_pool = tf.reshape(tf.concat(pooled, 3), [-1, 9])
h_drop = tf.nn.dropout(h_pool, keep)
with tf.name_scope("output"):
    W2 = tf.get_variable("W", shape=[9, 2], initializer=tf.contrib.layers.xavier_initializer())
    b = tf.Variable(tf.constant(0.1, shape=[2]), name="b")
    l2_loss += tf.nn.l2_loss(W2) + tf.nn.l2_loss(b)
    scores = tf.nn.xw_plus_b(h_drop, W2, b, name="scores")
losses = tf.nn.softmax_cross_entropy_with_logits(logits=scores, labels=input_y)
loss = tf.reduce_mean(losses) + 0.1 * l2_loss
global_step = tf.Variable(0, name="global_step", trainable=False)
opt = tf.train.AdamOptimizer(1e-2)
train = opt.apply_gradients(opt.compute_gradients(loss), global_step=global_step)
x, y = rng.randint(0, 15, (8, 9)), np.eye(2)[rng.randint(0, 2, 8)]
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    feed = {input_x: x, input_y: y, keep: 1.0}
    RESULT = {"loss": [sess.run([train, loss], feed)[1] for _ in range(6)]}
    RESULT["dropped"] = sess.run(loss, {input_x: x, input_y: y, keep: 0.5})
RESULT["names"] = [v.name for v in tf.trainable_variables()]
