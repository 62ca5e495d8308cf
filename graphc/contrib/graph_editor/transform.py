"""Copies of a part of a graph, with some of what it reads replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphc.contrib.graph_editor.lists import make_list_of_t, make_placeholder_from_tensor
from graphc.contrib.graph_editor.select import get_walks_intersection_ops
from graphc.contrib.graph_editor.views import SubGraphView, as_view
from graphc.face.current import control_dependencies, name_scope
from graphc.face.elements import Operation, Tensor
from graphc.face.graph import Graph
from graphc.face.graph_keys import GraphKeys
from graphc.face.rewiring import holds_contexts

__all__ = [
    "Transformer", "TransformerInfo", "assign_renamed_collections_handler", "copy",
    "copy_op_handler", "copy_with_input_replacements", "graph_replace",
    "keep_t_if_possible_handler", "replace_t_with_placeholder_handler",
    "transform_op_if_inside_handler",
]  # fmt: skip


def replace_t_with_placeholder_handler(info: Any, t: Any) -> Any:
    """A placeholder in the place of a tensor that is not copied."""
    with info.graph_.as_default():
        return make_placeholder_from_tensor(t, scope=info.scope_)


def keep_t_if_possible_handler(info: Any, t: Any) -> Any:
    """The tensor itself, where the copy is in the same graph; else a placeholder."""
    return t if info.graph is info.graph_ else replace_t_with_placeholder_handler(info, t)


def assign_renamed_collections_handler(info: Any, elem: Any, elem_: Any) -> None:
    """Put a copy into the collections in which the original is."""
    known = {v for k, v in vars(GraphKeys).items() if not k.startswith("_")}
    for name in info.graph.get_all_collection_keys():
        if elem in info.graph.get_collection(name):
            key = name if name in known or not isinstance(name, str) else info.new_name(name)
            info.graph_.add_to_collection(key, elem_)


def transform_op_if_inside_handler(info: Any, op: Any, keep_if_possible: bool = True) -> Any:
    """The copy of an operation of the part; others as they are where the graph is the same."""
    if op in info.sgv.ops:
        return info.transformed(op)
    return op if keep_if_possible and info.graph is info.graph_ else None


def copy_op_handler(
    info: Any, op: Any, new_inputs: Any, copy_shape: bool = False, nodedef_fn: Any = None
) -> tuple[Any, Any]:
    """Record an operation again, on other inputs.

    Returns
    -------
    op, outputs
    """
    graph = info.graph_
    if op in op.graph.contexts or holds_contexts(op):
        raise NotImplementedError(
            f"{op.name} is a loop or a cond or inside of one: what these hold is not copied. "
            "tf.import_graph_def of the exported graph copies them, with input_map."
        )
    made = graph.add(op.op, tuple(new_inputs), op.attrs, info.new_name(op.name))
    if copy_shape:
        for old, new in zip(op.outputs, made.outputs, strict=True):
            new.set_shape(old.shape)
    return made, made.outputs


class TransformerInfo:
    """What became of what.

    Parameters
    ----------
    info
        What the `Transformer` keeps.
    """

    def __init__(self, info: Any) -> None:
        self._graph, self._scope = info.graph, info.scope
        self._graph_, self._scope_ = info.graph_, info.scope_
        self._transformed_ops: dict[Any, Any] = info.ops
        self._transformed_ts: dict[Any, Any] = info.ts

    def _all(self) -> dict[Any, Any]:
        return {**self._transformed_ops, **self._transformed_ts}

    def _look(self, top: Any, table: Mapping[Any, Any], missing_fn: Any) -> Any:
        if isinstance(top, SubGraphView):
            ops = [table[op] for op in top.ops if op in table]
            made = SubGraphView(ops)
            return made.remap(
                [table[t] for t in top.inputs if table.get(t) in made.inputs],
                [table[t] for t in top.outputs if table.get(t) in made.outputs],
            )
        if isinstance(top, (list, tuple)):
            return type(top)(self._look(t, table, missing_fn) for t in top)
        if isinstance(top, dict):
            return {k: self._look(t, table, missing_fn) for k, t in top.items()}
        found = table.get(getattr(top, "_ref", lambda: top)())
        return missing_fn(top) if found is None and missing_fn is not None else found

    def transformed(self, original: Any, missing_fn: Any = None) -> Any:
        """The copy of an operation, a tensor, a view, or a list of them, or None."""
        return self._look(original, self._all(), missing_fn)

    def original(self, transformed: Any, missing_fn: Any = None) -> Any:
        """What something is a copy of."""
        return self._look(transformed, {v: k for k, v in self._all().items()}, missing_fn)

    def __str__(self) -> str:
        rows = [f"{a.name} -> {b.name}" for a, b in self._transformed_ops.items()]
        return "\n".join(["Transformer result info:", *rows])


class _Work:
    """One copy under way."""

    def __init__(self, sgv: SubGraphView, graph_: Any, scope: str, scope_: str) -> None:
        self.sgv, self.graph, self.graph_ = sgv, sgv.graph, graph_
        self.scope, self.scope_ = scope, scope_
        self.ops: dict[Any, Any] = {}
        self.ts: dict[Any, Any] = {}
        self.external: dict[Any, Any] = {}

    def new_name(self, name: str) -> str:
        """The name of a copy, with the scope that it gets."""
        if self.scope and not name.startswith(self.scope):
            raise ValueError(f"{name} does not belong to source scope: {self.scope}.")
        return self.scope_ + name[len(self.scope) :]

    def transformed(self, x: Any) -> Any:
        return self.ops.get(x) if isinstance(x, Operation) else self.ts.get(x)


class Transformer:
    """Copies a part of a graph; its attributes are the functions that say how.

    Attributes
    ----------
    transform_op_handler : callable
        ``(info, op, new_inputs)`` gives the copy and its outputs.
    transform_external_input_handler : callable
        ``(info, tensor)`` gives what is read in the place of an input of the part.
    transform_external_hidden_input_handler : callable
        The same for what is no input of the view.
    assign_collections_handler : callable
        ``(info, original, copy)``.
    """

    def __init__(self) -> None:
        self.assign_collections_handler: Callable[..., Any] = assign_renamed_collections_handler
        self.transform_op_handler: Callable[..., Any] = copy_op_handler
        self.transform_control_input_handler: Callable[..., Any] = transform_op_if_inside_handler
        self.transform_external_input_handler: Callable[..., Any] = (
            replace_t_with_placeholder_handler
        )
        self.transform_external_hidden_input_handler: Callable[..., Any] = (
            keep_t_if_possible_handler
        )

    def __call__(
        self, sgv: Any, dst_graph: Any, dst_scope: str, src_scope: str = "",
        reuse_dst_scope: bool = False,
    ) -> tuple[Any, Any]:  # fmt: skip
        """Copy a view to a graph.

        Returns
        -------
        view, info
        """
        view = as_view(sgv)
        if not isinstance(dst_graph, Graph):
            raise TypeError(f"Expected a tf.Graph, got: {type(dst_graph)}")
        src_scope, dst_scope = (s and s.rstrip("/") + "/" for s in (src_scope, dst_scope))
        if dst_scope and not reuse_dst_scope:
            free = dst_graph.unique_name(dst_scope[:-1])
            dst_scope = free + "/"
        work = _Work(view, dst_graph, src_scope, dst_scope)
        with dst_graph.as_default(), name_scope(None):
            for op in sorted(view.ops, key=lambda o: o.id):
                self._one(work, op)
        info = TransformerInfo(work)
        return info.transformed(view), info

    def _one(self, work: _Work, op: Any) -> None:
        inputs = [self._input(work, t) for t in op.inputs]
        before = [self.transform_control_input_handler(work, c) for c in op.control_inputs]
        with control_dependencies([b for b in before if b is not None]):
            made, outputs = self.transform_op_handler(work, op, inputs)
        work.ops[op] = made
        self.assign_collections_handler(work, op, made)
        for old, new in zip(op.outputs, outputs, strict=True):
            work.ts[old] = new
            self.assign_collections_handler(work, old, new)

    def _input(self, work: _Work, t: Any) -> Any:
        if t in work.ts:
            return work.ts[t]
        if t not in work.external:
            known = t in work.sgv.inputs
            handler = (
                self.transform_external_input_handler if known
                else self.transform_external_hidden_input_handler
            )  # fmt: skip
            work.external[t] = handler(work, t)
        return work.external[t]


def copy(
    sgv: Any, dst_graph: Any = None, dst_scope: str = "", src_scope: str = "",
    reuse_dst_scope: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """Copy operations, into the same graph or another.

    Returns
    -------
    view, info
        The copy, and a `TransformerInfo`.
    """
    view = as_view(sgv)
    if dst_graph is None:
        dst_graph = view.graph
    if not isinstance(dst_graph, Graph):
        raise TypeError(f"Expected a tf.Graph, got: {type(dst_graph)}")
    return Transformer()(view, dst_graph, dst_scope, src_scope, reuse_dst_scope)


def copy_with_input_replacements(
    sgv: Any, replacement_ts: Mapping[Any, Any], dst_graph: Any = None, dst_scope: str = "",
    src_scope: str = "", reuse_dst_scope: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """Copy operations that read other tensors than their originals.

    Parameters
    ----------
    replacement_ts : mapping of tensors
        What the copies read in the place of what.
    """
    view = as_view(sgv)
    if dst_graph is None:
        dst_graph = view.graph
    if not isinstance(dst_graph, Graph):
        raise TypeError(f"Expected a tf.Graph, got: {type(dst_graph)}")
    given = {_tensor(k): _tensor(v) for k, v in replacement_ts.items()}

    def replaced(info: Any, t: Any) -> Any:
        return given[t] if t in given else keep_t_if_possible_handler(info, t)

    copier = Transformer()
    copier.transform_external_input_handler = replaced
    return copier(view, dst_graph, dst_scope, src_scope, reuse_dst_scope)


def _tensor(x: Any) -> Any:
    return make_list_of_t(x)[0]


def graph_replace(
    target_ts: Any, replacement_ts: Mapping[Any, Any], dst_scope: str = "", src_scope: str = "",
    reuse_dst_scope: bool = False,
) -> Any:  # fmt: skip
    """The targets computed anew from other tensors.

    Parameters
    ----------
    target_ts : tensor, or list or dict of tensors
    replacement_ts : mapping of tensors
        What is read in the place of what.

    Raises
    ------
    ValueError
        When no target depends on any of them.
    """
    given = {_tensor(k): v for k, v in replacement_ts.items()}
    targets = make_list_of_t(target_ts.values() if isinstance(target_ts, dict) else target_ts)
    ops = get_walks_intersection_ops(list(given), targets)
    if not ops:
        raise ValueError("Targets and replacements are not connected!")
    _, info = copy_with_input_replacements(
        ops, given, None, dst_scope, src_scope, reuse_dst_scope
    )  # fmt: skip
    return info.transformed(target_ts, lambda t: given.get(t, t) if isinstance(t, Tensor) else t)
