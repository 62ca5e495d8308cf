"""Softmax regression on the handwritten digits; the picture is the weights of each class."""

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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    images, digits = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        (images / 16).astype(np.float32), digits, test_size=0.2, stratify=digits, random_state=0
    )

    x = tf.placeholder(tf.float32, [None, 64], name="x")
    y = tf.placeholder(tf.int64, [None], name="y")
    w = tf.Variable(tf.zeros([64, 10]), name="w")
    b = tf.Variable(tf.zeros([10]), name="b")
    logits = tf.matmul(x, w) + b
    labels = tf.one_hot(y, 10)
    loss = tf.reduce_mean(
        tf.nn.softmax_cross_entropy_with_logits_v2(labels=labels, logits=logits)
    ) + 1e-3 * tf.nn.l2_loss(w)
    accuracy = tf.reduce_mean(tf.cast(tf.nn.in_top_k(logits, y, 1), tf.float32))
    train = tf.train.MomentumOptimizer(0.1, 0.9, use_nesterov=True).minimize(loss)

    random = np.random.RandomState(args.seed)
    losses = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in trange(args.steps, unit="step"):
            rows = random.choice(len(train_x), args.batch, replace=False)
            losses.append(sess.run([train, loss], {x: train_x[rows], y: train_y[rows]})[1])
        score, weights = sess.run([accuracy, w], {x: test_x, y: test_y})

    figure, axes = plt.subplots(2, 5, figsize=(8, 3.6), layout="constrained")
    limit = np.abs(weights).max() or 1
    for digit, panel in enumerate(axes.flat):
        shown = weights[:, digit].reshape(8, 8)
        image = panel.imshow(shown, cmap="coolwarm", vmin=-limit, vmax=limit)
        panel.set(title=str(digit), xticks=[], yticks=[])
    figure.colorbar(image, ax=axes)
    picture = args.out / "softmax_regression.png"
    figure.savefig(picture, dpi=110)

    print(f"picture: {picture}")
    print(f"loss {np.mean(losses[-20:]):.4f}")
    print(f"test accuracy {score:.4f}")


if __name__ == "__main__":
    main()
