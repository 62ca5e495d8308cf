"""Building kernels, statement by statement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from graphc.ir import journal
from graphc.ir.dims import Dim, Expr, Symbol
from graphc.ir.dtypes import DType, bool_, int64

if TYPE_CHECKING:
    from graphc.ir.node import Node
from graphc.ir import kernel as K
from graphc.ir.kernel_verify import verify

__all__ = ["EpilogueScope", "KernelBuilder", "ReduceScope", "RepeatScope", "ScanScope"]


class ReduceScope:
    """An open `reduce`: `var` inside it, `results` after it."""

    def __init__(self, var: Expr) -> None:
        self.var = var
        self.results: tuple[K.Value, ...] = ()
        self.yielded: list[tuple[str, K.Operand]] = []

    def yields(self, *pairs: tuple[str, K.Operand], **kinds: K.Operand) -> None:
        """The values to reduce: ``yields(sum=v)``, or pairs where a kind repeats."""
        self.yielded += [*pairs, *kinds.items()]


class ScanScope:
    """An open `scan`: `var` and `before` inside, `step` once, then `after`; `results` later."""

    def __init__(self, var: Expr, before: tuple[K.Value, ...], after: tuple[K.Value, ...]) -> None:
        self.var = var
        self.before = before
        self.after = after
        self.results: tuple[K.Value, ...] = ()
        self.values: tuple[K.Operand, ...] | None = None
        self.split = 0

    _body: list[K.Stmt]

    def step(self, *values: K.Operand) -> tuple[K.Value, ...]:
        """Combine `values` into the carries; the result is `after`."""
        self.values = values
        self.split = len(self._body)
        return self.after


class RepeatScope:
    """An open `repeat`: `before` inside, `test` once, then `next` once; `results`, `go` later."""

    def __init__(self, before: tuple[K.Value, ...], body: list[K.Stmt]) -> None:
        self.before = before
        self.results: tuple[K.Value, ...] = ()
        self.go: K.Value
        self.cond: K.Operand | None = None
        self.values: tuple[K.Operand, ...] = ()
        self.split = 0
        self._body = body

    def test(self, cond: K.Operand) -> None:
        """The loop goes on where `cond` holds."""
        self.cond = cond
        self.split = len(self._body)

    def next(self, *values: K.Operand) -> None:
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
        self.params: list[K.Buffer] = []
        self._sizes: dict[Symbol, None] = {}
        self._stack: list[list[K.Stmt]] = [[]]
        self._vars: list[str] = []
        self._count = 0
        #: The node whose statements are being added, and the nodes so far where a journal is kept.
        self.node: Node | None = None
        self.origins: dict[int, Node] | None = {} if journal.current() is not None else None
        for s in sizes:
            self._use(Expr.symbol(s.name) if isinstance(s, Symbol) else s)

    # parameters

    def input(self, name: str, dtype: DType, shape: Sequence[Dim]) -> K.Buffer:
        return self.param(name, dtype, shape, "in")

    def output(self, name: str, dtype: DType, shape: Sequence[Dim]) -> K.Buffer:
        return self.param(name, dtype, shape, "out")

    def inout(self, name: str, dtype: DType, shape: Sequence[Dim]) -> K.Buffer:
        return self.param(name, dtype, shape, "inout")

    def scratch(self, name: str, dtype: DType, shape: Sequence[Dim]) -> K.Buffer:
        return self.param(name, dtype, shape, "scratch")

    def param(self, name: str, dtype: DType, shape: Sequence[Dim], direction: str) -> K.Buffer:
        for d in shape:
            self._use(d)
        p = K.Buffer(name, dtype, tuple(shape), direction)
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

    def add(self, s: K.Stmt) -> None:
        """Append a statement that was made elsewhere."""
        self._stack[-1].append(s)
        if self.origins is not None and self.node is not None:
            self.origins[id(s)] = self.node

    def load(
        self, buf: K.Buffer, index: Sequence[Dim], where: K.Operand | None = None, other: Any = 0
    ) -> K.Value:
        self._use(*index)
        fill = K.Literal(other, buf.dtype).value
        s = K.Load(self._name(), buf.name, tuple(index), buf.dtype, where, fill)
        self.add(s)
        return s.value

    def store(
        self,
        buf: K.Buffer,
        index: Sequence[Dim],
        value: K.Operand,
        mode: str = "set",
        where: K.Operand | None = None,
        stream: bool = False,
    ) -> None:
        self._use(*index)
        self.add(K.Store(buf.name, tuple(index), value, mode, where, stream))

    def let(self, op: str, *args: K.Operand, dtype: DType | None = None, **attrs: Any) -> K.Value:
        """An op on values; `dtype` is that of the last operand unless stated."""
        s = K.Let(self._name(), op, args, dtype or args[-1].dtype, K.attributes(attrs))
        self.add(s)
        return s.value

    def cast(self, x: K.Operand, dtype: DType) -> K.Operand:
        return x if x.dtype is dtype else self.let("cast", x, dtype=dtype)

    def select(self, c: K.Operand, x: K.Operand, y: K.Operand) -> K.Value:
        return self.let("select", c, x, y, dtype=x.dtype)

    def index(self, expr: Dim) -> K.Value:
        """The i64 value of an index expression."""
        self._use(expr)
        s = K.Let(self._name(), "index", (), int64, (), expr)
        self.add(s)
        return s.value

    def check(self, value: K.Operand, code: int, position: Dim) -> None:
        self._use(position)
        if value.dtype is not bool_:
            raise K.KernelError(f"check takes a bool, not {value.dtype.code}")
        self.add(K.Check(value, code, position))

    def alloc(self, name: str, dtype: DType, shape: Sequence[int]) -> K.Buffer:
        buf = K.Buffer(name, dtype, tuple(shape), "scratch")
        self.add(K.Alloc(buf))
        return buf

    def template(
        self,
        kind: str,
        buffers: Sequence[K.Buffer],
        sizes: Sequence[Dim] = (),
        epilogue: K.Epilogue | None = None,
        **attrs: Any,
    ) -> None:
        self._use(*sizes)
        names = tuple(b.name for b in buffers)
        self.add(K.Template(kind, names, tuple(sizes), K.attributes(attrs), epilogue))

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

    def _close(self) -> tuple[K.Stmt, ...]:
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
            block = block or K.BLOCK
        self.add(K.Loop(kind, name, extent, self._close(), block, lanes, unroll))

    @contextmanager
    def reduce(self, kind: str, var: str, extent: Dim, *, unroll: int = 0) -> Iterator[ReduceScope]:
        """A reduction; call `yields` inside, read `results` after."""
        name = self._open(var, extent)
        r = ReduceScope(Expr.symbol(name))
        yield r
        body = self._close()
        names = tuple(self._name() for _ in r.yielded)
        kinds, values = tuple(k for k, _ in r.yielded), tuple(v for _, v in r.yielded)
        s = K.Reduce(names, kinds, kind, name, extent, body, values, unroll)
        r.results = s.results
        self.add(s)

    @contextmanager
    def scan(
        self,
        var: str,
        extent: Dim,
        carries: Sequence[tuple[str, DType]],
        init: Sequence[K.Operand | None] = (),
    ) -> Iterator[ScanScope]:
        """A prefix over `var` with carries (kind, dtype); call `step` once inside."""
        name = self._open(var, extent)
        before = tuple(K.Value(self._name(), t) for _, t in carries)
        after = tuple(K.Value(self._name(), t) for _, t in carries)
        scope = ScanScope(Expr.symbol(name), before, after)
        scope._body = self._stack[-1]
        yield scope
        body = self._close()
        if scope.values is None:
            raise K.KernelError("a scan must call step()")
        s = K.Scan(
            tuple(self._name() for _ in carries), tuple(k for k, _ in carries), before, after,
            name, extent, body[: scope.split], scope.values, body[scope.split :],
            tuple(init) or (None,) * len(carries),
        )  # fmt: skip
        scope.results = s.results
        self.add(s)

    @contextmanager
    def repeat(self, init: Sequence[K.Operand], limit: int) -> Iterator[RepeatScope]:
        """A loop of at most `limit` rounds from the values `init`."""
        before = tuple(K.Value(self._name(), x.dtype) for x in init)
        self._stack.append([])
        scope = RepeatScope(before, self._stack[-1])
        yield scope
        body = tuple(self._stack.pop())
        if scope.cond is None:
            raise K.KernelError("a repeat must call test()")
        s = K.Repeat(
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
        params = tuple(K.Value(self._name(), t) for t in dtypes)
        e = EpilogueScope(tuple(map(Expr.symbol, names)), params)
        yield e
        body = tuple(self._stack.pop())
        for _ in names:
            self._close()
        e.result = K.Epilogue(tuple(names), e.params, body, e.values)

    def build(self, cost: int = 0) -> K.Kernel:
        """The finished kernel, verified."""
        if len(self._stack) != 1:
            raise K.KernelError("build() inside an open scope")
        k = K.Kernel(
            self.name, tuple(self.params), tuple(self._sizes), tuple(self._stack[0]), cost,
            self.origins,
        )  # fmt: skip
        verify(k)
        return k


class EpilogueScope:
    """An open epilogue: `vars` are its indices, `params` the elements it gets; `yields` ends it."""

    def __init__(self, vars: tuple[Expr, ...], params: tuple[K.Value, ...]) -> None:
        self.vars = vars
        self.params = params
        self.values: tuple[K.Operand, ...] = ()
        self.result: K.Epilogue | None = None

    def yields(self, *values: K.Operand) -> None:
        self.values = values
