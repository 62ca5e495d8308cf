"""Every op with native code at each level of CPU features, and on one, two and three threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from level_programs import PROGRAMS, Maker
from op_cases import CLOSED
from test_generated import check_native

import graphc as tf
from graphc.face.dump import compile_run
from graphc.ir.graph import Graph
from graphc.ops.record import OPS, Op
from graphc.passes import pipeline
from graphc.runtime import binding, pool, runs
from graphc.runtime.llvm.cpu import LEVELS, host
from graphc.runtime.llvm.entry import LEARNED, H, Program, S
from graphc.runtime.pool import P

#: Relative difference of a result from that of the host's best level, of its largest element.
NEAR = {"float16": 2e-3, "float32": 2e-5, "float64": 1e-12}


@pytest.fixture(autouse=True)
def _graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


#: The program whose second part needs numbers that the first one computes.
LIVE = "elements_of_several_shapes"


def made(name: str) -> tuple[list[Any], Maker]:
    x = Maker(tf)
    return [v for v in PROGRAMS[name](tf, x) if v is not None], x


def results(name: str, threads: int) -> list[Any]:
    """What the second run of a program gives in a session of its own."""
    with (
        tf.Graph().as_default(),
        tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=threads)) as sess,
    ):
        fetches, x = made(name)
        sess.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        sess.run(fetches, x.feed)
        return [np.asarray(a) for a in sess.run(fetches, x.feed)]


# ------------------------------------------------------------------------- which ops


def native(r: Op) -> bool:
    """Whether a record makes code of its own, or of other ops."""
    made = r.scalar or r.element or r.combine or r.expand or r.lower or r.facts.get("reshape")
    return bool(made) or r.family in ("contraction", "convolution", "random")


def inside(g: Graph) -> Iterator[str]:
    for n in g.nodes():
        yield n.op.name
        for a in n.attrs.values():
            if isinstance(a, Graph):
                yield from inside(a)


def test_every_native_op_is_in_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[str] = set()
    optimize = pipeline.optimize_ir

    def spy(g: Graph, names: Any, trace: Any = None, check: bool = False) -> Graph:
        kept = pipeline.Trace() if trace is None else trace
        before = len(kept.records)
        out = optimize(g, names, kept, check)
        for graph in (g, *(r.graph for r in kept.records[before:])):
            seen.update(inside(graph))
        return out

    monkeypatch.setattr(pipeline, "optimize_ir", spy)
    with monkeypatch.context() as m:
        m.setattr(runs, "generate", lambda executor, compilation: {})  # no kernel runs
        for name in PROGRAMS.keys() - {LIVE}:
            with tf.Graph().as_default(), tf.Session() as sess:
                fetches, x = made(name)
                compile_run(fetches, x.feed, sess)
    results(LIVE, 1)
    missing = [n for n, r in sorted(OPS.items()) if native(r) and r not in CLOSED and n not in seen]
    assert not missing, "give each a line in level_programs.py, or a row in op_cases.py"


# ------------------------------------------------------------------------- levels and threads

REACHED = LEVELS[: LEVELS.index(host().level) + 1] if host().level else ()


def same(got: list[Any], want: list[Any], what: str, exact: bool = False) -> None:
    for i, (a, b) in enumerate(zip(got, want, strict=True)):
        assert (a.dtype, a.shape) == (b.dtype, b.shape), f"{what} [{i}]"
        if exact or a.dtype.kind != "f" or not a.size:
            np.testing.assert_array_equal(a, b, f"{what} [{i}]")
        else:
            eps = NEAR[a.dtype.name]
            room = eps * float(np.abs(b).max())
            np.testing.assert_allclose(a, b, eps, room, err_msg=f"{what} [{i}]")


@pytest.mark.slow
@pytest.mark.parametrize("name", list(PROGRAMS))
def test_levels(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    want = results(name, 1)
    for level in REACHED[:-1]:
        monkeypatch.setenv("GRAPHC_CPU", level)
        same(results(name, 1), want, f"{name} with {level}")


@pytest.mark.slow
@pytest.mark.parametrize("level", REACHED[:-1])
@pytest.mark.parametrize("record", CLOSED, ids=lambda r: r.name)
def test_records_at_levels(record: Op, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_CPU", level)
    check_native(record, 8)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(PROGRAMS))
def test_threads(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step of more than one unit is shared, whether that pays or not: the same bits."""
    want = results(name, 1)
    splits = 0

    class Split(Program):
        """Steps are handed out by the unit, at a cost that is thought to be known and high."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            nonlocal splits
            super().__init__(*args, **kwargs)
            begin = (int(self._block[H.STEPS]) - self._block.ctypes.data) // 8
            steps = self._block[begin:][: S.SIZE * int(self._block[H.NSTEPS])].reshape(-1, S.SIZE)
            many = (steps[:, S.GRAIN] > 0) & (steps[:, S.UNITS] > 1)
            steps[many, S.GRAIN] = 1
            steps[many, S.FLAGS] |= LEARNED
            self.costs[many] = 1e6
            self.refresh()
            splits += int(many.sum())

    monkeypatch.setattr(binding, "Program", Split)
    for threads in (2, 3):
        assert pool.ensure(threads) == threads
        before, splits = jobs(), 0
        same(results(name, threads), want, f"{name} on {threads} threads", exact=True)
        assert splits < 2 or jobs() > before


def jobs() -> int:
    """How often the pool was given a step."""
    assert pool._pool is not None
    return int(pool._pool.block[P.EPOCH])
