"""Residual networks: blocks of units, and how they are stacked (arXiv:1512.03385)."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import Any

from graphc.contrib.framework.scoping import add_arg_scope, arg_scope
from graphc.contrib.layers.images import conv2d, max_pool2d
from graphc.contrib.layers.normalization import batch_norm
from graphc.contrib.layers.regularizers import l2_regularizer
from graphc.contrib.slim.utils import collect_named_outputs
from graphc.face.compat import contrib_variance_scaling
from graphc.face.graph_keys import GraphKeys
from graphc.face.scopes import variable_scope
from graphc.ops import arrays, nn

__all__ = [
    "UNITS", "Block", "conv2d_same", "resnet_arg_scope", "stack_blocks_dense", "stages",
    "subsample",
]  # fmt: skip

#: A part of a network: its scope, the function of a unit, and the arguments of each unit.
Block = namedtuple("Block", ["scope", "unit_fn", "args"])

#: Layers of a network → units in each of its four blocks.
UNITS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3), 200: (3, 24, 36, 3)}


def stages(depth: int, block: Callable[..., Block]) -> list[Block]:
    """The four blocks of a network; each but the last halves the image in its last unit."""
    rows = zip((64, 128, 256, 512), UNITS[depth], (2, 2, 2, 1), strict=True)
    return [
        block(f"block{i}", base_depth=base, num_units=n, stride=stride)
        for i, (base, n, stride) in enumerate(rows, 1)
    ]


def subsample(inputs: Any, factor: int, scope: Any = None) -> Any:
    """Every `factor`-th pixel."""
    return inputs if factor == 1 else max_pool2d(inputs, [1, 1], stride=factor, scope=scope)


def conv2d_same(
    inputs: Any, num_outputs: int, kernel_size: int, stride: int, rate: int = 1, scope: Any = None
) -> Any:
    """A convolution whose padding does not depend on the size of the image.

    With a stride, ``SAME`` pads even and odd sizes differently; here both sides get zeros first.
    """
    if stride == 1:
        return conv2d(
            inputs, num_outputs, kernel_size, stride=1, rate=rate, padding="SAME", scope=scope
        )
    total = rate * (kernel_size - 1)
    edge = [total // 2, total - total // 2]
    x = arrays.pad(inputs, [[0, 0], edge, edge, [0, 0]])
    return conv2d(
        x, num_outputs, kernel_size, stride=stride, rate=rate, padding="VALID", scope=scope
    )


@add_arg_scope
def stack_blocks_dense(
    net: Any, blocks: Any, output_stride: Any = None, outputs_collections: Any = None
) -> Any:
    """Units of blocks after each other.

    Parameters
    ----------
    output_stride : int, optional
        From where the image is this many times smaller, it is made no smaller: strides become
        dilations of what follows.

    Raises
    ------
    ValueError
        When the strides do not multiply to `output_stride`.
    """
    stride, rate = 1, 1
    for block in blocks:
        with variable_scope(block.scope, "block", [net]) as sc:
            for i, unit in enumerate(block.args, 1):
                if output_stride is not None and stride > output_stride:
                    raise ValueError("The target output_stride cannot be reached.")
                with variable_scope(f"unit_{i}", values=[net]):
                    step = unit.get("stride", 1)
                    if stride == output_stride:
                        net = block.unit_fn(net, rate=rate, **{**unit, "stride": 1})
                        rate *= step
                    else:
                        net = block.unit_fn(net, rate=1, **unit)
                        stride *= step
            net = collect_named_outputs(outputs_collections, sc.name, net)
    if output_stride is not None and stride != output_stride:
        raise ValueError("The target output_stride cannot be reached.")
    return net


def resnet_arg_scope(
    weight_decay: float = 0.0001, batch_norm_decay: float = 0.997,
    batch_norm_epsilon: float = 1e-5, batch_norm_scale: bool = True,
) -> Any:  # fmt: skip
    """Defaults of layers for residual networks."""
    parameters = {
        "decay": batch_norm_decay, "epsilon": batch_norm_epsilon, "scale": batch_norm_scale,
        "updates_collections": GraphKeys.UPDATE_OPS,
    }  # fmt: skip
    with (
        arg_scope(
            [conv2d], weights_regularizer=l2_regularizer(weight_decay),
            weights_initializer=contrib_variance_scaling(), activation_fn=nn.relu,
            normalizer_fn=batch_norm, normalizer_params=parameters,
        ),
        arg_scope([batch_norm], **parameters),
        arg_scope([max_pool2d], padding="SAME") as scope,
    ):  # fmt: skip
        return scope
