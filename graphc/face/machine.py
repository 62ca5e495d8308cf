"""``tf.config`` and what else programs ask about the machine: there is one CPU."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["experimental_list_devices", "list_physical_devices", "set_memory_growth"]


class PhysicalDevice(NamedTuple):
    """A device: its name and its type."""

    name: str
    device_type: str


def experimental_list_devices() -> list[str]:
    """The names of all devices."""
    return ["/job:localhost/replica:0/task:0/device:CPU:0"]


def list_physical_devices(device_type: str | None = None) -> list[Any]:
    """The devices of a type (``"GPU"``: none), or all."""
    found = [PhysicalDevice("/physical_device:CPU:0", "CPU")]
    return [d for d in found if device_type in (None, d.device_type)]


def set_memory_growth(device: Any, enable: bool) -> None:
    """Accepted: memory grows as it is used."""
