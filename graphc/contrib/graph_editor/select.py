"""Which operations: by name, by walks along edges, at the boundary of others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from graphc.contrib.graph_editor.lists import (
    can_be_regex,
    check_cios,
    filter_ops_from_regex,
    filter_ts_from_regex,
    make_list_of_op,
    make_list_of_t,
    make_regex,
    unique,
)  # fmt: skip
from graphc.face.elements import Operation, Tensor
from graphc.face.graph import Graph

__all__ = [
    "compute_boundary_ts", "get_backward_walk_ops", "get_forward_walk_ops", "get_name_scope_ops",
    "get_ops_ios", "get_walks_intersection_ops", "get_walks_union_ops", "get_within_boundary_ops",
    "select_ops", "select_ops_and_ts", "select_ts",
]  # fmt: skip


def get_name_scope_ops(ops: Any, scope: str) -> list[Any]:
    """The operations of a name scope."""
    if scope and scope[-1] == "/":
        scope = scope[:-1]
    return filter_ops_from_regex(ops, f"^{re.escape(scope)}(/.*)?$")


def get_ops_ios(
    ops: Any, control_inputs: bool = False, control_outputs: Any = None, control_ios: Any = None
) -> list[Any]:
    """The operations that make what these read, and those that read what these make."""
    by_inputs, waiting = check_cios(control_inputs, control_outputs, control_ios)
    out: list[Any] = []
    for op in make_list_of_op(ops):
        out += [t.op for t in op.inputs]
        out += [c for t in op.outputs for c in t.consumers()]
        out += waiting.get(op) if waiting is not None else ()
        out += op.control_inputs if by_inputs else ()
    return unique(out)


def compute_boundary_ts(ops: Any) -> tuple[list[Any], list[Any], list[Any]]:
    """Tensors read from outside, tensors made for outside, and those read inside.

    One that is read inside and outside is in the second list and in the third.
    """
    found = make_list_of_op(ops)
    own = set(found)
    read = unique(*[op.inputs for op in found])
    made = unique(*[op.outputs for op in found])
    inside = [t for t in read if t.op in own]
    only = {t for t in inside if own.issuperset(t.consumers())}
    return (
        [t for t in read if t.op not in own], [t for t in made if t not in only], inside
    )  # fmt: skip


def get_within_boundary_ops(
    ops: Any, seed_ops: Any, boundary_ops: Any = (), inclusive: bool = True,
    control_inputs: bool = False, control_outputs: Any = None, control_ios: Any = None,
) -> list[Any]:  # fmt: skip
    """All operations around the seeds, up to the boundary.

    Raises
    ------
    ValueError
        When a seed is at the boundary.
    """
    by_inputs, waiting = check_cios(control_inputs, control_outputs, control_ios)
    allowed = set(make_list_of_op(ops))
    seeds = make_list_of_op(seed_ops, allow_graph=False)
    boundary = set(make_list_of_op(boundary_ops))
    if boundary & set(seeds):
        raise ValueError("Boundary is intersecting with the seeds.")
    found, wave = dict.fromkeys(seeds), list(seeds)
    while wave:
        near = [op for op in get_ops_ios(wave, by_inputs, waiting) if op not in found]
        near = [op for op in near if op in allowed or op in boundary]
        if inclusive:
            found.update(dict.fromkeys(op for op in near if op in boundary))
        wave = [op for op in near if op not in boundary]
        found.update(dict.fromkeys(wave))
    return [op for op in found if op in allowed]


Within = Callable[[Any], bool]


def _within(within_ops: Any, within_ops_fn: Any) -> Within:
    allowed = None if within_ops is None else set(make_list_of_op(within_ops, allow_graph=False))
    if within_ops_fn is not None and not callable(within_ops_fn):
        raise ValueError("'within_ops_fn' should be callable.")

    def hold(op: Any) -> bool:
        return (within_ops_fn is None or within_ops_fn(op)) and (allowed is None or op in allowed)

    return hold


def _walk(seeds: list[Any], inclusive: bool, near: Callable[[Any], Iterable[Any]]) -> list[Any]:
    """The seeds and all that is reached from them, in waves."""
    found, wave = dict.fromkeys(seeds), seeds
    while wave:
        wave = unique(op for seed in wave for op in near(seed) if op not in found)
        found.update(dict.fromkeys(wave))
    start = set(seeds)
    return [op for op in found if inclusive or op not in start]


def _seeds(seed_ops: Any, makes: bool) -> list[Any]:
    """Operations; of tensors those that make them, or those that read them."""
    listed = list(seed_ops) if isinstance(seed_ops, (list, tuple, set)) else [seed_ops]
    if listed and isinstance(listed[0], Tensor):
        ts = make_list_of_t(listed, allow_graph=False)
        return unique([t.op for t in ts] if makes else [c for t in ts for c in t.consumers()])
    return make_list_of_op(seed_ops, allow_graph=False)


def get_forward_walk_ops(
    seed_ops: Any, inclusive: bool = True, within_ops: Any = None, within_ops_fn: Any = None,
    stop_at_ts: Any = (), control_outputs: Any = None,
) -> list[Any]:  # fmt: skip
    """All operations that depend on the seeds.

    Parameters
    ----------
    seed_ops : operations or tensors
    inclusive : bool
        Whether the seeds are among them.
    within_ops, within_ops_fn : optional
        Only these operations, only those for which the function holds.
    stop_at_ts : tensors
        Nothing that depends on them only is looked at.
    control_outputs : ControlOutputs, optional
        Go on to what waits, too.
    """
    _, waiting = check_cios(False, control_outputs)
    seeds = _seeds(seed_ops, makes=False)
    stop, hold = set(make_list_of_t(stop_at_ts)), _within(within_ops, within_ops_fn)
    seeds = [op for op in seeds if hold(op)]

    def near(op: Any) -> list[Any]:
        after = [c for t in op.outputs if t not in stop for c in t.consumers()]
        after += waiting.get(op) if waiting is not None else ()
        return [c for c in after if hold(c)]

    return _walk(seeds, inclusive, near)


def get_backward_walk_ops(
    seed_ops: Any, inclusive: bool = True, within_ops: Any = None, within_ops_fn: Any = None,
    stop_at_ts: Any = (), control_inputs: bool = False,
) -> list[Any]:  # fmt: skip
    """All operations on which the seeds depend; arguments as of `get_forward_walk_ops`."""
    seeds = _seeds(seed_ops, makes=True)
    stop, hold = set(make_list_of_t(stop_at_ts)), _within(within_ops, within_ops_fn)
    seeds = [op for op in seeds if hold(op)]

    def near(op: Any) -> list[Any]:
        before = [t.op for t in op.inputs if t not in stop]
        before += op.control_inputs if control_inputs else ()
        return [b for b in before if hold(b)]

    return _walk(seeds, inclusive, near)


def get_walks_intersection_ops(
    forward_seed_ops: Any, backward_seed_ops: Any, forward_inclusive: bool = True,
    backward_inclusive: bool = True, within_ops: Any = None, within_ops_fn: Any = None,
    control_inputs: bool = False, control_outputs: Any = None, control_ios: Any = None,
) -> list[Any]:  # fmt: skip
    """The operations on the way from the first seeds to the second."""
    by_inputs, waiting = check_cios(control_inputs, control_outputs, control_ios)
    after = get_forward_walk_ops(
        forward_seed_ops, forward_inclusive, within_ops, within_ops_fn, control_outputs=waiting
    )
    before = set(get_backward_walk_ops(
        backward_seed_ops, backward_inclusive, within_ops, within_ops_fn, control_inputs=by_inputs
    ))  # fmt: skip
    return [op for op in after if op in before]


def get_walks_union_ops(
    forward_seed_ops: Any, backward_seed_ops: Any, forward_inclusive: bool = True,
    backward_inclusive: bool = True, within_ops: Any = None, within_ops_fn: Any = None,
    control_inputs: bool = False, control_outputs: Any = None, control_ios: Any = None,
) -> list[Any]:  # fmt: skip
    """The operations that depend on the first seeds, and those on which the second depend."""
    by_inputs, waiting = check_cios(control_inputs, control_outputs, control_ios)
    after = get_forward_walk_ops(
        forward_seed_ops, forward_inclusive, within_ops, within_ops_fn, control_outputs=waiting
    )
    before = get_backward_walk_ops(
        backward_seed_ops, backward_inclusive, within_ops, within_ops_fn, control_inputs=by_inputs
    )
    return unique(after, before)


# ------------------------------------------------------------------------------- by anything

_MARK = re.compile(r"\(\?#(ts|ops)\)")


def _by_name(graph: Any, regex: Any, what: str) -> tuple[str, Any]:
    """Which kind an expression asks for (``(?#ops)``, ``(?#ts)``), and the expression."""
    if not isinstance(graph, Graph):
        raise TypeError(f"Expecting a graph to select by a regex, got: {type(graph)}")
    expression = make_regex(regex)
    mark = _MARK.match(expression.pattern)
    return (mark[1] if mark else what), expression


def _known(kwargs: dict[str, Any], *names: str) -> None:
    for name in kwargs:
        if name not in names:
            raise ValueError(f"Wrong keywords argument: {name}.")


def _select(what: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """The ``ops`` or ``ts`` that arguments name, each once."""
    only = f"restrict_{what}_regex"
    _known(kwargs, "graph", only, "positive_filter")
    graph, keep = kwargs.get("graph"), kwargs.get("positive_filter")
    if graph is None and any(map(can_be_regex, args)):
        raise ValueError("Use the keyword argument 'graph' to use regex.")
    listed, named = _KINDS[what]
    found: list[Any] = []
    for arg in args:
        if can_be_regex(arg):
            kind, regex = _by_name(graph, arg, "" if kwargs.get(only) else what)
            if kind == what:
                found += named(graph, regex)
        else:
            found += listed(arg)
    return [x for x in unique(found) if keep is None or keep is True or keep(x)]


#: How things of a kind are listed, and found by an expression.
_KINDS: dict[str, tuple[Callable[[Any], list[Any]], Callable[[Any, Any], list[Any]]]] = {
    "ops": (make_list_of_op, filter_ops_from_regex),
    "ts": (make_list_of_t, filter_ts_from_regex),
}


def select_ops(*args: Any, **kwargs: Any) -> list[Any]:
    """Operations, given as themselves or by expressions on their names.

    Parameters
    ----------
    *args
        Operations, lists of them, or texts; texts need `graph`.
    graph : tf.Graph, optional
    positive_filter : callable, optional
    restrict_ops_regex : bool
        Whether texts are for operations only where they begin with ``(?#ops)``.
    """
    return _select("ops", args, kwargs)


def select_ts(*args: Any, **kwargs: Any) -> list[Any]:
    """Tensors, given as themselves or by expressions on their names; as `select_ops`."""
    return _select("ts", args, kwargs)


def select_ops_and_ts(*args: Any, **kwargs: Any) -> tuple[list[Any], list[Any]]:
    """Operations and tensors; texts are for tensors where they begin with ``(?#ts)``."""
    ops = select_ops(*[a for a in args if _for_ops(a)], restrict_ops_regex=False, **kwargs)
    ts = select_ts(*[a for a in args if not _for_ops(a)], restrict_ts_regex=False, **kwargs)
    return ops, ts


def _for_ops(arg: Any) -> bool:
    if can_be_regex(arg):
        mark = _MARK.match(make_regex(arg).pattern)
        return not (mark and mark[1] == "ts")
    first = next(iter(arg), None) if isinstance(arg, (list, tuple)) else arg
    return isinstance(first, (Operation, Graph)) or first is None
