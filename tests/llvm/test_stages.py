"""Long bodies run in stages: the same numbers for every length, and only where it pays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.passes import lower_values
from graphc.runtime.llvm import pipeline, reductions, stages
from graphc.runtime.llvm.cpu import host
from graphc.runtime.llvm.modulo import Work, least_interval, longest_chain, schedule

#: Where there are less registers, and functions take more instructions, bodies may have none.
ROOM = host().level == "avx512"
LENGTHS = [1, 15, 16, 17, 31, 32, 33, 80, 111, 112, 113, 160, 255, 1000]


def price(x: Any, y: Any) -> Any:
    d = (tf.log(x / y) + 0.3 * y) / tf.sqrt(y)
    e = d - tf.sqrt(y)
    return x * 0.5 * (1 + tf.tanh(d + 0.04 * d * d * d)) - y * tf.exp(-0.1 * x) * tf.sigmoid(e)


def gates(x: Any, y: Any) -> Any:
    c = tf.sigmoid(x) * y + tf.sigmoid(y) * tf.tanh(x - y)
    return tf.tanh(c) * tf.sigmoid(x * y)


BODIES: dict[str, Callable[[Any, Any], Any]] = {"price": price, "gates": gates}


@pytest.fixture
def cut_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> list[int]:
    """How many stages each body got that was compiled in the test."""
    from graphc.runtime.llvm import pipeline

    counts: list[int] = []

    def cut(body: Any, results: Any, trips: Any = None) -> Any:
        made = stages.cut(body, results, trips)
        counts.append(made.count if made else 1)
        return made

    def pipelined(body: Any, results: Any) -> Any:
        made = stages.pipelined(body, results)
        counts.append(made.count if made else 1)
        return made

    monkeypatch.setattr(pipeline, "cut", cut)
    monkeypatch.setattr(pipeline, "pipelined", pipelined)
    return counts


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", BODIES)
def test_each_element_is_what_it_is_alone(name: str, dtype: str) -> None:
    rng = np.random.default_rng(0)
    xs, ys = rng.uniform(0.5, 2.0, (2, max(LENGTHS))).astype(dtype)
    with tf.Graph().as_default(), tf.Session() as sess:
        x, y = (tf.placeholder(dtype, [None]) for _ in range(2))
        z = BODIES[name](x, y)
        total = tf.reduce_sum(z)
        # one element at a time runs masked, which has no stages
        alone = np.concatenate(
            [sess.run(z, {x: xs[i : i + 1], y: ys[i : i + 1]}) for i in range(300)]
        )
        for n in LENGTHS:
            got, summed = sess.run([z, total], {x: xs[:n], y: ys[:n]})
            np.testing.assert_array_equal(got[:300], alone[:n])
            np.testing.assert_allclose(summed, np.sum(got.astype(np.float64)), rtol=1e-6)
            np.testing.assert_allclose(sess.run(total, {x: xs[:n], y: ys[:n]}), summed, rtol=1e-6)


@pytest.mark.parametrize("sizes", [(9, 9), (None, None)])
def test_nothing_is_read_where_a_stage_works_on_zeros(sizes: tuple[Any, Any]) -> None:
    # places of windows take divisions, by sizes of the run in the second case
    x = np.random.default_rng(0).normal(size=(2, 9, 9, 64)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as sess:
        p = tf.placeholder(tf.float32, [None, *sizes, 64])
        y = tf.nn.max_pool(p, 3, 2, "SAME")
        got = sess.run(y, {p: x})
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    taps = [padded[:, i : i + 9 : 2, j : j + 9 : 2] for i in range(3) for j in range(3)]
    np.testing.assert_array_equal(got, np.max(taps, axis=0))


def test_only_long_chains_have_stages(cut_counts: list[int]) -> None:
    number = np.random.default_rng().uniform(1, 2)  # a kernel that no cache has
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None])
        values = np.ones(100, np.float32)
        sess.run(tf.exp(x * number), {x: values})
        assert max(cut_counts, default=1) == 1 or not ROOM
        sess.run(price(x * number, x + number), {x: values})
        assert max(cut_counts) > 2 or not ROOM


WORKS = [Work(4, multiply=1), Work(4, permute=1), Work(10, multiply=2), Work(3, add=1), Work(0),
         Work(2, add=1), Work(1)]  # fmt: skip


@pytest.mark.parametrize("more", [4, 16])
def test_schedules_wait_for_operands_and_have_units_for_all(more: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        n = int(rng.integers(5, 60))
        works = [WORKS[i] for i in rng.integers(0, len(WORKS), n)]
        before = {v: {int(p) for p in rng.integers(max(0, v - 8), v, min(v, 2))} if v else ()
                  for v in range(n)}  # fmt: skip
        interval = least_interval(works) + more
        at = schedule(works, {v: sorted(ps) for v, ps in before.items()}, interval)
        assert at is not None
        assert min(at) == 0
        assert all(at[v] >= at[p] + works[p].cycles for v in range(n) for p in before[v])
        taken = np.zeros((interval, 3), int)
        for t, work in zip(at, works, strict=True):
            for unit, cycles in enumerate(work[1:]):
                for c in range(cycles):
                    taken[(t + c) % interval, unit] += 1
        assert taken.max() <= 2  # of each kind there are two
        assert taken.sum(1).max() <= 4


def test_the_least_interval_is_that_of_the_units_which_have_most_to_do() -> None:
    multiply, permute = Work(4, multiply=1), Work(4, permute=1)
    assert least_interval([multiply] * 7) == 4
    assert least_interval([multiply] * 4 + [permute] * 5) == 3
    assert least_interval([Work(16, multiply=9)]) == 9
    assert least_interval([Work(1)]) == 1
    assert longest_chain([multiply, Work(10, multiply=2), Work(1)], {1: [0], 2: [0, 1]}) == 15


@pytest.mark.skipif(not ROOM, reason="modulo scheduling wants the registers of AVX-512")
def test_long_rows_are_modulo_scheduled(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def pipelined(body: Any, results: Any) -> Any:
        made.append(stages.pipelined(body, results))
        return made[-1]

    monkeypatch.setattr(pipeline, "pipelined", pipelined)
    number = np.random.default_rng().uniform(1, 2)  # a kernel that no cache has
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None])
        sess.run(price(x * number, x + number), {x: np.ones(100, np.float32)})
    (found,) = made
    assert found.count > 1
    assert 0 < found.registers <= stages.REGISTERS


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "shape", [(1, 16), (2, 48), (40, 16), (7, 64), (33, 160), (5, 17), (0, 32)]
)
def test_rows_follow_each_other(
    shape: tuple[int, int], threads: int, streamed: bool, cut_counts: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Stages go on from one row to the next: the elements are what they are in one long row."""
    if streamed:
        monkeypatch.setattr(lower_values, "STREAM_BYTES", 0)
    rng = np.random.default_rng(1)
    number = np.random.default_rng().uniform(1, 1.1)  # a kernel that no cache has
    x = rng.uniform(0.5, 2.0, shape).astype(np.float32)
    row = rng.uniform(0.5, 2.0, shape[1:]).astype(np.float32)
    column = rng.uniform(0.5, 2.0, (shape[0], 1)).astype(np.float32)
    config = tf.ConfigProto(intra_op_parallelism_threads=threads)
    with tf.Graph().as_default(), tf.Session(config=config) as sess:
        a, b, c = (tf.placeholder(tf.float32, v.shape) for v in (x, row, column))
        feeds = {a: x, b: row, c: column}
        got = sess.run(price(a / b, b * c) * number, feeds)
        nested = list(cut_counts)
        u, v, w = (tf.placeholder(tf.float32, [None]) for _ in range(3))
        whole = price(u / v, v * w) * number
        flat = [np.broadcast_to(y, shape).reshape(-1) for y in (x, row, column)]
        expected = sess.run(whole, dict(zip((u, v, w), flat, strict=True)))
    np.testing.assert_array_equal(got.reshape(-1), expected)
    if shape[0] > 1 and shape[1] % 16 == 0:
        assert max(nested) > 2 or not ROOM


@pytest.mark.parametrize("reduce", [tf.reduce_mean, tf.reduce_max])
@pytest.mark.parametrize("shape", [(33, 272), (50, 260), (None, 1024)])
def test_reduced_rows_follow_each_other(
    shape: tuple[int | None, int], reduce: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stages that go on from row to row leave the bits that a loop without stages leaves."""
    rng = np.random.default_rng(2)
    x = rng.uniform(0.5, 2.0, (shape[0] or 70, shape[1])).astype(np.float32)
    row = rng.uniform(0.5, 2.0, shape[1:]).astype(np.float32)
    column = rng.uniform(0.5, 2.0, (len(x), 1)).astype(np.float32)

    def run() -> Any:
        least = -np.random.default_rng().uniform(1e9, 2e9)  # a kernel that no cache has
        with tf.Graph().as_default(), tf.Session() as sess:
            a, b, c = (tf.placeholder(tf.float32, s) for s in (shape, shape[1:], (shape[0], 1)))
            z = tf.maximum(price(a / b, b * c), least)
            return sess.run(reduce(z), {a: x, b: row, c: column})

    built: list[Any] = []
    staged = pipeline.reduced_rows
    monkeypatch.setattr(
        reductions, "reduced_rows", lambda *a: built.append(staged(*a)) or built[-1]
    )
    got = run()
    assert any(built) == (shape[1] % 16 == 0) or not ROOM
    monkeypatch.setattr(pipeline, "cut", lambda *a: None)
    np.testing.assert_array_equal(got, run())


@pytest.mark.parametrize("size", [None, 100, 1024, 5000])
def test_sums_of_one_function_run_in_stages(size: int | None, cut_counts: list[int]) -> None:
    """Their terms are added as those of an array are, whatever the number of vectors at work."""
    xs = np.random.default_rng(1).normal(size=size or 3333).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [size])
        y = tf.tanh(x)
        values, total = sess.run(y, {x: xs}), sess.run(tf.reduce_sum(y), {x: xs})
        z = tf.placeholder(tf.float32, [size])
        assert sess.run(tf.reduce_sum(z), {z: values}) == total
        cut_counts.clear()
        number = np.random.default_rng().uniform(1, 2)  # a kernel that no cache has
        sess.run(tf.reduce_sum(tf.tanh(tf.nn.softplus(x * number))), {x: xs})
        assert (max(cut_counts, default=1) > 1) == (size != 100) or not ROOM  # too few vectors


@pytest.mark.parametrize("factor", [1.0, 1.5957692, -0.73, 1e-5, 3e5])
def test_a_sigmoid_takes_the_factor_of_its_argument(factor: float) -> None:
    """The error is that of the sigmoid and of half an ulp of the product, as if it were rounded."""
    y = np.concatenate([np.linspace(-103, 103, 40001), [0, 1e4, -1e4, np.inf, -np.inf, np.nan]])
    c = np.float32(factor)
    x = (y / c).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as sess:
        p = tf.placeholder(tf.float32, [None])
        got = sess.run(tf.sigmoid(p * c), {p: x})
        few = [sess.run(tf.sigmoid(p * c), {p: x[i : i + 1]})[0] for i in range(0, 40001, 4001)]
    np.testing.assert_array_equal(got[:40001:4001], few)
    with np.errstate(over="ignore", invalid="ignore"):
        t = x.astype(np.float64) * float(c)
        want = 1 / (1 + np.exp(-t))
        product = np.abs(t) * (1 - want) * want * 2.0**-23
    ulp = np.maximum(np.spacing(want.astype(np.float32)), 2.0**-149)
    ends = np.isinf(t) | np.isnan(t)
    np.testing.assert_array_equal(got[ends], want[ends])
    assert (np.abs(got - want) <= 3 * ulp + product)[~ends].all()
