"""Loops and conds driven from Python, each region a run of its own.

The way of constructs that no plan can hold: with ops of the host inside, strings, sizes that
depend on data, or shapes that change from one iteration to the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

import numpy as np

from graphc.errors import UnimplementedError
from graphc.ir.dtypes import DType
from graphc.ir.node import Node, Value
from graphc.ir.region import Branch, Context, Loop, context_of
from graphc.ops import flow
from graphc.ops.tensor_arrays import is_unset
from graphc.passes.cuts import Inner
from graphc.passes.reach import first_inputs, insides
from graphc.passes.references import is_snapshot, variable_of
from graphc.passes.run_errors import refuse_vector, run_error
from graphc.passes.sharing import kept_by

__all__ = ["HostDriven"]


class HostDriven:
    """A construct in a run, prepared to be driven.

    Parameters
    ----------
    run : run
        The run that the construct is in.
    node : Node
    inner : Inner
        What else is wanted of the inside.
    """

    def __init__(self, run: Any, node: Node, inner: Inner) -> None:
        self.run, self.node, self.inner = run, node, inner
        self.refs: tuple[Value, ...] = node.attrs["updates"]
        self.variables = tuple([variable_of(v) for v in self.refs])
        self.first = len(first_inputs(node))
        captures = inner.operands[self.first :]
        changed = set(self.variables)
        #: Where among the operands each captured value is that the regions are given.
        self.given = {
            v: self.first + i
            for i, v in enumerate(captures)
            if not ((is_snapshot(v.node) and variable_of(v) in changed) or kept_by(v, changed))
        }
        self.runs: dict[tuple[Context, bool], Any] = {}
        #: When to give up, where this only looks for the words of an error.
        self.until: float | None = None

    def __call__(self, arrays: Sequence[Any]) -> list[Any]:
        """Outputs of the construct, then the other values that are wanted of it."""
        with self._drawing():
            if self.node.op.name == "loop":
                return self._loop(arrays)
            return self._cond(arrays)

    # ------------------------------------------------------------- regions

    def region(self, context: Context, test: bool = False) -> Any:
        """The run of one region: loop variables and captured values in, results out."""
        made = self.runs.get((context, test))
        if made is None:
            params = context.params if isinstance(context, Loop) else ()
            if test:
                assert isinstance(context, Loop)
                fetches: tuple[Value, ...] = (context.test,)  # type: ignore[assignment]
                targets: tuple[Node, ...] = ()
            else:
                fetches = (*context.results, *self.inner.values.get(context, ()))
                targets = self.inner.targets.get(context, ())
            run = self.run
            made = self.runs[context, test] = type(run)(
                run.executor, fetches, targets, (*params, *self.given), checked=True,
                home=context, finals=self.variables,
            )  # fmt: skip
        return made

    @contextmanager
    def _drawing(self) -> Iterator[None]:
        """Random ops inside draw anew each time; a part that counts for nothing takes it back."""
        state = self.run.state
        with state.live_draws(self.run.pure):
            yield

    def _captured(self, arrays: Sequence[Any]) -> tuple[list[Any], list[int]]:
        """What all regions are given, and where in it the variables are that they change."""
        given = [arrays[i] for i in self.given.values()]
        place = {v: i for i, v in enumerate(self.given)}
        return given, [place[v] for v in self.refs]

    def _true(self, a: Any) -> bool:
        refuse_vector(self.node, np.shape(a))
        return bool(a)

    # ------------------------------------------------------------- conds

    def _cond(self, arrays: Sequence[Any]) -> list[Any]:
        then, orelse = insides(self.node)
        taken, other = (then, orelse) if self._true(arrays[0]) else (orelse, then)
        assert isinstance(taken, Branch)
        given, _ = self._captured(arrays)
        out = self.region(taken)(*given)
        count, more = len(taken.results), len(self.variables)
        finals = out[len(out) - more :]
        wanted = dict(zip(self.inner.values.get(taken, ()), out[count:], strict=False))
        wanted.update((v, _nothing(v)) for v in self.inner.values.get(other, ()))
        return [*out[:count], *finals, *[wanted[v] for v in self.inner.outputs]]

    # ------------------------------------------------------------- loops

    def _loop(self, arrays: Sequence[Any]) -> list[Any]:
        (loop,) = insides(self.node)
        assert isinstance(loop, Loop)
        values = list(arrays[: self.first])
        given, changed = self._captured(arrays)
        test, body = self.region(loop, True), self.region(loop)
        count, more = len(loop.results), len(self.variables)
        kept: list[list[Any]] = [[] for _ in self.inner.values.get(loop, ())]
        trips = 0
        while True:
            go_on, *state = test(*values, *given)
            for i, a in zip(changed, state, strict=True):
                given[i] = a
            if not self._true(go_on):
                break
            if self.until is not None and monotonic() > self.until:
                raise TimeoutError
            out = body(*values, *given)
            values = out[:count]
            for i, a in zip(changed, out[len(out) - more :], strict=True):
                given[i] = a
            for rows, a in zip(kept, out[count:], strict=False):
                rows.append(a)
            trips += 1
        stacks = {
            v: self._stacked(v, rows)
            for v, rows in zip(self.inner.values.get(loop, ()), kept, strict=True)
        }
        extra = [
            np.int32(trips) if v.node.op.name == "trips" else stacks[v.node.attrs["value"]][v.index]
            for v in self.inner.outputs
        ]
        return [*values, *[given[i] for i in changed], *extra]

    def _stacked(self, v: Value, rows: Sequence[Any]) -> tuple[Any, Any]:
        arrays = _ranked([np.asarray(a) for a in rows], v)
        if len({a.ndim for a in arrays}) > 1:
            message = (
                f"the gradient of a loop needs the values that {v.name} had in all iterations, but "
                "they have different ranks"
            )
            raise UnimplementedError(None, self.node, run_error(self.node, message))
        return stacked(v, arrays)


def _ranked(arrays: list[Any], v: Value) -> list[Any]:
    """The arrays of all iterations, of one rank where that is not known of some.

    So it is where a branch did not run, and of an array whose elements had no shape yet.
    """
    ranks = [a.ndim for a in arrays if not is_unset(a.shape)] or [a.ndim for a in arrays]
    rank = max(ranks, default=0)
    branch = v.static_shape is None and isinstance(context_of(v.node), Branch)

    def ranked(a: Any) -> Any:
        if a.ndim != rank and is_unset(a.shape):
            return np.zeros((*a.shape[:1], *(0,) * (rank - 1))[:rank], a.dtype)
        if a.ndim < rank and branch and a.ndim == 0:
            return np.zeros((0,) * rank, a.dtype)
        return a

    return [ranked(a) for a in arrays]


def stacked(v: Value, arrays: Sequence[Any]) -> tuple[Any, Any]:
    """What `v` had in each iteration as one array, and the shapes, of which none are the same.

    Smaller ones get zeros at the ends of their axes. No shapes are given where all are the same, or
    where only stacks of loops inside are longer: nobody reads beyond the end of one.
    """
    rank = arrays[0].ndim if arrays else _nothing(v).ndim
    uniform = np.zeros((0, rank), np.int32)
    if not arrays:
        return np.zeros((0, *_nothing(v).shape), _storage(v.dtype)), uniform
    shapes = np.array([a.shape for a in arrays], np.int32).reshape(len(arrays), rank)
    inner, loops = flow.stacked(v)
    whole = tuple(shapes.max(axis=0).tolist())
    same = bool((shapes[:, loops:] == shapes[0, loops:]).all())
    if (shapes == shapes[0]).all():
        return np.stack(arrays), uniform
    out = np.zeros((len(arrays), *whole), arrays[0].dtype)
    shapes_of = flow.is_sizes(inner)
    if shapes_of or out.dtype == object:
        out.fill(-1 if shapes_of else b"")  # -1: the whole of what is in the stack
    for i, a in enumerate(arrays):
        out[i][tuple([slice(n) for n in a.shape])] = a
    return out, uniform if same or shapes_of else shapes


def _storage(dtype: DType) -> Any:
    return dtype.np


def _nothing(v: Value) -> Any:
    """Stands for a value of a branch that did not run; nobody who runs reads it."""
    shape = tuple([d if type(d) is int else 0 for d in v.static_shape or ()])
    return np.zeros(shape, _storage(v.dtype))
