"""Heads: what the logits of a model mean, what its loss and its metrics are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from graphc.estimator.estimator import arguments_of
from graphc.estimator.spec import EstimatorSpec, ModeKeys
from graphc.face.control import group
from graphc.face.current import name_scope
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.keras.metrics import Metric
from graphc.losses.functions import compute_weighted_loss
from graphc.metrics.averages import mean
from graphc.ops import math, shapes
from graphc.ops.convert import convert_to_tensor
from graphc.sparse.tensor import SparseTensor
from graphc.train.optimizer import Optimizer
from graphc.train.steps import get_global_step

__all__ = ["Head", "PlainHead", "Streamed", "StreamingMetric", "chosen_keys", "training_of"]

#: What heads call a reduction, and what `tf.losses` calls it.
_REDUCTIONS = {
    "sum_over_batch_size": "weighted_sum_over_batch_size", "sum": "weighted_sum",
    "weighted_sum_over_batch_size": "weighted_sum_over_batch_size",
    "weighted_sum": "weighted_sum", "weighted_mean": "weighted_mean",
    "weighted_sum_by_nonzero_weights": "weighted_sum_by_nonzero_weights",
}  # fmt: skip

#: A metric of labels, predictions and weights: what gives its value and its update.
Streamed = Callable[[Any, dict[str, Any], Any], Any]


class StreamingMetric(Metric):
    """A metric of `tf.metrics` in the form that Keras has: made when it first sees a batch."""

    def __init__(self, name: str, make: Callable[..., Any]) -> None:
        super().__init__(name)
        self._make = make
        self.pair: Any = None

    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        """The operation that adds a batch."""
        self.pair = self._make(*args, **kwargs)
        return self.pair[1]

    def result(self) -> Any:
        """The number for all batches so far."""
        if self.pair is None:
            raise ValueError(f"the metric {self.name} has seen no batch")
        return self.pair[0]


class Head(ABC):
    """What a model's last layer means.

    An estimator asks its head how many logits there are, and gives it the logits.
    """

    @property
    @abstractmethod
    def name(self) -> str | None:
        """What the names of its metrics end with."""

    @property
    @abstractmethod
    def logits_dimension(self) -> int:
        """The size of the last axis of logits."""

    @property
    @abstractmethod
    def loss_reduction(self) -> str:
        """How the losses of examples become one."""

    @abstractmethod
    def loss(
        self, labels: Any, logits: Any, features: Any = None, mode: Any = None,
        regularization_losses: Any = None,
    ) -> Any:  # fmt: skip
        """The loss of a batch, a scalar."""

    @abstractmethod
    def predictions(self, logits: Any, keys: Any = None) -> dict[Any, Any]:
        """What the logits say, by name."""

    @abstractmethod
    def metrics(self, regularization_losses: Any = None) -> dict[str, Any]:
        """Metrics by name."""

    @abstractmethod
    def update_metrics(
        self, eval_metrics: dict[str, Any], features: Any, logits: Any, labels: Any,
        mode: Any = None, regularization_losses: Any = None,
    ) -> dict[str, Any]:  # fmt: skip
        """The metrics, with operations that add a batch."""

    @abstractmethod
    def _outputs(self, predictions: dict[Any, Any]) -> dict[str, Any]:
        """What is served, by name of signature."""

    def create_estimator_spec(
        self, features: Any, mode: Any, logits: Any, labels: Any = None, optimizer: Any = None,
        trainable_variables: Any = None, train_op_fn: Callable[[Any], Any] | None = None,
        update_ops: Any = None, regularization_losses: Any = None,
    ) -> EstimatorSpec:  # fmt: skip
        """What a model function gives.

        Parameters
        ----------
        optimizer : Optimizer, optional
            Of `tf.train` or of Keras; it or `train_op_fn`, which makes the operation of training
            from the loss, is needed to train.
        trainable_variables : list, optional
            What the optimizer changes.
        update_ops : list, optional
            Operations that training runs too.
        regularization_losses : list, optional
            Scalars that are added to the loss.
        """
        with name_scope("head"):
            found = self.predictions(logits)
            if mode == ModeKeys.PREDICT:
                return EstimatorSpec(mode, found, export_outputs=self._outputs(found))
            loss = self.loss(labels, logits, features, mode, regularization_losses)
            if mode == ModeKeys.EVAL:
                made = self.update_metrics(
                    self.metrics(regularization_losses), features, logits, labels,
                    regularization_losses=regularization_losses,
                )  # fmt: skip
                pairs = {k: m.pair for k, m in made.items()}
                return EstimatorSpec(mode, found, loss, eval_metric_ops=pairs)
            step = training_of(loss, optimizer, trainable_variables, train_op_fn, update_ops)
            return EstimatorSpec(mode, found, loss, step)


def training_of(
    loss: Any, optimizer: Any, variables: Any, train_op_fn: Any, update_ops: Any
) -> Any:  # fmt: skip
    if optimizer is not None and train_op_fn is not None:
        raise ValueError("train_op_fn and optimizer cannot both be set.")
    if train_op_fn is not None:
        step = train_op_fn(loss)
    elif isinstance(optimizer, Optimizer):
        step = optimizer.minimize(loss, get_global_step(), variables)
    elif optimizer is not None:
        step = group(*optimizer.get_updates(loss, variables))
    else:
        raise ValueError("train_op_fn and optimizer cannot both be None.")
    return step if not update_ops else group(step, *update_ops)


def chosen_keys(found: dict[str, Any], keys: Any) -> dict[str, Any]:
    return found if keys is None else {k: found[k] for k in keys}


class PlainHead(Head):
    """A head of one kind of logits."""

    def __init__(
        self, units: int, weight_column: Any, loss_reduction: str, loss_fn: Any, name: str | None
    ) -> None:
        if loss_reduction not in _REDUCTIONS:
            raise ValueError(
                f"Invalid loss_reduction: {loss_reduction}. See `tf.losses.Reduction` for valid "
                "options."
            )
        self._taken: set[str] = arguments_of(loss_fn) if loss_fn is not None else set()
        for word in ("labels", "logits"):
            if loss_fn is not None and word not in self._taken:
                raise ValueError(
                    f"loss_fn must contain argument: {word}. Given arguments: "
                    f"{tuple(sorted(self._taken))}"
                )
        self._units, self._weight_column, self._name = units, weight_column, name
        self._reduction, self._loss_fn = loss_reduction, loss_fn

    @property
    def name(self) -> str | None:
        return self._name

    @property
    def logits_dimension(self) -> int:
        return self._units

    @property
    def loss_reduction(self) -> str:
        return self._reduction

    @abstractmethod
    def _losses(self, labels: Value, logits: Value) -> Value:
        """The loss of each example, ``[..., 1]`` or as logits."""

    @abstractmethod
    def _wanted(self, labels: Any, logits: Value) -> Value:
        """Labels as the loss takes them."""

    @abstractmethod
    def _streams(self) -> dict[str, Streamed]:
        """Metrics by name, beside the mean of losses."""

    def _checked(self, logits: Any) -> Value:
        t = math.cast(convert_to_tensor(logits), dtypes.float32)
        shape = t.static_shape
        if shape is not None and (not shape or shape[-1] not in (self._units, None)):
            known = type(shape[-1]) is int if shape else True
            if known:
                raise ValueError(
                    "logits shape must be [D0, D1, ... DN, logits_dimension], got "
                    f"{tuple(logits.shape.as_list())}."
                )
        return t  # type: ignore[no-any-return]

    def _given(self, labels: Any, logits: Value, units: int) -> Value:
        """Dense labels with a last axis of size `units`."""
        if labels is None:
            raise ValueError(
                "You must provide a labels Tensor. Given: None. Check that your data contains "
                "your label feature, and that your input_fn returns labels."
            )
        if isinstance(labels, SparseTensor):
            raise ValueError("SparseTensor labels are not supported by this head: give dense ones")
        t: Any = convert_to_tensor(labels)
        if t.rank is not None and logits.rank is not None and t.rank == logits.rank - 1:
            t = shapes.expand_dims(t, -1)
        last = t.shape.as_list()[-1] if t.rank else None
        if last is not None and last != units:
            raise ValueError(
                f"Mismatched label shape. Expected labels dimension={units}.  Received {last}. "
                "Check the shape of your label, and the head's number of classes or dimensions."
            )
        made: Value = t
        return made

    def _weights(self, features: Any, logits: Value) -> Any:
        if self._weight_column is None:
            return 1.0
        key = getattr(self._weight_column, "key", self._weight_column)
        w: Any = math.cast(convert_to_tensor(features[key]), dtypes.float32)
        if logits.rank is not None and w.rank == logits.rank - 1:
            w = shapes.expand_dims(w, -1)
        return w

    def _unreduced(
        self, labels: Any, logits: Value, features: Any
    ) -> tuple[Value, Value]:  # fmt: skip
        wanted = self._wanted(labels, logits)
        if self._loss_fn is None:
            return wanted, self._losses(wanted, logits)
        more = {"features": features, "loss_reduction": self._reduction}
        given = {k: v for k, v in more.items() if k in self._taken}
        return wanted, self._loss_fn(labels=wanted, logits=logits, **given)

    def loss(
        self, labels: Any, logits: Any, features: Any = None, mode: Any = None,
        regularization_losses: Any = None,
    ) -> Any:  # fmt: skip
        z = self._checked(logits)
        _, each = self._unreduced(labels, z, features)
        loss = compute_weighted_loss(
            each, self._weights(features, z), reduction=_REDUCTIONS[self._reduction]
        )
        if regularization_losses:
            loss = loss + math.add_n(regularization_losses)
        return loss

    def _key(self, metric: str) -> str:
        return metric if self._name is None else f"{metric}/{self._name}"

    def metrics(self, regularization_losses: Any = None) -> dict[str, Any]:
        rows: dict[str, Callable[..., Any]] = {
            "average_loss": lambda labels, predictions, weights, each: mean(each, weights),
        }
        for name, f in self._streams().items():
            rows[name] = lambda labels, predictions, weights, each, f=f: f(
                labels, predictions, weights
            )
        made = {self._key(n): StreamingMetric(n, f) for n, f in rows.items()}
        if regularization_losses is not None:
            key = "regularization_loss"
            made[self._key(key)] = StreamingMetric(
                key, lambda *_: mean(math.add_n(list(regularization_losses)))
            )
        return made

    def update_metrics(  # type: ignore[override]
        self, eval_metrics: dict[str, Any], features: Any, logits: Any, labels: Any,
        regularization_losses: Any = None,
    ) -> dict[str, Any]:  # fmt: skip
        z = self._checked(logits)
        wanted, each = self._unreduced(labels, z, features)
        weights = self._weights(features, z)
        found = self.predictions(z)
        for m in eval_metrics.values():
            m.update_state(wanted, found, None if isinstance(weights, float) else weights, each)
        return eval_metrics
