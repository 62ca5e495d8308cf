"""Distributions of several others: mixtures, steps, one element after the other."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.distributions.base import NOT_REPARAMETERIZED, Distribution
from graphc.distributions.discrete import Categorical
from graphc.distributions.seeds import new_seed
from graphc.face.current import name_scope
from graphc.ops import arrays, fills, math, nn, reduce, shapes
from graphc.ops.convert import convert_to_tensor

__all__ = ["Autoregressive", "Mixture", "MixtureSameFamily", "QuantizedDistribution"]


# ------------------------------------------------------------------------- mixtures


class Mixture(Distribution):
    """One of several distributions, chosen by another draw.

    Parameters
    ----------
    cat : Categorical
        Which one.
    components : list of Distribution
    use_static_graph : bool
        Accepted; each component is drawn for each sample, and one is taken.
    """

    def __init__(
        self, cat: Categorical, components: Sequence[Distribution], validate_args: bool = False,
        allow_nan_stats: bool = True, use_static_graph: bool = False, name: str = "Mixture",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        if not isinstance(cat, Categorical):
            raise TypeError(f"cat must be a Categorical distribution, but saw: {cat}")
        if not components:
            raise ValueError("components must be a non-empty list or tuple")
        if not isinstance(components, (list, tuple)):
            raise TypeError(f"components must be a list or tuple, but saw: {components}")
        if not all(isinstance(c, Distribution) for c in components):
            raise TypeError(
                f"all entries in components must be Distribution instances but saw: {components}"
            )
        dtype = components[0].dtype
        if any(c.dtype is not dtype for c in components):
            raise TypeError("All components must have the same dtype, but saw dtypes: "
                            f"{[(c.name, c.dtype) for c in components]}")  # fmt: skip
        size = cat.logits.shape[-1].value  # type: ignore[attr-defined]
        if size is None:
            raise ValueError("Could not infer number of classes from cat and unable to compare "
                             "this value to the number of components passed in.")  # fmt: skip
        if size != len(components):
            raise ValueError(f"cat.num_classes != len(components): {size} vs. {len(components)}")
        self._cat, self._components = cat, list(components)
        self._static_graph = use_static_graph
        with name_scope(name) as scope:
            super().__init__(
                dtype, NOT_REPARAMETERIZED, validate_args, allow_nan_stats, parameters,
                [p for c in [cat, *components] for p in c._graph_parents], scope,
            )  # fmt: skip

    @property
    def cat(self) -> Categorical:
        return self._cat

    @property
    def components(self) -> list[Distribution]:
        return self._components

    @property
    def num_components(self) -> int:
        return len(self._components)

    def _batch_shape(self) -> Any:
        out = self._cat.batch_shape
        for c in self._components:
            out = out.merge_with(c.batch_shape)
        return out

    def _batch_shape_tensor(self) -> Any:
        return self._cat.batch_shape_tensor()

    def _event_shape(self) -> Any:
        out = self._components[0].event_shape
        for c in self._components[1:]:
            out = out.merge_with(c.event_shape)
        return out

    def _event_shape_tensor(self) -> Any:
        return self._components[0].event_shape_tensor()

    def _weights(self, logs: bool) -> list[Any]:
        z = self._cat.logits
        return list(arrays.unstack(nn.log_softmax(z) if logs else nn.softmax(z), axis=-1))

    def _padded(self, w: Any) -> Any:
        for _ in range(self.event_shape.ndims or 0):
            w = shapes.expand_dims(w, -1)
        return w

    def _mixed(self, values: Sequence[Any]) -> Any:
        parts = [self._padded(w) * v for w, v in zip(self._weights(False), values, strict=True)]
        return functools.reduce(lambda a, b: a + b, parts)

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        chosen = self._cat.sample(n, seed=seed)
        drawn = []
        for c in self._components:
            seed = new_seed(seed, "mixture")
            drawn.append(c.sample(n, seed=seed))
        out = drawn[0]
        for k, x in enumerate(drawn[1:], 1):
            out = math.select(self._padded(math.equal(chosen, k)), x, out)
        return out

    def _mean(self) -> Any:
        return self._mixed([c.mean() for c in self._components])

    def _stddev(self) -> Any:
        mean = self._mean()
        inside = self._mixed([math.square(c.stddev()) for c in self._components])
        away = self._mixed([math.square(c.mean() - mean) for c in self._components])
        return math.sqrt(inside + away)

    def _log_mixed(self, method: str, x: Any) -> Any:
        found = [
            w + getattr(c, method)(x)
            for w, c in zip(self._weights(True), self._components, strict=True)
        ]
        return reduce.reduce_logsumexp(arrays.stack(found), axis=0)

    def _log_prob(self, x: Any) -> Any:
        return self._log_mixed("log_prob", x)

    def _log_cdf(self, x: Any) -> Any:
        return self._log_mixed("log_cdf", x)

    def _cdf(self, x: Any) -> Any:
        return math.exp(self._log_cdf(x))

    def entropy_lower_bound(self, name: str = "entropy_lower_bound") -> Any:
        """The mean of the components' entropies: never more than the mixture's."""
        with self._scope(name):
            parts = [
                w * c.entropy() for w, c in zip(self._weights(False), self._components, strict=True)
            ]
            return functools.reduce(lambda a, b: a + b, parts)


class MixtureSameFamily(Distribution):
    """A mixture of the distributions along the last axis of a batch.

    Parameters
    ----------
    mixture_distribution : Categorical
    components_distribution : Distribution
        The last axis of its batch are the components.
    """

    def __init__(
        self, mixture_distribution: Categorical, components_distribution: Distribution,
        validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "MixtureSameFamily",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        self._mix, self._parts = mixture_distribution, components_distribution
        if not self._mix.dtype.is_integer:
            raise ValueError("`mixture_distribution.dtype` must be integer")
        sizes = self._mix.logits.shape[-1].value, self._parts.batch_shape[-1].value  # type: ignore[attr-defined]
        if None not in sizes and sizes[0] != sizes[1]:
            raise ValueError(
                f"`mixture_distribution` components ({sizes[0]}) does not equal "
                f"`components_distribution.batch_shape[-1]` ({sizes[1]})"
            )
        with name_scope(name) as scope:
            super().__init__(
                self._parts.dtype, NOT_REPARAMETERIZED, validate_args, allow_nan_stats,
                parameters, [*self._mix._graph_parents, *self._parts._graph_parents], scope,
            )  # fmt: skip

    @property
    def mixture_distribution(self) -> Categorical:
        return self._mix

    @property
    def components_distribution(self) -> Distribution:
        return self._parts

    def _batch_shape(self) -> Any:
        return self._parts.batch_shape[:-1]

    def _batch_shape_tensor(self) -> Any:
        return self._parts.batch_shape_tensor()[:-1]

    def _event_shape(self) -> Any:
        return self._parts.event_shape

    def _event_shape_tensor(self) -> Any:
        return self._parts.event_shape_tensor()

    def _over(self, weights: Any, x: Any) -> Any:
        k = self.event_shape.ndims or 0
        for _ in range(k):
            weights = shapes.expand_dims(weights, -1)
        return reduce.reduce_sum(weights * x, -1 - k)

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        # TF1 takes no seed here; those of the graph decide
        x = self._parts.sample(n)
        chosen = fills.one_hot(self._mix.sample(n), self._parts.batch_shape[-1], dtype=x.dtype)
        return self._over(chosen, x)

    def _log_prob(self, x: Any) -> Any:
        k = self.event_shape.ndims or 0
        wide = shapes.expand_dims(x, -1 - k)
        return reduce.reduce_logsumexp(
            self._parts.log_prob(wide) + nn.log_softmax(self._mix.logits), -1
        )

    def _cdf(self, x: Any) -> Any:
        k = self.event_shape.ndims or 0
        found = self._parts.cdf(shapes.expand_dims(x, -1 - k))
        return reduce.reduce_sum(found * self._mix.probs, -1)

    def _log_cdf(self, x: Any) -> Any:
        k = self.event_shape.ndims or 0
        found = self._parts.log_cdf(shapes.expand_dims(x, -1 - k))
        return reduce.reduce_logsumexp(found + nn.log_softmax(self._mix.logits), -1)

    def _mean(self) -> Any:
        return self._over(self._mix.probs, self._parts.mean())

    def _variance(self) -> Any:
        k = self.event_shape.ndims or 0
        mean = shapes.expand_dims(self._mean(), -1 - k)
        inside = self._over(self._mix.probs, self._parts.variance())
        away = math.squared_difference(self._parts.mean(), mean)
        return inside + self._over(self._mix.probs, away)

    def _covariance(self) -> Any:
        p = self._mix.probs[..., None, None]
        inside = reduce.reduce_sum(p * self._parts.covariance(), -3)
        away = self._parts.mean() - shapes.expand_dims(self._mean(), -2)
        outer = away[..., :, None] * away[..., None, :]
        return inside + reduce.reduce_sum(p * outer, -3)


# ------------------------------------------------------------------------- steps


class QuantizedDistribution(Distribution):
    """A distribution of whole numbers: another one, rounded up.

    Parameters
    ----------
    low, high : tensor, optional
        Of smaller and larger samples.
    """

    def __init__(
        self, distribution: Distribution, low: Any = None, high: Any = None,
        validate_args: bool = False, name: str = "QuantizedDistribution",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name) as scope:
            self._base = distribution
            dtype = distribution.dtype
            self._low = None if low is None else math.ceil(convert_to_tensor(low, dtype))
            self._high = None if high is None else math.floor(convert_to_tensor(high, dtype))
            super().__init__(
                dtype, NOT_REPARAMETERIZED, validate_args, distribution.allow_nan_stats,
                parameters, distribution._graph_parents, scope,
            )  # fmt: skip

    @property
    def distribution(self) -> Distribution:
        return self._base

    @property
    def low(self) -> Any:
        return self._low

    @property
    def high(self) -> Any:
        return self._high

    def _batch_shape(self) -> Any:
        return self._base.batch_shape

    def _batch_shape_tensor(self) -> Any:
        return self._base.batch_shape_tensor()

    def _event_shape(self) -> Any:
        return self._base.event_shape

    def _event_shape_tensor(self) -> Any:
        return self._base.event_shape_tensor()

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        out = math.ceil(self._base.sample(n, seed=seed))
        if self._low is not None:
            out = math.select(out < self._low, self._low + fills.zeros_like(out), out)
        if self._high is not None:
            out = math.select(out > self._high, self._high + fills.zeros_like(out), out)
        return out

    def _cdf(self, x: Any) -> Any:
        j = math.floor(x)
        out = self._base.cdf(j)
        if self._low is not None:
            out = math.select(j < self._low, fills.zeros_like(out), out)
        if self._high is not None:
            out = math.select(j >= self._high, fills.ones_like(out), out)
        return out

    def _log_cdf(self, x: Any) -> Any:
        j = math.floor(x)
        out = self._base.log_cdf(j)
        if self._low is not None:
            out = math.select(j < self._low, fills.zeros_like(out) - np.inf, out)
        if self._high is not None:
            out = math.select(j >= self._high, fills.zeros_like(out), out)
        return out

    def _survival(self, x: Any) -> Any:
        j = math.ceil(x)
        out = self._base.survival_function(j)
        if self._low is not None:
            out = math.select(j < self._low, fills.ones_like(out), out)
        if self._high is not None:
            out = math.select(j >= self._high, fills.zeros_like(out), out)
        return out

    def _log_survival(self, x: Any) -> Any:
        j = math.ceil(x)
        out = self._base.log_survival_function(j)
        if self._low is not None:
            out = math.select(j < self._low, fills.zeros_like(out), out)
        if self._high is not None:
            out = math.select(j >= self._high, fills.zeros_like(out) - np.inf, out)
        return out

    @staticmethod
    def _log_difference(big: Any, small: Any) -> Any:
        """``log(exp(big) - exp(small))``."""
        return big + math.log1p(-math.exp(small - big))

    def _log_prob(self, x: Any) -> Any:
        """Of the two differences the one with more digits."""
        upper, lower = self._log_survival(x - 1.0), self._log_survival(x)
        above, below = self._log_cdf(x), self._log_cdf(x - 1.0)
        far = above < upper
        big = math.select(far, above, upper)
        small = math.select(far, below, lower)
        return self._log_difference(big, small)

    def _prob(self, x: Any) -> Any:
        upper, lower = self._survival(x - 1.0), self._survival(x)
        above, below = self._cdf(x), self._cdf(x - 1.0)
        far = above < upper
        return math.select(far, above, upper) - math.select(far, below, lower)


class Autoregressive(Distribution):
    """Each element by the distribution that a function makes of the ones before.

    Parameters
    ----------
    distribution_fn : callable
        ``sample -> Distribution``.
    sample0 : tensor, optional
        What the function is given first.
    num_steps : int, optional
        How often it is asked; by default once for each element of an event.
    """

    def __init__(
        self, distribution_fn: Callable[..., Any], sample0: Any = None,
        num_steps: int | None = None, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "Autoregressive",
    ) -> None:  # fmt: skip
        parameters = dict(locals())
        with name_scope(name) as scope:
            self._f, self._sample0 = distribution_fn, sample0
            self._first = distribution_fn() if sample0 is None else distribution_fn(sample0)
            event = self._first.event_shape
            if num_steps is None:
                num_steps = event.num_elements()
            if num_steps is None:
                raise ValueError("distribution_fn must generate a distribution with fully known "
                                 "event_shape.")  # fmt: skip
            if num_steps < 1:
                raise ValueError(f"num_steps ({num_steps}) must be at least 1.")
            self._steps = int(num_steps)
            super().__init__(
                self._first.dtype, self._first.reparameterization_type, validate_args,
                allow_nan_stats, parameters, self._first._graph_parents, scope,
            )  # fmt: skip

    @property
    def distribution_fn(self) -> Any:
        return self._f

    @property
    def sample0(self) -> Any:
        return self._sample0

    @property
    def num_steps(self) -> int:
        return self._steps

    @property
    def distribution0(self) -> Any:
        return self._first

    def _batch_shape(self) -> Any:
        return self._first.batch_shape

    def _batch_shape_tensor(self) -> Any:
        return self._first.batch_shape_tensor()

    def _event_shape(self) -> Any:
        return self._first.event_shape

    def _event_shape_tensor(self) -> Any:
        return self._first.event_shape_tensor()

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        if seed is None:
            seed = new_seed(int(np.random.randint(2**31 - 1)), "autoregressive")
        out = self._first.sample(n, seed=seed)
        for _ in range(self._steps):
            out = self._f(out).sample(seed=seed)
        return out

    def _log_prob(self, x: Any) -> Any:
        return self._f(x).log_prob(x)
