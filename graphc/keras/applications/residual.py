"""ResNet, ResNetV2 and DenseNet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.keras.applications.common import Net, layers, shown

__all__ = [
    "DenseNet121",
    "DenseNet169",
    "DenseNet201",
    "ResNet50",
    "ResNet50V2",
    "ResNet101",
    "ResNet101V2",
    "ResNet152",
    "ResNet152V2",
]  # fmt: skip

_EPSILON = {"epsilon": 1.001e-5}
_WIDTHS = (64, 128, 256, 512)


def _finished(net: Net, name: str, last: str) -> Any:
    """The top, or the pooling that takes its place, and the model with its weights."""
    file = shown(name + "_weights_tf_dim_ordering_tf_kernels%s.h5", net.top)
    if net.top:
        return net.finish(name, file, last)
    net.pooled("avg_pool", "max_pool")
    return net.model(name, file)


def _entry(net: Net, after: bool) -> None:
    """The first layers; with the normalization, unless it comes before each block."""
    kit = layers()
    net.pad(((3, 3), (3, 3)), "conv1_pad")
    net.conv(64, 7, 2, name="conv1_conv")
    if after:
        net.norm("conv1_bn", **_EPSILON)
        net.relu("conv1_relu")
    net.pad(((1, 1), (1, 1)), "pool1_pad")
    net.add(kit.MaxPooling2D(3, strides=2, name="pool1_pool"))


def _block(net: Net, width: int, stride: int, shortcut: bool, name: str) -> None:
    """Three convolutions beside the input, or beside one of it."""
    start = net.x
    if shortcut:
        net.conv(4 * width, 1, stride, name=name + "_0_conv")
        aside = net.norm(name + "_0_bn", **_EPSILON)
    else:
        aside = start
    net.x = start
    for i, (n, kernel, s) in enumerate(((width, 1, stride), (width, 3, 1)), 1):
        net.conv(n, kernel, s, "same" if kernel == 3 else "valid", name=f"{name}_{i}_conv")
        net.norm(f"{name}_{i}_bn", **_EPSILON)
        net.relu(f"{name}_{i}_relu")
    net.conv(4 * width, 1, name=name + "_3_conv")
    net.norm(name + "_3_bn", **_EPSILON)
    net.x = layers().Add(name=name + "_add")([aside, net.x])
    net.relu(name + "_out")


def _early(net: Net, width: int, stride: int, shortcut: bool, name: str) -> None:
    """The same with normalizations before what they normalize for."""
    kit, start = layers(), net.x
    net.norm(name + "_preact_bn", **_EPSILON)
    ready = net.relu(name + "_preact_relu")
    if shortcut:
        aside = net.conv(4 * width, 1, stride, name=name + "_0_conv")
    elif stride > 1:
        aside = kit.MaxPooling2D(1, strides=stride)(start)
    else:
        aside = start
    net.x = ready
    net.conv(width, 1, bias=False, name=name + "_1_conv")
    net.norm(name + "_1_bn", **_EPSILON)
    net.relu(name + "_1_relu")
    net.pad(((1, 1), (1, 1)), name + "_2_pad")
    net.conv(width, 3, stride, bias=False, name=name + "_2_conv")
    net.norm(name + "_2_bn", **_EPSILON)
    net.relu(name + "_2_relu")
    net.conv(4 * width, 1, name=name + "_3_conv")
    net.x = kit.Add(name=name + "_out")([aside, net.x])


def _resnet(name: str, depths: tuple[int, ...], early: bool) -> Callable[..., Any]:
    def build(
        include_top: bool = True, weights: Any = "imagenet", input_tensor: Any = None,
        input_shape: Any = None, pooling: Any = None, classes: int = 1000,
    ) -> Any:  # fmt: skip
        """A residual network: see `VGG16` for the arguments."""
        net = Net(include_top, weights, input_tensor, input_shape, pooling, classes, size=224)
        _entry(net, not early)
        for s, (width, depth) in enumerate(zip(_WIDTHS, depths, strict=True)):
            for i in range(1, depth + 1):
                label = f"conv{s + 2}_block{i}"
                if early:  # the step of two is at a stage's end
                    _early(net, width, 2 if i == depth and s < 3 else 1, i == 1, label)
                else:
                    _block(net, width, 2 if i == 1 and s > 0 else 1, i == 1, label)
        if early:
            net.norm("post_bn", **_EPSILON)
            net.relu("post_relu")
        return _finished(net, name, "probs")

    build.__name__ = build.__qualname__ = name
    return build


ResNet50 = _resnet("resnet50", (3, 4, 6, 3), False)
ResNet101 = _resnet("resnet101", (3, 4, 23, 3), False)
ResNet152 = _resnet("resnet152", (3, 8, 36, 3), False)
ResNet50V2 = _resnet("resnet50v2", (3, 4, 6, 3), True)
ResNet101V2 = _resnet("resnet101v2", (3, 4, 23, 3), True)
ResNet152V2 = _resnet("resnet152v2", (3, 8, 36, 3), True)


# ------------------------------------------------------------------------- DenseNet


def _densenet(name: str, depths: tuple[int, ...]) -> Callable[..., Any]:
    def build(
        include_top: bool = True, weights: Any = "imagenet", input_tensor: Any = None,
        input_shape: Any = None, pooling: Any = None, classes: int = 1000,
    ) -> Any:  # fmt: skip
        """A network whose layers see all before them: see `VGG16` for the arguments."""
        net, kit = Net(include_top, weights, input_tensor, input_shape, pooling, classes,
                     size=224), layers()  # fmt: skip
        net.pad(((3, 3), (3, 3)))
        net.conv(64, 7, 2, bias=False, name="conv1/conv")
        net.norm("conv1/bn", **_EPSILON)
        net.relu("conv1/relu")
        net.pad(((1, 1), (1, 1)))
        net.add(kit.MaxPooling2D(3, strides=2, name="pool1"))
        for s, depth in enumerate(depths, 2):
            for i in range(1, depth + 1):
                _grown(net, f"conv{s}_block{i}")
            if s < 5:
                net.norm(f"pool{s}_bn", **_EPSILON)
                net.relu(f"pool{s}_relu")
                net.conv(net.channels // 2, 1, bias=False, name=f"pool{s}_conv")
                net.add(kit.AveragePooling2D(2, strides=2, name=f"pool{s}_pool"))
        net.norm("bn", **_EPSILON)
        net.relu("relu")
        return _finished(net, name, "fc1000")

    build.__name__ = build.__qualname__ = name
    return build


def _grown(net: Net, name: str) -> None:
    """32 more channels beside those that are there."""
    start = net.x
    for i, (width, kernel) in enumerate(((128, 1), (32, 3))):
        net.norm(f"{name}_{i}_bn", **_EPSILON)
        net.relu(f"{name}_{i}_relu")
        net.conv(width, kernel, padding="same" if kernel == 3 else "valid", bias=False,
                 name=f"{name}_{i + 1}_conv")  # fmt: skip
    net.x = layers().Concatenate(axis=net.axis, name=name + "_concat")([start, net.x])


DenseNet121 = _densenet("densenet121", (6, 12, 24, 16))
DenseNet169 = _densenet("densenet169", (6, 12, 32, 32))
DenseNet201 = _densenet("densenet201", (6, 12, 48, 32))
