"""`optimize_loss`: one call from a loss to a training step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.contrib.layers.summaries import record
from graphc.face import scopes
from graphc.face.control import with_dependencies
from graphc.face.current import get_collection
from graphc.face.graph_keys import GraphKeys
from graphc.face.initializers import Constant
from graphc.face.variables import trainable_variables
from graphc.ir.node import Value
from graphc.ops import math, random, shapes
from graphc.ops.convert import convert_to_tensor
from graphc.ops.indexed import IndexedSlices
from graphc.train import optimizers, steps
from graphc.train.clip import clip_by_global_norm, global_norm
from graphc.train.optimizer import Optimizer

__all__ = ["OPTIMIZER_CLS_NAMES", "OPTIMIZER_SUMMARIES", "optimize_loss"]

#: Optimizers by name.
OPTIMIZER_CLS_NAMES: dict[str, Callable[..., Any]] = {
    "Adagrad": optimizers.AdagradOptimizer,
    "Adam": optimizers.AdamOptimizer,
    "Ftrl": optimizers.FtrlOptimizer,
    "Momentum": lambda learning_rate: optimizers.MomentumOptimizer(learning_rate, momentum=0.9),
    "RMSProp": optimizers.RMSPropOptimizer,
    "SGD": optimizers.GradientDescentOptimizer,
}

OPTIMIZER_SUMMARIES = [
    "learning_rate", "loss", "gradients", "gradient_norm", "global_gradient_norm"
]  # fmt: skip

Pairs = list[tuple[Any, Any]]


def optimize_loss(
    loss: Any, global_step: Any, learning_rate: Any, optimizer: Any,
    gradient_noise_scale: float | None = None, gradient_multipliers: Any = None,
    clip_gradients: Any = None, learning_rate_decay_fn: Any = None, update_ops: Any = None,
    variables: Any = None, name: str | None = None, summaries: Sequence[str] | None = None,
    colocate_gradients_with_ops: bool = False, increment_global_step: bool = True,
) -> Value:  # fmt: skip
    """The loss, after a step of an optimizer.

    Parameters
    ----------
    loss : tensor
        A scalar.
    global_step : variable, optional
        The graph's by default.
    learning_rate : float or scalar tensor, optional
        A float becomes a variable.
    optimizer : str, class, instance, or callable
        A name of `OPTIMIZER_CLS_NAMES`, a class or function of the rate, or an optimizer.
    gradient_noise_scale : float, optional
        Standard deviation of noise added to gradients.
    gradient_multipliers : dictionary, optional
        Factors of gradients by variable or name.
    clip_gradients : float or callable, optional
        The largest global norm, or a function of the pairs.
    learning_rate_decay_fn : callable, optional
        ``(rate, global_step) -> rate``.
    update_ops : list, optional
        What runs before; ``GraphKeys.UPDATE_OPS`` by default.
    variables : list, optional
        What is trained.
    summaries : list of str, optional
        Of `OPTIMIZER_SUMMARIES`.

    Raises
    ------
    ValueError
        For anything else.
    """
    loss = convert_to_tensor(loss)
    if loss.rank not in (0, None):
        raise ValueError(f"Expected scalar shape for {loss.name}, saw shape: {loss.shape}.")
    if global_step is None:
        global_step = steps.get_global_step()
    else:
        steps.assert_global_step(global_step)
    with scopes.variable_scope(name, "OptimizeLoss", [loss, global_step]):
        before = update_ops
        if before is None:
            before = list(dict.fromkeys(get_collection(GraphKeys.UPDATE_OPS)))
        if before:
            loss = with_dependencies(list(before), loss)
        wanted = _summaries(summaries)
        rate = _rate(learning_rate)
        if rate is not None and learning_rate_decay_fn is not None:
            if global_step is None:
                raise ValueError("global_step is required for learning_rate_decay_fn.")
            rate = learning_rate_decay_fn(rate, global_step)
            if "learning_rate" in wanted:
                record("scalar", "learning_rate", rate)
        opt = _optimizer(optimizer, rate, learning_rate)
        pairs: Pairs = opt.compute_gradients(
            loss, trainable_variables() if variables is None else variables,
            colocate_gradients_with_ops=colocate_gradients_with_ops,
        )  # fmt: skip
        pairs = _multiplied(_noisy(pairs, gradient_noise_scale), gradient_multipliers)
        norms = "global_gradient_norm" in wanted or "gradient_norm" in wanted
        if norms:
            record("scalar", "global_norm/gradient_norm", global_norm([g for g, _ in pairs]))
        pairs = _clipped(pairs, clip_gradients)
        if "loss" in wanted:
            record("scalar", "loss", loss)
        _summarized(pairs, wanted, norms and clip_gradients is not None)
        step = global_step if increment_global_step else None
        done = opt.apply_gradients(pairs, global_step=step, name="train")
        return with_dependencies([done], loss)


def _summaries(given: Sequence[str] | None) -> Sequence[str]:
    if given is None:
        return ("loss", "learning_rate", "global_gradient_norm")
    for s in given:
        if s not in OPTIMIZER_SUMMARIES:
            raise ValueError(
                f"Summaries should be one of [{', '.join(OPTIMIZER_SUMMARIES)}], you provided {s}."
            )
    return given


def _rate(given: Any) -> Any:
    if given is None:
        return None
    if isinstance(given, Value) and given.rank == 0:
        return given
    if isinstance(given, float):
        if given < 0.0:
            raise ValueError("Invalid learning_rate %s.", given)
        return scopes.get_variable(
            "learning_rate", [], trainable=False, initializer=Constant(given)
        )
    raise ValueError(
        f"Learning rate should be 0d Tensor or float. Got {given} of type {type(given)}"
    )


def _optimizer(given: Any, rate: Any, learning_rate: Any) -> Any:
    if isinstance(given, str):
        if rate is None:
            raise ValueError(
                f"Learning rate is None, but should be specified if optimizer is string ({given})."
            )
        if given not in OPTIMIZER_CLS_NAMES:
            raise ValueError(
                f"Optimizer name should be one of [{', '.join(OPTIMIZER_CLS_NAMES)}], you "
                f"provided {given}."
            )
        return OPTIMIZER_CLS_NAMES[given](learning_rate=rate)
    if isinstance(given, type) and issubclass(given, Optimizer):
        if rate is None:
            raise ValueError(
                f"Learning rate is None, but should be specified if optimizer is class ({given})."
            )
        made: Any = given
        return made(learning_rate=rate)
    if isinstance(given, Optimizer):
        return given
    if callable(given):
        opt = given(rate) if learning_rate is not None else given()
        if not isinstance(opt, Optimizer):
            raise ValueError(
                f"Unrecognized optimizer: function should return subclass of Optimizer. Got {opt}."
            )
        return opt
    raise ValueError(
        "Unrecognized optimizer: should be string, subclass of Optimizer, instance of subclass of "
        f"Optimizer or function with one argument. Got {given}."
    )


def _noisy(pairs: Pairs, scale: float | None) -> Pairs:
    """Gradients with normal noise."""
    if scale is None:
        return pairs
    out = []
    for g, v in pairs:
        if g is not None:
            dense = convert_to_tensor(g)
            g = dense + random.truncated_normal(shapes.shape(dense), dtype=dense.dtype) * scale
        out.append((g, v))
    return out


def _multiplied(pairs: Pairs, factors: Mapping[Any, Any] | None) -> Pairs:
    """Gradients of the variables that have a factor, multiplied; others as they are."""
    if factors is None:
        return pairs
    if not pairs:
        raise ValueError(
            "Empty list of (gradient, var) pairs encountered. This is most likely to be caused by "
            "an improper value of gradient_multipliers."
        )
    out = []
    for g, v in pairs:
        key = v if v in factors else v.name
        if g is not None and key in factors:
            factor = math.cast(convert_to_tensor(factors[key]), g.dtype)
            if isinstance(g, IndexedSlices):
                g = IndexedSlices(g.values * factor, g.indices, g.dense_shape)
            else:
                g = g * factor
        out.append((g, v))
    return out


def _clipped(pairs: Pairs, clip: Any) -> Pairs:
    if clip is None:
        return pairs
    if isinstance(clip, float):
        made, _ = clip_by_global_norm([g for g, _ in pairs], clip)
        return list(zip(made, [v for _, v in pairs], strict=True))
    if callable(clip):
        return list(clip(pairs))
    raise ValueError(f"Unknown type {type(clip)} for clip_gradients")


def _summarized(pairs: Pairs, wanted: Sequence[str], clipped: bool) -> None:
    if clipped:
        norm = global_norm([g for g, _ in pairs])
        record("scalar", "global_norm/clipped_gradient_norm", norm)
    for g, v in pairs:
        values = g.values if isinstance(g, IndexedSlices) else g
        if values is None:
            continue
        name = v.name.replace(":", "_")
        if "gradients" in wanted:
            record("histogram", f"gradients/{name}", values)
        if "gradient_norm" in wanted:
            record("scalar", f"gradient_norm/{name}", global_norm([values]))
