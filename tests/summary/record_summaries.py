"""Writes ``summaries.json``: run by hand under TensorFlow 1.15 (``record_summaries.py``).

`programs` is read by the test too, which builds the same under graphc.
"""

import json
import os

import numpy as np

IMAGES = {
    "floats": (np.array([1.0, 2, 3, 4], "f").reshape(1, 2, 2, 1), 3),
    "negative": (np.array([-1.0, 2, 3, 4], "f").reshape(1, 2, 2, 1), 3),
    "zeros": (np.zeros([1, 2, 2, 1], "f"), 1),
    "nan": (np.array([1.0, np.nan, 3, 4], "f").reshape(1, 2, 2, 1), 3),
    "bytes": (np.array([1, 2, 3, 255], "uint8").reshape(1, 2, 2, 1), 3),
    "batch": (np.arange(12).reshape(4, 1, 1, 3).astype("f"), 2),
    "alpha": (np.arange(4).reshape(1, 1, 1, 4).astype("f") - 1, 3),
    "all bad": (np.array([np.nan] * 3, "f").reshape(1, 1, 1, 3), 3),
    "one bad": (np.array([np.nan, 1, 2, 3, 4, np.inf, 6, 7, 8], "f").reshape(1, 1, 3, 3), 3),
    "faint": (np.array([1e-30, 1e-29], "f").reshape(1, 1, 2, 1), 3),
    "double": (np.array([0.1, 0.5, 0.3337, 0.99]).reshape(1, 1, 4, 1), 3),
    "half": (np.array([0.1, 0.5, 0.3337, -0.99], "e").reshape(1, 1, 4, 1), 3),
    "random": (np.random.RandomState(0).randn(2, 7, 5, 3).astype("f"), 3),
}
HISTOGRAMS = {
    "few": np.array([1.0, 2, -3, 4], "f"),
    "none": np.zeros([0], "f"),
    "zeros": np.zeros([3, 2], "f"),
    "ints": np.arange(-5, 50).astype("int32"),
    "huge": np.array([1e30, -1e30, 1e-30, -1e-30]),
    "normal": np.random.RandomState(1).randn(50, 20),
    "edges": np.array([1e-12, 1.1e-12, 1e20, -1e-12]),
}
AUDIO = {
    "mono": (np.array([[1.0, 2], [-3, 0.25]], "f"), 8000.0, 3),
    "stereo": (np.linspace(-1, 1, 12).reshape(1, 6, 2).astype("f"), 44100.0, 1),
}


def programs(tf):
    """Name → summary tensor."""
    out = {}
    with tf.name_scope("net"):
        out["scalar"] = tf.summary.scalar("my loss:", tf.constant(2.5))
        out["int"] = tf.summary.scalar("n", 3)
        out["family"] = tf.summary.scalar("z", 3.0, family="fam")
    out["again"] = tf.summary.scalar("z", 1.0)
    out["again2"] = tf.summary.scalar("z", 2.0)
    out["text"] = tf.summary.text("words", tf.constant(["a", "b"]))
    out["tensor"] = tf.summary.tensor_summary("ts", tf.constant([1.0, 2.0]), display_name="shown")
    for k, v in HISTOGRAMS.items():
        out["histogram " + k] = tf.summary.histogram("h_" + k, tf.constant(v))
    for k, (v, n) in IMAGES.items():
        out["image " + k] = tf.summary.image("i_" + k.replace(" ", "_"), tf.constant(v), n)
    for k, (v, rate, n) in AUDIO.items():
        out["audio " + k] = tf.summary.audio("a_" + k, tf.constant(v), rate, n)
    out["merged"] = tf.summary.merge([out["scalar"], out["text"]])
    out["all"] = tf.summary.merge_all(scope="net")
    return out


def main():
    import tensorflow as tf

    found = programs(tf)
    with tf.Session() as sess:
        values = sess.run(found)
        out = {}
        for k, t in found.items():
            if k.startswith("image"):
                pixels = [
                    (v.tag, sess.run(tf.image.decode_png(v.image.encoded_image_string)).tolist())
                    for v in tf.Summary.FromString(values[k]).value
                ]
                out[k] = {"name": t.name, "pixels": pixels}
            else:
                out[k] = {"name": t.name, "hex": values[k].hex()}
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "summaries.json")
    with open(path, "w") as f:
        json.dump(out, f, indent=0, sort_keys=True)


if __name__ == "__main__":
    main()
