"""Pools over windows whose sizes differ by one, drawn at random (Graham 2014, arXiv:1412.6071)."""

from __future__ import annotations

import itertools
import math as pymath
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError, UnimplementedError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.node import Value
from graphc.ops import philox
from graphc.ops.record import Attrs, InferError, Types, as_value, no_grad, op

__all__ = ["fractional_avg_pool", "fractional_max_pool"]

Array = np.ndarray[Any, Any]


def _lanes(seeds: tuple[int, int], skip: int, n: int) -> Any:
    """`n` numbers of 32 bits behind so many blocks of four."""
    return philox.blocks(*seeds, skip, np.arange(-(-n // 4), dtype=np.uint64)).reshape(-1)


def _shuffled(size: int, count: int, seeds: tuple[int, int], skip: int) -> tuple[Array, int]:
    """Where windows begin, and the end: sizes in any order; and the next block of numbers."""
    least, larger = divmod(size, count)
    steps = [least + 1] * larger + [least] * (count - larger)
    numbers = _lanes(seeds, skip, count)
    for i in range(count - 1):
        j = i + int(numbers[i]) % (count - i)
        steps[i], steps[j] = steps[j], steps[i]
    return np.cumsum([0, *steps]).astype(np.int64), skip - (-count // 4)


def _regular(size: int, count: int, seeds: tuple[int, int], skip: int) -> tuple[Array, int]:
    """The same, of the whole numbers above an arithmetic sequence with a random start."""
    ratio, least = size / count, size // count
    most = min((least + 2) / ratio - 1, (size + 1 - least) / ratio - (count - 1))
    numbers = _lanes(seeds, skip, 2)
    start = float(philox._unit_f64(numbers[:1], numbers[1:2])[0]) * most
    inner = [pymath.ceil(ratio * (i + start)) - 1 for i in range(1, count)]
    return np.array([0, *inner, size], np.int64), skip + 1


def _windows(rows: Array, columns: Array, overlapping: bool) -> Iterator[Any]:
    """Place and part of each window; overlapping ones share their borders."""
    more = int(overlapping)
    for i, (top, bottom) in enumerate(itertools.pairwise(rows)):
        for j, (left, right) in enumerate(itertools.pairwise(columns)):
            part = (
                slice(top, min(bottom + more, rows[-1])),
                slice(left, min(right + more, columns[-1])),
            )
            yield i, j, (slice(None), *part)


def _pool(
    host: Any, x: Array, *, ratio: tuple[float, ...], pseudo_random: bool, overlapping: bool,
    deterministic: bool, seeds: tuple[int, int], largest: bool,
) -> tuple[Array, Array, Array]:  # fmt: skip
    if not deterministic and seeds != (0, 0):
        raise InvalidArgumentError(
            None, None, "Both seed and seed2 should be 0 if deterministic is false."
        )
    if min(ratio) < 1.0:
        raise InvalidArgumentError(
            None, None, f"pooling_ratio cannot be smaller than 1, got: {min(ratio)}"
        )
    if ratio[0] != 1.0 or ratio[3] != 1.0:
        raise UnimplementedError(
            None, None, "Fractional pooling is not supported on the batch nor channel dimension."
        )
    sequence = _regular if pseudo_random else _shuffled
    drawn = seeds if deterministic else philox.fresh_seeds()
    sizes = [int(n / r) for n, r in zip(x.shape, ratio, strict=True)]
    rows, skip = sequence(x.shape[1], sizes[1], drawn, 0)
    columns, _ = sequence(x.shape[2], sizes[2], drawn, skip)
    out = np.empty((x.shape[0], sizes[1], sizes[2], x.shape[3]), x.dtype)
    for i, j, part in _windows(rows, columns, overlapping):
        out[:, i, j] = x[part].max((1, 2)) if largest else x[part].mean((1, 2), dtype=x.dtype)
    return out, rows, columns


def _spread(
    x: Array, dy: Array, rows: Array, columns: Array, *, overlapping: bool, largest: bool
) -> Array:
    """The gradient: to the first largest element of each window, or to all of them alike."""
    out = np.zeros(x.shape, dy.dtype)
    for i, j, part in _windows(rows, columns, overlapping):
        window = x[part]
        _, h, w, _ = window.shape
        if largest:
            at = window.reshape(len(x), h * w, -1).argmax(1)[:, None]
            share = np.zeros((len(x), h * w, x.shape[3]), dy.dtype)
            np.put_along_axis(share, at, dy[:, i, j][:, None], 1)
            out[part] += share.reshape(window.shape)
        else:
            out[part] += dy[:, i, j][:, None, None] / dy.dtype.type(h * w)
    return out


def _kind(largest: bool) -> str:
    return f"Fractional{'Max' if largest else 'Avg'}Pool"


def _infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, s = inputs[0], inputs[0].static_shape
    ratio = attrs["ratio"]
    if s is not None and len(s) != 4:
        raise InferError(f"Shape must be rank 4 but is rank {len(s)}")
    sizes: list[Any] = [None] * 4 if s is None else list(s)
    if s is None or any(type(d) is not int for d in s):
        if D.facts() is not None:
            return [(x.dtype, None), (dtypes.int64, None), (dtypes.int64, None)]
        made = tuple(
            int(n / r) if type(n) is int else D.fresh() for n, r in zip(sizes, ratio, strict=True)
        )
        lengths = [(n + 1 if type(n) is int else D.fresh(),) for n in made[1:3]]
        return [(x.dtype, made), *[(dtypes.int64, n) for n in lengths]]
    out = tuple(int(n / r) for n, r in zip(sizes, ratio, strict=True))
    ends = [(dtypes.int64, (n + 1,)) for n in out[1:3]]
    return [(x.dtype, out), *ends]


def _grad(y: Any, dy: Any, x: Value, **attrs: Any) -> Any:
    if dy[0] is None:
        return (None,)
    given = {k: attrs[k] for k in ("overlapping", "largest")}
    return (build(fractional_gradient_op, [x, dy[0], y[1], y[2]], given, None).outputs[0],)


fractional_op = op(
    "fractional_pool", "FractionalMaxPool", "host", args=("value",), types="fi", infer=_infer,
    doc="The largest element, or the mean, of windows of random sizes; and where they begin.",
    host=_pool, grad=_grad, stateful=True, fails=True,
    facts={
        "partial_gradients": True,
        "type": lambda inputs, attrs: _kind(attrs["largest"]),
    },
)  # fmt: skip
fractional_gradient_op = op(
    "fractional_pool_grad", "FractionalMaxPoolGrad", "host", types="fi",
    args=("x", "dy", "rows", "columns"), doc="The gradient of pools over windows of random sizes.",
    infer=lambda inputs, attrs: [(inputs[1].dtype, inputs[0].static_shape)], numpy=_spread,
    grad=no_grad,
    facts={"type": lambda inputs, attrs: _kind(attrs["largest"]) + "Grad"},
)  # fmt: skip


def _fractional(largest: bool, value: Any, ratio: Any, name: str | None, **attrs: Any) -> Any:
    kind, ratios = _kind(largest), tuple([float(r) for r in ratio])
    if len(ratios) < 4:
        raise ValueError(
            f"Attr 'pooling_ratio' of '{kind}' Op passed list of length {len(ratios)} less than "
            "minimum 4."
        )
    seeds = int(attrs.pop("seed")), int(attrs.pop("seed2"))
    given = {k: bool(v) for k, v in attrs.items()}
    node = build(
        fractional_op, [as_value(value, None, "value")],
        {"ratio": ratios, "seeds": seeds, "largest": largest, **given},
        name or kind,
    )  # fmt: skip
    return tuple(node.outputs)


def fractional_max_pool(
    value: Any, pooling_ratio: Any, pseudo_random: bool = False, overlapping: bool = False,
    deterministic: bool = False, seed: int = 0, seed2: int = 0, name: str | None = None,
) -> tuple[Value, Value, Value]:  # fmt: skip
    """The largest element of windows of images, of two sizes in a random order.

    Parameters
    ----------
    value : tensor
        ``[batch, height, width, channels]``.
    pooling_ratio : list of float
        How many times smaller each axis gets; 1 for batch and channels.
    pseudo_random : bool
        Whether sizes follow each other regularly.
    overlapping : bool
        Whether windows share their borders.
    deterministic : bool
        Whether all runs draw the same windows, by the two seeds.

    Returns
    -------
    output, rows, columns
        The last two are where windows begin and end.
    """
    return _fractional(  # type: ignore[no-any-return]
        True, value, pooling_ratio, name, pseudo_random=pseudo_random, overlapping=overlapping,
        deterministic=deterministic, seed=seed, seed2=seed2,
    )  # fmt: skip


def fractional_avg_pool(
    value: Any, pooling_ratio: Any, pseudo_random: bool = False, overlapping: bool = False,
    deterministic: bool = False, seed: int = 0, seed2: int = 0, name: str | None = None,
) -> tuple[Value, Value, Value]:  # fmt: skip
    """`fractional_max_pool` with the mean of each window."""
    return _fractional(  # type: ignore[no-any-return]
        False, value, pooling_ratio, name, pseudo_random=pseudo_random, overlapping=overlapping,
        deterministic=deterministic, seed=seed, seed2=seed2,
    )  # fmt: skip
