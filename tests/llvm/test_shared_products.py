"""Products of several known sizes that share one kernel, with what follows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.runtime.llvm import codegen

SIZES = [(128, 816, 272), (192, 528, 400), (160, 960, 512)]
BATCHES = [(3, 64, 144, 272), (2, 160, 144, 400), (5, 96, 336, 272)]


def _residual(tf: Any, y: Any, x: Any) -> Any:
    return tf.maximum(y + x["full"], 0.0) * x["col"]


def _rows(tf: Any, y: Any, x: Any) -> Any:
    return (y - x["row"]) * x["one"]


def _whole(tf: Any, y: Any, x: Any) -> Any:
    return y * x["full"] + x["row"] + x["col"] * x["full"]


class _Numpy:
    maximum = np.maximum


def _operands(batch: tuple[int, ...], m: int, n: int) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng([m, n])
    shapes = {"full": (*batch, m, n), "row": (*batch, m, 1), "col": (n,), "one": ()}
    return {k: rng.standard_normal(s).astype(np.float32) for k, s in shapes.items()}


@pytest.mark.parametrize("after", [_residual, _rows, _whole])
@pytest.mark.parametrize(("ta", "tb"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("sizes", [SIZES, BATCHES])
def test_one_kernel_for_several_sizes(
    sizes: list[tuple[int, ...]], ta: bool, tb: bool, after: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    keys: list[str] = []
    made = codegen.gemm_key
    monkeypatch.setattr(codegen, "gemm_key", lambda *a: keys.append(made(*a)) or keys[-1])
    rng = np.random.default_rng(0)
    fetches, feed, want = [], {}, []
    for *batch, m, n, k in sizes:
        a = rng.standard_normal((*batch, *((k, m) if ta else (m, k)))).astype(np.float32)
        b = rng.standard_normal((*batch, *((n, k) if tb else (k, n)))).astype(np.float32)
        x = _operands(tuple(batch), m, n)
        fed = {key: tf.placeholder(tf.float32, v.shape) for key, v in x.items()}
        pa, pb = tf.placeholder(tf.float32, a.shape), tf.placeholder(tf.float32, b.shape)
        fetches.append(after(tf, tf.matmul(pa, pb, transpose_a=ta, transpose_b=tb), fed))
        feed |= {pa: a, pb: b, **{fed[key]: v for key, v in x.items()}}
        right = b.swapaxes(-1, -2) if tb else b
        y = (a.swapaxes(-1, -2) if ta else a).astype(np.float64) @ right
        want.append(after(_Numpy, y, x))
    with tf.Session() as sess:
        got = sess.run(fetches, feed)
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, rtol=2e-4, atol=2e-3)
    assert keys
    assert len(set(keys)) < len(keys)
