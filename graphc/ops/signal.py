"""Frames, windows and short-time Fourier transforms; cosine transforms; mel scales."""

from __future__ import annotations

import math as _math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Value
from graphc.ops import arrays, fills, linalg, math, shapes, spaced
from graphc.ops.blocks import sizes_of
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import as_many, made
from graphc.ops.record import as_value, static_ints
from graphc.ops.spectral import irfft, rfft

__all__ = [
    "dct", "frame", "hamming_window", "hann_window", "idct", "inverse_stft",
    "inverse_stft_window_fn", "linear_to_mel_weight_matrix", "mfccs_from_log_mel_spectrograms",
    "overlap_and_add", "stft",
]  # fmt: skip


def _number(x: Any, what: str) -> int:
    given = static_ints(x)
    if isinstance(given, Value):
        raise ValueError(f"{what} must be known when the graph is built")
    return int(given)


# ------------------------------------------------------------------------- windows


def _raised_cosine(n: Any, periodic: Any, dtype: Any, a: float, b: float, name: str) -> Value:
    kind = as_dtype(dtype)
    if not kind.is_floating:
        raise ValueError(f"dtype must be a floating point type. Found {kind!r}")
    size = _number(n, "window_length")
    if size == 1:
        with current().counts_as(2):
            return fills.ones([1], kind)
    even = 1 - size % 2
    length = size + int(bool(periodic)) * even - 1
    values = a - b * np.cos(2.0 * _math.pi * np.arange(size) / length)
    with current().counts_as(24):
        return convert_to_tensor(values.astype(kind.np), kind, name=name)


def hann_window(
    window_length: Any, periodic: Any = True, dtype: Any = dtypes.float32, name: str | None = None
) -> Value:
    """A raised cosine from 0 to 1 and back.

    Parameters
    ----------
    periodic : bool
        Whether a window of even length leaves out its last zero.
    """
    return _raised_cosine(window_length, periodic, dtype, 0.5, 0.5, name or "hann_window")


def hamming_window(
    window_length: Any, periodic: Any = True, dtype: Any = dtypes.float32, name: str | None = None
) -> Value:
    """A raised cosine from 0.08 to 1 and back (see `hann_window`)."""
    return _raised_cosine(window_length, periodic, dtype, 0.54, 0.46, name or "hamming_window")


# ------------------------------------------------------------------------- frames


def frame(
    signal: Any, frame_length: Any, frame_step: Any, pad_end: bool = False, pad_value: Any = 0,
    axis: int = -1, name: str | None = None,
) -> Value:  # fmt: skip
    """Windows of `frame_length` at every `frame_step` along an axis, which becomes two.

    Windows are made of pieces as long as what length and step have in common, so that whole rows
    are read, and whole rows of gradients added.

    Parameters
    ----------
    pad_end : bool
        Whether windows that begin before the end and go past it are filled with `pad_value`.
    """
    with current().scope(name, "frame"):
        x = as_value(signal)
        assert x.rank is not None
        at = axis + x.rank if axis < 0 else axis
        length, step = _number(frame_length, "frame_length"), _number(frame_step, "frame_step")
        count, gradient = (101, 70) if pad_end else (67, 61)
        gradient -= 5 * (at == 0)  # the rows of the gradient are summed there
        with current().counts_as(count, gradient=[(gradient, 1)]):
            return _framed(x, length, step, pad_end, pad_value, at)


def _framed(x: Value, length: int, step: int, pad_end: bool, fill: Any, at: int) -> Value:
    n = sizes_of(x)[at]
    assert x.rank is not None
    if pad_end:
        count = -(-n // step) if isinstance(n, int) else (n + step - 1) // step
        more = (count - 1) * step + length - n
        more = max(more, 0) if isinstance(more, int) else math.maximum(more, 0)
        pads: list[Any] = [[0, 0]] * x.rank
        pads[at] = [0, more]
        x = arrays.pad(x, pads, constant_values=fill)
        n = sizes_of(x)[at]
    else:
        count = (n - length) // step + 1
        count = max(count, 0) if isinstance(count, int) else math.maximum(count, 0)
    piece = _math.gcd(length, step)
    pieces = n // piece
    sizes = sizes_of(x)
    key: list[Any] = [slice(None)] * at
    whole = x[tuple([*key, slice(0, pieces * piece)])]
    rows = shapes.reshape(whole, [*sizes[:at], pieces, piece, *sizes[at + 1 :]])
    starts = shapes.expand_dims(spaced.range(count) * (step // piece), 1)
    places = starts + shapes.expand_dims(spaced.range(length // piece), 0)
    taken = arrays.gather(rows, places, axis=at)
    made_of = [*sizes[:at], count, length, *sizes[at + 1 :]]
    return shapes.reshape(taken, made_of, name="Reshape_4")


@as_many(91)
def overlap_and_add(signal: Any, frame_step: Any, name: str | None = None) -> Value:
    """Frames ``[…, frames, length]`` put back at every `frame_step` and added where they overlap.

    Raises
    ------
    ValueError
        For a signal of rank below 2, or a step that is no whole number.
    """
    with current().scope(name, "overlap_and_add"):
        x = as_value(signal)
        if x.rank is None or x.rank < 2:
            raise ValueError("signal must have rank at least 2")
        step = _number(frame_step, "frame_step")
        *lead, frames, length = sizes_of(x)
        if not isinstance(length, int):
            raise ValueError("the frame length must be known")
        parts = -(-length // step)
        x = arrays.pad(x, [[0, 0]] * (x.rank - 1) + [[0, parts * step - length]])
        x = shapes.reshape(x, [*lead, frames, parts, step])
        total: Any = None
        for p in range(parts):  # the p-th piece of each frame, moved p steps on
            piece = x[..., p, :]
            pads = [[0, 0]] * len(lead) + [[p, parts - 1 - p], [0, 0]]
            moved = arrays.pad(piece, pads)
            total = moved if total is None else total + moved
        whole = shapes.reshape(total, [*lead, (frames + parts - 1) * step])
        return whole[..., : (frames - 1) * step + length]


def _power_of_two(n: int) -> int:
    return 1 << max(n - 1, 0).bit_length()


def stft(
    signals: Any, frame_length: Any, frame_step: Any, fft_length: Any = None,
    window_fn: Callable[..., Any] | None = hann_window, pad_end: bool = False,
    name: str | None = None,
) -> Value:  # fmt: skip
    """Short-time Fourier transforms of signals along the last axis.

    Parameters
    ----------
    fft_length : int, optional
        By default the power of two that is at least `frame_length`.
    window_fn : callable, optional
        ``(length, dtype=…)`` gives the factor of each frame; None for none.
    """
    with current().scope(name, "stft"):
        x = as_value(signals, None if isinstance(signals, Value) else dtypes.float32)
        length = _number(frame_length, "frame_length")
        size = _power_of_two(length) if fft_length is None else _number(fft_length, "fft_length")
        framed = frame(x, length, frame_step, pad_end=pad_end)
        if window_fn is not None:
            framed = framed * window_fn(length, dtype=framed.dtype)
        else:
            made(1)
        return rfft(framed, [size])


def inverse_stft(
    stfts: Any, frame_length: Any, frame_step: Any, fft_length: Any = None,
    window_fn: Callable[..., Any] | None = hann_window, name: str | None = None,
) -> Value:  # fmt: skip
    """Signals whose frames have the transforms `stfts`, added where they overlap."""
    with current().scope(name, "inverse_stft"):
        x = as_value(stfts)
        length = _number(frame_length, "frame_length")
        size = _power_of_two(length) if fft_length is None else _number(fft_length, "fft_length")
        frames = irfft(x, [size])
        count = 2 if size == length else 6 if size > length else 4
        with current().counts_as(count - (window_fn is not None)):
            frames = frames[..., :length]
            if size < length:
                assert frames.rank is not None
                frames = arrays.pad(frames, [[0, 0]] * (frames.rank - 1) + [[0, length - size]])
        if window_fn is not None:
            frames = frames * window_fn(length, dtype=frames.dtype)
        return overlap_and_add(frames, frame_step)


def inverse_stft_window_fn(
    frame_step: Any, forward_window_fn: Callable[..., Any] = hann_window, name: str | None = None
) -> Callable[..., Value]:
    """The window for `inverse_stft` that undoes that of `stft`."""
    step = _number(frame_step, "frame_step")

    def window(frame_length: Any, dtype: Any) -> Any:
        length = _number(frame_length, "frame_length")
        with current().counts_as(50):
            forward = forward_window_fn(length, dtype=dtype)
            parts = -(-length // step)
            squares = arrays.pad(math.square(forward), [[0, parts * step - length]])
            from graphc.ops.reduce import reduce_sum

            total = reduce_sum(shapes.reshape(squares, [parts, step]), 0, keepdims=True)
            whole = shapes.reshape(arrays.tile(total, [parts, 1]), [parts * step])
            return forward / whole[:length]

    return window


# ------------------------------------------------------------------------- cosine transforms


def _check_dct(type: int, n: Any, axis: int, norm: str | None, inverse: bool) -> None:
    if axis != -1:
        raise NotImplementedError(f"axis must be -1. Got: {axis}")
    if type not in (1, 2, 3):
        raise ValueError(f"Only Types I, II and III (I)DCT are supported. Got type {type}")
    if norm not in (None, "ortho"):
        raise ValueError(f"Unknown normalization. Expected None or 'ortho', got: {norm}")
    if type == 1 and norm == "ortho":
        raise ValueError("Normalization is not supported for the Type-I DCT.")
    if n is not None and int(n) < 1:
        raise ValueError("n should be a positive integer or None")


def _dct_count(
    input: Any, type: int = 2, n: Any = None, axis: int = -1, norm: str | None = None,
    name: str | None = None,
) -> int:  # fmt: skip
    """How many operations TF1 makes for `dct`, by transforms of complex numbers."""
    count = {1: 11, 2: 28, 3: 29}[type]
    if norm:
        count += 11 if type == 2 else 8
    s = as_value(input, None if isinstance(input, Value) else dtypes.float32).static_shape
    if n is not None and s is not None and isinstance(s[-1], int):
        count += 4 if s[-1] >= n else 2
    return count


@as_many(_dct_count)
def dct(
    input: Any, type: int = 2, n: Any = None, axis: int = -1, norm: str | None = None,
    name: str | None = None,
) -> Value:  # fmt: skip
    """The discrete cosine transform of type 1, 2 or 3 over the last axis.

    Parameters
    ----------
    n : int, optional
        The input is cut, or filled with zeros, to this length first.
    norm : {"ortho", None}
        Whether the transform is orthonormal (types 2 and 3).
    """
    _check_dct(type, n, axis, norm, False)
    with current().scope(name, "dct"):
        x = as_value(input, None if isinstance(input, Value) else dtypes.float32)
        rank: Any = x.rank
        have: Any = sizes_of(x)[-1]
        if n is not None:
            if isinstance(have, int) and have >= n:
                x = x[..., :n]
            else:
                x = arrays.pad(x, [[0, 0]] * (rank - 1) + [[0, n - have]])
            have = int(n)
        if not isinstance(have, int):
            raise ValueError("dct needs a known number of elements along the last axis")
        # the number of elements is known, so that the transform is a matrix of cosines
        return linalg.tensordot(x, _cosines(have, type, norm, x.dtype), [[rank - 1], [0]])


def _cosines(size: int, type: int, norm: str | None, dtype: Any) -> Value:
    j = np.arange(size)[:, None]  # of the input
    k = np.arange(size)[None, :]
    if type == 1:
        if size < 2:
            raise ValueError("DCT-I requires the dimension to be greater than one.")
        m = 2.0 * np.cos(_math.pi * j * k / (size - 1))
        m[0], m[-1] = m[0] / 2, m[-1] / 2
    elif type == 2:
        m = 2.0 * np.cos(_math.pi * (2 * j + 1) * k / (2.0 * size))
        if norm == "ortho":
            m *= np.sqrt(0.5 / size)
            m[:, 0] *= np.sqrt(0.5)
    else:
        m = 2.0 * np.cos(_math.pi * j * (2 * k + 1) / (2.0 * size))
        if norm == "ortho":
            m *= np.sqrt(0.5 / size)
            m[0] *= np.sqrt(0.5)
        else:
            m[0] /= 2
    return convert_to_tensor(m.astype(dtype.np), dtype)


def idct(
    input: Any, type: int = 2, n: Any = None, axis: int = -1, norm: str | None = None,
    name: str | None = None,
) -> Value:  # fmt: skip
    """The inverse of `dct` of the same type, up to a factor where `norm` is None."""
    _check_dct(type, n, axis, norm, True)
    inverse = {1: 1, 2: 3, 3: 2}[type]
    return dct(input, inverse, n, axis, norm, name or "idct")


# ------------------------------------------------------------------------- mel scales


def _mel(hertz: Any) -> Any:
    return 1127.0 * np.log(1.0 + hertz / 700.0)


def linear_to_mel_weight_matrix(
    num_mel_bins: int = 20, num_spectrogram_bins: int = 129, sample_rate: Any = 8000,
    lower_edge_hertz: float = 125.0, upper_edge_hertz: float = 3800.0,
    dtype: Any = dtypes.float32, name: str | None = None,
) -> Value:  # fmt: skip
    """The matrix that turns spectrograms into such of mel bins (triangles on HTK's mel scale).

    Raises
    ------
    ValueError
        For numbers that make no sense, or edges outside of 0 to half the sample rate.
    """
    kind = as_dtype(dtype)
    if num_mel_bins <= 0:
        raise ValueError(f"num_mel_bins must be positive. Got: {num_mel_bins}")
    if lower_edge_hertz < 0.0:
        raise ValueError(f"lower_edge_hertz must be non-negative. Got: {lower_edge_hertz}")
    if lower_edge_hertz >= upper_edge_hertz:
        raise ValueError(
            f"lower_edge_hertz {lower_edge_hertz:.1f} >= upper_edge_hertz {upper_edge_hertz:.1f}"
        )
    if sample_rate <= 0.0 or upper_edge_hertz > sample_rate / 2:
        raise ValueError(
            "upper_edge_hertz must not be larger than the Nyquist frequency (sample_rate / 2). "
            f"Got {upper_edge_hertz} for sample_rate: {sample_rate}"
        )
    hertz = np.linspace(0.0, sample_rate / 2.0, int(num_spectrogram_bins))[1:]  # without 0
    bins = _mel(hertz)[:, None]
    edges = np.linspace(_mel(lower_edge_hertz), _mel(upper_edge_hertz), num_mel_bins + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rise = (bins - low) / (centre - low)
    fall = (high - bins) / (high - centre)
    weights = np.maximum(0.0, np.minimum(rise, fall))
    matrix = np.pad(weights, [(1, 0), (0, 0)]).astype(kind.np)
    with current().counts_as(123):
        return convert_to_tensor(matrix, kind, name=name or "linear_to_mel_weight_matrix")


@as_many(34)
def mfccs_from_log_mel_spectrograms(log_mel_spectrograms: Any, name: str | None = None) -> Value:
    """Mel-frequency cepstral coefficients of log spectrograms of mel bins."""
    with current().scope(name, "mfccs_from_log_mel_spectrograms"):
        x = as_value(log_mel_spectrograms)
        n = sizes_of(x)[-1]
        if not isinstance(n, int) or n == 0:
            raise ValueError(f"num_mel_bins must be positive. Got: {n}")
        return dct(x) * (1.0 / _math.sqrt(2.0 * n))
