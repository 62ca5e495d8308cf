"""``tf.keras.optimizers``: Keras's formulas and defaults."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from graphc.face.control import group
from graphc.face.graph import get_default_graph
from graphc.keras.optimizer_base import Optimizer, OptimizerV2
from graphc.keras.schedules import LearningRateSchedule
from graphc.layers.named import OBJECTS
from graphc.ops import fills, math, rows, state
from graphc.ops.convert import convert_to_tensor
from graphc.train import optimizers as plain
from graphc.train.optimizer import Optimizer as PlainOptimizer

__all__ = [
    "SGD", "Adadelta", "Adagrad", "Adam", "Adamax", "Ftrl", "Nadam", "Optimizer", "OptimizerV2",
    "RMSprop", "TFOptimizer", "deserialize", "get", "serialize",
]  # fmt: skip


class _Formula(OptimizerV2):
    """Base of the optimizers here: a formula for one variable, or for the rows of one.

    A subclass says its numbers with `_begin`, its slots with `_slots_of`, what it computes once a
    step with `_shared`, and the step of a variable with `_update`.
    """

    #: Attributes that `get_config` gives beside the numbers: name there → attribute.
    _fixed: ClassVar[dict[str, str]] = {}

    def _begin(self, learning_rate: Any, kwargs: dict[str, Any], **numbers: Any) -> None:
        self._set_hyper("learning_rate", kwargs.get("lr", learning_rate))
        self._set_hyper("decay", self._initial_decay)
        for name, value in numbers.items():
            self._set_hyper(name, value)
        self._named_numbers = list(self._hyper)
        self._ids: Any = None  # the rows that a sparse gradient names

    def _slots_of(self) -> list[tuple[str, Any]]:
        """Names of the variables beside each variable, and how they begin."""
        return []

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for slot, fill in self._slots_of():  # slot by slot, as TF1 orders the weights
            for v in var_list:
                self.add_slot(v, slot, fill)

    # ---- what a step computes once, by TensorFlow's names: programs read and change it

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: Any) -> None:
        super()._prepare_local(var_device, var_dtype, apply_state)
        at = apply_state[(var_device, var_dtype)]
        if "epsilon" in self._fixed:
            at["epsilon"] = convert_to_tensor(self.__dict__["epsilon"], var_dtype)
        self._shared(at, var_dtype)

    def _shared(self, at: dict[str, Any], dtype: Any) -> None:
        """Add to `at`, which has the rate ``lr_t``."""

    def _shared_hyper(self, name: str, dtype: Any) -> Any:
        return state.identity(self._get_hyper(name, dtype))

    def _at(self, var: Any, apply_state: Any) -> dict[str, Any]:
        place = (var.device or "", var.dtype.base_dtype)
        found: dict[str, Any] | None = (apply_state or {}).get(place)
        return found or self._fallback_apply_state(*place)

    # ---- steps

    def _resource_apply_dense(self, grad: Any, var: Any, apply_state: Any = None) -> Any:
        return self._update(var, grad, self._at(var, apply_state))

    def _resource_apply_sparse(
        self, grad: Any, var: Any, indices: Any, apply_state: Any = None
    ) -> Any:
        self._ids = indices
        try:
            return self._update(var, grad, self._at(var, apply_state))
        finally:
            self._ids = None

    def _resource_apply_sparse_duplicate_indices(
        self, grad: Any, handle: Any, indices: Any, **kwargs: Any
    ) -> Any:
        if not self._takes_equal_rows():
            return super()._resource_apply_sparse_duplicate_indices(grad, handle, indices, **kwargs)
        # a formula sets rows, so those named twice may stay, each with the sum
        total = rows.sum_equal_rows(grad, indices, rows.count_rows(handle))
        return self._resource_apply_sparse(total, handle, indices, **kwargs)

    def _takes_equal_rows(self) -> bool:
        """Whether the step for rows is the one of this module, not that of a program."""
        return type(self)._resource_apply_sparse is _Formula._resource_apply_sparse

    def _lr(self, at: dict[str, Any]) -> Any:
        """The rate, which programs may have changed: TensorFlow has another for rows in some."""
        return at["lr_t"] if self._ids is None else -at["neg_lr_t"]

    def _update(self, var: Any, grad: Any, at: dict[str, Any]) -> Any:
        """Operations of one step for one variable.

        It reads variables by `_old` and changes them by `_put`, so that for a sparse gradient it
        is about the rows named; by `_decay` where all rows of a slot fade.
        """
        raise NotImplementedError

    def _old(self, var: Any) -> Any:
        return var if self._ids is None else rows.old_rows(var, self._ids)

    def _put(self, var: Any, new: Any) -> Any:
        return var.assign(new) if self._ids is None else rows.replace_rows(var, self._ids, new)

    def _named(self, slot: Any, grad: Any, rule: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
        """The new rows of a slot by a rule of its old ones and the gradient, and their update."""
        new = rule(self._old(slot), grad)
        return new, self._put(slot, new)

    def _decay(self, slot: Any, grad: Any, rule: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
        """The new rows of a slot by a rule of its old ones and the gradient, and its update."""
        new = rule(self._old(slot), grad)
        if self._ids is None:
            return new, slot.assign(new)
        return new, slot.assign(rule(slot, rows.whole_rows(grad, self._ids, slot)))

    def _time(self, dtype: Any) -> Any:
        return math.cast(convert_to_tensor(self.iterations) + 1, dtype)

    def get_config(self) -> dict[str, Any]:
        out = super().get_config()
        out.update({k: self._serialize_hyperparameter(k) for k in self._named_numbers})
        out.update({k: getattr(self, attribute) for k, attribute in self._fixed.items()})
        return out


class SGD(_Formula):
    """``velocity = momentum * velocity - lr * gradient; var += velocity``."""

    _fixed: ClassVar[dict[str, str]] = {"nesterov": "nesterov"}

    def __init__(
        self, learning_rate: Any = 0.01, momentum: Any = 0.0, nesterov: bool = False,
        name: str = "SGD", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, **kwargs)
        if isinstance(momentum, int | float) and not 0 <= momentum <= 1:
            raise ValueError("`momentum` must be between [0, 1].")
        self._momentum = not isinstance(momentum, int | float) or momentum > 0
        self._begin(learning_rate, kwargs, momentum=momentum)
        self.nesterov = nesterov

    def _slots_of(self) -> list[tuple[str, Any]]:
        return [("momentum", "zeros")] if self._momentum else []

    def _shared(self, at: dict[str, Any], dtype: Any) -> None:
        at["momentum"] = self._shared_hyper("momentum", dtype)

    def _update(self, var: Any, grad: Any, at: dict[str, Any]) -> Any:
        lr = at["lr_t"]
        if not self._momentum:
            if self._ids is None:
                return state.assign_sub(var, lr * grad)
            return rows.replace_rows(var, self._ids, self._old(var) - lr * grad)
        m = at["momentum"]
        slot = self.get_slot(var, "momentum")
        moved = m * self._old(slot) - lr * grad
        step = m * moved - lr * grad if self.nesterov else moved
        new = self._old(var) + step
        return group(self._put(slot, moved), self._put(var, new))


class RMSprop(_Formula):
    """Steps divided by the root of a moving average of squares."""

    _fixed: ClassVar[dict[str, str]] = {"epsilon": "epsilon", "centered": "centered"}

    def __init__(
        self, learning_rate: Any = 0.001, rho: Any = 0.9, momentum: Any = 0.0,
        epsilon: float = 1e-7, centered: bool = False, name: str = "RMSprop", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, **kwargs)
        if isinstance(momentum, int | float) and not 0 <= momentum <= 1:
            raise ValueError("`momentum` must be between [0, 1].")
        self._begin(learning_rate, kwargs, rho=rho, momentum=momentum)
        self._momentum = not isinstance(momentum, int | float) or momentum > 0
        self.epsilon, self.centered = epsilon or 1e-7, centered

    def _slots_of(self) -> list[tuple[str, Any]]:
        names = ["rms", *["momentum"] * self._momentum, *["mg"] * self.centered]
        return [(n, "zeros") for n in names]

    def _shared(self, at: dict[str, Any], dtype: Any) -> None:
        rho = self._shared_hyper("rho", dtype)
        at.update(
            neg_lr_t=-at["lr_t"], rho=rho, momentum=self._shared_hyper("momentum", dtype),
            one_minus_rho=1.0 - rho,
        )  # fmt: skip

    def _update(self, var: Any, grad: Any, at: dict[str, Any]) -> Any:
        lr, rho, rest = self._lr(at), at["rho"], at["one_minus_rho"]
        slot = self.get_slot(var, "rms")
        changed = self._named if self._momentum else self._decay  # as in TF 1.15
        rms, done = changed(slot, grad, lambda old, g: rho * old + rest * math.square(g))
        ops, spread = [done], rms
        if self.centered:
            mg, done = changed(
                self.get_slot(var, "mg"), grad, lambda old, g: rho * old + rest * g
            )  # fmt: skip
            ops.append(done)
            spread = rms - math.square(mg)
        if not self._momentum:
            step = lr * grad / (math.sqrt(spread) + at["epsilon"])
        else:
            mom = self.get_slot(var, "momentum")
            step = at["momentum"] * self._old(mom) + lr * grad / math.sqrt(spread + at["epsilon"])
            ops.append(self._put(mom, step))
        return group(*ops, self._put(var, self._old(var) - step))


class Adagrad(_Formula):
    """Steps divided by the root of the sum of squares."""

    _fixed: ClassVar[dict[str, str]] = {
        "initial_accumulator_value": "_initial_accumulator_value",
        "epsilon": "epsilon",
    }

    def __init__(
        self, learning_rate: Any = 0.001, initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7, name: str = "Adagrad", **kwargs: Any,
    ) -> None:  # fmt: skip
        if initial_accumulator_value < 0.0:
            raise ValueError(
                f"initial_accumulator_value must be non-negative: {initial_accumulator_value}"
            )
        super().__init__(name, **kwargs)
        self._begin(learning_rate, kwargs)
        self._initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon or 1e-7

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        # made by name it begins with 0, as in TF 1.15
        return super().from_config({"initial_accumulator_value": 0.0, **config}, custom_objects)

    def _slots_of(self) -> list[tuple[str, Any]]:
        value = self._initial_accumulator_value
        return [("accumulator", lambda s, dtype: fills.ones(s, dtype) * value)]

    def _shared(self, at: dict[str, Any], dtype: Any) -> None:
        at.update(neg_lr_t=-at["lr_t"], zero=convert_to_tensor(0, "int64"))

    def _update(self, var: Any, grad: Any, at: dict[str, Any]) -> Any:
        slot = self.get_slot(var, "accumulator")
        total = self._old(slot) + math.square(grad)
        new = self._old(var) - at["lr_t"] * grad / (math.sqrt(total) + at["epsilon"])
        return group(self._put(slot, total), self._put(var, new))


class Adadelta(_Formula):
    """Steps in proportion to the steps before, by the roots of moving averages."""

    _fixed: ClassVar[dict[str, str]] = {"epsilon": "epsilon"}

    def __init__(
        self, learning_rate: Any = 0.001, rho: Any = 0.95, epsilon: float = 1e-7,
        name: str = "Adadelta", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, **kwargs)
        self._begin(learning_rate, kwargs, rho=rho)
        self.epsilon = epsilon or 1e-7

    def _slots_of(self) -> list[tuple[str, Any]]:
        return [("accum_grad", "zeros"), ("accum_var", "zeros")]

    def _shared(self, at: dict[str, Any], dtype: Any) -> None:
        at["rho"] = self._shared_hyper("rho", dtype)

    def _update(self, var: Any, grad: Any, at: dict[str, Any]) -> Any:
        rho, epsilon = at["rho"], at["epsilon"]
        a, b = self.get_slot(var, "accum_grad"), self.get_slot(var, "accum_var")
        squares, old = rho * self._old(a) + (1.0 - rho) * math.square(grad), self._old(b)
        step = math.sqrt(old + epsilon) * math.rsqrt(squares + epsilon) * grad
        steps = rho * old + (1.0 - rho) * math.square(step)
        new = self._old(var) - at["lr_t"] * step
        return group(self._put(a, squares), self._put(b, steps), self._put(var, new))


class _Moments(_Formula):
    """Base of Adam and Adamax: ``beta_1``, ``beta_2`` and the powers of them."""

    #: Which of the two have a power and ``one_minus_…`` in what is computed once a step.
    _powers: tuple[str, ...] = ("beta_1", "beta_2")

    def _slots_of(self) -> list[tuple[str, Any]]:
        return [("m", "zeros"), ("v", "zeros")]

    def _shared(self, at: dict[str, Any], dtype: Any) -> None:
        step = self._time(dtype)
        for name in ("beta_1", "beta_2"):
            beta = at[f"{name}_t"] = self._shared_hyper(name, dtype)
            if name in self._powers:
                at[f"{name}_power"] = math.pow(beta, step)
                at[f"one_minus_{name}_t"] = 1.0 - beta


class Adam(_Moments):
    """Adaptive moments (Kingma and Ba, arXiv:1412.6980); with `amsgrad` the largest second one."""

    _fixed: ClassVar[dict[str, str]] = {"epsilon": "epsilon", "amsgrad": "amsgrad"}

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: Any = 0.9, beta_2: Any = 0.999,
        epsilon: float = 1e-7, amsgrad: bool = False, name: str = "Adam", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, **kwargs)
        self._begin(learning_rate, kwargs, beta_1=beta_1, beta_2=beta_2)
        self.epsilon, self.amsgrad = epsilon or 1e-7, amsgrad

    def _slots_of(self) -> list[tuple[str, Any]]:
        return [(n, "zeros") for n in ("m", "v", *["vhat"] * self.amsgrad)]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set its variables; what Keras's older Adam had beside them is left out."""
        own = self.weights
        if len(weights) == 3 * ((len(own) - 1) // 2) + 1:
            weights = weights[: len(own)]
        super().set_weights(weights)

    def _shared(self, at: dict[str, Any], dtype: Any) -> None:
        super()._shared(at, dtype)
        at["lr"] = self._rate(at)

    def _rate(self, at: dict[str, Any]) -> Any:
        return at["lr_t"] * (math.sqrt(1.0 - at["beta_2_power"]) / (1.0 - at["beta_1_power"]))

    def _resource_apply_sparse(
        self, grad: Any, var: Any, indices: Any, apply_state: Any = None
    ) -> Any:
        at = self._at(var, apply_state)  # all rows move
        return self._step(var, rows.whole_rows(grad, indices, var), at, at["lr"])

    def _takes_equal_rows(self) -> bool:
        return type(self)._resource_apply_sparse is Adam._resource_apply_sparse

    def _update(self, var: Any, grad: Any, at: dict[str, Any]) -> Any:
        return self._step(var, grad, at, self._rate(at))

    def _step(self, var: Any, grad: Any, at: dict[str, Any], rate: Any) -> Any:
        ms, vs = self.get_slot(var, "m"), self.get_slot(var, "v")
        m = ms + (grad - ms) * at["one_minus_beta_1_t"]
        v = vs + (math.square(grad) - vs) * at["one_minus_beta_2_t"]
        ops, spread = [ms.assign(m), vs.assign(v)], v
        if self.amsgrad:
            hat = self.get_slot(var, "vhat")
            spread = math.maximum(hat, v)
            ops.append(hat.assign(spread))
        step = rate * m / (math.sqrt(spread) + at["epsilon"])
        return group(*ops, state.assign_sub(var, step))


class Adamax(_Moments):
    """Adam with the largest gradient instead of the second moment."""

    _powers = ("beta_1",)
    _fixed: ClassVar[dict[str, str]] = {"epsilon": "epsilon"}

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: Any = 0.9, beta_2: Any = 0.999,
        epsilon: float = 1e-7, name: str = "Adamax", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, **kwargs)
        self._begin(learning_rate, kwargs, beta_1=beta_1, beta_2=beta_2)
        self.epsilon = epsilon or 1e-7

    def _shared(self, at: dict[str, Any], dtype: Any) -> None:
        super()._shared(at, dtype)
        at.update(
            neg_scaled_lr=-at["lr_t"] / (1.0 - at["beta_1_power"]), zero=convert_to_tensor(0, dtype)
        )

    def _update(self, var: Any, grad: Any, at: dict[str, Any]) -> Any:
        ms, vs = self.get_slot(var, "m"), self.get_slot(var, "v")
        old = self._old(ms)
        m = old + (grad - old) * at["one_minus_beta_1_t"]
        v = math.maximum(at["beta_2_t"] * self._old(vs), math.abs(grad))
        # the step for rows has a rate of its own, which programs may have changed
        lr = at["lr_t"] / (1.0 - at["beta_1_power"]) if self._ids is None else -at["neg_scaled_lr"]
        new = self._old(var) - lr * m / (v + at["epsilon"])
        return group(self._put(ms, m), self._put(vs, v), self._put(var, new))


class Nadam(_Formula):
    """Adam with Nesterov's momentum (Dozat 2015)."""

    _fixed: ClassVar[dict[str, str]] = {"epsilon": "epsilon"}

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: Any = 0.9, beta_2: Any = 0.999,
        epsilon: float = 1e-7, name: str = "Nadam", **kwargs: Any,
    ) -> None:  # fmt: skip
        # ``decay`` is that of the momentum here; what is given by this name is not used
        kwargs["decay"] = kwargs.pop("schedule_decay", 0.004)
        if isinstance(kwargs.get("lr", learning_rate), LearningRateSchedule):
            raise ValueError(
                "The Nadam optimizer does not support tf.keras.optimizers.LearningRateSchedules as "
                "the learning rate."
            )
        super().__init__(name, **kwargs)
        self._begin(learning_rate, kwargs, beta_1=beta_1, beta_2=beta_2)
        self.epsilon = epsilon or 1e-7
        self._m_cache: Any = None

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        if self._m_cache is None:
            self._m_cache = self.add_weight(
                "momentum_cache", [], var_list[0].dtype.base_dtype, "ones", trainable=False
            )
            self._weights.append(self._m_cache)
        super()._create_slots(var_list)

    def _slots_of(self) -> list[tuple[str, Any]]:
        return [("m", "zeros"), ("v", "zeros")]

    def _prepare(self, var_list: Sequence[Any]) -> dict[tuple[str, Any], dict[str, Any]]:
        self._m_cache_read = state.identity(self._m_cache)  # as it is before the step
        return super()._prepare(var_list)

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: Any) -> None:
        rate = state.identity(self._get_hyper("learning_rate", var_dtype))  # never falls
        b1, b2 = (self._shared_hyper(n, var_dtype) for n in ("beta_1", "beta_2"))
        t, falls = self._time(var_dtype), self._initial_decay
        now = b1 * (1.0 - 0.5 * math.pow(0.96, falls * t))
        then = b1 * (1.0 - 0.5 * math.pow(0.96, falls * (t + 1.0)))
        product = math.cast(self._m_cache_read, var_dtype) * now
        if var_dtype == self._m_cache.dtype.base_dtype:
            product = state.identity(self._m_cache.assign(product))
        apply_state[(var_device, var_dtype)] = {
            "lr_t": rate, "neg_lr_t": -rate, "beta_1_t": b1, "beta_2_t": b2, "m_t": now,
            "epsilon": convert_to_tensor(self.epsilon, var_dtype), "m_t_1": then,
            "one_minus_beta_1_t": 1.0 - b1, "one_minus_beta_2_t": 1.0 - b2,
            "one_minus_m_t": 1.0 - now, "one_minus_m_schedule_new": 1.0 - product,
            "one_minus_m_schedule_next": 1.0 - product * then,
            "v_t_prime_denominator": 1.0 - math.pow(b2, t),
        }  # fmt: skip

    def _update(self, var: Any, grad: Any, at: dict[str, Any]) -> Any:
        b1, b2 = at["beta_1_t"], at["beta_2_t"]
        rest1, rest2 = at["one_minus_beta_1_t"], at["one_minus_beta_2_t"]
        g = grad / at["one_minus_m_schedule_new"]
        m, first = self._decay(
            self.get_slot(var, "m"), grad, lambda old, g: b1 * old + rest1 * g
        )  # fmt: skip
        v, second = self._decay(
            self.get_slot(var, "v"), grad, lambda old, g: b2 * old + rest2 * math.square(g)
        )
        ahead = m / at["one_minus_m_schedule_next"]
        spread = v / at["v_t_prime_denominator"]
        step = self._lr(at) * (at["one_minus_m_t"] * g + at["m_t_1"] * ahead)
        new = self._old(var) - step / (math.sqrt(spread) + at["epsilon"])
        return group(first, second, self._put(var, new))


class TFOptimizer(OptimizerV2):
    """An optimizer of ``tf.train`` as one of Keras's."""

    def __init__(self, optimizer: Any) -> None:
        super().__init__(optimizer.get_name())
        self.optimizer = optimizer

    def apply_gradients(self, grads_and_vars: Any, name: str | None = None) -> Any:
        step = self.iterations
        done = self.optimizer.apply_gradients(list(grads_and_vars))
        with get_default_graph().control_dependencies([done]):
            return step.assign_add(1).op

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError("an optimizer of tf.train has no configuration")


class Ftrl(_Formula):
    """Follow the regularised leader (McMahan et al. 2013).

    Parameters
    ----------
    learning_rate : float, variable or schedule
    learning_rate_power : float
        At most 0.
    initial_accumulator_value, l1_regularization_strength, l2_regularization_strength, \
    l2_shrinkage_regularization_strength : float
        At least 0.
    """

    _fixed: ClassVar[dict[str, str]] = {
        "initial_accumulator_value": "_initial_accumulator_value",
        "l2_shrinkage_regularization_strength": "_l2_shrinkage_regularization_strength",
    }

    def __init__(
        self, learning_rate: Any = 0.001, learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1, l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0, name: str = "Ftrl",
        l2_shrinkage_regularization_strength: float = 0.0, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, **kwargs)
        plain.FtrlOptimizer(  # it checks the numbers
            learning_rate, learning_rate_power, initial_accumulator_value,
            l1_regularization_strength, l2_regularization_strength,
            l2_shrinkage_regularization_strength=l2_shrinkage_regularization_strength,
        )  # fmt: skip
        self._begin(
            learning_rate, kwargs, learning_rate_power=learning_rate_power,
            l1_regularization_strength=l1_regularization_strength,
            l2_regularization_strength=l2_regularization_strength,
        )  # fmt: skip
        self._initial_accumulator_value = initial_accumulator_value
        self._l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        value = self._initial_accumulator_value
        for v in var_list:  # variable by variable
            self.add_slot(v, "accumulator", lambda s, dtype: fills.ones(s, dtype) * value)
            self.add_slot(v, "linear")

    def _shared(self, at: dict[str, Any], dtype: Any) -> None:
        for name in (
            "learning_rate_power", "l1_regularization_strength", "l2_regularization_strength",
        ):  # fmt: skip
            at[name] = self._shared_hyper(name, dtype)
        shrinkage = self._l2_shrinkage_regularization_strength
        at["l2_shrinkage_regularization_strength"] = convert_to_tensor(shrinkage, dtype)

    def _update(self, var: Any, grad: Any, at: dict[str, Any]) -> Any:
        power = at["learning_rate_power"]
        l1, l2 = at["l1_regularization_strength"], at["l2_regularization_strength"]
        slots = [self.get_slot(var, n) for n in ("accumulator", "linear")]
        w, accum, linear = (convert_to_tensor(self._old(v)) for v in (var, *slots))
        shrinkage = self._l2_shrinkage_regularization_strength
        new = plain.ftrl(w, accum, linear, grad, at["lr_t"], power, l1, l2, shrinkage)
        return group(*[self._put(v, x) for v, x in zip((var, *slots), new, strict=True)])


_NAMES = {k.lower(): v for k, v in {
    "SGD": SGD, "RMSprop": RMSprop, "Adagrad": Adagrad, "Adadelta": Adadelta, "Adam": Adam,
    "Adamax": Adamax, "Nadam": Nadam, "Ftrl": Ftrl,
}.items()}  # fmt: skip


def serialize(optimizer: Any) -> dict[str, Any]:
    """An optimizer's class and configuration."""
    return {"class_name": type(optimizer).__name__, "config": optimizer.get_config()}


def deserialize(config: dict[str, Any], custom_objects: Any = None) -> Any:
    """An optimizer from `serialize`'s data."""
    name = config["class_name"]
    kind: Any = {**_NAMES, **OBJECTS, **(custom_objects or {})}.get(name) or _NAMES.get(
        name.lower()
    )
    if kind is None:
        raise ValueError(f"Unknown optimizer: {name}")
    given = config.get("config", {})
    if "custom_objects" in inspect.signature(kind.from_config).parameters:
        return kind.from_config(given, custom_objects)
    return kind.from_config(given)


def get(identifier: Any) -> Any:
    """The optimizer for a name, a configuration, or an optimizer.

    Raises
    ------
    ValueError
    """
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, PlainOptimizer):
        return TFOptimizer(identifier)
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        return deserialize({"class_name": identifier, "config": {}})
    if inspect.isclass(identifier):
        return identifier()
    raise ValueError("Could not interpret optimizer identifier:", identifier)
