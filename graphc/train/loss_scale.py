"""Losses multiplied before they are differentiated, so that small gradients do not vanish."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from graphc.face.control import group
from graphc.face.flow import cond
from graphc.face.variables import Variable
from graphc.ir import dtypes
from graphc.ops import arrays, math, reduce
from graphc.ops.convert import constant, convert_to_tensor
from graphc.ops.indexed import IndexedSlices
from graphc.ops.state import no_op
from graphc.train.optimizer import Optimizer

__all__ = [
    "DynamicLossScale", "FixedLossScale", "LossScale", "MixedPrecisionLossScaleOptimizer",
    "disable_mixed_precision_graph_rewrite", "enable_mixed_precision_graph_rewrite",
]  # fmt: skip


class LossScale(ABC):
    """By what a loss is multiplied; subclasses say how it changes."""

    @abstractmethod
    def __call__(self) -> Any:
        """The factor now, a scalar tensor."""

    @abstractmethod
    def update(self, grads: Any) -> tuple[Any, Any]:
        """The operation that adapts the factor, and whether the gradients should be applied."""

    @abstractmethod
    def get_config(self) -> dict[str, Any]:
        """Its arguments."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """What `get_config` says."""
        return cls(**config)


class FixedLossScale(LossScale):
    """Always the same factor.

    Parameters
    ----------
    loss_scale_value : float
        At least 1.
    """

    def __init__(self, loss_scale_value: float) -> None:
        if not isinstance(loss_scale_value, int | float):
            raise ValueError("loss_scale_value must be a Python int or float.")
        if loss_scale_value < 1:
            raise ValueError("loss_scale_value must be at least 1.")
        self._value = float(loss_scale_value)

    def __call__(self) -> Any:
        return convert_to_tensor(self._value)

    def update(self, grads: Any) -> tuple[Any, Any]:
        return no_op(), True

    def get_config(self) -> dict[str, Any]:
        return {"loss_scale_value": self._value}


class DynamicLossScale(LossScale):
    """A factor that grows while gradients are finite, and shrinks when they are not.

    Parameters
    ----------
    initial_loss_scale : float
    increment_period : int
        After so many finite steps it is multiplied.
    multiplier : float
        By what it is multiplied, or divided after a step that is not finite; never below 1.
    """

    def __init__(
        self, initial_loss_scale: float = 2**15, increment_period: int = 2000,
        multiplier: float = 2.0,
    ) -> None:  # fmt: skip
        self._first, self._period = float(initial_loss_scale), int(increment_period)
        self._multiplier = float(multiplier)
        self._current_loss_scale = _counter("current_loss_scale", self._first)
        self._num_good_steps = _counter("good_steps", 0, dtypes.int64)

    @property
    def initial_loss_scale(self) -> float:
        return self._first

    @property
    def increment_period(self) -> int:
        return self._period

    @property
    def multiplier(self) -> float:
        return self._multiplier

    def __call__(self) -> Any:
        return convert_to_tensor(self._current_loss_scale)

    def update(self, grads: Any) -> tuple[Any, Any]:
        finite = _all_finite(grads)
        now, steps = self._current_loss_scale, self._num_good_steps
        scale, count = convert_to_tensor(now), convert_to_tensor(steps)
        grown = scale * self._multiplier
        grown = math.where(math.is_finite(grown), grown, scale)
        due = math.greater_equal(count + 1, self._period)
        later = math.where(due, grown, scale)
        smaller = math.maximum(scale / self._multiplier, 1.0)
        rest = math.where(due, count * 0, count + 1)
        step = group(
            now.assign(math.where(finite, later, smaller)),
            steps.assign(math.where(finite, rest, count * 0)),
        )
        return step, finite

    def get_config(self) -> dict[str, Any]:
        return {"initial_loss_scale": self._first, "increment_period": self._period,
                "multiplier": self._multiplier}  # fmt: skip


def _counter(name: str, value: float, dtype: Any = dtypes.float32) -> Variable:
    return Variable(constant(value, dtype), trainable=False, name=name, use_resource=True)


def _all_finite(grads: Any) -> Any:
    """Whether every number of all gradients is finite; None stands for no gradient."""
    each = [
        reduce.reduce_all(math.is_finite(g.values if isinstance(g, IndexedSlices) else g))
        for g in grads
        if g is not None
    ]
    return reduce.reduce_all(arrays.stack(each)) if each else constant(True)


def _scale_of(given: Any) -> LossScale:
    if isinstance(given, LossScale):
        return given
    if isinstance(given, str):
        if given != "dynamic":
            raise ValueError(
                f"Unknown loss scale: {given!r}; the only one with a name is 'dynamic'"
            )
        return DynamicLossScale()
    return FixedLossScale(given)


class MixedPrecisionLossScaleOptimizer(Optimizer):
    """An optimizer on a loss that is multiplied; gradients are divided again.

    A step whose gradients are not finite changes nothing, where the factor is a dynamic one.

    Parameters
    ----------
    opt : Optimizer
    loss_scale : LossScale, number, or "dynamic"
    """

    def __init__(self, opt: Optimizer, loss_scale: Any) -> None:
        if not isinstance(opt, Optimizer):
            raise ValueError(f'"opt" must be an instance of Optimizer, but got: {opt}')
        super().__init__(False, f"{type(self).__name__}_{opt.get_name()}")
        self._optimizer = opt
        self._loss_scale = _scale_of(loss_scale)

    def compute_gradients(self, loss: Any, *args: Any, **kwargs: Any) -> Any:
        """Gradients of the loss, computed from the multiplied one."""
        scale = self._loss_scale()
        given = convert_to_tensor(loss)
        wide = math.cast(scale, given.dtype)
        pairs = self._optimizer.compute_gradients(given * wide, *args, **kwargs)
        return [(self._unscaled(g, scale), v) for g, v in pairs]

    @staticmethod
    def _unscaled(g: Any, scale: Any) -> Any:
        if g is None:
            return None
        factor = math.cast(1.0 / scale, g.dtype)
        if isinstance(g, IndexedSlices):
            return IndexedSlices(g.values * factor, g.indices, g.dense_shape)
        return g * factor

    def apply_gradients(
        self, grads_and_vars: Iterable[Any], global_step: Any = None, name: str | None = None
    ) -> Any:
        """Apply them where they are finite, and adapt the factor."""
        pairs = list(grads_and_vars)
        change, good = self._loss_scale.update([g for g, _ in pairs])
        if good is True:
            return group(change, self._optimizer.apply_gradients(pairs, global_step, name))
        self._optimizer._create_slots([v for g, v in pairs if g is not None])
        applied = cond(
            good, lambda: self._optimizer.apply_gradients(pairs, global_step, name), no_op
        )
        return group(change, applied)

    def get_slot_names(self) -> list[str]:
        """Those of the inner optimizer."""
        return self._optimizer.get_slot_names()

    def get_slot(self, var: Any, name: str) -> Any:
        """A slot of the inner optimizer."""
        return self._optimizer.get_slot(var, name)

    def variables(self) -> list[Variable]:
        """Those of the inner optimizer, and of the factor."""
        own = [v for v in vars(self._loss_scale).values() if isinstance(v, Variable)]
        return [*self._optimizer.variables(), *own]


def enable_mixed_precision_graph_rewrite(opt: Any, loss_scale: Any = "dynamic") -> Any:
    """An optimizer with a loss scale; on a CPU no type of the graph changes.

    Raises
    ------
    ValueError
        When `opt` is no optimizer, or has a loss scale already.
    """
    if isinstance(opt, MixedPrecisionLossScaleOptimizer):
        raise ValueError(f'"opt" must not already be an instance of a {type(opt).__name__}.')
    if not isinstance(opt, Optimizer):
        raise ValueError(f'"opt" must be an instance of a tf.train.Optimizer, but got: {opt}')
    return MixedPrecisionLossScaleOptimizer(opt, loss_scale)


def disable_mixed_precision_graph_rewrite() -> None:
    """End `enable_mixed_precision_graph_rewrite`, which changes no graph here."""
