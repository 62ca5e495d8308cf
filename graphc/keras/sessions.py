"""Keras's session and learning phase: what runs, gets and sets values."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from graphc.face import variables as face_variables
from graphc.face.current import name_scope
from graphc.face.default_session import get_default_session
from graphc.face.graph import get_default_graph, reset_default_graph
from graphc.face.session import Session
from graphc.face.variables import Variable
from graphc.ir.node import Value
from graphc.layers.words import smart_cond
from graphc.ops import state
from graphc.ops.convert import convert_to_tensor

__all__ = [
    "batch_get_value", "batch_set_value", "clear_session", "eval", "function", "get_session",
    "get_uid", "get_value", "in_test_phase", "in_train_phase", "initialize", "learning_phase",
    "learning_phase_scope", "manual_variable_initialization", "phase", "reset_uids",
    "set_learning_phase", "set_session", "set_value", "track",
]  # fmt: skip


def get_session(inputs: Any = ()) -> Any:
    """The default session, or one kept for the default graph; new variables are initialised."""
    graph = get_default_graph()
    session = get_default_session()
    if session is None or session.graph is not graph:
        session = graph.extras.get("keras_session")
        if session is None or session._closed:
            session = graph.extras["keras_session"] = Session(graph=graph)
    initialize(session, graph)
    return session


def set_session(session: Any) -> None:
    """Use `session` for its graph."""
    session.graph.extras["keras_session"] = session


def track(v: Variable) -> None:
    """Let `get_session` initialise a variable that is in no collection."""
    v.graph.extras.setdefault("keras_tracked", []).append(v)


def initialize(session: Any, graph: Any) -> None:
    done: Any = graph.extras.setdefault("keras_initialized", set())
    known = [*face_variables.global_variables(), *graph.extras.get("keras_tracked", ())]
    found = [v for v in known if (id(session), v.name) not in done]
    found = [v for v in found if isinstance(v, Variable)]
    if not found:
        return
    asked = [state.is_variable_initialized(v) for v in found]
    new = [v for v, there in zip(found, session.run(asked), strict=True) if not there]
    session.run([v.initializer for v in new])
    done.update((id(session), v.name) for v in found)


def clear_session() -> None:
    """A new default graph, without a session."""
    reset_default_graph()
    learning_phase()


def reset_uids() -> None:
    """Count names of layers anew."""
    get_default_graph().extras.pop("keras_names", None)


def get_uid(prefix: str = "") -> int:
    """The next number for a prefix."""
    counts = get_default_graph().extras.setdefault("keras_names", {})
    counts[prefix] = counts.get(prefix, 0) + 1
    return int(counts[prefix])


def manual_variable_initialization(value: bool) -> None:
    """Accepted: variables that have a value keep it anyway."""


def learning_phase() -> Any:
    """1 (or True) while training: a fed placeholder, or what `set_learning_phase` said."""
    extras = get_default_graph().extras
    if "keras_phase" not in extras:
        with name_scope(None), get_default_graph().control_dependencies(None):
            extras["keras_phase"] = state.placeholder_with_default(
                False, [], name="keras_learning_phase"
            )
    return extras["keras_phase"]


def set_learning_phase(value: Any) -> None:
    """Fix the learning phase of the default graph to 0 or 1."""
    if value not in (0, 1):
        raise ValueError("Expected learning phase to be 0 or 1.")
    get_default_graph().extras["keras_phase"] = int(value)


@contextlib.contextmanager
def learning_phase_scope(value: Any) -> Iterator[None]:
    """Fix the learning phase in a block."""
    extras = get_default_graph().extras
    before = extras.get("keras_phase")
    set_learning_phase(value)
    try:
        yield
    finally:
        extras.pop("keras_phase")
        if before is not None:
            extras["keras_phase"] = before


def phase(training: Any) -> Any:
    flag = learning_phase() if training is None else training
    return bool(flag) if isinstance(flag, int) else flag


def in_train_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """`x` while training, else `alt`; both may be functions."""
    return smart_cond(
        phase(training), x if callable(x) else lambda: x, alt if callable(alt) else lambda: alt
    )


def in_test_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """`alt` while training, else `x`."""
    return in_train_phase(alt, x, training)


class _Function:
    """Runs of a session as a function of arrays."""

    def __init__(self, inputs: Any, outputs: Any, updates: Any) -> None:
        self.inputs = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        self.single = not isinstance(outputs, list | tuple)
        self.outputs = [outputs] if self.single else list(outputs)
        ops = []
        for u in updates or ():
            ops.append(_assign(*u) if isinstance(u, tuple) else u)
        with get_default_graph().control_dependencies(
            [o for o in self.outputs if isinstance(o, Value)]
        ):
            self.updates = list(ops)

    def __call__(self, inputs: Any) -> Any:
        given = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        feed = {k: v for k, v in zip(self.inputs, given, strict=True) if isinstance(k, Value)}
        values = get_session().run([self.outputs, self.updates], feed)[0]
        return values[0] if self.single else values


def _assign(v: Any, value: Any) -> Any:
    """An operation that sets a variable."""
    return v.assign(value).op


def function(
    inputs: Any, outputs: Any, updates: Any = None, name: str | None = None, **kwargs: Any
) -> Callable[[Any], Any]:
    """A function of arrays that runs `outputs` (and `updates`) with `inputs` fed."""
    return _Function(inputs, outputs, updates)


def eval(x: Any) -> Any:
    """The value of a tensor or variable."""
    return get_session().run(convert_to_tensor(x))


get_value = eval


def batch_get_value(tensors: Sequence[Any]) -> list[Any]:
    """The values of variables."""
    return list(get_session().run(list(tensors))) if tensors else []


def set_value(x: Any, value: Any) -> None:
    """Set a variable."""
    x.load(np.asarray(value, x.dtype.base_dtype.np), get_session())


def batch_set_value(tuples: Sequence[Any]) -> None:
    """Set variables: pairs of them and values."""
    for x, value in tuples:
        set_value(x, value)
