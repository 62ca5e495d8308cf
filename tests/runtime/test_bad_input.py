"""What a run must survive (RELIABILITY sections 2 and 6): every row a test."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from patience import LONG

import graphc as tf
from graphc.runtime.llvm import jit

Array = np.ndarray[Any, Any]
TOO_BIG = (MemoryError, tf.errors.ResourceExhaustedError)
BAD = tf.errors.InvalidArgumentError


@pytest.fixture(autouse=True)
def graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def run(fetch: Any, feed: Any = None) -> Any:
    with tf.Session() as sess:
        return sess.run(fetch, feed)


def child(code: str, *flags: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """A Python that runs `code` with tf, np and what it needs to misbehave."""
    head = "import os, sys, time, signal, threading\nimport numpy as np\nimport graphc as tf\n"
    return subprocess.run(
        [sys.executable, *flags, "-c", head + textwrap.dedent(code)],
        capture_output=True, text=True, timeout=LONG, check=False, **more,
    )  # fmt: skip


# ------------------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    "make",
    [
        lambda n, x: tf.fill([n], 1.0),
        lambda n, x: tf.zeros([n, n]),
        lambda n, x: tf.tile(x, [n]),
        lambda n, x: tf.range(n),
        lambda n, x: tf.one_hot([1, 2], n),
        lambda n, x: tf.pad(x, [[n, n]]),
        lambda n, x: tf.random_uniform([n]),
        lambda n, x: tf.reduce_sum(tf.cumsum(tf.tile(x, [n]))),
    ],
)  # fmt: skip
@pytest.mark.parametrize("n", [2**50, 2**62, 2**63 - 1])
def test_more_memory_than_there_is(make: Any, n: int) -> None:
    size, x = tf.placeholder(tf.int64, []), tf.placeholder(tf.float32, [None])
    y = make(size, x)
    with tf.Session() as sess:
        with pytest.raises((*TOO_BIG, BAD)) as e:
            sess.run(y, {size: n, x: [1, 2, 3]})
        assert len(str(e.value).splitlines()) <= 12
        assert sess.run(x * 2.0, {x: [1]}) == 2


def test_static_sizes_past_any_memory() -> None:
    for shape in ([2**33, 2**33], [2**62, 4], [2**40, 2**40, 2**40]):
        with pytest.raises(TOO_BIG):
            run(tf.zeros(shape))
    assert run(tf.zeros([2**31, 4], tf.int8)[5, 1]) == 0  # nothing is made of it


def test_negative_sizes() -> None:
    n, x = tf.placeholder(tf.int32, []), tf.placeholder(tf.float32, [None])
    outs = [tf.fill([n], 1.0), tf.zeros([n, n]), tf.range(n), tf.tile(x, [n]), tf.pad(x, [[n, 0]]),
            tf.one_hot([0], n), tf.random_uniform([n]), tf.linspace(0.0, 1.0, n)]  # fmt: skip
    with tf.Session() as sess:
        for y in outs:
            sess.run(y, {n: 3, x: [1]})  # the plan for a good size is there
            for bad in (-1, -(2**31)):
                with pytest.raises(BAD) as e:
                    sess.run(y, {n: bad, x: [1]})
                assert "test_bad_input.py" in str(e.value)
            sess.run(y, {n: 2, x: [1]})


def test_many_axes() -> None:
    p = tf.placeholder(tf.float32)
    assert run(p + 1.0, {p: np.ones([1] * 33)}).shape == (1,) * 33
    assert run(tf.transpose(p), {p: np.ones([1] * 30 + [2])}).shape == (2, *[1] * 30)
    assert run(tf.reduce_sum(p, [0, 5]), {p: np.ones([2] * 16)}).shape == (2,) * 14
    with pytest.raises((ValueError, BAD)):
        run(tf.expand_dims(p + 1.0, 0), {p: np.ones([1] * 64)})


# ------------------------------------------------------------------------- integers


def test_integer_corners() -> None:
    x, y = tf.placeholder(tf.int32, [None]), tf.placeholder(tf.int32, [None])
    low = np.full(20, -(2**31), np.int32)
    minus = np.full(20, -1, np.int32)
    outs = [x // y, x % y, tf.truncatediv(x, y), tf.truncatemod(x, y), -x, tf.abs(x), x * y,
            tf.square(x), tf.bitwise.left_shift(x, y), tf.bitwise.right_shift(x, y)]  # fmt: skip
    want = [low, low * 0, low, low * 0, low, low, low, low * 0, low * 0, minus]
    for g, w in zip(run(outs, {x: low, y: minus}), want, strict=True):
        np.testing.assert_array_equal(g, w)
    with pytest.raises(BAD, match="negative integer powers"):
        run(tf.pow(x, y), {x: low, y: minus})
    for c in (tf.constant(7) // tf.constant(0), tf.constant([7, 1]) % tf.constant([1, 0])):
        with pytest.raises(BAD, match="Integer division by zero"):
            run(c)
    never = tf.where(tf.constant(True), tf.constant(1), tf.constant(1) // tf.constant(0))
    with pytest.raises(BAD, match="Integer division by zero"):
        run(never)


def test_float_to_integer_saturates() -> None:
    f = tf.placeholder(tf.float32, [None])
    v = [np.nan, np.inf, -np.inf, 3e9, -3e9, 1e30, -1.5, 255.9, -0.0] * 4
    for t in (tf.int8, tf.uint8, tf.int16, tf.int32, tf.int64):
        low, high = int(t.min), int(t.max)
        want = [0 if x != x else int(min(max(x, low), high)) for x in v]
        got = run(tf.cast(f, t), {f: v})
        assert [int(g) for g in got] == want
    assert run(tf.cast(f, tf.bool), {f: v}).tolist() == [x != 0 for x in v]


# ------------------------------------------------------------------------- indices


@pytest.mark.parametrize("t", [tf.int32, tf.int64], ids=lambda t: t.name)
def test_indices_out_of_range(t: Any) -> None:
    x, i = tf.placeholder(tf.float32, [None]), tf.placeholder(t, [None])
    column = i[:, None]
    ops = {
        "gather": tf.gather(x, i), "gather_nd": tf.gather_nd(x, column),
        "scatter_nd": tf.scatter_nd(column, x, tf.constant([3], t)),
        "segment": tf.unsorted_segment_sum(x, i, 3), "one_hot": tf.one_hot(i, 3),
        "labels": tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=i, logits=tf.reshape(tf.tile(x, [3]), [-1, 3])),
    }  # fmt: skip
    wide = [2**31, 2**63 - 1, -(2**63)] if t is tf.int64 else []
    with tf.Session() as sess:
        for v in [-1, 3, 2**31 - 1, -(2**31), *wide]:
            for name, y in ops.items():
                feed = {x: [1, 2, 3], i: [0, v, 1]}
                if name == "one_hot":
                    rows = [[1, 0, 0], [0, 0, 0], [0, 1, 0]]
                    np.testing.assert_array_equal(sess.run(y, feed), rows)
                elif name == "segment" and v < 0:
                    np.testing.assert_array_equal(sess.run(y, feed), [1, 3, 0])
                else:
                    with pytest.raises(BAD) as e:
                        sess.run(y, feed)
                    assert str(v) in str(e.value)
                    assert "test_bad_input.py" in str(e.value)
        for name, y in ops.items():
            got = sess.run(y, {x: [1, 2, 3], i: [0, 0, 0]})
            assert name not in ("scatter_nd", "segment") or got.tolist() == [6, 0, 0]
            sess.run(y, {x: [], i: []})


# ------------------------------------------------------------------------- feeds

TYPES = [tf.float32, tf.float64, tf.int32, tf.int64, tf.bool]


def layouts(a: Array) -> dict[str, Any]:
    """The same values in every form that numpy has."""
    big = np.zeros((6, 8), a.dtype)
    big[::2, ::2] = a
    raw = np.zeros(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    raw[...] = a
    locked = a.copy()
    locked.flags.writeable = False
    kind = type("Kind", (np.ndarray,), {})
    return {
        "plain": a, "fortran": np.asfortranarray(a), "strided": big[::2, ::2], "misaligned": raw,
        "negative": a[::-1, ::-1].copy()[::-1, ::-1], "locked": locked, "list": a.tolist(),
        "tuple": tuple(map(tuple, a.tolist())), "objects": a.astype(object), "sub": a.view(kind),
        "big endian": a.astype(a.dtype.newbyteorder(">")), "repeated": np.broadcast_to(a, (3, 4)),
        "offset": np.concatenate([a.ravel()[:1], a.ravel()])[1:].reshape(a.shape),
    }  # fmt: skip


@pytest.mark.parametrize("shape", [[3, 4], [None, 4], None], ids=str)
@pytest.mark.parametrize("t", TYPES, ids=lambda t: t.name)
def test_feed_layouts(t: Any, shape: Any) -> None:
    x = tf.placeholder(t, shape)
    outs = [tf.concat([x, x], 0), tf.logical_not(x) if t is tf.bool else x * 2]
    a = (np.arange(12).reshape(3, 4) % 5).astype(t.as_numpy_dtype)
    with tf.Session() as sess:
        for _ in range(2):
            for name, v in layouts(a).items():
                before = np.array(v)
                got = sess.run(outs, {x: v})
                np.testing.assert_array_equal(got[0], np.concatenate([a, a]), name)
                np.testing.assert_array_equal(got[1], ~a if t is tf.bool else a * 2, name)
                np.testing.assert_array_equal(before, v, name)
            odd = (np.zeros((3, 4), "M8[s]"), [[1, 2], [3]], [[object()] * 4] * 3)
            for bad in (np.ma.masked_array(a), a.astype(complex), [["a"] * 4] * 3, None, *odd):
                with pytest.raises((TypeError, ValueError)) as e:
                    sess.run(outs, {x: bad})
                assert len(str(e.value).splitlines()) <= 12
            if shape is not None:
                with pytest.raises(ValueError, match=r"Cannot feed value of shape \(3, 2\)"):
                    sess.run(outs, {x: a[:, :2]})


def test_bools_of_other_bytes() -> None:
    x = tf.placeholder(tf.bool, [None])
    a = np.array([0, 1, 2, 255] * 9, np.uint8).view(bool)
    true = [False, True, True, True] * 9
    outs = [x, tf.concat([x, x[:0]], 0), tf.equal(x, true), tf.cast(x, tf.int32), x[::-1],
            tf.gather(x, tf.range(36))]  # fmt: skip
    with tf.Session() as sess:
        for _ in range(2):
            got = sess.run(outs, {x: a})
            assert set(np.concatenate([g.view(np.uint8) for g in got if g.dtype == bool])) == {0, 1}
            assert got[2].all()
            assert got[3].tolist() == [int(b) for b in true]


def test_one_array_for_two_placeholders() -> None:
    x, y = tf.placeholder(tf.float32, [None]), tf.placeholder(tf.float32, [None])
    a = np.arange(1000, dtype=np.float32)
    np.testing.assert_array_equal(run(x - y, {x: a, y: a}), a * 0)
    np.testing.assert_array_equal(run(x[::-1] + y, {x: a[:-1], y: a[1:]}), a[-2::-1] + a[1:])


# ------------------------------------------------------------------------- deep and wide graphs


@pytest.fixture
def shallow() -> Iterator[None]:
    old = sys.getrecursionlimit()
    sys.setrecursionlimit(200)
    yield
    sys.setrecursionlimit(old)


@pytest.mark.parametrize("n", [3_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_chain(n: int, shallow: None) -> None:
    x = tf.placeholder(tf.float32, [None])
    y = x
    for _ in range(n):
        y = y + 1.0
    np.testing.assert_array_equal(run(y, {x: [0, 1]}), [n, n + 1])
    np.testing.assert_array_equal(run(tf.gradients(y, x)[0], {x: [0, 1]}), [1, 1])


@pytest.mark.parametrize("n", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_sum_of_many(n: int, shallow: None) -> None:
    x = tf.placeholder(tf.float32, [None])
    y = tf.add_n([x * float(i % 7) for i in range(n)])
    want = float(sum(i % 7 for i in range(n)))
    np.testing.assert_array_equal(run(y, {x: [1, 2]}), [want, 2 * want])
    np.testing.assert_array_equal(run(tf.gradients(y, x)[0], {x: [1, 2]}), [want, want])


@pytest.mark.slow
def test_fan_out(shallow: None) -> None:
    """One kernel for each distinct constant: slow to compile, but done."""
    x = tf.placeholder(tf.float32, [None])
    h = tf.abs(x)
    got = run([h + float(i) for i in range(300)], {x: [1, -2]})
    np.testing.assert_array_equal(got, [[1 + i, 2 + i] for i in range(300)])


def test_many_variables() -> None:
    vs = [tf.Variable(float(i)) for i in range(100)]
    step = tf.group(*[v.assign(vs[i - 1] + 1.0) for i, v in enumerate(vs)])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(step)
        assert sess.run(vs) == [100.0, *[float(i) for i in range(1, 100)]]


# ------------------------------------------------------------------------- the process


def test_interrupt_leaves_the_session_usable() -> None:
    done = child(
        """
        x = tf.placeholder(tf.float32, [None])
        v = tf.Variable(0.0)
        y = x
        for _ in range(40):
            y = tf.sin(tf.cumsum(y))
        up = v.assign_add(tf.reduce_sum(y) * 0.0 + 1.0)
        s = tf.Session()
        s.run(tf.global_variables_initializer())
        a = np.ones(3_000_000, np.float32)
        s.run(up, {x: a[:10]})
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
        at = []
        def interrupt():
            at.append(time.process_time())  # a machine may do other things
            os.kill(os.getpid(), signal.SIGINT)
        try:
            threading.Timer(0.3, interrupt).start()
            while True:
                s.run(up, {x: a})
        except KeyboardInterrupt:
            print("late" if time.process_time() - at[0] > 4.0 else "stopped")
        n = s.run(v)
        s.run(up, {x: a[:10]})
        print(s.run(v) - n)
        """
    )
    assert done.stdout.split() == ["stopped", "1.0"], done.stdout + done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_fork_after_use() -> None:
    done = child(
        """
        x = tf.placeholder(tf.float32, [None])
        y = tf.reduce_sum(tf.tanh(x))
        s = tf.Session()
        a = np.zeros(2_000_000, np.float32)
        s.run(y, {x: a})
        pid = os.fork()
        if not pid:
            s.run(y, {x: a})
            with tf.Graph().as_default(), tf.Session() as other:
                p = tf.placeholder(tf.float32, [None])
                other.run(tf.exp(p * 3.25) - 1.5, {p: a})
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), s.run(y, {x: a}))
        """
    )
    assert done.stdout.split() == ["7", "0.0"], done.stdout + done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs RLIMIT_AS")
def test_little_memory_is_an_error() -> None:
    done = child(
        """
        import resource
        x = tf.placeholder(tf.float32, [None])
        y = tf.cumsum(x[:, None] + x[None, :])
        huge = tf.get_variable("huge", [20_000, 20_000], initializer=tf.zeros_initializer())
        doubled = tf.while_loop(
            lambda i, a: i < 60, lambda i, a: (i + 1, tf.concat([a, a], 0)), [0, tf.ones([10])],
            shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])],
        )
        s = tf.Session()
        s.run(y, {x: np.ones(4)})
        used = int(open("/proc/self/statm").read().split()[0]) * 4096
        resource.setrlimit(resource.RLIMIT_AS, (used + (200 << 20), used + (200 << 20)))
        for n, what in (40_000, y), (30_000, y), (1, huge.initializer), (1, doubled):
            try:
                s.run(what, {x: np.ones(n)})
            except MemoryError as e:
                print(isinstance(e, tf.errors.ResourceExhaustedError))
        print(s.run(y, {x: np.ones(4)})[3, 3])
        """
    )
    assert done.stdout.split() == ["True"] * 4 + ["8.0"], done.stdout + done.stderr


def test_exit_during_a_run() -> None:
    done = child(
        """
        x = tf.placeholder(tf.float32, [None])
        y = x
        for _ in range(40):
            y = tf.sin(tf.cumsum(y))
        s = tf.Session()
        a = np.ones(2_000_000, np.float32)
        s.run(y, {x: a[:5]})
        threading.Thread(target=lambda: [s.run(y, {x: a}) for _ in range(50)], daemon=True).start()
        time.sleep(0.3)
        print("leaving", flush=True)
        """
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["leaving"]


def test_without_assertions() -> None:
    """Nothing that must be refused is refused by an assert."""
    done = child(
        """
        x = tf.placeholder(tf.float32, [None, 3])
        i = tf.placeholder(tf.int32, [None])
        s = tf.Session()
        for fetch, feed in [
            (x, {x: np.ones(3)}), (x, {x: "a"}), (tf.gather([1, 2], i), {i: [5]}),
            (5 // i, {i: [0]}), (tf.reshape(x, [-1, 7]), {x: np.ones((2, 3))}), (x + 1.0, {}),
            (tf.Variable(1.0), {}), (tf.fill(i, 1.0), {i: [-1]}),
        ]:
            try:
                s.run(fetch, feed)
                print("accepted")
            except (ValueError, TypeError, tf.errors.OpError) as e:
                print(type(e).__name__)
        """,
        "-O",
    )
    assert done.stdout.split() == [
        "ValueError", "FeedError", "InvalidArgumentError", "InvalidArgumentError",
        "InvalidArgumentError", "InvalidArgumentError", "FailedPreconditionError",
        "InvalidArgumentError",
    ], done.stdout + done.stderr  # fmt: skip


def resident() -> int:
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_runs_and_sizes_leak_nothing() -> None:
    x, n = tf.placeholder(tf.float32, [None, 8]), tf.placeholder(tf.int32, [])
    v = tf.Variable(tf.zeros([8]))
    up = v.assign_add(tf.reduce_mean(x, 0))
    picked = tf.boolean_mask(x[:, 0], x[:, 0] > 0.0)
    made = tf.fill([n], 1.0)
    bad = 6 // n
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())

        def sizes(count: int) -> None:
            for i in range(count):
                sess.run([up, picked], {x: np.ones((i, 8))})
                sess.run(made, {n: i})

        sizes(300)
        for _ in range(10):
            with pytest.raises(BAD):
                sess.run(bad, {n: 0})
        before, compiled = resident(), jit.stats().compiled
        one = np.ones((3, 8), np.float32)
        for _ in range(10_000):
            sess.run(up, {x: one})
        sizes(1_000)
        for _ in range(100):
            with pytest.raises(BAD):
                sess.run(bad, {n: 0})
        assert resident() - before < 24 << 20
        assert jit.stats().compiled == compiled


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_growing_sizes_do_not_keep_old_memory() -> None:
    x = tf.placeholder(tf.float32, [None])
    y = tf.reduce_sum(tf.cumsum(x * 2.0) + tf.cumsum(x[::-1]))
    with tf.Session() as sess:
        sess.run(y, {x: np.ones(1000)})
        before = resident()
        for i in range(1, 41):
            sess.run(y, {x: np.ones(50_000 * i, np.float32)})
        assert resident() - before < 160 << 20
