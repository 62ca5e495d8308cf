"""Record the outputs of TensorFlow 1.15's CPU random ops in ``random.json``.

Run with a Python 3.7 that has ``tensorflow-cpu==1.15.0``::

    python3.7 tests/oracle/record_random.py    (an environment with tensorflow-cpu 1.15.0)

Everything is recorded twice, in a process with one intra-op thread and in one with four, and must
be equal.  (TensorFlow's thread pool belongs to the process: its first session decides.)

The file has two lists:

``cases``
    One stateful op with given (seed, seed2) attributes, run several times in one session (each
    run may have its own size).  A run keeps every ``stride``-th element of its flat output, as
    unsigned bit patterns of the element type (integers as they are).
``graphs``
    Programs that call the public Python functions under graph-level and op-level seeds, with the
    (seed, seed2) each op was given, the graph's ``_last_id`` when it asked, and its values in
    consecutive runs that fetch various subsets of the ops.
"""

# ruff: noqa: B905, RUF005, UP032 (this file is for Python 3.7)

import json
import os
import subprocess
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.framework import random_seed
from tensorflow.python.ops import gen_random_ops as gen

tf.logging.set_verbosity(tf.logging.ERROR)
HERE = os.path.dirname(os.path.abspath(__file__))
SEEDS = [(1, 0), (87654321, 42), (0, 2147483647), (2**40 + 12345, -7), (-3, 2**62 + 11)]
SIZES = [7, 1, 4, 0, 5, 258, 3, 64]
LARGE, STRIDE = 100003, 997
FLOATS = ["float16", "bfloat16", "float32", "float64"]


def session():
    """Make a session with as many intra-op threads as the command line says."""
    threads = int(sys.argv[1])
    config = tf.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=1)
    return tf.Session(config=config)


def bits(array, stride=1):
    """Return every stride-th element as integers (bit patterns for the floating types)."""
    flat = np.asarray(array).reshape(-1)[::stride]
    if flat.dtype.kind != "i":
        flat = flat.view("u{}".format(flat.dtype.itemsize))
    return [int(v) for v in flat]


def fixed(op, seed, seed2, dtype, sizes, stride=1, **kw):
    """Record one of the ops that take a shape, for sizes in turn."""
    with tf.Graph().as_default():
        shape = tf.placeholder(tf.int32, [1])
        if op == "RandomUniformInt":
            lo = tf.constant(kw["lo"], dtype)
            hi = tf.constant(kw["hi"], dtype)
            out = gen.random_uniform_int(shape, lo, hi, seed=seed, seed2=seed2)
        else:
            fun = {
                "RandomUniform": gen.random_uniform,
                "RandomStandardNormal": gen.random_standard_normal,
                "TruncatedNormal": gen.truncated_normal,
            }[op]
            out = fun(shape, tf.as_dtype(dtype), seed=seed, seed2=seed2)
        with session() as sess:
            outs = [bits(sess.run(out, {shape: [n]}), stride) for n in sizes]
    runs = [{"n": n, "bits": b} for n, b in zip(sizes, outs)]
    return dict(op=op, seed=seed, seed2=seed2, dtype=dtype, stride=stride, runs=runs, **kw)


def shuffle(seed, seed2, sizes):
    """Record permutations: shuffles of range(n)."""
    with tf.Graph().as_default():
        value = tf.placeholder(tf.int32)
        out = gen.random_shuffle(value, seed=seed, seed2=seed2)
        with session() as sess:
            runs = []
            for i, n in enumerate(sizes):
                data = np.arange(n, dtype=np.int32)
                if i % 2:
                    data = np.stack([data, data], 1)
                got = sess.run(out, {value: data})
                runs.append({"n": n, "bits": bits(got if got.ndim == 1 else got[:, 0])})
    return dict(op="RandomShuffle", seed=seed, seed2=seed2, dtype="int32", stride=1, runs=runs)


def multinomial(seed, seed2, dtype, shapes):
    """Record Multinomial: (batch, classes, samples) in turn; logits of the bits given."""
    rng = np.random.RandomState(5)
    with tf.Graph().as_default():
        logits = tf.placeholder(dtype, [None, None])
        count = tf.placeholder(tf.int32, [])
        out = gen.multinomial(logits, count, seed=seed, seed2=seed2)
        with session() as sess:
            runs = []
            for batch, classes, samples in shapes:
                data = (3 * rng.randn(batch, classes)).astype(dtype)
                if classes > 4:
                    data[0, 1], data[0, 3] = -np.inf, np.inf
                    data[-1, 0] = np.nan
                got = sess.run(out, {logits: data, count: samples})
                runs.append(
                    {
                        "n": batch * samples,
                        "batch": batch,
                        "samples": samples,
                        "logits": bits(data),
                        "bits": bits(got),
                    }
                )
    return dict(op="Multinomial", seed=seed, seed2=seed2, dtype=dtype, stride=1, runs=runs)


def graph(graph_seed, build, fetches):
    """Record a program: build() yields (random op name, op_seed, the public output)."""
    asked = []
    original = random_seed.get_seed

    def spy(op_seed):
        last = tf.get_default_graph()._last_id
        asked.append((op_seed, last))
        return original(op_seed)

    random_seed.get_seed = spy
    try:
        with tf.Graph().as_default() as g:
            if graph_seed is not None:
                tf.set_random_seed(graph_seed)
            outs = build()
            kernels = [op for op in g.get_operations() if "seed2" in op.node_def.attr]
            ops = [
                {
                    "op": op.type,
                    "op_seed": s,
                    "last_id": i,
                    "dtype": op.outputs[0].dtype.name,
                    "seed": op.get_attr("seed"),
                    "seed2": op.get_attr("seed2"),
                }
                for op, (s, i) in zip(kernels, asked)
            ]
            assert len(kernels) == len(asked) == len(outs)
            tensors = [k.outputs[0] for k in kernels]
            with session() as sess:
                runs = []
                for which in fetches:
                    got = sess.run([tensors[i] for i in which])
                    runs.append(
                        [{"which": i, "n": v.size, "bits": bits(v)} for i, v in zip(which, got)]
                    )
    finally:
        random_seed.get_seed = original
    return {"graph_seed": graph_seed, "ops": ops, "runs": runs}


def program(seeds):
    """Build a function that makes five ops with these op seeds."""

    def build():
        a = tf.random_uniform([3, 3], -1, 1, seed=seeds[0])
        b = tf.random_normal([5], seed=seeds[1])
        c = tf.truncated_normal([2, 3], stddev=0.1, seed=seeds[2])
        d = tf.random_uniform([7], 0, 10, dtype=tf.int32, seed=seeds[3])
        e = tf.random_shuffle(tf.range(9), seed=seeds[4])
        return [a, b, c, d, e]

    return build


def loop():
    """Run one uniform op four times in a while loop and give its stacked values."""
    with tf.Graph().as_default():
        array = tf.TensorArray(tf.float32, 4)

        def body(i, out):
            value = gen.random_uniform([5], tf.float32, seed=9, seed2=4)
            return i + 1, out.write(i, value)

        _, array = tf.while_loop(lambda i, _: i < 4, body, [0, array], parallel_iterations=1)
        stacked = array.stack()
        with session() as sess:
            runs = [{"n": 5, "bits": bits(row)} for _ in range(2) for row in sess.run(stacked)]
    return dict(op="RandomUniform", seed=9, seed2=4, dtype="float32", stride=1, runs=runs)


def record():
    """Record everything in this process, as the text of the file."""
    cases = []
    for k, (s, s2) in enumerate(SEEDS):
        for op in ("RandomUniform", "RandomStandardNormal", "TruncatedNormal"):
            for dtype in FLOATS:
                if k < 2 or dtype in ("float32", "float64"):
                    cases.append(fixed(op, s, s2, dtype, SIZES if k < 2 else [6, 37]))
        for dtype, lo, hi in (
            ("int32", 0, 10),
            ("int32", -(2**31), 2**31 - 1),
            ("int64", -5, 1000),
            ("int64", -(2**63), 2**63 - 1),
            ("int32", -7, 2**31 - 1),
        ):
            sizes = SIZES if k < 1 else [6, 37]
            cases.append(fixed("RandomUniformInt", s, s2, dtype, sizes, lo=lo, hi=hi))
        cases.append(shuffle(s, s2, [10, 11, 1, 2, 0, 5, 257, 100]))
    for op in ("RandomUniform", "RandomStandardNormal", "TruncatedNormal"):
        for dtype in ("float32", "float64"):
            cases.append(fixed(op, 11, 13, dtype, [LARGE, LARGE], STRIDE))
    sizes = [LARGE, LARGE]
    cases.append(fixed("RandomUniformInt", 11, 13, "int64", sizes, STRIDE, lo=3, hi=10**12))
    # Here block 2 (for float32) or 0 (for float64) has a uniform number of 0 to take the log of.
    cases.append(fixed("RandomStandardNormal", 1, 1044200, "float32", [12]))
    cases.append(fixed("RandomStandardNormal", 1, 445423, "float64", [4]))
    shapes = [(1, 3, 5), (4, 7, 3), (2, 5, 0), (3, 1, 2), (5, 10, 9), (1, 2, 1)]
    for s, s2 in SEEDS:
        for dtype in ("float32", "float64", "float16"):
            cases.append(multinomial(s, s2, dtype, shapes if dtype == "float32" else shapes[:3]))
    cases.append(loop())
    every = [0, 1, 2, 3, 4]
    fetches = [every, [0], [0, 1], [3, 2], every]
    none = [None] * 5
    graphs = [
        graph(123, program(none), fetches),
        graph(0, program([0, None, 1, 2**31 - 1, -1]), fetches),
        graph(None, program([1, 2, 0, 2**31 + 5, -4]), fetches),
        graph(2**31 + 9, program([1, None, 3, None, 5]), fetches),
        graph(-1, program([7, 7, 7, 7, 7]), fetches),
        graph(None, program(none), []),
    ]
    lines = ['{"tensorflow": ' + json.dumps(tf.__version__) + ',\n"cases": [\n']
    lines.append(",\n".join(json.dumps(c, separators=(",", ":")) for c in cases))
    lines.append('\n],\n"graphs": [\n')
    lines.append(",\n".join(json.dumps(g, separators=(",", ":")) for g in graphs))
    lines.append("\n]}\n")
    return "".join(lines)


def main():
    """Record in two processes and write the file."""
    command = [sys.executable, os.path.abspath(__file__)]
    one, four = (subprocess.check_output(command + [threads]) for threads in ("1", "4"))
    assert one == four, "the values depend on the number of threads"
    with open(os.path.join(HERE, "random.json"), "wb") as f:
        f.write(one)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.write(record())
    else:
        main()
