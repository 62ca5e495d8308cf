"""What of a convolution's channels its code depends on: blocks of registers, no LLVM."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from graphc.ir.chains import KC
from graphc.ir.dtypes import DType
from graphc.runtime.llvm.cpu import host

__all__ = [
    "Form", "blocks_of", "conv_like", "even_blocks", "filter_blocks", "filter_height",
    "filter_like", "form_of",
]  # fmt: skip

#: Channels among which a number that gives the same code is looked for.
EXAMPLES = 64


class Form(NamedTuple):
    """Lanes of a vector of sums, vector registers, and whether the CPU multiplies and adds.

    `pairs`: whether it does so with two of bfloat16 at once.
    """

    lanes: int
    registers: int
    fma: bool
    pairs: bool


def form_of(sums: DType) -> Form:
    """What kernels with sums of this type are made of."""
    cpu = host()
    registers = 32 if cpu.vector_bytes >= 64 else 16
    fma = cpu.has_fma and sums.kind == "f"
    return Form(cpu.vector_bytes // sums.size, registers, fma, cpu.has_bf16)


def even_blocks(vectors: int, most: int) -> list[int]:
    """Vectors of each block of columns: as even as can be, at most `most`."""
    n = max(1, -(-vectors // most))
    return [vectors // n + (i < vectors % n) for i in range(n)]


def blocks_of(columns: int, rows: int, form: Form) -> list[int]:
    """Vectors of the blocks of a convolution's results: sums and a row of the filter."""
    widest = max(1, min(4, (form.registers - 1) // (rows + 1)))
    return even_blocks(-(-columns // form.lanes), widest)


@lru_cache(maxsize=1024)
def conv_like(
    channels: int, columns: int, taps: tuple[int, int, int], rows: int, form: Form
) -> tuple[int, int]:
    """Channels and columns whose convolution has the same code but for numbers."""
    wanted = set(blocks_of(columns, rows, form))
    few = [v * form.lanes - (columns % form.lanes != 0) for v in range(1, 9)]
    f = next((n for n in few if set(blocks_of(n, rows, form)) == wanted), columns)
    every = taps[0] * taps[1] * taps[2]
    if every * channels <= KC:
        return 1, f
    return KC // (every if taps[2] * channels <= KC else taps[2]) + 1, f


def filter_blocks(columns: int, form: Form) -> list[int]:
    """Vectors of the blocks of a filter's gradient."""
    return even_blocks(-(-columns // form.lanes), 3 if form.registers == 32 else 1)


def filter_height(nv: int, size: int, form: Form) -> int:
    """Rows of such a block of `nv` vectors, where there are `size`: as even as can be."""
    most = max(1, min(size, (form.registers - 2 - nv) // nv, 16))
    exact = max(n for n in range(1, most + 1) if size % n == 0)
    return exact if 2 * exact > most else -(-size // -(-size // most))


@lru_cache(maxsize=1024)
def filter_like(channels: int, columns: int, form: Form) -> tuple[int, int]:
    """Channels and columns whose gradient of a filter has the same code but for numbers."""
    wanted = _widths(columns, form)
    few = [v * form.lanes - (columns % form.lanes != 0) for v in range(1, 7)]
    f = next((n for n in few if _widths(n, form) == wanted), columns)
    rows = _heights(channels, wanted, form)
    c = next((n for n in range(1, EXAMPLES) if _heights(n, wanted, form) == rows), channels)
    return c, f


def _widths(columns: int, form: Form) -> tuple[int, ...]:
    """The sizes of blocks there are."""
    return tuple(sorted(set(filter_blocks(columns, form)), reverse=True))


def _heights(channels: int, widths: tuple[int, ...], form: Form) -> list[tuple[int, bool]]:
    found = [filter_height(nv, channels, form) for nv in widths]
    return [(mr, channels % mr == 0) for mr in found]
