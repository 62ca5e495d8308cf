"""Conditions and loops: `cond`, `case`, `while_loop`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from graphc.face import nest
from graphc.face.control import with_dependencies
from graphc.face.current import name_scope
from graphc.face.elements import Operation
from graphc.face.graph import get_default_graph
from graphc.face.shape import TensorShape, as_shape, from_dims
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.ir.region import Branch, Loop
from graphc.ops import arrays, flow, math, reduce, state
from graphc.ops.convert import convert_to_tensor
from graphc.ops.indexed import IndexedSlices
from graphc.ops.record import show_shapes

__all__ = ["case", "cond", "while_loop"]


# --------------------------------------------------------------------- structures


def expanded(structure: Any) -> tuple[list[Any], Any]:
    """The leaves of a structure with composites taken apart, and what puts such leaves together."""
    leaves: list[Any] = []
    packers: list[tuple[int, Callable[[Sequence[Any]], Any]]] = []
    for leaf in nest.flatten(structure):
        parts, pack = _parts(leaf)
        leaves += parts
        packers.append((len(parts), pack))

    def pack_all(values: Sequence[Any]) -> Any:
        out, at = [], 0
        for count, pack in packers:
            out.append(pack(values[at : at + count]))
            at += count
        return nest.pack_sequence_as(structure, out)

    return leaves, pack_all


def _is_composite(leaf: Any) -> bool:
    return hasattr(leaf, "_flow_parts") or isinstance(leaf, IndexedSlices)


def _parts(leaf: Any) -> tuple[list[Any], Callable[[Sequence[Any]], Any]]:
    take_apart = getattr(leaf, "_flow_parts", None)
    if take_apart is not None:  # arrays, sparse tensors
        parts, pack = take_apart()
        return parts, pack
    if isinstance(leaf, IndexedSlices):
        if leaf.dense_shape is None:
            return [leaf.values, leaf.indices], lambda p: IndexedSlices(*p)
        return [leaf.values, leaf.indices, leaf.dense_shape], lambda p: IndexedSlices(*p)
    return [leaf], lambda p: p[0]


# --------------------------------------------------------------------- cond


def cond(
    pred: Any,
    true_fn: Callable[[], Any] | None = None,
    false_fn: Callable[[], Any] | None = None,
    strict: bool = False,
    name: str | None = None,
    fn1: Callable[[], Any] | None = None,
    fn2: Callable[[], Any] | None = None,
) -> Any:
    """What `true_fn` gives if `pred` is true, else what `false_fn` gives.

    Only what the functions themselves record belongs to their branch; what was recorded before
    runs in any case.

    Parameters
    ----------
    pred : scalar bool tensor
    true_fn, false_fn : callable
        Without arguments; both give tensors of the same structure and types. An operation stands
        for a bool that is there when the operation has run.
    strict : bool
        Whether a list of one tensor stays a list.
    fn1, fn2 : callable
        Old names of `true_fn` and `false_fn`.

    Raises
    ------
    TypeError
        When `pred` is a Python bool or a function is none.
    ValueError
        When a function gives nothing, or the two give other structures or types.
    """
    true_fn = _renamed(true_fn, fn1, "true_fn", "fn1")
    false_fn = _renamed(false_fn, fn2, "false_fn", "fn2")
    graph: Any = get_default_graph()
    with graph.transaction(), name_scope(name, "cond", [pred]):
        if type(pred) is bool:
            raise TypeError("pred must not be a Python bool")
        p = _predicate(convert_to_tensor(pred, name="pred"), graph)
        switch = graph.taken("Switch")
        graph.real(p, "Switch/Switch")
        graph.reserve("switch_t", "switch_f", "pred_id")
        made = []
        for taken, f in ((True, true_fn), (False, false_fn)):
            context = Branch(graph.context, p, taken)
            results = _Results(context, strict)
            flow.branch(context, f, results.values)
            made.append((context, results))
        (then, a), (orelse, b) = made
        _assert_alike(a.structure, b.structure)
        if not then.results:
            raise ValueError("true_fn and false_fn must return at least one result.")
        for x, y in zip(then.results, orelse.results, strict=True):
            if x.dtype is not y.dtype:
                raise ValueError(
                    "Outputs of true_fn and false_fn must have the same type: "
                    f"{x.dtype.name}, {y.dtype.name}"
                )
        out = a.pack(flow.conditional(then, orelse, switch))
    return out if strict else _only(out)


def _only(given: Any) -> Any:
    """The element of a list of one; anything else as it is."""
    return given[0] if isinstance(given, list | tuple) and len(given) == 1 else given


def _assert_alike(a: Any, b: Any) -> None:
    """Refuse branches of different structures, or with composites for other things."""
    nest.assert_same_structure(a, b)
    for x, y in zip(nest.flatten(a), nest.flatten(b), strict=True):
        kinds = [type(e) if _is_composite(e) else None for e in (x, y)]
        if kinds[0] is not kinds[1]:
            raise ValueError(
                "Incompatible return values of true_fn and false_fn: one gives a "
                f"{type(x).__name__} where the other gives a {type(y).__name__}"
            )


def _renamed(f: Any, old: Any, name: str, old_name: str) -> Any:
    if old is not None:
        if f is not None:
            raise TypeError(f"cond(): {name} and {old_name} may not be set simultaneously.")
        f = old
    elif f is None:
        raise TypeError(f"cond(): {name} argument required")
    if not callable(f):
        raise TypeError(f"{name} must be callable.")
    return f


def _predicate(p: Value, graph: Any) -> Value:
    if p.dtype is not dtypes.bool_:
        raise TypeError(
            f"Input 'pred' of 'Switch' Op has type {p.dtype.name} that does not match expected "
            "type of bool."
        )
    if p.rank not in (0, None):
        where = graph.unique_name("Switch", mark_as_used=False)
        raise ValueError(
            f"Shape must be rank 0 but is rank {p.rank} for '{where}' (op: 'Switch') with input "
            f"shapes: {show_shapes([p, p])}."
        )
    return p


class _Results:
    """What a branch's function gave, and what packs the results of the cond likewise."""

    def __init__(self, context: Branch, strict: bool) -> None:
        self.context = context
        self.strict = strict

    def values(self, given: Any) -> list[Value]:
        if given is None:
            which = "true_fn" if self.context.taken else "false_fn"
            raise ValueError(f"{which} must have a return value.")
        if not self.strict:  # once here, once in what the cond gives
            given = _only(given)
        self.structure = given
        leaves, self.pack = expanded(given)
        return [self.tensor(x) for x in leaves]

    def tensor(self, x: Any) -> Value:
        if isinstance(x, Operation):
            self.context.unread = False  # TF1 takes the copy that it has in here
            return with_dependencies([x], self.context.pred)
        return convert_to_tensor(x)


# --------------------------------------------------------------------- case


def case(
    pred_fn_pairs: Any,
    default: Callable[[], Any] | None = None,
    exclusive: bool = False,
    strict: bool = False,
    name: str = "case",
) -> Any:
    """What the function of the first true predicate gives, else what `default` gives.

    Parameters
    ----------
    pred_fn_pairs : list of (predicate, callable) or dict
        A dict that is no OrderedDict is taken in the order of the predicates' names.
    default : callable, optional
        Without it one of the predicates must be true.
    exclusive : bool
        Whether more than one true predicate is an error.

    Raises
    ------
    InvalidArgumentError
        In a run, when more are true, or none and there is no default.
    """
    pairs = _pairs(pred_fn_pairs)
    if default is not None and not callable(default):
        raise TypeError("default must be callable.")
    preds = [p for p, _ in pairs]
    with name_scope(name, "case", preds):
        guards: list[Any] = []
        if exclusive:
            guards.append(_at_most_one(preds))
        rest, last = pairs, default
        if last is None:
            *rest, (final, f) = pairs
            last = _checked(final, f, preds)
        with get_default_graph().control_dependencies(guards):
            return _nested(rest, last, strict)


def _nested(pairs: Sequence[tuple[Value, Any]], last: Callable[[], Any], strict: bool) -> Any:
    """The chain of conds, and what stands for it where there is only the last."""
    if not pairs:
        out = last()
        while not strict and isinstance(out, list | tuple) and len(out) == 1:
            out = out[0]
        return out
    otherwise = last
    for p, f in reversed(pairs[1:]):
        otherwise = _choice(p, f, otherwise, strict)
    p, f = pairs[0]
    return cond(p, f, otherwise, strict=strict)


def _choice(p: Value, f: Any, otherwise: Any, strict: bool) -> Callable[[], Any]:
    return lambda: cond(p, f, otherwise, strict=strict)


def _pairs(given: Any) -> list[tuple[Value, Callable[[], Any]]]:
    if isinstance(given, OrderedDict):
        given = list(given.items())
    elif isinstance(given, dict):  # TF1 knows no order of these but that of the names
        given = sorted(given.items(), key=lambda pair: getattr(pair[0], "name", ""))
    if not isinstance(given, list | tuple):
        raise TypeError("fns must be a list, tuple, or dict")
    out = []
    for pair in given:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError("Each entry in pred_fn_pairs must be a 2-tuple")
        p, f = pair
        if isinstance(p, bool) or not isinstance(p, Value):
            raise TypeError(f"pred must be a Tensor, got: {p}")
        if p.dtype is not dtypes.bool_:
            raise TypeError(f"pred must be of type bool: {p.name}")
        if not callable(f):
            raise TypeError(f"fn for pred {p.name} must be callable.")
        out.append((p, f))
    if not out:
        raise ValueError("not enough values to unpack (expected 2, got 0)")
    return out


def _assert(ok: Value, words: str, preds: Value) -> Any:
    """An operation that fails where `ok` is false."""
    import graphc

    return graphc.Assert(ok, [words, preds])


def _names(preds: Sequence[Value]) -> str:
    return "(" + ", ".join(p.name for p in preds) + ")"


def _at_most_one(preds: Sequence[Value]) -> Any:
    stacked = arrays.stack(list(preds), name="preds_c")
    true = reduce.reduce_sum(math.cast(stacked, dtypes.int32), name="num_true_conds")
    few = math.less_equal(true, convert_to_tensor(1, name="n_true_conds"))
    words = (
        f"Input error: exclusive=True: more than 1 conditions {_names(preds)} evaluated as True:"
    )
    return _assert(few, words, stacked)


def _checked(p: Value, f: Callable[[], Any], preds: Sequence[Value]) -> Callable[[], Any]:
    """`f`, where one of `preds` must be true and only the last can still be."""

    def last() -> Any:
        words = f"Input error: None of conditions evaluated as True: {_names(preds)}"
        check = _assert(p, words, arrays.stack(list(preds)))
        with get_default_graph().control_dependencies([check]):
            return nest.map_structure(_gated, f())

    return last


def _gated(x: Any) -> Any:
    return x if isinstance(x, Operation) else state.identity(convert_to_tensor(x))


# --------------------------------------------------------------------- while


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
    maximum_iterations: Any = None,
    return_same_structure: bool = False,
) -> Any:
    """The loop variables after `body` was applied to them as long as `cond` of them is true.

    Parameters
    ----------
    cond : callable
        ``(*loop_vars) -> scalar bool tensor``.
    body : callable
        ``(*loop_vars) -> next loop_vars``, of the same structure.
    loop_vars : (possibly nested) list or tuple of tensors and arrays
    shape_invariants : structure of shapes, optional
        What is the same of the loop variables' shapes in all iterations.
    parallel_iterations : int
        Accepted.
    back_prop : bool
        Whether gradients pass.
    swap_memory : bool
        Accepted.
    maximum_iterations : scalar integer, optional
        The loop ends after so many iterations in any case.
    return_same_structure : bool
        Whether a single loop variable comes back as in `loop_vars`, not alone.

    Raises
    ------
    TypeError
        When `cond` or `body` is no function, or a loop variable changes its type.
    ValueError
        When there are no loop variables, `body` gives another structure, or the shape of a
        variable changes.
    """
    graph: Any = get_default_graph()
    with graph.transaction(), name_scope(name, "while", nest.flatten(loop_vars)):
        if not loop_vars:
            raise ValueError("No loop variables provided")
        if not callable(cond):
            raise TypeError("cond must be callable.")
        if not callable(body):
            raise TypeError("body must be callable.")
        if isinstance(parallel_iterations, bool) or int(parallel_iterations) < 1:
            raise TypeError("parallel_iterations must be a positive integer.")
        counted = maximum_iterations is not None
        if counted:
            alone = len(loop_vars) == 1 and not return_same_structure
            cond, body, loop_vars, shape_invariants = _bounded(
                cond, body, loop_vars, shape_invariants, maximum_iterations, alone
            )
        made = _While(cond, body, loop_vars, shape_invariants, back_prop)
        made.parallel = int(parallel_iterations)
        out = made.record(graph)
    if counted:
        return out[1]
    return out if return_same_structure or len(made.values) > 1 else out[0]


def _bounded(
    cond: Any, body: Any, loop_vars: Any, invariants: Any, limit: Any, alone: bool
) -> tuple[Any, Any, Any, Any]:
    """The same loop with a counter beside its variables."""
    most = convert_to_tensor(limit, name="maximum_iterations")
    if most.rank not in (0, None):
        shape = from_dims(most.static_shape)
        raise ValueError(f"maximum_iterations must be a scalar, saw shape: {shape}")
    start = convert_to_tensor(0, dtype=most.dtype, name="iteration_counter")
    if alone:
        loop_vars = loop_vars[0]
        if nest.is_sequence(invariants):
            invariants = invariants[0]

    def test(i: Any, values: Any) -> Any:
        go_on = i < most
        return math.logical_and(go_on, cond(values) if alone else cond(*values))

    def step(i: Any, values: Any) -> Any:
        return (i + 1, body(values) if alone else body(*values))

    if invariants is not None:
        invariants = [TensorShape([]), invariants]
    return test, step, (start, loop_vars), invariants


class _While:
    """One call of `while_loop`."""

    def __init__(
        self, cond: Any, body: Any, loop_vars: Any, invariants: Any, back_prop: bool
    ) -> None:
        self.cond, self.body, self.given = cond, body, loop_vars
        self.back_prop = back_prop
        self.parallel = 10
        leaves, self.pack = expanded(loop_vars)
        self.values = [x if isinstance(x, Value) else convert_to_tensor(x) for x in leaves]
        self.shapes = _first_shapes(loop_vars, self.values)
        self.stated = invariants is not None
        if self.stated:
            self.invariants(invariants)

    def invariants(self, given: Any) -> None:
        """Take the shapes that hold in all iterations."""
        nest.assert_same_structure(_listed(self.given), _listed(given))
        shapes = _flat_shapes(self.given, given)
        for i, (v, s) in enumerate(zip(self.values, shapes, strict=True)):
            shape, first = as_shape(s), from_dims(v.static_shape)
            if not _less_specific(shape, first):
                raise ValueError(
                    f"The shape invariant specified for {v.name} is not compatible with the "
                    f"initial shape of the loop variable. It enters the loop with shape {first}, "
                    f"but the specified shape invariant is {shape}."
                )
            dims = shape.dims
            self.shapes[i] = (
                None
                if dims is None
                else tuple([D.fresh() if d.value is None else d.value for d in dims])
            )

    def record(self, graph: Any) -> Any:
        context = Loop(graph.context)
        context.back_prop, context.parallel = self.back_prop, self.parallel
        values = flow.loop(context, self.values, self.test, self.step, self.shapes, self.check)
        return self.pack_results(values)

    def test(self, values: Sequence[Value]) -> Value:
        c = convert_to_tensor(self.cond(*self.pack(values)))
        if c.dtype is not dtypes.bool_:
            raise TypeError(
                f"Input 'input' of 'LoopCond' Op has type {c.dtype.name} that does not match "
                "expected type of bool."
            )
        if c.rank not in (0, None):
            where = get_default_graph().unique_name("LoopCond", mark_as_used=False)
            raise ValueError(
                f"Shape must be rank 0 but is rank {c.rank} for '{where}' (op: 'LoopCond') with "
                f"input shapes: {show_shapes([c])}."
            )
        return c

    def step(self, values: Sequence[Value]) -> list[Value]:
        packed = self.pack(values)
        out = self.body(*packed)
        if not nest.is_sequence(out):
            out = [out]
        nest.assert_same_structure(list(packed), list(out))
        leaves, self.pack_results = expanded(out)
        return [x if isinstance(x, Value) else convert_to_tensor(x) for x in leaves]

    def check(self, i: int, p: Value, r: Value) -> None:
        """Refuse a variable that an iteration changes in what must stay."""
        if r.dtype is not p.dtype:
            raise TypeError(
                f"the loop variable {self.values[i].name} has type {p.dtype.name}, but "
                f"{r.dtype.name} after one iteration ({r.name})."
            )
        before, after = from_dims(p.static_shape), from_dims(r.static_shape)
        if _less_specific(before, after):
            return
        if self.stated:
            raise ValueError(
                f"The shape invariant specified for {self.values[i].name} is {before}, but its "
                f"shape is {after} after one iteration. To allow the shape to vary across "
                "iterations, use the `shape_invariants` argument of tf.while_loop to specify a "
                "less-specific shape."
            )
        raise ValueError(
            f"Input tensor '{self.values[i].name}' enters the loop with shape {before}, but has "
            f"shape {after} after one iteration. To allow the shape to vary across iterations, "
            "use the `shape_invariants` argument of tf.while_loop to specify a less-specific "
            "shape."
        )


def _less_specific(a: TensorShape, b: TensorShape) -> bool:
    """Whether every shape that `b` allows is one that `a` allows."""
    if a.dims is None:
        return True
    if b.dims is None or len(a.dims) != len(b.dims):
        return False
    return all(x.value is None or x.value == y.value for x, y in zip(a.dims, b.dims, strict=True))


def _listed(x: Any) -> Any:
    return list(x) if type(x) is tuple else x


def _first_shapes(given: Any, values: Sequence[Value]) -> list[Any]:
    """The static shapes of loop variables of which nothing is stated."""
    out: list[Any] = []
    for leaf in nest.flatten(given):
        own = getattr(leaf, "_flow_shapes", None)
        count = len(out) + len(_parts(leaf)[0])
        out += [v.static_shape for v in values[len(out) : count]] if own is None else own(None)
    return out


def _flat_shapes(values: Any, shapes: Any) -> list[Any]:
    """One shape for each tensor that the leaves of `values` are made of."""
    out: list[Any] = []
    for leaf, s in zip(nest.flatten(values), nest.flatten(shapes), strict=True):
        own = getattr(leaf, "_flow_shapes", None)
        if own is not None:
            out += own(as_shape(s))
            continue
        parts, _ = _parts(leaf)
        # what is stated for an array is about its elements' count only: none of its parts
        out += [s] if len(parts) == 1 and parts[0] is leaf else [None] * len(parts)
    return out
