"""Train a multilayer perceptron on the 1,797 handwritten digits that ship with scikit-learn.

Ordinary TensorFlow-1 code. Writes the learning curve as a picture and, beside it, the optimized
IR of the training step. The last line of output is the accuracy on digits never trained on.
"""

import argparse
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import graphc as tf


def dense(x, units, name):
    """A fully connected layer."""
    with tf.variable_scope(name):
        w = tf.get_variable("w", [x.shape[1], units], initializer=tf.glorot_uniform_initializer())
        b = tf.get_variable("b", [units], initializer=tf.zeros_initializer())
    return tf.matmul(x, w) + b


def perceptron(x, keep_prob):
    """Logits of the ten digits."""
    h = tf.nn.dropout(x, (1 + keep_prob) / 2)
    h = tf.nn.relu(dense(h, 256, "hidden1"))
    h = tf.nn.dropout(h, keep_prob)
    h = tf.nn.relu(dense(h, 128, "hidden2"))
    return dense(h, 10, "logits")


def draw_curve(epochs, path):
    """The learning curve: loss and accuracy after each epoch."""
    loss, train, test = np.array(epochs).T
    ticks = np.arange(1, len(epochs) + 1)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    left.plot(ticks, loss, color="tab:blue")
    left.set(title="Training loss", xlabel="epoch", ylabel="cross-entropy", yscale="log")
    right.plot(ticks, train, color="tab:blue", label="training digits")
    right.plot(ticks, test, color="tab:orange", label="test digits")
    right.set(title="Accuracy", xlabel="epoch", ylim=(max(0, min(test) - 0.02), 1.005))
    right.legend(loc="lower right")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=40, help="passes over the training digits")
    parser.add_argument("--steps", type=int, help="stop after so many steps")
    parser.add_argument("--batch", type=int, default=64, help="digits in a mini-batch")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    images, digits = load_digits(return_X_y=True)
    images = (images / 16.0).astype(np.float32)
    digits = digits.astype(np.int32)
    train_x, test_x, train_y, test_y = train_test_split(
        images, digits, test_size=0.2, stratify=digits, random_state=0
    )

    tf.set_random_seed(args.seed)
    x = tf.placeholder(tf.float32, [None, 64], name="x")
    y = tf.placeholder(tf.int32, [None], name="y")
    keep_prob = tf.placeholder_with_default(1.0, [], name="keep_prob")
    logits = perceptron(x, keep_prob)
    loss = tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits), name="loss"
    )
    correct = tf.equal(tf.argmax(logits, 1, output_type=tf.int32), y)
    accuracy = tf.reduce_mean(tf.cast(correct, tf.float32), name="accuracy")
    step = tf.Variable(0, trainable=False, name="global_step")
    batches = -(-len(train_x) // args.batch)
    rate = tf.train.exponential_decay(2e-3, step, 10 * batches, 0.5, staircase=True)
    train = tf.train.AdamOptimizer(rate).minimize(loss, global_step=step)

    total = min(args.epochs * batches, args.steps or args.epochs * batches)
    random = np.random.RandomState(args.seed)
    first, rest, curve = 0.0, [], []
    with tf.Session() as sess, tqdm(total=total, unit="step") as bar:
        sess.run(tf.global_variables_initializer())
        while bar.n < total:
            order = random.permutation(len(train_x))
            losses = []
            for start in range(0, min(len(order), (total - bar.n) * args.batch), args.batch):
                rows = order[start : start + args.batch]  # the last batch is smaller
                feed = {x: train_x[rows], y: train_y[rows], keep_prob: 0.8}
                began = time.perf_counter()
                _, value = sess.run([train, loss], feed)
                seconds = time.perf_counter() - began
                first, rest = (first, [*rest, seconds]) if first else (seconds, rest)
                losses.append(value * len(rows))
                bar.update()
            test_accuracy = sess.run(accuracy, {x: test_x, y: test_y})
            train_accuracy = sess.run(accuracy, {x: train_x, y: train_y})
            mean = sum(losses) / min(len(order), len(losses) * args.batch)
            curve.append((mean, train_accuracy, test_accuracy))
            bar.set_postfix_str(f"loss {mean:.4f}, accuracy {test_accuracy:.4f}")

        ir = tf.dump([train, loss], feed_dict=feed, session=sess, stage="fuse")

    picture, text = args.out / "train_digits.png", args.out / "train_digits.gc"
    draw_curve(curve, picture)
    text.write_text(ir, encoding="utf-8")
    print(f"learning curve: {picture}")
    print(f"training step, optimized: {text}")
    print(
        f"first step {1e3 * first:.1f} ms, then {1e6 * np.median(rest or [first]):.0f} µs per step"
    )
    print(f"test accuracy {test_accuracy:.4f}")


if __name__ == "__main__":
    main()
