"""`Distribution`: what all distributions share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphc.face.current import name_scope
from graphc.face.shape import TensorShape, as_shape
from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.dtypes import DType
from graphc.ir.node import Value
from graphc.ops import arrays, fills, math, nn, shapes
from graphc.ops.convert import convert_to_tensor

__all__ = [
    "FULLY_REPARAMETERIZED",
    "NOT_REPARAMETERIZED",
    "Distribution",
    "ReparameterizationType",
]  # fmt: skip


class ReparameterizationType:
    """Whether gradients flow through samples to the parameters."""

    def __init__(self, rep_type: str) -> None:
        self._rep_type = rep_type

    def __repr__(self) -> str:
        return f"<Reparameteriation Type: {self._rep_type}>"

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


FULLY_REPARAMETERIZED = ReparameterizationType("FULLY_REPARAMETERIZED")
NOT_REPARAMETERIZED = ReparameterizationType("NOT_REPARAMETERIZED")


class Distribution:
    """A distribution, or a batch of them.

    Subclasses define what they can of ``_sample_n``, ``_log_prob`` (or ``_prob``), ``_cdf``,
    ``_entropy``, ``_mean``, ``_mode``, ``_variance``, ``_batch_shape``, ``_batch_shape_tensor``,
    ``_event_shape``, ``_event_shape_tensor``.

    Attributes
    ----------
    name, dtype, parameters, allow_nan_stats, validate_args, reparameterization_type
    batch_shape, event_shape : TensorShape
    """

    def __init__(
        self,
        dtype: Any,
        reparameterization_type: ReparameterizationType,
        validate_args: bool,
        allow_nan_stats: bool,
        parameters: dict[str, Any] | None = None,
        graph_parents: Any = None,
        name: str | None = None,
    ) -> None:
        if not name or not name.endswith("/"):
            with name_scope(name or type(self).__name__) as scope:
                name = scope
        self._dtype = dtype
        self._reparameterization_type = reparameterization_type
        self._validate_args = validate_args
        self._allow_nan_stats = allow_nan_stats
        self._parameters = {
            k: v for k, v in (parameters or {}).items() if k not in ("self", "__class__")
        }
        self._graph_parents = list(graph_parents or ())
        self._name = name

    # ---- what it is

    @property
    def name(self) -> str:
        return self._name

    @property
    def dtype(self) -> DType:
        out: DType = self._dtype
        return out

    @property
    def parameters(self) -> dict[str, Any]:
        return dict(self._parameters)

    @property
    def validate_args(self) -> bool:
        return self._validate_args

    @property
    def allow_nan_stats(self) -> bool:
        return self._allow_nan_stats

    @property
    def reparameterization_type(self) -> ReparameterizationType:
        return self._reparameterization_type

    @property
    def batch_shape(self) -> TensorShape:
        return as_shape(self._batch_shape())

    @property
    def event_shape(self) -> TensorShape:
        return as_shape(self._event_shape())

    def batch_shape_tensor(self, name: str = "batch_shape_tensor") -> Value:
        """The shape of the batch as a tensor."""
        with self._scope(name):
            return self._shape_of(self.batch_shape, self._batch_shape_tensor)

    def event_shape_tensor(self, name: str = "event_shape_tensor") -> Value:
        """The shape of a sample as a tensor."""
        with self._scope(name):
            return self._shape_of(self.event_shape, self._event_shape_tensor)

    @staticmethod
    def _shape_of(static: TensorShape, f: Any) -> Value:
        if static.is_fully_defined():
            return convert_to_tensor(static.as_list(), dtypes.int32)
        out: Value = f()
        return out

    def is_scalar_event(self, name: str = "is_scalar_event") -> Any:
        """Whether a sample is a scalar."""
        return convert_to_tensor(self.event_shape.ndims == 0)

    def is_scalar_batch(self, name: str = "is_scalar_batch") -> Any:
        """Whether it is one distribution."""
        return convert_to_tensor(self.batch_shape.ndims == 0)

    #: Parameters that have the shape of a sample.
    _shaped: tuple[str, ...] = ()

    @classmethod
    def _param_shapes(cls, sample_shape: Any) -> dict[str, Any]:
        if not cls._shaped:
            raise NotImplementedError("_param_shapes not implemented")
        return dict.fromkeys(cls._shaped, sample_shape)

    @classmethod
    def param_shapes(
        cls, sample_shape: Any, name: str = "DistributionParamShapes"
    ) -> dict[str, Value]:
        """Shapes of the parameters with which a sample has the shape `sample_shape`."""
        with name_scope(name):
            return {
                k: convert_to_tensor(v, dtypes.int32)
                for k, v in cls._param_shapes(sample_shape).items()
            }

    @classmethod
    def param_static_shapes(cls, sample_shape: Any) -> dict[str, TensorShape]:
        """The same as static shapes.

        Raises
        ------
        ValueError
            Where `sample_shape` is not known.
        """
        known = sample_shape if isinstance(sample_shape, TensorShape) else _static(sample_shape)
        if known is None or not as_shape(known).is_fully_defined():
            raise ValueError("sample_shape must be a fully-defined TensorShape or list/tuple")
        made = cls._param_shapes(as_shape(known).as_list())
        return {k: as_shape([int(n) for n in v]) for k, v in made.items()}

    def copy(self, **override_parameters_kwargs: Any) -> Any:
        """The same with other parameters."""
        return type(self)(**{**self.parameters, **override_parameters_kwargs})

    @contextlib.contextmanager
    def _scope(self, name: str | None) -> Iterator[None]:
        with name_scope(self._name), name_scope(name):
            yield

    def __repr__(self) -> str:
        return (
            f"<tf.distributions.{type(self).__name__} '{self.name}' batch_shape="
            f"{self.batch_shape} event_shape={self.event_shape} dtype={self.dtype.name}>"
        )

    def _missing(self, what: str) -> Any:
        raise NotImplementedError(f"{what} is not implemented: {type(self).__name__}")

    # ---- sampling

    def sample(
        self, sample_shape: Any = (), seed: int | None = None, name: str = "sample"
    ) -> Value:
        """Draw samples of shape ``sample_shape + batch_shape + event_shape``."""
        with self._scope(name):
            return self._drawn(sample_shape, seed)

    def _drawn(self, sample_shape: Any, seed: int | None, **kwargs: Any) -> Value:
        known = _static(sample_shape)
        n: Any
        if known is not None:
            n = int(np.prod(known, dtype=np.int64))
            with current().counts_as(2 if np.ndim(sample_shape) == 0 else 1):
                lead = convert_to_tensor(np.asarray(known, np.int32))
        else:
            from graphc.ops.reduce import reduce_prod  # here only

            lead = shapes.reshape(convert_to_tensor(sample_shape, dtypes.int32), [-1])
            n = reduce_prod(lead)
        drawn = self._sample_n(n, seed, **kwargs)
        rest = drawn.shape[1:]
        with current().counts_as(8):  # in TF1 always the second way
            if known is not None and rest.is_fully_defined():
                return shapes.reshape(drawn, [*known, *rest.as_list()])
            y = shapes.reshape(drawn, arrays.concat([lead, shapes.shape(drawn)[1:]], 0))
        if known is not None:
            y.set_shape(TensorShape(list(known)).concatenate(rest))  # type: ignore[attr-defined]
        return y

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        return self._missing("sample")

    def _draw_shape(self, n: Any) -> Any:
        """``[n] + batch_shape + event_shape``."""
        static = self.batch_shape.concatenate(self.event_shape)
        if static.is_fully_defined() and isinstance(n, int):
            # a constant for the batch, and joined; then one more is made for the list
            current().reserve("concat/values_0", "concat/axis", "concat")
            return [n, *static.as_list()]
        with current().counts_as(self._draw_count()):
            return self._drawn_shape(n)

    def _draw_count(self) -> int | None:
        """The operations that TF1 makes for the shape of what is drawn, where that is known."""
        if self.event_shape.ndims != 0 or not self._shaped:
            return None
        many = len(self._shaped)
        return 3 + (1 if self.batch_shape.is_fully_defined() else 2 * many - 1)

    def _drawn_shape(self, n: Any) -> Any:
        sizes = [shapes.reshape(convert_to_tensor(n, dtypes.int32), [1])]
        for given, f in (
            (self.batch_shape, self._batch_shape_tensor),
            (self.event_shape, self._event_shape_tensor),
        ):
            sizes.append(self._shape_of(given, f))
        return arrays.concat(sizes, 0)

    # ---- probabilities

    def _value(self, value: Any, name: str = "value") -> Value:
        return convert_to_tensor(value, None if isinstance(value, Value) else self.dtype, name=name)

    def log_prob(self, value: Any, name: str = "log_prob") -> Value:
        """The logarithm of the density (or of the probability) at `value`."""
        with self._scope(name):
            return self._log_prob(self._value(value))  # type: ignore[no-any-return]

    def _log_prob(self, x: Any) -> Any:
        if type(self)._prob is Distribution._prob:
            return self._missing("log_prob")
        return math.log(self._prob(x))

    def prob(self, value: Any, name: str = "prob") -> Value:
        """The density (or the probability) at `value`."""
        with self._scope(name):
            return self._prob(self._value(value))  # type: ignore[no-any-return]

    def _prob(self, x: Any) -> Any:
        if type(self)._log_prob is Distribution._log_prob:
            return self._missing("prob")
        return math.exp(self._log_prob(x))

    def cdf(self, value: Any, name: str = "cdf") -> Value:
        """The probability of at most `value`."""
        with self._scope(name):
            return self._cdf(self._value(value))  # type: ignore[no-any-return]

    def _cdf(self, x: Any) -> Any:
        return self._missing("cdf")

    def log_cdf(self, value: Any, name: str = "log_cdf") -> Value:
        """The logarithm of `cdf`."""
        with self._scope(name):
            return self._log_cdf(self._value(value))  # type: ignore[no-any-return]

    def _log_cdf(self, x: Any) -> Any:
        return math.log(self._cdf(x))

    def survival_function(self, value: Any, name: str = "survival_function") -> Value:
        """The probability of more than `value`."""
        with self._scope(name):
            return self._survival(self._value(value))  # type: ignore[no-any-return]

    def _survival(self, x: Any) -> Any:
        return 1.0 - self._cdf(x)

    def log_survival_function(self, value: Any, name: str = "log_survival_function") -> Value:
        """The logarithm of `survival_function`."""
        with self._scope(name):
            return math.log(self._survival(self._value(value)))  # type: ignore[no-any-return]

    def quantile(self, value: Any, name: str = "quantile") -> Value:
        """Where `cdf` is `value`."""
        with self._scope(name):
            return self._quantile(self._value(value))  # type: ignore[no-any-return]

    def _quantile(self, p: Any) -> Any:
        return self._missing("quantile")

    # ---- numbers

    def entropy(self, name: str = "entropy") -> Value:
        """The entropy, in nats."""
        with self._scope(name):
            return self._entropy()  # type: ignore[no-any-return]

    def _entropy(self) -> Any:
        return self._missing("entropy")

    def mean(self, name: str = "mean") -> Value:
        """The mean."""
        with self._scope(name):
            return self._mean()  # type: ignore[no-any-return]

    def _mean(self) -> Any:
        return self._missing("mean")

    def mode(self, name: str = "mode") -> Value:
        """The most probable value."""
        with self._scope(name):
            return self._mode()  # type: ignore[no-any-return]

    def _mode(self) -> Any:
        return self._missing("mode")

    def variance(self, name: str = "variance") -> Value:
        """The variance."""
        with self._scope(name):
            return self._variance()  # type: ignore[no-any-return]

    def _variance(self) -> Any:
        if type(self)._stddev is Distribution._stddev:
            return self._missing("variance")
        return math.square(self._stddev())

    def stddev(self, name: str = "stddev") -> Value:
        """The standard deviation."""
        with self._scope(name):
            return self._stddev()  # type: ignore[no-any-return]

    def _stddev(self) -> Any:
        if type(self)._variance is Distribution._variance:
            return self._missing("stddev")
        return math.sqrt(self._variance())

    def covariance(self, name: str = "covariance") -> Value:
        """The covariance matrix of a vector."""
        with self._scope(name):
            return self._covariance()  # type: ignore[no-any-return]

    def _covariance(self) -> Any:
        return self._missing("covariance")

    def kl_divergence(self, other: Any, name: str = "kl_divergence") -> Value:
        """The Kullback-Leibler divergence from another distribution."""
        from graphc.distributions.divergence import kl_divergence  # it imports all of them

        with self._scope(name):
            return kl_divergence(self, other, self._allow_nan_stats)

    def cross_entropy(self, other: Any, name: str = "cross_entropy") -> Value:
        """The entropy plus the divergence from another distribution."""
        with self._scope(name):
            return self.kl_divergence(other) + self.entropy()

    # ---- shapes

    def _batch_shape(self) -> Any:
        return None

    def _event_shape(self) -> Any:
        return []

    def _batch_shape_tensor(self) -> Any:
        return self._missing("batch_shape_tensor")

    def _event_shape_tensor(self) -> Any:
        return convert_to_tensor([], dtypes.int32)


def _static(x: Any) -> list[int] | None:
    """A sample shape as numbers, where it is known."""
    if isinstance(x, Value):
        if x.node.op.name != "constant":
            return None
        x = np.asarray(x.node.attrs["value"])
    if isinstance(x, TensorShape):
        return [int(d) for d in x]
    flat = np.reshape(np.asarray(x), [-1])
    return [int(d) for d in flat]


class Elementwise(Distribution):
    """Scalar samples; the batch is what the parameters broadcast to.

    Subclasses call `_with`, which makes tensors of the parameters.
    """

    _own: tuple[Value, ...] = ()

    def _with(
        self, scope: str, parameters: dict[str, Any], kind: ReparameterizationType, **given: Any
    ) -> list[Value]:
        """Tensors of the given parameters, of one floating type, named as said."""
        from graphc.ops.state import identity  # here only

        made: list[Value] = []
        dtype = next(
            (x.dtype.base_dtype for x in given.values() if hasattr(x, "dtype")
             and isinstance(x.dtype, DType)), None,
        )  # fmt: skip
        for name, x in given.items():
            v = convert_to_tensor(x, None if hasattr(x, "dtype") else dtype)
            if not v.dtype.is_floating:
                raise ValueError(f"Expected floating point type, got {v.dtype} for {name}.")
            if made and v.dtype is not made[0].dtype:
                raise ValueError(
                    f"Tensor type of {name} is {v.dtype.name}, but {made[0].dtype.name} of the "
                    "others."
                )
            made.append(identity(v, name=name))
        self._own = tuple(made)
        super().__init__(
            made[0].dtype, kind, parameters.get("validate_args", False),
            parameters.get("allow_nan_stats", True), parameters, made, scope,
        )  # fmt: skip
        return made

    def _batch_shape(self) -> Any:
        shape = as_shape(self._own[0].shape)  # type: ignore[attr-defined]
        for v in self._own[1:]:
            shape = _broadcast(shape, as_shape(v.shape))  # type: ignore[attr-defined]
        return shape

    def _batch_shape_tensor(self) -> Any:
        return shapes.shape(self._spread(fills.zeros_like(self._own[0])))

    def _spread(self, x: Any) -> Any:
        """`x` in the shape of the batch."""
        for v in self._own:
            x = x + fills.zeros_like(v)
        return x


def _broadcast(a: TensorShape, b: TensorShape) -> TensorShape:
    if a.ndims is None or b.ndims is None:
        return TensorShape(None)
    n = max(a.ndims, b.ndims)
    x: list[int | None] = [1] * (n - a.ndims)
    y: list[int | None] = [1] * (n - b.ndims)
    x, y = x + a.as_list(), y + b.as_list()
    return TensorShape(
        [d if e == 1 else e if d in (1, e) else (d if e is None else e) for d, e in
         zip(x, y, strict=True)]
    )  # fmt: skip


def logits_and_probs(
    logits: Any, probs: Any, multidimensional: bool, what: str
) -> tuple[Value, Value]:
    """Both of logits and probabilities, of which one is given.

    Raises
    ------
    ValueError
        For both or none.
    """
    if (probs is None) == (logits is None):
        raise ValueError("Must pass probs or logits, but not both.")
    if probs is None:
        z = convert_to_tensor(logits, name="logits")
        return z, nn.softmax(z, name="probs") if multidimensional else math.sigmoid(z, name="probs")
    p = convert_to_tensor(probs, name="probs")
    if multidimensional:
        return math.log(p), p
    return math.log(p) - math.log(1.0 - p), p
