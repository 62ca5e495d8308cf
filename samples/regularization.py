"""Ways against learning by heart, side by side: L1, L2, elastic net and dropout.

A perceptron that is far too large learns to name digits from only 150 examples.
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

regularizers = tf.contrib.layers
WAYS = {
    "none": {},
    "L1": {"regularizer": regularizers.l1_regularizer(1e-3)},
    "L2": {"regularizer": regularizers.l2_regularizer(1e-2)},
    "elastic net": {"regularizer": regularizers.l1_l2_regularizer(5e-4, 5e-3)},
    "dropout": {"drop": 0.5},
}


def network(x, training, regularizer=None, drop=0.0):
    """Logits of the ten digits."""
    for _ in range(2):
        x = tf.layers.dense(x, 256, activation=tf.nn.relu, kernel_regularizer=regularizer)
        x = tf.layers.dropout(x, drop, training=training)
    return tf.layers.dense(x, 10, kernel_regularizer=regularizer)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1500, help="for each way")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    images, digits = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        (images / 16).astype(np.float32), digits.astype(np.int32),
        train_size=150, stratify=digits, random_state=0,
    )  # fmt: skip

    found = {}
    for name, way in tqdm(WAYS.items(), unit="way"):
        with tf.Graph().as_default(), tf.Session() as sess:
            tf.set_random_seed(args.seed)
            x, y = tf.placeholder(tf.float32, [None, 64]), tf.placeholder(tf.int32, [None])
            training = tf.placeholder_with_default(False, [])
            logits = network(x, training, **way)
            tf.losses.sparse_softmax_cross_entropy(y, logits)
            train = tf.train.AdamOptimizer(1e-3).minimize(tf.losses.get_total_loss())
            right = tf.equal(tf.argmax(logits, 1, output_type=tf.int32), y)
            accuracy = tf.reduce_mean(tf.cast(right, tf.float32))
            weights = tf.trainable_variables()[0]
            sess.run(tf.global_variables_initializer())
            random = np.random.RandomState(args.seed)
            for _ in range(args.steps):
                rows = random.choice(len(train_x), 50, replace=False)
                sess.run(train, {x: train_x[rows], y: train_y[rows], training: True})
            test, w = sess.run([accuracy, weights], {x: test_x, y: test_y})
            found[name] = test, w

    figure, axes = plt.subplots(1, len(found), figsize=(13, 2.8), layout="constrained", sharey=True)
    for place, (name, (test, w)) in zip(axes, found.items(), strict=True):
        place.hist(w.reshape(-1), bins=60, log=True)
        place.set(title=f"{name}: {test:.4f}", xlabel="weights of the first layer")
    picture = args.out / "regularization.png"
    figure.savefig(picture, dpi=110)
    print(f"picture: {picture}")
    print("test accuracy " + ", ".join(f"{name} {test:.4f}" for name, (test, _) in found.items()))


if __name__ == "__main__":
    main()
