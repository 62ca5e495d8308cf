"""Values of programs with control flow, as TensorFlow 1.15 gives them."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import flow_programs
import numpy as np
import pytest

import graphc as tf

WANT = json.loads(pathlib.Path(__file__).with_name("flow_values.json").read_text())


def agree(got: Any, want: Any) -> None:
    if isinstance(got, dict):
        assert sorted(got) == sorted(want)
        for k, v in got.items():
            agree(v, want[k])
    elif isinstance(got, (list, tuple)):
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            agree(a, b)
    elif isinstance(got, bytes):
        assert got.decode() == want
    elif got is None:
        assert want is None
    else:
        a, b = np.asarray(got), np.asarray(want)
        assert a.shape == b.shape
        if a.dtype.kind == "f":
            eps = 1e-12 if a.dtype == np.float64 else 2e-6
            np.testing.assert_allclose(a, b, rtol=eps, atol=eps * max(1.0, abs(b).max(initial=0)))
        else:
            np.testing.assert_array_equal(a, b)


def run(name: str, **config: Any) -> Any:
    with tf.Graph().as_default():
        fetches, feeds = flow_programs.PROGRAMS[name](tf, np)
        with tf.Session(config=tf.ConfigProto(**config)) as s:
            s.run(tf.global_variables_initializer())
            return s.run(fetches, feeds)


@pytest.mark.parametrize("name", flow_programs.PROGRAMS)
def test_value(name: str) -> None:
    agree(run(name, graphc_check=True), WANT[name])


#: Programs whose results depend on no state that a driven loop keeps elsewhere.
@pytest.mark.parametrize("name", flow_programs.PROGRAMS)
def test_value_when_driven_from_python(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from graphc.passes import control

    monkeypatch.setattr(control, "NATIVE", False)
    agree(run(name), WANT[name])


@pytest.mark.parametrize("name", [
    "growing_array", "gradient_of_a_recursive_net", "gradient_of_an_array_grown_until_some_value",
    "arrays_grown_from_some_size",
])  # fmt: skip
def test_arrays_grow_natively(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from graphc.runtime import hostloop

    def refuse(*args: Any) -> None:
        raise AssertionError("driven from Python")

    monkeypatch.setattr(hostloop.HostDriven, "__init__", refuse)
    agree(run(name), WANT[name])


def test_every_program_has_a_value() -> None:
    assert set(WANT) == set(flow_programs.PROGRAMS)


def test_split_into_pieces_of_other_lengths() -> None:
    with tf.Graph().as_default(), tf.Session() as s:
        n = tf.placeholder(tf.int32, [None])
        made = tf.TensorArray(tf.float32, 2).split(tf.range(4.0), n).stack()
        with pytest.raises(tf.errors.InvalidArgumentError, match="pieces of one length"):
            s.run(made, {n: [1, 3]})
