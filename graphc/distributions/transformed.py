"""Distributions of functions of other distributions, and of other shapes of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.distributions.base import Distribution
from graphc.distributions.bijector import Bijector, Identity
from graphc.face.current import name_scope
from graphc.face.shape import TensorShape, as_shape
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.ops import arrays, fills, math, reduce, shapes, transposing
from graphc.ops.convert import convert_to_tensor

__all__ = [
    "BatchReshape", "ConditionalDistribution", "ConditionalTransformedDistribution",
    "Independent", "TransformedDistribution",
]  # fmt: skip


def _numbers(x: Any, name: str) -> list[int] | None:
    """A shape that overrides another, as numbers."""
    from graphc.face.more import constant_value

    if x is None:
        return None
    if isinstance(x, TensorShape):
        x = x.as_list()
    found = constant_value(x) if isinstance(x, Value) else np.asarray(x)
    if found is None:
        raise ValueError(f"{name} must be known when the graph is made")
    if found.ndim != 1:
        raise ValueError(f"{name} must be a vector; saw {found}")
    return [int(d) for d in found]


class TransformedDistribution(Distribution):
    """The distribution of a function of a sample.

    Parameters
    ----------
    distribution : Distribution
    bijector : Bijector, optional
        The identity by default.
    batch_shape, event_shape : list of int, optional
        In place of those of a scalar `distribution`: so many independent draws.
    """

    def __init__(
        self, distribution: Distribution, bijector: Bijector | None = None,
        batch_shape: Any = None, event_shape: Any = None, validate_args: bool = False,
        name: str | None = None,
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        name = name or ("" if bijector is None else bijector.name) + distribution.name
        with name_scope(name) as scope:
            self._bijector = bijector or Identity(validate_args=validate_args)
            self._batch_override = _numbers(batch_shape, "batch_shape") or []
            self._event_override = _numbers(event_shape, "event_shape") or []
            for given, scalar, word in (
                (self._batch_override, distribution.batch_shape.ndims == 0, "batch"),
                (self._event_override, distribution.event_shape.ndims == 0, "event"),
            ):
                if given and not scalar:
                    raise ValueError(f"Base distribution is not scalar: its {word} shape stays.")
            self._base = distribution
            self._rotates = bool(
                self._event_override and not self._batch_override
                and distribution.batch_shape.ndims != 0
            )  # fmt: skip
            super().__init__(
                distribution.dtype, distribution.reparameterization_type, validate_args,
                distribution.allow_nan_stats, parameters,
                [*distribution._graph_parents, *self._bijector.graph_parents], scope,
            )  # fmt: skip

    @property
    def distribution(self) -> Distribution:
        return self._base

    @property
    def bijector(self) -> Bijector:
        return self._bijector

    # ---- shapes

    def _event_shape(self) -> Any:
        inner = as_shape(self._event_override) if self._event_override else self._base.event_shape
        return self._bijector.forward_event_shape(inner)

    def _event_shape_tensor(self) -> Any:
        inner = (
            convert_to_tensor(self._event_override, dtypes.int32) if self._event_override
            else self._base.event_shape_tensor()
        )  # fmt: skip
        return self._bijector.forward_event_shape_tensor(inner)

    def _batch_shape(self) -> Any:
        return self._batch_override or self._base.batch_shape

    def _batch_shape_tensor(self) -> Any:
        if self._batch_override:
            return convert_to_tensor(self._batch_override, dtypes.int32)
        return self._base.batch_shape_tensor()

    def _events(self) -> int:
        n = self.event_shape.ndims
        if n is None:
            raise ValueError("the rank of an event must be known")
        return n

    # ---- samples and densities

    def _sample_n(self, n: Any, seed: int | None = None, **kwargs: Any) -> Any:
        extra = self._batch_override + self._event_override
        if self._rotates:
            drawn: Any = self._base.sample(_joined(self._event_override, n), seed=seed, **kwargs)
            rank, k = drawn.shape.ndims, len(self._event_override)
            order = [*range(k, rank), *range(k)]
            drawn = transposing.transpose(drawn, order)
        else:
            drawn = self._base.sample(_joined([n], *extra), seed=seed, **kwargs)
        return drawn

    def sample(
        self, sample_shape: Any = (), seed: int | None = None, name: str = "sample", **kwargs: Any
    ) -> Value:
        """Draw samples of shape ``sample_shape + batch_shape + event_shape``."""
        with self._scope(name):
            return self._bijector.forward(self._drawn(sample_shape, seed), **kwargs)  # type: ignore[no-any-return]

    def _each_fiber(self, y: Any, f: Callable[[Any, Any], Any], **kwargs: Any) -> list[Any]:
        n = self._events()
        x = self._bijector.inverse(y, **kwargs)
        ildj = self._bijector.inverse_log_det_jacobian(y, n, **kwargs)
        if self._bijector._is_injective:
            return [f(x, ildj)]
        return [f(a, b) for a, b in zip(x, ildj, strict=True)]

    def _dense(self, method: str, x: Any, over: Any) -> Any:
        if self._rotates:
            rank, k = x.shape.ndims, len(self._event_override)
            x = transposing.transpose(x, [*range(rank - k, rank), *range(rank - k)])
        found = getattr(self._base, method)(x)
        if not self._event_override:
            return found
        k = len(self._event_override)
        return over(found, list(range(k)) if self._rotates else [-i for i in range(1, k + 1)])

    def _log_prob(self, x: Any, **kwargs: Any) -> Any:
        def one(z: Any, ildj: Any) -> Any:
            return self._dense("log_prob", z, reduce.reduce_sum) + math.cast(ildj, self.dtype)

        parts = self._each_fiber(x, one, **kwargs)
        if len(parts) == 1:
            return parts[0]
        return reduce.reduce_logsumexp(arrays.stack(parts), axis=0)

    def _prob(self, x: Any, **kwargs: Any) -> Any:
        def one(z: Any, ildj: Any) -> Any:
            p = self._dense("prob", z, reduce.reduce_prod)
            return p * math.exp(math.cast(ildj, self.dtype))

        return functools.reduce(lambda a, b: a + b, self._each_fiber(x, one, **kwargs))

    def _before(self, what: str, y: Any, **kwargs: Any) -> Any:
        if self._event_override:
            raise NotImplementedError(f"{what} is not implemented when overriding event_shape")
        if not self._bijector._is_injective:
            raise NotImplementedError(f"{what} is not implemented when bijector is not injective.")
        return y if what == "quantile" else self._bijector.inverse(y, **kwargs)

    def _cdf(self, x: Any, **kwargs: Any) -> Any:
        return self._base.cdf(self._before("cdf", x, **kwargs))

    def _log_cdf(self, x: Any, **kwargs: Any) -> Any:
        return self._base.log_cdf(self._before("log_cdf", x, **kwargs))

    def _survival(self, x: Any, **kwargs: Any) -> Any:
        return self._base.survival_function(self._before("survival_function", x, **kwargs))

    def _quantile(self, p: Any) -> Any:
        return self._bijector.forward(self._base.quantile(self._before("quantile", p)))

    def _entropy(self) -> Any:
        if not self._bijector.is_constant_jacobian:
            raise NotImplementedError("entropy is not implemented")
        if not self._bijector._is_injective:
            raise NotImplementedError("entropy is not implemented when bijector is not injective.")
        h = self._base.entropy()
        if self._event_override:
            h = h * float(np.prod(self._event_override))
        if self._batch_override:
            h = h + fills.zeros(self._batch_override, h.dtype)
        event = self.event_shape
        like = fills.zeros(
            self._bijector.inverse_event_shape(event).as_list() if event.is_fully_defined()
            else self._bijector.inverse_event_shape_tensor(self.event_shape_tensor()), self.dtype
        )  # fmt: skip
        n = self._bijector.inverse_event_shape(event).ndims
        return h + self._bijector.forward_log_det_jacobian(like, n)


def _joined(*sizes: Any) -> Any:
    """One shape of sizes and lists of them."""
    flat = [d for s in sizes for d in (s if isinstance(s, list) else [s])]
    if all(isinstance(d, int) for d in flat):
        return flat
    return arrays.stack([convert_to_tensor(d, dtypes.int32) for d in flat])


class ConditionalDistribution(Distribution):
    """A distribution whose methods take keyword arguments that its own ones read."""

    def sample(
        self, sample_shape: Any = (), seed: int | None = None, name: str = "sample",
        **condition_kwargs: Any,
    ) -> Value:  # fmt: skip
        """Draw samples under conditions."""
        with self._scope(name):
            return self._drawn(sample_shape, seed, **condition_kwargs)

    def log_prob(self, value: Any, name: str = "log_prob", **condition_kwargs: Any) -> Value:
        """The logarithm of the density under conditions."""
        out: Value = self._under("_log_prob", value, name, condition_kwargs)
        return out

    def prob(self, value: Any, name: str = "prob", **condition_kwargs: Any) -> Value:
        """The density under conditions."""
        out: Value = self._under("_prob", value, name, condition_kwargs)
        return out

    def log_cdf(self, value: Any, name: str = "log_cdf", **condition_kwargs: Any) -> Value:
        """The logarithm of `cdf` under conditions."""
        out: Value = self._under("_log_cdf", value, name, condition_kwargs)
        return out

    def cdf(self, value: Any, name: str = "cdf", **condition_kwargs: Any) -> Value:
        """The probability of at most `value` under conditions."""
        out: Value = self._under("_cdf", value, name, condition_kwargs)
        return out

    def survival_function(
        self, value: Any, name: str = "survival_function", **condition_kwargs: Any
    ) -> Value:
        """The probability of more than `value` under conditions."""
        out: Value = self._under("_survival", value, name, condition_kwargs)
        return out

    def log_survival_function(
        self, value: Any, name: str = "log_survival_function", **condition_kwargs: Any
    ) -> Value:
        """The logarithm of `survival_function` under conditions."""
        out: Value = math.log(self._under("_survival", value, name, condition_kwargs))
        return out

    def _under(self, method: str, value: Any, name: str, more: dict[str, Any]) -> Any:
        with self._scope(name):
            if method in ("_prob", "_log_prob"):
                other = "_log_prob" if method == "_prob" else "_prob"
                if getattr(type(self), method) is getattr(Distribution, method):
                    found = getattr(self, other)(self._value(value), **more)
                    return math.exp(found) if method == "_prob" else math.log(found)
            return getattr(self, method)(self._value(value), **more)


class ConditionalTransformedDistribution(ConditionalDistribution, TransformedDistribution):
    """A transformed distribution under conditions, which the bijector reads."""

    def sample(
        self, sample_shape: Any = (), seed: int | None = None, name: str = "sample",
        **condition_kwargs: Any,
    ) -> Value:  # fmt: skip
        """Draw samples under conditions."""
        more = condition_kwargs.pop("bijector_kwargs", {})
        del condition_kwargs
        return TransformedDistribution.sample(self, sample_shape, seed, name, **more)

    def _under(self, method: str, value: Any, name: str, more: dict[str, Any]) -> Any:
        return super()._under(method, value, name, more.get("bijector_kwargs", {}))


class Independent(Distribution):
    """Another distribution, the last axes of whose batch are axes of an event.

    Parameters
    ----------
    reinterpreted_batch_ndims : int, optional
        How many; all but the first by default.
    """

    def __init__(
        self, distribution: Distribution, reinterpreted_batch_ndims: int | None = None,
        validate_args: bool = False, name: str | None = None,
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        rank = distribution.batch_shape.ndims
        if reinterpreted_batch_ndims is None:
            if rank is None:
                raise ValueError("the rank of the batch must be known")
            reinterpreted_batch_ndims = max(0, rank - 1)
        if rank is not None and reinterpreted_batch_ndims > rank:
            raise ValueError(
                f"reinterpreted_batch_ndims({reinterpreted_batch_ndims}) cannot exceed "
                f"distribution.batch_ndims({rank})"
            )
        self._base, self._moved = distribution, int(reinterpreted_batch_ndims)
        super().__init__(
            distribution.dtype, distribution.reparameterization_type, validate_args,
            distribution.allow_nan_stats, parameters, distribution._graph_parents,
            name or "Independent" + distribution.name,
        )  # fmt: skip

    @property
    def distribution(self) -> Distribution:
        return self._base

    @property
    def reinterpreted_batch_ndims(self) -> int:
        return self._moved

    def _batch_shape(self) -> Any:
        s = self._base.batch_shape
        return TensorShape(None) if s.ndims is None else s[: s.ndims - self._moved]

    def _event_shape(self) -> Any:
        s = self._base.batch_shape
        if s.ndims is None:
            return TensorShape(None)
        return s[s.ndims - self._moved :].concatenate(self._base.event_shape)

    def _batch_shape_tensor(self) -> Any:
        s = self._base.batch_shape_tensor()
        return s[: shapes.size(s) - self._moved]

    def _event_shape_tensor(self) -> Any:
        s = self._base.batch_shape_tensor()
        return arrays.concat(
            [s[shapes.size(s) - self._moved :], self._base.event_shape_tensor()], 0
        )

    def _sum(self, x: Any) -> Any:
        return reduce.reduce_sum(x, axis=[-1 - i for i in range(self._moved)])

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        return self._base.sample(n, seed=seed)

    def _log_prob(self, x: Any) -> Any:
        return self._sum(self._base.log_prob(x))

    def _entropy(self) -> Any:
        return self._sum(self._base.entropy())

    def _mean(self) -> Any:
        return self._base.mean()

    def _variance(self) -> Any:
        return self._base.variance()

    def _stddev(self) -> Any:
        return self._base.stddev()

    def _mode(self) -> Any:
        return self._base.mode()


class BatchReshape(Distribution):
    """Another distribution, whose batch has another shape."""

    def __init__(
        self, distribution: Distribution, batch_shape: Any, validate_args: bool = False,
        allow_nan_stats: bool = True, name: str | None = None,
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        wanted = _numbers(batch_shape, "batch_shape") or []
        old = distribution.batch_shape
        if not (old.is_fully_defined() and distribution.event_shape.is_fully_defined()):
            raise ValueError("BatchReshape needs a distribution whose shapes are known")
        if -1 in wanted:
            rest = int(np.prod([d for d in wanted if d >= 0]))
            total = int(np.prod(old.as_list(), dtype=np.int64))  # type: ignore[arg-type]
            wanted = [total // max(rest, 1) if d < 0 else d for d in wanted]
        if int(np.prod(wanted)) != old.num_elements():
            raise ValueError(
                f"batch_shape size ({int(np.prod(wanted))}) must match "
                f"distribution.batch_shape size ({old.num_elements()})"
            )
        self._base, self._new = distribution, wanted
        super().__init__(
            distribution.dtype, distribution.reparameterization_type, validate_args,
            allow_nan_stats, parameters, distribution._graph_parents,
            name or "BatchReshape" + distribution.name,
        )  # fmt: skip

    @property
    def distribution(self) -> Distribution:
        return self._base

    def _batch_shape(self) -> Any:
        return self._new

    def _event_shape(self) -> Any:
        return self._base.event_shape

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        x = self._base.sample(n, seed=seed)
        return shapes.reshape(x, _joined(n, self._new, self.event_shape.as_list()))

    def _of(self, method: str, x: Any) -> Any:
        """A function of a value that broadcasts to the new batch."""
        k = self._base.event_shape.ndims or 0
        full = x + fills.zeros([*self._new, *self.event_shape.as_list()], x.dtype)
        lead = full.shape[: full.shape.ndims - k - len(self._new)].as_list()
        inner = [*lead, *self._base.batch_shape.as_list(), *self.event_shape.as_list()]
        found = getattr(self._base, method)(shapes.reshape(full, inner))
        return shapes.reshape(found, [*lead, *self._new])

    def _number(self, method: str, event: Sequence[int | None] = ()) -> Any:
        return shapes.reshape(getattr(self._base, method)(), [*self._new, *event])

    def _log_prob(self, x: Any) -> Any:
        return self._of("log_prob", x)

    def _prob(self, x: Any) -> Any:
        return self._of("prob", x)

    def _cdf(self, x: Any) -> Any:
        return self._of("cdf", x)

    def _log_cdf(self, x: Any) -> Any:
        return self._of("log_cdf", x)

    def _entropy(self) -> Any:
        return self._number("entropy")

    def _mean(self) -> Any:
        return self._number("mean", self.event_shape.as_list())

    def _mode(self) -> Any:
        return self._number("mode", self.event_shape.as_list())

    def _stddev(self) -> Any:
        return self._number("stddev", self.event_shape.as_list())

    def _variance(self) -> Any:
        return self._number("variance", self.event_shape.as_list())

    def _covariance(self) -> Any:
        return self._number("covariance", self.event_shape.as_list() * 2)
