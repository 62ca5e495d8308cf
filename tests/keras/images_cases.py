"""Keras's image preprocessing; under TensorFlow 1.15 it writes images.json.

python images_cases.py
"""

import json
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).parent
GENERATORS = {
    "plain": {},
    "flips": {"horizontal_flip": True, "vertical_flip": True},
    "rescaled": {"rescale": 0.5, "channel_shift_range": 0.3},
    "samplewise": {"samplewise_std_normalization": True, "horizontal_flip": True},
    "featurewise": {"featurewise_center": True, "featurewise_std_normalization": True},
    "whitened": {"zca_whitening": True, "zca_epsilon": 0.1},
    "split": {"validation_split": 0.4},
}
#: What is drawn for changes that need more packages to be made.
DRAWS = {
    "all": {"rotation_range": 30, "width_shift_range": 0.2, "height_shift_range": 0.1,
            "shear_range": 10, "zoom_range": 0.3, "channel_shift_range": 5.0,
            "brightness_range": (0.5, 1.5), "horizontal_flip": True},
    "pixels": {"width_shift_range": 3, "height_shift_range": [1, 4], "zoom_range": [0.5, 2.0]},
    "first": {"width_shift_range": 0.5, "data_format": "channels_first"},
}  # fmt: skip


def images(n=5):
    return np.cos(0.7 * np.arange(n * 4 * 3 * 2)).reshape(n, 4, 3, 2).astype("float32")


def plain(x):
    if isinstance(x, dict):
        return {k: plain(v) for k, v in sorted(x.items())}
    if isinstance(x, (list, tuple)):
        return [plain(v) for v in x]
    if isinstance(x, np.ndarray):
        return [list(x.shape), [float(f"{v:.5g}") for v in x.ravel()[:30].astype(float)]]
    if isinstance(x, (bool, np.bool_)):
        return bool(x)
    return x if x is None or isinstance(x, str) else float(f"{float(x):.6g}")


def answers(tf):
    image = tf.keras.preprocessing.image
    out = {}
    for name, options in GENERATORS.items():
        g = image.ImageDataGenerator(**options)
        np.random.seed(1)
        if name in ("featurewise", "whitened"):
            g.fit(images(), augment=name == "featurewise", seed=4)
        subset = "validation" if name == "split" else None
        flow = g.flow(
            images(), np.arange(5) * (name != "split"), batch_size=2, seed=7, subset=subset
        )
        out[name] = plain([len(flow), *[next(flow) for _ in range(4)], flow[0]])
    for name, options in DRAWS.items():
        g = image.ImageDataGenerator(**options)
        draws = [g.get_random_transform((6, 8, 3), seed=s) for s in range(4)]
        out["draws " + name] = plain(draws)
    weighted = image.ImageDataGenerator().flow(
        images(), np.arange(5), sample_weight=np.arange(5) * 2.0, shuffle=False, batch_size=3
    )
    out["weighted"] = plain(list(next(weighted)))
    out["several"] = plain(next(image.ImageDataGenerator().flow(
        (images(), np.arange(5)), batch_size=2, shuffle=False)))  # fmt: skip
    x = images(1)[0]
    out["functions"] = plain([
        image.apply_channel_shift(x, 0.4), image.img_to_array(x[:, :, 0]),
        image.img_to_array(x, data_format="channels_first"),
    ])  # fmt: skip
    return out


if __name__ == "__main__":
    import tensorflow
    from keras_preprocessing.image import affine_transformations, image_data_generator

    # without scipy it refuses to turn by nothing
    affine_transformations.scipy = image_data_generator.scipy = object()
    image_data_generator.linalg = np.linalg
    rows = [json.dumps(k) + ":" + json.dumps(v) for k, v in answers(tensorflow).items()]
    (HERE / "images.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")
