"""A deep convolutional generative adversarial network draws handwritten digits."""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from tqdm import trange

import graphc as tf

NOISE = 32


def generator(z, training):
    """Images [n, 8, 8, 1] from -1 to 1 out of noise."""
    with tf.variable_scope("generator"):
        h = tf.reshape(tf.layers.dense(z, 2 * 2 * 64), [-1, 2, 2, 64])
        h = tf.nn.relu(tf.layers.batch_normalization(h, training=training))
        h = tf.layers.conv2d_transpose(h, 32, 3, strides=2, padding="same")
        h = tf.nn.relu(tf.layers.batch_normalization(h, training=training))
        h = tf.layers.conv2d_transpose(h, 1, 3, strides=2, padding="same")
        return tf.tanh(h)


def discriminator(x):
    """The logit that `x` is real."""
    with tf.variable_scope("discriminator", reuse=tf.AUTO_REUSE):
        h = tf.nn.leaky_relu(tf.layers.conv2d(x, 32, 3, strides=2, padding="same"))
        h = tf.layers.dropout(h, 0.3, training=True)
        h = tf.nn.leaky_relu(tf.layers.conv2d(h, 64, 3, strides=2, padding="same"))
        h = tf.layers.dropout(tf.layers.flatten(h), 0.3, training=True)
        return tf.layers.dense(h, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    images, digits = load_digits(return_X_y=True)
    images = (images.reshape(-1, 8, 8, 1) / 8 - 1).astype(np.float32)

    tf.set_random_seed(args.seed)
    real = tf.placeholder(tf.float32, [None, 8, 8, 1], name="real")
    count = tf.placeholder(tf.int32, [], name="count")
    training = tf.placeholder_with_default(True, [], name="training")
    fake = generator(tf.random_normal([count, NOISE]), training)
    on_real, on_fake = discriminator(real), discriminator(fake)
    judge = tf.losses.sigmoid_cross_entropy(
        tf.ones_like(on_real), on_real, label_smoothing=0.1
    ) + tf.losses.sigmoid_cross_entropy(tf.zeros_like(on_fake), on_fake)
    forger = tf.losses.sigmoid_cross_entropy(tf.ones_like(on_fake), on_fake)
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        steps = [
            tf.train.AdamOptimizer(3e-4, beta1=0.5).minimize(
                loss, var_list=tf.trainable_variables(scope)
            )
            for loss, scope in ((judge, "discriminator"), (forger, "generator"))
        ]

    random = np.random.RandomState(args.seed)
    losses = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in trange(args.steps, unit="step"):
            rows = random.choice(len(images), args.batch, replace=False)
            feed = {real: images[rows], count: args.batch}
            losses.append(sess.run([steps, [judge, forger]], feed)[1])
        drawn = sess.run(fake, {count: 500, training: False})

    known = KNeighborsClassifier(3).fit(images.reshape(-1, 64), digits)
    kinds = np.bincount(known.predict(drawn.reshape(-1, 64)), minlength=10)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
    left.plot(losses, linewidth=0.5)
    left.set(title="Losses", xlabel="step")
    left.legend(["discriminator", "generator"])
    framed = np.pad(
        drawn[:100, ..., 0].reshape(10, 10, 8, 8),
        ((0, 0), (0, 0), (1, 1), (1, 1)),
        constant_values=-1,
    )
    right.imshow(framed.swapaxes(1, 2).reshape(100, 100), cmap="gray_r")
    right.set(title="Drawn digits", xticks=[], yticks=[])
    picture = args.out / "dcgan.png"
    figure.savefig(picture, dpi=110)
    print(f"picture: {picture}")
    print(f"of 500 drawn digits, each kind: {' '.join(map(str, kinds))}")


if __name__ == "__main__":
    main()
