"""What looking costs: steps of training with `check_numerics` and with `RunMetadata`, as a table.

The three are taken in turns, in one process, so that a machine that is busy for a while is so for
all of them. Shown are the medians of the fastest quarter.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
from backends import Tf1
from workloads import WORKLOADS

import graphc as tf

#: Steps of training, by workload and optimizer.
STEPS = [
    ("mlp_train", ("adam", 1e-4)),
    ("mlp_train", ("sgd", 1e-3)),
    ("lenet_train", ("adam", 1e-4)),
    ("lstm_train", ("adam", 1e-3)),
]


def runs(workload, threads):
    """Three ways to do a step: plain, with numbers checked, traced."""
    made = []
    for check in (False, True):
        with tf.Graph().as_default():
            backend = Tf1("graphc", threads)
            backend.config.graphc_check_numerics = check
            made.append(backend.session(workload))
    (plain, fetch, feed), checked = made
    options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
    return [
        lambda: plain.run(fetch, feed),
        lambda: checked[0].run(*checked[1:]),
        lambda: plain.run(fetch, feed, options, tf.RunMetadata()),
    ]


def measure(ways, seconds):
    """Seconds that each takes."""
    times = [[] for _ in ways]
    for way in ways:
        way()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for way, taken in zip(ways, times, strict=True):
            for k in range(12):
                began = time.perf_counter()
                way()
                if k >= 2:  # what was there before has left the caches
                    taken.append(time.perf_counter() - began)
    return [np.percentile(t, 12.5) for t in times]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each row")
    asked = parser.parse_args()
    print("| step | plain | check_numerics | RunMetadata |\n|---|---|---|---|")
    for name, optimizer in STEPS:
        workload = replace(WORKLOADS[name], optimizer=optimizer)
        plain, *others = measure(runs(workload, asked.threads), asked.seconds)
        more = [f"{100 * (t / plain - 1):+.1f} %" for t in others]
        print(f"| {name}, {optimizer[0]} | {1e3 * plain:.2f} ms | {' | '.join(more)} |", flush=True)


if __name__ == "__main__":
    main()
