"""Names of devices: all run on the CPU, but operations know theirs as in TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = [
    "CXX11_ABI_FLAG",
    "GRAPH_DEF_VERSION",
    "GRAPH_DEF_VERSION_MIN_CONSUMER",
    "GRAPH_DEF_VERSION_MIN_PRODUCER",
    "MONOLITHIC_BUILD",
    "DeviceSpec",
    "MergeDevice",
    "canonical_name",
    "check_valid",
    "merge_device",
    "num_gpus",
]  # fmt: skip

#: TensorFlow 1.15's, for programs that print or compare them.
GRAPH_DEF_VERSION = 134
GRAPH_DEF_VERSION_MIN_CONSUMER = 0
GRAPH_DEF_VERSION_MIN_PRODUCER = 0
CXX11_ABI_FLAG = 0
MONOLITHIC_BUILD = 0


def num_gpus() -> int:
    """None."""
    return 0


#: What is accepted for each part, and how it is kept.
_KEPT: dict[str, Callable[[Any], Any]] = {
    "job": str,
    "replica": int,
    "task": int,
    "device_type": lambda kind: kind.upper() if kind in ("cpu", "gpu") else str(kind),
    "device_index": int,
}


class DeviceSpec:
    """The parts of a device's name, ``/job:worker/replica:0/task:1/device:GPU:0``.

    Parameters
    ----------
    job : str, optional
    replica, task : int, optional
    device_type : str, optional
    device_index : int, optional
    """

    def __init__(
        self, job: str | None = None, replica: int | None = None, task: int | None = None,
        device_type: str | None = None, device_index: int | None = None,
    ) -> None:  # fmt: skip
        self.job, self.replica, self.task = job, replica, task
        self.device_type, self.device_index = device_type, device_index

    def __setattr__(self, key: str, value: Any) -> None:
        kept = _KEPT.get(key)
        super().__setattr__(key, kept(value) if kept and value is not None else value)

    def _parts(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in _KEPT}

    def parse_from_string(self, spec: str) -> DeviceSpec:
        """Take the parts that a name says.

        Raises
        ------
        ValueError
            For what is no part of a device's name, or one that says two kinds of devices.
        """
        found = dict.fromkeys(_KEPT)
        for part in spec.split("/"):
            kind, *rest = part.split(":")
            if kind in ("job", "replica", "task") and len(rest) == 1:
                found[kind] = rest[0]
                continue
            if kind.upper() in ("CPU", "GPU") and len(rest) <= 1:
                rest = [kind.upper(), *(rest or "*")]
            elif not (kind == "device" and len(rest) == 2):
                if kind:
                    raise ValueError(f"Unknown attribute: '{kind}' in '{spec}'")
                continue
            if found["device_type"] is not None:
                raise ValueError(f"Cannot specify multiple device types: {spec}")
            found["device_type"] = rest[0]
            found["device_index"] = None if rest[1] == "*" else rest[1]
        for key, value in found.items():
            setattr(self, key, value)
        return self

    @classmethod
    def from_string(cls, spec: str) -> DeviceSpec:
        """The parts of a name."""
        return cls().parse_from_string(spec)

    def to_string(self) -> str:
        """The name."""
        out = f"/job:{self.job}" if self.job is not None else ""
        for key in ("replica", "task"):
            if getattr(self, key) is not None:
                out += f"/{key}:{getattr(self, key)}"
        if self.device_type is not None:
            at = "*" if self.device_index is None else self.device_index
            out += f"/device:{self.device_type}:{at}"
        return out

    def merge_from(self, dev: DeviceSpec) -> None:
        """Take the parts that `dev` says."""
        for key, value in dev._parts().items():
            if value is not None:
                setattr(self, key, value)

    def make_merged_spec(self, dev: DeviceSpec) -> DeviceSpec:
        """These parts, but those of `dev` where it says them."""
        out = self.replace()
        out.merge_from(dev)
        return out

    def replace(self, **kwargs: Any) -> DeviceSpec:
        """The same with other parts."""
        return type(self)(**{**self._parts(), **kwargs})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DeviceSpec) and self.to_string() == other.to_string()

    def __hash__(self) -> int:
        return hash(self.to_string())


class MergeDevice:
    """A device function: the device of an operation, where it says nothing that of `spec`.

    Parameters
    ----------
    spec : str or DeviceSpec
    """

    def __init__(self, spec: Any) -> None:
        if isinstance(spec, bytes):
            raise TypeError(f"a device's name is a str, not bytes: {spec!r}")
        if not isinstance(spec, str) and not hasattr(spec, "to_string"):
            raise AttributeError(
                f"A device is a name, a DeviceSpec, a function or None, not {spec!r}"
            )
        self._spec = DeviceSpec.from_string(spec if isinstance(spec, str) else spec.to_string())
        self._made: dict[str, str] = {}

    def __call__(self, op: Any) -> DeviceSpec:
        return self._spec.make_merged_spec(DeviceSpec.from_string(op.device or ""))

    def merged(self, device: str) -> str:
        """The name of `device` with what it does not say."""
        made = self._made.get(device)
        if made is None:
            spec = self._spec.make_merged_spec(DeviceSpec.from_string(device))
            made = self._made[device] = spec.to_string()
        return made

    @property
    def is_null_merge(self) -> bool:
        """Whether it says nothing."""
        return not self._spec.to_string()


#: Of each name seen: programs name few devices, and often.
_mergers: dict[str, MergeDevice] = {}


def merge_device(spec: Any) -> MergeDevice:
    """The device function that adds what `spec` says to devices that do not say it."""
    if isinstance(spec, MergeDevice):
        return spec
    if not isinstance(spec, str):
        return MergeDevice(spec)
    found = _mergers.get(spec)
    if found is None:
        found = MergeDevice(spec)
        if len(_mergers) < 1000:
            _mergers[spec] = found
    return found


def canonical_name(device: Any) -> str:
    """A device's name with its parts in order; nothing for None."""
    if device is None:
        return ""
    if isinstance(device, str):
        device = DeviceSpec.from_string(device)
    return str(device.to_string())


def check_valid(spec: str) -> None:
    """Refuse what is no name of a device."""
    DeviceSpec.from_string(spec)
