"""Linear regression on scikit-learn's diabetes data, against the exact least-squares answer."""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from tqdm import trange

import graphc as tf


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    features, target = load_diabetes(return_X_y=True)
    features = (features / features.std(0)).astype(np.float32)
    scale, shift = target.std(), target.mean()
    target = ((target - shift) / scale).astype(np.float32)

    tf.set_random_seed(args.seed)
    x = tf.placeholder(tf.float32, [None, features.shape[1]], name="x")
    y = tf.placeholder(tf.float32, [None], name="y")
    w = tf.Variable(tf.random_normal([features.shape[1]], stddev=0.1), name="w")
    b = tf.Variable(0.0, name="b")
    guess = tf.reduce_sum(x * w, axis=1) + b
    loss = tf.reduce_mean(tf.square(guess - y), name="loss")
    train = tf.train.MomentumOptimizer(0.01, 0.9).minimize(loss)

    feed = {x: features, y: target}
    losses = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in trange(args.steps, unit="step"):
            losses.append(sess.run([train, loss], feed)[1])
        weights, final, guesses = sess.run([w, loss, guess], feed)

    exact, *_ = np.linalg.lstsq(np.c_[features, np.ones(len(features))], target, rcond=None)
    best = np.mean((features @ exact[:-1] + exact[-1] - target) ** 2)

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    left.plot(np.arange(1, len(losses) + 1), losses, label="gradient descent")
    left.axhline(best, color="tab:orange", linestyle="--", label="least squares")
    left.set(title="Mean squared error", xlabel="step", xscale="log")
    left.legend()
    right.scatter(target * scale + shift, guesses * scale + shift, s=9, alpha=0.6)
    right.axline((150, 150), slope=1, color="tab:orange", linestyle="--")
    right.set(title="Disease progression", xlabel="measured", ylabel="predicted")
    picture = args.out / "linear_regression.png"
    figure.savefig(picture, dpi=110)

    print(f"picture: {picture}")
    print(f"largest difference from the exact weights {np.abs(weights - exact[:-1]).max():.2e}")
    print(f"mean squared error {final:.5f}, least squares {best:.5f}")


if __name__ == "__main__":
    main()
