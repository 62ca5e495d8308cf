"""Profiles and the benchmark suite count the same work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from thinned import thinned

import graphc as tf
from graphc.see.profile import profile_run, table

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"

#: Workload → between which factors of the suite's numbers the profile's flops and bytes lie. Bytes
#: only where the suite counts all that moves; Winograd's convolutions multiply less.
AGREE = {
    "mlp_small_train": ((1.0, 1.1), None),
    "mlp_train": ((1.0, 1.1), None),
    "lenet_train": ((0.5, 1.1), None),
    "lstm_train": ((1.0, 1.15), None),
    "vae_train": ((1.0, 1.1), None),
    "transformer_train": ((1.0, 1.1), None),
    "elementwise": (None, (1.0, 1.05)),
    "elementwise_mean": (None, (1.0, 1.05)),
    "softmax": (None, (1.0, 1.05)),
    "layer_norm": (None, (1.0, 1.05)),
    "sum_rows": (None, (1.0, 1.05)),
    "sum_columns": (None, (1.0, 1.3)),
    "matmul_256": ((1.0, 1.0), None),
    "matmul_1x1024x1024": ((1.0, 1.0), (1.0, 1.05)),
    "infer_mlp": ((1.0, 1.05), (1.0, 1.05)),
    "infer_lenet": ((0.5, 1.1), (1.0, 1.1)),
}  # fmt: skip


@pytest.mark.parametrize("name", thinned(AGREE, lambda name: list(AGREE).index(name) % 2 == 0))
def test_the_suite_and_the_profile_count_the_same(name, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    from backends import Tf1  # type: ignore[import-not-found]
    from workloads import WORKLOADS  # type: ignore[import-not-found]

    w = WORKLOADS[name]
    with tf.Graph().as_default():
        session, fetches, feed = Tf1("graphc", 1).session(w)
        # what is kept between runs is made in the first two
        steps = profile_run(session, fetches, feed, runs=1, warmup=2)
        session.close()
    for within, own, theirs in zip(
        AGREE[name], (sum(s.flops for s in steps), sum(s.bytes for s in steps)), w.work, strict=True
    ):
        if within is not None:
            assert within[0] <= own / theirs <= within[1]


def test_the_command_shows_steps():
    done = subprocess.run(
        [sys.executable, "-m", "graphc", "bench", "--profile", "--workloads", "matmul_256",
         "--threads", "1"], capture_output=True, text=True, check=True, cwd=FOLDER.parent,
    )  # fmt: skip
    first, head, row, *_ = done.stdout.splitlines()
    assert first == "matmul_256, 1 thread"
    assert head.split() == ["us", "share", "calls", "GFLOP/s", "GB/s", "attained", "step"]
    assert "k0_matmul" in row


def test_a_table_of_steps():
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [64, 64])
        y = tf.py_func(lambda a: a, [tf.nn.relu(tf.matmul(x, x))], tf.float32)
        steps = profile_run(sess, tf.reduce_sum(y), {x: [[1.0] * 64] * 64}, runs=1)
    text = table(steps)
    assert "k0_matmul_relu:" in text
    assert "py_func" in text
    assert f"{__file__}:" in text
    assert "100.0%" not in text
    assert text.splitlines()[-1].endswith("in all")
    assert "… and 2 shorter ones" in table(steps, rows=1)
    assert "0.0 in all" in table([])
