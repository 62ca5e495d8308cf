"""Back-propagation written out by hand, beside the gradients that tf.gradients finds.

A perceptron on the handwritten digits. Each step updates the weights with the hand-written
derivatives; the same derivatives are asked of tf.gradients and compared.
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    images, digits = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32)
    train_x, test_x, train_y, test_y = train_test_split(
        images, np.eye(10, dtype=np.float32)[digits], test_size=0.2, random_state=0
    )

    tf.set_random_seed(args.seed)
    x = tf.placeholder(tf.float32, [None, 64])
    y = tf.placeholder(tf.float32, [None, 10])
    w1 = tf.Variable(tf.truncated_normal([64, 60], stddev=0.1))
    b1 = tf.Variable(tf.zeros([60]))
    w2 = tf.Variable(tf.truncated_normal([60, 10], stddev=0.1))
    b2 = tf.Variable(tf.zeros([10]))

    z1 = tf.add(tf.matmul(x, w1), b1)
    a1 = tf.sigmoid(z1)
    z2 = tf.add(tf.matmul(a1, w2), b2)
    a2 = tf.nn.softmax(z2)
    loss = -tf.reduce_mean(tf.reduce_sum(y * tf.log(a2 + 1e-12), 1))

    # the chain rule, from the loss back to the weights
    d_z2 = (a2 - y) / tf.cast(tf.shape(x)[0], tf.float32)
    d_b2 = tf.reduce_sum(d_z2, 0)
    d_w2 = tf.matmul(tf.transpose(a1), d_z2)
    d_a1 = tf.matmul(d_z2, tf.transpose(w2))
    d_z1 = d_a1 * a1 * (1 - a1)
    d_b1 = tf.reduce_sum(d_z1, 0)
    d_w1 = tf.matmul(tf.transpose(x), d_z1)

    weights, mine = [w1, b1, w2, b2], [d_w1, d_b1, d_w2, d_b2]
    theirs = tf.gradients(loss, weights)
    apart = tf.reduce_max(
        tf.stack([tf.reduce_max(tf.abs(a - b)) for a, b in zip(mine, theirs, strict=True)])
    )
    step = [tf.assign(w, w - 0.5 * d) for w, d in zip(weights, mine, strict=True)]
    right = tf.equal(tf.argmax(a2, 1), tf.argmax(y, 1))
    accuracy = tf.reduce_mean(tf.cast(right, tf.float32))

    random = np.random.RandomState(args.seed)
    losses, worst = [], 0.0
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in trange(args.steps, unit="step"):
            rows = random.choice(len(train_x), args.batch, replace=False)
            feed = {x: train_x[rows], y: train_y[rows]}
            value, error, _ = sess.run([loss, apart, step], feed)
            losses.append(value)
            worst = max(worst, error)
        test_accuracy = sess.run(accuracy, {x: test_x, y: test_y})

    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    axes.semilogy(losses)
    axes.set(title="Training with derivatives written by hand", xlabel="step", ylabel="loss")
    picture = args.out / "backprop_by_hand.png"
    figure.savefig(picture, dpi=110)
    print(f"learning curve: {picture}")
    print(f"largest difference from tf.gradients {worst:.1e}")
    print(f"test accuracy {test_accuracy:.4f}")


if __name__ == "__main__":
    main()
