"""Kernels: the loops that fused graphs become, as data.

A `Kernel` names its buffers (contiguous, row-major), its run-time sizes, and a list of
statements. Statements never change; values have one definition; every index is an integer
expression (`graphc.ir.dims`) over sizes, loop variables and i64 values (``%name``).
`kernel_text` prints kernels, `kernel_parse` reads them, `runtime.llvm.walk`
turns them into native code, which tests compare with the statements run as plain loops.

A kernel is built with `KernelBuilder` (`kernel_builder`):

>>> from graphc.ir.dtypes import float32
>>> from graphc.ir.kernel_builder import KernelBuilder
>>> n, m = Expr.symbol("n"), Expr.symbol("m")
>>> b = KernelBuilder("scale_rows")
>>> x, y = b.input("x", float32, (n, m)), b.output("y", float32, (n, m))
>>> with b.loop("parallel", "i", n) as i:
...     with b.reduce("vector", "j", m) as r:
...         r.yields(sum=b.load(x, (i, r.var)))
...     with b.loop("vector", "j", m) as j:
...         b.store(y, (i, j), b.let("div", b.load(x, (i, j)), r.results[0]))
>>> kernel = b.build()
>>> kernel.units
n
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphc.ir.dims import Dim, Expr, Shape, Symbol, ceildiv, product
from graphc.ir.dtypes import DType, bool_, int64
from graphc.ir.pictures import Pictured

if TYPE_CHECKING:
    from graphc.ir.node import Node

__all__ = [
    "BLOCK", "DIRECTIONS", "LOOPS", "REDUCTIONS", "SCANS", "Alloc", "Attrs", "Buffer", "Check",
    "Epilogue", "Kernel", "KernelError", "Let", "Literal", "Load", "Loop", "Operand", "Reduce",
    "Repeat", "Scan", "Stmt", "Store", "Template", "Value", "attributes", "bodies", "defined",
    "indices", "lit", "operands", "scratch_stride",
]  # fmt: skip

BLOCK = 4096
"""Elements of a unit of a `parallel vector` loop; never depends on the number of threads."""

REDUCTIONS = ("sum", "prod", "max", "min", "any", "all", "argmax", "argmin")
SCANS = ("sum", "prod", "max", "min", "any", "all", "last")
LOOPS = ("parallel", "parallel vector", "for", "vector")
DIRECTIONS = ("in", "out", "inout", "scratch")

Attrs = tuple[tuple[str, Any], ...]


class KernelError(ValueError):
    """A kernel that breaks a rule of this page."""


def attributes(attrs: dict[str, Any]) -> Attrs:
    """Attributes in the form that statements hold: pairs, sorted by name, lists as tuples."""
    return tuple((k, tuple(v) if isinstance(v, list) else v) for k, v in sorted(attrs.items()))


# ------------------------------------------------------------------- operands


@dataclass(frozen=True, slots=True)
class Value:
    """The result of a statement: its name (without ``%``) and element type."""

    name: str
    dtype: DType

    @property
    def index(self) -> Expr:
        """This i64 value as an index expression."""
        if self.dtype is not int64:
            raise KernelError(f"%{self.name} is {self.dtype.code}, an index is i64")
        return Expr.symbol("%" + self.name)


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A constant operand, ``f32 0.5`` in text; equal are those of one text (NaN, but not -0.0)."""

    value: Any
    dtype: DType

    def __post_init__(self) -> None:
        v: Any = self.value
        if self.dtype.kind == "f":
            v = float(self.dtype.np.type(v))
        else:
            v = bool(v) if self.dtype.kind == "b" else int(v)
        object.__setattr__(self, "value", v)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Literal):
            return NotImplemented
        return self.dtype == other.dtype and repr(self.value) == repr(other.value)

    def __hash__(self) -> int:
        return hash((self.dtype, repr(self.value)))


Operand = Value | Literal


def lit(value: Any, dtype: DType) -> Literal:
    """A constant of `dtype`."""
    return Literal(value, dtype)


# ------------------------------------------------------------------- statements


@dataclass(frozen=True, slots=True)
class Buffer:
    """A parameter or stack array: contiguous, row-major, `shape` over the kernel's sizes.

    `direction` is ``in``, ``out``, ``inout`` or ``scratch``. An ``in`` buffer holds its value
    for the whole kernel, except that an ``out`` buffer may share its memory where each element
    is read before, and at the same index as, it is written. A ``scratch`` parameter has one
    copy for each worker (`scratch_stride` bytes apart), undefined at the start of a unit.
    """

    name: str
    dtype: DType
    shape: Shape
    direction: str = "in"


@dataclass(frozen=True, slots=True)
class Let:
    """``%name = op args``: an op applied to values, one element or one vector at a time.

    `op` is a record's name (the caller's table of scalar functions says what it emits) or
    ``cast`` (to `dtype`), ``select`` (condition, then, else), ``const`` (a literal), ``index``
    (the i64 value of the expression `expr`; no args).
    """

    name: str
    op: str
    args: tuple[Operand, ...]
    dtype: DType
    attrs: Attrs = ()
    expr: Dim = 0

    @property
    def value(self) -> Value:
        return Value(self.name, self.dtype)


@dataclass(frozen=True, slots=True)
class Load:
    """``%name = load buf[index] where w else other``: nothing is read where `where` is false."""

    name: str
    buf: str
    index: tuple[Dim, ...]
    dtype: DType
    where: Operand | None = None
    other: Any = 0

    @property
    def value(self) -> Value:
        return Value(self.name, self.dtype)


@dataclass(frozen=True, slots=True)
class Store:
    """``store buf[index] = value`` or ``+= value`` (mode ``add``: in lane order, repeats add up).

    `stream` is a wish for stores that bypass the cache; the emitter does not grant it yet.
    """

    buf: str
    index: tuple[Dim, ...]
    value: Operand
    mode: str = "set"
    where: Operand | None = None
    stream: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """Where the bool `value` is false the kernel stops and returns `code`, word 0 = `position`."""

    value: Operand
    code: int
    position: Dim


@dataclass(frozen=True, slots=True)
class Alloc:
    """``alloc name: f32[64]``: a stack array (fixed, at most 4 kB a kernel), not initialised."""

    buffer: Buffer


@dataclass(frozen=True, slots=True)
class Loop:
    """``kind var in extent { body }``.

    ``parallel`` (outermost, at most one) runs the units that the call asks for, one iteration
    each; ``parallel vector`` is parallel and vector at once, its unit is `block` iterations;
    ``for`` is sequential; ``vector`` runs iterations in the lanes of vectors: they must be
    independent. `lanes` and `unroll` (powers of two; 0 leaves the choice to the emitter) never
    change results.
    """

    kind: str
    var: str
    extent: Dim
    body: tuple[Stmt, ...]
    block: int = 0
    lanes: int = 0
    unroll: int = 0


@dataclass(frozen=True, slots=True)
class Reduce:
    """``%a, %b = reduce max, sum kind var in extent { body; yield values }``.

    With kind ``vector`` the lanes run along `var`; with ``for`` it is sequential (inside a
    vector loop the lanes run along that loop: a column reduction). The order of a float sum
    is fixed by extent and type alone. ``argmax`` and ``argmin`` give the i64 value of `var`
    (the first of equals, the first NaN if any; 0 when empty). Empty: 0, 1, lowest, highest.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    kind: str
    var: str
    extent: Dim
    body: tuple[Stmt, ...]
    values: tuple[Operand, ...]
    unroll: int = 0

    @property
    def results(self) -> tuple[Value, ...]:
        return tuple(
            Value(n, int64 if k.startswith("arg") else v.dtype)
            for n, k, v in zip(self.names, self.kinds, self.values, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Scan:
    """A sequential prefix: ``%t = scan sum %b -> %a for var in extent { body; step v; after }``.

    `before` is the carry as an iteration starts, `after` the carry once `values` are combined
    into it (usable in `tail`); `names` hold the final carries. Kind ``last`` replaces the carry by
    the value, which makes any recurrence. `init` gives starting values (None: the identity).
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    before: tuple[Value, ...]
    after: tuple[Value, ...]
    var: str
    extent: Dim
    body: tuple[Stmt, ...]
    values: tuple[Operand, ...]
    tail: tuple[Stmt, ...]
    init: tuple[Operand | None, ...] = ()

    @property
    def results(self) -> tuple[Value, ...]:
        return tuple(Value(n, b.dtype) for n, b in zip(self.names, self.before, strict=True))


@dataclass(frozen=True, slots=True)
class Repeat:
    """A loop that ends when it wants: ``%r, %go = repeat %x: i32 from %a limit 9 { … }``.

    ``{ head; test %c; body; next %y }``: `head` computes the condition from the carried values
    `before`; where it is false, or `limit` rounds were made, the loop ends, else `body` computes
    the next `values`. The results are the carried values, then the condition: true says that the
    limit ended it, so that the rounds can go on in another call.
    """

    names: tuple[str, ...]
    go: str
    before: tuple[Value, ...]
    init: tuple[Operand, ...]
    limit: int
    head: tuple[Stmt, ...]
    cond: Operand
    body: tuple[Stmt, ...]
    values: tuple[Operand, ...]

    @property
    def results(self) -> tuple[Value, ...]:
        out = [Value(n, b.dtype) for n, b in zip(self.names, self.before, strict=True)]
        return (*out, Value(self.go, bool_))


@dataclass(frozen=True, slots=True)
class Epilogue:
    """A function from elements to elements inside a template: gets `params` at `vars`."""

    vars: tuple[str, ...]
    params: tuple[Value, ...]
    body: tuple[Stmt, ...]
    values: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """``template kind(buffers; sizes) {attrs}``: hand-written code, with an optional epilogue.

    The emitter calls the caller's table entry `kind`; `sizes` are expressions valid here.
    """

    kind: str
    buffers: tuple[str, ...]
    sizes: tuple[Dim, ...] = ()
    attrs: Attrs = ()
    epilogue: Epilogue | None = None


Stmt = Let | Load | Store | Check | Alloc | Loop | Reduce | Scan | Repeat | Template


@dataclass(frozen=True, slots=True)
class Kernel(Pictured):
    """A native function in the making: ``i32 name(ptr args, i64 begin, i64 end, i64 worker)``.

    ``args`` is a table of 8-byte words: word 0 takes the position of a failed check, then one
    pointer for each of `params`, then one i64 for each of `sizes`.
    """

    name: str
    params: tuple[Buffer, ...]
    sizes: tuple[Symbol, ...]
    body: tuple[Stmt, ...]
    cost: int = field(default=0, compare=False)
    """A caller's rough cost of one unit (0: not stated); no part of the kernel's meaning."""
    origins: Mapping[int, Node] | None = field(default=None, compare=False, repr=False)
    """The nodes that statements compute, by the `id` of the statement; while a journal is kept."""

    @property
    def parallel(self) -> Loop | None:
        """The parallel loop, if the kernel has one."""
        for s in self.body:
            if isinstance(s, Loop) and s.kind.startswith("parallel"):
                return s
        return None

    @property
    def units(self) -> Dim:
        """How many units a whole run has: `begin` and `end` count these."""
        p = self.parallel
        if p is None:
            return 1
        return p.extent if p.kind == "parallel" else ceildiv(p.extent, p.block or BLOCK)

    def buffer(self, name: str) -> Buffer:
        """The parameter called `name`."""
        for p in self.params:
            if p.name == name:
                return p
        raise KeyError(name)


def scratch_stride(buffer: Buffer) -> Dim:
    """Bytes between the copies of two workers of a scratch parameter."""
    return ceildiv(product(buffer.shape) * buffer.dtype.size, 64) * 64


# ------------------------------------------------------------------- questions


def bodies(s: Stmt) -> tuple[tuple[Stmt, ...], ...]:
    """The statement lists nested directly in `s`."""
    if isinstance(s, (Loop, Reduce)):
        return (s.body,)
    if isinstance(s, Scan):
        return (s.body, s.tail)
    if isinstance(s, Repeat):
        return (s.head, s.body)
    if isinstance(s, Template) and s.epilogue is not None:
        return (s.epilogue.body,)
    return ()


def operands(s: Stmt) -> tuple[Operand, ...]:
    """The values that `s` itself uses, yields included, nested statements not."""
    out: tuple[Operand | None, ...] = ()
    if isinstance(s, Let):
        out = s.args
    elif isinstance(s, Load):
        out = (s.where,)
    elif isinstance(s, Store):
        out = (s.value, s.where)
    elif isinstance(s, Check):
        out = (s.value,)
    elif isinstance(s, Reduce):
        out = s.values
    elif isinstance(s, Scan):
        out = (*s.values, *s.init)
    elif isinstance(s, Repeat):
        out = (*s.init, s.cond, *s.values)
    elif isinstance(s, Template) and s.epilogue is not None:
        out = s.epilogue.values
    return tuple(o for o in out if o is not None)


def indices(s: Stmt) -> tuple[Dim, ...]:
    """The integer expressions that `s` itself uses, nested statements not."""
    if isinstance(s, (Load, Store)):
        return s.index
    if isinstance(s, Let):
        return (s.expr,)
    if isinstance(s, Check):
        return (s.position,)
    if isinstance(s, (Loop, Reduce, Scan)):
        return (s.extent,)
    return s.sizes if isinstance(s, Template) else ()


def defined(s: Stmt) -> tuple[Value, ...]:
    """The values that `s` defines for the statements after it."""
    if isinstance(s, (Let, Load)):
        return (s.value,)
    return s.results if isinstance(s, (Reduce, Scan, Repeat)) else ()
