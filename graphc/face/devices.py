"""Names of devices: accepted everywhere, and of no consequence."""

from __future__ import annotations

import re
from typing import Any

__all__ = [
    "CXX11_ABI_FLAG",
    "GRAPH_DEF_VERSION",
    "GRAPH_DEF_VERSION_MIN_CONSUMER",
    "GRAPH_DEF_VERSION_MIN_PRODUCER",
    "MONOLITHIC_BUILD",
    "DeviceSpec",
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
        self.job = job
        self.replica = None if replica is None else int(replica)
        self.task = None if task is None else int(task)
        self.device_type = None if device_type is None else str(device_type).upper()
        self.device_index = None if device_index is None else int(device_index)

    def _parts(self) -> dict[str, Any]:
        return {
            "job": self.job, "replica": self.replica, "task": self.task,
            "device_type": self.device_type, "device_index": self.device_index,
        }  # fmt: skip

    def parse_from_string(self, spec: str) -> DeviceSpec:
        """Take the parts that a name says.

        Raises
        ------
        ValueError
            For what is no part of a device's name.
        """
        for key in self._parts():
            setattr(self, key, None)
        for part in spec.split("/"):
            words = part.split(":")
            kind = words[0].lower()
            if not part:
                continue
            if kind in ("job", "replica", "task") and len(words) == 2:
                setattr(self, kind, words[1] if kind == "job" else int(words[1]))
            elif kind in ("cpu", "gpu", "tpu") and len(words) == 2:
                self.device_type = kind.upper()
                self.device_index = None if words[1] == "*" else int(words[1])
            elif kind == "device" and len(words) == 3:
                self.device_type = words[1].upper()
                self.device_index = None if words[2] == "*" else int(words[2])
            elif not re.fullmatch(r"\\*", part):
                raise ValueError(f"Unknown attribute: '{words[0]}' in '{spec}'")
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
