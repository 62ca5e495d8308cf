"""The vector maths against exact references: error bounds, special values, symmetry, order.

References are numpy in float64 for float32, mpmath for float64; one scalar or vector loop
over arrays is compiled for each function.
"""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from llvmlite import binding as llvm
from llvmlite import ir

from graphc.ir import dtypes
from graphc.runtime.llvm.cpu import host
from graphc.runtime.llvm.lint import lint
from graphc.runtime.llvm.vmath import ULP, Math

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()
mp.mp.prec = 200

HAS_FMA = bool(llvm.get_host_cpu_features().get("fma", False))
HAS_AVX512 = host().level == "avx512"
F32, F64 = dtypes.float32, dtypes.float64
LANES = {F32: 16, F64: 8}
TWO = ["pow", "atan2", "fmod", "floormod", "floordiv"]
ONE = sorted(set(ULP) - set(TWO))
PLAIN = ["abs", "sign", "floor", "ceil", "rint", "trunc", "relu", "relu6", "square", "reciprocal"]
TESTS = ["isnan", "isinf", "isfinite"]
Array = Any
_keep: list[Any] = []


def build(
    functions: dict[str, Callable[..., Any]], dtype: Any, lanes: int, args: int = 1,
    out: Any = None, fma: bool = HAS_FMA, cpu: str | None = None, avx512: bool = False,
) -> dict[str, Callable[..., Array]]:  # fmt: skip
    """Each function as a loop over arrays, `lanes` elements at a time."""
    p, i64 = ir.PointerType(), ir.IntType(64)
    module = ir.Module(name="vmath")
    module.triple = llvm.get_process_triple()
    for name, f in functions.items():
        k = Math(
            module, name, [p] * (args + 1) + [i64], ir.VoidType(), has_fma=fma, has_avx512=avx512
        )
        with k.loop(0, k.wrap(k.args[-1], dtypes.int64), lanes) as loop:
            x = [k.load(k.args[a], loop.i, dtype, lanes) for a in range(args)]
            k.store(k.args[args], loop.i, f(k, *x))
        k.ret()
    lint(str(module))
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    features = "" if cpu else llvm.get_host_cpu_features().flatten()
    machine = llvm.Target.from_triple(module.triple).create_target_machine(
        cpu=cpu or llvm.get_host_cpu_name(), features=features, opt=2, jit=True
    )
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
    builder.getModulePassManager().run(parsed, builder)
    engine = llvm.create_mcjit_compiler(parsed, machine)
    engine.finalize_object()
    _keep.append(engine)
    proto = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (args + 1), ctypes.c_int64)

    def call(address: int) -> Callable[..., Array]:
        native = proto(address)

        def run(*arrays: Array) -> Array:
            n = len(arrays[0])
            full = -(-n // lanes) * lanes
            data = [np.concatenate([a, np.ones(full - n, a.dtype)]) for a in arrays]
            y = np.empty(full, out or data[0].dtype)
            native(*[a.ctypes.data for a in data], y.ctypes.data, full)
            return y[:n]

        return run

    return {name: call(engine.get_function_address(name)) for name in functions}


def method(name: str) -> Callable[..., Any]:
    return lambda k, *x: getattr(k, name)(*x)


@functools.cache
def library(dtype: Any, lanes: int, args: int = 1) -> dict[str, Callable[..., Array]]:
    names = ONE + PLAIN if args == 1 else TWO
    return build({n: method(n) for n in names}, dtype, lanes, args)


def run(name: str, *arrays: Array, lanes: int | None = None) -> Array:
    dtype = F32 if arrays[0].dtype == np.float32 else F64
    return library(dtype, lanes or LANES[dtype], len(arrays))[name](*arrays)


# ------------------------------------------------------------------ references and points


def _elu(m: Any, where: Any, x: Any) -> Any:
    return where(x > 0, x, m.expm1(x))


SCALE, ALPHA = "1.0507009873554804934193349852946", "1.6732632423543772848170429916717"
NUMPY: dict[str, Callable[[Array], Array]] = {
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "tanh": np.tanh,
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "sinh": np.sinh, "cosh": np.cosh,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "asinh": np.arcsinh,
    "acosh": np.arccosh, "atanh": np.arctanh, "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x),
    "sigmoid": lambda x: np.where(x < 0, np.exp(-np.abs(x)), 1) / (1 + np.exp(-np.abs(x))),
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "log_sigmoid": lambda x: np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x))),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "elu": lambda x: _elu(np, np.where, x),
    "selu": lambda x: float(SCALE) * np.where(x > 0, x, float(ALPHA) * np.expm1(x)),
    "erf": lambda x: np.array([math.erf(v) for v in x]),
    "erfc": lambda x: np.array([math.erfc(v) for v in x]),
}  # fmt: skip
MP: dict[str, Callable[[Any], Any]] = {
    **{n: getattr(mp, n) for n in (
        "exp", "expm1", "log", "log1p", "tanh", "sin", "cos", "tan", "sinh", "cosh", "asin",
        "acos", "atan", "asinh", "acosh", "atanh", "sqrt", "erf", "digamma")},
    "erfc": lambda x: mp.erfc(x) if abs(x) < 1000 else mp.mpf(0 if x > 0 else 2),
    "rsqrt": lambda x: 1 / mp.sqrt(x),
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "softplus": lambda x: max(x, 0) + mp.log1p(mp.exp(-abs(x))),
    "log_sigmoid": lambda x: min(x, 0) - mp.log1p(mp.exp(-abs(x))),
    "softsign": lambda x: x / (1 + abs(x)),
    "elu": lambda x: x if x > 0 else mp.expm1(x),
    "selu": lambda x: mp.mpf(SCALE) * (x if x > 0 else mp.mpf(ALPHA) * mp.expm1(x)),
    "lgamma": lambda x: mp.re(mp.loggamma(x)),
    "trigamma": lambda x: mp.polygamma(1, x),
}  # fmt: skip
GAMMA = ("lgamma", "digamma", "trigamma")
# Where the points of a function lie; without a name here, anywhere.
DOMAIN = {
    **dict.fromkeys(("exp", "expm1", "sinh", "cosh", "sigmoid", "softplus", "log_sigmoid", "elu",
                     "selu"), "exponent"),
    **dict.fromkeys(("log", "sqrt", "rsqrt"), "positive"),
    **dict.fromkeys(("asin", "acos", "atanh"), "unit"),
    **dict.fromkeys(("tanh", "erf", "erfc"), "small"), **dict.fromkeys(GAMMA, "gamma"),
    "acosh": "above 1", "log1p": "above -1",
}  # fmt: skip


def points(kind: str | None, n: int, seed: int) -> Array:
    """About 4n float64 arguments, dense where the function is delicate."""
    rng = np.random.default_rng(seed)
    any_size = np.exp2(rng.uniform(-1074, 1023.9, n))
    middle, sign = np.exp2(rng.uniform(-60, 60, n)), rng.choice([-1.0, 1.0], n)
    near_1 = np.exp2(rng.uniform(-53, -1, n))
    positive = np.concatenate([any_size, middle, 1 + rng.uniform(-0.6, 1, n), 1 + sign * near_1])
    match kind:
        case "positive":
            return positive
        case "unit":
            ends = [1 - near_1, near_1 - 1, sign * np.exp2(rng.uniform(-1074, 0, n))]
            return np.concatenate([rng.uniform(-1, 1, n), *ends])
        case "above 1":
            return 1 + positive
        case "above -1":
            return np.concatenate(
                [positive, near_1 - 1, rng.uniform(-0.5, 1, n), -any_size[: n // 2]]
            )
        case "exponent":
            wide, mid = rng.uniform(-746, 710, n), rng.uniform(-40, 40, n)
            return np.concatenate([wide, mid, rng.uniform(-1.2, 1.2, n), sign * any_size])
        case "small":
            wide, mid = rng.uniform(-7, 28, n), rng.uniform(-7, 7, n)
            return np.concatenate([wide, mid, rng.uniform(-1.3, 1.3, n), sign * any_size])
        case "gamma":
            below = [rng.uniform(-20, 0, n), -np.exp2(rng.uniform(-900, 3, n // 2))]
            return np.concatenate([any_size[any_size < 1e300], rng.uniform(0, 15, n), *below])
        case _:
            pi = rng.integers(1, 10**6, n) * (np.pi / 2)  # next to zeros of sine and cosine
            return np.concatenate([sign * any_size, sign * middle, rng.uniform(-10, 10, n), pi])


def ulp32(got: Array, exact: Array, least: Array | float = 0.0) -> Array:
    """The error of float32 `got` in units in the last place; 1e9 where it is of another kind."""
    with np.errstate(all="ignore"):
        size = np.maximum(np.abs(exact), least)
        e = np.frexp(np.where(np.isfinite(size), size, 1.0))[1]
        d = np.abs(got.astype(np.float64) - exact) / np.ldexp(1.0, np.maximum(e - 24, -149))
        want_inf = np.abs(exact) >= 2.0**128 - 2.0**103
        odd = (np.isnan(got) != np.isnan(exact)) | (np.isinf(got) & ~want_inf)
        odd |= want_inf & (got != np.sign(exact) * np.inf)
        return np.where(odd, 1e9, np.where(np.isnan(exact) | want_inf, 0.0, d))


def ulp64(got: float, exact: Any, least: Any = 0) -> float:
    if mp.isnan(exact) or isinstance(exact, mp.mpc):
        return 0.0 if math.isnan(got) else 1e9
    if abs(exact) >= mp.mpf(2) ** 1024 * (1 - mp.mpf(2) ** -54):
        return 0.0 if math.isinf(got) and (got > 0) == (exact > 0) else 1e9
    if not math.isfinite(got):
        return 1e9
    size = max(abs(exact), least)
    e = mp.frexp(size)[1] - 53 if size else -1074
    return float(abs(mp.mpf(got) - exact) / mp.mpf(2) ** max(e, -1074))


def unit(name: str, x: float) -> Any:
    """The least size that an error of the gamma functions is measured against, see ULP."""
    if name not in GAMMA:
        return 0
    return max(1, abs(MP[name](1 - mp.mpf(x)))) if x < 0 else 1


def worst64(name: str, x: Array, y: Array) -> tuple[float, float]:
    errors = [ulp64(float(b), MP[name](mp.mpf(float(a))), unit(name, float(a)))
              for a, b in zip(x, y, strict=True)]  # fmt: skip
    i = int(np.argmax(errors))
    return errors[i], float(x[i])


def patterns(stride: int, start: int = 0) -> Array:
    return np.arange(start, 2**32, stride, dtype=np.uint64).astype(np.uint32).view(np.float32)


def worst32(name: str, x: Array, **how: Any) -> tuple[float, float]:
    if name in GAMMA:
        exact = np.array([float(MP[name](mp.mpf(float(v)))) for v in x])
        least: Any = np.array([float(unit(name, float(v))) for v in x])
    else:
        with np.errstate(all="ignore"):
            exact, least = NUMPY[name](x.astype(np.float64)), 0.0
    d = ulp32(how.get("y", None) if "y" in how else run(name, x), exact, least)
    i = int(np.argmax(d))
    return float(d[i]), float(x[i])


# ------------------------------------------------------------------ bounds


@pytest.mark.parametrize("name", ONE)
def test_float32_bound(name: str) -> None:
    if name in GAMMA:
        x = points("gamma", 300, 1)
        x = x[np.abs(x) < 1e38].astype(np.float32)
        x = x[(x > 0) | (x != np.floor(x))]
    else:
        x = patterns(65537 if name.startswith("erf") else 8209)
    error, at = worst32(name, x)
    assert error <= ULP[name][0], at


@pytest.mark.parametrize("name", ONE)
def test_float64_bound(name: str) -> None:
    n = {"trigamma": 24, "digamma": 48, "lgamma": 48, "erfc": 48}.get(name, 80)
    x = points(DOMAIN.get(name), n, 2)
    error, at = worst64(name, x, run(name, x))
    assert error <= ULP[name][1], at


def pow_points(n: int, seed: int, low: float, high: float) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    x = np.exp2(rng.uniform(low, high, n))
    x[::2] = rng.uniform(0.5, 2, len(x[::2]))
    return x, rng.uniform(low - 1, high, n) / np.log2(x)


def test_pow_bound() -> None:
    x, y = (a.astype(np.float32) for a in pow_points(200_000, 3, -149, 128))
    with np.errstate(all="ignore"):
        exact = np.power(x.astype(np.float64), y.astype(np.float64))
    assert ulp32(run("pow", x, y), exact).max() <= ULP["pow"][0]
    x, y = pow_points(2000, 4, -1074, 1024)
    for a, b, c in zip(x, y, run("pow", x, y), strict=True):
        assert ulp64(float(c), mp.mpf(float(a)) ** mp.mpf(float(b))) <= ULP["pow"][1], (a, b)


def test_atan2_bound() -> None:
    rng = np.random.default_rng(5)
    x = np.exp2(rng.uniform(-1074, 1014, 2000)) * rng.choice([-1, 1], 2000)
    y = x * np.exp2(rng.uniform(-10, 10, 2000)) * rng.choice([-1, 1], 2000)
    y[y == 0] = 1
    for a, b, c in zip(y, x, run("atan2", y, x), strict=True):
        assert ulp64(float(c), mp.atan2(float(a), float(b))) <= ULP["atan2"][1], (a, b)
    y, x = (rng.normal(size=50_000).astype(np.float32) for _ in range(2))
    exact = np.arctan2(y.astype(np.float64), x.astype(np.float64))
    assert ulp32(run("atan2", y, x), exact).max() <= ULP["atan2"][0]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(ONE) - set(GAMMA) - {"erf", "erfc"}))
def test_float32_bound_dense(name: str) -> None:
    for start in range(4):
        error, at = worst32(name, patterns(1028, start * 257))
        assert error <= ULP[name][0], at


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sigmoid", "sin"])
def test_float32_bound_exhaustive(name: str) -> None:
    for start in range(0, 2**32, 2**23):
        x = np.arange(start, start + 2**23, dtype=np.uint64).astype(np.uint32).view(np.float32)
        error, at = worst32(name, x)
        assert error <= ULP[name][0], at


@pytest.mark.slow
@pytest.mark.parametrize("name", ONE)
def test_float64_bound_dense(name: str) -> None:
    x = points(DOMAIN.get(name), 1000 if name in GAMMA else 4000, 6)
    error, at = worst64(name, x, run(name, x))
    assert error <= ULP[name][1], at


# ------------------------------------------------------------------ structure


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_scalar_and_vector_have_the_same_bits(dtype: Any) -> None:
    bits = np.uint32 if dtype is F32 else np.uint64
    rng = np.random.default_rng(7)
    odd = [0.0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 0.5, 3e38, 1e-45, -7, 1e22, 88.8, -104]
    with np.errstate(over="ignore"):
        x = np.concatenate([odd, rng.normal(size=300) * 3, points(None, 50, 8)]).astype(dtype.np)
    for names, args in ((ONE + PLAIN, [x]), (TWO, [x, rng.permutation(x)])):
        for name in names:
            one, many = run(name, *args, lanes=1), run(name, *args)
            same = (one.view(bits) == many.view(bits)) | (np.isnan(one) & np.isnan(many))
            assert same.all(), (name, args[0][~same])


@pytest.mark.parametrize("np_type", [np.float32, np.float64])
def test_symmetry(np_type: Any) -> None:
    rng = np.random.default_rng(9)
    tiny = np.finfo(np_type).smallest_subnormal
    x = np.concatenate([np.exp2(rng.uniform(-100, 8, 4000)), [0.0, tiny, 5 * tiny, np.inf]])
    x = x.astype(np_type)
    for name in "tanh sin tan asin atan sinh asinh atanh erf softsign sign".split():
        np.testing.assert_array_equal(run(name, -x), -run(name, x), err_msg=name)
        if name not in ("sign", "softsign"):
            assert np.signbit(run(name, np.array([-0.0], np_type)))[0], name
    for name in ("cos", "cosh"):
        np.testing.assert_array_equal(run(name, -x), run(name, x), err_msg=name)
    for name in "tanh sin tan asin atan sinh asinh atanh expm1 log1p".split():
        s = np.array([tiny, 3 * tiny, np.finfo(np_type).tiny], np_type)
        np.testing.assert_array_equal(run(name, s), s, err_msg=name)


# name, where it rises, its range
RISING = [
    ("exp", -104, 89, 0, np.inf), ("expm1", -20, 89, -1, np.inf), ("log", 1e-38, 1e38, -90, 90),
    ("tanh", -10, 10, -1, 1), ("sigmoid", -104, 20, 0, 1), ("softplus", -104, 20, 0, np.inf),
    ("log1p", -0.99, 1e6, -10, 20), ("erf", -4, 4, -1, 1), ("sinh", -89, 89, -np.inf, np.inf),
    ("atan", -1e6, 1e6, -1.5707964, 1.5707964), ("asin", -1, 1, -1.5707964, 1.5707964),
    ("asinh", -1e6, 1e6, -20, 20), ("sqrt", 0, 1e30, 0, 1e16), ("cosh", 0, 89, 1, np.inf),
    ("elu", -20, 5, -1, 5),
]  # fmt: skip
# These may step down by one ulp, where two formulas or a division meet.
UNEVEN = ("tanh", "sigmoid", "softplus", "erf")


@pytest.mark.parametrize(("name", "low", "high", "least", "most"), RISING)
def test_order_and_range(name: str, low: float, high: float, least: float, most: float) -> None:
    """Over runs of neighbouring float32 values."""
    rng = np.random.default_rng(10)
    x = np.linspace(low, high, 4000).astype(np.float32)
    x = (x.view(np.int32) + np.int32(rng.integers(-9, 9))).view(np.float32)[:, None]
    steps = np.arange(16, dtype=np.int32)
    runs = (np.abs(x).view(np.int32) + steps).view(np.float32) * np.where(x < 0, -1, 1)
    runs = np.sort(np.clip(runs, low, high).astype(np.float32), axis=1)
    y = run(name, runs.ravel()).reshape(runs.shape)
    assert (y >= np.float32(least)).all()
    assert (y <= np.float32(most)).all()
    before = y[:, :-1]
    if name in UNEVEN:
        before = np.nextafter(before, np.float32(-np.inf))
    down = y[:, 1:] < before
    assert not down.any(), runs[:, 1:][down]


INF, NAN = np.inf, np.nan
# C99 Annex F, and the same for the rest: argument and result, exactly, in both types.
SPECIAL: dict[str, list[tuple[float, float]]] = {
    "exp": [(0, 1), (-0.0, 1), (INF, INF), (-INF, 0), (1e5, INF), (-1e5, 0)],
    "expm1": [(INF, INF), (-INF, -1), (1e5, INF), (-1e5, -1)],
    "log": [(1, 0), (0, -INF), (-0.0, -INF), (-1, NAN), (INF, INF), (-INF, NAN)],
    "log1p": [(-1, -INF), (-2, NAN), (INF, INF), (-INF, NAN)],
    "tanh": [(INF, 1), (-INF, -1), (50, 1), (-50, -1)],
    "sigmoid": [(0, 0.5), (INF, 1), (-INF, 0), (1e5, 1), (-1e5, 0)],
    "softplus": [(INF, INF), (-INF, 0), (1e5, 1e5), (-1e5, 0)],
    "log_sigmoid": [(INF, -0.0), (-INF, -INF), (-1e5, -1e5)],
    "sqrt": [(4, 2), (2.25, 1.5), (-0.0, -0.0), (-1, NAN), (INF, INF)],
    "rsqrt": [(4, 0.5), (0, INF), (-1, NAN), (INF, 0)],
    "sin": [(INF, NAN), (-INF, NAN)], "tan": [(INF, NAN), (-INF, NAN)],
    "cos": [(0, 1), (INF, NAN), (-INF, NAN)],
    "asin": [(1.5, NAN), (-1.5, NAN), (INF, NAN)], "acos": [(1, 0), (1.5, NAN), (-INF, NAN)],
    "atan": [(0, 0)], "sinh": [(INF, INF), (-INF, -INF), (1e5, INF)],
    "cosh": [(0, 1), (INF, INF), (-INF, INF), (-1e5, INF)],
    "asinh": [(INF, INF), (-INF, -INF)], "acosh": [(1, 0), (0.5, NAN), (-5, NAN), (INF, INF)],
    "atanh": [(1, INF), (-1, -INF), (2, NAN), (-INF, NAN)],
    "erf": [(INF, 1), (-INF, -1)], "erfc": [(0, 1), (INF, 0), (-INF, 2), (30, 0)],
    "lgamma": [(1, 0), (2, 0), (0, INF), (-0.0, INF), (-3, INF), (INF, INF), (-INF, INF)],
    "digamma": [(0, INF), (-1, INF), (-7, INF), (INF, INF)],
    "trigamma": [(0, INF), (-2, INF), (INF, 0)],
    "elu": [(0, 0), (-0.0, -0.0), (INF, INF), (-INF, -1), (3, 3)],
    "selu": [(0, 0), (INF, INF)], "softsign": [(1, 0.5), (-3, -0.75)],
    "abs": [(-0.0, 0), (-INF, INF), (-2, 2)], "square": [(-3, 9)], "reciprocal": [(4, 0.25)],
    "sign": [(0, 0), (-0.0, 0), (5, 1), (-INF, -1)],
    "floor": [(-0.5, -1), (-0.0, -0.0), (2.5, 2)], "ceil": [(-0.5, -0.0), (2.5, 3)],
    "rint": [(0.5, 0), (1.5, 2), (2.5, 2), (-2.5, -2), (-0.5, -0.0)], "trunc": [(-1.5, -1)],
    "relu": [(-1, 0), (2, 2), (INF, INF)], "relu6": [(-1, 0), (2, 2), (INF, 6)],
}  # fmt: skip


def test_every_function_has_special_values() -> None:
    assert sorted(SPECIAL) == sorted(ONE + PLAIN)


@pytest.mark.parametrize("name", sorted(SPECIAL))
@pytest.mark.parametrize("np_type", [np.float32, np.float64])
def test_special_values(name: str, np_type: Any) -> None:
    x, want = (np.array(c, np_type) for c in zip(*SPECIAL[name], (NAN, NAN), strict=True))
    y = run(name, x)
    np.testing.assert_array_equal(y, want)
    np.testing.assert_array_equal(np.signbit(y)[want == 0], np.signbit(want)[want == 0])


@pytest.mark.parametrize("np_type", [np.float32, np.float64])
def test_special_values_of_two(np_type: Any) -> None:
    big, tiny = np.finfo(np_type).max, np.finfo(np_type).smallest_subnormal
    s = np.array([0.0, 1, 0.5, 2, 3, 1.5, 4, 100, INF, NAN, tiny, 7 * tiny, big, 2.0**53 - 1,
                  2.0**24 - 1, 0.1])  # fmt: skip
    s = np.concatenate([s, -s]).astype(np_type)
    x, y = (a.ravel().copy() for a in np.meshgrid(s, s))
    with np.errstate(all="ignore"):
        m = np.fmod(x, y)
        want = {
            "pow": np.power(x, y), "atan2": np.arctan2(x, y), "fmod": m,
            "floordiv": np.floor(x / y),
            "floormod": np.where((m != 0) & ((m < 0) != (y < 0)), m + y, m),
        }  # fmt: skip
        for name, w in want.items():
            got = run(name, x, y)
            slack = 2 if name in ("pow", "atan2") else 0
            close = np.abs(got - w) <= slack * np.abs(np.spacing(w))
            same = ((got == w) | close) & (np.signbit(got) == np.signbit(w))
            same |= np.isnan(got) & np.isnan(w)
            assert same.all(), (name, x[~same], y[~same], got[~same], w[~same])


@pytest.mark.parametrize("np_type", [np.float32, np.float64])
def test_fmod_is_exact(np_type: Any) -> None:
    rng = np.random.default_rng(11)
    e = np.finfo(np_type)
    a, b = (np.exp2(rng.uniform(e.minexp - 5, e.maxexp, 4000)) for _ in range(2))
    b[::2] = (a * np.exp2(rng.uniform(-8, 0, 4000)))[::2]
    x, y = (a * rng.choice([-1, 1], 4000)).astype(np_type), np.maximum(b, e.tiny).astype(np_type)
    np.testing.assert_array_equal(run("fmod", x, y), np.fmod(x, y))


def test_tests_give_bool() -> None:
    x = np.array([0.0, -1, INF, -INF, NAN], np.float32)
    f = build({n: method(n) for n in TESTS}, F32, 16, out=np.bool_)
    for name in TESTS:
        np.testing.assert_array_equal(f[name](x), getattr(np, name)(x))


@pytest.mark.parametrize("np_type", [np.int8, np.int32, np.int64, np.uint8, np.uint64])
def test_integers(np_type: Any) -> None:
    info = np.iinfo(np_type)
    s = np.array([0, 1, 2, 3, 5, 7, info.min, info.max], np_type)
    s = np.unique(np.concatenate([s, -s]) if info.min else s)
    dtype = dtypes.as_dtype(np.dtype(np_type))
    with np.errstate(all="ignore"):
        one = build({n: method(n) for n in ("abs", "sign", "rint", "relu")}, dtype, 8)
        for name, f in (("abs", np.abs), ("sign", np.sign), ("rint", np.array)):
            np.testing.assert_array_equal(one[name](s), f(s), err_msg=name)
        np.testing.assert_array_equal(one["relu"](s), np.maximum(s, np_type(0)))
        x, y = (a.ravel().copy() for a in np.meshgrid(s, s))
        two = build({n: method(n) for n in ("pow", "floordiv", "floormod")}, dtype, 8, 2)
        up = y >= 0
        np.testing.assert_array_equal(two["pow"](x, y)[up], np.power(x[up], y[up]))
        ok = y != 0
        got = two["floordiv"](x, y), two["floormod"](x, y)
        np.testing.assert_array_equal(got[0][ok], x[ok] // y[ok])
        np.testing.assert_array_equal(got[1][ok], x[ok] % y[ok])


def test_float16_is_computed_in_float32() -> None:
    x = np.arange(2**16, dtype=np.uint16).view(np.float16)
    names = ["exp", "tanh", "erf", "lgamma"]
    f = build({n: method(n) for n in names}, dtypes.float16, 16)
    for name in names:
        with np.errstate(all="ignore"):
            want = run(name, x.astype(np.float32)).astype(np.float16)
        np.testing.assert_array_equal(f[name](x), want, err_msg=name)


def test_bfloat16_is_computed_in_float32() -> None:
    u = np.arange(2**16, dtype=np.uint32)
    y = build({"tanh": method("tanh")}, dtypes.bfloat16, 16)["tanh"](u.astype(np.uint16))
    r = run("tanh", (u << 16).view(np.float32)).view(np.uint32)
    want = ((r + 0x7FFF + ((r >> 16) & 1)) & 0xFFFF0000).view(np.float32)
    np.testing.assert_array_equal((y.astype(np.uint32) << 16).view(np.float32), want)


@pytest.mark.skipif(not HAS_AVX512, reason="the processor has no AVX-512")
@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
@pytest.mark.parametrize("name", [n for n in ONE if n not in ("lgamma", "digamma", "trigamma")])
def test_bounds_and_special_values_with_avx512(name: str, dtype: Any) -> None:
    """Functions that look numbers up, and those on instructions that take numbers apart."""
    f = build({name: method(name)}, dtype, LANES[dtype], avx512=True)[name]
    if dtype is F32:
        x = patterns(100003)
        error, where = worst32(name, x, y=f(x))
    else:
        x = points(DOMAIN.get(name), 60, 12)
        error, where = worst64(name, x, f(x))
    assert error <= ULP[name][0 if dtype is F32 else 1], where
    for special, want in SPECIAL.get(name, []):
        got = f(np.full(LANES[dtype], special, dtype.np))
        np.testing.assert_array_equal(got, np.full(LANES[dtype], want, dtype.np), str(special))
    assert np.isnan(f(np.full(LANES[dtype], np.nan, dtype.np))).all()


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_bounds_on_sse2_without_fma(dtype: Any) -> None:
    names = ["exp", "expm1", "log", "log1p", "tanh", "sigmoid", "erf", "sin", "cos", "tan"]
    at = 0 if dtype is F32 else 1
    lanes = 4 if dtype is F32 else 2
    f = build({n: method(n) for n in names}, dtype, lanes, fma=False, cpu="x86-64")
    for name in names:
        if dtype is F32:
            x = patterns(1000003)
            error, where = worst32(name, x, y=f[name](x))
        else:
            x = points(DOMAIN.get(name), 60, 12)
            error, where = worst64(name, x, f[name](x))
        assert error <= ULP[name][at], (name, where)
    f = build({n: method(n) for n in ("pow", "fmod")}, dtype, lanes, 2, fma=False, cpu="x86-64")
    x, y = pow_points(400, 13, -149, 128)
    x, y = x.astype(dtype.np), y.astype(dtype.np)
    got = f["pow"](x, y)
    big = [mp.mpf(float(a)) ** mp.mpf(float(b)) for a, b in zip(x, y, strict=True)]
    if dtype is F32:
        assert ulp32(got, np.array([float(v) for v in big])).max() <= ULP["pow"][0]
    else:
        assert max(map(ulp64, map(float, got), big)) <= ULP["pow"][1]
    np.testing.assert_array_equal(f["fmod"](x, np.abs(y)), np.fmod(x, np.abs(y)))
