"""Rules and their application: each rule is one line with its licence.

A pattern is a graph built with the user's own functions on wildcards. A rule without a
licence is exact to the bit for every value, NaN, infinities and -0.0 included (which NaN is
not said); any other names in ``needs`` what it assumes. The right side is smaller in a fixed
order (`cost`), so rules end and cannot fight.
"""

from __future__ import annotations

import inspect
import math
import warnings
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from graphc.errors import CompileError
from graphc.ir import build, journal, permit
from graphc.ir.graph import Graph, copy
from graphc.ir.node import Node, Value, type_text
from graphc.ops.convert import make_constant
from graphc.ops.record import OPS, Op
from graphc.passes.pattern import (
    COMMUTATIVE,
    Match,
    any_of,
    attr,
    constant_wild,
    many,
    match,
    node,
    ops,
    pattern_text,
    wild,
    wildcard,
)  # fmt: skip

__all__ = [
    "DEFAULT", "LICENCES", "PASSED", "RULES", "VIEWS", "Match", "Rewriting", "Rule", "any_of",
    "apply_rules", "attr", "constant_wild", "cost", "licensed", "many", "node", "ops", "rule",
    "wild",
]  # fmt: skip

#: What a rule may assume, and what that changes.
LICENCES: dict[str, str] = {
    "NO_SIGNED_ZERO": "the sign of a zero result may change",
    "REASSOC": "a sum or product is grouped differently: rounding may change",
    "SUM_ORDER": "the terms of one sum are added in another order: rounding may change",
    "STABLER": "the result is nearer to the exact one than the formula as written",
    "NO_NAN": "a NaN or infinity may become a number",
    "SAME_ROUNDING": "one rounding fewer: the result may differ in the last bit",
    "FEWER_PRODUCTS": "a convolution takes fewer products and rounds more (pass `winograd`)",
}

#: The licences in force unless a session says otherwise.
DEFAULT: frozenset[str] = frozenset({"STABLER", "FEWER_PRODUCTS"})


@dataclass(frozen=True, eq=False)
class Rule:
    """A rewrite: `left` becomes `right`.

    Attributes
    ----------
    name : str
        The left side as text.
    left : Value
        The pattern.
    right : Value or callable
        Another pattern over the same wildcards, or a function of the captures it names that
        builds the replacement (None: the rule does not apply). Its parameter ``result`` is the
        value that is replaced.
    needs : str
        Licences of `LICENCES`, or "" for an exact rule.
    kinds : str
        Element kinds that the wildcards may have, for which the rule holds.
    once : str
        An op of the left side whose value nothing else may read but left sides of such rules: it
        would have to be computed all the same.
    users : bool
        Whether it is a user's, who is told what goes wrong with it.
    """

    name: str
    left: Value
    right: Any
    needs: str = ""
    kinds: str = "fiubs"
    takes: tuple[str, ...] = field(default=(), compare=False)
    once: str = ""
    users: bool = False


def _taken(f: Any) -> tuple[str, ...]:
    """The parameters that a match fills; one with a default binds a variable of a loop."""
    code = getattr(f, "__code__", None)
    if code is not None and not code.co_kwonlyargcount and not code.co_flags & _STARRED:
        count = code.co_argcount - len(f.__defaults__ or ())
        return tuple(code.co_varnames[:count])  # there are hundreds of rules, and this is quick
    every = inspect.signature(f).parameters.items()
    return tuple(name for name, p in every if p.default is p.empty)


_STARRED = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS


# ------------------------------------------------------------------------- the table

#: All rules of `simplify`, and among them those that only move elements (`layout` uses them too).
RULES: list[Rule] = []
VIEWS: list[Rule] = []


def rule(
    left: Value, right: Any, needs: str = "", kinds: str = "fiubs", table: list[Rule] = RULES,
    once: str = "",
) -> Rule:  # fmt: skip
    """Enter a rule in a table."""
    for s in needs.split():
        if s not in LICENCES:
            raise ValueError(f"unknown licence {s!r}; there are {', '.join(LICENCES)}")
    takes = () if isinstance(right, Value) else _taken(right)
    r = Rule(pattern_text(left), left, right, needs, kinds, takes, once)
    table.append(r)
    return r


def licensed(options: str) -> frozenset[str]:
    """The licences that the options of a pass leave in force.

    They are those of `DEFAULT` with what is asked for, ``"REASSOC+NO_NAN"``, and without what
    has a minus, ``"-STABLER"``.

    Raises
    ------
    ValueError
        For a licence there is not.
    """
    asked = [s for s in options.split("+") if s]
    for s in asked:
        if s.removeprefix("-") not in LICENCES:
            raise ValueError(f"unknown licence {s!r}; there are {', '.join(LICENCES)}")
    return DEFAULT.union(s for s in asked if s[0] != "-").difference(s[1:] for s in asked)


# ------------------------------------------------------------------------- the order

_WEIGHTS: dict[str, int] = {
    "constant": 1, "wildcard": 0, "negative": 8, "abs": 8, "relu": 9, "logical_not": 5, "cast": 8,
    "invert": 5, "realdiv": 30, "reciprocal": 29, "sqrt": 25, "rsqrt": 53, "pow": 90, "square": 11,
    "squared_difference": 22, "floordiv": 40, "floormod": 45, "truncatediv": 40, "truncatemod": 40,
    "log_softmax": 90, "softmax": 65, "reduce_logsumexp": 100, "sigmoid": 50, "log_sigmoid": 85,
    "softplus": 80, "log1p": 41, "expm1": 41, "greater": 10, "greater_equal": 10,
    "reshape": 2, "expand_dims": 3, "squeeze": 3, "fill": 3, "broadcast_to": 4, "broadcast_like": 5,
    "transpose": 12, "concat": 12, "slice": 12, "reverse": 13, "tile": 13, "pad": 14,
    "is_nan": 9, "relu_grad": 12, "select": 12, "sign": 9, "tanh": 72,
}  # fmt: skip
_FAMILY = {"elementwise": 10, "view": 15, "reduction": 32, "composite": 60, "contraction": 1000}
_FUNCTIONS = frozenset(
    "exp log sin cos tan asin acos atan sinh cosh asinh acosh atanh erf erfc lgamma".split()
)


def weight(n: Node) -> int:
    """What a node counts in the order of rules: roughly what an element of it costs to compute."""
    name = n.op.name
    w = _WEIGHTS.get(name)
    if w is None:
        w = 40 if name in _FUNCTIONS else _FAMILY.get(n.op.family, 20)
    if name == "transpose":  # written out, counted from the front
        perm = n.attrs["perm"]
        return w + (perm is None or min(perm, default=0) < 0)
    axis = n.attrs.get("axis")
    return w + len(n.inputs) * (name == "concat") + (len(axis or ()) if name == "reverse" else 0)


def cost(v: Value, leaves: Iterable[Value] = ()) -> int:
    """The sum of weights over the expression `v` as a tree, down to `leaves`."""
    known: dict[Value, int] = dict.fromkeys(leaves, 0)
    stack = [v]
    while stack:
        u = stack[-1]
        if u in known:
            stack.pop()
            continue
        deps = [x for x in u.node.inputs if x not in known]
        if deps:
            stack.extend(deps)
            continue
        known[u] = weight(u.node) + sum(known[x] for x in u.node.inputs)
    return known[v]


# ------------------------------------------------------------------------- rewriting


def apply_rules(
    g: Graph,
    rules: Iterable[Rule],
    licences: Iterable[str] = DEFAULT,
    counts: dict[str, int] | None = None,
) -> Graph:
    """`g` rewritten by `rules`; `counts` learns how often each was used."""
    table = Rewriting(rules, licences, counts, g)
    return g.rebuild(table.step, ops=table.by_op)


class Rewriting:
    """One application of a rule table to a graph, inputs before users."""

    #: Most rewrites that one node may set off: rules end by their order, this bounds a faulty one.
    LIMIT = 200

    def __init__(
        self,
        rules: Iterable[Rule],
        licences: Iterable[str] = DEFAULT,
        counts: dict[str, int] | None = None,
        graph: Graph | None = None,
    ) -> None:
        self.graph = graph
        allowed = self.allowed = set(licences)
        self.counts = counts
        self.by_op: dict[str, list[Rule]] = {}
        self.journal = journal.current()
        #: With a journal: the rules by op that do not apply for want of a licence or for a type.
        self.barred: dict[str, list[Rule]] = {}
        for r in rules:
            name = r.left.node.op.name
            if allowed.issuperset(r.needs.split()):
                self.by_op.setdefault(name, []).append(r)
                if self.journal is None or r.kinds == Rule.kinds:
                    continue
            elif self.journal is None:
                continue
            self.barred.setdefault(name, []).append(r)
            self.by_op.setdefault(name, [])
        self.index: dict[Any, tuple[Rule, ...]] = {}
        self.failing: dict[Node, bool] = {}
        self.left = self.LIMIT
        self.permit = permit.current()

    def step(self, n: Node, inputs: tuple[Value, ...]) -> Value | None:
        """For `Graph.rebuild`: the normal form of a node."""
        if len(n.outputs) != 1:
            return None
        if not inputs or not self.candidates(n, inputs):
            if n.op.name in self.barred:
                self.bar(n.outputs[0] if inputs == n.inputs else copy(n, inputs).outputs[0], n)
            return None
        v = n.outputs[0] if inputs == n.inputs else copy(n, inputs).outputs[0]
        self.left = self.LIMIT
        return self.normal(v)

    def candidates(self, n: Node, inputs: Sequence[Value]) -> tuple[Rule, ...]:
        """The rules that can match a node, by its op and those of its inputs."""
        a = inputs[0]
        b = inputs[1].node.op if len(inputs) > 1 else None
        key = (n.op, a.node.op, b, inputs[2].node.op if len(inputs) > 2 else None)
        found = self.index.get(key)
        if found is None:
            found = self.index[key] = tuple(
                r for r in self.by_op.get(n.op.name, ()) if possible(r.left.node, inputs)
            )
        return found

    def normal(self, v: Value) -> Value:
        """`v` rewritten until no rule applies to it or to anything made on the way."""
        while self.left > 0:
            n = v.node
            if len(n.outputs) != 1 or not n.inputs:
                return v
            rules = self.candidates(n, n.inputs)
            made = self.rewrite(v, rules) if rules else None
            if made is None:
                if n.op.name in self.barred:
                    self.bar(v, n)
                return v
            v = made
        return v

    def rewrite(self, v: Value, rules: Sequence[Rule]) -> Value | None:
        """What the first rule that applies makes of `v`; None when none does."""
        for r in rules:
            found: Match = {}
            if not match(r.left, v, found, r.kinds):
                continue
            if r.once and not self.read_once(v, r):
                self.passed(r, v, "once")
                continue
            mark = Node(wildcard, (), {}, ()).id  # what is made from here on has a higher one
            made = instantiate(r, found, v)
            if made is None or made is v:
                continue
            if made.dtype is not v.dtype or made.static_shape != v.static_shape:
                self.passed(r, v, "type")
                if r.users:
                    misfit(r, v, made)
                continue
            if self.loses_error(made, found, mark):
                self.passed(r, v, "error")
                continue
            if self.permit is not None and not self.permit.allows(v.node, r.name):
                continue
            self.left -= 1
            if self.left <= 0 and r.users:
                raise CompileError(
                    f"the rule {r.name!r} applies to what it makes of {v.node.name!r}, "
                    f"{self.LIMIT} times over: its right side must come to an end, or be None"
                )
            if self.counts is not None:
                self.counts[r.name] = self.counts.get(r.name, 0) + 1
            if self.journal is not None:
                within = [x for k, x in found.items() if isinstance(k, Value) and x is not v]
                self.journal.applied(r.name, v, made, within)
            return self.settle(made, mark)
        return None

    def bar(self, v: Value, n: Node) -> None:
        """Write down the rules that would apply to `v` with a licence, or to other types."""
        if self.graph is None:
            return
        guards = self.graph.facts.guards
        known = len(guards)
        for r in self.barred[v.node.op.name]:
            free = self.allowed.issuperset(r.needs.split())
            found: Match = {}
            if free and match(r.left, v, {}, r.kinds):
                continue  # it could, and something else kept it
            if not match(r.left, v, found, Rule.kinds):
                continue
            if r.once and not self.read_once(v, r):
                continue
            try:
                made = instantiate(r, found, v)
            except Exception:  # a right side that holds for other types only
                made = None
            if made is not None and made is not v and made.static_shape == v.static_shape:
                self.passed(r, v, "kind" if free else "licence")
        while len(guards) > known:  # asked here only
            guards.popitem()

    def passed(self, r: Rule, v: Value, word: str) -> None:
        """Write down why a rule that matches `v` does not apply."""
        if self.journal is None:
            return
        text, remedy = PASSED[word]
        stage = self.journal.stage.partition(".")[0]
        name = stage.partition(":")[0]
        asked = "+".join(x for x in (stage.partition(":")[2], r.needs.replace(" ", "+")) if x)
        words = {
            "needs": " and ".join(f"{s} ({LICENCES[s]})" for s in r.needs.split()),
            "grant": f"{name}:{asked}", "name": name, "once": r.once,
            "kinds": " or ".join(_KINDS[k] for k in r.kinds),
        }  # fmt: skip
        what = f"the rule {r.name} does not apply to {v.node.name!r}: "
        self.journal.because("rule", (v.node,), what + text.format(**words), remedy.format(**words))

    def read_once(self, v: Value, r: Rule) -> bool:
        """Whether only what such rules replace reads what the rule says nobody else may."""
        if self.graph is None:
            return True
        level = [v.node]
        for _ in range(_DEEP):
            level = [x.node for n in level for x in n.inputs]
            found = [n for n in level if n.op.name == r.once]
            if found:
                return len(self.reads[found[0].name]) == 1 or self.replaced(found[0].name, r.once)
        return False

    def replaced(self, name: str, once: str) -> bool:
        """Whether every node that reads a value, at most a step away, is one that rules replace."""

        def whole(n: Node | None, more: int) -> bool:
            if n is None or len(n.outputs) != 1:
                return False
            v = n.outputs[0]
            rules = [r for r in self.by_op.get(n.op.name, ()) if r.once == once]
            if any(match(r.left, v, {}, r.kinds) for r in rules):
                return True
            return more > 0 and all(whole(m, more - 1) for m in self.reads[n.name])

        return all(whole(n, 1) for n in self.reads[name])

    @cached_property
    def reads(self) -> dict[str, list[Node | None]]:
        """The nodes that read values of nodes of a name (copies keep it); None for a result."""
        assert self.graph is not None
        out: dict[str, list[Node | None]] = defaultdict(list)
        for n in self.graph.nodes():
            for v in n.inputs:
                out[v.node.name].append(n)
        for v in self.graph.roots:
            out[v.node.name].append(None)
        return out

    def settle(self, v: Value, mark: int) -> Value:
        """`v` with the nodes made since `mark` below it in normal form."""
        fresh = made_since(v.node, mark)
        new: dict[Value, Value] = {}
        for n in fresh:
            if n is v.node or len(n.outputs) != 1 or not n.inputs:
                continue
            w = n.outputs[0]
            inputs = tuple([new.get(x, x) for x in n.inputs])
            u = self.normal(w if inputs == n.inputs else copy(n, inputs).outputs[0])
            if u is not w:
                new[w] = u
        if not new:
            return v
        n = v.node
        return copy(n, [new.get(x, x) for x in n.inputs]).outputs[v.index]

    # ---------------------------------------------------------------- errors are kept

    def loses_error(self, made: Value, found: Match, mark: int) -> bool:
        """Whether something that can fail in a run would not be computed any more (rule G4)."""
        risky = [
            v
            for k, v in found.items()
            if type(k) is str and k != "result" and isinstance(v, Value) and self.fails(v.node)
        ]
        if not risky:
            return False
        kept = {made}
        for n in made_since(made.node, mark):
            kept.update(n.inputs)
        return any(v not in kept for v in risky)

    def fails(self, n: Node) -> bool:
        """Whether the node, or one that it needs, can raise in a run."""
        stack = [n]
        known = self.failing
        while stack:
            m = stack[-1]
            if m in known:
                stack.pop()
                continue
            if can_fail(m):
                known[m] = True
                continue
            deps = [v.node for v in m.inputs if v.node not in known]
            if deps:
                stack.extend(deps)
                continue
            known[m] = any(known[v.node] for v in m.inputs)
        return known[n]


_DEEP = 4  # levels of a pattern

_told: weakref.WeakSet[Rule] = weakref.WeakSet()


def misfit(r: Rule, v: Value, made: Value) -> None:
    """Warn of a user's rule whose right side has another type than what it would replace, once."""
    if r in _told:
        return
    _told.add(r)
    where = f"\n  defined at {v.node.source[0]}" if v.node.source else ""
    warnings.warn(
        f"the rule {r.name!r} does not apply to {v.node.name!r}, which is {type_text(v.type)}: its "
        f"right side would be {type_text(made.type)}{where}",
        stacklevel=2,
    )  # fmt: skip


#: Why a rule does not apply: in words, and the smallest change that alters it.
PASSED: dict[str, tuple[str, str]] = {
    "licence": (
        "it needs the licence {needs}",
        "write '{grant}' for '{name}' in graphc_passes",
    ),
    "kind": ("it holds for {kinds} only", "compute in {kinds}, where the values allow it"),
    "once": (
        "the {once} in it is read elsewhere too, and would have to be computed all the same",
        "let nothing else read the {once}: do not fetch it in the same run",
    ),
    "type": ("the result would have another type or shape", ""),
    "error": (
        "an operand that can fail would not be computed any more, and its error would be lost",
        "let the operand be something that cannot fail",
    ),
}
_KINDS = {"f": "floats", "i": "integers", "u": "unsigned integers", "b": "bools", "s": "strings"}


def can_fail(n: Node) -> bool:
    """Whether the node itself can raise in a run."""
    if not n.op.fails:
        return False
    check = n.op.facts.get("check")
    return check is None or "types" not in check or n.inputs[0].dtype.kind in check["types"]


def made_since(n: Node, mark: int) -> list[Node]:
    """The nodes below `n` that were made after the node numbered `mark`, inputs first."""
    if n.id < mark:
        return []
    seen = {n}
    stack = [n]
    while stack:
        for v in stack.pop().inputs:
            m = v.node
            if m.id > mark and m not in seen:
                seen.add(m)
                stack.append(m)
    return sorted(seen, key=lambda m: m.id)


def possible(p: Node, inputs: Sequence[Value]) -> bool:
    """Whether inputs of these ops and kinds can match the pattern at all."""
    wants: list[Op | None] = [v.node.op for v in p.inputs]
    for i, v in enumerate(p.inputs):
        if v.node.op is wildcard:
            if "many" in v.node.attrs:
                return True
            wants[i] = OPS["constant"] if "constant" in v.node.attrs else None
    if len(wants) != len(inputs):
        return False
    have = [v.node.op for v in inputs]

    def fits(order: Sequence[Any]) -> bool:
        return all(w is None or w is h for w, h in zip(wants, order, strict=True))

    return fits(have) or (p.op.name in COMMUTATIVE and fits(have[::-1]))


def instantiate(r: Rule, found: Match, v: Value) -> Value | None:
    """The right side of a rule with the captured values in place."""
    if isinstance(r.right, Value):
        return _build(r.right, found, v)
    found["result"] = v
    return r.right(*[found[k] for k in r.takes])  # type: ignore[no-any-return]


def _build(right: Value, found: Match, v: Value) -> Value | None:
    if right in found:  # a part of the left side
        return found[right]  # type: ignore[no-any-return]
    n = right.node
    if n.op.name == "wildcard":
        return found[n.attrs["name"]]  # type: ignore[no-any-return]
    if n.op.name == "constant":
        like = next((x for x in found.values() if isinstance(x, Value)), v)
        dtype = v.dtype if v.dtype.kind != "b" else like.dtype
        return make_constant(n.attrs["value"].astype(dtype.np), dtype)
    inputs = [_build(x, found, v) for x in n.inputs]
    attrs = {
        k: found.get(a.name) if isinstance(a, any_of) else a
        for k, a in n.attrs.items()
        if k != "_partial"
    }
    return build.build(n.op, [x for x in inputs if x is not None], attrs).outputs[0]


# ------------------------------------------------------------------------- for right sides


def fold_constant(f: Callable[..., Any], *cs: Value) -> Value:
    """A constant computed from constants, in their own type."""
    t = cs[0].dtype
    with np.errstate(all="ignore"):
        a = np.asarray(f(*[c.node.attrs["value"] for c in cs]))
    return make_constant(a.astype(t.np), t)


def is_power_of_two(x: float) -> bool:
    return math.isfinite(x) and x != 0 and abs(math.frexp(x)[0]) == 0.5
