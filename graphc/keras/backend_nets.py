"""Functions of ``tf.keras.backend`` on volumes, windows of places, and labels of sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.face.lazy import lookup
from graphc.keras import backend as K
from graphc.keras import settings
from graphc.keras.layers_local import channels_last, local_conv
from graphc.nn import ctc
from graphc.ops import arrays, conv, depthwise, fills, math, norm, shapes, transposing
from graphc.ops import pool as pooling
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import as_many
from graphc.sparse.ops import sparse_to_dense
from graphc.sparse.tensor import SparseTensor

__all__ = [
    "conv2d_transpose", "conv3d", "ctc_batch_cost", "ctc_decode", "ctc_label_dense_to_sparse",
    "local_conv1d", "local_conv2d", "normalize_batch_in_training", "pool3d", "resize_volumes",
    "separable_conv2d",
]  # fmt: skip


def _first(data_format: str | None) -> bool:
    """Whether channels come first."""
    word = data_format or settings.image_data_format()
    if word not in ("channels_first", "channels_last"):
        raise ValueError(f"Unknown data_format: {word}")
    return word == "channels_first"


def normalize_batch_in_training(
    x: Any, gamma: Any, beta: Any, reduction_axes: Sequence[int], epsilon: float = 1e-3
) -> tuple[Any, Any, Any]:
    """`x` normalised over axes, and its mean and variance there."""
    v = convert_to_tensor(x)
    axes = sorted(reduction_axes)
    assert v.rank is not None
    if v.rank == 4 and axes == [0, 1, 2]:
        g, b = gamma, beta
        sizes = [shapes.shape(v)[3]] if v.shape[3].value is None else [v.shape[3].value]  # type: ignore[attr-defined]
        g = fills.ones(sizes, v.dtype) if g is None else g
        b = fills.zeros(sizes, v.dtype) if b is None else b
        return norm.fused_batch_norm(v, g, b, epsilon=epsilon)
    mean, var = norm.moments(v, list(reduction_axes))
    if axes == list(range(v.rank - 1)):
        return norm.batch_normalization(v, mean, var, beta, gamma, epsilon), mean, var
    target = [
        1 if i in axes else n if n is not None else shapes.shape(v)[i]
        for i, n in enumerate(v.shape.as_list())  # type: ignore[attr-defined]
    ]
    m, d, b, g = (
        None if p is None else shapes.reshape(p, arrays.stack(target))
        for p in (mean, var, beta, gamma)
    )
    return norm.batch_normalization(v, m, d, b, g, epsilon), mean, var


def conv2d_transpose(
    x: Any, kernel: Any, output_shape: Any, strides: Any = (1, 1), padding: str = "valid",
    data_format: str | None = None, dilation_rate: Any = (1, 1),
) -> Any:  # fmt: skip
    """The transpose of `conv2d`; `output_shape` has all axes."""
    first = _first(data_format)
    sizes: Any = list(output_shape)
    if first:
        sizes = [sizes[0], sizes[2], sizes[3], sizes[1]]
    if sizes[0] is None:
        sizes[0] = shapes.shape(x)[0]
    sizes = arrays.stack(sizes) if any(not isinstance(n, int) for n in sizes) else sizes

    def plain(v: Any) -> Any:
        if tuple(dilation_rate) != (1, 1):
            if len(set(dilation_rate)) > 1:
                raise ValueError(f"the dilations of a transpose are the same: {dilation_rate}")
            return conv.atrous_conv2d_transpose(v, kernel, sizes, dilation_rate[0], padding.upper())
        return conv.conv2d_transpose(v, kernel, sizes, [1, *strides, 1], padding.upper())

    return channels_last(x, first, plain)


def conv3d(
    x: Any, kernel: Any, strides: Any = (1, 1, 1), padding: str = "valid",
    data_format: str | None = None, dilation_rate: Any = (1, 1, 1),
) -> Any:  # fmt: skip
    """A convolution of volumes."""
    return channels_last(
        x, _first(data_format),
        lambda v: conv.convolution(v, kernel, padding.upper(), strides, dilation_rate),
    )  # fmt: skip


def pool3d(
    x: Any, pool_size: Any, strides: Any = (1, 1, 1), padding: str = "valid",
    data_format: str | None = None, pool_mode: str = "max",
) -> Any:  # fmt: skip
    """The largest, or the mean, of each window of volumes."""
    modes = {"max": pooling.max_pool3d, "avg": pooling.avg_pool3d}
    if pool_mode not in modes:
        raise ValueError(f"Invalid pooling mode: {pool_mode}")
    window, steps = ([1, *each, 1] for each in (pool_size, strides))
    return channels_last(
        x, _first(data_format), lambda v: modes[pool_mode](v, window, steps, padding.upper())
    )


def resize_volumes(
    x: Any, depth_factor: int, height_factor: int, width_factor: int, data_format: str
) -> Any:
    """Volumes larger by whole factors: each element several times."""
    if data_format not in ("channels_first", "channels_last"):
        raise ValueError(f"Invalid data_format: {data_format}")
    y = x
    start = 2 if data_format == "channels_first" else 1
    for i, factor in enumerate((depth_factor, height_factor, width_factor)):
        y = K.repeat_elements(y, factor, start + i)
    return y


def separable_conv2d(
    x: Any, depthwise_kernel: Any, pointwise_kernel: Any, strides: Any = (1, 1),
    padding: str = "valid", data_format: str | None = None, dilation_rate: Any = (1, 1),
) -> Any:  # fmt: skip
    """A convolution of each channel, then one that mixes them."""
    if len(strides) != 2:
        raise ValueError("`strides` must be a tuple of 2 integers.")
    return channels_last(
        x, _first(data_format),
        lambda v: depthwise.separable_conv2d(
            v, depthwise_kernel, pointwise_kernel, [1, *strides, 1], padding.upper(),
            dilation_rate,
        ),
    )  # fmt: skip


def _local(x: Any, kernel: Any, size: Any, strides: Any, places: Any, data_format: Any) -> Any:
    first, w = _first(data_format), convert_to_tensor(kernel)
    return channels_last(x, first, lambda v: local_conv(v, w, size, strides, places, first))


@as_many(lambda inputs, kernel, *_, **__: 6 * _places(kernel) + 7)
def local_conv1d(
    inputs: Any, kernel: Any, kernel_size: Any, strides: Any, data_format: str | None = None
) -> Any:
    """Windows of sequences, each times the kernel of its place.

    Parameters
    ----------
    kernel : tensor
        ``[places, window * channels, results]``.
    """
    return _local(inputs, kernel, kernel_size, strides, (_places(kernel),), data_format)


@as_many(lambda inputs, kernel, *_, **__: 6 * _places(kernel) + 7)
def local_conv2d(
    inputs: Any, kernel: Any, kernel_size: Any, strides: Any, output_shape: Any,
    data_format: str | None = None,
) -> Any:  # fmt: skip
    """`local_conv1d` of images; `output_shape` is that of the places."""
    return _local(inputs, kernel, kernel_size, strides, tuple(output_shape), data_format)


def _places(kernel: Any) -> int:
    return convert_to_tensor(kernel).shape[0].value  # type: ignore[attr-defined,no-any-return]


@as_many(183)  # cut out in a loop
def ctc_label_dense_to_sparse(labels: Any, label_lengths: Any) -> SparseTensor:
    """Rows of labels, as many of each as its length says, as a sparse matrix."""
    dense = convert_to_tensor(labels)
    there = lookup("", "sequence_mask")(label_lengths, shapes.shape(dense)[1])
    at = lookup("", "where")(there)
    size = math.cast(shapes.shape(dense), "int64")
    return SparseTensor(at, arrays.gather_nd(dense, at), size)


def _steps_first(y_pred: Any) -> Any:
    return math.log(
        transposing.transpose(convert_to_tensor(y_pred), [1, 0, 2]) + settings.epsilon()
    )


def _count_of_cost(y_true: Any, y_pred: Any, *lengths: Any) -> int:
    """The labels are cut out in a loop; what is not int32 is cast."""
    return 193 + sum(1 for x in (y_true, *lengths) if getattr(x, "dtype", "int32") != "int32")


@as_many(_count_of_cost)
def ctc_batch_cost(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> Any:
    """The CTC loss of each row, as a matrix of one column.

    Parameters
    ----------
    y_true : tensor
        Labels ``[batch, n]``.
    y_pred : tensor
        Probabilities ``[batch, time, classes]``, the last class the blank.
    input_length, label_length : tensor
        ``[batch, 1]``.
    """
    counts, lengths = (
        math.cast(shapes.squeeze(n, [-1]), "int32") for n in (input_length, label_length)
    )
    labels = ctc_label_dense_to_sparse(y_true, lengths)
    ints = SparseTensor(labels.indices, math.cast(labels.values, "int32"), labels.dense_shape)
    return shapes.expand_dims(ctc.ctc_loss(ints, _steps_first(y_pred), counts), 1)


def ctc_decode(
    y_pred: Any, input_length: Any, greedy: bool = True, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[Any], Any]:
    """The labels of each row as dense matrices, -1 behind their ends, and their logarithms.

    Parameters
    ----------
    greedy : bool
        Whether the best class of each step is taken; else the `top_paths` best of a beam search.
    """
    scores, counts = _steps_first(y_pred), math.cast(input_length, "int32")
    if greedy:
        decoded, logs = ctc.ctc_greedy_decoder(scores, counts)
    else:
        decoded, logs = ctc.ctc_beam_search_decoder(scores, counts, beam_width, top_paths)
    return [sparse_to_dense(d.indices, d.dense_shape, d.values, -1) for d in decoded], logs
