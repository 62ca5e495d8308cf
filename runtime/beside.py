"""Native code for what host ops compute: runs of one op, beside the session's own graph.

A host op whose results have sizes that only its data tells, or whose numbers no kernel takes as
they are (complex ones), may have its work done by a structured op on arrays of known sizes. Such an
op is in no table, since no user's graph has it: it is a graph of its own here, with plans, threads
and caches as any other. What it computes is checked by the tests of the host op.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir.build import Rewriter, build, use
from graphc.ir.dtypes import as_dtype
from graphc.ops.record import Op
from graphc.ops.state import placeholder_op

__all__ = ["Beside"]


class Beside:
    """The runs of an executor's host ops, each made once for its operands' types and ranks."""

    def __init__(self, executor: Any) -> None:
        from graphc.runtime.executor import Executor
        from graphc.runtime.state import State

        options = replace(executor.options, numerics=False, memory_limit=0)
        self.executor = Executor(None, State(), options)
        self.executor.checker = None
        self.runs: dict[Any, Any] = {}

    def __call__(
        self, record: Op, arrays: Sequence[Any], attrs: Mapping[str, Any]
    ) -> list[np.ndarray[Any, Any]]:
        """The results of an op for these arrays."""
        arrays = [np.asarray(a) for a in arrays]
        key = (record, *((a.dtype, a.ndim) for a in arrays), *sorted(attrs.items()))
        run = self.runs.get(key)
        if run is None:
            with use(Rewriter()):
                fed = [
                    build(
                        placeholder_op, (),
                        {"dtype": as_dtype(a.dtype), "shape": tuple(D.fresh() for _ in a.shape)},
                        f"x{i}",
                    ).outputs[0]
                    for i, a in enumerate(arrays)
                ]  # fmt: skip
                made = build(record, fed, dict(attrs), record.name)
            run = self.runs[key] = self.executor.prepare(made.outputs, fed)
        return [np.asarray(a) for a in run(*arrays)]
