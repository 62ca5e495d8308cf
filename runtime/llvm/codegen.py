"""From a plan's code to compiled kernels: the keys, and who emits what.

llvmlite is imported inside the emitters only, which run when a kernel is not in the cache.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from graphc import ops
from graphc.ir.dims import Dim, Expr, Symbol
from graphc.ir.fingerprint import fingerprint
from graphc.ir.kernel import Kernel, Load, Template
from graphc.ir.registry import SCALARS
from graphc.ops.record import OPS, Op
from graphc.runtime.common import common
from graphc.runtime.llvm import jit, native_code
from graphc.runtime.llvm.cpu import host
from graphc.runtime.llvm.watch import NOTHING, Watch

if TYPE_CHECKING:
    from graphc.passes.contract import Contraction

__all__ = ["compile_all", "gemm_of", "kernel_key"]

#: Raised when the emitters change what they emit for the same kernel.
VERSION = "6"


def compile_all(wanted: Mapping[str, Callable[[Any], object]]) -> dict[str, native_code.Compiled]:
    """Compiled kernels by key."""
    return jit.compile_kernels(wanted)


def load_all(keys: Iterable[str]) -> dict[str, native_code.Compiled] | None:
    """Compiled kernels by key, where all of them are in memory or on disk."""
    return jit.load_kernels(keys)


def kernel_key(kernel: Kernel, extra: str = "", watch: Watch = NOTHING) -> str:
    """The content key of a kernel; `watch` says what it looks for in what it stores."""
    from graphc.ir import kernel_text  # a plan from disk knows its keys

    text = kernel_text.structure_text(common(kernel)[0])
    if watch:
        names = [i for i, p in enumerate(kernel.params) if p.name in watch]
        small = [i for i, p in enumerate(kernel.params) if p.name in watch.small]
        extra += f"|watch {names} {small} {watch.word}"
    own = "".join([f"|{name} {fingerprint(f)}" for name, f in SCALARS.items() if name in text])
    return hashlib.sha256(f"{VERSION}|{_sources()}|{extra}|{text}{own}".encode()).hexdigest()


@lru_cache(maxsize=1)
def _sources() -> str:
    """A digest of what turns kernels into code: a change there makes cached code stale."""
    found = hashlib.sha256()
    here = os.path.dirname(os.path.abspath(__file__))
    for folder in (here, os.path.dirname(os.path.abspath(ops.__file__))):
        for name in sorted(os.listdir(folder)):
            if name.endswith(".py"):
                with open(os.path.join(folder, name), "rb") as f:
                    found.update(f.read())
    return found.hexdigest()


def templates() -> dict[str, Callable[[Any, Any], Any]]:
    """What emits each kind of template."""
    from graphc.runtime.llvm import (
        conv,
        conv_taps,
        depthwise,
        fourier,
        philox_emit,
        rejection_emit,
        reorder,
        sorting,
        winograd,
    )

    made: dict[str, Callable[[Any, Any], Any]] = {}
    for m in (
        conv,
        conv_taps,
        depthwise,
        fourier,
        philox_emit,
        rejection_emit,
        reorder,
        sorting,
        winograd,
    ):
        made.update(m.TEMPLATES)
    return made


def kernel_emitter(kernel: Kernel, watch: Watch = NOTHING) -> Callable[[Any], object]:
    """What emits a kernel of loops."""

    def emit(module: Any) -> object:
        from graphc.runtime.llvm import walk
        from graphc.runtime.llvm.vmath import Math

        shared = common(kernel)[0]
        if (trail := getattr(module, "trail", None)) is not None:
            trail.follow(kernel.body, shared.body)
        return walk.emit_kernel(
            module,
            shared,
            "kernel",
            scalar_table(),
            templates(),
            function=maker(Math),
            watch=watch,
        )

    return emit


def emitter(code: Any, variant: str) -> Callable[[Any], object] | None:
    """What emits one function of a step's code; None for what is no kernel of loops or product."""
    if code.contraction is not None:
        return gemm_emitter(code.contraction, variant)
    return None if code.native is not None else kernel_emitter(code.kernel)


def scalar_table() -> dict[str, Callable[..., Any]]:
    """The scalar meaning of every elementwise op, by its name in kernels."""
    return {**_own_scalars(len(OPS), next(reversed(OPS.values()))), **SCALARS}


@lru_cache(maxsize=1)  # how many ops there are, and the last, say whether users added some
def _own_scalars(count: int, last: Op) -> dict[str, Callable[..., Any]]:
    return {name: record.scalar for name, record in OPS.items() if record.scalar is not None}


def maker(math: Any) -> Callable[..., Any]:
    """Makes `Math` functions for the CPU we compile for."""
    cpu = host()
    wide = cpu.vector_bytes == 64

    def make(*args: Any, **kwargs: Any) -> Any:
        return math(*args, **kwargs, has_fma=cpu.has_fma, has_avx512=wide)

    return make


def gemm_of(c: Contraction) -> Any:
    """The family of matrix products that `c` belongs to."""
    from graphc.runtime.llvm.gemm import Gemm, Target

    cpu = host()
    target = Target(cpu.vector_bytes, cpu.has_fma, cpu.l1d, cpu.l2, cpu.l3, cpu.has_bf16)
    m, n, k = (d if type(d) is int else None for d in (c.m, c.n, c.k))
    batched = c.batch != 1
    return Gemm(
        c.dtype, c.ta, c.tb, batched, m=m, n=n, k=None if c.chain != 0 else k,
        outputs=c.outputs, target=target, panels=c.panels, chained=c.chain != 0,
    )  # fmt: skip


def gemm_key(c: Contraction, variant: str, watch: Watch = NOTHING) -> str:
    """The content key of one kernel of a matrix product with its epilogue."""
    g = gemm_of(c).loosened()
    kernel = _loose(c).kernel if g.loose else c.kernel
    return kernel_key(kernel, f"gemm|{g!r}|{variant}", watch)


def gemm_emitter(c: Contraction, variant: str, watch: Watch = NOTHING) -> Callable[[Any], object]:
    """What emits one kernel of a matrix product with its epilogue."""

    def emit(module: Any) -> object:
        from graphc.runtime.llvm.vmath import Math

        g = gemm_of(c).loosened()
        told = _loose(c) if g.loose else c
        make = None if variant == "pack_b" or c.epilogue is None else _Epilogue(g, told)
        return g.emit(module, "kernel", variant, make, maker(Math), watch)

    return emit


#: Sizes of a product that its kernel reads from words, by their names there.
_WORDS = {word: Expr.symbol(word.upper()) for word in ("batch", "m", "n", "k")}
_PLACE_SYMBOL = Symbol("PLACE")  # of an element among all of a result
_PLACE = Expr.atom(_PLACE_SYMBOL)


def _loose(c: Contraction) -> Contraction:
    """The same where sizes have the names of their words: equal for products that share code."""
    (s,) = c.kernel.body
    assert isinstance(s, Template)
    batch, m, n, k = _WORDS.values()
    space: tuple[Dim, ...] = (m, n) if c.batch == 1 else (batch, m, n)
    shapes = {p.name: space for p in c.kernel.params}
    shapes["a"], shapes["b"] = (k, m) if c.ta else (m, k), (n, k) if c.tb else (k, n)
    if (e := s.epilogue) is not None:
        at = tuple(map(Expr.symbol, e.vars))
        along = dict(zip(at, space, strict=True))
        body = []
        for x in e.body:
            if isinstance(x, Load):
                shapes[x.buf] = tuple(along[i] for i in x.index if isinstance(i, Expr))
                if x.index == at:  # as far on as the result: one number for all of these
                    shapes[x.buf] = (_PLACE,)
                    x = replace(x, index=(_PLACE,))
            body.append(x)
        e = replace(e, body=tuple(body))
    params = tuple(replace(p, shape=shapes[p.name]) for p in c.kernel.params)
    sizes = (1 if c.batch == 1 else batch, m, n, k)
    kernel = replace(c.kernel, params=params, body=(replace(s, sizes=sizes, epilogue=e),))
    return replace(c, m=m, n=n, k=k, kernel=kernel, epilogue=e)


class _Epilogue:
    """Emits what follows a product: a callback of `gemm.Gemm.emit`."""

    def __init__(self, g: Any, c: Contraction) -> None:
        self.g = g
        self.c = c
        self.walk: Any = None
        #: Where in its results the product is.
        self.place: Any = None

    def walk_of(self, k: Any) -> Any:
        if self.walk is None or self.walk.k is not k:
            self.walk = self.start(k)
        return self.walk

    def start(self, k: Any) -> Any:
        """A walk whose buffers and sizes are the epilogue's words of the argument table."""
        from graphc.runtime.llvm.walk import Walk

        c, g = self.c, self.g
        bare = Kernel(c.kernel.name, (), (), ())
        with k.hoisted():
            w = Walk(k, bare, scalar_table(), {}, k.args[0], k.index(0))
            params = [p for p in c.kernel.params if p.name.startswith("e")]
            for i, p in enumerate(params):
                w.buffers[p.name] = p
                w.pointers[p.name] = k.read_ptr(k.args[0], g.extra_word(i))
            for j, size in enumerate(c.kernel.sizes):
                w.symbols[size] = k.read_i64(k.args[0], g.extra_word(len(params) + j))
            if g.loose:
                for name in _WORDS:
                    w.symbols[Symbol(name.upper())] = k.read_i64(k.args[0], g.word(name))
        return w

    def operands(self, k: Any) -> list[tuple[Any, Any]]:
        """Where the operands lie that have an element for each of the product, and their types."""
        c = self.c
        walk = self.walk_of(k)
        full = c.kernel.params[2].shape, (_PLACE,)  # of its results
        params = [p for p in c.kernel.params if p.name.startswith("e") and p.shape in full]
        return [(walk.pointers[p.name], p.dtype) for p in params]

    def __call__(self, k: Any, acc: Any, row: Any, col: Any, batch: Any, mask: Any) -> Any:
        from graphc.runtime.llvm.indexing import Ramp

        walk = self.walk_of(k)
        e = self.c.epilogue
        assert e is not None
        lanes = acc.lanes
        at = [row, Ramp(col, 1) if lanes > 1 else col]
        walk.symbols[_PLACE_SYMBOL] = Ramp(self.place, 1) if lanes > 1 else self.place
        if self.c.batch != 1:
            at.insert(0, batch)
        return walk.epilogue(e, [k.cast(acc, e.params[0].dtype)], at, lanes, mask)
