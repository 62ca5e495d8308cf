"""Recurrent nets against what TensorFlow 1.15 computed: names, shapes and values."""

from __future__ import annotations

import importlib
import json
import pathlib
import sys
from typing import Any

import numpy as np
import pytest

import graphc as tf

ORACLE = pathlib.Path(__file__).resolve().parents[1] / "oracle"
sys.path.insert(0, str(ORACLE))
MODULE = importlib.import_module("rnn_programs")
PROGRAMS: dict[str, Any] = MODULE.PROGRAMS
FACTS: dict[str, Any] = json.loads((ORACLE / "rnn.json").read_text())

#: Fetches with another name than TensorFlow's, and why: program -> places.
NAMED_APART: dict[str, set[int]] = {}

#: Programs where sizes are known that TensorFlow's fused kernels do not tell.
KNOWN_BETTER = {n for n in PROGRAMS if "_block" in n}


def static(t: Any) -> list[int | None] | None:
    """The static shape as the facts have it."""
    return None if t.get_shape().ndims is None else t.get_shape().as_list()


def rounds_of(plan: dict[str, Any]) -> list[list[Any]]:
    """The fetches before and after training."""
    step = None
    if "loss" in plan:
        step = tf.train.GradientDescentOptimizer(0.1).minimize(plan["loss"])
    fetch, feed = list(plan["fetch"]), plan.get("feed")
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        rounds = [session.run(fetch, feed)]
        if step is not None:
            for _ in range(3):
                session.run(step, feed)
            rounds.append(session.run(fetch, feed))
    return rounds


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_recorded(name: str) -> None:
    facts = FACTS[name]
    with tf.Graph().as_default():
        tf.get_variable_scope().set_initializer(MODULE.start(tf, np))
        plan = PROGRAMS[name](tf, np)
        rounds = rounds_of(plan)
        made = [[v.name, v.shape.as_list()] for v in tf.global_variables()]
    assert made == facts["variables"]
    assert plan.get("said") == facts["said"]
    assert len(plan["fetch"]) == len(facts["fetch"])
    for i, (t, fact) in enumerate(zip(plan["fetch"], facts["fetch"], strict=True)):
        what = f"{name}[{i}] {t.name}"
        if i not in NAMED_APART.get(name, ()):
            assert t.name == fact["name"], what
        assert t.dtype.base_dtype.name == fact["dtype"], what
        if name in KNOWN_BETTER:
            assert t.get_shape().is_compatible_with(fact["static"]), what
        else:
            assert static(t) == fact["static"], what
        for got, said in zip([r[i] for r in rounds], fact["values"], strict=True):
            want = np.array(said, np.asarray(got).dtype)
            assert np.size(got) == want.size, what
            want = want.reshape(np.shape(got))
            np.testing.assert_allclose(got, want, rtol=2e-5, atol=3e-6, err_msg=what)
