"""Bijectors of vectors and matrices."""

from __future__ import annotations

import math as _math
from collections.abc import Callable
from typing import Any

from graphc.distributions.bijector import Bijector, Chain, ConditionalBijector
from graphc.distributions.elementary import AffineScalar, Softplus
from graphc.distributions.helpers import (
    fill_triangular,
    fill_triangular_inverse,
)
from graphc.face.current import name_scope
from graphc.face.shape import TensorShape
from graphc.linear.base import LinearOperator
from graphc.linear.composed import LinearOperatorLowRankUpdate
from graphc.linear.simple import (
    LinearOperatorDiag,
    LinearOperatorIdentity,
    LinearOperatorLowerTriangular,
    LinearOperatorScaledIdentity,
)
from graphc.ops import (
    arrays,
    cumulative,
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

__all__ = [
    "Affine", "AffineLinearOperator", "CholeskyOuterProduct", "FillTriangular",
    "MaskedAutoregressiveFlow", "MatrixInverseTriL", "Ordered", "Permute", "RealNVP", "Reshape",
    "ScaleTriL", "SoftmaxCentered", "TransformDiagonal", "scale_operator",
]  # fmt: skip


# ------------------------------------------------------------------------- of vectors


class _Vectors(Bijector):
    _events = 1

    def __init__(self, validate_args: bool = False, name: str | None = None) -> None:
        super().__init__(
            validate_args=validate_args, forward_min_event_ndims=self._events,
            name=name,
        )  # fmt: skip


class Ordered(_Vectors):
    """From increasing vectors to any: the first element, and the logarithms of the steps."""

    def __init__(self, validate_args: bool = False, name: str = "ordered") -> None:
        super().__init__(validate_args, name)

    def _forward(self, x: Any) -> Any:
        return arrays.concat([x[..., :1], math.log(x[..., 1:] - x[..., :-1])], -1)

    def _inverse(self, y: Any) -> Any:
        return cumulative.cumsum(arrays.concat([y[..., :1], math.exp(y[..., 1:])], -1), axis=-1)

    def _inverse_log_det_jacobian(self, y: Any) -> Any:
        return reduce.reduce_sum(y[..., 1:], -1)

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        return -reduce.reduce_sum(math.log(x[..., 1:] - x[..., :-1]), -1)


class SoftmaxCentered(_Vectors):
    """``softmax([x, 0])``: one element more, and the sum is 1."""

    def __init__(self, validate_args: bool = False, name: str = "softmax_centered") -> None:
        super().__init__(validate_args, name)

    def _forward_event_shape(self, shape: Any) -> Any:
        return _last(shape, 1)

    def _inverse_event_shape(self, shape: Any) -> Any:
        return _last(shape, -1)

    def _forward_event_shape_tensor(self, shape: Any) -> Any:
        return shape[-1:] + 1

    def _inverse_event_shape_tensor(self, shape: Any) -> Any:
        return shape[-1:] - 1

    def _forward(self, x: Any) -> Any:
        return nn.softmax(arrays.concat([x, fills.zeros_like(x[..., :1])], -1))

    def _inverse(self, y: Any) -> Any:
        logs = math.log(y)
        return logs[..., :-1] - logs[..., -1:]

    def _inverse_log_det_jacobian(self, y: Any) -> Any:
        return -reduce.reduce_sum(math.log(y), -1)

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        norm = nn.softplus(reduce.reduce_logsumexp(x, -1, keepdims=True))
        return shapes.squeeze(-norm + reduce.reduce_sum(x - norm, -1, keepdims=True), [-1])


def _last(shape: Any, more: int) -> Any:
    if shape.ndims is None or shape[-1].value is None:
        return shape
    if shape[-1].value + more < 1:
        raise ValueError(f"output_shape[-1] = {shape[-1].value} <= 1")
    return TensorShape([shape[-1].value + more])


class Permute(Bijector):
    """The last axis in another order."""

    def __init__(
        self, permutation: Any, validate_args: bool = False, name: str | None = None
    ) -> None:
        self._permutation = convert_to_tensor(permutation, name="permutation")
        if not self._permutation.dtype.is_integer:
            raise TypeError("permutation.dtype must be integer")
        super().__init__(
            [self._permutation], True, validate_args, forward_min_event_ndims=1,
            name=name or "permute",
        )  # fmt: skip

    @property
    def permutation(self) -> Any:
        return self._permutation

    def _forward(self, x: Any) -> Any:
        return arrays.gather(x, self._permutation, axis=-1)

    def _inverse(self, y: Any) -> Any:
        return arrays.gather(y, arrays.invert_permutation(self._permutation), axis=-1)

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        return convert_to_tensor(0.0, x.dtype)


class Reshape(Bijector):
    """Events of another shape."""

    def __init__(
        self, event_shape_out: Any, event_shape_in: Any = (-1,), validate_args: bool = False,
        name: str | None = None,
    ) -> None:  # fmt: skip
        self._out = [int(d) for d in event_shape_out]
        self._in = [int(d) for d in event_shape_in]
        for sizes in (self._out, self._in):
            if sizes.count(-1) > 1:
                raise ValueError(f"elements must have at most one `-1`: {sizes}")
            if any(d < -1 for d in sizes):
                raise ValueError(f"elements must be either positive integers or `-1`: {sizes}")
        super().__init__(
            None, True, validate_args, None, len(self._in), len(self._out), name or "reshape"
        )

    @staticmethod
    def _filled(sizes: list[int], total: int | None) -> list[int | None]:
        known = 1
        for d in sizes:
            known *= d if d >= 0 else 1
        rest = None if total is None or not known else total // known
        return [rest if d < 0 else d for d in sizes]

    def _turned(self, x: Any, old: list[int], new: list[int]) -> Any:
        lead = x.shape[: x.shape.ndims - len(old)]
        n = x.shape[x.shape.ndims - len(old) :].num_elements()
        sizes = self._filled(new, n)
        if lead.is_fully_defined() and None not in sizes:
            return shapes.reshape(x, [*lead.as_list(), *sizes])
        head = shapes.shape(x)[: x.shape.ndims - len(old)]
        return shapes.reshape(x, arrays.concat([head, new], 0))

    def _forward(self, x: Any) -> Any:
        return self._turned(x, self._in, self._out)

    def _inverse(self, y: Any) -> Any:
        return self._turned(y, self._out, self._in)

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        return convert_to_tensor(0.0, x.dtype)

    def _of(self, shape: Any, old: list[int], new: list[int]) -> Any:
        if shape.ndims is None:
            return TensorShape(None)
        if shape.ndims < len(old):
            raise ValueError(f"rank of the event must be at least {len(old)}: {shape}")
        n = shape.ndims - len(old)
        for have, want in zip(shape[n:].as_list(), old, strict=True):
            if want >= 0 and have is not None and have != want:
                raise ValueError(f"Provided event shape {shape} is not compatible with {old}")
        total = shape[n:].num_elements() if shape[n:].is_fully_defined() else None
        return shape[:n].concatenate(self._filled(new, total))

    def _forward_event_shape(self, shape: Any) -> Any:
        return self._of(shape, self._in, self._out)

    def _inverse_event_shape(self, shape: Any) -> Any:
        return self._of(shape, self._out, self._in)

    def _of_tensor(self, shape: Any, old: list[int], new: list[int]) -> Any:
        n = shape.shape[0].value - len(old)
        total = reduce.reduce_prod(shape[n:])
        known = 1
        for d in new:
            known *= max(d, 1) if d >= 0 else 1
        filled = [convert_to_tensor(d) if d >= 0 else total // known for d in new]
        return arrays.concat([shape[:n], arrays.stack(filled)], 0)

    def _forward_event_shape_tensor(self, shape: Any) -> Any:
        return self._of_tensor(shape, self._in, self._out)

    def _inverse_event_shape_tensor(self, shape: Any) -> Any:
        return self._of_tensor(shape, self._out, self._in)


class AffineLinearOperator(Bijector):
    """``scale @ x + shift`` for an operator `scale`."""

    def __init__(
        self, shift: Any = None, scale: LinearOperator | None = None, validate_args: bool = False,
        name: str = "affine_linear_operator",
    ) -> None:  # fmt: skip
        if scale is not None and not isinstance(scale, LinearOperator):
            raise TypeError("scale is not an instance of tf.LinearOperator")
        if scale is not None and not scale.is_non_singular:
            raise ValueError("Scale matrix must be non-singular.")
        with name_scope(name):
            dtype = None if scale is None else scale.dtype
            self._shift = None if shift is None else convert_to_tensor(shift, dtype, name="shift")
        self._scale = scale
        parents = [] if scale is None else list(scale.graph_parents)
        if self._shift is not None:
            parents.append(self._shift)
        super().__init__(
            parents, True, validate_args, dtype if shift is None else self._shift.dtype,  # type: ignore[union-attr]
            1, name=name,
        )  # fmt: skip

    @property
    def shift(self) -> Any:
        return self._shift

    @property
    def scale(self) -> Any:
        return self._scale

    def _forward(self, x: Any) -> Any:
        y = x if self._scale is None else self._scale.matvec(x)
        return y if self._shift is None else y + self._shift

    def _inverse(self, y: Any) -> Any:
        x = y if self._shift is None else y - self._shift
        return x if self._scale is None else self._scale.solvevec(x)

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        if self._scale is None:
            return convert_to_tensor(0.0, x.dtype)
        return self._scale.log_abs_determinant()


def scale_operator(
    identity_multiplier: Any = None, diag: Any = None, tril: Any = None, factor: Any = None,
    perturb_diag: Any = None, like: Any = None, dtype: Any = None,
) -> LinearOperator | None:  # fmt: skip
    """The operator of the parameters that `Affine` and the normal distributions take.

    The sum of a multiple of the identity, a diagonal, a triangle, and ``factor diag factorᵀ``.
    """

    def tensor(x: Any, name: str) -> Any:
        return None if x is None else convert_to_tensor(x, dtype, name=name)

    m, d = tensor(identity_multiplier, "scale_identity_multiplier"), tensor(diag, "scale_diag")
    low, u = tensor(tril, "scale_tril"), tensor(factor, "scale_perturb_factor")
    if low is not None:
        low = linalg.matrix_band_part(low, -1, 0)
        more = d if m is None else m[..., None] if d is None else d + m[..., None]
        if more is not None:
            low = diagonal.matrix_set_diag(low, diagonal.matrix_diag_part(low) + more)
        base: Any = LinearOperatorLowerTriangular(low, is_non_singular=True)
    elif d is not None:
        base = LinearOperatorDiag(
            d if m is None else d + m[..., None], is_non_singular=True,
            is_positive_definite=None if u is None else True,
        )  # fmt: skip
    else:
        of = u if u is not None else like
        if of is None:
            return None
        at = -2 if u is not None else -1
        n = of.shape[at].value or shapes.shape(of)[at]
        if m is None:
            base = LinearOperatorIdentity(n, dtype=of.dtype)
        else:
            base = LinearOperatorScaledIdentity(
                n, m, is_non_singular=True, is_positive_definite=None if u is None else True
            )
    if u is None:
        return base  # type: ignore[no-any-return]
    return LinearOperatorLowRankUpdate(
        base, u, tensor(perturb_diag, "scale_perturb_diag"),
        is_diag_update_positive=perturb_diag is None, is_non_singular=True,
        is_self_adjoint=True, is_positive_definite=True, is_square=True,
    )  # fmt: skip


class Affine(Bijector):
    """``scale @ x + shift``, where the scale is a sum of what is given."""

    def __init__(
        self, shift: Any = None, scale_identity_multiplier: Any = None, scale_diag: Any = None,
        scale_tril: Any = None, scale_perturb_factor: Any = None, scale_perturb_diag: Any = None,
        validate_args: bool = False, name: str = "affine",
    ) -> None:  # fmt: skip
        given = (scale_diag, scale_tril, scale_perturb_factor)
        self._shift = None if shift is None else convert_to_tensor(shift, name="shift")
        self._multiplier = None
        self._scale: LinearOperator | None = None
        if all(x is None for x in given):
            self._multiplier = (
                None if scale_identity_multiplier is None
                else convert_to_tensor(scale_identity_multiplier)
            )  # fmt: skip
        else:
            self._scale = scale_operator(scale_identity_multiplier, *given, scale_perturb_diag)
        super().__init__(
            None, True, validate_args, None if self._shift is None else self._shift.dtype,
            forward_min_event_ndims=1, name=name,
        )  # fmt: skip

    @property
    def shift(self) -> Any:
        return self._shift

    @property
    def scale(self) -> Any:
        return self._scale if self._scale is not None else self._multiplier

    def _forward(self, x: Any) -> Any:
        if self._scale is not None:
            x = self._scale.matvec(x)
        elif self._multiplier is not None:
            x = x * self._multiplier[..., None]
        return x if self._shift is None else x + self._shift

    def _inverse(self, y: Any) -> Any:
        x = y if self._shift is None else y - self._shift
        if self._scale is not None:
            return self._scale.solvevec(x)
        return x if self._multiplier is None else x / self._multiplier[..., None]

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        if self._scale is not None:
            return self._scale.log_abs_determinant()
        if self._multiplier is None:
            return convert_to_tensor(0.0, x.dtype)
        n = math.cast(shapes.shape(x)[-1], x.dtype)
        return math.log(math.abs(self._multiplier)) * n


# ------------------------------------------------------------------------- of matrices


class FillTriangular(Bijector):
    """Vectors to triangular matrices."""

    def __init__(
        self, upper: bool = False, validate_args: bool = False, name: str = "fill_triangular"
    ) -> None:
        self._upper = upper
        super().__init__(None, True, validate_args, None, 1, 2, name)

    def _forward(self, x: Any) -> Any:
        return fill_triangular(x, self._upper)

    def _inverse(self, y: Any) -> Any:
        return fill_triangular_inverse(y, self._upper)

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        return fills.zeros_like(x[..., 0])

    def _inverse_log_det_jacobian(self, y: Any) -> Any:
        return fills.zeros_like(y[..., 0, 0])

    def _forward_event_shape(self, shape: Any) -> Any:
        m = shape[-1].value
        n = None if m is None else int(_math.sqrt(0.25 + 2.0 * m) - 0.5)
        return shape[:-1].concatenate([n, n])

    def _inverse_event_shape(self, shape: Any) -> Any:
        n = shape[-1].value
        return shape[:-2].concatenate([None if n is None else n * (n + 1) // 2])

    def _forward_event_shape_tensor(self, shape: Any) -> Any:
        m = math.cast(shape[-1:], "float32")
        n = math.cast(math.sqrt(0.25 + 2.0 * m) - 0.5, "int32")
        return arrays.concat([shape[:-1], n, n], 0)

    def _inverse_event_shape_tensor(self, shape: Any) -> Any:
        n = shape[-1:]
        return arrays.concat([shape[:-2], n * (n + 1) // 2], 0)


class TransformDiagonal(Bijector):
    """A bijector of vectors, applied to the diagonals."""

    def __init__(
        self, diag_bijector: Bijector, validate_args: bool = False,
        name: str = "transform_diagonal",
    ) -> None:  # fmt: skip
        self._diag = diag_bijector
        super().__init__(None, False, validate_args, None, 2, 2, name)

    def _forward(self, x: Any) -> Any:
        return diagonal.matrix_set_diag(x, self._diag.forward(diagonal.matrix_diag_part(x)))

    def _inverse(self, y: Any) -> Any:
        return diagonal.matrix_set_diag(y, self._diag.inverse(diagonal.matrix_diag_part(y)))

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        return self._diag.forward_log_det_jacobian(diagonal.matrix_diag_part(x), 1)

    def _inverse_log_det_jacobian(self, y: Any) -> Any:
        return self._diag.inverse_log_det_jacobian(diagonal.matrix_diag_part(y), 1)


class ScaleTriL(Chain):
    """Vectors to lower triangular matrices with a positive diagonal."""

    def __init__(
        self, diag_bijector: Bijector | None = None, diag_shift: float | None = 1e-5,
        validate_args: bool = False, name: str = "scale_tril",
    ) -> None:  # fmt: skip
        diag: Bijector = diag_bijector or Softplus(validate_args=validate_args)
        if diag_shift is not None:
            diag = Chain([AffineScalar(shift=diag_shift), diag])
        super().__init__([TransformDiagonal(diag), FillTriangular()], validate_args, name)


class CholeskyOuterProduct(_Vectors):
    """``L @ Lᵀ`` of lower triangular matrices with a positive diagonal."""

    _events = 2

    def __init__(self, validate_args: bool = False, name: str = "cholesky_outer_product") -> None:
        super().__init__(validate_args, name)

    def _forward(self, x: Any) -> Any:
        low = linalg.matrix_band_part(x, -1, 0)
        return linalg.matmul(low, low, transpose_b=True)

    def _inverse(self, y: Any) -> Any:
        return factor.cholesky(y)

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        logs = math.log(diagonal.matrix_diag_part(x))
        n = shapes.shape(x)[-1]
        powers = math.cast(spaced.range(n, 0, -1), x.dtype)
        return math.cast(n, x.dtype) * _math.log(2.0) + reduce.reduce_sum(powers * logs, -1)


class MatrixInverseTriL(_Vectors):
    """Inverses of lower triangular matrices."""

    _events = 2

    def __init__(self, validate_args: bool = False, name: str = "matrix_inverse_tril") -> None:
        super().__init__(validate_args, name)

    def _forward(self, x: Any) -> Any:
        eye = diagonal.matrix_diag(fills.ones_like(diagonal.matrix_diag_part(x)))
        return factor.matrix_triangular_solve(x, eye, lower=True)

    def _inverse(self, y: Any) -> Any:
        return self._forward(y)

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        logs = math.log(math.abs(diagonal.matrix_diag_part(x)))
        n = math.cast(shapes.shape(x)[-1], x.dtype)
        return -2.0 * n * reduce.reduce_sum(logs, -1)


# ------------------------------------------------------------------------- flows


class RealNVP(ConditionalBijector):
    """A coupling layer: the first elements pass and say how the others are scaled and moved.

    Parameters
    ----------
    num_masked : int
        How many elements pass.
    shift_and_log_scale_fn : callable
        ``(passed, how many others, **kwargs) -> (shift, log_scale)``; either may be None.
    """

    def __init__(
        self, num_masked: int, shift_and_log_scale_fn: Callable[..., Any],
        is_constant_jacobian: bool = False, validate_args: bool = False, name: str | None = None,
    ) -> None:  # fmt: skip
        if num_masked <= 0:
            raise ValueError("num_masked must be a positive integer.")
        self._num_masked, self._f = num_masked, shift_and_log_scale_fn
        super().__init__(
            None, is_constant_jacobian, validate_args, None, 1, name=name or "real_nvp"
        )

    def _parts(self, x: Any, **kwargs: Any) -> Any:
        n = x.shape[-1].value
        if n is None:
            raise NotImplementedError("Rightmost dimension must be known prior to graph execution.")
        if self._num_masked >= n:
            raise ValueError("Number of masked units must be smaller than the event size.")
        kept = x[..., : self._num_masked]
        shift, log_scale = self._f(kept, n - self._num_masked, **kwargs)
        return kept, x[..., self._num_masked :], shift, log_scale

    def _forward(self, x: Any, **kwargs: Any) -> Any:
        kept, rest, shift, log_scale = self._parts(x, **kwargs)
        if log_scale is not None:
            rest = rest * math.exp(log_scale)
        return arrays.concat([kept, rest if shift is None else rest + shift], -1)

    def _inverse(self, y: Any, **kwargs: Any) -> Any:
        kept, rest, shift, log_scale = self._parts(y, **kwargs)
        if shift is not None:
            rest = rest - shift
        if log_scale is not None:
            rest = rest * math.exp(-log_scale)
        return arrays.concat([kept, rest], -1)

    def _forward_log_det_jacobian(self, x: Any, **kwargs: Any) -> Any:
        log_scale = self._parts(x, **kwargs)[3]
        if log_scale is None:
            return convert_to_tensor(0.0, x.dtype)
        return reduce.reduce_sum(log_scale, -1)

    def _inverse_log_det_jacobian(self, y: Any, **kwargs: Any) -> Any:
        return -self._forward_log_det_jacobian(y, **kwargs)


class MaskedAutoregressiveFlow(ConditionalBijector):
    """Each element is scaled and moved by what the function says of those before it.

    The inverse takes one evaluation of the function, the other way one for each element.
    """

    def __init__(
        self, shift_and_log_scale_fn: Callable[..., Any], is_constant_jacobian: bool = False,
        validate_args: bool = False, unroll_loop: bool = False, name: str | None = None,
    ) -> None:  # fmt: skip
        self._f, self._unroll = shift_and_log_scale_fn, unroll_loop
        super().__init__(
            None, is_constant_jacobian, validate_args, None, 1,
            name=name or "masked_autoregressive_flow",
        )  # fmt: skip

    def _step(self, x: Any, y: Any, **kwargs: Any) -> Any:
        shift, log_scale = self._f(y, **kwargs)
        out = x if log_scale is None else x * math.exp(log_scale)
        return out if shift is None else out + shift

    def _forward(self, x: Any, **kwargs: Any) -> Any:
        n = x.shape[-1].value
        if n is None:
            raise ValueError("the size of the event must be known")
        if self._unroll:
            y = fills.zeros_like(x)
            for _ in range(n):
                y = self._step(x, y, **kwargs)
            return y
        from graphc.face.flow import while_loop

        return while_loop(
            lambda i, _: math.less(i, n), lambda i, y: (i + 1, self._step(x, y, **kwargs)),
            (convert_to_tensor(0), fills.zeros_like(x)),
        )[1]  # fmt: skip

    def _inverse(self, y: Any, **kwargs: Any) -> Any:
        shift, log_scale = self._f(y, **kwargs)
        x = y if shift is None else y - shift
        return x if log_scale is None else x * math.exp(-log_scale)

    def _inverse_log_det_jacobian(self, y: Any, **kwargs: Any) -> Any:
        log_scale = self._f(y, **kwargs)[1]
        if log_scale is None:
            return convert_to_tensor(0.0, y.dtype)
        return -reduce.reduce_sum(log_scale, -1)
