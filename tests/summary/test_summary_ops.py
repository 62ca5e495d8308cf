"""Summary operations against what TensorFlow 1.15 gave (``record_summaries.py``)."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import graphc as tf
from graphc.runtime.counting import counters

pytest.importorskip("tensorboard")
Image = pytest.importorskip("PIL.Image")
sys.path.insert(0, str(Path(__file__).parent))
import record_summaries  # noqa: E402

RECORDED = json.loads((Path(__file__).parent / "summaries.json").read_text())


@pytest.fixture(scope="module")
def found():
    with tf.Graph().as_default(), tf.Session() as sess:
        tensors = record_summaries.programs(tf)
        values = sess.run(tensors)
    return {k: (t.name, values[k]) for k, t in tensors.items()}


@pytest.mark.parametrize("key", RECORDED)
def test_as_tensorflow(found, key):
    name, raw = found[key]
    expected = RECORDED[key]
    assert name == expected["name"]
    got = tf.Summary.FromString(raw)
    if "pixels" in expected:
        pixels = []
        for v in got.value:
            a = np.asarray(Image.open(io.BytesIO(v.image.encoded_image_string)))
            shape = (v.image.height, v.image.width, v.image.colorspace)
            pixels.append([v.tag, a.reshape(shape).tolist()])
        assert pixels == expected["pixels"]
        return
    wanted = tf.Summary.FromString(bytes.fromhex(expected["hex"]))
    if key.startswith("histogram"):  # sums are taken in another order
        for a, b in zip(got.value, wanted.value, strict=True):
            for field in ("sum", "sum_squares"):
                assert np.isclose(getattr(a.histo, field), getattr(b.histo, field), rtol=1e-12)
                setattr(a.histo, field, getattr(b.histo, field))
    assert got == wanted


def test_operations_and_collection():
    with tf.Graph().as_default() as g:
        a = tf.summary.scalar("a", 1.0)
        b = tf.summary.histogram("b", [1.0], collections=["mine"])
        m = tf.summary.merge_all()
        assert g.get_collection(tf.GraphKeys.SUMMARIES) == [a]
        assert g.get_collection("mine") == [b]
        assert [o.name for o in g.get_operations()] == [
            "a/tags", "a/values", "a", "b/tag", "b/values", "b", "Merge/MergeSummary"
        ]  # fmt: skip
        assert [o.type for o in (a.op, b.op, m.op)] == [
            "ScalarSummary", "HistogramSummary", "MergeSummary"
        ]  # fmt: skip
        assert (a.dtype, a.shape.as_list()) == (tf.string, [])
        assert tf.summary.merge_all("nothing") is None


def test_refusals():
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None])
        h = tf.summary.histogram("h", x)
        for bad, text in ((np.nan, "Nan"), (np.inf, "Infinity")):
            with pytest.raises(
                tf.errors.InvalidArgumentError, match=f"{text} in summary histogram for: h"
            ):
                sess.run(h, {x: [1, bad]})
        s = tf.summary.scalar("v", x)
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=r"not the same shape: \[\] != \[2\] \(tag 'v'\)"
        ):
            sess.run(s, {x: [1, 2]})
    with tf.Graph().as_default(), tf.Session() as sess:
        one = tf.summary.scalar("v", 1.0)
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="Duplicate tag v found in summary inputs"
        ):
            sess.run(tf.summary.merge([one, one]))
        with pytest.raises(ValueError, match="length 0 shorter than minimum length 1"):
            tf.summary.merge([])
        with pytest.raises(TypeError, match="parameter 'values' has DataType string not in list"):
            tf.summary.scalar("v", "abc")
        with pytest.raises(ValueError, match="to have dtype string, got"):
            tf.summary.text("t", tf.constant(1.0))
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=r"last dim 1, 3, or 4, not \[1,2,2,5\]"
        ):
            sess.run(tf.summary.image("i", tf.zeros([1, 2, 2, 5])))


def test_descriptions_of_summaries():
    node = tf.NodeDef(op="TensorSummary")
    node.attr["description"].s = b'{"typeHint": "scalar"}'
    assert tf.summary.get_summary_description(node).type_hint == "scalar"
    with pytest.raises(ValueError, match="Can't get_summary_description on Const"):
        tf.summary.get_summary_description(tf.NodeDef(op="Const"))


def test_fifty_summaries_are_one_pause():
    """They need two native parts, not fifty: counted."""
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None])
        for i in range(50):
            tf.summary.scalar(f"s{i}", tf.reduce_sum(x * i))
        merged = tf.summary.merge_all()
        before = counters.plans
        out = tf.Summary.FromString(sess.run(merged, {x: [1, 2]}))
        assert [v.simple_value for v in out.value] == [3 * i for i in range(50)]
        assert counters.plans - before <= 2


def test_before_version_1():
    with tf.Graph().as_default(), tf.Session() as sess:
        s = tf.scalar_summary(["a", "b"], [1.0, 2.0])
        t = tf.scalar_summary("loss x", 0.5)
        assert (s.name, t.name) == ("ScalarSummary:0", "ScalarSummary_1:0")
        tf.histogram_summary("h", tf.constant([1.0, 2.0]))
        tf.image_summary("i", tf.zeros([1, 2, 2, 1]), max_images=1)
        out = tf.Summary.FromString(sess.run(tf.merge_all_summaries()))
        assert [v.tag for v in out.value] == ["a", "b", "loss x", "h", "i/image"]
        assert tf.train.SummaryWriter is tf.summary.FileWriter
        images = tf.image_summary("i", tf.zeros([5, 2, 2, 1]))
        sounds = tf.audio_summary("a", tf.zeros([5, 10, 1]), 8000.0)
        for found in sess.run([images, sounds]):  # of five the first three
            assert len(tf.Summary.FromString(found).value) == 3
