"""Which op made the first infinity or NaN: a run that wrote one is replayed with numpy.

Kernels of a session with `numerics` look at what they write (`Fn.look`) and stop the run before
anything is committed. The replay computes the same graph with the same random numbers, follows
bad numbers from where the kernel stored them back to the op that made them of finite ones (or to
the feed or variable that had them already), and says what that op was given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.node import Node, Value
from graphc.runtime.feeds import from_storage
from graphc.runtime.replay import Path, Replay, is_float

__all__ = ["Origin", "Tracing", "describe", "explain", "streams_of"]

Array = np.ndarray[Any, Any]


def describe(a: Any) -> str:
    """Type, shape and statistics of an array in one line; of floats, those of finite elements."""
    a = np.asarray(a)
    what = f"{a.dtype.name}[{','.join(map(str, a.shape))}]"
    if a.dtype.kind not in "fiub" or not a.size:
        return what
    if not is_float(a):
        return f"{what} min={a.min()} max={a.max()} mean={a.mean():.6g}"
    nan, inf = int(np.isnan(a).sum()), int(np.isinf(a).sum())
    left = a[np.isfinite(a)].astype(np.float64)
    stats = ""
    if left.size:
        stats = f" min={left.min():.6g} max={left.max():.6g} mean={left.mean():.6g}"
    return f"{what}{stats} NaN={nan} Inf={inf}"


@dataclass(frozen=True, eq=False)
class Origin:
    """Where bad numbers began.

    Attributes
    ----------
    node : Node
    path : tuple
        The loops and conditions around it, each with the number of the turn.
    inputs : tuple of (Value, str)
        The operands and what `describe` says of them.
    result : str
    kinds : str
        ``"NaN"``, ``"Inf"`` or ``"Inf and NaN"``.
    """

    node: Node
    path: Path
    inputs: tuple[tuple[Value, str], ...]
    result: str
    kinds: str

    @property
    def intended(self) -> bool:
        """Whether it is an infinity that the program has written down: a mask, the worst score."""
        return self.node.op.name == "constant" and self.kinds == "Inf"


class _Found(Exception):
    def __init__(self, origin: Origin) -> None:
        self.origin = origin


class Tracing(Replay):
    """A replay in which each bad array knows the op that its bad numbers come from.

    With `target`, it ends when that node has a bad result.
    """

    def __init__(self, *args: Any, target: Node | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.target = target
        self.bad: dict[int, tuple[Array, Origin]] = {}

    def after(self, n: Node, inputs: Sequence[Array], out: list[Array], path: Path) -> list[Array]:
        """Note where bad results come from."""
        for a in out:
            if is_float(a) and not np.isfinite(a).all():
                origin = self.origin(a) or self.inherited(inputs, a) or made(n, inputs, a, path)
                self.bad.setdefault(id(a), (a, origin))
                if n is self.target:
                    raise _Found(self.bad[id(a)][1])
        return out

    def origin(self, a: Array) -> Origin | None:
        """What is known of an array."""
        found = self.bad.get(id(a))
        return None if found is None else found[1]

    def inherited(self, inputs: Iterable[Array], a: Array) -> Origin | None:
        """Where the bad numbers of operands come from, if those of the result come from there.

        A NaN does not come from an infinity that the program has written down.
        """
        found = [o for o in map(self.origin, inputs) if o is not None]
        others = [o for o in found if not o.intended]
        if others or not np.isnan(a).any():
            return next(iter(others or found), None)
        return None

    def given(self, v: Value, a: Array) -> None:
        """An array that the run is given for the input `v`."""
        self.after(v.node, (), [a], ())


def made(n: Node, inputs: Sequence[Array], a: Array, path: Path) -> Origin:
    shown = tuple((v, describe(x)) for v, x in zip(n.inputs, inputs, strict=False))
    found = ("Inf", np.isinf(a).any()), ("NaN", np.isnan(a).any())
    return Origin(n, path, shown, describe(a), " and ".join(w for w, f in found if f))


def streams_of(run: Any, b: Any) -> list[tuple[int, int, int]]:
    """The counters and seeds of the random ops of a run that has not been committed."""
    draws, seeds = run.state.draws(), run.state.seeds
    return [(draws.get(n, 0), *seeds[n]) for n, _ in b.streams]


def variables_of(run: Any, c: Any) -> dict[str, Array]:
    """The values of the variables that a compilation reads, as they are now."""
    cells = run.state.cells
    return {name: from_storage(cells[name].array, cells[name].dtype) for name in c.variables}


def explain(run: Any, c: Any, b: Any, arrays: Sequence[Array], target: Node) -> Any:
    """The error of a run in which a kernel of `target` wrote a bad number.

    None when numpy has no bad number there (what the kernel wrote was only on the way), or only
    infinities that the program has written down.
    """
    g = c.plan.graph
    given = {v: from_storage(arrays[v.node.attrs["index"]], v.dtype) for v in g.inputs}
    replay = Tracing(b.env, variables_of(run, c), streams_of(run, b), target=target)
    try:
        for v, a in given.items():
            if is_float(a):
                replay.given(v, a)
        replay.graph(g, list(given.values()))
    except _Found as e:
        return None if e.origin.intended else error(run, e.origin, target)
    return None


def error(run: Any, o: Origin, target: Node) -> Any:
    """The error that names the op, the user's line and what the op was given."""
    n = o.node
    where = f"\n  defined at {n.source[0]}" if n.source else ""
    turns = [f"iteration {k} of {r.name}" for r, k in o.path if r.op.name == "while"]
    place = f" in {', '.join(turns)}" if turns else ""
    seen = f"\n  first stored by the kernel of {target.name}" if target is not n else ""
    if n.op.name == "input":
        name = run.feeds[n.attrs["index"]].name
        text = f"The value given for {name} has {o.kinds} values: {o.result}"
    elif n.op.name == "read":
        text = f"Variable {n.attrs['var']} already had {o.kinds} values: {o.result}"
    elif n.op.name == "constant":
        text = f"The constant {n.name} has {o.kinds} values: {o.result}"
    else:
        lines = [f"\n  input {v.name}: {s}" for v, s in o.inputs[:4]]
        text = (
            f"{n.name} ({n.op.name}) : Tensor had {o.kinds} values{place}"
            f"{''.join(lines)}\n  result: {o.result}"
        )
    return InvalidArgumentError(
        None, recorded(run, n), f"{text}{seen}\n\t [[node {n.name}]]{where}"
    )


def recorded(run: Any, n: Node) -> Any:
    """The operation of the user's graph that has the name of a node of a pure graph."""
    try:
        return run.executor.graph.get_operation_by_name(n.name)
    except (KeyError, ValueError, AttributeError):
        return None
