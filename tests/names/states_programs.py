"""Recurrent layers of Keras that keep their states, and resource variables."""

import numpy as np
from families import error, inside, pattern


def _layers(tf, say, name):
    keras = tf.keras
    model = keras.Sequential(
        [
            getattr(keras.layers, name)(2, stateful=True, batch_input_shape=(2, 3, 2)),
            keras.layers.Dense(1),
        ]
    )
    model.set_weights([pattern(*w.shape, k=i) for i, w in enumerate(model.get_weights())])
    x, y = pattern(4, 3, 2, k=5.0, scale=1.0), pattern(4, 1, k=7.0)
    model.compile("sgd", "mse")
    layer = model.layers[0]
    say([layer.stateful, model.stateful, layer.get_config()["stateful"], len(model.updates)])
    say([v.name for v in layer.states])
    say([w.name for w in model.weights])
    say(model.predict(x))
    say(model.predict(x, batch_size=2))
    say([keras.backend.get_value(s) for s in layer.states])
    model.reset_states()
    say(model.predict(x))
    layer.reset_states([np.full((2, 2), 0.5)] * len(layer.states))
    say(model.evaluate(x, y, verbose=0))
    say(model.train_on_batch(x[:2], y[:2]))
    say(model.predict_on_batch(x[:2]))
    model.fit(x, y, epochs=2, shuffle=False, verbose=0)
    say(model.predict(x))
    say(error(layer.reset_states, [np.zeros((2, 2))] * 3))
    say(error(layer.reset_states, [np.zeros((3, 2))] * len(layer.states)))
    say(error(model.predict, x, batch_size=3))
    say(error(model.fit, x[:3], y[:3], verbose=0))
    say(error(keras.layers.GRU(2).reset_states))
    say(error(keras.layers.GRU(2, stateful=True), keras.Input((3, 2))))


def lstm(tf, say, folder):
    _layers(tf, say, "LSTM")


def gru(tf, say, folder):
    _layers(tf, say, "GRU")


def simple_rnn(tf, say, folder):
    _layers(tf, say, "SimpleRNN")


def _twice(tf, say, make, *shape):
    i = tf.keras.Input(batch_shape=shape)
    model = tf.keras.Model(i, make(i))
    model.set_weights([pattern(*w.shape, k=i) for i, w in enumerate(model.get_weights())])
    x = pattern(*shape, k=5.0)
    say([model.stateful, model.predict(x), model.predict(x)])
    model.reset_states()
    say(model.predict(x))


def cells(tf, say, folder):
    c = tf.keras.layers
    _twice(tf, say, c.RNN([c.LSTMCell(2), c.GRUCell(3)], stateful=True), 2, 3, 2)


def both_directions(tf, say, folder):
    c = tf.keras.layers
    _twice(tf, say, c.Bidirectional(c.LSTM(2, stateful=True)), 2, 3, 2)


def images(tf, say, folder):
    c = tf.keras.layers
    _twice(tf, say, c.ConvLSTM2D(2, 2, stateful=True), 1, 2, 3, 3, 1)


def time_major(tf, say, folder):
    c = tf.keras.layers
    _twice(tf, say, c.RNN(c.GRUCell(3), stateful=True, time_major=True), 2, 2, 2)


def resource_variables(tf, say, folder):
    ops = inside(tf, "python.ops.resource_variable_ops")
    v = tf.Variable([[1.0, 2.0], [3.0, 4.0]], use_resource=True, name="v")
    w = tf.get_variable("w", [3], use_resource=True)
    u = tf.Variable(1.0, name="u")
    for x in (v, w, u):
        say([isinstance(x, c) for c in (ops.ResourceVariable, tf.Variable)])
        say([ops.is_resource_variable(x), repr(x), x.dtype.name, x.name, x.handle.name if x is not u
             else None])  # fmt: skip
    dense = tf.keras.layers.Dense(2)
    dense.build((None, 3))
    say([repr(dense.kernel), ops.is_resource_variable(dense.kernel)])
    session = tf.Session()
    say(session.run([v.is_initialized(), ops.var_is_initialized_op(w.handle)]))
    session.run(tf.global_variables_initializer())
    say(session.run([v.is_initialized(), ops.var_is_initialized_op(w.handle)]))
    read = v.read_value()
    with tf.control_dependencies([read]):
        add = v.assign_add([[10.0, 10.0], [10.0, 10.0]])
    say(session.run([read, add]))
    say(session.run(ops.read_variable_op(v.handle, tf.float32)))
    for f in "add sub mul div min max update".split():
        session.run(getattr(ops, "resource_scatter_" + f)(v.handle, [0], [[2.0, 3.0]]))
        say(session.run(v))
    session.run(ops.assign_variable_op(v.handle, [[1.0, 2.0], [5.0, 6.0]]))
    session.run(ops.assign_add_variable_op(v.handle, [[1.0, 1.0], [1.0, 1.0]]))
    session.run(ops.assign_sub_variable_op(v.handle, [[0.5, 1.0], [1.0, 1.0]]))
    say(session.run(ops.resource_gather(v.handle, [1, 0, 1], tf.float32)))
    say(session.run(ops.resource_gather_nd(v.handle, [[1, 0]], tf.float32)))
    say(session.run(ops.variable_shape(v.handle)))
    say(error(v.numpy))
    tf.enable_resource_variables()
    say(ops.is_resource_variable(tf.Variable(1.0)))
    tf.disable_resource_variables()
    say(ops.is_resource_variable(tf.Variable(1.0)))
