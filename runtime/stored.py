"""Plans on disk: a program that ran before runs no passes, and lowers nothing.

The key is a digest of the pure graph (`graphc.ir.digest`) and of all else that decides what
becomes of it: graphc's sources, Python, numpy, CPU, the options of the session. The entry (JSON in
the checked file of `graphc.runtime.llvm.cache`) says what binding and running need: buffers,
steps, keys of kernels, guards. What explains a plan (graphs after each pass, nodes behind a
step) is not in it: `Compilation.plan` makes the whole plan when somebody asks.

Nothing is read or written while somebody watches the compiler (journal, permit, checker, dumps,
traces), with ops, rules or passes of a user's own, or with ``GRAPHC_PLANS=0``.
"""

from __future__ import annotations

import base64
import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from graphc import errors, ir, ops, passes, runtime
from graphc.ir.digest import digest
from graphc.ir.dims import Dim, Expr, Facts, Func, Symbol, substitute
from graphc.ir.dtypes import DTYPES, DType
from graphc.ir.graph import Graph
from graphc.ir.registry import FOREIGN, REGIONS
from graphc.runtime import llvm
from graphc.runtime.llvm import codegen, jit
from graphc.runtime.llvm.cpu import host
from graphc.runtime.steps import Buf, Code, StepSpec

__all__ = ["StoredPlan", "find", "keep", "key_of", "wanted"]

#: Nodes below which a graph is compiled sooner than found.
SMALL = 8
#: Nodes from which on writing a plan costs a first run too much (100,000: 2 s of 21).
HUGE = 50_000
#: Bytes of a constant that no recorded node holds, beyond which a plan is not stored.
INLINE = 1 << 18
_PLACES = frozenset({"feed", "var", "out", "arena", "counters", "kept", "written"})
_TYPES = {t.code: t for t in DTYPES}
Keys = dict[int, list[tuple[str, str]]]


class _NotStored(Exception):
    """Something in a plan has no form on disk."""


@dataclass
class StoredPlan:
    """As much of a `Plan` as running it needs."""

    steps: list[StepSpec]
    out_types: list[tuple[DType, tuple[Dim, ...]]]
    updates: list[tuple[str, DType, tuple[Dim, ...]]]
    facts: Facts
    limit: int = 0


class _Loops(NamedTuple):
    """What binding asks of a kernel."""

    sizes: tuple[Symbol, ...]
    units: Dim


class _Product(NamedTuple):
    """What binding asks of a contraction."""

    dtype: DType
    ta: bool
    tb: bool
    m: Dim
    n: Dim
    k: Dim
    batch: Dim
    a_shared: bool
    b_shared: bool
    outputs: tuple[DType, ...]
    panels: bool
    chain: Dim
    kernel: _Loops


class _Step(StepSpec):
    """A step whose node is not known."""

    stored_weight = 0

    @property
    def weight(self) -> int:
        return self.stored_weight


# ----------------------------------------------------------------------------------- keys


def wanted() -> bool:
    """Whether plans may be kept, and nothing of a user's own is in the compiler."""
    return not FOREIGN and os.environ.get("GRAPHC_PLANS", "1") not in ("", "0")


def key_of(g: Graph, settings: Sequence[Any]) -> str:
    """The key of the plan of a pure graph under these settings; "" where it is not kept."""
    if len(g.nodes()) >= HUGE:
        return ""
    if len(g.nodes()) < SMALL and not any(n.op.name in REGIONS for n in g.nodes()):
        return ""
    world = _world()
    found = digest(g) if world else None
    if found is None:
        return ""
    return f"plan|{found.hex()}|{tuple(settings)!r}|{world}"


@lru_cache(maxsize=1)
def _world() -> str:
    """The state of graphc's sources and what else decides how a graph is compiled.

    As Python does for its byte code, this trusts the time and size of a source file, and besides
    the time of its inode, which nobody sets. "" where there are no such files.
    """
    cpu = host()
    found: list[Any] = [sys.version, np.__version__, cpu.vector_bytes]
    found += [cpu.has_fma, cpu.has_f16, cpu.has_bf16, cpu.l1d, cpu.l2, cpu.l3]
    try:
        for package in (errors, ir, ops, passes, runtime, llvm):
            folder = os.path.dirname(os.path.abspath(package.__file__ or ""))
            with os.scandir(folder) as entries:
                files = [(e.name, e.stat()) for e in entries if e.name.endswith(".py")]
            if not files:
                return ""
            found += sorted((name, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for name, s in files)
    except OSError:
        return ""
    return repr(found)


# ----------------------------------------------------------------------------------- writing


def keep(key: str, plan: Any, given: Graph, keys: Keys, variants: Mapping[int, str]) -> bool:
    """Write what running `plan`, made of the pure graph `given`, needs; whether that is possible.

    Parameters
    ----------
    keys : dict
        For each step of a kernel its phases, each with the key of its code.
    variants : dict
        The kernels chosen for matrix products.
    """
    try:
        body = json.dumps(_Writer(plan, given).image(keys, variants), separators=(",", ":"))
    except _NotStored:
        return False
    return jit.store_entry(key, body.encode())


class _Writer:
    def __init__(self, plan: Any, given: Graph) -> None:
        self.plan = plan
        self.constants = _constants(given)
        self.places = {s: i for i, s in enumerate(plan.steps)}
        self.numbers: dict[int, int] = {}  # of buffers, by id
        self.buffers: list[Any] = []

    def image(self, keys: Keys, variants: Mapping[int, str]) -> dict[str, Any]:
        plan = self.plan
        if plan.limit or plan.facts.fed or plan.revocable:
            raise _NotStored
        return {
            "steps": [
                self.step(s, keys.get(i, []), variants.get(i)) for i, s in enumerate(plan.steps)
            ],
            "buffers": self.buffers,
            "outs": [[t.code, _dims(shape)] for t, shape in plan.out_types],
            "updates": [[name, t.code, _dims(shape)] for name, t, shape in plan.updates],
            "guards": [
                [op, _dim(a), _dim(b), answer] for (op, a, b), answer in plan.facts.guards.items()
            ],
        }

    def step(self, s: StepSpec, keys: list[tuple[str, str]], variant: str | None) -> list[Any]:
        code, c = s.code, s.code.contraction
        product = None
        if c is not None:
            product = [
                c.dtype.code, c.ta, c.tb, *_dims((c.m, c.n, c.k, c.batch)), c.a_shared, c.b_shared,
                [t.code for t in c.outputs], c.panels, _dim(c.chain),
            ]  # fmt: skip
        given = {Symbol(k): d for k, d in s.attrs.items()}
        numbers = {f"#{i}": substitute(n, given) for i, n in enumerate(code.numbers)}
        return [
            code.name, _dim(code.kernel.units),
            [*[x.name for x in code.kernel.sizes], *numbers], product,
            [self.buffer(b) for b in s.binds], s.commit, s.varies,
            [[k, _dim(d)] for k, d in (s.attrs | numbers).items()], s.weight, keys, variant,
            [self.place(s.panels), self.place(s.target), s.label,
             None if s.ahead is None else [self.places[x] for x in s.ahead]],
        ]  # fmt: skip

    def place(self, s: StepSpec | None) -> int | None:
        return None if s is None else self.places[s]

    def buffer(self, b: Buf) -> int:
        at = self.numbers.get(id(b))
        if at is None:
            at = self.numbers[id(b)] = len(self.buffers)
            self.buffers.append(
                [b.kind, b.dtype.code, _dim(b.count), b.index, b.name, self.data(b), b.first,
                 b.last]
            )  # fmt: skip
        return at

    def data(self, b: Buf) -> Any:
        if b.kind == "scratch":
            return _dim(b.data)
        if b.kind != "const":
            if b.kind not in _PLACES:
                raise _NotStored
            return None
        a = np.asarray(b.data)
        at = self.constants.get(_where(a))
        if at is not None:
            return at
        if a.dtype.hasobject:
            raise _NotStored
        one = np.ascontiguousarray(a).reshape(-1)[:1].tobytes()
        same = bool(one) and a.tobytes() == one * a.size
        if not same and a.nbytes > INLINE:
            raise _NotStored
        return [a.dtype.str, list(a.shape), base64.b64encode(one if same else a.tobytes()).decode()]


def _constants(g: Graph) -> dict[Any, int]:
    """The places of a graph's constants among its nodes, by where their values lie."""
    nodes = enumerate(g.nodes())
    found = {_where(n.attrs["value"]): i for i, n in nodes if n.op.name == "constant"}
    found.pop(None, None)
    return found


def _where(value: Any) -> Any:
    """The bytes of an array: those of another one there are the same."""
    a = np.asarray(value)
    if not a.flags.c_contiguous or a.nbytes <= INLINE:
        return None
    return a.ctypes.data, a.nbytes, a.dtype.str


def _dim(d: Any) -> Any:
    """A size: a number, or the terms of its expression."""
    if type(d) is int:
        return d
    return [[[_atom(a) for a in monomial], c] for monomial, c in d.terms]


def _atom(a: Any) -> Any:
    return a.name if isinstance(a, Symbol) else [a.op, _dim(a.a), _dim(a.b)]


def _dims(shape: Sequence[Dim]) -> list[Any]:
    return [_dim(d) for d in shape]


# ----------------------------------------------------------------------------------- reading


class Found(NamedTuple):
    """A plan from disk, with its code."""

    plan: StoredPlan
    variants: dict[int, str]
    owners: dict[int, Any]


def find(key: str, given: Graph) -> Found | None:
    """The plan stored under `key`, if there is one and its kernels are there too."""
    body = jit.load_entry(key)
    if body is None:
        return None
    image = json.loads(body)
    reader = _Reader(image, given)
    steps = [reader.step(row) for row in image["steps"]]
    for s, row in zip(steps, image["steps"], strict=True):
        panels, target, s.label, ahead = row[11]
        s.panels = None if panels is None else steps[panels]
        s.target = None if target is None else steps[target]
        s.ahead = None if ahead is None else (steps[ahead[0]], steps[ahead[1]])
    keys = [row[9] for row in image["steps"]]
    code = codegen.load_all({key for row in keys for _, key in row})
    if code is None:
        return None
    owners = {
        i: {phase: (code[key], code[key].address("kernel")) for phase, key in row}
        for i, row in enumerate(keys)
    }
    variants = {i: row[10] for i, row in enumerate(image["steps"]) if row[10] is not None}
    for op, a, b, answer in image["guards"]:
        given.facts.guards[op, reader.dim(a), reader.dim(b)] = answer
    plan = StoredPlan(
        steps,
        [(_TYPES[t], reader.dims(shape)) for t, shape in image["outs"]],
        [(name, _TYPES[t], reader.dims(shape)) for name, t, shape in image["updates"]],
        given.facts,
    )
    return Found(plan, variants, owners)


class _Reader:
    def __init__(self, image: Mapping[str, Any], given: Graph) -> None:
        self.nodes = given.nodes()
        self.codes: dict[str, Code] = {}
        self.buffers = [self.buffer(*row) for row in image["buffers"]]

    def dim(self, d: Any) -> Dim:
        if type(d) is int:
            return d
        return Expr(tuple([(tuple([self.atom(a) for a in m]), c) for m, c in d]))

    def atom(self, a: Any) -> Symbol | Func:
        return Symbol(a) if type(a) is str else Func(a[0], self.dim(a[1]), self.dim(a[2]))

    def dims(self, row: Sequence[Any]) -> tuple[Dim, ...]:
        return tuple([self.dim(d) for d in row])

    def buffer(
        self, kind: str, dtype: str, count: Any, index: int, name: str, data: Any,
        first: int, last: int,
    ) -> Buf:  # fmt: skip
        if kind == "scratch":
            data = self.dim(data)
        elif kind == "const":
            data = self.constant(data)
        b = Buf(kind, _TYPES[dtype], self.dim(count), index, name, data)
        b.first, b.last = first, last
        return b

    def constant(self, data: Any) -> Any:
        if type(data) is int:
            return self.nodes[data].attrs["value"]
        dtype, shape, text = data
        a = np.frombuffer(base64.b64decode(text), np.dtype(dtype))
        return (a if a.size == math.prod(shape) else np.full(shape, a[0], a.dtype)).reshape(shape)

    def step(self, row: Sequence[Any]) -> StepSpec:
        name, units, sizes, product, binds, commit, varies, attrs, weight, *_ = row
        kernel: Any = _Loops(tuple([Symbol(x) for x in sizes]), self.dim(units))
        contraction: Any = None
        if product is not None:
            t, ta, tb, m, n, k, batch, a_shared, b_shared, outs, panels, chain = product
            contraction = _Product(
                _TYPES[t], ta, tb, self.dim(m), self.dim(n), self.dim(k), self.dim(batch),
                a_shared, b_shared, tuple([_TYPES[x] for x in outs]), panels, self.dim(chain),
                kernel,
            )  # fmt: skip
        nowhere: Any = None
        s = _Step(
            Code(name, kernel, contraction), [self.buffers[i] for i in binds], nowhere,
            commit=commit, varies=varies, attrs={k: self.dim(d) for k, d in attrs},
        )  # fmt: skip
        s.stored_weight = weight
        return s
