"""The optimizers of ``tf.train``: each a formula for one variable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.face.control import group
from graphc.face.current import control_dependencies
from graphc.face.graph import get_default_graph
from graphc.ir.node import Node, Value
from graphc.ops import fills, math, rows, scatter, state
from graphc.ops.convert import convert_to_tensor
from graphc.ops.indexed import IndexedSlices
from graphc.train.counting import one_op
from graphc.train.optimizer import Optimizer, rowwise, summed

__all__ = [
    "AdadeltaOptimizer", "AdagradDAOptimizer", "AdagradOptimizer", "AdamOptimizer", "FtrlOptimizer",
    "GradientDescentOptimizer", "MomentumOptimizer", "ProximalAdagradOptimizer",
    "ProximalGradientDescentOptimizer", "RMSPropOptimizer",
]  # fmt: skip


def _ones(shape: Any, dtype: Any = None, partition_info: Any = None) -> Value:
    return fills.ones([int(d) for d in shape], dtype)


class GradientDescentOptimizer(Optimizer):
    """``var -= learning_rate * gradient``.

    Parameters
    ----------
    learning_rate : float or tensor
    """

    def __init__(
        self, learning_rate: Any, use_locking: bool = False, name: str = "GradientDescent"
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._learning_rate_tensor: Any = None

    def _prepare(self) -> None:
        self._learning_rate_tensor = self._called(self._learning_rate, "learning_rate")

    @one_op("_learning_rate_tensor")
    def _apply_dense(self, grad: Any, var: Any) -> Any:
        lr = self._hyper(self._learning_rate_tensor, var)
        return state.assign_sub(var, math.multiply(grad, lr), name="ApplyGradientDescent")

    def _apply_sparse_duplicate_indices(self, grad: IndexedSlices, var: Any) -> Any:
        return self._apply_sparse(grad, var)

    @one_op("_learning_rate_tensor", besides=1, resource=2)
    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        lr = self._hyper(self._learning_rate_tensor, var)
        return scatter.scatter_sub(
            var, grad.indices, math.multiply(grad.values, lr, name="mul"), self._use_locking
        )


@rowwise
class MomentumOptimizer(Optimizer):
    """``accum = momentum * accum + gradient; var -= learning_rate * accum``.

    With Nesterov: ``var -= learning_rate * (gradient + momentum * accum)``.

    Parameters
    ----------
    learning_rate, momentum : float or tensor
    use_nesterov : bool
    """

    def __init__(
        self, learning_rate: Any, momentum: Any, use_locking: bool = False, name: str = "Momentum",
        use_nesterov: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._momentum = momentum
        self._use_nesterov = use_nesterov

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            self._zeros_slot(v, "momentum", self._name)

    def _prepare(self) -> None:
        self._learning_rate_tensor = self._called(self._learning_rate, "learning_rate")
        self._momentum_tensor = self._called(self._momentum, "momentum")

    @one_op("_learning_rate_tensor", "_momentum_tensor")
    def _apply_dense(self, grad: Any, var: Any) -> Any:
        slot = self.get_slot(var, "momentum")
        lr, momentum = (
            self._hyper(self._learning_rate_tensor, var),
            self._hyper(self._momentum_tensor, var),
        )
        accum = self._old(slot) * momentum + grad
        step = grad * lr + accum * momentum * lr if self._use_nesterov else accum * lr
        new = self._old(var) - step
        return group(self._update(slot, accum), self._update(var, new, name="ApplyMomentum"))


@rowwise
class AdagradOptimizer(Optimizer):
    """``accum += gradient**2; var -= learning_rate * gradient / sqrt(accum)``.

    Parameters
    ----------
    learning_rate : float or tensor
    initial_accumulator_value : float
        Positive.
    """

    def __init__(
        self, learning_rate: Any, initial_accumulator_value: float = 0.1, use_locking: bool = False,
        name: str = "Adagrad",
    ) -> None:  # fmt: skip
        if initial_accumulator_value <= 0.0:
            raise ValueError(
                f"initial_accumulator_value must be positive: {initial_accumulator_value}"
            )
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._initial = initial_accumulator_value

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            self._filled_slot(v, self._initial, "accumulator", self._name)

    def _prepare(self) -> None:
        self._learning_rate_tensor = self._called(self._learning_rate, "learning_rate")

    @one_op("_learning_rate_tensor")
    def _apply_dense(self, grad: Any, var: Any) -> Any:
        slot = self.get_slot(var, "accumulator")
        lr = self._hyper(self._learning_rate_tensor, var)
        accum = self._old(slot) + grad * grad
        new = self._old(var) - grad * lr * math.rsqrt(accum)
        return group(self._update(slot, accum), self._update(var, new, name="ApplyAdagrad"))


@rowwise
class AdagradDAOptimizer(Optimizer):
    """Adagrad with dual averaging, for sparse linear models.

    Parameters
    ----------
    learning_rate : float or tensor
    global_step : Variable
        Counts the updates; pass it to `minimize` too.
    initial_gradient_squared_accumulator_value : float
        Positive.
    l1_regularization_strength, l2_regularization_strength : float
    """

    def __init__(
        self, learning_rate: Any, global_step: Any,
        initial_gradient_squared_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0, l2_regularization_strength: float = 0.0,
        use_locking: bool = False, name: str = "AdagradDA",
    ) -> None:  # fmt: skip
        if initial_gradient_squared_accumulator_value <= 0.0:
            raise ValueError(
                "initial_gradient_squared_accumulator_value must be positive: "
                f"{initial_gradient_squared_accumulator_value}"
            )
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._initial = initial_gradient_squared_accumulator_value
        self._l1, self._l2 = l1_regularization_strength, l2_regularization_strength
        self._global_step = global_step

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            self._constant_slot(v, 0.0, "gradient_accumulator", self._name)
            squares = "gradient_squared_accumulator"
            self._constant_slot(v, self._initial, squares, self._name)

    def _prepare(self) -> None:
        self._learning_rate_tensor = convert_to_tensor(self._learning_rate, name="learning_rate")
        with control_dependencies(None):
            self._steps = state.identity(self._global_step) + 1

    @one_op(besides=3, more=3)
    def _apply_dense(self, grad: Any, var: Any) -> Any:
        g = self.get_slot(var, "gradient_accumulator")
        gg = self.get_slot(var, "gradient_squared_accumulator")
        lr, steps = self._hyper(self._learning_rate_tensor, var), self._hyper(self._steps, var)
        total, squares = self._old(g) + grad, self._old(gg) + math.square(grad)
        pulled = total
        if self._l1 > 0:
            short = math.maximum(math.abs(total) - self._l1 * steps, fills.zeros_like(total))
            pulled = math.sign(total) * short
        value = -lr * pulled / (self._l2 * steps * lr + math.sqrt(squares))
        keep = [self._update(g, total), self._update(gg, squares)]
        return group(*keep, self._update(var, value, name="ApplyAdagradDA"))


@rowwise
class AdadeltaOptimizer(Optimizer):
    """Adadelta (Zeiler 2012, arXiv:1212.5701), with TF1's learning rate in front.

    Parameters
    ----------
    learning_rate, rho, epsilon : float or tensor
    """

    def __init__(
        self, learning_rate: Any = 0.001, rho: Any = 0.95, epsilon: Any = 1e-8,
        use_locking: bool = False, name: str = "Adadelta",
    ) -> None:  # fmt: skip
        super().__init__(use_locking, name)
        self._lr, self._rho, self._epsilon = learning_rate, rho, epsilon

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            self._zeros_slot(v, "accum", self._name)
            self._zeros_slot(v, "accum_update", self._name)

    def _prepare(self) -> None:
        self._lr_t = self._called(self._lr, "lr")
        self._rho_t = self._called(self._rho, "rho")
        self._epsilon_t = self._called(self._epsilon, "epsilon")

    @one_op("_lr_t", "_rho_t", "_epsilon_t")
    def _apply_dense(self, grad: Any, var: Any) -> Any:
        a, u = self.get_slot(var, "accum"), self.get_slot(var, "accum_update")
        lr, rho, eps = (self._hyper(t, var) for t in (self._lr_t, self._rho_t, self._epsilon_t))
        accum, old = self._old(a) * rho + math.square(grad) * (1 - rho), self._old(u)
        step = math.sqrt(old + eps) * math.rsqrt(accum + eps) * grad
        steps, new = old * rho + math.square(step) * (1 - rho), self._old(var) - step * lr
        keep = [self._update(a, accum), self._update(u, steps)]
        return group(*keep, self._update(var, new, name="ApplyAdadelta"))


@rowwise
class RMSPropOptimizer(Optimizer):
    """``ms += (g**2 - ms) * (1 - decay); mom = momentum*mom + lr*g/sqrt(ms + eps); var -= mom``.

    The mean square starts at one and epsilon is inside the root, as in TF1. With `centered`
    the square of the mean gradient is taken off under the root.

    Parameters
    ----------
    learning_rate, decay, momentum, epsilon : float or tensor
    centered : bool
    """

    def __init__(
        self, learning_rate: Any, decay: Any = 0.9, momentum: Any = 0.0, epsilon: Any = 1e-10,
        use_locking: bool = False, centered: bool = False, name: str = "RMSProp",
    ) -> None:  # fmt: skip
        super().__init__(use_locking, name)
        self._learning_rate, self._decay = learning_rate, decay
        self._momentum, self._epsilon, self._centered = momentum, epsilon, centered

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            self._filled_slot(v, 1.0, "rms", self._name, _ones)
            if self._centered:
                self._zeros_slot(v, "mg", self._name)
            self._zeros_slot(v, "momentum", self._name)

    def _prepare(self) -> None:
        self._learning_rate_tensor = self._called(self._learning_rate, "learning_rate")
        self._decay_tensor = self._called(self._decay, "decay")
        self._momentum_tensor = self._called(self._momentum, "momentum")
        self._epsilon_tensor = self._called(self._epsilon, "epsilon")

    @one_op("_learning_rate_tensor", "_decay_tensor", "_momentum_tensor", "_epsilon_tensor")
    def _apply_dense(self, grad: Any, var: Any) -> Any:
        rms, mom = self.get_slot(var, "rms"), self.get_slot(var, "momentum")
        lr, decay, momentum, eps = (
            self._hyper(t, var)
            for t in (
                self._learning_rate_tensor,
                self._decay_tensor,
                self._momentum_tensor,
                self._epsilon_tensor,
            )
        )
        old = self._old(rms)
        ms = old + (math.square(grad) - old) * (1 - decay)
        new = [(rms, ms)]
        denominator = ms + eps
        if self._centered:
            slot = self.get_slot(var, "mg")
            mean = self._old(slot)
            mg = mean + (grad - mean) * (1 - decay)
            new.append((slot, mg))
            denominator = denominator - math.square(mg)
        step = self._old(mom) * momentum + grad * lr * math.rsqrt(denominator)
        value = self._old(var) - step
        keep = [self._update(v, x) for v, x in [*new, (mom, step)]]
        name = "ApplyCenteredRMSProp" if self._centered else "ApplyRMSProp"
        return group(*keep, self._update(var, value, name=name))


class AdamOptimizer(Optimizer):
    """Adam (Kingma and Ba 2014, arXiv:1412.6980), epsilon outside the bias correction as in TF1.

    ``lr_t = lr*sqrt(1 - b2**t)/(1 - b1**t); m += (g - m)*(1 - b1); v += (g**2 - v)*(1 - b2);
    var -= lr_t * m / (sqrt(v) + eps)``. A sparse gradient decays the moments of every row.

    Parameters
    ----------
    learning_rate, beta1, beta2, epsilon : float or tensor
    """

    def __init__(
        self, learning_rate: Any = 0.001, beta1: Any = 0.9, beta2: Any = 0.999, epsilon: Any = 1e-8,
        use_locking: bool = False, name: str = "Adam",
    ) -> None:  # fmt: skip
        super().__init__(use_locking, name)
        self._lr, self._beta1, self._beta2, self._epsilon = learning_rate, beta1, beta2, epsilon

    def _get_beta_accumulators(self) -> tuple[Any, Any]:
        return self._get_non_slot_variable("beta1_power"), self._get_non_slot_variable(
            "beta2_power"
        )

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        first = min(var_list, key=lambda v: v.name)
        beta1, beta2 = (self._call_if_callable(b) for b in (self._beta1, self._beta2))
        self._power1 = self._create_non_slot_variable(beta1, "beta1_power", first)
        self._power2 = self._create_non_slot_variable(beta2, "beta2_power", first)
        for v in var_list:
            self._zeros_slot(v, "m", self._name)
            self._zeros_slot(v, "v", self._name)

    def _prepare(self) -> None:
        self._lr_t = self._called(self._lr, "learning_rate")
        self._beta1_t = self._called(self._beta1, "beta1")
        self._beta2_t = self._called(self._beta2, "beta2")
        self._epsilon_t = self._called(self._epsilon, "epsilon")
        self._rates: dict[Any, Value] = {}

    def _rate(self, var: Any) -> Value:
        """The bias-corrected learning rate of this step: one scalar for all variables of a type.

        Each branch of a cond has its own: what another branch computes is not always there.
        """
        dtype = var.dtype.base_dtype, get_default_graph().context
        rate = self._rates.get(dtype)
        if rate is None:
            p1, p2 = (self._hyper(v, var) for v in self._get_beta_accumulators())
            rate = self._hyper(self._lr_t, var) * math.sqrt(1 - p2) / (1 - p1)
            self._rates[dtype] = rate
        return rate

    @one_op("_power1", "_power2", "_lr_t", "_beta1_t", "_beta2_t", "_epsilon_t")
    def _apply_dense(self, grad: Any, var: Any) -> Any:
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        b1, b2, eps = (self._hyper(t, var) for t in (self._beta1_t, self._beta2_t, self._epsilon_t))
        new_m = m + (grad - m) * (1 - b1)
        new_v = v + (math.square(grad) - v) * (1 - b2)
        keep = [state.assign(m, new_m), state.assign(v, new_v)]
        step = self._rate(var) * new_m / (math.sqrt(new_v) + eps)
        return group(*keep, state.assign(var, var - step, name="ApplyAdam"))

    def _apply_sparse_duplicate_indices(self, grad: IndexedSlices, var: Any) -> Any:
        return self._apply_sparse(summed(grad, var), var)

    @one_op(
        "_power1", "_power2", "_lr_t", "_beta1_t", "_beta2_t", "_epsilon_t", besides=25, resource=7
    )
    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        return self._apply_dense(rows.whole_rows(grad.values, grad.indices, var), var)

    def _finish(self, update_ops: Sequence[Any], name_scope: str) -> Node:
        p1, p2 = self._get_beta_accumulators()
        with control_dependencies(list(update_ops)), get_default_graph().colocate_with(p1):
            powers = [
                p1.assign(p1 * self._hyper(self._beta1_t, p1), name="Assign"),
                p2.assign(p2 * self._hyper(self._beta2_t, p2), name="Assign"),
            ]
        return group(*update_ops, *powers, name=name_scope)


@rowwise
class FtrlOptimizer(Optimizer):
    """Follow the regularised leader (McMahan et al. 2013), TF1's formula.

    Parameters
    ----------
    learning_rate : float or tensor
    learning_rate_power : float
        At most 0.
    initial_accumulator_value : float
        At least 0.
    l1_regularization_strength, l2_regularization_strength : float
    l2_shrinkage_regularization_strength : float
        At least 0.
    """

    def __init__(
        self, learning_rate: Any, learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1, l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False, name: str = "Ftrl", accum_name: str | None = None,
        linear_name: str | None = None, l2_shrinkage_regularization_strength: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(use_locking, name)
        checks = {
            "initial_accumulator_value": initial_accumulator_value,
            "l1_regularization_strength": l1_regularization_strength,
            "l2_regularization_strength": l2_regularization_strength,
            "l2_shrinkage_regularization_strength": l2_shrinkage_regularization_strength,
        }  # fmt: skip
        for what, x in checks.items():
            if x < 0.0:
                raise ValueError(f"{what} {x} needs to be positive or zero")
        if learning_rate_power > 0.0:
            raise ValueError(
                f"learning_rate_power {learning_rate_power} needs to be negative or zero"
            )
        self._learning_rate = learning_rate
        self._power = learning_rate_power
        self._initial = initial_accumulator_value
        self._l1, self._l2 = l1_regularization_strength, l2_regularization_strength
        self._shrinkage = l2_shrinkage_regularization_strength
        self._accum_name, self._linear_name = accum_name, linear_name

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            self._constant_slot(v, self._initial, "accum", self._accum_name or self._name)
            self._zeros_slot(v, "linear", self._linear_name or self._name)

    def _prepare(self) -> None:
        self._learning_rate_tensor = self._called(self._learning_rate, "learning_rate")
        self._l1_t = convert_to_tensor(self._l1, name="l1_regularization_strength")
        self._l2_t = convert_to_tensor(self._l2, name="l2_regularization_strength")
        self._shrinkage_t = convert_to_tensor(
            self._shrinkage, name="l2_shrinkage_regularization_strength"
        )
        self._shrunk = self._shrinkage_t if self._shrinkage > 0 else None
        self._power_t = convert_to_tensor(self._power, name="learning_rate_power")

    @one_op("_learning_rate_tensor", "_l1_t", "_l2_t", "_power_t", "_shrunk")
    def _apply_dense(self, grad: Any, var: Any) -> Any:
        a, z = self.get_slot(var, "accum"), self.get_slot(var, "linear")
        lr, l1, l2 = (
            self._hyper(t, var) for t in (self._learning_rate_tensor, self._l1_t, self._l2_t)
        )
        w, before, linear = (convert_to_tensor(self._old(v)) for v in (var, a, z))
        power = None if self._power == -0.5 else self._hyper(self._power_t, var)
        shrinkage = self._hyper(self._shrinkage_t, var) if self._shrinkage > 0 else 0
        value, accum, linear = ftrl(w, before, linear, grad, lr, power, l1, l2, shrinkage)
        keep = [self._update(a, accum), self._update(z, linear)]
        return group(*keep, self._update(var, value, name="ApplyFtrl"))


def ftrl(
    w: Value, a: Value, z: Value, grad: Value, lr: Value, power: Value | None, l1: Value, l2: Value,
    shrinkage: Any = 0,
) -> tuple[Value, Value, Value]:  # fmt: skip
    """New weights, sums of squares and linear terms; `power` None is a half."""

    def root(x: Value) -> Value:
        made: Value = math.sqrt(x) if power is None else math.pow(x, -power)
        return made

    plain = isinstance(shrinkage, int | float) and shrinkage == 0
    shrunk = grad if plain else grad + 2 * shrinkage * w
    accum = a + math.square(grad)
    new, old = root(accum), root(a)
    linear = z + shrunk - (new - old) / lr * w
    quadratic = new / lr + 2 * l2
    free = (math.sign(linear) * l1 - linear) / quadratic
    beyond = math.greater(math.abs(linear), fills.ones_like(linear) * l1)
    return math.select(beyond, free, fills.zeros_like(linear)), accum, linear


@rowwise
class ProximalGradientDescentOptimizer(Optimizer):
    """Gradient descent with L1 and L2 regularisation by a proximal step.

    Parameters
    ----------
    learning_rate : float or tensor
    l1_regularization_strength, l2_regularization_strength : float
    """

    def __init__(
        self, learning_rate: Any, l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0, use_locking: bool = False,
        name: str = "ProximalGradientDescent",
    ) -> None:  # fmt: skip
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._l1, self._l2 = l1_regularization_strength, l2_regularization_strength

    def _prepare(self) -> None:
        self._learning_rate_tensor = self._called(self._learning_rate, "learning_rate")
        _regularization(self)

    @one_op()
    def _apply_dense(self, grad: Any, var: Any) -> Any:
        lr = self._hyper(self._learning_rate_tensor, var)
        return self._update(
            var,
            proximal(self._old(var) - grad * lr, lr, self._l1, self._l2),
            name="ApplyProximalGradientDescent",
        )


@rowwise
class ProximalAdagradOptimizer(Optimizer):
    """Adagrad with L1 and L2 regularisation by a proximal step."""

    def __init__(
        self, learning_rate: Any, initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0, l2_regularization_strength: float = 0.0,
        use_locking: bool = False, name: str = "ProximalAdagrad",
    ) -> None:  # fmt: skip
        if initial_accumulator_value <= 0.0:
            raise ValueError(
                f"initial_accumulator_value must be positive: {initial_accumulator_value}"
            )
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._initial = initial_accumulator_value
        self._l1, self._l2 = l1_regularization_strength, l2_regularization_strength

    _learning_rate_tensor: Any

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            self._constant_slot(v, self._initial, "accumulator", self._name)

    def _prepare(self) -> None:
        self._learning_rate_tensor = convert_to_tensor(self._learning_rate, name="learning_rate")
        _regularization(self)

    @one_op()
    def _apply_dense(self, grad: Any, var: Any) -> Any:
        slot = self.get_slot(var, "accumulator")
        accum = self._old(slot) + math.square(grad)
        lr = self._hyper(self._learning_rate_tensor, var) * math.rsqrt(accum)
        new = proximal(self._old(var) - grad * lr, lr, self._l1, self._l2)
        keep = self._update(slot, accum)
        return group(keep, self._update(var, new, name="ApplyProximalAdagrad"))


def _regularization(self: Any) -> None:
    """What TF1 makes of the two strengths, which are numbers here."""
    get_default_graph().reserve("l1_regularization_strength", "l2_regularization_strength")


def proximal(x: Value, lr: Value, l1: float, l2: float) -> Value:
    """``sign(x) * max(|x| - lr*l1, 0) / (1 + lr*l2)``."""
    if l1 > 0:
        x = math.sign(x) * math.maximum(math.abs(x) - lr * l1, fills.zeros_like(x))
    return x / (1 + lr * l2) if l2 > 0 else x
