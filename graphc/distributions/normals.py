"""Distributions of vectors that an operator scales, and Wishart's of matrices."""

from __future__ import annotations

import math as _math
from typing import Any

from graphc.distributions import affine, bijector, elementary
from graphc.distributions.base import FULLY_REPARAMETERIZED, Distribution
from graphc.distributions.continuous import Exponential, Laplace, Normal
from graphc.distributions.seeds import new_seed
from graphc.distributions.transformed import TransformedDistribution
from graphc.face.current import name_scope
from graphc.ir.node import Value
from graphc.linear.base import LinearOperator
from graphc.linear.composed import LinearOperatorLowRankUpdate
from graphc.linear.simple import (
    LinearOperatorDiag,
    LinearOperatorIdentity,
    LinearOperatorLowerTriangular,
    LinearOperatorScaledIdentity,
)
from graphc.ops import diagonal, factor, fills, linalg, math, nn, random, reduce, rejection
from graphc.ops.convert import convert_to_tensor

__all__ = [
    "MultivariateNormalDiag", "MultivariateNormalDiagPlusLowRank",
    "MultivariateNormalDiagWithSoftplusScale", "MultivariateNormalFullCovariance",
    "MultivariateNormalLinearOperator", "MultivariateNormalTriL", "VectorExponentialDiag",
    "VectorLaplaceDiag", "VectorSinhArcsinhDiag", "WishartCholesky", "WishartFull",
]  # fmt: skip


def _own(parameters: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in parameters.items() if k not in ("self", "__class__")}


class _Scaled(TransformedDistribution):
    """``scale @ z + loc`` of a vector z of independent numbers."""

    def __init__(
        self, base: Distribution, loc: Any, scale: LinearOperator | None, validate_args: bool,
        allow_nan_stats: bool, name: str, parameters: dict[str, Any],
    ) -> None:  # fmt: skip
        if scale is None:
            raise ValueError("Missing required `scale` parameter.")
        if not scale.dtype.is_floating:
            raise TypeError("`scale` parameter must have floating-point dtype.")
        with name_scope(name) as name:
            mean = None if loc is None else convert_to_tensor(loc, scale.dtype, name="loc")
        batch = scale.batch_shape
        event = scale.domain_dimension.value
        if mean is not None:
            from graphc.distributions.base import _broadcast

            batch = _broadcast(batch, mean.shape[:-1])  # type: ignore[attr-defined]
            event = event or mean.shape[-1].value  # type: ignore[attr-defined]
        sizes = batch.as_list() if batch.ndims is not None else [None]
        if event is None or None in sizes:
            raise ValueError(f"{name} needs shapes that are known: batch {batch}, event [{event}]")
        super().__init__(
            base, affine.AffineLinearOperator(mean, scale, validate_args), sizes, [event],
            validate_args, name,
        )  # fmt: skip
        self._mean_or_none = mean
        self._parameters = _own(parameters)

    @property
    def loc(self) -> Any:
        """What is added, or None."""
        return self._mean_or_none

    @property
    def scale(self) -> Any:
        """The operator that scales."""
        return self._bijector.scale  # type: ignore[attr-defined]

    #: Mean and standard deviation of an element of z.
    _moments = (0.0, 1.0)

    def _filled(self, x: Any, more: int) -> Any:
        """`x` in the shape of the batch."""
        return x + fills.zeros([*self._batch_override, *([1] * more)], self.dtype)

    def _shifted(self, x: Any) -> Any:
        return x if self._mean_or_none is None else x + self._mean_or_none

    def _mean(self) -> Any:
        n = [*self._batch_override, *self._event_override]
        if self._moments[0] == 0.0:
            return fills.zeros(n, self.dtype) if self.loc is None else self._filled(self.loc, 1)
        ones = fills.fill(n, convert_to_tensor(self._moments[0], self.dtype))
        return self._shifted(self.scale.matvec(ones))

    def _mode(self) -> Any:
        return self._shifted(
            fills.zeros([*self._batch_override, *self._event_override], self.dtype)
        )

    def _power(self) -> float:
        return float(self._moments[1] ** 2)

    def _covariance(self) -> Any:
        s = self.scale
        if isinstance(
            s, (LinearOperatorIdentity, LinearOperatorScaledIdentity, LinearOperatorDiag)
        ):
            return diagonal.matrix_diag(self._power() * math.square(s.diag_part()))
        return self._power() * s.matmul(s.to_dense(), adjoint_arg=True)

    def _variance(self) -> Any:
        s = self.scale
        if isinstance(
            s, (LinearOperatorIdentity, LinearOperatorScaledIdentity, LinearOperatorDiag)
        ):
            return self._power() * math.square(s.diag_part())
        dense = s.to_dense()
        if isinstance(s, LinearOperatorLowRankUpdate) and s.is_self_adjoint:
            return self._power() * reduce.reduce_sum(dense * dense, -1)
        return self._power() * reduce.reduce_sum(math.square(dense), -1)

    def _stddev(self) -> Any:
        s = self.scale
        if isinstance(
            s, (LinearOperatorIdentity, LinearOperatorScaledIdentity, LinearOperatorDiag)
        ):
            return self._moments[1] * math.abs(s.diag_part())
        return math.sqrt(self._variance())


class MultivariateNormalLinearOperator(_Scaled):
    """The normal distribution of vectors with the covariance ``scale @ scaleᵀ``."""

    def __init__(
        self, loc: Any = None, scale: LinearOperator | None = None, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "MultivariateNormalLinearOperator",
        parameters: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        given = parameters or dict(locals())
        kind = None if scale is None else scale.dtype
        base = Normal(convert_to_tensor(0.0, kind), convert_to_tensor(1.0, kind))
        super().__init__(base, loc, scale, validate_args, allow_nan_stats, name, given)


class MultivariateNormalDiag(MultivariateNormalLinearOperator):
    """A normal distribution of vectors with independent components.

    Parameters
    ----------
    loc : tensor, optional
        The mean, 0 by default.
    scale_diag : tensor, optional
        Standard deviations, 1 by default.
    scale_identity_multiplier : tensor, optional
        Added to all of them.
    """

    def __init__(
        self, loc: Any = None, scale_diag: Any = None, scale_identity_multiplier: Any = None,
        validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "MultivariateNormalDiag",
    ) -> None:  # fmt: skip
        parameters = _own(dict(locals()))
        name, scale = _operator(name, loc, scale_identity_multiplier, scale_diag)
        super().__init__(loc, scale, validate_args, allow_nan_stats, name, parameters)

    @property
    def scale_diag(self) -> Any:
        """Standard deviations."""
        return self.scale.diag_part()


def _operator(
    name: str, loc: Any, multiplier: Any, diag: Any, factor: Any = None, perturb: Any = None
) -> tuple[str, Any]:
    """The scope of a distribution, and the operator of its parameters."""
    if loc is None and diag is None and factor is None:
        raise ValueError(f"{name} needs loc or a scale")
    with name_scope(name) as scope:
        first = next(x for x in (loc, diag, factor) if x is not None)
        made = convert_to_tensor(first)
        return scope, affine.scale_operator(
            multiplier, diag, None, factor, perturb, like=made, dtype=made.dtype.base_dtype
        )


class MultivariateNormalDiagWithSoftplusScale(MultivariateNormalDiag):
    """`MultivariateNormalDiag` of softplus of the standard deviations."""

    def __init__(
        self, loc: Any, scale_diag: Any, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "MultivariateNormalDiagWithSoftplusScale",
    ) -> None:  # fmt: skip
        parameters = _own(dict(locals()))
        with name_scope(name) as scope:
            diag = nn.softplus(convert_to_tensor(scale_diag))
        super().__init__(
            loc, diag, validate_args=validate_args, allow_nan_stats=allow_nan_stats, name=scope
        )
        self._parameters = parameters


class MultivariateNormalDiagPlusLowRank(MultivariateNormalLinearOperator):
    """A normal distribution whose scale is a diagonal plus ``factor diag factorᵀ``."""

    def __init__(
        self, loc: Any = None, scale_diag: Any = None, scale_identity_multiplier: Any = None,
        scale_perturb_factor: Any = None, scale_perturb_diag: Any = None,
        validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "MultivariateNormalDiagPlusLowRank",
    ) -> None:  # fmt: skip
        parameters = _own(dict(locals()))
        if scale_perturb_diag is not None and scale_perturb_factor is None:
            raise ValueError("scale_perturb_diag needs scale_perturb_factor")
        name, scale = _operator(
            name, loc, scale_identity_multiplier, scale_diag, scale_perturb_factor,
            scale_perturb_diag,
        )  # fmt: skip
        super().__init__(loc, scale, validate_args, allow_nan_stats, name, parameters)


class MultivariateNormalTriL(MultivariateNormalLinearOperator):
    """A normal distribution whose covariance is that of a lower triangular factor.

    Parameters
    ----------
    loc : tensor, optional
        The mean, 0 by default.
    scale_tril : tensor, optional
        Lower triangular with a positive diagonal; the identity by default.
    """

    def __init__(
        self, loc: Any = None, scale_tril: Any = None, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "MultivariateNormalTriL",
    ) -> None:  # fmt: skip
        parameters = _own(dict(locals()))
        if loc is None and scale_tril is None:
            raise ValueError("Must specify one or both of `loc`, `scale_tril`.")
        with name_scope(name) as scope:
            if scale_tril is None:
                mean = convert_to_tensor(loc)
                scale: Any = LinearOperatorIdentity(
                    mean.shape[-1].value, dtype=mean.dtype  # type: ignore[attr-defined]
                )  # fmt: skip
            else:
                scale = LinearOperatorLowerTriangular(
                    scale_tril, is_non_singular=True, is_self_adjoint=False,
                    is_positive_definite=False,
                )  # fmt: skip
        super().__init__(loc, scale, validate_args, allow_nan_stats, scope, parameters)


class MultivariateNormalFullCovariance(MultivariateNormalTriL):
    """A normal distribution of vectors by their covariance matrix."""

    def __init__(
        self, loc: Any = None, covariance_matrix: Any = None, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str = "MultivariateNormalFullCovariance",
    ) -> None:  # fmt: skip
        parameters = _own(dict(locals()))
        with name_scope(name) as scope:
            tril = None
            if covariance_matrix is not None:
                tril = factor.cholesky(
                    convert_to_tensor(covariance_matrix, name="covariance_matrix")
                )
        super().__init__(loc, tril, validate_args, allow_nan_stats, scope)
        self._parameters = parameters


class VectorExponentialDiag(_Scaled):
    """``scale * z + loc`` of independent exponential numbers."""

    _moments = (1.0, 1.0)

    def __init__(
        self, loc: Any = None, scale_diag: Any = None, scale_identity_multiplier: Any = None,
        validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "VectorExponentialDiag",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        name, scale = _operator(name, loc, scale_identity_multiplier, scale_diag)
        base = Exponential(convert_to_tensor(1.0, scale.dtype))
        super().__init__(base, loc, scale, validate_args, allow_nan_stats, name, parameters)


class VectorLaplaceDiag(_Scaled):
    """``scale * z + loc`` of independent numbers of the Laplace distribution."""

    _moments = (0.0, _math.sqrt(2.0))

    def __init__(
        self, loc: Any = None, scale_diag: Any = None, scale_identity_multiplier: Any = None,
        validate_args: bool = False, allow_nan_stats: bool = True, name: str = "VectorLaplaceDiag",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        own, (_, scale) = name, _operator(name, loc, scale_identity_multiplier, scale_diag)
        with name_scope(own), name_scope(own) as inner:  # TF1's name has it twice
            pass
        zero, one = (convert_to_tensor(x, scale.dtype) for x in (0.0, 1.0))
        super().__init__(
            Laplace(zero, one), loc, scale, validate_args, allow_nan_stats, inner, parameters
        )


class VectorSinhArcsinhDiag(TransformedDistribution):
    """`SinhArcsinh` of vectors with independent components."""

    def __init__(
        self, loc: Any = None, scale_diag: Any = None, scale_identity_multiplier: Any = None,
        skewness: Any = None, tailweight: Any = None, distribution: Distribution | None = None,
        validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "MultivariateNormalLinearOperator",
    ) -> None:  # fmt: skip
        parameters = _own(dict(locals()))
        with name_scope(name) as scope:
            mean = None if loc is None else convert_to_tensor(loc, name="loc")
            _, first = _operator(scope, loc, scale_identity_multiplier, scale_diag)
            dtype = first.dtype
            tail = convert_to_tensor(1.0 if tailweight is None else tailweight, dtype)
            skew = convert_to_tensor(0.0 if skewness is None else skewness, dtype)
            plain = elementary.SinhArcsinh(convert_to_tensor(0.0, dtype), tail)
            width = 2.0 / plain.forward(convert_to_tensor(2.0, dtype))
            scale = LinearOperatorDiag(
                first.diag_part() * width, is_non_singular=True
            )  # fmt: skip
            if distribution is None:
                distribution = Normal(convert_to_tensor(0.0, dtype), convert_to_tensor(1.0, dtype))
            linear = affine.AffineLinearOperator(mean, scale)
            flow = elementary.SinhArcsinh(skew, tail)
            together: Any = scale.diag_part() + skew + tail
            if mean is not None:
                together = together + mean
            sizes = together.shape.as_list()
        super().__init__(
            distribution, bijector.Chain([linear, flow]), sizes[:-1], sizes[-1:], validate_args,
            scope,
        )  # fmt: skip
        self._values = mean, scale, skew, tail
        self._parameters = parameters

    @property
    def loc(self) -> Any:
        return self._values[0]

    @property
    def scale(self) -> Any:
        return self._values[1]

    @property
    def skewness(self) -> Any:
        return self._values[2]

    @property
    def tailweight(self) -> Any:
        return self._values[3]


# ------------------------------------------------------------------------- matrices


class _Wishart(Distribution):
    """Sums of outer products of `df` normal vectors."""

    def _begin(
        self, df: Any, scale: LinearOperator, cholesky: bool, parameters: dict[str, Any], scope: str
    ) -> None:
        self._scale, self._cholesky = scale, cholesky
        self._df = convert_to_tensor(df, scale.dtype, name="df")
        n = scale.domain_dimension.value
        if n is None:
            raise ValueError("the size of the scale must be known")
        self._n = n
        Distribution.__init__(
            self, scale.dtype, FULLY_REPARAMETERIZED, parameters["validate_args"],
            parameters["allow_nan_stats"], _own(parameters), [self._df, *scale.graph_parents],
            scope,
        )  # fmt: skip

    @property
    def df(self) -> Value:
        return self._df

    @property
    def dimension(self) -> Value:
        """The number of rows."""
        return convert_to_tensor(float(self._n), self.dtype)

    @property
    def scale_operator(self) -> LinearOperator:
        return self._scale

    @property
    def cholesky_input_output_matrices(self) -> bool:
        """Whether samples and values are lower triangular factors."""
        return self._cholesky

    def scale(self) -> Any:
        """The scale as matrices, in the form of samples."""
        return self._scale.to_dense() if self._cholesky else self._squared()

    def _squared(self) -> Any:
        return self._scale.matmul(self._scale.to_dense(), adjoint_arg=True)

    def _batch_shape(self) -> Any:
        return self._scale.batch_shape

    def _batch_shape_tensor(self) -> Any:
        return self._scale.batch_shape_tensor()

    def _event_shape(self) -> Any:
        return [self._n, self._n]

    def _steps(self) -> Any:
        """``df / 2``, ``(df - 1) / 2``, … in a last axis."""
        less = convert_to_tensor([0.5 * i for i in range(self._n)], self.dtype)
        return 0.5 * self._df[..., None] - less

    def _multi_lgamma(self) -> Any:
        n = self._n
        const = 0.25 * n * (n - 1.0) * _math.log(_math.pi)
        return const + reduce.reduce_sum(math.lgamma(self._steps()), -1)

    def _multi_digamma(self) -> Any:
        return reduce.reduce_sum(math.digamma(self._steps()), -1)

    def log_normalization(self, name: str = "log_normalization") -> Any:
        """The logarithm of what densities are divided by."""
        with self._scope(name):
            out = self._df * self._scale.log_abs_determinant()
            return out + 0.5 * self._df * self._n * _math.log(2.0) + self._multi_lgamma()

    def mean_log_det(self, name: str = "mean_log_det") -> Any:
        """The mean of the logarithm of the determinant of samples."""
        with self._scope(name):
            out = self._multi_digamma() + self._n * _math.log(2.0)
            return out + 2.0 * self._scale.log_abs_determinant()

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        x = random.random_normal(self._draw_shape(n), dtype=self.dtype, seed=seed)
        wide = self._steps() + fills.zeros([*self.batch_shape.as_list(), self._n], self.dtype)
        g = rejection.random_gamma(
            [n], wide, beta=0.5, dtype=self.dtype, seed=new_seed(seed, "wishart")
        )
        low = diagonal.matrix_set_diag(linalg.matrix_band_part(x, -1, 0), math.sqrt(g))
        made = self._scale.matmul(low)
        return made if self._cholesky else linalg.matmul(made, made, transpose_b=True)

    def _log_prob(self, x: Any) -> Any:
        root = x if self._cholesky else factor.cholesky(x)
        inner = self._scale.solve(root)
        trace = reduce.reduce_sum(math.square(inner), [-2, -1])
        half = reduce.reduce_sum(math.log(diagonal.matrix_diag_part(root)), -1)
        return (self._df - self._n - 1.0) * half - 0.5 * trace - self.log_normalization()

    def _entropy(self) -> Any:
        half, df = 0.5 * self._n + 0.5, 0.5 * self._df
        out = self._n * (df + half * _math.log(2.0))
        out = out + 2.0 * half * self._scale.log_abs_determinant() + self._multi_lgamma()
        return out + (half - df) * self._multi_digamma()

    def _mean(self) -> Any:
        if self._cholesky:
            return math.sqrt(self._df)[..., None, None] * self._scale.to_dense()
        return self._df[..., None, None] * self._squared()

    def _variance(self) -> Any:
        x = math.sqrt(self._df)[..., None, None] * self._squared()
        d = diagonal.matrix_diag_part(x)[..., None]
        v = math.square(x) + linalg.matmul(d, d, transpose_b=True)
        return factor.cholesky(v) if self._cholesky else v

    def _stddev(self) -> Any:
        if self._cholesky:
            raise ValueError("Computing std. dev. when is cholesky_input_output_matrices=True "
                             "does not make sense.")  # fmt: skip
        return factor.cholesky(self._variance())

    def _mode(self) -> Any:
        s = self._df - self._n - 1.0
        s = math.select(s < 0.0, fills.zeros_like(s) + float("nan"), s)[..., None, None]
        return math.sqrt(s) * self._scale.to_dense() if self._cholesky else s * self._squared()


class WishartCholesky(_Wishart):
    """Wishart's distribution of matrices, by the lower triangular factor of its scale."""

    def __init__(
        self, df: Any, scale: Any, cholesky_input_output_matrices: bool = False,
        validate_args: bool = False, allow_nan_stats: bool = True, name: str = "WishartCholesky",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name) as scope:
            low = LinearOperatorLowerTriangular(
                scale, is_non_singular=True, is_positive_definite=True, is_square=True
            )
            self._begin(df, low, cholesky_input_output_matrices, parameters, scope)


class WishartFull(_Wishart):
    """Wishart's distribution of matrices, by its scale."""

    def __init__(
        self, df: Any, scale: Any, cholesky_input_output_matrices: bool = False,
        validate_args: bool = False, allow_nan_stats: bool = True, name: str = "WishartFull",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name) as scope:
            low = LinearOperatorLowerTriangular(
                factor.cholesky(convert_to_tensor(scale)), is_non_singular=True,
                is_positive_definite=True, is_square=True,
            )  # fmt: skip
            self._begin(df, low, cholesky_input_output_matrices, parameters, scope)
