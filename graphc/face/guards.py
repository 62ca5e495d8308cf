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
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value, type_text
from graphc.ops.record import Op, as_value
from graphc.passes.verify import verify

__all__ = ["Site", "blamed", "expanding", "gradient", "lowering", "rewriting", "scalar"]


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
        return tuple(g if g is None else as_value(g) for g in each)

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
        with blamed(f"`expand` of op {made.name!r}"):
            out = f(*inputs, **attrs)
            each = list(out) if isinstance(out, list | tuple) else [as_value(out)]
        if _holds(made, each, inputs, attrs):
            raise CompileError(f"`expand` of op {made.name!r} makes {made.name!r} again: no end")
        want = list(made.infer(inputs, attrs))
        have = [v.type for v in each]
        if [tuple(t) for t in have] != [tuple(t) for t in want]:
            raise CompileError(
                f"`expand` of op {made.name!r} gives {', '.join(map(type_text, have))}, but it "
                f"infers {', '.join(map(type_text, want))}"
            )
        return each[0] if len(each) == 1 else tuple(each)

    return checked


def _holds(
    made: Op, results: Sequence[Value], inputs: Sequence[Value], attrs: dict[str, Any]
) -> bool:
    """Whether results of an op are made of itself, of like operands and attributes."""
    types = [v.type for v in inputs]
    seen = {v.node for v in inputs}
    stack = [v.node for v in results]
    while stack:
        n = stack.pop()
        if n in seen:
            continue
        if n.op is made and n.attrs == attrs and [v.type for v in n.inputs] == types:
            return True
        seen.add(n)
        stack += [v.node for v in n.inputs]
    return False


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
        before, after = ([v.type for v in x.roots] for x in (g, out))
        if before != after:
            raise CompileError(
                f"pass {name!r} changes the results from {', '.join(map(type_text, before))} to "
                f"{', '.join(map(type_text, after))}"
            )
        return verify(out, name)

    return checked
