"""VGG, MobileNet and MobileNetV2."""

from __future__ import annotations

from typing import Any

from graphc.keras.applications.common import Net, layers, shown

__all__ = ["VGG16", "VGG19", "MobileNet", "MobileNetV2"]


def _vgg(name: str, depths: tuple[int, ...], *given: Any) -> Any:
    net, kit = Net(*given, size=224), layers()
    widths = (64, 128, 256, 512, 512)
    for b, (width, depth) in enumerate(zip(widths, depths, strict=True), 1):
        for i in range(1, depth + 1):
            net.conv(width, 3, padding="same", name=f"block{b}_conv{i}", activation="relu")
        net.add(kit.MaxPooling2D(2, strides=2, name=f"block{b}_pool"))
    if net.top:
        net.add(kit.Flatten(name="flatten"))
        for i in (1, 2):
            net.add(kit.Dense(4096, activation="relu", name=f"fc{i}"))
    file = name + "_weights_tf_dim_ordering_tf_kernels%s.h5"
    return net.finish(name, shown(file, net.top), average=None)


def VGG16(
    include_top: bool = True, weights: Any = "imagenet", input_tensor: Any = None,
    input_shape: Any = None, pooling: Any = None, classes: int = 1000,
) -> Any:  # fmt: skip
    """VGG of 16 layers.

    Parameters
    ----------
    include_top : bool
        Whether the dense layers at the end are there.
    weights : str, optional
        None, the path of a file, or "imagenet": that file in Keras' cache; none is downloaded.
    input_tensor : tensor, optional
    input_shape : tuple, optional
        Of a picture; needed without a top only where its size is known.
    pooling : str, optional
        Without a top: ``"avg"``, ``"max"`` or none.
    classes : int

    Raises
    ------
    ValueError
        When these do not fit together, or the weights are not there.
    """
    return _vgg("vgg16", (2, 2, 3, 3, 3), include_top, weights, input_tensor, input_shape,
                pooling, classes)  # fmt: skip


def VGG19(
    include_top: bool = True, weights: Any = "imagenet", input_tensor: Any = None,
    input_shape: Any = None, pooling: Any = None, classes: int = 1000,
) -> Any:  # fmt: skip
    """VGG of 19 layers: see `VGG16`."""
    return _vgg("vgg19", (2, 2, 4, 4, 4), include_top, weights, input_tensor, input_shape,
                pooling, classes)  # fmt: skip


# ------------------------------------------------------------------------- MobileNet

_SIZES = (128, 160, 192, 224)


def _size(shape: Any, sizes: tuple[int, ...]) -> int:
    """The height of pictures that a mobile net is made for."""
    from graphc.keras.applications.common import tf

    if shape is None:
        return 224
    first = tf.keras.backend.image_data_format() == "channels_first"
    height, width = shape[1:3] if first else shape[:2]
    return int(height) if height == width and height in sizes else 224


def MobileNet(
    input_shape: Any = None, alpha: float = 1.0, depth_multiplier: int = 1, dropout: float = 0.001,
    include_top: bool = True, weights: Any = "imagenet", input_tensor: Any = None,
    pooling: Any = None, classes: int = 1000,
) -> Any:  # fmt: skip
    """MobileNet: convolutions of each channel and of each point in turns.

    Parameters
    ----------
    alpha : float
        By how much each layer is wider.
    depth_multiplier : int
    dropout : float
    include_top, weights, input_tensor, input_shape, pooling, classes
        As in `VGG16`.
    """
    net = Net(include_top, weights, input_tensor, input_shape, pooling, classes,
              size=_size(input_shape, _SIZES))  # fmt: skip
    kit, sides = layers(), ((0, 1), (0, 1))
    if weights == "imagenet" and depth_multiplier != 1:
        raise ValueError("If imagenet weights are being loaded, depth multiplier must be 1")
    if weights == "imagenet" and alpha not in (0.25, 0.5, 0.75, 1.0):
        raise ValueError("If imagenet weights are being loaded, alpha can be one of`0.25`, `0.50`, "
                         "`0.75` or `1.0` only.")  # fmt: skip

    def end(name: str) -> None:
        net.norm(f"{name}_bn")
        net.add(kit.ReLU(6.0, name=f"{name}_relu"))

    net.pad(sides, "conv1_pad")
    net.conv(int(32 * alpha), 3, 2, bias=False, name="conv1")
    end("conv1")
    widths = (64, 128, 128, 256, 256, *[512] * 6, 1024, 1024)
    for i, width in enumerate(widths, 1):
        halves = i in (2, 4, 6, 12)
        if halves:
            net.pad(sides, f"conv_pad_{i}")
        net.add(
            kit.DepthwiseConv2D(
                3, padding="valid" if halves else "same", depth_multiplier=depth_multiplier,
                strides=2 if halves else 1, use_bias=False, name=f"conv_dw_{i}",
            )
        )  # fmt: skip
        end(f"conv_dw_{i}")
        net.conv(int(width * alpha), 1, padding="same", bias=False, name=f"conv_pw_{i}")
        end(f"conv_pw_{i}")
    if net.top:
        n = int(1024 * alpha)
        net.add(kit.GlobalAveragePooling2D())
        net.add(kit.Reshape((n, 1, 1) if net.first else (1, 1, n), name="reshape_1"))
        net.add(kit.Dropout(dropout, name="dropout"))
        net.conv(classes, 1, padding="same", name="conv_preds")
        net.add(kit.Reshape((classes,), name="reshape_2"))
        net.add(kit.Activation("softmax", name="act_softmax"))
    else:
        net.pooled()
    text = {1.0: "1_0", 0.75: "7_5", 0.5: "5_0"}.get(alpha, "2_5")
    rows = net.rows if net.rows in _SIZES else 224
    file = shown(f"mobilenet_{text}_{rows}_tf%s.h5", net.top, "_no_top")
    name = f"mobilenet_{alpha:0.2f}_{net.rows}"
    return net.model(name, file)


def _divisible(n: float) -> int:
    """The next multiple of eight that is not less by a tenth."""
    made = max(8, int(n + 4) // 8 * 8)
    return made + 8 if made < 0.9 * n else made


#: Of MobileNetV2: how much each block widens inside, its channels, how often, its first stride.
_BLOCKS = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
)  # fmt: skip


def MobileNetV2(
    input_shape: Any = None, alpha: float = 1.0, include_top: bool = True,
    weights: Any = "imagenet", input_tensor: Any = None, pooling: Any = None, classes: int = 1000,
) -> Any:  # fmt: skip
    """MobileNetV2: narrow layers with wide ones of single channels between them.

    Parameters
    ----------
    alpha : float
        By how much each layer is wider.
    include_top, weights, input_tensor, input_shape, pooling, classes
        As in `VGG16`.
    """
    sizes = (96, *_SIZES)
    net = Net(include_top, weights, input_tensor, input_shape, pooling, classes,
              size=_size(input_shape, sizes))  # fmt: skip
    kit, norm = layers(), {"epsilon": 1e-3, "momentum": 0.999}
    net.pad(_even(net), "Conv1_pad")
    net.conv(_divisible(32 * alpha), 3, 2, bias=False, name="Conv1")
    net.norm("bn_Conv1", **norm)
    net.add(kit.ReLU(6.0, name="Conv1_relu"))
    i = 0
    for widen, width, times, stride in _BLOCKS:
        for j in range(times):
            _inverted(net, widen, _divisible(int(width * alpha)), stride if j == 0 else 1, i, norm)
            i += 1
    net.conv(_divisible(1280 * alpha) if alpha > 1.0 else 1280, 1, bias=False, name="Conv_1")
    net.norm("Conv_1_bn", **norm)
    net.add(kit.ReLU(6.0, name="out_relu"))
    rows = net.rows if net.rows in sizes else 224
    file = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{rows}%s.h5"
    if net.top:
        net.add(kit.GlobalAveragePooling2D())
        net.add(kit.Dense(classes, activation="softmax", name="Logits"))
    else:
        net.pooled()
    return net.model(f"mobilenetv2_{alpha:0.2f}_{net.rows}", shown(file, net.top, "_no_top"))


def _even(net: Net, kernel: int = 3) -> Any:
    """The zeros before a step of two, so that its windows lie as in the same padding."""
    axes = (2, 3) if net.first else (1, 2)
    sizes = [net.x.shape[a] for a in axes]
    sizes = [getattr(n, "value", n) for n in sizes]
    odd = [1 if n is None else 1 - n % 2 for n in sizes]
    half = kernel // 2
    return tuple((half - o, half) for o in odd)


def _inverted(net: Net, widen: int, width: int, stride: int, i: int, norm: Any) -> None:
    kit, start, before = layers(), net.x, net.channels
    name = f"block_{i}_" if i else "expanded_conv_"
    if i:
        net.conv(widen * before, 1, padding="same", bias=False, name=name + "expand")
        net.norm(name + "expand_BN", **norm)
        net.add(kit.ReLU(6.0, name=name + "expand_relu"))
    if stride == 2:
        net.pad(_even(net), name + "pad")
    net.add(
        kit.DepthwiseConv2D(3, strides=stride, use_bias=False,
                          padding="same" if stride == 1 else "valid", name=name + "depthwise")
    )  # fmt: skip
    net.norm(name + "depthwise_BN", **norm)
    net.add(kit.ReLU(6.0, name=name + "depthwise_relu"))
    net.conv(width, 1, padding="same", bias=False, name=name + "project")
    net.norm(name + "project_BN", **norm)
    if before == width and stride == 1:
        net.x = kit.Add(name=name + "add")([start, net.x])
