"""Datasets and iterators of TensorFlow's graphs: there tensors, here Python objects.

A node of a dataset becomes a string tensor that holds the object; functions of elements are read
from the library of the graph. An iterator's handle becomes the string that names it here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.face.graph import get_default_graph
from graphc.graphdef.attributes import decode
from graphc.graphdef.foreign import Lacking
from graphc.graphdef.functions import call_function
from graphc.graphdef.tensors import shape_of
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.node import Node, Value
from graphc.ops.record import no_grad, op

__all__ = ["DATASETS"]

Made = Sequence[Value] | Node
Maker = Callable[[Any, list[Value], str], Made]


# --------------------------------------------------------------------- datasets


def _function(n: Any, captured: Sequence[Value], key: str = "f") -> Callable[..., Any]:
    """A function of elements as `Dataset.map` and others take it."""
    name = n.attr[key].func.name

    def f(*element: Any) -> Any:
        from graphc.data.structure import flatten

        graph: Any = get_default_graph()
        given = [x if isinstance(x, Value) else _held(x, "Window") for x in flatten(element)]
        outer = [graph.capture(v) for v in captured]
        made = call_function(name, [*given, *outer], "function/")
        if len(made) != 1:
            return tuple(made)
        return _dataset(made[0]) if _root_of(made[0]).node.op is dataset_op else made[0]

    return f


dataset_op = op(
    "dataset_handle", "TensorDataset", "host", doc="Stands for a dataset of an imported graph.",
    infer=lambda inputs, attrs: [(dtypes.string, ())], types="fiubs", stateful=True, grad=no_grad,
    host=lambda context, dataset, type: type.encode(),
    facts={"type": lambda inputs, attrs: attrs["type"]},
)  # fmt: skip


def _held(dataset: Any, kind: str, name: str | None = None) -> Value:
    """A tensor that holds a dataset."""
    return build(dataset_op, (), {"dataset": dataset, "type": kind}, name).outputs[0]


def _root_of(v: Value) -> Value:
    while v.node.op.name == "identity":
        v = v.node.inputs[0]
    return v


def _dataset(handle: Value) -> Any:
    """The dataset that a tensor holds.

    Raises
    ------
    Lacking
        When it is of a kind that graphc lacks.
    """
    n = _root_of(handle).node
    if n.op.name == "foreign":
        raise Lacking(n.attrs["lacks"])
    if n.op is not dataset_op:
        raise ValueError(f"{handle.name} is no dataset of the graph")
    return n.attrs["dataset"]


def _plain(v: Value) -> Any:
    """The number or text of a constant, else the tensor."""
    if v.node.op.name != "constant":
        return v
    a = v.node.attrs["value"]
    x = a[()] if a.ndim == 0 else a
    return x.decode() if isinstance(x, bytes) else x


def _together(values: Sequence[Any]) -> Any:
    return values[0] if len(values) == 1 else tuple(values)


def _root() -> Any:
    from graphc.data.dataset import Dataset

    return Dataset


def _after(f: Callable[..., Any]) -> Callable[[Any, list[Value]], Any]:
    """A transformation of one dataset whose other inputs are numbers or texts."""
    return lambda n, x: f(_dataset(x[0]), *map(_plain, x[1:]))


def _applied(method: str, numbers: int = 0, **named: int) -> Callable[[Any, list[Value]], Any]:
    """A transformation by a function; its last inputs are numbers for the named arguments."""

    def make(n: Any, x: list[Value]) -> Any:
        rest = x[len(x) - numbers :] if numbers else []
        f = _function(n, x[1 : len(x) - numbers], "predicate" if method == "filter" else "f")
        more = {k: _plain(rest[i]) for k, i in named.items()}
        return getattr(_dataset(x[0]), method)(f, **more)

    return make


def _shuffled(n: Any, x: list[Value]) -> Any:
    again = n.attr["reshuffle_each_iteration"].b if "reshuffle_each_iteration" in n.attr else None
    made = _dataset(x[0]).shuffle(_plain(x[1]), reshuffle_each_iteration=again)
    made._tensors = (made._tensors[0], x[2], x[3])
    return made if n.op != "ShuffleAndRepeatDataset" else made.repeat(_plain(x[4]))


def _padded(n: Any, x: list[Value]) -> Any:
    source, size, *rest = x
    more = 1 if n.op.endswith("V2") else 0
    drop = _plain(rest[-1]) if more else False
    half = (len(rest) - more) // 2
    shapes = [tuple(_plain(v)) if v.node.op.name == "constant" else v for v in rest[:half]]
    values = [_plain(v) for v in rest[half : 2 * half]]
    d = _dataset(source)
    return d.padded_batch(_plain(size), _together(shapes), _together(values), drop)


def _mapped_batch(n: Any, x: list[Value]) -> Any:
    d = _dataset(x[0]).map(_function(n, x[1:-3]))
    return d.batch(_plain(x[-3]), _plain(x[-1]))


def _files(kind: str) -> Callable[[Any, list[Value]], Any]:
    def make(n: Any, x: list[Value]) -> Any:
        import graphc

        return getattr(graphc.data, kind)(x[0], _plain(x[1]))

    return make


#: Type → the dataset, of the node and its inputs.
_KINDS: dict[str, Callable[[Any, list[Value]], Any]] = {
    "TensorDataset": lambda n, x: _root().from_tensors(_together(x)),
    "TensorSliceDataset": lambda n, x: _root().from_tensor_slices(_together(x)),
    "RangeDataset": lambda n, x: _root().range(*map(_plain, x)),
    "TextLineDataset": _files("TextLineDataset"),
    "TFRecordDataset": _files("TFRecordDataset"),
    "BatchDataset": _after(lambda d, size: d.batch(size)),
    "BatchDatasetV2": _after(lambda d, size, drop: d.batch(size, drop)),
    "RepeatDataset": _after(lambda d, count: d.repeat(count)),
    "TakeDataset": _after(lambda d, count: d.take(count)),
    "SkipDataset": _after(lambda d, count: d.skip(count)),
    "ShardDataset": _after(lambda d, count, index: d.shard(count, index)),
    "PrefetchDataset": _after(lambda d, size: d.prefetch(size)),
    "CacheDataset": _after(lambda d, file: d.cache(file)),
    "OptimizeDataset": _after(lambda d, *rest: d),
    "ModelDataset": _after(lambda d, *rest: d),
    "AssertNextDataset": _after(lambda d, *rest: d),
    "ConcatenateDataset": lambda n, x: _dataset(x[0]).concatenate(_dataset(x[1])),
    "ZipDataset": lambda n, x: _root().zip(tuple([_dataset(v) for v in x])),
    "ShuffleDataset": _shuffled,
    "ShuffleAndRepeatDataset": _shuffled,
    "PaddedBatchDataset": _padded,
    "PaddedBatchDatasetV2": _padded,
    "WindowDataset": _after(lambda d, *sizes: d.window(*sizes)),
    "MapDataset": _applied("map"),
    "ParallelMapDataset": _applied("map", 1),
    "MapAndBatchDataset": _mapped_batch,
    "FilterDataset": _applied("filter"),
    "FlatMapDataset": _applied("flat_map"),
    "InterleaveDataset": _applied("interleave", 2, cycle_length=0, block_length=1),
    "ParallelInterleaveDatasetV2": _applied("interleave", 3, cycle_length=0, block_length=1),
}


def _made(n: Any, values: list[Value], name: str) -> Made:
    """A node of a dataset."""
    return [_held(_KINDS[n.op](n, values), n.op, name)]


def _is_optimized(handle: Value) -> bool:
    """Whether TensorFlow rewrites a dataset: what initializers of one dataset ask for."""
    n = _root_of(handle).node
    return n.attrs["type"] in ("ModelDataset", "OptimizeDataset")


# --------------------------------------------------------------------- iterators


def _iterators() -> Any:
    from graphc.data import iterator  # with what makes datasets: for graphs with some only

    return iterator


def _iterator(n: Any, values: list[Value], name: str) -> Made:
    """An iterator, by the string that stands for it."""
    shared = n.attr["shared_name"].s.decode() if "shared_name" in n.attr else ""
    attrs = {"iterator": shared or name[:-1]}
    return build(_iterators().handle_op, (), attrs, name).outputs


def _one_shot(n: Any, values: list[Value], name: str) -> Made:
    factory = n.attr["dataset_factory"].func.name
    (made,) = call_function(factory, (), name)
    _iterators()._shots(get_default_graph())[name[:-1]] = _dataset(made)
    return build(_iterators().handle_op, (), {"iterator": name[:-1]}, name).outputs


def _given(n: Any, values: list[Value], name: str) -> Made:
    """An iterator that is named by a string of the run."""
    attrs = {"iterator": name[:-1]}
    return build(_iterators().handle_op, values, attrs, name).outputs


def _handle(v: Value) -> tuple[dict[str, Any], tuple[Value, ...]]:
    """What ops that read an iterator have as attributes and inputs."""
    v = _root_of(v)
    if v.node.op.name == "foreign":
        raise Lacking(v.node.attrs["lacks"])
    if v.node.op is not _iterators().handle_op:
        raise ValueError(f"{v.name} is no iterator of the graph")
    return {"iterator": v.node.attrs["iterator"]}, v.node.inputs


def _begin(n: Any, values: list[Value], name: str) -> Made:
    d = _dataset(values[0])
    attrs = {**_handle(values[1])[0], "dataset": d, "optimized": _is_optimized(values[0])}
    return build(_iterators().make_iterator_op, d._all_tensors(), attrs, name)


def _next(n: Any, values: list[Value], name: str) -> Made:
    from graphc.ir import dims as D

    attrs, inputs = _handle(values[0])
    attrs["types"] = decode(n.attr["output_types"])
    shapes = [shape_of(s) for s in n.attr["output_shapes"].list.shape]
    attrs["shapes"] = tuple(
        [None if s is None else tuple([d if type(d) is int else D.fresh() for d in s])
         for s in shapes]
    )  # fmt: skip
    return build(_iterators().get_next_op, inputs, attrs, name).outputs


def _string(n: Any, values: list[Value], name: str) -> Made:
    attrs, inputs = _handle(values[0])
    return build(_iterators().handle_op, inputs, attrs, name).outputs


#: What makes nodes of these types.
DATASETS: dict[str, Maker] = {
    **dict.fromkeys(_KINDS, _made),
    "Iterator": _iterator, "IteratorV2": _iterator, "OneShotIterator": _one_shot,
    "IteratorFromStringHandle": _given, "IteratorFromStringHandleV2": _given,
    "IteratorToStringHandle": _string, "MakeIterator": _begin, "IteratorGetNext": _next,
    "IteratorGetNextSync": _next,
}  # fmt: skip
