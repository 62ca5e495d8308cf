"""Writes graphs with input pipelines, functions and readers: run with TensorFlow 1.15.

Beside each graph is what its pipeline gives until it ends (or 20 elements).
"""

import gzip
import json
import os
import pathlib
import tempfile

import numpy as np
import tensorflow as tf

D = tf.data.Dataset
HERE = pathlib.Path(__file__).resolve().parent / "pipelines"
PROGRAMS = {}


def named(element):
    for i, x in enumerate(tf.nest.flatten(element)):
        tf.identity(x, f"out{i}")


def program(build):
    PROGRAMS[build.__name__] = build
    return build


def pipeline(build):
    """A program of a dataset, with an iterator that is begun."""

    def whole():
        it = tf.compat.v1.data.make_initializable_iterator(build())
        named(it.get_next())
        tf.group(it.initializer, name="init")

    PROGRAMS[build.__name__] = whole
    return build


@pipeline
def captured():
    y = tf.placeholder_with_default(tf.constant(3, tf.int64), [])
    return D.range(5).map(lambda x: x + y)


@pipeline
def flat():
    return D.range(4).flat_map(lambda x: D.range(x).map(lambda z: z * 10 + x))


@pipeline
def interleaved():
    return D.range(3).interleave(lambda x: D.from_tensors(x).repeat(3), 2, 2)


@pipeline
def padded():
    return D.range(4).map(lambda x: tf.fill([tf.cast(x, tf.int32)], x)).padded_batch(2, [None])


@pipeline
def structures():
    d = D.from_tensor_slices((np.arange(4), {"a": np.ones((4, 2), "f")}))
    return d.map(lambda i, d: (d["a"] * tf.cast(i, tf.float32), i)).batch(3, drop_remainder=True)


@pipeline
def many():
    return D.range(6).map(lambda x: x * x, num_parallel_calls=2).prefetch(2).cache().skip(1)


@pipeline
def sharded():
    return D.range(2).concatenate(D.range(5, 9)).shard(2, 1)


@pipeline
def zipped():
    two = D.zip((D.range(5), D.from_tensors(7).repeat()))
    return two.filter(lambda a, b: a < 3).take(2)


@pipeline
def branches():
    return D.range(5).map(lambda x: tf.cond(x > 2, lambda: x * 2, lambda: -x))


@pipeline
def loops():
    def three(x):
        return tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a + x), [0, x])[1]

    return D.range(4).map(three)


@pipeline
def second_output():
    return D.from_tensors(np.array([3.0, 1.0, 2.0], "f")).map(lambda x: tf.nn.top_k(x, 2).indices)


@pipeline
def rows():
    return D.from_tensor_slices(["a,1", "b,2"]).map(lambda s: tf.decode_csv(s, [[""], [0]]))


@pipeline
def shuffled():
    return D.range(6).shuffle(4, seed=3, reshuffle_each_iteration=False).repeat(2).batch(12)


@pipeline
def lines():
    return tf.data.TextLineDataset("lines.txt").map(lambda s: tf.string_join([s, "!"]))


@pipeline
def mapped_batches():
    return D.range(6).apply(tf.data.experimental.map_and_batch(lambda x: x + 1, 4))


@pipeline
def windows():
    return D.range(6).window(2).flat_map(lambda w: w.batch(2))


@pipeline
def drawn():
    return D.range(3).map(lambda x: tf.random_uniform([], seed=4))


@pipeline
def of_a_variable():
    w = tf.get_variable("w", initializer=2.0)
    return D.range(3).map(lambda x: tf.cast(x, tf.float32) * w)


@pipeline
def python():
    return D.range(3).map(lambda x: tf.py_func(lambda a: a * 2, [x], tf.int64))


@pipeline
def generator():
    return D.from_generator(lambda: iter([1, 2, 3]), tf.int64)


@program
def one_shot():
    d = D.from_tensor_slices(np.arange(6.0, dtype="f")).map(lambda x: x * 2).batch(4)
    named(tf.compat.v1.data.make_one_shot_iterator(d).get_next())


@program
def producer():
    given = [np.arange(6.0, dtype="f"), np.arange(6)]
    named(tf.train.batch(tf.train.slice_input_producer(given, num_epochs=1, shuffle=False), 2))


@program
def reader():
    files = tf.train.string_input_producer(["lines.txt"], num_epochs=1, shuffle=False)
    named(tf.TextLineReader().read(files)[1])


def plain(x):
    return x.decode() if isinstance(x, bytes) else np.asarray(x).tolist()


def record(build):
    tf.set_random_seed(1)
    build()
    meta = tf.train.export_meta_graph(clear_devices=True)
    count = sum(o.name.startswith("out") for o in tf.get_default_graph().get_operations())
    out = []
    with tf.Session() as s:
        s.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        if "init" in {o.name for o in tf.get_default_graph().get_operations()}:
            s.run("init")
        coordinator = tf.train.Coordinator()
        tf.train.start_queue_runners(s, coordinator)
        try:
            while len(out) < 20:
                out.append([plain(x) for x in s.run([f"out{i}:0" for i in range(count)])])
        except tf.errors.OutOfRangeError:
            pass
        coordinator.request_stop()
    return meta.SerializeToString(), out


def main():
    HERE.mkdir(exist_ok=True)
    values = {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        pathlib.Path("lines.txt").write_text("one\ntwo\n")
        for name, build in PROGRAMS.items():
            with tf.Graph().as_default():
                data, values[name] = record(build)
            (HERE / f"{name}.meta.gz").write_bytes(gzip.compress(data))
    lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in values.items()]
    (HERE / "values.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
