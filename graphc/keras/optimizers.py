"""``tf.keras.optimizers``: Keras's formulas and defaults."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from graphc.face.control import group
from graphc.face.current import name_scope
from graphc.face.gradients import gradients
from graphc.face.graph import get_default_graph
from graphc.face.variables import Variable
from graphc.keras.schedules import LearningRateSchedule
from graphc.keras.schedules import deserialize as schedule_of
from graphc.layers.named import OBJECTS
from graphc.ops import fills, math, reduce, rows, state
from graphc.ops.convert import convert_to_tensor
from graphc.ops.indexed import IndexedSlices
from graphc.train import optimizers as plain
from graphc.train.optimizer import Optimizer as PlainOptimizer


class Optimizer:
    """Base of Keras's optimizers: subclasses define ``_update(var, gradient, lr)``.

    Parameters
    ----------
    name : str
    lr, decay, clipnorm, clipvalue : float, optional
        As keywords: another name of the rate; the rate falls as ``1 / (1 + decay * step)``;
        bounds on the norm and on the elements of each gradient.
    """

    #: Names of the numbers that `get_config` gives.
    _hyper_names: tuple[str, ...] = ()

    def __init__(self, name: str, learning_rate: Any = 0.001, **kwargs: Any) -> None:
        for key in kwargs:
            if key not in ("lr", "decay", "clipnorm", "clipvalue"):
                raise TypeError(f"Unexpected keyword argument passed to optimizer: {key}")
        self._name = name
        self._graph: Any = None
        self._numbers: dict[str, Any] = {
            "learning_rate": kwargs.get("lr", learning_rate), "decay": kwargs.get("decay", 0.0),
        }  # fmt: skip
        self._made: dict[str, Variable] = {}
        self._slots: dict[tuple[str, str], Variable] = {}
        self._weights: list[Variable] = []
        self._iterations: Any = None
        self._ids: Any = None  # the rows that a sparse gradient names
        self.clipnorm, self.clipvalue = kwargs.get("clipnorm"), kwargs.get("clipvalue")

    # ---- numbers

    def _set(self, **numbers: Any) -> None:
        self._numbers.update(numbers)

    def _number(self, name: str) -> Any:
        """A number as a variable of the current graph, so that it can be changed."""
        value = self._numbers[name]
        if callable(value) or isinstance(value, Variable):
            return value
        if name not in self._made:
            self._made[name] = Variable(float(value), trainable=False, name=name, dtype="float32")
        return self._made[name]

    @property
    def iterations(self) -> Any:
        """How often it was applied: a variable."""
        if self._iterations is None:
            self._iterations = Variable(0, trainable=False, name="iter", dtype="int64")
            self._weights.insert(0, self._iterations)
        return self._iterations

    @iterations.setter
    def iterations(self, variable: Any) -> None:
        if self._iterations is not None:
            raise RuntimeError(
                "Cannot set `iterations` to a new Variable after the Optimizer weights have been "
                "created"
            )
        self._iterations = variable
        self._weights.append(variable)

    def __getattr__(self, name: str) -> Any:
        key = "learning_rate" if name == "lr" else name
        numbers = self.__dict__.get("_numbers", {})
        if key in numbers:
            return self._number(key)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        key = "learning_rate" if name == "lr" else name
        if key in self.__dict__.get("_numbers", {}):
            if key in self._made and not callable(value):
                from graphc.keras import sessions

                sessions.set_value(self._made[key], value)
            else:
                self._numbers[key] = value
            return
        object.__setattr__(self, name, value)

    def _rate(self, dtype: Any) -> Any:
        step = math.cast(self.iterations, dtype)
        lr = self._number("learning_rate")
        if isinstance(lr, LearningRateSchedule):
            lr = lr(step)
        elif callable(lr) and not isinstance(lr, Variable):
            lr = lr()
        rate = math.cast(lr, dtype)
        if self._numbers["decay"]:
            rate = rate / (1.0 + math.cast(self._number("decay"), dtype) * step)
        return rate

    def _hyper(self, name: str, dtype: Any) -> Any:
        value = self._number(name)
        value = value() if callable(value) and not isinstance(value, Variable) else value
        return math.cast(convert_to_tensor(value), dtype)

    # ---- slots

    def add_slot(self, var: Any, slot_name: str, initializer: Any = "zeros") -> Variable:
        """A variable beside `var`."""
        key = (var.op.name, slot_name)
        if key not in self._slots:
            fill = fills.zeros if initializer == "zeros" else initializer
            sizes, kind = var.get_shape().as_list(), var.dtype.base_dtype
            self._slots[key] = Variable(
                lambda: fill(sizes, kind), trainable=False, name=f"{var.op.name}/{slot_name}"
            )
            self._weights.append(self._slots[key])
        return self._slots[key]

    def get_slot(self, var: Any, slot_name: str) -> Variable:
        """The variable `slot_name` beside `var`."""
        return self._slots[(var.op.name, slot_name)]

    @property
    def weights(self) -> list[Variable]:
        return list(self._weights)

    def variables(self) -> list[Variable]:
        """The variables it made for its steps."""
        return list(self._weights)

    def get_weights(self) -> list[Any]:
        """Values of its variables."""
        from graphc.keras import sessions

        return sessions.batch_get_value(self.weights)

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set its variables."""
        from graphc.keras import sessions

        if len(weights) != len(self._weights):
            raise ValueError(
                f"You called `set_weights(weights)` on optimizer {self._name} with a  weight list "
                f"of length {len(weights)}, but the optimizer was expecting {len(self._weights)} "
                "weights."
            )
        sessions.batch_set_value(list(zip(self._weights, weights, strict=True)))

    # ---- steps

    def get_gradients(self, loss: Any, params: Sequence[Any]) -> list[Any]:
        """Derivatives of `loss`, clipped.

        Raises
        ------
        ValueError
            Where one does not exist.
        """
        made = gradients(loss, list(params))
        for g, p in zip(made, params, strict=True):
            if g is None:
                raise ValueError(
                    f"Variable {p} has `None` for gradient. Please make sure that all of your ops "
                    "have a gradient defined (i.e. are differentiable)."
                )
        return [self._clipped(g) for g in made]

    def _clipped(self, g: Any) -> Any:
        if self.clipnorm is None and self.clipvalue is None:
            return g
        x = g.values if isinstance(g, IndexedSlices) else g
        if self.clipnorm is not None:
            size = math.sqrt(reduce.reduce_sum(x * x))
            x = x * (self.clipnorm / math.maximum(size, float(self.clipnorm)))
        if self.clipvalue is not None:
            x = math.clip_by_value(x, -self.clipvalue, self.clipvalue)
        return IndexedSlices(x, g.indices, g.dense_shape) if isinstance(g, IndexedSlices) else x

    def get_updates(self, loss: Any, params: Sequence[Any]) -> list[Any]:
        """Operations of one step."""
        grads = self.get_gradients(loss, params)
        return [self.apply_gradients(zip(grads, params, strict=True))]

    def minimize(
        self, loss: Any, var_list: Any, grad_loss: Any = None, name: str | None = None
    ) -> Any:
        """An operation that goes one step down `loss` (a tensor, or a function of none)."""
        value = loss() if callable(loss) and not hasattr(loss, "op") else loss
        params = list(var_list() if callable(var_list) else var_list)
        grads = gradients(value, params, grad_loss)
        pairs = [(None if g is None else self._clipped(g), p)
                 for g, p in zip(grads, params, strict=True)]  # fmt: skip
        return self.apply_gradients(pairs, name)

    def apply_gradients(self, grads_and_vars: Any, name: str | None = None) -> Any:
        """An operation that applies gradients.

        Raises
        ------
        ValueError
            When there are none.
        """
        pairs = [(g, v) for g, v in grads_and_vars if g is not None]
        if not pairs:
            raise ValueError("No gradients provided for any variable.")
        with name_scope(self._name):
            step = self.iterations
            for number in sorted(self._numbers):
                self._number(number)
            for slot, fill in self._slots_of():  # slot by slot, as TF1 orders the weights
                for _, v in pairs:
                    self.add_slot(v, slot, fill)
            return self._applied(pairs, step, name)

    def _applied(self, pairs: list[tuple[Any, Any]], step: Any, name: str | None) -> Any:
        with name_scope(name or self._name):
            ops = []
            for g, v in pairs:
                constraint = getattr(v, "constraint", None)
                rate = self._rate(v.dtype.base_dtype)
                if isinstance(g, IndexedSlices):
                    if constraint is not None:
                        raise RuntimeError("Cannot use a constraint function on a sparse variable.")
                    update = self._update_rows(v, rows.summed(g, v), rate)
                else:
                    update = self._update(v, convert_to_tensor(g), rate)
                if constraint is not None:
                    with get_default_graph().control_dependencies([update]):
                        update = v.assign(constraint(v.read_value()))
                ops.append(update)
            with get_default_graph().control_dependencies([group(*ops)]):
                return step.assign_add(1).op

    def _slots_of(self) -> list[tuple[str, Any]]:
        """Names of the variables beside each variable, and how they begin."""
        return []

    def _update(self, var: Any, grad: Any, lr: Any) -> Any:
        """Operations of one step for one variable.

        It reads variables by `_old` and changes them by `_put`, so that for a sparse gradient it
        is about the rows named; by `_decay` where all rows of a slot fade.
        """
        raise NotImplementedError

    def _update_rows(self, var: Any, grad: IndexedSlices, lr: Any) -> Any:
        self._ids = grad.indices
        try:
            return self._update(var, grad.values, lr)
        finally:
            self._ids = None

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
        """Its arguments, with values as they are now."""
        from graphc.keras import sessions

        out: dict[str, Any] = {"name": self._name}
        for k, v in self._numbers.items():
            if k in self._made:
                v = float(sessions.get_value(self._made[k]))
            elif hasattr(v, "get_config"):
                v = {"class_name": type(v).__name__, "config": v.get_config()}
            out[k] = v
        for k in self._hyper_names:
            out[k] = getattr(self, k)
        for k in ("clipnorm", "clipvalue"):
            if getattr(self, k) is not None:
                out[k] = getattr(self, k)
        return out

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """What `get_config` says."""
        given = dict(config)
        if isinstance(given.get("learning_rate"), dict):
            given["learning_rate"] = schedule_of(given["learning_rate"], custom_objects)
        return cls(**given)


class SGD(Optimizer):
    """``velocity = momentum * velocity - lr * gradient; var += velocity``."""

    _hyper_names = ("nesterov",)

    def __init__(
        self, learning_rate: Any = 0.01, momentum: Any = 0.0, nesterov: bool = False,
        name: str = "SGD", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, learning_rate, **kwargs)
        if isinstance(momentum, int | float) and not 0 <= momentum <= 1:
            raise ValueError("`momentum` must be between [0, 1].")
        self._moves = not isinstance(momentum, int | float) or momentum > 0
        self._set(momentum=momentum)
        self.nesterov = nesterov

    def _slots_of(self) -> list[tuple[str, Any]]:
        return [("momentum", "zeros")] if self._moves else []

    def _update(self, var: Any, grad: Any, lr: Any) -> Any:
        if not self._moves:
            if self._ids is None:
                return state.assign_sub(var, lr * grad)
            return rows.replace_rows(var, self._ids, self._old(var) - lr * grad)
        m = self._hyper("momentum", grad.dtype)
        slot = self.get_slot(var, "momentum")
        moved = m * self._old(slot) - lr * grad
        step = m * moved - lr * grad if self.nesterov else moved
        new = self._old(var) + step
        return group(self._put(slot, moved), self._put(var, new))


class RMSprop(Optimizer):
    """Steps divided by the root of a moving average of squares."""

    _hyper_names = ("epsilon", "centered")

    def __init__(
        self, learning_rate: Any = 0.001, rho: Any = 0.9, momentum: Any = 0.0,
        epsilon: float = 1e-7, centered: bool = False, name: str = "RMSprop", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, learning_rate, **kwargs)
        self._set(rho=rho, momentum=momentum)
        self._moves = not isinstance(momentum, int | float) or momentum > 0
        self.epsilon, self.centered = epsilon or 1e-7, centered

    def _slots_of(self) -> list[tuple[str, Any]]:
        names = ["rms", *["momentum"] * self._moves, *["mg"] * self.centered]
        return [(n, "zeros") for n in names]

    def _update(self, var: Any, grad: Any, lr: Any) -> Any:
        rho, slot = self._hyper("rho", grad.dtype), self.get_slot(var, "rms")
        changed = self._named if self._moves else self._decay  # as in TF 1.15
        rms, done = changed(
            slot, grad, lambda old, g: rho * old + (1.0 - rho) * math.square(g)
        )  # fmt: skip
        ops, spread = [done], rms
        if self.centered:
            mg, done = changed(
                self.get_slot(var, "mg"), grad, lambda old, g: rho * old + (1.0 - rho) * g
            )
            ops.append(done)
            spread = rms - math.square(mg)
        if not self._moves:
            step = lr * grad / (math.sqrt(spread) + self.epsilon)
        else:
            mom = self.get_slot(var, "momentum")
            step = (self._hyper("momentum", grad.dtype) * self._old(mom)
                    + lr * grad / math.sqrt(spread + self.epsilon))  # fmt: skip
            ops.append(self._put(mom, step))
        return group(*ops, self._put(var, self._old(var) - step))


class Adagrad(Optimizer):
    """Steps divided by the root of the sum of squares."""

    _hyper_names = ("initial_accumulator_value", "epsilon")

    def __init__(
        self, learning_rate: Any = 0.001, initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7, name: str = "Adagrad", **kwargs: Any,
    ) -> None:  # fmt: skip
        if initial_accumulator_value < 0.0:
            raise ValueError(
                f"initial_accumulator_value must be non-negative: {initial_accumulator_value}"
            )
        super().__init__(name, learning_rate, **kwargs)
        self.initial_accumulator_value, self.epsilon = initial_accumulator_value, epsilon or 1e-7

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        # made by name it begins with 0, as in TF 1.15
        return cls(**{"initial_accumulator_value": 0.0, **config})

    def _slots_of(self) -> list[tuple[str, Any]]:
        value = self.initial_accumulator_value
        return [("accumulator", lambda s, t: fills.ones(s, t) * value)]

    def _update(self, var: Any, grad: Any, lr: Any) -> Any:
        slot = self.get_slot(var, "accumulator")
        total = self._old(slot) + math.square(grad)
        new = self._old(var) - lr * grad / (math.sqrt(total) + self.epsilon)
        return group(self._put(slot, total), self._put(var, new))


class Adadelta(Optimizer):
    """Steps in proportion to the steps before, by the roots of moving averages."""

    _hyper_names = ("epsilon",)

    def __init__(
        self, learning_rate: Any = 0.001, rho: Any = 0.95, epsilon: float = 1e-7,
        name: str = "Adadelta", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, learning_rate, **kwargs)
        self._set(rho=rho)
        self.epsilon = epsilon or 1e-7

    def _slots_of(self) -> list[tuple[str, Any]]:
        return [("accum_grad", "zeros"), ("accum_var", "zeros")]

    def _update(self, var: Any, grad: Any, lr: Any) -> Any:
        rho = self._hyper("rho", grad.dtype)
        a, b = self.get_slot(var, "accum_grad"), self.get_slot(var, "accum_var")
        squares, old = rho * self._old(a) + (1.0 - rho) * math.square(grad), self._old(b)
        step = math.sqrt(old + self.epsilon) * math.rsqrt(squares + self.epsilon) * grad
        steps = rho * old + (1.0 - rho) * math.square(step)
        new = self._old(var) - lr * step
        return group(self._put(a, squares), self._put(b, steps), self._put(var, new))


class Adam(Optimizer):
    """Adaptive moments (Kingma and Ba, arXiv:1412.6980); with `amsgrad` the largest second one."""

    _hyper_names = ("epsilon", "amsgrad")

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: Any = 0.9, beta_2: Any = 0.999,
        epsilon: float = 1e-7, amsgrad: bool = False, name: str = "Adam", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, learning_rate, **kwargs)
        self._set(beta_1=beta_1, beta_2=beta_2)
        self.epsilon, self.amsgrad = epsilon or 1e-7, amsgrad

    def _slots_of(self) -> list[tuple[str, Any]]:
        return [(n, "zeros") for n in ("m", "v", *["vhat"] * self.amsgrad)]

    def _update_rows(self, var: Any, grad: IndexedSlices, lr: Any) -> Any:
        return self._update(var, rows.whole_rows(grad.values, grad.indices, var), lr)

    def _update(self, var: Any, grad: Any, lr: Any) -> Any:
        t = self._time(grad.dtype)
        b1, b2 = self._hyper("beta_1", grad.dtype), self._hyper("beta_2", grad.dtype)
        rate = lr * math.sqrt(1.0 - math.pow(b2, t)) / (1.0 - math.pow(b1, t))
        ms, vs = self.get_slot(var, "m"), self.get_slot(var, "v")
        m = ms + (grad - ms) * (1.0 - b1)
        v = vs + (math.square(grad) - vs) * (1.0 - b2)
        ops, spread = [ms.assign(m), vs.assign(v)], v
        if self.amsgrad:
            hat = self.get_slot(var, "vhat")
            spread = math.maximum(hat, v)
            ops.append(hat.assign(spread))
        return group(*ops, state.assign_sub(var, rate * m / (math.sqrt(spread) + self.epsilon)))


class Adamax(Optimizer):
    """Adam with the largest gradient instead of the second moment."""

    _hyper_names = ("epsilon",)

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: Any = 0.9, beta_2: Any = 0.999,
        epsilon: float = 1e-7, name: str = "Adamax", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, learning_rate, **kwargs)
        self._set(beta_1=beta_1, beta_2=beta_2)
        self.epsilon = epsilon or 1e-7

    def _slots_of(self) -> list[tuple[str, Any]]:
        return [("m", "zeros"), ("v", "zeros")]

    def _update(self, var: Any, grad: Any, lr: Any) -> Any:
        t = self._time(grad.dtype)
        b1, b2 = self._hyper("beta_1", grad.dtype), self._hyper("beta_2", grad.dtype)
        ms, vs = self.get_slot(var, "m"), self.get_slot(var, "v")
        old = self._old(ms)
        m = old + (grad - old) * (1.0 - b1)
        v = math.maximum(b2 * self._old(vs), math.abs(grad))
        new = self._old(var) - lr / (1.0 - math.pow(b1, t)) * m / (v + self.epsilon)
        return group(self._put(ms, m), self._put(vs, v), self._put(var, new))


class Nadam(Optimizer):
    """Adam with Nesterov's momentum (Dozat 2015)."""

    _hyper_names = ("epsilon",)

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: Any = 0.9, beta_2: Any = 0.999,
        epsilon: float = 1e-7, name: str = "Nadam", **kwargs: Any,
    ) -> None:  # fmt: skip
        kwargs["decay"] = 0.0 if "schedule_decay" in kwargs else kwargs.get("decay", 0.0)
        self.__dict__["_falls"] = kwargs.pop("schedule_decay", 0.004)
        super().__init__(name, learning_rate, **kwargs)
        self._set(beta_1=beta_1, beta_2=beta_2)
        self.epsilon = epsilon or 1e-7
        self._schedule: Any = None

    def _slots_of(self) -> list[tuple[str, Any]]:
        return [("m", "zeros"), ("v", "zeros")]

    def apply_gradients(self, grads_and_vars: Any, name: str | None = None) -> Any:
        if self._schedule is None:
            with name_scope(self._name + "/"):
                self._schedule = Variable(1.0, trainable=False, name="momentum_cache")
            self._weights.append(self._schedule)
        done = super().apply_gradients(grads_and_vars, name)
        return group(done, self._schedule.assign(self._product(self._schedule.dtype.base_dtype)[0]))

    def _product(self, dtype: Any) -> tuple[Any, Any, Any]:
        t, b1 = self._time(dtype), self._hyper("beta_1", dtype)
        now = b1 * (1.0 - 0.5 * math.pow(0.96, self._falls * t))
        then = b1 * (1.0 - 0.5 * math.pow(0.96, self._falls * (t + 1.0)))
        return math.cast(self._schedule, dtype) * now, now, then

    def _update(self, var: Any, grad: Any, lr: Any) -> Any:
        product, now, then = self._product(grad.dtype)
        t = self._time(grad.dtype)
        b1, b2 = self._hyper("beta_1", grad.dtype), self._hyper("beta_2", grad.dtype)
        ms, vs = self.get_slot(var, "m"), self.get_slot(var, "v")
        g = grad / (1.0 - product)
        m, first = self._decay(ms, grad, lambda old, g: b1 * old + (1.0 - b1) * g)
        v, second = self._decay(vs, grad, lambda old, g: b2 * old + (1.0 - b2) * math.square(g))
        ahead = m / (1.0 - product * then)
        spread = v / (1.0 - math.pow(b2, t))
        step = lr * ((1.0 - now) * g + then * ahead) / (math.sqrt(spread) + self.epsilon)
        return group(first, second, self._put(var, self._old(var) - step))


class TFOptimizer(Optimizer):
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


class Ftrl(Optimizer):
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

    _hyper_names = ("initial_accumulator_value", "l2_shrinkage_regularization_strength")

    def __init__(
        self, learning_rate: Any = 0.001, learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1, l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0, name: str = "Ftrl",
        l2_shrinkage_regularization_strength: float = 0.0, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, learning_rate, **kwargs)
        self._rule = plain.FtrlOptimizer(  # it checks the numbers, and has the formula
            learning_rate, learning_rate_power, initial_accumulator_value,
            l1_regularization_strength, l2_regularization_strength,
            l2_shrinkage_regularization_strength=l2_shrinkage_regularization_strength,
        )  # fmt: skip
        self._set(
            learning_rate_power=learning_rate_power,
            l1_regularization_strength=l1_regularization_strength,
            l2_regularization_strength=l2_regularization_strength,
        )
        self.initial_accumulator_value = initial_accumulator_value
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength

    def _slots_of(self) -> list[tuple[str, Any]]:
        value = self.initial_accumulator_value
        return [("accumulator", lambda s, t: fills.ones(s, t) * value), ("linear", "zeros")]

    def _update(self, var: Any, grad: Any, lr: Any) -> Any:
        l1, l2, power = (
            self._hyper(f"l{i}_regularization_strength", grad.dtype) if i
            else self._hyper("learning_rate_power", grad.dtype) for i in (1, 2, 0)
        )  # fmt: skip
        slots = [self.get_slot(var, n) for n in ("accumulator", "linear")]
        w, accum, linear = (convert_to_tensor(self._old(v)) for v in (var, *slots))
        shrinkage = self.l2_shrinkage_regularization_strength
        new = plain.ftrl(w, accum, linear, grad, lr, power, l1, l2, shrinkage)
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
