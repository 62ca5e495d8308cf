"""A pass of one's own: every matrix product reads numbers of fewer bits.

The pass rounds the operands of each product to a narrow type and back, as hardware with narrow
multipliers would, and leaves everything else (sums, updates, variables) in float32. One session
trains and tests with it, another without; the model does not change.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import trange

import graphc as tf
from graphc.extend import copy, graph_pass, passes


def narrower(bits):
    """A pass that keeps `bits` bits of the fraction of what a matrix product reads."""

    def rounded(v):
        # adding and taking away c * |v| rounds v to a multiple of its own last kept bit
        shift = v * (2.0 ** (23 - bits) + 1.0)
        return shift - (shift - v)

    def narrow(graph):
        def step(node, inputs):
            if node.op.name != "matmul" or node.outputs[0].dtype is not tf.float32:
                return None  # stays as it is
            return copy(node, [rounded(v) for v in inputs]).outputs[0]

        return graph.rebuild(step)

    return narrow


BITS = (23, 10, 7, 4, 2, 1)
for bits in BITS[1:]:
    graph_pass(narrower(bits), name=f"narrow{bits}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    images, digits = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        (images / 16).astype(np.float32), digits, test_size=0.2, stratify=digits, random_state=0
    )

    tf.set_random_seed(args.seed)
    x = tf.placeholder(tf.float32, [None, 64], name="x")
    y = tf.placeholder(tf.int64, [None], name="y")
    with tf.variable_scope("hidden"):
        w = tf.get_variable("w", [64, 64])
        h = tf.nn.relu(tf.matmul(x, w))
    w = tf.get_variable("w", [64, 10])
    logits = tf.matmul(h, w)
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
    accuracy = tf.reduce_mean(tf.cast(tf.nn.in_top_k(logits, y, 1), tf.float32))
    train = tf.train.AdamOptimizer(3e-3).minimize(loss)

    curves, scores = {}, {}
    for bits in BITS:
        text = passes(before={} if bits == 23 else {"fuse": f"narrow{bits}"})
        random = np.random.RandomState(args.seed)
        losses = []
        with tf.Session(config=tf.ConfigProto(graphc_passes=text)) as sess:
            sess.run(tf.global_variables_initializer())
            for _ in trange(args.steps, desc=f"{bits:2} bits", unit="step"):
                rows = random.choice(len(train_x), 64, replace=False)
                losses.append(sess.run([train, loss], {x: train_x[rows], y: train_y[rows]})[1])
            scores[bits] = sess.run(accuracy, {x: test_x, y: test_y})
            if bits == BITS[1]:
                ir = tf.dump(loss, {x: train_x[:64], y: train_y[:64]}, sess, stage=f"narrow{bits}")
        curves[bits] = np.convolve(losses, np.full(20, 0.05), "valid")

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for bits, curve in curves.items():
        axes.plot(curve, label=f"{bits} bits: test {scores[bits]:.3f}")
    axes.set(title="Training loss by bits of the fraction", xlabel="step", yscale="log")
    axes.legend()
    picture = args.out / "custom_pass.png"
    figure.savefig(picture, dpi=110)

    print(f"the graph of the loss after the pass that keeps {BITS[1]} bits:")
    print(ir)
    print(f"picture: {picture}")
    for bits, score in scores.items():
        print(f"{bits:2} bits: test accuracy {score:.4f}")


if __name__ == "__main__":
    main()
