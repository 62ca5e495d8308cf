"""What a fused body becomes, and the numbers that shape its loops."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphc.ir.dims import Dim
from graphc.ir.dtypes import DType
from graphc.ir.kernel import Kernel

__all__ = ["Lowered", "Part"]


#: Elements of a unit of a whole reduction that is split over units.
CHUNK = 16384
#: A reduction to few rows is split when it has at least this many elements.
SPLIT = 65536
#: Rows of a unit of a column reduction that streams rows: 8 sums of trees of 8 rows, so that
#: with the compensated sum of the units' partial rows no sum of n exceeds (4 + 2 log2 n) eps.
ROWS = 64
#: Columns of a unit of a column reduction: a partial row that stays in the first-level cache.
COLUMNS = 4096
#: From this many rows on a column reduction streams rows; below, columns are the units.
STREAM = 512
#: Rows up to so long are reduced a vector of rows at a time, where there are so many of them.
SHORT, SHORT_ROWS = 16, 256
#: Rows up to so long are run through as one, from so many elements on; and where some values are
#: one element a row.
FOLDED, FOLDS, FOLDED_EACH = 64, 256, 4
#: Views whose rows lie anywhere: row by row they are loads, and vectors that run on would gather.
LEAPS = frozenset({"gather", "gather_nd", "reverse_sequence", "mirror_pad"})
#: Reductions whose result does not depend on the order of the elements.
ANY_ORDER = frozenset({"max", "min", "argmax", "argmin", "any", "all"})
#: A result this large leaves the cache before anyone reads it: it is stored past the cache.
STREAM_BYTES = 1 << 24
#: Ops worth keeping in a scratch row rather than computing twice.
COSTLY = frozenset(
    "exp expm1 log log1p tanh sigmoid softplus erf erfc sin cos tan pow rsqrt sqrt divide"
    " truediv lgamma elu selu atan asin acos sinh cosh".split()
)

#: Reductions that may be taken in any order, and the op that combines two.
TREES = {
    "sum": "add", "prod": "multiply", "max": "maximum", "min": "minimum",
    "any": "logical_or", "all": "logical_and",
}  # fmt: skip

BEYOND = {"max": "greater", "min": "less"}

Axes = tuple["int | None", ...]


@dataclass
class Part:
    """One kernel of a lowered body, with what each buffer is bound to.

    ``bind`` lists, for each parameter of the kernel, ``("in", i)``, ``("out", i)``,
    ``("temp", i)`` or ``("scratch", 0)``; ``numbers`` gives sizes of the kernel that are no sizes
    of the graph.
    """

    kernel: Kernel
    bind: list[tuple[str, int]]
    numbers: dict[str, Dim] = field(default_factory=dict)


@dataclass
class Lowered:
    """Kernels of a body in order, the buffers between them, and what their checks mean.

    Attributes
    ----------
    temps : list of (dtype, element count)
    checks : list of (body node number, message)
        Code ``i + 1`` of a kernel is entry ``i``.
    in_place : set of (input number, output number)
        Pairs that may share memory: each element is read only where, and before, it is written.
    """

    parts: list[Part] = field(default_factory=list)
    temps: list[tuple[DType, Dim]] = field(default_factory=list)
    checks: list[tuple[int, str]] = field(default_factory=list)
    in_place: set[tuple[int, int]] = field(default_factory=set)
