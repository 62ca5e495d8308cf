"""TensorFlow 1.15's recorded answers against runs: `check(name)` of a program in tests/oracle."""

from __future__ import annotations

import importlib
import json
import pathlib
import sys
from typing import Any

import numpy as np

import graphc as tf

ORACLE = pathlib.Path(__file__).resolve().parents[1] / "oracle"
sys.path.insert(0, str(ORACLE))
PROGRAMS: dict[str, Any] = {
    **importlib.import_module("value_programs").PROGRAMS,
    **{"train/" + k: p for k, p in importlib.import_module("train_programs").PROGRAMS.items()},
}
FACTS: dict[str, Any] = {
    **json.loads((ORACLE / "values.json").read_text()),
    **{"train/" + k: f for k, f in json.loads((ORACLE / "train.json").read_text()).items()},
}


def array(x: Any) -> np.ndarray[Any, Any]:
    """A recorded value; ``"nan"`` and ``"inf"`` are numbers."""

    def plain(v: Any) -> Any:
        return [plain(i) for i in v] if isinstance(v, list) else float(v)

    return np.array(plain(x))


def run(program: Any) -> tuple[list[Any], list[list[Any]]]:
    """The fetches of a program and, for each round, the values of those that are not None."""
    got = program(tf, np)
    plan = got if isinstance(got, dict) else {"fetch": got}
    fetch, feed = list(plan["fetch"]), plan.get("feed")
    live = [t for t in fetch if t is not None]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        rounds = [session.run(live, feed)]
        for _ in range(plan.get("times", 0)):
            session.run(plan["step"], feed)
            rounds.append(session.run(live, feed))
    return fetch, rounds


def same(got: Any, want: Any, what: str) -> None:
    """Within rounding of the recorded value (TF's float32 sums in another order)."""
    got = np.asarray(got)
    want = array(want).reshape(got.shape if got.size == 0 else np.shape(want))
    assert got.shape == want.shape, what
    loose = got.dtype != np.float64
    np.testing.assert_allclose(
        got, want, rtol=3e-5 if loose else 1e-11, atol=2e-6 if loose else 1e-12, err_msg=what
    )


def check(name: str, names: bool = False) -> None:
    """Values, types and static shapes of one program; with `names` also the tensors' names."""
    tf.reset_default_graph()
    fetch, rounds = run(PROGRAMS[name])
    place = 0
    assert len(fetch) == len(FACTS[name])
    for i, (t, fact) in enumerate(zip(fetch, FACTS[name], strict=True)):
        what = f"{name}[{i}]"
        assert (t is None) == (fact is None), what
        if fact is None:
            continue
        if isinstance(t, tf.IndexedSlices):
            pair = rounds[0][place]
            same(pair.values, fact["slices"][0]["value"], what)
            same(pair.indices, fact["slices"][1]["value"], what)
        else:
            assert "slices" not in fact, what
            assert t.dtype.base_dtype.name == fact["dtype"], what
            shape = t.get_shape()
            assert (None if shape.ndims is None else shape.as_list()) == fact["static"], what
            if names or isinstance(t, tf.Variable):
                assert t.name == fact["name"], what
            values = fact["values"] if "values" in fact else [fact["value"]]
            for k, (one, want) in enumerate(zip(rounds, values, strict=True)):
                same(one[place], want, f"{what} {t.name} after {k} steps")
        place += 1
