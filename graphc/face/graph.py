"""The recording face: `Graph`, and the default graph.

A face graph only appends. It is the `Builder` that op functions record into, and gives every
node TF1's name, the active control dependencies and the user's source line.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from graphc.face.collected import Collected
from graphc.face.contents import Contents
from graphc.face.elements import Operation, Tensor, of_one_process
from graphc.face.graph_contexts import (
    Controls,
    DefaultGraph,
    FunctionScope,
    GraphNameScope,
    Nothing,
    Overrides,
    Transaction,
    check_name,
    nothing,
    valid_names,
)
from graphc.face.inside import Contexts, Unreachable
from graphc.face.placement import Devices
from graphc.face.source import source_text, user_source
from graphc.ir import build, pictures
from graphc.ir import node as node_module
from graphc.ir.node import Node, Source, Value
from graphc.ir.pictures import Pictured
from graphc.ops.gradient_counts import Block
from graphc.ops.indexed import IndexedSlices
from graphc.ops.record import InferError, Op, show_shapes

__all__ = ["Graph", "get_default_graph", "has_default_graph", "reset_default_graph"]

_new: Any = object.__new__
_next_id = node_module._ids.__next__

_NO_LABELS: list[str] = []


class Graph(Contexts, Devices, Collected, Contents, Pictured):
    """A recorded graph: operations in order, their names, and collections.

    Attributes
    ----------
    seed : int or None
        The graph-level random seed.
    version : int
        Grows with every operation.
    finalized : bool
    """

    building_function = False

    def __init__(self) -> None:
        self._by_name: dict[str, Operation] = {}
        #: The version of the graph once each operation was made, in their order.
        self._versions: list[int] = []
        self._names: dict[str, int] = {}
        self._last_id = 0
        self._scope = ""
        self._control: tuple[Node, ...] = ()
        self._overrides: dict[str, str] = {}
        self._gradient_types: dict[Node, str] = {}
        self._collections: dict[Any, list[Any]] = {}
        self._finalized = False
        self._seed: int | None = None
        self._line: tuple[Source, ...] = ()
        self._lock = threading.RLock()
        self._journal: list[tuple[Any, Any, Any]] | None = None
        self._unfeedable: set[Node] = set()
        self._unfetchable: set[Node] = set()
        self._users: tuple[int, dict[Value, list[Operation]]] = (-1, {})
        #: Axes of reductions where they were not given as a sorted tuple of what they are.
        self.given_axes: dict[Node, tuple[int, ...] | int] = {}
        #: Nodes that TF1 has other operations for, all together.
        self.blocks: dict[Node, Block] = {}
        #: What TF1 makes besides for the gradient of a node: it has other operations behind it.
        self.more_gradients: dict[Node, list[tuple[int, int]]] = {}
        #: What is known of shapes from earlier gradients, and so not counted again.
        self.seen_shapes: set[Any] = set()
        self._begin_contexts()
        self._begin_devices()
        #: What other parts of the face remember about this graph.
        self.extras: dict[str, Any] = {}

    def __copy__(self) -> Graph:
        made = object.__new__(type(self))
        made.__dict__.update(vars(self))
        return made

    __reduce_ex__ = of_one_process

    # ---- recording

    def add(
        self, op: Op, inputs: Sequence[Value], attrs: Mapping[str, Any], name: str | None
    ) -> Operation:
        """Record `op` applied to `inputs` (the `Builder` interface; op functions call it)."""
        for v in inputs:
            if v.node.graph is not self:
                return self._add_foreign(op, inputs, attrs, name)
        self._check_not_finalized()
        context, labels = self.context, _NO_LABELS
        if context is not None or self.contexts:
            inputs, labels = self._reachable(op, inputs, attrs, name)
        try:
            types = op.infer(inputs, attrs)
        except InferError as e:
            raise self._infer_error(e, op, inputs, attrs, name) from None
        exact = False
        if name is None:
            name = op.tf
        elif name[-1:] == "/":
            exact = True
        elif name not in valid_names:
            check_name(name, bool(self._scope), "node" if op.name == "constant" else "scope")
        node: Operation = _new(Operation)
        node.op = op
        node.inputs = inputs if type(inputs) is tuple else tuple(inputs)
        node.attrs = attrs
        node.control = self._control
        node.source = self._line or user_source()
        node.graph = self
        outputs: list[Tensor] = []
        for dtype, shape in types:
            t: Tensor = _new(Tensor)
            t.node = node
            t.index = len(outputs)
            t.dtype = dtype
            t.static_shape = shape
            outputs.append(t)
        node.outputs = tuple(outputs)
        with self._lock:
            full = self._exact(name[:-1]) if exact else self._unique(name)
            node.id = _next_id()
            node.name = full
            self._last_id += 1
            self._by_name[full] = node
            self._versions.append(self._last_id)
        if context is not None:
            self._placed(node, context, labels)
        if self._overrides or self._placement is not None:
            self._marked(node)
        return node

    def _marked(self, node: Operation) -> None:
        """What the blocks around say of a new operation."""
        kind = self._overrides.get(node.type) if self._overrides else None
        if kind is not None:
            self._gradient_types[node] = kind
        if self._placement is not None:
            try:
                self._place(node)
            except BaseException:  # of the user's function: the graph is as it was
                self._undo(len(self._by_name) - 1, self._last_id - 1, len(self._journal or ()))
                raise

    def _reachable(
        self, op: Op, inputs: Sequence[Value], attrs: Mapping[str, Any], name: str | None
    ) -> tuple[Sequence[Value], list[str]]:
        """Operands as the current context sees them; refuses those inside of other loops."""
        try:
            return self._admitted(inputs)
        except Unreachable as e:
            inner = e.value.node.name
            raise ValueError(
                f"Cannot use '{inner}' as input to '{self._full_name(op, name)}' because "
                f"'{inner}' is in a while loop. See info log for more details."
            ) from None

    def _full_name(self, op: Op, name: str | None) -> str:
        """The name a node would get."""
        if name and name[-1] == "/":
            return name[:-1]
        return self.unique_name(name or op.tf, mark_as_used=False)

    def reserve(self, *bases: str) -> None:
        """Take the names TF1 gives to constants that graphc keeps as attributes.

        Each counts as an operation for the seeds of random ops.
        """
        for base in bases:
            self.unique_name(base)
            self._last_id += 1

    def recount(self, count: int) -> None:
        """Go on as if `count` operations had been made: as many as TF1 makes."""
        self._last_id = count
        versions = self._versions
        i = len(versions)
        while i and versions[i - 1] > count:
            i -= 1
        versions[i:] = [count] * (len(versions) - i)

    @contextmanager
    def counts_as(
        self, count: int | None, gradient: Sequence[tuple[int, int]] | None = None,
        through: Sequence[tuple[Value, tuple[int, int]]] = (),
    ) -> Iterator[None]:  # fmt: skip
        """What is recorded inside counts as `count` operations, if that is given.

        Parameters
        ----------
        gradient : sequence of (operations, gradients returned), optional
            What TF1 makes for the gradient of the operations that it makes here
            (`graphc.ops.gradient_counts`).
        through : sequence of (operand, the same), optional
            And where the gradient goes on to an operand.
        """
        before, first = self._last_id, len(self._versions)
        yield
        if count is not None:
            self.recount(before + count)
        if gradient is not None:
            nodes = list(islice(reversed(self._by_name.values()), len(self._versions) - first))
            block = Block(gradient, nodes[0] if nodes else None, through)
            self.blocks.update(dict.fromkeys(nodes, block))

    def _get_control_flow_context(self) -> Any:
        """The loop or branch in which is recorded, or None: libraries ask whether it is XLA's."""
        return self.context

    def scope(self, name: str | None, default: str) -> FunctionScope:
        """The name scope of a function made of several ops; undone when it fails."""
        return FunctionScope(self, default if name is None else name)

    @contextmanager
    def from_line(self, source: tuple[Source, ...]) -> Iterator[None]:
        """What is recorded inside comes from one line of the user's; (): from where it is called.

        The stack is not searched for each node then, which counts where there are many.
        """
        was, self._line = self._line, source
        try:
            yield
        finally:
            self._line = was

    def transaction(self) -> Transaction:
        """A context that undoes everything recorded inside when an error leaves it."""
        return Transaction(self)

    def _unique(self, name: str) -> str:
        full = self._scope + name
        key = full.lower()
        if key in self._names:
            return self._numbered(full, key)
        self._names[key] = 1
        if self._journal is not None:
            self._journal.append((self._names, key, None))
        return full

    def _exact(self, full: str) -> str:
        if full in self._by_name:
            raise ValueError(f"Duplicate node name in graph: '{full}'")
        key = full.lower()
        if key not in self._names:
            if full not in valid_names:
                check_name(full, False, "scope")
            self._set_name(key, 1)
        return full

    def _numbered(self, full: str, key: str) -> str:
        names = self._names
        first = i = names[key]
        base = key
        while key in names:
            key = f"{base}_{i}"
            i += 1
        if self._journal is not None:
            self._journal.append((names, base, first))
            self._journal.append((names, key, None))
        names[base] = first + 1
        names[key] = 1
        return f"{full}_{i - 1}"

    def _set_name(self, key: str, count: int) -> None:
        if self._journal is not None:
            self._journal.append((self._names, key, self._names.get(key)))
        self._names[key] = count

    def _add_foreign(
        self, op: Op, inputs: Sequence[Value], attrs: Mapping[str, Any], name: str | None
    ) -> Operation:
        """Inputs of another graph: the op belongs there if all of them do, as in TF1."""
        first = inputs[0]
        for v in inputs:
            if v.node.graph is not first.node.graph:
                raise ValueError(
                    f"{v!s} must be from the same graph as {first!s}." + source_text(user_source(3))
                )
        graph = first.node.graph
        if not isinstance(graph, Graph):
            raise ValueError(f"{first!s} is not an element of this graph.")
        return graph.add(op, inputs, attrs, name)

    def _infer_error(
        self, e: InferError, op: Op, inputs: Sequence[Value], attrs: Mapping[str, Any],
        name: str | None,
    ) -> ValueError:  # fmt: skip
        full = self._full_name(op, name)
        kind = op.facts.get("type", op.tf)
        if not isinstance(kind, str):
            kind = kind(inputs, attrs)
        text, more = str(e.args[0]) if e.args else "", "".join(map(str, e.args[1:]))
        shapes = f" with input shapes: {show_shapes(inputs)}" if inputs else ""
        return ValueError(
            f"{text} for '{full}' (op: '{kind}'){shapes}{more}." + source_text(user_source(3))
        )

    # ---- undoing

    def _begin(self) -> tuple[bool, int, int, int]:
        outer = self._journal is None
        if outer:
            self._journal = []
        journal = self._journal
        return outer, len(self._by_name), self._last_id, len(journal) if journal else 0

    def _end(self, mark: tuple[bool, int, int, int], failed: bool) -> None:
        outer, count, last_id, length = mark
        if failed:
            self._undo(count, last_id, length)
        if outer:
            self._journal = None

    def _undo(self, count: int, last_id: int, length: int) -> None:
        while len(self._by_name) > count:
            _, node = self._by_name.popitem()
            self._gradient_types.pop(node, None)
            self.contexts.pop(node, None)
            for facts in (
                self.given_axes, self.blocks, self.more_gradients, self.devices, self.groups
            ):  # fmt: skip
                facts.pop(node, None)
        del self._versions[count:]
        self._last_id = last_id
        self._users = (-1, {})
        journal = self._journal or []
        while len(journal) > length:
            where, key, old = journal.pop()
            if isinstance(where, list):
                del where[key:]
            elif old is None:
                where.pop(key, None)
            else:
                where[key] = old

    def log(self, where: dict[Any, Any], key: Any) -> None:
        """Before ``where[key]`` changes: remember it, in case what is being recorded fails."""
        if self._journal is not None:
            self._journal.append((where, key, where.get(key)))

    # ---- names

    def unique_name(self, name: str, mark_as_used: bool = True) -> str:
        """A name for `name` in the current name scope that no operation or scope has.

        Parameters
        ----------
        mark_as_used : bool
            Whether the name is taken by this call.
        """
        full = self._scope + name
        key = full.lower()
        i = self._names.get(key, 0)
        if mark_as_used:
            return self._unique(name)
        if not i:
            return full
        base = key
        while key in self._names:
            key = f"{base}_{i}"
            i += 1
        return f"{full}_{i - 1}"

    def name_scope(self, name: str | None) -> GraphNameScope:
        """A context that puts `name` before the names of operations made inside.

        A name that ends in ``/`` re-enters that scope as it is; None and '' leave all scopes.
        """
        return GraphNameScope(self, name)

    def get_name_scope(self) -> str:
        """The current name scope, without the final slash."""
        return self._scope[:-1]

    @property
    def _name_stack(self) -> str:
        return self._scope[:-1]

    # ---- contexts

    def as_default(self) -> DefaultGraph:
        """A context in which this is the default graph of the thread."""
        return DefaultGraph(self)

    def control_dependencies(self, control_inputs: Iterable[Any] | None) -> Controls:
        """A context whose operations run after `control_inputs`; None clears all of them."""
        if control_inputs is None:
            return Controls(self, None)
        ops = []
        for c in control_inputs:
            e = self.as_graph_element(c.op if isinstance(c, IndexedSlices) else c)
            ops.append(e.op if isinstance(e, Tensor) else e)
        return Controls(self, tuple(ops))

    def gradient_override_map(self, op_type_map: Mapping[str, str]) -> Overrides:
        """A context whose operations of given types get other registered gradients.

        Parameters
        ----------
        op_type_map : dict
            From op type to the name of a gradient registered with ``tf.RegisterGradient``.
        """
        if not isinstance(op_type_map, dict):
            raise TypeError("op_type_map must be a dictionary mapping strings to strings")
        for key, value in op_type_map.items():
            if not isinstance(key, str) or not isinstance(value, str):
                raise TypeError("op_type_map must be a dictionary mapping strings to strings")
        return Overrides(self, op_type_map)

    def gradient_type(self, node: Node) -> str | None:
        """The name of the gradient that `gradient_override_map` gave `node`, if any."""
        return self._gradient_types.get(node)

    @property
    def _c_graph(self) -> Graph:
        return self

    def container(self, container_name: str) -> Nothing:
        """Accepted and ignored: variables live in the session."""
        return nothing

    # ---- what may be done to it

    @property
    def _nodes_by_name(self) -> Mapping[str, Operation]:
        return self._by_name

    @property
    def version(self) -> int:
        return self._last_id

    @property
    def seed(self) -> int | None:
        return self._seed

    @seed.setter
    def seed(self, seed: int | None) -> None:
        self._seed = seed

    @property
    def finalized(self) -> bool:
        return self._finalized

    def finalize(self) -> None:
        """Refuse any further operation."""
        self._finalized = True

    def _unsafe_unfinalize(self) -> None:
        self._finalized = False

    def _check_not_finalized(self) -> None:
        if self._finalized:
            raise RuntimeError("Graph is finalized and cannot be modified.")

    def is_feedable(self, tensor: Any) -> bool:
        """Whether `tensor` may be fed."""
        return tensor not in self._unfeedable and not self.in_loop(tensor.node)

    def is_fetchable(self, tensor_or_op: Any) -> bool:
        """Whether the operation of `tensor_or_op` may be fetched."""
        node = tensor_or_op.op if isinstance(tensor_or_op, Tensor) else tensor_or_op
        return node not in self._unfetchable and not self.in_loop(node)

    def prevent_feeding(self, tensor: Any) -> None:
        """Refuse to feed `tensor`."""
        self._unfeedable.add(tensor)

    def prevent_fetching(self, op: Any) -> None:
        """Refuse to fetch `op` and its outputs."""
        self._unfetchable.add(op)

    def __repr__(self) -> str:
        return f"<graphc Graph, {len(self._by_name)} operations at {id(self):#x}>"


def _drawn(x: Any) -> str:
    from graphc.see.notebook import svg  # it needs networkx, which only notebooks pay for

    return svg(x)


pictures.draw[:] = [_drawn]

# --------------------------------------------------------------------- defaults


class _Global:
    graph: Graph | None = None


_global = _Global()


def _global_graph() -> Graph:
    g = _global.graph
    if g is None:
        g = _global.graph = Graph()
    return g


build.set_default(_global_graph)


def get_default_graph() -> Graph:
    """The graph that operations are recorded into now."""
    for b in reversed(build._stack.items):
        if isinstance(b, Graph):
            return b
    return _global_graph()


def has_default_graph() -> bool:
    """Whether a ``with graph.as_default()`` is active in this thread."""
    return any(isinstance(b, Graph) for b in build._stack.items)


def reset_default_graph() -> None:
    """Make a new, empty global default graph.

    Raises
    ------
    AssertionError
        Inside ``with graph.as_default():`` or ``with tf.Session():``.
    """
    if has_default_graph():
        raise AssertionError(
            "Do not use tf.reset_default_graph() to clear nested graphs. If you need a cleared "
            "graph, exit the nesting and create a new graph."
        )
    _global.graph = None
