"""A part of a graph: its operations, the tensors it reads and the tensors it gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from graphc.contrib.graph_editor.lists import make_list_of_op, make_list_of_t, unique
from graphc.contrib.graph_editor.select import (
    compute_boundary_ts,
    get_name_scope_ops,
    select_ops_and_ts,
)
from graphc.face.elements import Operation, Tensor

__all__ = ["SubGraphView", "make_view", "make_view_from_scope", "sgv", "sgv_scope"]


def _indices(n: int, wanted: Iterable[Any], among: list[Any]) -> list[int]:
    """Positions: numbers as they are, tensors as where they are."""
    out = []
    for w in wanted:
        i = w if isinstance(w, int) else among.index(w)
        if not 0 <= i < n:
            raise ValueError(f"Indices are out of bounds: {i} of {n}")
        out.append(i)
    return out


class SubGraphView:
    """Some operations of a graph, with their inputs and outputs in an order.

    Parameters
    ----------
    inside_ops : operations
    passthrough_ts : tensors
        That are inputs and outputs at once.
    """

    def __init__(self, inside_ops: Any = (), passthrough_ts: Any = ()) -> None:
        ops = make_list_of_op(inside_ops)
        through = make_list_of_t(passthrough_ts)
        self._ops = ops
        self._graph = next((x.graph for x in (*ops, *through)), None)
        inputs, outputs, _ = compute_boundary_ts(ops)
        self._inputs = unique(inputs, through)
        self._passthrough = [t for t in through if t not in set(inputs)]
        self._outputs = outputs + self._passthrough

    def copy(self) -> SubGraphView:
        """The same view, to be changed by itself."""
        made = SubGraphView()
        for name, value in vars(self).items():
            setattr(made, name, list(value) if isinstance(value, list) else value)
        return made

    __copy__ = copy

    # ---- other orders

    def _remap_inputs(self, new: Iterable[Any]) -> None:
        self._inputs = [self._inputs[i] for i in _indices(len(self._inputs), new, self._inputs)]

    def _remap_outputs(self, new: Iterable[Any]) -> None:
        self._outputs = [self._outputs[i] for i in _indices(len(self._outputs), new, self._outputs)]

    def remap_inputs(self, new_input_indices: Iterable[Any]) -> SubGraphView:
        """A view with these of the inputs only, in this order."""
        made = self.copy()
        made._remap_inputs(new_input_indices)
        return made

    def remap_outputs(self, new_output_indices: Iterable[Any]) -> SubGraphView:
        """A view with these of the outputs only, in this order; one may be there twice."""
        made = self.copy()
        made._remap_outputs(new_output_indices)
        return made

    def remap(self, new_input_indices: Any = None, new_output_indices: Any = None) -> SubGraphView:
        """Both at once; what is not given stays as it is."""
        made = self.copy()
        if new_input_indices is not None:
            made._remap_inputs(new_input_indices)
        if new_output_indices is not None:
            made._remap_outputs(new_output_indices)
        return made

    def remap_outputs_make_unique(self) -> SubGraphView:
        """Each output once."""
        made = self.copy()
        made._outputs = unique(made._outputs)
        return made

    def remap_outputs_to_consumers(self) -> SubGraphView:
        """Each output as often as it is read."""
        made = self.copy()
        made._outputs = [t for t in made._outputs for _ in t.consumers()]
        return made

    def remap_default(self, remove_input_map: bool = True, remove_output_map: bool = True) -> Any:
        """The inputs and outputs as they were at first."""
        made = self.copy()
        inputs, outputs, _ = compute_boundary_ts(self._ops)
        if remove_input_map:
            made._inputs = inputs + [t for t in self._passthrough if t not in set(inputs)]
        if remove_output_map:
            made._outputs = outputs + self._passthrough
        return made

    def remove_unused_ops(self, control_inputs: bool = True) -> SubGraphView:
        """A view without the operations on which no output depends."""
        from graphc.contrib.graph_editor.select import get_walks_union_ops

        made = self.copy()
        used = set(get_walks_union_ops(
            self.connected_inputs, self.connected_outputs, within_ops=self._ops,
            control_inputs=control_inputs,
        ))  # fmt: skip
        made._ops = [op for op in self._ops if op in used]
        return made

    # ---- what it is

    def __bool__(self) -> bool:
        return self._graph is not None

    def find_op_by_name(self, op_name: str) -> Any:
        """The operation of a name.

        Raises
        ------
        ValueError
            When it has none.
        """
        for op in self._ops:
            if op.name == op_name:
                return op
        raise ValueError(f"Operation {op_name} not found in SubGraphView")

    @property
    def graph(self) -> Any:
        return self._graph

    @property
    def ops(self) -> list[Any]:
        return list(self._ops)

    @property
    def inputs(self) -> list[Any]:
        return list(self._inputs)

    @property
    def connected_inputs(self) -> list[Any]:
        return [t for t in self._inputs if not self.is_passthrough(t)]

    @property
    def outputs(self) -> list[Any]:
        return list(self._outputs)

    @property
    def connected_outputs(self) -> list[Any]:
        return [t for t in self._outputs if not self.is_passthrough(t)]

    @property
    def passthroughs(self) -> list[Any]:
        return list(self._passthrough)

    def op(self, op_id: int) -> Any:
        """The operation of a number."""
        return self._ops[op_id]

    def is_passthrough(self, t: Any) -> bool:
        """Whether a tensor is an input and an output at once."""
        return t in self._passthrough

    def input_index(self, t: Any) -> int:
        """The place of a tensor among the inputs."""
        return self._place(t, self._inputs, "inputs")

    def output_index(self, t: Any) -> int:
        """The place of a tensor among the outputs."""
        return self._place(t, self._outputs, "outputs")

    @staticmethod
    def _place(t: Any, among: list[Any], what: str) -> int:
        if t not in among:
            raise ValueError(f"{t!r} not in {what} of the view.")
        return among.index(t)

    def consumers(self) -> list[Any]:
        """The operations outside that read its outputs."""
        own = set(self._ops)
        found = unique(*[t.consumers() for t in self._outputs])
        return [op for op in found if op not in own]

    def __repr__(self) -> str:
        def names(things: Iterable[Any]) -> str:
            return ", ".join(x.name for x in things)

        return (
            f"SubGraphView(ops=[{names(self._ops)}], inputs=[{names(self._inputs)}], "
            f"outputs=[{names(self._outputs)}])"
        )


def make_view(*args: Any, **kwargs: Any) -> SubGraphView:
    """A view of operations and of tensors that pass through; arguments as of `select_ops`."""
    if len(args) == 1 and isinstance(args[0], SubGraphView) and not kwargs:
        return args[0]
    ops, ts = select_ops_and_ts(*args, **kwargs)
    return SubGraphView(ops, ts)


def make_view_from_scope(scope: str, graph: Any) -> SubGraphView:
    """A view of all operations of a name scope."""
    return SubGraphView(get_name_scope_ops(graph, scope))


sgv, sgv_scope = make_view, make_view_from_scope


def as_view(thing: Any) -> SubGraphView:
    """Views as they are, operations as a view of them."""
    if isinstance(thing, (SubGraphView,)):
        return thing
    if isinstance(thing, (Tensor, Operation)) or not isinstance(thing, Mapping):
        return make_view(thing)
    raise TypeError(f"Expected operations or a SubGraphView, got {type(thing)}")
