"""Settings of ``tf.config`` that hold for the whole process."""

from __future__ import annotations

from typing import Any, NamedTuple

from graphc.face.machine import list_physical_devices

__all__ = [
    "VirtualDeviceConfiguration", "get_device_policy", "get_experimental_options",
    "get_inter_op_parallelism_threads", "get_intra_op_parallelism_threads", "get_jit",
    "get_memory_growth", "get_soft_device_placement", "get_synchronous_execution",
    "get_virtual_device_configuration", "get_visible_devices", "set_device_policy",
    "set_experimental_options", "set_inter_op_parallelism_threads",
    "set_intra_op_parallelism_threads", "set_jit", "set_soft_device_placement",
    "set_synchronous_execution", "set_virtual_device_configuration", "set_visible_devices",
]  # fmt: skip

_POLICIES = ("explicit", "warn", "silent", "silent_for_int32")


class _Settings:
    """What the functions below keep."""

    def __init__(self) -> None:
        self.inter_op = self.intra_op = 0
        self.soft_placement = self.jit = False
        self.synchronous = True
        self.policy = "silent"
        self.options: dict[str, Any] = {}


_now = _Settings()


class VirtualDeviceConfiguration(NamedTuple):
    """A part of a device.

    Parameters
    ----------
    memory_limit : int, optional
        In megabytes.
    """

    memory_limit: int | None = None


def get_inter_op_parallelism_threads() -> int:
    """How many operations run at once; 0 where nothing was set."""
    return _now.inter_op


def set_inter_op_parallelism_threads(num_threads: int) -> None:
    """Kept only: operations are fused here and run one after the other, each on all threads."""
    _now.inter_op = num_threads


def get_intra_op_parallelism_threads() -> int:
    """How many threads an operation has; 0 for all cores."""
    return _now.intra_op


def set_intra_op_parallelism_threads(num_threads: int) -> None:
    """Let sessions made from now on have so many threads, where their own setting is 0."""
    _now.intra_op = num_threads


def get_soft_device_placement() -> bool:
    """Whether operations may be on another device than asked for."""
    return _now.soft_placement


def set_soft_device_placement(enabled: bool) -> None:
    """Kept only: there is one device."""
    _now.soft_placement = enabled


def get_jit() -> bool:
    """Whether XLA was asked for."""
    return _now.jit


def set_jit(enabled: bool) -> None:
    """Kept only: everything is compiled here anyway."""
    _now.jit = enabled


def get_experimental_options() -> dict[str, Any]:
    """The options of the optimizer that were set."""
    return {**_now.options, "disable_model_pruning": False, "disable_meta_optimizer": False}


def set_experimental_options(options: dict[str, Any]) -> None:
    """Kept only: passes are chosen by ``tf.ConfigProto(graphc_passes=...)``."""
    _now.options.update(options)


def get_device_policy() -> str:
    """What happens to values on other devices."""
    return _now.policy


def set_device_policy(device_policy: str | None) -> None:
    """Kept only: there is one device.

    Raises
    ------
    ValueError
        For no policy.
    """
    if device_policy is not None and device_policy not in _POLICIES:
        raise ValueError(f"Not a valid device policy: {device_policy!r}")
    _now.policy = device_policy or "silent"


def get_synchronous_execution() -> bool:
    """Whether operations are waited for."""
    return _now.synchronous


def set_synchronous_execution(enable: bool) -> None:
    """Kept only: a run is waited for."""
    _now.synchronous = enable


def _known(device: Any) -> None:
    if device not in list_physical_devices():
        raise ValueError(f"Unrecognized device: {device!r}")


def get_visible_devices(device_type: str | None = None) -> list[Any]:
    """The devices of a type, or all."""
    return list_physical_devices(device_type)


def set_visible_devices(devices: Any, device_type: str | None = None) -> None:
    """Accepted for the CPU, and for no devices of a type that is not there.

    Raises
    ------
    ValueError
        For a device that is not there, and where nothing would be left.
    """
    wanted = devices if isinstance(devices, (list, tuple)) else [devices]
    for d in wanted:
        _known(d)
    if not wanted and list_physical_devices(device_type):
        raise ValueError("graphc computes on the CPU: it cannot be hidden")


def get_memory_growth(device: Any) -> bool:
    """Whether memory is taken as it is used: always.

    Raises
    ------
    ValueError
        For a device that is not there.
    """
    _known(device)
    return True


def get_virtual_device_configuration(device: Any) -> None:
    """The parts of a device: None, there are none."""
    _known(device)


def set_virtual_device_configuration(device: Any, virtual_devices: Any) -> None:
    """Refused: the CPU is one device.

    Raises
    ------
    ValueError
        For a device that is not there.
    NotImplementedError
        For more than one part.
    """
    _known(device)
    if len(virtual_devices) > 1:
        raise NotImplementedError("graphc computes on one device, which is not divided")
