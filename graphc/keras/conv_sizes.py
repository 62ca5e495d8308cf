"""Sizes and words of convolutions, for layers that programs write.

They import it as ``tensorflow.python.keras.utils.conv_utils``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.face import insides
from graphc.keras.settings import image_data_format

__all__ = [
    "conv_input_length", "conv_output_length", "convert_kernel", "deconv_output_length",
    "normalize_data_format", "normalize_padding",
]  # fmt: skip


def normalize_data_format(value: str | None) -> str:
    """The format in small letters; the configured one for None."""
    return insides.normalize_data_format(image_data_format() if value is None else value)


def normalize_padding(value: Any) -> Any:
    """The padding in small letters, or a list as it is.

    Raises
    ------
    ValueError
        It is none of the three words.
    """
    if isinstance(value, list | tuple):
        return value
    word = value.lower()
    if word not in ("valid", "same", "causal"):
        raise ValueError(
            'The `padding` argument must be a list/tuple or one of "valid", "same" (or "causal", '
            f"only for `Conv1D). Received: {word}"
        )
    return word


def _known(padding: str, *words: str) -> None:
    if padding not in words:
        raise AssertionError(f"the padding is one of {', '.join(words)}, not {padding!r}")


def conv_output_length(
    input_length: int | None, filter_size: int, padding: str, stride: int, dilation: int = 1
) -> int | None:
    """How long a convolution's result is."""
    _known(padding, "same", "valid", "full", "causal")
    word = "same" if padding == "causal" else padding
    return insides.conv_output_length(input_length, filter_size, word, stride, dilation)


def conv_input_length(
    output_length: int | None, filter_size: int, padding: str, stride: int
) -> int | None:
    """How long a convolution's operand was."""
    _known(padding, "same", "valid", "full")
    return insides.conv_input_length(output_length, filter_size, padding, stride)


def deconv_output_length(
    input_length: int | None, filter_size: int, padding: str, output_padding: int | None = None,
    stride: int = 0, dilation: int = 1,
) -> int | None:  # fmt: skip
    """How long a transposed convolution's result is; `output_padding` is added at the end."""
    _known(padding, "same", "valid", "full")
    if input_length is None:
        return None
    reach = filter_size + (filter_size - 1) * (dilation - 1)
    if output_padding is None:
        return insides.deconv_output_length(input_length, reach, padding, stride)
    pad = {"same": reach // 2, "valid": 0, "full": reach - 1}[padding]
    return (input_length - 1) * stride + reach - 2 * pad + output_padding


def convert_kernel(kernel: Any) -> Any:
    """Filters of one to three axes turned around in each.

    Raises
    ------
    ValueError
        It has another number of axes.
    """
    array = np.asarray(kernel)
    if not 3 <= array.ndim <= 5:
        raise ValueError("Invalid kernel shape:", array.shape)
    return np.copy(np.flip(array, tuple(range(array.ndim - 2))))
