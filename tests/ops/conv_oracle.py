"""TensorFlow 1.15's answers to `tests/oracle/conv_programs.py`, for test_conv and test_pool."""

from __future__ import annotations

import importlib.util
import json
import pathlib
from typing import Any

import numpy as np

import graphc as tf
from graphc.runtime.reference import evaluate

ORACLE = pathlib.Path(__file__).resolve().parent.parent / "oracle"
FACTS: dict[str, Any] = json.loads((ORACLE / "conv.json").read_text())


def _cases() -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("conv_programs", ORACLE / "conv_programs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CASES  # type: ignore[no-any-return]


CASES = _cases()


def same(got: Any, want: Any, name: str) -> None:
    """Whether an array is what TF recorded."""
    assert (got is None) == (want is None), name
    if want is None:
        return
    a = np.asarray(want["value"], want["dtype"]).reshape(want["shape"])
    assert got.shape == a.shape, name
    assert got.dtype == a.dtype, name
    np.testing.assert_allclose(got, a, rtol=2e-5, atol=2e-5 * (1 + np.abs(a).max(initial=0)))


def agree(name: str) -> None:
    """Compare numpy's and the native results of a case, with sizes known and unknown."""
    f, arrays = CASES[name]
    for unknown in (False, True):
        with tf.Graph().as_default():
            free = unknown and arrays[0].ndim == 4 and name != "patches"
            shapes = [a.shape for a in arrays]
            if free:
                shapes[0] = [None, None, None, shapes[0][-1]]
            xs = [tf.placeholder(a.dtype, s) for a, s in zip(arrays, shapes, strict=True)]
            ys = f(tf, *xs)
            feeds = dict(zip(xs, arrays, strict=True))
            wanted = [y for y in ys if y is not None]
            with tf.Session() as session:
                native = iter(session.run(wanted, feeds))
            meant = iter(evaluate(wanted, feeds))
            for y, want in zip(ys, FACTS[name], strict=True):
                same(None if y is None else next(meant), want, name + " by numpy")
                same(None if y is None else next(native), want, name + " natively")
