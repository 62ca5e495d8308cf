"""Convolution and pooling against what TensorFlow 1.15 computes, by numpy and natively."""

from __future__ import annotations

import importlib.util
import json
import pathlib
from typing import Any

import numpy as np
import pytest

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
    assert (got is None) == (want is None), name
    if want is None:
        return
    a = np.asarray(want["value"], want["dtype"]).reshape(want["shape"])
    assert got.shape == a.shape, name
    assert got.dtype == a.dtype, name
    np.testing.assert_allclose(got, a, rtol=2e-5, atol=2e-5 * (1 + np.abs(a).max(initial=0)))


@pytest.mark.parametrize("name", sorted(FACTS))
def test_values_are_tensorflows(name: str) -> None:
    f, arrays = CASES[name]
    for unknown in (False, True):
        with tf.Graph().as_default():
            xs = [
                tf.placeholder(a.dtype, [None, None, None, a.shape[-1]] if unknown and a.ndim == 4
                               and i == 0 and "patches" not in name else a.shape)
                for i, a in enumerate(arrays)
            ]  # fmt: skip
            ys = f(tf, *xs)
            feeds = dict(zip(xs, arrays, strict=True))
            wanted = [y for y in ys if y is not None]
            with tf.Session() as session:
                native = iter(session.run(wanted, feeds))
            meant = iter(evaluate(wanted, feeds))
            for y, want in zip(ys, FACTS[name], strict=True):
                same(None if y is None else next(meant), want, name + " by numpy")
                same(None if y is None else next(native), want, name + " natively")
