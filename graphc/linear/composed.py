"""Operators made of operators, and circulant ones."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from graphc.face import asserts
from graphc.face.shape import TensorShape, as_shape
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.linear.base import LinearOperator, adj, broadcast_batch, parameter, sizes
from graphc.linear.simple import LinearOperatorDiag, LinearOperatorIdentity
from graphc.ops import (
    arrays,
    complex,
    factor,
    fills,
    linalg,
    math,
    reduce,
    shapes,
    spectral,
    transposing,
)
from graphc.ops.convert import convert_to_tensor

__all__ = [
    "LinearOperatorAdjoint", "LinearOperatorBlockDiag", "LinearOperatorCirculant",
    "LinearOperatorCirculant2D", "LinearOperatorCirculant3D", "LinearOperatorComposition",
    "LinearOperatorInversion", "LinearOperatorKronecker", "LinearOperatorLowRankUpdate",
]  # fmt: skip


def _sum(terms: list[Any]) -> Any:
    return functools.reduce(lambda a, b: a + b, terms)


def _or(given: bool | None, other: bool | None) -> bool | None:
    return other if given is None else given


class _Of(LinearOperator):
    """Of another operator."""

    _word: str

    def __init__(
        self, operator: LinearOperator, is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None, is_positive_definite: bool | None = None,
        is_square: bool | None = None, name: str | None = None,
    ) -> None:  # fmt: skip
        self._operator = operator
        super().__init__(
            operator.dtype, operator.graph_parents, _or(is_non_singular, operator.is_non_singular),
            _or(is_self_adjoint, operator.is_self_adjoint),
            _or(is_positive_definite, operator.is_positive_definite),
            _or(is_square, operator.is_square), name or f"{operator.name}_{self._word}",
        )  # fmt: skip

    @property
    def operator(self) -> LinearOperator:
        return self._operator

    def _shape(self) -> Any:
        s = self._operator.shape
        return s if s.ndims is None else [*s[:-2], s[-1], s[-2]]

    def _shape_tensor(self) -> Any:
        s = self._operator.shape_tensor()
        return arrays.concat([s[:-2], s[-1:], s[-2:-1]], 0)


class LinearOperatorAdjoint(_Of):
    """Another operator turned over and conjugated."""

    _word = "adjoint"

    def _matmul(self, x: Any, adjoint: bool = False) -> Any:
        return self._operator.matmul(x, adjoint=not adjoint)

    def _solve(self, b: Any, adjoint: bool = False) -> Any:
        return self._operator.solve(b, adjoint=not adjoint)

    def _to_dense(self) -> Any:
        return adj(self._operator.to_dense())

    def _determinant(self) -> Any:
        d = self._operator.determinant()
        return complex.conj(d) if d.dtype.is_complex else d

    def _log_abs_determinant(self) -> Any:
        return self._operator.log_abs_determinant()

    def _adjoint(self) -> LinearOperator:
        return self._operator


class LinearOperatorInversion(_Of):
    """The inverse of another operator."""

    _word = "inv"

    def _matmul(self, x: Any, adjoint: bool = False) -> Any:
        return self._operator.solve(x, adjoint=adjoint)

    def _solve(self, b: Any, adjoint: bool = False) -> Any:
        return self._operator.matmul(b, adjoint=adjoint)

    def _determinant(self) -> Any:
        return 1.0 / self._operator.determinant()

    def _log_abs_determinant(self) -> Any:
        return -self._operator.log_abs_determinant()

    def _inverse(self) -> LinearOperator:
        return self._operator


class _Several(LinearOperator):
    """Of several operators of one type."""

    _all_hints = True

    def __init__(
        self, operators: Sequence[LinearOperator], is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None, is_positive_definite: bool | None = None,
        is_square: bool | None = None, name: str | None = None,
    ) -> None:  # fmt: skip
        ops = list(operators)
        if not ops:
            raise ValueError(f"Expected a non-empty list of operators. Found: {ops}")
        if len({op.dtype for op in ops}) > 1:
            found = ", ".join(f"{op.name} {op.dtype}" for op in ops)
            raise TypeError(f"Expected all operators to have the same dtype. Found {found}")
        self._operators = ops

        def every(word: str) -> bool | None:
            return True if all(getattr(op, word) for op in ops) else None

        if self._all_hints:
            is_self_adjoint = _or(is_self_adjoint, every("is_self_adjoint"))
            is_positive_definite = _or(is_positive_definite, every("is_positive_definite"))
        parents = [p for op in ops for p in op.graph_parents]
        super().__init__(
            ops[0].dtype, parents, _or(is_non_singular, every("is_non_singular")), is_self_adjoint,
            is_positive_definite, _or(is_square, every("is_square")), name or self._joined(),
        )  # fmt: skip

    def _joined(self) -> str:
        return "_o_".join(op.name for op in self._operators)

    @property
    def operators(self) -> list[LinearOperator]:
        return self._operators

    def _batches(self) -> Any:
        out = self._operators[0].batch_shape
        for op in self._operators[1:]:
            out = _broadcast(out, op.batch_shape)
        return out

    def _batch_sizes(self) -> Any:
        zeros = [fills.zeros(op.batch_shape_tensor()) for op in self._operators]
        return shapes.shape(functools.reduce(lambda a, b: a + b, zeros))


def _broadcast(a: TensorShape, b: TensorShape) -> TensorShape:
    from graphc.distributions.base import _broadcast as join

    return join(a, b)


class LinearOperatorComposition(_Several):
    """The product of operators; the last is applied first."""

    _all_hints = False

    def _shape(self) -> Any:
        ends = [self._operators[0].range_dimension, self._operators[-1].domain_dimension]
        return self._batches().concatenate(ends)

    def _shape_tensor(self) -> Any:
        return sizes(
            [self._batch_sizes()], self._operators[0]._rows(), self._operators[-1]._columns()
        )

    def _matmul(self, x: Any, adjoint: bool = False) -> Any:
        for op in self._operators if adjoint else reversed(self._operators):
            x = op.matmul(x, adjoint=adjoint)
        return x

    def _solve(self, b: Any, adjoint: bool = False) -> Any:
        for op in reversed(self._operators) if adjoint else self._operators:
            b = op.solve(b, adjoint=adjoint)
        return b

    def _determinant(self) -> Any:
        return functools.reduce(lambda a, b: a * b, [op.determinant() for op in self._operators])

    def _log_abs_determinant(self) -> Any:
        return _sum([op.log_abs_determinant() for op in self._operators])


class LinearOperatorBlockDiag(_Several):
    """Operators along the diagonal."""

    def __init__(
        self, operators: Sequence[LinearOperator], is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None, is_positive_definite: bool | None = None,
        is_square: bool | None = True, name: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            operators, is_non_singular, is_self_adjoint, is_positive_definite, is_square, name
        )

    def _joined(self) -> str:
        return "_ds_".join(op.name for op in self._operators)

    def _shape(self) -> Any:
        rows = [op.range_dimension.value for op in self._operators]
        columns = [op.domain_dimension.value for op in self._operators]
        ends = [None if None in s else sum(s) for s in (rows, columns)]
        return self._batches().concatenate(ends)

    def _shape_tensor(self) -> Any:
        rows = functools.reduce(lambda a, b: a + b, [op._rows() for op in self._operators])
        columns = functools.reduce(lambda a, b: a + b, [op._columns() for op in self._operators])
        return sizes([self._batch_sizes()], rows, columns)

    def _parts(self, x: Any, f: Any, across: Any) -> Any:
        out, at = [], 0
        for op in self._operators:
            n = across(op)
            out.append(f(op, x[..., at : at + n, :]))
            at = at + n
        first = functools.reduce(
            lambda a, b: a + b, [fills.zeros_like(y[..., :1, :1]) for y in out]
        )
        return arrays.concat([y + first for y in out], -2)

    def _matmul(self, x: Any, adjoint: bool = False) -> Any:
        return self._parts(
            x, lambda op, y: op.matmul(y, adjoint=adjoint),
            lambda op: op._rows() if adjoint else op._columns(),
        )  # fmt: skip

    def _solve(self, b: Any, adjoint: bool = False) -> Any:
        return self._parts(b, lambda op, y: op.solve(y, adjoint=adjoint), lambda op: op._rows())

    def _diag_part(self) -> Any:
        return arrays.concat([op.diag_part() for op in self._operators], -1)

    def _determinant(self) -> Any:
        return functools.reduce(lambda a, b: a * b, [op.determinant() for op in self._operators])

    def _log_abs_determinant(self) -> Any:
        return _sum([op.log_abs_determinant() for op in self._operators])

    def _inverse(self) -> LinearOperator:
        return LinearOperatorBlockDiag([op.inverse() for op in self._operators])

    def _adjoint(self) -> LinearOperator:
        return LinearOperatorBlockDiag([op.adjoint() for op in self._operators])

    def _cholesky(self) -> LinearOperator:
        return LinearOperatorBlockDiag([op.cholesky() for op in self._operators])


class LinearOperatorKronecker(_Several):
    """The Kronecker product of operators."""

    def _joined(self) -> str:
        return "_x_".join(op.name for op in self._operators)

    @staticmethod
    def _product(values: list[Any]) -> Any:
        return functools.reduce(lambda a, b: a * b, values)

    def _shape(self) -> Any:
        rows = [op.range_dimension.value for op in self._operators]
        columns = [op.domain_dimension.value for op in self._operators]
        ends = [None if None in s else self._product(s) for s in (rows, columns)]
        return self._batches().concatenate(ends)

    def _shape_tensor(self) -> Any:
        ops = self._operators
        rows, columns = [op._rows() for op in ops], [op._columns() for op in ops]
        return sizes([self._batch_sizes()], self._product(rows), self._product(columns))

    def _each(self, x: Any, f: Any, across: Any) -> Any:
        """Apply a function of each operator along its own axis of the rows of `x`."""
        k = x.shape[-1].value
        k = shapes.shape(x)[-1] if k is None else k
        s = x.shape[:-2]
        batch = s.as_list() if s.is_fully_defined() else [shapes.shape(x)[:-2]]
        z = transposing.matrix_transpose(x)
        for op in reversed(self._operators):
            z = shapes.reshape(z, sizes(batch, -1, across(op)))
            z = f(op, transposing.matrix_transpose(z))
        return shapes.reshape(z, sizes(batch, -1, k))

    def _matmul(self, x: Any, adjoint: bool = False) -> Any:
        y = self._each(
            self._filled(x), lambda op, z: op.matmul(z, adjoint=adjoint),
            lambda op: op._rows() if adjoint else op._columns(),
        )  # fmt: skip
        return y

    def _filled(self, x: Any) -> Any:
        """`x` in the shape of the batch."""
        s = self.batch_shape
        if s.ndims == 0:
            return x
        return x + fills.zeros(sizes(self._batch_list(), 1, 1), self._dtype)

    def _solve(self, b: Any, adjoint: bool = False) -> Any:
        return self._each(
            self._filled(b), lambda op, z: op.solve(z, adjoint=adjoint), lambda op: op._rows()
        )

    def _diag_part(self) -> Any:
        out = self._operators[0].diag_part()
        for op in self._operators[1:]:
            both = out[..., :, None] * op.diag_part()[..., None, :]
            out = shapes.reshape(both, arrays.concat([shapes.shape(both)[:-2], [-1]], 0))
        return out

    def _trace(self) -> Any:
        return self._product([op.trace() for op in self._operators])

    def _shares(self, dtype: Any) -> list[Any]:
        total = self._columns()
        return [
            math.cast(convert_to_tensor(total // op._columns()), dtype) for op in self._operators
        ]

    def _determinant(self) -> Any:
        powers = zip(self._operators, self._shares(self._dtype), strict=True)
        return self._product([op.determinant() ** n for op, n in powers])

    def _log_abs_determinant(self) -> Any:
        powers = zip(self._operators, self._shares(self._dtype.real_dtype), strict=True)
        return _sum([op.log_abs_determinant() * n for op, n in powers])

    def _inverse(self) -> LinearOperator:
        return LinearOperatorKronecker([op.inverse() for op in self._operators])

    def _adjoint(self) -> LinearOperator:
        return LinearOperatorKronecker([op.adjoint() for op in self._operators])

    def _cholesky(self) -> LinearOperator:
        return LinearOperatorKronecker([op.cholesky() for op in self._operators])


class LinearOperatorLowRankUpdate(LinearOperator):
    """``base + U diag(D) Vᴴ``, solved by Woodbury's formula.

    Parameters
    ----------
    base_operator : LinearOperator
    u, v : tensor
        ``[..., rows, k]``; `v` is `u` by default.
    diag_update : tensor, optional
        ``[..., k]``, ones by default.
    """

    def __init__(
        self, base_operator: LinearOperator, u: Any, diag_update: Any = None, v: Any = None,
        is_diag_update_positive: bool | None = None, is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None, is_positive_definite: bool | None = None,
        is_square: bool | None = None, name: str = "LinearOperatorLowRankUpdate",
    ) -> None:  # fmt: skip
        self._base = base_operator
        self._u = parameter(u, "u", name)
        self._v = self._u if v is None else parameter(v, "v", name)
        self._positive = diag_update is None or bool(is_diag_update_positive)
        given = None if diag_update is None else parameter(diag_update, "diag_update", name)
        self._diag_update = given
        if given is None:
            self._middle: LinearOperator = LinearOperatorIdentity(
                sizes(_last(self._u))[0] if _known(self._u) else _last(self._u),
                dtype=self._u.dtype,
            )
        else:
            self._middle = LinearOperatorDiag(given, is_positive_definite=self._positive or None)
        same = v is None
        if base_operator.is_self_adjoint and same:
            is_self_adjoint = _or(is_self_adjoint, True)
        if base_operator.is_positive_definite and same and self._positive:
            is_positive_definite = _or(is_positive_definite, True)
            is_non_singular = _or(is_non_singular, True)
        parents = [*base_operator.graph_parents, self._u, self._v]
        super().__init__(
            base_operator.dtype, parents, is_non_singular, is_self_adjoint, is_positive_definite,
            _or(is_square, base_operator.is_square), name,
        )  # fmt: skip

    @property
    def u(self) -> Value:
        return self._u

    @property
    def v(self) -> Value:
        return self._v

    @property
    def base_operator(self) -> LinearOperator:
        return self._base

    @property
    def diag_update(self) -> Value | None:
        return self._diag_update

    @property
    def diag_operator(self) -> LinearOperator:
        return self._middle

    @property
    def is_diag_update_positive(self) -> bool:
        return self._positive

    def _shape(self) -> Any:
        batch = _broadcast(self._base.batch_shape, as_shape(self._u.shape[:-2]))  # type: ignore[attr-defined]
        return batch.concatenate(self._base.shape[-2:])

    def _shape_tensor(self) -> Any:
        zeros = fills.zeros(self._base.batch_shape_tensor(), self._dtype)
        batch = shapes.shape(zeros + fills.zeros_like(self._u[..., 0, 0]))
        return arrays.concat([batch, self._base.shape_tensor()[-2:]], 0)

    def _matmul(self, x: Any, adjoint: bool = False) -> Any:
        u, v = (self._v, self._u) if adjoint else (self._u, self._v)
        inner = self._middle.matmul(linalg.matmul(adj(v), x), adjoint=adjoint)
        return self._base.matmul(x, adjoint=adjoint) + linalg.matmul(u, inner)

    def _capacitance(self) -> Any:
        """``D⁻¹ + Vᴴ base⁻¹ U``."""
        inner = linalg.matmul(adj(self._v), self._base.solve(self._u))
        return self._middle.inverse().add_to_tensor(inner)

    def _solve(self, b: Any, adjoint: bool = False) -> Any:
        u, v = (self._v, self._u) if adjoint else (self._u, self._v)
        first = self._base.solve(b, adjoint=adjoint)
        c = self._capacitance()
        right = linalg.matmul(adj(v), first)
        c, right = broadcast_batch(c, right)
        inner = factor.matrix_solve(c, right, adjoint=adjoint)
        return first - self._base.solve(linalg.matmul(u, inner), adjoint=adjoint)

    def _determinant(self) -> Any:
        out = factor.matrix_determinant(self._capacitance()) * self._base.determinant()
        return out * self._middle.determinant()

    def _log_abs_determinant(self) -> Any:
        out = factor.slogdet(self._capacitance()).log_abs_determinant
        out = out + self._base.log_abs_determinant()
        return out + self._middle.log_abs_determinant()

    def _to_dense(self) -> Any:
        d = self._middle.to_dense() if self._diag_update is not None else None
        left = self._u if d is None else linalg.matmul(self._u, d)
        return self._base.to_dense() + linalg.matmul(left, adj(self._v))


def _known(x: Any) -> bool:
    return x.rank is not None and x.shape[-1].value is not None


def _last(x: Any) -> Any:
    return x.shape[-1].value if _known(x) else shapes.shape(x)[-1]


class _Circulant(LinearOperator):
    """Diagonal in the frequencies of 1, 2 or 3 axes."""

    _depth = 1
    _transforms = (spectral.fft, spectral.ifft)

    def __init__(
        self, spectrum: Any, input_output_dtype: Any = dtypes.complex64,
        is_non_singular: bool | None = None, is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None, is_square: bool | None = True,
        name: str | None = None,
    ) -> None:  # fmt: skip
        self._spectrum = parameter(spectrum, "spectrum", name)
        kind = self._spectrum.dtype
        wide = kind if kind.is_complex else (
            dtypes.complex128 if kind is dtypes.float64 else dtypes.complex64
        )  # fmt: skip
        self._complex = math.cast(self._spectrum, wide)
        if not kind.is_complex:
            is_self_adjoint = _or(is_self_adjoint, True)
        super().__init__(
            input_output_dtype, [self._spectrum], is_non_singular, is_self_adjoint,
            is_positive_definite, is_square, name or type(self).__name__,
        )  # fmt: skip

    @property
    def spectrum(self) -> Value:
        return self._spectrum

    @property
    def block_depth(self) -> int:
        return self._depth

    @property
    def block_shape(self) -> TensorShape:
        return as_shape(self._spectrum.shape[-self._depth :])  # type: ignore[attr-defined]

    def block_shape_tensor(self) -> Value:
        """The sizes of the axes."""
        return shapes.shape(self._spectrum)[-self._depth :]

    def _shape(self) -> Any:
        s = self._spectrum.shape  # type: ignore[attr-defined]
        if s.ndims is None:
            return TensorShape(None)
        block = self.block_shape
        n = block.num_elements() if block.is_fully_defined() else None
        return as_shape(s[: -self._depth]).concatenate([n, n])

    def _shape_tensor(self) -> Any:
        n = reduce.reduce_prod(self.block_shape_tensor())
        return sizes([shapes.shape(self._spectrum)[: -self._depth]], n, n)

    def _flat(self) -> Any:
        lead = shapes.shape(self._complex)[: -self._depth]
        return shapes.reshape(self._complex, arrays.concat([lead, [-1]], 0))

    def convolution_kernel(self, name: str = "convolution_kernel") -> Any:
        """What the operator convolves with: the inverse transform of the spectrum."""
        with self._inside(name):
            made = type(self)._transforms[1](self._complex)
            return made if self._dtype.is_complex else complex.real(made)

    def _apply(self, x: Any, spectrum: Any) -> Any:
        made: Any
        forward, backward = type(self)._transforms
        turned = math.cast(transposing.matrix_transpose(x), self._complex.dtype)
        block = self.block_shape
        inner = block.as_list() if block.is_fully_defined() else [self.block_shape_tensor()]
        lead = turned.shape[:-1]
        outer = lead.as_list() if lead.is_fully_defined() else [shapes.shape(turned)[:-1]]
        blocks = shapes.reshape(turned, sizes(outer, inner))
        wide = shapes.expand_dims(spectrum, -self._depth - 1)
        made = backward(forward(blocks) * wide)
        s = shapes.shape(made)[: -self._depth]
        flat = shapes.reshape(made, arrays.concat([s, [-1]], 0))
        n = self.domain_dimension.value
        if n is not None:
            known: Any = flat
            known.set_shape(as_shape(made.shape[: -self._depth]).concatenate([n]))
        out = transposing.matrix_transpose(flat)
        return out if self._dtype.is_complex else math.cast(complex.real(out), self._dtype)

    def _matmul(self, x: Any, adjoint: bool = False) -> Any:
        return self._apply(x, complex.conj(self._complex) if adjoint else self._complex)

    def _solve(self, b: Any, adjoint: bool = False) -> Any:
        s = complex.conj(self._complex) if adjoint else self._complex
        return self._apply(b, 1.0 / s)

    def _narrow(self, x: Any) -> Any:
        return math.cast(x if self._dtype.is_complex else complex.real(x), self._dtype)

    def _determinant(self) -> Any:
        return self._narrow(reduce.reduce_prod(self._flat(), -1))

    def _log_abs_determinant(self) -> Any:
        out = reduce.reduce_sum(math.log(math.abs(self._flat())), -1)
        return math.cast(out, self._dtype)

    def _trace(self) -> Any:
        return self._narrow(reduce.reduce_sum(self._flat(), -1))

    def _diag_part(self) -> Any:
        flat = self._flat()
        mean = reduce.reduce_mean(flat, -1, keepdims=True)
        return self._narrow(mean + fills.zeros_like(flat))

    def assert_hermitian_spectrum(self, name: str = "assert_hermitian_spectrum") -> Any:
        """An operation that fails unless the convolution kernel is real."""
        with self._inside(name):
            made = type(self)._transforms[1](self._complex)
            return asserts.assert_near(
                complex.imag(made), fills.zeros_like(complex.imag(made)), atol=1e-5,
                message="Spectrum was not Hermitian",
            )  # fmt: skip


class LinearOperatorCirculant(_Circulant):
    """Circulant matrices, by the transform of their first column."""


class LinearOperatorCirculant2D(_Circulant):
    """Block circulant matrices of two axes."""

    _depth = 2
    _transforms = (spectral.fft2d, spectral.ifft2d)


class LinearOperatorCirculant3D(_Circulant):
    """Block circulant matrices of three axes."""

    _depth = 3
    _transforms = (spectral.fft3d, spectral.ifft3d)
