"""Attention layers: values of TensorFlow 1.15."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf

L = tf.keras.layers
RNG = np.random.RandomState(0)
QUERY, VALUE, KEY = (RNG.randn(2, n, 4).astype("f") for n in (3, 5, 5))
ASKED = np.array([[1, 1, 0], [1, 0, 0]], bool)
THERE = np.array([[1, 1, 1, 0, 0], [1, 0, 1, 0, 1]], bool)
#: Places in the flat result.
PLACES = [0, 5, 11, 13, 23]
CASES: dict[str, tuple[list[Any], dict[str, Any], Any, list[float]]] = {
    "plain": ([QUERY, VALUE], {}, None, [1.63602, -1.3951, 1.32204, -0.39048, -0.19819]),
    "key": ([QUERY, VALUE, KEY], {}, None, [0.43981, -1.93241, 0.1111, -0.43567, 0.24166]),
    "masks": (
        [QUERY, VALUE, KEY], {}, [ASKED, THERE], [0.4029, -1.95069, 0.0, -0.55054, 0.0]
    ),
    "values' mask": (
        [QUERY, VALUE], {}, [None, THERE], [1.6951, -1.4135, 0.29191, -0.78729, -1.31719]
    ),
    "scale": (
        [QUERY, VALUE], {"use_scale": True}, None, [1.4726, -1.02182, 0.87619, -0.38733, -0.25021]
    ),
    "causal": (
        [QUERY, VALUE], {"causal": True}, None, [2.26975, -1.41182, 0.29191, -0.43807, 0.39948]
    ),
    "causal with masks": (
        [QUERY, VALUE], {"causal": True}, [ASKED, THERE], [2.26975, -1.41182, 0.0, -0.43807, 0.0]
    ),
}  # fmt: skip
ADDITIVE: dict[str, tuple[list[Any], dict[str, Any], Any, list[float]]] = {
    "plain": ([QUERY, VALUE], {}, None, [1.30784, 0.65969, 0.16525, -0.50841, 0.15506]),
    "key": ([QUERY, VALUE, KEY], {}, None, [0.46741, 0.19994, 0.40357, -0.47981, 0.24724]),
    "masks": ([QUERY, VALUE, KEY], {}, [ASKED, THERE], [0.98138, 0.27885, 0.0, -0.85907, 0.0]),
    "no scale": (
        [QUERY, VALUE], {"use_scale": False}, None, [1.34101, 0.79774, 0.1408, -0.32268, 0.03139]
    ),
    "causal": (
        [QUERY, VALUE], {"causal": True}, None, [2.26975, 1.1426, 0.28321, -0.43807, 0.52609]
    ),
}  # fmt: skip


def check(kind: Any, case: tuple[list[Any], dict[str, Any], Any, list[float]]) -> list[str]:
    """Compare with weights that are known; the names of the weights."""
    given, options, mask, want = case
    tf.keras.backend.clear_session()
    with tf.Session() as sess:
        tf.keras.backend.set_session(sess)
        masks = mask and [None if m is None else tf.constant(m) for m in mask]
        out = kind(**options)([tf.constant(x) for x in given], mask=masks)
        assert out.shape.as_list() == [2, 3, 4]
        for v in tf.global_variables():
            size = int(np.prod(v.shape.as_list(), dtype=int))
            v.load(np.linspace(0.5, 1.5, size).reshape(v.shape.as_list()), sess)
        np.testing.assert_allclose(sess.run(out).ravel()[PLACES], want, atol=2e-5)
        return [v.name for v in tf.global_variables()]


@pytest.mark.parametrize("name", list(CASES))
def test_attention(name: str) -> None:
    names = check(L.Attention, CASES[name])
    assert names == (["attention/scale:0"] if name == "scale" else [])


@pytest.mark.parametrize("name", list(ADDITIVE))
def test_additive_attention(name: str) -> None:
    names = check(L.AdditiveAttention, ADDITIVE[name])
    assert names == ([] if name == "no scale" else ["additive_attention/scale:0"])


def test_masks_of_an_embedding_reach_it_and_go_on() -> None:
    words = tf.constant([[1, 2, 0], [3, 0, 0]])
    rows = L.Embedding(5, 4, mask_zero=True)(words)
    out = L.Attention()([rows, rows])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        found = sess.run(out)
    assert not found[0, 2].any()
    assert not found[1, 1:].any()
    assert found[0, :2].all()
    assert L.Attention().compute_mask([rows, rows]) is None


def test_configuration() -> None:
    made = L.Attention(name="x", causal=True)
    config = made.get_config()
    assert {k: config[k] for k in ("name", "causal", "use_scale")} == {
        "name": "x", "causal": True, "use_scale": False
    }  # fmt: skip
    again = L.AdditiveAttention.from_config(L.AdditiveAttention(use_scale=False).get_config())
    assert again.use_scale is False


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: L.Attention()([tf.constant(QUERY)]), "of length 2 or 3.*Given length: 1"),
        (lambda: L.Attention()(tf.constant(QUERY)), "must be called on a list of inputs"),
        (
            lambda: L.Attention()([tf.constant(QUERY), tf.constant(VALUE)], mask=[None]),
            "must be a list of length 2",
        ),
        (
            lambda: L.Attention()([tf.constant(QUERY), tf.constant(VALUE[:, :, :3])]),
            "Dimensions must be equal, but are 4 and 3",
        ),
    ],
)
def test_misuse(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
