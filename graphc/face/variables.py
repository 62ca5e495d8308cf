"""`Variable`, and the collections and initialisers of variables."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from graphc.face.creators import Created
from graphc.face.current import get_collection, init_scope, name_scope
from graphc.face.default_session import get_default_session
from graphc.face.elements import Operation, Tensor
from graphc.face.graph import Graph, get_default_graph
from graphc.face.graph_keys import GraphKeys
from graphc.face.shape import TensorShape, to_dims
from graphc.ir.build import build
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.node import Node, Value
from graphc.ops import convert, scatter, state
from graphc.ops.counting import made
from graphc.ops.operators import OPERATORS

__all__ = [
    "Variable", "VariableAggregation", "VariableSynchronization", "all_variables",
    "assert_variables_initialized", "global_variables", "global_variables_initializer",
    "initialize_all_variables", "initialize_local_variables", "initialize_variables",
    "local_variables", "local_variables_initializer", "model_variables",
    "moving_average_variables", "report_uninitialized_variables", "trainable_variables",
    "variables_initializer",
]  # fmt: skip


class VariableSynchronization:
    """Of interest to distributed programs only."""

    AUTO = 0
    NONE = 1
    ON_WRITE = 2
    ON_READ = 3


class VariableAggregation:
    """Of interest to distributed programs only."""

    NONE = 0
    SUM = 1
    MEAN = 2
    ONLY_FIRST_REPLICA = 3
    ONLY_FIRST_TOWER = 3


#: What ``tf.enable_resource_variables`` switches: ``use_resource`` where nothing else is said.
resources = SimpleNamespace(on=False)


class SaveSliceInfo:
    """Which part of a larger variable a variable is, for checkpoints.

    Parameters
    ----------
    full_name : str
        The name of the whole.
    full_shape, var_offset, var_shape : list of int
        The shape of the whole, where this part begins in it, and its own shape.
    """

    def __init__(
        self,
        full_name: str | None = None,
        full_shape: Sequence[int] | None = None,
        var_offset: Sequence[int] | None = None,
        var_shape: Sequence[int] | None = None,
        save_slice_info_def: Any = None,
        import_scope: str | None = None,
    ) -> None:
        d = save_slice_info_def
        if d is not None:
            full_name = d.full_name if not import_scope else f"{import_scope}/{d.full_name}"
            full_shape, var_offset, var_shape = d.full_shape, d.var_offset, d.var_shape
        self.full_name = full_name
        self.full_shape = list(full_shape or ())
        self.var_offset = list(var_offset or ())
        self.var_shape = list(var_shape or ())


class Variable(metaclass=Created):
    """A tensor that a session keeps between runs.

    Parameters
    ----------
    initial_value : tensor, number, list, array, or callable
        What the initializer assigns; a callable is called without arguments.
    trainable : bool, optional
        Whether optimizers change it by default (True).
    collections : list, optional
        Where it is listed, ``[GraphKeys.GLOBAL_VARIABLES]`` by default.
    validate_shape : bool
        Whether the shape of `initial_value` must be known and is kept.
    name : str, optional
        ``"Variable"`` by default; made unique.
    dtype : DType, optional
        Element type, by default that of `initial_value`.
    constraint : callable, optional
        Projection that an optimizer applies after an update.
    shape : TensorShape, optional
        The static shape, by default that of `initial_value`.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default():
    ...     tf.Variable(tf.zeros([2, 3]), name="w")
    <tf.Variable 'w:0' shape=(2, 3) dtype=float32_ref>
    """

    #: numpy leaves ``array + variable`` to the variable.
    __array_priority__ = 100
    SaveSliceInfo = SaveSliceInfo
    #: Whether the class is that of TF1's resource variables.
    _resource = False
    #: Whether reading it gives a copy, as of TF1's resource variables; else what an update changes.
    _copied = False
    #: Whether TF1 makes an operation for each read, of which here is none.
    _counts_reads = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """A variable; a resource variable where ``use_resource``, the 12th argument, is true."""
        asked = args[11] if len(args) > 11 else kwargs.get("use_resource")
        if cls is Variable and (resources.on if asked is None else asked):
            from graphc.face.resource_variable import ResourceVariable

            return object.__new__(ResourceVariable)
        return object.__new__(cls)

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = None,
        collections: Iterable[Any] | None = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        expected_shape: Any = None,
        import_scope: str | None = None,
        constraint: Callable[[Any], Any] | None = None,
        use_resource: bool | None = None,
        synchronization: int = VariableSynchronization.AUTO,
        aggregation: int = VariableAggregation.NONE,
        shape: Any = None,
    ) -> None:
        if initial_value is None:
            raise ValueError("initial_value must be specified.")
        keys = [GraphKeys.GLOBAL_VARIABLES] if collections is None else collections
        if not isinstance(keys, list | tuple | set):
            raise ValueError(
                "collections argument to Variable constructor must be a list, tuple, "
                f"or set. Got {keys} of type {type(keys)}"
            )
        if constraint is not None and not callable(constraint):
            raise ValueError("The `constraint` argument must be a callable.")
        if trainable is None:
            trainable = synchronization != VariableSynchronization.ON_READ
        keys = list(keys)
        if trainable and GraphKeys.TRAINABLE_VARIABLES not in keys:
            keys.append(GraphKeys.TRAINABLE_VARIABLES)
        self._trainable = trainable
        self._constraint = constraint
        self._synchronization = synchronization
        self._aggregation = aggregation
        self._save_slice_info: Any = None
        self._caching_device = caching_device
        self._copied = self._resource if use_resource is None else bool(use_resource)
        self._counts_reads = self._copied
        want = None if dtype is None else as_dtype(dtype).base_dtype
        values = [] if callable(initial_value) else [initial_value]
        with get_default_graph().transaction(), init_scope():
            with name_scope(name, "Variable", values) as scope:
                self._make(initial_value, want, shape, validate_shape, scope)
            self.graph.add_to_collections(keys, self)

    def _make(
        self, initial_value: Any, dtype: DType | None, shape: Any, validate: bool, scope: str
    ) -> None:
        name, graph = scope[:-1], get_default_graph()
        if callable(initial_value):
            with name_scope("Initializer"), graph.device(None):
                value = convert.convert_to_tensor(initial_value(), dtype, "initial_value")
        else:
            value = convert.convert_to_tensor(initial_value, dtype, "initial_value")
        self._initial_value = value
        if shape is None:
            static = value.static_shape if validate else None
        else:
            static = to_dims(shape)
        if validate and (static is None or any(type(d) is not int for d in static)):
            raise ValueError(f"initial_value must have a shape specified: {value!s}")
        attrs = {"var": name, "dtype": value.dtype, "shape": static}
        if self._copied:  # says what a fetch beside an update is: `Functionalizer.at_end`
            attrs["resource"] = True
        self._variable: Value = build(state.variable_op, (), attrs, scope).outputs[0]
        if self._copied:
            made(1)  # whether it is initialized
        caching = self._caching_device
        with self._there():
            self._initializer_op: Node = state.assign(
                self._variable, _guarded(name, value), validate_shape=validate
            ).node
        with self._there() if caching is None else graph.device(caching):
            self._snapshot: Value = state.identity(self._variable, name="read")

    @contextmanager
    def _there(self) -> Iterator[None]:
        """What is made in the block is where the variable is."""
        graph = self.graph
        if not self._copied:
            with graph.colocate_with(self._variable):
                yield
            return
        with graph.colocate_with(None, ignore_existing=True), graph.device(self.device):
            yield

    # ---- what it is

    @property
    def name(self) -> str:
        return self._variable.name

    @property
    def op(self) -> Operation:
        return self._variable.node  # type: ignore[return-value]

    @property
    def graph(self) -> Graph:
        g: Graph = self._variable.node.graph
        return g

    @property
    def device(self) -> str:
        """The name of the device that it is said to be on."""
        return self._variable.device  # type: ignore[attr-defined, no-any-return]

    @property
    def dtype(self) -> DType:
        return self._variable.dtype._as_ref

    @property
    def shape(self) -> TensorShape:
        return self._variable.shape  # type: ignore[attr-defined, no-any-return]

    def get_shape(self) -> TensorShape:
        """The static shape."""
        return self.shape

    def set_shape(self, shape: Any) -> None:
        """Add what is known of the static shape."""
        self._variable.set_shape(shape)  # type: ignore[attr-defined]
        self._snapshot.set_shape(shape)  # type: ignore[attr-defined]

    @property
    def trainable(self) -> bool:
        return self._trainable

    @property
    def synchronization(self) -> int:
        return self._synchronization

    @property
    def aggregation(self) -> int:
        return self._aggregation

    @property
    def constraint(self) -> Callable[[Any], Any] | None:
        return self._constraint

    @property
    def initializer(self) -> Operation:
        return self._initializer_op  # type: ignore[return-value]

    @property
    def initial_value(self) -> Tensor:
        return self._initial_value  # type: ignore[return-value]

    def to_proto(self, export_scope: str | None = None) -> Any:
        """What it is, as a ``VariableDef`` message; None where it is of another scope."""
        meta = importlib.import_module("graphc.graphdef.meta")  # needs the extra
        return meta.variable_to_proto(self, export_scope)

    @staticmethod
    def from_proto(variable_def: Any, import_scope: str | None = None) -> Variable:
        """The variable of the default graph that a ``VariableDef`` message means."""
        meta = importlib.import_module("graphc.graphdef.meta")
        out: Variable = meta.variable_from_proto(variable_def, import_scope)
        return out

    def _set_save_slice_info(self, save_slice_info: Any) -> None:
        self._save_slice_info = save_slice_info

    def _get_save_slice_info(self) -> Any:
        return self._save_slice_info

    @property
    def _shared_name(self) -> str:
        return self.name[:-2]

    def _as_graph_element(self) -> Value:
        return self._variable

    def _AsTensor(self) -> Value:
        return self._snapshot

    def _ref(self) -> Value:
        return self._variable

    def __repr__(self) -> str:
        return f"<tf.Variable '{self.name}' shape={self.shape} dtype={self.dtype.name}>"

    def __iter__(self) -> NoReturn:
        raise TypeError("'Variable' object is not iterable.")

    # ---- its value

    def value(self) -> Tensor:
        """The tensor that reads it (``name/read``; of a resource variable a new one)."""
        if self._copied:
            return state.identity(self._snapshot, name="ReadVariableOp")  # type: ignore[return-value]
        if self._counts_reads:
            made(1)
        return self._snapshot  # type: ignore[return-value]

    def read_value(self) -> Tensor:
        """A new tensor that reads it here, after the active control dependencies.

        What is assigned later in a run changes it, unless the variable was made with
        ``use_resource=True``.
        """
        if self._copied:
            with name_scope("Read"):
                copy = state.identity(self._snapshot, name="ReadVariableOp")
            return state.identity(copy)  # type: ignore[return-value]
        return state.identity(self._variable, name="read")  # type: ignore[return-value]

    def initialized_value(self) -> Tensor:
        """Its value, or its initial value where the session holds none yet."""
        with init_scope():
            return state.initialized_value(self._variable, self._initial_value)  # type: ignore[return-value]

    def eval(self, session: Any = None) -> Any:
        """Its value in `session`, or in the default session."""
        return self._variable.eval(session=session)  # type: ignore[attr-defined]

    def load(self, value: Any, session: Any = None) -> None:
        """Set its value in `session`, or in the default session, without adding operations.

        Raises
        ------
        ValueError
            Without a session, or when `value` has another shape.
        """
        session = session or get_default_session()
        if session is None:
            raise ValueError(
                "Either session argument should be provided or default session should be "
                "established"
            )
        session.run(self._initializer_op, {self._initializer_op.inputs[1]: value})

    def count_up_to(self, limit: int) -> Any:
        """Its value, which is one more afterwards; OutOfRangeError where it is `limit`."""
        from graphc.train.input import count_up_to

        return count_up_to(self, limit)

    def assign(
        self, value: Any, use_locking: bool = False, name: str | None = None,
        read_value: bool = True,
    ) -> Any:  # fmt: skip
        """Give it a new value; returns the new value as a tensor (or the operation)."""
        return self._updated(state.assign(self._variable, value, name=name), read_value)

    def assign_add(
        self, delta: Any, use_locking: bool = False, name: str | None = None,
        read_value: bool = True,
    ) -> Any:  # fmt: skip
        """Add to it; returns the new value as a tensor (or the operation)."""
        return self._updated(state.assign_add(self._variable, delta, name=name), read_value)

    def assign_sub(
        self, delta: Any, use_locking: bool = False, name: str | None = None,
        read_value: bool = True,
    ) -> Any:  # fmt: skip
        """Subtract from it; returns the new value as a tensor (or the operation)."""
        return self._updated(state.assign_sub(self._variable, delta, name=name), read_value)

    def _updated(self, value: Value, read: bool) -> Any:
        """What an update gives; reading it is one operation more of a resource variable in TF1."""
        made(read and self._counts_reads)
        return value if read else value.node

    def _scatter(self, kind: str, delta: Any, name: str | None) -> Any:
        indices = getattr(delta, "indices", None)
        if indices is None:
            raise TypeError(f"sparse_delta is not IndexedSlices: {delta}")
        return getattr(scatter, f"scatter_{kind}")(self._variable, indices, delta.values, name=name)

    def scatter_add(
        self, sparse_delta: Any, use_locking: bool = False, name: str | None = None
    ) -> Any:
        """Add `IndexedSlices` to it."""
        return self._scatter("add", sparse_delta, name)

    def scatter_sub(
        self, sparse_delta: Any, use_locking: bool = False, name: str | None = None
    ) -> Any:
        """Subtract `IndexedSlices` from it."""
        return self._scatter("sub", sparse_delta, name)

    def scatter_update(
        self, sparse_delta: Any, use_locking: bool = False, name: str | None = None
    ) -> Any:
        """Set rows to `IndexedSlices`."""
        return self._scatter("update", sparse_delta, name)

    def scatter_mul(
        self, sparse_delta: Any, use_locking: bool = False, name: str | None = None
    ) -> Any:
        """Multiply rows by `IndexedSlices`."""
        return self._scatter("mul", sparse_delta, name)

    def scatter_div(
        self, sparse_delta: Any, use_locking: bool = False, name: str | None = None
    ) -> Any:
        """Divide rows by `IndexedSlices`."""
        return self._scatter("div", sparse_delta, name)

    def scatter_max(
        self, sparse_delta: Any, use_locking: bool = False, name: str | None = None
    ) -> Any:
        """The maximum of rows and `IndexedSlices`."""
        return self._scatter("max", sparse_delta, name)

    def scatter_min(
        self, sparse_delta: Any, use_locking: bool = False, name: str | None = None
    ) -> Any:
        """The minimum of rows and `IndexedSlices`."""
        return self._scatter("min", sparse_delta, name)

    def batch_scatter_update(
        self, sparse_delta: Any, use_locking: bool = False, name: str | None = None
    ) -> Any:
        """Set rows within each entry of the batch axes to `IndexedSlices`."""
        return scatter.batch_scatter_update(
            self, sparse_delta.indices, sparse_delta.values, use_locking, name
        )

    def sparse_read(self, indices: Any, name: str | None = None) -> Any:
        """Its rows at `indices`."""
        from graphc.ops import arrays

        return arrays.gather(self._snapshot, indices, name=name)

    def gather_nd(self, indices: Any, name: str | None = None) -> Any:
        """Its elements at `indices`."""
        from graphc.ops import arrays

        return arrays.gather_nd(self._snapshot, indices, name=name)

    def experimental_ref(self) -> Any:
        """The variable as a key of dictionaries."""
        from graphc.face.elements import Reference

        return Reference(self)

    def scatter_nd_add(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        """Add `updates` at `indices`."""
        return scatter.scatter_nd_add(self._variable, indices, updates, name=name)

    def scatter_nd_sub(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        """Subtract `updates` at `indices`."""
        return scatter.scatter_nd_sub(self._variable, indices, updates, name=name)

    def scatter_nd_update(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        """Set the elements at `indices`."""
        return scatter.scatter_nd_update(self._variable, indices, updates, name=name)

    # ---- operators: those of its value

    if TYPE_CHECKING:

        def __add__(self, other: Any) -> Value: ...
        def __radd__(self, other: Any) -> Value: ...
        def __sub__(self, other: Any) -> Value: ...
        def __rsub__(self, other: Any) -> Value: ...
        def __mul__(self, other: Any) -> Value: ...
        def __rmul__(self, other: Any) -> Value: ...
        def __truediv__(self, other: Any) -> Value: ...
        def __rtruediv__(self, other: Any) -> Value: ...
        def __floordiv__(self, other: Any) -> Value: ...
        def __rfloordiv__(self, other: Any) -> Value: ...
        def __mod__(self, other: Any) -> Value: ...
        def __rmod__(self, other: Any) -> Value: ...
        def __pow__(self, other: Any) -> Value: ...
        def __rpow__(self, other: Any) -> Value: ...
        def __matmul__(self, other: Any) -> Value: ...
        def __rmatmul__(self, other: Any) -> Value: ...
        def __and__(self, other: Any) -> Value: ...
        def __or__(self, other: Any) -> Value: ...
        def __xor__(self, other: Any) -> Value: ...
        def __neg__(self) -> Value: ...
        def __abs__(self) -> Value: ...
        def __invert__(self) -> Value: ...
        def __lt__(self, other: Any) -> Value: ...
        def __le__(self, other: Any) -> Value: ...
        def __gt__(self, other: Any) -> Value: ...
        def __ge__(self, other: Any) -> Value: ...
        def __getitem__(self, key: Any) -> Value: ...


def _operator(f: Callable[..., Any]) -> Callable[..., Any]:
    def g(self: Variable, *args: Any) -> Any:
        return f(_as_tensor(self, None, None), *args)

    g.__name__ = getattr(f, "__name__", "operator")
    return g


for _method, _function in OPERATORS.items():
    setattr(Variable, _method, _operator(_function))


def _as_tensor(v: Variable, dtype: DType | None, name: str | None) -> Value:
    if dtype is not None and dtype is not v._snapshot.dtype:
        raise ValueError(
            f"Incompatible type conversion requested to type '{dtype.name}' for variable of type "
            f"'{v.dtype.name}'"
        )
    if v._counts_reads:
        made(1)
    return v._snapshot


convert.register_conversion(Variable, _as_tensor)


def _guarded(name: str, initial: Value) -> Value:
    """`initial` with every variable it reads replaced by that variable's initialised value.

    Then one run may initialise both, in any order. As in TF1 the copies are called after the
    originals and the new variable.
    """
    reads: dict[Node, Value] = {}
    found = _reading_variables(initial.node)
    if not found:
        return initial
    by_op: Mapping[Node, Variable] = {
        v._variable.node: v
        for key in (GraphKeys.LOCAL_VARIABLES, GraphKeys.GLOBAL_VARIABLES)
        for v in initial.node.graph.get_collection(key)
        if isinstance(v, Variable)
    }
    new: dict[Value, Value] = {}
    for node in found:
        if node.op is state.variable_op:
            owner = by_op.get(node)
            if owner is not None:
                reads[node] = new[node.outputs[0]] = owner.initialized_value()
            continue
        inputs = [new.get(v, v) for v in node.inputs]
        if node.op is state.initialized_value_op or inputs == list(node.inputs):
            # initialised already; TF1 copies it all the same: three operations, or an op itself
            graph = node.graph
            graph.recount(graph.version + (3 if node.op is state.initialized_value_op else 1))
            continue
        copy = build(node.op, inputs, node.attrs, f"{node.name}_{name}/".replace(":", "_"))
        new.update(zip(node.outputs, copy.outputs, strict=True))
    return new.get(initial, initial)


def _reading_variables(root: Node) -> list[Node]:
    """Nodes between variables and `root`, in order; empty when `root` reads none."""
    seen: set[Node] = set()
    stack = [root]
    while stack:
        n = stack.pop()
        if n not in seen:
            seen.add(n)
            stack.extend([v.node for v in _followed(n)])
    order = sorted(seen, key=lambda n: n.id)
    above: set[Node] = set()
    for n in order:
        if n.op is state.variable_op or any(v.node in above for v in _followed(n)):
            above.add(n)
    return [n for n in order if n in above] if root in above else []


def _followed(n: Node) -> Sequence[Value]:
    """The operands through which a node reads variables that may not be initialised."""
    if n.op.name == "is_variable_initialized":
        return ()
    return n.inputs[:1] if n.op is state.initialized_value_op else n.inputs


# --------------------------------------------------------------------- collections


def global_variables(scope: str | None = None) -> list[Any]:
    """Variables that a checkpoint holds."""
    return get_collection(GraphKeys.GLOBAL_VARIABLES, scope)


def all_variables() -> list[Any]:
    """The older spelling of `global_variables`."""
    return global_variables()


def local_variables(scope: str | None = None) -> list[Any]:
    """Variables that a checkpoint leaves out."""
    return get_collection(GraphKeys.LOCAL_VARIABLES, scope)


def model_variables(scope: str | None = None) -> list[Any]:
    """Variables listed under ``GraphKeys.MODEL_VARIABLES``."""
    return get_collection(GraphKeys.MODEL_VARIABLES, scope)


def trainable_variables(scope: str | None = None) -> list[Any]:
    """Variables that optimizers change by default."""
    return get_collection(GraphKeys.TRAINABLE_VARIABLES, scope)


def moving_average_variables(scope: str | None = None) -> list[Any]:
    """Variables that have a moving average."""
    return get_collection(GraphKeys.MOVING_AVERAGE_VARIABLES, scope)


# --------------------------------------------------------------------- initialisers


def variables_initializer(var_list: Sequence[Any], name: str = "init") -> Operation:
    """An operation that gives every variable of `var_list` its initial value."""
    graph = get_default_graph()
    if not var_list:
        return state.no_op(name=name)  # type: ignore[return-value]
    with graph.scope(name, "init") as scope:
        with graph.control_dependencies([v.initializer for v in var_list]):
            return state.no_op(name=scope)  # type: ignore[return-value]


def initialize_variables(var_list: Sequence[Any], name: str = "init") -> Operation:
    """The older spelling of `variables_initializer`."""
    return variables_initializer(var_list, name)


def global_variables_initializer() -> Operation:
    """An operation that gives every global variable its initial value."""
    return variables_initializer(global_variables())


def initialize_all_variables() -> Operation:
    """The older spelling of `global_variables_initializer`."""
    return global_variables_initializer()


def local_variables_initializer() -> Operation:
    """An operation that gives every local variable its initial value."""
    return variables_initializer(local_variables())


def initialize_local_variables() -> Operation:
    """The older spelling of `local_variables_initializer`."""
    return local_variables_initializer()


def assert_variables_initialized(var_list: Sequence[Any] | None = None) -> Any:
    """An operation that raises FailedPreconditionError when a variable has no value yet."""
    if var_list is None:
        var_list = global_variables() + local_variables()
    if not var_list:
        return None
    graph = get_default_graph()
    with graph.control_dependencies([v.read_value() for v in var_list]):
        return state.no_op("assert_variables_initialized")


def report_uninitialized_variables(
    var_list: Sequence[Any] | None = None, name: str = "report_uninitialized_variables"
) -> Tensor:
    """A tensor with the names of the variables that have no value yet."""
    if var_list is None:
        var_list = global_variables() + local_variables()
    if not var_list:
        return convert.make_constant(np.zeros([0], object), name=name)  # type: ignore[return-value]
    with get_default_graph().counts_as(30 + len(var_list)):
        return state.report_uninitialized(var_list, name)  # type: ignore[return-value]
