"""Programs of convolution and pooling whose values `record_conv.py` writes down.

`CASES` has for each name (function, arrays): the function takes `tf` and a placeholder for each
array and returns tensors. The same source runs under TensorFlow 1.15 and graphc.
"""

from __future__ import annotations

from typing import Any

import numpy as np

CASES: dict[str, tuple[Any, list[Any]]] = {}


def _draw(seed: int, shape: tuple[int, ...]) -> Any:
    """Multiples of 1/4: their products and sums are exact in float32."""
    r = np.random.RandomState(seed)
    return (r.randint(-8, 9, size=shape) / 4.0).astype(np.float32)


def _with_gradients(f: Any, second: bool) -> Any:
    """`f` with its gradients, and the gradients of these, weighted by fixed numbers."""

    def g(tf: Any, *xs: Any) -> list[Any]:
        y = f(tf, *xs)
        weights = tf.reshape(
            tf.cast(tf.range(tf.size(y)) % 7, tf.float32) * 0.25 - 0.5, tf.shape(y)
        )
        first = tf.gradients(y * weights, list(xs))
        out = [y, *first]
        if second:
            z = tf.add_n([tf.reduce_sum(d * d * 0.5) for d in first])
            out += tf.gradients(z, list(xs))
        return out

    return g


def _case(name: str, f: Any, *shapes: tuple[int, ...], second: bool = False) -> None:
    CASES[name] = (
        _with_gradients(f, second),
        [_draw(len(CASES) * 10 + i, s) for i, s in enumerate(shapes)],
    )


# ---- conv2d: image, filter, strides, padding, dilations
for _name, _x, _w, _s, _p, _d in [
    ("same_odd", (2, 5, 7, 3), (3, 3, 3, 4), 1, "SAME", 1),
    ("same_even", (2, 6, 4, 2), (2, 4, 2, 3), 1, "SAME", 1),
    ("same_stride2_even", (1, 6, 8, 2), (3, 3, 2, 3), 2, "SAME", 1),
    ("same_stride2_odd", (1, 7, 5, 2), (3, 3, 2, 3), 2, "SAME", 1),
    ("same_stride3_k2", (2, 8, 7, 1), (2, 2, 1, 5), 3, "SAME", 1),
    ("valid", (2, 6, 5, 3), (3, 2, 3, 4), 1, "VALID", 1),
    ("valid_stride_over_kernel", (1, 9, 10, 2), (2, 1, 2, 3), 4, "VALID", 1),
    ("valid_rest", (1, 8, 8, 2), (3, 3, 2, 3), 2, "VALID", 1),
    ("one_by_one", (2, 4, 5, 3), (1, 1, 3, 6), 1, "SAME", 1),
    ("one_by_one_stride", (2, 5, 5, 3), (1, 1, 3, 2), 2, "SAME", 1),
    ("filter_larger_same", (2, 3, 2, 2), (5, 7, 2, 3), 1, "SAME", 1),
    ("filter_is_image", (2, 4, 3, 2), (4, 3, 2, 5), 1, "VALID", 1),
    ("no_channels_to_speak_of", (1, 5, 5, 1), (3, 3, 1, 1), 1, "SAME", 1),
    ("many_results", (1, 4, 4, 2), (3, 3, 2, 19), 1, "SAME", 1),
    ("two_strides", (1, 7, 9, 2), (3, 3, 2, 2), [1, 2, 3, 1], "SAME", 1),
]:
    _case(
        "conv2d_" + _name,
        lambda tf, x, w, s=_s, p=_p, d=_d: tf.nn.conv2d(x, w, s, p),
        _x, _w, second=True,
    )  # fmt: skip
_case(
    "conv2d_explicit",
    lambda tf, x, w: tf.nn.conv2d(x, w, [1, 2, 1, 1], [[0, 0], [2, 1], [0, 3], [0, 0]]),
    (2, 5, 4, 2), (3, 2, 2, 3), second=True,
)  # fmt: skip
for _p in ("SAME", "VALID"):
    # TF 1.15 has no gradients of dilations on a CPU but through space_to_batch
    _case(
        "atrous_" + _p,
        lambda tf, x, w, p=_p: tf.nn.atrous_conv2d(x, w, 2, p),
        (2, 9, 8, 2), (3, 2, 2, 3), second=True,
    )  # fmt: skip
_case(
    "transpose_same",
    lambda tf, x, w: tf.nn.conv2d_transpose(x, w, [2, 7, 6, 2], 2, "SAME"),
    (2, 4, 3, 3), (3, 3, 2, 3), second=True,
)  # fmt: skip
_case(
    "transpose_valid",
    lambda tf, x, w: tf.nn.conv2d_transpose(x, w, [1, 9, 8, 2], [1, 2, 3, 1], "VALID"),
    (1, 4, 2, 3), (3, 4, 2, 3), second=True,
)  # fmt: skip
_case(
    "conv1d_same",
    lambda tf, x, w: tf.nn.conv1d(x, w, 2, "SAME"),
    (2, 7, 3), (3, 3, 4), second=True,
)  # fmt: skip
_case(
    "convolution_1d_dilated",
    lambda tf, x, w: tf.nn.convolution(x, w, "VALID", dilation_rate=[3]),
    (2, 11, 2), (3, 2, 2), second=True,
)  # fmt: skip
_case(
    "conv3d_same",
    lambda tf, x, w: tf.nn.conv3d(x, w, [1, 2, 1, 2, 1], "SAME"),
    (2, 4, 3, 5, 2), (3, 2, 3, 2, 3), second=True,
)  # fmt: skip
_case(
    "conv3d_valid",
    lambda tf, x, w: tf.nn.conv3d(x, w, [1, 1, 1, 1, 1], "VALID"),
    (1, 4, 3, 5, 2), (2, 2, 3, 2, 3), second=True,
)  # fmt: skip
for _s, _p in ((1, "SAME"), (2, "SAME"), (2, "VALID")):
    _case(
        f"depthwise_{_s}_{_p}",
        lambda tf, x, w, s=_s, p=_p: tf.nn.depthwise_conv2d(x, w, [1, s, s, 1], p),
        (2, 6, 5, 3), (3, 2, 3, 2), second=True,
    )  # fmt: skip
_case(
    "depthwise_rate",
    lambda tf, x, w: tf.nn.depthwise_conv2d(x, w, [1, 1, 1, 1], "SAME", rate=[2, 3]),
    (1, 7, 8, 3), (3, 3, 3, 1), second=True,
)  # fmt: skip
_case(
    "separable",
    lambda tf, x, w, v: tf.nn.separable_conv2d(x, w, v, [1, 2, 2, 1], "SAME"),
    (2, 6, 5, 3), (3, 3, 3, 2), (1, 1, 6, 4), second=True,
)  # fmt: skip

# ---- pooling: image, window, strides, padding
for _name, _x, _k, _s, _p in [
    ("two", (2, 6, 4, 3), 2, 2, "SAME"),
    ("two_odd", (2, 5, 7, 3), 2, 2, "SAME"),
    ("two_valid_odd", (2, 5, 7, 3), 2, 2, "VALID"),
    ("three_by_two", (2, 6, 7, 2), [3, 2], 1, "SAME"),
    ("overlap", (2, 7, 7, 2), 3, 2, "VALID"),
    ("overlap_same", (2, 8, 7, 2), 3, 2, "SAME"),
    ("gaps", (1, 9, 10, 2), 2, 4, "SAME"),
    ("gaps_valid", (1, 9, 10, 2), [2, 1], 3, "VALID"),
    ("window_over_image", (2, 3, 2, 2), [5, 7], 1, "SAME"),
    ("whole", (2, 6, 5, 3), [6, 5], 1, "VALID"),
    ("big_window", (1, 9, 9, 2), 5, 2, "SAME"),
]:
    for _kind in ("max", "avg"):
        _case(
            f"{_kind}_pool_{_name}",
            lambda tf, x, kind=_kind, k=_k, s=_s, p=_p: getattr(tf.nn, kind + "_pool")(x, k, s, p),
            _x, second=_kind == "avg",
        )  # fmt: skip
for _kind in ("max", "avg"):
    _case(
        f"{_kind}_pool3d",
        lambda tf, x, kind=_kind: getattr(tf.nn, kind + "_pool3d")(x, 2, 2, "SAME"),
        (2, 3, 4, 5, 2),
    )
    _case(
        f"{_kind}_pool1d",
        lambda tf, x, kind=_kind: getattr(tf.nn, kind + "_pool1d")(x, 3, 2, "SAME"),
        (2, 8, 3),
    )
_case(
    "max_pool_with_argmax",
    lambda tf, x: tf.nn.max_pool_with_argmax(x, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")[0],
    (2, 5, 4, 2),
)
for _b in (False, True):
    CASES[f"argmax_{_b}"] = (
        lambda tf, x, b=_b: list(
            tf.nn.max_pool_with_argmax(
                x, [1, 3, 2, 1], [1, 1, 2, 1], "SAME", include_batch_in_index=b
            )
        ),
        [_draw(900, (2, 5, 4, 2))],
    )
_case("lrn", lambda tf, x: tf.nn.lrn(x, 2, 1.0, 0.25, 0.5), (2, 3, 2, 7))
_case("space_to_depth", lambda tf, x: tf.space_to_depth(x, 2), (2, 4, 6, 3), second=True)
_case("depth_to_space", lambda tf, x: tf.depth_to_space(x, 2), (2, 2, 3, 8), second=True)
_case(
    "patches",
    lambda tf, x: tf.extract_image_patches(x, [1, 3, 2, 1], [1, 2, 1, 1], [1, 1, 2, 1], "SAME"),
    (2, 5, 6, 3),
)

# ---- nothing in the batch
_case("empty_conv", lambda tf, x, w: tf.nn.conv2d(x, w, 1, "SAME"), (0, 4, 5, 2), (3, 3, 2, 3))
_case("empty_max_pool", lambda tf, x: tf.nn.max_pool(x, 2, 2, "SAME"), (0, 4, 5, 2))
_case("empty_avg_pool", lambda tf, x: tf.nn.avg_pool(x, 2, 2, "SAME"), (0, 4, 5, 2))
