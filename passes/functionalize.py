"""A run becomes a pure graph: variables are read at its start and committed at its end.

Updates apply in creation order (which control dependencies always respect). Whoever uses a
variable and depends on an update of it, by data or control, sees the updated value; all others see
the value at the start of the run. This is one legal TF1 order, the same in each run. A variable
that is itself fetched is what it holds at the end (`Functionalizer.at_end`). What is in a
variable's memory shows its updates (`graphc.passes.sharing`).

What only the host can do cuts the run (`graphc.passes.cuts`). Strings pass by native code: those a
run returns or gives to a variable are fed to it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphc.errors import FailedPreconditionError, InvalidArgumentError
from graphc.ir import build, dims, journal
from graphc.ir.build import InferError
from graphc.ir.dims import Dim, Facts, Shape
from graphc.ir.dtypes import DType
from graphc.ir.graph import Graph
from graphc.ir.known import NeedsValue, known, resolve
from graphc.ir.node import Node, Value
from graphc.ir.region import Branch, Context, context_of
from graphc.ir.registry import REGIONS
from graphc.ops import math, shapes
from graphc.ops.check import is_true
from graphc.ops.operands import less
from graphc.ops.pure import input_op, read_op
from graphc.ops.tensor_arrays import lengthened
from graphc.passes import sharing
from graphc.passes.cuts import Batch, Cut, on_host, operands, say_host
from graphc.passes.patterns import may_be_negative
from graphc.passes.reach import Reach, is_construct, live
from graphc.passes.references import begins, changes, is_snapshot, variable_node, variable_of
from graphc.passes.run_errors import run_error

__all__ = ["Frozen", "Functionalizer", "functionalize"]


@dataclass
class Frozen:
    """A pure graph with what the session must supply to run it.

    Attributes
    ----------
    graph : Graph
    reads : list of str
        Variables read.
    random : list of (Node, Node)
        Random ops in order, as recorded and as they are here (where attribute ``stream`` is the
        place in this list); each has a counter of its own that a run advances.
    strings : list of (int or None)
        For each fetch the place among the feeds where its strings are; None for numbers, which
        are the outputs of the graph.
    string_updates : list of (str, int)
        Variables of strings that the run changes, each with the place of its value.
    checks : int
        How many of the graph's outputs, the last ones, are only there to be checked.
    """

    graph: Graph
    reads: list[str] = field(default_factory=list)
    random: list[tuple[Node, Node]] = field(default_factory=list)
    strings: list[int | None] = field(default_factory=list)
    string_updates: list[tuple[str, int]] = field(default_factory=list)
    checks: int = 0


def functionalize(
    fetches: Sequence[Value],
    targets: Sequence[Node],
    feeds: Mapping[Value, tuple[DType, tuple[Dim, ...]]],
    variables: Callable[[str], tuple[DType, tuple[int, ...]]],
    facts: Facts,
    made: Iterable[Value] = (),
    done: Container[Node] = (),
    readers: Sequence[Node | None] = (),
    home: Context | None = None,
    finals: Sequence[str] = (),
) -> Frozen:
    """The pure graph of ``run([*fetches, *targets], feeds)``.

    Parameters
    ----------
    made : values, optional
        Those of `feeds` that an earlier part of this run made: what they depend on happens in this
        run, so its updates and draws count although its results are known.
    done : nodes, optional
        What the host has applied already.
    readers : sequence of (Node or None), optional
        For each fetch the node that will read it: it sees the updates that come before that node.
    home : Context, optional
        The inside of a construct that is run by itself.
    finals : sequence of str, optional
        Variables whose values at the end are results too, and which are not changed.
    feeds : mapping
        Type of each fed value, sizes as symbols.
    variables : callable
        Element type and shape of a variable as the session holds it.

    Raises
    ------
    Cut
        When something must be known first.
    """
    f = Functionalizer(feeds, variables, facts, made, done)
    f.home, f.finals = home, finals
    return f.run(fetches, targets, readers or (None,) * len(fetches))


class Functionalizer:
    def __init__(
        self,
        feeds: Mapping[Value, tuple[DType, tuple[Dim, ...]]],
        variables: Callable[[str], tuple[DType, tuple[int, ...]]],
        facts: Facts,
        made: Iterable[Value] = (),
        done: Container[Node] = (),
    ) -> None:
        self.feeds = feeds
        self.made = frozenset(made)
        self.done = done
        self.given = frozenset(feeds) - self.made
        self.batch = Batch(feeds, self.representative)
        self.checks: list[Value] = []
        self.used: set[Value] = set()
        #: Nodes that need not make an array longer: it was made so before.
        self.roomy: set[Node] = set()
        self.variables = variables
        self.facts = facts
        self.new: dict[Value, Value] = {}
        self.start: dict[str, Value] = {}
        self.refs: dict[str, Node] = {}
        # for each variable the updates applied so far: (bit, value afterwards)
        self.history: dict[str, list[tuple[int, Value]]] = {}
        self.after: dict[Node, int] = {}
        self.bits = 0
        #: The bits of updates that may give a variable an array of another shape.
        self.moving = 0
        self.frozen = Frozen(Graph(()))
        self.home: Context | None = None
        self.finals: Sequence[str] = ()
        self.reach = Reach((), ())

    def run(
        self,
        fetches: Sequence[Value],
        targets: Sequence[Node],
        readers: Sequence[Node | None],
    ) -> Frozen:
        rewriter = build.Rewriter()
        with build.use(rewriter), dims.assuming(self.facts):
            self.name_sizes()
            inputs = self.inputs(rewriter)
            around = self.around(fetches, readers)
            read = [*fetches, *[c.pred for c in around]]
            self.reach = Reach(read, targets, self.given, (), self.home)
            wanted = self.reach.nodes
            later = bool(self.made or self.done)
            if later:
                self.reach = live(read, targets, self.given, self.feeds, self.done, self.home)
            alive = set(self.reach.nodes)
            self.used.update(fetches, self.reach.read)
            for n in wanted:
                if later and n not in alive:
                    self.passed(n)
                    continue
                rewriter.like = n
                self.visit(n)
            outputs = []
            for v, reader in zip(fetches, readers, strict=True):
                try:
                    outputs.append(None if self.batch else self.fetched(v, reader))
                except Cut as cut:
                    self.batch.add(cut, v.node)
            if not self.batch:
                outputs += [self.last(var) for var in self.finals]
                for c in around:
                    self.taken(c)
        self.write_down()
        self.name_fed_sizes()
        if self.batch:
            raise self.batch.cut()
        if self.home is not None:
            self.history.clear()
        return self.freeze([v for v in outputs if v is not None], inputs)

    def write_down(self) -> None:
        """What recorded values are in the pure graph, for whoever asks."""
        log = journal.current()
        if log is not None:
            log.moved(self.new)
            for var, v in self.start.items():
                if var in self.refs:
                    log.moved({self.refs[var].outputs[0]: v})

    @staticmethod
    def because_of_size(n: Node, v: Value) -> None:
        """The elements of `v` decide the shape of `n`."""
        log = journal.current()
        if log is not None:
            log.because(
                "size", (n, v.node),
                f"the shape of {n.name!r} is what the elements of {v.node.name!r} say, and these"
                " are computed in the run: it stops there to see them",
                f"make {v.node.name!r} of tf.shape, constants and fed integers alone",
            )  # fmt: skip

    def name_sizes(self) -> None:
        """Write down which sizes of feeds are symbols, for whoever asks."""
        log = journal.current()
        for v, (_, shape) in self.feeds.items() if log is not None else ():
            for axis, d in enumerate(shape):
                if type(d) is int or log is None:
                    continue
                size = self.facts.value(d)
                if v in self.made:
                    text = f"the size of axis {axis} of {v.node.name!r} is seen when Python, or the"
                    log.because("size", (v.node,), f"{text} part of the run before, has made it")
                    continue
                log.because(
                    "size", (v.node,),
                    f"the size of axis {axis} of {v.node.name!r} is not declared: it is {d} in the"
                    f" plan, which holds for any {d} ({size} in this run)",
                    f"declare it: a shape with {size} at axis {axis} of {v.node.name!r}",
                )  # fmt: skip

    def name_fed_sizes(self) -> None:
        """Write down which fed integers are read as sizes."""
        log = journal.current()
        for v, symbols in self.facts.fed.items() if log is not None else ():
            names = symbols if isinstance(symbols, tuple) else (symbols,)
            if log is not None:
                log.because(
                    "size", (v.node,),
                    f"the integers fed as {v.node.name!r} decide sizes: they are"
                    f" {', '.join(map(str, names))} in the plan",
                    f"make {v.node.name!r} a tf.constant",
                )  # fmt: skip

    def inputs(self, rewriter: build.Rewriter) -> tuple[Value, ...]:
        """What is fed, in the pure graph."""
        out = []
        for i, (v, (dtype, shape)) in enumerate(self.feeds.items()):
            rewriter.like = v.node
            attrs = {"index": i, "dtype": dtype, "shape": shape}
            made = build.build(input_op, (), attrs, _label(v)).outputs[0]
            out.append(made)
            if begins(v, self.home, self.made):
                self.start[str(v.node.attrs["var"])] = made  # read by an earlier part
            else:
                self.new[v] = made
        return tuple(out)

    def freeze(self, outputs: list[Value], inputs: tuple[Value, ...]) -> Frozen:
        """The pure graph, and beside it the strings."""
        f = self.frozen
        f.strings = [v.node.attrs["index"] if v.dtype.hosted else None for v in outputs]
        updates = []
        for var, history in self.history.items():
            v = history[-1][1]
            if v.dtype.hosted:
                f.string_updates.append((var, v.node.attrs["index"]))
            else:
                updates.append((var, v))
        numbers = tuple(v for v in outputs if not v.dtype.hosted)
        f.checks = len(self.checks)
        f.graph = Graph((*numbers, *self.checks), tuple(updates), inputs, facts=self.facts)
        f.reads = [var for var, v in self.start.items() if not v.dtype.hosted]
        return f

    def value(self, v: Value, reader: Node | None) -> Value:
        """The pure value of `v` as `reader` sees it."""
        made, n = self.new.get(v), v.node
        while made is None and is_snapshot(n):  # the variable itself is fed, or a read of it
            made, n = self.new.get(n.inputs[0]), n.inputs[0].node
        if made is not None:
            return sharing.late(self, v, made, reader) if self.history else made
        var, mask = variable_of(v), self.mask(reader)
        if is_snapshot(v.node):
            return sharing.memory(self, var, mask, 0, reader or v.node)
        return self.state(var, mask, reader or v.node)

    def plain(self, v: Value, reader: Node) -> Value:
        """The pure value of `v` as its node made it."""
        return self.new[v]

    def settled(self, v: Value) -> bool:
        """Whether `v` is fed, and no variable as it is at the start."""
        return v in self.given and not begins(v, self.home, self.made)

    def has(self, v: Value) -> bool:
        """Whether `v` has a pure value here."""
        return v in self.new

    def changes(self, var: str, news: int) -> bool:
        """Whether one of the updates `news` is of the variable."""
        return any(bit & news for bit, _ in self.history.get(var, ()))

    def fetched(self, v: Value, reader: Node | None) -> Value:
        """The pure value of a fetch."""
        made = self.value(v, reader)
        if reader is not None or self.home is not None or not self.history:
            return made
        end = self.at_end(v)
        return made if end is None or not self.alike(end, made) else end

    def at_end(self, v: Value) -> Value | None:
        """What a fetch is that shares the memory of a variable which this run changes.

        TF1's results share it until the run is over, and its updates write in place. Variables with
        ``use_resource=True`` are copied before they change.
        """
        n = v.node
        if v in self.given:
            return None
        if n.op.name == "variable" or "update" in n.op.facts:
            variable = variable_node(v)
            shared = variable.attrs["var"] in self.history and "resource" not in variable.attrs
            return self.last(variable.attrs["var"]) if shared else None
        return None if context_of(n) is not None else sharing.again(self, v, -1, -1)

    def alike(self, a: Value, b: Value) -> bool:
        """Whether two values have one shape: an array of another is not written in place."""
        sa, sb = a.static_shape or (), b.static_shape or ()
        return len(sa) == len(sb) and all(map(self.facts.equal, sa, sb))

    def state(self, var: str, mask: int, reader: Node) -> Value:
        for bit, value in reversed(self.history.get(var, ())):
            if bit & mask:
                return value
        return self.first(var, reader)

    def first(self, var: str, reader: Node) -> Value:
        v = self.start.get(var)
        if v is None:
            try:
                dtype, shape = self.variables(var)
            except FailedPreconditionError as e:
                raise FailedPreconditionError(None, reader, run_error(reader, e)) from None
            if dtype.hosted:
                raise Cut((self.refs[var],))
            attrs = {"var": var, "dtype": dtype, "shape": shape}
            v = self.start[var] = build.build(read_op, (), attrs, var).outputs[0]
        return v

    def around(self, fetches: Sequence[Value], readers: Sequence[Node | None]) -> list[Branch]:
        """The branches in which values are that are fetched from outside of them."""
        if self.home is not None or self.made or any(n is not None for n in readers):
            return []  # the user's own fetches only: a part of a run has readers for them
        found: dict[Branch, None] = {}
        for v in fetches:
            c = None if v in self.feeds else context_of(v.node)
            found.update(dict.fromkeys(k for k in c.chain() if isinstance(k, Branch)) if c else {})
        return list(found)

    def taken(self, branch: Branch) -> None:
        """A run fails that fetches a value of a branch that it does not take."""
        pred = self.value(branch.pred, None)
        rewriter = build.current()
        assert isinstance(rewriter, build.Rewriter)
        rewriter.like = branch.node
        self.checks.append(is_true(pred if branch.taken else math.logical_not(pred)))

    def last(self, var: str) -> Value:
        """The value of a variable at the end."""
        history = self.history.get(var)
        return history[-1][1] if history else self.start[var]

    def mask(self, n: Node | None) -> int:
        if n is None:
            return 0
        m = 0
        after, level = self.after, self.representative
        if not after:
            return 0
        for v in n.inputs:
            if v not in self.given:
                m |= after.get(level(v.node), 0)
        for c in n.control:
            m |= after.get(level(c), 0)
        return m

    def representative(self, n: Node) -> Node:
        """`n`, or the construct of this level in which it is."""
        if self.reach.inner:
            return Reach.level(n, self.home) or n
        return n

    def sees(self, v: Value) -> bool:
        """Whether `v` is at this level, or around it."""
        return self.representative(v.node) is v.node

    def visit_like(self, n: Node) -> None:
        """`visit`, with what is built named like `n`."""
        rewriter = build.current()
        assert isinstance(rewriter, build.Rewriter)
        before, rewriter.like = rewriter.like, n
        self.visit(n)
        rewriter.like = before

    def passed(self, n: Node) -> None:
        """Only remember what happens before `n`, whose results nobody asks for."""
        mask = self.mask(n)
        if mask:
            self.after[n] = mask
        if is_construct(n):
            self.changed(n)

    def visit(self, n: Node) -> None:
        """The pure form of a recorded node, unless it must wait for what the host does."""
        if self.batch and self.batch.delays(n):
            return
        try:
            self.node(n)
        except Cut as cut:
            self.batch.add(cut, n)

    def node(self, n: Node) -> None:
        """The pure form of a recorded node, or its effect."""
        if self.made and n.outputs and all(v in self.made for v in n.outputs):
            self.passed(n)
        elif n.op.name == "placeholder" and n.outputs[0].dtype.hosted:
            self.passed(n)  # fed to the run: here others only come after it
        elif n.op.name == "variable":
            self.refs[str(n.attrs["var"])] = n  # read where it is used: see `value`
        else:
            fed = [(v, self.new[v]) for v in n.outputs if v in self.given and v in self.new]
            if fed and on_host(n):
                self.passed(n)
            else:  # what is fed is done all the same where others come after it
                self.operation(n)
            self.new.update(fed)

    def operation(self, n: Node) -> None:
        for c in n.control:
            if is_snapshot(c) and c.outputs[0] not in self.given:
                self.value(c.outputs[0], c)  # nobody uses it, but it must have a value
        if is_snapshot(n):
            return  # read where it is used
        facts, mask = n.op.facts, self.mask(n)
        if "update" in facts:
            self.update(n, facts["update"], mask)
            return
        if mask:
            self.after[n] = mask
        if n.op.family == "control":
            self.control(n, mask)
        elif not facts.get("effect_only"):
            self.computed(n)

    def computed(self, n: Node) -> None:
        """The pure form of a node that gives values."""
        facts = n.op.facts
        if facts.get("query"):
            alone = n.op.name == "initialized_value"
            raise Cut((n,), tuple([(v, n) for v in n.inputs[1:]]) if alone else (), alone=alone)
        if "lazy" in facts:
            self.check(n, [self.value(v, n) for v in operands(n)])
            return
        alias = facts.get("alias") or facts.get("aliases")
        if not alias and on_host(n):
            if self.sized(n) or (n.op.name == "array_grow" and self.grown(n)):
                return
            say_host(n)
            raise Cut((n,), tuple([(v, n) for v in n.inputs]))
        inputs = tuple([self.value(v, n) for v in n.inputs])
        if alias:
            if "fit_alias" in facts:
                inputs = (facts["fit_alias"](*inputs, **n.attrs),)
            self.new.update(zip(n.outputs, inputs, strict=False))
        else:
            fit = facts.get("fit")
            self.pure(n, inputs if fit is None else fit(inputs))
            if "assertion" in facts and not self.used.intersection(n.outputs):
                self.check(n, [self.new[v] for v in n.outputs])

    def grown(self, n: Node) -> bool:
        """Whether an array has room for an element, or can be given it before the run."""
        if n in self.roomy:
            self.new[n.outputs[0]] = self.value(n.inputs[0], n)
            return True
        buffer, index = n.inputs
        if self.batch or buffer.dtype.hosted or not (made := self.value(buffer, n)).static_shape:
            return False
        at = known(self.value(index, n))
        if at is None or isinstance(at, tuple) or self.facts.less(at, 0):
            return False
        rows = made.static_shape[0]
        self.new[n.outputs[0]] = lengthened(made, at + 1) if less(rows, at + 1) else made
        return True

    def sized(self, n: Node) -> bool:
        """Whether the result of an op without a native form is sizes that are known now."""
        if n.op.dims is None or n.op.family != "structured" or self.batch:
            return False
        self.pure(n, tuple([self.value(v, n) for v in n.inputs]))
        out = n.outputs[0]
        k = known(self.new[out])
        if k is None or (isinstance(k, tuple) and None in k):
            del self.new[out]
            return False
        self.new[out] = shapes.sizes(k, out.dtype)
        return True

    def check(self, n: Node, values: Sequence[Value]) -> None:
        """Compute what an assertion needs, although nobody reads it."""
        try:
            self.checks.append(n.op.facts["assertion"](*values))
        except InvalidArgumentError as e:
            raise InvalidArgumentError(None, n, run_error(n, e)) from None

    def control(self, n: Node, mask: int) -> None:
        """A construct; what asks about one was answered with it."""
        if is_construct(n):
            from graphc.passes.construct import make

            make(self, n, mask)
        elif n.op.name in REGIONS:  # of a graph that is pure already
            self.computed(n)

    def changed(self, n: Node) -> None:
        """The variables that the host changed while it ran a construct."""
        for ref, v in zip(n.attrs["updates"], changes(n), strict=True):
            if v not in self.new:
                continue
            bit = 1 << self.bits
            self.bits += 1
            self.history.setdefault(variable_of(ref), []).append((bit, self.new[v]))
            if not dims.is_known(variable_node(ref).outputs[0].static_shape):
                self.moving |= bit
            self.after[n] = self.after.get(n, 0) | bit

    def pure(self, n: Node, inputs: tuple[Value, ...]) -> None:
        """Make the node anew, its size operands as attributes, its types for these sizes."""
        self.new.update(zip(n.outputs, self.remade(n, inputs).outputs, strict=True))

    def remade(self, n: Node, inputs: tuple[Value, ...]) -> Node:
        """The node with other inputs."""
        attrs = n.attrs
        if "dynamic" in attrs:
            try:
                inputs, attrs = resolve(inputs, attrs)
            except NeedsValue as e:
                v = n.inputs[inputs.index(e.value)]
                self.because_of_size(n, v)
                raise Cut(needs=((v, n),)) from None
            except InferError as e:
                raise InvalidArgumentError(None, n, run_error(n, e)) from None
        draws = n.op.family == "random"
        if draws:
            attrs = {**attrs, "stream": len(self.frozen.random)}
        made = Node(n.op, inputs, attrs, self.types(n, inputs, attrs), n.name, (), n.source)
        if draws:
            self.frozen.random.append((n, made))
        return made

    def types(
        self, n: Node, inputs: tuple[Value, ...], attrs: Mapping[str, Any]
    ) -> list[tuple[DType, Shape | None]]:
        """What the op infers for these sizes; its refusals are errors of the run."""
        try:
            types = list(n.op.infer(inputs, attrs))
        except (ValueError, OverflowError, InvalidArgumentError) as e:
            raise InvalidArgumentError(None, n, run_error(n, self.words(n, inputs, e))) from None
        for _, shape in types:
            for d in shape or ():
                if may_be_negative(d) and self.facts.less(d, 0):
                    sizes = [self.facts.value(x) for x in shape or ()]
                    message = f"Dimension {self.facts.value(d)} must be >= 0, in the shape {sizes}"
                    raise InvalidArgumentError(None, n, run_error(n, message))
        return types

    def words(self, n: Node, inputs: Sequence[Value], e: Exception) -> str:
        """The message of an op whose operands do not fit, as TF1's kernels put it."""
        if n.op.family == "elementwise" and "must be equal" in str(e) and len(inputs) == 2:
            a, b = (
                "[" + ",".join(str(self.facts.value(d)) for d in v.static_shape or ()) + "]"
                for v in inputs
            )
            return f"Incompatible shapes: {a} vs. {b}"
        return str(e)

    def update(self, n: Node, rule: Callable[..., Any], mask: int) -> None:
        var = variable_of(n.inputs[0])
        history = self.history.setdefault(var, [])
        args = [self.value(v, n) for v in n.inputs[1:]]
        old = None
        if n.op.facts.get("reads", True):
            old = history[-1][1] if history else self.first(var, n)
        try:
            new = rule(old, *args, **n.attrs)
        except (ValueError, InvalidArgumentError) as e:
            raise InvalidArgumentError(None, n, run_error(n, e)) from None
        bit = 1 << self.bits
        self.bits += 1
        history.append((bit, new))
        if n.attrs.get("validate_shape") is False:
            self.moving |= bit
        self.after[n] = mask | bit
        self.new[n.outputs[0]] = new


def _label(v: Value) -> str:
    return v.node.name if v.index == 0 else f"{v.node.name}:{v.index}"
