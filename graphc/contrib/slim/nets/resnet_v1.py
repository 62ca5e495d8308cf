"""Residual networks that normalise after each convolution (arXiv:1512.03385)."""

from __future__ import annotations

from typing import Any

from graphc.contrib.framework.scoping import add_arg_scope
from graphc.contrib.layers.images import conv2d
from graphc.contrib.slim.nets.common import sized
from graphc.contrib.slim.nets.residual import block_maker, network, of_depth
from graphc.contrib.slim.nets.resnet_utils import conv2d_same, subsample
from graphc.contrib.slim.utils import collect_named_outputs, last_dimension
from graphc.face.scopes import variable_scope
from graphc.ops import nn

__all__ = [
    "bottleneck", "resnet_v1", "resnet_v1_50", "resnet_v1_101", "resnet_v1_152", "resnet_v1_200",
    "resnet_v1_block",
]  # fmt: skip


@add_arg_scope
def bottleneck(
    inputs: Any, depth: int, depth_bottleneck: int, stride: int, rate: int = 1,
    outputs_collections: Any = None, scope: Any = None,
) -> Any:  # fmt: skip
    """A unit: three convolutions, the middle one of fewer channels, added to what came in."""
    with variable_scope(scope, "bottleneck_v1", [inputs]) as sc:
        if depth == last_dimension(inputs.get_shape(), 4):
            shortcut = subsample(inputs, stride, "shortcut")
        else:
            shortcut = conv2d(
                inputs, depth, [1, 1], stride=stride, activation_fn=None, scope="shortcut"
            )
        x = conv2d(inputs, depth_bottleneck, [1, 1], stride=1, scope="conv1")
        x = conv2d_same(x, depth_bottleneck, 3, stride, rate=rate, scope="conv2")
        x = conv2d(x, depth, [1, 1], stride=1, activation_fn=None, scope="conv3")
        return collect_named_outputs(outputs_collections, sc.name, nn.relu(shortcut + x))


def resnet_v1(
    inputs: Any, blocks: Any, num_classes: int | None = None, is_training: Any = True,
    global_pool: bool = True, output_stride: Any = None, include_root_block: bool = True,
    reuse: Any = None, scope: Any = None,
) -> Any:  # fmt: skip
    """A residual network of `blocks`.

    Parameters
    ----------
    num_classes : int, optional
        None leaves out the last layer.
    global_pool : bool
        Whether to take the mean over the image.
    output_stride : int, optional
        How many times smaller the image becomes at most; see `resnet_utils.stack_blocks_dense`.
    include_root_block : bool
        Whether to begin with a convolution and a pool that make the image four times smaller.

    Returns
    -------
    The output, and the outputs of all layers by name.
    """
    return network(
        inputs, blocks, bottleneck, False, num_classes, is_training, global_pool, output_stride,
        include_root_block, reuse, scope, "resnet_v1",
    )  # fmt: skip


sized(resnet_v1, 224)
resnet_v1_block = block_maker("resnet_v1_block", bottleneck)
resnet_v1_50 = of_depth(resnet_v1, 50, resnet_v1_block)
resnet_v1_101 = of_depth(resnet_v1, 101, resnet_v1_block)
resnet_v1_152 = of_depth(resnet_v1, 152, resnet_v1_block)
resnet_v1_200 = of_depth(resnet_v1, 200, resnet_v1_block)
