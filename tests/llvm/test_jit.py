"""Compiling, loading, sharing and surviving: the rules R1 to R8 and the hazards behind them."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sample_kernels
from patience import LONG

from graphc.runtime.llvm import cpu as cpu_module
from graphc.runtime.llvm import (
    jit,
    kernel_options,
    load,
    machine,
    native_code,
    self_test,
    shared,
    workers,
)
from graphc.runtime.llvm.cache import Cache, open_cache
from graphc.runtime.llvm.cpu import LEVELS, host
from graphc.runtime.llvm.jit import CompileError, compile_kernels, stats
from graphc.runtime.llvm.kernel_options import Options

HERE = Path(__file__).parent
INT, PTR, I64 = ctypes.c_int32, ctypes.c_void_p, ctypes.c_int64


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    jit.clear()
    yield
    jit.clear()


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(cache_dir=str(tmp_path / "cache"))


def answer(value: int, name: str = "answer") -> str:
    return f"define i32 @{name}()\n{{\nentry:\n  ret i32 {value}\n}}\n"


def run(kernel: native_code.Compiled, name: str | None = None) -> int:
    return int(kernel.function(INT, name=name)())


def table(*arrays: np.ndarray) -> Any:
    return (PTR * len(arrays))(*(a.ctypes.data for a in arrays))


def check_samples(kernels: dict[str, native_code.Compiled], lanes: int = 16) -> None:
    rng = np.random.default_rng(1)
    for n in (0, 1, 15, 16, 37, 1000):
        x, y = rng.standard_normal((2, n)).astype(np.float32)
        o = np.full(n + 1, 7, np.float32)
        assert kernels["chain"].function(INT, PTR, I64)(table(x, y, o), n) == 0
        np.testing.assert_array_equal(o[:n], sample_kernels.chain_numpy(x, y))
        assert o[n] == 7
    x = rng.standard_normal((5, 37)).astype(np.float32)
    o = np.empty_like(x)
    kernels["softmax"].function(INT, PTR, I64, I64)(table(x, o), 5, 37)
    e = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
    np.testing.assert_allclose(o, e / e.sum(1, keepdims=True), rtol=2e-6)
    a = rng.standard_normal((50, 8)).astype(np.float32)
    b = rng.standard_normal((50, 3 * lanes)).astype(np.float32)
    c = np.empty((8, 3 * lanes), np.float32)
    kernels["gemm"].function(INT, PTR, I64, I64)(table(a, b, c), 50, 3 * lanes)
    np.testing.assert_allclose(c, a.T @ b, rtol=1e-4, atol=1e-4)


def samples(lanes: int = 16) -> dict[str, Callable[[Any], None]]:
    names = ("chain", "softmax", "gemm", "integers")
    return {
        n: lambda m, n=n: getattr(sample_kernels, n)(m, lanes=lanes)  # type: ignore[misc]
        for n in names
    }


# ----------------------------------------------------------------- results


@pytest.mark.parametrize("level", ["", *LEVELS])
@pytest.mark.parametrize("opt", [0, 2])
def test_samples_at_every_level(level: str, opt: int) -> None:
    kernels = compile_kernels(samples(), Options(level=level, opt=opt, cache_dir=""))
    check_samples(kernels)
    text = kernels["gemm"].assembly
    if level == "sse2":
        assert "ymm" not in text
    if level in ("sse2", "avx2"):
        assert "zmm" not in text
    if host().level == "avx512" and level in ("", "avx512"):
        assert "vfmadd" in text
        assert "zmm" in text


def test_integers_on_corners() -> None:
    f = compile_kernels(samples(8), Options(cache_dir=""))["integers"].function(INT, PTR)
    low = -(2**31)
    x = np.array([low, -7, 7, low, 5, -5, 1, 0], np.int32)
    y = np.array([-1, 2, -2, 0, 33, -1, 31, 0], np.int32)
    o = np.zeros(11 * 9, np.int32)
    f(table(x, y, o))
    r = o[:88].reshape(11, 8)
    assert r[0].tolist() == [low, -4, -4, 0, 0, 5, 0, 0]
    assert r[1].tolist() == [low, -3, -3, 0, 0, 5, 0, 0]
    assert r[2].tolist() == [0, 1, -1, 0, 5, 0, 1, 0]
    assert r[4].tolist() == [0, -28, 0, low, 0, 0, low, 0]
    assert r[5].tolist() == [-1, -2, 0, low, 0, -1, 0, 0]
    np.testing.assert_array_equal(r[:10, 0], o[88:98])  # the scalar form agrees


def test_texts_for_dumps(options: Options) -> None:
    for _ in range(2):  # compiled, then loaded
        k = compile_kernels(samples(), options)["softmax"]
        assert 'define i32 @"softmax"' in k.llvm_ir
        assert "llvm.masked.load" in k.optimized_ir
        assert "define i32 @softmax" in k.optimized_ir
        assert "softmax:" in k.assembly
        assert k.names == ("softmax",)
        assert "softmax" in repr(k)
        jit.clear()


def test_several_functions_and_equal_names(options: Options) -> None:
    two = answer(1, "a") + answer(2, "b") + answer(3, "hidden").replace("define", "define internal")
    kernels = compile_kernels({"x": two, "y": answer(4, "a")}, options)
    assert kernels["x"].names == ("a", "b")
    assert [run(kernels["x"], n) for n in "ab"] == [1, 2]
    assert run(kernels["y"]) == 4
    with pytest.raises(ValueError, match="name one of a, b"):
        kernels["x"].address()
    with pytest.raises(CompileError, match="no function 'hidden'"):
        kernels["x"].address("hidden")
    assert list(compile_kernels({}, options)) == []


def test_constants_calls_and_function_pointers(options: Options) -> None:
    text = """
declare double @tanh(double)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
@bias = internal constant [2 x double] [double 1.0, double 2.0]
define internal double @twice(double %x)
{
entry:
  %y = call double @tanh(double %x)
  %z = fadd double %y, %y
  ret double %z
}
define double @f(double %x, i64 %i, ptr %p)
{
entry:
  %a = getelementptr double, ptr @bias, i64 %i
  %b = load double, ptr %a, align 8
  %s = call double @twice(double %x)
  %t = fadd double %s, %b
  call void @llvm.memset.p0.i64(ptr %p, i8 1, i64 1000, i1 0)
  %u = frem double %t, 0x4000000000000000
  ret double %u
}
"""
    for supported in (True, False):
        for _ in range(2):
            with pytest.MonkeyPatch.context() as m:
                if not supported:  # LLVM's own linker, the way of other platforms
                    m.setattr(load, "supported", lambda: False)
                k = compile_kernels({f"k{supported}": text}, options)[f"k{supported}"]
            f = k.function(ctypes.c_double, ctypes.c_double, I64, PTR, name="f")
            room = np.zeros(1001, np.uint8)
            got = f(0.5, 1, room.ctypes.data)
            assert got == np.fmod(2 * np.tanh(0.5) + 2.0, 2.0)
            assert room.sum() == 1000
            jit.clear()
    assert stats().compiled == 0


def test_linker_of_llvm_runs_the_samples(options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "supported", lambda: False)
    check_samples(compile_kernels(samples(), options))
    jit.clear()
    check_samples(compile_kernels(samples(), options))
    assert stats().loaded_from_disk == 4


def test_mutable_data_goes_to_the_linker_of_llvm(options: Options) -> None:
    text = """
@count = internal global i32 5
define i32 @next()
{
entry:
  %a = load i32, ptr @count, align 4
  %b = add i32 %a, 1
  store i32 %b, ptr @count, align 4
  ret i32 %b
}
"""
    k = compile_kernels({"k": text}, options)["k"]
    assert [run(k), run(k)] == [6, 7]


def test_c_functions_are_called_as_written(options: Options) -> None:
    names = ("sin", "cos", "pow")
    calls = [
        "%a = call double @sin(double %x)", "%b = call double @cos(double %x)",
        "%c = call double @pow(double %x, double 2.0)", "%d = call double @sin(double 1.0)",
        "%e = fadd double %a, %b", "%g = fadd double %c, %d", "%h = fadd double %e, %g",
    ]  # fmt: skip
    text = "declare double @sin(double)\ndeclare double @cos(double)\n"
    text += "declare double @pow(double, double)\ndefine double @f(double %x)\n{\nentry:\n"
    text += "".join(f"  {c}\n" for c in calls) + "  ret double %h\n}\n"
    k = compile_kernels({"k": text}, options)["k"]
    assert [k.optimized_ir.count(f"@{n}(double") for n in names] == [3, 2, 2]
    assert "sincos" not in k.assembly


def test_no_fusing_of_products_and_sums(options: Options) -> None:
    text = (
        "define float @f(float %x)\n{\nentry:\n  %a = fmul float %x, %x\n"
        "  %b = fsub float %a, 1.0\n  ret float %b\n}\n"
    )
    x = np.float32(1 + 2**-12)
    for opt in (0, 2):
        k = compile_kernels({"k": text}, Options(cache_dir="", opt=opt))["k"]
        got = k.function(ctypes.c_float, ctypes.c_float)(x)
        assert got == x * x - np.float32(1)
        assert got != float(x) * float(x) - 1


# ----------------------------------------------------------------- refusals


def test_undeclared_external_is_refused(options: Options) -> None:
    text = (
        "declare i32 @system(ptr)\n"
        "define i32 @f(ptr %p)\n{\nentry:\n  %r = call i32 @system(ptr %p)\n  ret i32 %r\n}\n"
    )
    with pytest.raises(CompileError, match="'system'"):
        compile_kernels({"evil": text}, options)
    named = Options(cache_dir="", extern_names=("system",))
    assert compile_kernels({"evil": text}, named)["evil"].address()
    missing = text.replace("system", "no_such_function_anywhere")
    with pytest.raises(CompileError, match="does not exist in this process"):
        compile_kernels(
            {"evil": missing}, Options(cache_dir="", extern_names=("no_such_function_anywhere",))
        )


@pytest.mark.parametrize("flat", [True, False])
def test_external_added_by_code_generation_is_refused(
    flat: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "supported", lambda: flat)
    text = (
        "define i32 @f(ptr %p)\n{\nentry:\n  %x = load i128, ptr %p, align 8\n"
        "  %z = icmp eq i128 %x, 0\n  %d = select  i1 %z, i128 1, i128 %x\n"
        "  %q = udiv i128 7, %d\n  store i128 %q, ptr %p, align 8\n  ret i32 0\n}\n"
    )
    with pytest.raises(CompileError, match=r"__udivti3|could not link"):
        compile_kernels({"k": text}, Options(cache_dir=""))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("define i32 @f()\n{\nentry:\n  ret i64 0\n}\n", "LLVM refuses"),
        ("define i32 @f()\n{\nentry:\n  %a = add i32 1\n  ret i32 %a\n}\n", "LLVM refuses"),
        ("define i32 @f()\n{\nentry:\n  %a = add i32 %a, 1\n  ret i32 %a\n}\n", "LLVM refuses"),
        ("rubbish", "codegen rule R3"),
        ("define i32 @f(ptr noalias %p)\n{\nentry:\n  ret i32 0\n}\n", "codegen rule C6"),
    ],
)
def test_bad_modules(text: str, message: str, options: Options) -> None:
    with pytest.raises(CompileError, match=message):
        compile_kernels({"bad": text}, options)
    gc.collect()  # what an exception kept alive is closed in the right order


def test_one_bad_kernel_does_not_lose_the_others(options: Options) -> None:
    def fail(_: Any) -> None:
        raise ZeroDivisionError("in emit")

    with pytest.raises(CompileError, match=r"kernel 'b' failed: ZeroDivisionError: in emit"):
        compile_kernels({"a": answer(1), "b": fail, "c": answer(3)}, options)
    assert stats().compiled == 2
    compile_kernels({"a": answer(1), "c": answer(3)}, options)
    assert stats().memory_hits == 2
    assert compile_kernels({"b": lambda m: sample_kernels.chain(m)}, options)  # may be tried again


def test_every_extern_exists() -> None:
    for name in kernel_options.EXTERNS:
        assert native_code.address_of(name)
    assert native_code.address_of("PyLong_FromLong")


# ----------------------------------------------------------------- memory and sharing


def test_code_lives_as_long_as_something_needs_it() -> None:
    k = compile_kernels({"k": answer(42)}, Options(cache_dir=""))["k"]
    f, address = k.function(INT), k.address()
    del k
    jit.clear()
    gc.collect()
    assert f() == 42
    assert mapped(address)
    del f
    gc.collect()
    assert not mapped(address)


def mapped(address: int) -> bool:
    with open("/proc/self/maps") as maps:
        for line in maps:
            low, high = (int(x, 16) for x in line.split()[0].split("-"))
            if low <= address < high:
                return "r-xp" in line
    return False


def test_code_is_not_writable() -> None:
    k = compile_kernels({"k": answer(42)}, Options(cache_dir=""))["k"]
    assert mapped(k.address())  # r-x, so not writable


def test_memory_hits_and_keys(options: Options) -> None:
    calls = []

    def emit(module: Any) -> None:
        calls.append(1)
        sample_kernels.chain(module)

    a = compile_kernels({"k": emit}, options)["k"]
    assert compile_kernels({"k": emit}, options)["k"] is a
    assert len(calls) == 1
    assert stats().memory_hits == 1
    other = Options(cache_dir=options.cache_dir, salt="other")
    assert compile_kernels({"k": emit}, other)["k"] is not a
    assert len(calls) == 2
    # the text of a module is part of its key, so a wrong key cannot give wrong code
    assert [run(compile_kernels({"t": answer(v)}, options)["t"]) for v in (1, 2)] == [1, 2]


def test_number_kept_is_capped(options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jit, "CAPACITY", 3)
    held = compile_kernels({"0": answer(0)}, options)["0"]
    for k in range(1, 8):
        compile_kernels({str(k): answer(k)}, options)
    gc.collect()
    assert stats().live == 4
    assert compile_kernels({"0": answer(0)}, options)["0"] is held


def test_two_threads_compile_a_kernel_once(options: Options) -> None:
    calls: list[int] = []
    go = threading.Barrier(6)

    def emit(module: Any) -> None:
        calls.append(1)
        time.sleep(0.05)
        sample_kernels.chain(module)

    got: list[native_code.Compiled] = []

    def ask() -> None:
        go.wait()
        got.append(compile_kernels({"k": emit}, options)["k"])

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(calls) == 1
    assert len({id(k) for k in got}) == 1
    s = stats()
    assert (s.compiled, s.memory_hits) == (1, 5)


class Watched(threading.Event):
    """An event that says when somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.waiting.set()
        return super().wait(timeout)


def test_waiting_threads_get_the_error_and_survive_an_interrupt(options: Options) -> None:
    inside, leave = threading.Event(), threading.Event()
    raising: list[BaseException] = [ValueError("no")]

    def emit(_: Any) -> None:
        inside.set()
        leave.wait(LONG)
        raise raising[0]

    for error, expected in ((ValueError("no"), CompileError), (KeyboardInterrupt(), None)):
        raising[0] = error
        inside.clear()
        leave.clear()
        outcome: dict[str, object] = {}

        def first(outcome: dict[str, object] = outcome) -> None:
            try:
                compile_kernels({"k": emit}, options)
            except BaseException as e:
                outcome["first"] = e

        def second(outcome: dict[str, object] = outcome) -> None:
            try:
                outcome["second"] = compile_kernels(
                    {"k": lambda m: sample_kernels.chain(m)}, options
                )
            except BaseException as e:
                outcome["second"] = e

        a = threading.Thread(target=first)
        a.start()
        assert inside.wait(LONG)
        (pending,) = shared.being_made.values()
        pending.done = watched = Watched()
        b = threading.Thread(target=second)
        b.start()
        assert watched.waiting.wait(LONG)
        leave.set()
        a.join()
        b.join()
        if expected:
            assert isinstance(outcome["first"], expected)
            assert isinstance(outcome["second"], expected)
        else:
            assert isinstance(outcome["first"], KeyboardInterrupt)
            assert isinstance(outcome["second"], dict)  # it compiled the kernel itself


def test_a_kernel_that_asks_for_itself(options: Options) -> None:
    def emit(_: Any) -> None:
        compile_kernels({"k": emit}, options)

    with pytest.raises(CompileError, match="asks for kernel 'k'"):
        compile_kernels({"k": emit}, options)


def test_many_threads_many_kernels() -> None:
    """Compiling side by side gives the same bytes as one after another (rule R5)."""
    texts = {}
    context = jit._context(Options(cache_dir=""))
    machine.prepare_llvm()
    for k in range(24):
        emit = samples()[("chain", "softmax", "gemm")[k % 3]]
        texts[k] = native_code.text_of(emit, str(k), context)
    expected = {k: context.object_of(t) for k, t in texts.items()}
    wrong: list[int] = []

    def work(order: list[int]) -> None:
        wrong.extend(k for k in order if context.object_of(texts[k]) != expected[k])

    threads = [
        threading.Thread(target=work, args=(list(np.random.default_rng(s).permutation(24)),))
        for s in range(8)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


def test_one_thread_when_no_more_can_be_started(
    options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    many = Options(cache_dir=options.cache_dir, threads=8)
    check_samples(compile_kernels(samples(), many))


def test_turns_are_short_while_kernels_are_made(options: Options) -> None:
    """And as before afterwards, whatever happened, in a child forked meanwhile too."""
    before = sys.getswitchinterval()
    seen: list[float] = []
    forked: list[int] = []

    def emit(module: Any) -> None:
        seen.append(sys.getswitchinterval())
        compile_kernels({"inner": answer(2)}, options)
        seen.append(sys.getswitchinterval())
        pid = os.fork() if hasattr(os, "fork") else -1
        if pid == 0:
            os._exit(0 if sys.getswitchinterval() == before else 1)
        forked.extend([os.waitpid(pid, 0)[1]] if pid > 0 else [])
        raise ValueError("no kernel")

    with pytest.raises(CompileError, match="no kernel"):
        compile_kernels({"outer": emit, "good": answer(1)}, options)
    assert all(x == pytest.approx(workers.Turns.SECONDS, rel=0.1) for x in seen)
    assert len(seen) == 2
    assert not any(forked)
    assert sys.getswitchinterval() == before


def test_the_longest_kernel_is_made_first() -> None:
    order: list[str] = []
    ready = threading.Event()

    def work(text: str) -> bytes:
        ready.wait(LONG)
        order.append(text)
        return text.encode()

    crew = workers.Workers(work, 1)
    for key, text in (("a", "--"), ("b", "-----"), ("c", "-"), ("d", "---")):
        crew.submit(key, text)
    ready.set()
    crew.finish()
    assert order == ["-----", "---", "--", "-"]
    assert crew.results == {"a": b"--", "b": b"-----", "c": b"-", "d": b"---"}


# ----------------------------------------------------------------- disk


def test_second_process_does_no_llvm_work(tmp_path: Path) -> None:
    code = """
import sys
from graphc.runtime.llvm import jit
def emit(name):
    def go(module):
        import sample_kernels
        getattr(sample_kernels, name)(module)
    return go
names = ["chain", "softmax", "gemm", "integers"]
made = jit.compile_kernels({n: emit(n) for n in names})
s = jit.stats()
print(s.compiled, s.loaded_from_disk, s.llvm_seconds == 0.0, "llvmlite.binding" in sys.modules)
print(s.disk_errors, s.disk_rejected)
"""
    env = {
        **os.environ,
        "GRAPHC_CACHE_DIR": str(tmp_path / "c"),
        "PYTHONPATH": str(HERE),
        "GRAPHC_CACHE": "1",
    }
    for expected in ("4 0 False True\n0 0\n", "0 4 True False\n0 0\n", "0 4 True False\n0 0\n"):
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=300
        )
        assert (done.stdout, done.stderr) == (expected, "")


def test_damaged_entries_are_made_anew(options: Options) -> None:
    directory = Path(options.cache_dir or "")
    compile_kernels({"first": answer(1)}, options)
    others = set(directory.glob("*.bin"))  # not kernels of this test
    check_samples(compile_kernels(samples(), options))
    rng = np.random.default_rng(0)
    for round_ in range(12):
        for path in set(directory.glob("*.bin")) - others:
            data = bytearray(path.read_bytes())
            if round_ == 0:
                data = data[: len(data) // 2]
            elif round_ == 1:
                data[-200:] = bytes(200)
            elif round_ == 2:
                data = bytearray()
            else:
                data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
            path.write_bytes(data)
        jit.clear()
        compiled = compile_kernels(samples(), options)
        assert stats().compiled == 4
        assert stats().disk_rejected >= 0
        check_samples(compiled)
    jit.clear()
    compile_kernels(samples(), options)
    assert stats().loaded_from_disk == 4


def test_whole_entries_of_no_use_are_made_anew(options: Options) -> None:
    cache = open_cache(options.cache_dir)
    digest = jit._context(options).full_key("k", answer(42))
    good = jit._context(options).body_of(answer(42)) if machine.prepare_llvm() is None else b""
    for body in (
        b"", b"F", b"F" + bytes(100), b"O", b"Oanswer\0not an object", b"X", good[:-1],
        good + b"x", good.replace(b"E 0 ", b"E 999999 "), good.replace(b"E 0 ", b"E zz "),
        good.replace(b"E 0 answer", b"S 0 system"),
    ):  # fmt: skip
        cache.store(digest, body)
        jit.clear()
        assert run(compile_kernels({"k": answer(42)}, options)["k"]) == 42, body
        assert stats().compiled == 1


def test_entry_of_another_kernel_is_not_run(options: Options) -> None:
    kernels = {"a": answer(42), "b": answer(666)}
    compile_kernels(kernels, options)
    cache = open_cache(options.cache_dir)
    at = {k: Path(cache.path(jit._context(options).full_key(k, t))) for k, t in kernels.items()}
    at["a"].write_bytes(at["b"].read_bytes())
    jit.clear()
    assert run(compile_kernels({"a": answer(42)}, options)["a"]) == 42


def test_the_key_depends_on_everything(tmp_path: Path) -> None:
    base = Options(cache_dir=str(tmp_path))
    variants = [
        Options(cache_dir=str(tmp_path), level="sse2"),
        Options(cache_dir=str(tmp_path), opt=0),
        Options(cache_dir=str(tmp_path), version="0.2.0"),
        Options(cache_dir=str(tmp_path), salt="x"),
        Options(cache_dir=str(tmp_path), extern_names=("puts",)),
    ]
    keys = {jit._context(o).full_key("k", answer(1)) for o in (base, *variants)}
    assert len(keys) == 6
    identity = jit._context(base).cpu.identity
    assert "llvmlite" in identity
    assert "LLVM" in identity
    assert host().triple in identity
    assert host().features in identity


def test_cache_trouble_is_silent(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for where in (str(tmp_path / "file"), "/proc/nowhere/x", ""):
        assert run(compile_kernels({"k": answer(42)}, Options(cache_dir=where))["k"]) == 42


def test_directory_removed_while_running(options: Options) -> None:
    compile_kernels({"a": answer(1)}, options)
    for p in Path(options.cache_dir or "").iterdir():
        p.unlink()
    os.rmdir(options.cache_dir or "")
    assert run(compile_kernels({"b": answer(2)}, options)["b"]) == 2
    jit.clear()
    assert run(compile_kernels({"b": answer(2)}, options)["b"]) == 2
    assert stats().loaded_from_disk == 1


# ----------------------------------------------------------------- fork

FORK = """
import os, sys, threading, time
from graphc.runtime.llvm import jit
from graphc.runtime.llvm.kernel_options import Options
options = Options(cache_dir="")
def text(v):
    body = "".join(f"  %a{k} = add i32 %x, {k + v}\\n  store i32 %a{k}, ptr %p, align 4\\n"
                   for k in range(60))
    return f"define i32 @f(ptr %p, i32 %x)\\n{{\\nentry:\\n{body}  ret i32 {v % 1000}\\n}}\\n"
stop = False
done = [0] * 8
def work(t):
    k = 0
    while not stop:
        k += 1
        v = t * 100000 + k
        jit.compile_kernels({f"{v} {j}": text(v + j) for j in range(2)}, options)
        done[t] += 1
threads = [threading.Thread(target=work, args=(t,), daemon=True) for t in range(8)]
for t in threads: t.start()
def until_all_go_on():
    before, limit = list(done), time.time() + 60
    while not all(b > a for a, b in zip(before, done)) and time.time() < limit:
        time.sleep(0.01)
    return all(b > a for a, b in zip(before, done))
until_all_go_on()
bad = 0
for n in range(25):
    pid = os.fork()
    if pid == 0:
        import ctypes
        k = jit.compile_kernels({f"child {n}": text(77), "0": text(5)}, options)[f"child {n}"]
        room = (ctypes.c_int * 4)()
        ok = k.function(ctypes.c_int32, ctypes.c_void_p, ctypes.c_int32)(room, 1) == 77
        os._exit(0 if ok and room[0] == 1 + 59 + 77 else 1)
    limit = time.time() + 60
    while True:
        who, status = os.waitpid(pid, os.WNOHANG)
        if who: break
        if time.time() > limit:
            os.kill(pid, 9); os.waitpid(pid, 0); status = 9; break
        time.sleep(0.002)
    bad += status != 0
going = until_all_go_on()
stop = True
for t in threads: t.join(60)
print(bad, going, any(t.is_alive() for t in threads))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_fork_while_eight_threads_compile() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK], capture_output=True, text=True, timeout=300
    )
    assert (done.stdout, done.stderr) == ("0 True False\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_fork_inside_emit_and_loaded_code_after_fork(options: Options) -> None:
    code = """
import os, ctypes
from graphc.runtime.llvm import jit
from graphc.runtime.llvm.kernel_options import Options
options = Options(cache_dir="")
T = "define i32 @f()\\n{\\nentry:\\n  ret i32 %d\\n}\\n"
k = jit.compile_kernels({"k": T % 9}, options)["k"]
pids = []
def emit(module):
    pid = os.fork()
    if pid == 0:
        ok = k.function(ctypes.c_int32)() == 9
        n = jit.compile_kernels({"n": T % 8}, options)["n"]
        os._exit(0 if ok and n.function(ctypes.c_int32)() == 8 else 1)
    pids.append(pid)
    from llvmlite import ir
    f = ir.Function(module, ir.FunctionType(ir.IntType(32), []), "g")
    ir.IRBuilder(f.append_basic_block("entry")).ret(ir.Constant(ir.IntType(32), 3))
g = jit.compile_kernels({"g": emit}, options)["g"]
print(g.function(ctypes.c_int32)(), os.waitpid(pids[0], 0)[1])
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=300
    )
    assert (done.stdout, done.stderr) == ("3 0\n", "")


# ----------------------------------------------------------------- the host


def test_host() -> None:
    cpu = host()
    assert cpu.cores >= 1
    assert 4096 <= cpu.l1d <= cpu.l2 <= cpu.l3
    assert cpu.vector_bytes in (16, 32, 64)
    assert cpu.lanes(4) == cpu.vector_bytes // 4
    assert cpu.toolchain.startswith("llvmlite ")
    if cpu.level:
        for k, level in enumerate(LEVELS[: LEVELS.index(cpu.level) + 1]):
            at = host(level)
            assert at.level == level
            assert at.vector_bytes == 16 << k
            assert at.has_fma == (level != "sse2")
            assert at.has_bf16 == (level == cpu.level and cpu.has_bf16)
        assert host("avx512").level == cpu.level  # an upper bound, no order to have it
    with pytest.raises(ValueError, match="unknown CPU level 'avx3'"):
        host("avx3")


def test_host_as_the_environment_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    best = host().level
    monkeypatch.setenv("GRAPHC_CPU", "sse2")
    if best:
        assert host().level == "sse2"
        assert host("avx512").level == best  # who asks for a level gets it
    monkeypatch.setenv("GRAPHC_CPU", "avx")
    with pytest.raises(ValueError, match="unknown CPU level 'avx': one of sse2, avx2, avx512"):
        host()


@pytest.mark.skipif(host().level in ("", "sse2"), reason="one level only")
def test_target_is_what_the_environment_says_now(monkeypatch: pytest.MonkeyPatch) -> None:
    options = Options(cache_dir="")
    monkeypatch.setenv("GRAPHC_CPU", "sse2")
    low = compile_kernels({"gemm": samples()["gemm"]}, options)["gemm"]
    monkeypatch.delenv("GRAPHC_CPU")
    high = compile_kernels({"gemm": samples()["gemm"]}, options)["gemm"]
    assert "vfmadd" not in low.assembly
    assert "vfmadd" in high.assembly


def test_report_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = host("", Cache(str(tmp_path / "c")))

    def fail() -> None:
        raise AssertionError("LLVM was asked")

    monkeypatch.setattr(cpu_module, "_ask_llvm", fail)
    if first.checked:
        cache = Cache(str(tmp_path / "c"))
        start = time.process_time()
        assert host("", cache) == first
        assert time.process_time() - start < 0.5  # measured: 0.8 ms


def test_an_old_llvm_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from llvmlite import binding

    monkeypatch.setattr(binding, "llvm_version_info", (20, 1, 8))
    with pytest.raises(ImportError, match=r"needs llvmlite 0\.48 .* with LLVM 20 is"):
        host("", Cache(str(tmp_path / "c")))


def test_what_the_kernel_does_not_list_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts, flags = cpu_module._kernel_facts()
    if "avx512vl" not in flags:
        pytest.skip("needs a host with AVX-512")
    if "avx512_bf16" in flags:
        assert host("", Cache(str(tmp_path / "a"))).has_bf16
        monkeypatch.setattr(cpu_module, "_kernel_facts", lambda: (facts, flags - {"avx512_bf16"}))
        assert not host("", Cache(str(tmp_path / "b"))).has_bf16
    monkeypatch.setattr(cpu_module, "_kernel_facts", lambda: (facts, flags - {"avx512vl"}))
    cpu = host("", Cache(str(tmp_path / "c")))
    assert cpu.level == "avx2"
    assert "+avx512" not in cpu.features
    assert cpu.checked


def test_without_any_files_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("nothing here")

    monkeypatch.setattr("builtins.open", fail)
    monkeypatch.setattr(os, "sysconf", fail)
    monkeypatch.setattr(os, "sched_getaffinity", None, raising=False)
    monkeypatch.delattr(os, "sched_getaffinity")
    cpu = host("", Cache(str(tmp_path / "c")))
    assert (cpu.l1d, cpu.l2, cpu.l3) == (32 << 10, 512 << 10, 4 << 20)
    assert not cpu.checked
    assert cpu.cores == os.cpu_count()


def test_self_test_runs_and_lowers_the_level(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu = host()
    if cpu.level in ("", "sse2"):
        pytest.skip("no level to lower")
    assert self_test.self_test(cpu.level)
    asked: list[str] = []

    def dies(level: str) -> bool:
        asked.append(level)
        return level != cpu.level

    monkeypatch.setattr(self_test, "self_test", dies)
    monkeypatch.setattr(cpu_module, "_kernel_facts", lambda: ("", frozenset()))
    for _ in range(2):
        cache = Cache(str(tmp_path / "c"))
        lower = self_test.trusted(host("", cache), cache)
        assert lower.level == LEVELS[LEVELS.index(cpu.level) - 1]
    assert asked[0] == cpu.level
    assert len(asked) <= 2  # the answer is remembered


def test_self_test_sees_a_killed_child(monkeypatch: pytest.MonkeyPatch) -> None:
    class Done:
        returncode = -4

    monkeypatch.setattr(subprocess, "run", lambda *_, **__: Done())
    assert not self_test.self_test("avx512")

    def cannot(*_: object, **__: object) -> None:
        raise OSError("no processes")

    monkeypatch.setattr(subprocess, "run", cannot)
    assert self_test.self_test("avx512")


def test_no_memory_for_llvm_is_a_memory_error(
    options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which a run makes `ResourceExhaustedError`, and which is no fault of the compiler."""

    def none(*_: object) -> bytes:
        raise MemoryError

    with monkeypatch.context() as m:
        m.setattr(native_code.Context, "body_of", none)
        with pytest.raises(MemoryError):
            compile_kernels({"k": answer(5)}, options)
    assert run(compile_kernels({"k": answer(5)}, options)["k"]) == 5
