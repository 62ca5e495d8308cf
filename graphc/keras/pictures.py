"""Images in files and arrays, and changes of them (`tf.keras.preprocessing.image`)."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from graphc.keras import settings

__all__ = [
    "COLOURS", "apply_affine_transform", "apply_brightness_shift", "apply_channel_shift",
    "array_to_img", "img_to_array", "layout_of", "load_img", "random_brightness",
    "random_channel_shift", "random_rotation", "random_shear", "random_shift", "random_zoom",
    "save_img",
]  # fmt: skip

_FILTERS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")
COLOURS = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}


def _pillow() -> Any:
    try:
        return importlib.import_module("PIL.Image")
    except ImportError:
        raise ImportError("images in files need the package pillow (pip install pillow)") from None


def layout_of(data_format: str | None) -> str:
    layout = data_format or settings.image_data_format()
    if layout not in ("channels_last", "channels_first"):
        raise ValueError(f"Invalid data_format: {layout}")
    return layout


def _scaled(x: Any) -> Any:
    """Numbers from 0 to 255, as pictures have them."""
    x = x + max(-np.min(x), 0)
    most = np.max(np.abs(x))
    return (x / most if most else x) * 255


def array_to_img(
    x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None
) -> Any:
    """An array as a picture of the package pillow."""
    a = np.asarray(x, dtype or "float32")
    if a.ndim != 3:
        raise ValueError(
            f"Expected image array to have rank 3 (single image). Got array with shape: {a.shape}"
        )
    if layout_of(data_format) == "channels_first":
        a = a.transpose(1, 2, 0)
    a = _scaled(a) if scale else a
    if a.shape[2] not in (1, 3, 4):
        raise ValueError(f"Unsupported channel number: {a.shape[2]}")
    bytes_ = a.astype("uint8")
    return _pillow().fromarray(bytes_[:, :, 0] if a.shape[2] == 1 else bytes_)


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> Any:
    """A picture as an array ``[rows, columns, channels]``."""
    x = np.asarray(img, dtype or settings.floatx())
    if x.ndim not in (2, 3):
        raise ValueError(f"Unsupported image shape: {x.shape}")
    x = x[:, :, None] if x.ndim == 2 else x
    return x.transpose(2, 0, 1) if layout_of(data_format) == "channels_first" else x


def load_img(
    path: Any, grayscale: bool = False, color_mode: str = "rgb", target_size: Any = None,
    interpolation: str = "nearest",
) -> Any:  # fmt: skip
    """The picture in a file, in other colours and of another size if that is asked for."""
    mode = COLOURS.get("grayscale" if grayscale else color_mode)
    if mode is None:
        raise ValueError('color_mode must be "grayscale", "rgb", or "rgba"')
    if interpolation not in _FILTERS:
        raise ValueError(
            f"Invalid interpolation method {interpolation} specified. Supported methods are "
            f"{', '.join(_FILTERS)}"
        )
    pillow = _pillow()
    with pillow.open(path) as f:
        img = f.convert(mode)
    if target_size is not None and img.size != (target_size[1], target_size[0]):
        way = getattr(pillow.Resampling, interpolation.upper())
        img = img.resize((target_size[1], target_size[0]), way)
    return img


def save_img(
    path: Any, x: Any, data_format: str | None = None, file_format: str | None = None,
    scale: bool = True, **kwargs: Any,
) -> None:  # fmt: skip
    """Write an array as a picture."""
    array_to_img(x, data_format, scale).save(path, format=file_format, **kwargs)


# ------------------------------------------------------------------------- changes


def _places(at: Any, n: int, mode: str) -> tuple[Any, Any]:
    """Coordinates brought inside an axis of `n`, and which are inside."""
    inside = (at >= 0) & (at <= n - 1)
    if mode == "nearest":
        return np.clip(at, 0, n - 1), np.ones_like(inside)
    if mode == "reflect":
        at = np.mod(at + 0.5, 2 * n)
        at = np.where(at > n, 2 * n - at, at) - 0.5
        return np.clip(at, 0, n - 1), np.ones_like(inside)
    if mode == "wrap":
        return (np.mod(at, n - 1) if n > 1 else np.zeros_like(at)), np.ones_like(inside)
    if mode != "constant":
        raise ValueError(f"fill_mode must be constant, nearest, reflect or wrap, not {mode!r}")
    return np.clip(at, 0, n - 1), inside


def _sampled(x: Any, matrix: Any, mode: str, cval: float, order: int) -> Any:
    """``x[rows, columns, channels]`` at places that a matrix maps to, between pixels linearly."""
    rows, columns = x.shape[:2]
    r, c = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    u, there_u = _places(matrix[0, 0] * r + matrix[0, 1] * c + matrix[0, 2], rows, mode)
    v, there_v = _places(matrix[1, 0] * r + matrix[1, 1] * c + matrix[1, 2], columns, mode)
    if order == 0:
        y = x[np.floor(u + 0.5).astype(int), np.floor(v + 0.5).astype(int)]
    else:
        i = np.minimum(np.floor(u).astype(int), max(rows - 2, 0))
        j = np.minimum(np.floor(v).astype(int), max(columns - 2, 0))
        i2, j2 = np.minimum(i + 1, rows - 1), np.minimum(j + 1, columns - 1)
        a, b = (u - i)[..., None], (v - j)[..., None]
        y = (x[i, j] * (1 - b) + x[i, j2] * b) * (1 - a) + (x[i2, j] * (1 - b) + x[i2, j2] * b) * a
    return np.where((there_u & there_v)[..., None], y, cval).astype(x.dtype)


def apply_affine_transform(
    x: Any, theta: float = 0, tx: float = 0, ty: float = 0, shear: float = 0, zx: float = 1,
    zy: float = 1, row_axis: int = 0, col_axis: int = 1, channel_axis: int = 2,
    fill_mode: str = "nearest", cval: float = 0.0, order: int = 1,
) -> Any:  # fmt: skip
    """An image turned by `theta` degrees, moved, sheared by `shear` degrees and zoomed.

    Parameters
    ----------
    fill_mode : {"nearest", "constant", "reflect", "wrap"}
        What is beyond the borders; `cval` for ``constant``.
    order : {0, 1}
        The nearest pixel, or linear between pixels.
    """
    if order not in (0, 1):
        raise NotImplementedError(f"order {order}: images are interpolated with order 0 or 1")
    m = np.eye(3)
    if theta:
        t = np.deg2rad(theta)
        m = m @ [[np.cos(t), -np.sin(t), 0], [np.sin(t), np.cos(t), 0], [0, 0, 1]]
    if tx or ty:
        m = m @ [[1, 0, tx], [0, 1, ty], [0, 0, 1]]
    if shear:
        s = np.deg2rad(shear)
        m = m @ [[1, -np.sin(s), 0], [0, np.cos(s), 0], [0, 0, 1]]
    if zx != 1 or zy != 1:
        m = m @ np.diag([zx, zy, 1.0])
    if np.array_equal(m, np.eye(3)):
        return x
    image = np.moveaxis(np.asarray(x), (row_axis, col_axis, channel_axis), (0, 1, 2))
    h, w = image.shape[0] / 2 + 0.5, image.shape[1] / 2 + 0.5
    m = np.array([[1, 0, h], [0, 1, w], [0, 0, 1]]) @ m @ [[1, 0, -h], [0, 1, -w], [0, 0, 1]]
    y = _sampled(image, m, fill_mode, cval, order)
    return np.moveaxis(y, (0, 1, 2), (row_axis, col_axis, channel_axis))


def random_rotation(
    x: Any, rg: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
    fill_mode: str = "nearest", cval: float = 0.0, interpolation_order: int = 1,
) -> Any:  # fmt: skip
    """An image turned by at most `rg` degrees."""
    return apply_affine_transform(
        x, theta=np.random.uniform(-rg, rg), row_axis=row_axis, col_axis=col_axis,
        channel_axis=channel_axis, fill_mode=fill_mode, cval=cval, order=interpolation_order,
    )  # fmt: skip


def random_shift(
    x: Any, wrg: float, hrg: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
    fill_mode: str = "nearest", cval: float = 0.0, interpolation_order: int = 1,
) -> Any:  # fmt: skip
    """An image moved by at most these parts of its size."""
    h, w = x.shape[row_axis], x.shape[col_axis]
    tx, ty = np.random.uniform(-hrg, hrg) * h, np.random.uniform(-wrg, wrg) * w
    return apply_affine_transform(
        x, tx=tx, ty=ty, row_axis=row_axis, col_axis=col_axis, channel_axis=channel_axis,
        fill_mode=fill_mode, cval=cval, order=interpolation_order,
    )  # fmt: skip


def random_shear(
    x: Any, intensity: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
    fill_mode: str = "nearest", cval: float = 0.0, interpolation_order: int = 1,
) -> Any:  # fmt: skip
    """An image sheared by at most `intensity` degrees."""
    return apply_affine_transform(
        x, shear=np.random.uniform(-intensity, intensity), row_axis=row_axis, col_axis=col_axis,
        channel_axis=channel_axis, fill_mode=fill_mode, cval=cval, order=interpolation_order,
    )  # fmt: skip


def random_zoom(
    x: Any, zoom_range: Any, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
    fill_mode: str = "nearest", cval: float = 0.0, interpolation_order: int = 1,
) -> Any:  # fmt: skip
    """An image zoomed along each axis by a factor of `zoom_range`."""
    if len(zoom_range) != 2:
        raise ValueError(
            f"`zoom_range` should be a tuple or list of two floats. Received: {zoom_range}"
        )
    zx, zy = (
        (1, 1)
        if tuple(zoom_range) == (1, 1)
        else np.random.uniform(zoom_range[0], zoom_range[1], 2)
    )
    return apply_affine_transform(
        x, zx=zx, zy=zy, row_axis=row_axis, col_axis=col_axis, channel_axis=channel_axis,
        fill_mode=fill_mode, cval=cval, order=interpolation_order,
    )  # fmt: skip


def apply_channel_shift(x: Any, intensity: float, channel_axis: int = 0) -> Any:
    """`intensity` added to all channels, within the least and the largest number there were."""
    return np.clip(x + intensity, np.min(x), np.max(x))


def random_channel_shift(x: Any, intensity_range: float, channel_axis: int = 0) -> Any:
    """`apply_channel_shift` by at most `intensity_range`."""
    shift = np.random.uniform(-intensity_range, intensity_range)
    return apply_channel_shift(x, shift, channel_axis)


def apply_brightness_shift(x: Any, brightness: float) -> Any:
    """The image as one of 0 to 255, `brightness` times as bright."""
    picture = _scaled(np.asarray(x, "float32")).astype("uint8").astype("float32")
    return np.clip(np.floor(picture * brightness), 0, 255).astype(settings.floatx())


def random_brightness(x: Any, brightness_range: Any) -> Any:
    """`apply_brightness_shift` by a factor of `brightness_range`."""
    if len(brightness_range) != 2:
        raise ValueError(
            f"`brightness_range should be tuple or list of two floats. Received: {brightness_range}"
        )
    return apply_brightness_shift(x, np.random.uniform(*brightness_range))
