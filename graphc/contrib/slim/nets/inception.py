"""Inception networks 1 to 3; each is a table of its layers and modules."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from graphc.contrib.framework.scoping import arg_scope
from graphc.contrib.layers.dense import fully_connected, softmax
from graphc.contrib.layers.images import avg_pool2d, conv2d, max_pool2d, separable_conv2d
from graphc.contrib.layers.normalization import batch_norm
from graphc.contrib.layers.shaping import dropout
from graphc.contrib.slim.nets.common import (
    inception_arg_scope,
    plain_steps,
    reduced,
    sized,
    trunc_normal,
)
from graphc.contrib.slim.nets.inception_tables import TABLES
from graphc.face.graph_keys import GraphKeys
from graphc.face.scopes import variable_scope
from graphc.ops import arrays, shapes

__all__ = [
    "inception_v1", "inception_v1_arg_scope", "inception_v1_base", "inception_v2",
    "inception_v2_arg_scope", "inception_v2_base", "inception_v3", "inception_v3_arg_scope",
    "inception_v3_base", "trunc_normal",
]  # fmt: skip

Depth = Callable[[int], int]
_LAYER = re.compile(
    r"(?P<kind>[A-Za-z]\w*?)_(?P<label>(?:\w+_)?(?P<height>\d)x(?P<width>\d))"
    r"(?:@(?P<real>\d))?(?:/(?P<stride>\d))?(?P<valid>v?)(?:~(?P<small>[\d.]+))?(?:=(?P<n>\d+))?"
)
_KINDS = {"C": "Conv2d", "M": "MaxPool", "A": "AvgPool", "S": "Conv2d", "Conv": "Conv"}


def _layer(x: Any, text: str, depth: Depth) -> Any:
    """One layer of a table; see the head of `inception_tables`."""
    m = _LAYER.fullmatch(text)
    assert m, text
    scope = f"{_KINDS[m['kind']]}_{m['label']}"
    kernel = [int(m["real"])] * 2 if m["real"] else [int(m["height"]), int(m["width"])]
    stride = int(m["stride"] or 1)
    padding = "VALID" if m["valid"] else "SAME"
    if m["kind"] in "MA":
        pool = max_pool2d if m["kind"] == "M" else avg_pool2d
        return pool(x, kernel, stride=stride, padding=padding, scope=scope)
    n = depth(int(m["n"]))
    first = {"weights_initializer": trunc_normal(float(m["small"]))} if m["small"] else {}
    if m["kind"] == "S":
        return separable_conv2d(
            x, n, kernel, depth_multiplier=min(n // 3, 8), stride=stride, padding=padding,
            scope=scope, **first,
        )  # fmt: skip
    return conv2d(x, n, kernel, stride=stride, padding=padding, scope=scope, **first)


def _branch(x: Any, text: str, depth: Depth) -> Any:
    for step in text.split():
        sides = [_layer(x, side, depth) for side in step.split("+")]
        x = sides[0] if len(sides) == 1 else arrays.concat(sides, 3)
    return x


def _module(x: Any, text: str, depth: Depth) -> Any:
    branches = []
    for i, branch in enumerate(text.split("|")):
        with variable_scope(f"Branch_{i}"):
            branches.append(_branch(x, branch, depth))
    return arrays.concat(branches, 3)


def _base(
    version: str, inputs: Any, final_endpoint: str, scope: Any, depth: Depth
) -> tuple[Any, dict[str, Any]]:
    ends: dict[str, Any] = {}
    with variable_scope(scope, version, [inputs]), plain_steps():
        x = inputs
        for line in TABLES[version].replace("\n    ", " ").strip().splitlines():
            head, _, text = line.partition(":")
            if text:
                name = head.strip()
                with variable_scope(name):
                    x = _module(x, text, depth)
            else:
                x = _layer(x, head.strip(), depth)
                m = _LAYER.fullmatch(head.strip())
                assert m
                name = f"{_KINDS[m['kind']]}_{m['label']}"
            ends[name] = x
            if name == final_endpoint:
                return x, ends
        raise ValueError(f"Unknown final endpoint {final_endpoint}")


def _depth(multiplier: float, least: int) -> Depth:
    if multiplier <= 0:
        raise ValueError("depth_multiplier is not greater than zero.")
    return lambda n: max(int(n * multiplier), least)


def _logits(x: Any, num_classes: int, spatial_squeeze: bool, scope: str, **more: Any) -> Any:
    y = conv2d(x, num_classes, [1, 1], activation_fn=None, normalizer_fn=None, scope=scope, **more)
    return shapes.squeeze(y, [1, 2], name="SpatialSqueeze") if spatial_squeeze else y


# ------------------------------------------------------------------------- version 1


def inception_v1_base(
    inputs: Any, final_endpoint: str = "Mixed_5c", scope: Any = "InceptionV1"
) -> Any:
    """GoogLeNet (arXiv:1409.4842) up to the layer `final_endpoint`, and all outputs by name."""
    with arg_scope([conv2d, fully_connected], weights_initializer=trunc_normal(0.01)):
        return _base("InceptionV1", inputs, final_endpoint, scope, lambda n: n)


def inception_v1(
    inputs: Any, num_classes: int = 1000, is_training: Any = True, dropout_keep_prob: float = 0.8,
    prediction_fn: Any = softmax, spatial_squeeze: bool = True, reuse: Any = None,
    scope: Any = "InceptionV1",
) -> Any:  # fmt: skip
    """GoogLeNet (arXiv:1409.4842): logits, and the outputs of all layers by name."""
    with (
        variable_scope(scope, "InceptionV1", [inputs, num_classes], reuse=reuse) as sc,
        arg_scope([batch_norm, dropout], is_training=is_training),
    ):
        x, ends = inception_v1_base(inputs, scope=sc)
        with variable_scope("Logits"):
            x = avg_pool2d(x, [7, 7], stride=1, scope="MaxPool_0a_7x7")
            x = dropout(x, dropout_keep_prob, scope="Dropout_0b")
            y = ends["Logits"] = _logits(x, num_classes, spatial_squeeze, "Conv2d_0c_1x1")
            ends["Predictions"] = prediction_fn(y, scope="Predictions")
        return y, ends


def inception_v1_arg_scope(
    weight_decay: float = 0.00004, use_batch_norm: bool = True,
    batch_norm_var_collection: str = "moving_vars",
) -> Any:  # fmt: skip
    """Defaults of layers for `inception_v1`."""
    return inception_arg_scope(weight_decay, batch_norm_var_collection, use_batch_norm)


# ------------------------------------------------------------------------- version 2


def inception_v2_base(
    inputs: Any, final_endpoint: str = "Mixed_5c", min_depth: int = 16,
    depth_multiplier: float = 1.0, scope: Any = None,
) -> Any:  # fmt: skip
    """Inception 2 (arXiv:1502.03167) up to the layer `final_endpoint`, and all outputs."""
    depth = _depth(depth_multiplier, min_depth)
    return _base("InceptionV2", inputs, final_endpoint, scope, depth)


def inception_v2(
    inputs: Any, num_classes: int = 1000, is_training: Any = True, dropout_keep_prob: float = 0.8,
    min_depth: int = 16, depth_multiplier: float = 1.0, prediction_fn: Any = softmax,
    spatial_squeeze: bool = True, reuse: Any = None, scope: Any = "InceptionV2",
) -> Any:  # fmt: skip
    """Inception 2 (arXiv:1502.03167): logits, and the outputs of all layers by name.

    Parameters
    ----------
    min_depth : int
        Least channels of a layer when `depth_multiplier` makes them fewer.
    """
    _depth(depth_multiplier, min_depth)
    with (
        variable_scope(scope, "InceptionV2", [inputs, num_classes], reuse=reuse) as sc,
        arg_scope([batch_norm, dropout], is_training=is_training),
    ):
        x, ends = inception_v2_base(
            inputs, min_depth=min_depth, depth_multiplier=depth_multiplier, scope=sc
        )
        with variable_scope("Logits"):
            k = reduced(x, [7, 7])
            x = avg_pool2d(x, k, padding="VALID", scope=f"AvgPool_1a_{k[0]}x{k[1]}")
            x = dropout(x, dropout_keep_prob, scope="Dropout_1b")
            y = ends["Logits"] = _logits(x, num_classes, spatial_squeeze, "Conv2d_1c_1x1")
        ends["Predictions"] = prediction_fn(y, scope="Predictions")
        return y, ends


def inception_v2_arg_scope(
    weight_decay: float = 0.00004, batch_norm_var_collection: str = "moving_vars"
) -> Any:
    """Defaults of layers for `inception_v2`."""
    return inception_arg_scope(weight_decay, batch_norm_var_collection)


# ------------------------------------------------------------------------- version 3


def inception_v3_base(
    inputs: Any, final_endpoint: str = "Mixed_7c", min_depth: int = 16,
    depth_multiplier: float = 1.0, scope: Any = None,
) -> Any:  # fmt: skip
    """Inception 3 (arXiv:1512.00567) up to the layer `final_endpoint`, and all outputs."""
    depth = _depth(depth_multiplier, min_depth)
    return _base("InceptionV3", inputs, final_endpoint, scope, depth)


def _auxiliary(x: Any, num_classes: int, spatial_squeeze: bool, depth: Depth) -> Any:
    """Logits from the middle of the network."""
    with plain_steps(), variable_scope("AuxLogits"):
        x = avg_pool2d(x, [5, 5], stride=3, padding="VALID", scope="AvgPool_1a_5x5")
        x = conv2d(x, depth(128), [1, 1], scope="Conv2d_1b_1x1")
        k = reduced(x, [5, 5])
        x = conv2d(
            x, depth(768), k, weights_initializer=trunc_normal(0.01), padding="VALID",
            scope=f"Conv2d_2a_{k[0]}x{k[1]}",
        )  # fmt: skip
        small = trunc_normal(0.001)
        return _logits(x, num_classes, spatial_squeeze, "Conv2d_2b_1x1", weights_initializer=small)


def inception_v3(
    inputs: Any, num_classes: int = 1000, is_training: Any = True, dropout_keep_prob: float = 0.8,
    min_depth: int = 16, depth_multiplier: float = 1.0, prediction_fn: Any = softmax,
    spatial_squeeze: bool = True, reuse: Any = None, scope: Any = "InceptionV3",
) -> Any:  # fmt: skip
    """Inception 3 (arXiv:1512.00567): logits, and the outputs of all layers by name.

    ``AuxLogits`` among them are logits from the middle of the network, for a second loss.
    """
    depth = _depth(depth_multiplier, min_depth)
    with (
        variable_scope(scope, "InceptionV3", [inputs, num_classes], reuse=reuse) as sc,
        arg_scope([batch_norm, dropout], is_training=is_training),
    ):
        x, ends = inception_v3_base(
            inputs, min_depth=min_depth, depth_multiplier=depth_multiplier, scope=sc
        )
        ends["AuxLogits"] = _auxiliary(ends["Mixed_6e"], num_classes, spatial_squeeze, depth)
        with variable_scope("Logits"):
            k = reduced(x, [8, 8])
            x = avg_pool2d(x, k, padding="VALID", scope=f"AvgPool_1a_{k[0]}x{k[1]}")
            x = ends["PreLogits"] = dropout(x, dropout_keep_prob, scope="Dropout_1b")
            y = ends["Logits"] = _logits(x, num_classes, spatial_squeeze, "Conv2d_1c_1x1")
        ends["Predictions"] = prediction_fn(y, scope="Predictions")
        return y, ends


def inception_v3_arg_scope(
    weight_decay: float = 0.00004, batch_norm_var_collection: str = "moving_vars",
    batch_norm_decay: float = 0.9997, batch_norm_epsilon: float = 0.001,
    updates_collections: Any = GraphKeys.UPDATE_OPS, use_fused_batchnorm: bool = True,
) -> Any:  # fmt: skip
    """Defaults of layers for `inception_v3`."""
    return inception_arg_scope(
        weight_decay, batch_norm_var_collection, decay=batch_norm_decay,
        epsilon=batch_norm_epsilon, updates_collections=updates_collections,
        fused=use_fused_batchnorm,
    )  # fmt: skip


for _f, _size in ((inception_v1, 224), (inception_v2, 224), (inception_v3, 299)):
    sized(_f, _size)
