"""A gradient of one's own: weights that are only -1 or 1 learn through a sign.

The sign has no useful gradient: it is zero everywhere. The network trains all the same, because
the gradient that is given for it is that of the identity, cut off outside of [-1, 1] (Courbariaux
and others: Binarized neural networks, 2016). Beside it the same network with real weights, and
one with the true gradient, which learns nothing but its normalization.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import trange

import graphc as tf


@tf.custom_gradient
def binary(w):
    """-1 or 1; the gradient passes where w is small."""

    def gradient(dy):
        return dy * tf.cast(tf.abs(w) <= 1.0, w.dtype)

    return tf.where(w >= 0.0, tf.ones_like(w), -tf.ones_like(w)), gradient


def stepped(w):
    """-1 or 1, with the gradient that this has: none."""
    return tf.where(w >= 0.0, tf.ones_like(w), -tf.ones_like(w))


KINDS = {"real weights": tf.identity, "custom gradient": binary, "true gradient": stepped}


def network(x, y, name, weights):
    """Loss, accuracy and training of a network with one hidden layer."""
    with tf.variable_scope(name.replace(" ", "_")):
        w1 = tf.get_variable("w1", [64, 128])
        w2 = tf.get_variable("w2", [128, 10])
        h = tf.nn.relu(tf.layers.batch_normalization(tf.matmul(x, weights(w1)), training=True))
        logits = tf.matmul(h, weights(w2)) / 8.0
    loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
    right = tf.reduce_mean(tf.cast(tf.nn.in_top_k(logits, y, 1), tf.float32))
    return loss, right


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    images, digits = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        (images / 16).astype(np.float32), digits, test_size=0.2, stratify=digits, random_state=0
    )
    tf.set_random_seed(args.seed)
    x = tf.placeholder(tf.float32, [None, 64], name="x")
    y = tf.placeholder(tf.int64, [None], name="y")
    made = {name: network(x, y, name, weights) for name, weights in KINDS.items()}
    losses = [loss for loss, _ in made.values()]
    train = tf.train.AdamOptimizer(3e-3).minimize(tf.add_n(losses))

    random = np.random.RandomState(args.seed)
    curves = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in trange(args.steps, unit="step"):
            rows = random.choice(len(train_x), 100, replace=False)
            feed = {x: train_x[rows], y: train_y[rows]}
            curves.append(sess.run([train, *losses], feed)[1:])
        scores = sess.run([right for _, right in made.values()], {x: test_x, y: test_y})

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    width = max(1, min(20, len(curves) // 5))
    for name, curve in zip(made, np.array(curves).T, strict=True):
        axes.plot(np.convolve(curve, np.full(width, 1 / width), "valid"), label=name)
    axes.set(title="Training loss", xlabel="step", yscale="log")
    axes.legend()
    picture = args.out / "custom_gradient.png"
    figure.savefig(picture, dpi=110)

    print("the last kernel of the gradient of binary weights, with the condition in it:")
    first = tf.trainable_variables("custom_gradient/w1")[0]
    print(tf.dump(tf.gradients(losses[1], first)[0], stage="kernels").rpartition("\n\n")[2])
    print(f"picture: {picture}")
    print("test accuracy " + ", ".join(f"{n} {s:.4f}" for n, s in zip(made, scores, strict=True)))


if __name__ == "__main__":
    main()
