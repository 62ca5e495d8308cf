"""Conditional accumulators: gradients of several workers, taken when there are enough of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from graphc.data.store import Meeting
from graphc.errors import InvalidArgumentError
from graphc.face.current import name_scope
from graphc.face.elements import Operation
from graphc.face.shape import as_shape
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.dtypes import as_dtype
from graphc.ir.interrupts import Undisturbed
from graphc.ir.node import Value
from graphc.ops import math
from graphc.ops.convert import convert_to_tensor
from graphc.ops.indexed import IndexedSlices
from graphc.ops.record import Attrs, Types, no_grad, op

__all__ = [
    "ConditionalAccumulator", "ConditionalAccumulatorBase", "SparseConditionalAccumulator",
]  # fmt: skip

Array = np.ndarray[Any, Any]


def _refuse(message: str) -> Exception:
    return InvalidArgumentError(None, None, message)


class _Sums(Meeting):
    """What an accumulator holds in a session: the sum of what was applied since the last take."""

    def __init__(self, mean: bool) -> None:
        super().__init__()
        self.mean = mean
        self.step = 0
        self.count = 0
        self.sum: Array | None = None

    def apply(self, step: int, grad: Array) -> None:
        """Add a gradient, unless it was computed before the current step."""
        with Undisturbed(), self.changed:
            if step < self.step:
                return
            self._add(grad)
            self.count += 1
            self.changed.notify_all()

    def _add(self, grad: Array) -> None:
        if self.sum is None:
            self.sum = np.array(grad)
            return
        if self.sum.shape != grad.shape:
            raise _refuse(
                f"Shape mismatch: expected {list(self.sum.shape)}, got {list(grad.shape)}"
            )
        self.sum += grad

    def take(self, required: int) -> Any:
        """The mean or sum, once there are `required`; the next step begins."""
        if required <= 0:
            raise _refuse(f"Argument num_required must be positive, but was {required}")
        with Undisturbed(), self.changed:
            self._wait(lambda: self.count >= required)
            made = self._result()
            self.step += 1
            self.count, self.sum = 0, None
            return made

    def _result(self) -> Any:
        assert self.sum is not None
        return self.sum / self.sum.dtype.type(self.count) if self.mean else self.sum


class _Rows(_Sums):
    """The same of rows: each is divided by how many gradients had it."""

    def __init__(self, mean: bool) -> None:
        super().__init__(mean)
        self.rows: dict[int, Array] = {}
        self.times: dict[int, int] = {}

    def _add(self, grad: Any) -> None:
        indices, values = grad
        for i, row in zip(indices.tolist(), values, strict=True):
            self.rows[i] = self.rows[i] + row if i in self.rows else np.array(row)
            self.times[i] = self.times.get(i, 0) + 1

    def _result(self) -> Any:
        rows = [r / r.dtype.type(self.times[i]) if self.mean else r for i, r in self.rows.items()]
        indices = np.array(list(self.rows), np.int64)
        self.rows, self.times = {}, {}
        return indices, np.stack(rows)


# ------------------------------------------------------------------------- records


def _nothing(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return []


def _apply(host: Any, step: Any, grad: Any, *, accumulator: ConditionalAccumulator) -> None:
    if not accumulator._shape.is_compatible_with(list(grad.shape)):
        want = accumulator._shape.as_list()
        raise _refuse(f"Shape mismatch: expected {want}, got {list(grad.shape)}")
    accumulator._sums(host).apply(int(step), grad)


def _apply_rows(
    host: Any, step: Any, indices: Any, values: Any, shape: Any, *,
    accumulator: SparseConditionalAccumulator,
) -> None:  # fmt: skip
    if indices.ndim != 1 or values.ndim < 1 or len(indices) != len(values):
        raise _refuse(
            f"Expected {len(indices) if indices.ndim else 0} non-empty input values, got "
            f"{len(values) if values.ndim else 0}"
        )
    known = accumulator._shape.as_list() if accumulator._shape.ndims is not None else None
    for i, got in enumerate(values.shape[1:], 1):
        if known is not None and (i >= len(known) or known[i] not in (None, got)):
            want = known[i] if i < len(known) else "no such axis"
            raise _refuse(f"Shape mismatch: expected shape dim {i} to be {want}, got {got}")
    limit = known[0] if known else int(shape[0]) if shape.size else None
    for place, i in enumerate(indices.tolist()):
        if i < 0 or (limit is not None and i >= limit):
            raise _refuse(
                f"Shape mismatch: index of slice {place} exceeded limits of shape; index is {i} "
                f"exceeded {limit}"
            )
    accumulator._sums(host).apply(int(step), (indices, values))


def _take_rows(
    host: Any, required: Any, *, accumulator: SparseConditionalAccumulator
) -> tuple[Array, Array, Array]:
    indices, values = accumulator._sums(host).take(int(required))
    known = accumulator._shape.as_list() if accumulator._shape.ndims is not None else [None]
    return indices, values, np.array([known[0] or -1, *values.shape[1:]], np.int64)


def _rows_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    owner, n = attrs["accumulator"], D.fresh()
    return [(dtypes.int64, (n,)), (owner.dtype, None), (dtypes.int64, (D.fresh(),))]


_HOST: dict[str, Any] = {
    "types": "fiu", "stateful": True, "grad": no_grad, "facts": {"effect": True},
}  # fmt: skip

accumulator_op = op(
    "accumulator", "ResourceConditionalAccumulator", "host",
    doc="An accumulator, by name: what reads it has it as an attribute.",
    infer=lambda inputs, attrs: [(dtypes.string, ())], types="fiu", stateful=True, grad=no_grad,
    host=lambda host, accumulator: np.array(accumulator._key.encode(), object),
    facts={"type": lambda inputs, attrs: attrs["accumulator"]._kind},
)  # fmt: skip
apply_op = op(
    "accumulator_apply", "ResourceAccumulatorApplyGradient", "host",
    args=("local_step", "gradient"),
    infer=_nothing, host=_apply, doc="Adds a gradient to an accumulator.", **_HOST,
)  # fmt: skip
apply_rows_op = op(
    "accumulator_apply_rows", "SparseAccumulatorApplyGradient", "host",
    args=("local_step", "indices", "values", "shape"), infer=_nothing, host=_apply_rows,
    doc="Adds rows of a gradient to an accumulator.", **_HOST,
)  # fmt: skip
take_op = op(
    "accumulator_take", "ResourceAccumulatorTakeGradient", "host", args=("num_required",),
    infer=lambda inputs, attrs: [(attrs["accumulator"].dtype, attrs["accumulator"]._static())],
    host=lambda host, required, accumulator: accumulator._sums(host).take(int(required)),
    doc="Takes the mean or sum of what an accumulator was given.", **_HOST,
)  # fmt: skip
take_rows_op = op(
    "accumulator_take_rows", "SparseAccumulatorTakeGradient", "host", args=("num_required",),
    infer=_rows_infer, host=_take_rows,
    doc="Takes the mean or sum of the rows that an accumulator was given.", **_HOST,
)  # fmt: skip
count_op = op(
    "accumulator_count", "ResourceAccumulatorNumAccumulated", "host",
    infer=lambda inputs, attrs: [(dtypes.int32, ())],
    host=lambda host, accumulator: np.int32(accumulator._sums(host).count),
    doc="How many gradients an accumulator was given.", **_HOST,
)  # fmt: skip


def _set_step(host: Any, step: Any, *, accumulator: ConditionalAccumulatorBase) -> None:
    sums = accumulator._sums(host)
    with Undisturbed(), sums.changed:
        sums.step = int(step)


step_op = op(
    "accumulator_set_step", "ResourceAccumulatorSetGlobalStep", "host", args=("new_global_step",),
    infer=_nothing, host=_set_step, doc="Tells an accumulator the current step.", **_HOST,
)  # fmt: skip


# ------------------------------------------------------------------------- classes


def _step(value: Any) -> Value:
    return math.cast(convert_to_tensor(value, name="step"), dtypes.int64)  # type: ignore[no-any-return]


class ConditionalAccumulatorBase:
    """Gradients that several runs apply, and one takes when there are enough.

    Attributes
    ----------
    name : str
    dtype : DType
    """

    _kind: ClassVar[str] = "ResourceConditionalAccumulator"

    def __init__(self, dtype: Any, shape: Any, accumulator_ref: Any) -> None:
        self._dtype = as_dtype(dtype)
        self._shape = as_shape(shape)
        self._ref = accumulator_ref
        self._key = str(accumulator_ref)
        self._mean = True

    def _record(self, name: str, shared_name: str | None, reduction_type: str) -> None:
        if reduction_type not in ("MEAN", "SUM"):
            raise ValueError(f"Attr 'reduction_type' of '{self._kind}' Op passed string "
                             f"'{reduction_type}' not in: \"MEAN\", \"SUM\".")  # fmt: skip
        self._mean = reduction_type == "MEAN"
        self._ref = build(accumulator_op, (), {"accumulator": self}, name).outputs[0]
        self._key = shared_name or self._ref.op.name

    def _sums(self, host: Any) -> Any:
        kind = _Rows if isinstance(self, SparseConditionalAccumulator) else _Sums
        return host.resource(f"accumulator/{self._key}", lambda: kind(self._mean))

    def _static(self) -> Any:
        sizes = self._shape.as_list() if self._shape.ndims is not None else None
        return None if sizes is None else tuple([D.fresh() if n is None else n for n in sizes])

    @property
    def accumulator_ref(self) -> Any:
        """The tensor that stands for the accumulator."""
        return self._ref

    @property
    def name(self) -> str:
        """The name of the underlying accumulator."""
        return str(self._ref.op.name.rpartition("/")[2])

    @property
    def dtype(self) -> Any:
        """Of the gradients."""
        return self._dtype

    def _built(self, record: Any, inputs: Sequence[Any], name: str | None) -> Any:
        return build(record, inputs, {"accumulator": self}, name)

    def num_accumulated(self, name: str | None = None) -> Value:
        """How many gradients there are."""
        name = name or f"{self.name}_NumAccumulated"
        return self._built(count_op, (), name).outputs[0]  # type: ignore[no-any-return]

    def set_global_step(self, new_global_step: Any, name: str | None = None) -> Operation:
        """An operation that sets the current step.

        Gradients that were computed before the current step are dropped.
        """
        made = self._built(step_op, (_step(new_global_step),), name or f"{self.name}_SetGlobalStep")
        return made  # type: ignore[no-any-return]


class ConditionalAccumulator(ConditionalAccumulatorBase):
    """An accumulator of dense gradients.

    Parameters
    ----------
    dtype : DType
    shape : shape, optional
        Of the gradients; unknown otherwise.
    shared_name : str, optional
        Accumulators of one shared name are one in a session.
    reduction_type : {"MEAN", "SUM"}
    """

    def __init__(
        self, dtype: Any, shape: Any = None, shared_name: str | None = None,
        name: str = "conditional_accumulator", reduction_type: str = "MEAN",
    ) -> None:  # fmt: skip
        super().__init__(dtype, shape, name)
        self._record(name, shared_name, reduction_type)

    def apply_grad(self, grad: Any, local_step: Any = 0, name: str | None = None) -> Operation:
        """An operation that adds a gradient, unless `local_step` is over.

        Raises
        ------
        ValueError
            When the gradient's static shape or type is another one.
        """
        with name_scope(None, name or "ConditionalAccumulatorApplyGradient") as scope:
            value: Any = convert_to_tensor(grad, self._dtype, "grad")
            value.get_shape().assert_is_compatible_with(self._shape)
            return self._built(apply_op, (_step(local_step), value), scope)  # type: ignore[no-any-return]

    def take_grad(self, num_required: Any, name: str | None = None) -> Value:
        """The mean or sum of the gradients; the run waits until there are `num_required`."""
        n = convert_to_tensor(num_required, dtypes.int32, "num_required")
        made = self._built(take_op, (n,), name or "ResourceAccumulatorTakeGradient")
        return made.outputs[0]  # type: ignore[no-any-return]


class SparseConditionalAccumulator(ConditionalAccumulatorBase):
    """An accumulator of gradients that are rows: `tf.IndexedSlices`.

    Parameters
    ----------
    dtype, shape, shared_name, reduction_type
        As for `ConditionalAccumulator`; a mean divides each row by how many gradients had it.
    """

    _kind: ClassVar[str] = "SparseConditionalAccumulator"

    def __init__(
        self, dtype: Any, shape: Any = None, shared_name: str | None = None,
        name: str = "sparse_conditional_accumulator", reduction_type: str = "MEAN",
    ) -> None:  # fmt: skip
        super().__init__(dtype, shape, name)
        self._record(name, shared_name, reduction_type)

    def apply_indexed_slices_grad(
        self, grad: IndexedSlices, local_step: Any = 0, name: str | None = None
    ) -> Operation:
        """An operation that adds rows, unless `local_step` is over."""
        return self.apply_grad(grad.indices, grad.values, grad.dense_shape, local_step, name)

    def apply_grad(
        self, grad_indices: Any, grad_values: Any, grad_shape: Any = None, local_step: Any = 0,
        name: str | None = None,
    ) -> Operation:  # fmt: skip
        """The same of indices, values and the shape that the rows belong to."""
        with name_scope(None, name or "SparseConditionalAccumulatorApplyGradient") as scope:
            step = _step(local_step)
            indices = convert_to_tensor(grad_indices, dtypes.int64, "grad_indices")
            values = convert_to_tensor(grad_values, self._dtype, "grad_values")
            sizes = [] if grad_shape is None else grad_shape
            shape = convert_to_tensor(sizes, dtypes.int64, "grad_shape")
            made = self._built(apply_rows_op, (step, indices, values, shape), scope)
            return made  # type: ignore[no-any-return]

    def take_grad(self, num_required: Any, name: str | None = None) -> Any:
        """Indices, values and shape of the mean or sum, once there are `num_required`."""
        n = convert_to_tensor(num_required, dtypes.int32, "num_required")
        return self._built(take_rows_op, (n,), name or "SparseAccumulatorTakeGradient").outputs

    def take_indexed_slices_grad(self, num_required: Any, name: str | None = None) -> IndexedSlices:
        """`take_grad` as `tf.IndexedSlices`."""
        indices, values, shape = self.take_grad(num_required, name)
        return IndexedSlices(values=values, indices=indices, dense_shape=shape)
