"""Optimizers outside the graph: `ScipyOptimizerInterface`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.face import logging
from graphc.face.default_session import get_default_session
from graphc.face.gradients import gradients
from graphc.face.variables import trainable_variables
from graphc.ops import arrays, shapes
from graphc.ops.convert import constant
from graphc.ops.state import placeholder

__all__ = ["ExternalOptimizerInterface", "ScipyOptimizerInterface"]


class ExternalOptimizerInterface:
    """Minimises a loss with an optimizer that is a function of a vector.

    Parameters
    ----------
    loss : scalar tensor
    var_list : list of Variable, optional
    equalities, inequalities : list of tensors, optional
        To be kept at zero, or at least zero.
    var_to_bounds : dict from variable to (low, high), optional
    **optimizer_kwargs
        For the optimizer.
    """

    def __init__(
        self, loss: Any, var_list: Any = None, equalities: Any = None, inequalities: Any = None,
        var_to_bounds: Mapping[Any, Any] | None = None, **optimizer_kwargs: Any,
    ) -> None:  # fmt: skip
        self._loss = loss
        self._vars = list(var_list) if var_list is not None else trainable_variables()
        self._equalities, self._inequalities = list(equalities or ()), list(inequalities or ())
        self.optimizer_kwargs = optimizer_kwargs
        self._sizes = [int(np.prod(v.shape.as_list())) for v in self._vars]
        self._ends = np.cumsum(self._sizes)
        self._packed_bounds = None if var_to_bounds is None else self._bounds(var_to_bounds)
        self._packed_loss_grad = self._gradient(loss)
        self._equality_grads = [self._gradient(t) for t in self._equalities]
        self._inequality_grads = [self._gradient(t) for t in self._inequalities]
        self._feeds = [placeholder(v.dtype.base_dtype, v.shape) for v in self._vars]
        self._updates = [v.assign(p) for v, p in zip(self._vars, self._feeds, strict=True)]

    def _gradient(self, t: Any) -> Any:
        found = gradients(t, self._vars)
        flat = [
            constant(np.zeros(n, v.dtype.base_dtype.np)) if g is None else shapes.reshape(g, [-1])
            for g, v, n in zip(found, self._vars, self._sizes, strict=True)
        ]
        return flat[0] if len(flat) == 1 else arrays.concat(flat, 0)

    def _bounds(self, table: Mapping[Any, Any]) -> list[tuple[float, float]]:
        out: list[tuple[float, float]] = []
        for v, n in zip(self._vars, self._sizes, strict=True):
            low, high = table.get(v, (-np.inf, np.inf))
            lows = np.broadcast_to(low, v.shape.as_list()).reshape(-1)
            highs = np.broadcast_to(high, v.shape.as_list()).reshape(-1)
            out += list(zip(lows.tolist(), highs.tolist(), strict=True)) or [(0.0, 0.0)] * n
        return out

    def _unpack(self, x: Any) -> list[Any]:
        parts = np.split(x, self._ends[:-1])
        return [
            p.reshape(v.shape.as_list()).astype(v.dtype.base_dtype.np)
            for p, v in zip(parts, self._vars, strict=True)
        ]

    def minimize(
        self, session: Any = None, feed_dict: Any = None, fetches: Sequence[Any] | None = None,
        step_callback: Callable[..., Any] | None = None,
        loss_callback: Callable[..., Any] | None = None, **run_kwargs: Any,
    ) -> None:  # fmt: skip
        """Minimise, and give the variables their new values.

        Parameters
        ----------
        fetches : list of tensors, optional
            Passed to `loss_callback` in each evaluation of the loss.
        step_callback : callable, optional
            Gets the vector after each step.
        """
        session = session or get_default_session()
        feeds = dict(feed_dict or {})
        more = list(fetches or ())

        def evaluate(tensors: Sequence[Any], x: Any) -> list[Any]:
            # fed variables: the loss for other values, without a change of the session
            fed = dict(zip(self._vars, self._unpack(x), strict=True))
            got: list[Any] = session.run(list(tensors), {**feeds, **fed}, **run_kwargs)
            return got

        def loss_and_gradient(x: Any) -> tuple[Any, Any]:
            loss, grad, *rest = evaluate([self._loss, self._packed_loss_grad, *more], x)
            if loss_callback is not None:
                loss_callback(*rest)
            return loss, grad.astype(np.float64)

        def constraint(t: Any) -> Callable[[Any], Any]:
            return lambda x: evaluate([t], x)[0].astype(np.float64)

        start = np.concatenate([np.ravel(a) for a in session.run(self._vars)])
        final = self._minimize(
            initial_val=start.astype(np.float64), loss_grad_func=loss_and_gradient,
            equality_funcs=[constraint(t) for t in self._equalities],
            equality_grad_funcs=[constraint(t) for t in self._equality_grads],
            inequality_funcs=[constraint(t) for t in self._inequalities],
            inequality_grad_funcs=[constraint(t) for t in self._inequality_grads],
            packed_bounds=self._packed_bounds, step_callback=step_callback,
            optimizer_kwargs=self.optimizer_kwargs,
        )  # fmt: skip
        values = dict(zip(self._feeds, self._unpack(final), strict=True))
        session.run(self._updates, values)

    def _minimize(self, initial_val: Any, loss_grad_func: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("To use ExternalOptimizerInterface, subclass from it and "
                                  "implement the _minimize() method.")  # fmt: skip


class ScipyOptimizerInterface(ExternalOptimizerInterface):
    """Minimises with ``scipy.optimize.minimize``; method L-BFGS-B if none is given."""

    def _minimize(
        self, initial_val: Any, loss_grad_func: Any, equality_funcs: Any = (),
        equality_grad_funcs: Any = (), inequality_funcs: Any = (), inequality_grad_funcs: Any = (),
        packed_bounds: Any = None, step_callback: Any = None, optimizer_kwargs: Any = None,
        **kwargs: Any,
    ) -> Any:  # fmt: skip
        try:
            optimize = importlib.import_module("scipy.optimize")
        except ImportError:
            raise ImportError("ScipyOptimizerInterface needs SciPy: pip install scipy") from None
        options = dict(optimizer_kwargs or {})
        method = options.pop("method", "L-BFGS-B" if not (equality_funcs or inequality_funcs)
                             else "SLSQP")  # fmt: skip
        constraints = [
            {"type": kind, "fun": f, "jac": j}
            for kind, fs, js in (("eq", equality_funcs, equality_grad_funcs),
                                 ("ineq", inequality_funcs, inequality_grad_funcs))
            for f, j in zip(fs, js, strict=True)
        ]  # fmt: skip
        result = optimize.minimize(
            loss_grad_func, initial_val, jac=True, callback=step_callback, method=method,
            constraints=constraints, bounds=packed_bounds, **options,
        )  # fmt: skip
        logging.info("Optimization terminated with:\n  Message: %s\n  Objective function value: "
                     "%f\n  Number of iterations: %d\n  Number of functions evaluations: %d",
                     result.message, result.fun, result.get("nit", 0), result.nfev)  # fmt: skip
        return result["x"]
