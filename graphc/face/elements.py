"""What a recorded graph consists of: Tensor and Operation."""

from __future__ import annotations

import functools
import importlib
import linecache
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, NoReturn

from graphc.face.default_session import get_default_session
from graphc.face.devices import canonical_name
from graphc.face.shape import TensorShape, as_shape, from_dims
from graphc.ir import dims as D
from graphc.ir.node import Node, Value
from graphc.ops.operators import OPERATORS
from graphc.ops.record import show_shapes

if TYPE_CHECKING:
    from graphc.face.graph import Graph

__all__ = ["InaccessibleTensorError", "Operation", "OperatorNotAllowedInGraphError", "Tensor"]


class OperatorNotAllowedInGraphError(TypeError):
    """Python asked a symbolic tensor for a value that only a run gives."""


class InaccessibleTensorError(ValueError):
    """A tensor of another function or block was used."""


def of_one_process(x: Any, protocol: Any) -> NoReturn:
    """The ``__reduce_ex__`` of what no other process can have: a `TypeError`, as in TensorFlow."""
    raise TypeError(
        f"cannot pickle {type(x).__name__!r} object: graphs, what is in them, and sessions belong "
        "to one process. Hand on names, a GraphDef (graph.as_graph_def()) or a checkpoint, or make "
        "the graph in the function that the other process runs."
    )


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


def _session_for(graph: Graph, session: Any, what: str, do: str, without: str) -> Any:
    """The session that runs an element of `graph`: the given or the default one.

    `without` is said where there is neither.
    """
    found = get_default_session() if session is None else session
    if found is None:
        raise ValueError(without)
    if found.graph is not graph:
        which = "default" if session is None else "given"
        raise ValueError(
            f"Cannot use the {which} session to {do} {what}: the {what}'s graph is different from "
            "the session's graph."
            + (" Pass an explicit session as the argument `session`." if session is None else "")
        )
    return found


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
        """The name of the device that it is said to be on."""
        return self.node.device  # type: ignore[attr-defined, no-any-return]

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

    @property
    def assign(self) -> Callable[..., Value]:
        """``v[…].assign(value)`` replaces a slice of a variable; other tensors have no `assign`."""
        from graphc.ops.strided_assign import assign_slice, is_slice  # seldom asked for

        if not is_slice(self):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute 'assign'")
        return functools.partial(assign_slice, self)

    def eval(self, feed_dict: Mapping[Any, Any] | None = None, session: Any = None) -> Any:
        """Run this tensor in `session`, or in the default session.

        Raises
        ------
        ValueError
            Without a session, or when the session has another graph.
        """
        s = _session_for(
            self.graph, session, "tensor", "evaluate",
            "Cannot evaluate tensor using `eval()`: No default session is registered. Use "
            "`with sess.as_default()` or pass an explicit session to `eval(session=sess)`",
        )  # fmt: skip
        return s.run(self, feed_dict)

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

    __reduce_ex__ = of_one_process


class NodeDef(NamedTuple):
    """What TF1's ``op.node_def`` says: name, op type, input names and attributes."""

    name: str
    op: str
    input: list[str]
    attr: Mapping[str, Any]
    device: str = ""

    def __str__(self) -> str:
        lines = [f'name: "{self.name}"', f'op: "{self.op}"', *[f'input: "{i}"' for i in self.input]]
        lines += [f'device: "{self.device}"'] if self.device else []
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
        """The name of the device that it is said to be on."""
        devices = self.graph.devices
        return devices.get(self, "") if devices else ""

    def _set_device(self, device: Any) -> None:
        self.graph.devices[self] = canonical_name(device)

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
        return NodeDef(self.name, self.type, names, self.attrs, self.device)

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
        """The operations that it is to be with, or itself, as ``loc:@name``."""
        groups = self.graph.groups.get(self) or (self.name,)
        return [b"loc:@" + name.encode() for name in groups]

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
        if name == "_class" and self in self.graph.groups:
            return self.colocation_groups()
        raise ValueError(f"Operation '{self.name}' has no attr named '{name}'.")

    def _set_attr(self, name: str, attr_value: Any) -> None:
        """Say anew what it is to be with: the one attribute of an operation that changes."""
        if name != "_class":
            raise ValueError(
                f"the attribute {name!r} of '{self.name}' cannot be changed: operations of graphc "
                "stay as they were made, but for '_class' and their device"
            )
        words = [w.decode() for w in attr_value.list.s]
        groups = tuple(w.removeprefix("loc:@") for w in words if w.startswith("loc:@"))
        if groups:
            self.graph.groups[self] = groups
        else:
            self.graph.groups.pop(self, None)

    def run(self, feed_dict: Mapping[Any, Any] | None = None, session: Any = None) -> None:
        """Run this operation in `session`, or in the default session.

        Raises
        ------
        ValueError
            Without a session, or when the session has another graph.
        """
        s = _session_for(
            self.graph, session, "operation", "execute",
            "Cannot execute operation using `run()`: No default session is registered. Use "
            "`with sess.as_default():` or pass an explicit session to `run(session=sess)`",
        )  # fmt: skip
        s.run(self, feed_dict)

    def __repr__(self) -> str:
        return f"<tf.Operation '{self.name}' type={self.type}>"

    def __str__(self) -> str:
        return str(self._light_def())

    def __copy__(self) -> Operation:
        return self

    def __deepcopy__(self, memo: Any) -> Operation:
        return self

    __reduce_ex__ = of_one_process
