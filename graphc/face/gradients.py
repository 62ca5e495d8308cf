"""Derivatives as users ask for them: `gradients`, `hessians`, custom gradients."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import numpy as np

from graphc.face.current import graph_of
from graphc.face.graph import get_default_graph
from graphc.face.source import user_source
from graphc.face.variables import Variable, trainable_variables
from graphc.ir import build
from graphc.ir.nesting import room_for
from graphc.ir.node import Node, Value, behind
from graphc.ir.registry import OPS
from graphc.ops import arrays, fills, record, shapes
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import made
from graphc.ops.indexed import IndexedSlices
from graphc.passes.differentiate import OVERRIDES, differentiate

__all__ = [
    "AggregationMethod", "GradientTape", "NoGradient", "NotDifferentiable", "RegisterGradient",
    "UnconnectedGradients", "custom_gradient", "gradients", "hessians",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])


class AggregationMethod:
    """How gradients of one tensor are summed; accepted for TF1's sake, all mean the same here."""

    ADD_N = 0
    DEFAULT = ADD_N
    EXPERIMENTAL_TREE = 1
    EXPERIMENTAL_ACCUMULATE_N = 2


class UnconnectedGradients:
    """What `gradients` gives where ys do not depend on x."""

    NONE = "none"
    ZERO = "zero"


class RegisterGradient:
    """Decorator: a gradient function by name, for `Graph.gradient_override_map`.

    The function gets the operation and the gradients of its outputs, and returns those of
    its inputs.

    Examples
    --------
    ``@tf.RegisterGradient("Straight")`` above ``def f(op, dy): return dy``.
    """

    def __init__(self, op_type: str) -> None:
        if not isinstance(op_type, str):
            raise TypeError("op_type must be a string")
        self.op_type = op_type

    def __call__(self, f: F) -> F:
        _register(self.op_type, f)
        return f


def _register(op_type: str, f: Callable[..., Any]) -> None:
    if op_type in OVERRIDES or any(r.tf == op_type and r.grad for r in OPS.values()):
        raise KeyError(f"Registering two gradient with name '{op_type}'!")
    OVERRIDES[op_type] = f


def NotDifferentiable(op_type: str) -> None:
    """Say that ops of a type pass no gradient."""
    if not isinstance(op_type, str):
        raise TypeError("op_type must be a string")
    _register(op_type, lambda op, *dys: [None] * len(op.inputs))


NoGradient = NotDifferentiable


def _values(xs: Any, what: str) -> list[Value]:
    out = []
    for i, x in enumerate(xs):
        if isinstance(x, Variable):
            out.append(x._ref())
        elif isinstance(x, IndexedSlices):
            out.append(x.values)
        else:
            out.append(convert_to_tensor(x, name=f"{what}_{i}"))
    return out


def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    name: str = "gradients",
    colocate_gradients_with_ops: bool = False,
    gate_gradients: bool = False,
    aggregation_method: int | None = None,
    stop_gradients: Any = None,
    unconnected_gradients: str = UnconnectedGradients.NONE,
) -> list[Any]:
    """The derivative of the sum of `ys` with respect to each of `xs`.

    Parameters
    ----------
    ys, xs : tensor or list of tensors
    grad_ys : tensor or list, optional
        Gradients of `ys`, of their shapes; ones where None.
    colocate_gradients_with_ops : bool
        Whether the gradient of an operation is on the operation's device.
    stop_gradients : tensor or list, optional
        Taken as constants.
    unconnected_gradients : {"none", "zero"}

    Returns
    -------
    list
        One gradient for each x: a tensor, an `IndexedSlices` (of what was gathered from), or
        None where `ys` do not depend on it.

    Notes
    -----
    Tensors of integers are constants: the gradient of one, or through one, is None.

    Raises
    ------
    LookupError
        Where an op in between has no gradient.
    TypeError
        When the gradient of a y is of another type.
    ValueError
        For tensors of different graphs.
    """
    ys, xs = _list(ys), _list(xs)
    gys = _list(grad_ys) if grad_ys is not None else [None] * len(ys)
    if len(gys) != len(ys):
        raise ValueError(f"Passed {len(gys)} grad_ys for {len(ys)} ys")
    stop = [] if stop_gradients is None else _list(stop_gradients)
    if unconnected_gradients not in ("none", "zero"):
        raise ValueError(f"Unknown value for unconnected_gradients: {unconnected_gradients!r}")
    graph = graph_of([*ys, *xs, *stop, *gys])
    if graph is not get_default_graph():
        with graph.as_default():
            return gradients(
                ys, xs, grad_ys, name, colocate_gradients_with_ops, gate_gradients,
                aggregation_method, stop_gradients, unconnected_gradients,
            )  # fmt: skip
    with graph.transaction(), build.current().scope(name, "gradients") as scope:
        y = _values(ys, "y")
        x = _values(xs, "x")
        gy = [_grad_y(g, v, i) for i, (g, v) in enumerate(zip(gys, y, strict=True))]
        kept = [i for i, v in enumerate(y) if v.dtype.kind in "fc"]
        stop_at = _values(stop, "stop")
        first = len(graph._by_name)
        with graph.from_line(user_source()), room_for(graph):
            out = differentiate(
                [y[i] for i in kept], x, [gy[i] for i in kept], stop_at, bool(gate_gradients),
                bool(colocate_gradients_with_ops),
            )  # fmt: skip
        for v, g in zip(y, gy, strict=True):
            if v.dtype.kind in "iu" and g is None:
                made(3)  # its ones, of which nothing comes
        if unconnected_gradients == "zero":
            out = [fills.zeros_like(v) if g is None else g for g, v in zip(out, x, strict=True)]
        call = Call(first, len(graph._by_name), scope, y, x, gy, stop_at, unconnected_gradients)
        graph.extras.setdefault("gradients", []).append(call)
    return out


class Call(NamedTuple):
    """One call of `gradients`, for who writes a graph as source; which nodes it recorded."""

    first: int
    last: int
    scope: str
    ys: list[Value]
    xs: list[Value]
    grad_ys: list[Any]
    stop: list[Value]
    unconnected: str


def _list(xs: Any) -> list[Any]:
    return list(xs) if isinstance(xs, (list, tuple)) else [xs]


#: Operations whose gradient is a reshape first: in TF1 any gradient with as many elements will do.
_RESHAPED = frozenset(("ExpandDims", "Reshape", "Squeeze", "Sum"))


def _grad_y(g: Any, y: Value, i: int) -> Any:
    """The gradient of a y as the user gives it, as a tensor of its type."""
    if y.dtype.kind == "c" and g is None:
        raise TypeError(f"Gradients of complex tensors must set grad_ys (y.dtype = {y.dtype!r})")
    if y.dtype.kind not in "fiuc":
        raise TypeError(
            f"Tensor {y!s} with type {y.dtype.name} must be numeric to obtain a default gradient"
        )
    if g is None:
        return g
    if not isinstance(g, (Value, Variable, IndexedSlices)):
        g = convert_to_tensor(g, dtype=y.dtype, name=f"grad_ys_{i}")
    if g.dtype.base_dtype is not y.dtype:
        raise TypeError(
            f"Gradient type {g.dtype.base_dtype.name} generated for tensor {y!s} with type "
            f"{y.dtype.name}: they must be the same"
        )
    if isinstance(g, IndexedSlices):
        get_default_graph().reserve(*[f"grad_ys_{i}"] * (2 if g.dense_shape is None else 3))
        return g
    g = convert_to_tensor(g)
    get_default_graph().reserve(f"grad_ys_{i}")
    if g.rank == 0 and y.rank != 0:
        with get_default_graph().counts_as(0):
            return g * fills.ones_like(y)
    if not y.get_shape().is_compatible_with(g.get_shape()):  # type: ignore[attr-defined]
        both: tuple[Any, Any] = (y, g)
        wanted, given = [v.get_shape().num_elements() for v in both]
        if both[0].op.type in _RESHAPED and wanted == given is not None:
            return shapes.reshape(g, shapes.shape(y))
        raise ValueError(
            f"Gradient {g.name} has shape {g.get_shape()}, "
            f"but the tensor {y.name} has {y.get_shape()}."  # type: ignore[attr-defined]
        )
    return g


def hessians(
    ys: Any,
    xs: Any,
    name: str = "hessians",
    colocate_gradients_with_ops: bool = False,
    gate_gradients: bool = False,
    aggregation_method: int | None = None,
) -> list[Any]:
    """The Hessian of the sum of `ys` with respect to each of `xs`: shape ``x.shape + x.shape``.

    Raises
    ------
    ValueError
        When the ys do not depend on an x.
        When an x has unknown sizes: a row of the Hessian is one derivative, and their number
        must be known while the graph is built.
    """
    with get_default_graph().transaction():
        return _hessians(ys, _list(xs), name)


def _hessians(ys: Any, xs: list[Any], name: str) -> list[Any]:
    out: list[Any] = []
    for x, g in zip(xs, gradients(ys, xs, name=name), strict=True):
        v = _values([x], "x")[0]
        shape = v.static_shape
        if g is None:
            raise ValueError(f"the gradient with respect to {v.name} is None: it has no Hessian")
        if shape is None or not all(type(d) is int for d in shape):
            raise ValueError(f"hessians needs the static shape of {v.name}, which is {shape}")
        n = 1
        for d in shape:
            n *= int(str(d))
        flat = shapes.reshape(g, [n])
        rows = [gradients(flat[i], x)[0] for i in range(n)]
        zero = fills.zeros_like(v)
        whole = (
            arrays.stack([zero if r is None else convert_to_tensor(r) for r in rows]) if n else zero
        )
        out.append(shapes.reshape(whole, [*shape, *shape]))
    return out


def _grouped_infer(inputs: Sequence[Value], attrs: Any) -> Any:
    return [v.type for v in inputs[: attrs["count"]]]


_with_gradient = record.op(
    "identity_n", "IdentityN", "state", args=("*input",), infer=_grouped_infer, types="fiubs",
    doc="Its first operands, with a gradient function of the user's.",
    numpy=lambda *xs, count, _gradient=None: xs[:count],
    facts={"aliases": True},
)  # fmt: skip


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator for a function with a gradient of its own.

    `f(*args)` returns ``(y, grad)``, where ``grad(*dys)`` gives the gradients of the args.
    When `f` uses variables, ``grad(*dys, variables=[…])`` gives ``(arg_gradients,
    variable_gradients)``.

    Raises
    ------
    TypeError
        When `f` uses variables and ``grad`` takes none.
    ValueError
        When ``grad`` gives another number of gradients.

    Examples
    --------
    >>> import graphc as tf
    >>> @tf.custom_gradient
    ... def clipped(x):
    ...     return tf.identity(x), lambda dy: tf.clip_by_value(dy, -1.0, 1.0)
    """

    @functools.wraps(f)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        xs = [convert_to_tensor(a) for a in args]
        with get_default_graph().transaction():
            result, grad = f(*xs, **kwargs)
            ys = [convert_to_tensor(y) for y in _flat(result)]
            variables = _variables_between(xs, ys)
            if variables and not _takes_variables(grad):
                raise TypeError(
                    "If using @custom_gradient with a function that uses variables, then grad_fn "
                    "must accept a keyword argument 'variables'."
                )
            gradient = _Custom(grad, len(ys), len(xs), variables)
            inputs = [*ys, *xs, *[v._snapshot for v in variables]]
            n = build.build(_with_gradient, inputs, {"count": len(ys), "_gradient": gradient})
            made(len(ys))  # an identity of each
        return _packed(result, iter(n.outputs))

    return decorated


class _Custom:
    """The gradient function of a call of a function with a custom gradient."""

    def __init__(self, grad: Any, outputs: int, args: int, variables: list[Variable]) -> None:
        self.grad, self.outputs, self.args, self.variables = grad, outputs, args, variables

    def __call__(self, n: Node, *dys: Any) -> list[Any]:
        of_variables: list[Any] = []
        if self.variables:
            got, of_variables = self.grad(*dys, variables=self.variables)
            of_variables = _flat(of_variables)
            if len(of_variables) != len(self.variables):
                raise ValueError(
                    "Must return gradient for each variable from @custom_gradient grad_fn."
                )
        else:
            got = self.grad(*dys)
        found = _flat(got)
        if len(found) != self.args:
            raise ValueError(
                f"the gradient function gave {len(found)} gradients for {self.args} arguments"
            )
        return [None] * self.outputs + found + of_variables


def _flat(x: Any) -> list[Any]:
    """The leaves of nested lists, tuples and dictionaries (these by sorted key, as in TF1)."""
    if isinstance(x, Mapping):
        return [leaf for k in sorted(x) for leaf in _flat(x[k])]
    if isinstance(x, (list, tuple)):
        return [leaf for item in x for leaf in _flat(item)]
    return [x]


def _packed(like: Any, leaves: Iterator[Any]) -> Any:
    if isinstance(like, Mapping):
        made = {k: _packed(like[k], leaves) for k in sorted(like)}
        return type(like)([(k, made[k]) for k in like])  # type: ignore[call-arg]
    if isinstance(like, (list, tuple)):
        items = [_packed(item, leaves) for item in like]
        return type(like)(*items) if hasattr(like, "_fields") else type(like)(items)
    return next(leaves)


def _variables_between(xs: list[Value], ys: list[Value]) -> list[Variable]:
    """Trainable variables that `ys` read otherwise than through `xs`."""
    given = set(xs)
    read = behind(ys, given, control=False)
    return [
        v
        for v in trainable_variables()
        if isinstance(v, Variable) and v.op in read and v._snapshot not in given
    ]


def _takes_variables(grad: Callable[..., Any]) -> bool:
    parameters = inspect.signature(grad).parameters.values()
    return any(p.name == "variables" or p.kind is p.VAR_KEYWORD for p in parameters)


class GradientTape:
    """Gradients of what is recorded in its block; in a graph those of `gradients`.

    Parameters
    ----------
    persistent : bool
        Whether `gradient` may be called more than once.
    watch_accessed_variables : bool
        Accepted: in a graph every tensor can be asked for.
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self._persistent = persistent
        self._used = False
        self._watched: list[Any] = []
        self._accessed = watch_accessed_variables
        self._recorded: list[tuple[Any, int, int]] = []

    def __enter__(self) -> GradientTape:
        graph = get_default_graph()
        self._recorded.append((graph, len(graph.get_operations()), -1))
        return self

    def __exit__(self, *exc: object) -> None:
        graph, first, _ = self._recorded.pop()
        self._recorded.append((graph, first, len(graph.get_operations())))

    def watch(self, tensor: Any) -> None:
        """Accepted: every tensor can be asked for."""
        self._watched += _flat(tensor)

    @contextmanager
    def stop_recording(self) -> Iterator[None]:
        """Accepted: what is recorded in the block is part of the graph all the same."""
        yield

    def reset(self) -> None:
        """Forget what was watched."""
        self._watched, self._used, self._recorded = [], False, []

    def watched_variables(self) -> tuple[Any, ...]:
        """The variables given to `watch`, and the trainable ones that were read in the block."""
        found = [v for v in self._watched if not isinstance(v, Value)]
        for graph, first, end in self._recorded if self._accessed else ():
            block = graph.get_operations()[first : end if end >= 0 else None]
            read = {v.op for n in block for v in n.inputs}.union(block)
            found += [
                v
                for v in graph.get_collection("trainable_variables")
                if isinstance(v, Variable) and not read.isdisjoint((v.op, v._snapshot.node))
            ]
        return tuple(dict.fromkeys(found))

    def _once(self, what: str) -> None:
        if self._used and not self._persistent:
            raise RuntimeError(
                f"GradientTape.{what} can only be called once on non-persistent tapes."
            )
        self._used = True

    def gradient(
        self, target: Any, sources: Any, output_gradients: Any = None,
        unconnected_gradients: Any = UnconnectedGradients.NONE,
    ) -> Any:  # fmt: skip
        """Derivatives of `target` with respect to `sources`, in their structure.

        Raises
        ------
        RuntimeError
            At the second call where the tape is not persistent.
        """
        self._once("gradient")
        made = gradients(
            _flat(target), _flat(sources),
            None if output_gradients is None else _flat(output_gradients),
            unconnected_gradients=unconnected_gradients,
        )  # fmt: skip
        return _packed(sources, iter(made))

    def jacobian(
        self, target: Any, sources: Any, unconnected_gradients: Any = UnconnectedGradients.NONE,
        parallel_iterations: int | None = None, experimental_use_pfor: bool = True,
    ) -> Any:  # fmt: skip
        """One derivative of each element of `target`, whose size must be known."""
        self._once("jacobian")
        y = convert_to_tensor(target)
        shape = y.shape.as_list()  # type: ignore[attr-defined]
        if None in shape:
            raise ValueError(f"jacobian needs the static shape of its target, which is {shape}")
        n = int(np.prod(shape))
        flat = shapes.reshape(y, [n])
        rows = [
            gradients(flat[i], _flat(sources), unconnected_gradients=unconnected_gradients)
            for i in range(n)
        ]
        out: list[Any] = []
        for k, x in enumerate(_flat(sources)):
            parts = [r[k] for r in rows]
            if all(p is None for p in parts):
                out.append(None)
                continue
            v = convert_to_tensor(x)
            zero = fills.zeros_like(v)
            whole = arrays.stack([zero if p is None else convert_to_tensor(p) for p in parts])
            out.append(shapes.reshape(whole, _lengths(shape, v)))
        return _packed(sources, iter(out))

    def batch_jacobian(
        self, target: Any, source: Any,
        unconnected_gradients: Any = UnconnectedGradients.NONE,
        parallel_iterations: int | None = None, experimental_use_pfor: bool = True,
    ) -> Any:  # fmt: skip
        """For each entry of the first axis, derivatives of its elements to those of its source."""
        self._once("batch_jacobian")
        y, x = convert_to_tensor(target), convert_to_tensor(source)
        shape = y.shape.as_list()[1:]  # type: ignore[attr-defined]
        n = int(np.prod(shape))
        flat = shapes.reshape(y, [-1, n])
        rows = [convert_to_tensor(gradients(flat[:, i], x)[0]) for i in range(n)]
        sizes = shapes.shape(x)
        lead = [sizes[0], *shape]
        rest = [sizes[i + 1] if d is None else d
                for i, d in enumerate(x.shape.as_list()[1:])]  # type: ignore[attr-defined]  # fmt: skip
        return shapes.reshape(arrays.stack(rows, 1), [*lead, *rest])


def _lengths(shape: list[Any], x: Value) -> list[Any]:
    known = x.shape.as_list()  # type: ignore[attr-defined]
    live = shapes.shape(x) if None in known else None
    return [*shape, *[live[i] if d is None and live is not None else d
                      for i, d in enumerate(known)]]  # fmt: skip
