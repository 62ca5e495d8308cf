"""Networks of slim against TensorFlow 1.15: variables, layers, losses, names, shapes."""

from __future__ import annotations

import importlib
import json
import pathlib
import sys

import pytest

import graphc as tf

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
programs = importlib.import_module("nets_programs")
FACTS = json.loads((HERE / "nets_structure.json").read_text())


@pytest.mark.parametrize("key", programs.STRUCTURES)
def test_structure(key: str) -> None:
    assert programs.structure(tf, programs.STRUCTURES[key]) == FACTS[key]


@pytest.mark.parametrize(
    ("module", "name", "options", "text"),
    [
        (
            "inception_v1",
            "inception_v1_base",
            {"final_endpoint": "no"},
            "Unknown final endpoint no",
        ),
        ("inception_v2", "inception_v2", {"depth_multiplier": -1}, "not greater than zero"),
        ("resnet_v1", "resnet_v1_50", {"output_stride": 6}, "multiple of 4"),
        ("resnet_v2", "resnet_v2_50", {"output_stride": 64}, "cannot be reached"),
        ("alexnet", "alexnet_v2", {}, "Negative dimension size"),
    ],
)
def test_refused(module: str, name: str, options: dict[str, object], text: str) -> None:
    with tf.Graph().as_default(), pytest.raises(ValueError, match=text):
        getattr(programs.nets(tf, module), name)(tf.zeros([1, 64, 64, 3]), **options)


def test_where_programs_look() -> None:
    nets = tf.contrib.slim.nets
    assert nets.vgg.vgg_16.default_image_size == 224
    assert nets.inception.inception_v3 is programs.nets(tf, "inception_v3").inception_v3
    assert nets.resnet_v1.resnet_v1_block("b", 64, 2, 2).args[1]["stride"] == 2
