"""What of tf.contrib.eager has a meaning in graphs."""

from __future__ import annotations

import contextlib
import enum
import functools
import inspect
import sys
from collections.abc import Callable, Generator, Sequence
from typing import Any

import graphc as tf
from graphc.data.iterator import make_one_shot_iterator
from graphc.face.machine import experimental_list_devices

__all__ = [
    "ASYNC", "DEVICE_PLACEMENT_EXPLICIT", "DEVICE_PLACEMENT_SILENT", "DEVICE_PLACEMENT_WARN",
    "SYNC", "DatasetIterator", "ExecutionCallback", "Saver", "async_clear_error", "async_wait",
    "clear_execution_callbacks", "errstate", "execution_mode", "get_optimizer_variables",
    "gradients_function", "implicit_gradients", "implicit_value_and_gradients", "list_devices",
    "make_template", "run", "run_all_tests_in_graph_and_eager_modes",
    "run_test_in_graph_and_eager_modes",
    "set_execution_mode", "seterr", "value_and_gradients_function",
]  # fmt: skip

SYNC, ASYNC = 0, 1
DEVICE_PLACEMENT_EXPLICIT, DEVICE_PLACEMENT_WARN, DEVICE_PLACEMENT_SILENT = 0, 1, 2

Function = Callable[..., Any]


class ExecutionCallback(enum.Enum):
    """What to do about an infinite or missing number in eager execution."""

    IGNORE = "ignore"
    PRINT = "print"
    RAISE = "raise"
    WARN = "warn"


class DatasetIterator:
    """The elements of a dataset: `next` gives the tensors of the next one.

    Parameters
    ----------
    dataset : tf.data.Dataset
    """

    def __init__(self, dataset: Any) -> None:
        self._iterator = make_one_shot_iterator(dataset)

    def next(self, name: str | None = None) -> Any:
        """Tensors of the next element."""
        return self._iterator.get_next(name)

    get_next = next

    @property
    def element_spec(self) -> Any:
        return self._iterator.element_spec

    @property
    def output_types(self) -> Any:
        return self._iterator.output_types

    @property
    def output_shapes(self) -> Any:
        return self._iterator.output_shapes

    @property
    def output_classes(self) -> Any:
        return self._iterator.output_classes


class Saver:
    """Saves variables of eager execution: refused in graphs, as in TensorFlow.

    Parameters
    ----------
    var_list : list or dict of variables

    Raises
    ------
    RuntimeError
        Always.
    """

    def __init__(self, var_list: Any) -> None:
        raise RuntimeError(
            "tfe.Saver can only be used when eager execution is enabled. Use tf.train.Saver when "
            "building graphs."
        )

    def save(self, file_prefix: str, global_step: Any = None) -> Any:
        """Never reached."""

    def restore(self, file_prefix: str) -> None:
        """Never reached."""


def get_optimizer_variables(optimizer: Any) -> list[Any]:
    """The variables of an optimizer."""
    return list(optimizer.variables())


def make_template(
    name_: str, func_: Function, create_scope_now_: bool = False, unique_name_: str | None = None,
    custom_getter_: Any = None, create_graph_function_: bool = False, **kwargs: Any,
) -> Any:  # fmt: skip
    """``tf.make_template``; in a graph `create_graph_function_` says nothing."""
    return tf.make_template(name_, func_, create_scope_now_, unique_name_, custom_getter_, **kwargs)


# ------------------------------------------------------------------------- gradients


def _wanted(f: Function, params: Sequence[Any] | None, n: int) -> list[int]:
    """The numbers of the arguments to differentiate by, given by number or name."""
    if params is None:
        return list(range(n))
    names = list(inspect.signature(f).parameters)
    out = [p if isinstance(p, int) else names.index(p) if p in names else -1 for p in params]
    if any(not 0 <= i < max(n, len(names)) for i in out):
        raise ValueError(f"params must be numbers or names of arguments {names}: {params}")
    return out


def value_and_gradients_function(f: Function, params: Sequence[Any] | None = None) -> Function:
    """A function that gives the value of `f` and its gradients by its arguments.

    Parameters
    ----------
    f : function
        Of tensors.
    params : list of int or str, optional
        By which of the arguments; all by default.
    """

    def made(*args: Any, **kwargs: Any) -> tuple[Any, list[Any]]:
        dy = kwargs.pop("dy", None)
        if kwargs:
            raise ValueError("Functions to be differentiated cannot receive keyword arguments.")
        places = _wanted(f, params, len(args))
        given = [tf.identity(tf.convert_to_tensor(a)) if i in places else a
                 for i, a in enumerate(args)]  # fmt: skip
        value = f(*given)
        if value is None:
            raise ValueError(f"Cannot differentiate a function that returns None; {f}")
        by = [given[i] for i in places]
        return value, list(tf.gradients(value, by, grad_ys=dy))

    return made


def gradients_function(f: Function, params: Sequence[Any] | None = None) -> Function:
    """A function that gives the gradients of `f` by its arguments."""
    both = value_and_gradients_function(f, params)
    return lambda *args, **kwargs: both(*args, **kwargs)[1]


def implicit_value_and_gradients(f: Function) -> Function:
    """A function that gives the value of `f`, and gradients by the variables that it reads."""

    def made(*args: Any, **kwargs: Any) -> tuple[Any, list[tuple[Any, Any]]]:
        with tf.GradientTape() as tape:
            value = f(*args, **kwargs)
        if value is None:
            raise ValueError(f"Cannot differentiate a function that returns None; {f}")
        variables = [v for v in tape.watched_variables() if v.trainable]
        if not variables:
            raise ValueError(
                "No trainable variables were accessed while the function was being computed."
            )
        return value, list(zip(tape.gradient(value, variables), variables, strict=True))

    return made


def implicit_gradients(f: Function) -> Function:
    """A function that gives pairs of gradients and the variables that `f` reads."""
    both = implicit_value_and_gradients(f)
    return lambda *args, **kwargs: both(*args, **kwargs)[1]


# ------------------------------------------------------------------------- of no effect in graphs


def list_devices() -> list[str]:
    """The names of the devices."""
    return experimental_list_devices()


def set_execution_mode(mode: Any) -> None:
    """Of no effect: a run is waited for."""


@contextlib.contextmanager
def execution_mode(mode: Any) -> Generator[None]:
    """A block of an execution mode: of no effect."""
    yield


def async_wait() -> None:
    """Nothing runs behind the back of a graph."""


def async_clear_error() -> None:
    """Nothing runs behind the back of a graph."""


def clear_execution_callbacks() -> None:
    """There are none: callbacks are of eager execution."""


_handling: dict[str, Any] = {"inf_or_nan": ExecutionCallback.IGNORE}


def seterr(inf_or_nan: Any = None) -> dict[str, Any]:
    """What to do about infinities; of no effect in graphs (``graphc_check_numerics`` is).

    Returns
    -------
    dict
        The setting before.
    """
    before = dict(_handling)
    if inf_or_nan is not None:
        _handling["inf_or_nan"] = ExecutionCallback(getattr(inf_or_nan, "value", inf_or_nan))
    return before


@contextlib.contextmanager
def errstate(inf_or_nan: Any = None) -> Generator[None]:
    """A block with `seterr`."""
    before = seterr(inf_or_nan)
    try:
        yield
    finally:
        seterr(**before)


# ------------------------------------------------------------------------- programs and tests


def run(main: Function | None = None, argv: Sequence[str] | None = None) -> None:
    """Run a program that computes eagerly: refused, graphs only.

    Raises
    ------
    ValueError
        Always: there is no eager execution.
    """
    tf.enable_eager_execution()
    (main or sys.modules["__main__"].main)(argv)


def run_test_in_graph_and_eager_modes(
    func: Function | None = None, config: Any = None, use_gpu: bool = True,
    reset_test: bool = True, assert_no_eager_garbage: bool = False,
) -> Any:  # fmt: skip
    """A test in a session of a graph of its own; there is no other mode."""

    def decorated(f: Function) -> Function:
        @functools.wraps(f)
        def test(self: Any, *args: Any, **kwargs: Any) -> None:
            with tf.Graph().as_default(), self.test_session(use_gpu=use_gpu, config=config):
                f(self, *args, **kwargs)

        return test

    return decorated if func is None else decorated(func)


def run_all_tests_in_graph_and_eager_modes(cls: Any) -> Any:
    """Every test of a class in a session of a graph of its own."""
    for name in dir(cls):
        if name.startswith("test") and name not in ("test_session",):
            value = getattr(cls, name)
            if callable(value):
                setattr(cls, name, run_test_in_graph_and_eager_modes(value))
    return cls
