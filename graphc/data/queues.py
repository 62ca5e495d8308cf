"""Queues: threads put elements in and take them out, in runs of one session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from graphc.data.store import Fifo, Prioritised, Shuffled, Store
from graphc.data.structure import stack, symbolic
from graphc.errors import InvalidArgumentError
from graphc.face.current import get_seed
from graphc.face.elements import Operation
from graphc.face.graph import get_default_graph
from graphc.face.shape import TensorShape, as_shape
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.node import Value
from graphc.ops.convert import constant_op, convert_to_tensor
from graphc.ops.record import Attrs, Types, no_grad, op

__all__ = [
    "FIFOQueue", "PaddingFIFOQueue", "PriorityQueue", "QueueBase", "RandomShuffleQueue",
]  # fmt: skip


# ------------------------------------------------------------------------- records


def _nothing(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return []


def _declared(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return list(zip(attrs["types"], attrs["shapes"], strict=True))


def _put(host: Any, *arrays: Any, queue: QueueBase) -> None:
    queue._store(host).put([queue._checked(arrays)])


def _put_many(host: Any, *arrays: Any, queue: QueueBase) -> None:
    rows = {len(a) for a in arrays}
    if len(rows) != 1:
        raise InvalidArgumentError(
            None, None, f"enqueue_many needs components of equally many rows, got {sorted(rows)}"
        )
    elements = [queue._checked([a[i] for a in arrays]) for i in range(rows.pop())]
    queue._store(host).put(elements)


def _take(host: Any, *, queue: QueueBase, types: Any, shapes: Any) -> tuple[Any, ...]:
    element: tuple[Any, ...] = queue._store(host).take(1)[0]
    return element


def _take_many(
    host: Any, n: Any, *, queue: QueueBase, types: Any, shapes: Any, fewer: bool
) -> tuple[Any, ...]:
    count = int(n)
    if count < 0:
        raise InvalidArgumentError(None, None, f"DequeueManyV2 requested {count} < 0 elements")
    if not queue._has_shapes():
        raise InvalidArgumentError(
            None, None, f"{queue._kind}'s DequeueMany and DequeueUpTo require the components to "
            "have specified shapes.",
        )  # fmt: skip
    elements = queue._store(host).take(count, fewer)
    return tuple([queue._stacked(i, [e[i] for e in elements]) for i in range(len(queue.dtypes))])


_HOST: dict[str, Any] = {"types": "fiubs", "stateful": True, "grad": no_grad}
_EFFECT: dict[str, Any] = {"facts": {"effect": True}, **_HOST}

handle_op = op(
    "queue_handle", "FIFOQueueV2", "host",
    doc="A queue, by name: what reads it has it as an attribute.",
    infer=lambda inputs, attrs: [(dtypes.string, ())], types="fiubs", stateful=True, grad=no_grad,
    host=lambda host, queue: np.array(queue._label.encode(), object),
    facts={"type": lambda inputs, attrs: f"{attrs['queue']._kind}V2"},
)  # fmt: skip
enqueue_op = op(
    "queue_enqueue", "QueueEnqueueV2", "host", args=("*components",), infer=_nothing, host=_put,
    doc="Puts an element into a queue.", **_EFFECT,
)  # fmt: skip
enqueue_many_op = op(
    "queue_enqueue_many", "QueueEnqueueManyV2", "host", args=("*components",), infer=_nothing,
    doc="Puts rows as elements into a queue.", host=_put_many, **_EFFECT,
)  # fmt: skip
dequeue_op = op(
    "queue_dequeue", "QueueDequeueV2", "host", infer=_declared, host=_take,
    doc="Takes an element out of a queue.", **_EFFECT,
)  # fmt: skip
dequeue_many_op = op(
    "queue_dequeue_many", "QueueDequeueManyV2", "host", args=("n",), infer=_declared,
    doc="Takes several elements out of a queue, stacked.", host=_take_many, **_HOST,
    facts={
        "effect": True,
        "type": lambda inputs, attrs: f"QueueDequeue{'UpTo' if attrs['fewer'] else 'Many'}V2",
    },
)  # fmt: skip
close_op = op(
    "queue_close", "QueueCloseV2", "host", infer=_nothing, doc="Closes a queue.",
    host=lambda host, queue, cancel: queue._store(host).finish(cancel), **_EFFECT,
)  # fmt: skip
size_op = op(
    "queue_size", "QueueSizeV2", "host", infer=lambda inputs, attrs: [(dtypes.int32, ())],
    doc="How many elements a queue has.", facts={"effect": True},
    host=lambda host, queue: np.int32(len(queue._store(host))), **_HOST,
)  # fmt: skip
is_closed_op = op(
    "queue_is_closed", "QueueIsClosedV2", "host", infer=lambda inputs, attrs: [(dtypes.bool_, ())],
    doc="Whether a queue is closed.", facts={"effect": True},
    host=lambda host, queue: np.bool_(queue._store(host).closed), **_HOST,
)  # fmt: skip


# ------------------------------------------------------------------------- classes


class QueueBase:
    """A queue of elements, each one or several tensors.

    Runs that put in wait while it is full, those that take out while it is empty.

    Attributes
    ----------
    name : str
    dtypes : list of DType
    shapes : list of TensorShape
    names : list of str or None
    """

    _kind: ClassVar[str] = "QueueBase"

    def __init__(
        self, dtypes: Sequence[DType], shapes: Sequence[TensorShape] | None, names: Any,
        queue_ref: Any,
    ) -> None:  # fmt: skip
        self._dtypes = list(dtypes)
        self._given = shapes is not None
        if shapes is not None and len(shapes) != len(dtypes):
            raise ValueError(
                "Queue shapes must have the same length as dtypes, "
                f"received len(shapes)={len(shapes)}, len(dtypes)={len(dtypes)}"
            )
        self._shapes = list(shapes) if shapes is not None else [as_shape(None) for _ in dtypes]
        if names is not None and len(names) != len(self._dtypes):
            raise ValueError("`names` must have one name for each component of the queue.")
        self._names = names
        self._handle: Any = None
        self._ref = self._label_name = str(queue_ref)
        self._graph = get_default_graph()

    def _record(self, name: str, shared_name: str | None) -> None:
        """The node that stands for the queue; queues of one shared name are one in a session."""
        self._handle = build(handle_op, (), {"queue": self}, name)
        self._label_name = self._handle.name
        self._ref = shared_name or self._label_name

    @property
    def _name(self) -> str:
        return self._label_name.rpartition("/")[2]

    def _new_store(self) -> Store:
        raise NotImplementedError(f"{type(self).__name__} is no kind of queue")

    @property
    def _label(self) -> str:
        return f"{self._kind} '_0_{self._ref}'"

    def _store(self, host: Any) -> Any:
        return host.resource(f"queue/{self._ref}", self._new_store)

    def _has_shapes(self) -> bool:
        return self._given

    def _checked(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        for i, (a, s) in enumerate(zip(arrays, self._shapes, strict=True)):
            if not s.is_compatible_with(list(np.shape(a))):
                raise InvalidArgumentError(
                    None, None, f"Shape mismatch in tuple component {i}. Expected {_text(s)}, got "
                    f"{_text(as_shape(list(np.shape(a))))}",
                )  # fmt: skip
        return tuple(arrays)

    def _stacked(self, i: int, values: Sequence[Any]) -> Any:
        dtype = self._dtypes[i]
        if not values:
            return np.empty((0, *[d or 0 for d in self._shapes[i].as_list()]), dtype.np)
        return stack(values, dtype)

    # ---- what users see

    @staticmethod
    def from_list(index: Any, queues: Sequence[QueueBase]) -> QueueBase:
        """One of `queues`: the one at `index`, which must be known.

        Raises
        ------
        TypeError
            When they differ in element types.
        """
        if not queues or not isinstance(queues, list) or not all(
            isinstance(q, QueueBase) for q in queues
        ):  # fmt: skip
            raise TypeError("A list of queues expected")
        if any(q.dtypes != queues[0].dtypes for q in queues[1:]):
            raise TypeError("Queues do not have matching component dtypes.")
        i = index.node.attrs["value"] if isinstance(index, Value) else index
        chosen: QueueBase = queues[int(i)]
        return chosen

    @property
    def queue_ref(self) -> Any:
        return self._ref if self._handle is None else self._handle.outputs[0]

    @property
    def name(self) -> str:
        return self._label_name

    @property
    def dtypes(self) -> list[DType]:
        return self._dtypes

    @property
    def shapes(self) -> list[TensorShape]:
        return self._shapes

    @property
    def names(self) -> Any:
        return self._names

    def _components(self, vals: Any, many: bool) -> list[Value]:
        if isinstance(vals, dict):
            if not self._names:
                raise ValueError("Queue must have names to enqueue a dictionary")
            if sorted(self._names) != sorted(vals):
                raise ValueError(
                    "Keys in dictionary to enqueue do not match names of Queue.  Dictionary: "
                    f"({sorted(vals)}), Queue: ({sorted(self._names)})"
                )
            vals = [vals[k] for k in self._names]
        else:
            if self._names:
                raise ValueError("You must enqueue a dictionary in a Queue with names")
            if not isinstance(vals, (list, tuple)):
                vals = [vals]
        if len(vals) != len(self._dtypes):
            raise ValueError(
                f"Expected {len(self._dtypes)} components to enqueue, got {len(vals)}."
            )
        out = []
        for i, (v, t, s) in enumerate(zip(vals, self._dtypes, self._shapes, strict=True)):
            tensor: Any = convert_to_tensor(v, t, f"component_{i}")
            shape = tensor.shape
            if many:
                shape = shape.with_rank_at_least(1)[1:] if shape.ndims is not None else shape
            if not shape.is_compatible_with(s):
                raise ValueError(f"Shapes {shape} and {s} are incompatible")
            out.append(tensor)
        return out

    def enqueue(self, vals: Any, name: str | None = None) -> Operation:
        """An operation that puts one element in.

        Parameters
        ----------
        vals : tensor, list of tensors, or dict where the queue has names
        """
        with current().scope(name, f"{self._name}_enqueue") as scope:
            values = self._components(vals, False)
            return build(enqueue_op, values, {"queue": self}, scope)  # type: ignore[return-value]

    def enqueue_many(self, vals: Any, name: str | None = None) -> Operation:
        """An operation that puts each row of `vals` in as an element."""
        with current().scope(name, f"{self._name}_EnqueueMany") as scope:
            values = self._components(vals, True)
            made = build(enqueue_many_op, values, {"queue": self}, scope)
            return made  # type: ignore[return-value]

    def _result(self, values: Sequence[Value]) -> Any:
        if self._names:
            return dict(zip(self._names, values, strict=True))
        return values[0] if len(values) == 1 else list(values)

    def _attrs(self, shapes: Sequence[Any]) -> dict[str, Any]:
        return {"queue": self, "types": tuple(self._dtypes), "shapes": tuple(shapes)}

    def dequeue(self, name: str | None = None) -> Any:
        """Tensors: the element that a run takes out.

        Raises (in a run)
        -----------------
        OutOfRangeError
            When the queue is closed and empty.
        """
        attrs = self._attrs([symbolic(s) for s in self._element_shapes()])
        node = build(dequeue_op, (), attrs, name or f"{self._name}_Dequeue")
        return self._result(node.outputs)

    def _element_shapes(self) -> Sequence[TensorShape]:
        return self._shapes

    def _many(self, n: Any, name: str | None, default: str, fewer: bool) -> Any:
        with current().scope(name, f"{self._name}_{default}") as scope:
            count = convert_to_tensor(n, dtypes.int32, "n")
            known = None
            if count.node.op is constant_op and not fewer:
                known = int(count.node.attrs["value"])
            shapes = [
                None if s.ndims is None else symbolic(as_shape([known, *s.as_list()]))
                for s in self._shapes
            ]
            attrs = {**self._attrs(shapes), "fewer": fewer}
            node = build(dequeue_many_op, (count,), attrs, scope)
        return self._result(node.outputs)

    def dequeue_many(self, n: Any, name: str | None = None) -> Any:
        """Tensors: `n` elements stacked.

        Raises (in a run)
        -----------------
        OutOfRangeError
            When the queue is closed and has fewer.
        """
        return self._many(n, name, "DequeueMany", False)

    def dequeue_up_to(self, n: Any, name: str | None = None) -> Any:
        """Tensors: `n` elements stacked, fewer where the queue is closed and has fewer."""
        return self._many(n, name, "DequeueUpTo", True)

    def close(self, cancel_pending_enqueues: bool = False, name: str | None = None) -> Operation:
        """An operation that closes the queue: nothing more can be put in.

        Parameters
        ----------
        cancel_pending_enqueues : bool
            Whether runs that wait to put something in fail.
        """
        attrs = {"queue": self, "cancel": bool(cancel_pending_enqueues)}
        made = build(close_op, (), attrs, name or f"{self._name}_Close")
        return made  # type: ignore[return-value]

    def is_closed(self, name: str | None = None) -> Value:
        """Whether the queue is closed: a bool tensor."""
        name = name or f"{self._name}_Is_Closed"
        return build(is_closed_op, (), {"queue": self}, name).outputs[0]

    def size(self, name: str | None = None) -> Value:
        """How many elements the queue has: an int32 tensor."""
        return build(size_op, (), {"queue": self}, name or f"{self._name}_Size").outputs[0]


def _text(s: TensorShape) -> str:
    return "[" + ",".join("?" if n is None else str(n) for n in s.as_list()) + "]"


def _listed(x: Any, one: Callable[[Any], Any]) -> list[Any]:
    return [one(v) for v in x] if isinstance(x, (list, tuple)) else [one(x)]


def _shapes(shapes: Any, dtypes_: Sequence[DType]) -> list[TensorShape] | None:
    """One shape for each component; a single shape stands for a list of one."""
    if shapes is None:
        return None
    if isinstance(shapes, TensorShape) or (
        len(dtypes_) == 1 and not any(isinstance(s, (list, tuple, TensorShape)) for s in shapes)
    ):
        shapes = [shapes]
        if len(dtypes_) > 1:
            shapes *= len(dtypes_)
    return [as_shape(s) for s in shapes]


class FIFOQueue(QueueBase):
    """A queue whose elements come out in the order in which they went in.

    Parameters
    ----------
    capacity : int
    dtypes : DType or list of DType
    shapes : list of shapes, optional
        Without it elements may have any shape, and only single ones can be taken out.
    names : list of str, optional
        Elements are dicts then.
    shared_name, name : str, optional
    """

    _kind = "FIFOQueue"

    def __init__(
        self, capacity: Any, dtypes: Any, shapes: Any = None, names: Any = None,
        shared_name: str | None = None, name: str = "fifo_queue",
    ) -> None:  # fmt: skip
        types = _listed(dtypes, as_dtype)
        names = None if names is None else _listed(names, str)
        if not isinstance(capacity, int | np.integer):
            raise TypeError(f"Expected int for argument 'capacity' not {capacity!r}.")
        self._capacity = int(capacity)
        super().__init__(types, _shapes(shapes, types), names, name)
        self._check_shapes()
        self._record(name, shared_name)

    def _check_shapes(self) -> None:
        for s in self._shapes if self._given else ():
            if not s.is_fully_defined():
                raise ValueError(f"All shapes must be fully defined: {self._shapes}")

    def _new_store(self) -> Store:
        return Fifo(self._label, self._capacity)


class PaddingFIFOQueue(FIFOQueue):
    """A queue like `FIFOQueue`, whose shapes may have None.

    Elements that are taken out together are padded with zeros to the largest.
    """

    _kind = "PaddingFIFOQueue"

    def __init__(
        self, capacity: Any, dtypes: Any, shapes: Any, names: Any = None,
        shared_name: str | None = None, name: str = "padding_fifo_queue",
    ) -> None:  # fmt: skip
        super().__init__(capacity, dtypes, shapes, names, shared_name, name)

    def _check_shapes(self) -> None:
        if len(self._dtypes) != len(self._shapes):
            raise ValueError("Shapes must be provided for all components.")

    def _stacked(self, i: int, values: Sequence[Any]) -> Any:
        if not values:
            return super()._stacked(i, values)
        sizes = [max(n) for n in zip(*[np.shape(v) for v in values], strict=True)]
        fill: Any = b"" if self._dtypes[i].kind == "s" else 0
        out = np.full((len(values), *sizes), fill, self._dtypes[i].np)
        for row, v in enumerate(values):
            place: Any = (row, *[slice(n) for n in np.shape(v)])
            out[place] = v
        return out


class RandomShuffleQueue(FIFOQueue):
    """A queue whose elements come out in random order.

    Parameters
    ----------
    capacity : int
    min_after_dequeue : int
        How many elements stay in it, until it is closed: more mix better.
    seed : int, optional
        With it the order is TensorFlow's.
    """

    _kind = "RandomShuffleQueue"

    def __init__(
        self, capacity: Any, min_after_dequeue: Any, dtypes: Any, shapes: Any = None,
        names: Any = None, seed: int | None = None, shared_name: str | None = None,
        name: str = "random_shuffle_queue",
    ) -> None:  # fmt: skip
        seeds = get_seed(seed)
        self._seeds = (seeds[0] or 0, seeds[1] or 0)
        self._keep = int(min_after_dequeue)
        super().__init__(capacity, dtypes, shapes, names, shared_name, name)

    def _new_store(self) -> Store:
        from graphc.ops import philox

        seeds = philox.fresh_seeds() if self._seeds == (0, 0) else self._seeds
        return Shuffled(self._label, self._capacity, self._keep, seeds)


class PriorityQueue(FIFOQueue):
    """A queue whose elements come out by priority, the smallest first.

    An element begins with its priority, an int64 scalar.
    """

    _kind = "PriorityQueue"

    def __init__(
        self, capacity: Any, types: Any, shapes: Any = None, names: Any = None,
        shared_name: str | None = None, name: str = "priority_queue",
    ) -> None:  # fmt: skip
        kinds = _listed(types, as_dtype)
        given = _shapes(shapes, kinds)
        full = None if given is None else [as_shape([]), *given]
        super().__init__(capacity, [dtypes.int64, *kinds], full, names, shared_name, name)
        self._shapes[0] = as_shape([])

    def _new_store(self) -> Store:
        return Prioritised(self._label, self._capacity)


_KINDS: dict[str, Any] = {
    k._kind: k for k in (FIFOQueue, PaddingFIFOQueue, RandomShuffleQueue, PriorityQueue)
}


def stored_form(queue: Any) -> dict[str, Any]:
    """What TensorFlow's node of a queue says of it: attribute → value."""
    first = 1 if isinstance(queue, PriorityQueue) else 0  # the priorities go without saying
    form = {
        "capacity": queue._capacity, "component_types": tuple(queue._dtypes[first:]),
        "shapes": [s.as_list() for s in queue._shapes[first:]] if queue._given else [],
        "container": "", "shared_name": queue._ref if queue._ref != queue.name else "",
    }  # fmt: skip
    if isinstance(queue, RandomShuffleQueue):
        seed, seed2 = queue._seeds
        form |= {"min_after_dequeue": queue._keep, "seed": seed, "seed2": seed2}
    return form


def from_form(kind: str, form: dict[str, Any], name: str) -> QueueBase:
    """The queue that a node of TensorFlow's stands for."""
    shapes = form["shapes"] or None
    args: list[Any] = [form["capacity"]]
    if kind == RandomShuffleQueue._kind:
        args.append(form["min_after_dequeue"])
    made: QueueBase = _KINDS[kind](
        *args,
        list(form["component_types"]),
        shapes,
        shared_name=form["shared_name"] or None,
        name=name,
    )
    if isinstance(made, RandomShuffleQueue):
        made._seeds = (int(form["seed"]), int(form["seed2"]))
    return made
