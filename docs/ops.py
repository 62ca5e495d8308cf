"""Examples of ops, run: what each gives, and which ops are in it at which stage.

An op is shown by the shortest example that has it; where an op on elements has a public name, the
example is made of the domain its tests draw from.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import io
import os
import pkgutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import graphc
import graphc as tf
from graphc.errors import InvalidArgumentError, OpError
from graphc.face import lazy
from graphc.face.dump import compile_run, kernels, passes_of, recorded
from graphc.face.names import EXPORTS
from graphc.ir.graph import Graph
from graphc.ir.text import print_graph
from graphc.ops.record import OPS, Op
from graphc.runtime.feeds import FeedError

__all__ = ["EXAMPLES", "Shown", "covered", "import_all", "made_for", "public_names", "show"]

#: Python, split by empty lines; the last line of each is what is computed.
EXAMPLES = (Path(__file__).parent / "examples.txt").read_text(encoding="utf-8").split("\n\n")


class Shown(NamedTuple):
    """An example that ran.

    Attributes
    ----------
    code, printed : str
    stages : dict
        Text by stage: ``"graph"``, passes, ``"kernels"``.
    ops : dict
        For each op in it the first stage that has it.
    """

    code: str
    printed: str
    stages: dict[str, str]
    ops: dict[str, str]


def import_all() -> None:
    """Import every module of graphc, so that every record is in the table."""
    for m in pkgutil.walk_packages(graphc.__path__, "graphc."):
        if not m.name.endswith("__main__"):
            importlib.import_module(m.name)


def public_names() -> dict[int, list[str]]:
    """The names under `tf` of what users call, by identity."""
    out: dict[int, list[str]] = {}
    for space in EXPORTS:
        for name in lazy._public(space):
            f = lazy.lookup(space, name)
            if f is not None:
                plain = inspect.unwrap(f) if callable(f) else f
                out.setdefault(id(plain), []).append(
                    f"tf.{space}.{name}" if space else f"tf.{name}"
                )
    return out


def made_for(r: Op, names: list[str]) -> str:
    """An example for an op on elements, from the numbers that its tests draw; "" for others."""
    plain = r.family in ("elementwise", "reduction") and r.name not in _NOT_PLAIN
    if not plain or not names or r.args[-1].startswith("*"):
        return ""
    low, high = (float(x) for x in r.sample[:2])
    numbers = {
        "f": [round(low + (high - low) * t, 2) for t in (0.1, 0.35, 0.6, 0.9)],
        "i": [6, 1, 3, 2], "u": [6, 1, 3, 2], "b": [True, False, True, False],
    }[r.types[0]]  # fmt: skip
    given = [numbers, numbers[::-1], numbers][: len(r.args)]
    lines = [
        f"{a} = tf.placeholder_with_default({x}, [None])"
        for a, x in zip(r.args, given, strict=True)
    ]
    return "\n".join([*lines, f"{names[0]}({', '.join(r.args)})"])


#: Ops on elements whose functions take more than operands.
_NOT_PLAIN = frozenset("bitcast cast select select_rows clip_by_value".split())


def show(code: str, run: bool = True) -> Shown:
    """Run an example in a graph and a folder of its own (or only compile it)."""
    tree = ast.parse(code)
    last = tree.body.pop()
    assert isinstance(last, ast.Expr)
    scope: dict[str, Any] = {"tf": tf, "np": np}
    with _folder(), tf.Graph().as_default() as graph, contextlib.redirect_stderr(io.StringIO()):
        exec(compile(tree, "example", "exec"), scope)
        value = eval(compile(ast.Expression(last.value), "example", "eval"), scope)
        asked = tuple(graph.get_operations())
        with tf.Session() as sess:
            sess.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
            sess.run(tf.tables_initializer())
            coordinator = tf.train.Coordinator()
            if tf.get_collection(tf.GraphKeys.QUEUE_RUNNERS):
                tf.train.start_queue_runners(sess, coordinator)
            feed = {**_defaults(asked, sess), **scope.get("feed", {})} if run else None
            printed = _printed(sess.run(value, feed)) if run else ""
            stages = {"graph": recorded(asked)}
            ops = dict.fromkeys([n.op.name for n in asked], "graph")
            for c in _compiled(value, sess, feed):
                for name, g in [("pure", c.frozen.graph), *((s, r.graph) for s, r in passes_of(c))]:
                    stages.setdefault(name, print_graph(g))
                    for op in _ops(g):
                        ops.setdefault(op, name)
                text = kernels(c)
                stages["kernels"] = "\n\n".join(t for t in (stages.get("kernels"), text) if t)
            coordinator.request_stop()
    return Shown(code.strip("\n"), printed, stages, ops)


def _defaults(nodes: Iterable[Any], sess: Any) -> dict[Any, Any]:
    """Placeholders fed with their defaults, which would be known before the run otherwise."""
    found = [n for n in nodes if n.op.name == "placeholder_with_default"]
    return {n.outputs[0]: sess.run(n.inputs[0]) for n in found}


def _compiled(value: Any, sess: Any, feed: Any) -> list[Any]:
    """The native parts; none where what comes after the host needs values that only a run has."""
    try:
        return [part.compilation for part in compile_run(value, feed, sess)]
    except (InvalidArgumentError, FeedError):
        return []


@contextlib.contextmanager
def _folder() -> Iterator[None]:
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def _ops(g: Graph) -> Iterator[str]:
    """The ops of a graph, of its regions and of fused bodies."""
    for n in g.nodes():
        yield n.op.name
        for a in n.attrs.values():
            if isinstance(a, Graph):
                yield from _ops(a)


def _printed(x: Any) -> str:
    """Results as text, numbers to five digits."""
    with np.printoptions(precision=5, suppress=True, linewidth=90, threshold=60):
        each = x if isinstance(x, list) else [x]
        return "\n".join(_one(v) for v in each)


def _one(v: Any) -> str:
    if isinstance(v, bytes) and len(v) > 60:
        return f"{v[:50]!r}... ({len(v)} bytes)"
    if isinstance(v, list | tuple):
        return "\n".join(_one(e) for e in v)
    return str(v) if isinstance(v, np.ndarray) else repr(v)


def covered() -> dict[str, Shown]:
    """For each op the example that shows it.

    Raises
    ------
    RuntimeError
        For ops that no example has, and for examples that fail.
    """
    import_all()
    names = public_names()
    found: dict[str, Shown] = {}
    wrong: list[str] = []

    def attempt(code: str) -> Shown | None:
        try:
            return show(code)
        except (OpError, ValueError, TypeError, RuntimeError, AttributeError) as e:
            wrong.append(f"{type(e).__name__}: {e} in\n{code}")
            return None

    for made in filter(None, map(attempt, EXAMPLES)):
        for op in made.ops:
            found[op] = min(found.get(op, made), made, key=lambda s: _fit(s, op, names))
    for r in list(OPS.values()):
        code = made_for(r, names.get(id(r.call), []))
        made = attempt(code) if code else None
        if made is not None:
            found[r.name] = made
    wrong += [
        f"no example in docs/examples.txt has the op {name}"
        for name in OPS
        if name not in {*found, *_OTHERS}
    ]
    if wrong:
        raise RuntimeError("\n\n".join(wrong))
    return found


def _fit(s: Shown, op: str, names: dict[int, list[str]]) -> tuple[bool, bool, int]:
    """The smaller the better an example shows an op: it names it, records it, is short."""
    r = OPS[op]
    called = [f"{n}(" for n in names.get(id(r.call), [])] or [f"{op}("]
    return not any(n in s.code for n in called), s.ops[op] != "graph", len(s.code)


#: Ops of no run: of patterns, and of imported graphs.
_OTHERS = {"wildcard", "foreign", "dataset_handle", "reader_handle"}

if __name__ == "__main__":
    for name, s in sorted(covered().items()):
        print(f"{name}: {s.ops.get(name)}: {s.code.splitlines()[-1]}", file=sys.stdout)
