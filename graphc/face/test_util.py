"""What packages' tests use of ``tensorflow.python.framework.test_util``."""

from __future__ import annotations

import contextlib
import functools
import inspect
import unittest
from collections.abc import Callable
from typing import Any

__all__ = [
    "InstallStackTraceHandler", "IsMklEnabled", "deprecated_graph_mode_only", "is_xla_enabled",
    "run_all_in_graph_and_eager_modes", "run_deprecated_v1", "run_gpu_only",
    "run_in_graph_and_eager_modes", "run_v1_only", "run_v2_only", "use_gpu",
]  # fmt: skip


def run_in_graph_and_eager_modes(
    func: Any = None, config: Any = None, use_gpu: bool = True, reset_test: bool = True,
    assert_no_eager_garbage: bool = False,
) -> Any:  # fmt: skip
    """A test in a session of its own; there is no eager mode to run it in as well.

    Parameters
    ----------
    func : function, optional
        A method of a `tf.test.TestCase`; without it, a decorator is the answer.
    config : ConfigProto, optional
    use_gpu, reset_test, assert_no_eager_garbage
        Make no difference.
    """

    def decorate(f: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.isclass(f):
            raise ValueError(
                "`run_in_graph_and_eager_modes` only supports test methods; a class takes "
                "`run_all_in_graph_and_eager_modes`."
            )

        @functools.wraps(f)
        def decorated(self: Any, *args: Any, **kwargs: Any) -> None:
            with self.test_session(use_gpu=use_gpu, config=config):
                f(self, *args, **kwargs)

        return decorated

    return decorate if func is None else decorate(func)


def run_all_in_graph_and_eager_modes(cls: Any) -> Any:
    """A class every test of which is `run_in_graph_and_eager_modes`."""
    for name, f in list(vars(cls).items()):
        if name.startswith("test") and callable(f) and name != "test_session":
            setattr(cls, name, run_in_graph_and_eager_modes(f))
    return cls


def _as_it_is(func: Any = None) -> Any:
    """A test for graphs: all are."""
    return (lambda f: f) if func is None else func


run_deprecated_v1 = deprecated_graph_mode_only = _as_it_is


def run_v1_only(reason: str, func: Any = None) -> Any:
    """A test for TensorFlow 1: it runs."""
    return _as_it_is(func)


def _skipped(reason: str) -> Callable[..., Any]:
    def mark(func: Any = None) -> Any:
        return unittest.skip(reason) if func is None else unittest.skip(reason)(func)

    return mark


run_v2_only = _skipped("Test is only compatible with v2")
run_gpu_only = _skipped("Test requires GPU")


@contextlib.contextmanager
def use_gpu() -> Any:
    """A context in which a GPU is taken where there is one."""
    yield


def IsMklEnabled() -> bool:
    """No: matrix products are graphc's own."""
    return False


def is_xla_enabled() -> bool:
    """No: there is no XLA."""
    return False


def InstallStackTraceHandler() -> None:
    """Python's `faulthandler` prints stacks where it is switched on."""
