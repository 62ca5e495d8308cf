"""What the networks share: initializers, defaults of layers, and outputs by name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from graphc.contrib.framework.scoping import arg_scope
from graphc.contrib.layers.dense import fully_connected
from graphc.contrib.layers.images import avg_pool2d, conv2d, max_pool2d
from graphc.contrib.layers.normalization import batch_norm
from graphc.contrib.layers.regularizers import l2_regularizer
from graphc.face.compat import contrib_variance_scaling
from graphc.face.graph_keys import GraphKeys
from graphc.face.initializers import TruncatedNormal
from graphc.ops import nn

__all__ = ["inception_arg_scope", "plain_steps", "reduced", "sized", "trunc_normal"]


def trunc_normal(stddev: float) -> TruncatedNormal:
    """Normal numbers around 0, none further than twice `stddev`."""
    return TruncatedNormal(0.0, stddev)


def plain_steps() -> AbstractContextManager[Any]:
    """Convolutions and pools move by one and keep the size."""
    return arg_scope([conv2d, max_pool2d, avg_pool2d], stride=1, padding="SAME")


def reduced(x: Any, kernel_size: list[int]) -> list[int]:
    """`kernel_size`, but no larger than the image where its size is known."""
    shape = x.get_shape().as_list()
    if shape[1] is None or shape[2] is None:
        return kernel_size
    return [min(shape[1], kernel_size[0]), min(shape[2], kernel_size[1])]


def sized(f: Callable[..., Any], size: int) -> Any:
    """`f` with the attribute ``default_image_size``."""
    f.default_image_size = size  # type: ignore[attr-defined]
    return f


def inception_arg_scope(
    weight_decay: float, collection: str, normalized: bool = True, **more: Any
) -> Any:
    """Convolutions with He's initializer, relu and batch norm; L2 on all weights."""
    with arg_scope([conv2d, fully_connected], weights_regularizer=l2_regularizer(weight_decay)):
        parameters: dict[str, Any] = {}
        if normalized:
            moving = {"moving_mean": [collection], "moving_variance": [collection]}
            parameters = {
                "decay": 0.9997, "epsilon": 0.001, "updates_collections": GraphKeys.UPDATE_OPS,
                "variables_collections": {"beta": None, "gamma": None, **moving}, **more,
            }  # fmt: skip
        with arg_scope(
            [conv2d], weights_initializer=contrib_variance_scaling(), activation_fn=nn.relu,
            normalizer_fn=batch_norm if normalized else None, normalizer_params=parameters,
        ) as scope:  # fmt: skip
            return scope
