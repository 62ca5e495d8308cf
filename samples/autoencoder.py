"""An autoencoder squeezes the 64 pixels of a digit through eight numbers and back."""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from tqdm import trange

import graphc as tf

CODE = 8


def dense(x, units, name):
    """A fully connected layer."""
    with tf.variable_scope(name):
        w = tf.get_variable("w", [x.shape[1], units])
        b = tf.get_variable("b", [units], initializer=tf.zeros_initializer())
    return tf.matmul(x, w) + b


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    images, _ = load_digits(return_X_y=True)
    train_x, test_x = train_test_split(
        (images / 16).astype(np.float32), test_size=0.2, random_state=0
    )

    tf.set_random_seed(args.seed)
    x = tf.placeholder(tf.float32, [None, 64], name="x")
    code = dense(tf.nn.elu(dense(x, 128, "encode1")), CODE, "encode2")
    back = tf.sigmoid(dense(tf.nn.elu(dense(code, 128, "decode1")), 64, "decode2"))
    loss = tf.reduce_mean(tf.squared_difference(back, x), name="loss")
    step = tf.Variable(0, trainable=False, name="global_step")
    rate = tf.train.exponential_decay(2e-3, step, 1000, 0.7)
    train = tf.train.AdamOptimizer(rate).minimize(loss, global_step=step)

    random = np.random.RandomState(args.seed)
    losses = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in trange(args.steps, unit="step"):
            rows = random.choice(len(train_x), args.batch, replace=False)
            losses.append(sess.run([train, loss], {x: train_x[rows]})[1])
        made, error = sess.run([back, loss], {x: test_x})

    pca = PCA(CODE).fit(train_x)
    linear = np.mean((pca.inverse_transform(pca.transform(test_x)) - test_x) ** 2)

    figure, axes = plt.subplots(2, 12, figsize=(10, 2.1), layout="constrained")
    for i in range(axes.shape[1]):
        for panel, image in zip(axes[:, i], (test_x[i], made[i]), strict=True):
            panel.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
            panel.set(xticks=[], yticks=[])
    axes[0, 0].set_ylabel("digit")
    axes[1, 0].set_ylabel("decoded")
    picture = args.out / "autoencoder.png"
    figure.savefig(picture, dpi=110)

    print(f"picture: {picture}")
    print(f"training error {np.mean(losses[-20:]):.5f}")
    print(f"test error {error:.5f}; {CODE} principal components give {linear:.5f}")


if __name__ == "__main__":
    main()
