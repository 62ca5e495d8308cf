"""``training_ops``: steps of optimizers as single operations; values of TensorFlow 1.15."""

from __future__ import annotations

import importlib
import json
import pathlib
import sys
from typing import Any

import pytest
from recorded import close

import graphc as tf
from graphc.train import training_ops

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
programs = importlib.import_module("training_ops_programs")
FACTS: dict[str, Any] = json.loads((HERE / "training_ops.json").read_text())


@pytest.mark.parametrize("name", programs.NAMES)
def test_recorded(name: str) -> None:
    fact = FACTS[name]
    got = programs.observe(tf, training_ops, name, fact["args"])
    close(got, fact["says"], name, rtol=1e-5, atol=1e-6)


def test_names_and_wrong_arguments() -> None:
    tf.reset_default_graph()
    assert tf.python.training.training_ops.apply_adam is training_ops.apply_adam
    v, w = (tf.Variable([1.0, 2.0], use_resource=True) for _ in "vw")
    step = tf.raw_ops.ResourceApplyGradientDescent(var=v.handle, alpha=0.5, delta=[1.0, 2.0])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(step)
        assert sess.run(v).tolist() == [0.5, 1.0]
    f = training_ops.resource_apply_gradient_descent
    for args, more, said in (
        ((v, 0.5), {}, "missing arguments: delta"),
        ((v, 0.5, w, False, "n", 1), {}, "at most 5"),
        ((v, 0.5, w), {"lr": 1}, "unexpected keyword argument 'lr'"),
        ((v, 0.5, w), {"var": v}, "multiple values for argument 'var'"),
    ):
        with pytest.raises(TypeError, match=said):
            f(*args, **more)
    with pytest.raises((ValueError, TypeError)):
        f(v, 0.5, "text")
