"""`LinearOperator`: a batch of matrices by what can be done with them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphc.face import asserts
from graphc.face.current import name_scope
from graphc.face.more import Module
from graphc.face.shape import TensorShape, as_shape
from graphc.ir import dtypes
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Value
from graphc.ops import (
    arrays,
    complex,
    diagonal,
    factor,
    fills,
    linalg,
    math,
    reduce,
    shapes,
    transposing,
)
from graphc.ops.convert import convert_to_tensor

__all__ = ["LinearOperator", "adj", "broadcast_batch", "parameter", "sizes"]


def adj(x: Any) -> Any:
    """Matrices turned over and conjugated."""
    return transposing.matrix_transpose(x, conjugate=x.dtype.is_complex)


def broadcast_batch(a: Any, b: Any) -> tuple[Any, Any]:
    """Two batches of matrices with the same batch sizes."""
    if (
        a.static_shape is not None
        and b.static_shape is not None
        and a.static_shape[:-2] == b.static_shape[:-2]
    ):
        return a, b
    return a + fills.zeros_like(b[..., :1, :1]), b + fills.zeros_like(a[..., :1, :1])


def parameter(x: Any, name: str, scope: str | None) -> Value:
    """A parameter of an operator as a tensor."""
    with name_scope(scope):
        return convert_to_tensor(x, name=name)


def sizes(*parts: Any) -> Any:
    """A shape of numbers, or a tensor of them where one is not known; parts may be lists."""
    flat = [p for part in parts for p in (part if isinstance(part, (list, tuple)) else [part])]
    if all(isinstance(p, int) for p in flat):
        return flat
    made = [
        p if isinstance(p, Value) and p.rank == 1
        else shapes.reshape(convert_to_tensor(p, dtypes.int32), [1]) for p in flat
    ]  # fmt: skip
    return arrays.concat(made, 0)


def _size(known: Any) -> Value:
    """Sizes that are known: one constant, as TensorFlow makes it."""
    return convert_to_tensor(np.array(known, np.int32))


class LinearOperator(Module):
    """A batch of matrices that need not be written out.

    Subclasses define ``_shape`` and ``_matmul``, and what they know better than by the matrix
    written out: ``_shape_tensor``,
    ``_solve``, ``_to_dense``, ``_diag_part``, ``_trace``, ``_determinant``,
    ``_log_abs_determinant``, ``_cholesky``, ``_inverse``, ``_adjoint``.

    Parameters
    ----------
    dtype : DType
    graph_parents : list of tensors, optional
    is_non_singular, is_self_adjoint, is_positive_definite, is_square : bool, optional
        What is promised; it is not checked, but chooses how systems are solved.
    """

    def __init__(
        self, dtype: Any, graph_parents: Any = None, is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None, is_positive_definite: bool | None = None,
        is_square: bool | None = None, name: str | None = None,
    ) -> None:  # fmt: skip
        if is_positive_definite and is_non_singular is False:
            raise ValueError("A positive definite matrix is always non-singular.")
        if is_positive_definite:
            is_non_singular = True
        if is_non_singular and is_square is False:
            raise ValueError("A non-singular matrix is always square.")
        if (is_non_singular or is_self_adjoint) and is_square is None:
            is_square = True
        if is_self_adjoint and is_square is False:
            raise ValueError("A self-adjoint matrix is always square.")
        self._dtype = as_dtype(dtype)
        self._graph_parents = list(graph_parents or ())
        self._hints = is_non_singular, is_self_adjoint, is_positive_definite, is_square
        super().__init__(name or type(self).__name__)

    @contextlib.contextmanager
    def _inside(self, name: str | None) -> Iterator[None]:
        with name_scope(self._name), name_scope(name):
            yield

    def _name_scope(self, name: str | None = None, values: Any = None) -> Any:
        """What methods of users' subclasses record in; `values` make no difference."""
        return self._inside(name)

    def _check_input_dtype(self, arg: Any) -> None:
        """Refuse an operand of another element type.

        Raises
        ------
        TypeError
            When it has one.
        """
        if arg.dtype.base_dtype is not self._dtype:
            raise TypeError(
                f"Expected argument to have dtype {self._dtype}.  "
                f"Found: {arg.dtype} in tensor {arg}"
            )

    # ---- what it is

    @property
    def dtype(self) -> Any:
        return self._dtype

    @property
    def graph_parents(self) -> list[Any]:
        return self._graph_parents

    @property
    def is_non_singular(self) -> bool | None:
        return self._hints[0]

    @property
    def is_self_adjoint(self) -> bool | None:
        return self._hints[1]

    @property
    def is_positive_definite(self) -> bool | None:
        return self._hints[2]

    @property
    def is_square(self) -> bool | None:
        """Whether it is square, by its shape or by promise."""
        rows, columns = self.range_dimension.value, self.domain_dimension.value
        if rows is not None and columns is not None:
            return bool(rows == columns)
        return self._hints[3]

    @property
    def shape(self) -> TensorShape:
        return as_shape(self._shape())

    @property
    def batch_shape(self) -> TensorShape:
        out: TensorShape = self.shape[:-2]
        return out

    @property
    def tensor_rank(self) -> int | None:
        return self.shape.ndims

    @property
    def domain_dimension(self) -> Any:
        """The number of columns."""
        return as_shape([None, None])[0] if self.shape.ndims is None else self.shape[-1]

    @property
    def range_dimension(self) -> Any:
        """The number of rows."""
        return as_shape([None, None])[0] if self.shape.ndims is None else self.shape[-2]

    def shape_tensor(self, name: str = "shape_tensor") -> Value:
        """The shape as a tensor."""
        with self._inside(name):
            return self._sizes()

    def _sizes(self) -> Value:
        if self.shape.is_fully_defined():
            return convert_to_tensor(self.shape.as_list(), dtypes.int32)
        out: Value = self._shape_tensor()
        return out

    def batch_shape_tensor(self, name: str = "batch_shape_tensor") -> Value:
        """The shape of the batch as a tensor."""
        with self._inside(name):
            if self.batch_shape.is_fully_defined():
                return _size(self.batch_shape.as_list())
            return self._sizes()[:-2]

    def tensor_rank_tensor(self, name: str = "tensor_rank_tensor") -> Value:
        """The rank as a tensor."""
        with self._inside(name):
            if self.tensor_rank is not None:
                return _size(self.tensor_rank)
            return shapes.size(self._sizes())

    def domain_dimension_tensor(self, name: str = "domain_dimension_tensor") -> Value:
        """The number of columns as a tensor."""
        with self._inside(name):
            if self.domain_dimension.value is not None:
                return _size(self.domain_dimension.value)
            return self._sizes()[-1]

    def range_dimension_tensor(self, name: str = "range_dimension_tensor") -> Value:
        """The number of rows as a tensor."""
        with self._inside(name):
            if self.range_dimension.value is not None:
                return _size(self.range_dimension.value)
            return self._sizes()[-2]

    def _batch_list(self) -> Any:
        """The batch's sizes for `sizes`: numbers where all are known."""
        s = self.batch_shape
        return s.as_list() if s.is_fully_defined() else [self._sizes()[:-2]]

    def _columns(self) -> Any:
        n = self.domain_dimension.value
        return self._sizes()[-1] if n is None else n

    def _rows(self) -> Any:
        n = self.range_dimension.value
        return self._sizes()[-2] if n is None else n

    def _shape(self) -> Any:
        raise NotImplementedError(f"_shape is not implemented: {type(self).__name__}")

    def _shape_tensor(self) -> Any:
        return shapes.shape(self._to_dense())

    # ---- products

    def matmul(
        self, x: Any, adjoint: bool = False, adjoint_arg: bool = False, name: str = "matmul"
    ) -> Any:
        """The product with `x`, a tensor of matrices or an operator."""
        if isinstance(x, LinearOperator):
            return self._with(x, adjoint, adjoint_arg, name)
        with self._inside(name):
            x = convert_to_tensor(x, None if isinstance(x, Value) else self._dtype)
            self._fits(x, adjoint, adjoint_arg)
            return self._matmul(adj(x) if adjoint_arg else x, adjoint)

    def _with(self, x: LinearOperator, adjoint: bool, adjoint_arg: bool, name: str) -> Any:
        from graphc.linear.composed import LinearOperatorComposition

        left = self.adjoint() if adjoint else self
        right = x.adjoint() if adjoint_arg else x
        inner = left.domain_dimension, right.range_dimension
        if None not in (inner[0].value, inner[1].value) and inner[0].value != inner[1].value:
            raise ValueError(
                "Operators are incompatible. Expected `x` to have dimension "
                f"{inner[0]} but got {inner[1]}."
            )
        with self._inside(name):
            return left._times(right) or right._after(left) or LinearOperatorComposition(
                [left, right]
            )  # fmt: skip

    def _times(self, right: LinearOperator) -> LinearOperator | None:
        """The product with an operator on the right, where it is simple."""
        return None

    def _after(self, left: LinearOperator) -> LinearOperator | None:
        """The product with an operator on the left, where it is simple."""
        return None

    def _fits(self, x: Value, adjoint: bool, adjoint_arg: bool, solving: bool = False) -> None:
        if x.dtype is not self._dtype:
            raise TypeError(f"Input argument was {x.dtype}; this operator is {self._dtype}")
        rows = x.shape[-1 if adjoint_arg else -2].value if x.rank is not None else None  # type: ignore[attr-defined]
        inner = self.range_dimension if adjoint is not solving else self.domain_dimension
        if rows is not None and inner.value is not None and rows != inner.value:
            raise ValueError(f"Dimensions {inner.value} and {rows} are not compatible")

    def matvec(self, x: Any, adjoint: bool = False, name: str = "matvec") -> Any:
        """The product with vectors."""
        with self._inside(name):
            x = convert_to_tensor(x, None if isinstance(x, Value) else self._dtype)
            column = shapes.expand_dims(x, -1)
            self._fits(column, adjoint, False)
            return shapes.squeeze(self._matmul(column, adjoint), [-1])

    def _matmul(self, x: Any, adjoint: bool = False) -> Any:
        dense = self._to_dense()
        return linalg.matmul(adj(dense) if adjoint else dense, x)

    # ---- systems

    def solve(
        self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False, name: str = "solve"
    ) -> Any:
        """X with ``self @ X = rhs``; `rhs` is a tensor of matrices or an operator.

        Raises
        ------
        NotImplementedError
            Where the operator is known to be singular or not square.
        """
        if self.is_non_singular is False:
            raise NotImplementedError(
                "Exact solve not implemented for an operator that is expected to be singular."
            )
        if self.is_square is False:
            raise NotImplementedError(
                "Exact solve not implemented for an operator that is expected to not be square."
            )
        if isinstance(rhs, LinearOperator):
            left = self.adjoint() if adjoint else self
            return left.inverse().matmul(rhs, adjoint_arg=adjoint_arg, name=name)
        with self._inside(name):
            b = convert_to_tensor(rhs, None if isinstance(rhs, Value) else self._dtype)
            self._fits(b, adjoint, adjoint_arg, solving=True)
            return self._solve(adj(b) if adjoint_arg else b, adjoint)

    def solvevec(self, rhs: Any, adjoint: bool = False, name: str = "solve") -> Any:
        """x with ``self @ x = rhs`` for vectors."""
        with self._inside(name):
            b = convert_to_tensor(rhs, None if isinstance(rhs, Value) else self._dtype)
            return shapes.squeeze(self.solve(shapes.expand_dims(b, -1), adjoint), [-1])

    def _solve(self, b: Any, adjoint: bool = False) -> Any:
        dense, b = broadcast_batch(self._to_dense(), b)
        if self.is_positive_definite and self.is_self_adjoint:
            return factor.cholesky_solve(factor.cholesky(dense), b)
        return factor.matrix_solve(dense, b, adjoint=adjoint)

    # ---- the matrix

    def to_dense(self, name: str = "to_dense") -> Any:
        """The matrices themselves."""
        with self._inside(name):
            return self._to_dense()

    def _to_dense(self) -> Any:
        n = self._columns()
        eye = diagonal.eye(n, batch_shape=sizes(self._batch_list()), dtype=self._dtype)
        return self._matmul(eye)

    def diag_part(self, name: str = "diag_part") -> Any:
        """The diagonals."""
        with self._inside(name):
            return self._diag_part()

    def _diag_part(self) -> Any:
        return diagonal.matrix_diag_part(self._to_dense())

    def trace(self, name: str = "trace") -> Any:
        """The sums of the diagonals."""
        with self._inside(name):
            return self._trace()

    def _trace(self) -> Any:
        return reduce.reduce_sum(self._diag_part(), -1)

    def add_to_tensor(self, x: Any, name: str = "add_to_tensor") -> Any:
        """The matrices plus `x`."""
        with self._inside(name):
            return self._add_to_tensor(convert_to_tensor(x, self._dtype))

    def _add_to_tensor(self, x: Any) -> Any:
        return self._to_dense() + x

    # ---- determinants

    def _square(self, what: str) -> None:
        if self.is_square is False:
            raise NotImplementedError(
                f"{what} not implemented for an operator that is expected to not be square."
            )

    def determinant(self, name: str = "det") -> Any:
        """The determinants."""
        self._square("Determinant")
        with self._inside(name):
            return self._determinant()

    def _determinant(self) -> Any:
        return factor.matrix_determinant(self._to_dense())

    def log_abs_determinant(self, name: str = "log_abs_det") -> Any:
        """The logarithms of the absolute values of the determinants."""
        self._square("Determinant")
        with self._inside(name):
            return self._log_abs_determinant()

    def _log_abs_determinant(self) -> Any:
        return factor.slogdet(self._to_dense()).log_abs_determinant

    # ---- other operators

    @property
    def H(self) -> LinearOperator:
        return self.adjoint()

    def adjoint(self, name: str = "adjoint") -> LinearOperator:
        """The operator turned over and conjugated."""
        if self.is_self_adjoint:
            return self
        with self._inside(name):
            return self._adjoint()

    def _adjoint(self) -> LinearOperator:
        from graphc.linear.composed import LinearOperatorAdjoint

        return LinearOperatorAdjoint(self)

    def inverse(self, name: str = "inverse") -> LinearOperator:
        """The operator that solves.

        Raises
        ------
        ValueError
            Where this one is known to be singular or not square.
        """
        if self.is_square is False:
            raise ValueError("Cannot take the Inverse: This operator represents a non square "
                             "matrix.")  # fmt: skip
        if self.is_non_singular is False:
            raise ValueError("Cannot take the Inverse: This operator represents a singular matrix.")
        with self._inside(name):
            return self._inverse()

    def _inverse(self) -> LinearOperator:
        from graphc.linear.composed import LinearOperatorInversion

        return LinearOperatorInversion(self)

    def cholesky(self, name: str = "cholesky") -> LinearOperator:
        """The lower triangular factor of a positive definite operator.

        Raises
        ------
        ValueError
            Where it is not promised to be one.
        """
        if not (self.is_positive_definite and self.is_self_adjoint):
            raise ValueError("Cannot take the Cholesky decomposition: Not a positive definite "
                             "self adjoint matrix.")  # fmt: skip
        with self._inside(name):
            return self._cholesky()

    def _cholesky(self) -> LinearOperator:
        from graphc.linear.simple import LinearOperatorLowerTriangular

        return LinearOperatorLowerTriangular(
            factor.cholesky(self._to_dense()), is_non_singular=True, is_self_adjoint=False,
            is_square=True,
        )  # fmt: skip

    # ---- checks

    def assert_non_singular(self, name: str = "assert_non_singular") -> Any:
        """An operation that fails for a singular matrix (condition near the type's precision)."""
        with self._inside(name):
            s = factor.svd(self._to_dense(), compute_uv=False)
            floor = 1e-5 if self._dtype.real_dtype.size < 8 else 1e-13
            least, most = reduce.reduce_min(s, -1), reduce.reduce_max(s, -1)
            return asserts.assert_less(
                most * floor, least, message="Singular matrix up to precision epsilon."
            )

    def assert_positive_definite(self, name: str = "assert_positive_definite") -> Any:
        """An operation that fails unless the matrix has a Cholesky factor."""
        with self._inside(name):
            d = diagonal.matrix_diag_part(factor.cholesky(self._to_dense()))
            return asserts.assert_positive(
                complex.real(d), message="Matrix was not positive definite."
            )

    def assert_self_adjoint(self, name: str = "assert_self_adjoint") -> Any:
        """An operation that fails unless the matrix is its own adjoint."""
        with self._inside(name):
            dense = self._to_dense()
            return asserts.assert_near(
                math.abs(dense - adj(dense)), 0.0 * math.abs(dense), message="Matrix was not equal "
                "to its adjoint",
            )  # fmt: skip
