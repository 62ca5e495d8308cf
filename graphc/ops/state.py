"""What a run is given and what it changes: placeholders, variables, their updates; identity.

``facts`` tell `graphc.passes.functionalize` what these ops mean in a pure graph:

``update``
    ``(old, *operands, **attrs) -> new``: the op changes the variable that is its first operand;
    its result is the new value. ``reads`` is False where `old` is not used (it is then None).
``alias``
    The op is its operand.
``shares``
    ``(node, index) -> bool``: whether TensorFlow's kernel gives that output the memory of the
    first operand (`graphc.ops.sharing`). Aliases and ops with fact ``reshape`` always do.
``effect_only``
    The op orders others and computes nothing.
``query``
    The op asks the session about its operands, not for their values.
``ref``
    TF1 gives the result a reference type (``float32_ref``): said by `repr` only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Node, Value
from graphc.ops import intervals
from graphc.ops.counting import made
from graphc.ops.record import Attrs, InferError, Types, apply, as_value, merge, op, show_shapes

__all__ = [
    "assign", "assign_add", "assign_sub", "identity", "initialized_value",
    "is_variable_initialized", "no_op", "placeholder", "placeholder_with_default",
    "prevent_gradient", "reference", "report_uninitialized", "stop_gradient", "variable",
]  # fmt: skip


def _same(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(inputs[0].dtype, inputs[0].static_shape)]


def _given(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(attrs["dtype"], attrs["shape"])]


def _merged(a: Value, b: Value) -> Shape | None:
    try:
        return merge(a.static_shape, b.static_shape)
    except InferError as e:
        if "rank" in str(e):
            raise
        raise InferError(f"{e}. Shapes are {show_shapes([a])} and {show_shapes([b])}.") from None


def _assigned(inputs: Sequence[Value], attrs: Attrs) -> Types:
    ref, value = inputs
    if attrs.get("validate_shape", True):
        return [(ref.dtype, _merged(ref, value))]
    return [(ref.dtype, value.static_shape)]


def _assign_rule(
    old: Value | None, value: Value, shape: Shape | None = None, validate_shape: bool = True
) -> Value:
    """The new value, which must have the variable's shape."""
    given = value.static_shape
    if validate_shape and shape is not None and given is not None:
        fits = len(shape) == len(given)
        if not fits or any(D.same(a, b) is False for a, b in zip(shape, given, strict=True)):
            facts = D.facts()
            sizes = [d if facts is None else facts.value(d) for d in given]
            raise InvalidArgumentError(
                None, None,
                "Assign requires shapes of both tensors to match. lhs shape= "
                f"[{','.join(map(str, shape))}] rhs shape= [{','.join(map(str, sizes))}]",
            )  # fmt: skip
    return value


def _updated(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(inputs[0].dtype, _merged(inputs[0], inputs[1]))]


# ------------------------------------------------------------------------- records

placeholder_op = op(
    "placeholder", "Placeholder", "state", doc="A tensor that a run must feed.", infer=_given,
    types="fiubsc",
)  # fmt: skip


def _defaulted(inputs: Sequence[Value], attrs: Attrs) -> Types:
    shape: Shape | None = attrs["shape"]
    given = inputs[0].static_shape
    if shape is not None and given is not None:
        merge(shape, given)
    return [(inputs[0].dtype, shape)]


default_op = op(
    "placeholder_with_default", "PlaceholderWithDefault", "state",
    doc="A tensor that a run may feed.", args=("input",), infer=_defaulted, types="fiubsc",
    numpy=lambda x, *, shape: x, grad=lambda y, dy, x, shape: dy, facts={"alias": True},
)  # fmt: skip

variable_op = op(
    "variable", "VariableV2", "state", doc="A variable of the session.", infer=_given,
    types="fiubsc", stateful=True, facts={"ref": True},
)  # fmt: skip

identity_op = op(
    "identity", "Identity", "state", doc="Its operand.", args=("input",), infer=_same,
    types="fiubsc", numpy=lambda x: x, grad=lambda y, dy, x: dy, dims=lambda x: x,
    facts={"alias": True},
    interval=intervals.first,
)  # fmt: skip

stop_gradient_op = op(
    "stop_gradient", "StopGradient", "state",
    doc="Its operand; no gradient passes.", args=("input",), infer=_same, types="fiubsc",
    numpy=lambda x: x, grad=lambda y, dy, x: None, dims=lambda x: x, facts={"alias": True},
)  # fmt: skip


def _prevented(y: Any, dy: Any, x: Any, message: str) -> Any:
    raise LookupError(f"Gradient explicitly disabled. Reason: {message}")


prevent_gradient_op = op(
    "prevent_gradient", "PreventGradient", "state",
    doc="Its operand; asking for a gradient through it is an error.", args=("input",), infer=_same,
    types="fiubsc", numpy=lambda x, *, message: x, grad=_prevented, facts={"alias": True},
)  # fmt: skip

no_op_record = op(
    "no_op", "NoOp", "state", doc="Does nothing; a place for control dependencies.",
    infer=lambda inputs, attrs: [], types="fiubsc", facts={"effect_only": True},
)  # fmt: skip

assign_op = op(
    "assign", "Assign", "state", doc="Gives a variable a new value.", args=("ref", "value"),
    infer=_assigned, types="fiubsc", stateful=True,
    facts={"ref": True, "reads": False, "update": _assign_rule},
)  # fmt: skip

assign_add_op = op(
    "assign_add", "AssignAdd", "state", doc="Adds to a variable.", args=("ref", "value"),
    infer=_updated, types="fiu", stateful=True,
    facts={"ref": True, "update": lambda old, value, **attrs: old + value},
)  # fmt: skip

assign_sub_op = op(
    "assign_sub", "AssignSub", "state", doc="Subtracts from a variable.", args=("ref", "value"),
    infer=_updated, types="fiu", stateful=True,
    facts={"ref": True, "update": lambda old, value, **attrs: old - value},
)  # fmt: skip

initialized_op = op(
    "is_variable_initialized", "IsVariableInitialized", "state",
    doc="Whether the session holds a value of a variable.", args=("ref",), types="fiubsc",
    infer=lambda inputs, attrs: [(dtypes.bool_, ())], stateful=True, facts={"query": True},
)  # fmt: skip

uninitialized_op = op(
    "report_uninitialized", "ReportUninitialized", "state", args=("*refs",), types="fiubsc",
    doc="Names (attribute `names`) of those operands of which the session holds no value.",
    infer=lambda inputs, attrs: [(dtypes.string, (attrs["size"],))], stateful=True,
    facts={"query": True},
)  # fmt: skip


# ------------------------------------------------------------------------- functions


def _sizes(shape: Any) -> Shape | None:
    """The static shape a user asks for: None and unknown `Dimension`s become new symbols."""
    if shape is None or getattr(shape, "ndims", 0) is None:
        return None
    items: Iterable[Any] = shape if hasattr(shape, "__iter__") else (shape,)
    if isinstance(shape, str | bytes):
        raise TypeError(f"Error converting shape to a TensorShape: {shape!r} is a string.")
    out: list[Dim] = []
    for d in items:
        d = getattr(d, "value", d)
        if d is None:
            out.append(D.fresh())
            continue
        if isinstance(d, D.Expr):
            out.append(d)
            continue
        try:
            n = int(d)
        except (TypeError, ValueError) as e:
            raise TypeError(f"Error converting shape to a TensorShape: {e}.") from None
        if n != d:
            raise ValueError(f"Error converting shape to a TensorShape: Ambiguous dimension: {d}.")
        if n < 0:
            raise ValueError(
                f"Error converting shape to a TensorShape: Dimension {n} must be >= 0."
            )
        out.append(n)
    return tuple(out)


def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Value:
    """A tensor whose value each run must feed.

    Parameters
    ----------
    dtype : DType
    shape : sequence, optional
        Sizes, None for unknown ones. Without it any shape may be fed.

    Examples
    --------
    >>> import graphc as tf
    >>> tf.placeholder(tf.float32, [None, 3], name="x")
    <tf.Tensor 'x:0' shape=(?, 3) dtype=float32>
    """
    attrs = {"dtype": as_dtype(dtype).base_dtype, "shape": _sizes(shape)}
    return build(placeholder_op, (), attrs, name).outputs[0]


def placeholder_with_default(input: Any, shape: Any, name: str | None = None) -> Value:
    """A tensor that is `input` in runs that do not feed it.

    Parameters
    ----------
    input : tensor
    shape : sequence or None
        What may be fed; `input` must fit it.
    """
    return apply(default_op, (input,), {"shape": _sizes(shape)}, name, _any).outputs[0]


def _any(record: Any, values: Sequence[Any]) -> list[Value]:
    return [as_value(v, None, n) for v, n in zip(values, record.args, strict=True)]


def identity(input: Any, name: str | None = None) -> Value:
    """A tensor equal to `input`."""
    return apply(identity_op, (input,), None, name, _any).outputs[0]


def stop_gradient(input: Any, name: str | None = None) -> Value:
    """`input` as a constant: no gradient passes."""
    return apply(stop_gradient_op, (input,), None, name, _any).outputs[0]


def prevent_gradient(input: Any, message: str = "", name: str | None = None) -> Value:
    """`input`; a gradient through it raises LookupError with `message`."""
    return apply(prevent_gradient_op, (input,), {"message": message}, name, _any).outputs[0]


def no_op(name: str | None = None) -> Node:
    """An operation that does nothing."""
    return build(no_op_record, (), {}, name)


def variable(var: str, shape: Any, dtype: Any, name: str | None = None) -> Value:
    """The reference to the variable that the session knows as `var` (``tf.Variable`` uses it)."""
    attrs = {"var": var, "dtype": as_dtype(dtype).base_dtype, "shape": _sizes(shape)}
    return build(variable_op, (), attrs, name).outputs[0]


#: Updates that TF1 asks a tensor that is no reference for, as a method.
_METHODS = {"Assign": "assign", "AssignAdd": "assign_add", "AssignSub": "assign_sub"}


def reference(ref: Any, what: str) -> Value:
    """The variable op behind a variable, for an op that changes it.

    Raises
    ------
    TypeError, ValueError
        When `ref` is not a variable.
    """
    value = ref._ref() if hasattr(ref, "_ref") else ref
    while isinstance(value, Value) and "update" in value.node.op.facts:
        value = value.node.inputs[0]  # TF1: the result of an update is a reference too
    if not isinstance(value, Value):
        raise AttributeError(f"'{type(ref).__name__}' object has no attribute 'dtype'")
    if value.node.op is not variable_op:
        if what in _METHODS:
            raise AttributeError(f"'Tensor' object has no attribute '{_METHODS[what]}'")
        raise TypeError(f"Input 'ref' of '{what}' Op requires l-value input: {value!s}")
    return value


def assign(
    ref: Any,
    value: Any,
    validate_shape: bool | None = None,
    use_locking: bool | None = None,
    name: str | None = None,
) -> Value:
    """Give the variable `ref` the value `value`; the result is the new value.

    Parameters
    ----------
    validate_shape : bool, optional
        Whether `value` must have the shape of `ref` (True by default).

    Raises
    ------
    TypeError
        When the element types differ.
    ValueError
        When the shapes differ.
    """
    if isinstance(ref, Value) and hasattr(ref, "assign"):  # a slice
        return ref.assign(value, name=name)  # type: ignore[no-any-return]
    target = reference(ref, "Assign")
    attrs: dict[str, Any] = {}
    if validate_shape is False:
        attrs["validate_shape"] = False
    elif D.is_known(target.static_shape):
        attrs["shape"] = target.static_shape
    return _read_again(ref, apply(assign_op, (target, value), attrs, name))


def _read_again(ref: Any, update: Node) -> Value:
    """What an update gives; of a resource variable TF1 reads it then, one operation more."""
    made(getattr(ref, "_counts_reads", False))
    return update.outputs[0]


def assign_add(
    ref: Any, value: Any, use_locking: bool | None = None, name: str | None = None
) -> Value:
    """Add `value` to the variable `ref`; the result is the new value."""
    return _read_again(ref, apply(assign_add_op, (reference(ref, "AssignAdd"), value), None, name))


def assign_sub(
    ref: Any, value: Any, use_locking: bool | None = None, name: str | None = None
) -> Value:
    """Subtract `value` from the variable `ref`; the result is the new value."""
    return _read_again(ref, apply(assign_sub_op, (reference(ref, "AssignSub"), value), None, name))


def is_variable_initialized(variable: Any, name: str | None = None) -> Value:
    """Whether the session holds a value of the variable: a scalar bool tensor."""
    value = reference(variable, "IsVariableInitialized")
    return build(initialized_op, (value,), {}, name).outputs[0]


def report_uninitialized(
    refs: Sequence[Any], name: str = "report_uninitialized_variables"
) -> Value:
    """Names of those variables of which the session holds no value: a vector of strings."""
    values = [reference(r, "IsVariableInitialized") for r in refs]
    attrs = {"names": tuple([v.node.name for v in values]), "size": D.fresh()}
    return build(uninitialized_op, values, attrs, name).outputs[0]


def _chosen(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(inputs[0].dtype, _merged(inputs[0], inputs[1]))]


initialized_value_op = op(
    "initialized_value", "Merge", "state", args=("ref", "initial"), types="fiubsc", infer=_chosen,
    doc="The value of a variable, or `initial` where the session holds none yet.", stateful=True,
    grad=lambda y, dy, ref, initial: (dy, dy), facts={"query": True},
)  # fmt: skip


def initialized_value(ref: Any, initial: Value) -> Value:
    """The value of the variable `ref`, or `initial` where the session holds none yet."""
    builder = current()
    builder.reserve("IsVariableInitialized")
    with builder.scope(None, "cond"):
        builder.reserve(
            "Switch", "switch_t", "switch_f", "pred_id", "read", "read/Switch", "Switch_1"
        )
        return build(initialized_value_op, (reference(ref, "Identity"), initial)).outputs[0]
