"""Exponential moving averages of parameters, used in place of them."""

import tensorflow as tf

w = tf.Variable([1.0, 2.0], name="w")
target = tf.placeholder(tf.float32, [2])
loss = tf.reduce_sum(tf.square(w - target))
train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
ema = tf.train.ExponentialMovingAverage(decay=0.9)
with tf.control_dependencies([train]):
    train_and_average = ema.apply([w])
shadow = ema.average(w)
target_update = tf.group(w.assign(shadow * 0.5 + w * 0.5))
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    trace = []
    for i in range(10):
        sess.run(train_and_average, {target: [float(i), 3.0]})
        trace.append(sess.run([w, shadow]))
    sess.run(target_update)
    RESULT = {"trace": trace, "w": sess.run(w), "name": shadow.op.name}
