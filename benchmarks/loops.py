"""What an iteration costs: loops of several sizes, and a recurrent net as a loop and unrolled."""

import argparse
import time

import numpy as np

import graphc as tf

LENGTH, BATCH, INPUT, UNITS = 28, 128, 28, 128


def best(f, repeat):
    """The shortest of several runs, in seconds; the first one compiles."""
    f()
    times = []
    for _ in range(repeat):
        began = time.perf_counter()
        f()
        times.append(time.perf_counter() - began)
    return min(times)


def count(values):
    """One is added to a number."""
    return tf.while_loop(lambda i: i < values["n"], lambda i: i + 1, [0])


def newton(values):
    """Square roots of 2 by Newton's iteration, from other starts."""

    def body(i, x):
        return i + 1, 0.5 * (x + 2.0 / x) + tf.cast(i % 7, tf.float64)

    return tf.while_loop(lambda i, x: i < values["n"], body, [0, tf.constant(1.0, tf.float64)])


def collatz(values):
    """A condition in the body."""

    def body(i, x):
        return i + 1, tf.cond(tf.equal(x % 2, 0), lambda: x // 2, lambda: 3 * x + 1)

    return tf.while_loop(lambda i, x: i < values["n"], body, [0, tf.constant(27)])


def vector(values):
    """Eight numbers."""
    return tf.while_loop(
        lambda i, x, y: i < values["n"], lambda i, x, y: (i + 1, y, x + y),
        [0, values["x"], values["x"]],
    )  # fmt: skip


def nested(values):
    """A loop of ten iterations in each iteration."""

    def body(i, s):
        inner = tf.while_loop(lambda j, s: j < 10, lambda j, s: (j + 1, s + j), [0, s])
        return i + 1, inner[1]

    return tf.while_loop(lambda i, s: i < values["n"], body, [0, 0])


def cell(x, h, c, w, b):
    """The next state of an LSTM."""
    i, j, f, o = tf.split(tf.matmul(tf.concat([x, h], 1), w) + b, 4, 1)
    c = c * tf.sigmoid(f + 1.0) + tf.sigmoid(i) * tf.tanh(j)
    return tf.tanh(c) * tf.sigmoid(o), c


def recurrent(looped):
    """The gradient of a recurrent net's last state, as a loop or unrolled; fetches and feeds."""
    rng = np.random.default_rng(0)
    x = tf.placeholder(tf.float32, [LENGTH, BATCH, INPUT])
    w = tf.Variable(rng.standard_normal((INPUT + UNITS, 4 * UNITS)).astype("f") / 12)
    b = tf.Variable(tf.zeros([4 * UNITS]))
    h = c = tf.zeros([BATCH, UNITS])
    if looped:
        _, h, c = tf.while_loop(
            lambda t, h, c: t < LENGTH, lambda t, h, c: (t + 1, *cell(x[t], h, c, w, b)), [0, h, c]
        )
    else:
        for t in range(LENGTH):
            h, c = cell(x[t], h, c, w, b)
    train = tf.train.GradientDescentOptimizer(0.01).minimize(tf.reduce_mean(h * h))
    return train, {x: rng.standard_normal((LENGTH, BATCH, INPUT)).astype("f")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    print("| | each iteration |\n|---|---|")
    for f, rounds in ((count, 10**8), (newton, 10**7), (collatz, 10**7), (vector, 10**6),
                      (nested, 10**6)):  # fmt: skip
        tf.reset_default_graph()
        values = {"n": tf.placeholder(tf.int32, []), "x": tf.ones([8])}
        fetch = f(values)
        with tf.Session() as sess:
            seconds = best(lambda: sess.run(fetch, {values["n"]: rounds}), repeat)  # noqa: B023
        print(f"| {f.__doc__} | {1e9 * seconds / rounds:.1f} ns |")
    for looped in (True, False):
        tf.reset_default_graph()
        train, feed = recurrent(looped)
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            began = time.perf_counter()
            sess.run(train, feed)
            first = time.perf_counter() - began
            seconds = best(lambda: sess.run(train, feed), repeat)  # noqa: B023
        kind = "as a loop" if looped else "unrolled"
        print(f"| An LSTM of {LENGTH} steps trained {kind}, a step (first run {first:.2f} s) "
              f"| {1e6 * seconds / LENGTH:.0f} µs |")  # fmt: skip


if __name__ == "__main__":
    main()
