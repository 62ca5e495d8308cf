"""What an op is: one record, and the families that supply all that their members share.

The record says the op's meaning (numpy), its types, its gradient (in the user's own
operators) and its lowering. The Python function, broadcasting, the text form, the docs
page and the tests follow from the family. Nothing else in graphc knows single ops.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc.ir import bfloat16, dtypes
from graphc.ir import dims as D
from graphc.ir.build import InferError, build, current
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtypes import DType
from graphc.ir.node import Node, Value, shape_text
from graphc.ir.registry import OPS

__all__ = [
    "OPS", "InferError", "Op", "Types", "apply", "as_operand", "as_value", "axes_of", "broadcast",
    "check_kind", "elementwise", "ints", "meaning", "merge", "no_grad", "op", "operands", "quiet",
    "round_bf16", "same_types", "shape_error", "shape_text", "show_shapes", "static_ints",
    "strings", "typed",
]  # fmt: skip

Attrs = Mapping[str, Any]
Types = Sequence[tuple[DType, "Shape | None"]]
Infer = Callable[[Sequence[Value], Attrs], Types]


def shape_error(message: str) -> InferError:
    return InferError(message)


@dataclass(eq=False, slots=True, kw_only=True)
class Op:
    """The record of an op.

    Attributes
    ----------
    name : str
        Its name in Python and in IR text.
    tf : str
        TensorFlow's op type, from which default node names come.
    family : str
        elementwise, reduction, view, contraction, structured, composite, state, random or host.
    doc : str
    args : tuple of str
        Names of the operands; the last may start with ``*``.
    infer : callable
        ``(inputs, attrs) -> [(dtype, shape), …]``; raises `InferError`.
    numpy : callable
        ``(*arrays, **attrs) -> array or tuple``: the meaning, in numpy.
    grad : callable, optional
        ``(y, dy, *inputs, **attrs) -> gradient or tuple`` (None where there is none). With several
        outputs `y` and `dy` are tuples.
    scalar : callable, optional
        ``(k, *values, **attrs)``: one element or one vector of it, in the emitter's terms.
    element : callable, optional
        For index maps: ``(k, index, *readers, **attrs)``, the element at an output index.
    host : callable, optional
        For host ops that need more than their operands: ``(context, *arrays, **attrs)``, with a
        `graphc.runtime.host.Context`.
    combine : str, optional
        For reductions: the name of the combining step (sum, prod, max, min, any, all, argmax,
        argmin).
    expand : callable, optional
        ``(*inputs, **attrs) -> value or tuple``: the same in simpler ops.
    lower : callable, optional
        For structured ops: builds the kernels itself.
    dims : callable, optional
        Its meaning on symbolic sizes, for integer scalars and vectors of sizes; with the fact
        ``dims_of_each`` one such for each output.
    interval : callable, optional
        ``(*intervals) -> interval``: where results lie (`graphc.ops.intervals`).
    types : str
        Kinds of element type accepted: letters of f, i, u, b, s.
    fails : bool
        Whether it can raise at run time (it is then never removed or reordered silently).
    stateful : bool
        Whether two equal applications may differ (never merged or folded).
    sample : tuple
        The domain tests draw from.
    """

    name: str
    tf: str
    family: str
    doc: str = ""
    args: tuple[str, ...] = ()
    infer: Infer
    numpy: Callable[..., Any] | None = None
    grad: Callable[..., Any] | None = None
    scalar: Callable[..., Any] | None = None
    element: Callable[..., Any] | None = None
    combine: str | None = None
    expand: Callable[..., Any] | None = None
    lower: Callable[..., Any] | None = None
    host: Callable[..., Any] | None = None
    dims: Callable[..., Any] | None = None
    interval: Callable[..., Any] | None = None
    types: str = "fiub"
    fails: bool = False
    stateful: bool = False
    sample: tuple[Any, ...] = (-2.0, 2.0)
    out: str = "same"
    call: Callable[..., Any] | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.call is None:
            raise TypeError(f"op {self.name!r} is not called by users")
        return self.call(*args, **kwargs)

    @property
    def in_kernels(self) -> str:
        """The name that kernels have for an elementwise op."""
        return str(self.facts.get("in_kernels", self.name))

    def __repr__(self) -> str:
        return f"<op {self.name}>"


def op(name: str, tf: str, family: str, **facts: Any) -> Op:
    """Make a record and enter it in the table."""
    if name in OPS:
        raise ValueError(f"op {name!r} is recorded twice")
    record = OPS[name] = Op(name=name, tf=tf, family=family, **facts)
    return record


# ------------------------------------------------------------------------- shapes


def broadcast(a: Shape | None, b: Shape | None) -> Shape | None:
    """The shape of two operands broadcast against each other, as numpy.

    Raises
    ------
    InferError
        Where two sizes differ and neither is 1.
    """
    if a is None or b is None:
        return None
    if a == b:
        return a
    if len(a) < len(b):
        a, b = b, a
    pad = len(a) - len(b)
    return a[:pad] + tuple([_broadcast_dim(x, y) for x, y in zip(a[pad:], b, strict=True)])


def _broadcast_dim(x: Dim, y: Dim) -> Dim:
    if x is y or x == y or y == 1:
        return x
    if x == 1:
        return y
    equal = D.same(x, y)
    if equal:
        return x if type(x) is int else y
    if equal is None:  # recording: a known size other than 1 wins, two unknown ones stay unknown
        return x if type(x) is int else y if type(y) is int else D.fresh()
    if D.same(y, 1):
        return x
    if D.same(x, 1):
        return y
    f = D.facts()
    show = (lambda d: d) if f is None else f.value
    raise shape_error(f"Dimensions must be equal, but are {show(x)} and {show(y)}")


# ------------------------------------------------------------------------- conversion


def operands(record: Op, values: Sequence[Any]) -> list[Value]:
    """Convert arguments in order; the first fixes the element type of the rest, as in TF1."""
    out: list[Value] = []
    dtype: DType | None = None
    first = ""
    for name, v in zip(record.args, values, strict=False):
        if dtype is None:
            x = as_value(v, None, name)
            dtype, first = x.dtype, name
        else:
            x = as_operand(record.tf, name, v, dtype, first)
        out.append(x)
    check_kind(record, record.args[0], out[0].dtype, record.types)
    return out


def as_operand(op: str, name: str, v: Any, dtype: DType, first: str = "") -> Value:
    """`v` as operand `name` of TensorFlow's `op`, which has type `dtype` (that of `first`, if any).

    Where `convert_to_tensor` raises ValueError, operations say TypeError: of a tensor or variable
    of another type it is shown which type that is.
    """
    try:
        x = as_value(v, dtype, name)
    except ValueError:
        x = as_value(v, None, name)
    except TypeError as e:
        raise TypeError(
            f"Expected {dtype.name} passed to parameter '{name}' of op '{op}', got "
            f"{v!r:.60} of type '{type(v).__name__}' instead. Error: {e}"
        ) from None
    if x.dtype is not dtype:
        due = (
            f"type {dtype.name} of argument '{first}'"
            if first
            else f"expected type of {dtype.name}"
        )
        raise TypeError(
            f"Input '{name}' of '{op}' Op has type {x.dtype.name} that does not match {due}."
        )
    return x


def same_types(op: str, values: Sequence[Any], name: str) -> list[Value]:
    """A list operand `name` of TensorFlow's `op`: tensors of one type, numbers take it."""
    dtype = next((v.dtype for v in values if isinstance(v, Value)), None)
    out: list[Value] = []
    for i, v in enumerate(values):
        try:
            out.append(as_value(v, None if isinstance(v, Value) else dtype, f"{name}_{i}"))
        except ValueError:
            out.append(as_value(v, None, f"{name}_{i}"))
    types = [v.dtype for v in out]
    if any(t is not types[0] for t in types):
        raise TypeError(
            f"Tensors in list passed to '{name}' of '{op}' Op have types "
            f"[{', '.join(t.name for t in types)}] that don't all match."
        )
    return out


def apply(
    record: Op,
    values: Sequence[Any],
    attrs: Attrs | None = None,
    name: str | None = None,
    convert: Callable[[Op, Sequence[Any]], list[Value]] = operands,
) -> Node:
    """Convert `values` and build; constants made of them are named ``node/operand`` as in TF1."""
    for v in values:
        if not isinstance(v, Value):
            break
    else:
        return build(record, convert(record, values), attrs, name)
    for v in values:
        if hasattr(v, "_graphc_apply"):  # a value made of several tensors
            return v._graphc_apply(record, values, attrs, name)  # type: ignore[no-any-return]
    with current().scope(name, record.tf) as scope:
        return build(record, convert(record, values), attrs, scope or name)


def check_kind(record: Op, name: str, dtype: DType, kinds: str) -> None:
    """Refuse an element type that the op does not take."""
    if dtype.kind not in kinds:
        allowed = ", ".join(t.name for t in dtypes.DTYPES if t.kind in kinds)
        raise TypeError(
            f"Value passed to parameter '{name}' has DataType {dtype.name} not in list of "
            f"allowed values: {allowed}"
        )


#: Converts anything to a value; `graphc.ops.convert` puts the real function here at import.
_convert: list[Callable[..., Value]] = []


def as_value(x: Any, dtype: DType | None = None, name: str | None = None, arg: Any = None) -> Value:
    """`x` as a value of the current graph (see `graphc.ops.convert`)."""
    if isinstance(x, Value) and dtype is None:
        return x
    if x is None and name:
        raise ValueError(
            f"Tried to convert '{name}' to a tensor and failed. Error: None values not supported."
        )
    return _convert[0](x, dtype, name, arg)


# ------------------------------------------------------------------------- elementwise


def no_grad(y: Any, dy: Any, *inputs: Any, **attrs: Any) -> tuple[None, ...]:
    """The gradient of an op that is not differentiable: None for each operand."""
    return (None,) * len(inputs)


def quiet(f: Callable[..., Any]) -> Callable[..., Any]:
    """A numpy function without its warnings: overflow and NaN are values here."""

    def g(*args: Any, **kwargs: Any) -> Any:
        with np.errstate(all="ignore"):
            return f(*args, **kwargs)

    g.__name__ = getattr(f, "__name__", "meaning")
    return g


#: Float32 numbers rounded to the nearest bfloat16.
round_bf16 = bfloat16.rounded


def meaning(
    record: Op, arrays: Sequence[Any], attrs: Attrs, types: Types, check: bool = False
) -> list[np.ndarray[Any, Any]]:
    """What the op gives for `arrays`, by its numpy meaning.

    `types` are the inferred output types: results take their element type (bfloat16 is
    rounded). Operands that a `dynamic` attribute names become attributes.

    Raises
    ------
    AssertionError
        With `check`, when the meaning gives another type or shape than was inferred.
    """
    if record.numpy is None:
        raise TypeError(f"op {record.name!r} has no meaning in numpy")
    named = attrs.get("dynamic", ())
    if named:
        attrs = {k: v for k, v in attrs.items() if k != "dynamic"}
        arrays, last = arrays[: len(arrays) - len(named)], arrays[len(arrays) - len(named) :]
        attrs.update({k: ints(np.asarray(a)) for k, a in zip(named, last, strict=True)})
    return typed(record.numpy(*arrays, **attrs), types, check, record.name)


def typed(
    got: Any, types: Types, check: bool = False, name: str = ""
) -> list[np.ndarray[Any, Any]]:
    """What a meaning gives, as arrays of the inferred element types (strings: objects)."""
    out: list[np.ndarray[Any, Any]] = []
    if not types:
        return out
    for a, (dtype, shape) in zip(got if isinstance(got, tuple) else (got,), types, strict=True):
        a = strings(a) if dtype.kind == "s" else np.asarray(a)
        if check:
            if a.dtype != dtype.np:
                raise AssertionError(f"{name} gives {a.dtype}, inferred {dtype.name}")
            if shape is not None and (
                a.ndim != len(shape)
                or any(type(d) is int and n != d for n, d in zip(a.shape, shape, strict=True))
            ):
                raise AssertionError(f"{name} gives {a.shape}, inferred {shape}")
        if dtype is dtypes.bfloat16:
            a = round_bf16(a)
        out.append(a if a.dtype == dtype.np else a.astype(dtype.np))
    return out


def strings(a: Any) -> np.ndarray[Any, Any]:
    """Bytes, or nested sequences of them, as an object array (text as UTF-8)."""
    found = np.asarray(a, object)
    items = found.reshape(-1).tolist()
    if set(map(type, items)) <= {bytes}:
        return found.copy() if found is a else found
    items = [_bytes(x) for x in items]
    out = np.empty(len(items), object)
    out[:] = items
    return out.reshape(found.shape)


def _bytes(x: Any) -> bytes:
    if isinstance(x, np.ndarray) and x.ndim == 0:
        x = x[()]  # bytes of an array of objects are addresses
    return x.encode() if isinstance(x, str) else bytes(x)


def merge(a: Shape | None, b: Shape | None) -> Shape | None:
    """One shape for two operands whose shapes must be equal.

    Raises
    ------
    InferError
        When they differ.
    """
    if a is None or b is None or a is b:
        return b if a is None else a
    if len(a) != len(b):
        raise shape_error(f"Shapes must be equal rank, but are {len(a)} and {len(b)}")
    out = []
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        if D.same(x, y) is False:
            f = D.facts()
            show = (lambda d: d) if f is None else f.value
            raise shape_error(
                f"Dimension {i} in both shapes must be equal, but are {show(x)} and {show(y)}"
            )
        out.append(x if type(x) is int else y)
    return tuple(out)


def elementwise(
    name: str,
    tf: str,
    doc: str,
    *,
    numpy: Callable[..., Any],
    scalar: Callable[..., Any],
    grad: Callable[..., Any] | None = None,
    types: str = "f",
    out: str = "same",
    args: Sequence[str] = ("x",),
    sample: tuple[Any, ...] = (-2.0, 2.0),
    dims: Callable[..., Any] | None = None,
    interval: Callable[..., Any] | None = None,
    fails: bool = False,
    expand: Callable[..., Any] | None = None,
    infer: Infer | None = None,
    call: Callable[..., Any] | None = None,
    facts: dict[str, Any] | None = None,
) -> Op:
    """An op on each element, with broadcasting.

    Parameters
    ----------
    out : {"same", "bool"}
        The element type of the result: that of the first operand, or bool.
    infer : callable, optional
        Where that is not the rule (cast, select).
    call : callable, optional
        The Python function, where it takes more than the operands and a name.
    """

    def broadcasting(inputs: Sequence[Value], attrs: Attrs) -> Types:
        shape, dtype = inputs[0].static_shape, inputs[0].dtype
        for v in inputs[1:]:
            if v.dtype is not dtype:
                raise TypeError(f"{name} of {dtype.name} and {v.dtype.name}")
            shape = broadcast(shape, v.static_shape)
        return [(dtypes.bool_ if out == "bool" else inputs[0].dtype, shape)]

    record = op(
        name, tf, "elementwise", doc=doc, numpy=quiet(numpy), scalar=scalar, types=types, out=out,
        grad=no_grad if out == "bool" else grad, args=tuple(args), sample=sample, dims=dims,
        infer=infer or broadcasting, fails=fails, expand=expand, interval=interval,
        facts=facts or {},
    )  # fmt: skip
    if call is not None:
        record.call = call
        return record
    count = len(args)
    signature = _signature(args)

    def call_(*values: Any, **named: Any) -> Value:
        if len(values) == count and not named:
            return apply(record, values).outputs[0]
        bound = signature.bind(*values, **named)
        name = bound.arguments.get("name")
        return apply(record, [bound.arguments[a] for a in args], None, name).outputs[0]

    call_.__signature__ = signature  # type: ignore[attr-defined]
    call_.__name__ = call_.__qualname__ = name
    call_.__doc__ = doc
    record.call = call_
    return record


def _signature(args: Sequence[str]) -> inspect.Signature:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    params = [inspect.Parameter(a.lstrip("*"), kind) for a in args]
    return inspect.Signature([*params, inspect.Parameter("name", kind, default=None)])


# ------------------------------------------------------------------------- axes


def axes_of(axis: Any, rank: int) -> tuple[int, ...]:
    """Normalised axes, sorted, each once; None means all.

    Raises
    ------
    InferError
        For an axis outside [-rank, rank).
    """
    if axis is None:
        return tuple(range(rank))
    out = []
    for a in axis if isinstance(axis, Iterable) else (axis,):
        if isinstance(a, tuple):
            raise shape_error("Shape must be at most rank 1 but is rank 2")
        a = int(a)
        if not -rank <= a < rank:
            raise shape_error(f"Invalid reduction dimension {a} for input with {rank} dimensions.")
        out.append(a % rank)
    return tuple(sorted(set(out)))


def ints(x: Any) -> Any:
    """Python ints out of numbers, arrays, and nested lists of them; sizes pass through."""
    if isinstance(x, (list, tuple)):
        return tuple(ints(e) for e in x)
    if isinstance(x, np.ndarray):
        return ints(x.tolist())
    if isinstance(x, D.Expr):
        return x
    return int(x)


def static_ints(x: Any) -> Any:
    """Python ints from ints, arrays, lists or a constant tensor; an unknown value stays.

    This is how operands that TF1 takes as tensors (axis, shape, begin) become attributes.
    """
    if isinstance(x, Value):
        return ints(x.node.attrs["value"]) if x.node.op.name == "constant" else x
    if isinstance(x, (list, tuple)) and any(isinstance(e, Value) for e in x):
        known = [static_ints(e) for e in x]
        return as_value(x) if any(isinstance(e, Value) for e in known) else tuple(known)
    return _whole(x)


def _whole(x: Any) -> Any:
    if isinstance(x, np.ndarray):
        x = x.tolist()
    if isinstance(x, (list, tuple)):
        return tuple(_whole(e) for e in x)
    if isinstance(x, D.Expr):
        return x
    if isinstance(x, str):
        raise TypeError(f"Expected an integer, got {x!r:.60} of type 'str' instead.")
    return operator.index(x)


def show_shapes(values: Sequence[Value]) -> str:
    """Input shapes as TF1's messages write them: ``[2,3], [?,4]``."""
    return ", ".join(
        "<unknown>" if v.static_shape is None else "[" + ",".join(
            str(d) if type(d) is int else "?" for d in v.static_shape) + "]"
        for v in values
    )  # fmt: skip
