"""Kernels: the loops that fused graphs become, as data.

A `Kernel` names its buffers (contiguous, row-major), its run-time sizes, and a list of
statements. Statements never change; values have one definition; every index is an integer
expression (`graphc.ir.dims`) over sizes, loop variables and i64 values (``%name``).
`kernel_text` prints and parses kernels, `runtime.kernel_interp` runs them as plain loops,
`runtime.llvm.walk` turns them into native code, and the three agree.

A kernel is built with `KernelBuilder`:

>>> from graphc.ir.dtypes import float32
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

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphc.ir import journal
from graphc.ir.dims import Dim, Expr, Shape, Symbol, ceildiv, product
from graphc.ir.dtypes import DType, bool_, int64
from graphc.ir.pictures import Pictured

if TYPE_CHECKING:
    from graphc.ir.node import Node

__all__ = [
    "BLOCK",
    "REDUCTIONS",
    "SCANS",
    "Alloc",
    "Attrs",
    "Buffer",
    "Check",
    "Epilogue",
    "EpilogueScope",
    "Kernel",
    "KernelBuilder",
    "KernelError",
    "Let",
    "Literal",
    "Load",
    "Loop",
    "Operand",
    "Reduce",
    "ReduceScope",
    "Repeat",
    "RepeatScope",
    "Scan",
    "ScanScope",
    "Stmt",
    "Store",
    "Template",
    "Value",
    "attributes",
    "bodies",
    "defined",
    "indices",
    "lit",
    "operands",
    "scratch_stride",
    "verify",
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


_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant operand, ``f32 0.5`` in text."""

    value: Any
    dtype: DType

    def __post_init__(self) -> None:
        v: Any = self.value
        if self.dtype.kind == "f":
            v = float(self.dtype.np.type(v))
            v = _NAN if v != v else v  # one object, so that equal literals compare equal
        else:
            v = bool(v) if self.dtype.kind == "b" else int(v)
        object.__setattr__(self, "value", v)


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


# ------------------------------------------------------------------- verifier


def verify(kernel: Kernel) -> None:
    """Raise `KernelError` with the first rule that `kernel` breaks."""
    _Verifier(kernel).run()


class _Verifier:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.buffers: dict[str, Buffer] = {}
        self.values: dict[str, DType] = {}
        self.seen: set[str] = set()
        self.vars: set[str] = {s.name for s in kernel.sizes}
        self.varying: set[str] = set()  # what may differ between the lanes of a vector loop
        self.lanes = False  # inside a vector loop
        self.stack_bytes = 0

    def fail(self, message: str) -> None:
        raise KernelError(f"kernel {self.kernel.name}: {message}")

    def run(self) -> None:
        k = self.kernel
        if len(self.vars) != len(k.sizes):
            self.fail("a size is listed twice")
        for p in k.params:
            self.declare(p)
            if p.direction not in DIRECTIONS:
                self.fail(f"{p.name} has direction {p.direction!r}")
            for d in p.shape:
                self.expression(d, f"the shape of {p.name}")
        loops = [s for s in k.body if isinstance(s, Loop) and s.kind.startswith("parallel")]
        if loops and (
            k.body[-1] is not loops[0]
            or not all(isinstance(s, (Let, Load, Alloc)) for s in k.body[:-1])
        ):
            self.fail("only lets, loads and allocs may stand beside a parallel loop, before it")
        self.block(k.body, top=True)

    def declare(self, b: Buffer) -> None:
        if b.name in self.buffers:
            self.fail(f"two buffers are called {b.name}")
        if b.dtype.hosted:
            self.fail(f"{b.name} holds strings, which stay in Python")
        self.buffers[b.name] = b

    def expression(self, d: Dim, what: str, uniform: bool = False) -> None:
        for s in sorted(d.symbols(), key=str) if isinstance(d, Expr) else ():
            known = (
                self.values.get(s.name[1:]) is int64 if s.name[0] == "%" else s.name in self.vars
            )
            if not known:
                self.fail(
                    f"{what} uses {s.name}, which is not a size, loop variable or i64 value here"
                )
            if uniform and s.name in self.varying:
                self.fail(f"{what} uses {s.name}, which differs between lanes")

    def operand(self, o: Operand, what: str) -> None:
        if isinstance(o, Value) and self.values.get(o.name) is not o.dtype:
            self.fail(f"{what} uses %{o.name}: {o.dtype.code}, which is not defined here")

    def define(self, v: Value, varying: bool = False) -> None:
        if v.name in self.seen:
            self.fail(f"%{v.name} is defined twice")
        self.seen.add(v.name)
        self.values[v.name] = v.dtype
        if varying:
            self.varying.add("%" + v.name)

    def block(self, body: tuple[Stmt, ...], top: bool = False) -> None:
        for s in body:
            what = type(s).__name__.lower()
            nests = isinstance(s, (Loop, Reduce, Scan, Repeat, Template))
            for d in indices(s):
                self.expression(d, what, uniform=nests)
            if isinstance(s, (Loop, Reduce, Scan, Repeat, Template)):
                self.nest(s, top)
                continue
            for o in operands(s):
                self.operand(o, what)
            if isinstance(s, (Load, Store)):
                self.access(s)
            else:
                self.leaf(s)
            if isinstance(s, (Let, Load)):
                self.define(s.value, self.differs(s))

    def access(self, s: Load | Store) -> None:
        b = self.buffers.get(s.buf)
        if b is None or len(b.shape) != len(s.index):
            self.fail(f"{s.buf}[{len(s.index)} indices] does not fit a buffer of this kernel")
            return
        if s.where is not None and s.where.dtype is not bool_:
            self.fail(f"`where` of {s.buf} is not bool")
        if isinstance(s, Load):
            if s.dtype is not b.dtype:
                self.fail(f"load of {s.dtype.code} from {s.buf}: {b.dtype.code}")
            return
        if b.direction == "in":
            self.fail(f"{s.buf} is an input and cannot be stored to")
        if s.value.dtype is not b.dtype or s.mode not in ("set", "add"):
            self.fail(f"store of {s.value.dtype.code} ({s.mode}) to {s.buf}: {b.dtype.code}")

    def leaf(self, s: Let | Check | Alloc) -> None:
        if isinstance(s, Alloc):
            self.declare(s.buffer)
            count = product(s.buffer.shape)
            self.stack_bytes += 8192 if isinstance(count, Expr) else count * s.buffer.dtype.size
            if self.stack_bytes > 4096 or self.lanes:
                self.fail(f"alloc {s.buffer.name}: fixed, at most 4 kB, outside vector loops")
        elif isinstance(s, Check):
            if s.value.dtype is not bool_:
                self.fail("check takes a bool")
        elif s.op in _FORMS and not _FORMS[s.op](s):
            self.fail(f"%{s.name}: {s.dtype.code} is no well-formed {s.op}")

    def differs(self, s: Let | Load) -> bool:
        names = {"%" + o.name for o in operands(s) if isinstance(o, Value)}
        names |= {x.name for d in indices(s) if isinstance(d, Expr) for x in d.symbols()}
        return not names.isdisjoint(self.varying)

    def nest(self, s: Loop | Reduce | Scan | Repeat | Template, top: bool) -> None:
        kind = s.kind if isinstance(s, (Loop, Reduce, Template)) else ""
        allowed = ("vector", "for") if isinstance(s, Reduce) else LOOPS if top else LOOPS[2:]
        if isinstance(s, (Loop, Reduce)) and kind not in allowed:
            self.fail(f"a {kind!r} loop cannot stand here")
        if isinstance(s, (Loop, Reduce)):
            self.hints(s)
        vector = kind in ("vector", "parallel vector")
        if self.lanes and (vector or isinstance(s, (Repeat, Template))):
            self.fail(f"{kind} inside a vector loop")
        names = _vars(s)
        for n in names:
            if n in self.vars:
                self.fail(f"loop variable {n} hides another")
        was, outer = self.lanes, dict(self.values)
        self.vars.update(names)
        if vector:
            self.lanes = True
            self.varying.update(names)
        if isinstance(s, Template):
            self.template(s)
        elif isinstance(s, Scan):
            self.scan(s)
        elif isinstance(s, Repeat):
            self.repeat(s)
        else:
            self.block(s.body)
            self.yields(s)
        self.values = outer
        self.lanes = was
        self.vars.difference_update(names)
        self.varying.difference_update(names)
        for v in defined(s):
            self.define(v, self.lanes)

    def hints(self, s: Loop | Reduce) -> None:
        lanes = s.lanes if isinstance(s, Loop) else 0
        top = 8 if isinstance(s, Reduce) else 256 // max(lanes, 16)
        if (
            lanes & (lanes - 1)
            or s.unroll & (s.unroll - 1)
            or not (lanes in range(2, 65) or lanes == 0)
            or not 0 <= s.unroll <= top
        ):
            self.fail(f"lanes {lanes}, unroll {s.unroll}: not a power of two in reach")
        if isinstance(s, Loop) and s.block and (s.block < 0 or s.kind != "parallel vector"):
            self.fail(f"block {s.block} of a {s.kind} loop")

    def yields(self, s: Loop | Reduce | Scan) -> None:
        if isinstance(s, Loop):
            return
        _check_kinds(self, s)
        for o in s.values:
            self.operand(o, "yield")

    def scan(self, s: Scan) -> None:
        for o in s.init:
            if o is not None:
                self.operand(o, "scan")
        for v in s.before:
            self.define(v, self.lanes)
        self.block(s.body)
        self.yields(s)
        for v in s.after:
            self.define(v, self.lanes)
        self.block(s.tail)

    def repeat(self, s: Repeat) -> None:
        if not len(s.names) == len(s.before) == len(s.init) == len(s.values) or s.limit < 1:
            self.fail("a repeat has as many names as carried, first and next values, and a limit")
        for b, i, v in zip(s.before, s.init, s.values, strict=True):
            if not b.dtype is i.dtype is v.dtype:
                self.fail(
                    f"repeat of {i.dtype.code} and {v.dtype.code} in a carry of {b.dtype.code}"
                )
            self.operand(i, "repeat")
        for b in s.before:
            self.define(b)
        self.block(s.head)
        self.operand(s.cond, "test")
        if s.cond.dtype is not bool_:
            self.fail("test takes a bool")
        self.block(s.body)
        for v in s.values:
            self.operand(v, "next")

    def template(self, s: Template) -> None:
        for n in s.buffers:
            if n not in self.buffers:
                self.fail(f"template {s.kind} uses {n}, which is no buffer")
        if s.epilogue is None:
            return
        self.varying.update(s.epilogue.vars)
        self.lanes = True
        for v in s.epilogue.params:
            self.define(v, True)
        self.block(s.epilogue.body)
        for o in s.epilogue.values:
            self.operand(o, "yield")


def _vars(s: Loop | Reduce | Scan | Repeat | Template) -> tuple[str, ...]:
    if isinstance(s, Repeat):
        return ()
    if isinstance(s, Template):
        return s.epilogue.vars if s.epilogue is not None else ()
    return (s.var,)


def _check_kinds(v: _Verifier, s: Reduce | Scan) -> None:
    known = SCANS if isinstance(s, Scan) else REDUCTIONS
    counts = {len(s.names), len(s.kinds), len(s.values)}
    if isinstance(s, Scan):
        counts |= {len(s.before), len(s.after), len(s.init)}
    if len(counts) != 1 or not s.names:
        v.fail("a reduction needs as many names as kinds and values, at least one")
    for kind, x in zip(s.kinds, s.values, strict=True):
        if kind not in known:
            v.fail(f"unknown reduction {kind!r}")
        takes_bool = kind in ("any", "all")
        if takes_bool != (x.dtype is bool_) and kind != "last":
            v.fail(f"{kind} of {x.dtype.code}")
    if isinstance(s, Scan):
        for b, a, x in zip(s.before, s.after, s.values, strict=True):
            if not b.dtype is a.dtype is x.dtype:
                v.fail(f"scan of {x.dtype.code} in a carry of {b.dtype.code}")


_FORMS: dict[str, Any] = {
    "cast": lambda s: len(s.args) == 1,
    "const": lambda s: len(s.args) == 1 and isinstance(s.args[0], Literal),
    "index": lambda s: not s.args and s.dtype is int64,
    "select": lambda s: (
        len(s.args) == 3
        and s.args[0].dtype is bool_
        and s.args[1].dtype is s.args[2].dtype is s.dtype
    ),
}


# ------------------------------------------------------------------- builder


class ReduceScope:
    """An open `reduce`: `var` inside it, `results` after it."""

    def __init__(self, var: Expr) -> None:
        self.var = var
        self.results: tuple[Value, ...] = ()
        self.yielded: list[tuple[str, Operand]] = []

    def yields(self, *pairs: tuple[str, Operand], **kinds: Operand) -> None:
        """The values to reduce: ``yields(sum=v)``, or pairs where a kind repeats."""
        self.yielded += [*pairs, *kinds.items()]


class ScanScope:
    """An open `scan`: `var` and `before` inside, `step` once, then `after`; `results` later."""

    def __init__(self, var: Expr, before: tuple[Value, ...], after: tuple[Value, ...]) -> None:
        self.var = var
        self.before = before
        self.after = after
        self.results: tuple[Value, ...] = ()
        self.values: tuple[Operand, ...] | None = None
        self.split = 0

    _body: list[Stmt]

    def step(self, *values: Operand) -> tuple[Value, ...]:
        """Combine `values` into the carries; the result is `after`."""
        self.values = values
        self.split = len(self._body)
        return self.after


class RepeatScope:
    """An open `repeat`: `before` inside, `test` once, then `next` once; `results`, `go` later."""

    def __init__(self, before: tuple[Value, ...], body: list[Stmt]) -> None:
        self.before = before
        self.results: tuple[Value, ...] = ()
        self.go: Value
        self.cond: Operand | None = None
        self.values: tuple[Operand, ...] = ()
        self.split = 0
        self._body = body

    def test(self, cond: Operand) -> None:
        """The loop goes on where `cond` holds."""
        self.cond = cond
        self.split = len(self._body)

    def next(self, *values: Operand) -> None:
        """What the next round begins with."""
        self.values = values


class KernelBuilder:
    """Builds a `Kernel` statement by statement; scopes are context managers.

    Buffers are named by the `Buffer` that `input`, `output`, `inout`, `scratch` and `alloc`
    return; values by the `Value` that `load`, `let` and others return. Names of values are
    chosen in order; names of loop variables get a number where they would hide another.
    Sizes are collected from shapes and extents in order of appearance unless stated. Those that
    may appear inside of loops only are `reserved`: no variable takes their names.
    """

    def __init__(
        self, name: str, sizes: Sequence[Symbol | Expr] = (), reserved: Iterable[Symbol] = ()
    ) -> None:
        self.name = name
        self._reserved = frozenset(s.name for s in reserved)
        self.params: list[Buffer] = []
        self._sizes: dict[Symbol, None] = {}
        self._stack: list[list[Stmt]] = [[]]
        self._vars: list[str] = []
        self._count = 0
        #: The node whose statements are being added, and the nodes so far where a journal is kept.
        self.node: Node | None = None
        self.origins: dict[int, Node] | None = {} if journal.current() is not None else None
        for s in sizes:
            self._use(Expr.symbol(s.name) if isinstance(s, Symbol) else s)

    # parameters

    def input(self, name: str, dtype: DType, shape: Sequence[Dim]) -> Buffer:
        return self.param(name, dtype, shape, "in")

    def output(self, name: str, dtype: DType, shape: Sequence[Dim]) -> Buffer:
        return self.param(name, dtype, shape, "out")

    def inout(self, name: str, dtype: DType, shape: Sequence[Dim]) -> Buffer:
        return self.param(name, dtype, shape, "inout")

    def scratch(self, name: str, dtype: DType, shape: Sequence[Dim]) -> Buffer:
        return self.param(name, dtype, shape, "scratch")

    def param(self, name: str, dtype: DType, shape: Sequence[Dim], direction: str) -> Buffer:
        for d in shape:
            self._use(d)
        p = Buffer(name, dtype, tuple(shape), direction)
        self.params.append(p)
        return p

    def _use(self, *dims: Dim) -> None:
        for d in dims:
            if isinstance(d, Expr):
                for s in sorted(d.symbols(), key=lambda s: s.name):
                    if s.name not in self._vars and s.name[0] != "%":
                        self._sizes.setdefault(s)

    # statements

    @contextmanager
    def of(self, node: Node) -> Iterator[None]:
        """Statements added inside compute `node`."""
        before, self.node = self.node, node
        try:
            yield
        finally:
            self.node = before

    def _name(self) -> str:
        self._count += 1
        return str(self._count - 1)

    def add(self, s: Stmt) -> None:
        """Append a statement that was made elsewhere."""
        self._stack[-1].append(s)
        if self.origins is not None and self.node is not None:
            self.origins[id(s)] = self.node

    def load(
        self, buf: Buffer, index: Sequence[Dim], where: Operand | None = None, other: Any = 0
    ) -> Value:
        self._use(*index)
        fill = Literal(other, buf.dtype).value
        s = Load(self._name(), buf.name, tuple(index), buf.dtype, where, fill)
        self.add(s)
        return s.value

    def store(
        self,
        buf: Buffer,
        index: Sequence[Dim],
        value: Operand,
        mode: str = "set",
        where: Operand | None = None,
        stream: bool = False,
    ) -> None:
        self._use(*index)
        self.add(Store(buf.name, tuple(index), value, mode, where, stream))

    def let(self, op: str, *args: Operand, dtype: DType | None = None, **attrs: Any) -> Value:
        """An op on values; `dtype` is that of the last operand unless stated."""
        s = Let(self._name(), op, args, dtype or args[-1].dtype, attributes(attrs))
        self.add(s)
        return s.value

    def cast(self, x: Operand, dtype: DType) -> Operand:
        return x if x.dtype is dtype else self.let("cast", x, dtype=dtype)

    def select(self, c: Operand, x: Operand, y: Operand) -> Value:
        return self.let("select", c, x, y, dtype=x.dtype)

    def index(self, expr: Dim) -> Value:
        """The i64 value of an index expression."""
        self._use(expr)
        s = Let(self._name(), "index", (), int64, (), expr)
        self.add(s)
        return s.value

    def check(self, value: Operand, code: int, position: Dim) -> None:
        self._use(position)
        if value.dtype is not bool_:
            raise KernelError(f"check takes a bool, not {value.dtype.code}")
        self.add(Check(value, code, position))

    def alloc(self, name: str, dtype: DType, shape: Sequence[int]) -> Buffer:
        buf = Buffer(name, dtype, tuple(shape), "scratch")
        self.add(Alloc(buf))
        return buf

    def template(
        self,
        kind: str,
        buffers: Sequence[Buffer],
        sizes: Sequence[Dim] = (),
        epilogue: Epilogue | None = None,
        **attrs: Any,
    ) -> None:
        self._use(*sizes)
        names = tuple(b.name for b in buffers)
        self.add(Template(kind, names, tuple(sizes), attributes(attrs), epilogue))

    # scopes

    def _open(self, var: str, extent: Dim) -> str:
        self._use(extent)
        taken = {*self._vars, *(s.name for s in self._sizes), *self._reserved}
        name, k = var, 1
        while name in taken:
            name, k = f"{var}{k}", k + 1
        self._vars.append(name)
        self._stack.append([])
        return name

    def _close(self) -> tuple[Stmt, ...]:
        self._vars.pop()
        return tuple(self._stack.pop())

    @contextmanager
    def loop(
        self, kind: str, var: str, extent: Dim, *, block: int = 0, lanes: int = 0, unroll: int = 0
    ) -> Iterator[Expr]:
        """A loop; gives its variable as an index expression."""
        name = self._open(var, extent)
        yield Expr.symbol(name)
        if kind == "parallel vector":
            block = block or BLOCK
        self.add(Loop(kind, name, extent, self._close(), block, lanes, unroll))

    @contextmanager
    def reduce(self, kind: str, var: str, extent: Dim, *, unroll: int = 0) -> Iterator[ReduceScope]:
        """A reduction; call `yields` inside, read `results` after."""
        name = self._open(var, extent)
        r = ReduceScope(Expr.symbol(name))
        yield r
        body = self._close()
        names = tuple(self._name() for _ in r.yielded)
        kinds, values = tuple(k for k, _ in r.yielded), tuple(v for _, v in r.yielded)
        s = Reduce(names, kinds, kind, name, extent, body, values, unroll)
        r.results = s.results
        self.add(s)

    @contextmanager
    def scan(
        self,
        var: str,
        extent: Dim,
        carries: Sequence[tuple[str, DType]],
        init: Sequence[Operand | None] = (),
    ) -> Iterator[ScanScope]:
        """A prefix over `var` with carries (kind, dtype); call `step` once inside."""
        name = self._open(var, extent)
        before = tuple(Value(self._name(), t) for _, t in carries)
        after = tuple(Value(self._name(), t) for _, t in carries)
        scope = ScanScope(Expr.symbol(name), before, after)
        scope._body = self._stack[-1]
        yield scope
        body = self._close()
        if scope.values is None:
            raise KernelError("a scan must call step()")
        s = Scan(
            tuple(self._name() for _ in carries), tuple(k for k, _ in carries), before, after,
            name, extent, body[: scope.split], scope.values, body[scope.split :],
            tuple(init) or (None,) * len(carries),
        )  # fmt: skip
        scope.results = s.results
        self.add(s)

    @contextmanager
    def repeat(self, init: Sequence[Operand], limit: int) -> Iterator[RepeatScope]:
        """A loop of at most `limit` rounds from the values `init`."""
        before = tuple(Value(self._name(), x.dtype) for x in init)
        self._stack.append([])
        scope = RepeatScope(before, self._stack[-1])
        yield scope
        body = tuple(self._stack.pop())
        if scope.cond is None:
            raise KernelError("a repeat must call test()")
        s = Repeat(
            tuple(self._name() for _ in init), self._name(), before, tuple(init), limit,
            body[: scope.split], scope.cond, body[scope.split :], scope.values,
        )  # fmt: skip
        *results, scope.go = s.results
        scope.results = tuple(results)
        self.add(s)

    @contextmanager
    def epilogue(self, vars: Sequence[str], dtypes: Sequence[DType]) -> Iterator[EpilogueScope]:
        """The body of a template's epilogue; not added anywhere: pass `.result` to `template`."""
        names = [self._open(v, 0) for v in vars]
        self._stack.append([])
        params = tuple(Value(self._name(), t) for t in dtypes)
        e = EpilogueScope(tuple(map(Expr.symbol, names)), params)
        yield e
        body = tuple(self._stack.pop())
        for _ in names:
            self._close()
        e.result = Epilogue(tuple(names), e.params, body, e.values)

    def build(self, cost: int = 0) -> Kernel:
        """The finished kernel, verified."""
        if len(self._stack) != 1:
            raise KernelError("build() inside an open scope")
        k = Kernel(
            self.name, tuple(self.params), tuple(self._sizes), tuple(self._stack[0]), cost,
            self.origins,
        )  # fmt: skip
        verify(k)
        return k


class EpilogueScope:
    """An open epilogue: `vars` are its indices, `params` the elements it gets; `yields` ends it."""

    def __init__(self, vars: tuple[Expr, ...], params: tuple[Value, ...]) -> None:
        self.vars = vars
        self.params = params
        self.values: tuple[Operand, ...] = ()
        self.result: Epilogue | None = None

    def yields(self, *values: Operand) -> None:
        self.values = values
