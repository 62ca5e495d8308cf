"""Further optimizers: TF1's formulas and slots."""

from __future__ import annotations

import contextlib
import math as pymath
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from graphc.face.control import group
from graphc.face.current import control_dependencies
from graphc.ops import fills, math, reduce, rows, shapes, state
from graphc.ops.convert import convert_to_tensor
from graphc.ops.indexed import IndexedSlices, to_dense
from graphc.train.averages import ExponentialMovingAverage
from graphc.train.clip import clip_by_global_norm, clip_by_norm
from graphc.train.optimizer import Optimizer, rowwise
from graphc.train.optimizers import AdagradOptimizer, AdamOptimizer, MomentumOptimizer

__all__ = [
    "AdaMaxOptimizer", "AdamWOptimizer", "AddSignOptimizer", "DecoupledWeightDecayExtension",
    "LARSOptimizer", "LazyAdamOptimizer", "MomentumWOptimizer", "MovingAverageOptimizer",
    "NadamOptimizer", "PowerSignOptimizer", "RegAdagradOptimizer", "VariableClippingOptimizer",
    "clip_gradients_by_global_norm", "extend_with_decoupled_weight_decay",
]  # fmt: skip


class NadamOptimizer(AdamOptimizer):
    """Adam with Nesterov's momentum (Dozat 2015)."""

    def _apply_dense(self, grad: Any, var: Any) -> Any:
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        b1, b2, eps = (self._hyper(t, var) for t in (self._beta1_t, self._beta2_t, self._epsilon_t))
        new_m = m + (grad - m) * (1 - b1)
        new_v = v + (math.square(grad) - v) * (1 - b2)
        keep = [state.assign(m, new_m), state.assign(v, new_v)]
        step = self._rate(var) * (new_m * b1 + grad * (1 - b1)) / (math.sqrt(new_v) + eps)
        return group(*keep, state.assign(var, var - step, name="ApplyAdam"))

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        """Moments of all rows fade; the variable changes in the rows named."""
        g, ids = grad.values, grad.indices
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        b1, b2, eps = (self._hyper(t, var) for t in (self._beta1_t, self._beta2_t, self._epsilon_t))

        def moments(old_m: Any, old_v: Any, x: Any) -> tuple[Any, Any]:
            return old_m * b1 + x * (1 - b1), old_v * b2 + math.square(x) * (1 - b2)

        new_m, new_v = moments(rows.old_rows(m, ids), rows.old_rows(v, ids), g)
        step = self._rate(var) * (new_m * b1 + g * (1 - b1)) / (math.sqrt(new_v) + eps)
        new = rows.old_rows(var, ids) - step
        whole = zip((m, v), moments(m, v, rows.whole_rows(g, ids, var)), strict=True)
        keep = [state.assign(slot, value) for slot, value in whole]
        return group(*keep, rows.replace_rows(var, ids, new))


class LazyAdamOptimizer(AdamOptimizer):
    """Adam that leaves rows alone, moments included, which a sparse gradient does not name."""

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        g, ids = grad.values, grad.indices
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        b1, b2, eps = (self._hyper(t, var) for t in (self._beta1_t, self._beta2_t, self._epsilon_t))
        new_m = rows.old_rows(m, ids) * b1 + g * (1 - b1)
        new_v = rows.old_rows(v, ids) * b2 + math.square(g) * (1 - b2)
        new = rows.old_rows(var, ids) - self._rate(var) * new_m / (math.sqrt(new_v) + eps)
        pairs = (m, new_m), (v, new_v), (var, new)
        return group(*[rows.replace_rows(target, ids, value) for target, value in pairs])


@rowwise
class AdaMaxOptimizer(AdamOptimizer):
    """Adam with the infinity norm (Kingma and Ba 2015, section 7.1).

    Rows that a sparse gradient does not name stay, moments included.
    """

    def __init__(
        self, learning_rate: Any = 0.001, beta1: Any = 0.9, beta2: Any = 0.999,
        epsilon: Any = 1e-8, use_locking: bool = False, name: str = "AdaMax",
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, beta1, beta2, epsilon, use_locking, name)

    def _get_beta_accumulators(self) -> Any:
        return self._get_non_slot_variable("beta1_power")

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        first = min(var_list, key=lambda v: v.name)
        self._create_non_slot_variable(self._call_if_callable(self._beta1), "beta1_power", first)
        for v in var_list:
            self._zeros_slot(v, "m", self._name)
            self._zeros_slot(v, "v", self._name)

    def _apply_dense(self, grad: Any, var: Any) -> Any:
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        lr, b1, b2, eps = (
            self._hyper(t, var) for t in (self._lr_t, self._beta1_t, self._beta2_t, self._epsilon_t)
        )
        old = self._old(m)
        new_m = old + (grad - old) * (1 - b1)
        new_v = math.maximum(b2 * self._old(v), math.abs(grad))
        rate = lr / (1 - self._hyper(self._get_beta_accumulators(), var))
        new = self._old(var) - rate * new_m / (new_v + eps)
        keep = [self._update(m, new_m), self._update(v, new_v)]
        return group(*keep, self._update(var, new, name="ApplyAdaMax"))

    def _finish(self, update_ops: Sequence[Any], name_scope: str) -> Any:
        power = self._get_beta_accumulators()
        with control_dependencies(list(update_ops)):
            moved = state.assign(power, power * self._hyper(self._beta1_t, power))
        return group(*update_ops, moved, name=name_scope)


# ------------------------------------------------------------------------- decoupled weight decay


class DecoupledWeightDecayExtension:
    """Adds ``variable -= weight_decay * variable`` before each update (arXiv:1711.05101).

    To be mixed into an optimizer, before it in the order of bases.

    Parameters
    ----------
    weight_decay : float or tensor
    """

    def __init__(self, weight_decay: Any, **kwargs: Any) -> None:
        self._decay_var_list: set[str] | None = None
        self._weight_decay = weight_decay
        super().__init__(**kwargs)

    def minimize(self, loss: Any, *args: Any, decay_var_list: Any = None, **kwargs: Any) -> Any:
        """Like the base's, for all variables or only `decay_var_list`."""
        self._only(decay_var_list)
        return super().minimize(loss, *args, **kwargs)  # type: ignore[misc]

    def apply_gradients(
        self, grads_and_vars: Any, global_step: Any = None, name: Any = None,
        decay_var_list: Any = None,
    ) -> Any:  # fmt: skip
        """Like the base's, for all variables or only `decay_var_list`."""
        if decay_var_list is not None:
            self._only(decay_var_list)
        return super().apply_gradients(grads_and_vars, global_step, name)  # type: ignore[misc]

    def _only(self, variables: Any) -> None:
        self._decay_var_list = {v.op.name for v in variables} if variables else None

    def _decay(self, var: Any) -> Any:
        if self._decay_var_list is not None and var.op.name not in self._decay_var_list:
            return None
        rate = self._weight_decay() if callable(self._weight_decay) else self._weight_decay
        t = convert_to_tensor(rate)
        dtype = var.dtype.base_dtype
        return var.assign_sub((t if t.dtype is dtype else math.cast(t, dtype)) * var)

    def _apply(self, g: Any, v: Any) -> Any:
        decayed = self._decay(v)
        with control_dependencies([] if decayed is None else [decayed]):
            return super()._apply(g, v)  # type: ignore[misc]


def extend_with_decoupled_weight_decay(base_optimizer: type[Optimizer]) -> type[Optimizer]:
    """An optimizer class with weight decay: its first argument is `weight_decay`."""

    class Extended(DecoupledWeightDecayExtension, base_optimizer):  # type: ignore[misc, valid-type]
        def __init__(self, weight_decay: Any, *args: Any, **kwargs: Any) -> None:
            self._decay_var_list = None
            self._weight_decay = weight_decay
            base_optimizer.__init__(self, *args, **kwargs)

    Extended.__name__ = f"{base_optimizer.__name__}WithDecay"
    return Extended


class AdamWOptimizer(DecoupledWeightDecayExtension, AdamOptimizer):
    """Adam with weight decay that is not part of the gradient."""

    def __init__(
        self, weight_decay: Any, learning_rate: Any = 0.001, beta1: Any = 0.9, beta2: Any = 0.999,
        epsilon: Any = 1e-8, use_locking: bool = False, name: str = "AdamW",
    ) -> None:  # fmt: skip
        super().__init__(
            weight_decay, learning_rate=learning_rate, beta1=beta1, beta2=beta2, epsilon=epsilon,
            use_locking=use_locking, name=name,
        )  # fmt: skip


class MomentumWOptimizer(DecoupledWeightDecayExtension, MomentumOptimizer):
    """Momentum with weight decay that is not part of the gradient."""

    def __init__(
        self, weight_decay: Any, learning_rate: Any, momentum: Any, use_locking: bool = False,
        name: str = "MomentumW", use_nesterov: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            weight_decay, learning_rate=learning_rate, momentum=momentum, use_locking=use_locking,
            name=name, use_nesterov=use_nesterov,
        )  # fmt: skip


# ------------------------------------------------------------------------- others


class LARSOptimizer(Optimizer):
    """Momentum with a rate for each layer, from the norms of weights and gradient.

    Parameters
    ----------
    learning_rate, momentum, weight_decay, eeta, epsilon : float
    skip_list : list of str, optional
        Variables with such a text in their name take the plain rate and no decay.
    """

    def __init__(
        self, learning_rate: Any, momentum: float = 0.9, weight_decay: float = 0.0001,
        eeta: float = 0.001, epsilon: float = 0.0, name: str = "LARSOptimizer",
        skip_list: Any = None, use_nesterov: bool = False,
    ) -> None:  # fmt: skip
        if momentum < 0.0:
            raise ValueError("momentum should be positive: %s" % momentum)  # noqa: UP031
        if weight_decay < 0.0:
            raise ValueError("weight_decay should be positive: %s" % weight_decay)  # noqa: UP031
        super().__init__(False, name)
        self._learning_rate, self._momentum, self._weight_decay = (
            learning_rate, momentum, weight_decay,
        )  # fmt: skip
        self._eeta, self._epsilon, self._skip = eeta, epsilon, skip_list
        self._nesterov = use_nesterov

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            self._zeros_slot(v, "momentum", self._name)

    def _prepare(self) -> None:
        self._rate = self._called(self._learning_rate, "learning_rate")

    def compute_lr(self, grad: Any, var: Any) -> Any:
        """The rate of a variable: scaled by the norms, unless it is in `skip_list`."""
        lr = self._call_if_callable(self._learning_rate)
        if self._skip is not None and any(s in var.name for s in self._skip):
            return lr
        return self._scaled(lr, grad, var)

    def _scaled(self, lr: Any, grad: Any, var: Any) -> Any:
        w, g = (
            math.sqrt(reduce.reduce_sum(math.square(convert_to_tensor(t)))) for t in (var, grad)
        )
        one = fills.ones_like(w)
        ratio = self._eeta * w / (g + self._weight_decay * w + self._epsilon)
        known = math.logical_and(math.greater(w, 0.0), math.greater(g, 0.0))
        return lr * math.select(known, ratio, one)

    def _apply_dense(self, grad: Any, var: Any) -> Any:
        lr = self._hyper(self._rate, var)
        if self._skip is None or not any(s in var.name for s in self._skip):
            lr = self._scaled(lr, grad, var)
            grad = grad + self._weight_decay * var
        slot: Any = self.get_slot(var, "momentum")
        accum = slot * self._momentum + grad * lr  # the rate is inside: it differs in each step
        keep = state.assign(slot, accum)
        step = grad * lr + accum * self._momentum if self._nesterov else accum
        return group(keep, state.assign(var, var - step, name="ApplyMomentum"))


class _SignOptimizer(Optimizer):
    """Of Bello and others 2017: the update grows where gradient and momentum agree in sign."""

    def __init__(
        self, learning_rate: Any, beta: float, sign_decay_fn: Any, use_locking: bool, name: str
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate, self._beta = learning_rate, beta
        self._sign_decay_fn: Callable[[Any], Any] | None = sign_decay_fn

    def apply_gradients(
        self, grads_and_vars: Any, global_step: Any = None, name: str | None = None
    ) -> Any:
        self._decay: Any = None
        if self._sign_decay_fn is not None:
            self._decay = self._sign_decay_fn(global_step)
        return super().apply_gradients(grads_and_vars, global_step, name)

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            self._zeros_slot(v, "m", self._name)

    def _prepare(self) -> None:
        self._rate = self._called(self._learning_rate, "learning_rate")

    def _factor(self, agreement: Any) -> Any:
        raise NotImplementedError

    def _apply_dense(self, grad: Any, var: Any) -> Any:
        m: Any = self.get_slot(var, "m")
        new_m = m * self._beta + grad * (1 - self._beta)
        agreement = math.sign(grad) * math.sign(new_m)
        if self._decay is not None:
            agreement = agreement * self._hyper(self._decay, var)
        keep = state.assign(m, new_m)
        step = self._hyper(self._rate, var) * self._factor(agreement) * grad
        return group(keep, state.assign(var, var - step))

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        whole = IndexedSlices(grad.values, grad.indices, shapes.shape(var))
        return self._apply_dense(to_dense(whole), var)


class AddSignOptimizer(_SignOptimizer):
    """``variable -= learning_rate * (alpha + sign(g) * sign(m)) * g``."""

    def __init__(
        self, learning_rate: Any = 0.1, alpha: float = 1.0, beta: float = 0.9,
        sign_decay_fn: Any = None, use_locking: bool = False, name: str = "AddSignOptimizer",
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, beta, sign_decay_fn, use_locking, name)
        self._alpha = alpha

    def _factor(self, agreement: Any) -> Any:
        return self._alpha + agreement


class PowerSignOptimizer(_SignOptimizer):
    """``variable -= learning_rate * base ** (sign(g) * sign(m)) * g``."""

    def __init__(
        self, learning_rate: Any = 0.1, base: float = pymath.e, beta: float = 0.9,
        sign_decay_fn: Any = None, use_locking: bool = False, name: str = "PowerSignOptimizer",
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, beta, sign_decay_fn, use_locking, name)
        self._log_base = pymath.log(base)

    def _factor(self, agreement: Any) -> Any:
        return math.exp(self._log_base * agreement)


class RegAdagradOptimizer(AdagradOptimizer):
    """Adagrad whose accumulators can be left alone: see `avoid_updating_slots`."""

    _keep_slots = True

    @contextlib.contextmanager
    def avoid_updating_slots(self) -> Iterator[None]:
        """Updates that are made inside read the accumulators and leave them as they are."""
        self._keep_slots = False
        try:
            yield
        finally:
            self._keep_slots = True

    def _apply_dense(self, grad: Any, var: Any) -> Any:
        if self._keep_slots:
            return super()._apply_dense(grad, var)
        lr = self._hyper(self._learning_rate_tensor, var)
        slot: Any = self.get_slot(var, "accumulator")
        step = grad * lr * math.rsqrt(convert_to_tensor(slot))
        return self._update(var, var - step, name="ApplyAdagrad")

    def __init__(
        self, learning_rate: Any, initial_accumulator_value: float = 0.1,
        use_locking: bool = False, name: str = "RegAdagrad",
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, initial_accumulator_value, use_locking, name)


class _Wrapper(Optimizer):
    """An optimizer around another one."""

    def __init__(self, opt: Optimizer, name: str) -> None:
        super().__init__(False, name)
        self._opt = opt

    def compute_gradients(self, *args: Any, **kwargs: Any) -> Any:
        return self._opt.compute_gradients(*args, **kwargs)

    def get_slot(self, *args: Any, **kwargs: Any) -> Any:
        return self._opt.get_slot(*args, **kwargs)

    def get_slot_names(self, *args: Any, **kwargs: Any) -> Any:
        return self._opt.get_slot_names(*args, **kwargs)

    def variables(self) -> Any:
        return self._opt.variables()


class MovingAverageOptimizer(_Wrapper):
    """Keeps moving averages of the variables that another optimizer trains.

    Parameters
    ----------
    opt : Optimizer
    average_decay : float
    num_updates : tensor, optional
    sequential_update : bool
        Whether the averages are taken after the update.
    """

    def __init__(
        self, opt: Optimizer, average_decay: float = 0.9999, num_updates: Any = None,
        sequential_update: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(opt, "MovingAverage")
        self._ema = ExponentialMovingAverage(average_decay, num_updates=num_updates)
        self._sequential = sequential_update
        self._averaged: dict[str, Any] | None = None

    def apply_gradients(
        self, grads_and_vars: Any, global_step: Any = None, name: str | None = None
    ) -> Any:
        pairs = list(grads_and_vars)
        train = self._opt.apply_gradients(pairs, global_step, name)
        variables = [v for g, v in pairs if g is not None]
        with control_dependencies([train] if self._sequential else []):
            averages = self._ema.apply(variables)
        self._averaged = {v.op.name: self._ema.average(v) for v in variables}
        return group(train, averages, name="train_with_avg")

    def swapping_saver(
        self, var_list: Any = None, name: str = "swapping_saver", **kwargs: Any
    ) -> Any:
        """A saver that writes the averages under the names of the variables.

        Raises
        ------
        RuntimeError
            Before `apply_gradients`.
        """
        from graphc.face.variables import global_variables
        from graphc.train.saver import Saver

        if self._averaged is None:
            raise RuntimeError("Must call apply_gradients or minimize before creating the "
                               "swapping_saver")  # fmt: skip
        table = var_list if isinstance(var_list, dict) else {
            v.op.name: v for v in var_list or global_variables()
        }  # fmt: skip
        averages = {id(a): n for n, a in self._averaged.items()}
        chosen = {}
        for key, v in table.items():
            if id(v) not in averages:
                chosen[key] = self._averaged.get(v.op.name, v)
        return Saver(chosen, name=name, **kwargs)


class VariableClippingOptimizer(_Wrapper):
    """Clips variables by norm after another optimizer's update.

    Parameters
    ----------
    vars_to_clip_dims : dict from variable to list of axes
        Over which the norm is taken.
    max_norm : float
    """

    def __init__(
        self, opt: Optimizer, vars_to_clip_dims: Any, max_norm: Any, use_locking: bool = False,
        colocate_clip_ops_with_vars: bool = False, name: str = "VariableClipping",
    ) -> None:  # fmt: skip
        super().__init__(opt, name)
        self._dims = dict(vars_to_clip_dims)
        self._max_norm = max_norm

    def apply_gradients(
        self, grads_and_vars: Any, global_step: Any = None, name: str | None = None
    ) -> Any:
        train = self._opt.apply_gradients(grads_and_vars, global_step, name)
        with control_dependencies([train]):
            clipped = [
                v.assign(clip_by_norm(v.read_value(), self._max_norm, list(axes)))
                for v, axes in self._dims.items()
            ]
        return group(train, *clipped)


def clip_gradients_by_global_norm(gradients_variables: Any, clip_norm: float = 20.0) -> Any:
    """Pairs (gradient, variable) whose gradients are clipped together."""
    gradients, variables = zip(*gradients_variables, strict=True)
    clipped, _ = clip_by_global_norm(list(gradients), clip_norm)
    return list(zip(clipped, variables, strict=True))
