"""Optimizers of contrib that count steps, or leave some of them out."""

import numpy as np
from families import error, started, variables


def _train(tf, say, make, feeds=(1.0, 2.0, -1.0)):
    x = tf.placeholder(tf.float32, [])
    v = tf.get_variable("v", initializer=np.array([[1.0, 2.0], [3.0, -1.0]], np.float32))
    w = tf.get_variable("w", initializer=np.array([0.5, -0.5, 2.0], np.float32))
    loss = tf.reduce_sum(v * v) * 0.5 * x + tf.reduce_sum(tf.sin(tf.gather(w, [0, 2, 0])))
    step = tf.train.get_or_create_global_step()
    train = make(step).minimize(loss, step)
    say(variables(tf))
    session = started(tf)
    for feed in feeds:
        session.run(train, {x: feed})
        say(session.run([v, w, step]))


def adam_of_steps(tf, say, folder):
    _train(tf, say, lambda step: tf.contrib.opt.AdamGSOptimizer(step, 0.1))


def lazy_adam_of_steps(tf, say, folder):
    _train(tf, say, lambda step: tf.contrib.opt.LazyAdamGSOptimizer(step, 0.1, beta1=0.8))


def several_tasks(tf, say, folder):
    wrapper = tf.contrib.opt.MultitaskOptimizerWrapper
    feeds = (1.0, 0.0, 0.0, 2.0)
    _train(tf, say, lambda step: wrapper(tf.train.AdamOptimizer(0.1)), feeds)
    say(error(wrapper, 3))


def stale(tf, say, folder):
    drop = tf.contrib.opt.DropStaleGradientOptimizer
    _train(tf, say, lambda step: drop(tf.train.MomentumOptimizer(0.1, 0.9), 0))
    say([v.name for v in tf.local_variables()])
