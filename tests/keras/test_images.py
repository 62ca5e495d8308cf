"""``tf.keras.preprocessing.image``: batches and draws of TensorFlow 1.15, turns of scipy's."""

import importlib
import json
import pathlib
import sys

import numpy as np
import pytest

import graphc as tf

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
cases = importlib.import_module("images_cases")
WANTED = json.loads((HERE / "images.json").read_text())
FOUND = json.loads(json.dumps(cases.answers(tf)))
image = tf.keras.preprocessing.image


def close(a, b):
    if isinstance(b, float):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    elif isinstance(b, list):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            close(x, y)
    elif isinstance(b, dict):
        assert a.keys() == b.keys()
        close([a[k] for k in b], [b[k] for k in b])
    else:
        assert a == b


@pytest.mark.parametrize("what", sorted(WANTED))
def test_as_in_tensorflow(what):
    close(FOUND[what], WANTED[what])


@pytest.mark.parametrize("mode", ["nearest", "constant", "reflect", "wrap"])
@pytest.mark.parametrize("order", [0, 1])
def test_affine_as_scipy(mode, order):
    ndimage = pytest.importorskip("scipy.ndimage")
    x = cases.images(1)[0]
    x = np.concatenate([x, x[::-1]], 1)
    options = {"theta": 25.0, "tx": 0.7, "ty": -1.2, "shear": 9.0, "zx": 0.8, "zy": 1.3}
    got = image.apply_affine_transform(x, fill_mode=mode, cval=0.25, order=order, **options)
    t, s = np.deg2rad(25.0), np.deg2rad(9.0)
    m = np.array([[np.cos(t), -np.sin(t), 0], [np.sin(t), np.cos(t), 0], [0, 0, 1]])
    m = (
        m
        @ [[1, 0, 0.7], [0, 1, -1.2], [0, 0, 1]]
        @ [[1, -np.sin(s), 0], [0, np.cos(s), 0], [0, 0, 1]]
    )
    m = m @ np.diag([0.8, 1.3, 1])
    h, w = x.shape[0] / 2 + 0.5, x.shape[1] / 2 + 0.5
    m = np.array([[1, 0, h], [0, 1, w], [0, 0, 1]]) @ m @ [[1, 0, -h], [0, 1, -w], [0, 0, 1]]
    for k in range(x.shape[2]):
        want = ndimage.affine_transform(
            x[:, :, k], m[:2, :2], m[:2, 2], order=order, mode=mode, cval=0.25
        )
        np.testing.assert_allclose(got[:, :, k], want, atol=1e-6)


def test_where_programs_look():
    from graphc.python.keras.preprocessing import sequence
    from graphc.python.keras.preprocessing.image import img_to_array

    assert img_to_array is image.img_to_array
    assert sequence.pad_sequences is tf.keras.preprocessing.sequence.pad_sequences


def test_folders(tmp_path):
    pytest.importorskip("PIL")
    for name, value in (("a", 10), ("b", 200)):
        (tmp_path / name).mkdir()
        for i in range(4):
            pixels = np.full((5, 6, 3), value + i)
            image.save_img(str(tmp_path / name / f"{i}.png"), pixels, scale=False)
    g = image.ImageDataGenerator(rescale=1 / 255, validation_split=0.25)
    flow = g.flow_from_directory(
        tmp_path, target_size=(4, 4), batch_size=3, shuffle=False, subset="training"
    )
    assert flow.class_indices == {"a": 0, "b": 1}
    assert flow.samples == 6
    x, y = next(flow)
    assert x.shape == (3, 4, 4, 3)
    np.testing.assert_allclose(x[:, 0, 0, 0] * 255, [11, 12, 13], rtol=1e-5)
    np.testing.assert_array_equal(y, [[1, 0]] * 3)
    x, y = g.flow_from_directory(
        tmp_path, class_mode="binary", color_mode="grayscale", subset="validation", shuffle=False
    )[0]
    assert x.shape == (2, 256, 256, 1)
    assert y.tolist() == [0, 1]


def test_a_model_learns_from_it():
    tf.keras.backend.clear_session()
    x = np.concatenate([np.zeros((16, 4, 4, 1)), np.ones((16, 4, 4, 1))]).astype("f")
    y = np.repeat([0.0, 1.0], 16)
    layers = tf.keras.layers
    last = layers.Dense(1, kernel_initializer="zeros")
    m = tf.keras.Sequential([layers.Flatten(input_shape=(4, 4, 1)), last])
    m.compile(tf.keras.optimizers.Adam(0.05), "mse")
    np.random.seed(0)  # turns and shifts
    g = image.ImageDataGenerator(rotation_range=20, horizontal_flip=True, width_shift_range=0.2)
    h = m.fit_generator(g.flow(x, y, batch_size=8, seed=1), steps_per_epoch=4, epochs=8, verbose=0)
    assert h.history["loss"][-1] < 0.5 * h.history["loss"][0]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: image.ImageDataGenerator(zoom_range=[1, 2, 3]), "zoom_range"),
        (lambda: image.ImageDataGenerator(validation_split=2), "validation_split"),
        (lambda: image.ImageDataGenerator().flow(np.zeros((2, 3))), "rank 4"),
        (lambda: image.ImageDataGenerator().flow(cases.images(), [1]), "same length"),
        (lambda: image.ImageDataGenerator().fit(np.zeros(3)), "rank 4"),
        (lambda: image.array_to_img(np.zeros(3)), "rank 3"),
        (lambda: image.load_img("x", color_mode="cmyk"), "color_mode"),
    ],
)
def test_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()
