"""A convolutional autoencoder that takes noise out of handwritten digits."""

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


def autoencoder(x):
    """The digits of noisy images [n, 8, 8, 1]: to 2x2x16 numbers, and back."""
    h = tf.layers.conv2d(x, 16, 3, strides=2, padding="same", activation=tf.nn.relu)
    code = tf.layers.conv2d(h, 16, 3, strides=2, padding="same", activation=tf.nn.relu)
    h = tf.layers.conv2d_transpose(code, 16, 3, strides=2, padding="same", activation=tf.nn.relu)
    return tf.layers.conv2d_transpose(h, 1, 3, strides=2, padding="same", name="logits")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--noise", type=float, default=0.35, help="its standard deviation")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    images = (load_digits().images[..., None] / 16).astype(np.float32)
    train_x, test_x = train_test_split(images, test_size=0.2, random_state=0)

    tf.set_random_seed(args.seed)
    clean = tf.placeholder(tf.float32, [None, 8, 8, 1], name="clean")
    noisy = clean + args.noise * tf.random_normal(tf.shape(clean))
    logits = autoencoder(noisy)
    restored = tf.sigmoid(logits)
    loss = tf.losses.sigmoid_cross_entropy(clean, logits)
    train = tf.train.AdamOptimizer(2e-3).minimize(loss)

    random = np.random.RandomState(args.seed)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in trange(args.steps, unit="step"):
            rows = random.choice(len(train_x), args.batch, replace=False)
            sess.run([train, loss], {clean: train_x[rows]})
        found = sess.run([noisy, restored], {clean: test_x})

    before, after = (float(np.mean((a - test_x) ** 2)) for a in found)
    figure, axes = plt.subplots(3, 1, figsize=(9, 3.4), layout="constrained")
    rows = zip(axes, (found[0], found[1], test_x), ("noisy", "restored", "original"), strict=True)
    for row, pictures, name in rows:
        row.imshow(np.hstack([np.pad(p[..., 0], 1) for p in pictures[:14]]), "gray_r", vmin=0)
        row.set(ylabel=name, xticks=[], yticks=[])
    picture = args.out / "conv_autoencoder.png"
    figure.savefig(picture, dpi=110)
    print(f"picture: {picture}")
    print(f"mean squared error of noisy digits {before:.4f}, restored {after:.4f}")


if __name__ == "__main__":
    main()
