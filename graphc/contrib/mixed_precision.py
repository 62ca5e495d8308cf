"""tf.contrib.mixed_precision: the loss is multiplied, so that small gradients do not vanish."""

from __future__ import annotations

import abc
from typing import Any

import graphc as tf
from graphc.train.optimizer import Optimizer

__all__ = [
    "ExponentialUpdateLossScaleManager", "FixedLossScaleManager", "LossScaleManager",
    "LossScaleOptimizer",
]  # fmt: skip


class LossScaleManager(abc.ABC):
    """Says by what the loss is multiplied, and hears whether gradients were finite."""

    @abc.abstractmethod
    def get_loss_scale(self) -> Any:
        """The factor, a tensor."""

    @abc.abstractmethod
    def update_loss_scale(self, finite_grads: Any) -> Any:
        """The operation behind a step whose gradients were finite or not."""


class FixedLossScaleManager(LossScaleManager):
    """Always the same factor.

    Parameters
    ----------
    loss_scale : float
        At least one.
    """

    def __init__(self, loss_scale: Any) -> None:
        if loss_scale < 1:
            raise ValueError("loss scale must be at least 1.")
        self._loss_scale = tf.convert_to_tensor(loss_scale, dtype=tf.float32)

    def get_loss_scale(self) -> Any:
        return self._loss_scale

    def update_loss_scale(self, finite_grads: Any) -> Any:
        return tf.no_op()


class ExponentialUpdateLossScaleManager(LossScaleManager):
    """A factor that grows after some good steps, and shrinks after some bad ones.

    Parameters
    ----------
    init_loss_scale : float
    incr_every_n_steps : int
        Good steps in a row after which it grows.
    decr_every_n_nan_or_inf : int
        Bad steps after which it shrinks.
    incr_ratio, decr_ratio : float
        By what it is multiplied; it never falls below one.
    """

    def __init__(
        self, init_loss_scale: Any, incr_every_n_steps: int, decr_every_n_nan_or_inf: int = 2,
        incr_ratio: float = 2, decr_ratio: float = 0.8,
    ) -> None:  # fmt: skip
        self._good_limit, self._bad_limit = incr_every_n_steps, decr_every_n_nan_or_inf
        self._incr_ratio, self._decr_ratio = incr_ratio, decr_ratio
        self._loss_scale = tf.Variable(
            name="loss_scale", initial_value=tf.convert_to_tensor(init_loss_scale, tf.float32),
            dtype=tf.float32, trainable=False,
        )  # fmt: skip
        self._good, self._bad = (
            tf.Variable(
                name=name, initial_value=tf.constant(0, dtype=tf.int32), dtype=tf.int32,
                trainable=False,
            )
            for name in ("good_steps", "bad_steps")
        )  # fmt: skip

    def get_loss_scale(self) -> Any:
        return self._loss_scale

    def _put(self, scale: Any, good: Any, bad: Any) -> Any:
        pairs = (self._loss_scale, scale), (self._good, good), (self._bad, bad)
        return tf.group(*[tf.assign(v, new) for v, new in pairs if new is not None])

    def update_loss_scale(self, finite_grads: Any) -> Any:
        def grow() -> Any:
            new = self._loss_scale * self._incr_ratio
            new = tf.cond(tf.is_finite(new), lambda: new, lambda: tf.identity(self._loss_scale))
            return self._put(new, 0, 0)

        def good() -> Any:
            last = self._good + 1 >= self._good_limit
            return tf.cond(last, grow, lambda: tf.group(tf.assign_add(self._good, 1)))

        def shrink() -> Any:
            return self._put(tf.maximum(1.0, self._loss_scale * self._decr_ratio), 0, 0)

        def more_bad() -> Any:
            return tf.group(tf.assign_add(self._bad, 1), tf.assign(self._good, 0))

        def bad() -> Any:
            return tf.cond(self._bad + 1 >= self._bad_limit, shrink, more_bad)

        return tf.cond(finite_grads, good, bad)


class LossScaleOptimizer(Optimizer):
    """An optimizer for a loss that is multiplied; steps with gradients that overflow are left out.

    Parameters
    ----------
    opt : Optimizer
    loss_scale_manager : LossScaleManager
    """

    def __init__(self, opt: Any, loss_scale_manager: Any) -> None:
        self._opt, self._manager = opt, loss_scale_manager

    def compute_gradients(
        self, loss: Any, var_list: Any = None, gate_gradients: Any = Optimizer.GATE_OP,
        aggregation_method: Any = None, colocate_gradients_with_ops: bool = False,
        grad_loss: Any = None,
    ) -> Any:  # fmt: skip
        """Gradients of the loss as it is: they are divided by the factor again."""
        scale = self._manager.get_loss_scale()
        if callable(loss):
            given = loss

            def scaled() -> Any:
                value = given()
                return value * tf.cast(scale, value.dtype.base_dtype)

        else:
            scaled = loss * tf.cast(scale, loss.dtype.base_dtype)
        pairs = self._opt.compute_gradients(
            scaled, var_list=var_list, gate_gradients=gate_gradients,
            aggregation_method=aggregation_method,
            colocate_gradients_with_ops=colocate_gradients_with_ops, grad_loss=grad_loss,
        )  # fmt: skip
        down = tf.reciprocal(tf.convert_to_tensor(scale))
        return [(self._down(g, down), v) for g, v in pairs]

    @staticmethod
    def _down(g: Any, down: Any) -> Any:
        if g is None:
            return None
        if isinstance(g, tf.IndexedSlices):
            return tf.IndexedSlices(g.values * tf.cast(down, g.dtype), g.indices, g.dense_shape)
        return g * tf.cast(down, g.dtype.base_dtype)

    def apply_gradients(
        self, grads_and_vars: Any, global_step: Any = None, name: str | None = None
    ) -> Any:
        """Change the variables where all gradients are finite; the manager hears of it."""
        pairs = list(grads_and_vars)
        finite = [
            tf.reduce_all(tf.is_finite(g.values if isinstance(g, tf.IndexedSlices) else g))
            for g, _ in pairs
            if g is not None
        ]
        whole = tf.reduce_all(finite)
        step = tf.cond(whole, lambda: self._opt.apply_gradients(pairs, global_step, name), tf.no_op)
        return tf.group(step, self._manager.update_loss_scale(whole))
