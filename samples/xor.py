"""The exclusive or, learned by two hidden layers; the picture is what they make of the plane."""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from tqdm import trange

import graphc as tf


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    answers = np.array([[0], [1], [1], [0]], np.float32)

    tf.set_random_seed(args.seed)
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    y = tf.placeholder(tf.float32, [None, 1], name="y")
    h = x
    for i, units in enumerate((8, 8)):
        with tf.variable_scope(f"hidden{i}"):
            w = tf.get_variable("w", [h.shape[1], units])
            b = tf.get_variable("b", [units], initializer=tf.zeros_initializer())
            h = tf.tanh(tf.matmul(h, w) + b)
    w = tf.get_variable("w", [h.shape[1], 1])
    output = tf.sigmoid(tf.matmul(h, w))
    loss = tf.reduce_mean(tf.squared_difference(output, y), name="loss")
    train = tf.train.AdamOptimizer(0.01).minimize(loss)

    losses = []
    axis = np.linspace(-0.5, 1.5, 200, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in trange(args.steps, unit="step"):
            losses.append(sess.run([train, loss], {x: corners, y: answers})[1])
        table = sess.run(output, {x: corners})
        plane = sess.run(output, {x: grid}).reshape(len(axis), len(axis))

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    left.plot(losses)
    left.set(title="Mean squared error", xlabel="step", yscale="log")
    image = right.imshow(
        plane, origin="lower", extent=(-0.5, 1.5, -0.5, 1.5), cmap="coolwarm", vmin=0, vmax=1
    )
    right.scatter(*corners.T, c=answers[:, 0], cmap="coolwarm", edgecolors="black", s=80)
    right.set(title="Output", xlabel="a", ylabel="b")
    figure.colorbar(image)
    picture = args.out / "xor.png"
    figure.savefig(picture, dpi=110)

    print(f"picture: {picture}")
    for (a, b), out in zip(corners, table[:, 0], strict=True):
        print(f"{a:.0f} xor {b:.0f} = {out:.4f}")
    print(f"loss {losses[-1]:.2e}, right answers {int(((table > 0.5) == answers).sum())} of 4")


if __name__ == "__main__":
    main()
