"""Logistic regression on scikit-learn's breast cancer data: benign or malignant."""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.model_selection import train_test_split
from tqdm import trange

import graphc as tf


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    features, labels = load_breast_cancer(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        features.astype(np.float32), labels.astype(np.float32), test_size=0.25, random_state=0
    )

    tf.set_random_seed(args.seed)
    x = tf.placeholder(tf.float32, [None, train_x.shape[1]], name="x")
    y = tf.placeholder(tf.float32, [None], name="y")
    mean, variance = (tf.constant(f(train_x, axis=0)) for f in (np.mean, np.var))
    normal = tf.nn.batch_normalization(x, mean, variance, None, None, 1e-7)
    w = tf.Variable(tf.zeros([train_x.shape[1], 1]), name="w")
    b = tf.Variable(tf.zeros([1]), name="b")
    logits = tf.squeeze(tf.matmul(normal, w) + b, axis=1)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=logits)
    loss = tf.reduce_mean(entropy) + 1e-2 * tf.nn.l2_loss(w)
    probability = tf.sigmoid(logits)
    correct = tf.equal(probability > 0.5, y > 0.5)
    accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))
    train = tf.train.GradientDescentOptimizer(0.5).minimize(loss)

    losses = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in trange(args.steps, unit="step"):
            losses.append(sess.run([train, loss], {x: train_x, y: train_y})[1])
        guess, score = sess.run([probability, accuracy], {x: test_x, y: test_y})

    area = roc_auc_score(test_y, guess)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    left.plot(np.arange(1, len(losses) + 1), losses)
    left.set(title="Training loss", xlabel="step", xscale="log")
    right.plot(*roc_curve(test_y, guess)[:2])
    right.set(title=f"ROC, area {area:.4f}", xlabel="false positives", ylabel="true positives")
    picture = args.out / "logistic_regression.png"
    figure.savefig(picture, dpi=110)

    print(f"picture: {picture}")
    print(f"loss {losses[-1]:.4f}, area under the ROC curve {area:.4f}")
    print(f"test accuracy {score:.4f}")


if __name__ == "__main__":
    main()
