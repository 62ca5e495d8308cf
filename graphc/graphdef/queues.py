"""Queues in graphs: here an attribute of the ops that read one, there the tensor of a node.

They are written and read as TensorFlow has them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.graphdef.attributes import decode, encode
from graphc.graphdef.tensors import shape_of, shape_proto
from graphc.ir.node import Node, Value
from graphc.proto import message

__all__ = ["EXPORTS", "QUEUES"]

Made = Sequence[Value] | Node
Maker = Callable[[Any, list[Value], str], Made]
Written = tuple[list[str], dict[str, Any]]


def _ops() -> Any:
    from graphc.data import queues  # with what makes them: for graphs with queues only

    return queues


# --------------------------------------------------------------------- reading


def _queue(n: Any, values: list[Value], name: str) -> Made:
    form: dict[str, Any] = {"shared_name": "", "shapes": (), "capacity": -1, "min_after_dequeue": 0,
                            "seed": 0, "seed2": 0}  # fmt: skip
    form |= {k: decode(n.attr[k]) for k in n.attr if k != "shapes"}
    shapes = [shape_of(s) for s in n.attr["shapes"].list.shape]
    form["shapes"] = [None if s is None else [d if type(d) is int else None for d in s]
                      for s in shapes]  # fmt: skip
    made = _ops().from_form(n.op.removesuffix("V2"), form, name)
    outputs: Sequence[Value] = made.queue_ref.node.outputs
    return outputs


def _of(handle: Value) -> Any:
    """The queue that a tensor stands for."""
    while handle.node.op.name == "identity":
        handle = handle.node.inputs[0]
    if handle.node.op.name != "queue_handle":
        raise ValueError(f"{handle.name} is no queue of the graph")
    return handle.node.attrs["queue"]


def _changed(method: str) -> Maker:
    """A node that puts something in."""

    def make(n: Any, values: list[Value], name: str) -> Made:
        handle, *rest = values
        queue = _of(handle)
        made: Node = getattr(queue, method)(rest, name=name)
        return made

    return make


def _taken(method: str) -> Maker:
    """A node that takes something out."""

    def make(n: Any, values: list[Value], name: str) -> Made:
        handle, *count = values
        found = getattr(_of(handle), method)(*count, name=name)
        return found if isinstance(found, list) else [found]

    return make


def _closed(n: Any, values: list[Value], name: str) -> Made:
    cancel = n.attr["cancel_pending_enqueues"].b
    made: Node = _of(values[0]).close(cancel, name=name)
    return made


#: Type → what makes nodes of it, with and without ``V2``.
QUEUES: dict[str, Maker] = {
    kind + version: maker
    for version in ("", "V2")
    for kind, maker in {
        "FIFOQueue": _queue, "PaddingFIFOQueue": _queue, "RandomShuffleQueue": _queue,
        "PriorityQueue": _queue, "QueueEnqueue": _changed("enqueue"),
        "QueueEnqueueMany": _changed("enqueue_many"), "QueueDequeue": _taken("dequeue"),
        "QueueDequeueMany": _taken("dequeue_many"), "QueueDequeueUpTo": _taken("dequeue_up_to"),
        "QueueClose": _closed, "QueueSize": _taken("size"), "QueueIsClosed": _taken("is_closed"),
    }.items()
}  # fmt: skip


# --------------------------------------------------------------------- writing


def _write_queue(e: Any, n: Node) -> Written:
    form = _ops().stored_form(n.attrs["queue"])
    shapes = form.pop("shapes")
    attrs = {k: encode(v) for k, v in form.items()}
    attrs["shapes"] = message("AttrValue")()
    attrs["shapes"].list.SetInParent()
    attrs["shapes"].list.shape.extend([shape_proto(tuple(s)) for s in shapes])
    return [], {"op": n.op.facts["type"](n.inputs, n.attrs), **attrs}


def _write(e: Any, n: Node) -> Written:
    """A node that does something with a queue."""
    queue = n.attrs["queue"]
    kind = n.op.facts.get("type", n.op.tf)
    attrs: dict[str, Any] = {"op": kind if isinstance(kind, str) else kind(n.inputs, n.attrs)}
    types = tuple(queue.dtypes)
    if n.op.name.startswith("queue_enqueue"):
        attrs |= {"Tcomponents": encode(types), "timeout_ms": encode(-1)}
    elif n.op.name.startswith("queue_dequeue"):
        attrs |= {"component_types": encode(types), "timeout_ms": encode(-1)}
    elif n.op.name == "queue_close":
        attrs["cancel_pending_enqueues"] = encode(bool(n.attrs["cancel"]))
    handle = queue.queue_ref.node.name
    values = [v.node.name if v.index == 0 else f"{v.node.name}:{v.index}" for v in n.inputs]
    return [handle, *values], attrs


#: Op → how it is written.
EXPORTS: dict[str, Callable[[Any, Node], Written]] = {
    "queue_handle": _write_queue,
    **dict.fromkeys(
        ("queue_enqueue", "queue_enqueue_many", "queue_dequeue", "queue_dequeue_many",
         "queue_close", "queue_size", "queue_is_closed"), _write,
    ),
}  # fmt: skip
