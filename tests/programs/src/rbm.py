"""A restricted Boltzmann machine: contrastive divergence with the graph's random numbers."""

import numpy as np
import tensorflow as tf

tf.set_random_seed(11)
data = (np.random.RandomState(21).rand(30, 8) > 0.6).astype(np.float32)


def sample_prob(probs):
    return tf.nn.relu(tf.sign(probs - tf.random_uniform(tf.shape(probs))))


X = tf.placeholder("float", [None, 8])
rbm_w = tf.placeholder("float", [8, 5])
rbm_vb = tf.placeholder("float", [8])
rbm_hb = tf.placeholder("float", [5])
h0 = sample_prob(tf.nn.sigmoid(tf.matmul(X, rbm_w) + rbm_hb))
v1 = sample_prob(tf.nn.sigmoid(tf.matmul(h0, tf.transpose(rbm_w)) + rbm_vb))
h1 = tf.nn.sigmoid(tf.matmul(v1, rbm_w) + rbm_hb)
positive = tf.matmul(tf.transpose(X), h0)
negative = tf.matmul(tf.transpose(v1), h1)
update_w = rbm_w + 0.1 * (positive - negative) / tf.to_float(tf.shape(X)[0])
update_vb = rbm_vb + 0.1 * tf.reduce_mean(X - v1, 0)
update_hb = rbm_hb + 0.1 * tf.reduce_mean(h0 - h1, 0)
err = tf.reduce_mean(tf.square(X - v1))
w, vb, hb = np.zeros((8, 5), "f"), np.zeros(8, "f"), np.zeros(5, "f")
RESULT = {"error": []}
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for epoch in range(8):
        for i in range(0, 30, 10):
            feed = {X: data[i : i + 10], rbm_w: w, rbm_vb: vb, rbm_hb: hb}
            w, vb, hb = sess.run([update_w, update_vb, update_hb], feed)
        RESULT["error"].append(sess.run(err, {X: data, rbm_w: w, rbm_vb: vb, rbm_hb: hb}))
RESULT["w"] = w
