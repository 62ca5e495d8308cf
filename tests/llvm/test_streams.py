"""Large results go past the cache, beside a scratch row only where all rows are whole lines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.passes import lower_values
from graphc.runtime.llvm import ahead
from graphc.runtime.llvm.walk import Walk


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("shape", "whole"),
    [((5, 1024), True), ((40, 96), True), ((2, 3, 64), True), ((5, 1000), False), ((7, 72), False)],
)
def test_softmax_streams_rows_of_whole_lines(
    shape: tuple[int, ...], whole: bool, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    streamed: list[Any] = []
    put = Walk.put_stream

    def note(self: Walk, base: Any, at: Any, x: Any) -> None:
        streamed.append(at)
        put(self, base, at, x)

    monkeypatch.setattr(Walk, "put_stream", note)
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    number = np.random.default_rng().uniform(1, 2)  # a kernel that no cache has
    config = tf.ConfigProto(intra_op_parallelism_threads=threads)
    got = []
    for least in (1 << 40, 0):
        monkeypatch.setattr(lower_values, "STREAM_BYTES", least)
        with tf.Graph().as_default(), tf.Session(config=config) as sess:
            logits = tf.placeholder(tf.float32, shape)
            got.append(sess.run(tf.nn.softmax(logits * number), {logits: x}))
        assert bool(streamed) == (whole and not least)
    np.testing.assert_array_equal(*got)
    z = np.exp(x.astype(np.float64) * number)
    np.testing.assert_allclose(got[1], z / z.sum(-1, keepdims=True), rtol=1e-5)


@pytest.mark.parametrize(
    "program", ["pad", "narrow", "sums", "middle", "steps", "back", "plain", "twice"]
)
@pytest.mark.parametrize("rows", [20, 300])
def test_masked_reads_of_far_arrays_are_asked_for(
    program: str, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    far = ahead._far

    def note(w: Walk, name: str) -> bool:
        asked.extend([name] * far(w, name))
        return far(w, name)

    monkeypatch.setattr(ahead, "FAR", 100 * 40 * 4)
    monkeypatch.setattr(ahead, "_far", note)
    a = np.random.default_rng(1).standard_normal((rows, 40)).astype(np.float32)
    number = np.random.default_rng().uniform(1, 2)
    f: Any = {
        "pad": lambda x: tf.pad(x, [[0, 0], [1, 2]]) * number,
        "narrow": lambda x: x[:, 3:] * number,
        "sums": lambda x: tf.reduce_sum(x * number, 1),
        "middle": lambda x: tf.reduce_sum(tf.reshape(x, [-1, 10, 4]) * number, 1),
        "steps": lambda x: x[:, ::2] * number,
        "back": lambda x: x[:, ::-3] * number,
        "plain": lambda x: x * number,
        "twice": lambda x: tf.nn.softmax(x * number),
    }[program]
    want: Any = {
        "pad": lambda x: np.pad(x, [(0, 0), (1, 2)]),
        "narrow": lambda x: x[:, 3:],
        "sums": lambda x: x.astype(np.float64).sum(1),
        "middle": lambda x: x.reshape(-1, 10, 4).astype(np.float64).sum(1),
        "steps": lambda x: x[:, ::2],
        "back": lambda x: x[:, ::-3],
        "plain": lambda x: x,
    }
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, a.shape)
        got = sess.run(f(x), {x: a})
    assert bool(asked) == (rows == 300 and program not in ("plain", "twice"))
    if program in want:
        scale = np.float32(number)
        np.testing.assert_allclose(got, want[program](a * scale), rtol=1e-5, atol=1e-5)
