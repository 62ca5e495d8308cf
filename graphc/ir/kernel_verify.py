"""What every kernel keeps to, checked."""

from __future__ import annotations

from typing import Any

from graphc.ir import kernel as K
from graphc.ir.dims import Dim, Expr, product
from graphc.ir.dtypes import DType, bool_, int64

__all__ = ["verify"]


def verify(kernel: K.Kernel) -> None:
    """Raise `KernelError` with the first rule that `kernel` breaks."""
    _Verifier(kernel).run()


class _Verifier:
    def __init__(self, kernel: K.Kernel) -> None:
        self.kernel = kernel
        self.buffers: dict[str, K.Buffer] = {}
        self.values: dict[str, DType] = {}
        self.seen: set[str] = set()
        self.vars: set[str] = {s.name for s in kernel.sizes}
        self.varying: set[str] = set()  # what may differ between the lanes of a vector loop
        self.lanes = False  # inside a vector loop
        self.stack_bytes = 0

    def fail(self, message: str) -> None:
        raise K.KernelError(f"kernel {self.kernel.name}: {message}")

    def run(self) -> None:
        k = self.kernel
        if len(self.vars) != len(k.sizes):
            self.fail("a size is listed twice")
        for p in k.params:
            self.declare(p)
            if p.direction not in K.DIRECTIONS:
                self.fail(f"{p.name} has direction {p.direction!r}")
            for d in p.shape:
                self.expression(d, f"the shape of {p.name}")
        loops = [s for s in k.body if isinstance(s, K.Loop) and s.kind.startswith("parallel")]
        if loops and (
            k.body[-1] is not loops[0]
            or not all(isinstance(s, (K.Let, K.Load, K.Alloc)) for s in k.body[:-1])
        ):
            self.fail("only lets, loads and allocs may stand beside a parallel loop, before it")
        self.block(k.body, top=True)

    def declare(self, b: K.Buffer) -> None:
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

    def operand(self, o: K.Operand, what: str) -> None:
        if isinstance(o, K.Value) and self.values.get(o.name) is not o.dtype:
            self.fail(f"{what} uses %{o.name}: {o.dtype.code}, which is not defined here")

    def define(self, v: K.Value, varying: bool = False) -> None:
        if v.name in self.seen:
            self.fail(f"%{v.name} is defined twice")
        self.seen.add(v.name)
        self.values[v.name] = v.dtype
        if varying:
            self.varying.add("%" + v.name)

    def block(self, body: tuple[K.Stmt, ...], top: bool = False) -> None:
        for s in body:
            what = type(s).__name__.lower()
            nests = isinstance(s, (K.Loop, K.Reduce, K.Scan, K.Repeat, K.Template))
            for d in K.indices(s):
                self.expression(d, what, uniform=nests)
            if isinstance(s, (K.Loop, K.Reduce, K.Scan, K.Repeat, K.Template)):
                self.nest(s, top)
                continue
            for o in K.operands(s):
                self.operand(o, what)
            if isinstance(s, (K.Load, K.Store)):
                self.access(s)
            else:
                self.leaf(s)
            if isinstance(s, (K.Let, K.Load)):
                self.define(s.value, self.differs(s))

    def access(self, s: K.Load | K.Store) -> None:
        b = self.buffers.get(s.buf)
        if b is None or len(b.shape) != len(s.index):
            self.fail(f"{s.buf}[{len(s.index)} indices] does not fit a buffer of this kernel")
            return
        if s.where is not None and s.where.dtype is not bool_:
            self.fail(f"`where` of {s.buf} is not bool")
        if isinstance(s, K.Load):
            if s.dtype is not b.dtype:
                self.fail(f"load of {s.dtype.code} from {s.buf}: {b.dtype.code}")
            return
        if b.direction == "in":
            self.fail(f"{s.buf} is an input and cannot be stored to")
        if s.value.dtype is not b.dtype or s.mode not in ("set", "add"):
            self.fail(f"store of {s.value.dtype.code} ({s.mode}) to {s.buf}: {b.dtype.code}")

    def leaf(self, s: K.Let | K.Check | K.Alloc) -> None:
        if isinstance(s, K.Alloc):
            self.declare(s.buffer)
            count = product(s.buffer.shape)
            self.stack_bytes += 8192 if isinstance(count, Expr) else count * s.buffer.dtype.size
            if self.stack_bytes > 4096 or self.lanes:
                self.fail(f"alloc {s.buffer.name}: fixed, at most 4 kB, outside vector loops")
        elif isinstance(s, K.Check):
            if s.value.dtype is not bool_:
                self.fail("check takes a bool")
        elif s.op in _FORMS and not _FORMS[s.op](s):
            self.fail(f"%{s.name}: {s.dtype.code} is no well-formed {s.op}")

    def differs(self, s: K.Let | K.Load) -> bool:
        names = {"%" + o.name for o in K.operands(s) if isinstance(o, K.Value)}
        names |= {x.name for d in K.indices(s) if isinstance(d, Expr) for x in d.symbols()}
        return not names.isdisjoint(self.varying)

    def nest(self, s: K.Loop | K.Reduce | K.Scan | K.Repeat | K.Template, top: bool) -> None:
        kind = s.kind if isinstance(s, (K.Loop, K.Reduce, K.Template)) else ""
        allowed = ("vector", "for") if isinstance(s, K.Reduce) else K.LOOPS if top else K.LOOPS[2:]
        if isinstance(s, (K.Loop, K.Reduce)) and kind not in allowed:
            self.fail(f"a {kind!r} loop cannot stand here")
        if isinstance(s, (K.Loop, K.Reduce)):
            self.hints(s)
        vector = kind in ("vector", "parallel vector")
        if self.lanes and (vector or isinstance(s, (K.Repeat, K.Template))):
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
        if isinstance(s, K.Template):
            self.template(s)
        elif isinstance(s, K.Scan):
            self.scan(s)
        elif isinstance(s, K.Repeat):
            self.repeat(s)
        else:
            self.block(s.body)
            self.yields(s)
        self.values = outer
        self.lanes = was
        self.vars.difference_update(names)
        self.varying.difference_update(names)
        for v in K.defined(s):
            self.define(v, self.lanes)

    def hints(self, s: K.Loop | K.Reduce) -> None:
        lanes = s.lanes if isinstance(s, K.Loop) else 0
        top = 8 if isinstance(s, K.Reduce) else 256 // max(lanes, 16)
        if (
            lanes & (lanes - 1)
            or s.unroll & (s.unroll - 1)
            or not (lanes in range(2, 65) or lanes == 0)
            or not 0 <= s.unroll <= top
        ):
            self.fail(f"lanes {lanes}, unroll {s.unroll}: not a power of two in reach")
        if isinstance(s, K.Loop) and s.block and (s.block < 0 or s.kind != "parallel vector"):
            self.fail(f"block {s.block} of a {s.kind} loop")

    def yields(self, s: K.Loop | K.Reduce | K.Scan) -> None:
        if isinstance(s, K.Loop):
            return
        _check_kinds(self, s)
        for o in s.values:
            self.operand(o, "yield")

    def scan(self, s: K.Scan) -> None:
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

    def repeat(self, s: K.Repeat) -> None:
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

    def template(self, s: K.Template) -> None:
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


def _vars(s: K.Loop | K.Reduce | K.Scan | K.Repeat | K.Template) -> tuple[str, ...]:
    if isinstance(s, K.Repeat):
        return ()
    if isinstance(s, K.Template):
        return s.epilogue.vars if s.epilogue is not None else ()
    return (s.var,)


def _check_kinds(v: _Verifier, s: K.Reduce | K.Scan) -> None:
    known = K.SCANS if isinstance(s, K.Scan) else K.REDUCTIONS
    counts = {len(s.names), len(s.kinds), len(s.values)}
    if isinstance(s, K.Scan):
        counts |= {len(s.before), len(s.after), len(s.init)}
    if len(counts) != 1 or not s.names:
        v.fail("a reduction needs as many names as kinds and values, at least one")
    for kind, x in zip(s.kinds, s.values, strict=True):
        if kind not in known:
            v.fail(f"unknown reduction {kind!r}")
        takes_bool = kind in ("any", "all")
        if takes_bool != (x.dtype is bool_) and kind != "last":
            v.fail(f"{kind} of {x.dtype.code}")
    if isinstance(s, K.Scan):
        for b, a, x in zip(s.before, s.after, s.values, strict=True):
            if not b.dtype is a.dtype is x.dtype:
                v.fail(f"scan of {x.dtype.code} in a carry of {b.dtype.code}")


_FORMS: dict[str, Any] = {
    "cast": lambda s: len(s.args) == 1,
    "const": lambda s: len(s.args) == 1 and isinstance(s.args[0], K.Literal),
    "index": lambda s: not s.args and s.dtype is int64,
    "select": lambda s: (
        len(s.args) == 3
        and s.args[0].dtype is bool_
        and s.args[1].dtype is s.args[2].dtype is s.dtype
    ),
}
