"""Wire operations anew: which tensors they read, and what they wait for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphc.contrib.graph_editor.lists import (
    check_cios,
    make_list_of_op,
    make_list_of_t,
    make_placeholder_from_tensor,
)  # fmt: skip
from graphc.contrib.graph_editor.views import SubGraphView, as_view
from graphc.face.rewiring import check_inputs, set_control, set_inputs

__all__ = [
    "add_control_inputs", "bypass", "connect", "detach", "detach_control_inputs",
    "detach_control_outputs", "detach_inputs", "detach_outputs", "remove_control_inputs",
    "reroute_inputs", "reroute_ios", "reroute_outputs", "reroute_ts", "swap_inputs", "swap_ios",
    "swap_outputs", "swap_ts",
]  # fmt: skip


def _readers(t: Any, can: Any, cannot: Any) -> list[Any]:
    found = t.consumers()
    if can is not None:
        found = [op for op in found if op in can]
    return [op for op in found if op not in cannot] if cannot is not None else found


def _ops(things: Any) -> Any:
    return None if things is None else frozenset(make_list_of_op(things))


def _reroute(pairs: Iterable[tuple[Any, Any]], can: Any = None, cannot: Any = None) -> int:
    """Let the readers of each second tensor read the first; how many inputs that changed."""
    count = 0
    listed = list(pairs)
    readers = [(_readers(old, can, cannot), new, old) for new, old in listed]
    changed: dict[Any, list[Any]] = {}
    for ops, new, old in readers:
        for op in ops:
            now = changed.setdefault(op, list(op.inputs))
            for i, t in enumerate(op.inputs):
                if t is old:
                    now[i] = new
                    count += 1
    for op, inputs in changed.items():
        check_inputs(op, inputs)
    for op, inputs in changed.items():
        set_inputs(op, inputs)
    return count


def _pairs(ts0: Any, ts1: Any) -> list[tuple[Any, Any]]:
    a, b = make_list_of_t(ts0), make_list_of_t(ts1)
    if len(a) != len(b):
        raise ValueError(f"ts0 and ts1 have different lengths: {len(a)} != {len(b)}")
    return list(zip(a, b, strict=True))


def reroute_ts(ts0: Any, ts1: Any, can_modify: Any = None, cannot_modify: Any = None) -> int:
    """Let what reads each tensor of `ts1` read the one of `ts0` in its place.

    Parameters
    ----------
    ts0, ts1 : tensors
    can_modify, cannot_modify : operations, optional
        Those that may be changed, and those that may not.

    Returns
    -------
    int
        How many inputs were changed.

    Raises
    ------
    ValueError
        When an operation would depend on itself.
    """
    return _reroute(_pairs(ts0, ts1), _ops(can_modify), _ops(cannot_modify))


def swap_ts(ts0: Any, ts1: Any, can_modify: Any = None, cannot_modify: Any = None) -> int:
    """Let what reads one tensor read the other, both ways."""
    pairs = _pairs(ts0, ts1)
    both = [*pairs, *[(b, a) for a, b in pairs]]
    return _reroute(both, _ops(can_modify), _ops(cannot_modify))


def add_control_inputs(op: Any, cops: Any) -> None:
    """Let an operation wait for others.

    Raises
    ------
    ValueError
        When it waits for one already.
    """
    more = make_list_of_op(cops, allow_graph=False)
    for c in more:
        if c in op.control_inputs:
            raise ValueError(f"{c.name} is already a control_input of {op.name}")
    set_control(op, [*op.control_inputs, *more])


def remove_control_inputs(op: Any, cops: Any) -> None:
    """Let an operation no longer wait for others.

    Raises
    ------
    ValueError
        When it does not wait for one.
    """
    gone = make_list_of_op(cops, allow_graph=False)
    for c in gone:
        if c not in op.control_inputs:
            raise ValueError(f"{c.name} is not a control_input of {op.name}")
    set_control(op, [c for c in op.control_inputs if c not in gone])


# ------------------------------------------------------------------------------- views


def _same_graph(a: SubGraphView, b: SubGraphView) -> None:
    if a.graph is not b.graph:
        raise ValueError("The views are of different graphs")


def _swapped(a: SubGraphView, b: SubGraphView, inputs: bool, outputs: bool, both: bool) -> None:
    _same_graph(a, b)
    if inputs:
        pairs = list(zip(a.inputs, b.inputs, strict=True))
        _reroute([(x, y) for x, y in pairs], set(b.ops))
        if both:
            _reroute([(y, x) for x, y in pairs], set(a.ops))
    if outputs:
        pairs = list(zip(a.outputs, b.outputs, strict=True))
        inside = set(a.ops) | set(b.ops)
        moves = [(x, y) for x, y in pairs] + ([(y, x) for x, y in pairs] if both else [])
        _reroute(moves, None, inside)


def _two(sgv0: Any, sgv1: Any, **what: bool) -> tuple[SubGraphView, SubGraphView]:
    a, b = as_view(sgv0), as_view(sgv1)
    _swapped(a, b, **what)
    return a, b


def swap_inputs(sgv0: Any, sgv1: Any) -> Any:
    """Let two views read each other's inputs."""
    return _two(sgv0, sgv1, inputs=True, outputs=False, both=True)


def reroute_inputs(sgv0: Any, sgv1: Any) -> Any:
    """Let the second view read what the first one reads."""
    return _two(sgv0, sgv1, inputs=True, outputs=False, both=False)


def swap_outputs(sgv0: Any, sgv1: Any) -> Any:
    """Let what reads one view's outputs read the other's, both ways."""
    return _two(sgv0, sgv1, inputs=False, outputs=True, both=True)


def reroute_outputs(sgv0: Any, sgv1: Any) -> Any:
    """Let what reads the outputs of the second view read those of the first."""
    return _two(sgv0, sgv1, inputs=False, outputs=True, both=False)


def swap_ios(sgv0: Any, sgv1: Any) -> Any:
    """`swap_inputs` and `swap_outputs`."""
    return _two(sgv0, sgv1, inputs=True, outputs=True, both=True)


def reroute_ios(sgv0: Any, sgv1: Any) -> Any:
    """`reroute_inputs` and `reroute_outputs`."""
    return _two(sgv0, sgv1, inputs=True, outputs=True, both=False)


def detach_inputs(sgv: Any, control_inputs: bool = False) -> tuple[Any, list[Any]]:
    """Let a view read new placeholders in the place of its inputs.

    Returns
    -------
    view, placeholders
    """
    view = as_view(sgv)
    with view.graph.as_default():
        made = [make_placeholder_from_tensor(t, scope="") for t in view.inputs]
    _reroute(zip(made, view.inputs, strict=True), set(view.ops))
    if control_inputs:
        detach_control_inputs(view)
    return _made_anew(view, dict(zip(view.inputs, made, strict=True)), {}), made


def _made_anew(view: SubGraphView, inputs: dict[Any, Any], outputs: dict[Any, Any]) -> Any:
    """The view after inputs or outputs became others."""
    new = view.copy()
    new._inputs = [inputs.get(t, t) for t in view.inputs]
    new._outputs = [outputs.get(t, t) for t in view.outputs]
    return new


def detach_control_inputs(sgv: Any) -> None:
    """Let no operation of a view wait for one outside."""
    view = as_view(sgv)
    own = set(view.ops)
    for op in view.ops:
        set_control(op, [c for c in op.control_inputs if c in own])


def detach_outputs(sgv: Any, control_outputs: Any = None) -> tuple[Any, list[Any]]:
    """Let what reads the outputs of a view read new placeholders.

    Returns
    -------
    view, placeholders
    """
    view = as_view(sgv)
    own, read = set(view.ops), []
    for t in view.outputs:
        if any(c not in own for c in t.consumers()):
            read.append(t)
    with view.graph.as_default():
        made = [make_placeholder_from_tensor(t, scope="") for t in read]
    _reroute(zip(made, read, strict=True), None, own)
    if control_outputs is not None:
        detach_control_outputs(view, control_outputs)
    return view, made


def detach_control_outputs(sgv: Any, control_outputs: Any) -> None:
    """Let no operation outside wait for one of a view."""
    _, waiting = check_cios(False, control_outputs)
    view = as_view(sgv)
    own = set(view.ops)
    for op in view.ops:
        for after in () if waiting is None else waiting.get(op):
            if after not in own:
                set_control(after, [c for c in after.control_inputs if c is not op])


def detach(
    sgv: Any, control_inputs: bool = False, control_outputs: Any = None, control_ios: Any = None
) -> tuple[Any, list[Any], list[Any]]:
    """`detach_inputs` and `detach_outputs`.

    Returns
    -------
    view, placeholders of inputs, placeholders of outputs
    """
    by_inputs, waiting = check_cios(control_inputs, control_outputs, control_ios)
    view, inputs = detach_inputs(sgv, by_inputs)
    view, outputs = detach_outputs(view, waiting)
    return view, inputs, outputs


def connect(sgv0: Any, sgv1: Any, disconnect_first: bool = False) -> Any:
    """Let the second view read the outputs of the first."""
    a, b = as_view(sgv0), as_view(sgv1)
    _same_graph(a, b)
    if disconnect_first:
        detach_outputs(a)
    _reroute(_pairs(a.outputs, b.inputs), set(b.ops))
    return a, b


def bypass(sgv: Any) -> tuple[Any, list[Any]]:
    """Let what reads the outputs of a view read its inputs.

    Returns
    -------
    view, placeholders
        What the view reads now.
    """
    view = as_view(sgv)
    inputs = view.inputs
    view, made = detach_inputs(view)
    _reroute(_pairs(inputs, view.outputs), None, set(view.ops))
    return view, made
