"""The network of ``tf.examples.tutorials.mnist.mnist``: two hidden layers and a linear one."""

from __future__ import annotations

import math
from typing import Any

__all__ = [
    "IMAGE_PIXELS", "IMAGE_SIZE", "NUM_CLASSES", "evaluation", "inference", "loss", "training",
]  # fmt: skip

NUM_CLASSES = 10
IMAGE_SIZE = 28
IMAGE_PIXELS = IMAGE_SIZE * IMAGE_SIZE


def inference(images: Any, hidden1_units: int, hidden2_units: int) -> Any:
    """The logits of a batch of images, each a row of 784 numbers."""
    import graphc as tf

    x, width = images, IMAGE_PIXELS
    for name, units in (
        ("hidden1", hidden1_units), ("hidden2", hidden2_units), ("softmax_linear", NUM_CLASSES),
    ):  # fmt: skip
        with tf.name_scope(name):
            start = tf.truncated_normal([width, units], stddev=1.0 / math.sqrt(float(width)))
            weights = tf.Variable(start, name="weights")
            biases = tf.Variable(tf.zeros([units]), name="biases")
            x = tf.matmul(x, weights) + biases
            if name != "softmax_linear":
                x = tf.nn.relu(x)
        width = units
    return x


def loss(logits: Any, labels: Any) -> Any:
    """The mean cross entropy of logits against the numbers of the classes."""
    import graphc as tf

    return tf.losses.sparse_softmax_cross_entropy(
        labels=tf.cast(labels, dtype=tf.int64), logits=logits
    )


def training(loss: Any, learning_rate: float) -> Any:
    """A step of gradient descent, counted; the loss is summarised."""
    import graphc as tf

    tf.summary.scalar("loss", loss)
    optimizer = tf.train.GradientDescentOptimizer(learning_rate)
    global_step = tf.Variable(0, name="global_step", trainable=False)
    return optimizer.minimize(loss, global_step=global_step)


def evaluation(logits: Any, labels: Any) -> Any:
    """How many rows have their class on top: an int32 scalar."""
    import graphc as tf

    correct = tf.nn.in_top_k(predictions=logits, targets=labels, k=1)
    return tf.reduce_sum(tf.cast(correct, tf.int32))
