"""What is made of variables alone is kept between runs, and made anew after they were written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import graphc as tf
from graphc.face.dump import dump
from graphc.runtime import counting, kept, stored
from graphc.see.memory import memory_report
from graphc.see.profile import profile_run

#: A limit of memory keeps nothing: what is expected, to the bit.
NOTHING_KEPT = tf.ConfigProto(graphc_memory_limit=1 << 30)


def values(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


class Net(NamedTuple):
    y: tf.Tensor
    feed: dict[tf.Tensor, np.ndarray]
    w: tf.Variable
    made: str  # the kernel whose result is kept


def product(columns: int = 600) -> Net:
    """The matrix of a vector's product is kept in panels; of 600 columns the last are a rest."""
    x = tf.placeholder(tf.float32, [1, 480])
    w = tf.get_variable("w", initializer=values(0, 480, columns))
    return Net(tf.nn.relu(tf.matmul(x, w) + 1.0), {x: values(1, 1, 480)}, w, "panels")


def picture() -> Net:
    """The filter's transform is kept."""
    x = tf.placeholder(tf.float32, [None, 16, 16, 32])
    w = tf.get_variable("w", initializer=values(2, 3, 3, 32, 48) / 17)
    y = tf.nn.relu(tf.nn.conv2d(x, w, [1, 1, 1, 1], "SAME"))
    return Net(y, {x: values(3, 2, 16, 16, 32)}, w, "k0_conv_relu_points")


NETS = [product, picture]


@contextmanager
def running(make: Callable[[], Net], config: Any = None) -> Iterator[tuple[Net, tf.Session]]:
    """A net that has run, so that something is kept."""
    with tf.Graph().as_default(), tf.Session(config=config) as s:
        net = make()
        s.run(tf.global_variables_initializer())
        for _ in range(3):
            s.run(net.y, net.feed)
        yield net, s


def expected(make: Callable[[], Net], w: np.ndarray) -> np.ndarray:
    """The results for these weights where nothing is kept."""
    with running(make, NOTHING_KEPT) as (net, s):
        net.w.load(w, s)
        return s.run(net.y, net.feed)


def called(s: tf.Session, net: Net) -> set[str]:
    return {p.kernel for p in profile_run(s, net.y, net.feed, runs=1, warmup=0)}


@pytest.mark.parametrize("make", NETS)
def test_kept_values_are_not_made_again(make: Callable[[], Net]) -> None:
    with running(make) as (net, s):
        for _ in range(2):
            s.run(net.y, net.feed)
        assert net.made not in called(s, net)  # and profiling writes the variables
        if make is product:  # a matrix is packed once it stands still
            assert net.made not in called(s, net)
            s.run(net.y, net.feed)
        assert net.made in called(s, net)
    with running(make, NOTHING_KEPT) as (net, s):
        s.run(net.y, net.feed)
        assert (net.made in called(s, net)) == (make is picture)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("columns", [560, 768, 1000, 1025])
def test_panels_change_no_bit(columns: int, threads: int) -> None:
    def make() -> Net:
        return product(columns)

    with running(make, tf.ConfigProto(intra_op_parallelism_threads=threads)) as (net, s):
        want = expected(make, s.run(net.w))
        for _ in range(3):
            np.testing.assert_array_equal(s.run(net.y, net.feed), want)
        x = next(iter(net.feed.values())).astype(np.float64)
        exact = np.maximum(x @ s.run(net.w).astype(np.float64) + 1, 0)
        np.testing.assert_allclose(want, exact, rtol=1e-4, atol=1e-4)


def assign(net: Net, s: tf.Session) -> None:
    s.run(net.w.assign(net.w * 2.0))


def load(net: Net, s: tf.Session) -> None:
    net.w.load(3.0 * s.run(net.w), s)


def optimizer_step(net: Net, s: tf.Session) -> None:
    step = tf.train.GradientDescentOptimizer(0.5).minimize(tf.reduce_mean(net.y), var_list=[net.w])
    s.run(step, net.feed)


def scatter(net: Net, s: tf.Session) -> None:
    s.run(tf.scatter_update(net.w, [0, 2], s.run(net.w)[[1, 1]]))


def checked(net: Net, s: tf.Session) -> None:
    """A run that may fail after the new value is made."""
    with tf.control_dependencies([tf.Assert(tf.reduce_all(tf.is_finite(net.y)), [net.y])]):
        s.run(net.w.assign_sub(net.w * 0.25), net.feed)


def another_thread(net: Net, s: tf.Session) -> None:
    op = net.w.assign(net.w * -0.5)
    t = threading.Thread(target=s.run, args=(op,))
    t.start()
    t.join()


def host(net: Net, s: tf.Session) -> None:
    """A run in parts, with Python between them."""
    doubled = tf.py_func(lambda w: 2 * w, [net.w], tf.float32)
    s.run(net.w.assign(tf.reshape(doubled, net.w.shape)))


def initializer(net: Net, s: tf.Session) -> None:
    net.w.load(s.run(net.w) * 0.5, s)
    s.run(net.y, net.feed)
    s.run(net.w.initializer)


WAYS = [assign, load, optimizer_step, scatter, checked, another_thread, host, initializer]


@pytest.mark.parametrize("make", NETS)
@pytest.mark.parametrize("change", WAYS)
def test_what_is_kept_follows_the_variable(
    make: Callable[[], Net], change: Callable[[Net, tf.Session], None]
) -> None:
    with running(make) as (net, s):
        before = s.run(net.y, net.feed)
        for _ in range(2):
            change(net, s)
            want = expected(make, s.run(net.w))
            for _ in range(3):
                np.testing.assert_array_equal(s.run(net.y, net.feed), want)
        assert (change is initializer) == np.array_equal(before, want)


def test_restored_variables(tmp_path: Path) -> None:
    with running(product) as (net, s):
        saver, first = tf.train.Saver(), s.run(net.y, net.feed)
        path = saver.save(s, str(tmp_path / "model"))
        assign(net, s)
        assert not np.array_equal(s.run(net.y, net.feed), first)
        saver.restore(s, path)
        np.testing.assert_array_equal(s.run(net.y, net.feed), first)


@pytest.mark.parametrize("make", NETS)
def test_a_run_that_writes_reads_what_it_should(make: Callable[[], Net]) -> None:
    with running(make) as (net, s):
        w = s.run(net.w)
        old = net.w.read_value()
        with tf.control_dependencies([old]):
            new = net.w.assign(old * 2.0)
        x = next(iter(net.feed))
        f = tf.matmul if make is product else lambda x, w: tf.nn.conv2d(x, w, [1] * 4, "SAME")
        before, after = s.run([f(x, old), f(x, new)], net.feed)
        np.testing.assert_allclose(after, 2 * before, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(s.run(net.y, net.feed), expected(make, 2 * w))


def test_a_run_that_fails_leaves_what_is_kept() -> None:
    with running(product) as (net, s):
        want, bad = s.run(net.y, net.feed), tf.placeholder(tf.bool, [])
        with tf.control_dependencies([tf.Assert(bad, ["no"])]):
            step = net.w.assign(tf.zeros_like(net.w))
        with pytest.raises(tf.errors.InvalidArgumentError):
            s.run(step, {bad: False})
        np.testing.assert_array_equal(s.run(net.y, net.feed), want)
        s.run(step, {bad: True})
        np.testing.assert_array_equal(s.run(net.y, net.feed), np.ones_like(want))


def test_runs_and_assignments_of_two_threads() -> None:
    with running(product) as (net, s):
        w, factor = s.run(net.w), tf.placeholder(tf.float32, [])
        change = net.w.assign(w * factor)
        factors = [1.0, 2.0, 4.0]
        possible = [expected(product, w * np.float32(k)) for k in factors]
        wrong, done = [], threading.Event()

        def read() -> None:
            while not done.is_set():
                y = s.run(net.y, net.feed)
                if not any(np.array_equal(y, p) for p in possible):
                    wrong.append(y)

        reader = threading.Thread(target=read)
        reader.start()
        for i in range(150):
            s.run(change, {factor: factors[i % 3]})
            for _ in range(1 + i % 4):
                np.testing.assert_array_equal(s.run(net.y, net.feed), possible[i % 3])
        done.set()
        reader.join()
        assert not wrong


def test_batches_of_several_sizes_keep_one_copy() -> None:
    with running(picture) as (net, s):
        x = next(iter(net.feed))
        runs = {n: values(n, n, 16, 16, 32) for n in (1, 3, 5)}
        want = {n: s.run(net.y, {x: a}) for n, a in runs.items()}
        for n, a in [*runs.items(), *runs.items()]:
            np.testing.assert_array_equal(s.run(net.y, {x: a}), want[n])
        assign(net, s)
        for n, a in runs.items():
            np.testing.assert_array_equal(s.run(net.y, {x: a}), 2 * want[n])


def test_a_variable_of_a_new_shape() -> None:
    with tf.Graph().as_default(), tf.Session() as s:
        x = tf.placeholder(tf.float32, [1, None])
        w = tf.Variable(values(0, 480, 600), validate_shape=False)
        y = tf.matmul(x, w)
        s.run(w.initializer)
        change = tf.assign(w, values(1, 500, 700), validate_shape=False)
        for a, b in ((values(2, 1, 480), values(0, 480, 600)), (values(3, 1, 500), None)):
            if b is None:
                b = s.run(change)
            for _ in range(3):
                np.testing.assert_allclose(s.run(y, {x: a}), a @ b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("make", NETS)
def test_plans_from_disk_keep_too(
    make: Callable[[], Net], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("GRAPHC_PLANS", "1")
    monkeypatch.setattr(stored, "FOREIGN", set())  # ops that other tests have made

    def deep() -> Net:
        net = make()
        y = net.y
        for _ in range(8):  # small graphs are not stored
            y = tf.cumsum(y, axis=1)
        return net._replace(y=y)

    found = []
    for _ in range(2):
        loaded = counting.counters.plans_loaded
        with running(deep) as (net, s):
            first = s.run(net.y, net.feed)
            assign(net, s)
            found.append((first, s.run(net.y, net.feed), counting.counters.plans_loaded > loaded))
    (a, b, fresh), (c, d, from_disk) = found
    np.testing.assert_array_equal(a, c)
    np.testing.assert_array_equal(b, d)
    assert not np.array_equal(a, b)
    assert (fresh, from_disk) == (False, True)


def test_chains_are_kept_for_what_differs() -> None:
    """A filter that is normalized and transformed; the same filter's mean is not kept."""
    with tf.Graph().as_default(), tf.Session() as s:
        x = tf.placeholder(tf.float32, [None, 16, 16, 32])
        w = tf.get_variable("w", initializer=values(2, 3, 3, 32, 48))
        v = tf.nn.l2_normalize(w, [0, 1, 2])
        net = Net(tf.nn.conv2d(x, v, [1, 1, 1, 1], "SAME"), {x: values(3, 2, 16, 16, 32)}, w, "")
        mean = net._replace(y=tf.reduce_mean(tf.nn.softmax(v)), feed={})
        s.run(w.initializer)
        found = []
        for n in (net, mean):
            s.run(n.y, n.feed)
            found.append((called(s, n), called(s, n)))
        (later, first), (again, same) = found
        assert {"look", "branch"} < later
        assert len(later) == 3
        assert len(first - later - {"copy"}) >= 2
        assert again == same


def test_what_the_cache_would_not_hold_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "SHARE", 0)
    with running(picture) as (net, s):
        assert net.made in called(s, net)
        want = expected(picture, s.run(net.w))
        np.testing.assert_array_equal(s.run(net.y, net.feed), want)


def test_memory_reports_count_it() -> None:
    with running(product) as (net, s):
        (report,) = memory_report(net.y, net.feed, s)
        size = 480 * 600 * 4
        assert size <= report.outside["kept"] < size + 1024
        assert report.outside["variables"] == size


def test_dumps_name_what_is_kept() -> None:
    with running(product) as (net, s):
        text = dump(net.y, net.feed, s, "plan")
        assert "call panels(x=var w: f32[288000], y=kept w: f32[288000])" in text
        assert "b=kept w: f32[288000]" in text
        assert "branch kept plain else" in text


def test_training_keeps_nothing() -> None:
    with running(product) as (net, s):
        step = tf.train.GradientDescentOptimizer(0.5).minimize(tf.reduce_mean(net.y))
        s.run(step, net.feed)
        kernels = {p.kernel for p in profile_run(s, step, net.feed, runs=1, warmup=1)}
        assert not {"panels", "look"} & kernels


def test_steps_that_read_what_is_not_kept_are_not_kept() -> None:
    """What is fetched as it is is not kept; steps that read it waited for nothing before."""
    with tf.Graph().as_default(), tf.Session() as s:
        v = tf.Variable(np.ones([128, 128], np.float32))
        x = tf.placeholder(tf.float32, [128])
        rows = tf.cumsum(v)
        alone, beside = tf.cumsum(rows, 1), tf.cumsum(rows, reverse=True) * x
        s.run(tf.global_variables_initializer())
        want = np.cumsum(np.ones([128, 128]), 0)
        for scale in (1.0, 3.0):
            s.run(v.assign(np.full([128, 128], scale)))
            for fed in (2.0, 5.0):
                a, b = s.run([alone, beside], {x: np.full(128, fed)})
                np.testing.assert_allclose(a, np.cumsum(scale * want, 1))
                np.testing.assert_allclose(b, fed * scale * np.cumsum(want[::-1], 0)[::-1])
