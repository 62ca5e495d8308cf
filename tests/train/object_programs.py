"""A program whose objects are checkpointed, for TensorFlow 1.15 and graphc alike."""

import numpy as np


def build(tf):
    """The objects by name, with values of a fixed pattern, and what one training step makes."""
    tf.reset_default_graph()
    layers = tf.keras.layers
    x = tf.get_variable("x", [2, 3])
    with tf.variable_scope("s"):
        y = tf.get_variable("y", [3])
    loss = tf.reduce_sum(tf.square(tf.matmul(x, tf.expand_dims(y, 1))))
    step = tf.train.get_or_create_global_step()
    adam = tf.train.AdamOptimizer(0.1)
    train = [adam.minimize(loss, step)]
    other = tf.train.RMSPropOptimizer(0.1, momentum=0.9)
    train.append(other.minimize(loss))

    class Net(tf.keras.Model):
        def __init__(self):
            super().__init__()
            self.first = layers.Dense(2)
            self.rest = [layers.Dense(3)]
            self._last = layers.Dense(1)

        def call(self, inputs):
            return self._last(self.rest[0](self.first(inputs)))

    net = Net()
    net(tf.zeros([1, 2]))
    chain = tf.keras.Sequential(
        [layers.Dense(4, input_shape=(3,)), layers.ReLU(), layers.BatchNormalization()]
    )
    lstm, both = layers.LSTM(3), layers.Bidirectional(layers.GRU(2))
    lstm(tf.zeros([1, 2, 2]))
    both(tf.zeros([1, 2, 2]))
    cells = tf.nn.rnn_cell.MultiRNNCell(
        [tf.nn.rnn_cell.BasicLSTMCell(2), tf.nn.rnn_cell.GRUCell(3)]
    )
    cells(tf.zeros([1, 2]), cells.zero_state(1, tf.float32))
    dense = tf.layers.Dense(5)
    dense(tf.zeros([1, 3]))
    inner = tf.train.Checkpoint(y=y, dense=dense)
    objects = {
        "x": x, "inner": inner, "adam": adam, "other": other, "step": step, "net": net,
        "chain": chain, "lstm": lstm, "both": both, "cells": cells,
    }  # fmt: skip
    return objects, train


def variables(tf):
    """All but the counter of a checkpoint, by name."""
    found = sorted(tf.global_variables(), key=lambda v: v.op.name)
    return [v for v in found if not v.op.name.startswith("save_counter")]


def fill(tf, session, seed=0.0):
    """Give every variable a value of its own that its shape and its place among them say."""
    for k, v in enumerate(variables(tf)):
        shape = v.get_shape().as_list()
        n = int(np.prod(shape, dtype=int))
        a = np.sin(np.arange(n) + k + seed).reshape(shape)
        v.load((a * 100 if v.dtype.base_dtype.is_integer else a).astype(v.dtype.as_numpy_dtype),
               session)  # fmt: skip


def values(tf, session):
    """Value of each variable, by name."""
    return session.run({v.op.name: v for v in variables(tf)})
