"""Programs of input pipelines: each gives plain values, recorded with TensorFlow 1.15.

A program gets `tf`, `np` and a folder it may write to. It runs under both, in a graph of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

PROGRAMS: dict[str, Callable[..., Any]] = {}


def program(f: Callable[..., Any]) -> Callable[..., Any]:
    PROGRAMS[f.__name__] = f
    return f


def plain(x: Any) -> Any:
    """Arrays, tuples and bytes as JSON has them."""
    if isinstance(x, dict):
        return {k: plain(v) for k, v in sorted(x.items())}
    if isinstance(x, (list, tuple)):
        return [plain(v) for v in x]
    if isinstance(x, bytes):
        return x.decode()
    if hasattr(x, "tolist"):
        return plain(x.tolist())
    return x


def drain(tf: Any, dataset: Any, limit: int = 200, rounds: int = 1) -> Any:
    """The elements an initializable iterator gives, `rounds` times."""
    iterator = dataset.make_initializable_iterator()
    element = iterator.get_next()
    out = []
    with tf.Session() as s:
        for _ in range(rounds):
            s.run(iterator.initializer)
            got = []
            for _ in range(limit):
                try:
                    got.append(plain(s.run(element)))
                except tf.errors.OutOfRangeError:
                    got.append("end")
                    break
            out.append(got)
    return out[0] if rounds == 1 else out


def error(f: Callable[[], Any]) -> list[str]:
    """The type and the first line of what `f` raises."""
    try:
        f()
    except Exception as e:
        return [type(e).__name__, str(e).split("\n")[0]]
    return ["no error", ""]


@program
def pipelines(tf: Any, np: Any, folder: str) -> Any:
    d = tf.data.Dataset
    x = np.arange(12.0, dtype=np.float32).reshape(6, 2)
    table = {
        "slices": d.from_tensor_slices((x, {"a": [1, 2, 3, 4, 5, 6]})).batch(4),
        "tensors": d.from_tensors((x, 3)).repeat(2),
        "range": d.range(3, 11, 2),
        "down": d.range(5, 0, -2),
        "map_filter": d.range(8).map(lambda v: v * 2 + 1).filter(lambda v: v > 5).batch(2),
        "two_outputs": d.range(3).map(lambda v: (v, tf.cast(v, tf.float32) / 2.0)),
        "swap": d.from_tensor_slices((x, x[:, 0])).map(lambda a, b: (b, a)).batch(3),
        "dict": d.range(3).map(lambda v: {"x": v, "y": v * v}).map(lambda e: e["x"] + e["y"]),
        "flat_map": d.range(4).flat_map(lambda v: d.range(v).map(lambda w: w + v)),
        "interleave": d.range(1, 5).interleave(lambda v: d.from_tensors(v).repeat(5), 2, 3),
        "interleave_1": d.range(1, 5).interleave(lambda v: d.range(v), 3),
        "take_skip": d.range(10).skip(2).take(5).shard(2, 1),
        "take_all": d.range(3).take(-1),
        "skip_all": d.range(3).skip(-1),
        "concatenate": d.range(2).concatenate(d.range(5, 7)),
        "zip": d.zip((d.range(3), {"k": d.range(10, 20)})),
        "enumerate": d.from_tensor_slices(["a", "b", "c"]).enumerate(4),
        "window": d.range(7).window(3).flat_map(lambda w: w.batch(3)),
        "window_shift": d.range(7).window(3, 1, 2, True).flat_map(lambda w: w.batch(3)),
        "drop": d.range(7).batch(3, drop_remainder=True),
        "unbatch": d.from_tensor_slices(x).batch(4).apply(tf.data.experimental.unbatch()),
        "padded": d.range(1, 6)
        .map(lambda v: tf.fill([tf.cast(v, tf.int32)], v))
        .padded_batch(2, [None]),
        "padded_value": d.range(1, 4)
        .map(lambda v: (tf.fill([tf.cast(v, tf.int32)], v), v))
        .padded_batch(2, ([4], []), padding_values=(np.int64(-1), np.int64(0))),
        "cache": d.range(3).map(lambda v: v + 1).cache().repeat(2),
        "strings": d.from_tensor_slices(["x", "yy"]).batch(2),
        "repeat_0": d.range(3).repeat(0),
        "options": d.range(3).with_options(tf.data.Options()).prefetch(2),
        "group": d.range(10).apply(
            tf.data.experimental.group_by_window(
                lambda v: v % 3, lambda k, w: w.batch(2), window_size=2
            )
        ),
        "scan": d.range(5).apply(
            tf.data.experimental.scan(np.int64(0), lambda s, v: (s + v, s * v))
        ),
        "take_while": d.range(9).apply(tf.data.experimental.take_while(lambda v: v < 4)),
        "unique": d.from_tensor_slices([1, 2, 1, 3, 2]).apply(tf.data.experimental.unique()),
        "choose": tf.data.experimental.choose_from_datasets(
            [d.range(3), d.range(10, 15)], d.from_tensor_slices(np.array([0, 1, 1, 0], np.int64))
        ),
        "counter": tf.data.experimental.Counter(3, 2).take(3),
        "bucket": d.range(1, 7)
        .map(lambda v: tf.fill([tf.cast(v, tf.int32)], v))
        .apply(
            tf.data.experimental.bucket_by_sequence_length(
                lambda v: tf.shape(v)[0], [3, 5], [2, 2, 2]
            )
        ),
    }
    return {k: drain(tf, v) for k, v in sorted(table.items())}


@program
def orders(tf: Any, np: Any, folder: str) -> Any:
    """Shuffled orders, which the seeds decide."""
    d = tf.data.Dataset
    out = {
        "plain": drain(tf, d.range(10).shuffle(10, seed=3), rounds=2),
        "small_buffer": drain(tf, d.range(10).shuffle(4, seed=3)),
        "repeat": drain(tf, d.range(6).shuffle(4, seed=3).repeat(3)),
        "repeat_large": drain(tf, d.range(6).shuffle(10, seed=3).repeat(3)),
        "batch_repeat": drain(tf, d.range(6).shuffle(6, seed=3).batch(2).repeat(3)),
        "fixed": drain(tf, d.range(6).shuffle(6, 3, reshuffle_each_iteration=False).repeat(3)),
        "repeat_shuffle": drain(tf, d.range(6).repeat(3).shuffle(4, seed=3)),
        "mapped": drain(tf, d.range(6).map(lambda v: v + 1).shuffle(3, seed=8).repeat(2)),
    }
    tf.set_random_seed(5)
    out["graph_seed"] = drain(tf, d.range(6).shuffle(6).batch(2).repeat(3), rounds=2)
    out["large"] = drain(tf, d.range(3000).shuffle(1500, seed=1).batch(1000))
    return out


@program
def random_functions(tf: Any, np: Any, folder: str) -> Any:
    """Random numbers in functions, and behind datasets: the seeds count operations."""
    tf.set_random_seed(5)
    d = tf.data.Dataset
    a = d.range(3).map(lambda v: tf.random_uniform([]))
    b = d.range(3).map(lambda v: tf.random_uniform([]) + tf.random_uniform([], seed=2))
    out = [drain(tf, a, rounds=2), drain(tf, b)]
    after = tf.random_uniform([3])
    with tf.Session() as s:
        return [*out, plain(s.run(after)), tf.get_default_graph().version]


@program
def operations(tf: Any, np: Any, folder: str) -> Any:
    """Names and numbers of operations."""
    d = tf.data.Dataset
    x = np.arange(12.0, dtype=np.float32).reshape(6, 2)
    handle = tf.placeholder(tf.string, [])
    makers = [
        lambda: d.from_tensor_slices((x, x)).shuffle(10).batch(2).repeat().make_one_shot_iterator(),
        lambda: d.from_tensor_slices(x).map(lambda t: t * 2).batch(2).prefetch(1)
        .make_initializable_iterator(),
        lambda: tf.data.Iterator.from_structure(tf.int64, tf.TensorShape([])),
        lambda: tf.data.Iterator.from_string_handle(handle, tf.int64, tf.TensorShape([])),
        lambda: d.range(3).shuffle(10, seed=3).filter(lambda v: v > 0).take(3).skip(1).shard(2, 0)
        .make_one_shot_iterator(),
        lambda: d.zip((d.range(3), d.range(3))).concatenate(d.zip((d.range(3), d.range(3))))
        .cache().make_one_shot_iterator(),
        lambda: d.from_generator(lambda: iter([1]), tf.int32).make_one_shot_iterator(),
        lambda: d.range(3).interleave(lambda t: d.range(t), 2).make_one_shot_iterator(),
        lambda: d.from_tensors([1, 2]).padded_batch(2, [None]).make_one_shot_iterator(),
        lambda: d.range(3).map(lambda v: v, num_parallel_calls=2).make_one_shot_iterator(),
    ]  # fmt: skip
    out = []
    for make in makers:
        it = make()
        first = it.get_next()
        while isinstance(first, tuple):
            first = first[0]
        out.append([first.name, str(first.shape), tf.get_default_graph().version])
    it = tf.data.Iterator.from_structure(tf.int64, tf.TensorShape([]))
    out.append([it.make_initializer(d.range(3)).name, it.make_initializer(d.range(3)).name])
    out.append(d.range(3).make_initializable_iterator().initializer.name)
    d.range(3).reduce(0, lambda a, b: a + 1)
    out.append(tf.get_default_graph().version)
    return out


@program
def kinds(tf: Any, np: Any, folder: str) -> Any:
    """Static shapes and element types."""
    d = tf.data.Dataset
    x = np.zeros((6, 2), np.float32)
    found = [
        d.from_tensor_slices((x, {"a": [1, 2, 3, 4, 5, 6]})).batch(4),
        d.range(3).batch(2, drop_remainder=True),
        d.range(3).map(lambda v: [v, v]),
        d.from_generator(lambda: iter([1]), (tf.int32, tf.string), ([None, 2], [])),
        d.from_generator(lambda: iter([1]), tf.int32),
        d.from_tensors([1, 2]).padded_batch(2, [None]),
        d.from_tensor_slices(x).concatenate(d.from_tensors(np.zeros(3, np.float32))),
        d.from_tensor_slices(x).repeat().shuffle(2).take(1).cache().prefetch(1),
        tf.data.TextLineDataset("f"),
        tf.data.FixedLengthRecordDataset("f", 3),
    ]
    return [[str(v.output_types), str(v.output_shapes), repr(v)] for v in found]


@program
def iterators(tf: Any, np: Any, folder: str) -> Any:
    d = tf.data.Dataset
    out: dict[str, Any] = {}
    # one iterator, two datasets
    train, test = d.range(3).map(lambda v: v + 100), d.range(2)
    it = tf.data.Iterator.from_structure(train.output_types, train.output_shapes)
    x = it.get_next()
    starts = [it.make_initializer(train), it.make_initializer(test)]
    with tf.Session() as s:
        got = []
        for i in (0, 1, 0):
            s.run(starts[i])
            while True:
                try:
                    got.append(plain(s.run(x)))
                except tf.errors.OutOfRangeError:
                    break
        out["structure"] = got
    # handles
    handle = tf.placeholder(tf.string, [])
    it = tf.data.Iterator.from_string_handle(handle, train.output_types, train.output_shapes)
    x = it.get_next()
    one = train.repeat().make_one_shot_iterator()
    two = test.make_initializable_iterator()
    with tf.Session() as s:
        h1, h2 = s.run([one.string_handle(), two.string_handle()])
        s.run(two.initializer)
        got = [plain(s.run(x, {handle: h})) for h in (h1, h1, h2, h1, h2, h1)]
        got.append(error(lambda: s.run(x, {handle: h2})))
        out["handle"] = got
    # placeholders
    p = tf.placeholder(tf.float32, [None, 2])
    n = tf.placeholder(tf.int64, [])
    it = d.from_tensor_slices(p).batch(n).make_initializable_iterator()
    x = it.get_next()
    y = tf.reduce_sum(x, axis=0)
    with tf.Session() as s:
        got = []
        for rows, size in ((3, 2), (4, 3)):
            value = np.arange(rows * 2.0).reshape(rows, 2)
            s.run(it.initializer, feed_dict={p: value, n: size})
            got.append([plain(s.run([x, y])), plain(s.run(y))])
        out["placeholder"] = got
    # two get_next of one iterator; one run gives one element of each
    it = d.range(6).make_one_shot_iterator()
    a, b = it.get_next(), it.get_next()
    with tf.Session() as s:
        out["two"] = [sorted(plain(s.run([a, b]))), plain(s.run(a)), plain(s.run([a, a, a * 2]))]
    with tf.Session() as s:
        out["new_session"] = plain(s.run(a))
    total = d.range(5).reduce(np.int64(0), lambda s, v: s + v)
    pair = d.range(5).reduce((np.int64(0), 1.0), lambda s, v: (s[0] + 1, s[1] * 2.0))
    only = tf.data.experimental.get_single_element(d.range(5).skip(4))
    with tf.Session() as s:
        out["reduce"] = plain(s.run([total, pair, only]))
        out["single"] = [
            error(lambda: s.run(tf.data.experimental.get_single_element(d.range(2)))),
            error(lambda: s.run(tf.data.experimental.get_single_element(d.range(0)))),
        ]
        counts = [d.range(5), d.range(5).repeat(), d.range(5).filter(lambda v: v > 1),
                  d.range(5).batch(2), d.range(5).batch(2, True), d.range(5).take(2),
                  d.range(5).skip(7), d.zip((d.range(2), d.range(3)))]  # fmt: skip
        out["cardinality"] = plain(s.run([tf.data.experimental.cardinality(v) for v in counts]))
    return out


@program
def sparse(tf: Any, np: Any, folder: str) -> Any:
    """Components that are sparse tensors."""
    d = tf.data.Dataset

    def row(v: Any) -> Any:
        i = tf.stack([[v % 3]])
        return {"s": tf.SparseTensor(i, tf.stack([tf.cast(v, tf.float32)]), [4]), "v": v}

    one = d.from_tensors((tf.SparseTensor([[0, 1], [2, 0]], [1.0, 2.0], [3, 4]), 5))
    made = d.range(1, 6).map(row)
    dense = made.map(lambda e: tf.sparse_tensor_to_dense(e["s"]) * 2.0)
    batched = made.batch(2)
    kept = made.filter(lambda e: tf.reduce_sum(e["s"].values) > 2.0).map(lambda e: e["s"].indices)
    kinds = [repr(x.output_types) + repr(x.output_shapes) for x in (one, made, batched)]
    classes = [c.__name__ for c in one.output_classes]
    x = batched.make_one_shot_iterator().get_next()
    total = tf.sparse_reduce_sum(x["s"])
    with tf.Session() as s:
        both = plain(s.run([total, x["s"].dense_shape]))
    slices = d.from_sparse_tensor_slices(
        tf.SparseTensor([[0, 1], [0, 2], [3, 0]], [1, 2, 3], [4, 5])
    )
    found = [drain(tf, x) for x in (slices, one, dense, kept, batched)]
    return [*found, kinds, classes, both]


@program
def generators(tf: Any, np: Any, folder: str) -> Any:
    d = tf.data.Dataset

    def gen(n: Any = 3) -> Any:
        for i in range(int(n)):
            yield i, [float(i)] * i

    out = {
        "ragged": drain(tf, d.from_generator(gen, (tf.int32, tf.float32), ([], [None]))),
        "batch": drain(
            tf,
            d.from_generator(gen, (tf.int32, tf.float32), ([], [None]))
            .padded_batch(2, ([], [None])),
        ),
        "args": drain(tf, d.from_generator(gen, (tf.int32, tf.float32), args=(5,)).take(2)),
        "list": drain(tf, d.from_generator(lambda: [1, 2, 3], tf.int64)),
        "strings": drain(tf, d.from_generator(lambda: iter(["a", b"b"]), tf.string, [])),
        "dict": drain(tf, d.from_generator(lambda: iter([{"a": 1, "b": 2.5}]),
                                           {"a": tf.int32, "b": tf.float32})),
    }  # fmt: skip
    return out


@program
def files(tf: Any, np: Any, folder: str) -> Any:
    d = tf.data.Dataset
    names = []
    for i in range(2):
        names.append(os.path.join(folder, f"f{i}.txt"))
        with open(names[-1], "wb") as f:
            f.write(b"line %d\r\n\nlast" % i)
    table = os.path.join(folder, "t.csv")
    with open(table, "w") as f:
        f.write('a,b,c\n1,2.5,x\n3,,"y,z"\n')
    binary = os.path.join(folder, "b.bin")
    with open(binary, "wb") as f:
        f.write(b"HHabcdefghF")
    base = len(folder) + 1
    listed = d.list_files(os.path.join(folder, "f*.txt"), shuffle=False)
    return {
        "text": drain(tf, tf.data.TextLineDataset(names)),
        "text_parallel": drain(tf, tf.data.TextLineDataset(names, num_parallel_reads=2)),
        "from_dataset": drain(tf, d.from_tensor_slices(names).flat_map(tf.data.TextLineDataset)),
        "skip": drain(tf, tf.data.TextLineDataset(names[0]).skip(1)),
        "csv": drain(tf, tf.data.experimental.CsvDataset(
            table, [[0], [-1.0], [""]], header=True)),
        "csv_select": drain(tf, tf.data.experimental.CsvDataset(
            table, [tf.int32, tf.string], header=True, select_cols=[0, 2])),
        "fixed": drain(tf, tf.data.FixedLengthRecordDataset(binary, 4, 2, 1)),
        "list": [x if x == "end" else x[base:] for x in drain(tf, listed)],
        "missing": error(lambda: drain(tf, tf.data.TextLineDataset("/nonexistent"))),
    }  # fmt: skip


@program
def refusals(tf: Any, np: Any, folder: str) -> Any:
    d = tf.data.Dataset

    def uninitialised() -> None:
        x = d.range(1).make_initializable_iterator().get_next()
        with tf.Session() as s:
            s.run(x)

    def one_shot(t: Any) -> Callable[[], Any]:
        return lambda: d.from_tensor_slices(t).make_one_shot_iterator()

    structure = tf.data.Iterator.from_structure
    cases: list[Callable[[], Any]] = [
        uninitialised,
        one_shot(tf.placeholder(tf.float32, [2], name="p")),
        lambda: d.range(3).make_one_shot_iterator().initializer,
        lambda: structure(tf.int64).make_initializer(d.from_tensors(1.0)),
        lambda: structure(tf.int64, tf.TensorShape([2])).make_initializer(d.range(3)),
        lambda: d.from_tensor_slices(([1, 2], [1, 2, 3])),
        lambda: d.zip([d.range(3)]),
        lambda: d.zip((d.range(3), 3)),
        lambda: d.range(3).filter(lambda v: v),
        lambda: drain(tf, d.range(3).batch(0)),
        lambda: drain(tf, d.range(3).shuffle(0)),
        lambda: drain(tf, d.from_generator(lambda: iter(["a"]), tf.int32)),
        lambda: drain(tf, d.from_generator(lambda: iter([[1, 2]]), tf.int32, [3])),
        lambda: drain(tf, d.from_generator(lambda: iter([(1, 2)]), (tf.int32,) * 3)),
        lambda: drain(tf, d.range(3).map(lambda v: tf.fill([tf.cast(v, tf.int32)], 1)).batch(3)),
        lambda: d.range(3).concatenate(d.from_tensors(1.0)),
        lambda: d.range(3).padded_batch(2, [None]),
        lambda: d.from_tensors([1, 2, 3]).padded_batch(2, [2]),
        lambda: d.range(3).map(lambda v: None),
        lambda: drain(tf, d.range(3).shard(2, 3)),
        lambda: iter(d.range(3)),
    ]
    return [error(c) for c in cases]


def outcomes(tf: Any, np: Any, dataset: Any, limit: int = 40) -> Any:
    """Elements, and names of errors in their places."""
    iterator = dataset.make_initializable_iterator()
    element = iterator.get_next()
    out: list[Any] = []
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        s.run(iterator.initializer)
        for _ in range(limit):
            try:
                out.append(plain(np.array(s.run(element))))
            except tf.errors.OutOfRangeError:
                out.append("end")
                break
            except tf.errors.InvalidArgumentError:
                out.append("failed")
    return out


@program
def behind_failures(tf: Any, np: Any, folder: str) -> Any:
    """Iteration goes on behind an element that fails."""
    data, more = tf.data.Dataset, tf.data.experimental

    def some(*numbers: float) -> Any:
        x = np.array(numbers or (1, 2, 0, 3, 0, 4, 5), np.float32)
        return data.from_tensor_slices(x).map(lambda v: tf.check_numerics(v + 0 * (1 / v), "bad"))

    makers: dict[str, Callable[[], Any]] = {
        "map": some,
        "take": lambda: some().take(5),
        "skip": lambda: some().skip(2),
        "skip_more": lambda: some().skip(4),
        "flat_map": lambda: some().flat_map(lambda x: data.from_tensors(x).repeat(2)),
        "flat_map_inner": lambda: data.range(3).flat_map(lambda i: some().take(4)),
        "flat_map_fails": lambda: data.range(4).flat_map(
            lambda i: data.from_tensors(
                tf.check_numerics(1.0 / tf.cast(i - 1, tf.float32), "x")
            ).repeat(2)
        ),
        "batch": lambda: some().batch(2),
        "batch_of_three": lambda: some().batch(3),
        "padded": lambda: some().map(lambda x: tf.reshape(x, [1])).padded_batch(2, [None]),
        "unbatch": lambda: some().batch(2).apply(more.unbatch()),
        "repeat": lambda: some().repeat(2),
        "shuffle": lambda: some().shuffle(3, seed=1),
        "filter": lambda: some().filter(lambda x: x > 1.0),
        "zip": lambda: data.zip((some(), data.range(7))).map(
            lambda a, b: a + tf.cast(b, tf.float32)
        ),
        "concatenate": lambda: some().concatenate(some().take(1)),
        "ignore": lambda: some().apply(more.ignore_errors()),
        "interleave": lambda: some().interleave(lambda x: data.from_tensors(x).repeat(2), 2, 1),
        "cache": lambda: some().cache(),
        "window": lambda: some().window(2).flat_map(lambda d: d.batch(2)),
        "shard": lambda: some(1, 0, 2, 3, 0, 4).shard(2, 0),
        "scan": lambda: some().apply(more.scan(0.0, lambda s, x: (s + x, s + x))),
        "prefetch": lambda: some().prefetch(2),
    }
    out = {}
    for name, make in makers.items():
        with tf.Graph().as_default():
            out[name] = outcomes(tf, np, make())
    return out


@program
def shuffles_and_variables(tf: Any, np: Any, folder: str) -> Any:
    """Where a function reads a variable, TensorFlow does not join shuffle and repeat."""
    data, more = tf.data.Dataset, tf.data.experimental

    def add(d: Any, what: str) -> Any:
        v = tf.Variable(10, dtype=tf.int64)
        read = {"variable": v, "made": v.read_value() * 2, "constant": tf.constant(7, tf.int64)}
        return d.map(lambda x: x + read[what])

    makers: dict[str, Callable[[Any], Any]] = {
        "before": lambda w: add(data.range(5), w).shuffle(5, seed=3).repeat(3),
        "between": lambda w: add(data.range(5).shuffle(5, seed=3), w).repeat(3),
        "behind": lambda w: add(data.range(5).shuffle(5, seed=3).repeat(3), w),
        "joined": lambda w: add(data.range(5), w).apply(more.shuffle_and_repeat(3, 3, seed=3)),
        "once": lambda w: (
            add(data.range(5), w).shuffle(5, seed=3, reshuffle_each_iteration=False).repeat(3)
        ),
        "batched": lambda w: add(data.range(5), w).shuffle(2, seed=3).batch(2).repeat(2),
    }
    out = {}
    for name, make in makers.items():
        for what in ("variable", "made", "constant"):
            with tf.Graph().as_default():
                out[f"{name} {what}"] = outcomes(tf, np, make(what))
    return out
