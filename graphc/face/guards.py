"""Functions of a user's own inside the compiler: what they get wrong is said with their name.

`graphc.extend` wraps what it is given: a fault is a `CompileError` (at recording a ValueError) that
says which op, rule or pass, instead of wrong numbers or a traceback from the inside.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from graphc.errors import CompileError
from graphc.ir.graph import Graph, copy
from graphc.ir.node import Node, Value, behind, type_text
from graphc.ops.record import Op, as_value
from graphc.passes.returned import fitted
from graphc.passes.verify import verify

__all__ = [
    "Site", "blamed", "expanding", "gradient", "held", "lowering", "rewriting", "scalar",
]  # fmt: skip


@contextmanager
def blamed(whose: str) -> Iterator[None]:
    """Exceptions of a user's function say whose it is."""
    try:
        yield
    except CompileError:
        raise
    except Exception as e:
        raise CompileError(f"{whose} raises {type(e).__name__}: {e}") from e


def gradient(made: Op, f: Callable[..., Any]) -> Callable[..., Any]:
    """The gradient of an op: one tensor or None for each operand."""

    @functools.wraps(f)
    def checked(y: Any, dy: Any, *inputs: Value, **attrs: Any) -> Any:
        out = f(y, dy, *inputs, **attrs)
        each = tuple(out) if isinstance(out, list | tuple) else (out,)
        if len(each) != len(inputs):
            raise ValueError(
                f"the gradient of op {made.name!r} gives {len(each)} values, but it has "
                f"{len(inputs)} operands"
            )
        n = (y if isinstance(y, Value) else y[0]).node
        return tuple(fitted(each, n, wide=made.family == "elementwise" and len(inputs) > 1))

    return checked


def scalar(name: str, f: Callable[..., Any]) -> Callable[..., Any]:
    """What an elementwise op emits."""

    @functools.wraps(f)
    def checked(k: Any, *values: Any, **attrs: Any) -> Any:
        with blamed(f"`scalar` of op {name!r}"):
            out = f(k, *values, **attrs)
        if not hasattr(out, "dtype"):
            raise CompileError(
                f"`scalar` of op {name!r} gives {type(out).__name__}, not a value of the kernel "
                "(`k.like(1.0, x)` makes one of a number)"
            )
        return out

    return checked


def expanding(made: Op, f: Callable[..., Any]) -> Callable[..., Any]:
    """What an op is made of has the types that its record infers."""

    @functools.wraps(f)
    def checked(*inputs: Value, **attrs: Any) -> Any:
        whose = f"`expand` of op {made.name!r}"
        try:
            out = f(*inputs, **attrs)
            each = list(out) if isinstance(out, list | tuple) else [as_value(out)]
        except CompileError:
            raise
        except Exception as e:
            raise CompileError(f"{whose} raises {type(e).__name__}: {e}\n  {_WITHIN}") from e
        each = held(whose, each, inputs)
        want = list(made.infer(inputs, attrs))
        have = [v.type for v in each]
        if [tuple(t) for t in have] != [tuple(t) for t in want]:
            raise CompileError(
                f"{whose} gives {', '.join(map(type_text, have))}, but it infers "
                f"{', '.join(map(type_text, want))}"
            )
        return each[0] if len(each) == 1 else tuple(each)

    return checked


#: What functions that build nodes inside the compiler may build.
_WITHIN = (
    "(it gets values of a graph that is being compiled, whose sizes `static_shape` knows, and "
    "makes ops on them and on constants: no variables, placeholders, random numbers, loops or "
    "Python functions; what needs these takes them as operands)"
)


def held(whose: str, results: Sequence[Any], inputs: Sequence[Value]) -> list[Value]:
    """`results` of a user's function on `inputs`, without what only recording has.

    Identities are what they are of.

    Raises
    ------
    CompileError
        For a node that a graph being compiled cannot hold.
    """
    new: dict[Value, Value] = {}
    for n in made_between(results, inputs):
        ins = tuple(new.get(v, v) for v in n.inputs)
        if n.op.facts.get("alias") and len(ins) == 1:
            new[n.outputs[0]] = ins[0]
        elif not _can_be_held(n):
            raise CompileError(f"{whose} makes the op {n.op.name!r}\n  {_WITHIN}")
        elif ins != n.inputs:
            for v, w in zip(n.outputs, copy(n, ins).outputs, strict=True):
                new[v] = w
    return [new.get(v, v) for v in results]


def made_between(results: Sequence[Value], inputs: Sequence[Value]) -> list[Node]:
    """The nodes from `inputs` to `results`, inputs first."""
    return sorted(behind(results, set(inputs), control=False), key=lambda n: n.id)


def _can_be_held(n: Node) -> bool:
    r = n.op
    if r.family == "random":
        return "stream" in n.attrs
    how = r.scalar or r.element or r.combine or r.expand or r.lower or r.dims
    return bool(
        how or r.facts.get("reshape") or r.name in _HELD
        or r.family in ("contraction", "convolution", "fused")
    )  # fmt: skip


_HELD = frozenset({"constant", "blank", "input", "read", "sizes", "while", "cond"})


class Site:
    """Where an op builds its loops; sees which results they write."""

    def __init__(self, site: Any) -> None:
        self._site = site
        self.written: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._site, name)

    def step(self, kernel: Any, binds: Sequence[Any], *args: Any, **named: Any) -> None:
        """Run `kernel` on buffers, in the order of its parameters."""
        if len(binds) != len(kernel.params):
            raise CompileError(
                f"kernel {kernel.name!r} has {len(kernel.params)} parameters, got {len(binds)} "
                "buffers"
            )
        for p, b in zip(kernel.params, binds, strict=True):
            if p.direction != "in":
                self.written.add(id(b))
        self._site.step(kernel, binds, *args, **named)


def lowering(name: str, f: Callable[[Node, Any], None]) -> Callable[[Node, Any], None]:
    """The loops of an op write all its results."""

    @functools.wraps(f)
    def checked(n: Node, site: Any) -> None:
        watched = Site(site)
        with blamed(f"`lower` of op {name!r}"):
            f(n, watched)
        for i in range(len(n.outputs)):
            if id(site.output(i)) not in watched.written:
                raise CompileError(f"`lower` of op {name!r}: no kernel writes result {i}")

    return checked


def rewriting(name: str, f: Callable[[Graph], Graph]) -> Callable[[Graph], Graph]:
    """A pass gives a valid graph with results of the same types."""

    @functools.wraps(f)
    def checked(g: Graph) -> Graph:
        with blamed(f"pass {name!r}"):
            out = f(g)
        if not isinstance(out, Graph):
            raise CompileError(f"pass {name!r} gives {type(out).__name__}, not a graph")
        out = _without_recorded(name, g, out)
        before, after = ([v.type for v in x.roots] for x in (g, out))
        if before != after:
            raise CompileError(
                f"pass {name!r} changes the results from {', '.join(map(type_text, before))} to "
                f"{', '.join(map(type_text, after))}"
            )
        return verify(out, name)

    return checked


def _without_recorded(name: str, g: Graph, out: Graph) -> Graph:
    """What a pass made of `g`, without identities; an error for what only recording has."""
    old = set(g.nodes())
    fresh = [n for n in out.nodes() if n not in old]
    known = {n.op for n in old}
    aliases = {n.op.name for n in fresh if n.op.facts.get("alias") and n.op not in known}
    for n in fresh:
        if n.op not in known and n.op.name not in aliases and not _can_be_held(n):
            raise CompileError(f"pass {name!r} makes the op {n.op.name!r}\n  {_WITHIN}")
    return out.rebuild(lambda n, inputs: inputs[0], ops=aliases) if aliases else out
