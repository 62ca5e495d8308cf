"""Networks of tf.keras.applications: layers and weights as TensorFlow 1.15's, and outputs."""

from __future__ import annotations

import importlib
import json
import pathlib
import sys
from typing import Any

import numpy as np
import pytest

import graphc as tf

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
programs = importlib.import_module("applications_programs")
FACTS: dict[str, Any] = json.loads((HERE / "applications.json").read_text())
#: Networks that are built, and those that are run, in the quick tests too.
QUICK, QUICK_RUN = ("MobileNet", "MobileNetV2", "InceptionV3"), ("MobileNet", "VGG19")
applications: Any = tf.keras.applications


def rows(quick: tuple[str, ...], names: list[str]) -> list[Any]:
    return [n if n in quick else pytest.param(n, marks=pytest.mark.slow) for n in names]


@pytest.mark.parametrize("name", rows(QUICK, sorted(FACTS)))
def test_structure(name: str) -> None:
    assert programs.structure(tf, name) == FACTS[name][0]


@pytest.mark.parametrize("name", rows(QUICK_RUN, [n for n in sorted(FACTS) if FACTS[n][1]]))
def test_output(name: str) -> None:
    shape, mean, deviation, first = programs.output(tf, np, name)
    want = FACTS[name][1]
    assert shape == want[0]
    np.testing.assert_allclose([mean, deviation, *first], [want[1], want[2], *want[3]],
                               rtol=2e-3, atol=1e-5)  # fmt: skip


def test_weights_of_a_file(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("h5py")
    given: dict[str, Any] = {"alpha": 0.25, "input_shape": (32, 32, 3), "classes": 2}
    path = str(tmp_path / "w.h5")
    with tf.Graph().as_default():
        tf.keras.backend.clear_session()
        first = applications.MobileNet(weights=None, **given)
        first.save_weights(path)
        again = applications.MobileNet(weights=path, **given)
        for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_refusals(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    common = importlib.import_module("graphc.keras.applications.common")
    monkeypatch.setattr(common, "_CACHE", str(tmp_path))
    with tf.Graph().as_default():
        with pytest.raises(ValueError, match="graphc downloads no weights: put mobilenet_2_5_128"):
            applications.MobileNet(input_shape=(128, 128, 3), alpha=0.25, include_top=False)
        with pytest.raises(ValueError, match="should be either `None`"):
            applications.VGG16(weights="nowhere.h5")
        with pytest.raises(ValueError, match="`classes` should be 1000"):
            applications.VGG16(classes=3)
        with pytest.raises(ValueError, match="Input size must be at least 32x32"):
            applications.ResNet50(weights=None, input_shape=(31, 40, 3), include_top=False)
        with pytest.raises(ValueError, match="static `input_shape`"):
            applications.ResNet50(weights=None, input_shape=(None, None, 3))
    with pytest.raises(ValueError, match="2D array of shape"):
        applications.vgg16.decode_predictions(np.zeros([2, 3]))
    with pytest.raises(ValueError, match=r"imagenet_class_index\.json"):
        applications.imagenet_utils.decode_predictions(np.zeros([2, 1000]))
    words = {str(i): [f"n{i}", f"word{i}"] for i in range(1000)}
    (tmp_path / "imagenet_class_index.json").write_text(json.dumps(words))
    p = np.zeros([1, 1000])
    p[0, [3, 7]] = 0.75, 0.25
    assert applications.vgg16.decode_predictions(p, top=2) == [
        [("n3", "word3", 0.75), ("n7", "word7", 0.25)]
    ]


@pytest.mark.parametrize(("module", "want"), [
    ("vgg16", [-83.939, -106.779, -113.68]),
    ("mobilenet", [10 / 127.5 - 1, 10 / 127.5 - 1, 20 / 127.5 - 1]),
    ("densenet", [(10 / 255 - 0.485) / 0.229, (10 / 255 - 0.456) / 0.224,
                  (20 / 255 - 0.406) / 0.225]),
])  # fmt: skip
def test_preprocessing(module: str, want: list[float]) -> None:
    x = np.array([[[[10, 10, 20]]]])
    f = getattr(applications, module).preprocess_input
    np.testing.assert_allclose(f(x)[0, 0, 0], want, rtol=1e-5)
    np.testing.assert_allclose(f(x[0])[0, 0], want, rtol=1e-5)
    first = f(np.moveaxis(x, 3, 1), data_format="channels_first")
    np.testing.assert_allclose(first[0, :, 0, 0], want, rtol=1e-5)
    with tf.Graph().as_default(), tf.Session() as s:
        got = s.run(f(tf.constant(x, tf.float32)))
        np.testing.assert_allclose(got[0, 0, 0], want, rtol=1e-5)
    with pytest.raises(ValueError, match="Unknown data_format other"):
        f(x, data_format="other")
