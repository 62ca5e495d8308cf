"""Fourier transforms in native code, on arrays of the host: sizes, tables, and the order of axes.

Numbers whose length has prime factors beyond 31 are transformed by Bluestein's way: as a product
with a chirp in the spectrum of a power of two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir.kernel import scratch_stride
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node, Value
from graphc.ops.conv_windows import known_shape
from graphc.ops.lowering import Site
from graphc.ops.record import Attrs, Op, Types

__all__ = ["fourier_op", "from_half", "half_of", "whole"]

Array = np.ndarray[Any, Any]
Native = Callable[..., list[Array]]

#: Numbers side by side in a block of rows or columns, as in `graphc.runtime.llvm.fourier`.
SIDE = 16
#: Shorter rows are transformed side by side, where there are some.
SHORT, SOME = 256, 4
#: Prime factors that have passes of their own.
PRIMES = (31, 29, 23, 19, 17, 13, 11, 7, 5, 3)
#: Elements of a plane beyond the numbers: what whole vectors may reach past the end.
BEYOND = 320


def _infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    outer, given, inner, parts = known_shape(inputs[0])
    made = given + {"complex": 0, "real": 1, "half": -1}[attrs["kind"]]
    return [(inputs[0].dtype, (outer, made, inner, parts))]


def _lower(node: Node, s: Site) -> None:
    kind, mode = node.attrs["kind"], node.attrs["mode"]
    outer, given, inner, _ = known_shape(node.inputs[0])
    made = known_shape(node.outputs[0])[1]
    n = made if kind == "half" else given
    passes = known_shape(node.inputs[1])[0]
    t = node.inputs[0].dtype
    plane = (n * (1 if mode == "row" else SIDE) + BEYOND + SIDE - 1) // SIDE * SIDE
    k = KernelBuilder("fourier")
    x = k.input("x", t, known_shape(node.inputs[0]))
    y = k.output("y", t, (outer, made, inner, 2))
    steps = k.input("steps", node.inputs[1].dtype, (passes, 3))
    table, roots = (
        k.input(w, t, known_shape(v))
        for w, v in zip(("table", "roots"), node.inputs[2:], strict=True)
    )
    work = k.scratch("work", t, (4 * plane + SIDE,))
    units = {
        "row": outer, "rows": D.ceildiv(outer, SIDE), "columns": outer * D.ceildiv(inner, SIDE),
    }[mode]  # fmt: skip
    with k.loop("parallel", "u", units) as u:
        k.template(
            "fourier", [x, y, steps, table, roots, work],
            (u, n, given, made, inner, outer, passes, plane), mode=mode, numbers=kind,
            back=node.attrs["back"], radices=node.attrs["radices"],
        )  # fmt: skip
    ins = [s.input(i) for i in range(4)]
    s.step(
        k.build(),
        [ins[0], s.output(), *ins[1:], s.scratch(scratch_stride(work), t)],
    )


fourier_op = Op(
    name="fourier_pairs", tf="FourierPairs", family="structured",
    doc="Transforms of pairs of real and imaginary parts, along the second axis.",
    args=("x", "steps", "table", "roots"), types="fi", infer=_infer, lower=_lower,
)  # fmt: skip


# ------------------------------------------------------------------------- tables


def _factors(n: int) -> list[int]:
    """Radices whose product is `n`, and what is left of it where that is not 1."""
    made = []
    for r in PRIMES:
        while n % r == 0:
            made.append(r)
            n //= r
    twos = (n & -n).bit_length() - 1
    n >>= twos
    eights, left = divmod(twos, 3)
    if left == 1 and eights:
        made += [8] * (eights - 1) + [4, 4]
    else:
        made += [8] * eights + [2**left] * (left > 0)
    return made + [n] * (n > 1)


def _smooth(n: int) -> bool:
    return max(_factors(n), default=1) <= PRIMES[0]


def _roots(n: int, powers: Array) -> Array:
    """Powers of exp(-2 pi i / n) as pairs, from angles of an eighth of a turn at most."""
    k = powers % n
    swap = 8 * k // n  # the eighth of the turn
    part = np.where(swap % 2, (swap + 1) * n - 8 * k, 8 * k - swap * n)
    angle = 2 * np.pi * part / (8 * n)
    c, s = np.cos(angle), np.sin(angle)
    turned = (swap + 1) // 2 % 2 == 1
    c, s = np.where(turned, s, c), np.where(turned, c, s)
    c = np.where((swap >= 2) & (swap <= 5), -c, c)
    s = np.where(swap >= 4, -s, s)
    return np.stack([c, -s], -1)


@lru_cache(maxsize=64)
def _tables(n: int, row: bool, dtype: Any) -> tuple[Array, Array, tuple[int, ...]]:
    """The passes, the roots by which each turns its numbers, and the radices there are."""
    blocks: list[Array] = []
    steps, at = [], 0
    size = n
    if row:
        repeats = n // SIDE
        turns = np.zeros((SIDE - 1, 2, -(-repeats // SIDE) * SIDE))
        each = np.arange(1, SIDE)[:, None] * np.arange(repeats)
        turns[:, :, :repeats] = np.moveaxis(_roots(n, each), -1, 1)
        blocks.append(turns.reshape(-1, 2))
        at, size = len(blocks[0]), repeats
    for r in _factors(size):
        repeats = size // r
        steps.append((r, repeats, at))
        if repeats > 1:
            powers = np.arange(repeats)[:, None] * np.arange(1, r)
            blocks.append(_roots(size, powers).reshape(-1, 2))
            at += len(blocks[-1])
        size = repeats
    table = np.concatenate(blocks or [np.zeros((1, 2))])
    return (np.array(steps, np.int64).reshape(-1, 3), table.astype(dtype),
            tuple(sorted({s[0] for s in steps})))  # fmt: skip


@lru_cache(maxsize=64)
def _half_roots(n: int, dtype: Any) -> Array:
    return _roots(2 * n, np.arange(n + 1 + SIDE)).astype(dtype)


@lru_cache(maxsize=16)
def _chirp(n: int, back: bool, dtype: Any) -> tuple[int, Array, Array]:
    """The length of the longer transforms, the chirp, and the spectrum of its conjugate."""
    size = 1 << (2 * n - 2).bit_length() if n > 1 else 1
    size = max(size, SIDE)
    pairs = _roots(2 * n, np.arange(n, dtype=np.int64) ** 2)
    chirp = pairs[:, 0] + 1j * pairs[:, 1]
    if back:
        chirp = chirp.conj()
    whole = np.zeros(size, complex)
    whole[:n] = chirp.conj()
    whole[size - n + 1 :] = chirp[1:][::-1].conj()
    return size, chirp.astype(dtype), np.fft.fft(whole).astype(dtype)


# ------------------------------------------------------------------------- transforms


def _pairs(native: Native, x: Array, kind: str, back: bool) -> Array:
    """The kernel's transform of pairs ``[outer, given, inner, 2]``."""
    outer, given, inner, _ = x.shape
    n = given - (kind == "half")
    mode = "columns" if inner > 1 else "rows"
    if inner == 1 and n % SIDE == 0 and (n >= SHORT or outer < SOME):
        mode = "row"
    steps, table, radices = _tables(n, mode == "row", x.dtype)
    roots = table[:1] if kind == "complex" else _half_roots(n, x.dtype)
    return native(
        fourier_op, [x, steps, table, roots], kind=kind, mode=mode, back=back, radices=radices
    )[0]


def _real_type(t: Any) -> Any:
    return np.dtype(np.float32 if t == np.complex64 else np.float64)


def whole(native: Native, z: Array, axis: int, back: bool) -> Array:
    """The transform of complex numbers along an axis."""
    axis %= z.ndim
    n = z.shape[axis]
    if z.size == 0:
        return z
    made: Array
    shape = (int(np.prod(z.shape[:axis])), n, int(np.prod(z.shape[axis + 1 :])))
    if not _smooth(n):
        made = _by_chirp(native, z.reshape(shape), back)
    else:
        pairs = np.ascontiguousarray(z).view(_real_type(z.dtype)).reshape(*shape, 2)
        made = _pairs(native, pairs, "complex", back).view(z.dtype)
    out: Array = made.reshape(z.shape)
    return out


def _by_chirp(native: Native, z: Array, back: bool) -> Array:
    n = z.shape[1]
    size, chirp, spectrum = _chirp(n, back, z.dtype)
    longer = np.zeros((z.shape[0], size, z.shape[2]), z.dtype)
    np.multiply(z, chirp[:, None], out=longer[:, :n])
    longer = whole(native, longer, 1, False)
    longer *= spectrum[:, None]
    made = whole(native, longer, 1, True)[:, :n] * chirp[:, None]
    if back:
        made /= n
    return made


def half_of(native: Native, x: Array) -> Array:
    """The first half of the spectrum of real numbers along the last axis."""
    n = x.shape[-1]
    kind = np.dtype(np.complex64 if x.dtype == np.float32 else np.complex128)
    if x.size == 0:
        return np.zeros((*x.shape[:-1], n // 2 + 1 if n else 0), kind)
    if n % 2 or not _smooth(n // 2):
        return np.ascontiguousarray(whole(native, x.astype(kind), -1, False)[..., : n // 2 + 1])
    made = _pairs(native, np.ascontiguousarray(x).reshape(-1, n // 2, 1, 2), "real", False)
    out: Array = made.view(kind)
    return out.reshape(*x.shape[:-1], n // 2 + 1)


def from_half(native: Native, z: Array, n: int) -> Array:
    """Real numbers from the first half of their spectrum along the last axis."""
    t = _real_type(z.dtype)
    if z.size == 0 or n == 0:
        return np.zeros((*z.shape[:-1], n), t)
    if n % 2 == 0 and _smooth(n // 2):
        pairs = np.ascontiguousarray(z).view(t).reshape(-1, n // 2 + 1, 1, 2)
        return _pairs(native, pairs, "half", True).reshape(*z.shape[:-1], n)
    rest = z[..., 1 : (n + 1) // 2][..., ::-1].conj()
    full = np.concatenate([z, rest], -1)
    full[..., 0].imag = 0
    if n % 2 == 0:
        full[..., n // 2].imag = 0
    return np.ascontiguousarray(whole(native, full, -1, True).real)
