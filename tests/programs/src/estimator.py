"""A model function, input functions, train, evaluate, predict."""

import tempfile

import numpy as np
import tensorflow as tf

tf.logging.set_verbosity(tf.logging.ERROR)
rng = np.random.RandomState(30)
xs = rng.randn(40, 2).astype(np.float32)
ys = (xs @ np.array([1.0, -2.0], np.float32) + 0.5).astype(np.float32)


def model_fn(features, labels, mode, params):
    w = tf.get_variable("w", [2], initializer=tf.zeros_initializer())
    b = tf.get_variable("b", [], initializer=tf.zeros_initializer())
    out = tf.reduce_sum(features["x"] * w, 1) + b
    if mode == tf.estimator.ModeKeys.PREDICT:
        return tf.estimator.EstimatorSpec(mode, predictions={"y": out})
    loss = tf.reduce_mean(tf.square(out - labels))
    if mode == tf.estimator.ModeKeys.EVAL:
        return tf.estimator.EstimatorSpec(
            mode, loss=loss, eval_metric_ops={"mae": tf.metrics.mean_absolute_error(labels, out)}
        )
    opt = tf.train.GradientDescentOptimizer(params["rate"])
    train_op = opt.minimize(loss, global_step=tf.train.get_global_step())
    return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train_op)


def inputs(epochs, shuffle=False):
    return tf.estimator.inputs.numpy_input_fn(
        {"x": xs}, ys, batch_size=10, num_epochs=epochs, shuffle=shuffle
    )


est = tf.estimator.Estimator(model_fn, tempfile.mkdtemp(), params={"rate": 0.1})
est.train(inputs(None), steps=12)
found = est.evaluate(inputs(1))
guess = [p["y"] for p in est.predict(inputs(1))]
RESULT = {
    "loss": found["loss"],
    "mae": found["mae"],
    "step": found["global_step"],
    "guess": guess[:4],
    "w": est.get_variable_value("w"),
    "names": est.get_variable_names(),
}
