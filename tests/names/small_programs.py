"""Small parts of contrib: sparsemax, differential equations, cells over frequencies; metrics."""

import numpy as np
from families import error, fill, pattern, started, variables


def sparsemax(tf, say, folder):
    c = tf.contrib.sparsemax
    with tf.Session() as session:
        z = tf.constant(pattern(3, 5, scale=2.0))
        q = tf.constant([[0.0, 1.0, 0, 0, 0], [0.5, 0, 0, 0.5, 0], [0.2] * 5], tf.float64)
        p = c.sparsemax(z)
        loss = c.sparsemax_loss(z, p, q)
        say([p.name, loss.name, loss.shape.as_list()])
        say(session.run([p, loss]))
        say(session.run(tf.gradients(loss, [z])))
        say(session.run(tf.gradients(tf.reduce_sum(p * p), [z])))
        odd = tf.constant([[1.0, -np.inf, 0.5], [0.0, 0.0, 0.0], [5.0, -5.0, 4.5]])
        say(
            session.run(
                [c.sparsemax(odd), c.sparsemax_loss(odd, c.sparsemax(odd), [[1.0, 0, 0]] * 3)]
            )
        )
        bad = session.run(c.sparsemax([[np.nan, 1.0], [np.inf, 0.0], [-np.inf, -np.inf]]))
        say(np.isnan(bad))


def _airy(tf):
    return lambda y, t: tf.stack([y[1], -y[0] * tf.cast(t, y.dtype)])


def odeint(tf, say, folder):
    f, odeint = _airy(tf), tf.contrib.integrate.odeint
    t = np.linspace(0, 2, 5)
    with tf.Session() as session:
        y, info = odeint(f, tf.constant([1.0, 0.0], tf.float64), t, full_output=True)
        say([y.name, y.shape.as_list(), y.dtype.name, sorted(info)])
        say(session.run([y, info]))
        more = {"first_step": 0.1, "safety": 0.8, "ifactor": 4.0, "dfactor": 0.5}
        y, info = odeint(
            f, tf.constant([1.0, 0.0], tf.float64), t, 1e-4, 1e-4, "dopri5", more, True
        )
        say(session.run([y, info]))
        say(session.run(odeint(f, tf.constant([1.0, 0.0]), t)))
        say(session.run(odeint(lambda y, t: y * 0.5, 2.0, [0.0, 1.0, 1.5])))
        z = session.run(
            odeint(lambda y, t: 1j * y, tf.constant([1 + 0j], tf.complex128), [0.0, 2.0])
        )
        say([z.real, z.imag])
        ok = [1.0, 0.0]
        say([
            error(odeint, f, [1, 0], t),
            error(odeint, f, ok, [0, 1, 2], method="euler"),
            error(odeint, f, ok, t, options={"first_step": 1.0}),
            error(odeint, f, ok, t, method="dopri5", options={"step": 1}),
            error(session.run, odeint(f, ok, [0.0, 1.0, 1.0])),
            error(session.run, odeint(f, ok, t, method="dopri5", options={"max_num_steps": 2})),
        ])  # fmt: skip


def odeint_fixed(tf, say, folder):
    f, odeint = _airy(tf), tf.contrib.integrate.odeint_fixed
    t = [0.0, 0.5, 1.25, 2.0]
    y = tf.constant([1.0, 0.0], tf.float64)
    with tf.Session() as session:
        for method in ("rk4", "midpoint"):
            for dt in (None, 0.3, [0.5, 0.25, 0.2]):
                got = odeint(f, y, t, dt, method)
                say(session.run(got))
        say(error(odeint, f, y, t, method="euler"))
        say(error(session.run, odeint(f, y, [0.0, 1.0, 0.5])))


def _run_cell(tf, say, cell, width):
    x = tf.constant(pattern(2, 3, width), tf.float32)
    y, state = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
    say(variables(tf))
    say([cell.output_size, [list(getattr(cell.state_size, "_fields", ())), cell.state_size]])
    session = started(tf)
    fill(tf, session)
    say(session.run([y, state]))
    say(session.run(tf.gradients(tf.reduce_sum(y * y), tf.trainable_variables()[:1])))


def grid_lstm(tf, say, folder):
    cell = tf.contrib.rnn.GridLSTMCell(
        2, feature_size=2, frequency_skip=1, num_frequency_blocks=[3], forget_bias=0.5
    )
    _run_cell(tf, say, cell, 4)


def grid_lstm_peepholes(tf, say, folder):
    cell = tf.contrib.rnn.GridLSTMCell(
        2, use_peepholes=True, feature_size=2, frequency_skip=1, num_frequency_blocks=[2, 1],
        start_freqindex_list=[0, 2], end_freqindex_list=[3, 4], cell_clip=0.3, num_unit_shards=2,
    )  # fmt: skip
    _run_cell(tf, say, cell, 4)


def grid_lstm_shared(tf, say, folder):
    cell = tf.contrib.rnn.GridLSTMCell(
        2, use_peepholes=True, share_time_frequency_weights=True, feature_size=2, frequency_skip=2,
        num_frequency_blocks=[2], couple_input_forget_gates=True, state_is_tuple=False,
    )  # fmt: skip
    _run_cell(tf, say, cell, 4)


def grid_lstm_coupled(tf, say, folder):
    cell = tf.contrib.rnn.GridLSTMCell(
        2, use_peepholes=True, feature_size=2, frequency_skip=2, num_frequency_blocks=[2],
        couple_input_forget_gates=True, initializer=tf.constant_initializer(0.1),
    )  # fmt: skip
    _run_cell(tf, say, cell, 4)


def grid_lstm_both_ways(tf, say, folder):
    cell = tf.contrib.rnn.BidirectionalGridLSTMCell(
        2, feature_size=2, frequency_skip=1, num_frequency_blocks=[3], backward_slice_offset=1
    )
    _run_cell(tf, say, cell, 4)


def grid_lstm_blocks(tf, say, folder):
    make = tf.contrib.rnn.GridLSTMCell
    x = tf.zeros([2, 4])
    cell = make(2, feature_size=2, frequency_skip=1, num_frequency_blocks=[2])
    say(error(cell, x, cell.zero_state(2, tf.float32)))
    say(error(make, 2))


def labels_at_k(tf, say, folder):
    predictions = tf.constant(pattern(3, 6, scale=1.0), tf.float32)
    ragged = tf.SparseTensor(
        [[0, 0], [0, 1], [1, 0], [2, 0], [2, 1], [2, 2]],
        np.array([1, 4, 0, 5, 7, -1], np.int64),
        [3, 3],
    )
    weights = tf.constant([0.5, 1.0, 2.0])
    m = tf.metrics
    results = []
    for k in (1, 3):
        for w in (None, weights):
            results += [
                m.precision_at_k(ragged, predictions, k, weights=w),
                m.recall_at_k(ragged, predictions, k, weights=w),
                m.average_precision_at_k(ragged, predictions, k, weights=w),
                m.recall_at_k(ragged, predictions, k, class_id=4, weights=w),
                m.precision_at_k(ragged, predictions, k, class_id=5, weights=w),
            ]
    best = tf.constant([[1, 4], [3, 0], [5, 2]], tf.int64)
    results += [m.recall_at_top_k(ragged, best), m.precision_at_top_k(ragged, best)]
    session = started(tf)
    say([[a.name, b.name] for a, b in results[:5]])
    session.run([b for _, b in results])
    say(session.run([a for a, _ in results]))
