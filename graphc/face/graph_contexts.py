"""What graph methods give for with: scopes, control dependencies, transactions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphc.ir import build
from graphc.ir.node import Node

if TYPE_CHECKING:
    from graphc.face.graph import Graph


class DefaultGraph:
    """``with graph.as_default():``."""

    __slots__ = ("enforce", "graph")

    def __init__(self, graph: Graph, enforce: bool = True) -> None:
        self.graph = graph
        self.enforce = enforce

    def __enter__(self) -> Graph:
        build._stack.items.append(self.graph)
        return self.graph

    def __exit__(self, *exc: object) -> None:
        items = build._stack.items
        if items and items[-1] is self.graph:
            items.pop()
            return
        if self.enforce:
            raise AssertionError(
                f"Nesting violated for default stack of {type(self.graph)} objects"
            )
        for i in range(len(items) - 1, -1, -1):
            if items[i] is self.graph:
                del items[i]
                break


class GraphNameScope:
    """``with graph.name_scope(name):``."""

    __slots__ = ("graph", "name", "old")

    def __init__(self, graph: Graph, name: str | None) -> None:
        self.graph = graph
        self.name = name
        self.old = ""

    def __enter__(self) -> str:
        g, name = self.graph, self.name
        self.old = old = g._scope
        if not name:
            g._scope = ""
            return ""
        if isinstance(name, bytes):
            name = name.decode()
        if name not in valid_names:
            check_name(name, bool(old), "scope")
        g._scope = scope = name if name[-1] == "/" else g.unique_name(name) + "/"
        return scope

    def __exit__(self, *exc: object) -> None:
        self.graph._scope = self.old


class FunctionScope(GraphNameScope):
    """The scope of a function made of several ops; a failure inside leaves the graph as it was."""

    __slots__ = ("mark",)

    def __enter__(self) -> str:
        self.mark = self.graph._begin()
        try:
            return super().__enter__()
        except BaseException:
            self.graph._end(self.mark, failed=True)
            raise

    def __exit__(self, kind: Any = None, *exc: object) -> None:
        self.graph._scope = self.old
        self.graph._end(self.mark, kind is not None)


class Transaction:
    """``with graph.transaction():`` undoes everything recorded inside when an error leaves it."""

    __slots__ = ("graph", "mark")

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __enter__(self) -> Graph:
        self.mark = self.graph._begin()
        return self.graph

    def __exit__(self, kind: Any = None, *exc: object) -> None:
        self.graph._end(self.mark, kind is not None)


class Controls:
    """``with graph.control_dependencies(inputs):``."""

    __slots__ = ("context", "control", "graph", "old")

    def __init__(self, graph: Graph, control: tuple[Node, ...] | None) -> None:
        self.graph = graph
        self.control = control
        self.old: tuple[Node, ...] = ()
        self.context: Any = None

    def __enter__(self) -> None:
        g = self.graph
        self.old, self.context = g._control, g.context
        if self.control is None:
            g._control = ()
            g.context = None  # TF1: what has no control inputs is in no construct either
        else:
            g._control = tuple(dict.fromkeys(self.old + self.control))

    def __exit__(self, *exc: object) -> None:
        self.graph._control = self.old
        self.graph.context = self.context


class Overrides:
    """``with graph.gradient_override_map(map):``."""

    __slots__ = ("graph", "map", "old")

    def __init__(self, graph: Graph, map: Mapping[str, str]) -> None:
        self.graph = graph
        self.map = map
        self.old: dict[str, str] = {}

    def __enter__(self) -> None:
        self.old = self.graph._overrides
        self.graph._overrides = {**self.old, **self.map}

    def __exit__(self, *exc: object) -> None:
        self.graph._overrides = self.old


class Nothing:
    """A context that does nothing: devices, colocation, containers."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        pass


nothing = Nothing()
_ROOT_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\-/]*")
_INNER_NAME = re.compile(r"[A-Za-z0-9_.\-/]*")
#: Names found to be valid anywhere.
valid_names: set[str] = set()


def check_name(name: str, inner: bool, what: str) -> None:
    if _ROOT_NAME.fullmatch(name):
        if len(valid_names) < 10_000:
            valid_names.add(name)
    elif not (inner and _INNER_NAME.fullmatch(name)):
        raise ValueError(f"'{name:.200}' is not a valid {what} name")
