"""Parts of pictures: glimpses at given places, and random crops around objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from graphc.face.current import name_scope
from graphc.face.graph import get_default_graph
from graphc.face.more import constant_value
from graphc.image.boxes import pixels_at
from graphc.image.common import chosen, of_rank, sizes, tensor
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ops import crops, math, random, reduce, shapes, spaced, state

__all__ = ["extract_glimpse", "sample_distorted_bounding_box"]


def extract_glimpse(
    input: Any, size: Any, offsets: Any, centered: bool = True, normalized: bool = True,
    uniform_noise: bool = True, name: str | None = None,
) -> Any:  # fmt: skip
    """A window of each picture around its own place; what lies outside of a picture is noise.

    Parameters
    ----------
    input : Tensor
        A batch of pictures (batch, height, width, channels), float32.
    size : (int, int) or Tensor
        Height and width of the windows.
    offsets : Tensor
        Row and column of the middle of each window, of shape (batch, 2).
    centered : bool
        Whether (0, 0) is the middle of a picture and (1, 1) its lower right corner; else (0, 0) is
        the upper left one.
    normalized : bool
        Whether offsets are parts of a picture's size; else they are pixels.
    uniform_noise : bool
        Noise between the least and the greatest pixel, else normal with the pixels' mean and
        deviation.

    Returns
    -------
    Tensor
        Of shape (batch, size[0], size[1], channels).  It has no gradient, as in TF1.
    """
    x = tensor(input, dtype=dtypes.float32, name="input")
    places = tensor(offsets, dtype=dtypes.float32, name="offsets")
    for v, rank in ((x, 4), (places, 2)):
        if v.get_shape().ndims not in (None, rank):
            raise ValueError(f"Shape must be rank {rank} but is rank {v.get_shape().ndims}")
    x.get_shape()[:1].merge_with(places.get_shape()[:1])
    x = of_rank(x, 4)
    window = tensor(size, dtype=dtypes.int32, name="ExtractGlimpse/size")
    window.get_shape().assert_is_compatible_with([2])
    with name_scope(name, "ExtractGlimpse", [x, places]) as scope:
        with get_default_graph().counts_as(0):
            made = _glimpse(x, window, places, centered, normalized, uniform_noise)
        out: Any = state.identity(state.stop_gradient(made), name=scope)
    edges = constant_value(window)
    rows, columns = (None, None) if edges is None else (int(n) for n in edges)
    batch, channels = x.get_shape().with_rank(4).as_list()[::3]
    out.set_shape([batch, rows, columns, channels])
    return out


def _glimpse(
    x: Any, window: Any, places: Any, centered: bool, normalized: bool, uniform: bool
) -> Any:
    batch, height, width, _ = sizes(x)
    lines, keeps = [], []
    for axis, n in enumerate((height, width)):
        whole, own = (math.cast(tensor(v), dtypes.float32) for v in (n, window[axis]))
        middle = places[:, axis] * whole if normalized else places[:, axis]
        middle = middle / 2.0 + whole / 2.0 if centered else middle
        start = math.cast(middle - own / 2.0, dtypes.int32)
        line = shapes.expand_dims(start, 1) + spaced.range(window[axis])
        keeps.append(math.logical_and(math.greater_equal(line, 0), math.less(line, n)))
        lines.append(math.minimum(math.maximum(line, 0), n - 1))
    inside = math.logical_and(
        shapes.expand_dims(keeps[0], 2), shapes.expand_dims(keeps[1], 1)
    )  # (batch, rows, columns)
    found = pixels_at(x, spaced.range(batch), *lines)
    if uniform:
        low, high = reduce.reduce_min(x), reduce.reduce_max(x)
        noise = low + (high - low) * random.random_uniform(shapes.shape(found))
    else:
        mean = reduce.reduce_mean(x)
        deviation = math.sqrt(reduce.reduce_mean(math.square(x - mean)))
        noise = mean + deviation * random.random_normal(shapes.shape(found))
    return chosen(shapes.expand_dims(inside, 3), found, noise)


class SampleDistortedBoundingBoxV2(NamedTuple):
    """What `sample_distorted_bounding_box` gives."""

    begin: Any
    size: Any
    bboxes: Any


def sample_distorted_bounding_box(
    image_size: Any, bounding_boxes: Any, seed: int | None = None, seed2: int | None = None,
    min_object_covered: Any = 0.1, aspect_ratio_range: Sequence[float] | None = None,
    area_range: Sequence[float] | None = None, max_attempts: int | None = None,
    use_image_if_no_bounding_boxes: bool | None = None, name: str | None = None,
) -> SampleDistortedBoundingBoxV2:  # fmt: skip
    """A random crop of a picture in which some of an object is seen, for `tf.slice`.

    Parameters
    ----------
    image_size : Tensor
        Height, width and channels.
    bounding_boxes : Tensor
        Of shape (batch, boxes, 4), between 0 and 1.
    seed, seed2 : int, optional
        Of this op alone; `tf.set_random_seed` has no part in it.
    min_object_covered : float
        How much of the area of one of the boxes must be in the crop.
    aspect_ratio_range : (float, float), optional
        Width by height of the crop; (0.75, 1.33) by default.
    area_range : (float, float), optional
        Area of the crop as a part of the picture; (0.05, 1) by default.
    max_attempts : int, optional
        After so many crops that do not fit the whole picture is taken; 100 by default.
    use_image_if_no_bounding_boxes : bool, optional
        Take the whole picture as the one box where there is none; else that is an error.

    Returns
    -------
    begin, size, bboxes
        The first two as `tf.slice` takes them; the crop as a box, of shape (1, 1, 4).
    """
    with name_scope(name, "sample_distorted_bounding_box"):
        numbers = tensor(image_size, name="image_size")
        numbers.get_shape().assert_is_compatible_with([3])
        boxes = tensor(bounding_boxes, dtype=dtypes.float32, name="bounding_boxes")
        if boxes.get_shape().ndims not in (None, 3):
            raise ValueError(f"Shape must be rank 3 but is rank {boxes.get_shape().ndims}")
        least = tensor(min_object_covered, dtype=dtypes.float32, name="min_object_covered")
        attrs = {
            "seed": seed or 0, "seed2": seed2 or 0, "whole": bool(use_image_if_no_bounding_boxes),
            "ratios": tuple(aspect_ratio_range or (0.75, 1.33)),
            "areas": tuple(area_range or (0.05, 1.0)), "max_attempts": int(max_attempts or 100),
        }  # fmt: skip
        made = build(crops.crop_op, [numbers, boxes, least], attrs).outputs
    return SampleDistortedBoundingBoxV2(*made)
