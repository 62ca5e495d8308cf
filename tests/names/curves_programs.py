"""Metrics of contrib about curves, exact areas, the best k, and batches one after another."""

from families import error, pattern, started

P = [0.1, 0.4, 0.35, 0.8, 0.95, 0.5, 0.8, 0.2]
Y = [False, False, True, True, True, False, False, True]
W = [1.0, 2.0, 1.0, 0.5, 1.0, 1.0, 2.0, 0.25]


def _twice(tf, say, *pairs):
    """The value of each metric after a batch, and after the same again."""
    session = started(tf)
    for _ in range(2):
        session.run([u for _, u in pairs])
        say(session.run([v for v, _ in pairs]))


def equal_thresholds(tf, say, folder):
    f = tf.contrib.metrics.precision_recall_at_equal_thresholds
    y, p, w = tf.constant(Y), tf.constant(P), tf.constant(W)
    _twice(tf, say, f(y, p, num_thresholds=5), f(y, p, w, num_thresholds=4))
    say(sorted(v.name for v in tf.local_variables()))
    say([f(y, p)[0].tp.shape.as_list(), list(f(y, p)[0]._fields)])


def curve_points(tf, say, folder):
    f = tf.contrib.metrics.streaming_curve_points
    y, p, w = tf.constant(Y), tf.constant(P), tf.constant(W)
    _twice(tf, say, f(y, p, num_thresholds=5), f(y, p, w, 6, curve="PR"))
    say(sorted(v.name for v in tf.local_variables()))
    say(error(f, y, p, curve="other"))


def recall_at_precision(tf, say, folder):
    f = tf.contrib.metrics.recall_at_precision
    y, p, w = tf.constant(Y), tf.constant(P), tf.constant(W)
    made = [f(y, p, 0.6, num_thresholds=8), f(y, p, 0.55, w, 7), f(y, p, 0.7, w, 9)]
    _twice(tf, say, *made)
    say(sorted(v.name for v in tf.local_variables()))
    _twice(tf, say, *[f(y, p, t, w, 9, strict_mode=True) for t in (0.3, 0.7)])
    say(sorted(v.name for v in tf.local_variables()))
    say(error(f, y, p, 1.5))


def concat(tf, say, folder):
    f = tf.contrib.metrics.streaming_concat
    x = tf.constant(pattern(3, 2))
    made = [f(x), f(x, 1), f(x, max_size=5), f(x, -1, 3)]
    _twice(tf, say, *made)
    session = started(tf)
    say([session.run([u for _, u in made]), made[1][0].shape.as_list()])
    say(error(f, x, 2))


def dynamic_auc(tf, say, folder):
    f = tf.contrib.metrics.streaming_dynamic_auc
    y, p, w = tf.constant(Y), tf.constant(P), tf.constant(W)
    made = [f(y, p), f(y, p, weights=w), f(y, p, curve="PR")]
    session = started(tf)
    for _ in range(2):
        session.run([u for _, u in made])
        say(session.run([v for v, _ in made]))
    say(error(f, y, p, curve="other"))


def intervals(tf, say, folder):
    f = tf.contrib.metrics.auc_with_confidence_intervals
    y, p = tf.constant(Y), tf.constant(P)
    made = [f(y, p), f(y, p, alpha=0.8), f(y, p, logit_transformation=False)]
    session = started(tf)
    for _ in range(2):
        session.run([u for _, u in made])
        say([list(x) for x in session.run([v for v, _ in made])])
    say(error(f, y, p, alpha=1.5))


def best_k(tf, say, folder):
    m = tf.contrib.metrics
    x, w = tf.constant(pattern(3, 6), tf.float32), tf.constant([0.5, 1.0, 2.0])
    labels = tf.constant([[1, 4], [3, 2], [0, 5]], tf.int64)
    best = tf.constant([[1, 4, 0], [5, 3, 1], [2, 4, 3]], tf.int64)
    one = tf.constant([1, 3, 0], tf.int64)
    made = [
        m.streaming_recall_at_k(x, one, 2), m.streaming_recall_at_k(x, one, 3, w),
        m.sparse_recall_at_top_k(labels, best), m.sparse_recall_at_top_k(labels, best, 4, w),
        m.streaming_sparse_precision_at_top_k(best, labels),
        m.streaming_sparse_precision_at_top_k(best, labels, 3, w),
        m.streaming_sparse_average_precision_at_top_k(best, labels),
        m.streaming_sparse_average_precision_at_top_k(best, labels, w),
    ]  # fmt: skip
    session = started(tf)
    session.run([u for _, u in made])
    say(session.run([v for v, _ in made]))
    say([v.name for v, _ in made[::2]])
