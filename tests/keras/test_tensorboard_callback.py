"""What the TensorBoard callback writes; tags and steps recorded from TensorFlow 1.15."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf

pytest.importorskip("tensorboard")

K = tf.keras
X = np.arange(12.0).reshape(6, 2) / 10
Y = X.sum(1)


def written(folder: Path, validated: bool = True, **options: Any) -> Any:
    with tf.Graph().as_default():
        m = K.Sequential([
            K.layers.Dense(3, activation="relu", input_shape=(2,), name="d"),
            K.layers.Dense(1, name="o"),
        ])  # fmt: skip
        m.compile("sgd", "mse")
        board = K.callbacks.TensorBoard(str(folder), write_graph=False, **options)
        data = {"validation_data": (X, Y)} if validated else {}
        m.fit(X, Y, epochs=2, batch_size=3, verbose=0, callbacks=[board], **data)
        weights = m.get_weights()
    out = []
    for path in folder.iterdir():
        for event in tf.train.summary_iterator(str(path)):
            out += [(event.step, v) for v in event.summary.value]
    return out, weights


def histograms(values: Any) -> list[Any]:
    return [(step, v.tag, int(v.histo.num)) for step, v in values if v.HasField("histo")]


ONE = [("d/kernel_0", 6), ("d/bias_0", 3), ("d_out", 9), ("o/kernel_0", 3), ("o/bias_0", 1),
       ("o_out", 3)]  # fmt: skip
GRADS = [("d/kernel_0_grad", 6), ("d/bias_0_grad", 3), ("o/kernel_0_grad", 3), ("o/bias_0_grad", 1)]


def test_each_epoch(tmp_path):
    values, _ = written(tmp_path, histogram_freq=1)
    assert histograms(values) == [(step, *row) for step in range(4) for row in ONE]
    scalars = [(step, v.tag) for step, v in values if not v.HasField("histo")]
    assert scalars == [(e, t) for e in range(2) for t in ("epoch_loss", "epoch_val_loss")]
    sums = [v.histo.sum for step, v in values if v.tag == "o/bias_0"]
    assert sums[0] == sums[1]  # two batches of one epoch: the weights rest
    assert sums[1] != sums[2]


def test_every_second_epoch_with_gradients(tmp_path):
    values, weights = written(tmp_path, histogram_freq=2, write_grads=True)
    want = [(step, *row) for step in range(2) for row in [*ONE, *GRADS]]
    assert sorted(histograms(values)) == sorted(want)
    assert len(weights) == 4


def test_without_validation_data(tmp_path):
    values, _ = written(tmp_path, validated=False, histogram_freq=1)
    assert [(step, v.tag) for step, v in values] == [(0, "epoch_loss"), (1, "epoch_loss")]


def test_what_is_not_written_is_said(tmp_path, monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(tf.logging, "warning", lambda text, *a: said.append(text % a))
    K.callbacks.TensorBoard(str(tmp_path), embeddings_freq=1)
    assert [s.split()[-1] for s in said] == ["embeddings_freq"]
