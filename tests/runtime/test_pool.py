"""The pool: every unit once, any number of threads, forks, exits."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, os.path.dirname(__file__))
from native_kernels import kernel
from patience import LONG, until
from test_entry import ENDLESS, X86, spinning

from graphc.runtime import pool
from graphc.runtime.llvm.entry import OK, FeedSpec, OutSpec, Program, Step, native

BIG = 1e4  # ns a unit: enough for the pool to be used


def counting(n: int, grain: int, threads: int, cost: float = BIG) -> tuple[Program, Any, Any]:
    hits, workers = np.zeros(n, np.int64), np.zeros(pool.MAX_THREADS, np.int64)
    code = kernel("count")
    words = [0, hits.ctypes.data, workers.ctypes.data]
    s = Step(code, code.address(), words, n, grain=grain, cost=cost)
    return Program([s], threads=threads, keep=[hits, workers]), hits, workers


def again(p: Program, cost: float = BIG) -> int:
    """Run as if the steps were long, whatever was learned."""
    p.costs[:] = cost
    p.refresh()
    return p.run()


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_every_unit_runs_once(threads: int) -> None:
    rng = np.random.default_rng(threads)
    for _ in range(60):
        n, grain = int(rng.integers(1, 3000)), int(rng.choice([0, 1, 2, 7, 64]))
        p, hits, workers = counting(n, grain, threads)
        for k in range(5):
            assert again(p) == OK
            assert (hits == k + 1).all()
        assert workers.sum() == 5 * n
        assert not workers[threads:].any()
        if grain == 0:
            assert workers[0] == 5 * n


def test_workers_do_take_part() -> None:
    shared, end = 0, time.monotonic() + LONG
    while shared < 3:  # a worker may come late
        p, _, workers = counting(4000, 1, 2)
        warm, out = spinning(4, 200, threads=2)
        for _ in range(5):
            assert warm.run() == OK
            assert again(p) == OK
        assert np.count_nonzero(out) == 200
        shared += int(workers[1] > 0)
        assert time.monotonic() < end
    assert pool.size() >= 1


def test_the_same_bits_for_any_number_of_threads() -> None:
    results = []
    for threads in (1, 2, 4):
        p, out = spinning(30, 3000, threads=threads)
        p.words[2] = 777
        p.run()
        results.append(out.copy())
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_parked_workers_wake() -> None:
    p, hits, _ = counting(512, 1, 2)
    for k in range(20):
        time.sleep(0.003)
        assert again(p) == OK
        assert (hits == k + 1).all()


def test_many_programs_share_the_pool() -> None:
    failures: list[str] = []

    def work(seed: int) -> None:
        p, hits, _ = counting(1000 + seed, 3, 2)
        for k in range(300):
            if again(p) != OK or not (hits == k + 1).all():
                failures.append(f"{seed}: {k}")
                return

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures


def test_one_program_under_a_lock() -> None:
    p, hits, _ = counting(500, 3, 2)
    lock, codes = threading.Lock(), []

    def work() -> None:
        for _ in range(200):
            with lock:
                codes.append(again(p))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert set(codes) == {OK}
    assert (hits == 1600).all()


def test_shutdown_and_back() -> None:
    p, hits, _ = counting(500, 1, 3)
    assert again(p) == OK
    assert pool.size() >= 2
    pool.shutdown()
    assert pool.size() == 0
    names = [t.name for t in threading.enumerate()]
    assert not any(n.startswith("graphc-") for n in names)
    assert again(p) == OK
    assert pool.size() == 2
    assert (hits == 2).all()


def test_without_threads_it_runs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pool.shutdown()

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    p, hits, workers = counting(500, 1, 4)
    with monkeypatch.context() as m:
        m.setattr(threading.Thread, "start", refuse)
        assert again(p) == OK
        assert again(p) == OK
    assert pool.size() == 0
    assert workers[0] == 1000
    assert (hits == 2).all()
    pool.shutdown()  # forgets the refusal


def test_an_exception_while_making_workers_leaves_the_program_usable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(threads: int) -> int:
        raise KeyboardInterrupt

    pool.shutdown()
    p, hits, _ = counting(500, 1, 2)
    with monkeypatch.context() as m:
        m.setattr(pool, "ensure", interrupted)
        with pytest.raises(KeyboardInterrupt):
            again(p)
    assert not hits.any()
    assert again(p) == OK
    assert (hits == 1).all()


def test_threads_can_be_set_later() -> None:
    p, hits, workers = counting(500, 1, 1)
    assert again(p) == OK
    p.threads = 3
    assert p.threads == 3
    assert again(p) == OK
    p.threads = 1
    before = workers.copy()
    assert again(p) == OK
    assert workers[0] == before[0] + 500
    assert (hits == 3).all()


@pytest.mark.skipif(not X86, reason="MXCSR is of x86")
def test_workers_have_the_default_control_word() -> None:
    seen = np.zeros(pool.MAX_THREADS, np.uint32)
    code = kernel("get_mxcsr")
    s = Step(code, code.address(), [0, seen.ctypes.data], 5000, grain=1, cost=BIG)
    p = Program([s], threads=4, keep=[seen])
    for _ in range(20):
        again(p)
    assert set((seen & 0xFFC0).tolist()) <= {0, 0x1F80}
    assert seen[0] & 0xFFC0 == 0x1F80


def test_ensure_gives_what_can_be_had() -> None:
    native()
    assert pool.ensure(1) == 1
    assert pool.ensure(2) == 2
    assert pool.ensure(0) == 1
    assert pool.available() >= 1


# ----------------------------------------------------------------- fork and exit


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_its_own_pool() -> None:
    p, hits, _ = counting(2000, 1, 2)
    assert again(p) == OK
    busy, out = spinning(ENDLESS, ENDLESS, threads=2)
    t = threading.Thread(target=busy.run)
    t.start()
    until(out.any)
    children = []
    for _ in range(4):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            code = 1
            try:
                assert pool.size() == 0
                for k in range(20):
                    assert again(p) == OK
                    assert (hits == k + 2).all()
                assert pool.size() == 1
                busy.words[2] = 1
                assert busy.run() == OK  # another thread was inside it when we were made
                code = 0
            finally:
                os._exit(code)
        children.append(pid)
    for pid in children:
        deadline = time.monotonic() + LONG
        done, status = os.waitpid(pid, os.WNOHANG)
        while not done and time.monotonic() < deadline:
            time.sleep(0.01)
            done, status = os.waitpid(pid, os.WNOHANG)
        if not done:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        assert done
        assert status == 0
    busy.stop()
    t.join()
    assert again(p) == OK
    assert (hits == 2).all()


def script(body: str, timeout: float = LONG) -> subprocess.CompletedProcess[str]:
    here = os.path.dirname(os.path.abspath(__file__))
    head = f"import sys; sys.path[:0] = [{here!r}, {os.path.dirname(here)!r}]\n"
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", head + textwrap.dedent(body)],
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("ends", ["pass", "sys.exit(0)", "t.join(0.2)", "os._exit(0)"])
@pytest.mark.parametrize("threads", [1, 2])
def test_exit_with_a_kernel_running(threads: int, ends: str) -> None:
    r = script(f"""
        import os, threading, time
        from test_entry import spinning
        p, out = spinning(60_000, 60_000, threads={threads})
        t = threading.Thread(target=p.run, daemon=True)
        t.start()
        while not out.any():
            time.sleep(0.01)
        {ends}
        """)
    assert (r.returncode, r.stderr) == (0, "")


@pytest.mark.parametrize("ms", [5, 40])
def test_exit_just_as_a_run_ends(ms: int) -> None:
    for wait in (0.5, 0.9, 1.0, 1.1):
        r = script(f"""
            import threading, time
            from test_entry import spinning
            p, out = spinning({ms}, 200, threads=2)
            def work():
                while True:
                    p.run()
            for _ in range(3):
                threading.Thread(target=work, daemon=True).start()
            time.sleep({ms / 1000 * wait} + 0.02)
            """)
        assert (r.returncode, r.stderr) == (0, "")


def test_exit_with_parked_workers() -> None:
    r = script("""
        import time
        from test_pool import counting, again
        p, hits, workers = counting(1000, 1, 4)
        again(p)
        time.sleep(0.1)
        """)
    assert (r.returncode, r.stderr) == (0, "")


def test_feeds_reach_all_workers() -> None:
    n = 100_000
    code = kernel("add_one")
    p = Program(
        [Step(code, code.address(), [0, 0, 0], n, grain=64, cost=5.0)],
        [FeedSpec(np.float32, (n,), [(0, 1)])],
        [OutSpec(np.float32, (n,), [(0, 2)])],
        threads=3,
    )
    for k in range(50):
        x, y = np.full(n, k, np.float32), np.empty(n, np.float32)
        p.costs[:] = 5.0
        p.refresh()
        assert p.run(x, y) == OK
        assert (y == k + 1).all()
