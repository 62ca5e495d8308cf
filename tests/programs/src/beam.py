"""Log-probabilities, top_k and gathering, as a beam search does by hand."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(47)
step_logits = tf.placeholder(tf.float32, [None, 7])
scores = tf.placeholder(tf.float32, [None])
log_probs = tf.nn.log_softmax(step_logits)
both = tf.reshape(log_probs + tf.expand_dims(scores, 1), [-1])
best, place = tf.nn.top_k(both, 3)
beam, word = place // 7, place % 7
paths = tf.placeholder(tf.int32, [None, None])
longer = tf.concat([tf.gather(paths, beam), tf.expand_dims(word, 1)], 1)
with tf.Session() as sess:
    s, p = np.zeros(1, np.float32), np.zeros((1, 0), np.int32)
    for t in range(4):
        logits = rng.randn(len(s), 7)
        s, p = sess.run([best, longer], {step_logits: logits, scores: s, paths: p})
RESULT = {"scores": s, "paths": p}
