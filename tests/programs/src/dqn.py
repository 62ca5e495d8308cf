"""Q-learning with a target network on a corridor of six places."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(18)


def build(s, scope):
    with tf.variable_scope(scope):
        w = tf.random_normal_initializer(0.0, 0.3, seed=1)
        h = tf.layers.dense(s, 10, tf.nn.relu, kernel_initializer=w, name="l1")
        return tf.layers.dense(h, 2, kernel_initializer=w, name="q")


s = tf.placeholder(tf.float32, [None, 6], name="s")
s_ = tf.placeholder(tf.float32, [None, 6], name="s_")
r = tf.placeholder(tf.float32, [None])
a = tf.placeholder(tf.int32, [None])
q_eval, q_next = build(s, "eval_net"), build(s_, "target_net")
q_target = tf.stop_gradient(r + 0.9 * tf.reduce_max(q_next, axis=1))
index = tf.stack([tf.range(tf.shape(a)[0], dtype=tf.int32), a], axis=1)
q_taken = tf.gather_nd(params=q_eval, indices=index)
loss = tf.reduce_mean(tf.squared_difference(q_target, q_taken, name="TD_error"))
train = tf.train.RMSPropOptimizer(0.01).minimize(loss)
t_params = tf.get_collection(tf.GraphKeys.GLOBAL_VARIABLES, scope="target_net")
e_params = tf.get_collection(tf.GraphKeys.GLOBAL_VARIABLES, scope="eval_net")[:4]
replace = [tf.assign(t, e) for t, e in zip(t_params, e_params)]
eye = np.eye(6)
RESULT = {"loss": []}
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for episode in range(6):
        place, memory = 2, []
        for step in range(3 + episode):
            action = rng.randint(2)
            after = max(0, min(5, place + 2 * action - 1))
            memory.append((place, action, float(after == 5), after))
            place = after
        at, act, reward, to = map(list, zip(*memory))
        feed = {s: eye[at], s_: eye[to], a: act, r: reward}
        _, value = sess.run([train, loss], feed)
        RESULT["loss"].append(value)
        if episode % 2:
            sess.run(replace)
    RESULT["q"] = sess.run(q_eval, {s: eye})
