"""Blocks of space moved into the batch and back, patches of volumes, repeated elements."""

from __future__ import annotations

import builtins
import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.node import Value
from graphc.ops import arrays, broadcasting, fills, math, reduce, shapes, spaced, state, transposing
from graphc.ops.check import ensure_shape
from graphc.ops.convert import convert_to_tensor
from graphc.ops.operands import text
from graphc.ops.record import as_value, static_ints

__all__ = [
    "batch_to_space", "batch_to_space_nd", "extract_volume_patches", "repeat",
    "required_space_to_batch_paddings", "space_to_batch", "space_to_batch_nd",
    "with_space_to_batch",
]  # fmt: skip


def sizes_of(x: Value) -> list[Any]:
    """The sizes of a tensor of known rank: numbers where they are known, else scalars."""
    known = x.shape.as_list()  # type: ignore[attr-defined]
    if None not in known:
        return known  # type: ignore[no-any-return]
    live = shapes.shape(x)
    return [live[i] if n is None else n for i, n in enumerate(known)]


def _blocks(block_shape: Any, op: str = "") -> list[Any]:
    """The block's sizes: numbers where they are known, else scalars."""
    given = static_ints(block_shape)
    if not isinstance(given, Value):
        return [int(b) for b in np.atleast_1d(np.asarray(given))]
    count = None if given.static_shape is None else given.static_shape[0]
    if type(count) is not int:
        raise ValueError(f"block_shape must have rank 1 and a known number of sizes for {op!r}")
    return [given[i] for i in builtins.range(count)]


def _product(sizes: Sequence[Any]) -> Any:
    """The product of sizes, of which some may be scalars."""
    return functools.reduce(operator.mul, sizes, 1)


def _rows(x: Any, n: int) -> list[list[Any]]:
    """A table of n pairs, of numbers or of scalars."""
    given = static_ints(x)
    if isinstance(given, Value):
        return [[given[i, 0], given[i, 1]] for i in builtins.range(n)]
    rows = [list(r) for r in given]
    if len(rows) != n or any(len(r) != 2 for r in rows):
        raise ValueError(f"wanted {n} pairs, got {rows}")
    return rows


def _one_op(*sizes: Any) -> Any:
    """TF1 has one operation, beside constants, and one for the gradient."""
    return current().counts_as(1 + sum(not isinstance(x, Value) for x in sizes), [(1, 1)])


def _rank(x: Value, m: int) -> int:
    """How many axes `x` has, which are a batch, `m` axes of space, and more."""
    assert x.rank is not None
    if x.rank <= m:
        raise ValueError(f"Shape must be at least rank {m + 1} but is rank {x.rank}: {x.name}")
    return x.rank


def _of_any_rank(f: Callable[..., Value]) -> Callable[..., Value]:
    """`f` of a tensor of unknown rank: the axes behind those of space are one meanwhile."""

    @functools.wraps(f)
    def call(x: Value, blocks: list[Any], table: Any, name: str) -> Value:
        if x.rank is not None:
            return f(x, blocks, table, name)
        m = len(blocks)
        sizes = shapes.shape(x)
        tail = sizes[m + 1 :]
        one = arrays.concat([sizes[: m + 1], [reduce.reduce_prod(tail)]], 0)
        flat = shapes.reshape(x, one)
        flat.static_shape = tuple(D.fresh() for _ in builtins.range(m + 2))
        y = f(flat, blocks, table, f"{name.rstrip('/')}/blocks/")
        return shapes.reshape(y, arrays.concat([shapes.shape(y)[: m + 1], tail], 0), name=name)

    return call


def space_to_batch_nd(
    input: Any, block_shape: Any, paddings: Any, name: str | None = None
) -> Value:
    """Axes 1, 2, … in blocks: the places within a block become batches.

    Parameters
    ----------
    block_shape : sequence of int
        The block's size along each axis of space.
    paddings : table of pairs
        Zeros before and after each axis of space, so that whole blocks result.

    Raises
    ------
    ValueError
        Where padded sizes are no whole number of blocks.
    """
    with current().scope(name, "SpaceToBatchND") as scope, _one_op(block_shape, paddings):
        x, blocks = as_value(input), _blocks(block_shape, "SpaceToBatchND")
        return _to_batch(x, blocks, _rows(paddings, len(blocks)), scope)


@_of_any_rank
def _to_batch(x: Value, blocks: list[Any], pads: Any, name: str) -> Value:
    m = len(blocks)
    rest = [[0, 0]] * (_rank(x, m) - m - 1)
    x = arrays.pad(x, [[0, 0], *pads, *rest])
    sizes = sizes_of(x)
    for n, b in zip(sizes[1 : m + 1], blocks, strict=True):
        if isinstance(n, int) and isinstance(b, int) and n % b:
            raise ValueError(f"padded size {n} is not divisible by the block size {b}")
    split = [sizes[0]]
    for n, b in zip(sizes[1 : m + 1], blocks, strict=True):
        split += [n // b, b]
    y = shapes.reshape(x, [*split, *sizes[m + 1 :]])
    inner = [2 * i + 2 for i in builtins.range(m)]
    outer = [2 * i + 1 for i in builtins.range(m)]
    y = transposing.transpose(
        y, [*inner, 0, *outer, *builtins.range(2 * m + 1, 2 * m + 1 + len(rest))]
    )
    lead = sizes[0] * _product(blocks)
    made = [n // b for n, b in zip(sizes[1 : m + 1], blocks, strict=True)]
    return shapes.reshape(y, [lead, *made, *sizes[m + 1 :]], name=name)


def batch_to_space_nd(input: Any, block_shape: Any, crops: Any, name: str | None = None) -> Value:
    """The reverse of `space_to_batch_nd`; `crops` are cut off what results."""
    with current().scope(name, "BatchToSpaceND") as scope, _one_op(block_shape, crops):
        x, blocks = as_value(input), _blocks(block_shape, "BatchToSpaceND")
        return _from_batch(x, blocks, _rows(crops, len(blocks)), scope)


@_of_any_rank
def _from_batch(x: Value, blocks: list[Any], cut: Any, name: str) -> Value:
    m = len(blocks)
    rank = _rank(x, m)
    sizes = sizes_of(x)
    batch = sizes[0] // _product(blocks)
    y = shapes.reshape(x, [*blocks, batch, *sizes[1:]])
    order = [m]
    for i in builtins.range(m):
        order += [m + 1 + i, i]
    y = transposing.transpose(y, [*order, *builtins.range(2 * m + 1, m + rank)])
    whole = [n * b for n, b in zip(sizes[1 : m + 1], blocks, strict=True)]
    y = shapes.reshape(y, [batch, *whole, *sizes[m + 1 :]])
    key: list[Any] = [slice(None)]
    key += [slice(a, n - b) for n, (a, b) in zip(whole, cut, strict=True)]
    return state.identity(y[tuple(key)], name=name)


def _one_block(block_size: Any, block_shape: Any) -> Any:
    if block_shape is not None:
        if block_size is not None:
            raise ValueError("Cannot specify both block_size and block_shape")
        return block_shape
    return [int(block_size)] * 2


def space_to_batch(
    input: Any, paddings: Any, block_size: Any = None, name: str | None = None,
    block_shape: Any = None,
) -> Value:  # fmt: skip
    """`space_to_batch_nd` of images in square blocks (of `block_shape` where that is given)."""
    blocks = _one_block(block_size, block_shape)
    return space_to_batch_nd(_pictures(input, block_shape), blocks, paddings, name)


def batch_to_space(
    input: Any, crops: Any, block_size: Any, name: str | None = None, block_shape: Any = None
) -> Value:
    """`batch_to_space_nd` of images in square blocks (of `block_shape` where that is given)."""
    blocks = _one_block(block_size, block_shape)
    return batch_to_space_nd(_pictures(input, block_shape), blocks, crops, name)


def _pictures(input: Any, block_shape: Any) -> Value:
    """What square blocks are of: of unknown rank it is taken for pictures."""
    x = as_value(input)
    if x.rank is not None or block_shape is not None:
        return x
    with current().counts_as(0):
        return ensure_shape(x, [None] * 4, name=f"{x.node.name}/pictures")


def required_space_to_batch_paddings(
    input_shape: Any, block_shape: Any, base_paddings: Any = None, name: str | None = None
) -> tuple[Value, Value]:
    """The padding that makes whole blocks, and the crops that take it off again.

    Parameters
    ----------
    base_paddings : table of pairs
        Padding that is wanted anyway.
    """
    with current().scope(name, "required_space_to_batch_paddings"):
        known = [static_ints(v) for v in (input_shape, block_shape)]
        n = len(_blocks(block_shape))
        base = np.zeros((n, 2), np.int32) if base_paddings is None else static_ints(base_paddings)
        if not any(isinstance(v, Value) for v in (*known, base)):
            pads = np.asarray(base, np.int32).reshape(n, 2)
            missing = -(np.asarray(known[0], np.int32) + pads.sum(1)) % np.asarray(known[1])
            ends = np.stack([np.zeros_like(missing), missing], 1).astype(np.int32)
            return (
                convert_to_tensor(pads + ends, name="paddings"),
                convert_to_tensor(ends, name="crops"),
            )
        blocks = convert_to_tensor(block_shape, dtypes.int32)
        base_, size = (
            convert_to_tensor(base, dtypes.int32),
            convert_to_tensor(input_shape, dtypes.int32),
        )
        before, after = base_[:, 0], base_[:, 1]
        full = size + before + after
        extra = math.mod(blocks - math.mod(full, blocks), blocks)
        paddings = arrays.stack([before, after + extra], 1, name="paddings")
        crops = arrays.stack([fills.zeros_like(extra), extra], 1, name="crops")
        return paddings, crops


def with_space_to_batch(
    input: Any, dilation_rate: Any, padding: str, op: Callable[..., Any],
    filter_shape: Any = None, spatial_dims: Sequence[int] | None = None,
    data_format: str | None = None,
) -> Any:  # fmt: skip
    """A windowed `op` with dilation: on each of the interleaved parts of space.

    Parameters
    ----------
    op : callable
        ``op(input, number of spatial axes, padding)``, with padding "VALID" where it dilates.
    """
    x = as_value(input)
    rates = [int(r) for r in np.atleast_1d(np.asarray(static_ints(dilation_rate)))]
    n = len(rates)
    first = data_format is not None and data_format.startswith("NC")
    axes = sorted(spatial_dims or builtins.range(2 if first else 1, n + (2 if first else 1)))
    if all(r == 1 for r in rates):
        return op(x, n, padding)
    if padding == "SAME":
        if filter_shape is None:
            raise ValueError("filter_shape must be specified for SAME padding")
        kernel = [int(k) for k in static_ints(filter_shape)][:n]
        reach = [(k - 1) * r for k, r in zip(kernel, rates, strict=True)]
        base = [[e // 2, e - e // 2] for e in reach]
    elif padding == "VALID":
        base = [[0, 0]] * n
    else:
        raise ValueError(f"Invalid padding method {padding!r}")
    sizes = sizes_of(x)
    space: Any = [sizes[a] for a in axes]
    if any(isinstance(v, Value) for v in space):
        space = arrays.stack([convert_to_tensor(v, dtypes.int32) for v in space])
    paddings, crops = required_space_to_batch_paddings(space, rates, base)
    if first:
        x = transposing.transpose(x, [0, *axes, 1])
    y = space_to_batch_nd(x, rates, paddings)
    if first:
        y = transposing.transpose(y, [0, n + 1, *builtins.range(1, n + 1)])
    z = op(y, n, "VALID")
    if first:
        z = transposing.transpose(z, [0, *builtins.range(2, n + 2), 1])
    z = batch_to_space_nd(z, rates, crops)
    return transposing.transpose(z, [0, n + 1, *builtins.range(1, n + 1)]) if first else z


def extract_volume_patches(
    input: Any, ksizes: Any, strides: Any, padding: str, name: str | None = None
) -> Value:
    """Windows of volumes ``[batch, planes, rows, columns, channels]``, each as one vector."""
    with current().scope(name, "ExtractVolumePatches") as scope, current().counts_as(1):
        x = as_value(input)
        if x.rank is None:
            x = ensure_shape(x, [None] * 5, name=f"{x.node.name}/volumes")
        kernel, steps = list(ksizes)[1:4], list(strides)[1:4]
        sizes = sizes_of(x)
        if padding == "SAME":
            pads = []
            for n, k, s in zip(sizes[1:4], kernel, steps, strict=True):
                out = -(-n // s)
                need = (out - 1) * s + k - n
                need = math.maximum(need, 0) if isinstance(need, Value) else max(need, 0)
                pads.append([need // 2, need - need // 2])
            x = arrays.pad(x, [[0, 0], *pads, [0, 0]])
            sizes = sizes_of(x)
        made = [(n - k) // s + 1 for n, k, s in zip(sizes[1:4], kernel, steps, strict=True)]
        parts = []
        for at in np.ndindex(*kernel):
            key = [slice(a, a + (m - 1) * s + 1, s)
                   for a, m, s in zip(map(int, at), made, steps, strict=True)]  # fmt: skip
            parts.append(x[tuple([slice(None), *key])])
        return arrays.concat(parts, -1, name=scope)


def repeat(input: Any, repeats: Any, axis: int | None = None, name: str | None = None) -> Value:
    """Each element along `axis` (of all, flattened, by default) so often as `repeats` says.

    Raises
    ------
    TypeError
        When `repeats` are no integers.
    ValueError
        Without such an axis, or when there are not as many `repeats` as elements along it.
    """
    x = as_value(input, None, "input")
    if axis is None:
        x, axis = shapes.reshape(x, [-1]), 0
    with current().scope(name, "Repeat"):
        times = convert_to_tensor(repeats, name="repeats")
        if times.dtype.kind not in "iu":
            raise TypeError(f"repeats must be an integer tensor; dtype={times.dtype!r}")
        if times.rank not in (0, 1, None):
            raise ValueError(f"Shape {text(times.static_shape or ())} must have rank at most 1")
        if x.rank is None:
            if axis < 0:
                raise ValueError("axis may only be negative if ndims is statically known.")
            at = axis
        elif -x.rank <= axis < x.rank:
            at = axis % x.rank
        else:
            raise ValueError(f"axis={axis} out of bounds: expected {-x.rank}<=axis<{x.rank}")
        times = math.cast(times, dtypes.int32)
        if times.rank == 0:
            with current().counts_as(44 if x.rank is None else 18 + x.rank):
                return _each_repeated(x, times, at)
        if x.rank is None:
            return _repeated_along(x, times, at)
        assert x.static_shape is not None
        count, given = x.static_shape[at], (times.static_shape or (None,))[0]
        if type(count) is type(given) is int and count != given:
            raise ValueError(f"Dimensions {count} and {given} are not compatible")
        with current().counts_as(44 + x.rank if at == 0 else 67 + x.rank):
            n = sizes_of(x)[at]
            times = broadcasting.broadcast_to(times, [n])
            rows = arrays.boolean_mask(
                broadcasting.broadcast_to(
                    shapes.expand_dims(spaced.range(n), 1), [n, reduce.reduce_max(times)]
                ),
                arrays.sequence_mask(times),
                name="rows",
            )
            last = "boolean_mask/GatherV2" if at == 0 else "Reshape"
            return arrays.gather(x, rows, axis=at, name=last)


def _repeated_along(x: Value, times: Value, at: int) -> Value:
    """`repeat` by a vector, of a tensor of unknown rank: one axis each beside it."""
    size = shapes.shape(x)
    head, tail = size[:at], size[at + 1 :]
    ends = [shapes.reshape(reduce.reduce_prod(part), [1]) for part in (head, tail)]
    rows = shapes.reshape(x, arrays.concat([ends[0], size[at : at + 1], ends[1]], 0))
    rows.static_shape = tuple(D.fresh() for _ in builtins.range(3))
    made = repeat(rows, times, 1)
    whole = arrays.concat([head, shapes.shape(made)[1:2], tail], 0)
    return shapes.reshape(made, whole, name="Reshape_1")


def _each_repeated(x: Value, times: Value, at: int) -> Value:
    """Each element along axis `at` as often as the number `times` says."""
    if x.rank is not None:
        wide = arrays.tile(
            shapes.expand_dims(x, at + 1),
            [*[1] * (at + 1), times, *[1] * (x.rank - at - 1)],
        )
        sizes = sizes_of(x)
        return shapes.reshape(wide, [*sizes[:at], -1, *sizes[at + 1 :]], name="Reshape")
    size = shapes.shape(x)
    head, tail = size[: at + 1], size[at + 1 :]
    wide = arrays.tile(
        shapes.reshape(x, arrays.concat([head, [1], tail], 0)),
        arrays.concat([fills.ones_like(head), [times], fills.ones_like(tail)], 0),
    )
    return shapes.reshape(wide, arrays.concat([size[:at], [-1], tail], 0), name="Reshape_1")
