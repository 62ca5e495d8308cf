"""What tests know of a network of tf.keras.applications: its layers, weights, and an output."""

from __future__ import annotations

import hashlib
import json
from typing import Any

#: Networks and how a small one is made whose output is compared; None: only the layers are.
NETWORKS: dict[str, Any] = {
    "VGG16": None,
    "VGG19": {"input_shape": (32, 32, 3), "include_top": False, "pooling": "avg"},
    "ResNet50": {"input_shape": (32, 32, 3), "classes": 7},
    "ResNet101": None,
    "ResNet152": None,
    "ResNet50V2": {"input_shape": (32, 32, 3), "include_top": False, "pooling": "max"},
    "ResNet101V2": None,
    "ResNet152V2": None,
    "MobileNet": {"input_shape": (32, 32, 3), "alpha": 0.5, "classes": 5},
    "MobileNetV2": {"input_shape": (48, 33, 3), "alpha": 1.4, "include_top": False},
    "Xception": {"input_shape": (71, 71, 3), "classes": 4},
    "InceptionV3": {"input_shape": (75, 75, 3), "include_top": False, "pooling": "avg"},
    "InceptionResNetV2": {"input_shape": (75, 75, 3), "classes": 3},
    "DenseNet121": {"input_shape": (32, 32, 3), "classes": 6},
    "DenseNet169": None,
    "DenseNet201": None,
}


def digest(rows: Any) -> str:
    """A short text that differs where the rows do."""
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def structure(tf: Any, name: str) -> list[Any]:
    """The model's name, how many layers and numbers it has, digests of layers and weights."""
    tf.keras.backend.clear_session()
    m = getattr(tf.keras.applications, name)(weights=None)
    layers = [
        [row["name"], row["class_name"], [[r[0] for r in node] for node in row["inbound_nodes"]]]
        for row in m.get_config()["layers"]
    ]
    weights = [[w.name, w.shape.as_list()] for w in m.weights]
    return [m.name, len(layers), int(m.count_params()), digest(layers), digest(weights)]


def output(tf: Any, np: Any, name: str) -> list[Any]:
    """The shape, mean and deviation of a small network's output on a made picture.

    Its weights are waves, scaled so that numbers neither vanish nor explode.
    """
    tf.keras.backend.clear_session()
    m = getattr(tf.keras.applications, name)(weights=None, **NETWORKS[name])
    values = []
    for k, w in enumerate(m.weights):
        shape = w.shape.as_list()
        wave = np.sin(np.arange(np.prod(shape)) * 0.37 + k).reshape(shape)
        if "kernel" in w.name:
            inputs = np.prod(shape[:-1]) if "depthwise" not in w.name else 9
            values.append(wave * np.sqrt(3.0 / inputs))
        else:
            unit = "gamma" in w.name or "variance" in w.name
            values.append(1.0 + 0.1 * wave if unit else 0.1 * wave)
    m.set_weights([v.astype(np.float32) for v in values])
    size = NETWORKS[name]["input_shape"]
    x = np.sin(np.arange(np.prod(size)) * 0.11).reshape(1, *size).astype(np.float32)
    got = m.predict(x)
    flat = got.astype(np.float64).ravel()
    return [list(got.shape), float(flat.mean()), float(flat.std()), [float(v) for v in flat[:3]]]
