"""Programs of contrib.layers's feature columns; see `layer_harness.py`."""

PROGRAMS = {}


def program(f):
    assert f.__name__ not in PROGRAMS
    PROGRAMS[f.__name__] = f
    return f


def columns(tf):
    L = tf.contrib.layers
    c = {
        "real": L.real_valued_column("price", dimension=2, normalizer=lambda x: x * 2),
        "city": L.sparse_column_with_hash_bucket("city", 10),
        "k": L.sparse_column_with_keys("k", ["a", "b"]),
        "id": L.sparse_column_with_integerized_feature("id", 3),
        "city2": L.sparse_column_with_hash_bucket("city2", 10, dtype=tf.int64, combiner="mean"),
        "age": L.bucketized_column(L.real_valued_column("age"), [10, 20.0]),
        "prices": L.bucketized_column(L.real_valued_column("price", dimension=2), [2.0, 2.5, 4.0]),
    }
    c["weighted"] = L.weighted_sparse_column(c["k"], "wt")
    c["cross"] = L.crossed_column([c["k"], c["city"]], 20)
    c["keyed"] = L.crossed_column([c["age"], c["k"]], 20, hash_key=7, combiner="sqrtn")
    c["nested"] = L.crossed_column([c["prices"], c["keyed"]], 50)
    c["embedded"] = L.embedding_column(c["city"], 3)
    c["of_weighted"] = L.embedding_column(c["weighted"], 2, combiner="sqrtn", max_norm=0.5)
    c["hot"] = L.one_hot_column(c["k"])
    c["hot_weighted"] = L.one_hot_column(c["weighted"])
    c["scattered"] = L.scattered_embedding_column("txt", 100, 4, hash_key=3)
    c["shared"], c["shared2"] = L.shared_embedding_columns(
        [c["city"], L.sparse_column_with_hash_bucket("town", 10)], 2
    )
    return c


def features(tf):
    at = [[0, 0], [1, 0], [1, 1]]

    def sparse(values, dtype=tf.string):
        return tf.SparseTensor(tf.constant(at, tf.int64), tf.constant(values, dtype), [3, 2])

    return {
        "price": tf.constant([[1.0, 2], [3, 4], [5, 6]]),
        "age": tf.constant([[5.0], [15], [25]]),
        "city": sparse(["x", "y", "z"]), "town": sparse(["q", "y", "z"]),
        "k": sparse(["a", "b", "c"]), "id": sparse([1, 2, 4], tf.int64),
        "wt": sparse([0.5, 2.0, 3.0], tf.float32), "txt": sparse(["x", "y", "z"]),
        "city2": sparse([11, 2, 4], tf.int64),
    }  # fmt: skip


def dense(name, *which, **options):
    def f(tf, np):
        c = columns(tf)
        y = tf.contrib.layers.input_from_feature_columns(
            features(tf), [c[k] for k in which], **options
        )
        return {"fetch": [y]}

    PROGRAMS["dense_" + name] = f


def summed(name, *which, **options):
    def f(tf, np):
        c = columns(tf)
        y, weights, bias = tf.contrib.layers.weighted_sum_from_feature_columns(
            features(tf), [c[k] for k in which], num_outputs=2, **options
        )
        said = [f"{k.name} {v[0].name}" for k, v in sorted(weights.items(), key=lambda i: i[0].key)]
        grad = tf.gradients(tf.reduce_sum(tf.square(y)), bias)[0]
        return {"fetch": [y, bias, grad], "said": said}

    PROGRAMS["sum_" + name] = f


dense("numbers", "real", "age", "prices")
dense("embedded", "embedded", "real")
dense("shared", "shared", "shared2")
dense("scattered", "scattered")
dense("options", "embedded", weight_collections=["weights"], scope="sc")
summed("hashed", "city", "id", "cross", "keyed", "city2", "nested")
summed("numbers", "real", "age", "prices", scope="lin")


@program
def tables(tf, np):
    """Columns with a vocabulary."""
    c = columns(tf)
    L = tf.contrib.layers
    y = L.input_from_feature_columns(
        features(tf), [c[k] for k in ("hot", "hot_weighted", "of_weighted")]
    )
    z, _, _ = L.weighted_sum_from_feature_columns(features(tf), [c["k"], c["weighted"]], 2)
    return {"fetch": [y, z]}


@program
def joint(tf, np):
    c = columns(tf)
    y, w, bias = tf.contrib.layers.joint_weighted_sum_from_feature_columns(
        features(tf), [c[k] for k in ("city", "cross", "id")], num_outputs=2
    )
    return {"fetch": [y, bias], "said": [v.name for v in w]}


@program
def facts(tf, np):
    c = columns(tf)
    L = tf.contrib.layers
    said = [f"{k} {v.name} {v.key}" for k, v in sorted(c.items())]
    spec = L.create_feature_spec_for_parsing(list(c.values()))
    said += [f"{k} {spec[k]}" for k in sorted(spec)]
    made = L.make_place_holder_tensors_for_base_features([c["real"], c["cross"], c["weighted"]])
    said += [f"{k} {made[k].get_shape()}" for k in sorted(made)]
    said += [
        str(x) for x in L.infer_real_valued_columns({"b": tf.zeros([3, 4]), "a": tf.ones([2])})
    ]
    return {"fetch": [], "said": said}


@program
def transformed(tf, np):
    c = columns(tf)
    got = tf.contrib.layers.transform_features(
        features(tf), [c[k] for k in ("real", "age", "cross", "id", "nested", "city2")]
    )
    fetch = []
    for k in sorted(got, key=lambda k: k.key):
        t = got[k]
        fetch += [t] if isinstance(t, tf.Tensor) else [t.indices, t.values, t.dense_shape]
    return {"fetch": [tf.identity(t, name="v") for t in fetch]}


@program
def sequences(tf, np):
    L = tf.contrib.layers
    ids = tf.SparseTensor(
        tf.constant([[0, 0, 0], [0, 1, 0], [1, 0, 1]], tf.int64), tf.constant(["x", "y", "z"]),
        [2, 3, 2],
    )  # fmt: skip
    x = tf.constant(np.arange(12, dtype=np.float32).reshape(2, 3, 2))
    y = L.sequence_input_from_feature_columns(
        {"w": ids, "x": x},
        [L.embedding_column(L.sparse_column_with_hash_bucket("w", 8), 2),
         L.real_valued_column("x", 2)],
    )  # fmt: skip
    return {"fetch": [y]}


@program
def parsed(tf, np):
    L = tf.contrib.layers
    f = tf.train.Feature
    texts = [
        tf.train.Example(features=tf.train.Features(feature={
            "x": f(float_list=tf.train.FloatList(value=[i, i + 0.5])),
            "w": f(bytes_list=tf.train.BytesList(value=[b"p", b"q"][: i + 1])),
        })).SerializeToString() for i in range(2)
    ]  # fmt: skip
    c = [L.real_valued_column("x", 2), L.sparse_column_with_hash_bucket("w", 9)]
    got = L.parse_feature_columns_from_examples(tf.constant(texts), c)
    return {"fetch": [tf.identity(got["x"]), tf.identity(got["w"].values), tf.identity(got[c[0]])]}


@program
def crosses(tf, np):
    a = tf.SparseTensor([[0, 0], [0, 1], [2, 0]], ["x", "y", "z"], [3, 2])
    b = tf.SparseTensor(
        [[0, 0], [1, 0], [2, 0], [2, 1]], tf.constant([1, 2, 3, 4], tf.int64), [3, 2]
    )
    d = tf.constant([[5, 6], [7, 8], [9, 10]], tf.int64)
    out = []
    for t in (
        tf.sparse.cross([a, b]), tf.sparse.cross([a, d]), tf.sparse.cross_hashed([a, b, d]),
        tf.sparse.cross_hashed([a, b], num_buckets=100, hash_key=5), tf.sparse.cross_hashed([d, d]),
    ):  # fmt: skip
        out += [t.indices, t.values, t.dense_shape]
    return {"fetch": [tf.identity(t, name="v") for t in out]}
