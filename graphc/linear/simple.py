"""Operators of one parameter: identities, diagonals, triangles, reflections."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.face.graph import get_default_graph
from graphc.face.shape import TensorShape, as_shape
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.linear.base import LinearOperator, adj, broadcast_batch, parameter, sizes
from graphc.ops import (
    arrays,
    complex,
    diagonal,
    factor,
    fills,
    linalg,
    math,
    nn,
    reduce,
    shapes,
    spaced,
)
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import made

__all__ = [
    "LinearOperatorDiag", "LinearOperatorFullMatrix", "LinearOperatorHouseholder",
    "LinearOperatorIdentity", "LinearOperatorLowerTriangular", "LinearOperatorScaledIdentity",
    "LinearOperatorToeplitz", "LinearOperatorZeros",
]  # fmt: skip


def _conj(x: Any) -> Any:
    return complex.conj(x) if x.dtype.is_complex else x


def _number(x: Any) -> int | None:
    """A size, where it is known."""
    from graphc.face.more import constant_value

    if isinstance(x, Value):
        found = constant_value(x)
        return None if found is None else int(found)
    return int(x)


class _Sized(LinearOperator):
    """Of a number of rows and a batch shape."""

    _n: Any
    _m: Any
    _batch: Any = None

    def _shape(self) -> Any:
        batch = [] if self._batch is None else _static_list(self._batch)
        if batch is None:
            return None
        return [*batch, _number(self._n), _number(self._m)]

    def _shape_tensor(self) -> Any:
        batch = [] if self._batch is None else [convert_to_tensor(self._batch, dtypes.int32)]
        return convert_to_tensor(sizes(batch, self._n, self._m), dtypes.int32)


def _static_list(x: Any) -> list[int | None] | None:
    from graphc.face.more import constant_value

    if isinstance(x, Value):
        found = constant_value(x)
        return None if found is None else [int(d) for d in found]
    return [int(d) for d in np.reshape(x, [-1])]


class LinearOperatorIdentity(_Sized):
    """The identity, or a batch of it."""

    def __init__(
        self, num_rows: Any, batch_shape: Any = None, dtype: Any = None,
        is_non_singular: bool = True, is_self_adjoint: bool = True,
        is_positive_definite: bool = True, is_square: bool = True,
        assert_proper_shapes: bool = False, name: str = "LinearOperatorIdentity",
    ) -> None:  # fmt: skip
        if not (is_self_adjoint and is_non_singular and is_positive_definite):
            raise ValueError("An identity operator is always self adjoint, non-singular and "
                             "positive definite.")  # fmt: skip
        self._n = self._m = num_rows
        self._batch = batch_shape
        if isinstance(num_rows, int) and batch_shape is None:
            made(1)
        super().__init__(
            dtype or dtypes.float32, None, is_non_singular, is_self_adjoint, is_positive_definite,
            is_square, name,
        )  # fmt: skip

    def _matmul(self, x: Any, adjoint: bool = False) -> Any:
        return x if self._batch is None else x + self._zeros()

    def add_to_tensor(self, mat: Any, name: str = "add_to_tensor") -> Any:
        """The matrices plus `mat`."""
        return super().add_to_tensor(mat, name)

    def _zeros(self) -> Any:
        return fills.zeros(sizes(self._batch_list(), 1, 1), self._dtype)

    def _solve(self, b: Any, adjoint: bool = False) -> Any:
        return self._matmul(b)

    def _to_dense(self) -> Any:
        return diagonal.eye(
            self._columns(), batch_shape=sizes(self._batch_list()), dtype=self._dtype
        )

    def _diag_part(self) -> Any:
        return fills.ones(sizes(self._batch_list(), self._columns()), self._dtype)

    def _determinant(self) -> Any:
        return fills.ones(sizes(self._batch_list()), self._dtype)

    def _log_abs_determinant(self) -> Any:
        return fills.zeros(sizes(self._batch_list()), self._dtype)

    def _times(self, right: LinearOperator) -> LinearOperator | None:
        return right if self._batch is None else None

    def _after(self, left: LinearOperator) -> LinearOperator | None:
        return left if self._batch is None else None

    def _inverse(self) -> LinearOperator:
        return self

    _cholesky = _inverse


class LinearOperatorScaledIdentity(LinearOperator):
    """A multiple of the identity, or a batch of them."""

    def __init__(
        self, num_rows: Any, multiplier: Any, is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None, is_positive_definite: bool | None = None,
        is_square: bool = True, assert_proper_shapes: bool = False,
        name: str = "LinearOperatorScaledIdentity",
    ) -> None:  # fmt: skip
        self._n, self._multiplier = num_rows, parameter(multiplier, "multiplier", name)
        if isinstance(num_rows, int):
            made(3)
        if is_self_adjoint is None and not self._multiplier.dtype.is_complex:
            is_self_adjoint = True
        super().__init__(
            self._multiplier.dtype, [self._multiplier], is_non_singular, is_self_adjoint,
            is_positive_definite, is_square, name,
        )  # fmt: skip

    def add_to_tensor(self, mat: Any, name: str = "add_to_tensor") -> Any:
        """The matrices plus `mat`."""
        return super().add_to_tensor(mat, name)

    @property
    def multiplier(self) -> Value:
        return self._multiplier

    def _shape(self) -> Any:
        n = _number(self._n)
        return as_shape(self._multiplier.shape).concatenate([n, n])  # type: ignore[attr-defined]

    def _shape_tensor(self) -> Any:
        return sizes([shapes.shape(self._multiplier)], self._n, self._n)

    def _wide(self, adjoint: bool = False) -> Any:
        m = _conj(self._multiplier) if adjoint else self._multiplier
        return m[..., None, None]

    def _matmul(self, x: Any, adjoint: bool = False) -> Any:
        return x * self._wide(adjoint)

    def _solve(self, b: Any, adjoint: bool = False) -> Any:
        return b / self._wide(adjoint)

    def _diag_part(self) -> Any:
        ones = fills.ones(sizes(self._batch_list(), self._columns()), self._dtype)
        return self._multiplier[..., None] * ones

    def _to_dense(self) -> Any:
        return diagonal.matrix_diag(self._diag_part())

    def _count(self, dtype: Any) -> Any:
        return math.cast(convert_to_tensor(self._columns()), dtype)

    def _determinant(self) -> Any:
        return self._multiplier ** self._count(self._dtype)

    def _log_abs_determinant(self) -> Any:
        size = math.abs(self._multiplier)
        return self._count(size.dtype) * math.log(size)

    def _scaled(self, multiplier: Any) -> LinearOperator:
        return LinearOperatorScaledIdentity(
            self._n, multiplier, self.is_non_singular, self.is_self_adjoint,
            self.is_positive_definite,
        )  # fmt: skip

    def _adjoint(self) -> LinearOperator:
        return self._scaled(_conj(self._multiplier))

    def _inverse(self) -> LinearOperator:
        return self._scaled(1.0 / self._multiplier)

    def _cholesky(self) -> LinearOperator:
        return self._scaled(math.sqrt(self._multiplier))


class LinearOperatorZeros(_Sized):
    """The zero matrix, or a batch of it."""

    def __init__(
        self, num_rows: Any, num_columns: Any = None, batch_shape: Any = None, dtype: Any = None,
        is_non_singular: bool = False, is_self_adjoint: bool = True,
        is_positive_definite: bool = False, is_square: bool = True,
        assert_proper_shapes: bool = False, name: str = "LinearOperatorZeros",
    ) -> None:  # fmt: skip
        if is_non_singular or is_positive_definite:
            raise ValueError("A zero operator is always singular and not positive definite.")
        self._n, self._m = num_rows, num_rows if num_columns is None else num_columns
        if is_square and _number(self._n) != _number(self._m):
            raise ValueError("A zero operator is_square only with as many rows as columns.")
        self._batch = batch_shape
        super().__init__(
            dtype or dtypes.float32, None, is_non_singular, is_self_adjoint, is_positive_definite,
            is_square, name,
        )  # fmt: skip

    def add_to_tensor(self, mat: Any, name: str = "add_to_tensor") -> Any:
        """The matrices plus `mat`."""
        return super().add_to_tensor(mat, name)

    def _matmul(self, x: Any, adjoint: bool = False) -> Any:
        rows = self._columns() if adjoint else self._rows()
        zeros = fills.zeros(sizes(self._batch_list(), rows, 1), self._dtype)
        return zeros * x[..., :1, :]

    def _to_dense(self) -> Any:
        return fills.zeros(sizes(self._batch_list(), self._rows(), self._columns()), self._dtype)

    def _diag_part(self) -> Any:
        return diagonal.matrix_diag_part(self._to_dense())

    def _determinant(self) -> Any:
        return fills.zeros(sizes(self._batch_list()), self._dtype)

    def _log_abs_determinant(self) -> Any:
        return math.log(self._determinant())


class LinearOperatorDiag(LinearOperator):
    """Diagonal matrices."""

    def __init__(
        self, diag: Any, is_non_singular: bool | None = None, is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None, is_square: bool | None = None,
        name: str = "LinearOperatorDiag",
    ) -> None:  # fmt: skip
        self._diag = parameter(diag, "diag", name)
        if not self._diag.dtype.is_complex:
            if is_self_adjoint is False:
                raise ValueError("A real diagonal operator is always self adjoint.")
            is_self_adjoint = True
        if is_square is False:
            raise ValueError("Only square diagonal operators currently supported.")
        super().__init__(
            self._diag.dtype, [self._diag], is_non_singular, is_self_adjoint,
            is_positive_definite, True, name,
        )  # fmt: skip

    @property
    def diag(self) -> Value:
        return self._diag

    def _shape(self) -> Any:
        s = self._diag.shape  # type: ignore[attr-defined]
        return TensorShape(None) if s.ndims is None else s.concatenate(s[-1:])

    def _shape_tensor(self) -> Any:
        s = shapes.shape(self._diag)
        return arrays.concat([s, s[-1:]], 0)

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        each = (_conj(self._diag) if adjoint else self._diag)[..., None]
        return each * (adj(x) if adjoint_arg else x)

    def _solve(self, b: Any, adjoint: bool = False) -> Any:
        return b / (_conj(self._diag) if adjoint else self._diag)[..., None]

    def _to_dense(self) -> Any:
        return diagonal.matrix_diag(self._diag)

    def _diag_part(self) -> Any:
        return self._diag

    def _determinant(self) -> Any:
        return reduce.reduce_prod(self._diag, -1)

    def _log_abs_determinant(self) -> Any:
        return reduce.reduce_sum(math.log(math.abs(self._diag)), -1)

    def _like(self, diag: Any) -> LinearOperator:
        return LinearOperatorDiag(
            diag, self.is_non_singular, self.is_self_adjoint, self.is_positive_definite, True
        )

    def _times(self, right: LinearOperator) -> LinearOperator | None:
        if isinstance(right, LinearOperatorDiag):
            return LinearOperatorDiag(self._diag * right._diag)
        if isinstance(right, LinearOperatorLowerTriangular):
            return LinearOperatorLowerTriangular(self._matmul(right._to_dense()))
        return None

    def _after(self, left: LinearOperator) -> LinearOperator | None:
        if isinstance(left, LinearOperatorLowerTriangular):
            return LinearOperatorLowerTriangular(left._to_dense() * self._diag[..., None, :])
        return None

    def _adjoint(self) -> LinearOperator:
        return self._like(_conj(self._diag))

    def _inverse(self) -> LinearOperator:
        return self._like(1.0 / self._diag)

    def _cholesky(self) -> LinearOperator:
        return self._like(math.sqrt(self._diag))


class _Matrix(LinearOperator):
    """Of a tensor of matrices."""

    _matrix: Any

    def _shape(self) -> Any:
        return self._matrix.shape

    def _shape_tensor(self) -> Any:
        return shapes.shape(self._matrix)

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        return super()._matmul(adj(x) if adjoint_arg else x, adjoint)

    def _to_dense(self) -> Any:
        return self._matrix


class LinearOperatorFullMatrix(_Matrix):
    """Any matrices."""

    def __init__(
        self, matrix: Any, is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None, is_positive_definite: bool | None = None,
        is_square: bool | None = None, name: str = "LinearOperatorFullMatrix",
    ) -> None:  # fmt: skip
        self._matrix = parameter(matrix, "matrix", name)
        super().__init__(
            self._matrix.dtype, [self._matrix], is_non_singular, is_self_adjoint,
            is_positive_definite, is_square, name,
        )  # fmt: skip


class LinearOperatorLowerTriangular(_Matrix):
    """Lower triangular matrices; what is above the diagonal is not read."""

    def __init__(
        self, tril: Any, is_non_singular: bool | None = None, is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None, is_square: bool | None = None,
        name: str = "LinearOperatorLowerTriangular",
    ) -> None:  # fmt: skip
        if is_square is False:
            raise ValueError("Only square lower triangular operators supported at this time.")
        full = parameter(tril, "tril", name)
        with get_default_graph().counts_as(0):  # TensorFlow does it where it is read
            self._matrix = linalg.matrix_band_part(full, -1, 0)
        super().__init__(
            full.dtype, [full], is_non_singular, is_self_adjoint, is_positive_definite, True, name
        )

    def _solve(self, b: Any, adjoint: bool = False) -> Any:
        dense, b = broadcast_batch(self._matrix, b)
        return factor.matrix_triangular_solve(dense, b, lower=True, adjoint=adjoint)

    def _determinant(self) -> Any:
        return reduce.reduce_prod(self._diag_part(), -1)

    def _log_abs_determinant(self) -> Any:
        return reduce.reduce_sum(math.log(math.abs(self._diag_part())), -1)


class LinearOperatorHouseholder(LinearOperator):
    """Reflections at the planes that are orthogonal to vectors."""

    def __init__(
        self, reflection_axis: Any, is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None, is_positive_definite: bool | None = None,
        is_square: bool | None = None, name: str = "LinearOperatorHouseholder",
    ) -> None:  # fmt: skip
        if is_self_adjoint is False or is_positive_definite or is_non_singular is False:
            raise ValueError("A Householder operator is always self adjoint, non-singular and "
                             "not positive definite.")  # fmt: skip
        if is_square is False:
            raise ValueError("A Householder operator is always square.")
        self._axis = parameter(reflection_axis, "reflection_axis", name)
        super().__init__(self._axis.dtype, [self._axis], is_non_singular, True, False, True, name)

    @property
    def reflection_axis(self) -> Value:
        return self._axis

    def _shape(self) -> Any:
        s = self._axis.shape  # type: ignore[attr-defined]
        return TensorShape(None) if s.ndims is None else s.concatenate(s[-1:])

    def _shape_tensor(self) -> Any:
        s = shapes.shape(self._axis)
        return arrays.concat([s, s[-1:]], 0)

    def _matmul(self, x: Any, adjoint: bool = False) -> Any:
        v = nn.l2_normalize(self._axis, -1)[..., None]
        v, x = broadcast_batch(v, x)
        return x - 2.0 * v * linalg.matmul(v, x, transpose_a=True)

    def _solve(self, b: Any, adjoint: bool = False) -> Any:
        return self._matmul(b)

    def _trace(self) -> Any:
        n = math.cast(convert_to_tensor(self._columns()), self._dtype)
        return (n - 2.0) * fills.ones_like(self._axis[..., 0])

    def _diag_part(self) -> Any:
        return 1.0 - 2.0 * math.square(nn.l2_normalize(self._axis, -1))

    def _determinant(self) -> Any:
        return -fills.ones_like(self._axis[..., 0])

    def _log_abs_determinant(self) -> Any:
        return fills.zeros_like(self._axis[..., 0])

    def _inverse(self) -> LinearOperator:
        return self


class LinearOperatorToeplitz(LinearOperator):
    """Matrices with constant diagonals, by first column and first row."""

    def __init__(
        self, col: Any, row: Any, is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None, is_positive_definite: bool | None = None,
        is_square: bool | None = None, name: str = "LinearOperatorToeplitz",
    ) -> None:  # fmt: skip
        self._col = parameter(col, "col", name)
        self._row = parameter(row, "row", name)
        if is_square is False:
            raise ValueError("Only square Toeplitz operators currently supported.")
        super().__init__(
            self._row.dtype, [self._row, self._col], is_non_singular, is_self_adjoint,
            is_positive_definite, True, name,
        )  # fmt: skip

    @property
    def col(self) -> Value:
        return self._col

    @property
    def row(self) -> Value:
        return self._row

    def _both(self) -> tuple[Any, Any]:
        return self._col + fills.zeros_like(self._row), self._row + fills.zeros_like(self._col)

    def _shape(self) -> Any:
        s = self._both()[0].shape
        return TensorShape(None) if s.ndims is None else s.concatenate(s[-1:])

    def _shape_tensor(self) -> Any:
        s = shapes.shape(self._both()[0])
        return arrays.concat([s, s[-1:]], 0)

    def _to_dense(self) -> Any:
        col, row = self._both()
        line = arrays.concat([arrays.reverse(col, [-1]), row[..., 1:]], -1)
        n = self._columns()
        at = spaced.range(n)
        return arrays.gather(line, (n - 1) + at[None, :] - at[:, None], axis=-1)

    def _diag_part(self) -> Any:
        return self._both()[0][..., :1] + fills.zeros_like(self._both()[0])
