"""Every value program through compiled sessions, against what TensorFlow 1.15 gave."""

from __future__ import annotations

import importlib
import json
import pathlib
import sys
from typing import Any

import numpy as np
import pytest

import graphc as tf

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
PROGRAMS = importlib.import_module("value_programs").PROGRAMS
FACTS = json.loads((HERE / "values.json").read_text())

#: Elements that differ on purpose: program -> output -> places in flat order.
DIFFERS: dict[str, dict[int, list[int]]] = {
    "unary_sign": {0: [17]},  # NaN stays NaN
    "unary_rsqrt": {0: [7]},  # 1/sqrt(-0.0) is -inf, as IEEE and TensorFlow's scalar loop
    "maximum_nan": {0: [1], 1: [1]},  # NaN wins from either side
    "reduce_max": {8: [0]},
    "reduce_min": {8: [0]},
    "argmax": {5: [0], 6: [0]},
    "argmin": {3: [0]},
}
#: Facts about types and static shapes that differ on purpose.
TYPES = {
    ("constants", 11): "an empty constant of a bool is bool, not float32",
    ("sequence_mask", 0): "the largest length is not known before the run",
}


def arrays(value: Any) -> Any:
    return np.array([_number(v) for v in _flat(value)], dtype=object)


def _flat(value: Any) -> list[Any]:
    out, stack = [], [value]
    while stack:
        v = stack.pop()
        if isinstance(v, list):
            stack.extend(reversed(v))
        else:
            out.append(v)
    return out


def _number(v: Any) -> Any:
    return float(v) if isinstance(v, str) and v in ("nan", "inf", "-inf") else v


def close(got: Any, want: Any, places: list[int], what: str) -> None:
    got = np.asarray(got)
    flat, facts = got.reshape(-1), _flat(want)
    assert flat.size == len(facts), what
    for i, (g, w) in enumerate(zip(flat, facts, strict=True)):
        if i in places:
            continue
        w = _number(w)
        if isinstance(w, str):
            assert g == w.encode(), f"{what}[{i}]"
        elif got.dtype.kind == "f":
            eps = np.finfo(got.dtype).eps
            same = (np.isnan(w) and np.isnan(g)) or g == w
            assert same or abs(float(g) - w) <= 40 * eps * max(1.0, abs(w)), f"{what}[{i}]: {g} {w}"
        else:
            assert g == w, f"{what}[{i}]: {g} is not {w}"


def compare(name: str, level: int) -> None:
    try:
        made = PROGRAMS[name](tf, np)
    except AttributeError as e:
        if "graphc has no" in str(e) or "is not a name of" in str(e):
            pytest.xfail(str(e))
        raise
    plan = made if isinstance(made, dict) else {"fetch": made}
    fetch, feed = list(plan["fetch"]), plan.get("feed")
    live = [t for t in fetch if t is not None]
    with tf.Session(config=tf.ConfigProto(graphc_level=level)) as sess:
        if tf.global_variables():
            sess.run(tf.global_variables_initializer())
        rounds = [sess.run(live, feed)]
        for _ in range(plan.get("times", 0)):
            sess.run(plan["step"], feed)
            rounds.append(sess.run(live, feed))
    place = -1
    for k, (t, fact) in enumerate(zip(fetch, FACTS[name], strict=True)):
        what = f"{name}:{k}"
        assert (t is None) == (fact is None), what
        if t is None:
            continue
        place += 1
        skip = DIFFERS.get(name, {}).get(k, [])
        if "slices" in fact:
            for part, f in zip(rounds[0][place], fact["slices"], strict=False):
                close(part, f["value"], skip, what)
            continue
        if (name, k) not in TYPES:
            assert t.dtype.base_dtype.name == fact["dtype"], what
            shape = t.get_shape()
            assert (None if shape.ndims is None else shape.as_list()) == fact["static"], what
        if "values" in fact:
            for one, f in zip(rounds, fact["values"], strict=True):
                close(one[place], f, skip, what)
            continue
        assert list(np.shape(rounds[0][place])) == fact["shape"], what
        close(rounds[0][place], fact["value"], skip, what)


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_value(name: str) -> None:
    with tf.Graph().as_default():
        compare(name, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(PROGRAMS))
def test_value_without_optimisation(name: str) -> None:
    with tf.Graph().as_default():
        compare(name, 0)
