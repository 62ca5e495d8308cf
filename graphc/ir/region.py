"""Where a recorded node belongs: to the graph, to a branch of a cond, or to the inside of a loop.

A recorded graph is one list of nodes. What the function of a construct records has its `Context`;
such nodes read values of outer contexts directly. The construct itself is one node, recorded when
its contexts are closed, in the context around it.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphc.ir.node import Node, Value

__all__ = ["Branch", "Context", "Loop", "context_of", "home_of", "is_inside"]


class Context:
    """The inside of a construct.

    Attributes
    ----------
    outer : Context or None
        The context in which the construct is.
    depth : int
        How many contexts it is in, with itself.
    node : Node or None
        The construct, once it is recorded.
    results : tuple of Value
        What the construct takes from here: values of this context or of outer ones.
    captures : dict
        Values of outer contexts that something here reads (its keys, in order).
    updates : dict
        The variables that something here, or in a construct here, changes (its keys).
    draws, host_effects : bool
        Whether a random op is in here, or an op of the host with an effect.
    after : dict
        Nodes of outer contexts that something here must come after (its keys).
    """

    def __init__(self, outer: Context | None) -> None:
        self.outer = outer
        self.depth: int = 1 if outer is None else outer.depth + 1
        self.node: Node | None = None
        self.results: tuple[Value, ...] = ()
        self.captures: dict[Value, None] = {}
        self.updates: dict[Value, None] = {}
        self.draws = False
        self.host_effects = False
        self.after: dict[Node, None] = {}

    def note(self, n: Node) -> None:
        """`n` was recorded here."""
        if n.op.family == "random":
            self.draws = True
        if n.op.facts.get("effect"):
            self.host_effects = True
        for c in n.control:
            if not _inside(c, self):
                self.after[c] = None
        if n.op.facts.get("update"):
            ref = n.inputs[0]
            while ref.node.op.name != "variable":
                ref = ref.node.inputs[0]
            self.updates[ref] = None
        elif n.op.facts.get("contexts"):
            self.updates.update(dict.fromkeys(n.attrs["updates"]))
            self.draws = self.draws or n.attrs["draws"]
            self.host_effects = self.host_effects or n.attrs["host_effects"]

    def capture(self, v: Value) -> bool:
        """`v` of an outer context is read here; whether TF1 brings it in by an operation now."""
        first = v not in self.captures
        self.captures[v] = None
        return first

    def chain(self) -> Iterator[Context]:
        """This context and those around it, innermost first."""
        c: Context | None = self
        while c is not None:
            yield c
            c = c.outer

    def within(self, other: Context | None) -> bool:
        """Whether this is `other` or inside it."""
        if other is None:
            return True
        c: Context | None = self
        while c is not None and c.depth > other.depth:
            c = c.outer
        return c is other


class Branch(Context):
    """What one function of a cond records.

    Attributes
    ----------
    pred : Value
    taken : bool
        The value of `pred` for which this branch runs.
    unread : bool
        Whether nothing in here reads `pred` yet as a value of the outer context.
    """

    def __init__(self, outer: Context | None, pred: Value, taken: bool) -> None:
        super().__init__(outer)
        self.pred = pred
        self.taken = taken
        self.captures[pred] = None
        self.unread = True

    def capture(self, v: Value) -> bool:
        """`v` of an outer context is read here; what TF1 has of `pred` in here is a copy."""
        if v is self.pred and self.unread:
            self.unread = False
            return True
        return super().capture(v)


class Loop(Context):
    """What the two functions of a loop record.

    Attributes
    ----------
    params : tuple of Value
        The loop variables as an iteration sees them.
    test : Value
        Whether there is another iteration.
    saved : dict
        For values in here the node outside that stands for all values it had.
    trips : Value or None
        The number of iterations, outside, once somebody asked for it.
    capacities : tuple of Value
        The most of that number in one iteration of each loop around it, once somebody asked for it.
    count : Node or None
        What runs ask for that number by, where nothing recorded does (`graphc.passes.growing`).
    back_prop : bool
        Whether gradients pass.
    parallel : int
        How many iterations TensorFlow may run at once (of graphs that it reads).
    mirror : Loop or None
        The loop that this one goes backwards through (it is its gradient).
    index : Value or None
        With `mirror`: which iteration of that this iteration is about.
    reads : dict
        With `mirror`: what stands here for values inside of that.
    """

    def __init__(self, outer: Context | None, mirror: Loop | None = None) -> None:
        super().__init__(outer)
        self.params: tuple[Value, ...] = ()
        self.test: Value | None = None
        self.saved: dict[Value, Value] = {}
        self.trips: Value | None = None
        self.capacities: tuple[Value, ...] = ()
        self.count: Node | None = None
        self.back_prop = True
        self.parallel = 10
        self.mirror = mirror
        self.index: Value | None = None
        self.reads: dict[Value, Value] = {}


def _inside(n: Node, context: Context) -> bool:
    c = context_of(n)
    return c is not None and c.within(context)


def context_of(n: Node) -> Context | None:
    """The context of a recorded node; None for the graph itself, and in pure graphs."""
    contexts = getattr(n.graph, "contexts", None)
    return contexts.get(n) if contexts else None


def is_inside(n: Node, home: Context | None) -> bool:
    """Whether `n` is done by the region `home` (None: by the whole run), and not before it."""
    c = context_of(n)
    return home is None or (c is not None and c.within(home))


def home_of(n: Node, home: Context | None) -> Context | None:
    """The context of `n` if that is strictly inside `home`, else `home`."""
    c = context_of(n)
    if c is None or c is home or (home is not None and not c.within(home)):
        return home
    return c
