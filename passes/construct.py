"""Recorded loops and conds as ``while`` and ``cond`` nodes of a pure graph.

The inside of a construct is functionalized like a run: what it reads of outside becomes an input
of its region, a variable that it changes is a loop variable (or a result of the cond) besides.
Values that others want of the inside (`graphc.passes.reach`) become results too: of a branch with
zeros in the other branch, of a loop stacked over the iterations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes, journal
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtypes import DType
from graphc.ir.graph import Graph
from graphc.ir.known import known
from graphc.ir.node import Node, Value, type_text
from graphc.ir.region import Branch, Context, Loop, context_of
from graphc.ops import control, fills, math, shapes
from graphc.ops.convert import make_constant
from graphc.ops.pure import input_op
from graphc.ops.tensor_arrays import is_unset, lengthened
from graphc.passes import sharing
from graphc.passes.control import native
from graphc.passes.cuts import Batch, Cut, Inner, is_effect
from graphc.passes.functionalize import Functionalizer
from graphc.passes.growing import asked, grown, only_counted, tested, writes
from graphc.passes.reach import Reach, first_inputs, insides
from graphc.passes.references import is_snapshot, variable_of
from graphc.passes.run_errors import refuse_vector
from graphc.passes.trip_count import counter, trip_count

__all__ = ["make"]


class Varying(Exception):
    """The types of a construct's values are not the same in all iterations, or both branches."""


class Fitted(Exception):
    """The shapes of some arrays' elements are known now: the loop is to be made again."""

    def __init__(self, arrays: dict[int, Value]) -> None:
        super().__init__()
        self.arrays = arrays


class Unset(Exception):
    """An element is read of an array none of which has a shape yet."""


def make(f: Functionalizer, n: Node, mask: int) -> None:
    """Put the pure form of the construct `n` into `f`.

    Raises
    ------
    Cut
        When a value outside must be known first, or only the host can run it.
    """
    maker: type[_Construct] = _Loop if n.op.name == "loop" else _Cond
    draws = len(f.frozen.random)
    try:
        if any(v.dtype.hosted for v in (*n.inputs, *n.outputs)):
            raise Varying("it carries or gives strings, which native code does not")
        one = maker(f, n, mask)
        while True:
            try:
                one.make()
                break
            except (Fitted, Unset) as e:
                if isinstance(e, Unset) and not one.probes:
                    raise
                fitted = e.arrays if isinstance(e, Fitted) else one.fitted
                probes = isinstance(e, Fitted)
                one = maker(f, n, mask)
                one.fitted, one.probes = fitted, probes and one.probes
                del f.frozen.random[draws:]
    except (Varying, Cut, InvalidArgumentError) as e:
        del f.frozen.random[draws:]
        if isinstance(e, Cut) and e.needs and not e.hosts:
            outside = all(f.sees(v) for v, _ in e.needs)
            if outside:
                raise Cut(needs=tuple([(v, n) for v, _ in e.needs])) from None
        say_driven(n, e)
        inner = wanted(f.reach, n)
        raise Cut((n,), tuple([(v, n) for v in inner.operands]), inner={n: inner}) from None


def wanted(reach: Reach, n: Node) -> Inner:
    """What must come of the inside of a construct that the host drives."""
    contexts = insides(n)
    values: dict[Context, tuple[Value, ...]] = {}
    outputs: list[Value] = []
    for c in contexts:
        if isinstance(c, Loop):
            saves = reach.saves.get(c, {})
            values[c] = tuple(saves)
            nodes = [m for nodes in saves.values() for m in nodes]
            outputs += [v for m in (*nodes, *reach.counted.get(c, ())) for v in m.outputs]
        elif isinstance(c, Branch):
            values[c] = tuple(reach.escapes.get(c, ()))
            outputs += values[c]
    targets = {c: tuple([m for m in reach.inner.get(c, ()) if is_effect(m)]) for c in contexts}
    first = first_inputs(n)
    changed = set(n.attrs["updates"])
    captured = [v for v in n.inputs[len(first) :] if v in reach.read or v in changed]
    return Inner((*first, *captured), tuple(outputs), values, targets)


class _Inside(Functionalizer):
    """The functionalizer of one region."""

    def __init__(self, site: _Construct, context: Context) -> None:
        parent = site.parent
        super().__init__({}, parent.variables, parent.facts, (), parent.done)
        self.parent, self.site, self.context = parent, site, context
        self.given, self.made, self.feeds = parent.given, parent.made, parent.feeds
        self.batch = Batch(parent.feeds, self.representative)
        self.frozen, self.reach, self.used = parent.frozen, parent.reach, parent.used
        self.captured: dict[Value, Value] = {}
        self.roomy, self.absent = parent.roomy, site.absent

    def sees(self, v: Value) -> bool:
        c = context_of(v.node)
        return c is None or self.context.within(c)

    def visit(self, n: Node) -> None:
        if n.op.name == "array_get" and self.site.probing():
            if is_unset(self.value(n.inputs[0], n).static_shape):
                raise Unset
        self.node(n)

    def representative(self, n: Node) -> Node:
        return self.reach.level(n, self.context) or n

    def value(self, v: Value, reader: Node | None) -> Value:
        made = self.new.get(v)
        if made is not None:
            return sharing.late(self, v, made, reader) if self.history else made
        if v in self.absent:
            raise Unset
        if v.node.op.name == "variable" or is_snapshot(v.node):
            fed = self.fed(v)
            if fed is None:
                return self.state(variable_of(v), self.mask(reader), reader or v.node)
            return self.capture(fed)
        if self.site.variables:  # what is in the memory of a variable that is changed here
            found = sharing.again(self, v, self.mask(reader), 0)
            if found is not None:
                return found
        return self.plain(v, self.site.node)

    def plain(self, v: Value, reader: Node) -> Value:
        made = self.new.get(v)
        return self.capture(self.parent.value(v, self.site.node)) if made is None else made

    def settled(self, v: Value) -> bool:
        return self.parent.settled(v)

    def has(self, v: Value) -> bool:
        return v in self.new or (self.sees(v) and context_of(v.node) is not self.context)

    def changes(self, var: str, news: int) -> bool:
        return super().changes(var, news) if news else var in self.site.variables

    def fed(self, v: Value) -> Value | None:
        """The pure value of a variable that the user feeds."""
        f: Functionalizer = self
        while isinstance(f, _Inside):
            f = f.parent
        made = f.new.get(v)
        return f.new.get(v.node.inputs[0]) if made is None and v.node.inputs else made

    def first(self, var: str, reader: Node) -> Value:
        made = self.start.get(var)
        if made is None:
            outer = self.parent.state(var, self.site.mask, self.site.node)
            made = self.start[var] = self.capture(outer)
        return made

    def capture(self, outer: Value) -> Value:
        """What stands in the region for a pure value of outside."""
        made = self.captured.get(outer)
        if made is None:
            made = _copied(outer)
            made = self.captured[outer] = self.site.input(self, outer) if made is None else made
        return made

    def after_all(self, var: str) -> Value:
        """The value of a variable at the end of the region."""
        history = self.history.get(var)
        return history[-1][1] if history else self.first(var, self.site.node)


def _copied(outer: Value) -> Value | None:
    """A value that the region can have for itself: a constant, or sizes that are known."""
    if outer.node.op.name in ("constant", "sizes"):
        return outer
    if outer.dtype.code not in ("i32", "i64") or not _of_sizes(outer):
        return None
    k = known(outer)
    if k is None or (isinstance(k, tuple) and None in k):
        return None
    return shapes.sizes(k, outer.dtype)


def _of_sizes(v: Value) -> bool:
    """Whether a value comes from shapes and constants only (no deeper than a few nodes)."""
    stack, count = [v.node], 0
    while stack:
        n = stack.pop()
        count += 1
        if n.op.name in ("constant", "sizes") or n.op.facts.get("shape_only"):
            continue
        if count > 20 or not n.inputs or n.op.dims is None:
            return False
        stack += [x.node for x in n.inputs]
    return True


class _Construct:
    """One construct being made pure."""

    def make(self) -> None:
        raise NotImplementedError

    def __init__(self, f: Functionalizer, n: Node, mask: int) -> None:
        self.parent, self.node, self.mask = f, n, mask
        self.reach = f.reach
        #: Captured values, with the attributes of their input nodes, whose index comes last.
        self.captures: dict[Value, list[dict[str, Any]]] = {}
        self.made: dict[tuple[_Inside, Value], Value] = {}
        self.variables = self._updated()
        #: Arrays among the loop variables whose elements' shape the body decides.
        self.fitted: dict[int, Value] = {}
        #: Whether this is a loop that is only tried, to see what shape elements have, and whether
        #: a branch was left out for that.
        self.probes, self.probed = isinstance(self, _Loop), False
        #: Values of branches that were left out.
        self.absent: set[Value] = f.absent if isinstance(f, _Inside) else set()

    def tries(self) -> _Loop | None:
        """The loop around that is only tried, if one is."""
        site: _Construct = self
        while not (isinstance(site, _Loop) and site.probes and site.unset()):
            if not isinstance(site.parent, _Inside):
                return None
            site = site.parent.site
        return site

    def probing(self) -> bool:
        """Whether this is done to see what shape the elements of arrays have."""
        return self.tries() is not None

    def _updated(self) -> list[str]:
        """The variables that needed nodes inside change."""
        found: dict[str, None] = {}
        stack = [self.node]
        while stack:
            for c in insides(stack.pop()):
                for m in self.reach.inner.get(c, ()):
                    if "update" in m.op.facts:
                        found[variable_of(m.inputs[0])] = None
                    elif m.op.facts.get("contexts"):
                        stack.append(m)
        return list(found)

    def input(self, inside: _Inside, outer: Value) -> Value:
        """An input of a region, for a captured value."""
        attrs = {"index": -1, "dtype": outer.dtype, "shape": outer.static_shape}
        self.captures.setdefault(outer, []).append(attrs)
        v = self.made[inside, outer] = _input(attrs, outer.node.name)
        self.parent.facts.inner[v] = outer
        return v

    def region(
        self, inside: _Inside, params: Sequence[Value], outputs: Sequence[Value], name: str
    ) -> Graph:
        """The region, once all captures of all regions are known."""
        inputs = list(params)
        for outer in self.captures:
            v = self.made.get((inside, outer))
            if v is None:
                attrs = {"index": -1, "dtype": outer.dtype, "shape": outer.static_shape}
                v = _input(attrs, outer.node.name)
                self.parent.facts.inner[v] = outer
            inputs.append(v)
        for i, v in enumerate(inputs):
            v.node.attrs["index"] = i  # type: ignore[index]
        inside.write_down()
        return Graph(tuple(outputs), (), tuple(inputs), name, self.parent.facts)

    def param(self, dtype: DType, shape: Shape | None, name: str) -> Value:
        v = _input({"index": -1, "dtype": dtype, "shape": shape}, name)
        self.parent.facts.inner[v] = None
        return v

    def build(
        self, op: Any, inputs: Sequence[Value], regions: Mapping[str, Graph]
    ) -> tuple[Value, ...]:
        n = self.node
        attrs = dict(regions)
        node = Node(op, inputs, attrs, op.infer(inputs, attrs), n.name, (), n.source)
        if not native(node):
            raise Varying("no plan may hold it")
        return node.outputs

    def finish(self, outputs: Sequence[Value], finals: Iterable[tuple[str, Value]]) -> None:
        """Name the results of the pure node in the functionalizer around."""
        f, n = self.parent, self.node
        f.new.update(zip(n.outputs, outputs, strict=False))
        after = self.mask
        for var, v in finals:
            bit = 1 << f.bits
            f.bits += 1
            after |= bit
            f.history.setdefault(var, []).append((bit, v))
            ref = f.refs.get(var)
            if ref is not None and not D.is_known(ref.outputs[0].static_shape):
                f.moving |= bit
        if after:
            f.after[n] = after


def _input(attrs: dict[str, Any], name: str) -> Value:
    types = [(attrs["dtype"], attrs["shape"])]
    return Node(input_op, (), attrs, types, name).outputs[0]


def same_type(a: Value, b: Value) -> bool:
    """Whether two pure values have one type (sizes compared by the facts at hand)."""
    s, t = a.static_shape, b.static_shape
    if a.dtype is not b.dtype or s is None or t is None or len(s) != len(t):
        return False
    return all(D.same(x, y) for x, y in zip(s, t, strict=True))


def _both(a: Value, b: Value) -> str:
    return f"{type_text(a.type)} and {type_text(b.type)}"


def say_driven(n: Node, e: Exception) -> None:
    """Write down why Python drives a construct, for whoever asks."""
    log = journal.current()
    if log is None:
        return
    remedy = "let shapes and types be the same in all iterations and both branches"
    if isinstance(e, Cut):
        names = ", ".join(repr(h.name) for h in e.hosts)
        why = f"Python does {names} inside of it"
        remedy = f"take {names} out of it, or use ops that have a native form"
        if not e.hosts:
            names = ", ".join(repr(v.name) for v, _ in e.needs)
            why = f"sizes inside of it are what the elements of {names} say"
            remedy = f"make {names} of tf.shape and constants alone"
        nodes = (n, *e.hosts, *[v.node for v, _ in e.needs])
    else:
        why, nodes = str(e).split("\n", 1)[0], (n,)
        if isinstance(e, InvalidArgumentError):
            remedy = ""
    text = f"{n.name!r} is driven from Python, each iteration or branch a run of its own: {why}"
    log.because("host", nodes, text, remedy)


def agreed(a: Value, b: Value) -> bool:
    """Whether `a` is an array without elements' shape yet, and `b` the same with one."""
    s, t = a.static_shape, b.static_shape
    if a.dtype is not b.dtype or not is_unset(s) or s is None or not t or same_type(a, b):
        return False
    return bool(D.same(s[0], t[0]))


# ------------------------------------------------------------------------- conds


class _Cond(_Construct):
    def make(self) -> None:
        f, n = self.parent, self.node
        pred = f.value(n.inputs[0], n)
        refuse_vector(n, pred.static_shape)
        contexts: list[Branch] = [n.attrs["then"], n.attrs["orelse"]]
        escapes = [list(self.reach.escapes.get(c, ())) for c in contexts]
        insides, results, escaped = self._branches(contexts, escapes)
        finals = [[inside.after_all(var) for var in self.variables] for inside in insides]
        for side, other in ((0, 1), (1, 0)):
            for i, (a, b) in enumerate(zip(results[side], results[other], strict=True)):
                if agreed(a, b):
                    results[side][i] = _zeros(b)
        for a, b in zip([*results[0], *finals[0]], [*results[1], *finals[1]], strict=True):
            if not same_type(a, b):
                raise Varying(f"its branches give {_both(a, b)}, and a result has one type")
        for e, inside in zip(escaped, insides, strict=True):
            e += inside.checks  # nobody reads these, but they must be computed
        outputs = [
            [*results[0], *finals[0], *escaped[0], *map(_zeros, escaped[1])],
            [*results[1], *finals[1], *map(_zeros, escaped[0]), *escaped[1]],
        ]
        regions = {
            name: self.region(inside, (), out, name)
            for name, inside, out in zip(("then", "orelse"), insides, outputs, strict=True)
        }
        pure = self.build(control.cond_op, [pred, *self.captures], regions)
        count, last = len(results[0]), len(results[0]) + len(self.variables)
        self.finish(pure[:count], zip(self.variables, pure[count:last], strict=True))
        rest = pure[last:]
        for wanted, have in zip(escapes, escaped, strict=True):
            f.new.update(zip(wanted, rest, strict=False))
            f.checks += rest[len(wanted) : len(have)]
            rest = rest[len(have) :]

    def _branches(
        self, contexts: Sequence[Branch], escapes: list[list[Value]]
    ) -> tuple[list[_Inside], list[list[Value]], list[list[Value]]]:
        """Both branches, their results, and what escapes from each.

        One that reads elements without a shape is left out of a loop that is only tried.
        """
        insides, results, escaped = [], [], []
        left_out = None
        for side, c in enumerate(contexts):
            inside = _Inside(self, c)
            try:
                for m in self.reach.inner.get(c, ()):
                    inside.visit_like(m)
                made = [inside.value(v, None) for v in c.results]
                more = [inside.value(v, None) for v in escapes[side]]
            except Unset:
                around = self.tries()
                if around is None or left_out is not None:
                    raise
                around.probed, left_out = True, side
                self.absent.update(escapes[side])
                inside, made, more, escapes[side] = _Inside(self, c), [], [], []
            insides.append(inside)
            results.append(made)
            escaped.append(more)
        if left_out is not None:
            results[left_out] = [_zeros(v) for v in results[1 - left_out]]
        return insides, results, escaped


def _zeros(like: Value) -> Value:
    """Zeros of the type of a value of the other branch, which this one does not have."""
    return fills.fill_static(like.static_shape or (), 0, like.dtype)


# ------------------------------------------------------------------------- loops


class _Loop(_Construct):
    def make(self) -> None:
        f, n = self.parent, self.node
        loop: Loop = n.attrs["loop"]
        self.loop = loop
        self.first = [f.value(v, n) for v in n.inputs[: len(loop.params)]]
        for i, v in self.fitted.items():
            self.first[i] = _zeros(v)
        state = [f.state(var, self.mask, n) for var in self.variables]
        self.first += state
        assert loop.test is not None
        self.tests = self.reach.closure([loop.test], loop)
        if any(is_effect(m) for m in self.tests):
            raise Varying("its condition has an effect")
        self.only = tested(loop, self.reach) if only_counted(n, self.reach) else None
        self._make_room()
        first = self.first[: len(loop.params)]
        saves = self.reach.saves.get(loop, {})
        body, params = self._inside()
        results = self._results(body, params, [*saves])
        fitted = {
            i: b for i, (a, b) in enumerate(zip(params, results, strict=True)) if agreed(a, b)
        }
        if fitted:
            raise Fitted({**self.fitted, **fitted})
        if self.probed:
            raise Unset  # none of what was left out got a shape
        for a, b in zip(params, results, strict=True):
            if not same_type(a, b):
                name = a.node.name
                raise Varying(f"its variable {name!r} changes its type: {_both(a, b)}")
        for v in body.checks:
            self.carry(_zeros(v), v, params, results, "check")
        test, test_params = self._inside()
        for m in self.reach.inner.get(loop, ()):
            if m in self.tests:
                test.visit_like(m)
        outcome = [test.value(loop.test, None)]
        refuse_vector(n, outcome[0].static_shape)
        self._stack(body, params, results, saves, (test, test_params, outcome))
        regions = {
            "cond": self.region(
                test, [*test_params, *self._like(params, test_params)], outcome, "cond"
            ),
            "body": self.region(body, params, results, "body"),
        }
        made = self.build(control.while_op, [*self.first, *self.captures], regions)
        count, more = len(first), len(state)
        self.finish(made[:count], zip(self.variables, made[count : count + more], strict=True))
        f.checks += made[count + more : count + more + len(body.checks)]
        self._answer(saves, made)

    def unset(self) -> bool:
        """Whether elements of one of its arrays have no shape yet."""
        return any(is_unset(v.static_shape) for v in self.first)

    def _results(
        self, body: _Inside, params: Sequence[Value], saved: Sequence[Value]
    ) -> list[Value]:
        """What the loop variables are in the next iteration."""
        loop, only = self.loop, self.only
        if only is None:
            needed = self.reach.closure([*loop.results, *saved], loop)
        else:
            needed = self.reach.closure([loop.results[i] for i in only], loop)
        for m in self.reach.inner.get(loop, ()):
            if m in needed or (only is None and m not in self.tests):
                body.visit_like(m)
        results = [
            body.value(v, None) if only is None or i in only else params[i]
            for i, v in enumerate(loop.results)
        ]
        return [*results, *[body.after_all(var) for var in self.variables]]

    def _make_room(self) -> None:
        """Give arrays that the loop makes longer all their elements now."""
        f, n, loop = self.parent, self.node, self.loop
        found = writes(loop, self.reach)
        if self.only is not None:
            if any(w.array in self.only for w in found):
                raise Varying("how often it runs depends on an array that it makes longer")
            return
        if not found:
            return
        trips = self._trips_ahead()
        for i in {w.array: None for w in found}:
            at = [w for w in found if w.array == i]
            start = []
            for w in at:
                k = known(self.first[w.counter])
                if k is None or isinstance(k, tuple):
                    raise Cut(needs=((n.inputs[w.counter], n),))
                start.append(k)
            rows = (self.first[i].static_shape or (0,))[0]
            room = grown(rows, at, start, trips, f.facts)
            self.first[i] = lengthened(self.first[i], room)
        f.roomy.update(w.node for w in found)

    def _trips_ahead(self) -> Dim:
        """How many iterations there will be, before anything else of the loop is made.

        Raises
        ------
        Cut
            Where only a run of the loop tells.
        """
        f, loop = self.parent, self.loop
        before, draws = dict(self.captures), len(f.frozen.random)
        self.only = tested(loop, self.reach)
        try:
            inside, params = self._inside()
            for m in self.reach.inner.get(loop, ()):
                if m in self.tests:
                    inside.visit_like(m)
            assert loop.test is not None
            outcome = inside.value(loop.test, None)
            results = self._results(inside, params, ())
        finally:
            self.only = None
        most = trip_count(params, results, params, outcome, self.first, f.facts)
        self.captures = before
        del f.frozen.random[draws:]
        if most is not None and most[1]:
            return most[0]
        if isinstance(f, _Inside):
            raise Varying("how long its arrays get is seen when it runs")
        v = asked(self.node).outputs[0]
        pure = f.new.get(v)
        k = known(pure) if pure is not None else None
        if k is None or isinstance(k, tuple):
            raise Cut(needs=((v, self.node),))
        return k  # type: ignore[no-any-return]

    def _inside(self) -> tuple[_Inside, list[Value]]:
        """A region's functionalizer, with the loop variables as its inputs."""
        inside = _Inside(self, self.loop)
        params = []
        count = len(self.loop.params)
        for v, recorded in zip(self.first, self.loop.params, strict=False):
            p = self.param(v.dtype, v.static_shape, recorded.node.name)
            params.append(p)
            inside.new[recorded] = p
        state = self.first[count : count + len(self.variables)]  # without what was added since
        for v, var in zip(state, self.variables, strict=True):
            p = self.param(v.dtype, v.static_shape, var)
            params.append(p)
            inside.start[var] = p
        return inside, params

    def _like(self, params: Sequence[Value], have: Sequence[Value]) -> list[Value]:
        """Inputs of the other region for the loop variables that were added."""
        return [self.param(p.dtype, p.static_shape, p.node.name) for p in params[len(have) :]]

    def _stack(
        self, body: _Inside, params: list[Value], results: list[Value],
        saves: Mapping[Value, list[Node]],
        test: tuple[_Inside, list[Value], list[Value]],
    ) -> None:  # fmt: skip
        """Loop variables that count the iterations and keep what values had in each."""
        self.count: Dim | None = None
        self.most: Dim | None = None
        self.counter: int | None = None
        if not saves and self.loop not in self.reach.counted:
            return
        most = trip_count(params, results, test[1], test[2][0], self.first, self.parent.facts)
        if most is not None:
            self.most, exact = most
            self.count = most[0] if exact else None
        j = counter(params, results, self.first)
        if j is None:
            j = len(params)
            self.carry(_number(0), None, params, results, "iteration")
            results[j] = math.add(params[j], _number(1))
        self.counter, at = j, params[j]
        if not saves:
            return
        room = most[0] if most is not None else self._capacity(next(iter(saves.values()))[0])
        for v in saves:
            value = body.value(v, None)
            if value.static_shape is None or value.dtype.hosted:
                raise Varying(f"what {v.name!r} had in each iteration has no shape to keep it in")
            empty = control.blank((room, *value.static_shape), value.dtype)
            stack = self.carry(empty, None, params, results, "saved")
            results[-1] = control.array_set(stack, at, value)

    def carry(
        self, first: Value, result: Value | None, params: list[Value], results: list[Value],
        name: str,
    ) -> Value:  # fmt: skip
        """One more loop variable; its result may come later."""
        p = self.param(first.dtype, first.static_shape, name)
        self.first.append(first)
        params.append(p)
        results.append(p if result is None else result)
        return p

    def _capacity(self, asks: Node) -> Dim:
        """How many iterations there are, where only a run of the loop tells."""
        f: Functionalizer = self.parent
        while isinstance(f, _Inside):
            f = f.parent
        known_at = [v for v in asks.attrs["capacities"] if _within(v, f.home)]
        v = known_at[-1]
        pure = f.new.get(v)
        k = known(pure) if pure is not None else None
        if k is None or isinstance(k, tuple):
            raise Cut(needs=((v, self.node),))
        return k  # type: ignore[no-any-return]

    def _answer(self, saves: Mapping[Value, list[Node]], made: Sequence[Value]) -> None:
        """The values of the nodes that asked for a stack or for the number of iterations."""
        f = self.parent
        if self.counter is None:
            return
        count = made[self.counter] if self.count is None else shapes.sizes(self.count, dtypes.int32)
        if self.most is not None:
            f.facts.most[count] = self.most
        for n in self.reach.counted.get(self.loop, ()):
            f.new[n.outputs[0]] = count
        for nodes, v in zip(saves.values(), made[len(made) - len(saves) :], strict=True):
            rank = len(v.static_shape or ()) - 1
            none = make_constant(np.zeros((0, rank), np.int32), dtypes.int32, None)
            for n in nodes:
                f.new[n.outputs[0]], f.new[n.outputs[1]] = v, none


def _within(v: Value, home: Context | None) -> bool:
    """Whether the run of `home` computes `v`, and is not given it."""
    c = context_of(v.node)
    return home is None or (c is not None and c.within(home))


def _number(x: int) -> Value:
    return make_constant(np.array(x, np.int32), dtypes.int32, None)
