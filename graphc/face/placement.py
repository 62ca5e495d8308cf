"""Which device an operation is said to be on: `tf.device`, device functions, colocation.

Everything runs on the CPU. Programs print these names, choose by them, and send graphs with them to
TensorFlow.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from graphc.face.devices import DeviceSpec, MergeDevice, merge_device
from graphc.ir.node import Node
from graphc.ops.convert import convert_to_tensor

__all__ = ["Devices", "Placed", "Placement"]


class Placement(NamedTuple):
    """What holds for operations made now.

    Attributes
    ----------
    devices : tuple
        Device functions, innermost first; None ends what they say.
    beside : tuple of Node
        Operations to be with, outermost first.
    """

    devices: tuple[Any, ...] = ()
    beside: tuple[Node, ...] = ()


_NOWHERE = Placement()


class Devices:
    """The part of `Graph` that is about devices."""

    _placement: Placement | None

    def _begin_devices(self) -> None:
        self._placement = None
        #: Of operations that have one.
        self.devices: dict[Node, str] = {}
        #: The operations that others are to be with, by name, where they are not by themselves.
        self.groups: dict[Node, tuple[str, ...]] = {}

    def device(self, device_name_or_function: Any) -> Placed:
        """A context whose operations are said to be on a device; all run on the CPU.

        Parameters
        ----------
        device_name_or_function : str, DeviceSpec, callable or None
            What an inner one does not say an outer one does. A function gets the operation and
            gives the device's name. None: nothing outer holds.

        Raises
        ------
        ValueError
            For a name that no device can have.
        AttributeError
            For what is no name, no `DeviceSpec`, no function and not None.
        """
        given = device_name_or_function
        if given is not None and not callable(given):
            given = merge_device(given)
        now = self._placement or _NOWHERE
        return Placed(self, now._replace(devices=(given, *now.devices)))

    def colocate_with(self, op: Any, ignore_existing: bool = False) -> Placed:
        """A context whose operations are where `op` is, whatever devices are named around it.

        Raises
        ------
        ValueError
            When `op` is None and `ignore_existing` is not true.
        """
        if op is None and not ignore_existing:
            raise ValueError(
                "Trying to reset colocation (op is None) but ignore_existing is not True"
            )
        before = () if ignore_existing or self._placement is None else self._placement.beside
        if op is not None:
            if not isinstance(op, Node):
                op = op.op if hasattr(op, "op") else convert_to_tensor(op).node
            before = (*before, op)
        return Placed(self, Placement((), before))

    def _apply_device_functions(self, op: Any) -> None:
        """Give `op` the device that holds now."""
        if self._placement is not None:
            self._on_devices(op, self._placement.devices)

    def _on_devices(self, op: Node, devices: tuple[Any, ...]) -> None:
        known = self.devices
        for f in devices:
            if f is None:
                break
            before = known.get(op, "")
            if isinstance(f, MergeDevice):
                made = f.merged(before)
            else:
                given = f(op)
                made = given.to_string() if isinstance(given, DeviceSpec) else given
                if isinstance(made, bytes):
                    made = made.decode()
                if not isinstance(made, str):
                    raise TypeError(f"Expected binary or unicode string, got {made!r}")
            if made != before:
                known[op] = made

    def _place(self, op: Node) -> None:
        """What `device` and `colocate_with` say of a new operation."""
        now = self._placement
        assert now is not None
        self._on_devices(op, now.devices)
        if now.beside:
            groups: set[str] = set()
            for other in now.beside:
                groups.update(self.groups.get(other) or (other.name,))
                on = self.devices.get(other)
                if on:
                    self.devices[op] = on
            self.groups[op] = tuple(sorted(groups))

    def _set_device(self, op: Node, device: str) -> None:
        """`op` was made somewhere else, on a device; what holds here adds to that."""
        self.devices.pop(op, None)
        if device:
            self.devices[op] = device
        self._apply_device_functions(op)


class Placed:
    """``with graph.device(…):`` or ``with graph.colocate_with(…):``."""

    __slots__ = ("graph", "now", "old")

    def __init__(self, graph: Devices, now: Placement) -> None:
        self.graph, self.now = graph, now

    def __enter__(self) -> None:
        self.old = self.graph._placement
        self.graph._placement = self.now

    def __exit__(self, *exc: object) -> None:
        nested = self.graph._placement is self.now
        self.graph._placement = self.old
        if not nested and exc[0] is None:
            raise RuntimeError("Exiting device scope without proper scope nesting.")
