"""Convolutions to few channels: the products of all taps at once, then sums of those that meet.

A vector of results would have most of its lanes idle where results have few channels.
So each place of the image is multiplied by all taps (a row of ``kernel * columns`` numbers, whose
vectors are full), and a result is the sum of the numbers that stand for it in the rows of the
places around it. That is the gradient by the image as it is; a convolution with strides of 1 is
the gradient by the image of one whose filter is turned round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.chains import KC
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtypes import DType
from graphc.ir.kernel import Buffer, Kernel, lit
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node
from graphc.ops.conv_blocks import all_numbers, three_dims
from graphc.ops.conv_windows import group_count, known_shape

__all__ = ["PITCH", "Spread", "filter_kernel", "results_kernel", "spread_of"]

#: Raise it when what the template emits changes: compiled kernels are cached by their text.
TEMPLATE = 1

#: Numbers of a place are padded to a multiple of this, for vectors of any CPU.
PITCH = 16
#: Channels of the results for which it is thought of: more fill a vector.
MOST = 15
#: Channels that fill a vector of AVX2, where the plain way then loses nothing.
FULL = 8
#: Rows of places that a row of results is summed from, at most: each is an address in a register.
TERMS = 16
#: Numbers of a row of the filter, at most: sums of so many are on their way at a time.
REACH = 64
#: Bytes of products that wait for their sums: most of a second cache of 1 MB.
WAITING = 3 << 18
#: Units from which on no image is cut, and places of a row where its size is not known.
UNITS, WIDTH, HEIGHT = 8, 256, 32
#: Places of the widest register block, of which a row of products has some more.
ROWS = 14


@dataclass(frozen=True)
class Spread:
    """A convolution as one that spreads each place of `image` over results.

    Result ``i * stride + k - pad`` gets the product of place i with tap k. All but `images`,
    `terms` and `columns` are for depth, height and width.

    Attributes
    ----------
    terms, columns : int
        Channels of the image and of the results.
    turned : bool
        Whether the filter is ``[taps, terms, columns]`` with its taps the other way round, or
        ``[taps, columns, terms]``.
    """

    images: Dim
    image: Shape
    made: Shape
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[Dim, ...]
    terms: int
    columns: int
    turned: bool

    @property
    def pitch(self) -> int:
        """Numbers of a place for the taps of one depth."""
        n = self.kernel[1] * self.kernel[2] * self.columns
        return -(-n // PITCH) * PITCH

    @property
    def meeting(self) -> tuple[int, int]:
        """How many planes, and rows of each, meet in a result at most."""
        deep, high = (-(-k // s) for k, s in zip(self.kernel[:2], self.strides[:2], strict=True))
        return deep, high

    @property
    def slots(self) -> int:
        """Rows of products that are kept at a time, and one of zeros."""
        deep, high = self.meeting
        return deep * high + 1


def spread_of(n: Node) -> Spread | None:
    """How a `conv` or `conv_input` is computed so; None where it cannot be or does not pay."""
    a, y = n.attrs, known_shape(n.outputs[0])
    image, filter = (0, 1) if n.op.name == "conv" else (1, 0)
    x, w = known_shape(n.inputs[image]), known_shape(n.inputs[filter])
    if not all_numbers(*w, x[-1]) or 0 in (*w, x[-1]) or {*a["dilations"]} != {1}:
        return None
    kernel, strides = three_dims(w[:-2], 1), three_dims(a["strides"], 1)
    pads = three_dims([p[0] for p in a["pads"]], 0)
    turned = n.op.name == "conv"
    if turned:
        if group_count(x[-1], w[-2]) != 1 or {*strides} != {1}:
            return None
        pads = tuple(k - 1 - p for k, p in zip(kernel, pads, strict=True))
    elif a["groups"] != 1:
        return None
    terms, columns = x[-1], w[-1 if turned else -2]
    assert isinstance(terms, int)
    assert isinstance(columns, int)
    s = Spread(
        y[0], three_dims(x[1:-1], 1), three_dims(y[1:-1], 1), kernel, strides, pads, terms,
        columns, turned,
    )  # fmt: skip
    return s if _fits(s) and _pays(s, n.outputs[0].dtype) else None


def _fits(s: Spread) -> bool:
    """Whether the sums of a place are in registers, and rows of products in the cache."""
    reach = max(s.kernel[2], s.strides[2]) * s.columns
    return s.slots - 1 <= TERMS and reach <= REACH and _width(s) is not None


def _pays(s: Spread, dtype: DType) -> bool:
    """Whether this takes less time than one tap after another.

    Both in halves of a cycle for a place of the image, from times of 60 shapes with 16 lanes.
    """
    if s.columns > MOST or (s.columns >= FULL and s.terms < 2 * FULL):
        return False
    lanes = 16 if dtype.code != "f64" else 8
    taps = s.kernel[0] * s.kernel[1] * s.kernel[2]
    vectors = s.kernel[0] * s.pitch // lanes
    across = -(-max(s.kernel[2], s.strides[2]) * s.columns // lanes)
    # a row of sums for each row of results: loads of what meets, a shift, a sum, a store
    sums = s.strides[0] * s.strides[1] * ((s.slots - 1) * across + 4 * across + 4)
    here = vectors * (s.terms + 6) + 3 * sums
    each = 48 * s.strides[0] * s.strides[1] * s.strides[2]
    tap = 48 if dtype.code == "bf16" else 144  # pairs of terms, where the CPU has that (measured)
    return 100 * here < 90 * each + tap * taps * s.terms * -(-s.columns // lanes)


def _width(s: Spread) -> int | None:
    """Results of a row of a unit whose products fit in the cache; None where few do."""
    most = WAITING // (4 * s.slots * s.pitch) - ROWS  # places
    beside = -(-s.kernel[2] // s.strides[2])
    if most < 2 * beside + 2:
        return None
    wide = (most - beside) * s.strides[2]
    if type(s.made[2]) is not int:
        return min(WIDTH, wide)
    blocks = max(1, -(-s.made[2] // wide))
    return max(1, -(-s.made[2] // blocks))


def _height(s: Spread, wide: int) -> Dim:
    """Rows of results of a unit: all, or fewer where there would be few units."""
    f, size = D.facts(), s.made[1]
    if type(size) is not int:
        return HEIGHT
    units: Dim = s.images * s.made[0] * D.ceildiv(s.made[2], wide)
    known = units if type(units) is int else None if f is None else f.value(units)
    if known is None or known >= UNITS:
        return max(1, size)
    # what is above a block is multiplied for the one before as well
    least = 8 * (s.meeting[1] - 1) * s.strides[1]
    blocks = min(-(-UNITS // max(1, known)), size // max(1, least))
    return max(1, -(-size // max(1, blocks)))


def filter_kernel(name: str, s: Spread, w: Shape, dtype: DType, sums: DType) -> Kernel:
    """The kernel that makes ``[depth, terms, pitch]`` of a filter: all taps of a depth in a row."""
    k = KernelBuilder(name)
    kd, kh, kw = s.kernel
    last = (s.terms, s.columns) if s.turned else (s.columns, s.terms)
    a = k.input("w", dtype, (kd, kh, kw, *last))
    b = k.output("taps", sums, (kd * s.terms, s.pitch))
    count = kh * kw * s.columns
    with k.loop("parallel", "u", kd * s.terms) as u:
        depth, term = u // s.terms, u % s.terms
        with k.loop("vector", "e", s.pitch) as e:
            tap, column = e // s.columns, e % s.columns
            at: list[Dim] = [depth, tap // kw, tap % kw]
            if s.turned:
                at = [n - 1 - i for n, i in zip(s.kernel, at, strict=True)]
            inside = k.let("less", k.index(e), lit(count, dtypes.int64), dtype=dtypes.bool_)
            channels = (term, column) if s.turned else (column, term)
            k.store(b, (u, e), k.cast(k.load(a, (*at, *channels), inside), sums))
    return k.build()


def results_kernel(
    k: KernelBuilder, s: Spread, x: Buffer, w: Buffer, outs: Sequence[Buffer], epilogue: Any = None
) -> tuple[Kernel, int]:
    """The kernel of all results, and how many scratch buffers come last in its parameters.

    Its epilogue counts width and channels as one axis.
    """
    wide = _width(s)
    assert wide is not None
    high = _height(s, wide)
    places = (wide + s.kernel[2] - 2) // s.strides[2] + 1 + ROWS
    reach = max(s.kernel[2], s.strides[2]) * s.columns + PITCH
    buffers = [
        x, w, *outs,
        k.scratch("products", w.dtype, (s.slots * places * s.pitch + reach,)),
        k.scratch("sums", w.dtype, (wide * s.columns + 2 * reach,)),
    ]  # fmt: skip
    blocks = D.ceildiv(s.made[1], high), D.ceildiv(s.made[2], wide)
    with k.loop("parallel", "u", s.images * s.made[0] * D.product(blocks)) as u:
        k.template(
            "conv_taps", buffers,
            (u, s.images, *s.image, *s.made, *s.pads, high, wide, places, s.terms),
            epilogue, kernel=s.kernel, strides=s.strides, long=s.terms > KC, columns=s.columns,
pitch=s.pitch, outputs=len(outs), version=TEMPLATE,
        )  # fmt: skip
    return k.build(), 2
