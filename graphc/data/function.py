"""A user's function on elements, recorded as a graph of its own and compiled by graphc."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.data.direct import prepared
from graphc.data.structure import (
    DatasetSpec,
    SparseSpec,
    TensorSpec,
    flatten,
    map_leaves,
    pack,
    parts,
    record_types,
    spec_of,
    symbolic,
)
from graphc.errors import InvalidArgumentError
from graphc.face.elements import Operation
from graphc.face.graph import Graph, get_default_graph
from graphc.ir.build import build
from graphc.ir.node import Value
from graphc.ops.convert import constant_op, convert_to_tensor
from graphc.ops.record import Op
from graphc.ops.state import placeholder_op
from graphc.sparse.tensor import SparseTensor, SparseTensorValue, sparse_of

if TYPE_CHECKING:
    from graphc.data.dataset import Dataset

__all__ = ["Context", "Function", "FunctionGraph"]

Array = Any
Element = tuple[Array, ...]


class FunctionGraph(Graph):
    """A graph that takes in tensors of the graph around it: each becomes a placeholder here."""

    building_function = True

    def __init__(self, outer: Graph) -> None:
        super().__init__()
        self.outer = outer
        self.seed = outer.seed
        #: Tensor of `outer` → the one that stands for it here.
        self.captures: dict[Value, Value] = {}
        self._further: dict[Value, Value] = {}

    def add(
        self, op: Op, inputs: Sequence[Value], attrs: Mapping[str, Any], name: str | None
    ) -> Operation:
        if any(v.node.graph is not self for v in inputs):
            inputs = tuple([v if v.node.graph is self else self.capture(v) for v in inputs])
        return super().add(op, inputs, attrs, name)

    def capture(self, v: Value) -> Value:
        """What stands for a tensor of the graph around this one."""
        if v.node.graph is self:
            return v
        for known in (self.captures, self._further):
            if v in known:
                return known[v]
        if v.node.graph is not self.outer:
            if not isinstance(self.outer, FunctionGraph):
                raise ValueError(f"{v!s} must be from the graph in which the dataset is made.")
            made = self._further[v] = self.capture(self.outer.capture(v))
            return made
        if v.node.op is constant_op:
            label = v.node.name.rpartition("/")[2]
            made = super().add(constant_op, (), v.node.attrs, label).outputs[0]
        else:
            attrs = {"dtype": v.dtype, "shape": v.static_shape}
            made = super().add(placeholder_op, (), attrs, "Placeholder").outputs[0]
        self.captures[v] = made
        return made


class Context:
    """What a dataset is given when it is iterated: values of its tensors, and a memory.

    Parameters
    ----------
    values : mapping
        From tensor to array, for those that are no constants.
    executor : callable
        ``graph -> executor``, for functions; called once for each function of an iterator.
    """

    def __init__(
        self,
        values: Mapping[Value, Array] | None = None,
        executor: Callable[[Graph], Any] | None = None,
        root: Context | None = None,
        datasets: Mapping[Any, Any] | None = None,
    ) -> None:
        self.values = dict(values or {})
        self.datasets = dict(datasets or {})
        self.root = root or self
        self.executor = executor or _plain_executor
        self.executors: dict[Any, Any] = {} if root is None else root.executors
        #: What datasets keep from one epoch to the next: generators of seeds, caches.
        self.memory: dict[Any, Any] = {}
        #: Whether TensorFlow's rewriting of pipelines happens, which changes orders.
        self.optimized = True

    def value(self, t: Value) -> Array:
        """The value of a tensor that a dataset was made with."""
        if t.node.op is constant_op:
            return t.node.attrs["value"]
        return self.values[t]

    def number(self, t: Value) -> int:
        return int(self.value(t))

    def run(self, function: Function) -> Callable[..., list[Any]]:
        """The compiled form of a function's graph."""
        e = self.executors.get(function)
        if e is None:
            e = self.executors[function] = self.root.executor(function.graph)
        return prepared(e, function.fetches, function.targets, function.feeds)

    def inner(self, values: Mapping[Value, Array], datasets: Mapping[Any, Any]) -> Context:
        """The context of a dataset that a function made."""
        return Context(values, None, self.root, datasets)


def _plain_executor(graph: Graph) -> Any:
    runtime = importlib.import_module("graphc.runtime.executor")
    return runtime.Executor(graph, runtime.State(), runtime.Options())


class BoundDataset:
    """A dataset as a value: with the context that it is iterated in."""

    __slots__ = ("context", "dataset")

    def __init__(self, dataset: Dataset, context: Context) -> None:
        self.dataset = dataset
        self.context = context

    def open(self) -> Any:
        return self.dataset._open(self.context)


class Function:
    """A user's function of elements of some structure.

    Parameters
    ----------
    f : callable
        Gets the parts of a tuple as arguments, anything else as the one argument.
    structure : nested specs
        Of its argument.
    what : str
        Of which transformation, for messages.
    datasets : bool
        Whether it must give a dataset.

    Attributes
    ----------
    structure : nested specs
        Of what it gives.
    captured : list of Tensor
        Tensors of the graph around it that it reads.
    selection : tuple of int or None
        Where it only picks components of its argument: which.
    """

    def __init__(
        self, f: Callable[..., Any], structure: Any, what: str, datasets: bool = False,
        spread: bool = True,
    ) -> None:  # fmt: skip
        from graphc.data.dataset import Dataset

        if not callable(f):
            raise ValueError(f"Argument must be callable: {what} was given {f!r}")
        self.graph = graph = FunctionGraph(get_default_graph())
        before = len(graph.get_operations())
        self.arguments: list[Any] = []
        with graph.as_default():
            argument = map_leaves(self._argument, structure)
            result = f(*argument) if spread and isinstance(argument, tuple) else f(argument)
            if isinstance(result, list):
                result = tuple(result)
            if result is None and not datasets:
                raise TypeError(
                    f"Unsupported return value from function passed to {what}: {result}."
                )
            self.results = [
                x if isinstance(x, Dataset) else self._tensor(x, what) for x in flatten(result)
            ]
        if datasets and not isinstance(result, Dataset):
            raise TypeError(f"`map_func` must return a `Dataset` object. Got {type(result)}")
        self.structure = pack(
            result,
            [
                DatasetSpec(x.element_spec) if isinstance(x, Dataset) else spec_of(x)
                for x in self.results
            ],
        )
        self.targets = tuple(
            n for n in graph.get_operations()[before:] if n.op.stateful and n.op.family == "host"
        )
        self._plan()

    def _argument(self, spec: TensorSpec | SparseSpec | DatasetSpec) -> Any:
        """The symbolic argument of one leaf."""
        if isinstance(spec, DatasetSpec):
            from graphc.data.sources import ArgumentDataset

            made: Any = ArgumentDataset(spec.element)
        elif isinstance(spec, SparseSpec):
            name = f"args_{len(self.arguments)}"
            made = sparse_of(
                *[
                    build(placeholder_op, (), {"dtype": t, "shape": s}, name).outputs[0]
                    for t, s in record_types([spec])
                ]
            )
        else:
            attrs = {"dtype": spec.dtype, "shape": symbolic(spec.shape)}
            made = build(placeholder_op, (), attrs, f"args_{len(self.arguments)}").outputs[0]
        self.arguments.append(made)
        return made

    def _tensor(self, x: Any, what: str) -> Any:
        if isinstance(x, SparseTensor):
            inside = [self.graph.capture(t) for t in parts(x)]
            return x if inside == parts(x) else sparse_of(*inside)
        try:
            t = convert_to_tensor(x)
        except (TypeError, ValueError):
            raise TypeError(
                f"Unsupported return value from function passed to {what}: {x!r:.200}."
            ) from None
        return self.graph.capture(t) if t.node.graph is not self.graph else t

    def _plan(self) -> None:
        """What to fetch and feed for one call."""
        from graphc.data.dataset import Dataset

        wanted: list[Value] = []
        for r in self.results:
            wanted += r._all_tensors() if isinstance(r, Dataset) else parts(r)
        wanted = [self.graph.capture(w) for w in wanted]
        self.captured = [v for v, t in self.graph.captures.items() if t.node.op is placeholder_op]
        inner = [self.graph.captures[v] for v in self.captured]
        tensors = [t for a in self.arguments for t in parts(a)]
        self.feeds = (*tensors, *inner)
        fed = set(self.feeds)
        self.fetches = tuple(
            dict.fromkeys(w for w in wanted if w not in fed and w.node.op is not constant_op)
        )
        places = {a: i for i, a in enumerate(self.arguments)}
        pure = not self.targets and all(parts(r) and r in places for r in self.results)
        self.selection = tuple(places[r] for r in self.results) if pure else None

    def bind(self, context: Context) -> Callable[[Element], list[Any]]:
        """The function on flat elements, for one iteration."""
        if self.selection is not None:
            picked = self.selection
            return lambda element: [element[i] for i in picked]
        captured = [context.value(v) for v in self.captured]
        sizes = [len(parts(a)) for a in self.arguments]  # 0 for a dataset, 3 for a sparse tensor
        run = context.run(self) if self.fetches or self.targets else (lambda *values: [])

        def call(element: Element) -> list[Any]:
            values: list[Any] = []
            for x, n in zip(element, sizes, strict=True):
                values += [x] if n == 1 else x if n else ()
            values += captured
            known = dict(zip(self.feeds, values, strict=True))
            known.update(zip(self.fetches, run(*values), strict=True))
            datasets = {
                a: x for a, x, n in zip(self.arguments, element, sizes, strict=True) if not n
            }
            return [self._result(r, known, datasets, context) for r in self.results]

        if self.results == list(self.fetches) and all(n == 1 for n in sizes):
            return lambda element: run(*element, *captured)
        return call

    def _result(
        self, r: Any, known: Mapping[Value, Any], datasets: Mapping[Any, Any], context: Context
    ) -> Any:
        made = [t.node.attrs["value"] if t.node.op is constant_op else known[t] for t in parts(r)]
        if not made:
            return BoundDataset(r, context.inner(_outside(known, self.graph), datasets))
        return made[0] if len(made) == 1 else SparseTensorValue(*made)

    def scalar(self, context: Context, what: str) -> Callable[[Element], Any]:
        """The function as one that gives a number."""
        call = self.bind(context)

        def number(element: Element) -> Any:
            x = call(element)[0]
            if np.ndim(x):
                raise InvalidArgumentError(None, None, f"{what} must return a scalar")
            return x[()] if isinstance(x, np.ndarray) else x

        return number


def _outside(known: Mapping[Value, Any], graph: FunctionGraph) -> dict[Value, Any]:
    """Values by the name that a dataset made inside knows them: captures under both."""
    out = dict(known)
    for v, t in graph.captures.items():
        if t in known:
            out[v] = known[t]
    return out
