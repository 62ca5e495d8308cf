"""Switches of TF 1.15 that graphc has in one position only, and small helpers."""

from __future__ import annotations

import contextlib
import numbers
import os
import sys
import types
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np

from graphc.face.initializers import VarianceScaling
from graphc.face.variables import resources
from graphc.ir import dtypes

__all__ = [
    "as_bytes", "as_str", "as_str_any", "as_text", "contrib_variance_scaling",
    "dimension_at_index", "dimension_value", "disable_control_flow_v2", "disable_eager_execution",
    "disable_resource_variables", "disable_tensor_equality", "disable_v2_behavior",
    "disable_v2_tensorshape", "enable_control_flow_v2", "enable_eager_execution",
    "enable_resource_variables", "enable_tensor_equality", "enable_v2_behavior",
    "enable_v2_tensorshape", "executing_eagerly", "forward_compatibility_horizon",
    "forward_compatible", "get_compile_flags", "get_data_files_path", "get_include", "get_lib",
    "get_link_flags", "get_path_to_datafile", "get_root_dir_with_all_resources",
    "gpu_device_name", "is_built_with_cuda", "is_built_with_gpu_support", "is_built_with_rocm",
    "is_gpu_available", "list_local_devices", "load_resource", "path_to_str",
    "readahead_file_path", "resource_variables_enabled", "xavier_initializer",
]  # fmt: skip


def disable_v2_behavior() -> None:
    """Accepted: graphc is TF1."""


def disable_eager_execution() -> None:
    """Accepted: graphc records graphs."""


def disable_v2_tensorshape() -> None:
    """Accepted: sizes are `Dimension` objects."""


def disable_tensor_equality() -> None:
    """Accepted: ``==`` on tensors is identity."""


def enable_resource_variables() -> None:
    """Variables made from now on are resources: what a run fetches is what they held before it."""
    resources.on = True


def disable_resource_variables() -> None:
    """Variables made from now on share their memory with fetches: what is fetched is their end."""
    resources.on = False


def resource_variables_enabled() -> bool:
    """Whether variables are made as resources where nothing else is said."""
    return bool(resources.on)


def enable_control_flow_v2() -> None:
    """Accepted: graphc has one kind of control flow."""


def disable_control_flow_v2() -> None:
    """Accepted: graphc has one kind of control flow."""


def executing_eagerly() -> bool:
    """False: operations are recorded."""
    return False


def _refuse(name: str) -> NoReturn:
    raise NotImplementedError(
        f"graphc has no tf.{name}: it records graphs as TensorFlow 1 does, and sessions run them."
    )


def enable_eager_execution(*args: Any, **kwargs: Any) -> NoReturn:
    """Not supported."""
    _refuse("enable_eager_execution")


def enable_v2_behavior() -> NoReturn:
    """Not supported."""
    _refuse("enable_v2_behavior")


def enable_v2_tensorshape() -> NoReturn:
    """Not supported."""
    _refuse("enable_v2_tensorshape")


def enable_tensor_equality() -> NoReturn:
    """Not supported."""
    _refuse("enable_tensor_equality")


def is_built_with_cuda() -> bool:
    """False."""
    return False


def is_gpu_available(*args: Any, **kwargs: Any) -> bool:
    """False."""
    return False


def gpu_device_name() -> str:
    """The empty name: there is no GPU."""
    return ""


def as_bytes(bytes_or_text: str | bytes, encoding: str = "utf-8") -> bytes:
    """Text as bytes; bytes unchanged."""
    if isinstance(bytes_or_text, bytes):
        return bytes_or_text
    if isinstance(bytes_or_text, str):
        return bytes_or_text.encode(encoding)
    raise TypeError(f"Expected binary or unicode string, got {bytes_or_text!r}")


def as_text(bytes_or_text: str | bytes, encoding: str = "utf-8") -> str:
    """Bytes as text; text unchanged."""
    if isinstance(bytes_or_text, str):
        return bytes_or_text
    if isinstance(bytes_or_text, bytes):
        return bytes_or_text.decode(encoding)
    raise TypeError(f"Expected binary or unicode string, got {bytes_or_text!r}")


def as_str_any(value: Any) -> str:
    """Bytes as text, anything else by ``str``."""
    return as_text(value) if isinstance(value, bytes) else str(value)


def xavier_initializer(
    uniform: bool = True, seed: int | None = None, dtype: Any = dtypes.float32
) -> VarianceScaling:
    """Glorot's initializer, as ``tf.contrib.layers`` calls it."""
    return contrib_variance_scaling(1.0, "FAN_AVG", uniform, seed, dtype)


class ContribVarianceScaling(VarianceScaling):
    """``tf.contrib``'s variance scaling: other factors for the truncated normal."""

    def __init__(
        self, factor: float, mode: str, uniform: bool, seed: int | None, dtype: Any
    ) -> None:
        kind = "uniform" if uniform else "truncated_normal"
        super().__init__(factor, mode.lower(), kind, seed, dtype)
        if not uniform:  # sqrt(1.3 / n) in place of sqrt(1 / n) / 0.87962566
            self.scale *= 1.3 * 0.87962566103423978**2


def contrib_variance_scaling(
    factor: float = 2.0, mode: str = "FAN_IN", uniform: bool = False, seed: int | None = None,
    dtype: Any = dtypes.float32,
) -> VarianceScaling:  # fmt: skip
    """``tf.contrib.layers.variance_scaling_initializer``."""
    if mode not in ("FAN_IN", "FAN_OUT", "FAN_AVG"):
        raise TypeError(f"Unknown mode {mode} [FAN_IN, FAN_OUT, FAN_AVG]")
    return ContribVarianceScaling(factor, mode, uniform, seed, dtype)


# ---------------------------------------------------------- tf.compat, tf.sysconfig, resources


BYTES_OR_TEXT = (bytes, str)
INTEGRAL: tuple[type, ...] = (numbers.Integral, np.integer)
REAL: tuple[type, ...] = (numbers.Real, np.integer, np.floating)
COMPLEX: tuple[type, ...] = (numbers.Complex, np.number)


def as_str(bytes_or_text: str | bytes, encoding: str = "utf-8") -> str:
    """Bytes as text; text unchanged."""
    return as_text(bytes_or_text, encoding)


def path_to_str(path: Any) -> Any:
    """A path object as text; anything else unchanged."""
    return as_str_any(os.fspath(path)) if hasattr(path, "__fspath__") else path


def dimension_value(dimension: Any) -> Any:
    """The number of a `Dimension`; anything else unchanged."""
    return dimension.value if hasattr(dimension, "value") else dimension


def dimension_at_index(shape: Any, index: int) -> Any:
    """A size of a shape, unknown for one of unknown rank."""
    from graphc.face.shape import Dimension

    return Dimension(None) if shape.ndims is None else shape.dims[index]


def forward_compatible(year: int, month: int, day: int) -> bool:
    """False: graphs are for today's graphc."""
    return False


@contextlib.contextmanager
def forward_compatibility_horizon(year: int, month: int, day: int) -> Iterator[None]:
    """Accepted: there is nothing to switch."""
    yield


def get_include() -> str:
    """Where TensorFlow's C++ headers would be: graphc has none."""
    raise NotImplementedError("graphc has no C++ headers; ops are written in Python")


get_lib = get_include


def get_compile_flags() -> list[str]:
    """No flags: there is nothing to compile against."""
    return []


get_link_flags = get_compile_flags


def load_resource(path: str) -> bytes:
    """What is in a file, found beside the script."""
    with open(get_path_to_datafile(path), "rb") as f:
        return f.read()


def get_data_files_path() -> str:
    """The folder of the script."""
    return os.path.dirname(os.path.abspath(sys.argv[0]))


get_root_dir_with_all_resources = get_data_files_path


def get_path_to_datafile(path: str) -> str:
    """A path below the folder of the script."""
    return os.path.join(get_data_files_path(), path)


def readahead_file_path(path: str, readahead: str = "128M") -> str:
    """`path` itself: nothing is read ahead."""
    return path


def is_built_with_rocm() -> bool:
    """False."""
    return False


def is_built_with_gpu_support() -> bool:
    """False."""
    return False


def list_local_devices(session_config: Any = None) -> list[Any]:
    """The one device there is: the CPU."""
    return [types.SimpleNamespace(name="/device:CPU:0", device_type="CPU", memory_limit=0)]
