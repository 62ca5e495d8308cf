"""What a checkpoint of objects holds: who has which variables, and under which name.

A layer has ``kernel`` and ``bias``, a model its layers, a dictionary what is in it. `children` says
it for each kind; `collect` walks from a root and gives each variable the key TensorFlow gives it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc.checkpoint.wire import field as wire_field
from graphc.checkpoint.wire import fields, number
from graphc.face.more import Module
from graphc.face.variables import Variable
from graphc.layers.base import Layer
from graphc.train.optimizer import Optimizer

__all__ = [
    "GRAPH_KEY", "VALUE", "Collected", "Number", "StoredNode", "children", "collect",
    "decode_graph", "encode_graph", "is_trackable",
]  # fmt: skip

GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
VALUE = "VARIABLE_VALUE"

#: What graphc's layers and models keep under their own names, beside what a user gives them.
_OWN = frozenset(
    "_trainable_weights _non_trainable_weights _own_losses _own_updates _calls _outbound "
    "_own_metrics _again _scope _current _made _sequence _given_inputs _given_outputs _chain _out "
    "_compiled _asked _watching _masks inputs outputs targets total_loss".split()
)


class Number:
    """A number of a Keras optimizer that is no variable yet: a leaf like a variable."""

    def __init__(self, optimizer: Any, name: str) -> None:
        self.optimizer, self.attribute = optimizer, name
        self.name = name

    def value(self) -> Any:
        return np.float32(self.optimizer._hyper[self.attribute])

    def load(self, value: Any) -> None:
        self.optimizer._hyper[self.attribute] = float(value)


def _keras_optimizers() -> Any:
    from graphc.keras import optimizers  # here only: most programs have none

    return optimizers


def _is_keras_optimizer(x: Any) -> bool:
    return (type(x).__module__.startswith("graphc.keras") and hasattr(x, "_hyper")) or (
        hasattr(x, "_hyper") and isinstance(x, _keras_optimizers().Optimizer)
    )  # fmt: skip


def is_trackable(x: Any) -> bool:
    """Whether `x` may be part of a checkpoint of objects."""
    return (
        isinstance(x, Variable | Layer | Module | Optimizer | Number)
        or hasattr(x, "_graphc_children")
        or _is_keras_optimizer(x)
    )


def _held(x: Any) -> bool:
    """Whether an attribute has something to track: lists and dictionaries may."""
    if isinstance(x, list | tuple):
        return any(_held(y) for y in x)
    if isinstance(x, Mapping):
        return any(isinstance(k, str) and _held(y) for k, y in x.items())
    return is_trackable(x)


def children(x: Any) -> Iterator[tuple[str, Any]]:
    """Pairs of name and object: what `x` holds."""
    hook = getattr(x, "_graphc_children", None)
    if hook is not None:
        yield from hook()
    elif isinstance(x, Variable | Number):
        return
    elif isinstance(x, list | tuple):
        yield from ((str(i), y) for i, y in enumerate(x) if _held(y))
    elif isinstance(x, Mapping):
        yield from ((k, y) for k, y in x.items() if isinstance(k, str) and _held(y))
    elif isinstance(x, Optimizer):
        yield from sorted((name, v) for (name, _), v in x._non_slot_dict.items())
    elif _is_keras_optimizer(x):
        yield from _of_keras_optimizer(x)
    else:
        yield from _of_object(x)


def _of_keras_optimizer(x: Any) -> Iterator[tuple[str, Any]]:
    inner = getattr(x, "optimizer", None)
    if isinstance(inner, Optimizer):
        yield "optimizer", inner
        return
    yield "iter", x.iterations
    for name, value in sorted(x._hyper.items()):
        if isinstance(value, Variable):
            yield name, value
        elif not callable(value):
            yield name, Number(x, name)


def _of_object(x: Any) -> Iterator[tuple[str, Any]]:
    """Layers, models, modules: layers by number first, then attributes, then other weights."""
    found: set[int] = set()
    ours = type(x).__module__.startswith("graphc.")
    numbered = isinstance(x, Layer) and getattr(x, "_sequence", None) is not None
    if numbered:
        for name, layer in _numbered(x):
            yield name, layer
    elif hasattr(x, "_cells"):  # of a stack of cells
        yield from ((f"cell-{i}", c) for i, c in enumerate(x._cells))
        return
    for name, value in vars(x).items():
        private = name in _OWN or (ours and (name.startswith("_") or numbered))
        if name == "layer" and "forward_layer" in vars(x):
            continue  # it is the one that runs forwards
        if (private and not (ours and name in ("optimizer", "_cell"))) or not _held(value):
            continue
        found.add(id(value))
        yield "cell" if ours and name == "_cell" else name, value
    if ours and isinstance(x, Layer) and not numbered:
        yield from _weights(x, found)


def _weights(x: Any, found: set[int]) -> Iterator[tuple[str, Any]]:
    """Weights that no public attribute is: named as in the layer's scope."""
    scope = getattr(getattr(x, "_scope", None), "name", None) or "\n"
    for v in [*x._trainable_weights, *x._non_trainable_weights]:
        if id(v) in found:
            continue
        name = v.op.name
        inside = name.startswith(scope + "/")
        yield (name[len(scope) + 1 :] if inside else name.rpartition("/")[2]), v


def _numbered(model: Any) -> Iterator[tuple[str, Any]]:
    """``layer-0``, … of a model, and ``layer_with_weights-0``, … of those that have some."""
    layers = list(model.layers)
    if layers and hasattr(model, "_chain") and type(layers[0]).__name__ != "InputLayer":
        if getattr(layers[0], "_batch_input_shape", None) is not None:
            layers.insert(0, _Nothing())  # the input, which is a layer of a sequence there
    weighted = 0
    for i, layer in enumerate(layers):
        if getattr(layer, "weights", ()):
            yield f"layer_with_weights-{weighted}", layer
            weighted += 1
        yield f"layer-{i}", layer


class _Nothing:
    """An object without variables."""

    @staticmethod
    def _graphc_children() -> Iterator[tuple[str, Any]]:
        return iter(())


# ------------------------------------------------------------------------- walking


@dataclass
class Collected:
    """Objects of a graph, breadth first, with their children and slot variables, as numbers."""

    objects: list[Any]
    edges: list[list[tuple[str, int]]]
    #: Of each optimizer: the variable, the slot's name, the slot variable.
    slots: dict[int, list[tuple[int, str, int]]]
    #: Of each variable and `Number`: its key in a checkpoint.
    keys: dict[int, str]


def _escaped(name: str) -> str:
    return name.replace(".", "..").replace("/", ".S")


def _slots(x: Any, variables: Mapping[str, int]) -> Iterable[tuple[int, str, Variable]]:
    """Slot variables of an optimizer for variables that are there (by name), in order."""
    if isinstance(x, Optimizer):
        for slot in sorted(x._slots):
            for (_, name), v in x._slots[slot].items():
                if name in variables:
                    yield variables[name], slot, v
    elif _is_keras_optimizer(x):
        for slot in x.get_slot_names():
            for name, held in x._slots.items():
                if name in variables and slot in held:
                    yield variables[name], slot, held[slot]


def collect(root: Any) -> Collected:
    """Everything that can be reached from `root`."""
    objects, paths, edges = [root], [""], []
    index = {id(root): 0}
    for at, x in enumerate(objects):  # grows while it is read: breadth first
        row = []
        for name, child in children(x):
            if id(child) not in index:
                index[id(child)] = len(objects)
                objects.append(child)
                prefix = paths[at] + "/" if paths[at] else ""
                paths.append(prefix + _escaped(name))
            row.append((name, index[id(child)]))
        edges.append(row)
    keys = {
        i: f"{paths[i]}/.ATTRIBUTES/{VALUE}"
        for i, x in enumerate(objects)
        if isinstance(x, Variable | Number)
    }
    named = {objects[i].op.name: i for i in keys if isinstance(objects[i], Variable)}
    slots: dict[int, list[tuple[int, str, int]]] = {}
    for at, x in enumerate(list(objects)):
        for variable, slot, v in _slots(x, named):
            slots.setdefault(at, []).append((variable, slot, len(objects)))
            keys[len(objects)] = (
                f"{paths[variable]}/.OPTIMIZER_SLOT/{paths[at]}/{_escaped(slot)}/.ATTRIBUTES/{VALUE}"
            )
            objects.append(v)
            edges.append([])
    return Collected(objects, edges, slots, keys)


# ------------------------------------------------------------------------- in files


@dataclass
class StoredNode:
    """An object of a checkpoint."""

    children: list[tuple[str, int]] = field(default_factory=list)
    #: Kind of attribute → (full name of the variable, key).
    attributes: dict[str, tuple[str, str]] = field(default_factory=dict)
    #: The variable, the slot's name, the slot variable.
    slots: list[tuple[int, str, int]] = field(default_factory=list)


def encode_graph(c: Collected) -> bytes:
    """The message ``TrackableObjectGraph``."""
    out = b""
    for i, x in enumerate(c.objects):
        node = b"".join(
            wire_field(1, number(1, to) + wire_field(2, name.encode())) for name, to in c.edges[i]
        )
        if i in c.keys:
            full = x.op.name if isinstance(x, Variable) else x.name
            texts = (VALUE, full, c.keys[i])
            node += wire_field(
                2, b"".join(wire_field(n, t.encode()) for n, t in enumerate(texts, 1))
            )
        for variable, slot, v in c.slots.get(i, ()):
            row = number(1, variable) + wire_field(2, slot.encode()) + number(3, v)
            node += wire_field(3, row)
        out += wire_field(1, node)
    return out


def _text(x: Any) -> str:
    return x.decode() if isinstance(x, bytes) else str(x)


def decode_graph(data: bytes) -> list[StoredNode]:
    """The nodes of a ``TrackableObjectGraph``; the first is the root."""
    nodes = []
    for kind, body in fields(data):
        if kind != 1 or not isinstance(body, bytes):
            continue
        node = StoredNode()
        for no, raw in fields(body):
            part: dict[int, Any] = dict(fields(raw)) if isinstance(raw, bytes) else {}
            if no == 1:
                node.children.append((_text(part.get(2, b"")), int(part.get(1, 0))))
            elif no == 2:
                texts = _text(part.get(2, b"")), _text(part.get(3, b""))
                node.attributes[_text(part.get(1, b""))] = texts
            elif no == 3:
                row = int(part.get(1, 0)), _text(part.get(2, b"")), int(part.get(3, 0))
                node.slots.append(row)
        nodes.append(node)
    return nodes
