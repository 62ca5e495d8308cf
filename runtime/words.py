"""The words of an error in a loop or a cond that ran natively."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Any

import numpy as np

from graphc.ir.node import Node
from graphc.ir.region import context_of
from graphc.passes.construct import wanted
from graphc.passes.cuts import has_effect
from graphc.passes.reach import live
from graphc.runtime.feeds import from_storage
from graphc.runtime.hostloop import HostDriven

__all__ = ["inside"]

#: For how many seconds a loop is driven to the iteration that fails.
PATIENCE = 2.0


def inside(run: Any, n: Node, arrays: Sequence[np.ndarray[Any, Any]]) -> str:
    """Nothing, where what `run` failed at is not found; else the error of `n` is raised.

    Python drives the construct that `n` is in, so that each iteration is a run of its own, which
    tells what the operands are where it fails. Nothing that the run changed before stays changed.
    """
    at = context_of(n)
    while at is not None and at.outer is not run.home:
        at = at.outer
    around = at.node if at is not None else None
    if around is None or around.attrs["host_effects"]:
        return ""
    given = set(run.feeds) - run.made
    reach = live(around.outputs[:1], (around,), given, set(run.feeds), run.done, run.home)
    if any(has_effect(m) for m in reach.nodes):
        return ""
    inner = wanted(reach, around)
    before = type(run)(
        run.executor, inner.operands, (), run.feeds, pure=True, made=run.made, done=run.done,
        readers=(around,) * len(inner.operands), checked=True, home=run.home,
    )  # fmt: skip
    values = [from_storage(a, v.dtype) for a, v in zip(arrays, run.feeds, strict=True)]
    driven = HostDriven(before, around, inner)
    driven.until = monotonic() + PATIENCE
    driven(before(*values))
    return ""
