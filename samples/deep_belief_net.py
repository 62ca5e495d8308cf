"""A deep belief net: restricted Boltzmann machines stacked, then trained to name digits.

Each machine learns by contrastive divergence what the one below it gives; then the whole is a
perceptron that begins with their weights.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import trange

import graphc as tf

SIZES = [64, 128, 64]


def drawn(p):
    """Zeros and ones with probabilities `p`."""
    return tf.nn.relu(tf.sign(p - tf.random_uniform(tf.shape(p))))


class Machine:
    """A restricted Boltzmann machine between a visible and a hidden layer."""

    def __init__(self, visible, hidden, name):
        with tf.variable_scope(name):
            start = tf.random_normal_initializer(stddev=0.05)
            self.w = tf.get_variable("w", [visible, hidden], initializer=start)
            zeros = tf.zeros_initializer()
            self.down = tf.get_variable("down", [visible], initializer=zeros)
            self.up = tf.get_variable("up", [hidden], initializer=zeros)

    def hidden(self, v):
        return tf.sigmoid(tf.matmul(v, self.w) + self.up)

    def visible(self, h):
        return tf.sigmoid(tf.matmul(h, self.w, transpose_b=True) + self.down)

    def learn(self, v, rate):
        """One step of contrastive divergence; the updates, and the error of reconstruction."""
        h = self.hidden(v)
        v2 = self.visible(drawn(h))
        h2 = self.hidden(v2)
        n = tf.cast(tf.shape(v)[0], tf.float32)
        moved = tf.matmul(v, h, transpose_a=True) - tf.matmul(v2, h2, transpose_a=True)
        updates = [
            tf.assign_add(self.w, rate * moved / n),
            tf.assign_add(self.down, rate * tf.reduce_mean(v - v2, 0)),
            tf.assign_add(self.up, rate * tf.reduce_mean(h - h2, 0)),
        ]
        return updates, tf.reduce_mean(tf.square(v - v2))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=3000, help="for each part")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    images, digits = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32)
    train_x, test_x, train_y, test_y = train_test_split(
        images, digits.astype(np.int32), test_size=0.2, random_state=0
    )

    tf.set_random_seed(args.seed)
    x = tf.placeholder(tf.float32, [None, 64])
    y = tf.placeholder(tf.int32, [None])
    h, parts = x, []
    for i, (below, above) in enumerate(pairwise(SIZES)):
        machine = Machine(below, above, f"machine{i}")
        parts.append((machine, *machine.learn(h, 0.1)))
        h = machine.hidden(h)
    logits = tf.layers.dense(h, 10, name="digit")
    loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
    tune = tf.train.AdamOptimizer(2e-3).minimize(loss)
    right = tf.equal(tf.argmax(logits, 1, output_type=tf.int32), y)
    accuracy = tf.reduce_mean(tf.cast(right, tf.float32))

    random = np.random.RandomState(args.seed)

    def batch():
        rows = random.choice(len(train_x), args.batch, replace=False)
        return {x: train_x[rows], y: train_y[rows]}

    errors = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for i, (_, updates, error) in enumerate(parts):
            for _ in trange(args.steps, unit="step", desc=f"machine {i}"):
                value, _ = sess.run([error, updates], batch())
            errors.append(value)
        for _ in trange(args.steps, unit="step", desc="whole net"):
            sess.run(tune, batch())
        test_accuracy, w = sess.run([accuracy, parts[0][0].w], {x: test_x, y: test_y})

    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    tiles = np.pad(w.T.reshape(8, 16, 8, 8), ((0, 0), (0, 0), (1, 1), (1, 1)))
    axes.imshow(tiles.swapaxes(1, 2).reshape(80, 160), cmap="gray")
    axes.set(title="What the first layer looks for", xticks=[], yticks=[])
    picture = args.out / "deep_belief_net.png"
    figure.savefig(picture, dpi=110)
    print(f"picture: {picture}")
    print("errors of reconstruction " + ", ".join(f"{e:.4f}" for e in errors))
    print(f"test accuracy {test_accuracy:.4f}")


if __name__ == "__main__":
    main()
