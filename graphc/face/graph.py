"""The recording face: `Graph`, `Operation` and `Tensor`, scopes, collections, the default graph.

A face graph only appends. It is the `Builder` that op functions record into, and gives every
node TF1's name, the active control dependencies and the user's source line.
"""

from __future__ import annotations

import importlib
import linecache
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from types import CodeType, TracebackType
from typing import Any, ClassVar, NamedTuple, NoReturn, TypeVar

from graphc.face.inside import Contexts, Unreachable
from graphc.face.shape import TensorShape, as_shape, from_dims
from graphc.ir import build, pictures
from graphc.ir import dims as D
from graphc.ir import node as node_module
from graphc.ir.dtypes import DType
from graphc.ir.node import Node, Source, Value
from graphc.ir.pictures import Pictured
from graphc.ops.gradient_counts import Block
from graphc.ops.indexed import IndexedSlices
from graphc.ops.operators import OPERATORS
from graphc.ops.record import InferError, Op, show_shapes

__all__ = [
    "Graph", "GraphKeys", "InaccessibleTensorError", "Operation",
    "OperatorNotAllowedInGraphError", "Tensor", "add_to_collection", "add_to_collections",
    "colocate_with", "container", "control_dependencies", "device", "get_all_collection_keys",
    "get_collection", "get_collection_ref", "get_default_graph", "get_default_session",
    "get_name_scope", "get_seed", "has_default_graph", "init_scope", "name_scope", "op_scope",
    "reset_default_graph", "set_random_seed", "source_text", "user_source",
]  # fmt: skip

T = TypeVar("T")
ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


class OperatorNotAllowedInGraphError(TypeError):
    """Python asked a symbolic tensor for a value that only a run gives."""


class InaccessibleTensorError(ValueError):
    """A tensor of another function or block was used."""


# --------------------------------------------------------------------- the user's source line

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_INSIDE = tuple(
    prefix + os.sep
    for part in ("graphc", "passes", "runtime")
    for prefix in {os.path.join(_ROOT, part), os.path.realpath(os.path.join(_ROOT, part))}
)
#: For a file name, whether it is the user's.
_outside: dict[str, bool] = {}
#: The source of a code position; the code object is kept so that its id stays its own.
_sources: dict[tuple[int, int], tuple[CodeType, tuple[Source, ...]]] = {}
_getframe = sys._getframe
_new: Any = object.__new__
_next_id = node_module._ids.__next__


def _classify(filename: str) -> bool:
    helper = filename.endswith((f"{os.sep}contextlib.py", f"{os.sep}functools.py"))
    mine = helper or filename.startswith(_INSIDE)
    _outside[filename] = not mine
    return not mine


def user_source(depth: int = 2) -> tuple[Source, ...]:
    """The innermost position on the stack that is outside graphc, as a tuple of at most one."""
    frame: Any = _getframe(depth)
    known = _outside.get
    while frame is not None:
        code = frame.f_code
        name = code.co_filename
        outside = known(name)
        if outside is None:
            outside = _classify(name)
        if outside:
            key = (id(code), frame.f_lasti)
            found = _sources.get(key)
            if found is None:
                if len(_sources) > 100_000:
                    _sources.clear()
                function = getattr(code, "co_qualname", code.co_name)
                found = _sources[key] = (code, (Source(name, frame.f_lineno, function),))
            return found[1]
        frame = frame.f_back
    return ()


def source_text(source: Iterable[Source], caret: bool = False) -> str:
    """The user's lines as a traceback shows them, each on a line of its own, or ''."""
    out = []
    for s in source:
        line = linecache.getline(s.file, s.line).strip()
        out.append(f'\n  File "{s.file}", line {s.line}, in {s.function}')
        if line:
            out.append(f"\n    {line}")
            if caret:
                out.append(f"\n    {'^' * len(line)}")
    return "".join(out)


# --------------------------------------------------------------------- tensors and operations


class Reference:
    """Something as a key: equal where the thing is the same."""

    __slots__ = ("_thing",)

    def __init__(self, thing: Any) -> None:
        self._thing = thing

    def deref(self) -> Any:
        """The thing."""
        return self._thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and self._thing is other._thing

    def __hash__(self) -> int:
        return hash(id(self._thing))

    def __repr__(self) -> str:
        return f"<Reference wrapping {self._thing!r}>"


class Tensor(Value):
    """One output of an operation of a recorded graph: a name for what a run computes.

    Attributes
    ----------
    name : str
        ``"op_name:output_index"``.
    dtype : DType
    shape : TensorShape
    op : Operation
        What computes it.
    graph : Graph
    """

    __slots__ = ("__dict__",)  # programs hang things of their own on them

    #: numpy leaves ``array + tensor`` to the tensor.
    __array_priority__ = 100

    @property
    def op(self) -> Operation:
        return self.node  # type: ignore[return-value]

    @property
    def graph(self) -> Graph:
        g: Graph = self.node.graph
        return g

    @property
    def device(self) -> str:
        return ""

    @property
    def value_index(self) -> int:
        return self.index

    @property
    def shape(self) -> TensorShape:
        return from_dims(self.static_shape)

    def get_shape(self) -> TensorShape:
        """The static shape."""
        return from_dims(self.static_shape)

    _shape = property(get_shape)  # libraries read it

    def set_shape(self, shape: Any) -> None:
        """Add what is known of the static shape.

        Raises
        ------
        ValueError
            When `shape` contradicts what is known.
        """
        dims = as_shape(shape).dims
        if dims is None:
            return
        old = self.static_shape
        if old is None:
            self.static_shape = tuple([D.fresh() if d.value is None else d.value for d in dims])
            return
        if len(old) != len(dims):
            raise ValueError(f"Shapes must be equal rank, but are {len(old)} and {len(dims)}")
        new = []
        for i, (a, d) in enumerate(zip(old, dims, strict=True)):
            b = d.value
            if b is not None and type(a) is int and a != b:
                raise ValueError(
                    f"Dimension {i} in both shapes must be equal, but are {a} and {b}. "
                    f"Shapes are {show_shapes([self])} and "
                    f"[{','.join([str(e) for e in dims])}]."
                )
            new.append(a if b is None else b)
        self.static_shape = tuple(new)

    def experimental_ref(self) -> Reference:
        """The tensor as a key of dictionaries."""
        return Reference(self)

    def consumers(self) -> list[Operation]:
        """The operations that read this tensor."""
        return self.graph._consumers(self)

    def eval(self, feed_dict: Mapping[Any, Any] | None = None, session: Any = None) -> Any:
        """Run this tensor in `session`, or in the default session.

        Raises
        ------
        ValueError
            Without a session, or when the session has another graph.
        """
        if session is None:
            session = get_default_session()
            if session is None:
                raise ValueError(
                    "Cannot evaluate tensor using `eval()`: No default session is registered. "
                    "Use `with sess.as_default()` or pass an explicit session to "
                    "`eval(session=sess)`"
                )
            if session.graph is not self.graph:
                raise ValueError(
                    "Cannot use the default session to evaluate tensor: the tensor's graph is "
                    "different from the session's graph. Pass an explicit session to "
                    "`eval(session=sess)`."
                )
        elif session.graph is not self.graph:
            raise ValueError(
                "Cannot use the given session to evaluate tensor: the tensor's graph is "
                "different from the session's graph."
            )
        return session.run(self, feed_dict)

    def _shape_tuple(self) -> tuple[int | None, ...] | None:
        s = self.static_shape
        return None if s is None else tuple([d if type(d) is int else None for d in s])

    def _dtype_name(self) -> str:
        return self.dtype.name + ("_ref" if self.node.op.facts.get("ref") else "")

    def __str__(self) -> str:
        shape = "" if self.static_shape is None else f", shape={self.shape}"
        return f'Tensor("{self.name}"{shape}, dtype={self._dtype_name()})'

    def __repr__(self) -> str:
        return f"<tf.Tensor '{self.name}' shape={self.shape} dtype={self._dtype_name()}>"

    def __bool__(self) -> NoReturn:
        raise OperatorNotAllowedInGraphError(
            "using a `tf.Tensor` as a Python `bool` is not allowed in Graph execution. "
            "Use Eager execution or decorate this function with @tf.function."
        )

    __nonzero__ = __bool__

    def _as_tf_output(self) -> Tensor:
        return self

    def __iter__(self) -> NoReturn:
        raise OperatorNotAllowedInGraphError(
            "iterating over `tf.Tensor` is not allowed in Graph execution. "
            "Use Eager execution or decorate this function with @tf.function."
        )

    def __len__(self) -> NoReturn:
        raise TypeError(
            f"len is not well defined for symbolic Tensors. ({self.name}) "
            "Please call `x.shape` rather than `len(x)` for shape information."
        )

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise NotImplementedError(
            f"Cannot convert a symbolic Tensor ({self.name}) to a numpy array."
        )

    def __copy__(self) -> Tensor:
        return self

    def __deepcopy__(self, memo: Any) -> Tensor:
        return self


class NodeDef(NamedTuple):
    """What TF1's ``op.node_def`` says: name, op type, input names and attributes."""

    name: str
    op: str
    input: list[str]
    attr: Mapping[str, Any]
    device: str = ""

    def __str__(self) -> str:
        lines = [f'name: "{self.name}"', f'op: "{self.op}"', *[f'input: "{i}"' for i in self.input]]
        for key in sorted(self.attr):
            lines.append(f'attr {{\n  key: "{key}"\n  value: {self.attr[key]!r:.200}\n}}')
        return "\n".join(lines) + "\n"


class GraphDef(NamedTuple):
    """What TF1's ``graph.as_graph_def()`` gives: the nodes in order."""

    node: list[NodeDef]

    def __str__(self) -> str:
        indented = [str(n).rstrip("\n").replace("\n", "\n  ") for n in self.node]
        return "".join([f"node {{\n  {text}\n}}\n" for text in indented])


class OpDef(NamedTuple):
    """What TF1's ``op.op_def`` says of the op type."""

    name: str
    input_arg: tuple[str, ...]
    summary: str
    is_stateful: bool


Tensor.OVERLOADABLE_OPERATORS = {*OPERATORS, "__eq__", "__ne__"}  # type: ignore[attr-defined]


class Operation(Node):
    """A node of a recorded graph.

    Attributes
    ----------
    name : str
    type : str
        TF1's op type.
    inputs, outputs : tuple of Tensor
    control_inputs : list of Operation
    graph : Graph
    """

    __slots__ = ("__dict__",)  # programs hang things of their own on them

    value_class: ClassVar[type[Value]] = Tensor  # type: ignore[misc]

    @property
    def type(self) -> str:
        kind: str | Callable[..., str] = self.op.facts.get("type", self.op.tf)
        return kind if isinstance(kind, str) else kind(self.inputs, self.attrs)

    @property
    def control_inputs(self) -> list[Operation]:
        return list(self.control)  # type: ignore[arg-type]

    @property
    def device(self) -> str:
        return ""

    @property
    def node_def(self) -> Any:
        """What it is as a ``NodeDef`` message, or as a `NodeDef` without the extra for those."""
        try:
            return importlib.import_module("graphc.graphdef.export").node_proto(self)
        except ImportError:
            return self._light_def()

    def _light_def(self) -> NodeDef:
        names = [v.node.name if v.index == 0 else v.name for v in self.inputs]
        names += [f"^{c.name}" for c in self.control]
        return NodeDef(self.name, self.type, names, self.attrs)

    @property
    def op_def(self) -> OpDef:
        return OpDef(self.type, self.op.args, self.op.doc, self.op.stateful)

    @property
    def traceback(self) -> list[tuple[str, int, str, str]]:
        return [
            (s.file, s.line, s.function, linecache.getline(s.file, s.line).strip())
            for s in self.source
        ]

    @property
    def traceback_with_start_lines(self) -> list[tuple[str, int, str, str, int]]:
        return [(*row, row[1]) for row in self.traceback]

    def values(self) -> tuple[Tensor, ...]:
        """The outputs."""
        return self.outputs  # type: ignore[return-value]

    def colocation_groups(self) -> list[bytes]:
        """Of interest on clusters only: the operation itself."""
        return [b"loc:@" + self.name.encode()]

    def get_attr(self, name: str) -> Any:
        """An attribute by graphc's name, or by TF1's for ``T``, ``dtype`` and ``shape``.

        Raises
        ------
        ValueError
            When the operation has none of that name.
        """
        if name == "shape" and self.outputs:
            return from_dims(self.outputs[0].static_shape)
        if name in self.attrs:
            return self.attrs[name]
        if name in ("T", "dtype", "SrcT") and (self.inputs or self.outputs):
            source = self.outputs if name == "dtype" or not self.inputs else self.inputs
            return source[0].dtype
        if name == "_class":
            return self.colocation_groups()
        raise ValueError(f"Operation '{self.name}' has no attr named '{name}'.")

    def run(self, feed_dict: Mapping[Any, Any] | None = None, session: Any = None) -> None:
        """Run this operation in `session`, or in the default session.

        Raises
        ------
        ValueError
            Without a session, or when the session has another graph.
        """
        if session is None:
            session = get_default_session()
            if session is None:
                raise ValueError(
                    "Cannot execute operation using `run()`: No default session is registered. "
                    "Use `with sess.as_default():` or pass an explicit session to "
                    "`run(session=sess)`"
                )
            if session.graph is not self.graph:
                raise ValueError(
                    "Cannot use the default session to execute operation: the operation's graph "
                    "is different from the session's graph. Pass an explicit session to "
                    "run(session=sess)."
                )
        elif session.graph is not self.graph:
            raise ValueError(
                "Cannot use the given session to execute operation: the operation's graph is "
                "different from the session's graph."
            )
        session.run(self, feed_dict)

    def __repr__(self) -> str:
        return f"<tf.Operation '{self.name}' type={self.type}>"

    def __str__(self) -> str:
        return str(self._light_def())

    def __copy__(self) -> Operation:
        return self

    def __deepcopy__(self, memo: Any) -> Operation:
        return self


# --------------------------------------------------------------------- contexts of a graph


class _DefaultGraph:
    """``with graph.as_default():``."""

    __slots__ = ("enforce", "graph")

    def __init__(self, graph: Graph, enforce: bool = True) -> None:
        self.graph = graph
        self.enforce = enforce

    def __enter__(self) -> Graph:
        build._stack.items.append(self.graph)
        return self.graph

    def __exit__(self, *exc: object) -> None:
        items = build._stack.items
        if items and items[-1] is self.graph:
            items.pop()
            return
        if self.enforce:
            raise AssertionError(f"Nesting violated for default stack of {Graph} objects")
        for i in range(len(items) - 1, -1, -1):
            if items[i] is self.graph:
                del items[i]
                break


class _GraphNameScope:
    """``with graph.name_scope(name):``."""

    __slots__ = ("graph", "name", "old")

    def __init__(self, graph: Graph, name: str | None) -> None:
        self.graph = graph
        self.name = name
        self.old = ""

    def __enter__(self) -> str:
        g, name = self.graph, self.name
        self.old = old = g._scope
        if not name:
            g._scope = ""
            return ""
        if isinstance(name, bytes):
            name = name.decode()
        if name not in _valid_names:
            _check_name(name, bool(old), "scope")
        g._scope = scope = name if name[-1] == "/" else g.unique_name(name) + "/"
        return scope

    def __exit__(self, *exc: object) -> None:
        self.graph._scope = self.old


class _FunctionScope(_GraphNameScope):
    """The scope of a function made of several ops; a failure inside leaves the graph as it was."""

    __slots__ = ("mark",)

    def __enter__(self) -> str:
        self.mark = self.graph._begin()
        try:
            return super().__enter__()
        except BaseException:
            self.graph._end(self.mark, failed=True)
            raise

    def __exit__(self, kind: Any = None, *exc: object) -> None:
        self.graph._scope = self.old
        self.graph._end(self.mark, kind is not None)


class _Transaction:
    """``with graph.transaction():`` undoes everything recorded inside when an error leaves it."""

    __slots__ = ("graph", "mark")

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __enter__(self) -> Graph:
        self.mark = self.graph._begin()
        return self.graph

    def __exit__(self, kind: Any = None, *exc: object) -> None:
        self.graph._end(self.mark, kind is not None)


class _Controls:
    """``with graph.control_dependencies(inputs):``."""

    __slots__ = ("context", "control", "graph", "old")

    def __init__(self, graph: Graph, control: tuple[Node, ...] | None) -> None:
        self.graph = graph
        self.control = control
        self.old: tuple[Node, ...] = ()
        self.context: Any = None

    def __enter__(self) -> None:
        g = self.graph
        self.old, self.context = g._control, g.context
        if self.control is None:
            g._control = ()
            g.context = None  # TF1: what has no control inputs is in no construct either
        else:
            g._control = tuple(dict.fromkeys(self.old + self.control))

    def __exit__(self, *exc: object) -> None:
        self.graph._control = self.old
        self.graph.context = self.context


class _Overrides:
    """``with graph.gradient_override_map(map):``."""

    __slots__ = ("graph", "map", "old")

    def __init__(self, graph: Graph, map: Mapping[str, str]) -> None:
        self.graph = graph
        self.map = map
        self.old: dict[str, str] = {}

    def __enter__(self) -> None:
        self.old = self.graph._overrides
        self.graph._overrides = {**self.old, **self.map}

    def __exit__(self, *exc: object) -> None:
        self.graph._overrides = self.old


class _Nothing:
    """A context that does nothing: devices, colocation, containers."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        pass


_nothing = _Nothing()

_NO_LABELS: list[str] = []
_ROOT_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\-/]*")
_INNER_NAME = re.compile(r"[A-Za-z0-9_.\-/]*")
#: Names found to be valid anywhere.
_valid_names: set[str] = set()


def _check_name(name: str, inner: bool, what: str) -> None:
    if _ROOT_NAME.fullmatch(name):
        if len(_valid_names) < 10_000:
            _valid_names.add(name)
    elif not (inner and _INNER_NAME.fullmatch(name)):
        raise ValueError(f"'{name:.200}' is not a valid {what} name")


# --------------------------------------------------------------------- the graph


class Graph(Contexts, Pictured):
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
        #: What other parts of the face remember about this graph.
        self.extras: dict[str, Any] = {}

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
        elif name not in _valid_names:
            _check_name(name, bool(self._scope), "node" if op.name == "constant" else "scope")
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
        if self._overrides:
            kind = self._overrides.get(node.type)
            if kind is not None:
                self._gradient_types[node] = kind
        return node

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

    def scope(self, name: str | None, default: str) -> _FunctionScope:
        """The name scope of a function made of several ops; undone when it fails."""
        return _FunctionScope(self, default if name is None else name)

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

    def transaction(self) -> _Transaction:
        """A context that undoes everything recorded inside when an error leaves it."""
        return _Transaction(self)

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
            if full not in _valid_names:
                _check_name(full, False, "scope")
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
            for facts in (self.given_axes, self.blocks, self.more_gradients):
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

    def name_scope(self, name: str | None) -> _GraphNameScope:
        """A context that puts `name` before the names of operations made inside.

        A name that ends in ``/`` re-enters that scope as it is; None and '' leave all scopes.
        """
        return _GraphNameScope(self, name)

    def get_name_scope(self) -> str:
        """The current name scope, without the final slash."""
        return self._scope[:-1]

    @property
    def _name_stack(self) -> str:
        return self._scope[:-1]

    # ---- contexts

    def as_default(self) -> _DefaultGraph:
        """A context in which this is the default graph of the thread."""
        return _DefaultGraph(self)

    def control_dependencies(self, control_inputs: Iterable[Any] | None) -> _Controls:
        """A context whose operations run after `control_inputs`; None clears all of them."""
        if control_inputs is None:
            return _Controls(self, None)
        ops = []
        for c in control_inputs:
            e = self.as_graph_element(c.op if isinstance(c, IndexedSlices) else c)
            ops.append(e.op if isinstance(e, Tensor) else e)
        return _Controls(self, tuple(ops))

    def gradient_override_map(self, op_type_map: Mapping[str, str]) -> _Overrides:
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
        return _Overrides(self, op_type_map)

    def gradient_type(self, node: Node) -> str | None:
        """The name of the gradient that `gradient_override_map` gave `node`, if any."""
        return self._gradient_types.get(node)

    @property
    def _c_graph(self) -> Graph:
        return self

    def _apply_device_functions(self, op: Any) -> None:
        """TF1 gives `op` the device of the block around: none has one here."""

    def device(self, device_name_or_function: Any) -> _Nothing:
        """Accepted and ignored: graphc runs on the CPU."""
        return _nothing

    def container(self, container_name: str) -> _Nothing:
        """Accepted and ignored: variables live in the session."""
        return _nothing

    def colocate_with(self, op: Any, ignore_existing: bool = False) -> _Nothing:
        """Accepted and ignored."""
        if op is None and not ignore_existing:
            raise ValueError(
                "Trying to reset colocation (op is None) but ignore_existing is not True"
            )
        return _nothing

    # ---- what is in it

    def as_graph_def(self, from_version: int | None = None, add_shapes: bool = False) -> Any:
        """The operations as a ``GraphDef`` message.

        Without the tensorboard package, which carries the messages, a `GraphDef` that can only be
        read: names, types and inputs.

        Parameters
        ----------
        from_version : int, optional
            Leave out what was recorded before the graph had this version.
        add_shapes : bool
            Add the static shapes of all outputs.
        """
        try:
            export = importlib.import_module("graphc.graphdef.export")
            return export.export_graph(self, from_version, add_shapes)
        except ImportError:
            return GraphDef([op._light_def() for op in self.get_operations()])

    def get_operations(self) -> list[Operation]:
        """All operations in the order they were made."""
        with self._lock:
            return list(self._by_name.values())

    def get_operation_by_name(self, name: str) -> Operation:
        """The operation of that name; KeyError when there is none."""
        if not isinstance(name, str):
            raise TypeError(f"Operation names are strings (or similar), not {type(name).__name__}.")
        out: Operation = self.as_graph_element(name, allow_tensor=False)
        return out

    def get_tensor_by_name(self, name: str) -> Tensor:
        """The tensor of that name (``"op:0"``); KeyError when there is none."""
        if not isinstance(name, str):
            raise TypeError(f"Tensor names are strings (or similar), not {type(name).__name__}.")
        out: Tensor = self.as_graph_element(name, allow_operation=False)
        return out

    def as_graph_element(
        self, obj: Any, allow_tensor: bool = True, allow_operation: bool = True
    ) -> Any:
        """The tensor or operation meant by a tensor, an operation, a variable or a name.

        Raises
        ------
        TypeError
            When `obj` is none of these.
        ValueError
            When it is of another graph, or of the kind that is not allowed.
        KeyError
            When the graph has none of that name.
        """
        if (isinstance(obj, Tensor) and allow_tensor) or (
            isinstance(obj, Operation) and allow_operation
        ):
            if obj.graph is self:
                return obj
            kind = "Tensor" if isinstance(obj, Tensor) else "Operation"
            raise ValueError(f"{kind} {obj!s} is not an element of this graph.")
        kinds = [k for k, ok in (("Tensor", allow_tensor), ("Operation", allow_operation)) if ok]
        if not kinds:
            raise ValueError("allow_tensor and allow_operation can't both be False.")
        what = " or ".join(kinds)
        hook = getattr(obj, "_as_graph_element", None)
        if callable(hook):
            element = hook()
            if element is not None:
                return self.as_graph_element(element, allow_tensor, allow_operation)
        if isinstance(obj, bytes):
            obj = obj.decode()
        if not isinstance(obj, str):
            raise TypeError(f"Can not convert a {type(obj).__name__} into a {what}.")
        if ":" in obj:
            if not allow_tensor:
                raise ValueError(f"Name {obj!r} appears to refer to a Tensor, not a {what}.")
            return self._tensor_named(obj)
        if allow_operation:
            found = self._by_name.get(obj)
            if found is None:
                raise KeyError(f"The name {obj!r} refers to an Operation not in the graph.")
            return found
        is_op = obj in self._by_name
        says = "refers to an Operation" if is_op else "looks like an (invalid) Operation name"
        raise ValueError(
            f"The name {obj!r} {says}, not a {what}. Tensor names must be of the form "
            '"<op_name>:<output_index>".'
        )

    def _tensor_named(self, name: str) -> Value:
        parts = name.split(":")
        try:
            op_name, index = parts[0], int(parts[1])
            if len(parts) != 2:
                raise ValueError
        except ValueError:
            raise ValueError(
                f"The name {name!r} looks a like a Tensor name, but is not a valid one. "
                'Tensor names must be of the form "<op_name>:<output_index>".'
            ) from None
        op = self._by_name.get(op_name)
        missing = f"The name {name!r} refers to a Tensor which does not exist. The operation, "
        if op is None:
            raise KeyError(f"{missing}{op_name!r}, does not exist in the graph.")
        try:
            return op.outputs[index]
        except IndexError:
            raise KeyError(
                f"{missing}{op_name!r}, exists but only has {len(op.outputs)} outputs."
            ) from None

    def _consumers(self, value: Value) -> list[Operation]:
        count, users = self._users
        if count != len(self._by_name):
            users = {}
            for op in self.get_operations():
                for v in dict.fromkeys(op.inputs):
                    users.setdefault(v, []).append(op)
            self._users = (len(self._by_name), users)
        return list(users.get(value, ()))

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

    # ---- collections

    def add_to_collection(self, name: Any, value: Any) -> None:
        """Append `value` to the collection `name`."""
        self._check_not_finalized()
        items = self._collections.get(name)
        if items is None:
            self.log(self._collections, name)
            items = self._collections[name] = []
        if self._journal is not None:
            self._journal.append((items, len(items), None))
        items.append(value)

    def add_to_collections(self, names: Any, value: Any) -> None:
        """Append `value` to each of the collections `names` (once to each)."""
        for name in (names,) if isinstance(names, str) else dict.fromkeys(names):
            self.add_to_collection(name, value)

    def get_collection(self, name: Any, scope: str | None = None) -> list[Any]:
        """A copy of the collection `name`.

        Parameters
        ----------
        scope : str, optional
            Keep what has a ``name`` that this regular expression matches at its start.
        """
        items = self._collections.get(name)
        if items is None:
            return []
        if scope is None:
            return list(items)
        match = re.compile(scope).match
        return [v for v in items if hasattr(v, "name") and match(v.name)]

    def get_collection_ref(self, name: Any) -> list[Any]:
        """The collection `name` itself, made when it is missing."""
        return self._collections.setdefault(name, [])

    def get_all_collection_keys(self) -> list[str]:
        """Names of all collections."""
        return [k for k in self._collections if isinstance(k, str)]

    def clear_collection(self, name: Any) -> None:
        """Remove the collection `name`."""
        self._check_not_finalized()
        self._collections.pop(name, None)

    @property
    def collections(self) -> list[Any]:
        return list(self._collections)

    def __repr__(self) -> str:
        return f"<graphc Graph, {len(self._by_name)} operations at {id(self):#x}>"


def _drawn(x: Any) -> str:
    from graphc.see.notebook import svg  # it needs networkx, which only notebooks pay for

    return svg(x)


pictures.draw[:] = [_drawn]

# --------------------------------------------------------------------- defaults


class _Global:
    graph: Graph | None = None


class _Sessions(threading.local):
    def __init__(self) -> None:
        self.stack: list[Any] = []


_global = _Global()
_sessions = _Sessions()


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


def get_default_session() -> Any:
    """The innermost default session of this thread, or None."""
    stack = _sessions.stack
    return stack[-1] if stack else None


# --------------------------------------------------------------------- public contexts


class GraphKeys:
    """Names of the standard collections."""

    GLOBAL_VARIABLES = "variables"
    LOCAL_VARIABLES = "local_variables"
    METRIC_VARIABLES = "metric_variables"
    MODEL_VARIABLES = "model_variables"
    TRAINABLE_VARIABLES = "trainable_variables"
    SUMMARIES = "summaries"
    QUEUE_RUNNERS = "queue_runners"
    TABLE_INITIALIZERS = "table_initializer"
    ASSET_FILEPATHS = "asset_filepaths"
    MOVING_AVERAGE_VARIABLES = "moving_average_variables"
    REGULARIZATION_LOSSES = "regularization_losses"
    CONCATENATED_VARIABLES = "concatenated_variables"
    SAVERS = "savers"
    WEIGHTS = "weights"
    BIASES = "biases"
    ACTIVATIONS = "activations"
    UPDATE_OPS = "update_ops"
    LOSSES = "losses"
    SAVEABLE_OBJECTS = "saveable_objects"
    RESOURCES = "resources"
    LOCAL_RESOURCES = "local_resources"
    TRAINABLE_RESOURCE_VARIABLES = "trainable_resource_variables"
    INIT_OP = "init_op"
    LOCAL_INIT_OP = "local_init_op"
    READY_OP = "ready_op"
    READY_FOR_LOCAL_INIT_OP = "ready_for_local_init_op"
    SUMMARY_OP = "summary_op"
    GLOBAL_STEP = "global_step"
    EVAL_STEP = "eval_step"
    TRAIN_OP = "train_op"
    COND_CONTEXT = "cond_context"
    WHILE_CONTEXT = "while_context"
    VARIABLES = "variables"
    _SUMMARY_COLLECTION = "_SUMMARY_V2"
    _STREAMING_MODEL_PORTS = "streaming_model_ports"


def graph_of(values: Iterable[Any]) -> Graph:
    """The one graph that `values` belong to, else the default graph.

    Raises
    ------
    ValueError
        When two of them are of different graphs.
    """
    first: Any = None
    for v in values:
        e = v if isinstance(v, Tensor | Operation) else None
        if e is None:
            hook = getattr(v, "_as_graph_element", None)
            e = hook() if callable(hook) else None
        if e is None:
            continue
        if first is None:
            first = e
        elif e.graph is not first.graph:
            raise ValueError(f"{e!s} must be from the same graph as {first!s}.")
    if first is None:
        return get_default_graph()
    graph: Graph = first.graph
    return graph


class name_scope:
    """A context that puts a name before the names of operations made inside.

    Parameters
    ----------
    name : str or None
        The scope; one that ends in ``/`` is re-entered as it is, None (with no `default_name`)
        and '' leave all scopes.
    default_name : str, optional
        Used when `name` is None.
    values : list, optional
        Tensors that must all be of one graph, which becomes the default graph inside.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default(), tf.name_scope("layer") as scope:
    ...     print(scope, tf.constant(1.0, name="x").name)
    layer/ layer/x:0
    """

    def __init__(
        self, name: str | None, default_name: str | None = None, values: Any = None
    ) -> None:
        if not (default_name is None or isinstance(default_name, str)):
            raise TypeError(
                f"`default_name` type ({type(default_name)}) is not a string type. "
                "You likely meant to pass this into the `values` kwarg."
            )
        self._name = default_name if name is None else name
        self._default_name = default_name
        self._values = values
        self._entered: list[tuple[_GraphNameScope, _DefaultGraph | None]] = []

    @property
    def name(self) -> str | None:
        return self._name

    def __enter__(self) -> str:
        if self._name is None and self._values is not None:
            raise ValueError(
                f"At least one of name ({self._name}) and default_name ({self._default_name}) "
                "must be provided."
            )
        graph = get_default_graph()
        default = None
        if self._values:
            wanted = graph_of(self._values)
            if wanted is not graph:
                graph, default = wanted, wanted.as_default()
        scope = graph.name_scope(self._name)
        out = scope.__enter__()
        if default is not None:
            default.__enter__()
        self._entered.append((scope, default))
        return out

    def __exit__(self, *exc: Any) -> None:
        scope, default = self._entered.pop()
        scope.__exit__(*exc)
        if default is not None:
            default.__exit__(*exc)


class op_scope(name_scope):
    """`name_scope` with the arguments in their old order."""

    def __init__(self, values: Any, name: str | None, default_name: str | None = None) -> None:
        super().__init__(name, default_name, values)


def control_dependencies(control_inputs: Any) -> _Controls:
    """A context whose operations run after `control_inputs`; None clears all of them.

    Parameters
    ----------
    control_inputs : list of Operation, Tensor or Variable, or None
    """
    if callable(control_inputs) and not isinstance(control_inputs, Iterable):
        control_inputs = control_inputs()
    return get_default_graph().control_dependencies(control_inputs)


def device(device_name_or_function: Any) -> _Nothing:
    """Accepted and ignored: graphc runs on the CPU."""
    return _nothing


def container(container_name: str) -> _Nothing:
    """Accepted and ignored: variables live in the session."""
    return _nothing


def colocate_with(op: Any, ignore_existing: bool = False) -> _Nothing:
    """Accepted and ignored."""
    return get_default_graph().colocate_with(op, ignore_existing)


class init_scope:
    """A context without control dependencies, for making variables."""

    def __enter__(self) -> None:
        self._context = get_default_graph().control_dependencies(None)
        self._context.__enter__()

    def __exit__(self, *exc: Any) -> None:
        self._context.__exit__(*exc)


def get_name_scope() -> str:
    """The current name scope of the default graph, without the final slash."""
    return get_default_graph().get_name_scope()


def add_to_collection(name: Any, value: Any) -> None:
    """Append `value` to a collection of the default graph."""
    get_default_graph().add_to_collection(name, value)


def add_to_collections(names: Any, value: Any) -> None:
    """Append `value` to several collections of the default graph."""
    get_default_graph().add_to_collections(names, value)


def get_collection(key: Any, scope: str | None = None) -> list[Any]:
    """A copy of a collection of the default graph.

    Parameters
    ----------
    scope : str, optional
        Keep what has a ``name`` that this regular expression matches at its start.
    """
    return get_default_graph().get_collection(key, scope)


def get_collection_ref(key: Any) -> list[Any]:
    """A collection of the default graph itself."""
    return get_default_graph().get_collection_ref(key)


def get_all_collection_keys() -> list[str]:
    """Names of all collections of the default graph."""
    return get_default_graph().get_all_collection_keys()


def set_random_seed(seed: int | None) -> None:
    """Set the graph-level seed of the default graph: same seed, same numbers in a new session."""
    get_default_graph().seed = seed


def get_seed(op_seed: int | None) -> tuple[int | None, int | None]:
    """The two seeds of a random op made now, by TF1's rule."""
    graph = get_default_graph()
    if graph.seed is not None:
        seeds: tuple[Any, Any] = graph.seed, graph._last_id if op_seed is None else op_seed
    elif op_seed is not None:
        seeds = 87654321, op_seed
    else:
        return None, None
    first, second = [s % (2**31 - 1) if isinstance(s, int) else s for s in seeds]
    return (0, 2**31 - 1) if (first, second) == (0, 0) else (first, second)


def dtype_text(dtype: DType) -> str:
    """The C++ name of an element type, as TF1's run-time messages write it."""
    return _CPP_NAMES.get(dtype.name, dtype.name)


_CPP_NAMES = {"float32": "float", "float64": "double", "float16": "half"}
