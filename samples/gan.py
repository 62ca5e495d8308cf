"""A generative adversarial network draws handwritten digits."""

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


def dense(x, units, name):
    """A fully connected layer."""
    with tf.variable_scope(name):
        w = tf.get_variable("w", [x.shape[1], units])
        b = tf.get_variable("b", [units], initializer=tf.zeros_initializer())
    return tf.matmul(x, w) + b


def generator(z):
    """Digits out of noise."""
    with tf.variable_scope("generator"):
        h = tf.nn.relu(dense(z, 128, "1"))
        h = tf.nn.relu(dense(h, 128, "2"))
        return tf.sigmoid(dense(h, 64, "3"))


def discriminator(x):
    """The logit that `x` is real."""
    with tf.variable_scope("discriminator", reuse=tf.AUTO_REUSE):
        h = tf.nn.dropout(tf.nn.leaky_relu(dense(x, 128, "1")), 0.7)
        h = tf.nn.dropout(tf.nn.leaky_relu(dense(h, 64, "2")), 0.7)
        return dense(h, 1, "3")


def entropy(logits, answer):
    """Cross-entropy with one answer for all."""
    labels = tf.fill(tf.shape(logits), answer)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    images, digits = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32)

    tf.set_random_seed(args.seed)
    real = tf.placeholder(tf.float32, [None, 64], name="real")
    count = tf.placeholder(tf.int32, [], name="count")
    fake = generator(tf.random_normal(tf.stack([count, NOISE])))
    real_logits, fake_logits = discriminator(real), discriminator(fake)
    judge_loss = entropy(real_logits, 0.9) + entropy(fake_logits, 0.0)
    forger_loss = entropy(fake_logits, 1.0)
    steps = [
        tf.train.AdamOptimizer(4e-4, beta1=0.5).minimize(
            loss, var_list=tf.trainable_variables(scope)
        )
        for loss, scope in ((judge_loss, "discriminator"), (forger_loss, "generator"))
    ]
    both = [judge_loss, forger_loss]

    random = np.random.RandomState(args.seed)
    losses = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in trange(args.steps, unit="step"):
            rows = random.choice(len(images), args.batch, replace=False)
            feed = {real: images[rows], count: args.batch}
            losses.append(sess.run([*steps, both], feed)[-1])
        drawn = sess.run(fake, {count: 1000})

    judge = KNeighborsClassifier(3).fit(images, digits)
    kinds = np.bincount(judge.predict(drawn), minlength=10)
    far = judge.kneighbors(drawn, 1)[0].mean()
    apart = judge.kneighbors(images, 2)[0][:, 1].mean()

    figure = plt.figure(figsize=(10, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.2, 1))
    window = -(-len(losses) // 200)
    smooth = np.array([np.mean(losses[i : i + window], 0) for i in range(0, len(losses), window)])
    left.plot(window * np.arange(len(smooth)), smooth)
    left.set(title="Losses", xlabel="step")
    left.legend(["discriminator", "generator"])
    framed = np.pad(drawn[:100].reshape(10, 10, 8, 8), ((0, 0), (0, 0), (1, 1), (1, 1)))
    right.imshow(framed.swapaxes(1, 2).reshape(100, 100), cmap="gray_r")
    right.set(title="Drawn digits", xticks=[], yticks=[])
    picture = args.out / "gan.png"
    figure.savefig(picture, dpi=110)

    print(f"picture: {picture}")
    print(f"losses: discriminator {smooth[-1, 0]:.3f}, generator {smooth[-1, 1]:.3f}")
    print(f"of 1000 drawn digits, each kind: {' '.join(map(str, kinds))}")
    print(f"distance to the nearest real digit {far:.3f}; between real ones {apart:.3f}")


if __name__ == "__main__":
    main()
