"""Training operations of TensorFlow's (``ApplyAdam`` and the like) as updates of variables.

A rule gives the new values of the variables it changes from the old ones and the operands. The
first operand is the variable that is trained, those named with capitals are its slots; ``G`` is
the gradient. The sparse forms change only the rows that their indices name.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.face.graph import get_default_graph
from graphc.graphdef.nodes import attribute
from graphc.ir.node import Node, Value
from graphc.ops import broadcasting, fills, math, rows, state

__all__ = ["TRAINING", "Asked", "train"]

Rule = Callable[..., Sequence[Value]]


@dataclasses.dataclass
class Asked:
    """A training operation that a program asks for by a function: what rules read of a node."""

    op: str
    name: str
    attributes: Mapping[str, Any]


def _said(n: Any, name: str, default: Any) -> Any:
    if isinstance(n, Asked):
        return n.attributes.get(name, default)
    return attribute(n, name, default)


def _descent(var: Value, lr: Value, grad: Value, n: Any) -> Sequence[Value]:
    return (var - lr * grad,)


def _momentum(
    var: Value, ACCUM: Value, lr: Value, grad: Value, momentum: Value, n: Any
) -> Sequence[Value]:
    accum = ACCUM * momentum + grad
    step = grad * lr + accum * momentum * lr if _nesterov(n) else accum * lr
    return var - step, accum


def _keras_momentum(
    var: Value, ACCUM: Value, lr: Value, grad: Value, momentum: Value, n: Any
) -> Sequence[Value]:
    accum = ACCUM * momentum - lr * grad
    return var + (accum * momentum - lr * grad if _nesterov(n) else accum), accum


def _nesterov(n: Any) -> bool:
    return bool(_said(n, "use_nesterov", False))


def _adam(
    var: Value, M: Value, V: Value, power1: Value, power2: Value, lr: Value, beta1: Value,
    beta2: Value, epsilon: Value, grad: Value, n: Any,
) -> Sequence[Value]:  # fmt: skip
    rate = lr * math.sqrt(1 - power2) / (1 - power1)
    m = M + (grad - M) * (1 - beta1)
    v = V + (math.square(grad) - V) * (1 - beta2)
    top = grad * (1 - beta1) + beta1 * m if _nesterov(n) else m
    return var - rate * top / (math.sqrt(v) + epsilon), m, v


def _amsgrad(
    var: Value, M: Value, V: Value, VHAT: Value, power1: Value, power2: Value, lr: Value,
    beta1: Value, beta2: Value, epsilon: Value, grad: Value, n: Any,
) -> Sequence[Value]:  # fmt: skip
    rate = lr * math.sqrt(1 - power2) / (1 - power1)
    m = M + (grad - M) * (1 - beta1)
    v = V + (math.square(grad) - V) * (1 - beta2)
    hat = math.maximum(VHAT, v)
    return var - rate * m / (math.sqrt(hat) + epsilon), m, v, hat


def _ada_max(
    var: Value, M: Value, V: Value, power1: Value, lr: Value, beta1: Value, beta2: Value,
    epsilon: Value, grad: Value, n: Any,
) -> Sequence[Value]:  # fmt: skip
    m = M + (grad - M) * (1 - beta1)
    v = math.maximum(beta2 * V, math.abs(grad))
    return var - lr / (1 - power1) * (m / (v + epsilon)), m, v


def _adagrad(var: Value, ACCUM: Value, lr: Value, grad: Value, n: Any) -> Sequence[Value]:
    accum = ACCUM + math.square(grad) if _said(n, "update_slots", True) else ACCUM
    return var - grad * lr * math.rsqrt(accum), accum


def _adagrad_v2(
    var: Value, ACCUM: Value, lr: Value, epsilon: Value, grad: Value, n: Any
) -> Sequence[Value]:
    accum = ACCUM + math.square(grad) if _said(n, "update_slots", True) else ACCUM
    return var - grad * lr / (math.sqrt(accum) + epsilon), accum


def _adadelta(
    var: Value, ACCUM: Value, UPDATE: Value, lr: Value, rho: Value, epsilon: Value, grad: Value,
    n: Any,
) -> Sequence[Value]:  # fmt: skip
    accum = ACCUM * rho + math.square(grad) * (1 - rho)
    step = math.sqrt(UPDATE + epsilon) * math.rsqrt(accum + epsilon) * grad
    return var - step * lr, accum, UPDATE * rho + math.square(step) * (1 - rho)


def _rmsprop(
    var: Value, MS: Value, MOM: Value, lr: Value, rho: Value, momentum: Value, epsilon: Value,
    grad: Value, n: Any,
) -> Sequence[Value]:  # fmt: skip
    ms = MS + (math.square(grad) - MS) * (1 - rho)
    mom = MOM * momentum + grad * lr * math.rsqrt(ms + epsilon)
    return var - mom, ms, mom


def _centered(
    var: Value, MG: Value, MS: Value, MOM: Value, lr: Value, rho: Value, momentum: Value,
    epsilon: Value, grad: Value, n: Any,
) -> Sequence[Value]:  # fmt: skip
    ms = MS + (math.square(grad) - MS) * (1 - rho)
    mg = MG + (grad - MG) * (1 - rho)
    mom = MOM * momentum + grad * lr * math.rsqrt(ms + epsilon - math.square(mg))
    return var - mom, mg, ms, mom


def _pulled(x: Value, by: Value) -> Value:
    """`x`, nearer to zero by an amount, as far as that."""
    short = math.maximum(math.abs(x) - by, fills.zeros_like(x))
    some = broadcasting.broadcast_like(math.greater(by, 0), x)
    made: Value = math.select(some, math.sign(x) * short, x)
    return made


def _proximal(var: Value, lr: Value, l1: Value, l2: Value, grad: Value, n: Any) -> Sequence[Value]:
    return (_pulled(var - lr * grad, lr * l1) / (1 + lr * l2),)


def _proximal_adagrad(
    var: Value, ACCUM: Value, lr: Value, l1: Value, l2: Value, grad: Value, n: Any
) -> Sequence[Value]:
    accum = ACCUM + math.square(grad)
    rate = lr * math.rsqrt(accum)
    return _pulled(var - rate * grad, rate * l1) / (1 + rate * l2), accum


def _adagrad_da(
    var: Value, SUM: Value, SQUARES: Value, grad: Value, lr: Value, l1: Value, l2: Value,
    step: Value, n: Any,
) -> Sequence[Value]:  # fmt: skip
    steps = math.cast(step, var.dtype)
    total, squares = SUM + grad, SQUARES + math.square(grad)
    below = l2 * steps * lr + math.sqrt(squares)
    return -lr * _pulled(total, l1 * steps) / below, total, squares


def _ftrl(
    var: Value, ACCUM: Value, LINEAR: Value, grad: Value, lr: Value, l1: Value, l2: Value,
    power: Value, n: Any,
) -> Sequence[Value]:  # fmt: skip
    return _ftrl_v2(var, ACCUM, LINEAR, grad, lr, l1, l2, None, power, n)


def _ftrl_v2(
    var: Value, ACCUM: Value, LINEAR: Value, grad: Value, lr: Value, l1: Value, l2: Value,
    shrinkage: Value | None, power: Value, n: Any,
) -> Sequence[Value]:  # fmt: skip
    shrunk = grad if shrinkage is None else grad + 2 * shrinkage * var
    accum = ACCUM + math.square(grad)
    new, old = math.pow(accum, -power), math.pow(ACCUM, -power)
    linear = LINEAR + shrunk - (new - old) / lr * var
    free = (math.sign(linear) * l1 - linear) / (new / lr + 2 * l2)
    beyond = math.greater(math.abs(linear), fills.ones_like(linear) * l1)
    return math.select(beyond, free, fills.zeros_like(linear)), accum, linear


def _add_sign(
    var: Value, M: Value, lr: Value, alpha: Value, decay: Value, beta: Value, grad: Value, n: Any
) -> Sequence[Value]:
    m = M * beta + grad * (1 - beta)
    return var - lr * (alpha + decay * math.sign(grad) * math.sign(m)) * grad, m


def _power_sign(
    var: Value, M: Value, lr: Value, log_base: Value, decay: Value, beta: Value, grad: Value,
    n: Any,
) -> Sequence[Value]:  # fmt: skip
    m = M * beta + grad * (1 - beta)
    return var - lr * math.exp(log_base * decay * math.sign(grad) * math.sign(m)) * grad, m


_RULES: dict[str, Rule] = {
    "GradientDescent": _descent, "Momentum": _momentum, "KerasMomentum": _keras_momentum,
    "Adam": _adam, "AdamWithAmsgrad": _amsgrad,
    "AdaMax": _ada_max, "Adagrad": _adagrad, "AdagradV2": _adagrad_v2,
    "Adadelta": _adadelta, "RMSProp": _rmsprop, "CenteredRMSProp": _centered,
    "ProximalGradientDescent": _proximal, "ProximalAdagrad": _proximal_adagrad,
    "AdagradDA": _adagrad_da, "Ftrl": _ftrl, "FtrlV2": _ftrl_v2, "AddSign": _add_sign,
    "PowerSign": _power_sign,
}  # fmt: skip


def _forms() -> dict[str, tuple[Rule, bool]]:
    """Type → the rule, and whether it is the sparse form."""
    out: dict[str, tuple[Rule, bool]] = {}
    for name, rule in _RULES.items():
        for before in ("", "Resource"):
            out[f"{before}Apply{name}"] = (rule, False)
            out[f"{before}SparseApply{name}"] = (rule, True)
    return out


TRAINING = _forms()


def train(n: Any, values: list[Value], name: str) -> Node:
    """Record a training operation; the operation that gives the variable its new value."""
    rule, sparse = TRAINING[n.op]
    names = [p for p in inspect.signature(rule).parameters if p != "n"]
    values = list(values)
    indices = None
    if sparse:
        indices = values.pop(names.index("grad") + 1)
    if len(values) != len(names):
        raise ValueError(f"Node '{n.name}' of type {n.op} has {len(values)} inputs")
    changed = [i for i, p in enumerate(names) if i == 0 or p.isupper()]
    refs = {i: state.reference(values[i], n.op) for i in changed}
    given = {p: state.identity(v) for p, v in zip(names, values, strict=True)}
    if indices is not None:
        many = rows.count_rows(given[names[0]])
        given["grad"] = rows.sum_equal_rows(given["grad"], indices, many)
        for i in changed:
            given[names[i]] = rows.old_rows(given[names[i]], indices)

    def change(i: int, new: Value, name: str | None = None) -> Value:
        if indices is None:
            return state.assign(refs[i], new, name=name)
        return rows.replace_rows(refs[i], indices, new, name)

    new = list(rule(**given, n=n))
    kept = [change(i, v) for i, v in zip(changed[1:], new[1:], strict=True)]
    with get_default_graph().control_dependencies([v.node for v in kept]):
        return change(0, new[0], name).node
