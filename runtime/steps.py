"""What plans are made of: buffers, and steps that run kernels on them or branch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir.dims import Dim, Symbol
from graphc.ir.dtypes import DType, bool_
from graphc.ir.kernel import Kernel
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node, Value
from graphc.passes.groups import is_alias
from graphc.runtime.common import common

if TYPE_CHECKING:
    from graphc.passes.contract import Contraction

__all__ = [
    "Buf", "Code", "StepSpec", "base", "branch_step", "copy_kernel", "copy_step", "count",
    "label_step", "lifetimes", "same_type",
]  # fmt: skip


class Buf:
    """A place in memory: fed array, variable, constant, output, or a piece of the arena."""

    __slots__ = ("count", "data", "dtype", "first", "index", "inner", "kind", "last", "name")

    def __init__(
        self, kind: str, dtype: DType, count: Dim, index: int = 0, name: str = "", data: Any = None
    ) -> None:
        self.kind = kind  # feed, var, const, out, arena, scratch, counters
        self.dtype = dtype
        self.count = count
        self.index = index
        self.name = name
        self.data = data
        self.first = -1
        self.last = -1
        self.inner = False  # no value of the graph: what kernels of one node hand on

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name or self.index} {self.dtype.code}[{self.count}]>"


@dataclass
class Code:
    """What a step runs: a kernel of loops, or a matrix product."""

    name: str
    kernel: Kernel
    contraction: Contraction | None = None
    native: Any = None  # what emits it, for ops with code of their own

    @cached_property
    def numbers(self) -> tuple[Dim, ...]:
        """Sizes that its code reads from words, after those of the kernel (`common`)."""
        if self.contraction is not None or self.native is not None:
            return ()
        return common(self.kernel)[1] if isinstance(self.kernel, Kernel) else ()


@dataclass(eq=False)
class StepSpec:
    """One kernel call of a plan, a branch, or the place where a branch leads.

    Attributes
    ----------
    checks : sequence of (node or number, message)
        What each code of the kernel means, by the node or by its number in the fused body.
    target : StepSpec or None
        A branch: where the run goes on when its flag, the one buffer of `binds`, is false.
    label : bool
        Only a place; there is no code.
    varies : bool
        What it takes says little about the next time.
    ahead : (StepSpec, StepSpec) or None
        A matrix product: the labels of a loop around it in which the right operand stays the same,
        so that its panels may be packed once, before the loop.
    panels : StepSpec or None
        A matrix product: the step that packs the right operand for it and for others, maybe itself.
    sharers : int
        For how many others it packs its right operand.
    """

    code: Code
    binds: list[Buf]
    node: Node
    checks: Sequence[tuple[int | Node, str]] = ()
    writes: list[Buf] = field(default_factory=list)
    reads: list[Buf] = field(default_factory=list)
    commit: bool = False
    sizes: tuple[Symbol, ...] = ()
    attrs: dict[str, Any] = field(default_factory=dict)
    in_place: set[tuple[int, int]] = field(default_factory=set)
    target: StepSpec | None = None
    label: bool = False
    varies: bool = False
    ahead: tuple[StepSpec, StepSpec] | None = None
    panels: StepSpec | None = None
    sharers: int = 0

    @property
    def calls(self) -> bool:
        """Whether the step runs a kernel."""
        return self.target is None and not self.label

    def watched(self) -> frozenset[str]:
        """The parameters of the kernel into which it writes floats that are values."""
        if self.code.name == "copy":
            return frozenset()
        made = {b for b in self.writes if b.dtype.kind == "f" and not b.inner}
        params = zip(self.code.kernel.params, self.binds, strict=False)
        return frozenset(p.name for p, b in params if b in made)

    @property
    def weight(self) -> int:
        """How many ops its kernel computes, roughly: for guesses of time."""
        return len(self.node.attrs["body"].nodes()) if "body" in self.node.attrs else 2

    def replace(self, old: Buf, new: Buf) -> None:
        """Work on `new` wherever the step worked on `old`."""
        self.binds = [new if b is old else b for b in self.binds]
        self.writes = [new if b is old else b for b in self.writes]
        self.reads = [new if b is old else b for b in self.reads]


def copy_kernel(dtype: DType) -> Kernel:
    """One buffer into another."""
    b = KernelBuilder("copy")
    n = D.Expr.symbol("n")
    x, y = b.input("x", dtype, (n,)), b.output("y", dtype, (n,))
    with b.loop("parallel vector", "i", n) as i:
        b.store(y, (i,), b.load(x, (i,)))
    return b.build()


def copy_step(src: Buf, dst: Buf, node: Node, commit: bool = False) -> StepSpec:
    """A step that copies a buffer."""
    code = Code("copy", copy_kernel(src.dtype))
    return StepSpec(code, [src, dst], node, [], [dst], [src], commit, attrs={"n": dst.count})


_NOTHING = KernelBuilder("nothing").build()


def label_step(node: Node) -> StepSpec:
    """A place for branches to lead to."""
    return StepSpec(Code("label", _NOTHING), [], node, label=True)


def branch_step(flag: Buf | None, target: StepSpec, node: Node) -> StepSpec:
    """Go on at `target` where the bool `flag` is false; always, where there is none."""
    if flag is None:
        flag = Buf("const", bool_, 1, name="never", data=np.zeros((), np.bool_))
        return StepSpec(Code("jump", _NOTHING), [flag], node, target=target)
    return StepSpec(Code("branch", _NOTHING), [flag], node, reads=[flag], target=target)


def base(v: Value) -> Value:
    """The value whose bytes `v` is."""
    while is_alias(v.node):
        v = v.node.inputs[0]
    return v


def count(v: Value) -> Dim:
    """How many elements a value has."""
    assert v.static_shape is not None
    return D.product(v.static_shape)


def same_type(a: Value, b: Value) -> bool:
    return a.dtype is b.dtype and count(a) == count(b)


def lifetimes(steps: Sequence[StepSpec], loops: Sequence[tuple[StepSpec, StepSpec]]) -> None:
    """Note in each buffer from which step to which it is needed; `loops` are their labels."""
    for s in steps:
        for b in s.binds:
            b.first = b.last = -1
    for i, s in enumerate(steps):
        for b in s.binds:
            if b.first < 0:
                b.first = i
            b.last = i
    # what comes from before a loop, and is used in it, is used in the next iteration again
    at = {s: i for i, s in enumerate(steps)}
    for again, done in reversed(loops):  # inner loops first
        start, end = at[again], at[done]
        for s in steps[start:end]:
            for b in s.binds:
                if b.first < start:
                    b.last = max(b.last, end)
