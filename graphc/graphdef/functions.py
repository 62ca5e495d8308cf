"""Functions in the library of a graph, and nodes that call some: calls, conditions, loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from graphc.face.graph import get_default_graph
from graphc.ir.node import Node, Value
from graphc.ops import state
from graphc.proto import message

__all__ = ["FUNCTIONAL", "call_function", "within"]

Made = Sequence[Value] | Node
Maker = Callable[[Any, list[Value], str], Made]

#: Types with several named outputs, one tensor each: a function names an output by its word.
_OUTPUTS = """
Unique=y,idx UniqueWithCounts=y,idx,count TopK=values,indices TopKV2=values,indices Qr=q,r
SparseSoftmaxCrossEntropyWithLogits=loss,backprop SoftmaxCrossEntropyWithLogits=loss,backprop
FusedBatchNorm=y,batch_mean,batch_variance,reserve_space_1,reserve_space_2 Svd=s,u,v
FusedBatchNormV2=y,batch_mean,batch_variance,reserve_space_1,reserve_space_2
FusedBatchNormV3=y,batch_mean,batch_variance,reserve_space_1,reserve_space_2,reserve_space_3
FusedBatchNormGrad=x_backprop,scale_backprop,offset_backprop,reserve_space_3,reserve_space_4
FusedBatchNormGradV2=x_backprop,scale_backprop,offset_backprop,reserve_space_3,reserve_space_4
FusedBatchNormGradV3=x_backprop,scale_backprop,offset_backprop,reserve_space_4,reserve_space_5
LogMatrixDeterminant=sign,log_abs_determinant BroadcastGradientArgs=r0,r1 ListDiff=out,idx
SelfAdjointEigV2=e,v ReaderRead=key,value ReaderReadV2=key,value ReaderReadUpTo=keys,values
ReaderReadUpToV2=keys,values LookupTableExport=keys,values LookupTableExportV2=keys,values
CTCLoss=loss,gradient StringSplit=indices,values,shape
CTCGreedyDecoder=decoded_indices,decoded_values,decoded_shape,log_probability
"""
_PLACES: dict[str, list[str]] = {
    kind: words.split(",") for kind, _, words in (w.partition("=") for w in _OUTPUTS.split())
}

#: Resources and variants, of which a function's arguments are strings here.
_HANDLES = (20, 21)


class _Library:
    """The functions of a graph, and the definitions of op types that came with it."""

    def __init__(self, functions: Any, definitions: Mapping[str, Any] | None) -> None:
        self.functions = {f.signature.name: f for f in functions.function}
        self.definitions = definitions


#: The functions that are being called.
_active: ContextVar[tuple[str, ...]] = ContextVar("active", default=())

_library: ContextVar[_Library] = ContextVar("library")


@contextmanager
def within(functions: Any, definitions: Mapping[str, Any] | None) -> Iterator[None]:
    """In the block nodes are made of a graph that has this library."""
    token = _library.set(_Library(functions, definitions))
    try:
        yield
    finally:
        _library.reset(token)


def _plain(text: str, nodes: Mapping[str, Any]) -> str:
    """An input as graphs have it: ``name:word:index`` is ``name:number`` there."""
    name, *rest = text.split(":")
    if text.startswith("^") or len(rest) < 2:
        return text
    words = _PLACES.get(nodes[name].op, ())
    return f"{name}:{words.index(rest[0]) if rest[0] in words else int(rest[1])}"


def _body(name: str) -> tuple[Any, list[str], list[str]]:
    """A function as a graph, its arguments, and the names of its results."""
    functions = _library.get().functions
    if name not in functions:
        raise ValueError(f"the graph has no function {name!r:.200} in its library")
    f = functions[name]
    graph: Any = message("GraphDef")()
    nodes = {n.name: n for n in f.node_def}
    for a in f.signature.input_arg:
        given = graph.node.add(name=a.name, op="Placeholder")
        given.attr["dtype"].type = 7 if int(a.type) in _HANDLES else a.type
    for n in f.node_def:
        made = graph.node.add()
        made.CopyFrom(n)
        del made.input[:]
        made.input.extend([_plain(t, nodes) for t in n.input])
    graph.library.function.extend(functions.values())
    results = [_plain(f.ret[a.name], nodes) for a in f.signature.output_arg]
    return graph, [a.name for a in f.signature.input_arg], results


def call_function(name: str, values: Sequence[Value], prefix: str) -> list[Value]:
    """The results of a function of the library; its nodes get names behind `prefix`."""
    from graphc.graphdef.importer import import_values

    body, arguments, results = _body(name)
    given = {f"{a}:0": v for a, v in zip(arguments, values, strict=True)}
    definitions = _library.get().definitions
    graph: Any = get_default_graph()
    active = _active.get()
    if name in active:
        raise ValueError(f"the function {name!r:.200} of the graph calls itself")
    token = _active.set((*active, name))
    try:
        return import_values(body, graph, prefix, given, definitions, results)
    finally:
        _active.reset(token)


# --------------------------------------------------------------------- nodes that call functions


def _named(values: Sequence[Value], name: str) -> list[Value]:
    """Results, the first under the name of the node."""
    return [state.identity(values[0], name=name), *values[1:]]


def _called(n: Any, values: list[Value], name: str) -> Made:
    return _named(call_function(n.attr["f"].func.name, values, name), name)


def _if(n: Any, values: list[Value], name: str) -> Made:
    from graphc.face.flow import cond

    def branch(key: str) -> Callable[[], list[Value]]:
        function = n.attr[key].func.name
        return lambda: call_function(function, values[1:], f"{name}{key}/")

    made = cond(values[0], branch("then_branch"), branch("else_branch"), strict=True)
    return _named(made, name)


def _while(n: Any, values: list[Value], name: str) -> Made:
    from graphc.face.flow import while_loop
    from graphc.face.shape import TensorShape

    test, step = (n.attr[key].func.name for key in ("cond", "body"))
    made = while_loop(
        lambda *x: call_function(test, x, f"{name}cond/")[0],
        lambda *x: call_function(step, x, f"{name}body/"),
        values,
        shape_invariants=[
            TensorShape(None)
            if v.static_shape is None
            else TensorShape([None] * len(v.static_shape))
            for v in values
        ],
        return_same_structure=True,
    )
    return _named(made, name)


#: What makes nodes of these types.
FUNCTIONAL: dict[str, Maker] = {
    "PartitionedCall": _called, "StatefulPartitionedCall": _called,
    "If": _if, "StatelessIf": _if, "While": _while, "StatelessWhile": _while,
}  # fmt: skip
