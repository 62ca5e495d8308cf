"""TensorFlow 1.15's recorded answers, against the records' meaning in numpy.

`agree(name)` builds a program of `tests/oracle/value_programs.py` out of the op functions,
runs the reference interpreter, and compares with `values.json`.
"""

from __future__ import annotations

import importlib.util
import json
import pathlib
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphc.face.elements import Tensor
from graphc.face.graph import Graph
from graphc.ir import build, dtypes
from graphc.ir.node import Value
from graphc.ops import arrays, convert, cumulative, fills, math, nn, reduce, shapes, spaced, state
from graphc.passes.differentiate import differentiate
from graphc.runtime.reference import evaluate

HERE = pathlib.Path(__file__).resolve().parent.parent / "oracle"
FACTS: dict[str, Any] = json.loads((HERE / "values.json").read_text())


def _programs() -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("value_programs", HERE / "value_programs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PROGRAMS  # type: ignore[no-any-return]


PROGRAMS = _programs()


def gradients(ys: Any, xs: Any, grad_ys: Any = None, stop_gradients: Any = ()) -> list[Any]:
    """`tf.gradients` without its options."""
    ys = ys if isinstance(ys, (list, tuple)) else [ys]
    xs = xs if isinstance(xs, (list, tuple)) else [xs]
    seeds = grad_ys if isinstance(grad_ys, (list, tuple)) or grad_ys is None else [grad_ys]
    return differentiate(ys, xs, seeds, stop_gradients)


class Face:
    """What the programs call `tf`: the names of all op modules."""

    def __init__(self, *modules: Any) -> None:
        self.modules = modules
        self.gradients = gradients
        self.bool = dtypes.bool_

    @property
    def compat(self) -> Any:
        return types.SimpleNamespace(v2=types.SimpleNamespace(where=math.select))

    @property
    def nn(self) -> Any:
        return Face(nn, math)

    @property
    def bitwise(self) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        for module in self.modules:
            if hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(name)


TF = Face(math, reduce, cumulative, state, convert, dtypes, shapes, fills, spaced, arrays)


@contextmanager
def recording() -> Iterator[Graph]:
    """A fresh graph that receives what op functions build."""
    graph = Graph()
    with build.use(graph):
        yield graph


def said(value: Any, dtype: str) -> np.ndarray[Any, Any]:
    """A recorded value as an array."""
    a = np.array(value, dtype=object)
    names = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}
    t = dtypes.as_dtype(dtype).np
    flat = [names.get(e, e) if isinstance(e, str) else e for e in a.reshape(-1)]
    with np.errstate(all="ignore"):
        return np.array(flat, dtype=t).reshape(a.shape)


def agree(name: str, rtol: float = 2e-6, skip: dict[str, Any] | None = None) -> None:
    """The program's dtypes, shapes and values are TensorFlow's.

    `skip` maps outputs (by number) to the elements, in flat order, that are not compared.
    """
    with recording():
        got = PROGRAMS[name](TF, np)
        plan = got if isinstance(got, dict) else {"fetch": got}
        values = list(plan["fetch"])
        live = [v for v in values if v is not None]
        arrays = iter(evaluate(live, plan.get("feed")))
    for i, (v, fact) in enumerate(zip(values, FACTS[name], strict=True)):
        assert (v is None) == (fact is None), f"output {i}: {v} but TensorFlow {fact}"
        if v is None:
            continue
        assert isinstance(v, Value)
        a = next(arrays)
        assert v.dtype.name == fact["dtype"], i
        assert list(a.shape) == fact["shape"], i
        if isinstance(v, Tensor) and fact["static"] is not None:
            shape = v.get_shape()
            assert shape.ndims is None or shape.as_list() == fact["static"], i
        want = said(fact["value"], fact["dtype"]).reshape(a.shape)
        left_out = (skip or {}).get(str(i), ())
        keep = np.ones(a.size, bool)
        keep[list(left_out)] = False
        tight = rtol if a.dtype != np.float64 else 1e-9
        np.testing.assert_allclose(
            a.reshape(-1)[keep], want.reshape(-1)[keep], tight, tight, err_msg=f"output {i}"
        )


__all__ = ["FACTS", "PROGRAMS", "TF", "agree", "gradients", "recording"]
