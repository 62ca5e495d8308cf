"""Programs of tf.metrics and tf.contrib.metrics; see `layer_harness.py`."""

PROGRAMS = {}


def program(f):
    assert f.__name__ not in PROGRAMS
    PROGRAMS[f.__name__] = f
    return f


def streamed(tf, metrics, feeds, said=()):
    values = [m[0] for m in metrics]
    updates = [m[1] for m in metrics]
    fetch = values + updates + list(tf.local_variables())
    # updates are fetched by the last program of a step only: values first
    return {
        "fetch": values + list(tf.local_variables()), "feed": feeds, "step": tf.group(*updates),
        "times": len(feeds), "said": [v.name for v in fetch] + list(said),
    }  # fmt: skip


def feeds_of(np, p, t, w=None):
    rng = np.random.RandomState(3)
    out = []
    for _ in range(3):
        one = {p: rng.rand(6).astype(np.float32), t: rng.randint(0, 2, 6)}
        if w is not None:
            one[w] = rng.rand(6).astype(np.float32)
        out.append(one)
    return out


@program
def accuracy_twice(tf, np):
    p, t = tf.placeholder(tf.float32, [None]), tf.placeholder(tf.int32, [None])
    near = tf.cast(p > 0.5, tf.int64)
    a = tf.metrics.accuracy(t, near, metrics_collections=["m"], updates_collections=["u"])
    b = tf.metrics.accuracy(labels=t, predictions=near, weights=tf.cast(t + 1, tf.float32))
    c = tf.metrics.accuracy(tf.expand_dims(t, 1), near, name="mine")
    said = [v.name for v in tf.get_collection("m") + tf.get_collection("u")]
    return streamed(tf, [a, b, c], feeds_of(np, p, t), said)


@program
def means(tf, np):
    p, t = tf.placeholder(tf.float32, [6]), tf.placeholder(tf.int32, [6])
    w = tf.placeholder(tf.float32, [6])
    y = tf.cast(t, tf.float32)
    M = tf.metrics
    metrics = [
        M.mean(p), M.mean(p, w), M.mean_squared_error(y, p), M.mean_absolute_error(y, p, w),
        M.mean_relative_error(y, p, y), M.root_mean_squared_error(y, p),
        M.percentage_below(p, 0.4), M.mean_tensor(p), M.mean_tensor(p, w, name="named"),
        M.mean_cosine_distance(
            tf.nn.l2_normalize(tf.reshape(y + 1.0, [2, 3]), 1),
            tf.nn.l2_normalize(tf.reshape(p, [2, 3]), 1), 1,
        ),
    ]  # fmt: skip
    return streamed(tf, metrics, feeds_of(np, p, t, w))


@program
def counts(tf, np):
    p, t = tf.placeholder(tf.float32, [None]), tf.placeholder(tf.int32, [None])
    w = tf.placeholder(tf.float32, [None])
    near = tf.cast(p > 0.5, tf.int32)
    M = tf.metrics
    metrics = [
        M.true_positives(t, near), M.true_negatives(t, near, w), M.false_positives(t, near),
        M.false_negatives(t, near, w), M.precision(t, near), M.recall(t, near),
        M.precision(t, near, w, name="weighted"), M.recall(t, near, w),
        M.mean_iou(t, near, 2), M.mean_iou(t, near, 3, w), M.mean_per_class_accuracy(t, near, 2),
        M.mean_per_class_accuracy(t, near, 2, w),
    ]  # fmt: skip
    return streamed(tf, metrics, feeds_of(np, p, t, w))


@program
def curves(tf, np):
    p, t = tf.placeholder(tf.float32, [6]), tf.placeholder(tf.int32, [6])
    w = tf.placeholder(tf.float32, [6])
    M = tf.metrics
    metrics = [
        M.auc(t, p, num_thresholds=9), M.auc(t, p, w, num_thresholds=9, curve="ROC"),
        M.auc(t, p, num_thresholds=9, curve="PR", summation_method="careful_interpolation"),
        M.auc(t, p, num_thresholds=9, summation_method="minoring"),
        M.auc(t, p, thresholds=[0.5, 0.2], summation_method="majoring"),
        M.sensitivity_at_specificity(t, p, 0.6, num_thresholds=9),
        M.specificity_at_sensitivity(t, p, 0.6, num_thresholds=9),
        M.precision_at_thresholds(t, p, [0.2, 0.5, 0.8]),
        M.recall_at_thresholds(t, p, [0.2, 0.5, 0.8], w),
        M.true_positives_at_thresholds(t, p, [0.2, 0.5]),
        M.false_negatives_at_thresholds(t, p, [0.2, 0.5]),
        M.true_negatives_at_thresholds(t, p, [0.2, 0.5], w),
        M.false_positives_at_thresholds(t, p, [0.2, 0.5]),
    ]  # fmt: skip
    return streamed(tf, metrics, feeds_of(np, p, t, w))


@program
def ranking(tf, np):
    p = tf.placeholder(tf.float32, [None, 5])
    t = tf.placeholder(tf.int64, [None, 2])
    M = tf.metrics
    metrics = [
        M.recall_at_k(t, p, 2), M.precision_at_k(t, p, 2), M.recall_at_k(t, p, 3, class_id=1),
        M.precision_at_k(t, p, 3, class_id=1), M.average_precision_at_k(t, p, 3),
        M.recall_at_k(t, p, 2, weights=[1.0, 0.5, 2.0]),
        M.average_precision_at_k(t, p, 2, weights=[1.0, 0.5, 2.0]),
    ]  # fmt: skip
    rng = np.random.RandomState(5)
    feeds = [{p: rng.rand(3, 5).astype(np.float32), t: rng.randint(0, 5, [3, 2])} for _ in range(3)]
    got = streamed(tf, metrics, feeds)
    got["said"] = [v.name for v in tf.local_variables()]
    got["fetch"] = [m[1] for m in metrics]
    return got


@program
def confusion(tf, np):
    t, p = tf.placeholder(tf.int32, [4]), tf.placeholder(tf.int32, [4, 1])
    feed = {t: [0, 2, 1, 2], p: [[0], [1], [1], [2]]}
    fetch = [
        tf.confusion_matrix(t, p), tf.confusion_matrix(t, p, 4),
        tf.math.confusion_matrix(t, p, num_classes=3, dtype=tf.float32),
        tf.confusion_matrix(t, p, weights=[1, 2, 3, 4]),
        tf.contrib.metrics.confusion_matrix(t, t),
    ]  # fmt: skip
    return {"fetch": [tf.identity(fetch[1], name="cm"), *[x + 0 for x in fetch]], "feed": feed}


@program
def contrib_metrics(tf, np):
    p, t = tf.placeholder(tf.float32, [6]), tf.placeholder(tf.int32, [6])
    w = tf.placeholder(tf.float32, [6])
    near = tf.cast(p > 0.5, tf.int32)
    C = tf.contrib.metrics
    metrics = [
        C.streaming_accuracy(near, t), C.streaming_precision(near, t, w),
        C.streaming_recall(near, t), C.streaming_auc(p, t, num_thresholds=9),
        C.streaming_mean(p, w), C.streaming_mean_squared_error(p, tf.cast(t, tf.float32)),
        C.f1_score(t, p, num_thresholds=9), C.count(p), C.streaming_true_positives(near, t),
        C.precision_at_recall(t, p, 0.5, num_thresholds=9), C.streaming_mean_iou(near, t, 2),
    ]  # fmt: skip
    got = streamed(tf, metrics, feeds_of(np, p, t, w))
    got["fetch"] = [m[0] for m in metrics]
    names, _ = C.aggregate_metric_map({"a": metrics[0], "b": metrics[1]})
    got["said"] = sorted(names) + [v.name for v in tf.local_variables()]
    got["fetch"].append(tf.identity(C.accuracy(near, t), name="now"))
    return got
