"""``tf.keras.wrappers.scikit_learn``: models as scikit-learn's estimators."""

from __future__ import annotations

import copy
import inspect
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.keras.models import Sequential
from graphc.keras.utils import to_categorical

__all__ = ["KerasClassifier", "KerasRegressor"]


def _accepts(f: Callable[..., Any], name: str) -> bool:
    return name in inspect.signature(f).parameters


def _one_hot(loss: Any) -> bool:
    """Whether a loss takes a column for each class."""
    return bool(getattr(loss, "__name__", loss) == "categorical_crossentropy")


class _Wrapper:
    """A function that makes a compiled model, with its arguments and those of `fit`.

    Parameters
    ----------
    build_fn : callable, optional
        Gives a compiled model; a subclass may define ``__call__`` instead.
    sk_params
        Arguments of it, and of ``fit``, ``predict`` and the others of `Sequential`.
    """

    def __init__(self, build_fn: Any = None, **sk_params: Any) -> None:
        self.build_fn, self.sk_params = build_fn, sk_params
        self.check_params(sk_params)

    def _builder(self) -> Callable[..., Any]:
        made: Any = self.build_fn
        if made is None:
            made = self.__call__  # type: ignore[operator]
        elif not isinstance(made, types.FunctionType | types.MethodType):
            made = made.__call__
        return made  # type: ignore[no-any-return]

    def check_params(self, params: dict[str, Any]) -> None:
        """Refuse arguments that nothing takes.

        Raises
        ------
        ValueError
        """
        takers: list[Any] = [Sequential.fit, Sequential.predict, Sequential.predict_classes,
                  Sequential.evaluate, self._builder()]  # fmt: skip
        for name in params:
            if name != "nb_epoch" and not any(_accepts(f, name) for f in takers):
                raise ValueError(f"{name} is not a legal parameter")

    def get_params(self, **params: Any) -> dict[str, Any]:
        """All arguments."""
        return {**copy.deepcopy(self.sk_params), "build_fn": self.build_fn}

    def set_params(self, **params: Any) -> Any:
        """Change arguments."""
        self.check_params(params)
        self.sk_params.update(params)
        return self

    def filter_sk_params(
        self, fn: Callable[..., Any], override: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """The arguments that a function takes."""
        return {k: v for k, v in self.sk_params.items() if _accepts(fn, k)} | (override or {})

    def fit(self, x: Any, y: Any, **kwargs: Any) -> Any:
        """Make a model and train it.

        Returns
        -------
        History
        """
        build = self._builder()
        self.model = build(**self.filter_sk_params(build))
        if _one_hot(self.model.loss) and np.ndim(y) != 2:
            y = to_categorical(y)
        given = {**self.filter_sk_params(Sequential.fit), **kwargs}
        self.history = self.model.fit(x, y, **given)
        return self.history


class KerasClassifier(_Wrapper):
    __doc__ = _Wrapper.__doc__

    def fit(self, x: Any, y: Any, **kwargs: Any) -> Any:
        """Make a model and train it.

        Parameters
        ----------
        y : array
            Class labels, or a column for each class.

        Raises
        ------
        ValueError
            For labels of another shape.
        """
        labels = np.array(y)
        if labels.ndim == 2 and labels.shape[1] > 1:
            self.classes_ = np.arange(labels.shape[1])
        elif labels.ndim == 1 or (labels.ndim == 2 and labels.shape[1] == 1):
            self.classes_ = np.unique(labels)
            labels = np.searchsorted(self.classes_, labels)
        else:
            raise ValueError(f"Invalid shape for y: {labels.shape}")
        self.n_classes_ = len(self.classes_)
        return super().fit(x, labels, **kwargs)

    def predict(self, x: Any, **kwargs: Any) -> Any:
        """The class of each entry."""
        given = self.filter_sk_params(Sequential.predict_classes, kwargs)
        return self.classes_[self.model.predict_classes(x, **given)]

    def predict_proba(self, x: Any, **kwargs: Any) -> Any:
        """The probability of each class; with one output those of both."""
        given = self.filter_sk_params(Sequential.predict_proba, kwargs)
        p = self.model.predict(x, **given)
        return np.hstack([1 - p, p]) if p.shape[1] == 1 else p

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """The accuracy.

        Raises
        ------
        ValueError
            Where the model does not report it.
        """
        labels = np.searchsorted(self.classes_, y)
        given = self.filter_sk_params(Sequential.evaluate, kwargs)
        if _one_hot(self.model.loss) and np.ndim(labels) != 2:
            labels = to_categorical(labels)
        got = self.model.evaluate(x, labels, **given)
        values = got if isinstance(got, list) else [got]
        for name, value in zip(self.model.metrics_names, values, strict=True):
            if name in ("accuracy", "acc"):
                return float(value)
        raise ValueError(
            "The model is not configured to compute accuracy. You should pass "
            '`metrics=["accuracy"]` to the `model.compile()` method.'
        )


class KerasRegressor(_Wrapper):
    __doc__ = _Wrapper.__doc__

    def predict(self, x: Any, **kwargs: Any) -> Any:
        """The outputs."""
        return np.squeeze(
            self.model.predict(x, **self.filter_sk_params(Sequential.predict, kwargs))
        )

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """Minus the loss."""
        got = self.model.evaluate(x, y, **self.filter_sk_params(Sequential.evaluate, kwargs))
        return -float(got[0] if isinstance(got, list) else got)
