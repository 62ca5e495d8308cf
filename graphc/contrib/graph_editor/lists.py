"""What counts as a list of operations or of tensors, and who reads and makes which."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from graphc.face.elements import Operation, Tensor
from graphc.face.graph import Graph
from graphc.face.variables import Variable
from graphc.ops.state import placeholder

__all__ = [
    "ControlOutputs", "can_be_regex", "check_cios", "filter_ops", "filter_ops_from_regex",
    "filter_ts", "filter_ts_from_regex", "get_consuming_ops", "get_generating_ops", "get_tensors",
    "make_list_of_op", "make_list_of_t", "make_placeholder_from_dtype_and_shape",
    "make_placeholder_from_tensor", "make_regex", "ph", "placeholder_name", "unique",
]  # fmt: skip


def _flat(things: Any) -> Iterator[Any]:
    if isinstance(things, (list, tuple, set, frozenset)) or (
        hasattr(things, "__iter__") and not isinstance(things, (Tensor, Variable, str, bytes))
    ):
        for x in things:
            yield from _flat(x)
    else:
        yield things


def unique(*lists: Iterable[Any]) -> list[Any]:
    """All elements once, in the order of their first occurrence."""
    return list(dict.fromkeys(x for found in lists for x in found))


def _one_graph(things: list[Any]) -> None:
    graphs = unique(x.graph for x in things)
    if len(graphs) > 1:
        raise ValueError(f"Operation/Tensor are of different graphs: {things[0]!r} of one of them")


def _list_of(
    things: Any, kind: type, word: str, check_graph: bool, dropped: type | tuple[type, ...]
) -> list[Any]:
    """Things of one kind and one graph, those of the type `dropped` left out."""
    out = [x for x in things if not isinstance(x, dropped)]
    wrong = [x for x in out if not isinstance(x, kind)]
    if wrong:
        raise TypeError(f"Expected a list of tf.{word}, got {type(wrong[0])}: {wrong[0]!r}")
    if check_graph:
        _one_graph(out)
    return out


def _whole(allow_graph: bool) -> None:
    if not allow_graph:
        raise TypeError("allow_graph is False: cannot convert a tf.Graph.")


def make_list_of_op(
    ops: Any, check_graph: bool = True, allow_graph: bool = True, ignore_ts: bool = False
) -> list[Any]:
    """A list of operations, from a list, one operation, or a graph.

    Raises
    ------
    TypeError
        When something is no operation.
    """
    if isinstance(ops, Graph):
        _whole(allow_graph)
        return ops.get_operations()
    each = list(getattr(ops, "ops", None) or _flat(ops))
    each = [x.op if isinstance(x, Variable) else x for x in each]
    return _list_of(each, Operation, "Operation", check_graph, Tensor if ignore_ts else ())


def make_list_of_t(
    ts: Any, check_graph: bool = True, allow_graph: bool = True, ignore_ops: bool = False
) -> list[Any]:
    """A list of tensors, from a list, one tensor, or a graph.

    Raises
    ------
    TypeError
        When something is no tensor.
    """
    if isinstance(ts, Graph):
        _whole(allow_graph)
        return get_tensors(ts)
    each = [x._ref() if isinstance(x, Variable) else x for x in _flat(ts)]
    return _list_of(each, Tensor, "Tensor", check_graph, Operation if ignore_ops else ())


def get_tensors(graph: Any) -> list[Any]:
    """All tensors of a graph.

    Raises
    ------
    TypeError
        When it is no graph.
    """
    if not isinstance(graph, Graph):
        raise TypeError(f"Expected a graph, got: {type(graph)}")
    return [t for op in graph.get_operations() for t in op.outputs]


def get_generating_ops(ts: Any) -> list[Any]:
    """The operations that make the tensors."""
    return [t.op for t in make_list_of_t(ts, allow_graph=False)]


def get_consuming_ops(ts: Any) -> list[Any]:
    """The operations that read the tensors."""
    return unique(*[t.consumers() for t in make_list_of_t(ts, allow_graph=False)])


class ControlOutputs:
    """Which operations wait for which, by control.

    Parameters
    ----------
    graph : tf.Graph
    """

    def __init__(self, graph: Any) -> None:
        if not isinstance(graph, Graph):
            raise TypeError(f"Expected a tf.Graph, got: {type(graph)}")
        self._graph = graph
        self.update()

    def update(self) -> ControlOutputs:
        """Look at the graph again."""
        self._waiting: dict[Any, list[Any]] = {}
        for op in self._graph.get_operations():
            for before in op.control_inputs:
                self._waiting.setdefault(before, []).append(op)
        return self

    def get_all(self) -> dict[Any, list[Any]]:
        """All of them."""
        return self._waiting

    def get(self, op: Any) -> tuple[Any, ...]:
        """The operations that wait for one."""
        return tuple(self._waiting.get(op, ()))

    @property
    def graph(self) -> Any:
        return self._graph


def check_cios(
    control_inputs: bool = False, control_outputs: Any = None, control_ios: Any = None
) -> tuple[bool, Any]:
    """Whether walks go by control inputs, and the `ControlOutputs` for the other way.

    Raises
    ------
    ValueError
        When both forms are given.
    TypeError
        For another type.
    """
    if control_ios is not None:
        if not isinstance(control_ios, ControlOutputs):
            raise TypeError(f"Expected a util.ControlOutputs, got: {type(control_ios)}")
        if control_outputs is not None:
            raise ValueError("control_outputs should be None when using control_ios.")
        return True, control_ios
    if control_outputs is not None and not isinstance(control_outputs, ControlOutputs):
        raise TypeError(f"Expected a util.ControlOutputs, got: {type(control_outputs)}")
    return bool(control_inputs), control_outputs


# ------------------------------------------------------------------------------- by name


def can_be_regex(obj: Any) -> bool:
    """Whether something is a text or a compiled expression."""
    return isinstance(obj, (str, re.Pattern))


def make_regex(obj: Any) -> re.Pattern[str]:
    """The compiled expression.

    Raises
    ------
    ValueError
        When it can be none.
    """
    if not can_be_regex(obj):
        raise ValueError(f"Expected a string or a regex, got: {type(obj)}")
    return re.compile(obj) if isinstance(obj, str) else obj


def filter_ts(ops: Any, positive_filter: Any) -> list[Any]:
    """The tensors that operations read or make, as far as a function holds for them."""
    found = unique(*[[*op.inputs, *op.outputs] for op in make_list_of_op(ops)])
    return found if positive_filter is True else [t for t in found if positive_filter(t)]


def filter_ts_from_regex(ops: Any, regex: Any) -> list[Any]:
    """The tensors of operations whose name an expression finds."""
    expression = make_regex(regex)
    return filter_ts(ops, lambda t: expression.search(t.name))


def filter_ops(ops: Any, positive_filter: Any) -> list[Any]:
    """The operations for which a function holds."""
    found = make_list_of_op(ops)
    hold: Callable[[Any], Any] = (lambda op: True) if positive_filter is True else positive_filter
    return [op for op in found if hold(op)]


def filter_ops_from_regex(ops: Any, regex: Any) -> list[Any]:
    """The operations whose name an expression finds."""
    expression = make_regex(regex)
    return filter_ops(make_list_of_op(ops), lambda op: expression.search(op.name))


# ------------------------------------------------------------------------------- placeholders


def placeholder_name(t: Any = None, scope: str | None = None, prefix: str = "geph") -> str:
    """The name of a placeholder for a tensor."""
    if scope is not None:
        scope = scope if not scope or scope[-1] == "/" else scope + "/"
    if t is None:
        return f"{scope or ''}{prefix}"
    if not isinstance(t, Tensor):
        raise TypeError(f"Expected a tf.Tensor, got: {type(t)}")
    own, _, base = t.op.name.rpartition("/")
    if scope is None:
        scope = own + "/" if own else ""
    if base.startswith(prefix + "__"):  # of a tensor that is one already
        return f"{scope}{base}"
    return f"{scope}{prefix}__{base}_{t.index}"


def make_placeholder_from_tensor(t: Any, scope: str | None = None, prefix: str = "geph") -> Any:
    """A placeholder with type and shape of a tensor."""
    return placeholder(t.dtype, t.shape, name=placeholder_name(t, scope, prefix))


def make_placeholder_from_dtype_and_shape(
    dtype: Any, shape: Any = None, scope: str | None = None, prefix: str = "geph"
) -> Any:
    """A placeholder of this type and shape."""
    return placeholder(dtype, shape, name=placeholder_name(None, scope, prefix))


ph = make_placeholder_from_dtype_and_shape
