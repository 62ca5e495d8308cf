"""Iterators: ops of the host that begin a dataset and hand out its elements.

What an iterator is at is an object of the session (`Running`), found by the iterator's name. The
ops only name it, so several sessions, and threads in one session, do not disturb each other.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Iterator as PyIterator
from typing import Any

import numpy as np

from graphc.data.arguments import components
from graphc.data.dataset import Dataset
from graphc.data.function import Context, Function
from graphc.data.structure import (
    DatasetSpec,
    SparseSpec,
    TensorSpec,
    flatten,
    grouped,
    map_leaves,
    pack,
    record_types,
    specs,
)
from graphc.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    OutOfRangeError,
)
from graphc.face.elements import Operation, Tensor
from graphc.face.graph import get_default_graph
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.interrupts import Undisturbed
from graphc.ir.node import Value
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import made
from graphc.ops.record import Attrs, Types, no_grad, op
from graphc.sparse.tensor import SparseTensor, SparseTensorValue, sparse_of

__all__ = [
    "Iterator", "get_output_classes", "get_output_shapes", "get_output_types", "initializable",
    "make_initializable_iterator", "make_one_shot_iterator", "one_shot", "packed",
    "record_attrs", "reduce", "running_of", "single_element", "whole", "whole_parts",
]  # fmt: skip


# ------------------------------------------------------------------------- in a session


class Running:
    """What a session remembers of an iterator.

    Parameters
    ----------
    begin : callable, optional
        Begins an iterator that nobody initialises.
    """

    def __init__(self, begin: Callable[[], PyIterator[Any]] | None = None) -> None:
        self.lock = threading.Lock()
        self.elements: PyIterator[Any] | None = None
        self.begin = begin
        #: Of the functions of its datasets; a new beginning draws the same random numbers.
        self.executors: dict[Any, Any] = {}

    def start(self, dataset: Dataset, context: Context) -> None:
        """Begin (again)."""
        with self.lock:
            for e in self.executors.values():
                e.state.skips.clear()
            context.executors = self.executors
            self.elements = iter(dataset._open(context))

    def close(self) -> None:
        """The session is closed: let go of open files, unless a thread is reading."""
        if self.lock.acquire(blocking=False):
            try:
                self.elements = self.begin = None
                self.executors.clear()
            finally:
                self.lock.release()

    def next(self) -> tuple[Any, ...]:
        """The next element.

        Raises
        ------
        FailedPreconditionError
            Before the iterator is initialised.
        OutOfRangeError
            After the last element.
        """
        with self.lock:
            if self.elements is None:
                if self.begin is None:
                    raise FailedPreconditionError(
                        None, None, "GetNext() failed because the iterator has not been "
                        "initialized. Ensure that you have run the initializer operation for this "
                        "iterator before getting the next element.",
                    )  # fmt: skip
                self.elements = self.begin()
            try:
                with Undisturbed(at_most=1):  # a source may wait for ever
                    return next(self.elements)
            except StopIteration:
                raise OutOfRangeError(None, None, "End of sequence") from None


def functions_executor(host: Any) -> Callable[[Any], Any]:
    """Makes executors for functions of datasets: the session's options and resources."""

    def make(graph: Any) -> Any:
        outer = host.executor
        state = type(host.state)()
        state.resources = host.state.resources
        made = type(outer)(graph, state, outer.options)
        made.closed = outer.closed
        return made

    return make


def _key(name: str) -> str:
    return f"iterator/{name}"


def _context(dataset: Dataset, values: Any, host: Any) -> Context:
    made = Context(values, functions_executor(host))
    made.optimized = not dataset._reads_variables()
    return made


def _begin(host: Any, *arrays: Any, iterator: str, dataset: Dataset, optimized: bool) -> None:
    running: Running = host.resource(_key(iterator), Running)
    values = dict(zip(host.node.inputs, arrays, strict=True))
    context = _context(dataset, values, host)
    context.optimized = context.optimized and optimized
    running.start(dataset, context)


def running_of(host: Any, handle: Sequence[Any], iterator: str) -> Running:
    """The iterator that an op means: by its attribute, or by the handle it is given."""
    name = iterator
    if handle:
        name = bytes(np.asarray(handle[0])[()]).decode(errors="replace")
        if _key(name) not in host.state.resources:
            if name in _known(host.node.graph):
                raise NotFoundError(None, None, f"The session has no iterator {name}")
            raise InvalidArgumentError(
                None, None, "Could not parse string_handle as a valid ResourceHandle"
            )
    dataset = _shots(host.node.graph).get(name)

    def begin() -> PyIterator[Any]:
        assert dataset is not None
        wanted = dataset._all_tensors()
        values = dict(zip(wanted, host.run(wanted) if wanted else (), strict=True))
        return iter(dataset._open(_context(dataset, values, host)))

    made: Running = host.resource(_key(name), lambda: Running(begin if dataset else None))
    return made


def _next(host: Any, *handle: Any, iterator: str, types: Any, shapes: Any) -> tuple[Any, ...]:
    return whole_parts(running_of(host, handle, iterator).next())


def _handle(host: Any, *handle: Any, iterator: str) -> Any:
    running_of(host, handle, iterator)
    return handle[0] if handle else iterator.encode()


def _shots(graph: Any) -> dict[str, Dataset]:
    """The graph's one-shot iterators."""
    made: dict[str, Dataset] = graph.extras.setdefault("one_shot_iterators", {})
    return made


def _known(graph: Any) -> set[str]:
    """Names of the graph's iterators."""
    made: set[str] = graph.extras.setdefault("iterators", set())
    return made


# ------------------------------------------------------------------------- records


def _nothing(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return []


def _declared(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return list(zip(attrs["types"], attrs["shapes"], strict=True))


def _string(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(dtypes.string, ())]


_HOST: dict[str, Any] = {"types": "fiubs", "stateful": True, "grad": no_grad}

make_iterator_op = op(
    "make_iterator", "MakeIterator", "host", doc="Begins an iterator.", args=("*tensors",),
    infer=_nothing, host=_begin, facts={"effect": True}, **_HOST,
)  # fmt: skip
get_next_op = op(
    "iterator_get_next", "IteratorGetNext", "host", doc="The next element of an iterator.",
    args=("*handle",), infer=_declared, host=_next, facts={"effect": True}, **_HOST,
)  # fmt: skip
handle_op = op(
    "iterator_to_string_handle", "IteratorToStringHandle", "host", args=("*handle",),
    doc="What stands for an iterator in a feed.", infer=_string, host=_handle, **_HOST,
)  # fmt: skip


def whole(host: Any, tensors: Sequence[Any], dataset: Dataset) -> Any:
    """The elements of a dataset, for an op that is given its tensors first."""
    values = dict(zip(host.node.inputs, tensors, strict=False))
    return iter(dataset._open(_context(dataset, values, host)))


def _reduced(
    host: Any, *arrays: Any, dataset: Dataset, function: Function, types: Any, shapes: Any
) -> tuple[Any, ...]:
    values = dict(zip(host.node.inputs, arrays, strict=True))
    context = _context(dataset, values, host)
    step = function.bind(context)
    state = tuple(arrays[len(arrays) - len(types) :])
    for e in dataset._open(context):
        state = tuple(step((*state, *e)))
    return state


reduce_op = op(
    "reduce_dataset", "ReduceDataset", "host", doc="A dataset reduced to one element.",
    args=("*tensors",), infer=_declared, host=_reduced, **_HOST,
)  # fmt: skip


def _only(host: Any, *arrays: Any, dataset: Dataset, types: Any, shapes: Any) -> tuple[Any, ...]:
    found = list(itertools.islice(whole(host, arrays, dataset), 2))
    if not found:
        raise InvalidArgumentError(None, None, "Dataset was empty.")
    if len(found) > 1:
        raise InvalidArgumentError(None, None, "Dataset had more than one element.")
    return whole_parts(found[0])


single_op = op(
    "dataset_to_single_element", "DatasetToSingleElement", "host", args=("*tensors",),
    doc="The one element of a dataset.", infer=_declared, host=_only, **_HOST,
)  # fmt: skip


# ------------------------------------------------------------------------- functions


def record_attrs(flat: Sequence[Any]) -> dict[str, Any]:
    """Attributes for ops whose outputs are an element."""
    found = record_types(flat)
    return {"types": tuple([t for t, _ in found]), "shapes": tuple([s for _, s in found])}


def packed(structure: Any, outputs: Sequence[Value]) -> Any:
    """Outputs of an op as an element."""
    return pack(structure, grouped(flatten(structure), outputs, sparse_of))


def whole_parts(element: Sequence[Any]) -> tuple[Any, ...]:
    """An element as outputs of an op: the parts of sparse values one by one."""
    if not any(isinstance(x, SparseTensorValue) for x in element):
        return tuple(element)
    return tuple([p for x in element for p in (x if isinstance(x, SparseTensorValue) else (x,))])


def _named(kind: str, shared_name: str | None = None) -> str:
    """The name of an iterator: that of the resource op which TF1 makes."""
    graph = get_default_graph()
    name = graph.unique_name(kind)
    graph._last_id += 1
    _known(graph).add(shared_name or name)
    return shared_name or name


def class_of(s: Any) -> Any:
    """The class of a leaf."""
    if isinstance(s, DatasetSpec):
        return Dataset
    return SparseTensor if isinstance(s, SparseSpec) else Tensor


class Iterator:
    """Hands out the elements of a dataset, one in each run.

    Attributes
    ----------
    initializer : Operation
        Begins (again) with the first element.
    output_types, output_shapes, output_classes : nested structure
    """

    def __init__(
        self, name: str, structure: Any, initializer: Operation | None = None,
        handle: Value | None = None,
    ) -> None:  # fmt: skip
        self._name = name
        self._structure = structure
        self._initializer = initializer
        self._inputs = () if handle is None else (handle,)
        self._attrs = {"iterator": name}
        self._handle = build(handle_op, self._inputs, self._attrs, "IteratorToStringHandle")

    @property
    def _iterator_resource(self) -> Value:
        """What stands for the iterator in the graph; libraries keep its name."""
        return self._handle.outputs[0]

    @staticmethod
    def from_structure(
        output_types: Any, output_shapes: Any = None, shared_name: str | None = None,
        output_classes: Any = None,
    ) -> Iterator:  # fmt: skip
        """An iterator for several datasets with elements of one kind: see `make_initializer`."""
        types = map_leaves(dtypes.as_dtype, output_types)
        structure = specs(types, output_shapes, output_classes)
        return Iterator(_named("IteratorV2", shared_name), structure)

    @staticmethod
    def from_string_handle(
        string_handle: Any, output_types: Any, output_shapes: Any = None,
        output_classes: Any = None,
    ) -> Iterator:  # fmt: skip
        """An iterator that is, in each run, the one whose handle is fed.

        Parameters
        ----------
        string_handle : string tensor
            Its value is what a run of another iterator's `string_handle` gives.
        """
        types = map_leaves(dtypes.as_dtype, output_types)
        handle = convert_to_tensor(string_handle, dtypes.string, "string_handle")
        name = _named("IteratorFromStringHandleV2")
        return Iterator(name, specs(types, output_shapes, output_classes), handle=handle)

    @property
    def initializer(self) -> Operation:
        """The operation that begins with the first element.

        Raises
        ------
        ValueError
            When the iterator has none: it is initialised by itself, or by `make_initializer`.
        """
        if self._initializer is None:
            raise ValueError("Iterator does not have an initializer.")
        return self._initializer

    def make_initializer(self, dataset: Dataset, name: str | None = None) -> Operation:
        """An operation that begins with the first element of `dataset`.

        Raises
        ------
        TypeError
            When its elements are of another kind than the iterator's.
        """
        for mine, other in zip(flatten(self._structure), dataset._specs, strict=False):
            if mine.dtype is not other.dtype:
                raise TypeError(
                    f"Expected output types {self.output_types!r} but got dataset with output "
                    f"types {dataset.output_types!r}."
                )
            if not mine.shape.is_compatible_with(other.shape):
                raise TypeError(
                    f"Expected output shapes compatible with {self.output_shapes!r} but got "
                    f"dataset with output shapes {dataset.output_shapes!r}."
                )
        if len(flatten(self._structure)) != len(dataset._specs):
            raise TypeError(
                f"Expected output types {self.output_types!r} but got dataset with output "
                f"types {dataset.output_types!r}."
            )
        # TensorFlow rewrites no dataset here: shuffle and repeat stay two
        return _initializer(dataset, self._name, name or "make_initializer", False)

    def get_next(self, name: str | None = None) -> Any:
        """The next element, as a nested structure of tensors; a new one in each run.

        Raises (in a run)
        -----------------
        OutOfRangeError
            After the last element.
        """
        flat = flatten(self._structure)
        attrs = {**self._attrs, **record_attrs(flat)}
        node = build(get_next_op, self._inputs, attrs, name or "IteratorGetNext")
        made(sum(isinstance(spec, SparseSpec) for spec in flat))  # TF1 unpacks them
        return packed(self._structure, node.outputs)

    def string_handle(self, name: str | None = None) -> Value:
        """A string tensor whose value stands for this iterator."""
        if name is None:
            return self._handle.outputs[0]
        return build(handle_op, self._inputs, self._attrs, name).outputs[0]

    @property
    def element_spec(self) -> Any:
        return self._structure

    @property
    def output_types(self) -> Any:
        return map_leaves(lambda s: s.dtype, self._structure)

    @property
    def output_shapes(self) -> Any:
        return map_leaves(lambda s: s.shape, self._structure)

    @property
    def output_classes(self) -> Any:
        return map_leaves(class_of, self._structure)


def _initializer(dataset: Dataset, name: str, op_name: str, optimized: bool) -> Operation:
    _same_graph(dataset)
    attrs = {"iterator": name, "dataset": dataset, "optimized": optimized}
    made = build(make_iterator_op, dataset._all_tensors(), attrs, op_name)
    return made  # type: ignore[return-value]


def _same_graph(dataset: Dataset) -> None:
    if dataset._graph is not get_default_graph():
        raise ValueError(
            "The dataset was made in another graph than the default graph: make the dataset and "
            "its iterator in the same graph."
        )


def initializable(dataset: Dataset, shared_name: str | None = None) -> Iterator:
    """An iterator whose ``initializer`` begins it."""
    _same_graph(dataset)
    current().reserve("optimizations", "OptimizeDataset", "ModelDataset")
    name = _named("IteratorV2", shared_name)
    return Iterator(name, dataset._structure, _initializer(dataset, name, "MakeIterator", True))


def one_shot(dataset: Dataset) -> Iterator:
    """An iterator that begins by itself, once in each session."""
    _same_graph(dataset)
    _check_known(dataset._all_tensors())
    name = _named("OneShotIterator")
    _shots(get_default_graph())[name] = dataset
    return Iterator(name, dataset._structure)


def _check_known(tensors: Sequence[Value]) -> None:
    """Refuse what a one-shot iterator cannot know by itself."""
    stack, seen = [v.node for v in tensors], set()
    while stack:
        n = stack.pop()
        if n in seen:
            continue
        seen.add(n)
        if n.op.name == "placeholder":
            raise ValueError(
                f"Cannot capture a placeholder (name:{n.name}, type:Placeholder) by value."
            )
        if n.op.stateful:
            raise ValueError(
                "Failed to create a one-shot iterator for a dataset. "
                "`Dataset.make_one_shot_iterator()` does not support datasets that capture "
                "stateful objects, such as a `Variable` or `LookupTable`. In these cases, use "
                "`Dataset.make_initializable_iterator()`. (Original error: Cannot capture a "
                f"stateful node (name:{n.name}, type:{n.op.tf}) by value.)"
            )
        stack.extend(v.node for v in n.inputs)


def make_one_shot_iterator(dataset: Dataset) -> Iterator:
    """``dataset.make_one_shot_iterator()``."""
    return one_shot(dataset)


def make_initializable_iterator(dataset: Dataset, shared_name: str | None = None) -> Iterator:
    """``dataset.make_initializable_iterator()``."""
    return initializable(dataset, shared_name)


def get_output_types(dataset_or_iterator: Any) -> Any:
    """The element types of a dataset or an iterator."""
    return dataset_or_iterator.output_types


def get_output_shapes(dataset_or_iterator: Any) -> Any:
    """The static shapes of a dataset or an iterator."""
    return dataset_or_iterator.output_shapes


def get_output_classes(dataset_or_iterator: Any) -> Any:
    """The classes of the components of a dataset or an iterator."""
    return dataset_or_iterator.output_classes


def reduce(dataset: Dataset, initial_state: Any, reduce_func: Callable[..., Any]) -> Any:
    """What is left of ``state = reduce_func(state, element)``: tensors.

    The function is recorded again where a first time shows that it gives a wider shape.
    """
    with current().scope(None, "initial_state"):
        state, flat = components(initial_state)
    while True:
        f = Function(reduce_func, (state, dataset._structure), "Dataset.reduce()")
        made = flatten(f.structure)
        given = flatten(state)
        if len(made) != len(given) or [s.dtype for s in made] != [s.dtype for s in given]:
            raise TypeError(
                "The element types for the new state must match the initial state. Expected "
                f"{[s.dtype for s in given]}; got {[s.dtype for s in made]}."
            )
        wider = [
            TensorSpec(a.shape.most_specific_compatible_shape(b.shape), a.dtype)
            for a, b in zip(given, made, strict=True)
        ]
        if wider == given:
            break
        state = pack(state, wider)
    outer = dict.fromkeys([*dataset._all_tensors(), *f.captured])
    attrs = {"dataset": dataset, "function": f, **record_attrs(flatten(state))}
    node = build(reduce_op, [*outer, *flat], attrs, "ReduceDataset")
    return pack(state, node.outputs) if isinstance(state, tuple | Mapping) else node.outputs[0]


def single_element(dataset: Dataset) -> Any:
    """The one element of a dataset: tensors."""
    attrs = {"dataset": dataset, **record_attrs(dataset._specs)}
    node = build(single_op, dataset._all_tensors(), attrs, "DatasetToSingleElement")
    return packed(dataset._structure, node.outputs)
