"""Running graphs: plans by pattern, bindings by size, one native call a run."""

from __future__ import annotations

import copy
import math
import re
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np

from graphc.errors import (
    CompileError,
    FailedPreconditionError,
    InvalidArgumentError,
    ResourceExhaustedError,
)
from graphc.ir import dims as D
from graphc.ir import journal, permit
from graphc.ir.dims import Dim, Facts, Symbol
from graphc.ir.dtypes import DType
from graphc.ir.graph import paused_gc
from graphc.ir.node import Node, Value
from graphc.ir.region import Context, context_of
from graphc.ops.random import reserved, seeds_of
from graphc.ops.record import meaning
from graphc.passes.cuts import has_effect
from graphc.passes.functionalize import (
    Cut,
    Frozen,
    functionalize,
    live_nodes,
    pattern,
    run_error,
)
from graphc.passes.reach import Reach
from graphc.runtime import causes, deadline, direct, sharing, stored, trace
from graphc.runtime.arena import gemm_plan, gemm_variant, pieces, place, tell_places
from graphc.runtime.feeds import as_feed, from_storage, given_shape, storage, to_storage
from graphc.runtime.llvm import codegen, entry, perf, tracing
from graphc.runtime.llvm.entry import (
    COMMIT,
    DIMS,
    NOT_FINITE,
    OK,
    SLOW,
    STOPPED,
    FeedSpec,
    OutSpec,
    Program,
    Step,
)
from graphc.runtime.llvm.watch import NOTHING, Watch
from graphc.runtime.parts import Parts
from graphc.runtime.state import NEVER, Cell, State
from graphc.runtime.steps import Buf, StepSpec
from graphc.runtime.swap import NEW, Moving, Pointers
from graphc.runtime.tail import Tail, late_nodes
from graphc.runtime.trust import FALSE_ALARMS, Trusting, few_terms, trusted

if TYPE_CHECKING:
    from graphc.passes.pipeline import Trace
    from graphc.runtime.bounds import Guard
    from graphc.runtime.plan import Plan

__all__ = ["Cell", "Counters", "Executor", "Options", "State", "counters"]

#: Bytes beyond which no buffer is asked for (rule C15).
LARGEST = 1 << 47


class OutOfMemoryError(ResourceExhaustedError, MemoryError):  # type: ignore[misc, valid-type]
    """A run needs more memory than there is."""


#: Bindings kept for one plan; each holds tables of some kilobytes and shares the plan's arena.
BINDINGS = 64


@dataclass
class Counters:
    """What the runtime did since the process started: read them to see that nothing recompiles.

    Attributes
    ----------
    plans : int
        Graphs optimised and lowered.
    plans_loaded : int
        Plans found on disk, with nothing left to do but to bind them to sizes.
    bindings : int
        Plans bound to new sizes (memory plans; no LLVM).
    assigned : int
        Runs that gave variables constants, for which no code was made.
    runs : int
        Runs that took the slow gate (the quick path is not counted, it costs nothing).
    """

    plans: int = 0
    plans_loaded: int = 0
    bindings: int = 0
    assigned: int = 0
    runs: int = 0


counters = Counters()

#: Called with (run, compilation) after each compilation: dumps and reports listen here.
observers: list[Callable[[Any, Any], None]] = []
#: Called with the run, the compilation as far as it came (None: what was recorded does not fit what
#: is fed), and the error.
failures: list[Callable[[Any, Any, BaseException], None]] = []


#: What new executors take as their `checker`.
default_checker: Callable[..., tuple[Any, dict[Symbol, int]]] | None = None


@dataclass(frozen=True)
class Options:
    """How a session compiles and runs.

    Attributes
    ----------
    level : int
        0, 1 or 2.
    passes : str or None
        The pipeline as text, instead of the level's.
    off : tuple of str
        Passes to leave out.
    threads : int
        Threads of a run; 0 is one for each core.
    check : bool
        Verify after each pass.
    numerics : bool
        Stop a run that makes an infinity or a NaN, before it commits anything.
    memory_limit : int
        Bytes that the temporaries of a native part of a run may take; 0 is no limit.
    """

    level: int = 2
    passes: str | None = None
    off: tuple[str, ...] = ()
    threads: int = 0
    check: bool = False
    numerics: bool = False
    memory_limit: int = 0


def available_threads() -> int:
    from graphc.runtime.llvm.cpu import host

    return host().cores


class Executor:
    """Prepares and runs fetches of one recorded graph against one session's state."""

    def __init__(self, graph: Any, state: State, options: Options | None = None) -> None:
        self.graph = graph
        self.state = state
        self.options = options or Options()
        self.threads = self.options.threads or available_threads()
        self._passes: list[str] | None = None
        if self.options.passes is not None or self.options.off:
            self._passes = self.passes  # what is no pass is said at once
        self.prepared: dict[Any, _Run | Tail] = {}
        #: Why the last plans were made.
        self.causes: deque[causes.Cause] = deque(maxlen=causes.KEPT)
        #: What compilations may apply, where something was switched off.
        self.permit: permit.Permit | None = None
        #: Sees each native part before it runs, as (run, compilation, sizes, arrays), and gives
        #: the compilation to run and its sizes, until that one's `checked` is it.
        self.checker: Callable[..., tuple[Compilation, dict[Symbol, int]]] | None = default_checker
        entry.begin()

    @property
    def passes(self) -> list[str]:
        """The names of the passes, in order."""
        if self._passes is None:
            from graphc.passes.pipeline import pipeline  # not for plans from disk

            o = self.options
            self._passes = pipeline(o.passes, o.level, o.off)
        return self._passes

    def prepare(
        self, fetches: Sequence[Value | Node], feeds: Sequence[Value]
    ) -> Callable[..., list[Any]]:
        """What runs `fetches`: ``run(*feed_values) -> [value of each Value fetched]``.

        Raises
        ------
        InvalidArgumentError
            When a placeholder that the fetches need is not fed.
        """
        key = (tuple(fetches), tuple(feeds))
        run = self.prepared.get(key)
        if run is None:
            values = tuple(f for f in fetches if isinstance(f, Value))
            targets = tuple(f for f in fetches if isinstance(f, Node))
            fed = frozenset(feeds)
            reach = Reach(values, targets, fed)
            late = late_nodes(reach.nodes, values, fed)
            if late:
                run = Tail(self.part, values, targets, feeds, late)
            else:
                fine = not reach.inner and all([n.op.name != "placeholder" for n in reach.nodes])
                run = _Run(self, values, targets, tuple(feeds), checked=fine)
            self.prepared[key] = run
        return run

    def part(
        self, fetches: tuple[Value, ...], targets: tuple[Node, ...], feeds: tuple[Value, ...],
        readers: tuple[Node | None, ...] = (),
    ) -> _Run:  # fmt: skip
        """A run that nothing follows."""
        return _Run(self, fetches, targets, feeds, readers=readers)


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
        "call", "counters", "drawn", "env", "epoch", "fresh", "guard", "leaves", "moves", "phases",
        "pointers", "program", "scalars", "shown", "steps", "streams",
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
    #: For each fetched value an array to use again and None, or its shape and what makes arrays.
    scalars: list[tuple[Any, _Empty | None]]
    #: The same, without outputs that are only there to be checked.
    shown: list[tuple[Any, _Empty | None]]
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
        self.scalars = []
        self.shown = []
        self.steps = []
        self.phases = []
        self.streams = []

    def follow(self, state: State) -> None:
        """Have the program know where variables are now."""
        if self.moves != state.moves:
            self.pointers.point()
            self.moves = state.moves

    def calling(self, run: _Run, program: Callable[..., int]) -> Callable[..., int]:
        """`program`, this one's or the traced one, with all that a call of it takes with it."""
        if self.streams:
            program = _Drawing(run, self, program)
        if self.pointers.moved:
            program = Moving(run.state, self, program)
        if self.guard is not None or self.leaves:
            program = Trusting(run.state, self.guard, self.leaves, program)
        return program


class _Run:
    """One set of fetches and feeds."""

    def __init__(
        self, executor: Executor, fetches: tuple[Value, ...], targets: tuple[Node, ...],
        feeds: tuple[Value, ...], pure: bool = False, made: frozenset[Value] = frozenset(),
        done: frozenset[Node] = frozenset(), readers: tuple[Node | None, ...] = (),
        checked: bool = False, home: Context | None = None, finals: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.executor = executor
        self.home = home  # the inside of a construct that the host drives, run by itself
        self.finals = finals  # variables that are results too, and are not changed
        self.pure = pure  # a part of another run: commits nothing, advances no counter
        self.made = made  # those of `feeds` that earlier parts of the run made
        self.done = done  # what the host applied in earlier parts
        self.readers = readers  # for each fetch who will read it
        self.parts: Parts | None = None
        self.state = executor.state
        self.fetches = fetches
        self.targets = targets
        self.feeds = feeds
        self.plans: dict[Any, list[Compilation]] = {}
        self.bound: Bound | None = None
        if not checked:
            self.check_feeds()

    def check_feeds(self) -> None:
        fed = set(self.feeds)
        # what only waits for a placeholder that is fed has nothing to wait for
        seen: set[Node] = {v.node for v in fed if v.node.op.name == "placeholder"}
        stack = [v.node for v in self.fetches if v not in fed] + list(self.targets)
        while stack:
            n = stack.pop()
            if n in seen:
                continue
            seen.add(n)
            if n.op.name == "placeholder":
                raise InvalidArgumentError(None, n, missing_feed(n))
            for v in n.inputs:
                if v.node not in seen and v not in fed:
                    stack.append(v.node)
            stack.extend(n.control)

    # ---------------------------------------------------------------- the quick path

    def __call__(self, *values: Any) -> list[Any]:
        b = self.bound
        state = self.state
        with state.lock:
            if b is not None and b.moves == state.quick:
                outs = [a if e is None else e(a) for a, e in b.scalars]
                code = b.call(*values, *outs)
                if code == SLOW and b.call is not _never:
                    code = b.call(
                        *[self.quick(x, v) for x, v in zip(values, self.feeds, strict=True)], *outs
                    )
                if code == 0:
                    return [
                        o[()] if e is None else o for o, (_, e) in zip(outs, b.shown, strict=False)
                    ]
        return self.slow(values)

    @staticmethod
    def quick(x: Any, v: Value) -> Any:
        """Python and numpy floats, and float arrays of another width, as the array to bind."""
        if v.dtype.kind == "f" and v.dtype.code != "bf16":
            if type(x) in _FLOATS:
                return np.array(x, v.dtype.np)
            if type(x) is np.ndarray and x.dtype.kind == "f":
                return np.ascontiguousarray(x, v.dtype.np).reshape(x.shape)
        return x

    # ---------------------------------------------------------------- everything else

    def slow(self, values: Sequence[Any]) -> list[Any]:
        """Run in one part, or in several with values known in between."""
        if self.caught_up():
            return self(*values)
        tracer = trace.current()
        plain = tracer is None or deadline.current() is not None
        found = None if plain or tracer is None else self.traced_quickly(tracer, values)
        if found is not None:
            return found
        if self.parts is None:
            try:
                return self.native(values)
            except Cut as cut:
                self.parts = Parts(self, cut)
        run = self
        with self.state.one_run():
            while True:
                parts = run.parts  # another thread may put its own there
                if parts is None:
                    try:
                        return run.native(values) if run.bound is None else run(*values)
                    except Cut as cut:
                        parts = run.parts = Parts(run, cut)
                with trace.span("pause", "pause"):
                    values = parts.pause(values)
                run = parts.rest

    def caught_up(self) -> bool:
        """Whether only moves of variables kept this run from the quick path, which is open now."""
        state = self.state
        with state.lock:
            b = self.bound
            if b is None or b.epoch != state.epoch or state.quick in (NEVER, b.moves):
                return False
            b.follow(state)
            return True

    def native(self, values: Sequence[Any]) -> list[Any]:
        """Run as one native part; strings pass by it."""
        arrays = [
            as_feed(x, v.dtype, given_shape(v), v.name)
            for x, v in zip(values, self.feeds, strict=True)
        ]
        counters.runs += 1
        with self.state.lock:
            with paused_gc():
                compilation, env = self.compilation(arrays)
                checker = self.executor.checker
                if checker is not None and compilation.checked is not checker:
                    compilation, env = checker(self, compilation, env, arrays)
                if self.watched():
                    compilation.whole()
                if compilation.direct is not None and compilation.complete is not None:
                    if direct.assign(self.state, compilation.direct):
                        counters.assigned += 1
                        return []
                    compilation.whole()
                compilation = self.trusted(compilation, env)
                bound = self.bind(compilation, env)
            strings = compilation.frozen.strings
            simple = all(i is None for i in strings) and not compilation.frozen.string_updates
            settled = checker is None or compilation.checked is checker
            if simple and settled and not compilation.core.facts.fed:
                self.bound = bound
            results = self.execute(compilation, bound, arrays)
        if simple:
            return results
        numbers = iter(results)
        return [next(numbers) if i is None else arrays[i][()] for i in strings]

    def compilation(
        self, arrays: Sequence[np.ndarray[Any, Any]]
    ) -> tuple[Compilation, dict[Symbol, int]]:
        """The plan for feeds of these shapes, made where there is none yet."""
        shapes, env, key = pattern(
            (v.static_shape, a.shape) for v, a in zip(self.feeds, arrays, strict=True)
        )
        found = self.plans.setdefault(key, [])
        for c in found:
            full = self.sizes(c.core.facts, env, arrays)
            if c.core.facts.holds(full) and self.same_variables(c) and self.fits(c, full):
                return c, full
        cause = causes.find(
            self, shapes, env, found, lambda c: self.sizes(c.core.facts, env, arrays)
        )
        with trace.span("compile", "compile"):
            c = self.compile(shapes, env, arrays)
        self.executor.causes.append(cause)
        found.append(c)
        return c, self.sizes(c.core.facts, env, arrays)

    def trusted(self, c: Compilation, env: Mapping[Symbol, int]) -> Compilation:
        """`c`, or what runs in its place where its guard does not hold."""
        guard = c.core.guard if self.executor.options.numerics else None
        if guard is None:
            return c
        size = partial(D.evaluate, env=env)
        if c.alarms < FALSE_ALARMS and few_terms(guard, size):
            if trusted(self.state, guard, True):
                return c
            c.alarms = FALSE_ALARMS  # looking at them each time would cost more than it saves
        return self.safely(c)

    def safely(self, c: Compilation) -> Compilation:
        """The plan for what `c` is the plan for, with no guard."""
        if c.safe is None:
            from graphc.runtime.plan import make_plan

            c.safe = s = Compilation(c.frozen, c.trace, cast("Plan", None))
            s.variables = c.variables
            s.plan = make_plan(c.plan.graph, revocable=True, beside=True)
            self.generate(s)
        return c.safe

    @staticmethod
    def sizes(
        facts: Facts, env: Mapping[Symbol, int], arrays: Sequence[np.ndarray[Any, Any]]
    ) -> dict[Symbol, int]:
        """Values of all symbols: the sizes of feeds, and fed integers that are used as sizes."""
        out = dict(env)
        for v, symbols in facts.fed.items():
            a = arrays[v.node.attrs["index"]]
            items = symbols if isinstance(symbols, tuple) else (symbols,)
            # a vector of another length fails a guard of the plan: what is missing here is unused
            for s, x in zip(items, [*a.reshape(-1).tolist(), *[0] * len(items)], strict=False):
                out[Symbol(str(s))] = int(x)
        return out

    def same_variables(self, c: Compilation) -> bool:
        cells = self.state.cells
        return all(
            (cell := cells.get(name)) is None or cell.shape == shape
            for name, shape in c.variables.items()
        )

    def fits(self, c: Compilation, env: dict[Symbol, int]) -> bool:
        """Whether a plan keeps to the limit of memory with these sizes."""
        limit = self.executor.options.memory_limit
        if not limit:
            return True
        key = tuple(env.values())
        if key not in c.fitting:
            binder = _Binder(self, c, env)
            binder.gemms = binder.plan_gemms()
            if len(c.fitting) >= BINDINGS:
                c.fitting.clear()
            c.fitting[key] = binder.arrange() <= limit
        return c.fitting[key]

    def keep_limit(self, plan: Plan) -> None:
        """Change a plan so that it keeps to the limit of memory, with the sizes at hand."""
        from graphc.runtime import recompute  # few sessions have a limit

        try:
            options = self.executor.options
            recompute.fit(plan, options.memory_limit, self.executor.threads, options.numerics)
        except recompute.TooLittle as e:
            raise OutOfMemoryError(None, None, str(e)) from None

    def variable(self, name: str) -> tuple[DType, tuple[int, ...]]:
        cell = self.state.cells.get(name)
        if cell is None or not cell.ready:
            raise FailedPreconditionError(
                None, None, f"Attempting to use uninitialized value {name}"
            )
        return cell.dtype, cell.shape

    def compile(
        self,
        shapes: Sequence[tuple[Dim, ...]],
        env: dict[Symbol, int],
        arrays: Sequence[np.ndarray[Any, Any]],
    ) -> Compilation:
        facts = Facts(env)
        facts.feeds = lambda v: arrays[v.node.attrs["index"]]
        feeds = {v: (v.dtype, s) for v, s in zip(self.feeds, shapes, strict=True)}
        try:
            frozen = functionalize(
                self.fetches, self.targets, feeds, self.variable, facts,
                made=self.made, done=self.done, readers=self.readers,
                home=self.home, finals=self.finals,
            )  # fmt: skip
        except (Cut, FailedPreconditionError):  # runs in parts; there are no variables yet
            raise
        except Exception as e:
            for tell in failures:
                tell(self, None, e)
            raise
        facts.feeds = None  # what is no size by now is data
        if self.pure:
            frozen.graph = replace(frozen.graph, updates=())
            frozen.string_updates = []
        return self.finish(frozen)

    def finish(self, frozen: Frozen) -> Compilation:
        """What becomes of a pure graph: passes, plan, native code."""
        c = Compilation(frozen, None, cast("Plan", None))
        try:
            self.make(c)
        except Exception as e:
            for tell_failure in failures:
                tell_failure(self, c, e)
            raise
        for tell in observers:
            tell(self, c)
        return c

    def make(self, c: Compilation) -> None:
        """A plan from disk, or one made now."""
        for n in c.frozen.graph.nodes():
            if n.op.name == "read":
                c.variables[n.attrs["var"]] = n.attrs["shape"]
        key = ""
        if self.unseen():
            c.direct = direct.assignments(c.frozen)
            if c.direct is not None:
                c.core = stored.StoredPlan([], [], [], c.frozen.graph.facts)
                c.complete = partial(self.complete, c)
                return
            o = self.executor.options
            settings = (o.level, o.passes, o.off, self.executor.threads)
            key = stored.key_of(c.frozen.graph, settings)
            if key and self.load(c, key):
                return
        keys = self.make_anew(c)
        if key:
            stored.keep(key, c.core, c.frozen.graph, keys, c.variants)

    def unseen(self) -> bool:
        """Whether nobody wants to see how a plan is made, and it may come from elsewhere."""
        o = self.executor.options
        if o.check or o.numerics or o.memory_limit or observers or failures:
            return False
        return stored.wanted() and not self.watched()

    def watched(self) -> bool:
        """Whether somebody looks at compilations or runs, and wants the nodes behind the steps."""
        ex = self.executor
        return (
            ex.checker is not None
            or (ex.permit or permit.current()) is not None
            or journal.current() is not None
            or trace.current() is not None
            or perf.wanted()
        )

    def load(self, c: Compilation, key: str) -> bool:
        """Take a plan from disk, if it is there."""
        found = stored.find(key, c.frozen.graph)
        if found is None:
            return False
        counters.plans_loaded += 1
        c.core, c.variants, c.owners = found
        c.complete = partial(self.complete, c)
        return True

    def complete(self, c: Compilation) -> None:
        """Make the whole of a plan that came from disk; programs bound to it are bound anew."""
        with self.state.lock:
            if c.complete is None:
                return
            c.complete = None
            if self.bound in c.bindings.values():
                self.bound = None
            c.bindings.clear()
            with trace.span("compile", "compile"):
                self.make_anew(c)

    def make_anew(self, c: Compilation) -> stored.Keys:
        """Run the passes, plan, compile: what is done so far is in `c`, whatever happens."""
        from graphc.passes.pipeline import optimize_ir
        from graphc.runtime.plan import make_plan

        counters.plans += 1
        ex, frozen = self.executor, c.frozen
        if (log := journal.current()) is not None:
            log.compiles(c)
        with permit.granting(ex.permit or permit.current()), self.journal():
            c.trace.journal = journal.current()
            g = optimize_ir(frozen.graph, ex.passes, c.trace, ex.options.check)
        options = self.executor.options
        free = options.numerics and not options.memory_limit
        plan = make_plan(g, revocable=options.numerics, beside=free, guarded=free)
        if self.executor.options.memory_limit:
            self.keep_limit(plan)
        c.plan = plan
        keys = self.generate(c)
        if log is not None:
            sharing.tell(log, c, ex.threads)
        return keys

    def journal(self) -> AbstractContextManager[Any]:
        """What a checker wants to know is written down."""
        if self.executor.checker is None or journal.current() is not None:
            return nullcontext()
        return journal.recording()

    def again(
        self, c: Compilation, arrays: Sequence[np.ndarray[Any, Any]]
    ) -> tuple[Compilation, dict[Symbol, int]]:
        """A compilation in the place of `c`: other things are permitted now."""
        for found in self.plans.values():
            if c in found:
                found.remove(c)
        self.bound = None
        return self.compilation(arrays)

    def generate(self, c: Compilation) -> stored.Keys:
        """Compile the kernels of a plan that are neither in memory nor on disk; their keys."""
        wanted: dict[str, Any] = {}
        keys: stored.Keys = {}
        by_kernel: dict[Any, str] = {}
        facts = c.core.facts
        looks = self.executor.options.numerics
        for i, s in enumerate(c.plan.steps):
            if not s.calls:
                continue
            watch = self.watch(c, s) if looks and i not in c.unwatched else NOTHING
            con = s.code.contraction
            if con is not None:
                g = codegen.gemm_of(con)
                sizes = [facts.value(d) for d in (con.m, con.n, con.k, con.batch)]
                c.variants[i] = variant = gemm_variant(s, facts.value)
                phases = g.plan(*sizes, self.executor.threads, kernel=variant).phases
                keys[i] = []
                for p in phases:
                    key = codegen.kernel_key(s.code.kernel, f"gemm|{g!r}|{p.kernel}", watch)
                    keys[i].append((p.kernel, key))
                    wanted.setdefault(key, codegen.gemm_emitter(con, p.kernel, watch))
                continue
            if s.code.native is not None:
                key, emit = s.code.native
            else:
                known = by_kernel.get((id(s.code.kernel), watch))
                key = known or codegen.kernel_key(s.code.kernel, watch=watch)
                by_kernel[id(s.code.kernel), watch] = key
                emit = None if known else codegen.kernel_emitter(s.code.kernel, watch)
            keys[i] = [("kernel", key)]
            if emit is not None:
                wanted.setdefault(key, emit)
        done = codegen.compile_all(wanted)
        if perf.wanted():
            for i, pairs in keys.items():
                for phase, key in pairs:
                    name = c.plan.steps[i].code.name
                    perf.note(done[key], name if phase == "kernel" else f"{name}:{phase}")
        for i, pairs in keys.items():
            c.owners[i] = {
                variant: (done[key], done[key].address("kernel")) for variant, key in pairs
            }
        return keys

    @staticmethod
    def watch(c: Compilation, s: StepSpec) -> Watch:
        """What the kernel of a step looks for."""
        names, guard = s.watched(), c.plan.guard
        if guard is None or not names:
            return Watch(names)
        if s.commit:
            return Watch(names, names, words_of(s))
        if s.code.contraction is not None:
            return Watch(names, names if guard.reads.intersection(s.writes) else frozenset())
        params = zip(s.code.kernel.params, s.binds, strict=True)
        return Watch(names, names & {p.name for p, b in params if b in guard.reads})

    # ---------------------------------------------------------------- binding

    def bind(self, c: Compilation, env: dict[Symbol, int]) -> Bound:
        """The program for these sizes: made once, then found."""
        key = (self.state.epoch, *env.values())
        b = c.bindings.get(key)
        if b is None:
            counters.bindings += 1
            arena = c.arena
            with trace.span("bind", "bind"):
                try:
                    b = _Binder(self, c, env).run()
                except OutOfMemoryError:
                    if c.complete is None:
                        raise
                    c.whole()  # to say where
                    b = _Binder(self, c, env).run()
            key = (self.state.epoch, *env.values())
            if arena is not c.arena or next(iter(c.bindings), key)[0] != key[0]:
                c.bindings.clear()  # they hold memory that is no longer used
                self.bound = None
            c.bindings[key] = b
            if len(c.bindings) > BINDINGS:
                c.bindings.popitem(last=False)
        b.follow(self.state)
        return b

    def execute(
        self, c: Compilation, b: Bound, arrays: Sequence[np.ndarray[Any, Any]]
    ) -> list[Any]:
        try:
            outs = [a if e is None else e(a) for a, e in b.scalars]
        except MemoryError as e:
            raise OutOfMemoryError(None, None, f"OOM when allocating a result: {e}") from None
        program: Callable[..., int] = b.program.run
        tracer = trace.current()
        if tracer is not None:
            program = partial(self.traced, tracer.native(c, b))
        run = b.calling(self, program)
        limit = deadline.current()
        if limit is not None:
            deadline.check()
            limit.program = b.program
        code = run(*arrays, *outs)
        if limit is not None:
            limit.program = None
            if code == STOPPED:
                deadline.check()
        if code != OK:
            return self.unfinished(c, b, code, arrays)
        changed = bool(b.fresh)
        self.state.cells.update(b.fresh)
        for name, _, _ in c.core.updates:
            cell = self.state.cells[name]
            if not cell.ready:
                cell.ready = changed = True
        for name, i in c.frozen.string_updates:
            self.state.load(name, self.feeds[i].dtype, arrays[i])
        if changed:
            self.state.epoch += 1
        types = [t for t, _ in c.core.out_types]
        return [
            from_storage(o, t)[()] if e is None else from_storage(o, t)
            for o, (_, e), t in zip(outs, b.shown, types, strict=False)
        ]

    def unfinished(
        self, c: Compilation, b: Bound, code: int, arrays: Sequence[np.ndarray[Any, Any]]
    ) -> list[Any]:
        """A program has stopped on its way, and has changed nothing."""
        if c.complete is not None:  # it stops again, at a step of which the node is known
            c.whole()
            return self.execute(c, self.bind(c, b.env), arrays)
        if code == NOT_FINITE:
            if c.core.guard is not None:
                return self.alarmed(c, b, arrays)
            return self.not_finite(c, b, arrays)
        self.failed(b, code, arrays)

    def traced_quickly(self, tracer: trace.Tracer, values: Sequence[Any]) -> list[Any] | None:
        """What the quick path does, written down; None where it cannot be taken."""
        with self.state.lock:
            b = self.bound
            if b is None or b.epoch != self.state.epoch or b.call is _never:
                return None
            every = (c for found in self.plans.values() for c in found)
            c = next((c for c in every if b in c.bindings.values()), None)
            if c is None or c.complete is not None:
                return None
            outs = [a if e is None else e(a) for a, e in b.scalars]
            b.follow(self.state)
            call = b.calling(self, partial(self.traced, tracer.native(c, b)))
            code = call(*values, *outs)
            if code == SLOW:
                known = [self.quick(x, v) for x, v in zip(values, self.feeds, strict=True)]
                code = call(*known, *outs)
            if code:
                return None
            return [o[()] if e is None else o for o, (_, e) in zip(outs, b.shown, strict=False)]

    @staticmethod
    def traced(native: trace.Native, *arrays: Any) -> int:
        """One run of a program that is written down."""
        native.runs += 1
        with trace.span("native", native.compilation.plan.graph.name):
            return tracing.run(native.bound.program, native.log, arrays)

    def alarmed(
        self, c: Compilation, b: Bound, arrays: Sequence[np.ndarray[Any, Any]]
    ) -> list[Any]:
        """A number was too large for what is shown of the plan: run the one that shows nothing."""
        safe = self.safely(c)
        self.bound = None
        results = self.execute(safe, self.bind(safe, b.env), arrays)
        c.alarms += 1  # there was nothing wrong
        return results

    def not_finite(
        self, c: Compilation, b: Bound, arrays: Sequence[np.ndarray[Any, Any]]
    ) -> list[Any]:
        """A kernel wrote an infinity or a NaN: say which op made it."""
        spec = b.steps[b.program.status().step]
        from graphc.runtime import numerics  # with what replays a run: rarely needed

        error = numerics.explain(self, c, b, arrays, spec.node)
        if error is not None:
            raise error
        c.unwatched.add(c.plan.steps.index(spec))
        self.generate(c)
        c.bindings.clear()
        self.bound = None
        return self.execute(c, self.bind(c, b.env), arrays)

    def failed(self, b: Bound, code: int, arrays: Sequence[np.ndarray[Any, Any]]) -> NoReturn:
        status = b.program.status()
        if code in (SLOW, DIMS):
            v = self.feeds[status.argument] if status.argument < len(self.feeds) else None
            raise CompileError(f"argument {status.argument} ({v!r}) does not fit its binding")
        if code < 0:
            raise CompileError(f"run stopped with code {code}")
        spec = b.steps[status.step]
        number, message = spec.checks[code - 1]
        node = spec.node
        body = node.attrs.get("body")
        if isinstance(number, Node):
            node = number
        elif body is not None:
            node = [n for n in body.nodes() if n.op.name not in ("input", "constant")][number]
        try:
            recorded = self.executor.graph.get_operation_by_name(node.name)
        except (KeyError, ValueError, AttributeError):
            recorded = None
        message = with_numbers(message, b.env, status.position)
        if recorded is not None:
            message = self.explain(recorded, arrays) or message
        raise InvalidArgumentError(None, recorded, run_error(node, message))

    def explain(self, n: Node, arrays: Sequence[np.ndarray[Any, Any]]) -> str:
        """What the numpy meaning of a failed op says: it names the element."""
        try:
            if context_of(n) is not self.home:
                from graphc.runtime import words  # rarely needed

                return words.inside(self, n, arrays)
            inputs = live_nodes(n.inputs, (), (), self.feeds, self.done, self.home)
            if any(map(has_effect, inputs)):
                return ""
            run = _Run(
                self.executor, tuple(n.inputs), (), self.feeds, True, self.made, self.done,
                tuple([n] * len(n.inputs)), True, self.home,
            )  # fmt: skip
            feeds = zip(arrays, self.feeds, strict=True)
            values = run(*[from_storage(a, v.dtype) for a, v in feeds])
            meaning(n.op, [np.asarray(a) for a in values], n.attrs, [v.type for v in n.outputs])
        except (InvalidArgumentError, ValueError) as e:
            return str(e).split("\n", 1)[0]
        except Exception:  # this only looks for better words
            pass
        return ""


def compile_only(run: Any, values: Sequence[Any], variables: Any) -> Compilation:
    """The compilation that `run` would use for these feeds; nothing is run (for dumps)."""
    arrays = [
        as_feed(x, v.dtype, given_shape(v), v.name) for x, v in zip(values, run.feeds, strict=True)
    ]
    run.variable = variables
    try:
        return run.compilation(arrays)[0]  # type: ignore[no-any-return]
    finally:
        del run.variable


def with_numbers(message: str, env: Mapping[Symbol, int], position: int) -> str:
    """A kernel's message with numbers for ``<position>``, sizes ``<n>`` and ranges ``[0, n)``."""
    from graphc.ir.kernel_text import ParseError, Tokens, parse_dim

    sizes = {**env, Symbol("position"): position}

    def known(m: re.Match[str]) -> str:
        try:
            n = D.evaluate(parse_dim(Tokens(m[1] or m[2])), sizes)
        except (ParseError, KeyError):
            return m[0]
        return str(n) if m[1] else f"[0, {n})"

    return re.sub(r"<([^<>]+)>|\[0, ([^\[\]]+?)\)(?!\))", known, message)


def words_of(s: StepSpec) -> int:
    """How many argument words the kernel of a step has."""
    con = s.code.contraction
    if con is None:
        return 1 + len(s.binds) + len(s.code.kernel.sizes)
    extra = len(s.binds) - 2 - len(con.outputs) + len(con.kernel.sizes)
    return int(codegen.gemm_of(con).extra_word(extra))


_Patches = dict[int, list[tuple[int, int]]]


class _Binder:
    """Puts addresses and sizes into the argument words of a plan."""

    def __init__(self, run: _Run, c: Compilation, env: Mapping[Symbol, int]) -> None:
        self.owner = run
        self.c = c
        self.env = env
        self.memo: dict[Dim, int] = {}
        self.threads = run.executor.threads
        self.bound = Bound()
        self.numbers = {s: i for i, s in enumerate(c.core.steps)}
        self.offset: dict[int, int] = {}
        self.keep: list[Any] = []
        #: Steps and words that are addresses of variables, and whether of their second arrays.
        self.places: list[tuple[int, int, Cell, bool]] = []

    def size(self, d: Dim) -> int:
        if type(d) is int:
            return d
        n = self.memo.get(d)
        if n is None:
            n = self.memo[d] = D.evaluate(d, self.env)
        return n

    def shape(self, shape: Sequence[Dim]) -> tuple[int, ...]:
        return tuple(self.size(d) for d in shape)

    @staticmethod
    def fits(shape: Sequence[int], dtype: DType) -> None:
        """Refuse an array that no memory holds, before anything is allocated."""
        if math.prod(shape) * dtype.size > LARGEST or max(shape, default=0) > LARGEST:
            raise OutOfMemoryError(
                None, None,
                f"OOM when allocating tensor with shape{list(shape)} and type {dtype.name}",
            )  # fmt: skip

    def run(self) -> Bound:
        plan, b = self.c.core, self.bound
        state = self.owner.state
        self.make_cells()
        self.gemms = self.plan_gemms()
        self.place()
        streams = self.c.frozen.random
        b.drawn = {s.binds[0].index for s in plan.steps if s.code.name == "draw"}
        b.counters = np.zeros((max(1, len(streams)), 3), np.int64)
        b.streams = [(n, self.size(reserved(made))) for n, made in streams]
        for i, (n, _) in enumerate(b.streams):
            seeds = state.seeds.get(n)
            if seeds is None:
                seeds = state.seeds[n] = seeds_of(n)
            b.counters[i] = np.array([0, *seeds], np.uint64).view(np.int64)
        steps, feed_patches, out_patches = self.make_steps()
        feeds = []
        inputs = {v.node.attrs["index"]: v for v in self.c.frozen.graph.inputs}
        for i in range(len(inputs)):
            v = inputs[i]
            feeds.append(
                FeedSpec(
                    storage(v.dtype), self.shape(v.static_shape or ()), feed_patches.get(i, [])
                )
            )
        outs = []
        b.scalars = []
        for i, (dtype, shape) in enumerate(plan.out_types):
            size = self.shape(shape)
            self.fits(size, dtype)
            outs.append(OutSpec(storage(dtype), size, out_patches.get(i, [])))
            if size or dtype.code == "bf16":
                b.scalars.append((size, _Empty(storage(dtype), size)))
            else:
                b.scalars.append((np.zeros((), storage(dtype)), None))
        b.shown = b.scalars[: len(b.scalars) - self.c.frozen.checks]
        b.program = Program(
            steps, feeds, outs, threads=self.threads, keep=[*self.keep, self.c, b.counters]
        )
        flips = [s.binds[0].name for s in plan.steps if s.code.name == "flip"]
        moved = [state.cells[name] for name in flips if name not in b.fresh]
        start = b.program.starts
        places = [(start[i] + word, cell, other) for i, word, cell, other in self.places]
        b.pointers = Pointers(b.program.words, places, moved)
        b.pointers.point()
        b.guard = plan.guard if self.owner.executor.options.numerics else None
        b.leaves = self.leaves()
        if b.fresh or any(t.code == "bf16" for t, _ in plan.out_types):
            b.call = _never
        else:
            b.call = b.calling(self.owner, b.program.run)
        b.epoch, b.moves = state.epoch, state.moves
        b.env = dict(self.env)
        return b

    def make_steps(self) -> tuple[list[Step], _Patches, _Patches]:
        """The steps of the program, and the words that take addresses of feeds and results."""
        b = self.bound
        steps: list[Step] = []
        feeds: _Patches = {}
        outs: _Patches = {}
        b.steps, b.phases = [], []
        places: dict[StepSpec, int] = {}

        def add(s: StepSpec, made: list[tuple[Step, list[tuple[int, Buf]]]]) -> None:
            for step, binds in made:
                at = len(steps)
                for word, buf in binds:
                    if buf.kind in ("feed", "out"):
                        patches = feeds if buf.kind == "feed" else outs
                        patches.setdefault(buf.index, []).append((at, word))
                self.note_places(at, binds)
                steps.append(step)
                b.steps.append(s)
                b.phases.append(step.phase)

        made = [self.steps_of(i, s) for i, s in enumerate(self.c.core.steps)]
        early: dict[StepSpec, list[int]] = {}  # what is packed before which loop
        for i, s in enumerate(self.c.core.steps):
            if s.ahead is not None and len(made[i]) > 1:
                early.setdefault(s.ahead[0], []).append(i)
            elif s.panels not in (None, s):
                made[i] = made[i][-1:]
        for i, s in enumerate(self.c.core.steps):
            for j in early.get(s, ()):
                add(self.c.core.steps[j], made[j][:1])
                made[j] = made[j][1:]
            places[s] = len(steps)
            add(s, made[i])
        for at, s in enumerate(b.steps):
            if s.target is not None:
                steps[at] = entry.branch(steps[at].words[1], places[s.target])
        return steps, feeds, outs

    def leaves(self) -> list[tuple[Cell, float | None]]:
        """What will be known of the variables that the program changes."""
        if not self.owner.executor.options.numerics:
            return []
        guard, cells = self.c.core.guard, self.owner.state.cells
        known: Mapping[str, float] = {} if guard is None else guard.leaves
        return [(cells[name], known.get(name)) for name, _, _ in self.c.core.updates]

    def note_places(self, at: int, binds: Sequence[tuple[int, Buf]]) -> None:
        """Write down which words of a step are addresses of variables."""
        cells = self.owner.state.cells
        for word, buf in binds:
            if buf.kind == "var" and self.fresh_of(buf) is None:
                self.places.append((at, word, cells[buf.name], buf.index == NEW))

    # ------------------------------------------------------------- memory

    def make_cells(self) -> None:
        """Storage for the variables this run writes; a new one where the shape changes."""
        state = self.owner.state
        for name, dtype, shape in self.c.core.updates:
            size, old = self.shape(shape), state.cells.get(name)
            self.fits(size, dtype)
            if old is not None and old.ready and old.shape != size:
                self.bound.fresh[name] = Cell(dtype, size)
            else:
                state.cell(name, dtype, size)

    def plan_gemms(self) -> dict[int, tuple[Any, Any]]:
        return {
            i: gemm_plan(s, self.size, self.threads, self.c.variants[i])
            for i, s in enumerate(self.c.core.steps)
            if s.code.contraction is not None
        }

    def arrange(self) -> int:
        """Offsets in the arena: a buffer may lie where another one's life has ended."""
        steps = self.c.core.steps
        gemms = {i: p for i, (_, p) in self.gemms.items()}
        items = pieces(steps, self.size, self.threads, gemms)
        log = journal.current()
        fresh: dict[int, int] | None = None if log is None else {}
        total = place(items, self.offset, self.c.core.limit, fresh)
        if log is not None and fresh is not None:
            tell_places(log, steps, items, fresh)
        return total

    def place(self) -> None:
        """Memory for what `arrange` has given offsets."""
        total = self.arrange()
        arena = self.c.arena
        if arena is None or arena.size < total + 64:
            grow = 0 if arena is None or self.owner.executor.options.memory_limit else arena.size
            arena = self.c.arena = self.allocate(total, grow)
        self.keep.append(arena)
        self.base = -(-arena.ctypes.data // 64) * 64

    def allocate(self, total: int, before: int) -> np.ndarray[Any, Any]:
        """Memory for temporaries: a quarter more than asked for where it must grow."""
        try:
            if total > LARGEST:
                raise MemoryError
            return np.empty(max(total, before + before // 4) + 64, np.uint8)
        except MemoryError:
            raise OutOfMemoryError(
                None, None, f"OOM when allocating {total:,} bytes for the temporaries of a run"
            ) from None

    def fresh_of(self, b: Buf) -> Cell | None:
        """The new storage of a variable, where `b` is what it is after the run."""
        return self.bound.fresh.get(b.name) if b.index else None

    def address(self, b: Buf) -> int:
        if b.kind == "arena" or b.kind == "scratch":
            return self.base + self.offset[id(b)]
        if b.kind == "var":
            fresh = self.fresh_of(b)
            cell = fresh or self.owner.state.cells[b.name]
            if b.index == NEW:
                cell.need_two()
            self.keep.append(cell)
            return cell.address(b.index == NEW)
        if b.kind == "side":
            cell = self.bound.fresh.get(b.name) or self.owner.state.cells[b.name]
            return int(cell.side.ctypes.data)
        if b.kind == "const":
            a = np.ascontiguousarray(to_storage(b.data, b.dtype))
            self.keep.append(a)
            return int(a.ctypes.data)
        if b.kind == "counters":
            return int(self.bound.counters.ctypes.data) + 24 * b.index
        return 0  # feeds and outputs are patched by the entry

    def large(self, s: StepSpec) -> list[int]:
        """The address of the byte that a kernel sets which cannot fail any more."""
        if not self.owner.executor.options.numerics or not s.commit or self.c.core.guard is None:
            return []
        return [int(self.owner.state.large.ctypes.data)]

    # ------------------------------------------------------------- steps

    def steps_of(self, i: int, s: StepSpec) -> list[tuple[Step, list[tuple[int, Buf]]]]:
        if s.label:
            return []
        if s.target is not None:  # where it leads is known when all steps have a place
            return [(entry.branch(self.address(s.binds[0]), 0), [(1, s.binds[0])])]
        owners = self.c.owners[i]
        flags = (COMMIT if s.commit else 0) | (entry.VARIES if s.varies else 0)
        con = s.code.contraction
        if con is None:
            owner, address = owners["kernel"]
            env: Mapping[Symbol, int] = (
                {**self.env, **{Symbol(k): self.size(v) for k, v in s.attrs.items()}}
                if s.attrs
                else self.env
            )
            sizes = [env[x] for x in s.code.kernel.sizes]
            words = [0, *[self.address(b) for b in s.binds], *sizes, *self.large(s)]
            units = D.evaluate(s.code.kernel.units, env)
            if max(units, *sizes, 0) > LARGEST:
                most = f"OOM when allocating tensor with {max(units, *sizes, 0):,} elements"
                raise OutOfMemoryError(None, None, run_error(s.node, most))
            grain, cost = sharing.grain_of(s, self.size, units)
            step = Step(owner, address, words, units, grain, flags, cost)
            return [(step, list(enumerate(s.binds, 1)))]
        g, p = self.gemms[i]
        binds = s.binds
        outs = binds[2 : 2 + len(con.outputs)]
        extra = binds[2 + len(con.outputs) :]
        scratch = self.base + self.offset[-1 - i]
        packer = i if s.panels is None else self.numbers[s.panels]
        words = g.words(
            p, self.address(binds[0]), self.address(binds[1]), scratch,
            [self.address(b) for b in outs],
            [*[self.address(b) for b in extra], *[self.env[x] for x in con.kernel.sizes],
             *self.large(s)],
            packed=self.base + self.offset[-1 - packer - len(self.c.core.steps)],
        )  # fmt: skip
        first_out = g.extra_word(0) - len(outs)
        places = [(1, binds[0]), (2, binds[1])]
        places += [(first_out + j, b) for j, b in enumerate(outs)]
        places += [(g.extra_word(j), b) for j, b in enumerate(extra)]
        made = []
        flops = 2.0 * p.sizes[0] * p.sizes[1] * p.sizes[2] * p.sizes[3]
        for phase in p.phases:
            owner, address = owners[phase.kernel]
            cost = flops / 60.0 / max(phase.units, 1)
            made.append(
                (
                    Step(
                        owner,
                        address,
                        words,
                        phase.units,
                        phase.grain,
                        flags,
                        max(1.0, cost),
                        phase.kernel,
                    ),
                    places,
                )
            )
        return made


class _Empty:
    """Makes arrays for a fetched value that nobody else holds.

    A large array costs a page fault for every 4 kB, often more than the kernel that fills it.
    So the last two are remembered, and one that the user has let go of (no reference but
    ours, views included, since they hold their base) is handed out again.
    """

    __slots__ = ("dtype", "large", "last", "turn")

    def __init__(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self.dtype = dtype
        self.large = dtype.itemsize * int(np.prod(shape, dtype=np.int64)) >= REUSE
        self.last: list[Any] = [None, None]
        self.turn = 0

    def __call__(self, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        if not self.large:
            return np.empty(shape, self.dtype)
        last = self.last
        for i in (0, 1):
            a = last[i]
            if a is not None and sys.getrefcount(a) <= _OURS and a.flags.writeable:
                return a  # type: ignore[no-any-return]
        a = np.empty(shape, self.dtype)
        self.turn ^= 1
        last[self.turn] = a
        return a


_FLOATS = (float, np.float32, np.float64)

#: Bytes from which an array that was let go of is used again.
REUSE = 1 << 16
#: References to a remembered array that are ours, counted as `_Empty` does.


def _count_ours(last: list[Any]) -> int:
    for i in (0, 1):
        a = last[i]
        if a is not None:
            return sys.getrefcount(a)
    return 0


_OURS = _count_ours([np.empty(1), None])


class _Drawing:
    """A run with random ops: each gets its counter, and moves it on when all is well."""

    __slots__ = ("bound", "program", "pure", "state")

    def __init__(self, run: _Run, bound: Bound, program: Callable[..., int] | None = None) -> None:
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


def _never(*args: Any) -> int:
    return SLOW


def layout(run: Any, c: Compilation) -> tuple[int, dict[int, int]]:
    """The bytes of the arena and where in it each buffer (by `id`) lies; nothing is allocated."""
    binder = _Binder(run, c, c.plan.facts.env)
    binder.gemms = binder.plan_gemms()
    return binder.arrange(), binder.offset


def missing_feed(n: Node) -> str:
    """TF1's text for a placeholder that was not fed."""
    v = n.outputs[0]
    names = {"float32": "float", "float64": "double"}
    s = v.static_shape
    shape = (
        "" if not s else f" and shape [{','.join(str(d) if type(d) is int else '?' for d in s)}]"
    )
    return (
        f"You must feed a value for placeholder tensor '{n.name}' with dtype "
        f"{names.get(v.dtype.name, v.dtype.name)}{shape}\n\t [[node {n.name}]]"
    )
