"""Keras beside scikit-learn, and its line of progress."""

import contextlib
import io
import re

import numpy as np
from families import error, pattern


def _maker(tf):
    def make(units=2, loss="sparse_categorical_crossentropy", lr=0.1, metrics=("accuracy",)):
        word = "softmax" if units > 1 else None
        layer = tf.keras.layers.Dense(
            units, input_shape=(3,), kernel_initializer="ones", activation=word
        )
        model = tf.keras.Sequential([layer])
        model.compile(tf.keras.optimizers.SGD(lr), loss, metrics=list(metrics))
        return model

    return make


def classifiers(tf, say, folder):
    make, kind = _maker(tf), tf.keras.wrappers.scikit_learn.KerasClassifier
    x, y = pattern(8, 3), np.array([3, 7, 3, 7, 7, 3, 3, 7])
    c = kind(make, epochs=2, verbose=0, lr=0.5)
    say(sorted(c.get_params()))
    say(c.fit(x, y, shuffle=False, batch_size=4).history)
    say([c.classes_, c.n_classes_, c.predict(x), c.predict_proba(x), c.score(x, y)])
    say(sorted(c.set_params(lr=0.25).sk_params.items()))
    hot = kind(make, loss="categorical_crossentropy", verbose=0)
    hot.fit(x, y, shuffle=False)
    say([hot.score(x, y), hot.predict(x)])
    hot.fit(x, np.eye(2)[[0, 1] * 4], shuffle=False)
    say([hot.classes_, hot.predict(x)])

    class Own(kind):
        def __call__(self, lr=0.1):
            return make(lr=lr)

    own = Own(verbose=0, lr=0.75)
    own.fit(x, y, shuffle=False)
    say(own.predict_proba(x))
    plain = kind(make, metrics=(), verbose=0)
    plain.fit(x, y)
    say([
        error(plain.score, x, y), error(kind, make, foo=3), error(c.set_params, bar=1),
        error(kind), error(c.fit, x, np.zeros([8, 2, 2])),
    ])  # fmt: skip


def regressors(tf, say, folder):
    make, kind = _maker(tf), tf.keras.wrappers.scikit_learn.KerasRegressor
    x, y = pattern(8, 3), pattern(8, 1, k=1.0)
    r = kind(make, units=1, loss="mse", metrics=(), epochs=2, verbose=0)
    say(r.fit(x, y, shuffle=False).history)
    say([r.predict(x), r.score(x, y), r.filter_sk_params(make, {"lr": 1.0})])
    several = kind(make, units=1, loss="mse", metrics=("mae",), verbose=0)
    several.fit(x, y, shuffle=False)
    say(several.score(x, y))


def progress(tf, say, folder):
    shown = io.StringIO()
    make = tf.keras.utils.Progbar
    with contextlib.redirect_stdout(shown):
        p = make(5, width=10, interval=0, stateful_metrics=["s"])
        p.update(1, [("a", 1.0), ("s", 2.0)])
        p.update(3, [("a", 2.0), ("s", 3.0)])
        p.add(2, [("a", -1e-5)])
        p = make(None, interval=0)
        p.update(1, [("small", 1e-5)])
        p.add(1)
        p = make(12, verbose=2, unit_name="file")
        p.update(2, [("a", 1.0)])
        p.update(12, [("a", 3.0)])
        make(100, interval=0, verbose=0).update(4)
        p = make(3, interval=1000)
        p.update(1)
        p.update(2)
    text = re.sub(r"[0-9]+[um]?s(/step)?|ETA: [0-9:]+s?", "#", shown.getvalue())
    say(re.sub("\b+", "<", re.sub(" +(?=\n|\b)", " ", text)).split("\n"))
