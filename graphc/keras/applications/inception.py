"""Xception, InceptionV3 and InceptionResNetV2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.keras.applications.common import Net, layers, shown

__all__ = ["InceptionResNetV2", "InceptionV3", "Xception"]


# ------------------------------------------------------------------------- Xception


def Xception(
    include_top: bool = True, weights: Any = "imagenet", input_tensor: Any = None,
    input_shape: Any = None, pooling: Any = None, classes: int = 1000,
) -> Any:  # fmt: skip
    """Xception: separable convolutions between shortcuts; see `VGG16` for the arguments."""
    net = Net(include_top, weights, input_tensor, input_shape, pooling, classes, size=299,
              least=71)  # fmt: skip
    for i, (width, stride) in enumerate(((32, 2), (64, 1)), 1):
        net.conv(width, 3, stride, bias=False, name=f"block1_conv{i}")
        net.norm(f"block1_conv{i}_bn")
        net.relu(f"block1_conv{i}_act")
    for b, width in ((2, 128), (3, 256), (4, 728)):
        _narrowed(net, b, (width, width), width, b > 2)
    for b in range(5, 13):
        start = net.x
        for i in (1, 2, 3):
            net.relu(f"block{b}_sepconv{i}_act")
            _separable(net, 728, f"block{b}_sepconv{i}")
        net.x = layers().add([net.x, start])
    _narrowed(net, 13, (728, 1024), 1024, True)
    for i, width in enumerate((1536, 2048), 1):
        _separable(net, width, f"block14_sepconv{i}")
        net.relu(f"block14_sepconv{i}_act")
    file = "xception_weights_tf_dim_ordering_tf_kernels%s.h5"
    return net.finish("xception", shown(file, net.top))


def _separable(net: Net, width: int, name: str) -> None:
    net.add(layers().SeparableConv2D(width, 3, padding="same", use_bias=False, name=name))
    net.norm(name + "_bn")


def _narrowed(net: Net, b: int, widths: Sequence[int], aside: int, active: bool) -> None:
    """A block that halves the picture, beside a convolution that does."""
    start = net.x
    net.conv(aside, 1, 2, "same", bias=False)
    shortcut = net.norm()
    net.x = start
    for i, width in enumerate(widths, 1):
        if active or i > 1:
            net.relu(f"block{b}_sepconv{i}_act")
        _separable(net, width, f"block{b}_sepconv{i}")
    net.add(layers().MaxPooling2D(3, strides=2, padding="same", name=f"block{b}_pool"))
    net.x = layers().add([net.x, shortcut])


# ------------------------------------------------------------------------- Inception

#: A convolution: filters, kernel, and where it is not the same size: "/2" for steps of two, "v"
#: for none but whole windows. A branch is a text of them; "max" and "avg" are pools.
_MIXED: dict[str, tuple[str, ...]] = {
    "a": ("64:1", "48:1 64:5", "64:1 96:3 96:3", "avg {}:1"),
    "3": ("384:3/2v", "64:1 96:3 96:3/2v", "max"),
    "b": ("192:1", "{0}:1 {0}:1x7 192:7x1", "{0}:1 {0}:7x1 {0}:1x7 {0}:7x1 192:1x7", "avg 192:1"),
    "8": ("192:1 320:3/2v", "192:1 192:1x7 192:7x1 192:3/2v", "max"),
    "5b": ("96:1", "48:1 64:5", "64:1 96:3 96:3", "avg 64:1"),
    "6a": ("384:3/2v", "256:1 256:3 384:3/2v", "max"),
    "7a": ("256:1 384:3/2v", "256:1 288:3/2v", "256:1 288:3 320:3/2v", "max"),
    "35": ("32:1", "32:1 32:3", "32:1 48:3 64:3"),
    "17": ("192:1", "128:1 160:1x7 192:7x1"),
    "block8": ("192:1", "192:1 224:1x3 256:3x1"),
}
_STEM = "32:3/2v 32:3v 64:3 max 80:1v 192:3v max"


def _small(net: Net, word: str) -> None:
    """One convolution of a table with its normalization, or a pool."""
    kit = layers()
    if word == "max":
        net.add(kit.MaxPooling2D(3, strides=2))
    elif word == "avg":
        net.add(kit.AveragePooling2D(3, strides=1, padding="same"))
    else:
        width, _, rest = word.partition(":")
        kernel = rest.removesuffix("v").removesuffix("/2")
        size = tuple(map(int, kernel.split("x")))
        net.conv(int(width), size if len(size) == 2 else size[0], 2 if "/2" in rest else 1,
                 "valid" if rest.endswith("v") else "same", bias=False)  # fmt: skip
        net.norm(scale=False)
        net.relu()


def _chain(net: Net, words: str) -> None:
    """Entries of a table one after the other."""
    for word in words.split():
        _small(net, word)


def _branches(net: Net, texts: Sequence[str], name: str | None) -> None:
    """Branches from one place, side by side."""
    start, made = net.x, []
    for text in texts:
        net.x = start
        _chain(net, text)
        made.append(net.x)
    net.x = layers().Concatenate(axis=net.axis, name=name)(made)


def InceptionV3(
    include_top: bool = True, weights: Any = "imagenet", input_tensor: Any = None,
    input_shape: Any = None, pooling: Any = None, classes: int = 1000,
) -> Any:  # fmt: skip
    """Inception, third version: see `VGG16` for the arguments."""
    net = Net(include_top, weights, input_tensor, input_shape, pooling, classes, size=299,
              least=75)  # fmt: skip
    _chain(net, _STEM)
    plan: list[tuple[str, int]] = [("a", 32), ("a", 64), ("a", 64), ("3", 0), ("b", 128),
                                   ("b", 160), ("b", 160), ("b", 192), ("8", 0)]  # fmt: skip
    for i, (kind, width) in enumerate(plan):
        _branches(net, [t.format(width) for t in _MIXED[kind]], f"mixed{i}")
    for i in (0, 1):
        _fanned(net, i)
    file = "inception_v3_weights_tf_dim_ordering_tf_kernels%s.h5"
    return net.finish("inception_v3", shown(file, net.top))


def _fanned(net: Net, i: int) -> None:
    """The last blocks: branches that part once more."""
    start, made = net.x, []
    _small(net, "320:1")
    made.append(net.x)
    for text, name in (("384:1", f"mixed9_{i}"), ("448:1 384:3", None)):
        net.x = start
        _chain(net, text)
        _branches(net, ["384:1x3", "384:3x1"], name)
        made.append(net.x)
    net.x = start
    _chain(net, "avg 192:1")
    made.append(net.x)
    net.x = layers().Concatenate(axis=net.axis, name=f"mixed{9 + i}")(made)


def _added(inputs: Any, scale: float) -> Any:
    """A branch, scaled, on what it began from."""
    return inputs[0] + inputs[1] * scale


def _scaled(net: Net, kind: str, scale: float, i: int, active: bool = True) -> None:
    """Branches whose sum is a small change of what they begin from."""
    start, name = net.x, f"{kind if kind.startswith('block') else 'block' + kind}_{i}"
    width = net.channels
    _branches(net, _MIXED[kind], name + "_mixed")
    net.conv(width, 1, padding="same", name=name + "_conv")
    net.x = layers().Lambda(_added, arguments={"scale": scale}, name=name)([start, net.x])
    if active:
        net.relu(name + "_ac")


def InceptionResNetV2(
    include_top: bool = True, weights: Any = "imagenet", input_tensor: Any = None,
    input_shape: Any = None, pooling: Any = None, classes: int = 1000,
) -> Any:  # fmt: skip
    """Inception with residual branches: see `VGG16` for the arguments."""
    net = Net(include_top, weights, input_tensor, input_shape, pooling, classes, size=299,
              least=75)  # fmt: skip
    _chain(net, _STEM)
    for kind, block, scale, times in (("5b", "35", 0.17, 10), ("6a", "17", 0.1, 20),
                                      ("7a", "block8", 0.2, 9)):  # fmt: skip
        _branches(net, _MIXED[kind], f"mixed_{kind}")
        for i in range(1, times + 1):
            _scaled(net, block, scale, i)
    _scaled(net, "block8", 1.0, 10, active=False)
    net.conv(1536, 1, padding="same", bias=False, name="conv_7b")
    net.norm("conv_7b_bn", scale=False)
    net.relu("conv_7b_ac")
    file = "inception_resnet_v2_weights_tf_dim_ordering_tf_kernels%s.h5"
    return net.finish("inception_resnet_v2", shown(file, net.top))
