"""Solvers of ordinary differential equations: with steps that adapt, and on a fixed grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.face.current import control_dependencies, name_scope
from graphc.face.flow import while_loop
from graphc.face.functional import scan
from graphc.face.tensor_array import TensorArray
from graphc.ir import dtypes
from graphc.ops import arrays, check, fills, math, reduce, shapes
from graphc.ops.convert import convert_to_tensor
from graphc.ops.state import identity

__all__ = ["odeint", "odeint_fixed"]

Slope = Callable[[Any, Any], Any]

#: Dormand and Prince 1980: times of the stages, their weights, and those of the error.
_TIMES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
_STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
_ERROR = (
    35 / 384 - 1951 / 21600, 0.0, 500 / 1113 - 22642 / 50085, 125 / 192 - 451 / 720,
    -2187 / 6784 + 12231 / 42400, 11 / 84 - 649 / 6300, -1 / 60,
)  # fmt: skip
#: What gives the value in the middle of a step (Shampine 1986).
_MIDDLE = (
    6025192743 / 30085553152 / 2, 0.0, 51252292925 / 65400821598 / 2,
    -2691868925 / 45128329728 / 2, 187940372067 / 1594534317056 / 2,
    -1776094331 / 19743644256 / 2, 11237099 / 235043384 / 2,
)  # fmt: skip

_OPTIONS = {"first_step": 1.0, "safety": 0.9, "ifactor": 10.0, "dfactor": 0.2,
            "max_num_steps": 1000}  # fmt: skip


def _mixed(scale: Any, weights: tuple[float, ...], values: list[Any]) -> Any:
    """The sum of ``scale * weight * value``, zeros left out."""
    parts = [scale * w * v for w, v in zip(weights, values, strict=True) if w]
    return math.add_n(parts)


def _step(f: Slope, y: Any, slope: Any, t: Any, dt: Any) -> tuple[Any, Any, Any, list[Any]]:
    """A step of the pair of orders 5 and 4: value, slope, error, slopes of the stages."""
    slopes = [slope]
    y_next = y
    wide = math.cast(dt, y.dtype)
    for at, weights in zip(_TIMES, _STAGES, strict=True):
        y_next = y + _mixed(wide, weights, slopes)
        slopes.append(f(y_next, t + at * dt))
    return y_next, slopes[-1], _mixed(wide, _ERROR, slopes), slopes


def _curve(y0: Any, y1: Any, middle: Any, f0: Any, f1: Any, dt: Any) -> list[Any]:
    """The coefficients of the polynomial of degree 4 through three values and two slopes."""
    return [
        2.0 * dt * (f1 - f0) - 8.0 * (y1 + y0) + 16.0 * middle,
        dt * (5.0 * f0 - 3.0 * f1) + 18.0 * y0 + 14.0 * y1 - 32.0 * middle,
        dt * (f1 - 4.0 * f0) - 11.0 * y0 - 5.0 * y1 + 16.0 * middle,
        dt * f0,
        y0,
    ]


def _on_curve(curve: list[Any], t0: Any, t1: Any, t: Any) -> Any:
    x = math.cast((t - t0) / (t1 - t0), curve[0].dtype)
    value = curve[0]
    for c in curve[1:]:
        value = value * x + c
    return value


def odeint(
    func: Slope, y0: Any, t: Any, rtol: float = 1e-6, atol: float = 1e-12,
    method: str | None = None, options: dict[str, Any] | None = None, full_output: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """The solution of ``dy/dt = func(y, t)`` that begins with `y0` at ``t[0]``, at all times `t`.

    Parameters
    ----------
    func : callable
        ``func(y, t)`` gives a tensor of the shape and type of ``y``.
    y0 : tensor
        Any shape; floats or complex numbers.
    t : tensor
        Increasing times of a float type.
    rtol, atol : float
        How large the error of a step may be: relative, absolute.
    method : {"dopri5"}, optional
        Dormand and Prince's Runge-Kutta method of order 5.
    options : dict, optional
        ``first_step``, ``safety``, ``ifactor`` and ``dfactor`` (by how much a step grows and
        shrinks at most), ``max_num_steps`` (between two times).
    full_output : bool
        Give a dictionary of what happened too.

    Returns
    -------
    tensor
        Of the shape ``[len(t), *y0.shape]``; with `full_output` also ``num_func_evals``,
        ``integrate_points`` and ``error_ratio``.

    Raises
    ------
    InvalidArgumentError
        At run time, when times do not increase, a step vanishes or there are too many.
    """
    if method is not None and method != "dopri5":
        raise ValueError(f"invalid method: {method!r}")
    given = dict(options or {})
    if method is None and given:
        raise ValueError("cannot supply `options` without specifying `method`")
    unknown = set(given) - set(_OPTIONS)
    if unknown:
        raise TypeError(f"unexpected options for dopri5: {sorted(unknown)}")
    knobs = {**_OPTIONS, **given}
    with name_scope(name, "odeint", [y0, t]) as scope:
        y, times = _operands(y0, t)
        return _adaptive(func, y, times, rtol, atol, knobs, full_output, scope)


def _operands(y0: Any, t: Any) -> tuple[Any, Any]:
    y = convert_to_tensor(y0, name="y0")
    times = convert_to_tensor(t, preferred_dtype=dtypes.float64, name="t")
    if not (y.dtype.is_floating or y.dtype.is_complex):
        raise TypeError("`y0` must have a floating point or complex floating point dtype")
    if not times.dtype.is_floating:
        raise TypeError("`t` must have a floating point dtype")
    if times.rank is not None and times.rank != 1:
        raise ValueError(f"`t` must be a vector, its rank is {times.rank}")
    rising = check.Assert(
        reduce.reduce_all(math.greater(times[1:], times[:-1])),
        ["`t` must be monotonic increasing"],
    )
    with control_dependencies([rising]):
        return y, identity(times)


def _adaptive(
    func: Slope, y: Any, times: Any, rtol: Any, atol: Any, knobs: dict[str, Any], full: bool,
    scope: str,
) -> Any:  # fmt: skip
    real = y.dtype.real_dtype
    zero = fills.zeros_like(times[0])

    def tried(state: Any, log: Any) -> tuple[Any, Any]:
        """One step, taken or not."""
        y0, f0, _, t0, dt, curve = state
        with control_dependencies(
            [check.Assert(math.greater(t0 + dt, t0), ["underflow in dt", dt])]
        ):
            y1, f1, error, slopes = _step(func, y0, f0, t0, identity(dt))
        allowed = atol + rtol * math.maximum(math.abs(y0), math.abs(y1))
        ratio = math.sqrt(reduce.reduce_mean(math.square(math.abs(error) / allowed)))
        good = math.less_equal(ratio, 1.0)
        wide = math.cast(dt, y.dtype)
        fresh = _curve(y0, y1, y0 + _mixed(wide, _MIDDLE, slopes), f0, f1, wide)
        points, ratios, n = log
        log = points.write(n, t0 + dt), ratios.write(n, ratio), n + 1
        chosen = [math.where(good, a, b) for a, b in zip(fresh, curve, strict=True)]
        state = (
            math.where(good, y1, y0), math.where(good, f1, f0), t0,
            math.where(good, t0 + dt, t0), _next_size(dt, math.cast(ratio, dt.dtype), knobs),
            chosen,
        )  # fmt: skip
        return state, log

    def advanced(i: Any, made: Any, state: Any, log: Any) -> Any:
        """Steps up to the time ``times[i]``, and the solution there."""

        def step(k: Any, state: Any, log: Any) -> Any:
            few = check.Assert(math.less(k, knobs["max_num_steps"]), ["max_num_steps exceeded"])
            with control_dependencies([few]):
                state = (identity(state[0]), *state[1:])
            return k + 1, *tried(state, log)

        _, state, log = while_loop(
            lambda k, state, log: math.greater(times[i], state[3]), step, (0, state, log)
        )
        y_here = _on_curve(state[5], state[2], state[3], times[i])
        return i + 1, made.write(i, y_here), state, log

    count = shapes.size(times)
    made = TensorArray(y.dtype, count).write(0, y)
    log = (
        TensorArray(times.dtype, 0, dynamic_size=True, element_shape=[]),
        TensorArray(real, 0, dynamic_size=True, element_shape=[]), convert_to_tensor(0),
    )  # fmt: skip
    first = math.cast(convert_to_tensor(knobs["first_step"]), times.dtype)
    state = y, func(y, times[0]), times[0] + zero, times[0], first, [y] * 5
    _, made, _, (points, ratios, tries) = while_loop(
        lambda i, *_: math.less(i, count), advanced, (1, made, state, log)
    )
    solution = identity(made.stack(), name=scope)
    solution.set_shape([times.shape[0], *y.shape])  # type: ignore[attr-defined]
    if not full:
        return solution
    return solution, {
        "num_func_evals": tries * 6 + 1, "integrate_points": points.stack(),
        "error_ratio": ratios.stack(),
    }  # fmt: skip


def _next_size(dt: Any, ratio: Any, knobs: dict[str, Any]) -> Any:
    """The size of the next step, from the error of this one."""
    factor = math.minimum(math.pow(ratio, 0.2) / knobs["safety"], 1.0 / knobs["dfactor"])
    factor = math.maximum(factor, 1.0 / knobs["ifactor"])
    return math.where(math.equal(ratio, 0.0), dt * knobs["ifactor"], dt / factor)


# ----------------------------------------------------------------------------- fixed steps


def _midpoint(func: Slope, t: Any, dt: Any, wide: Any, y: Any) -> Any:
    return wide * func(y + func(y, t) * wide / 2.0, t + dt / 2.0)


def _runge_kutta(func: Slope, t: Any, dt: Any, wide: Any, y: Any) -> Any:
    a = func(y, t)
    b = func(y + wide * a / 2.0, t + dt / 2.0)
    c = func(y + wide * b / 2.0, t + dt / 2.0)
    d = func(y + wide * c, t + dt)
    return wide * (a + 2.0 * b + 2.0 * c + d) / 6.0


_METHODS = {"midpoint": _midpoint, "rk4": _runge_kutta}


def odeint_fixed(
    func: Slope, y0: Any, t: Any, dt: Any = None, method: str = "rk4", name: str | None = None
) -> Any:
    """The solution of ``dy/dt = func(y, t)`` that begins with `y0` at ``t[0]``, at all times `t`.

    Parameters
    ----------
    func : callable
        ``func(y, t)`` gives a tensor of the shape and type of ``y``.
    y0, t : tensor
        As for `odeint`.
    dt : float or vector, optional
        The longest step, for each interval of `t` or for all: an interval is divided into as
        many steps as that takes. One step an interval by default.
    method : {"rk4", "midpoint"}
    """
    if method not in _METHODS:
        raise ValueError(f"method not supported: {method}")
    slope = _METHODS[method]
    with name_scope(name, "odeint_fixed", [y0, t, dt]) as scope:
        y, times = _operands(y0, t)
        spans = times[1:] - times[:-1]
        if dt is None:
            counts = fills.ones_like(spans, dtypes.int32)
        else:
            counts = math.cast(math.ceil(spans / math.cast(dt, spans.dtype)), dtypes.int32)

        def interval(y: Any, part: Any) -> Any:
            t0, span, n = part
            size = span / math.cast(n, span.dtype)
            wide = math.cast(size, y.dtype)

            def step(k: Any, y: Any) -> Any:
                at = t0 + math.cast(k, size.dtype) * size
                return k + 1, y + slope(func, at, size, wide, y)

            return while_loop(lambda k, y: math.less(k, n), step, (0, y))[1]

        later = scan(interval, (times[:-1], spans, counts), y)
        return arrays.concat([shapes.expand_dims(y, 0), later], 0, name=scope)
