"""Small functions of ``tf.contrib.framework``: shapes, names, conditions, placement."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.data.structure import TensorSpec
from graphc.face import asserts
from graphc.face.current import name_scope
from graphc.face.flow import case
from graphc.face.graph import get_default_graph
from graphc.face.initializers import Initializer
from graphc.face.shape import as_shape
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.ops import diagonal, factor, math, random, reduce, shapes
from graphc.ops.check import ensure_shape
from graphc.ops.convert import convert_to_tensor
from graphc.train.steps import assert_global_step, get_or_create_global_step

__all__ = [
    "BoundedTensorSpec", "VariableDeviceChooser", "assert_or_get_global_step",
    "assert_same_float_dtype", "assert_scalar_int", "convolutional_delta_orthogonal",
    "get_graph_from_inputs", "get_placeholders", "prepend_name_scope", "py_func", "reduce_sum_n",
    "remove_squeezable_dimensions", "smart_case", "strip_name_scope", "with_same_shape",
    "with_shape",
]  # fmt: skip

assert_same_float_dtype = asserts.assert_same_float_dtype


class BoundedTensorSpec(TensorSpec):
    """A `TensorSpec` with the least and the largest value of an element."""

    __slots__ = ("maximum", "minimum")

    def __init__(
        self, shape: Any, dtype: Any, minimum: Any, maximum: Any, name: str | None = None
    ) -> None:
        super().__init__(shape, dtype, name)
        if minimum is None or maximum is None:
            raise ValueError("minimum and maximum must be provided; but saw "
                             f"'{minimum}' and '{maximum}'")  # fmt: skip
        sizes = self.shape.as_list()
        for word, bound in (("minimum", minimum), ("maximum", maximum)):
            try:
                np.broadcast_to(np.asarray(bound), [n or 1 for n in sizes])
            except ValueError as e:
                raise ValueError(f"{word} is not compatible with shape. {e}") from None
        self.minimum = np.array(minimum, self.dtype.np)
        self.maximum = np.array(maximum, self.dtype.np)
        self.minimum.setflags(write=False)
        self.maximum.setflags(write=False)

    @classmethod
    def from_spec(cls, spec: Any, name: str | None = None) -> BoundedTensorSpec:
        """A spec with the bounds of another one, or those of its type."""
        low = getattr(spec, "minimum", spec.dtype.min)
        high = getattr(spec, "maximum", spec.dtype.max)
        return cls(spec.shape, spec.dtype, low, high, name or spec.name)

    def __repr__(self) -> str:
        return (
            f"BoundedTensorSpec(shape={self.shape}, dtype={self.dtype!r}, name={self.name!r}, "
            f"minimum={self.minimum!r}, maximum={self.maximum!r})"
        )

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, BoundedTensorSpec) and super().__eq__(other)
            and np.allclose(self.minimum, other.minimum)
            and np.allclose(self.maximum, other.maximum)
        )  # fmt: skip

    def __hash__(self) -> int:
        return hash((self.dtype, tuple(self.shape.as_list())))


class VariableDeviceChooser:
    """Names parameter servers in turn; here all devices are the one there is.

    Parameters
    ----------
    num_tasks : int
        How many; with 0 no job is named.
    """

    def __init__(
        self, num_tasks: int = 0, job_name: str = "ps", device_type: str = "CPU",
        device_index: int = 0, replica: int | None = None,
    ) -> None:  # fmt: skip
        self._job_name, self._type, self._index = job_name, device_type, device_index
        self._num_tasks, self._replica, self._next = num_tasks, replica, 0

    def __call__(self, op: Any) -> str:
        """The device of the next variable."""
        parts = []
        if self._num_tasks > 0:
            parts.append(f"/job:{self._job_name}")
        if self._replica is not None:
            parts.append(f"/replica:{self._replica}")
        if self._num_tasks > 0:
            parts.append(f"/task:{self._next}")
            self._next = (self._next + 1) % self._num_tasks
        return "".join([*parts, f"/device:{self._type}:{self._index}"])


# ------------------------------------------------------------------------- checks


def assert_or_get_global_step(graph: Any = None, global_step_tensor: Any = None) -> Any:
    """The given global step, checked, or that of the graph, made where there is none."""
    if global_step_tensor is None:
        return get_or_create_global_step(graph)
    assert_global_step(global_step_tensor)
    return global_step_tensor


def assert_scalar_int(tensor: Any, name: str | None = None) -> Any:
    """`tensor`, which must be one int32 or int64.

    Raises
    ------
    ValueError
    """
    with name_scope(name, "assert_scalar_int"):
        t = convert_to_tensor(tensor)
        if t.dtype not in (dtypes.int32, dtypes.int64):
            raise ValueError(f"Expected int32 or int64 for {t}.")  # as TF1 words it for all ints
        if t.rank not in (0, None):
            raise ValueError(f"Expected scalar shape for {t}, saw shape: {t.static_shape}.")
        return t


def with_shape(expected_shape: Any, tensor: Any) -> Any:
    """`tensor`, which must have a shape; checked in the run where it is not known before."""
    if isinstance(expected_shape, Value):
        from graphc.face.more import constant_value

        found = constant_value(expected_shape)
        if found is None:
            t: Any = convert_to_tensor(tensor)
            from graphc.face.current import control_dependencies
            from graphc.ops.state import identity

            check = asserts.assert_equal(shapes.shape(t), expected_shape, message="Wrong shape")
            with control_dependencies([check]):
                return identity(t)
        expected_shape = found.tolist()
    wanted = as_shape(expected_shape)
    t = convert_to_tensor(tensor)
    if not t.shape.is_compatible_with(wanted):
        raise ValueError(
            f"Invalid shape for tensor {t.name}, expected {expected_shape}, got {t.shape}."
        )
    return t if t.shape.is_fully_defined() else ensure_shape(t, wanted.as_list())


def with_same_shape(expected_tensor: Any, tensor: Any) -> Any:
    """`tensor`, which must have the shape of another."""
    with name_scope("with_same_shape"):
        expected: Any = convert_to_tensor(expected_tensor)
        known = expected.shape
        return with_shape(
            known.as_list() if known.is_fully_defined() else shapes.shape(expected), tensor
        )


def remove_squeezable_dimensions(
    predictions: Any, labels: Any, name: str | None = None
) -> tuple[Any, Any]:
    """Predictions and labels, a last axis of size 1 dropped where the other has one axis less."""
    from graphc.losses import weighting

    with name_scope(name, "remove_squeezable_dimensions"):
        y, p = weighting.squeezed(labels, predictions)
        return p, y


# ------------------------------------------------------------------------- graphs and names


def get_graph_from_inputs(op_input_list: Sequence[Any], graph: Any = None) -> Any:
    """The graph of the inputs, which must be one.

    Raises
    ------
    ValueError
        Where they are of several graphs.
    """
    found = graph
    for x in op_input_list:
        g = getattr(x, "graph", None)
        if g is None:
            continue
        if found is not None and g is not found:
            raise ValueError(f"{x} is not from the passed-in graph.")
        found = g
    return found or get_default_graph()


def get_placeholders(graph: Any) -> list[Any]:
    """All placeholders of a graph."""
    return [op.outputs[0] for op in graph.get_operations() if op.type == "Placeholder"]


def prepend_name_scope(name: str, import_scope: str | None) -> str:
    """A name below a scope; a ``^`` or ``loc:@`` in front stays there."""
    if not import_scope:
        return name
    scope = import_scope.removesuffix("/")
    return re.sub(r"^(\^|loc:@|)", rf"\1{scope}/", name)


def strip_name_scope(name: str, export_scope: str | None) -> str:
    """A name without a scope."""
    if not export_scope:
        return name
    return re.sub(rf"^(\^|loc:@|){re.escape(export_scope.removesuffix('/'))}[\/]+", r"\1", name)


# ------------------------------------------------------------------------- functions


def reduce_sum_n(tensors: Sequence[Any], name: str | None = None) -> Any:
    """The sum of all elements of all tensors."""
    if not tensors:
        raise ValueError("No tensors provided.")
    with name_scope(name, "reduce_sum_n"):
        parts = [reduce.reduce_sum(convert_to_tensor(t)) for t in tensors]
        return parts[0] if len(parts) == 1 else math.add_n(parts)


def smart_case(
    pred_fn_pairs: Any, default: Any = None, exclusive: bool = False, name: str = "smart_case"
) -> Any:
    """`tf.case`; a predicate that is known chooses while the graph is made."""
    from graphc.contrib.framework.variables import smart_constant_value

    pairs = list(pred_fn_pairs.items() if isinstance(pred_fn_pairs, Mapping) else pred_fn_pairs)
    open_pairs = []
    for pred, f in pairs:
        known = pred if isinstance(pred, bool) else smart_constant_value(pred)
        if known is None:
            open_pairs.append((pred, f))
        elif known and not open_pairs:
            return f()
        elif known:
            default = f
            break
    if not open_pairs:
        if default is None:
            raise ValueError("no predicate is true and there is no default")
        return default()
    return case(open_pairs, default, exclusive, name=name)


def py_func(
    func: Callable[..., Any], args: Any = (), kwargs: Any = None, output_types: Any = None,
    output_shapes: Any = None, stateful: bool = True, name: str | None = None,
) -> Any:  # fmt: skip
    """`tf.py_func` with keyword arguments and nested results.

    Parameters
    ----------
    args, kwargs : nest of tensors
        What the function is called with.
    output_types, output_shapes : nest
        Of its results.
    """
    from graphc.face import nest
    from graphc.ops.script import py_func as plain

    kwargs = kwargs or {}
    if not isinstance(args, (list, tuple)):
        raise TypeError("args must be a list and not " + str(type(args)))
    if not isinstance(kwargs, dict):
        raise TypeError("kwargs must be a dict and not " + str(type(kwargs)))
    given = (tuple(args), dict(kwargs))
    flat = nest.flatten(given)

    def call(*values: Any) -> Any:
        again, named = nest.pack_sequence_as(given, list(values))
        out = func(*again, **named)
        if output_types is None:
            return None
        return nest.flatten_up_to(output_types, out)

    if output_types is None:
        return plain(call, flat, [], stateful, name)
    kinds = nest.flatten(output_types)
    made = plain(call, flat, kinds, stateful, name)
    made = list(made) if isinstance(made, (list, tuple)) else [made]
    if output_shapes is not None:
        for t, s in zip(made, nest.flatten_up_to(output_types, output_shapes), strict=True):
            t.set_shape(s)
    return nest.pack_sequence_as(output_types, made)


# ------------------------------------------------------------------------- initializers


class convolutional_delta_orthogonal(Initializer):
    """A convolution that is an orthogonal matrix at its middle and 0 elsewhere.

    Parameters
    ----------
    gain : float
        The norm of outputs is so many times that of inputs.
    """

    def __init__(
        self, gain: float = 1.0, seed: int | None = None, dtype: Any = dtypes.float32
    ) -> None:
        kind = dtypes.as_dtype(dtype)
        if not kind.is_floating:
            raise TypeError(f"Cannot create initializer for non-floating point type {kind}.")
        self.gain, self.seed, self.dtype = gain, seed, kind

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        sizes = [int(n) for n in as_shape(shape).as_list() if n is not None]
        if not 3 <= len(sizes) <= 5:
            raise ValueError("The tensor to initialize must be at least three-dimensional and at "
                             "most five-dimensional")  # fmt: skip
        if sizes[-2] > sizes[-1]:
            raise ValueError(f"In_filters {sizes[-2]} cannot be greater than out_filters "
                             f"{sizes[-1]}.")  # fmt: skip
        kind = self.dtype if dtype is None else dtypes.as_dtype(dtype)
        n = sizes[-1]
        a = random.random_normal([n, n], dtype=kind, seed=self.seed)
        q, r = factor.qr(a, full_matrices=False)
        q = (q * math.sign(diagonal.diag_part(r)))[: sizes[-2]]
        q = q * float(self.gain)
        middle = [[(k - 1) // 2, k - 1 - (k - 1) // 2] for k in sizes[:-2]]
        from graphc.ops import arrays

        full = shapes.reshape(q, [1] * (len(sizes) - 2) + sizes[-2:])
        return arrays.pad(full, [*middle, [0, 0], [0, 0]])

    def get_config(self) -> dict[str, Any]:
        """Its parameters."""
        return {"gain": self.gain, "seed": self.seed, "dtype": self.dtype.name}
