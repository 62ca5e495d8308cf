"""Optimizers compared: the same network from the same start, and a valley seen from above."""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from tqdm import tqdm

import graphc as tf

OPTIMIZERS = {
    "gradient descent": lambda: tf.train.GradientDescentOptimizer(0.2),
    "momentum": lambda: tf.train.MomentumOptimizer(0.05, 0.9),
    "Nesterov": lambda: tf.train.MomentumOptimizer(0.05, 0.9, use_nesterov=True),
    "Adagrad": lambda: tf.train.AdagradOptimizer(0.05),
    "Adadelta": lambda: tf.train.AdadeltaOptimizer(1.0, epsilon=1e-6),
    "RMSProp": lambda: tf.train.RMSPropOptimizer(2e-3),
    "Adam": lambda: tf.train.AdamOptimizer(2e-3),
    "Ftrl": lambda: tf.train.FtrlOptimizer(0.1),
}


def digits_curve(make, steps, images, digits):
    """The losses of a perceptron on the digits."""
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.set_random_seed(1)
        x, y = tf.placeholder(tf.float32, [None, 64]), tf.placeholder(tf.int32, [None])
        h = tf.layers.dense(x, 64, activation=tf.nn.relu)
        loss = tf.losses.sparse_softmax_cross_entropy(y, tf.layers.dense(h, 10))
        train = make().minimize(loss)
        sess.run(tf.global_variables_initializer())
        random = np.random.RandomState(1)
        losses = []
        for _ in range(steps):
            rows = random.choice(len(images), 64, replace=False)
            losses.append(sess.run([loss, train], {x: images[rows], y: digits[rows]})[0])
    return losses


def valley_path(make, steps):
    """The way down a narrow valley."""
    with tf.Graph().as_default(), tf.Session() as sess:
        at = tf.Variable([-1.5, 0.8])
        train = make().minimize(0.2 * tf.square(at[0]) + 2 * tf.square(at[1]))
        sess.run(tf.global_variables_initializer())
        path = [sess.run(at)]
        for _ in range(min(steps, 60)):
            sess.run(train)
            path.append(sess.run(at))
    return np.array(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=600, help="for each optimizer")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    images, digits = load_digits(return_X_y=True)
    images, digits = (images / 16).astype(np.float32), digits.astype(np.int32)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    last = {}
    for name, make in tqdm(OPTIMIZERS.items(), unit="optimizer"):
        losses = digits_curve(make, args.steps, images, digits)
        last[name] = float(np.mean(losses[-20:]))
        window = max(1, len(losses) // 100)
        smooth = np.convolve(losses, np.ones(window) / window, "valid")
        left.semilogy(smooth, label=name)
        right.plot(*valley_path(make, args.steps).T, ".-", markersize=3, linewidth=0.8)
    left.set(title="Loss on the digits", xlabel="step")
    left.legend(fontsize=8)
    x, y = np.meshgrid(np.linspace(-1.8, 0.6, 80), np.linspace(-1, 1, 80))
    right.contour(x, y, 0.2 * x**2 + 2 * y**2, 20, linewidths=0.3, colors="gray")
    right.set(title="The first sixty steps in a narrow valley")
    picture = args.out / "optimizers.png"
    figure.savefig(picture, dpi=110)
    print(f"picture: {picture}")
    best = sorted(last, key=last.__getitem__)
    print("loss " + ", ".join(f"{name} {last[name]:.4f}" for name in best))


if __name__ == "__main__":
    main()
