"""Read digits row by row in both directions, and show which rows the net attends to.

Ordinary TensorFlow-1 code: two GRU cells read the eight rows of a digit, one from the top, one
from the bottom; a small net scores each row, and the weighted mean of what was read decides.
Writes digits with the weights of their rows as a picture. The last line is the accuracy on digits
never trained on.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import graphc as tf


def reader(images, units):
    """Logits of the ten digits, and the weight of each row."""
    rows = tf.unstack(images, axis=1)
    outputs, _, _ = tf.nn.static_bidirectional_rnn(
        tf.nn.rnn_cell.GRUCell(units), tf.nn.rnn_cell.GRUCell(units), rows, dtype=tf.float32
    )
    read = tf.stack(outputs, axis=1)  # [batch, rows, 2 * units]
    score = tf.get_variable("score", [2 * units, 1])
    keys = tf.tanh(tf.get_variable("bias", [2 * units], initializer=tf.zeros_initializer()) + read)
    scores = tf.reshape(tf.matmul(tf.reshape(keys, [-1, 2 * units]), score), [-1, 8])
    weights = tf.nn.softmax(scores)
    seen = tf.reduce_sum(read * tf.expand_dims(weights, 2), 1)
    w = tf.get_variable("w", [2 * units, 10])
    return tf.matmul(seen, w), weights


def draw(images, weights, digits, path):
    """Digits, and beside each the weights of its rows."""
    figure, axes = plt.subplots(2, 10, figsize=(11, 3), layout="constrained")
    for i in range(10):
        one = np.flatnonzero(digits == i)[0]
        axes[0, i].imshow(images[one], cmap="gray_r")
        axes[1, i].imshow(images[one] * weights[one][:, None], cmap="magma")
        for k in range(2):
            axes[k, i].set_axis_off()
    figure.suptitle("digits, and where the net looked")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=30, help="passes over the training digits")
    parser.add_argument("--steps", type=int, help="stop after so many steps")
    parser.add_argument("--units", type=int, default=48, help="size of the states")
    parser.add_argument("--batch", type=int, default=64, help="digits in a mini-batch")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    images, digits = load_digits(return_X_y=True)
    images = (images / 16.0).reshape(-1, 8, 8).astype(np.float32)
    train_x, test_x, train_y, test_y = train_test_split(
        images, digits.astype(np.int32), test_size=0.2, stratify=digits, random_state=0
    )

    tf.set_random_seed(args.seed)
    x = tf.placeholder(tf.float32, [None, 8, 8], name="x")
    y = tf.placeholder(tf.int32, [None], name="y")
    logits, weights = reader(x, args.units)
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
    right = tf.equal(tf.argmax(logits, 1, output_type=tf.int32), y)
    accuracy = tf.reduce_mean(tf.cast(right, tf.float32))
    train = tf.train.AdamOptimizer(3e-3).minimize(loss)

    batches = len(train_x) // args.batch
    total = min(args.epochs * batches, args.steps or args.epochs * batches)
    random = np.random.RandomState(args.seed)
    with tf.Session() as sess, tqdm(total=total, unit="step") as bar:
        sess.run(tf.global_variables_initializer())
        while bar.n < total:
            order = random.permutation(len(train_x))
            for start in range(0, min(batches, total - bar.n) * args.batch, args.batch):
                rows = order[start : start + args.batch]
                _, now = sess.run([train, loss], {x: train_x[rows], y: train_y[rows]})
                bar.update()
            bar.set_postfix_str(f"loss {now:.4f}")
        found, looked = sess.run([accuracy, weights], {x: test_x, y: test_y})

    picture = args.out / "attention_reader.png"
    draw(test_x, looked, test_y, picture)
    print(f"attention: {picture}")
    print(f"test accuracy {found:.4f}")


if __name__ == "__main__":
    main()
