"""``tf.keras.metrics``: functions of targets and outputs, and metrics that add up over batches."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.face.control import group
from graphc.face.graph import get_default_graph
from graphc.face.lazy import lookup
from graphc.face.variables import Variable
from graphc.keras import backend as K
from graphc.keras import losses, sessions, settings
from graphc.keras.engine import unique
from graphc.keras.named import deserialized, found, serialized
from graphc.layers.base import snake_case
from graphc.ops import broadcasting, math, reduce, shapes, state
from graphc.ops.convert import convert_to_tensor


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """The share of outputs on the target's side of the threshold."""
    p = convert_to_tensor(y_pred)
    side = math.cast(p > threshold, p.dtype)
    return reduce.reduce_mean(math.cast(math.equal(math.cast(y_true, p.dtype), side), p.dtype), -1)


def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest output is that of the target."""
    same = math.equal(reduce.argmax(y_true, -1), reduce.argmax(y_pred, -1))
    return math.cast(same, settings.floatx())


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest output is that of the class."""
    p, t = convert_to_tensor(y_pred), convert_to_tensor(y_true)
    best = math.cast(reduce.argmax(p, -1), settings.floatx())
    t = math.cast(t, settings.floatx())
    if t.rank is None or t.rank == p.rank:
        t = shapes.reshape(t, shapes.shape(best))
    return math.cast(math.equal(t, best), settings.floatx())


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """1 where the target is among the k largest outputs."""
    return math.cast(K.in_top_k(y_pred, reduce.argmax(y_true, -1), k), settings.floatx())


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """1 where the class is among the k largest outputs."""
    t = shapes.reshape(math.cast(y_true, "int32"), [-1])
    return math.cast(K.in_top_k(y_pred, t, k), settings.floatx())


mean_squared_error = mse = MSE = losses.mean_squared_error
mean_absolute_error = mae = MAE = losses.mean_absolute_error
mean_absolute_percentage_error = mape = MAPE = losses.mean_absolute_percentage_error
mean_squared_logarithmic_error = msle = MSLE = losses.mean_squared_logarithmic_error
kullback_leibler_divergence = kld = KLD = losses.kullback_leibler_divergence
cosine = cosine_proximity = losses.cosine_proximity
hinge, squared_hinge, poisson = losses.hinge, losses.squared_hinge, losses.poisson
categorical_crossentropy = losses.categorical_crossentropy
sparse_categorical_crossentropy = losses.sparse_categorical_crossentropy
binary_crossentropy = losses.binary_crossentropy


class Metric:
    """A number that batches add to: subclasses define `update_state` and `result`.

    Parameters
    ----------
    name : str, optional
    dtype : DType, optional

    Attributes
    ----------
    updates : list
        What calls of `update_state` gave.
    """

    updates: list[Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        made = super().__new__(cls)
        made.updates, plain = [], made.update_state

        def remembered(*args: Any, **kwargs: Any) -> Any:
            done = plain(*args, **kwargs)
            made.updates.append(done)
            return done

        vars(made)["update_state"] = functools.wraps(plain)(remembered)
        return made

    def __init__(self, name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        self.name = name or unique(snake_case(type(self).__name__))
        self.dtype = dtype or settings.floatx()
        self._own: list[Variable] = []

    def add_weight(
        self, name: str, shape: Any = (), aggregation: Any = None, synchronization: Any = None,
        initializer: Any = None, dtype: Any = None,
    ) -> Variable:  # fmt: skip
        """A variable of the metric."""
        from graphc.layers.words import initializer_of

        make: Any = initializer_of(initializer or "zeros")
        make = make() if inspect.isclass(make) else make
        sizes = [int(n) for n in shape]
        v = Variable(
            lambda: make(sizes, dtype=convert_dtype(dtype or self.dtype)), trainable=False,
            collections=[], name=name, use_resource=True,
        )  # fmt: skip
        sessions.track(v)
        self._own.append(v)
        return v

    @property
    def weights(self) -> list[Variable]:
        return list(self._own)

    variables = weights

    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        """An operation that adds a batch."""
        raise NotImplementedError("Must be implemented in subclasses.")

    def result(self) -> Any:
        """The number for all batches so far."""
        raise NotImplementedError("Must be implemented in subclasses.")

    def reset_states(self) -> None:
        """Begin anew."""
        zeros: Any = [np.zeros(tuple(v.get_shape().as_list())) for v in self._own]
        sessions.batch_set_value(list(zip(self._own, zeros, strict=True)))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The result after a batch was added."""
        done = self.update_state(*args, **kwargs)
        with get_default_graph().control_dependencies([done]):
            value: Any = state.identity(self.result())
        value._metric_obj = self
        return value

    def get_config(self) -> dict[str, Any]:
        """Its arguments."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """What `get_config` says."""
        return cls(**config)


def convert_dtype(x: Any) -> Any:
    """An element type."""
    from graphc.ir.dtypes import as_dtype

    return as_dtype(x)


def _now(v: Variable) -> Any:
    """What a variable holds here, read by one operation."""
    with get_default_graph().counts_as(1):
        return v.read_value()


def _later(*ops: Any) -> Any:
    """All of these; TF1 lets one come after the other."""
    with get_default_graph().counts_as(0):
        return group(*ops)


def weights_like(w: Any, v: Any) -> Any:
    """Weights with as many axes as values, one for each."""
    while w.rank is not None and v.rank is not None and w.rank < v.rank:
        w = shapes.expand_dims(w, -1)
    if w.rank is not None and v.rank is not None and w.rank > v.rank:
        w = shapes.squeeze(w, [-1])
    return broadcasting.broadcast_like(w, v)


class _Ratio(Metric):
    """A sum of values and one of weights."""

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.total = self.add_weight("total")
        self.count = self.add_weight("count")

    def _add(self, values: Any, sample_weight: Any = None) -> Any:
        v = math.cast(values, self.dtype)
        if sample_weight is None:
            n = math.cast(shapes.size(v), self.dtype)
            total = reduce.reduce_sum(v)
        else:
            w = weights_like(math.cast(sample_weight, self.dtype), v)
            n, total = reduce.reduce_sum(w), reduce.reduce_sum(v * w)
        return _later(self.total.assign_add(total), self.count.assign_add(n))

    def result(self) -> Any:
        return math.div_no_nan(_now(self.total), _now(self.count))


class Mean(_Ratio):
    """The mean of values."""

    def update_state(self, values: Any, sample_weight: Any = None) -> Any:
        return self._add(values, sample_weight)


class Sum(Metric):
    """The sum of values."""

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.total = self.add_weight("total")

    def update_state(self, values: Any, sample_weight: Any = None) -> Any:
        v = math.cast(values, self.dtype)
        if sample_weight is not None:
            v = v * math.cast(sample_weight, self.dtype)
        return self.total.assign_add(reduce.reduce_sum(v)).op

    def result(self) -> Any:
        return self.total.read_value()


class MeanMetricWrapper(_Ratio):
    """The mean of a function of targets and outputs."""

    def __init__(
        self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(name, dtype)
        self._fn, self._fn_kwargs = fn, kwargs

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        return self._add(self._fn(y_true, y_pred, **self._fn_kwargs), sample_weight)


def _of(name: str, f: Callable[..., Any], default: str) -> Any:
    more = list(inspect.signature(f).parameters.values())[2:]
    order = ["name", "dtype", *[p.name for p in more]]
    if name == "TopKCategoricalAccuracy" or name == "SparseTopKCategoricalAccuracy":
        order = ["k", "name", "dtype"]

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        given = dict(zip(order, args, strict=False)) | kwargs
        own = given.pop("name", default)
        MeanMetricWrapper.__init__(self, f, own, given.pop("dtype", None), **given)

    return type(
        name, (MeanMetricWrapper,),
        {"__init__": init, "__doc__": f.__doc__, "__module__": __name__},
    )  # fmt: skip


def _same(y_true: Any, y_pred: Any) -> Any:
    """1 where output and target are equal."""
    p = convert_to_tensor(y_pred)
    return math.cast(math.equal(math.cast(y_true, p.dtype), p), settings.floatx())


Accuracy = _of("Accuracy", _same, "accuracy")
BinaryAccuracy = _of("BinaryAccuracy", binary_accuracy, "binary_accuracy")
CategoricalAccuracy = _of("CategoricalAccuracy", categorical_accuracy, "categorical_accuracy")
SparseCategoricalAccuracy = _of(
    "SparseCategoricalAccuracy", sparse_categorical_accuracy, "sparse_categorical_accuracy"
)
TopKCategoricalAccuracy = _of(
    "TopKCategoricalAccuracy", top_k_categorical_accuracy, "top_k_categorical_accuracy"
)
SparseTopKCategoricalAccuracy = _of(
    "SparseTopKCategoricalAccuracy", sparse_top_k_categorical_accuracy,
    "sparse_top_k_categorical_accuracy",
)  # fmt: skip
MeanSquaredError = _of("MeanSquaredError", mse, "mean_squared_error")
MeanAbsoluteError = _of("MeanAbsoluteError", mae, "mean_absolute_error")
MeanAbsolutePercentageError = _of(
    "MeanAbsolutePercentageError", mape, "mean_absolute_percentage_error"
)
MeanSquaredLogarithmicError = _of(
    "MeanSquaredLogarithmicError", msle, "mean_squared_logarithmic_error"
)
Hinge = _of("Hinge", hinge, "hinge")
SquaredHinge = _of("SquaredHinge", squared_hinge, "squared_hinge")
CategoricalHinge = _of("CategoricalHinge", losses.categorical_hinge, "categorical_hinge")
LogCoshError = _of("LogCoshError", losses.logcosh, "logcosh")
Poisson = _of("Poisson", poisson, "poisson")
KLDivergence = _of("KLDivergence", kld, "kullback_leibler_divergence")
CosineSimilarity = _of("CosineSimilarity", losses.cosine_similarity, "cosine_similarity")
BinaryCrossentropy = _of("BinaryCrossentropy", binary_crossentropy, "binary_crossentropy")
CategoricalCrossentropy = _of(
    "CategoricalCrossentropy", categorical_crossentropy, "categorical_crossentropy"
)
SparseCategoricalCrossentropy = _of(
    "SparseCategoricalCrossentropy", sparse_categorical_crossentropy,
    "sparse_categorical_crossentropy",
)  # fmt: skip


class RootMeanSquaredError(_Ratio):
    """The root of the mean of the squares of differences."""

    def __init__(self, name: str = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        p = convert_to_tensor(y_pred)
        return self._add(math.squared_difference(p, math.cast(y_true, p.dtype)), sample_weight)

    def result(self) -> Any:
        return math.sqrt(super().result())


class Counts(Metric):
    """Numbers of entries by target and by what the output says, at thresholds."""

    wanted: tuple[str, ...] = ()

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.thresholds = [0.5] if thresholds is None else list(np.atleast_1d(thresholds))
        self._single = thresholds is None or np.ndim(thresholds) == 0
        self._counts = {k: self.add_weight(k, [len(self.thresholds)]) for k in self.wanted}

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        p = shapes.reshape(math.cast(y_pred, "float32"), [1, -1])
        t = shapes.reshape(math.cast(y_true, "bool"), [1, -1])
        limits = convert_to_tensor(np.asarray(self.thresholds, np.float32)[:, None])
        says = math.greater(p, limits)
        weight: Any = 1.0
        if sample_weight is not None:
            weight = shapes.reshape(math.cast(sample_weight, "float32"), [1, -1])
        cells = {
            "true_positives": (t, says), "false_positives": (math.logical_not(t), says),
            "false_negatives": (t, math.logical_not(says)),
            "true_negatives": (math.logical_not(t), math.logical_not(says)),
        }  # fmt: skip
        ops = []
        for key, v in self._counts.items():
            both = math.cast(math.logical_and(*cells[key]), "float32") * weight
            ops.append(v.assign_add(reduce.reduce_sum(both, 1)))
        return _later(*ops)

    def _now(self, key: str) -> Any:
        return _now(self._counts[key])

    def _given(self, x: Any) -> Any:
        return x[0] if self._single else x

    def result(self) -> Any:
        return self._given(self._now(self.wanted[0]))


class TruePositives(Counts):
    """How often a true target was found."""

    wanted = ("true_positives",)


class FalsePositives(Counts):
    """How often a false target was taken for true."""

    wanted = ("false_positives",)


class TrueNegatives(Counts):
    """How often a false target was found."""

    wanted = ("true_negatives",)


class FalseNegatives(Counts):
    """How often a true target was missed."""

    wanted = ("false_negatives",)


class Precision(Counts):
    """The share of true ones among those that were taken for true."""

    wanted = ("true_positives", "false_positives")

    def result(self) -> Any:
        tp, fp = (self._now(k) for k in self.wanted)
        return self._given(math.div_no_nan(tp, tp + fp))


class Recall(Counts):
    """The share of true ones that were found."""

    wanted = ("true_positives", "false_negatives")

    def result(self) -> Any:
        tp, fn = (self._now(k) for k in self.wanted)
        return self._given(math.div_no_nan(tp, tp + fn))


class AUC(Counts):
    """The area under the curve of true over false positives, by trapezoids."""

    wanted = ("true_positives", "false_positives", "true_negatives", "false_negatives")

    def __init__(
        self, num_thresholds: int = 200, curve: str = "ROC",
        summation_method: str = "interpolation", name: str | None = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        if num_thresholds <= 1:
            raise ValueError("`num_thresholds` must be > 1.")
        if curve != "ROC" or summation_method != "interpolation":
            raise ValueError("graphc's Keras AUC is that of the ROC curve, by interpolation")
        inner = [(i + 1) / (num_thresholds - 1) for i in range(num_thresholds - 2)]
        super().__init__([-1e-7, *inner, 1.0 + 1e-7], name or unique("auc"), dtype)

    def result(self) -> Any:
        tp, fp, tn, fn = (self._now(k) for k in self.wanted)
        x, y = math.div_no_nan(fp, fp + tn), math.div_no_nan(tp, tp + fn)
        return reduce.reduce_sum((x[:-1] - x[1:]) * (y[:-1] + y[1:]) / 2.0)


class MeanIoU(Metric):
    """The mean over classes of intersection by union."""

    def __init__(self, num_classes: int, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.num_classes = num_classes
        self.total_cm = self.add_weight("total_confusion_matrix", (num_classes, num_classes))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        t, p = (shapes.reshape(math.cast(v, "int64"), [-1]) for v in (y_true, y_pred))
        w = None if sample_weight is None else shapes.reshape(
            math.cast(sample_weight, "float32"), [-1]
        )  # fmt: skip
        made = lookup("math", "confusion_matrix")(t, p, self.num_classes, "float32", weights=w)
        return self.total_cm.assign_add(made).op

    def result(self) -> Any:
        from graphc.ops.diagonal import matrix_diag_part

        cm = self.total_cm.read_value()
        right = matrix_diag_part(cm)
        union = reduce.reduce_sum(cm, 0) + reduce.reduce_sum(cm, 1) - right
        there = math.cast(math.not_equal(union, 0.0), "float32")
        return math.div_no_nan(
            reduce.reduce_sum(math.div_no_nan(right, union)), reduce.reduce_sum(there)
        )


def serialize(metric: Any) -> Any:
    """The name of a metric's function."""
    return serialized(metric)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The metric of a name."""
    return deserialized(config, globals(), "metric", custom_objects)


def get(identifier: Any) -> Any:
    """The metric for a name, or a callable itself."""
    metric = found(identifier, globals(), "metric")
    if not callable(metric):
        raise ValueError(f"Could not interpret metric identifier: {identifier}")
    return metric
