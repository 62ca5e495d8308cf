"""A variational autoencoder of the digits; the picture is its two-dimensional code space."""

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


def dense(x, units, name):
    """A fully connected layer; the same variables each time it is called with one name."""
    with tf.variable_scope(name, reuse=tf.AUTO_REUSE):
        w = tf.get_variable("w", [x.shape[1], units])
        b = tf.get_variable("b", [units], initializer=tf.zeros_initializer())
    return tf.matmul(x, w) + b


def decoder(z):
    """Logits of the pixels."""
    h = tf.nn.relu(dense(z, 64, "decode1"))
    return dense(tf.nn.relu(dense(h, 128, "decode2")), 64, "decode3")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    images, digits = load_digits(return_X_y=True)
    train_x, test_x, _, test_y = train_test_split(
        (images / 16).astype(np.float32), digits, test_size=0.2, random_state=0
    )

    tf.set_random_seed(args.seed)
    x = tf.placeholder(tf.float32, [None, 64], name="x")
    h = tf.nn.relu(dense(tf.nn.relu(dense(x, 128, "encode1")), 64, "encode2"))
    mean, log_variance = dense(h, 2, "mean"), dense(h, 2, "log_variance")
    z = mean + tf.exp(0.5 * log_variance) * tf.random_normal(tf.shape(mean))
    logits = decoder(z)
    missed = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=logits), axis=1)
    divergence = -0.5 * tf.reduce_sum(
        1.0 + log_variance - tf.square(mean) - tf.exp(log_variance), axis=1
    )
    loss = tf.reduce_mean(missed + divergence, name="loss")
    train = tf.train.AdamOptimizer(1e-3).minimize(loss)
    point = tf.placeholder(tf.float32, [None, 2], name="point")
    drawn = tf.sigmoid(decoder(point))

    random = np.random.RandomState(args.seed)
    losses = []
    axis = np.linspace(-2.2, 2.2, 16, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis, axis[::-1]), -1).reshape(-1, 2)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in trange(args.steps, unit="step"):
            rows = random.choice(len(train_x), args.batch, replace=False)
            losses.append(sess.run([train, loss], {x: train_x[rows]})[1])
        test_loss, codes = sess.run([loss, mean], {x: test_x})
        plane = sess.run(drawn, {point: grid})

    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.8), layout="constrained")
    dots = left.scatter(*codes.T, c=test_y, cmap="tab10", s=12, vmin=-0.5, vmax=9.5)
    figure.colorbar(dots, ticks=range(10))
    left.set(title="Codes of test digits", xlabel="z1", ylabel="z2")
    framed = np.pad(plane.reshape(16, 16, 8, 8), ((0, 0), (0, 0), (1, 1), (1, 1)))
    tiles = framed.swapaxes(1, 2).reshape(160, 160)
    right.imshow(tiles, cmap="gray_r", extent=(-2.35, 2.35, -2.35, 2.35))
    right.set(title="Decoded codes", xlabel="z1")
    picture = args.out / "vae.png"
    figure.savefig(picture, dpi=110)

    print(f"picture: {picture}")
    print(f"training loss {np.mean(losses[-100:]):.3f}")
    print(f"test loss (negative lower bound, nats per digit) {test_loss:.3f}")


if __name__ == "__main__":
    main()
