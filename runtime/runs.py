"""One set of fetches and feeds: plans by pattern, bindings by size, one native call a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from graphc.errors import FailedPreconditionError, InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import journal, permit
from graphc.ir.dims import Dim, Facts, Symbol
from graphc.ir.dtypes import DType
from graphc.ir.graph import paused_gc
from graphc.ir.nesting import room_for
from graphc.ir.node import Node, Value
from graphc.ir.region import Context
from graphc.passes.cuts import Cut
from graphc.passes.functionalize import Frozen, functionalize
from graphc.passes.patterns import pattern
from graphc.runtime import causes, deadline, direct, sharing, stored, trace
from graphc.runtime.binding import Binder
from graphc.runtime.compilation import Bound, Compilation, never
from graphc.runtime.counting import counters
from graphc.runtime.failing import failed, missing_feed
from graphc.runtime.feeds import as_feed, from_storage, given_shape
from graphc.runtime.generating import generate
from graphc.runtime.listeners import failures, observers
from graphc.runtime.llvm import perf, tracing
from graphc.runtime.llvm.entry import NOT_FINITE, OK, SLOW, STOPPED
from graphc.runtime.memory import OutOfMemoryError
from graphc.runtime.parts import Parts
from graphc.runtime.state import NEVER
from graphc.runtime.trust import FALSE_ALARMS, few_terms, trusted

if TYPE_CHECKING:
    from graphc.runtime.executor import Executor
    from graphc.runtime.plan import Plan

__all__ = ["Run", "compile_only"]


#: Bindings kept for one plan; each holds tables of some kilobytes and shares the plan's arena.
BINDINGS = 64


def _own(array: np.ndarray[Any, Any]) -> Any:
    """What is fetched of values that pass by native code: never the memory of a feed."""
    return array[()] if array.dtype == object else array.copy()[()]


class Run:
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
                outs = [make() for make in b.makers]
                code = b.call(*values, *outs)
                if code == SLOW and b.call is not never:
                    code = b.call(
                        *[self.quick(x, v) for x, v in zip(values, self.feeds, strict=True)], *outs
                    )
                if code == 0:
                    return outs if b.plain else b.results(outs)
        return self.slow(values)

    @staticmethod
    def quick(x: Any, v: Value) -> Any:
        """Python and numpy floats, and arrays of another type of numbers, as the array to bind."""
        t = v.dtype
        if t.code != "bf16":
            if type(x) is np.ndarray and x.dtype.kind in CONVERTED.get(t.kind, ""):
                with np.errstate(all="ignore"):
                    return np.ascontiguousarray(x, t.np).reshape(x.shape)
            if t.kind == "f" and type(x) in FLOATS:
                with np.errstate(all="ignore"):
                    return np.array(x, t.np)
        return x

    # ---------------------------------------------------------------- everything else

    def slow(self, values: Sequence[Any]) -> list[Any]:
        """Everything else; where memory ends, TF1's error says so."""
        try:
            with room_for(self.executor.graph):
                return self.anyhow(values)
        except OutOfMemoryError:
            raise
        except MemoryError as e:
            raise OutOfMemoryError(None, None, f"OOM in a run: {e}") from None

    def anyhow(self, values: Sequence[Any]) -> list[Any]:
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
        return [next(numbers) if i is None else _own(arrays[i]) for i in strings]

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
            generate(self.executor, s)
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
            binder = Binder(self, c, env)
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
        kept = not options.numerics and not options.memory_limit
        plan = make_plan(g, revocable=options.numerics, beside=free, guarded=free, kept=kept)
        if self.executor.options.memory_limit:
            self.keep_limit(plan)
        c.plan = plan
        keys = generate(self.executor, c)
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
                    b = Binder(self, c, env).run()
                except OutOfMemoryError:
                    if c.complete is None:
                        raise
                    c.whole()  # to say where
                    b = Binder(self, c, env).run()
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
            outs = [make() for make in b.makers]
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
        return [from_storage(o, t) for o, t in zip(b.results(outs), types, strict=False)]

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
        failed(self, b, code, arrays)

    def traced_quickly(self, tracer: trace.Tracer, values: Sequence[Any]) -> list[Any] | None:
        """What the quick path does, written down; None where it cannot be taken."""
        with self.state.lock:
            b = self.bound
            if b is None or b.epoch != self.state.epoch or b.call is never:
                return None
            every = (c for found in self.plans.values() for c in found)
            c = next((c for c in every if b in c.bindings.values()), None)
            if c is None or c.complete is not None:
                return None
            outs = [make() for make in b.makers]
            b.follow(self.state)
            call = b.calling(self, partial(self.traced, tracer.native(c, b)))
            code = call(*values, *outs)
            if code == SLOW:
                known = [self.quick(x, v) for x, v in zip(values, self.feeds, strict=True)]
                code = call(*known, *outs)
            if code:
                return None
            return b.results(outs)

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
        generate(self.executor, c)
        c.bindings.clear()
        self.bound = None
        return self.execute(c, self.bind(c, b.env), arrays)


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


FLOATS = (float, np.float32, np.float64)
#: Kinds of arrays that are converted, and no more, by the kind of the tensor they are fed for.
CONVERTED = {"f": "fiu", "i": "fiu", "u": "fiu"}
