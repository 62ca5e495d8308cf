"""What the two kinds of residual networks share: everything but the unit."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from graphc.contrib.framework.scoping import arg_scope
from graphc.contrib.layers.dense import softmax
from graphc.contrib.layers.images import conv2d, max_pool2d
from graphc.contrib.layers.normalization import batch_norm
from graphc.contrib.slim.nets.common import sized
from graphc.contrib.slim.nets.resnet_utils import Block, conv2d_same, stack_blocks_dense, stages
from graphc.contrib.slim.utils import convert_collection_to_dict
from graphc.face.scopes import variable_scope
from graphc.ops import nn, reduce

__all__ = ["block_maker", "network", "of_depth"]


def network(
    inputs: Any, blocks: Any, unit: Callable[..., Any], before: bool, num_classes: int | None,
    is_training: Any, global_pool: bool, output_stride: Any, include_root_block: bool, reuse: Any,
    scope: Any, default: str,
) -> Any:  # fmt: skip
    """A residual network; `before` says that units normalise first, so the end must too."""
    with variable_scope(scope, default, [inputs], reuse=reuse) as sc:
        key = sc.name + "_end_points"
        with (
            arg_scope([conv2d, unit, stack_blocks_dense], outputs_collections=key),
            arg_scope([batch_norm], is_training=is_training),
        ):
            x = inputs
            if include_root_block:
                if output_stride is not None:
                    if output_stride % 4:
                        raise ValueError("The output_stride needs to be a multiple of 4.")
                    output_stride /= 4
                with ExitStack() as bare:
                    if before:
                        scoped = arg_scope([conv2d], activation_fn=None, normalizer_fn=None)
                        bare.enter_context(scoped)
                    x = conv2d_same(x, 64, 7, stride=2, scope="conv1")
                x = max_pool2d(x, [3, 3], stride=2, scope="pool1")
            x = stack_blocks_dense(x, blocks, output_stride)
            if before:
                x = batch_norm(x, activation_fn=nn.relu, scope="postnorm")
            if global_pool:
                x = reduce.reduce_mean(x, [1, 2], name="pool5", keepdims=True)
            if num_classes is not None:
                x = conv2d(
                    x, num_classes, [1, 1], activation_fn=None, normalizer_fn=None, scope="logits"
                )
            ends = convert_collection_to_dict(key)
            if num_classes is not None:
                ends["predictions"] = softmax(x, scope="predictions")
            return x, ends


def block_maker(name: str, unit: Callable[..., Any]) -> Any:
    """The function of a version that says what a block is made of."""

    def f(scope: str, base_depth: int, num_units: int, stride: int) -> Block:
        plain = {"depth": base_depth * 4, "depth_bottleneck": base_depth, "stride": 1}
        last = {**plain, "stride": stride}
        return Block(scope, unit, [dict(plain) for _ in range(num_units - 1)] + [last])

    f.__name__ = f.__qualname__ = name
    f.__doc__ = "A block of `num_units` units; the last has the stride."
    return f


def of_depth(version: Callable[..., Any], depth: int, block: Callable[..., Block]) -> Any:
    """The network of a version with `depth` layers."""
    name = f"{version.__name__}_{depth}"

    def f(
        inputs: Any, num_classes: int | None = None, is_training: Any = True,
        global_pool: bool = True, output_stride: Any = None, reuse: Any = None, scope: Any = name,
    ) -> Any:  # fmt: skip
        return version(
            inputs, stages(depth, block), num_classes, is_training, global_pool, output_stride,
            include_root_block=True, reuse=reuse, scope=scope,
        )  # fmt: skip

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"`{version.__name__}` with {depth} layers."
    return sized(f, 224)
