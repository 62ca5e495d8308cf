"""Optimizers of tf.contrib.opt that count steps, or that let some of them out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import graphc as tf
from graphc.contrib.opt.optimizers import LazyAdamOptimizer
from graphc.train.optimizer import Optimizer
from graphc.train.optimizers import AdamOptimizer

__all__ = [
    "AdamGSOptimizer", "DropStaleGradientOptimizer", "LazyAdamGSOptimizer",
    "MultitaskOptimizerWrapper",
]  # fmt: skip


class AdamGSOptimizer(AdamOptimizer):
    """Adam whose corrections are of the global step, and not of products that it keeps.

    Parameters
    ----------
    global_step : tensor or variable, optional
        How many steps were made before this one.
    learning_rate, beta1, beta2, epsilon : float or tensor
    """

    def __init__(
        self, global_step: Any = 0, learning_rate: Any = 0.001, beta1: Any = 0.9,
        beta2: Any = 0.999, epsilon: Any = 1e-8, use_locking: bool = False, name: str = "Adam",
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, beta1, beta2, epsilon, use_locking, name)
        self._global_step = global_step

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            self._zeros_slot(v, "m", self._name)
            self._zeros_slot(v, "v", self._name)

    def _get_beta_accumulators(self) -> Any:
        """The powers of the betas in this step; the step is read before anything changes it."""
        return self._powers

    def _prepare(self) -> None:
        super()._prepare()
        steps = tf.cast(tf.convert_to_tensor(self._global_step), tf.float32) + 1.0
        self._powers = tf.pow(self._beta1_t, steps), tf.pow(self._beta2_t, steps)

    def _finish(self, update_ops: Sequence[Any], name_scope: str) -> Any:
        return tf.group(*update_ops, name=name_scope)


class LazyAdamGSOptimizer(AdamGSOptimizer):
    """`AdamGSOptimizer` that leaves rows alone which a sparse gradient does not name."""

    _apply_sparse = LazyAdamOptimizer._apply_sparse


class MultitaskOptimizerWrapper:
    """An optimizer that leaves a variable and its slots alone where the gradient is all zeros.

    Parameters
    ----------
    opt : Optimizer
        It is not changed itself.
    """

    def __init__(self, opt: Any) -> None:
        if not isinstance(opt, Optimizer):
            raise TypeError("Supplied optimizer must be an instance of tf.train.Optimizer")
        kind: Any = type(opt)

        class Guarded(kind):  # type: ignore[misc]
            def _apply(self, grad: Any, var: Any) -> Any:
                values = grad.values if isinstance(grad, tf.IndexedSlices) else grad
                none = tf.equal(tf.count_nonzero(values), 0)

                def change_it() -> Any:
                    with tf.control_dependencies([super(Guarded, self)._apply(grad, var)]):
                        return tf.no_op()

                return tf.cond(none, tf.no_op, change_it)

        Guarded.__name__ = kind.__name__
        self._opt: Any = Guarded.__new__(Guarded)
        self._opt.__dict__.update(vars(opt))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opt, name)


class DropStaleGradientOptimizer(Optimizer):
    """Leaves out gradients of variables that were changed too often meanwhile.

    Parameters
    ----------
    opt : Optimizer
    staleness : int
        How many steps may lie between reading the variables and changing them.
    """

    def __init__(
        self, opt: Any, staleness: int, use_locking: bool = False, name: str = "DropStaleGradient"
    ) -> None:
        super().__init__(use_locking, name)
        self._opt, self._staleness = opt, staleness

    def compute_gradients(self, loss: Any, *args: Any, **kwargs: Any) -> Any:
        """Gradients; the step at which the loss is computed is remembered."""
        self._step = tf.identity(tf.train.get_or_create_global_step())
        with tf.control_dependencies([self._step]):
            loss = loss() if callable(loss) else tf.identity(loss)
        return self._opt.compute_gradients(loss, *args, **kwargs)

    def get_slot(self, *args: Any, **kwargs: Any) -> Any:
        """A slot of the optimizer inside."""
        return self._opt.get_slot(*args, **kwargs)

    def get_slot_names(self, *args: Any, **kwargs: Any) -> Any:
        """The names of the slots of the optimizer inside."""
        return self._opt.get_slot_names(*args, **kwargs)

    def apply_gradients(
        self, grads_and_vars: Any, global_step: Any = None, name: str | None = None
    ) -> Any:
        """Change the variables where the step is not too far from that of the gradients."""
        counter = tf.Variable(0, trainable=False, name="stale_counter")
        pairs = list(grads_and_vars)
        ready = [g for g, _ in pairs if g is not None]
        ready = [g.values if isinstance(g, tf.IndexedSlices) else g for g in ready]
        with tf.control_dependencies(ready):
            now = tf.identity(tf.train.get_or_create_global_step())
        behind = tf.subtract(now, self._step)

        def change_it() -> Any:
            return self._opt.apply_gradients(pairs, global_step, name)

        def count_it() -> Any:
            return tf.group(tf.assign_add(counter, 1))

        return tf.cond(tf.less_equal(behind, self._staleness), change_it, count_it)
