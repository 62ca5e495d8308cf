"""REINFORCE: episodes of different length, discounted rewards."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(19)
obs = tf.placeholder(tf.float32, [None, 3], name="observations")
acts = tf.placeholder(tf.int32, [None], name="actions_num")
vt = tf.placeholder(tf.float32, [None], name="actions_value")
layer = tf.layers.dense(
    obs,
    5,
    tf.nn.tanh,
    kernel_initializer=tf.random_normal_initializer(stddev=0.3, seed=2),
    bias_initializer=tf.constant_initializer(0.1),
    name="fc1",
)
all_act = tf.layers.dense(
    layer, 2, kernel_initializer=tf.random_normal_initializer(stddev=0.3, seed=3), name="fc2"
)
prob = tf.nn.softmax(all_act, name="act_prob")
neg_log = tf.reduce_sum(-tf.log(prob) * tf.one_hot(acts, 2), axis=1)
loss = tf.reduce_mean(neg_log * vt)
train = tf.train.AdamOptimizer(0.02).minimize(loss)
RESULT = {"losses": [], "steps": []}
sess = tf.Session()
sess.run(tf.global_variables_initializer())
for episode in range(8):
    o, a, rewards, state = [], [], [], rng.randn(3)
    for t in range(4 + 3 * (episode % 3)):
        p = sess.run(prob, feed_dict={obs: state[np.newaxis, :]})
        action = int(rng.rand() > p[0, 0])
        o.append(state)
        a.append(action)
        rewards.append(float(action == int(state[0] > 0)))
        state = rng.randn(3)
    running, discounted = 0.0, np.zeros(len(rewards))
    for t in reversed(range(len(rewards))):
        running = running * 0.95 + rewards[t]
        discounted[t] = running
    discounted -= discounted.mean()
    _, value = sess.run([train, loss], {obs: np.vstack(o), acts: np.array(a), vt: discounted})
    RESULT["losses"].append(value)
    RESULT["steps"].append(len(a))
