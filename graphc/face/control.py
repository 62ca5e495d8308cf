"""Order without data: `group`, `tuple`, `with_dependencies`."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphc.face.current import name_scope
from graphc.face.elements import Operation, Tensor
from graphc.face.graph import get_default_graph
from graphc.face.variables import Variable
from graphc.ir.node import Value
from graphc.ops import state
from graphc.ops.convert import convert_to_tensor
from graphc.ops.indexed import IndexedSlices

__all__ = ["group", "tuple", "with_dependencies"]


def _flat(inputs: Iterable[Any]) -> list[Any]:
    out: list[Any] = []
    stack = [inputs]
    while stack:
        x = stack.pop()
        if isinstance(x, list | builtins.tuple):
            stack.extend(reversed(x))
        elif isinstance(x, Mapping):
            stack.extend(x[k] for k in sorted(x, reverse=True))
        elif isinstance(x, IndexedSlices):
            parts = (x.values, x.indices, x.dense_shape)
            out.extend(p for p in parts if p is not None)
        else:
            out.append(x)
    return out


def group(*inputs: Any, name: str | None = None, **kwargs: Any) -> Operation:
    """An operation that has run when all of `inputs` have.

    Parameters
    ----------
    *inputs : operations, tensors, variables, or nested lists of them
    name : str, optional
        ``"group_deps"`` by default.

    Raises
    ------
    TypeError
        When an input is none of these.
    """
    if kwargs:
        raise ValueError("Unknown keyword arguments: " + ", ".join(kwargs))
    deps = _flat(list(inputs))
    for x in deps:
        if not hasattr(x, "device"):
            raise TypeError(
                f"Expected tf.group() expected Tensor arguments not '{x}' with type '{type(x)}'"
            )
    graph = get_default_graph()
    on: dict[str, list[Any]] = {}
    for x in deps:
        on.setdefault(x.device, []).append(x)
    with name_scope(name, "group_deps", deps) as scope:
        if len(on) > 1:  # one for each device first
            deps = [_done(on[device], device) for device in sorted(on)]
        with graph.device("" if len(on) != 1 else next(iter(on))):
            with graph.control_dependencies(deps):
                return state.no_op(name=scope)  # type: ignore[return-value]


def _done(deps: Sequence[Any], device: str) -> Operation:
    """An operation on a device that has run when all of `deps` have."""
    graph = get_default_graph()
    with graph.control_dependencies(deps), graph.device(device):
        return state.no_op()  # type: ignore[return-value]


def with_dependencies(dependencies: Any, output_tensor: Any, name: str | None = None) -> Value:
    """`output_tensor`, after `dependencies`."""
    with name_scope(name, "control_dependency", [*dependencies, output_tensor]) as scope:
        graph, x = get_default_graph(), convert_to_tensor(output_tensor)
        with graph.colocate_with(x), graph.control_dependencies(dependencies):
            return state.identity(x, name=scope)


def tuple(tensors: Any, name: str | None = None, control_inputs: Any = None) -> list[Any]:
    """The same tensors, each of them ready only when all are.

    Parameters
    ----------
    tensors : list of tensors, operations and None
    control_inputs : list, optional
        What must have run too.

    Raises
    ------
    ValueError
        When there is no tensor in it.
    """
    with name_scope(name, "tuple", [t for t in tensors if t is not None]):
        items = [
            t if t is None or isinstance(t, Operation | Value | IndexedSlices)
            else convert_to_tensor(t)
            for t in tensors
        ]  # fmt: skip
        gates: list[Any] = [
            t if isinstance(t, Operation) else getattr(t, "op", None)
            for t in items
            if t is not None
        ]
        for c in control_inputs or ():
            if isinstance(c, Tensor | Variable):
                c = c.op
            elif not isinstance(c, Operation):
                raise TypeError(f"Control input must be Operation or Tensor: {c}")
            gates.append(c)
        if not gates:
            raise ValueError(f"Must have at least one Tensor: {tensors}")
        gate = group(*sorted(set(gates), key=lambda op: op.id))
        return [_gated(t, gate) for t in items]


def _gated(t: Any, gate: Operation) -> Any:
    if t is None:
        return None
    if isinstance(t, IndexedSlices):
        return IndexedSlices(
            with_dependencies([gate], t.values), with_dependencies([gate], t.indices), t.dense_shape
        )
    if isinstance(t, Operation):
        with get_default_graph().control_dependencies([gate]):
            return group(t)
    return with_dependencies([gate], t)
