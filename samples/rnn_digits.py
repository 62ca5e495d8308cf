"""Read handwritten digits row by row with three recurrent nets: plain, LSTM and GRU.

Ordinary TensorFlow-1 code: each digit of scikit-learn is a sequence of eight rows of eight pixels,
and the state after the last row decides. Writes the learning curves of the three cells as a
picture. The last line is their accuracy on digits never trained on.
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

CELLS = {
    "rnn": tf.nn.rnn_cell.BasicRNNCell,
    "lstm": tf.nn.rnn_cell.BasicLSTMCell,
    "gru": tf.nn.rnn_cell.GRUCell,
}


def classifier(cell, images, digits, units):
    """Loss, accuracy and training step of one recurrent net."""
    outputs, _ = tf.nn.dynamic_rnn(cell(units), images, dtype=tf.float32)
    w = tf.get_variable("w", [units, 10])
    b = tf.get_variable("b", [10], initializer=tf.zeros_initializer())
    logits = tf.matmul(outputs[:, -1], w) + b
    loss = tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=digits, logits=logits)
    )
    right = tf.equal(tf.argmax(logits, 1, output_type=tf.int32), digits)
    accuracy = tf.reduce_mean(tf.cast(right, tf.float32))
    optimizer = tf.train.AdamOptimizer(3e-3)
    variables = tf.trainable_variables(tf.get_variable_scope().name)
    gradients, _ = tf.clip_by_global_norm(tf.gradients(loss, variables), 5.0)
    train = optimizer.apply_gradients(zip(gradients, variables, strict=True))
    return loss, accuracy, train


def draw(curves, path):
    """Test accuracy of each cell after each epoch."""
    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for name, values in curves.items():
        axes.plot(np.arange(1, len(values) + 1), values, label=name)
    axes.set(title="Digits read row by row", xlabel="epoch", ylabel="test accuracy")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=30, help="passes over the training digits")
    parser.add_argument("--steps", type=int, help="stop after so many steps")
    parser.add_argument("--units", type=int, default=64, help="size of the state")
    parser.add_argument("--batch", type=int, default=64, help="digits in a mini-batch")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    parser.add_argument("--report", type=Path, help="write what a step is compiled to as a page")
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
    losses, accuracies, steps = [], [], []
    for name, cell in CELLS.items():
        with tf.variable_scope(name):
            loss, accuracy, step = classifier(cell, x, y, args.units)
        losses.append(loss)
        accuracies.append(accuracy)
        steps.append(step)

    batches = len(train_x) // args.batch
    total = min(args.epochs * batches, args.steps or args.epochs * batches)
    random = np.random.RandomState(args.seed)
    curves = {name: [] for name in CELLS}
    with tf.Session() as sess, tqdm(total=total, unit="step") as bar:
        sess.run(tf.global_variables_initializer())
        while bar.n < total:
            order = random.permutation(len(train_x))
            for start in range(0, min(batches, total - bar.n) * args.batch, args.batch):
                rows = order[start : start + args.batch]
                feed = {x: train_x[rows], y: train_y[rows]}
                _, now = sess.run([steps, losses], feed)
                bar.update()
            found = sess.run(accuracies, {x: test_x, y: test_y})
            for name, value in zip(CELLS, found, strict=True):
                curves[name].append(value)
            bar.set_postfix_str(f"loss {np.mean(now):.4f}, accuracy {np.mean(found):.4f}")
        if args.report:
            tf.report([steps, losses], args.report, feed)

    picture = args.out / "rnn_digits.png"
    draw(curves, picture)
    print(f"learning curves: {picture}")
    print("test accuracy " + ", ".join(f"{name} {v[-1]:.4f}" for name, v in curves.items()))


if __name__ == "__main__":
    main()
