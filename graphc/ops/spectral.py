"""Discrete Fourier transforms, in native code that the host calls, with gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.node import Value
from graphc.ops import arrays, complex, fills, math, reduce, shapes, spaced
from graphc.ops.blocks import sizes_of
from graphc.ops.counting import made
from graphc.ops.fourier_loops import from_half, half_of, whole
from graphc.ops.record import Attrs, Op, Types, as_value, op, shape_error, static_ints

__all__ = [
    "fft", "fft2d", "fft3d", "fftshift", "ifft", "ifft2d", "ifft3d", "ifftshift", "irfft",
    "irfft2d", "irfft3d", "rfft", "rfft2d", "rfft3d",
]  # fmt: skip

_WIDE = {dtypes.float32: dtypes.complex64, dtypes.float64: dtypes.complex128}


def _rank(x: Value, n: int) -> Any:
    s = x.static_shape
    if s is not None and len(s) < n:
        raise shape_error(f"Shape must be at least rank {n} but is rank {len(s)}")
    return s


def _fft_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(inputs[0].dtype, _rank(inputs[0], attrs["n"]))]


def _axes(n: int) -> tuple[int, ...]:
    return tuple(range(-n, 0))


def _size(x: Value, n: int) -> Any:
    """The number of elements that are transformed together, as a float scalar or number."""
    out: Any = 1
    for d in sizes_of(x)[-n:]:
        out = out * d
    if isinstance(out, Value):
        return math.cast(math.cast(out, x.dtype.real_dtype), x.dtype)
    return float(out)


def _whole(c: Any, z: Any, n: int, back: bool) -> Any:
    """The transform over the last n axes, one after the other."""
    for axis in range(-1, -n - 1, -1):
        z = whole(c.native, z, axis, back)
    return z


fft_op: Op = op(
    "fft", "FFT", "host", args=("input",), types="c", infer=_fft_infer,
    doc="The discrete Fourier transform over the last axes.",
    numpy=lambda x, *, n: np.fft.fftn(x, axes=_axes(n)).astype(x.dtype),
    host=lambda c, x, *, n: _whole(c, x, n, False),
    grad=lambda y, dy, x, *, n: _transform(ifft_op, dy, n) * _size(dy, n),
    facts={"own_conjugate": True, "type": lambda inputs, attrs: _named("FFT", attrs)},
)  # fmt: skip

ifft_op: Op = op(
    "ifft", "IFFT", "host", args=("input",), types="c", infer=_fft_infer,
    doc="The inverse discrete Fourier transform over the last axes.",
    numpy=lambda x, *, n: np.fft.ifftn(x, axes=_axes(n)).astype(x.dtype),
    host=lambda c, x, *, n: _whole(c, x, n, True),
    grad=lambda y, dy, x, *, n: _transform(fft_op, dy, n) / _size(dy, n),
    facts={"own_conjugate": True, "type": lambda inputs, attrs: _named("IFFT", attrs)},
)  # fmt: skip


def _named(word: str, attrs: Attrs) -> str:
    return word + ("" if attrs["n"] == 1 else f"{attrs['n']}D")


def _transform(record: Op, x: Value, n: int, name: str | None = None) -> Value:
    return build(record, (x,), {"n": n}, name).outputs[0]


# ---- of real numbers: half of the spectrum says all


def _rfft_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, n, lengths = inputs[0], attrs["n"], attrs["lengths"]
    s = _rank(x, n)
    if s is None:
        return [(_WIDE[x.dtype], None)]
    sizes = list(lengths or s[-n:])
    last = sizes[-1]
    half = last // 2 + 1 if type(last) is int or D.facts() is not None else D.fresh()
    half = 0 if D.same(last, 0) else half
    return [(_WIDE[x.dtype], (*s[:-n], *sizes[:-1], half))]


def _irfft_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, n, lengths = inputs[0], attrs["n"], attrs["lengths"]
    s = _rank(x, n)
    if s is None:
        return [(x.dtype.real_dtype, None)]
    if lengths:
        return [(x.dtype.real_dtype, (*s[:-n], *lengths))]
    last = s[-1]
    whole = 2 * (last - 1) if type(last) is int or D.facts() is not None else D.fresh()
    whole = 0 if D.same(last, 0) else whole
    return [(x.dtype.real_dtype, (*s[:-1], whole))]


def _rfft_numpy(x: Any, *, n: int, lengths: Any) -> Any:
    kind = np.complex64 if x.dtype == np.float32 else np.complex128
    return np.fft.rfftn(x, s=lengths or x.shape[-n:], axes=_axes(n)).astype(kind)


def _irfft_numpy(x: Any, *, n: int, lengths: Any) -> Any:
    kind = np.float32 if x.dtype == np.complex64 else np.float64
    s = lengths or (*x.shape[-n:-1], 2 * (x.shape[-1] - 1))
    return np.fft.irfftn(x, s=s, axes=_axes(n)).astype(kind)


def _cut_or_filled(x: Any, sizes: Sequence[int]) -> Any:
    """The last axes of an array cut, or filled with zeros, to `sizes`."""
    have = x.shape[x.ndim - len(sizes) :]
    if tuple(have) == tuple(sizes):
        return x
    made = np.zeros((*x.shape[: x.ndim - len(sizes)], *sizes), x.dtype)
    part: Any = (..., *(slice(0, min(a, b)) for a, b in zip(have, sizes, strict=True)))
    made[part] = x[part]
    return made


def _rfft_host(c: Any, x: Any, *, n: int, lengths: Any) -> Any:
    z = half_of(c.native, _cut_or_filled(x, lengths or x.shape[-n:]))
    for axis in range(-2, -n - 1, -1):
        z = whole(c.native, z, axis, False)
    return z


def _irfft_host(c: Any, z: Any, *, n: int, lengths: Any) -> Any:
    last = lengths[-1] if lengths else 2 * (z.shape[-1] - 1)
    z = _cut_or_filled(z, (*(lengths or z.shape[-n:])[:-1], last // 2 + 1))
    for axis in range(-n, -1):
        z = whole(c.native, z, axis, True)
    return from_half(c.native, z, last)


def _fitted(x: Value, sizes: Sequence[Any]) -> Value:
    """The last axes cut, or filled with zeros, to `sizes`."""
    n, have = len(sizes), sizes_of(x)[-len(sizes) :]
    lead = (x.rank or n) - n
    key: list[Any] = [slice(None)] * lead
    pads: list[Any] = [[0, 0]] * lead
    for want, got in zip(sizes, have, strict=True):
        if isinstance(want, int) and isinstance(got, int):
            key.append(slice(0, min(want, got)))
            pads.append([0, max(want - got, 0)])
        else:
            key.append(slice(0, math.minimum(want, got)))
            pads.append([0, math.maximum(want - got, 0)])
    if all(p == [0, 0] for p in pads):
        return x[tuple(key)]
    return arrays.pad(x[tuple(key)], pads)


def _of_any_rank(gradient: Callable[..., Value]) -> Callable[..., Value]:
    """A gradient that asks for the rank, where none is known: of the axes before as one."""

    @functools.wraps(gradient)
    def f(y: Value, dy: Value, x: Value, *, n: int, lengths: Any) -> Value:
        if x.rank is not None:
            return gradient(y, dy, x, n=n, lengths=lengths)
        many, flat = shapes.shape(x), []
        for v, sizes in ((x, many), (dy, shapes.shape(dy))):
            lead = shapes.reshape(reduce.reduce_prod(sizes[:-n]), [1])
            flat.append(shapes.reshape(v, arrays.concat([lead, sizes[-n:]], 0)))
            flat[-1].static_shape = tuple(D.fresh() for _ in range(n + 1))
        back = gradient(flat[1], flat[1], flat[0], n=n, lengths=lengths)
        return shapes.reshape(back, many)

    return f


@_of_any_rank
def _rfft_grad(y: Value, dy: Value, x: Value, *, n: int, lengths: Any) -> Value:
    """The half is a part of the whole transform of complex numbers; go back through that."""
    have = sizes_of(x)[-n:]
    sizes = list(lengths or have)
    whole = _fitted(dy, sizes)
    back = complex.real(_transform(ifft_op, whole, n) * _size(whole, n))
    return _fitted(back, have) if lengths else back


@_of_any_rank
def _irfft_grad(y: Value, dy: Value, x: Value, *, n: int, lengths: Any) -> Value:
    """All but the first (and for an even length the middle) column stand for two."""
    sizes = sizes_of(y)[-n:]
    g = rfft_n(dy, sizes if not any(isinstance(s, Value) for s in sizes) else None, n)
    last, half = sizes[-1], sizes_of(g)[-1]
    column = spaced.range(half)
    middle = math.equal(column * 2, last)
    ends = math.logical_or(math.equal(column, 0), middle)
    kind = dy.dtype
    weight = math.select(ends, fills.ones_like(column), 2 * fills.ones_like(column))
    factor = math.cast(math.cast(weight, kind), x.dtype) / _size(math.cast(dy, x.dtype), n)
    g = g * factor
    return _fitted(g, sizes_of(x)[-n:])


rfft_op = op(
    "rfft", "RFFT", "host", args=("input",), types="f", infer=_rfft_infer, numpy=_rfft_numpy,
    host=_rfft_host,
    doc="Half of the discrete Fourier transform of real numbers.", grad=_rfft_grad,
    facts={"own_conjugate": True, "type": lambda inputs, attrs: _named("RFFT", attrs)},
)  # fmt: skip

irfft_op = op(
    "irfft", "IRFFT", "host", args=("input",), types="c", infer=_irfft_infer, numpy=_irfft_numpy,
    host=_irfft_host,
    doc="Real numbers from half of their discrete Fourier transform.", grad=_irfft_grad,
    facts={"own_conjugate": True, "type": lambda inputs, attrs: _named("IRFFT", attrs)},
)  # fmt: skip


def _lengths(fft_length: Any, n: int) -> tuple[int, ...] | None:
    if fft_length is None:
        return None
    given = static_ints(fft_length)
    if isinstance(given, Value):
        raise ValueError("fft_length must be known when the graph is built")
    made = tuple(int(v) for v in np.atleast_1d(np.asarray(given)))
    if len(made) != n:
        raise ValueError(f"Shape must be [{n}] but is [{len(made)}]")
    return made


def rfft_n(x: Any, fft_length: Any, n: int, name: str | None = None) -> Value:
    """`rfft` over n axes."""
    v = as_value(x, None if isinstance(x, Value) else dtypes.float32)
    if v.dtype not in _WIDE:
        raise TypeError(f"rfft needs float32 (or float64), not {v.dtype.name}")
    return build(rfft_op, (v,), {"n": n, "lengths": _lengths(fft_length, n)}, name).outputs[0]


def _irfft_n(x: Any, fft_length: Any, n: int, name: str | None) -> Value:
    v = _complex(x)
    return build(irfft_op, (v,), {"n": n, "lengths": _lengths(fft_length, n)}, name).outputs[0]


def _complex(x: Any) -> Value:
    v = as_value(x, None if isinstance(x, Value) else dtypes.complex64)
    if v.dtype.kind != "c":
        raise TypeError(
            f"Value passed to parameter 'input' has DataType {v.dtype.name} not in list of "
            "allowed values: complex64, complex128"
        )
    return v


def _prepared(x: Value, lengths: Sequence[int] | None, n: int, back: bool) -> int:
    """How many operations TF1 makes for the lengths, and to fill `x` with zeros."""
    s = x.static_shape
    if s is None or not all(isinstance(d, int) for d in s[len(s) - n :]):
        return 24 if lengths else 50 if back else 28
    if lengths is None:
        return 1
    wanted = [*lengths[:-1], lengths[-1] // 2 + 1 if back else lengths[-1]]
    pairs = zip(s[len(s) - n :], wanted, strict=True)
    return 3 if any(isinstance(d, int) and d < w for d, w in pairs) else 1


def _plain(record: Op, n: int, doc: str) -> Callable[..., Value]:
    def f(input: Any, name: str | None = None) -> Value:
        return _transform(record, _complex(input), n, name or _named(record.tf, {"n": n}))

    f.__doc__ = doc
    return f


def _real(n: int, back: bool, doc: str) -> Callable[..., Value]:
    word = ("irfft" if back else "rfft") + ("" if n == 1 else f"{n}d")

    def f(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Value:
        with current().scope(name, word) as scope:
            x = as_value(input_tensor)
            lengths = _lengths(fft_length, n)
            made(_prepared(x, lengths, n, back))
            return (_irfft_n if back else rfft_n)(x, lengths, n, scope or name)

    f.__doc__ = doc
    return f


fft = _plain(fft_op, 1, "The discrete Fourier transform over the last axis.")
fft2d = _plain(fft_op, 2, "The discrete Fourier transform over the last two axes.")
fft3d = _plain(fft_op, 3, "The discrete Fourier transform over the last three axes.")
ifft = _plain(ifft_op, 1, "The inverse discrete Fourier transform over the last axis.")
ifft2d = _plain(ifft_op, 2, "The inverse discrete Fourier transform over the last two axes.")
ifft3d = _plain(ifft_op, 3, "The inverse discrete Fourier transform over the last three axes.")
rfft = _real(1, False, "The transform of real numbers over the last axis: its first half.")
rfft2d = _real(2, False, "The transform of real numbers over the last two axes.")
rfft3d = _real(3, False, "The transform of real numbers over the last three axes.")
irfft = _real(1, True, "Real numbers from the first half of their transform.")
irfft2d = _real(2, True, "Real numbers from half of their transform over two axes.")
irfft3d = _real(3, True, "Real numbers from half of their transform over three axes.")


def _shifted(x: Any, axes: Any, name: str | None, back: bool) -> Value:
    with current().scope(name, "ifftshift" if back else "fftshift") as scope:
        v = as_value(x)
        assert v.rank is not None
        given = range(v.rank) if axes is None else np.atleast_1d(np.asarray(static_ints(axes)))
        at = [int(a) for a in given]
        sizes = sizes_of(v)
        by = [-(sizes[a] // 2) if back else sizes[a] // 2 for a in at]
        return arrays.roll(v, by, at, name=scope or name)


def fftshift(x: Any, axes: Any = None, name: str | None = None) -> Value:
    """Frequency 0 moved to the middle of `axes` (of all by default)."""
    return _shifted(x, axes, name, False)


def ifftshift(x: Any, axes: Any = None, name: str | None = None) -> Value:
    """The reverse of `fftshift`."""
    return _shifted(x, axes, name, True)
