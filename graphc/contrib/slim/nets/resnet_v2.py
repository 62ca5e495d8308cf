"""Residual networks that normalise before each convolution (arXiv:1603.05027)."""

from __future__ import annotations

from typing import Any

from graphc.contrib.framework.scoping import add_arg_scope
from graphc.contrib.layers.images import conv2d
from graphc.contrib.layers.normalization import batch_norm
from graphc.contrib.slim.nets.common import sized
from graphc.contrib.slim.nets.residual import block_maker, network, of_depth
from graphc.contrib.slim.nets.resnet_utils import conv2d_same, subsample
from graphc.contrib.slim.utils import collect_named_outputs, last_dimension
from graphc.face.scopes import variable_scope
from graphc.ops import nn

__all__ = [
    "bottleneck", "resnet_v2", "resnet_v2_50", "resnet_v2_101", "resnet_v2_152", "resnet_v2_200",
    "resnet_v2_block",
]  # fmt: skip


@add_arg_scope
def bottleneck(
    inputs: Any, depth: int, depth_bottleneck: int, stride: int, rate: int = 1,
    outputs_collections: Any = None, scope: Any = None,
) -> Any:  # fmt: skip
    """A unit: three convolutions, the middle one of fewer channels, added to what came in."""
    with variable_scope(scope, "bottleneck_v2", [inputs]) as sc:
        x = batch_norm(inputs, activation_fn=nn.relu, scope="preact")
        if depth == last_dimension(inputs.get_shape(), 4):
            shortcut = subsample(inputs, stride, "shortcut")
        else:
            shortcut = conv2d(
                x, depth, [1, 1], stride=stride, normalizer_fn=None, activation_fn=None,
                scope="shortcut",
            )  # fmt: skip
        x = conv2d(x, depth_bottleneck, [1, 1], stride=1, scope="conv1")
        x = conv2d_same(x, depth_bottleneck, 3, stride, rate=rate, scope="conv2")
        x = conv2d(
            x, depth, [1, 1], stride=1, normalizer_fn=None, activation_fn=None, scope="conv3"
        )
        return collect_named_outputs(outputs_collections, sc.name, shortcut + x)


def resnet_v2(
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
        inputs, blocks, bottleneck, True, num_classes, is_training, global_pool, output_stride,
        include_root_block, reuse, scope, "resnet_v2",
    )  # fmt: skip


sized(resnet_v2, 224)
resnet_v2_block = block_maker("resnet_v2_block", bottleneck)
resnet_v2_50 = of_depth(resnet_v2, 50, resnet_v2_block)
resnet_v2_101 = of_depth(resnet_v2, 101, resnet_v2_block)
resnet_v2_152 = of_depth(resnet_v2, 152, resnet_v2_block)
resnet_v2_200 = of_depth(resnet_v2, 200, resnet_v2_block)
