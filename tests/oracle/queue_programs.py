"""Programs of queues, readers and threads, recorded with TensorFlow 1.15."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from typing import Any

from data_programs import error as raised
from data_programs import plain

PROGRAMS: dict[str, Callable[..., Any]] = {}


def error(f: Callable[[], Any]) -> list[str]:
    """What `f` raises, without the number that TensorFlow gives a resource."""
    kind, text = raised(f)
    return [kind, re.sub(r"'_\d+_", "'_0_", text)]


def program(f: Callable[..., Any]) -> Callable[..., Any]:
    PROGRAMS[f.__name__] = f
    return f


@program
def queues(tf: Any, np: Any, folder: str) -> Any:
    out: dict[str, Any] = {}
    q = tf.FIFOQueue(10, [tf.float32, tf.int32], [[], [2]])
    put = q.enqueue([1.5, [1, 2]])
    put_many = q.enqueue_many([[3.0, 4.0, 5.0], [[1, 1], [2, 2], [3, 3]]])
    one, two, up = q.dequeue(), q.dequeue_many(2), q.dequeue_up_to(5)
    size, close, closed = q.size(), q.close(), q.is_closed()
    out["names"] = [
        put.name, put_many.name, one[0].name, two[1].name, up[0].name, size.name, close.name,
        closed.name, q.name, str(two[1].shape), str(up[1].shape), str(one[1].shape),
        tf.get_default_graph().version,
    ]  # fmt: skip
    with tf.Session() as s:
        s.run(put)
        s.run(put_many)
        got = [plain(s.run(size)), plain(s.run(one)), plain(s.run(two))]
        s.run(put)
        got.append(plain(s.run(closed)))
        s.run(close)
        got.append(plain(s.run(closed)))
        got.append(error(lambda: s.run(put)))
        got.append(plain(s.run(up)))
        got.append(error(lambda: s.run(one)))
        got.append(error(lambda: s.run(two)))
        out["fifo"] = got
    with tf.Session() as s:  # its own queue
        out["other_session"] = plain(s.run(size))

    q = tf.PaddingFIFOQueue(5, tf.int32, [[None]])
    puts = [q.enqueue([v]) for v in ([1], [2, 3], [4, 5, 6])]
    many = q.dequeue_many(3)
    with tf.Session() as s:
        for p in puts:
            s.run(p)
        out["padding"] = [plain(s.run(many)), str(many.shape)]

    q = tf.PriorityQueue(5, tf.string, [[]])
    put = q.enqueue_many([np.array([3, 1, 2], np.int64), ["c", "a", "b"]])
    one = q.dequeue()
    with tf.Session() as s:
        s.run(put)
        out["priority"] = [plain(s.run(one)) for _ in range(3)]

    q = tf.RandomShuffleQueue(50, 0, tf.int32, [[]], seed=4)
    put, one, many = q.enqueue_many([list(range(20))]), q.dequeue(), q.dequeue_many(10)
    with tf.Session() as s:
        s.run(put)
        out["shuffled"] = [plain(s.run(one)) for _ in range(10)] + plain(s.run(many))

    q = tf.FIFOQueue(5, tf.float32, names=["x"])
    put, one = q.enqueue({"x": 2.0}), q.dequeue()
    many = q.dequeue_many(1)
    with tf.Session() as s:
        s.run(put)
        out["named"] = plain(s.run(one))
        s.run(put)
        out["no_shapes"] = error(lambda: s.run(many))[0]
    out["refusals"] = [
        error(lambda: tf.FIFOQueue(3, tf.float32, [[2]]).enqueue([[1.0, 2.0, 3.0]])),
        error(lambda: q.enqueue(1.0)),
    ]
    return out


@program
def waiting(tf: Any, np: Any, folder: str) -> Any:
    """Threads that put in and take out through a queue of two."""
    q = tf.FIFOQueue(2, tf.int32, [[]])
    x = tf.placeholder(tf.int32, [])
    put, take = q.enqueue(x), q.dequeue()
    square = take * take
    close = q.close()
    with tf.Session() as s:

        def work() -> None:
            for i in range(30):
                s.run(put, {x: i})
            s.run(close)

        t = threading.Thread(target=work)
        t.start()
        got = []
        while True:
            try:
                got.append(plain(s.run(square)))
            except tf.errors.OutOfRangeError:
                break
        t.join()
    return got


@program
def producers(tf: Any, np: Any, folder: str) -> Any:
    out: dict[str, Any] = {}
    names = []
    for i in range(2):
        names.append(os.path.join(folder, f"f{i}.txt"))
        with open(names[-1], "wb") as f:
            f.write(b"%d,1.5,a\n%d,,b\n" % (i, i + 10))
    queue = tf.train.string_input_producer(names, num_epochs=2, shuffle=False)
    reader = tf.TextLineReader()
    key, value = reader.read(queue)
    a, b, c = tf.decode_csv(value, [[0], [-1.0], [""]])
    whole = tf.WholeFileReader().read(tf.train.string_input_producer(names[:1], num_epochs=1))[1]
    numbers = tf.train.range_input_producer(3, num_epochs=2, shuffle=False).dequeue()
    rows = tf.train.slice_input_producer([[1, 2, 3], ["x", "y", "z"]], num_epochs=1, shuffle=False)
    produced, units = reader.num_records_produced(), reader.num_work_units_completed()
    base = len(folder) + 1
    with tf.Session() as s:
        s.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=s, coord=coord)

        def all_of(t: Any) -> Any:
            got = []
            while True:
                try:
                    got.append(plain(s.run(t)))
                except tf.errors.OutOfRangeError as e:
                    got.append(e.message.split("\n")[0].split("'")[0])
                    return got

        lines = all_of([key, a, b, c])
        out["lines"] = [[k[0][base:], *k[1:]] if isinstance(k, list) else k for k in lines]
        out["counts"] = plain(s.run([produced, units]))
        out["whole"] = all_of(whole)
        out["range"] = all_of(numbers)
        out["slices"] = all_of(rows)
        coord.request_stop()
        coord.join(threads)
        out["threads"] = [len(threads), any(t.is_alive() for t in threads)]
    return out


@program
def batches(tf: Any, np: Any, folder: str) -> Any:
    out: dict[str, Any] = {}
    numbers = tf.train.range_input_producer(10, num_epochs=1, shuffle=False).dequeue()
    pair = tf.train.batch([numbers, tf.cast(numbers, tf.float32) * 2.0], 4,
                          allow_smaller_final_batch=True)  # fmt: skip
    other = tf.train.range_input_producer(10, num_epochs=1, shuffle=False).dequeue()
    full = tf.train.batch({"n": other}, 4)
    many = tf.train.batch([[1, 2, 3, 4, 5]], 3, enqueue_many=True)
    third = tf.train.range_input_producer(4, num_epochs=1, shuffle=False).dequeue()
    padded = tf.train.batch([tf.fill([third + 1], third)], 2, dynamic_pad=True)
    fourth = tf.train.range_input_producer(20, num_epochs=1, shuffle=False).dequeue()
    mixed = tf.train.shuffle_batch([fourth], 5, capacity=30, min_after_dequeue=10)
    out["names"] = [pair[0].name, full["n"].name, many.name, padded.name, mixed.name]
    out["shapes"] = [str(t.shape) for t in (*pair, full["n"], many, padded, mixed)]
    with tf.Session() as s:
        s.run(tf.local_variables_initializer())
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=s, coord=coord)

        def all_of(t: Any) -> Any:
            got = []
            while True:
                try:
                    got.append(plain(s.run(t)))
                except tf.errors.OutOfRangeError:
                    return got

        out["pair"], out["full"], out["padded"] = all_of(pair), all_of(full), all_of(padded)
        out["many"] = [plain(s.run(many)) for _ in range(3)]
        drawn = all_of(mixed)
        out["mixed"] = [len(drawn), sorted(x for row in drawn for x in row)]
        coord.request_stop()
        coord.join(threads)
    return out


@program
def failures(tf: Any, np: Any, folder: str) -> Any:
    """What a thread raises comes out of `join`."""
    x = tf.placeholder_with_default(np.float32(1.0), [])
    q = tf.FIFOQueue(2, tf.float32, [[]])
    bad = tf.py_func(lambda v: 1 / 0, [x], tf.float32)
    bad.set_shape([])
    tf.train.add_queue_runner(tf.train.QueueRunner(q, [q.enqueue(bad)]))
    got = q.dequeue()
    with tf.Session() as s:
        coord = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=s, coord=coord)
        first = error(lambda: s.run(got))[0]
        second = error(lambda: coord.join(threads))[0]
    out = [first, second]
    coord = tf.train.Coordinator()
    with coord.stop_on_exception():
        raise ValueError("from a block")
    out.append([coord.should_stop(), error(lambda: coord.join([]))])
    coord = tf.train.Coordinator()
    with coord.stop_on_exception():
        raise tf.errors.OutOfRangeError(None, None, "end")
    out.append([coord.should_stop(), error(lambda: coord.join([]))])
    coord.clear_stop()
    out.append([coord.should_stop(), coord.joined])
    out.append(error(lambda: tf.train.start_queue_runners())[0])
    return out


@program
def files(tf: Any, np: Any, folder: str) -> Any:
    path = os.path.join(folder, "sub", "x.txt")
    write = tf.write_file(path, "hello")
    content = tf.read_file(path)
    names = tf.matching_files(os.path.join(folder, "sub", "*.txt"))
    columns = tf.decode_csv(["1,2.5,x", '3,,"y,z"'], [[0], [-1.0], ["d"]])
    required = tf.decode_csv(",1", [tf.constant([], tf.int32), [0]])
    wrong = tf.decode_csv("1,2,3", [[0], [0]])
    letters = tf.decode_csv("a", [[0]])
    picked = tf.decode_csv("1|2|3", [[0], [0]], field_delim="|", select_cols=[0, 2])
    with tf.Session() as s:
        s.run(write)
        base = len(folder) + 1
        return [
            plain(s.run(content)),
            [n[base:] for n in plain(s.run(names))],
            plain(s.run(columns)),
            plain(s.run(picked)),
            error(lambda: s.run(required)),
            error(lambda: s.run(wrong)),
            error(lambda: s.run(letters)),
            error(lambda: s.run(tf.read_file("/nonexistent"))),
            [t.name for t in columns],
        ]
