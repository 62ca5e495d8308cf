"""Exporters of `train_and_evaluate`, and predictors; outcomes recorded from TensorFlow 1.15."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf

pytest.importorskip("tensorboard")

E = tf.estimator


def inputs() -> Any:
    x = np.arange(8.0)
    return tf.data.Dataset.from_tensor_slices(({"x": x}, x * 2)).batch(4).repeat(2)


def model_fn(features: Any, labels: Any, mode: str) -> Any:
    w = tf.get_variable("w", [], tf.float32, tf.zeros_initializer())
    y = w * tf.cast(features["x"], tf.float32)
    if mode == E.ModeKeys.PREDICT:
        outputs = {
            "a": E.export.PredictOutput({"y": y}),
            "serving_default": E.export.PredictOutput({"y": y, "z": -y}),
        }
        return E.EstimatorSpec(mode, {"y": y, "z": -y}, export_outputs=outputs)
    loss = tf.reduce_mean((y - tf.cast(labels, tf.float32)) ** 2)
    step = tf.train.get_or_create_global_step()
    train = tf.train.GradientDescentOptimizer(0.01).minimize(loss, step)
    return E.EstimatorSpec(mode, loss=loss, train_op=train)


def serving() -> Any:
    x = tf.placeholder(tf.float32, [None], name="inp")
    return E.export.ServingInputReceiver({"x": x}, {"x": x})


def estimator(folder: Path, every: int = 2) -> Any:
    config = E.RunConfig(save_checkpoints_steps=every, tf_random_seed=1)
    return E.Estimator(model_fn, str(folder), config)


def trained(e: Any, exporters: Any, max_steps: int | None = 4) -> Any:
    return E.train_and_evaluate(
        e,
        E.TrainSpec(inputs, max_steps=max_steps),
        E.EvalSpec(inputs, steps=1, exporters=exporters, throttle_secs=0),
    )


class Asked(E.Exporter):
    name = "mine"

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def export(
        self, estimator: Any, export_path: Any, checkpoint_path: Any, eval_result: Any,
        is_the_final_export: Any,
    ) -> Any:  # fmt: skip
        names = [os.path.relpath(p, estimator.model_dir) for p in (export_path, checkpoint_path)]
        self.calls.append((*names, sorted(eval_result), is_the_final_export))
        return len(self.calls)


@pytest.mark.parametrize(
    ("max_steps", "last", "final"), [(None, 4, False), (3, 3, True), (10, 4, False)]
)
def test_what_an_exporter_is_asked(tmp_path, max_steps, last, final):
    asked = Asked()
    _, exports = trained(estimator(tmp_path), asked, max_steps)
    result = ["global_step", "loss"]
    path = os.path.join("export", "mine")
    assert asked.calls == [
        (path, "model.ckpt-2", result, False), (path, f"model.ckpt-{last}", result, final)
    ]  # fmt: skip
    assert exports == [2]


@pytest.mark.parametrize(
    ("every", "pattern", "best"),
    [(10, "eval/*.tfevents.*", 0), (1, "eval/*.tfevents.*", 3), (1, None, 4)],
)
def test_how_many_are_exported(tmp_path, every, pattern, best):
    exporters = [
        E.LatestExporter("latest", serving, exports_to_keep=2),
        E.FinalExporter("final", serving),
        E.BestExporter("best", serving, event_file_pattern=pattern),
    ]
    metrics, exports = trained(estimator(tmp_path, every), exporters)
    assert abs(metrics["loss"] - 0.19627598) < 1e-5
    assert [p is not None for p in exports] == [True, True, best > 0]
    counts = []
    for name, path in zip(("latest", "final", "best"), exports, strict=True):
        there = sorted(os.listdir(tmp_path / "export" / name)) if path else []
        counts.append(len(there))
        if path:
            assert path.decode() == str(tmp_path / "export" / name / there[-1])
    assert counts == [1 if every == 10 else 2, 1, best]


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"steps": 0}, ValueError, "Must specify steps > 0, given: 0"),
        ({"name": 3}, TypeError, "`name` must be string, given: 3"),
        ({"start_delay_secs": -1}, ValueError, "Must specify start_delay_secs >= 0, given: -1"),
        ({"throttle_secs": -1}, ValueError, "Must specify throttle_secs >= 0, given: -1"),
        ({"exporters": 3}, TypeError, "must be an Exporter, an iterable of Exporter, .*found 3"),
        ({"exporters": ["a"]}, TypeError, "must be an Exporter, .*found \\['a'\\]"),
        ({"exporters": [Asked(), Asked()]}, ValueError, "must have unique names"),
    ],
)
def test_specs_refused(options, kind, text):
    with pytest.raises(kind, match=text):
        E.EvalSpec(inputs, **options)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: E.LatestExporter("a", serving, exports_to_keep=0), "must be positive number"),
        (lambda: E.BestExporter("a", serving, exports_to_keep=-1), "a positive number. Got -1"),
        (lambda: E.BestExporter("a", serving, compare_fn=None), "`compare_fn` must not be None"),
        (
            lambda: E.BestExporter("a", serving, compare_fn=lambda a, b: True),
            "must include best_eval_result argument",
        ),
        (
            lambda: E.BestExporter("a", serving)._compare({}, {"loss": 1}),
            "best_eval_result cannot be empty or no loss is found in it",
        ),
    ],
)
def test_exporters_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    e = estimator(folder)
    e.train(inputs)
    extra = folder / "vocabulary"
    extra.write_text("a b")
    path = e.export_saved_model(
        str(folder / "served"), serving, {"sub/a.txt": str(extra)}, as_text=True
    )
    return e, Path(path.decode())


def test_what_is_exported(model):
    _, path = model
    assert (path / "assets.extra" / "sub" / "a.txt").read_text() == "a b"
    assert (path / "saved_model.pbtxt").exists()
    assert not (path / "saved_model.pb").exists()


def test_predictor_of_an_estimator(model):
    p = tf.contrib.predictor.from_estimator(model[0], serving)
    got = p({"x": [1.0, 2.0]})
    np.testing.assert_allclose(got["y"], [1.7631903, 3.5263805], rtol=1e-5)
    np.testing.assert_allclose(got["z"], -got["y"])
    assert p.feed_tensors["x"].name == "inp:0"
    assert p.fetch_tensors["y"].name == "mul:0"
    assert repr(p).startswith("CoreEstimatorPredictor with feed tensors {'x': <tf.Tensor 'inp:0'")
    with pytest.raises(
        ValueError, match=r"Got unexpected keys in input_dict: {'q'}\nexpected: {'x'"
    ):
        p({"q": [1.0]})
    with pytest.raises(tf.errors.InvalidArgumentError, match="You must feed a value"):
        p({})
    assert sorted(tf.contrib.predictor.from_estimator(model[0], serving, "a").fetch_tensors) == [
        "y"
    ]
    with pytest.raises(KeyError, match=r"output_key must be one of .*; got zz"):
        tf.contrib.predictor.from_estimator(model[0], serving, output_key="zz")
    with pytest.raises(TypeError, match="You likely want to call from_estimator"):
        tf.contrib.predictor.from_contrib_estimator(model[0], serving)


@pytest.mark.parametrize(
    ("options", "fetched"),
    [
        ({}, ["y", "z"]),
        ({"tags": "serve"}, ["y", "z"]),
        ({"signature_def_key": "a"}, ["y"]),
        ({"input_names": {"x": "inp:0"}, "output_names": {"o": "mul:0"}}, ["o"]),
    ],
)
def test_predictor_of_a_saved_model(model, options, fetched):
    p = tf.contrib.predictor.from_saved_model(str(model[1]), **options)
    got = p({"x": [1.0, 2.0]})
    assert sorted(got) == fetched
    np.testing.assert_allclose(got[fetched[0]], [1.7631903, 3.5263805], rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"signature_def_key": "q"}, ValueError, "'q'; the model's signatures are \\['a', 'serv"),
        ({"tags": "train"}, RuntimeError, "could not be found in SavedModel"),
        ({"input_names": {"x": "inp:0"}}, ValueError, "must both be specified or both be unspec"),
        (
            {"signature_def_key": "a", "signature_def": object()},
            ValueError,
            "You must specify at most one of signature_def_key OR",
        ),
    ],
)
def test_predictors_refused(model, options, kind, text):
    with pytest.raises(kind, match=text):
        tf.contrib.predictor.from_saved_model(str(model[1]), **options)
