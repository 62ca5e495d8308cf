"""Program.run: binding of arrays, errors, interruption, the control word of the FPU."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import re
import signal
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, os.path.dirname(__file__))
from native_kernels import kernel
from patience import LONG, after, interrupted, until

from graphc.runtime.llvm import entry
from graphc.runtime.llvm.entry import (
    BUSY,
    COMMIT,
    COUNT,
    DIMS,
    OK,
    SLOW,
    STOPPED,
    FeedSpec,
    OutSpec,
    Program,
    Step,
)  # fmt: skip

X86 = platform.machine().lower() in ("x86_64", "amd64")


@pytest.fixture(params=[True, False], ids=["native", "portable"])
def fast(request: pytest.FixtureRequest) -> bool:
    """Both ways into a program."""
    return bool(request.param)


def step(name: str, words: list[int], *args: Any, **kwargs: Any) -> Step:
    code = kernel(name)
    return Step(code, code.address(), words, *args, **kwargs)


def add_one(n: int, fast: bool = True, **kwargs: Any) -> Program:
    """Y = x + 1 over n float32."""
    return Program(
        [step("add_one", [0, 0, 0], n, grain=kwargs.pop("grain", 0), cost=kwargs.pop("cost", 0.5))],
        [FeedSpec(np.float32, (n,), [(0, 1)])],
        [OutSpec(np.float32, (n,), [(0, 2)])],
        fast=fast,
        **kwargs,
    )


def spinning(
    ms: float, pieces: int = 1000, cost: float = 0.0, **kwargs: Any
) -> tuple[Program, Any]:
    """A program of one step that takes about `ms` milliseconds of a core, and its output."""
    out = np.zeros(pieces, np.int64)
    turns = max(1, int(ms * 1e6 / pieces / TURN))
    words = [0, out.ctypes.data, turns]
    grain, flags = kwargs.pop("grain", 1), kwargs.pop("flags", 0)
    s = step("spin", words, pieces, grain=grain, flags=flags, cost=cost or ms * 1e6 / pieces)
    return Program([s], keep=[out], **kwargs), out


def _measure_turn() -> float:
    out = np.zeros(1, np.int64)
    p = Program([step("spin", [0, out.ctypes.data, 200_000])], keep=[out])
    best = 1e9
    for _ in range(3):
        t = time.thread_time()
        p.run()
        best = min(best, time.thread_time() - t)
    return best * 1e9 / 200_000


TURN = _measure_turn()


def plain(n: int = 4) -> np.ndarray[Any, Any]:
    return np.arange(n, dtype=np.float32)


def test_the_fast_path_is_taken_here() -> None:
    assert type(add_one(4).run).__name__ == "builtin_function_or_method"


def test_runs_and_patches(fast: bool) -> None:
    p = add_one(4, fast)
    for k in range(40):
        x, y = plain() * k, np.empty(4, np.float32)
        assert p.run(x, y) == OK
        np.testing.assert_array_equal(y, x + 1)


def test_a_chain_of_steps_through_own_memory(fast: bool) -> None:
    n = 33
    temps = np.zeros((2, n), np.float32)
    a, b = (t.ctypes.data for t in temps)
    p = Program(
        [
            step("add_one", [0, 0, a], n),
            step("add_one", [0, a, b], n),
            step("add_one", [0, b, 0], n),
            step("add_one", [0, 0, 0], n),
        ],
        [FeedSpec(np.float32, (n,), [(0, 1), (3, 1)])],
        [OutSpec(np.float32, (n,), [(2, 2)]), OutSpec(np.float32, (n,), [(3, 2)])],
        keep=[temps],
        fast=fast,
    )
    x, y, z = plain(n), np.empty(n, np.float32), np.empty(n, np.float32)
    assert p.run(x, y, z) == OK
    np.testing.assert_array_equal(y, x + 3)
    np.testing.assert_array_equal(z, x + 1)


class _Sub(np.ndarray[Any, Any]):
    pass


def _misaligned() -> np.ndarray[Any, Any]:
    raw = np.zeros(17, np.uint8)
    return raw[1:].view(np.float32)


def _pickled_descr() -> np.ndarray[Any, Any]:
    a = plain()
    b = np.ndarray((4,), np.dtype("f4", metadata={"a": 1}))
    b[...] = a
    return b


ODD: dict[str, Any] = {
    "strided": lambda: np.arange(8, dtype=np.float32)[::2],
    "reversed": lambda: plain()[::-1],
    "broadcast": lambda: np.broadcast_to(np.float32(1), (4,)),
    "misaligned": _misaligned,
    "big endian": lambda: plain().astype(">f4"),
    "other type": lambda: plain().astype(np.float64),
    "same size type": lambda: plain().astype(np.int32),
    "other descriptor": _pickled_descr,
    "subclass": lambda: plain().view(_Sub),
    "masked": lambda: np.ma.masked_array(plain()),
    "list": lambda: [0.0, 1.0, 2.0, 3.0],
    "scalar": lambda: 1.0,
    "numpy scalar": lambda: np.float32(1),
    "None": lambda: None,
    "object": object,
    "string": lambda: "abcd",
    "bytes": lambda: b"0123456789abcdef",
    "rank 0": lambda: np.zeros((), np.float32),
    "rank 2": lambda: np.zeros((1, 4), np.float32),
    "a type": lambda: np.ndarray,
    "a dtype": lambda: np.dtype(np.float32),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_arrays_go_to_the_gate(name: str, fast: bool) -> None:
    p = add_one(4, fast)
    y = np.full(4, 7, np.float32)
    assert p.run(ODD[name](), y) == SLOW
    assert p.status().argument == 0
    assert p.run(plain(), ODD[name]()) == SLOW
    assert p.status().argument == 1
    assert (y == 7).all()
    assert p.run(plain(), y) == OK
    np.testing.assert_array_equal(y, plain() + 1)


def test_read_only_may_be_fed_and_not_written(fast: bool) -> None:
    p = add_one(4, fast)
    x, y = plain(), np.empty(4, np.float32)
    x.flags.writeable = y.flags.writeable = False
    assert p.run(x, np.empty(4, np.float32)) == OK
    assert p.run(x, y) == SLOW
    assert p.status().argument == 1


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint64, np.float16, np.float64, np.int32])
def test_types_are_told_apart(dtype: Any, fast: bool) -> None:
    p = Program([], [FeedSpec(dtype, (3,))], fast=fast)
    for other in (
        np.bool_,
        np.int8,
        np.uint8,
        np.int64,
        np.uint64,
        np.float16,
        np.float32,
        np.float64,
        np.int32,
        np.uint32,
        np.complex64,
        np.object_,
        "S8",
        "M8[s]",
    ):
        want = OK if np.dtype(other) == np.dtype(dtype) else SLOW
        assert p.run(np.zeros(3, other)) == want


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0, 2), (2, 3, 4), (1,) * 29])
def test_shapes(shape: tuple[int, ...], fast: bool) -> None:
    p = Program([], [FeedSpec(np.float64, shape)], fast=fast)
    assert p.run(np.zeros(shape)) == OK
    for k in range(len(shape)):
        other = list(shape)
        other[k] += 1
        assert p.run(np.zeros(other)) == DIMS
        assert p.status().argument == 0
    assert p.run(np.zeros((*shape[:-1], 2, 2, 2))) == SLOW


def test_number_of_arguments(fast: bool) -> None:
    p = add_one(4, fast)
    for n in (0, 1, 3):
        assert p.run(*[plain()] * n) == COUNT
    with pytest.raises(TypeError):
        p.run(x=plain())


def test_no_reference_is_lost_or_kept(fast: bool) -> None:
    p = add_one(4, fast)
    x, y, bad = plain(), plain(), np.zeros(3, np.float32)
    before = [sys.getrefcount(a) for a in (x, y, bad)]
    for _ in range(100):
        p.run(x, y)
        p.run(bad, y)
        p.run(x)
    assert [sys.getrefcount(a) for a in (x, y, bad)] == before


def test_run_outlives_the_program(fast: bool) -> None:
    x, y = plain(), np.empty(4, np.float32)
    p = add_one(4, fast)
    ref, run = weakref.ref(p), p.run
    del p
    gc.collect()
    assert ref() is None
    assert run(x, y) == OK
    np.testing.assert_array_equal(y, x + 1)


def test_rebinding_in_place(fast: bool) -> None:
    p = add_one(4, fast)
    for n in (7, 0, 3):
        p.dims[0][:] = p.dims[1][:] = n
        p.units[0] = n
        p.refresh()
        x, y = plain(n), np.empty(n, np.float32)
        assert p.run(x, y) == OK
        np.testing.assert_array_equal(y, x + 1)
        assert p.run(plain(9), y) == DIMS


def test_a_patch_must_name_a_word() -> None:
    with pytest.raises(IndexError):
        Program([step("add_one", [0, 0, 0])], [FeedSpec(np.float32, (1,), [(0, 3)])])


def test_an_error_names_step_position_and_code(fast: bool) -> None:
    x = np.zeros(1000, np.int64)
    steps = [step("check", [0, 0], n, grain=g) for n, g in ((500, 0), (1000, 8))]
    p = Program(steps, [FeedSpec(np.int64, (1000,), [(0, 1), (1, 1)])], fast=fast)
    assert p.run(x) == OK
    x[700:] = 5
    assert p.run(x) == 5
    assert p.status()[:3] == (5, 1, 700)
    x[499] = -3
    assert p.run(x) == 2**31 - 1
    assert p.status()[:3] == (-3, 0, 499)
    x[:] = 0
    assert p.run(x) == OK


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_lowest_unit_wins(threads: int, fast: bool) -> None:
    rng = np.random.default_rng(0)
    n = 20_000
    feeds = [FeedSpec(np.int64, (n,), [(0, 1)])]
    p = Program([step("check", [0, 0], n, grain=16, cost=20.0)], feeds, threads=threads, fast=fast)
    for _ in range(200):
        x = np.zeros(n, np.int64)
        bad = rng.integers(0, n, rng.integers(1, 50))
        x[bad] = bad + 1
        p.costs[0] = 20.0
        p.refresh()
        lowest = int(bad.min())
        assert p.run(x) == lowest + 1
        assert p.status()[:3] == (lowest + 1, 0, lowest)


def test_empty_program(fast: bool) -> None:
    assert Program([], fast=fast).run() == OK


# ----------------------------------------------------------------- time


ENDLESS = 60_000  #: milliseconds (and units): whoever is not stopped fails


@pytest.mark.parametrize("cost", [1.0, 1e6, 0.0], ids=["too low", "right", "unknown"])
@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_stops_a_long_kernel(fast: bool, threads: int, cost: float) -> None:
    p, out = spinning(ENDLESS, ENDLESS, cost=cost, threads=threads, fast=fast)
    p.costs[0] = cost or 1e6
    p.refresh()
    with interrupted(out.any, 0.1):
        p.run()
    done = np.count_nonzero(out)
    assert 0 < done < len(out)
    time.sleep(0.05)
    assert np.count_nonzero(out) == done  # no worker is left behind
    p.words[2] = 1
    p.costs[0] = 1.0
    p.refresh()
    assert p.run() == OK
    assert np.count_nonzero(out) == len(out)


def test_ctrl_c_waits_for_the_commit(fast: bool) -> None:
    p, out = spinning(400, 400, flags=COMMIT, fast=fast)
    codes = []
    with interrupted(out.any):
        codes.append(p.run())
        time.sleep(LONG)  # the signal is seen by Python after the run
    assert codes in ([OK], [])  # [] where it is seen between the call and the append
    assert np.count_nonzero(out) == len(out)


def test_a_signal_handler_that_raises_nothing_lets_the_run_go_on(fast: bool) -> None:
    seen: list[int] = []
    old = signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.06)
        p, out = spinning(400, 400, fast=fast)
        assert p.run() == OK
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert len(seen) >= 3
    assert np.count_nonzero(out) == len(out)


def test_stop_from_another_thread(fast: bool) -> None:
    for threads in (1, 2):
        p, out = spinning(ENDLESS, ENDLESS, threads=threads, fast=fast)
        stops = after(out.any, p.stop)
        assert p.run() == STOPPED
        stops.join()
        assert 0 < np.count_nonzero(out) < len(out)
        p.words[2] = 1
        p.stop()  # too early: no run is under way
        assert p.run() == OK


def test_other_threads_run_python_meanwhile(fast: bool) -> None:
    p, out = spinning(ENDLESS, ENDLESS, fast=fast)
    turns = []

    def other() -> bool:
        if out.any():
            turns.append(np.count_nonzero(out))
        return len(turns) > 20

    t = after(other, p.stop)
    assert p.run() == STOPPED
    t.join()
    assert turns[0] < turns[-1] < len(out)


def test_a_program_lets_in_one_run_at_a_time(fast: bool) -> None:
    p, out = spinning(ENDLESS, ENDLESS, fast=fast)
    codes: list[int] = []
    t = threading.Thread(target=lambda: codes.append(p.run()))
    t.start()
    until(out.any)
    assert p.run() == BUSY
    p.stop()
    t.join()
    assert codes == [STOPPED]
    p.words[2] = 1
    p.refresh()
    assert p.run() == OK


def test_costs_are_learned(fast: bool) -> None:
    """Of the first of 64 parts, which may be interrupted as long as the whole run is."""
    p, out = spinning(60, 600, cost=1e9, fast=fast)
    whole, own = time.perf_counter_ns(), time.thread_time_ns()
    assert p.run() == OK
    whole, own = time.perf_counter_ns() - whole, time.thread_time_ns() - own
    assert 0.2 * own / len(out) < p.costs[0] < 1.01 * whole / (len(out) // 64)


# ----------------------------------------------------------------- the FPU


@pytest.mark.skipif(not X86, reason="MXCSR is of x86")
@pytest.mark.parametrize("cost", [0.1, 1e6], ids=["short", "long"])
@pytest.mark.parametrize("bits", [0x8000, 0x0040, 0x6000, 0xE040])
def test_a_changed_control_word_does_not_change_results(bits: int, cost: float, fast: bool) -> None:
    call = ctypes.PYFUNCTYPE(
        ctypes.c_int32, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64
    )(kernel("set_mxcsr").address())
    new, old, back = (np.zeros(1, np.uint32) for _ in range(3))
    new[0] = 0x1F80 | bits
    there = np.array([0, new.ctypes.data, old.ctypes.data], np.int64)
    home = np.array([0, old.ctypes.data, back.ctypes.data], np.int64)
    x = np.array([3e-310, 5e-324, 1.0 + 2**-52, -5e-324 * 3])
    y = np.empty(4)
    p = Program(
        [step("halve", [0, 0, 0], 4, cost=cost)],
        [FeedSpec(np.float64, (4,), [(0, 1)])],
        [OutSpec(np.float64, (4,), [(0, 2)])],
        fast=fast,
    )
    want = x * 0.5
    at_there, at_home = there.ctypes.data, home.ctypes.data
    call(at_there, 0, 1, 0)
    code = p.run(x, y)
    call(at_home, 0, 1, 0)
    assert code == OK
    np.testing.assert_array_equal(y, want)
    assert back[0] & 0xFFC0 == new[0] & 0xFFC0  # and the caller finds its own setting again


# ----------------------------------------------------------------- layout


def test_a_wrong_layout_is_found_out() -> None:
    good = entry._find_layout()
    assert good is not None
    a = np.zeros((2, 3))
    assert entry._fits(good, a)
    for name in good._fields:
        assert not entry._fits(good._replace(**{name: getattr(good, name) + 8}), a)


def test_stored_code_is_that_of_all_modules_that_write_it() -> None:
    """Whatever of `runner`'s imports writes instructions is a part of the code's key."""
    folder = Path(entry.__file__).parent
    found, stack = set(), ["runner"]
    while stack:
        name = stack.pop()
        text = (folder / f"{name}.py").read_text(encoding="utf-8")
        if name not in found and "from llvmlite import ir\n" in text:
            found.add(name)
            stack += re.findall(r"^from graphc\.runtime\.llvm\.(\w+) import", text, re.MULTILINE)
    assert len(found) > 5
    assert {f"{name}.py" for name in found} <= set(entry.SOURCES)
    assert all((folder / name).is_file() for name in entry.SOURCES)
