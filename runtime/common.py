"""Kernels that differ in a size only have one piece of code, which reads it from a word.

A net has as many updates of variables, and as many draws of first values, as it has shapes of
variables; sizes made a kernel of each. Where a size is only how far a loop goes, its code is what
any unknown size gives, which is as fast.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from graphc.ir.dims import Dim, Expr, Symbol, is_multiple, product
from graphc.ir.dtypes import float32
from graphc.ir.kernel import Kernel, Let, Load, Loop, Reduce, Stmt, Store, Template, indices
from graphc.runtime.llvm.conv_forms import conv_like, filter_like, form_of

__all__ = ["common"]

#: Elements from which on a loop's vectors are as many as where nothing is known of them.
LONG = 4096

#: A loop over a multiple of so many elements is one to its code as well: it has no rest.
EVEN = 64

#: Templates of convolutions.
CONVOLUTIONS = ("conv", "conv_filter", "conv_taps", "conv_turn")


def common(kernel: Kernel) -> tuple[Kernel, tuple[Dim, ...]]:
    """The kernel whose code `kernel` takes, and what it takes in the words after its sizes."""
    loop = kernel.parallel
    if loop is None:
        return kernel, ()
    inner = loop.body[0]
    if isinstance(inner, Template) and inner.kind in CONVOLUTIONS:
        return _convolution(kernel, loop, inner)
    sizes = _sizes(kernel, loop)
    if not sizes:
        return kernel, ()
    symbols = [Symbol(f"#{i}") for i in range(len(sizes))]
    even = loop.kind != "parallel" and is_multiple(loop.extent, EVEN)
    steps = [EVEN if even and n == loop.extent else 1 for n in sizes]
    names: dict[Dim, Dim] = {
        n: Expr.atom(x) * by for n, x, by in zip(sizes, symbols, steps, strict=True)
    }
    new: dict[int, Stmt] = {}

    def dims(given: Iterable[Dim]) -> tuple[Dim, ...]:
        return tuple(names.get(d, d) for d in given)

    def renamed(s: Stmt) -> Stmt:
        made = s
        if isinstance(s, Loop | Reduce):
            body = tuple(map(renamed, s.body))
            known = s is not loop and type(s.extent) is int
            extent = s.extent if known else names.get(s.extent, s.extent)
            if s is loop and loop.kind == "parallel":
                extent = names[sizes[0]]  # whoever calls counts the units
            made = replace(s, extent=extent, body=body)
        elif isinstance(s, Template):
            made = replace(s, sizes=dims(s.sizes))
        new[id(s)] = made
        return made

    body = tuple(map(renamed, kernel.body))
    params = tuple(replace(p, shape=dims(p.shape)) for p in kernel.params)
    origins = kernel.origins
    if origins is not None:  # what is made here is for the nodes that the others were for
        origins = {**origins, **{id(new[k]): n for k, n in origins.items() if k in new}}
    made = replace(
        kernel, params=params, sizes=(*kernel.sizes, *symbols), body=body, origins=origins
    )
    return made, tuple(n // by for n, by in zip(sizes, steps, strict=True))


def _told(
    kernel: Kernel, loop: Loop, was: Template, given: range, made: Template
) -> tuple[Kernel, tuple[Dim, ...]]:
    """The kernel with template `made` for `was`, some of whose sizes are words.

    Where the first of these is, all is known from sizes: whoever calls counts the units, and
    shapes of buffers say nothing.
    """
    words = [was.sizes[i] for i in given]
    params, extent = kernel.params, loop.extent
    if given.start == 1:
        extent = Expr.symbol("#0")
        scratch = [p for p in params if p.direction == "scratch"]
        names = {p.name: f"#{len(words) + i}" for i, p in enumerate(scratch)}
        words += [product(p.shape) for p in scratch]
        params = tuple(
            replace(p, shape=(Expr.symbol(names[p.name]),) if p.name in names else ())
            for p in params
        )
    symbols = [Symbol(f"#{i}") for i in range(len(words))]
    sizes = list(was.sizes)
    sizes[given.start : given.stop] = map(Expr.atom, symbols[: len(given)])
    made = replace(made, sizes=tuple(sizes))
    inner = replace(loop, extent=extent, body=(made,))
    origins = kernel.origins
    if origins is not None:
        moved = {id(made): origins.get(id(was)), id(inner): origins.get(id(loop))}
        origins = {**origins, **{at: n for at, n in moved.items() if n is not None}}
    found = replace(
        kernel, params=params, sizes=(*kernel.sizes, *symbols),
        body=(*kernel.body[:-1], inner), origins=origins,
    )  # fmt: skip
    return found, tuple(words)


def _convolution(kernel: Kernel, loop: Loop, t: Template) -> tuple[Kernel, tuple[Dim, ...]]:
    """Convolutions are one for most numbers of channels, where nothing else is read with them.

    Those that begin elsewhere in image and results are one in any case, as the several that the
    gradient of one with strides is.
    """
    attrs = dict(t.attrs)
    every = range(1, len(t.sizes))
    if t.kind == "conv_turn":
        return _told(kernel, loop, t, every, t)
    dtype = kernel.params[0].dtype
    form = form_of(float32 if dtype.code in ("f16", "bf16") else dtype)
    alone = t.epilogue is None or not any(isinstance(s, Load) for s in t.epilogue.body)
    if t.kind == "conv_taps":
        return _told(kernel, loop, t, every, t) if alone else (kernel, ())
    shared = attrs["groups"] == 1
    if t.kind == "conv":
        shared &= alone
        if not shared:
            return _told(kernel, loop, t, range(11, 17), t)
        like = conv_like(
            attrs["channels"], attrs["columns"], attrs["kernel"], attrs["rows"], form
        )  # fmt: skip
    elif not shared or attrs["joint"]:
        return kernel, ()
    else:
        like = filter_like(attrs["channels"], attrs["columns"], form)
    attrs["channels"], attrs["columns"] = like
    return _told(kernel, loop, t, every, replace(t, attrs=tuple(sorted(attrs.items()))))


def _sizes(kernel: Kernel, loop: Loop) -> tuple[Dim, ...]:
    """The sizes that are no more than numbers to the code of a kernel."""
    n = loop.extent
    if loop.kind == "parallel":
        draw = loop.body[0]
        if len(kernel.body) == len(loop.body) == 1 and isinstance(draw, Template):
            n = draw.sizes[1] if draw.kind == "philox" else 0
            return (n,) if type(n) is int and n >= LONG else ()
        return ()
    if type(n) is not int or not _plain(kernel.body):
        return ()
    rows = [s for s in loop.body if isinstance(s, Reduce)]
    if n < LONG and not rows:
        return ()
    return tuple(dict.fromkeys((n, *[s.extent for s in rows if isinstance(s.extent, Expr)])))


def _plain(body: tuple[Stmt, ...]) -> bool:
    """Whether sizes are nothing but extents and steps of rows: no place is computed from them."""
    for s in body:
        if isinstance(s, Load | Store):
            if not all(isinstance(i, Expr) and _is_symbol(i) for i in indices(s) if i != 0):
                return False
        elif isinstance(s, Let):
            if s.op == "index":
                return False
        elif not isinstance(s, Loop | Reduce) or not _plain(s.body):
            return False
    return True


def _is_symbol(i: Expr) -> bool:
    return i.is_atom and isinstance(i.terms[0][0][0], Symbol)
