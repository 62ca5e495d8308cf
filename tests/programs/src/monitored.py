"""A monitored session with hooks, stopped by a number of steps."""

import numpy as np
import tensorflow as tf

tf.logging.set_verbosity(tf.logging.ERROR)
x = tf.Variable([4.0, -3.0])
loss = tf.reduce_sum(tf.square(x))
step = tf.train.get_or_create_global_step()
train = tf.train.GradientDescentOptimizer(0.1).minimize(loss, global_step=step)


class Collect(tf.train.SessionRunHook):
    def begin(self):
        self.seen = []

    def before_run(self, run_context):
        return tf.train.SessionRunArgs([step, loss])

    def after_run(self, run_context, run_values):
        self.seen.append(float(run_values.results[1]))


collect = Collect()
hooks = [tf.train.StopAtStepHook(last_step=6), collect, tf.train.NanTensorHook(loss)]
with tf.train.MonitoredTrainingSession(hooks=hooks) as sess:
    while not sess.should_stop():
        sess.run(train)
RESULT = {"runs": len(collect.seen), "close": bool(np.all(np.diff(collect.seen) <= 0))}
