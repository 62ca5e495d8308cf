"""Networks that are one chain of layers: AlexNet, OverFeat and VGG."""

from __future__ import annotations

from typing import Any

from graphc.contrib.framework.scoping import arg_scope
from graphc.contrib.layers.dense import fully_connected
from graphc.contrib.layers.images import conv2d, max_pool2d
from graphc.contrib.layers.regularizers import l2_regularizer
from graphc.contrib.layers.shaping import dropout, repeat
from graphc.contrib.slim.nets.common import sized, trunc_normal
from graphc.contrib.slim.utils import convert_collection_to_dict
from graphc.face.initializers import Constant, Zeros
from graphc.face.scopes import variable_scope
from graphc.ops import nn, shapes

__all__ = [
    "alexnet_v2", "alexnet_v2_arg_scope", "overfeat", "overfeat_arg_scope", "trunc_normal",
    "vgg_16", "vgg_19", "vgg_a", "vgg_arg_scope", "vgg_d", "vgg_e",
]  # fmt: skip

#: Rows of a convolution (name, channels, kernel, stride, padding), of several (name, how many,
#: channels) and of a pool (name, kernel).
_ALEXNET = (
    ("conv1", 64, 11, 4, "VALID"), ("pool1", 3), ("conv2", 192, 5, 1, "SAME"), ("pool2", 3),
    ("conv3", 384, 3, 1, "SAME"), ("conv4", 384, 3, 1, "SAME"), ("conv5", 256, 3, 1, "SAME"),
    ("pool5", 3),
)  # fmt: skip
_OVERFEAT = (
    ("conv1", 64, 11, 4, "VALID"), ("pool1", 2), ("conv2", 256, 5, 1, "VALID"), ("pool2", 2),
    ("conv3", 512, 3, 1, "SAME"), ("conv4", 1024, 3, 1, "SAME"), ("conv5", 1024, 3, 1, "SAME"),
    ("pool5", 2),
)  # fmt: skip
#: How many convolutions before each pool of VGG.
_VGG = {"vgg_a": (1, 1, 2, 2, 2), "vgg_16": (2, 2, 3, 3, 3), "vgg_19": (2, 2, 4, 4, 4)}
_VGG_CHANNELS = (64, 128, 256, 512, 512)


def _chain(x: Any, rows: Any) -> Any:
    for row in rows:
        if len(row) == 2:
            x = max_pool2d(x, [row[1]] * 2, stride=2, scope=row[0])
        elif len(row) == 3:
            x = repeat(x, row[1], conv2d, row[2], [3, 3], scope=row[0])
        else:
            name, channels, kernel, stride, padding = row
            x = conv2d(x, channels, [kernel] * 2, stride=stride, padding=padding, scope=name)
    return x


def _net(
    inputs: Any, rows: Any, fc6: tuple[int, int], small: bool, num_classes: int,
    is_training: Any, dropout_keep_prob: float, spatial_squeeze: bool, scope: Any, default: str,
) -> Any:  # fmt: skip
    """`rows`, then three layers that see everything: convolutions too, so that images may grow.

    `fc6` is the channels and the kernel of the first of the three; `small` says that the three
    begin with small weights, and two of them with positive biases.
    """
    begin: dict[str, Any] = {}
    end: dict[str, Any] = {}
    if small:
        begin = {"weights_initializer": trunc_normal(0.005), "biases_initializer": Constant(0.1)}
        end = {"biases_initializer": Zeros()}
    with variable_scope(scope, default, [inputs]) as sc:
        key = sc.name + "_end_points"
        with arg_scope([conv2d, fully_connected, max_pool2d], outputs_collections=key):
            x = _chain(inputs, rows)
            with arg_scope([conv2d], **begin):
                x = conv2d(x, fc6[0], [fc6[1]] * 2, padding="VALID", scope="fc6")
                x = dropout(x, dropout_keep_prob, is_training=is_training, scope="dropout6")
                x = conv2d(x, 4096, [1, 1], scope="fc7")
                x = dropout(x, dropout_keep_prob, is_training=is_training, scope="dropout7")
                x = conv2d(
                    x, num_classes, [1, 1], activation_fn=None, normalizer_fn=None, scope="fc8",
                    **end,
                )  # fmt: skip
        ends = convert_collection_to_dict(key)
        if spatial_squeeze:
            x = shapes.squeeze(x, [1, 2], name="fc8/squeezed")
            ends[sc.name + "/fc8"] = x
        return x, ends


def _defaults(weight_decay: float, pool: Any, **more: Any) -> Any:
    with (
        arg_scope(
            [conv2d, fully_connected], activation_fn=nn.relu,
            weights_regularizer=l2_regularizer(weight_decay), **more,
        ),
        arg_scope([conv2d], padding="SAME"),
        arg_scope(pool, padding="VALID") as scope,
    ):  # fmt: skip
        return scope


def alexnet_v2_arg_scope(weight_decay: float = 0.0005) -> Any:
    """Defaults of layers for `alexnet_v2`."""
    return _defaults(weight_decay, [max_pool2d], biases_initializer=Constant(0.1))


def overfeat_arg_scope(weight_decay: float = 0.0005) -> Any:
    """Defaults of layers for `overfeat`."""
    return _defaults(weight_decay, [max_pool2d], biases_initializer=Zeros())


def vgg_arg_scope(weight_decay: float = 0.0005) -> Any:
    """Defaults of layers for VGG."""
    return _defaults(weight_decay, [], biases_initializer=Zeros())


def alexnet_v2(
    inputs: Any, num_classes: int = 1000, is_training: Any = True, dropout_keep_prob: float = 0.5,
    spatial_squeeze: bool = True, scope: Any = "alexnet_v2",
) -> Any:  # fmt: skip
    """AlexNet of arXiv:1404.5997: logits, and the outputs of all layers by name."""
    return _net(
        inputs, _ALEXNET, (4096, 5), True, num_classes, is_training, dropout_keep_prob,
        spatial_squeeze, scope, "alexnet_v2",
    )  # fmt: skip


def overfeat(
    inputs: Any, num_classes: int = 1000, is_training: Any = True, dropout_keep_prob: float = 0.5,
    spatial_squeeze: bool = True, scope: Any = "overfeat",
) -> Any:  # fmt: skip
    """OverFeat (arXiv:1312.6229), fast model: logits, and the outputs of all layers by name."""
    return _net(
        inputs, _OVERFEAT, (3072, 6), True, num_classes, is_training, dropout_keep_prob,
        spatial_squeeze, scope, "overfeat",
    )  # fmt: skip


def _vgg(name: str) -> Any:
    rows: list[tuple[Any, ...]] = []
    for i, (n, channels) in enumerate(zip(_VGG[name], _VGG_CHANNELS, strict=True), 1):
        rows += [(f"conv{i}", n, channels), (f"pool{i}", 2)]

    def f(
        inputs: Any, num_classes: int = 1000, is_training: Any = True,
        dropout_keep_prob: float = 0.5, spatial_squeeze: bool = True, scope: Any = name,
    ) -> Any:  # fmt: skip
        return _net(
            inputs, rows, (4096, 7), False, num_classes, is_training, dropout_keep_prob,
            spatial_squeeze, scope, name,
        )  # fmt: skip

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"VGG of arXiv:1409.1556 with {sum(_VGG[name]) + 3} layers: logits, all outputs."
    return sized(f, 224)


vgg_a = _vgg("vgg_a")
vgg_16 = vgg_d = _vgg("vgg_16")
vgg_19 = vgg_e = _vgg("vgg_19")
sized(alexnet_v2, 224)
