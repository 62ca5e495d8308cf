"""An op of one's own in one place: numpy meaning, gradient, native code.

The op is snake(x) = x + sin(x)**2, an activation for periodic data (Ziyin, Hartwig, Ueda: Neural
networks fail to learn periodic functions and how to fix it, 2020). graphc treats it as its own:
it broadcasts, differentiates, joins the kernels of its neighbours and prints in dumps.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from tqdm import trange

import graphc as tf

snake = tf.extend.elementwise(
    "snake",
    doc="Returns x + sin(x)**2 element-wise.",
    numpy=lambda x: x + np.square(np.sin(x)),  # its meaning: oracle and constant folding
    grad=lambda y, dy, x: dy * (1.0 + tf.sin(2.0 * x)),  # in tf's own operators
    scalar=lambda k, x: x + k.sin(x) * k.sin(x),  # one element, or a vector of them
)


def network(x, activation, name):
    """One hidden layer."""
    with tf.variable_scope(name):
        w1 = tf.get_variable("w1", [1, 64], initializer=tf.random_normal_initializer(stddev=0.5))
        b1 = tf.get_variable("b1", [64], initializer=tf.zeros_initializer())
        w2 = tf.get_variable("w2", [64, 1])
        b2 = tf.get_variable("b2", [1], initializer=tf.zeros_initializer())
        return tf.matmul(activation(tf.matmul(x, w1) + b1), w2) + b2


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    time = np.linspace(-10, 10, 400, dtype=np.float32)[:, None]
    later = np.linspace(10, 16, 120, dtype=np.float32)[:, None]

    def truth(t):
        return 0.2 * t + np.sin(2 * t)

    tf.set_random_seed(args.seed)
    x = tf.placeholder(tf.float32, [None, 1], name="x")
    y = tf.placeholder(tf.float32, [None, 1], name="y")
    guesses = {"snake": network(x, snake, "snake"), "tanh": network(x, tf.tanh, "tanh")}
    losses = {k: tf.reduce_mean(tf.squared_difference(g, y)) for k, g in guesses.items()}
    train = tf.train.AdamOptimizer(5e-3).minimize(tf.add_n(list(losses.values())))

    probe = tf.placeholder(tf.float32, [None], name="probe")
    value = snake(probe)
    slope = tf.gradients(value, probe)[0]
    with tf.Session() as sess:
        points = np.linspace(-4, 4, 1001, dtype=np.float32)
        native, rise = sess.run([value, slope], {probe: points})
        wide = points.astype(np.float64)
        exact = wide + np.sin(wide) ** 2
        print(f"native against numpy: largest error {np.abs(native - exact).max():.1e}")
        change = np.gradient(exact, wide)
        print(f"gradient against differences: {np.abs(rise - change)[1:-1].max():.1e}")

        sess.run(tf.global_variables_initializer())
        feed = {x: time, y: truth(time)}
        for _ in trange(args.steps, unit="step"):
            sess.run(train, feed)
        error, before = sess.run([losses, guesses], feed)
        error_later, after = sess.run([losses, guesses], {x: later, y: truth(later)})
        ir = tf.dump(guesses["snake"], {x: time}, sess, stage="fuse")

    figure, axes = plt.subplots(figsize=(9, 3.8), layout="constrained")
    both = np.concatenate([time, later])
    axes.plot(both, truth(both), color="gray", linewidth=4, alpha=0.4, label="truth")
    for name in guesses:
        axes.plot(both, np.concatenate([before[name], after[name]]), label=name)
    axes.axvspan(10, 16, color="gray", alpha=0.1)
    axes.set(title="Learned up to 10, asked beyond", ylim=(-4, 6), xlabel="t")
    axes.legend(loc="upper left")
    picture = args.out / "custom_op.png"
    figure.savefig(picture, dpi=110)

    print("the new op inside a kernel, after its matrix product:")
    print(ir)
    print(f"picture: {picture}")
    for name in guesses:
        print(f"{name}: error {error[name]:.4f} where learned, {error_later[name]:.4f} beyond")


if __name__ == "__main__":
    main()
