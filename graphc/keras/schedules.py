"""Learning rates that fall with the step, as objects: ``tf.keras.optimizers.schedules``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from graphc.keras.inside import deserialize_keras_object, serialize_keras_object
from graphc.train import decay

__all__ = [
    "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay",
    "LearningRateSchedule", "LinearCosineDecay", "NoisyLinearCosineDecay",
    "PiecewiseConstantDecay", "PolynomialDecay", "deserialize", "serialize",
]  # fmt: skip


class LearningRateSchedule:
    """A rate for each step: subclasses define ``__call__`` and `get_config`."""

    def __call__(self, step: Any) -> Any:
        """The rate at a step."""
        raise NotImplementedError("Learning rate schedule must override __call__")

    def get_config(self) -> dict[str, Any]:
        """Its arguments."""
        raise NotImplementedError("Learning rate schedule must override get_config")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """What `get_config` says."""
        return cls(**config)


class _Formula(LearningRateSchedule):
    """A function of `graphc.train.decay` with all its arguments but the step."""

    formula: Callable[..., Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        given = inspect.signature(type(self)).bind(*args, **kwargs)
        given.apply_defaults()
        self._given = dict(given.arguments)
        self.__dict__.update(self._given)

    def __call__(self, step: Any) -> Any:
        """The rate at a step."""
        rate, *rest = self._given.values()
        return type(self).formula(rate, step, *rest)

    def get_config(self) -> dict[str, Any]:
        """Its arguments."""
        return dict(self._given)


def _of(name: str, formula: Callable[..., Any]) -> Any:
    """The class of a formula; its arguments are the formula's without the step."""
    rate, _, *rest = inspect.signature(formula).parameters.values()
    first = rate.replace(name="initial_learning_rate")
    more = {
        "__doc__": formula.__doc__, "__module__": __name__, "formula": staticmethod(formula),
        "__signature__": inspect.Signature([first, *rest]),
    }  # fmt: skip
    return type(name, (_Formula,), more)


CosineDecay = _of("CosineDecay", decay.cosine_decay)
CosineDecayRestarts = _of("CosineDecayRestarts", decay.cosine_decay_restarts)
ExponentialDecay = _of("ExponentialDecay", decay.exponential_decay)
InverseTimeDecay = _of("InverseTimeDecay", decay.inverse_time_decay)
LinearCosineDecay = _of("LinearCosineDecay", decay.linear_cosine_decay)
NoisyLinearCosineDecay = _of("NoisyLinearCosineDecay", decay.noisy_linear_cosine_decay)
PolynomialDecay = _of("PolynomialDecay", decay.polynomial_decay)


class PiecewiseConstantDecay(LearningRateSchedule):
    """``values[i]`` in the i-th of the intervals that `boundaries` end (inclusive).

    Raises
    ------
    ValueError
        Unless there is one value more than boundaries.
    """

    def __init__(self, boundaries: Any, values: Any, name: str | None = None) -> None:
        if len(boundaries) != len(values) - 1:
            raise ValueError("The length of boundaries should be 1 less than the length of values")
        self.boundaries, self.values, self.name = boundaries, values, name

    def __call__(self, step: Any) -> Any:
        """The rate at a step."""
        return decay.piecewise_constant(step, self.boundaries, self.values, self.name)

    def get_config(self) -> dict[str, Any]:
        """Its arguments."""
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}


def serialize(learning_rate_schedule: Any) -> Any:
    """A schedule's class and arguments."""
    return serialize_keras_object(learning_rate_schedule)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The schedule that `serialize` tells of."""
    known = {name: globals()[name] for name in __all__}
    return deserialize_keras_object(config, known, custom_objects, "decay")
