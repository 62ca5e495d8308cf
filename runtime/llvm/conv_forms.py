"""What of a convolution's channels its code depends on: blocks of registers, no LLVM."""

from __future__ import annotations

from functools import lru_cache

from graphc.runtime.llvm.cpu import host

__all__ = ["even_blocks", "filter_blocks", "filter_height", "filter_like", "float_lanes"]

#: Channels among which one that gives the same code is looked for.
EXAMPLES = 64


def even_blocks(vectors: int, most: int) -> list[int]:
    """Vectors of each block of columns: as even as can be, at most `most`."""
    n = max(1, -(-vectors // most))
    return [vectors // n + (i < vectors % n) for i in range(n)]


def registers() -> int:
    """Vector registers: 32 with AVX-512, 16 before."""
    return 32 if host().vector_bytes >= 64 else 16


def float_lanes(size: int) -> int:
    """Elements of a vector of sums."""
    return host().vector_bytes // size


def filter_blocks(columns: int, lanes: int) -> list[int]:
    """Vectors of the blocks of a filter's gradient."""
    return even_blocks(-(-columns // lanes), filter_most())


def filter_most() -> int:
    """Vectors of the widest of these blocks."""
    return 3 if registers() == 32 else 1


def filter_height(nv: int, size: int) -> int:
    """Rows of such a block of `nv` vectors, where there are `size`: as even as can be."""
    free = 30 if registers() == 32 else 14
    most = max(1, min(size, (free - nv) // nv, 16))
    exact = max(n for n in range(1, most + 1) if size % n == 0)
    return exact if 2 * exact > most else -(-size // -(-size // most))


@lru_cache(maxsize=1024)
def filter_like(channels: int, columns: int, lanes: int) -> tuple[int, int]:
    """Channels and columns whose gradient of a filter has the same code but for numbers."""
    wanted = _widths(columns, lanes)
    made = range(1, 2 * filter_most() + 1)
    few = [v * lanes - (columns % lanes != 0) for v in made]
    f = next((n for n in few if _widths(n, lanes) == wanted), columns)
    rows = _heights(channels, wanted)
    return next((n for n in range(1, EXAMPLES) if _heights(n, wanted) == rows), channels), f


def _widths(columns: int, lanes: int) -> tuple[int, ...]:
    """The sizes of blocks there are."""
    return tuple(sorted(set(filter_blocks(columns, lanes)), reverse=True))


def _heights(channels: int, widths: tuple[int, ...]) -> list[tuple[int, bool]]:
    found = [filter_height(nv, channels) for nv in widths]
    return [(mr, channels % mr == 0) for mr in found]
