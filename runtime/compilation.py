"""A plan with all it was made from, and a plan bound to sizes."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.ir.dims import Symbol
from graphc.ir.node import Node
from graphc.passes.functionalize import Frozen
from graphc.runtime import direct
from graphc.runtime.llvm.entry import OK, SLOW, Program
from graphc.runtime.results import Maker
from graphc.runtime.state import Cell, State
from graphc.runtime.steps import StepSpec
from graphc.runtime.swap import Moving, Pointers
from graphc.runtime.trust import Trusting

if TYPE_CHECKING:
    from graphc.passes.pipeline import Trace
    from graphc.runtime.bounds import Guard
    from graphc.runtime.plan import Plan
    from graphc.runtime.runs import Run

__all__ = ["Bound", "Compilation", "Drawing", "never"]


class Compilation:
    """One plan of a run with what it was made from: everything a dump shows.

    Attributes
    ----------
    core : Plan or StoredPlan
        What binding and running need.
    plan, trace
        The plan and the graphs after each pass; for a plan from disk they are made when asked for.
    """

    def __init__(self, frozen: Frozen, trace: Trace | None, plan: Plan) -> None:
        self.frozen = frozen
        self._trace = trace
        self.core: Any = plan
        self.owners: dict[int, Any] = {}
        self.variants: dict[int, str] = {}
        self.variables: dict[str, tuple[int, ...]] = {}
        self.bindings: OrderedDict[tuple[int, ...], Bound] = OrderedDict()
        self.arena: np.ndarray[Any, Any] | None = None
        #: What is made of variables and kept between runs (`graphc.runtime.kept`).
        self.kept: np.ndarray[Any, Any] | None = None
        #: Whether the arena keeps to the limit of memory, by sizes.
        self.fitting: dict[tuple[int, ...], bool] = {}
        #: Steps whose bad numbers are only on the way to good ones.
        self.unwatched: set[int] = set()
        #: Of a guarded plan: what runs where the guard does not hold, and how often it has stopped
        #: at numbers that were good.
        self.safe: Compilation | None = None
        self.alarms = 0
        self.checked: Any = None  # the checker that has seen enough of it
        #: Makes the whole of a plan from disk.
        self.complete: Callable[[], None] | None = None
        #: All that a run does which only gives variables constants.
        self.direct: list[direct.Assignment] | None = None

    def whole(self) -> None:
        """Make what was left out of a plan from disk."""
        if self.complete is not None:
            self.complete()

    def retraced(self, trace: Trace) -> Compilation:
        """The same with other graphs after each pass."""
        self.whole()
        made = copy.copy(self)
        made._trace = trace
        return made

    @property
    def plan(self) -> Plan:
        self.whole()
        return self.core  # type: ignore[no-any-return]

    @plan.setter
    def plan(self, plan: Plan) -> None:
        self.core = plan

    @property
    def trace(self) -> Trace:
        self.whole()
        if self._trace is None:
            from graphc.passes.pipeline import Trace

            self._trace = Trace()
        return self._trace


class Bound:
    """A plan with sizes: the program, its output arrays, and the counters of its random ops."""

    __slots__ = (
        "call", "checks", "counters", "drawn", "env", "epoch", "fresh", "guard", "leaves", "makers",
        "moves", "numbers", "phases", "plain", "pointers", "program", "steps", "streams",
    )  # fmt: skip

    call: Callable[..., int]
    counters: np.ndarray[Any, Any]
    env: dict[Symbol, int]
    epoch: int
    #: The number of the last move (`State.moves`) that the program knows of.
    moves: int
    pointers: Pointers
    guard: Guard | None
    #: In sessions that check numbers: what is known of variables after a run.
    leaves: list[tuple[Cell, float | None]]
    program: Program
    #: What makes the array of each output; which of these are numbers; how many, at the end, are
    #: only there to be checked; whether neither is the case, so that outputs are results.
    makers: list[Maker]
    numbers: list[int]
    checks: int
    plain: bool
    #: What each step of the program is: of the plan, and which phase of a matrix product.
    steps: list[StepSpec]
    phases: list[str]
    streams: list[tuple[Node, int]]
    #: The streams of ops in loops, which leave in their counters what was drawn.
    drawn: set[int]
    #: New storage of variables whose shape this run changes; it is theirs once the run is done.
    fresh: dict[str, Cell]

    def __init__(self) -> None:
        self.epoch = self.moves = -1
        self.drawn = set()
        self.fresh = {}
        self.checks = 0
        self.makers = []
        self.numbers = []
        self.plain = True
        self.steps = []
        self.phases = []
        self.streams = []

    def results(self, outs: list[Any]) -> list[Any]:
        """Outputs as a run gives them."""
        if self.checks:
            del outs[-self.checks :]
        for i in self.numbers:
            outs[i] = outs[i][()]
        return outs

    def follow(self, state: State) -> None:
        """Have the program know where variables are now."""
        if self.moves != state.moves:
            self.pointers.point()
            self.moves = state.moves

    def calling(self, run: Run, program: Callable[..., int]) -> Callable[..., int]:
        """`program`, this one's or the traced one, with all that a call of it takes with it."""
        if self.streams:
            program = Drawing(run, self, program)
        if self.pointers.moved:
            program = Moving(run.state, self, program)
        if self.guard is not None or self.leaves:
            program = Trusting(run.state, self.guard, self.leaves, program)
        return program


class Drawing:
    """A run with random ops: each gets its counter, and moves it on when all is well."""

    __slots__ = ("bound", "program", "pure", "state")

    def __init__(self, run: Run, bound: Bound, program: Callable[..., int] | None = None) -> None:
        self.bound = bound
        self.program = program or bound.program.run
        self.state = run.state
        self.pure = run.pure

    def __call__(self, *args: Any) -> int:
        draws, bound = self.state.draws(), self.bound
        starts = [draws.get(n, 0) for n, _ in bound.streams]
        bound.counters[:, 0] = starts
        code = self.program(*args)
        if code == OK and not self.pure:
            skips = self.state.skips
            for i, (n, used) in enumerate(bound.streams):
                drawn = int(bound.counters[i, 0]) - starts[i] if i in bound.drawn else used
                skips[n] = skips.get(n, 0) + drawn
        return code


def never(*args: Any) -> int:
    return SLOW
