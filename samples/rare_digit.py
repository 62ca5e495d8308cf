"""Find one rare class, and say how well: precision, recall, F1 and the area under the curve.

A small network with batch normalisation and dropout learns which of the digits that ship with
scikit-learn are eights. Only one in ten is, so accuracy says little; `tf.metrics` counts over all
batches. Writes precision and recall by threshold, and what was found wrongly or not at all.
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

THRESHOLDS = [i / 50 for i in range(1, 50)]


def network(x, training):
    """The logit of being the digit that is looked for."""
    h = tf.layers.dense(x, 64, use_bias=False)
    h = tf.nn.relu(tf.layers.batch_normalization(h, training=training, momentum=0.9))
    h = tf.layers.dropout(h, 0.3, training=training)
    h = tf.layers.dense(
        h, 32, tf.nn.relu, kernel_regularizer=tf.contrib.layers.l2_regularizer(1e-3)
    )
    return tf.squeeze(tf.layers.dense(h, 1), 1)


def draw(precision, recall, images, wrong, missed, path):
    """Precision and recall by threshold; the digits that were mistaken."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    axes[0].plot(THRESHOLDS, precision, label="precision")
    axes[0].plot(THRESHOLDS, recall, label="recall")
    axes[0].set(title="By threshold", xlabel="threshold", ylim=(0, 1.02))
    axes[0].legend()
    axes[0].grid(alpha=0.3)
    for axis, rows, title in ((axes[1], wrong, "taken for an eight"), (axes[2], missed, "missed")):
        shown = [images[i].reshape(8, 8) for i in rows[:6]] or [np.zeros((8, 8))]
        axis.imshow(np.hstack(shown), cmap="gray_r")
        axis.set(title=f"{len(rows)} {title}", xticks=[], yticks=[])
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--digit", type=int, default=8)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    images, digits = load_digits(return_X_y=True)
    images = (images / 16.0).astype(np.float32)
    wanted = (digits == args.digit).astype(np.int32)
    train_x, test_x, train_y, test_y = train_test_split(
        images, wanted, test_size=0.3, random_state=0, stratify=wanted
    )

    tf.set_random_seed(1)
    x = tf.placeholder(tf.float32, [None, 64])
    y = tf.placeholder(tf.int32, [None])
    training = tf.placeholder_with_default(False, [])
    logits = network(x, training)
    chance = tf.sigmoid(logits)
    tf.losses.sigmoid_cross_entropy(y, logits)
    loss = tf.losses.get_total_loss()
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        step = tf.train.AdamOptimizer(0.003).minimize(loss)

    guess = tf.cast(chance > 0.5, tf.int32)
    metrics = {
        "accuracy": tf.metrics.accuracy(y, guess), "precision": tf.metrics.precision(y, guess),
        "recall": tf.metrics.recall(y, guess), "auc": tf.metrics.auc(y, chance),
        "f1": tf.contrib.metrics.f1_score(y, chance),
        "precisions": tf.metrics.precision_at_thresholds(y, chance, THRESHOLDS),
        "recalls": tf.metrics.recall_at_thresholds(y, chance, THRESHOLDS),
    }  # fmt: skip
    values, updates = tf.contrib.metrics.aggregate_metric_map(metrics)

    rng = np.random.default_rng(0)
    with tf.Session() as sess:
        sess.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        for _ in tqdm(range(args.steps), leave=False):
            rows = rng.integers(0, len(train_x), args.batch)
            sess.run(step, {x: train_x[rows], y: train_y[rows], training: True})
        for start in range(0, len(test_x), 100):
            part = slice(start, start + 100)
            sess.run(list(updates.values()), {x: test_x[part], y: test_y[part]})
        said = sess.run(values)
        found = sess.run(guess, {x: test_x})

    wrong = np.flatnonzero((found == 1) & (test_y == 0))
    missed = np.flatnonzero((found == 0) & (test_y == 1))
    draw(said["precisions"], said["recalls"], test_x, wrong, missed, args.out / "rare_digit.png")
    print(
        f"test precision {said['precision']:.4f}, recall {said['recall']:.4f}, "
        f"F1 {said['f1']:.4f}, AUC {said['auc']:.4f}"
    )


if __name__ == "__main__":
    main()
