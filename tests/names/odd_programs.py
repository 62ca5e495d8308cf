"""Rare pools and norms; tensors of other graphs, devices, missing files, equal priorities."""

import os

import numpy as np
from families import error, pattern, started, variables


def fractional_pools(tf, say, folder):
    session = tf.Session()
    x = tf.constant(pattern(2, 7, 10, 2), tf.float32)
    fixed = {"deterministic": True, "seed": 3, "seed2": 5}
    for f in (tf.nn.fractional_max_pool, tf.nn.fractional_avg_pool):
        for options in (
            {}, {"pseudo_random": True}, {"overlapping": True},
            {"pseudo_random": True, "overlapping": True},
        ):  # fmt: skip
            y, rows, columns = f(x, [1.0, 1.44, 1.73, 1.0], **options, **fixed)
            say([y.name, y.op.type, y.shape.as_list(), rows.dtype.name, len(y.op.outputs)])
            say(session.run([y, rows, columns, tf.gradients(tf.reduce_sum(y * y), x)[0]]))
    for n, ratio in ((20, 1.5), (33, 2.9), (10, 1.2), (12, 1.99)):
        for pseudo in (False, True):
            y, rows, columns = tf.nn.fractional_max_pool(
                tf.zeros([1, n, n, 1]), [1.0, ratio, ratio, 1.0], pseudo, False, True, 11, 13
            )
            say(session.run([rows, columns]))
    make = tf.nn.fractional_max_pool
    say([
        error(session.run, make(x, [1.0, 1.5, 1.5, 1.0], seed=3)),
        error(make, x, [1.5]),
    ])  # fmt: skip
    drawn = [session.run(make(x, [1.0, 1.5, 1.5, 1.0])[1]) for _ in range(3)]
    say([[d[0], d[-1], len(d)] for d in drawn])


def divisive_normalisation(tf, say, folder):
    layers = tf.contrib.layers
    x = tf.constant(pattern(2, 3, 3, 2), tf.float32)
    made = []
    for options in (
        {}, {"inverse": True},
        {"beta_min": 0.1, "gamma_init": 0.3, "reparam_offset": 0.01, "name": "own"},
    ):  # fmt: skip
        before = tf.get_default_graph().version
        made.append(layers.gdn(x, **options))
        say([made[-1].name, made[-1].shape.as_list(), tf.get_default_graph().version - before])
    say(variables(tf))
    y, weights = made[-1], tf.trainable_variables()[-2:]
    session = started(tf)
    say(session.run([made, weights]))
    total = tf.reduce_sum(y * y)
    up, down = tf.gradients(total, [*weights, x]), tf.gradients(-total, weights)
    say(session.run([up, down]))
    for v in weights:
        v.load(pattern(*v.shape.as_list()) * 0.1, session)  # below their bounds
    say(session.run([y, up, down]))
    layer = tf.contrib.slim.GDN(inverse=True, name="twice")
    both = [layer(x), layer(x)]
    say([[v.name for v in both], [w.name for w in layer.weights], layer.beta.shape.as_list()])
    volumes = layers.gdn(tf.constant(pattern(2, 2, 2, 2, 3), tf.float32))
    rows = layers.gdn(tf.constant(pattern(2, 4, 3), tf.float32))
    say(started(tf).run([volumes, rows]))
    say([error(layers.gdn, x, data_format="x"), error(layers.gdn, tf.zeros([2, 5]))])


def gradients_across_graphs(tf, say, folder):
    one, two = tf.Graph(), tf.Graph()
    with one.as_default():
        a = tf.constant(1.0)
        b = a * 2.0
    with two.as_default():
        c = tf.constant(1.0)
        d = c * 3.0
    for graph in (tf.Graph(), one, two):
        with graph.as_default():
            say([
                error(tf.gradients, b, c), error(tf.gradients, [b, d], a),
                error(tf.gradients, b, [a, c]), error(tf.gradients, b, a, c),
                error(tf.gradients, b, a, stop_gradients=c),
            ])  # fmt: skip
            made = tf.gradients(d, c)[0]
            say([made.graph is two, tf.gradients(b, a)[0].graph is one])
    with tf.Session(graph=two) as session:
        say(session.run(made))


def devices(tf, say, folder):
    def placed(where):
        with tf.device(where):
            return tf.constant(1.0)

    say([error(placed, x) for x in ("nonsense", "/cpu:x", 5, 5.5, object())])
    names = ("/cpu:0", "cpu:0", "/job:a/task:1/device:CPU:0", "", None, "/gpu:*")
    say([error(placed, x) for x in names])
    say([error(placed, tf.DeviceSpec(device_type="CPU")), error(placed, lambda op: "/cpu:0")])


def missing_files(tf, say, folder):
    there, none = os.path.join(folder, "a"), os.path.join(folder, "none")
    with open(there, "w") as f:
        f.write("1\n2\n")
    data, c = tf.data, tf.data.experimental
    for d in (
        data.TextLineDataset([none, there]), data.TextLineDataset([there, none, there]),
        data.TFRecordDataset([none]), data.FixedLengthRecordDataset([none, there], 1),
        data.TextLineDataset([none]).repeat(2), c.CsvDataset([there, none], [tf.int32]),
        data.TextLineDataset([there, there]).map(tf.strings.to_number),
    ):  # fmt: skip
        following = d.make_one_shot_iterator().get_next()
        with tf.Session() as session:
            out = []
            for _ in range(5):
                try:
                    out.append(session.run(following))
                except tf.errors.OpError as e:
                    out.append(type(e).__name__)
            say(out)


def equal_priorities(tf, say, folder):
    queue = tf.PriorityQueue(100, [tf.string], [[]])
    priority, word = tf.placeholder(tf.int64), tf.placeholder(tf.string)
    put, taken = queue.enqueue((priority, word)), queue.dequeue()
    with tf.Session() as session:
        for priorities in (
            [1] * 5, [2, 1, 2, 1, 2, 1, 0], [3, 3, 1, 3, 3, 3], [*range(5), *range(5)],
            (np.arange(40) * 7 % 4).tolist(),
        ):  # fmt: skip
            for i, p in enumerate(priorities):
                session.run(put, {priority: p, word: str(i)})
            say([session.run(taken)[1] for _ in priorities[:-2]])
        session.run(queue.enqueue_many(([1] * 6, list("abcdef"))))
        say([session.run(taken) for _ in range(16)])


def handles_of_iterators(tf, say, folder):
    text = tf.placeholder(tf.string, [])
    following = tf.data.Iterator.from_string_handle(text, tf.int64, []).get_next()
    one, two = tf.Session(), tf.Session()
    shot = tf.data.Dataset.range(5).make_one_shot_iterator()
    begun = tf.data.Dataset.range(5).make_initializable_iterator()
    one.run(begun.initializer)
    for iterator in (shot, begun):
        handle = one.run(iterator.string_handle())
        say([one.run(following, {text: handle}), error(two.run, following, {text: handle})])
        two.run(iterator.string_handle())
    say(two.run(following, {text: two.run(shot.string_handle())}))
