"""`SparseTensor`, its value, its placeholder, and what a session makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.face.current import name_scope
from graphc.face.fetches import register_session_run_conversion_functions
from graphc.face.shape import TensorShape
from graphc.ir import dtypes
from graphc.ir.dtypes import DType
from graphc.ir.node import Value
from graphc.ops import state
from graphc.ops.convert import constant_op, convert_to_tensor, register_conversion

__all__ = [
    "SparseTensor", "SparseTensorValue", "convert_to_tensor_or_sparse_tensor", "sparse_of",
    "sparse_placeholder",
]  # fmt: skip


class SparseTensorValue(NamedTuple):
    """The value of a `SparseTensor`, as a run returns it and as it may be fed."""

    indices: Any
    values: Any
    dense_shape: Any


class SparseTensor:
    """A tensor given by the elements that are not zero.

    Parameters
    ----------
    indices : int64 tensor of shape (n, rank)
        In row-major order for most operations.
    values : tensor of shape (n,)
    dense_shape : int64 tensor of shape (rank,)

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     s = tf.SparseTensor([[0, 1], [1, 0]], [1.0, 2.0], [2, 2])
    ...     print(sess.run(tf.sparse_tensor_to_dense(s)))
    [[0. 1.]
     [2. 0.]]
    """

    def __init__(self, indices: Any, values: Any, dense_shape: Any) -> None:
        with name_scope(None, "SparseTensor", [indices, values, dense_shape]):
            self._indices = convert_to_tensor(indices, name="indices", dtype=dtypes.int64)
            self._values = convert_to_tensor(values, name="values")
            self._dense_shape = convert_to_tensor(
                dense_shape, name="dense_shape", dtype=dtypes.int64
            )
        self._check()

    def _check(self) -> None:
        ranks = (("indices", self._indices, 2), ("values", self._values, 1),
                 ("dense_shape", self._dense_shape, 1))  # fmt: skip
        for what, v, rank in ranks:
            if v.rank not in (None, rank):
                raise ValueError(f"Shape of {what} must have rank {rank}, not {v.rank}")
        i, n, s = (x.static_shape for x in (self._indices, self._values, self._dense_shape))
        pairs = [
            (i[0] if i else None, n[0] if n else None),
            (i[1] if i else None, s[0] if s else None),
        ]
        for a, b in pairs:
            if type(a) is int and type(b) is int and a != b:
                raise ValueError(f"Dimensions {a} and {b} are not compatible")

    @classmethod
    def from_value(cls, sparse_tensor_value: Any) -> SparseTensor:
        """The constant tensor of a value, or a tensor as it is."""
        if isinstance(sparse_tensor_value, SparseTensor):
            return sparse_tensor_value
        if not isinstance(sparse_tensor_value, SparseTensorValue):
            raise TypeError(f"Neither a SparseTensor nor SparseTensorValue: {sparse_tensor_value}.")
        return cls(*sparse_tensor_value)

    @property
    def indices(self) -> Any:
        return self._indices

    @property
    def values(self) -> Any:
        return self._values

    @property
    def dense_shape(self) -> Any:
        return self._dense_shape

    @property
    def dtype(self) -> DType:
        return self._values.dtype

    def _flow_parts(self) -> tuple[list[Any], Callable[[Sequence[Any]], SparseTensor]]:
        """What a loop or a cond passes on, and what makes a sparse tensor of it again."""
        return [self._indices, self._values, self._dense_shape], lambda p: sparse_of(*p)

    def _flow_shapes(self, shape: TensorShape | None) -> list[Any]:
        """The static shapes of these parts in a loop: how many elements there are may change."""
        known: Any = self._indices.static_shape
        if shape is None:
            rank = None if known is None else known[1]
            return [(None, rank), (None,), self._dense_shape.static_shape]
        return [(None, shape.ndims), (None,), (shape.ndims,)]

    @property
    def op(self) -> Any:
        return self._values.node

    @property
    def name(self) -> str:
        return self._values.name

    @property
    def graph(self) -> Any:
        return self._values.node.graph

    @property
    def device(self) -> str:
        return self._values.device  # type: ignore[no-any-return, attr-defined]

    def get_shape(self) -> TensorShape:
        """The shape as far as it is known before a run."""
        known = self._dense_shape.node
        if known.op is constant_op:
            return TensorShape([None if d < 0 else int(d) for d in known.attrs["value"]])
        s = self._dense_shape.static_shape
        if s is None or type(s[0]) is not int:
            i = self._indices.static_shape
            if i is None or type(i[1]) is not int:
                return TensorShape(None)
            return TensorShape([None] * i[1])
        return TensorShape([None] * s[0])

    @property
    def shape(self) -> TensorShape:
        return self.get_shape()

    def consumers(self) -> list[Any]:
        """Operations that read it."""
        parts = (self._indices, self._values, self._dense_shape)
        return [op for v in parts for op in v.consumers()]  # type: ignore[attr-defined]

    def eval(self, feed_dict: Any = None, session: Any = None) -> SparseTensorValue:
        """Its value in a run of the default session."""
        from graphc.face.default_session import get_default_session

        run = session or get_default_session()
        if run is None:
            raise ValueError(
                "Cannot evaluate tensor using `eval()`: No default session is registered."
            )
        return run.run(self, feed_dict)  # type: ignore[no-any-return]

    def __str__(self) -> str:
        return (
            f"SparseTensor(indices={self._indices}, values={self._values}, "
            f"dense_shape={self._dense_shape})"
        )

    __repr__ = __str__

    def _times(self, other: Any, f: Callable[[Any, Any], Any], name: str) -> SparseTensor:
        from graphc.sparse.ops import elements_of

        with name_scope(None, name, [self, other]):
            y = convert_to_tensor(other, dtype=self.dtype)
            return sparse_of(
                self._indices, f(self._values, elements_of(y, self)), self._dense_shape
            )

    def __mul__(self, other: Any) -> SparseTensor:
        return self._times(other, lambda a, b: a * b, "mul")

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> SparseTensor:
        return self._times(other, lambda a, b: a / b, "truediv")

    __div__ = __truediv__


def sparse_of(indices: Any, values: Any, dense_shape: Any) -> SparseTensor:
    """A sparse tensor of tensors, without naming anything."""
    out = SparseTensor.__new__(SparseTensor)
    out._indices, out._values, out._dense_shape = indices, values, dense_shape
    return out


def convert_to_tensor_or_sparse_tensor(value: Any, dtype: Any = None, name: Any = None) -> Any:
    """`value` as a tensor; a `SparseTensor` or its value as a `SparseTensor`.

    Raises
    ------
    RuntimeError
        When a sparse tensor has another type than `dtype`.
    """
    if isinstance(value, SparseTensorValue):
        value = SparseTensor.from_value(value)
    if isinstance(value, SparseTensor):
        if dtype is not None and dtypes.as_dtype(dtype).base_dtype is not value.dtype:
            raise RuntimeError(
                f"Sparse dtype: requested = {dtypes.as_dtype(dtype).name}, actual = "
                f"{value.dtype.name}"
            )
        return value
    return convert_to_tensor(value, dtype=dtype, name=name)


def sparse_placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> SparseTensor:
    """A sparse tensor whose value each run must feed.

    Parameters
    ----------
    dtype : DType
    shape : sequence, optional
        Sizes, None for unknown ones.

    Notes
    -----
    A run takes a `SparseTensorValue` or a tuple (indices, values, dense_shape).
    """
    part = (lambda s: None) if name is None else (lambda s: f"{name}/{s}")
    known = None
    rank: Any = None
    if shape is not None:
        s = shape if isinstance(shape, TensorShape) else TensorShape(
            None if isinstance(shape, Value) else shape
        )  # fmt: skip
        rank = s.ndims
        if isinstance(shape, Value):
            known = shape
            rank = None if shape.static_shape is None else shape.static_shape[0]
        elif s.is_fully_defined():
            known = convert_to_tensor(np.array(s.as_list(), np.int64))
    if known is None:
        known = state.placeholder(dtypes.int64, [rank], name=part("shape"))
    values = state.placeholder(dtype, [None], name=part("values"))
    indices = state.placeholder(dtypes.int64, [None, rank], name=part("indices"))
    return SparseTensor(indices, values, known)


# ------------------------------------------------------------------------- in a session


def _fetched(x: SparseTensor) -> tuple[list[Any], Callable[[list[Any]], SparseTensorValue]]:
    return [x.indices, x.values, x.dense_shape], lambda parts: SparseTensorValue(*parts)


def _fed(x: SparseTensor, value: Any) -> list[tuple[Any, Any]]:
    return list(zip(_feed_keys(x), value, strict=True))


def _feed_keys(x: SparseTensor) -> list[Any]:
    return [x.indices, x.values, x.dense_shape]


register_session_run_conversion_functions(SparseTensor, _fetched, _fed, _feed_keys)
register_session_run_conversion_functions(
    SparseTensorValue,
    lambda x: _fetched(SparseTensor.from_value(x)),
)


def _refuse(x: SparseTensor, dtype: Any, name: Any) -> Value:
    raise TypeError(
        f"Failed to convert object of type {type(x)} to Tensor. Contents: {x}. "
        "Consider tf.sparse_tensor_to_dense."
    )


register_conversion(SparseTensor, _refuse, packs=False)
