"""What is said of runs that cannot be, or that fail."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from graphc.errors import CompileError, InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir.dims import Symbol
from graphc.ir.node import Node
from graphc.ir.region import context_of
from graphc.ops.record import meaning
from graphc.passes.cuts import has_effect
from graphc.passes.reach import live
from graphc.passes.run_errors import run_error
from graphc.runtime.feeds import from_storage
from graphc.runtime.llvm.entry import DIMS, SLOW

if TYPE_CHECKING:
    from graphc.runtime.compilation import Bound
    from graphc.runtime.runs import Run

__all__ = ["failed", "missing_feed", "with_numbers"]


def with_numbers(message: str, env: Mapping[Symbol, int], position: int) -> str:
    """A kernel's message with numbers for ``<position>``, sizes ``<n>`` and ranges ``[0, n)``."""
    from graphc.errors import ParseError
    from graphc.ir.tokens import Tokens, parse_dim

    sizes = {**env, Symbol("position"): position}

    def known(m: re.Match[str]) -> str:
        try:
            n = D.evaluate(parse_dim(Tokens(m[1] or m[2])), sizes)
        except (ParseError, KeyError):
            return m[0]
        return str(n) if m[1] else f"[0, {n})"

    return re.sub(r"<([^<>]+)>|\[0, ([^\[\]]+?)\)(?!\))", known, message)


def missing_feed(n: Node) -> str:
    """TF1's text for a placeholder that was not fed."""
    v = n.outputs[0]
    names = {"float32": "float", "float64": "double"}
    s = v.static_shape
    shape = (
        "" if not s else f" and shape [{','.join(str(d) if type(d) is int else '?' for d in s)}]"
    )
    return (
        f"You must feed a value for placeholder tensor '{n.name}' with dtype "
        f"{names.get(v.dtype.name, v.dtype.name)}{shape}\n\t [[node {n.name}]]"
    )


def failed(r: Run, b: Bound, code: int, arrays: Sequence[np.ndarray[Any, Any]]) -> NoReturn:
    """Raise what a program that stopped at a check means, with the node and the line."""
    status = b.program.status()
    if code in (SLOW, DIMS):
        v = r.feeds[status.argument] if status.argument < len(r.feeds) else None
        raise CompileError(f"argument {status.argument} ({v!r}) does not fit its binding")
    if code < 0:
        raise CompileError(f"run stopped with code {code}")
    spec = b.steps[status.step]
    number, message = spec.checks[code - 1]
    node = spec.node
    body = node.attrs.get("body")
    if isinstance(number, Node):
        node = number
    elif body is not None:
        node = [n for n in body.nodes() if n.op.name not in ("input", "constant")][number]
    try:
        recorded = r.executor.graph.get_operation_by_name(node.name)
    except (KeyError, ValueError, AttributeError):
        recorded = None
    message = with_numbers(message, b.env, status.position)
    if recorded is not None:
        message = explain(r, recorded, arrays) or message
    raise InvalidArgumentError(None, recorded, run_error(node, message))


def explain(r: Run, n: Node, arrays: Sequence[np.ndarray[Any, Any]]) -> str:
    """What the numpy meaning of a failed op says: it names the element."""
    try:
        if context_of(n) is not r.home:
            from graphc.runtime import words  # rarely needed

            return words.inside(r, n, arrays)
        inputs = live(n.inputs, (), (), r.feeds, r.done, r.home).nodes
        if any(map(has_effect, inputs)):
            return ""
        run = type(r)(
            r.executor, tuple(n.inputs), (), r.feeds, True, r.made, r.done,
            tuple([n] * len(n.inputs)), True, r.home,
        )  # fmt: skip
        feeds = zip(arrays, r.feeds, strict=True)
        values = run(*[from_storage(a, v.dtype) for a, v in feeds])
        meaning(n.op, [np.asarray(a) for a in values], n.attrs, [v.type for v in n.outputs])
    except (InvalidArgumentError, ValueError) as e:
        return str(e).split("\n", 1)[0]
    except Exception:  # this only looks for better words
        pass
    return ""
