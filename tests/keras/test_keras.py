"""Programs of tf.keras: what TensorFlow 1.15 said of them; and what Keras refuses."""

from __future__ import annotations

import importlib
import json
import pathlib
import sys
from typing import Any

import numpy as np
import pytest
from recorded import close

import graphc as tf

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
programs = importlib.import_module("keras_programs")
FACTS: dict[str, Any] = json.loads((HERE / "keras.json").read_text())


@pytest.mark.parametrize("name", sorted(programs.PROGRAMS))
def test_recorded(name: str, tmp_path: pathlib.Path) -> None:
    got = programs.observe(tf, programs.PROGRAMS[name], str(tmp_path))
    close(json.loads(json.dumps(got)), FACTS[name], name)


@pytest.fixture
def graph() -> Any:
    with tf.Graph().as_default() as g:
        yield g


def test_refusals(graph: Any) -> None:
    layers, x = tf.keras.layers, np.zeros([4, 3], np.float32)
    model = tf.keras.Sequential([layers.Dense(2, input_shape=(3,))])
    with pytest.raises(RuntimeError, match="You must compile"):
        model.fit(x, x, verbose=0)
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"expected dense_input to have shape \(3,\)"):
        model.predict(x[:, :2])
    with pytest.raises(ValueError, match="same number of samples"):
        model.fit(x, np.zeros([3, 2]), verbose=0)
    with pytest.raises(ValueError, match="Unknown optimizer"):
        model.compile("sdg", "mse")
    with pytest.raises(ValueError, match="Unknown loss function"):
        model.compile("sgd", "mes")
    with pytest.raises(TypeError, match="must be an instance of class Layer"):
        model.add(3)
    with pytest.raises(ValueError, match="missing previous layer metadata"):
        tf.keras.Model(tf.zeros([1, 2]), tf.zeros([1, 2]))
    with pytest.raises(ValueError, match="No such layer"):
        model.get_layer("other")
    with pytest.raises(ValueError, match="size of its batches"):
        layers.LSTM(3, stateful=True)(tf.keras.Input((2, 3)))
    with pytest.raises(TypeError, match="Keyword argument not understood"):
        layers.Dense(3, unit=2)


def test_layers_in_plain_graphs(graph: Any) -> None:
    """Layers of Keras in a program that trains with tf.train and runs a session itself."""
    x = tf.placeholder(tf.float32, [None, 4, 4, 1])
    y = tf.keras.layers.ZeroPadding2D((1, 2))(x)
    y = tf.keras.layers.Dense(1)(tf.keras.layers.Flatten()(y))
    loss = tf.reduce_mean(tf.square(y - 1.0))
    step = tf.train.GradientDescentOptimizer(0.05).minimize(loss)
    assert [v.name for v in tf.trainable_variables()] == ["dense/kernel:0", "dense/bias:0"]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        feed = {x: np.ones([3, 4, 4, 1])}
        before = sess.run(loss, feed)
        for _ in range(20):
            sess.run(step, feed)
        assert sess.run(loss, feed) < 0.1 * before


def test_dropout_obeys_the_phase(graph: Any) -> None:
    model = tf.keras.Sequential([tf.keras.layers.Dropout(0.5, input_shape=(50,))])
    x = np.ones([4, 50], np.float32)
    np.testing.assert_array_equal(model.predict(x), x)
    f = tf.keras.backend.function([model.input, tf.keras.backend.learning_phase()], model.output)
    assert set(np.unique(f([x, True]))) == {0.0, 2.0}
    np.testing.assert_array_equal(f([x, False]), x)


def test_subclassed_models(graph: Any) -> None:
    class Net(tf.keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = tf.keras.layers.Dense(4, activation="relu")
            self.out = tf.keras.layers.Dense(1)

        def call(self, inputs: Any) -> Any:
            return self.out(self.hidden(inputs))

    net = Net()
    x = np.random.RandomState(0).rand(30, 3).astype(np.float32)
    net.compile(tf.keras.optimizers.Adam(0.05), "mse")
    seen: list[int] = []
    watch = tf.keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    losses = net.fit(x, x[:, :1], epochs=20, verbose=0, callbacks=[watch]).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    assert seen == list(range(20))
    assert [w.shape for w in net.get_weights()] == [(3, 4), (4,), (4, 1), (1,)]


def test_files(graph: Any, tmp_path: pathlib.Path) -> None:
    csv, x = tmp_path / "log.csv", np.eye(3, dtype=np.float32)
    model = tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))])
    model.compile("sgd", "mse")
    best = tf.keras.callbacks.ModelCheckpoint(
        str(tmp_path / "best"), "loss", save_best_only=True, save_weights_only=True
    )
    calls = [tf.keras.callbacks.CSVLogger(str(csv)), best]
    model.fit(x, x[:, :2], epochs=2, verbose=0, callbacks=calls)
    assert csv.read_text().splitlines()[0] == "epoch,loss"
    assert (tmp_path / "best.index").exists()
    before = model.predict(x)
    again = tf.keras.models.clone_model(model)
    again.load_weights(str(tmp_path / "best"))
    np.testing.assert_array_equal(again.predict(x), before)
