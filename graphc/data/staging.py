"""``tf.contrib.staging.StagingArea``: elements that wait for a later run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.data.store import Meeting
from graphc.data.structure import symbolic
from graphc.errors import ResourceExhaustedError
from graphc.face.elements import Operation
from graphc.face.graph import get_default_graph
from graphc.face.shape import TensorShape, as_shape
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dtypes import as_dtype
from graphc.ir.interrupts import Undisturbed
from graphc.ir.node import Value
from graphc.ops.convert import convert_to_tensor
from graphc.ops.record import Attrs, Types, no_grad, op

__all__ = ["StagingArea"]


class _Staged(Meeting):
    """What a session holds for an area.

    Parameters
    ----------
    capacity, memory : int
        How many elements it holds, and how many bytes; 0 for any number.
    """

    def __init__(self, capacity: int, memory: int) -> None:
        super().__init__()
        self.capacity, self.memory = capacity, memory
        self.elements: list[tuple[Any, ...]] = []

    @staticmethod
    def _bytes(element: tuple[Any, ...]) -> int:
        return sum(np.asarray(x).nbytes for x in element)

    def _fits(self, element: tuple[Any, ...]) -> bool:
        if self.capacity and len(self.elements) >= self.capacity:
            return False
        held = sum(map(self._bytes, self.elements))
        return not self.memory or held + self._bytes(element) <= self.memory

    def put(self, element: tuple[Any, ...]) -> None:
        if self.memory and self._bytes(element) > self.memory:
            raise ResourceExhaustedError(
                None, None,
                f"Attempted to insert tensors with combined size of '{self._bytes(element)}' bytes "
                f"into Staging Area with a memory limit of '{self.memory}'.",
            )  # fmt: skip
        with Undisturbed(), self.changed:
            self._wait(lambda: self._fits(element))
            self.elements.append(element)
            self.changed.notify_all()

    def get(self) -> tuple[Any, ...]:
        with Undisturbed(), self.changed:
            self._wait(lambda: bool(self.elements))
            self.changed.notify_all()
            return self.elements.pop(0)

    def peek(self, index: int) -> tuple[Any, ...]:
        with Undisturbed(), self.changed:
            self._wait(lambda: len(self.elements) > index)
            return self.elements[index]

    def clear(self) -> None:
        with Undisturbed(), self.changed:
            self.elements.clear()
            self.changed.notify_all()


# ------------------------------------------------------------------------- records


def _nothing(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return []


def _element(inputs: Sequence[Value], attrs: Attrs) -> Types:
    area = attrs["area"]
    sizes = [None if s.ndims is None else symbolic(s) for s in area.shapes]
    return list(zip(area.dtypes, sizes, strict=True))


def _scalar(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(dtypes.int32, ())]


_HOST: dict[str, Any] = {
    "types": "fiubsc", "stateful": True, "grad": no_grad, "facts": {"effect": True}
}  # fmt: skip

stage_op = op(
    "stage", "Stage", "host", doc="Puts an element in a staging area.", args=("*values",),
    infer=_nothing, host=lambda host, *values, area: area._held(host).put(values), **_HOST,
)  # fmt: skip
unstage_op = op(
    "unstage", "Unstage", "host", doc="Takes the first element out of a staging area.", args=(),
    infer=_element, host=lambda host, *, area: area._held(host).get(), **_HOST,
)  # fmt: skip
stage_peek_op = op(
    "stage_peek", "StagePeek", "host", doc="An element of a staging area, which stays there.",
    args=("index",), infer=_element,
    host=lambda host, index, *, area: area._held(host).peek(int(index)), **_HOST,
)  # fmt: skip
stage_size_op = op(
    "stage_size", "StageSize", "host", doc="How many elements a staging area holds.", args=(),
    infer=_scalar, host=lambda host, *, area: np.int32(len(area._held(host).elements)), **_HOST,
)  # fmt: skip
stage_clear_op = op(
    "stage_clear", "StageClear", "host", doc="Takes all elements out of a staging area.", args=(),
    infer=_nothing, host=lambda host, *, area: area._held(host).clear(), **_HOST,
)  # fmt: skip


class StagingArea:
    """Elements, each one or several tensors, that some runs put in and others take out in order.

    Parameters
    ----------
    dtypes, shapes : list
        Of the parts of an element.
    names : list of str, optional
        Elements are then dictionaries.
    shared_name : str, optional
        Areas of one shared name are one in a session.
    capacity, memory_limit : int
        Who puts in waits while it holds so many elements, or bytes; 0 for any number.

    Examples
    --------
    >>> import graphc as tf
    >>> area = tf.contrib.staging.StagingArea([tf.float32])
    >>> put, (x,) = area.put([tf.constant(2.0)]), area.get()
    >>> with tf.Session() as session:
    ...     session.run(put)
    ...     print(session.run(x * 3))
    6.0
    """

    def __init__(
        self, dtypes: Sequence[Any], shapes: Any = None, names: Any = None,
        shared_name: str | None = None, capacity: int = 0, memory_limit: int = 0,
    ) -> None:  # fmt: skip
        graph = get_default_graph()
        self._name = graph.unique_name("StagingArea") if shared_name is None else shared_name
        self._dtypes = [as_dtype(t) for t in dtypes]
        if shapes is not None and len(shapes) != len(self._dtypes):
            raise ValueError("StagingArea shapes must be the same length as dtypes")
        if names is not None and len(names) != len(self._dtypes):
            raise ValueError("StagingArea names must be the same length as dtypes")
        self._shapes = [as_shape(s) for s in (shapes or [None] * len(self._dtypes))]
        self._names = names
        self._capacity, self._memory = int(capacity), int(memory_limit)

    @property
    def name(self) -> str:
        """The name of the area."""
        return self._name

    @property
    def dtypes(self) -> list[Any]:
        """Types of the parts of an element."""
        return self._dtypes

    @property
    def shapes(self) -> list[TensorShape]:
        """Shapes of the parts of an element."""
        return self._shapes

    @property
    def names(self) -> Any:
        """Names of the parts of an element, if they have any."""
        return self._names

    @property
    def capacity(self) -> int:
        """How many elements it holds; 0 for any number."""
        return self._capacity

    @property
    def memory_limit(self) -> int:
        """How many bytes it holds; 0 for any number."""
        return self._memory

    def _held(self, host: Any) -> _Staged:
        made: _Staged = host.resource(
            f"staging/{self._name}", lambda: _Staged(self._capacity, self._memory)
        )
        return made

    def _components(self, values: Any) -> list[Value]:
        if isinstance(values, dict):
            if not self._names:
                raise ValueError("Staging areas must have names to enqueue a dictionary")
            if sorted(values) != sorted(self._names):
                raise ValueError(
                    "Keys in dictionary to put do not match names of staging area. Dictionary: "
                    f"({sorted(values)}), Queue: ({sorted(self._names)})"
                )
            values = [values[k] for k in self._names]
        elif self._names:
            raise ValueError("You must enqueue a dictionary in a staging area with names")
        elif not isinstance(values, list | tuple):
            raise ValueError("Values must be a list or tuple of tensors, or a dictionary")
        if len(values) != len(self._dtypes):
            raise ValueError(f"Unexpected number of inputs {len(values)} vs {len(self._dtypes)}")
        parts: list[Any] = [
            convert_to_tensor(v, t) for v, t in zip(values, self._dtypes, strict=True)
        ]
        for v, s in zip(parts, self._shapes, strict=True):
            v.shape.assert_is_compatible_with(s)
        return parts

    def _record(self, record: Any, inputs: Sequence[Any], what: str, name: str | None) -> Any:
        with current().scope(name, f"{self._name}_{what}") as scope:
            return build(record, inputs, {"area": self}, scope or name)

    def _element(self, node: Any) -> Any:
        current().reserve("NoOp")
        if self._names:
            return dict(zip(self._names, node.outputs, strict=True))
        return list(node.outputs)

    def put(self, values: Any, name: str | None = None) -> Operation:
        """An operation that puts one element in.

        Parameters
        ----------
        values : list of tensors, or dict where the area has names
        """
        made: Operation = self._record(stage_op, self._components(values), "put", name)
        return made

    def get(self, name: str | None = None) -> Any:
        """The element that a run takes out; it waits for one."""
        return self._element(self._record(unstage_op, [], "get", name))

    def peek(self, index: Any, name: str | None = None) -> Any:
        """The element at a place, which stays there; a run waits for it."""
        with current().scope(name, f"{self._name}_peek") as scope:
            at = convert_to_tensor(index, dtypes.int32, "index")
            return self._element(build(stage_peek_op, [at], {"area": self}, scope or name))

    def size(self, name: str | None = None) -> Value:
        """How many elements it holds."""
        made: Value = self._record(stage_size_op, [], "size", name).outputs[0]
        return made

    def clear(self, name: str | None = None) -> Operation:
        """An operation that takes all elements out."""
        made: Operation = self._record(stage_clear_op, [], "clear", name)
        return made
