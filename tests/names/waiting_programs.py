"""Values that wait in a session, or may be missing; datasets of databases, drawn and written."""

import contextlib
import os
import sqlite3
import threading

import numpy as np
from families import error


def _taken(tf, dataset):
    """All elements, and the error that ended them."""
    following, out = dataset.make_one_shot_iterator().get_next(), []
    with tf.Session() as session:
        try:
            while True:
                out.append(session.run(following))
        except tf.errors.OpError as e:
            return [out, type(e).__name__]


def handles(tf, say, folder):
    session = tf.Session()
    kept = tf.get_session_handle(tf.constant([1.0, 2.0]))
    say([kept.name, kept.op.type, kept.dtype.name])
    handle = session.run(kept)
    say([type(handle).__name__, handle.eval(), handle.handle == handle.get_raw_handle()])
    fed, x = tf.get_session_tensor(handle.handle, tf.float32)
    say([x.op.type, fed.dtype.name, x.shape.ndims])
    say(session.run(x * 2, {fed: handle.handle}))
    y = tf.placeholder(tf.float32) + 1.0
    say(session.run(y, {y.op.inputs[0]: handle}))
    fed2, gone = tf.delete_session_tensor(handle.handle)
    session.run(gone, {fed2: handle.handle})
    say(
        [
            error(session.run, x, {fed: handle.handle}),
            error(session.run, gone, {fed2: handle.handle}),
        ]
    )
    other = session.run([kept, {"a": kept}])
    say([type(other[1]["a"]).__name__, other[0].eval()])
    other[0].delete()
    say([error(other[0].delete), error(session.run, x, {fed: other[0].handle})])
    words = session.run(tf.get_session_handle(tf.constant(["a", "b"])))
    fed, w = tf.get_session_tensor(words.handle, tf.string)
    say(session.run(w, {fed: words.handle}))
    say([
        error(tf.get_session_handle, tf.Variable(1.0)), error(tf.get_session_handle, [1.0]),
        error(tf.get_session_tensor, "x", tf.float32), error(tf.delete_session_tensor, "x"),
        error(tf.Session().run, w, {fed: words.handle}),
    ])  # fmt: skip


def staging_areas(tf, say, folder):
    make = tf.contrib.staging.StagingArea
    area = make([tf.float32, tf.int32], [[2], []], names=["a", "b"], capacity=2)
    number = tf.placeholder(tf.int32, [])
    put = area.put({"a": tf.constant([1.0, 2.0]), "b": number})
    got, size, clear, first = area.get(), area.size(), area.clear(), area.peek(1)
    say([put.name, put.type, sorted(got), got["a"].name, size.name, clear.name, first["b"].name])
    say([got["a"].shape.as_list(), area.name, area.names, area.capacity, area.memory_limit])
    say([[t.name for t in area.dtypes], [s.as_list() for s in area.shapes]])
    session = tf.Session()
    for n in (3, 4):
        session.run(put, {number: n})
    say([session.run(size), session.run(first), session.run(got), session.run(size)])
    session.run(clear)
    say(session.run(size))
    found = []
    waiting = threading.Thread(target=lambda: found.append(session.run(got)))
    waiting.start()
    session.run(put, {number: 5})
    waiting.join()
    say(found)
    plain = make([tf.float32])
    element = plain.get()
    say([[x.name for x in element], element[0].shape.ndims, plain.put([tf.constant(1.0)]).name])
    with tf.name_scope("scope"):
        inner = make([tf.float32])
        say([inner.name, inner.get()[0].name, inner.put([tf.constant(1.0)], name="n").name])
    one, two = (make([tf.float32], shared_name="x") for _ in range(2))
    session.run(one.put([tf.constant(1.0)]))
    say(session.run(two.size()))
    little = make([tf.float32], memory_limit=4)
    say(error(session.run, little.put([tf.constant([1.0, 2.0])])))
    c = tf.constant(1.0)
    say([
        error(plain.put, [c, c]), error(plain.put, [tf.constant(1)]),
        error(plain.put, {"a": c}), error(area.put, {"a": c, "c": c}), error(area.put, [c]),
        error(area.put, {"a": tf.zeros([3]), "b": tf.constant(1)}),
        error(make, [tf.float32], [[1], [2]]), error(make, [tf.float32], names=["a", "b"]),
    ])  # fmt: skip


def optionals(tf, say, folder):
    e = tf.data.experimental
    session = tf.Session()
    there = e.Optional.from_value({"a": tf.constant(1.0), "b": tf.constant([1, 2])})
    has, value = there.has_value(), there.get_value()
    say([has.name, value["a"].name, value["b"].shape.as_list(), sorted(there.value_structure)])
    say(session.run([has, value]))
    none = e.Optional.none_from_structure(there.value_structure)
    say([session.run(none.has_value()), error(session.run, none.get_value())])
    data = tf.data.Dataset.from_tensor_slices((np.arange(2.0), ["x", "y"]))
    iterator = data.make_initializable_iterator()
    element = e.get_next_as_optional(iterator)
    say(error(session.run, element.has_value()))
    session.run(iterator.initializer)
    has, value = element.has_value(), element.get_value()
    say([x.name for x in value])
    say([session.run([has, value]), session.run([has, value]), session.run(has)])
    say(error(session.run, value))
    session.run(iterator.initializer)
    y = tf.cond(has, lambda: element.get_value()[0], lambda: tf.constant(-1.0, tf.float64))
    say([session.run(y) for _ in range(4)])
    say(session.run(e.Optional.from_value(3.5).get_value()))
    say(error(e.get_next_as_optional, 3))
    spec = tf.OptionalSpec(there.value_structure)
    say([spec.is_compatible_with(there), spec.is_compatible_with(element)])
    say(e.OptionalStructure is tf.OptionalSpec)


def rejection_resample(tf, say, folder):
    make = tf.data.experimental.rejection_resample
    classes = lambda x: tf.cast(x["n"], tf.int32)  # noqa: E731
    for initial in ([0.75, 0.25], None):
        tf.set_random_seed(3)
        d = tf.data.Dataset.from_tensor_slices({"n": np.array([0, 0, 0, 1] * 50)})
        d = d.apply(make(classes, [0.2, 0.8], initial, seed=7))
        say([str(x) for x in (d.output_types[0].name, d.output_shapes[0].as_list())])
        say(_taken(tf, d))


def databases(tf, say, folder):
    path = os.path.join(folder, "x.db")
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("create table t (a integer, b text, c real, d blob)")
        rows = [(1, "x", 0.5, b"ab"), (2, "3y", None, b""), (-3, None, 2.5, None),
                (2**40, "\u00fc", 1e300, b"z")]  # fmt: skip
        db.executemany("insert into t values (?, ?, ?, ?)", rows)
    db.close()
    make = tf.data.experimental.SqlDataset
    i, s, f, b = tf.int32, tf.string, tf.float64, tf.bool
    for query, types in (
        ("select * from t", (i, s, f, s)), ("select a from t order by a", (tf.int64,)),
        ("select a, c from t", (s, s)), ("select c, b from t", (i, f)), ("select a from t", (b,)),
        ("select 1, 0, 7000, -5, 255", (tf.int8, b, tf.uint16, tf.int16, tf.uint8)),
        ("select a from t where a > 5", (f,)),
    ):  # fmt: skip
        d = make("sqlite", path, query, types)
        say([t.name for t in d.output_types])
        say(_taken(tf, d))


def sparse_batches(tf, say, folder):
    make = tf.data.experimental.dense_to_sparse_batch

    def rows(*numbers):
        return tf.data.Dataset.range(*numbers).map(lambda n: tf.fill([n], n))

    for d in (
        rows(5).apply(make(2, [6])), rows(3).apply(make(2, [None])), rows(5, 9).apply(make(2, [6])),
        tf.data.Dataset.from_tensors([["a", "b"]]).repeat(3).apply(make(2, [2, 3])),
        rows(2).apply(make(2, [2, 2])),
    ):  # fmt: skip
        say([d.output_types.name, d.output_shapes.as_list(), d.output_classes.__name__])
        say(_taken(tf, d))
    say(error(tf.data.Dataset.from_tensors((1, 2)).apply, make(2, [6])))


def whole_datasets(tf, say, folder):
    path = os.path.join(folder, "x.tfrecord")
    c = tf.contrib.data
    write = tf.data.experimental.TFRecordWriter(path, "GZIP").write
    words = write(tf.data.Dataset.from_tensor_slices(["one", "two"]))
    with tf.Session() as session:
        session.run(words)
    options = tf.python_io.TFRecordOptions(tf.python_io.TFRecordCompressionType.GZIP)
    say(list(tf.python_io.tf_record_iterator(path, options)))
    say([
        error(write, tf.data.Dataset.range(3)), error(write, 3),
        error(write, tf.data.Dataset.from_tensors(["a"])),
    ])  # fmt: skip
    reducer = tf.data.experimental.Reducer(
        lambda _: tf.constant(1, tf.int64), lambda a, b: a + b, lambda a: a * 2
    )
    total = c.reduce_dataset(tf.data.Dataset.range(5), reducer)
    with tf.Session() as session:
        say(session.run(total))
    plain = os.path.join(folder, "y.tfrecord")
    with tf.python_io.TFRecordWriter(plain) as writer:
        for n in range(5):
            value = tf.train.Feature(int64_list=tf.train.Int64List(value=[n]))
            example = tf.train.Example(features=tf.train.Features(feature={"n": value}))
            writer.write(example.SerializeToString())
    features = {"n": tf.FixedLenFeature([], tf.int64)}
    batch = c.read_batch_features(plain, 2, features, randomize_input=False, num_epochs=1)
    say(sorted(batch))
    with tf.Session() as session:
        say([session.run(batch["n"]) for _ in range(3)] + [error(session.run, batch)])
