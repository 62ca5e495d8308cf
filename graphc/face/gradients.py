"""Derivatives as users ask for them: `gradients`, `hessians`, custom gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from graphc.face.graph import get_default_graph
from graphc.face.variables import Variable
from graphc.ir import build
from graphc.ir.node import Node, Value
from graphc.ops import record, shapes
from graphc.ops.convert import convert_to_tensor
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
        if self.op_type in OVERRIDES:
            raise KeyError(f"Registering two gradient with name '{self.op_type}'!")
        OVERRIDES[self.op_type] = f
        return f


def NotDifferentiable(op_type: str) -> None:  # noqa: N802 - TF1's name
    """Say that ops of a type pass no gradient."""
    if not isinstance(op_type, str):
        raise TypeError("op_type must be a string")
    OVERRIDES[op_type] = lambda op, *dys: [None] * len(op.inputs)


NoGradient = NotDifferentiable


def _values(xs: Any, what: str) -> list[Value]:
    out = []
    for x in xs:
        if isinstance(x, Variable):
            out.append(x._ref())
        elif isinstance(x, IndexedSlices):
            out.append(x.values)
        else:
            out.append(convert_to_tensor(x, name=what))
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
    stop_gradients : tensor or list, optional
        Taken as constants.
    unconnected_gradients : {"none", "zero"}

    Returns
    -------
    list
        One gradient for each x: a tensor, an `IndexedSlices` (of what was gathered from), or
        None where `ys` do not depend on it.

    Raises
    ------
    LookupError
        Where an op in between has no gradient.
    TypeError
        For `ys` of integers.
    """
    ys = list(ys) if isinstance(ys, (list, tuple)) else [ys]
    xs = list(xs) if isinstance(xs, (list, tuple)) else [xs]
    gys = list(grad_ys) if isinstance(grad_ys, (list, tuple)) else [grad_ys] * len(ys)
    if len(gys) != len(ys):
        raise ValueError(f"Passed {len(gys)} grad_ys for {len(ys)} ys")
    stop = [] if stop_gradients is None else (
        list(stop_gradients) if isinstance(stop_gradients, (list, tuple)) else [stop_gradients]
    )  # fmt: skip
    if unconnected_gradients not in ("none", "zero"):
        raise ValueError(f"Unknown value for unconnected_gradients: {unconnected_gradients!r}")
    graph = get_default_graph()
    with graph.transaction(), build.current().scope(name, "gradients"):
        y = _values(ys, "y")
        x = _values(xs, "x")
        for v in y:
            if v.dtype.kind not in "f":
                raise TypeError(
                    f"Gradients of tensors with integer dtype {v.dtype.name} are not supported: {v.name}"
                )
        gy = [_check_grad(g, v) for g, v in zip(gys, y, strict=True)]
        out = differentiate(y, x, gy, _values(stop, "stop"))
        if unconnected_gradients == "zero":
            out = [shapes.zeros_like(v) if g is None else g for g, v in zip(out, x, strict=True)]
    return out


def _check_grad(g: Any, y: Value) -> Any:
    if g is None or isinstance(g, IndexedSlices):
        return g
    g = convert_to_tensor(g, dtype=y.dtype, name="grad_y")
    if g.rank is not None and y.rank is not None and g.rank != y.rank:
        raise ValueError(
            f"Gradient of {y.name} has shape {g.static_shape}, the tensor {y.static_shape}"
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
        When an x has unknown sizes: a row of the Hessian is one derivative, and their number
        must be known while the graph is built.
    """
    xs = list(xs) if isinstance(xs, (list, tuple)) else [xs]
    out = []
    for x, g in zip(xs, gradients(ys, xs, name=name), strict=True):
        v = _values([x], "x")[0]
        shape = v.static_shape
        if g is None:
            out.append(None)
            continue
        if shape is None or not all(type(d) is int for d in shape):
            raise ValueError(f"hessians needs the static shape of {v.name}, which is {shape}")
        n = 1
        for d in shape:
            n *= int(str(d))
        flat = shapes.reshape(g, [n])
        rows = [gradients(flat[i], x)[0] for i in range(n)]
        zero = shapes.zeros_like(v)
        whole = (
            shapes.stack([zero if r is None else convert_to_tensor(r) for r in rows]) if n else zero
        )
        out.append(shapes.reshape(whole, [*shape, *shape]))
    return out


def _grouped_infer(inputs: Sequence[Value], attrs: Any) -> Any:
    return [v.type for v in inputs[: attrs["count"]]]


_with_gradient = record.op(
    "identity_n", "IdentityN", "state", doc="Its first operands, with a gradient function of the user's.",
    args=("*input",), infer=_grouped_infer, types="fiubs", numpy=lambda *xs, count, _gradient=None: xs[:count],
    facts={"aliases": True},
)  # fmt: skip


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator for a function with a gradient of its own.

    `f(*args)` returns ``(y, grad)``, where ``grad(*dys)`` gives the gradients of the args.
    When `f` uses variables, ``grad(*dys, variables=[…])`` gives ``(arg_gradients, variable_gradients)``.
    """

    def decorated(*args: Any, **kwargs: Any) -> Any:
        graph = get_default_graph()
        xs = [convert_to_tensor(a) for a in args]
        with build.current().scope(None, "CustomGradient"):
            stopped = [build.build(_inner, (x,), {}).outputs[0] for x in xs]
            made, grad = f(*stopped, **kwargs)
            many = isinstance(made, (list, tuple))
            ys = [convert_to_tensor(y) for y in (made if many else [made])]

            def gradient(n: Node, *dys: Any) -> list[Any]:
                got = grad(*dys)
                got = list(got) if isinstance(got, (list, tuple)) else [got]
                if len(got) != len(xs):
                    raise ValueError(
                        f"the gradient function gave {len(got)} gradients for {len(xs)} arguments"
                    )
                return [None] * len(ys) + got

            n = build.build(_with_gradient, (*ys, *xs), {"count": len(ys), "_gradient": gradient})
        return list(n.outputs) if many else n.outputs[0]

    decorated.__name__ = getattr(f, "__name__", "custom_gradient")
    decorated.__doc__ = f.__doc__
    return decorated


_inner = record.op(
    "custom_argument", "Identity", "state", doc="An argument inside a function with a custom gradient.",
    args=("input",), infer=lambda inputs, attrs: [inputs[0].type], types="fiubs", numpy=lambda x: x,
    grad=lambda y, dy, x: dy, facts={"alias": True},
)  # fmt: skip


class GradientTape:
    """TF1's eager tape; graphc records graphs only.

    Raises
    ------
    RuntimeError
        Always, saying what to use instead.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(
            "GradientTape needs eager execution; in a graph use tf.gradients(ys, xs)"
        )
