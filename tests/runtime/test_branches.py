"""Branches between the steps of a program: loops and conditions inside the one call."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, os.path.dirname(__file__))
from native_kernels import kernel
from patience import after, interrupted

import graphc as tf
from graphc.runtime.llvm.entry import OK, STOPPED, Program, Step, branch

NEVER = np.zeros(1, np.uint8)  # the flag of a jump


@pytest.fixture(params=[True, False], ids=["native", "portable"])
def fast(request: pytest.FixtureRequest) -> bool:
    """Both ways into a program."""
    return bool(request.param)


def step(name: str, words: list[int], *args: Any, **kwargs: Any) -> Step:
    code = kernel(name)
    return Step(code, code.address(), words, *args, **kwargs)


def jump(target: int) -> Step:
    return branch(NEVER.ctypes.data, target)


class Loop:
    """``do { x += 1; … } while x < n``, with `extra` steps in the body."""

    def __init__(self, n: int, extra: list[Step] | None = None, **kwargs: Any) -> None:
        self.x = np.zeros(1, np.int64)
        self.more = np.zeros(1, np.uint8)
        body = [step("tick", [0, self.x.ctypes.data, self.more.ctypes.data, n]), *(extra or [])]
        done = len(body) + 2
        steps = [*body, branch(self.more.ctypes.data, done), jump(0)]
        self.program = Program(steps, keep=[self.x, self.more], **kwargs)

    def run(self) -> int:
        self.x[0] = 0
        return self.program.run()


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 100_000])
def test_a_loop_runs_as_often_as_it_says(fast: bool, n: int) -> None:
    loop = Loop(n, fast=fast)
    for _ in range(3):
        assert loop.run() == OK
        assert loop.x[0] == n


def test_a_condition_runs_one_side(fast: bool) -> None:
    flag = np.zeros(1, np.uint8)
    hits = np.zeros((2, 1), np.int64)
    workers = np.zeros(2, np.int64)
    sides = [step("count", [0, h.ctypes.data, workers.ctypes.data, 0]) for h in hits]
    steps = [branch(flag.ctypes.data, 3), sides[0], jump(4), sides[1]]
    p = Program(steps, keep=[flag, hits, workers], fast=fast)
    for value in (1, 0, 2, 255, 0, 1):
        hits[:] = 0
        flag[0] = value
        assert p.run() == OK
        assert hits[:, 0].tolist() == [value != 0, value == 0]


def test_loops_nest(fast: bool) -> None:
    x, y, more, again = (np.zeros(1, np.int64) for _ in range(4))
    zero = np.zeros(1, np.int64)
    inner = step("tick", [0, x.ctypes.data, more.ctypes.data, 5])
    outer = step("tick", [0, y.ctypes.data, again.ctypes.data, 7])
    total = np.zeros(1, np.int64)
    count = step("tick", [0, total.ctypes.data, zero.ctypes.data + 4, 0])
    clear = step("tick", [0, x.ctypes.data, more.ctypes.data, 0])  # six ticks: 5 and one more
    steps = [inner, count, branch(more.ctypes.data, 4), jump(0), clear, outer,
             branch(again.ctypes.data, 8), jump(0)]  # fmt: skip
    p = Program(steps, keep=[x, y, more, again, zero, total], fast=fast)
    assert p.run() == OK
    # the first time five rounds, afterwards x is past its end at once
    assert (y[0], total[0], x[0]) == (7, 5 + 6, 5 + 6 + 7)


def test_a_shared_step_inside_a_loop(fast: bool) -> None:
    hits = np.zeros(4000, np.int64)
    workers = np.zeros(8, np.int64)
    each = step("count", [0, hits.ctypes.data, workers.ctypes.data], 4000, grain=50, cost=100.0)
    loop = Loop(30, [each], threads=2, fast=fast)
    assert loop.run() == OK
    assert (hits == 30).all()
    assert workers.sum() == 30 * 4000


def test_an_error_inside_a_loop_says_where(fast: bool) -> None:
    bad = np.zeros(9, np.int64)
    bad[6] = 5
    loop = Loop(10, [step("check", [0, bad.ctypes.data], 9)], fast=fast)
    assert loop.run() == 5
    status = loop.program.status()
    assert (status.code, status.step, status.position) == (5, 1, 6)
    assert loop.x[0] == 1
    bad[6] = 0
    for _ in range(300):  # the steps are known to be quick by now
        assert loop.run() == OK
    bad[3] = 4
    assert loop.run() == 4
    assert loop.program.status().position == 3


@pytest.mark.parametrize("extra", [False, True], ids=["quick steps", "a slow step"])
def test_an_endless_loop_is_interrupted(fast: bool, extra: bool) -> None:
    out = np.zeros(1, np.int64)
    slow = [step("spin", [0, out.ctypes.data, 10_000])] if extra else []
    loop = Loop(2**62, slow, fast=fast)
    with interrupted(lambda: loop.x[0] > 1, 0.1):
        loop.run()
    assert loop.x[0] > 1


def test_an_endless_loop_is_stopped(fast: bool) -> None:
    loop = Loop(2**62, fast=fast)
    stops = after(lambda: loop.x[0] > 1, loop.program.stop)
    assert loop.run() == STOPPED
    stops.join()


def test_an_empty_endless_loop_is_stopped(fast: bool) -> None:
    p = Program([jump(0)], fast=fast)
    codes: list[int] = []

    def stopped() -> bool:
        p.stop()  # nothing happens before the run has begun
        return bool(codes)

    stops = after(stopped, lambda: None)
    codes.append(p.run())
    stops.join()
    assert codes == [STOPPED]


def test_a_branch_to_nowhere_is_refused() -> None:
    with pytest.raises(IndexError):
        Program([jump(2)])
    with pytest.raises(IndexError):
        Program([jump(-1)])


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda p, a: tf.cond(p, lambda: tf.identity(a), lambda: tf.constant(0.0)), (2, 0)),
        (lambda p, a: tf.cond(p, lambda: a * 1.0, lambda: tf.constant(0.0)), (2, 0)),
        (lambda p, a: tf.cond(p, lambda: tf.constant(7.0), lambda: tf.identity(a)), (7, 2)),
        (lambda p, a: tf.while_loop(lambda x: p & (x < 3.0), lambda x: x + 1.0, [a]), (3, 2)),
    ],
    ids=["then", "product", "orelse", "loop"],
)
def test_a_branch_hands_on_the_new_value_of_a_variable(make: Any, wanted: Any, taken: bool) -> None:
    """The copy to the result stays in its branch, though the variable is written at the end."""
    with tf.Graph().as_default(), tf.Session() as s:
        v = tf.Variable(1.0)
        p = tf.placeholder(tf.bool, [])
        y = make(p, v.assign_add(1.0))
        s.run(v.initializer)
        assert s.run(y, {p: taken}) == wanted[not taken]
        assert s.run(v) == 2
