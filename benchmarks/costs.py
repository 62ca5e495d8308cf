"""What compiling, loading and calling cost here: prints the tables of README and ARCHITECTURE.

Every process that is measured starts fresh; `cold` ones find an empty cache of compiled kernels,
`warm` ones what a process before them left.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

IMPORT = """
import time
began = time.perf_counter()
import graphc
print(time.perf_counter() - began)
"""

TRAINING = """
import time
import numpy as np
import graphc as tf

x = tf.placeholder(tf.float32, [None, 64])
y = tf.placeholder(tf.int32, [None])
h = x
for i, units in enumerate((256, 128, 10)):
    with tf.variable_scope(str(i)):
        w = tf.get_variable("w", [h.shape[1], units])
        h = tf.matmul(h, w) + tf.get_variable("b", [units], initializer=tf.zeros_initializer())
        h = tf.nn.relu(h) if units > 10 else h
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=h))
train = tf.train.AdamOptimizer(1e-3).minimize(loss)
sess = tf.Session()
sess.run(tf.global_variables_initializer())
data = np.random.RandomState(0).rand(512, 64).astype("f"), np.arange(512, dtype="i") % 10

def step(batch):
    began = time.perf_counter()
    sess.run([train, loss], {x: data[0][:batch], y: data[1][:batch]})
    return time.perf_counter() - began

first = step(64)
for _ in range(300):
    step(64)
steady = sorted(step(64) for _ in range(1000))[500]
fresh = sorted(step(n) for n in range(65, 165))[50]
print(first, steady, fresh - steady)
"""

CALLS = """
import time
import graphc as tf

a, x = tf.constant(2.0), tf.placeholder(tf.float32, [])
y = a * x + 1.0
sess = tf.Session()
call = sess.make_callable(y, [x])
feed = {x: 3.0}

def best(f):
    times = []
    for _ in range(30):
        began = time.perf_counter()
        for _ in range(1000):
            f()
        times.append((time.perf_counter() - began) / 1000)
    return min(times)

sess.run(y, feed)
print(best(lambda: sess.run(y, feed)), best(lambda: call(3.0)))
"""

NODES = """
import time
import numpy as np
import graphc as tf

began = time.perf_counter()
x = tf.placeholder(tf.float32, [None, 8])
h = x
for i in range(2500):
    h = tf.tanh(h * 1.01 + 0.01) if i % 2 else h + x
g = tf.gradients(tf.reduce_sum(h), x)
count = len(tf.get_default_graph().get_operations())
recorded = time.perf_counter()
tf.Session().run(g, {x: np.ones((4, 8), "f")})
print((recorded - began) / count, (time.perf_counter() - recorded) / count)
"""


def run(code, cache):
    """The numbers that a fresh process prints."""
    env = {**os.environ, "GRAPHC_CACHE_DIR": cache}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True
    )
    return [float(x) for x in done.stdout.split()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--repeat", type=int, default=5, help="processes measured; the median is shown"
    )
    repeat = parser.parse_args().repeat

    def median(code, warm=None):
        rows = []
        for _ in range(repeat):
            with tempfile.TemporaryDirectory() as empty:
                rows.append(run(code, warm or empty))
        return [statistics.median(column) for column in zip(*rows, strict=True)]

    with tempfile.TemporaryDirectory() as warm:
        for code in (TRAINING, CALLS, NODES):
            run(code, warm)
        (imported,) = median(IMPORT)
        cold = median(TRAINING)[0]
        first, steady, fresh = median(TRAINING, warm)
        session, direct = median(CALLS, warm)
        recorded, compiled = median(NODES)

    print("| | |\n|---|---|")
    print(f"| `import graphc` | {1e3 * imported:.0f} ms |")
    print(f"| first training step (64-256-128-10, Adam), nothing cached | {1e3 * cold:.0f} ms |")
    print(f"| the same in a second process, kernels and plans on disk | {1e3 * first:.0f} ms |")
    print(f"| a batch size not seen before, on top of the step | {1e6 * fresh:.0f} µs |")
    print(f"| one step, batch 64 | {1e6 * steady:.0f} µs |")
    print(f"| `Session.run` of `a * x + b` with a feed | {1e6 * session:.1f} µs |")
    print(f"| the same through `make_callable` | {1e6 * direct:.1f} µs |")
    print(f"| recording and differentiating, each node | {1e6 * recorded:.0f} µs |")
    print(f"| compiling and running it once, each node, nothing cached | {1e6 * compiled:.0f} µs |")


if __name__ == "__main__":
    main()
