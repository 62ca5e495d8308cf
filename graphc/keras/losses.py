"""``tf.keras.losses``: functions of targets and outputs, and the classes that average them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from graphc.keras import backend as K
from graphc.keras import settings
from graphc.keras.named import deserialized, found, serialized
from graphc.ops import broadcasting, math, nn, reduce, shapes
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import made


def _pair(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    p = convert_to_tensor(y_pred)
    return math.cast(y_true, p.dtype), p


def _mean(x: Any) -> Any:
    return reduce.reduce_mean(x, -1)


def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """The mean of the squares of differences."""
    t, p = _pair(y_true, y_pred)
    return _mean(math.squared_difference(p, t))


def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """The mean of differences without their signs."""
    t, p = _pair(y_true, y_pred)
    return _mean(math.abs(p - t))


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """The mean of differences in percent of the targets."""
    t, p = _pair(y_true, y_pred)
    return 100.0 * _mean(math.abs((t - p) / K.clip(math.abs(t), settings.epsilon(), None)))


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """The mean of the squares of differences of logarithms."""
    t, p = _pair(y_true, y_pred)
    a, b = (math.log(K.clip(v, settings.epsilon(), None) + 1.0) for v in (p, t))
    return _mean(math.square(a - b))


def _signs(t: Any) -> Any:
    """Labels 0 and 1 as -1 and 1; others as they are."""
    made(5)  # a cond in TF1
    binary = reduce.reduce_all(math.logical_or(math.equal(t, 0), math.equal(t, 1)))
    return math.select(broadcasting.broadcast_like(binary, t), 2.0 * t - 1.0, t)


def hinge(y_true: Any, y_pred: Any) -> Any:
    """The mean of ``max(1 - target * output, 0)``."""
    t, p = _pair(y_true, y_pred)
    return _mean(math.maximum(1.0 - _signs(t) * p, 0.0))


def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """The mean of the squares of `hinge`'s terms."""
    t, p = _pair(y_true, y_pred)
    return _mean(math.square(math.maximum(1.0 - _signs(t) * p, 0.0)))


def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """How far the best wrong class comes near the right one."""
    t, p = _pair(y_true, y_pred)
    right = reduce.reduce_sum(t * p, -1)
    wrong = reduce.reduce_max((1.0 - t) * p, -1)
    return math.maximum(0.0, wrong - right + 1.0)


def huber_loss(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """Squares of small differences, large ones by themselves."""
    t, p = _pair(y_true, y_pred)
    a = math.abs(p - t)
    low = math.minimum(a, delta)
    return 0.5 * low * low + delta * (a - low)


def logcosh(y_true: Any, y_pred: Any) -> Any:
    """The mean of ``log(cosh(difference))``."""
    from graphc.ops.activations import softplus

    t, p = _pair(y_true, y_pred)
    d = p - t
    return _mean(d + softplus(-2.0 * d) - 0.6931471805599453)


def _smooth(t: Any, label_smoothing: Any, classes: Any) -> Any:
    return t if not label_smoothing else t * (1.0 - label_smoothing) + label_smoothing / classes


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: Any = 0
) -> Any:
    """The cross entropy of outputs for one-hot targets."""
    t, p = _pair(y_true, y_pred)
    if label_smoothing:
        t = _smooth(t, label_smoothing, math.cast(shapes.shape(t)[1], p.dtype))
    return K.categorical_crossentropy(t, p, from_logits)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """The cross entropy of outputs for class numbers."""
    return K.sparse_categorical_crossentropy(y_true, y_pred, from_logits, axis)


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: Any = 0
) -> Any:
    """The mean cross entropy of each output being 1."""
    t, p = _pair(y_true, y_pred)
    return _mean(K.binary_crossentropy(_smooth(t, label_smoothing, 2.0), p, from_logits))


def kullback_leibler_divergence(y_true: Any, y_pred: Any) -> Any:
    """The sum of ``target * log(target / output)``."""
    t, p = _pair(y_true, y_pred)
    t, p = (K.clip(v, settings.epsilon(), 1) for v in (t, p))
    return reduce.reduce_sum(t * math.log(t / p), -1)


def poisson(y_true: Any, y_pred: Any) -> Any:
    """The mean of ``output - target * log(output)``."""
    t, p = _pair(y_true, y_pred)
    return _mean(p - t * math.log(p + settings.epsilon()))


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The cosine of the angle between target and output."""
    t, p = _pair(y_true, y_pred)
    return reduce.reduce_sum(nn.l2_normalize(t, axis) * nn.l2_normalize(p, axis), axis)


def cosine_proximity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The cosine of the angle between target and output."""
    return cosine_similarity(y_true, y_pred, axis)


mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
kld = KLD = kullback_leibler_divergence
cosine = cosine_proximity


class ReductionV2:
    """How the losses of Keras become one."""

    AUTO = "auto"
    NONE = "none"
    SUM = "sum"
    SUM_OVER_BATCH_SIZE = "sum_over_batch_size"

    @classmethod
    def all(cls) -> tuple[str, ...]:
        """All of them."""
        return (cls.AUTO, cls.NONE, cls.SUM, cls.SUM_OVER_BATCH_SIZE)

    @classmethod
    def validate(cls, key: Any) -> None:
        """Raise ValueError for anything else."""
        if key not in cls.all():
            raise ValueError(f"Invalid Reduction Key {key}.")


class Loss:
    """A loss as a number: subclasses define ``call(y_true, y_pred)``.

    Parameters
    ----------
    reduction : {"auto", "none", "sum", "sum_over_batch_size"}
    name : str, optional
    """

    def __init__(self, reduction: str = "auto", name: str | None = None) -> None:
        ReductionV2.validate(reduction)
        self.reduction = reduction
        self.name = name

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each entry."""
        raise NotImplementedError("Must be implemented in subclasses.")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The loss, weighted and averaged."""
        with K.name_scope(self.name or type(self).__name__.lower()):
            made(13)  # weights are checked
            return weighted(convert_to_tensor(self.call(y_true, y_pred)), sample_weight,
                            self.reduction)  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        """Its arguments."""
        return {"reduction": self.reduction, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """What `get_config` says."""
        return cls(**config)


def weighted(values: Any, weights: Any, reduction: str) -> Any:
    """Losses of entries with their weights, as a number (or as they are for "none")."""
    if weights is not None:
        w = math.cast(weights, values.dtype)
        while w.rank is not None and values.rank is not None and w.rank < values.rank:
            w = shapes.expand_dims(w, -1)
        if w.rank is not None and values.rank is not None and w.rank > values.rank:
            w = shapes.squeeze(w, [-1])
        values = values * w
    if reduction == "none":
        return values
    total = reduce.reduce_sum(values)
    if reduction == "sum":
        return total
    return total / math.cast(shapes.size(values), values.dtype)


def _loss_class(name: str, f: Callable[..., Any], default: str) -> Any:
    more = [p for p in list(inspect.signature(f).parameters.values())[2:] if p.name != "axis"]
    order = [p.name for p in more]

    def init(
        self: Any, *args: Any, reduction: str = "auto", name: str = default, **kwargs: Any
    ) -> None:
        given = dict(zip([*order, "reduction", "name"], args, strict=False)) | kwargs
        Loss.__init__(self, given.pop("reduction", reduction), given.pop("name", name))
        self._arguments = given

    def call(self: Any, y_true: Any, y_pred: Any) -> Any:
        return f(y_true, y_pred, **self._arguments)

    def get_config(self: Any) -> dict[str, Any]:
        return {**Loss.get_config(self), **self._arguments}

    parameters = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD), *more]
    for key, value in (("reduction", "auto"), ("name", default)):
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters.append(inspect.Parameter(key, kind, default=value))
    init.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return type(
        name, (Loss,), {"__init__": init, "call": call, "get_config": get_config,
                        "__doc__": f.__doc__, "__module__": __name__},
    )  # fmt: skip


MeanSquaredError = _loss_class("MeanSquaredError", mean_squared_error, "mean_squared_error")
MeanAbsoluteError = _loss_class("MeanAbsoluteError", mean_absolute_error, "mean_absolute_error")
MeanAbsolutePercentageError = _loss_class(
    "MeanAbsolutePercentageError", mean_absolute_percentage_error, "mean_absolute_percentage_error"
)
MeanSquaredLogarithmicError = _loss_class(
    "MeanSquaredLogarithmicError", mean_squared_logarithmic_error, "mean_squared_logarithmic_error"
)
BinaryCrossentropy = _loss_class("BinaryCrossentropy", binary_crossentropy, "binary_crossentropy")
CategoricalCrossentropy = _loss_class(
    "CategoricalCrossentropy", categorical_crossentropy, "categorical_crossentropy"
)
SparseCategoricalCrossentropy = _loss_class(
    "SparseCategoricalCrossentropy", sparse_categorical_crossentropy,
    "sparse_categorical_crossentropy",
)  # fmt: skip
Hinge = _loss_class("Hinge", hinge, "hinge")
SquaredHinge = _loss_class("SquaredHinge", squared_hinge, "squared_hinge")
CategoricalHinge = _loss_class("CategoricalHinge", categorical_hinge, "categorical_hinge")
Huber = _loss_class("Huber", huber_loss, "huber_loss")
LogCosh = _loss_class("LogCosh", logcosh, "logcosh")
Poisson = _loss_class("Poisson", poisson, "poisson")
KLDivergence = _loss_class(
    "KLDivergence", kullback_leibler_divergence, "kullback_leibler_divergence"
)


def _opposed(y_true: Any, y_pred: Any) -> Any:
    """The cosine of the angle between them, negative: less is better."""
    return -cosine_similarity(y_true, y_pred)


CosineSimilarity = _loss_class("CosineSimilarity", _opposed, "cosine_similarity")


def serialize(loss: Any) -> Any:
    """The name of a loss function."""
    return serialized(loss)


def deserialize(name: Any, custom_objects: Any = None) -> Any:
    """The loss of that name."""
    return deserialized(name, globals(), "loss", custom_objects)


def get(identifier: Any) -> Any:
    """The loss for a name, or a callable itself."""
    loss = found(identifier, globals(), "loss")
    if loss is not None and not callable(loss):
        raise ValueError(f"Could not interpret loss function identifier: {identifier}")
    return loss
