"""What metrics make of labels, predictions and weights that do not fit: TensorFlow 1.15's answers.

Each case has static shapes (``_s``) and placeholders without any (``_u``). The answer is values, or
when which error is raised.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np
import pytest

import graphc as tf

WANT: dict[str, dict[str, Any]] = json.loads(
    pathlib.Path(__file__).with_name("bad_metrics.json").read_text()
)

L, P = [0, 1, 1, 0], [0.1, 0.8, 0.4, 0.6]
SQUARE = [[0, 1], [1, 0]], [[0.1, 0.8], [0.4, 0.6]]
INPUTS: dict[str, tuple[Any, Any, Any]] = {
    "ok": (L, P, None),
    "over1": (L, [0.1, 1.8, 0.4, 0.6], None),
    "below0": (L, [0.1, -0.8, 0.4, 0.6], None),
    "label2": ([0, 2, 1, 0], P, None),
    "labelneg": ([0, -1, 1, 0], P, None),
    "len": ([0, 1, 1], P, None),
    "rank": ([[0], [1], [1], [0]], P, None),
    "rank2": (L, [[0.1], [0.8], [0.4], [0.6]], None),
    "rank3": (SQUARE[0], P, None),
    "w": (L, P, [1, 0, 2, 1]),
    "wcol": (L, P, [[1], [0], [2], [1]]),
    "wlen": (L, P, [1, 0, 2]),
    "wscalar": (L, P, 2),
    "w1": (L, P, [2]),
    "mat": (*SQUARE, None),
    "matw": (*SQUARE, [[1, 2], [3, 4]]),
    "matwc": (*SQUARE, [[1], [3]]),
    "matwr": (*SQUARE, [[1, 3]]),
    "matwv": (*SQUARE, [1, 3]),
    "nan": (L, [0.1, np.nan, 0.4, 0.6], None),
    "wneg": (L, P, [1, -1, 2, 1]),
    "empty": ([], [], None),
}

METRICS: dict[str, Any] = {
    "auc": lambda t, p, w: tf.metrics.auc(t, p, w),
    "acc": lambda t, p, w: tf.metrics.accuracy(t, p, w),
    "prec": lambda t, p, w: tf.metrics.precision(t, p, w),
    "fnt": lambda t, p, w: tf.metrics.false_negatives_at_thresholds(t, p, [0.3, 0.5], w),
    "sas": lambda t, p, w: tf.metrics.sensitivity_at_specificity(t, p, 0.5, w, num_thresholds=10),
    "mean": lambda t, p, w: tf.metrics.mean(p, w),
    "cos": lambda t, p, w: tf.metrics.mean_cosine_distance(tf.cast(t, tf.float32), p, 0, w),
    "pca": lambda t, p, w: tf.metrics.mean_per_class_accuracy(t, tf.cast(p > 0.5, tf.int64), 2, w),
    "mre": lambda t, p, w: tf.metrics.mean_relative_error(t, p, tf.ones_like(p), w),
}


def outcome(metric: str, case: str) -> Any:
    name, kind = case.rsplit("_", 1)
    kinds = (np.int64, np.float32, np.float32)
    given = [
        None if x is None else np.array(x, t) for x, t in zip(INPUTS[name], kinds, strict=True)
    ]
    feeds: dict[Any, Any] = {}
    with tf.Graph().as_default(), tf.Session() as s:
        tensors: list[Any] = []
        for a in given:
            if a is None or kind == "s":
                tensors.append(None if a is None else tf.constant(a))
            else:
                tensors.append(tf.placeholder(tf.as_dtype(a.dtype)))
                feeds[tensors[-1]] = a
        try:
            value, update = METRICS[metric](*tensors)
        except Exception as e:
            return f"BUILD {type(e).__name__}"
        s.run(tf.local_variables_initializer())
        try:
            first = s.run(update, feeds)
        except tf.errors.OpError as e:
            return f"RUN {type(e).__name__}"
        return [first, s.run(value)]


@pytest.mark.parametrize("metric", WANT)
def test_what_fits_and_what_does_not(metric: str) -> None:
    wrong = []
    for case, want in WANT[metric].items():
        got = outcome(metric, case)
        if isinstance(want, str) or isinstance(got, str):
            same = want == got
        else:
            same = all(
                np.shape(a) == np.shape(b) and np.allclose(a, b, 1e-4, 1e-4, equal_nan=True)
                for a, b in zip(got, want, strict=True)
            )
        if not same:
            wrong.append((case, got, want))
    assert not wrong
