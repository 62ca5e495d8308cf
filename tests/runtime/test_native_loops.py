"""Loops and conditions inside native runs: against numpy, and what their plans look like."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from patience import interrupted

from graphc.errors import InvalidArgumentError
from graphc.ir.text import parse_graph
from graphc.passes.pipeline import optimize_ir, pipeline
from graphc.runtime import counting, listeners, reference
from graphc.runtime.executor import Executor
from graphc.runtime.options import Options
from graphc.runtime.plan import make_plan
from graphc.runtime.state import State

Array = np.ndarray[Any, Any]

COUNT = """graph main() {
  %n = input {index=0} : i32[]
  %zero = constant {value=0} : i32[]
  %r = while %zero, %n cond {
    %i = input {index=0} : i32[]
    %n = input {index=1} : i32[]
    %c = less %i, %n : bool[]
    return %c
  } body {
    %i = input {index=0} : i32[]
    %n = input {index=1} : i32[]
    %one = constant {value=1} : i32[]
    %j = add %i, %one : i32[]
    return %j
  } : i32[]
  return %r
}"""

#: a, b, i = b, a + b, i + 1: every old value is read after a new one is made
FIBONACCI = """graph main(b) {
  %x = input {index=0} : f32[b]
  %y = input {index=1} : f32[b]
  %n = input {index=2} : i64[]
  %zero = constant {value=0} : i64[]
  %r, %r:1, %r:2 = while %x, %y, %zero, %n cond {
    %x = input {index=0} : f32[b]
    %y = input {index=1} : f32[b]
    %i = input {index=2} : i64[]
    %n = input {index=3} : i64[]
    %c = less %i, %n : bool[]
    return %c
  } body {
    %x = input {index=0} : f32[b]
    %y = input {index=1} : f32[b]
    %i = input {index=2} : i64[]
    %n = input {index=3} : i64[]
    %s = add %x, %y : f32[b]
    %one = constant {value=1} : i64[]
    %j = add %i, %one : i64[]
    return %y, %s, %j
  } : f32[b], f32[b], i64[]
  return %r, %r:1, %r:2
}"""

#: three values go round, one stays, one is a constant after the first round
ROTATE = """graph main(b) {
  %x = input {index=0} : f32[b]
  %y = input {index=1} : f32[b]
  %z = input {index=2} : f32[b]
  %n = input {index=3} : i32[]
  %zero = constant {value=0} : i32[]
  %r, %r:1, %r:2, %r:3, %r:4, %r:5 = while %x, %y, %z, %x, %zero, %zero, %n cond {
    %x = input {index=0} : f32[b]
    %y = input {index=1} : f32[b]
    %z = input {index=2} : f32[b]
    %s = input {index=3} : f32[b]
    %k = input {index=4} : i32[]
    %i = input {index=5} : i32[]
    %n = input {index=6} : i32[]
    %c = less %i, %n : bool[]
    return %c
  } body {
    %x = input {index=0} : f32[b]
    %y = input {index=1} : f32[b]
    %z = input {index=2} : f32[b]
    %s = input {index=3} : f32[b]
    %k = input {index=4} : i32[]
    %i = input {index=5} : i32[]
    %n = input {index=6} : i32[]
    %one = constant {value=1} : i32[]
    %j = add %i, %one : i32[]
    %seven = constant {value=7} : i32[]
    return %y, %z, %x, %s, %seven, %j
  } : f32[b], f32[b], f32[b], f32[b], i32[], i32[]
  %twice = add %r, %x : f32[b]
  return %r, %r:1, %r:2, %r:3, %r:4, %r:5, %twice
}"""

# The symbols of a text are those that `pattern` gives to the sizes of its inputs: b, n, m in order.

#: a recurrence h = tanh(h @ w + x[t]) over the rows of x, every h kept
RECUR = """graph main(b, n) {
  %x = input {index=0} : f32[b,n,4]
  %w = input {index=1} : f32[4,4]
  %h = input {index=2} : f32[n,4]
  %n = input {index=3} : i32[]
  %zero = constant {value=0} : i32[]
  %s = subtract %x, %x : f32[b,n,4]
  %r, %r:1, %r:2 = while %zero, %h, %s, %x, %w, %n cond {
    %i = input {index=0} : i32[]
    %h = input {index=1} : f32[n,4]
    %s = input {index=2} : f32[b,n,4]
    %x = input {index=3} : f32[b,n,4]
    %w = input {index=4} : f32[4,4]
    %n = input {index=5} : i32[]
    %c = less %i, %n : bool[]
    return %c
  } body {
    %i = input {index=0} : i32[]
    %h = input {index=1} : f32[n,4]
    %s = input {index=2} : f32[b,n,4]
    %x = input {index=3} : f32[b,n,4]
    %w = input {index=4} : f32[4,4]
    %n = input {index=5} : i32[]
    %one = constant {value=1} : i32[]
    %j = add %i, %one : i32[]
    %a = matmul %h, %w {transpose_a=false, transpose_b=false} : f32[n,4]
    %row = array_get %x, %i : f32[n,4]
    %u = add %a, %row : f32[n,4]
    %v = tanh %u : f32[n,4]
    %k = array_set %s, %i, %v : f32[b,n,4]
    return %j, %v, %k
  } : i32[], f32[n,4], f32[b,n,4]
  return %r, %r:1, %r:2
}"""

#: what goes into the array is read by others, before and after
USED = RECUR.replace(
    "    %k = array_set",
    "    %p = matmul %v, %w {transpose_a=false, transpose_b=false} : f32[n,4]\n    %k = array_set",
).replace("return %j, %v, %k", "return %j, %p, %k")  # fmt: skip

#: rows of x are added to one of two rows of an array
SUMS = """graph main(b) {
  %x = input {index=0} : f32[b,4]
  %a = input {index=1} : f32[2,4]
  %n = input {index=2} : i32[]
  %zero = constant {value=0} : i32[]
  %start = add %a, %a : f32[2,4]
  %r, %r:1 = while %zero, %start, %x, %n cond {
    %i = input {index=0} : i32[]
    %a = input {index=1} : f32[2,4]
    %x = input {index=2} : f32[b,4]
    %n = input {index=3} : i32[]
    %c = less %i, %n : bool[]
    return %c
  } body {
    %i = input {index=0} : i32[]
    %a = input {index=1} : f32[2,4]
    %x = input {index=2} : f32[b,4]
    %n = input {index=3} : i32[]
    %one = constant {value=1} : i32[]
    %two = constant {value=2} : i32[]
    %j = add %i, %one : i32[]
    %e = array_get %x, %i : f32[4]
    %m = floormod %i, %two : i32[]
    %k = array_add %a, %m, %e : f32[2,4]
    return %j, %k
  } : i32[], f32[2,4]
  return %r, %r:1
}"""

#: an element is read in another order than the one it is put back in
TURNED = SUMS.replace(
    "    %k = array_add %a, %m, %e : f32[2,4]",
    "    %o = array_get %a, %m : f32[4]\n"
    "    %t = reverse %o {axis=[0]} : f32[4]\n"
    "    %s = add %t, %e : f32[4]\n"
    "    %k = array_set %a, %m, %s : f32[2,4]",
)

#: the element read is another one than the one that is written
SHIFTED = SUMS.replace(
    "    %k = array_add %a, %m, %e : f32[2,4]",
    "    %q = subtract %one, %m : i32[]\n"
    "    %o = array_get %a, %q : f32[4]\n"
    "    %s = add %o, %e : f32[4]\n"
    "    %k = array_set %a, %m, %s : f32[2,4]",
)

#: sum of i * j for i < n, j < i: a loop in a loop, and a cond in that
NESTED = """graph main() {
  %n = input {index=0} : i32[]
  %zero = constant {value=0} : i32[]
  %r, %r:1 = while %zero, %zero, %n cond {
    %i = input {index=0} : i32[]
    %s = input {index=1} : i32[]
    %n = input {index=2} : i32[]
    %c = less %i, %n : bool[]
    return %c
  } body {
    %i = input {index=0} : i32[]
    %s = input {index=1} : i32[]
    %n = input {index=2} : i32[]
    %one = constant {value=1} : i32[]
    %start = constant {value=0} : i32[]
    %q, %q:1 = while %start, %s, %i cond {
      %j = input {index=0} : i32[]
      %s = input {index=1} : i32[]
      %i = input {index=2} : i32[]
      %c = less %j, %i : bool[]
      return %c
    } body {
      %j = input {index=0} : i32[]
      %s = input {index=1} : i32[]
      %i = input {index=2} : i32[]
      %one = constant {value=1} : i32[]
      %two = constant {value=2} : i32[]
      %m = floormod %j, %two : i32[]
      %zero = constant {value=0} : i32[]
      %odd = greater %m, %zero : bool[]
      %t = cond %odd, %s, %i, %j then {
        %s = input {index=0} : i32[]
        %i = input {index=1} : i32[]
        %j = input {index=2} : i32[]
        %p = multiply %i, %j : i32[]
        %t = add %s, %p : i32[]
        return %t
      } orelse {
        %s = input {index=0} : i32[]
        %i = input {index=1} : i32[]
        %j = input {index=2} : i32[]
        return %s
      } : i32[]
      %k = add %j, %one : i32[]
      return %k, %t
    } : i32[], i32[]
    %k = add %i, %one : i32[]
    return %k, %q:1
  } : i32[], i32[]
  return %r, %r:1
}"""

#: a cond whose sides swap, pass on, or set an element of what they are given
SIDES = """graph main(b) {
  %p = input {index=0} : bool[]
  %x = input {index=1} : f32[b]
  %y = input {index=2} : f32[b]
  %k = input {index=3} : i32[]
  %e = input {index=4} : f32[]
  %d = add %x, %y : f32[b]
  %r, %r:1, %r:2, %r:3 = cond %p, %x, %y, %d, %k, %e then {
    %x = input {index=0} : f32[b]
    %y = input {index=1} : f32[b]
    %d = input {index=2} : f32[b]
    %k = input {index=3} : i32[]
    %e = input {index=4} : f32[]
    %s = array_set %d, %k, %e : f32[b]
    return %y, %x, %s, %x
  } orelse {
    %x = input {index=0} : f32[b]
    %y = input {index=1} : f32[b]
    %d = input {index=2} : f32[b]
    %k = input {index=3} : i32[]
    %e = input {index=4} : f32[]
    %z = multiply %d, %d : f32[b]
    return %z, %d, %d, %z
  } : f32[b], f32[b], f32[b], f32[b]
  return %r, %r:1, %r:2, %r:3
}"""

#: running sums of x into an array, and what the array held before the last one
PREFIX = """graph main(b) {
  %x = input {index=0} : f32[b]
  %n = input {index=1} : i32[]
  %d = input {index=2} : i32[]
  %zero = constant {value=0} : i32[]
  %start = constant {value=0.5} : f32[]
  %a = multiply %x, %x : f32[b]
  %r, %r:1, %r:2, %r:3 = while %zero, %start, %a, %start, %x, %n, %d cond {
    %i = input {index=0} : i32[]
    %s = input {index=1} : f32[]
    %a = input {index=2} : f32[b]
    %o = input {index=3} : f32[]
    %x = input {index=4} : f32[b]
    %n = input {index=5} : i32[]
    %d = input {index=6} : i32[]
    %c = less %i, %n : bool[]
    return %c
  } body {
    %i = input {index=0} : i32[]
    %s = input {index=1} : f32[]
    %a = input {index=2} : f32[b]
    %o = input {index=3} : f32[]
    %x = input {index=4} : f32[b]
    %n = input {index=5} : i32[]
    %d = input {index=6} : i32[]
    %one = constant {value=1} : i32[]
    %e = array_get %x, %i : f32[]
    %t = add %s, %e : f32[]
    %k = array_set %a, %i, %t : f32[b]
    %old = array_get %a, %i : f32[]
    %q = floordiv %one, %d : i32[]
    %m = floordiv %i, %d : i32[]
    %j = add %i, %one : i32[]
    return %j, %t, %k, %old
  } : i32[], f32[], f32[b], f32[]
  return %r, %r:1, %r:2, %r:3
}"""

#: in a loop, one side of a cond makes new values of what it is given, the other passes them on
PASSED = """graph main(b) {
  %x = input {index=0} : f32[b]
  %y = input {index=1} : f32[b]
  %n = input {index=2} : i32[]
  %zero = constant {value=0} : i32[]
  %r, %r:1, %r:2 = while %zero, %x, %y, %n cond {
    %i = input {index=0} : i32[]
    %x = input {index=1} : f32[b]
    %y = input {index=2} : f32[b]
    %n = input {index=3} : i32[]
    %c = less %i, %n : bool[]
    return %c
  } body {
    %i = input {index=0} : i32[]
    %x = input {index=1} : f32[b]
    %y = input {index=2} : f32[b]
    %n = input {index=3} : i32[]
    %one = constant {value=1} : i32[]
    %two = constant {value=2} : i32[]
    %m = floormod %i, %two : i32[]
    %p = less %m, %one : bool[]
    %q, %q:1 = cond %p, %x, %y then {
      %x = input {index=0} : f32[b]
      %y = input {index=1} : f32[b]
      %s = add %x, %y : f32[b]
      %d = subtract %x, %s : f32[b]
      return %s, %d
    } orelse {
      %x = input {index=0} : f32[b]
      %y = input {index=1} : f32[b]
      return %x, %y
    } : f32[b], f32[b]
    %j = add %i, %one : i32[]
    return %j, %q, %q:1
  } : i32[], f32[b], f32[b]
  return %r, %r:1, %r:2
}"""

#: an array that is read after one of its elements is replaced: it must be copied
KEPT = """graph main(b) {
  %x = input {index=0} : f32[b]
  %k = input {index=1} : i32[]
  %e = input {index=2} : f32[]
  %y = multiply %x, %x : f32[b]
  %s = array_set %y, %k, %e : f32[b]
  %t = array_set %s, %k, %e : f32[b]
  %z = array_get %t, %k : f32[]
  %d = subtract %s, %y : f32[b]
  %u = add %t, %z : f32[b]
  return %d, %u, %x
}"""


def feeds_of(text: str, *given: Any) -> dict[Any, Array]:
    g = parse_graph(text)
    return {v: np.asarray(a, v.dtype.np) for v, a in zip(g.inputs, given, strict=True)}


def both(text: str, *given: Any, level: int = 2, threads: int = 2) -> tuple[list[Array], list[Any]]:
    """The results natively and on numpy."""
    g = parse_graph(text)
    feeds = {v: np.asarray(a, v.dtype.np) for v, a in zip(g.inputs, given, strict=True)}
    roots = list(g.roots)
    run = Executor(None, State(), Options(level=level, threads=threads, check=True)).prepare(
        roots, tuple(feeds)
    )
    got = [np.asarray(a) for a in run(*feeds.values())]
    again = [np.asarray(a) for a in run(*feeds.values())]
    for a, b in zip(got, again, strict=True):
        np.testing.assert_array_equal(a, b)
    return got, reference.evaluate(roots, feeds)


def ramp(*shape: int) -> Array:
    n = int(np.prod(shape))
    return (np.arange(n, dtype=np.float32) % 7 - 3).reshape(shape) / 4


CASES = {
    **{f"count {n}": (COUNT, (n,)) for n in (0, 1, 2, 1000, -5)},
    **{f"fibonacci {n}": (FIBONACCI, (ramp(5), ramp(5) + 1, n)) for n in (0, 1, 2, 20)},
    **{f"rotate {n}": (ROTATE, (ramp(3), ramp(3) + 1, ramp(3) + 2, n)) for n in range(5)},
    **{f"nested {n}": (NESTED, (n,)) for n in (0, 1, 7)},
    **{
        f"recur {t} {n}": (RECUR, (ramp(t, 3, 4), ramp(4, 4), ramp(3, 4), n))
        for t, n in ((6, 6), (6, 4), (2, 0))
    },
    **{f"sides {p}": (SIDES, (p, ramp(4), ramp(4) + 1, 2, 9.0)) for p in (True, False)},
    **{f"prefix {n}": (PREFIX, (ramp(6), n, 3)) for n in (0, 1, 6)},
    **{f"used {n}": (USED, (ramp(5, 3, 4), ramp(4, 4), ramp(3, 4), n)) for n in (1, 5)},
    **{
        f"{name} {n}": (text, (ramp(7, 4), ramp(2, 4), n))
        for name, text in (("sums", SUMS), ("turned", TURNED), ("shifted", SHIFTED))
        for n in (1, 7)
    },
    **{f"passed {n}": (PASSED, (ramp(5), ramp(5) + 1, n)) for n in (0, 1, 2, 5)},
    "kept": (KEPT, (ramp(4), 1, 5.0)),
    "long": (FIBONACCI, (ramp(70_000), ramp(70_000) + 1, 9)),
}


@pytest.mark.parametrize("level", [0, 2])
@pytest.mark.parametrize("case", CASES)
def test_like_numpy(case: str, level: int) -> None:
    text, given = CASES[case]
    got, want = both(text, *given, level=level)
    for a, b in zip(got, want, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=2e-6, atol=2e-6)


def test_the_same_for_any_number_of_threads() -> None:
    given = (ramp(9, 300, 4), ramp(4, 4), ramp(300, 4), 9)
    one, two = (both(RECUR, *given, threads=k)[0] for k in (1, 2))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_new_trip_count_compiles_nothing() -> None:
    g = parse_graph(COUNT)
    run = Executor(None, State(), Options()).prepare(list(g.roots), g.inputs)
    assert run(np.int32(3))[0] == 3
    plans, bindings = counting.counters.plans, counting.counters.bindings
    for n in (0, 5, 123_456):
        assert run(np.array(n, np.int32))[0] == n
    assert (counting.counters.plans, counting.counters.bindings) == (plans, bindings)


def test_a_new_length_only_binds() -> None:
    g = parse_graph(RECUR)
    run = Executor(None, State(), Options()).prepare(list(g.roots), g.inputs)

    def go(t: int) -> None:
        feeds = (ramp(t, 3, 4), ramp(4, 4), ramp(3, 4), np.array(t, np.int32))
        assert run(*feeds)[2].shape == (t, 3, 4)

    go(5)
    plans = counting.counters.plans
    for t in (6, 9, 50, 7):
        go(t)
    assert counting.counters.plans == plans


@pytest.mark.parametrize("at", [-1, 4, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("text", [SIDES, KEPT], ids=["cond", "straight"])
def test_an_index_outside_an_array(text: str, at: int) -> None:
    given: tuple[Any, ...] = (ramp(4), at, 5.0)
    if text is SIDES:
        given = (True, ramp(4), ramp(4), at, 9.0)
    feeds = feeds_of(text, *given)
    g = parse_graph(text)
    run = Executor(None, State(), Options()).prepare(list(g.roots), g.inputs)
    with pytest.raises(InvalidArgumentError, match=f"write to index {at} but .* size is: 4"):
        run(*feeds.values())


def test_an_error_in_a_later_iteration() -> None:
    g = parse_graph(RECUR)
    run = Executor(None, State(), Options()).prepare(list(g.roots), g.inputs)
    feeds = [ramp(4, 3, 4), ramp(4, 4), ramp(3, 4)]
    for _ in range(3):
        with pytest.raises(InvalidArgumentError):
            run(*feeds, np.array(5, np.int32))
        assert run(*feeds, np.array(4, np.int32))[0] == 4


@pytest.mark.parametrize(("n", "at"), [(5, 4), (2**31 - 1, 4)])
def test_an_error_in_a_loop_that_is_one_kernel(n: int, at: int) -> None:
    g = parse_graph(PREFIX)
    run = Executor(None, State(), Options()).prepare(list(g.roots), g.inputs)
    compiled: list[Any] = []
    listeners.observers.append(lambda run, c: compiled.append(c))
    try:
        with pytest.raises(InvalidArgumentError, match=rf"not in \[0, {at}\)"):
            run(ramp(4), np.int32(n), np.int32(1))
    finally:
        listeners.observers.pop()
    assert [s.code.name for s in compiled[0].plan.steps if s.varies] == ["loop0"]
    assert run(ramp(4), np.int32(4), np.int32(1))[0] == 4


def test_a_division_by_zero_in_a_loop() -> None:
    text = PREFIX.replace("return %j, %t, %k, %old", "%w = add %j, %m : i32[]\n"
                          "    return %w, %t, %k, %old")  # fmt: skip
    g = parse_graph(text)
    run = Executor(None, State(), Options()).prepare(list(g.roots), g.inputs)
    with pytest.raises(InvalidArgumentError, match="zero"):
        run(ramp(4), np.int32(4), np.int32(0))
    assert run(ramp(4), np.int32(0), np.int32(0))[0] == 0


def steps_of(text: str, *given: Any) -> list[str]:
    """What the steps of a plan are called."""
    g = parse_graph(text)
    compiled: list[Any] = []
    listeners.observers.append(lambda run, c: compiled.append(c))
    try:
        run = Executor(None, State(), Options()).prepare(list(g.roots), g.inputs)
        run(*[np.asarray(a, v.dtype.np) for v, a in zip(g.inputs, given, strict=True)])
    finally:
        listeners.observers.pop()
    return [s.code.name for s in compiled[0].plan.steps]


@pytest.mark.parametrize("name", ["recur 6 6", "used 5", "sums 7"])
def test_what_makes_an_element_writes_it_into_the_array(name: str) -> None:
    names = steps_of(CASES[name][0], *CASES[name][1])
    assert any(s.endswith("_array") for s in names)
    assert "array_set" not in names


@pytest.mark.parametrize("name", ["turned 7", "shifted 7"])
def test_an_element_is_not_written_before_it_is_read(name: str) -> None:
    names = steps_of(CASES[name][0], *CASES[name][1])
    assert "array_set" in names


def test_values_are_left_where_the_next_iteration_reads_them() -> None:
    names = steps_of(FIBONACCI, ramp(5), ramp(5), 3)
    body = names[names.index("branch") :]
    assert body.count("copy") == 2  # one value too many is alive: y goes to x, x + y to y
    names = steps_of(RECUR, ramp(5, 3, 4), ramp(4, 4), ramp(3, 4), 5)
    assert names[names.index("branch") :].count("copy") == 0


#: the quotient of the rounds left by those made, but nothing in round 0
DIVIDED = """graph main() {
  %n = input {index=0} : i32[]
  %z = input {index=1} : i32[]
  %zero = constant {value=0} : i32[]
  %r, %r:1 = while %zero, %zero, %n, %z cond {
    %i = input {index=0} : i32[]
    %s = input {index=1} : i32[]
    %n = input {index=2} : i32[]
    %z = input {index=3} : i32[]
    %c = less %i, %n : bool[]
    return %c
  } body {
    %i = input {index=0} : i32[]
    %s = input {index=1} : i32[]
    %n = input {index=2} : i32[]
    %z = input {index=3} : i32[]
    %one = constant {value=1} : i32[]
    %p = equal %i, %z : bool[]
    %d = cond %p, %n, %i, %s then {
      %n = input {index=0} : i32[]
      %i = input {index=1} : i32[]
      %s = input {index=2} : i32[]
      return %s
    } orelse {
      %n = input {index=0} : i32[]
      %i = input {index=1} : i32[]
      %s = input {index=2} : i32[]
      %l = subtract %n, %i : i32[]
      %q = floordiv %l, %i : i32[]
      %t = add %s, %q : i32[]
      return %t
    } : i32[]
    %j = add %i, %one : i32[]
    return %j, %d
  } : i32[], i32[]
  return %r, %r:1
}"""


def test_a_side_that_is_not_chosen_does_not_fail() -> None:
    names = steps_of(DIVIDED, 9, 0)
    assert "loop0" in names
    g = parse_graph(DIVIDED)
    run = Executor(None, State(), Options()).prepare(list(g.roots), g.inputs)
    assert run(np.int32(9), np.int32(0)) == [9, sum((9 - i) // i for i in range(1, 9))]
    for z in (1, 8, 99):
        with pytest.raises(InvalidArgumentError, match="zero"):
            run(np.int32(9), np.int32(z))


def test_what_is_written_into_an_array_is_not_put_off() -> None:
    """The step that updates v also sets an element, which a later step sets again."""
    g = parse_graph("""graph main() {
      %v = read {var="v"} : f32[4]
      %i = input {index=0} : i32[]
      %x = input {index=1} : f32[3,4]
      %a = add %x, %x : f32[3,4]
      %y = multiply %v, %v : f32[4]
      %s = array_set %a, %i, %y : f32[3,4]
      %z = reverse %v {axis=[0]} : f32[4]
      %t = array_set %s, %i, %z : f32[3,4]
      update "v" = %y
      return %t
    }""")
    steps = make_plan(optimize_ir(g, pipeline(None, 0))).steps
    sets = [s for s in steps if s.code.name.endswith("_array")]
    assert len(sets) == 2
    assert not any(s.commit for s in sets)
    assert [s.code.name for s in steps if s.commit] == ["copy"]


def test_an_update_is_not_put_off_beyond_the_life_of_its_operands() -> None:
    """The array that the update reads is changed in place afterwards."""
    g = parse_graph("""graph main() {
      %v = read {var="v"} : f32[4]
      %i = input {index=0} : i32[]
      %x = input {index=1} : f32[4]
      %e = input {index=2} : f32[]
      %a = reverse %x {axis=[0]} : f32[4]
      %y = multiply %v, %a : f32[4]
      %s = array_set %a, %i, %e : f32[4]
      %t = reverse %s {axis=[0]} : f32[4]
      update "v" = %y
      return %t
    }""")
    steps = make_plan(optimize_ir(g, pipeline(None, 0))).steps
    names = [s.code.name for s in steps]
    assert "copy" not in names[: names.index("array_set")]  # it is in place
    assert [s.code.name for s in steps if s.commit] == ["copy"]


def test_only_the_side_that_is_chosen_can_fail() -> None:
    g = parse_graph(SIDES)
    run = Executor(None, State(), Options()).prepare(list(g.roots), g.inputs)
    out = run(np.bool_(False), ramp(4), ramp(4), np.int32(99), np.float32(1))
    np.testing.assert_array_equal(out[2], 2 * ramp(4))


ENDLESS = COUNT.replace("%c = less %i, %n : bool[]", "%c = less_equal %i, %i : bool[]")


@pytest.mark.parametrize("level", [0, 2])
def test_an_endless_loop_is_interrupted(level: int) -> None:
    g = parse_graph(ENDLESS)
    run = Executor(None, State(), Options(level=level)).prepare(list(g.roots), g.inputs)
    with interrupted(pause=0.3):
        run(np.array(3, np.int32))
    ok = parse_graph(COUNT)
    again = Executor(None, State(), Options()).prepare(list(ok.roots), ok.inputs)
    assert again(np.array(3, np.int32))[0] == 3
