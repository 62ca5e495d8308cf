"""What is in a face graph: operations and tensors by name, what reads what, messages of it."""

from __future__ import annotations

import importlib
from typing import Any

from graphc.face.elements import GraphDef, Operation, Tensor
from graphc.ir.node import Value

__all__ = ["Contents"]


class Contents:
    """The part of `Graph` that finds operations and tensors."""

    _by_name: dict[str, Operation]
    _users: tuple[int, dict[Value, list[Operation]]]
    _lock: Any

    def as_graph_def(self, from_version: int | None = None, add_shapes: bool = False) -> Any:
        """The operations as a ``GraphDef`` message.

        Without the tensorboard package, which carries the messages, a `GraphDef` that can only be
        read: names, types and inputs.

        Parameters
        ----------
        from_version : int, optional
            Leave out what was recorded before the graph had this version.
        add_shapes : bool
            Add the static shapes of all outputs.
        """
        try:
            export = importlib.import_module("graphc.graphdef.export")
            return export.export_graph(self, from_version, add_shapes)
        except ImportError:
            return GraphDef([op._light_def() for op in self.get_operations()])

    def get_operations(self) -> list[Operation]:
        """All operations in the order they were made."""
        with self._lock:
            return list(self._by_name.values())

    def get_operation_by_name(self, name: str) -> Operation:
        """The operation of that name; KeyError when there is none."""
        if not isinstance(name, str):
            raise TypeError(f"Operation names are strings (or similar), not {type(name).__name__}.")
        out: Operation = self.as_graph_element(name, allow_tensor=False)
        return out

    def get_tensor_by_name(self, name: str) -> Tensor:
        """The tensor of that name (``"op:0"``); KeyError when there is none."""
        if not isinstance(name, str):
            raise TypeError(f"Tensor names are strings (or similar), not {type(name).__name__}.")
        out: Tensor = self.as_graph_element(name, allow_operation=False)
        return out

    def as_graph_element(
        self, obj: Any, allow_tensor: bool = True, allow_operation: bool = True
    ) -> Any:
        """The tensor or operation meant by a tensor, an operation, a variable or a name.

        Raises
        ------
        TypeError
            When `obj` is none of these.
        ValueError
            When it is of another graph, or of the kind that is not allowed.
        KeyError
            When the graph has none of that name.
        """
        if (isinstance(obj, Tensor) and allow_tensor) or (
            isinstance(obj, Operation) and allow_operation
        ):
            if obj.graph is self:
                return obj
            kind = "Tensor" if isinstance(obj, Tensor) else "Operation"
            raise ValueError(f"{kind} {obj!s} is not an element of this graph.")
        kinds = [k for k, ok in (("Tensor", allow_tensor), ("Operation", allow_operation)) if ok]
        if not kinds:
            raise ValueError("allow_tensor and allow_operation can't both be False.")
        what = " or ".join(kinds)
        hook = getattr(obj, "_as_graph_element", None)
        if callable(hook):
            element = hook()
            if element is not None:
                return self.as_graph_element(element, allow_tensor, allow_operation)
        if isinstance(obj, bytes):
            obj = obj.decode()
        if not isinstance(obj, str):
            raise TypeError(f"Can not convert a {type(obj).__name__} into a {what}.")
        if ":" in obj:
            if not allow_tensor:
                raise ValueError(f"Name {obj!r} appears to refer to a Tensor, not a {what}.")
            return self._tensor_named(obj)
        if allow_operation:
            found = self._by_name.get(obj)
            if found is None:
                raise KeyError(f"The name {obj!r} refers to an Operation not in the graph.")
            return found
        is_op = obj in self._by_name
        says = "refers to an Operation" if is_op else "looks like an (invalid) Operation name"
        raise ValueError(
            f"The name {obj!r} {says}, not a {what}. Tensor names must be of the form "
            '"<op_name>:<output_index>".'
        )

    def _tensor_named(self, name: str) -> Value:
        parts = name.split(":")
        try:
            op_name, index = parts[0], int(parts[1])
            if len(parts) != 2:
                raise ValueError
        except ValueError:
            raise ValueError(
                f"The name {name!r} looks a like a Tensor name, but is not a valid one. "
                'Tensor names must be of the form "<op_name>:<output_index>".'
            ) from None
        op = self._by_name.get(op_name)
        missing = f"The name {name!r} refers to a Tensor which does not exist. The operation, "
        if op is None:
            raise KeyError(f"{missing}{op_name!r}, does not exist in the graph.")
        try:
            return op.outputs[index]
        except IndexError:
            if index == 0 and "handle" in op.op.facts:
                handle: Value = op.op.facts["handle"](op)
                return handle
            raise KeyError(
                f"{missing}{op_name!r}, exists but only has {len(op.outputs)} outputs."
            ) from None

    def _consumers(self, value: Value) -> list[Operation]:
        count, users = self._users
        if count != len(self._by_name):
            users = {}
            for op in self.get_operations():
                for v in dict.fromkeys(op.inputs):
                    users.setdefault(v, []).append(op)
            self._users = (len(self._by_name), users)
        return list(users.get(value, ()))
