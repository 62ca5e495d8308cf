"""Variables that begin with values of a checkpoint."""

import pytest

import graphc as tf


@pytest.fixture
def path(tmp_path):
    with tf.Graph().as_default(), tf.Session() as sess:
        for name, value in (("a/w", [1.0, 2.0]), ("a/b", [3.0]), ("step", [7.0])):
            tf.Variable(value, name=name)
        sess.run(tf.global_variables_initializer())
        return tf.train.Saver().save(sess, str(tmp_path / "m"), write_meta_graph=False)


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as g:
        yield g


def model():
    with tf.variable_scope("net"):
        w = tf.get_variable("w", [2], initializer=tf.zeros_initializer())
        b = tf.get_variable("b", [1], initializer=tf.zeros_initializer())
    return w, b


def values(*variables):
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return [v.tolist() for v in sess.run(variables)]


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ({"a/": "net/"}, [[1, 2], [3]]),
        ({"a/w": "net/w"}, [[1, 2], [0]]),
        ({"step": "net/b", "a/w": "net/w"}, [[1, 2], [7]]),
    ],
)
def test_by_name_and_by_scope(path, tmp_path, assignment, expected):
    w, b = model()
    tf.train.init_from_checkpoint(path if len(assignment) > 1 else str(tmp_path), assignment)
    assert values(w, b) == expected


def test_by_variable(path):
    w, b = model()
    tf.train.init_from_checkpoint(path, {"a/w": w})
    assert w.initializer.name == "Assign"
    assert w.initial_value.name == "checkpoint_initializer:0"
    assert values(w, b) == [[1, 2], [0]]


@pytest.mark.parametrize(
    ("assignment", "text"),
    [
        ({"nope": "net/w"}, "Tensor nope is not found in"),
        (
            {"a/b": "net/w"},
            r"Shape of variable net/w:0 \(\(2,\)\) doesn't match with shape of tensor a/b",
        ),
        ({"a": "nowhere"}, "should map to scope only"),
        ({"a/": "nowhere/"}, "no variables in it"),
        ({"step/": "net/"}, "is not found in"),
    ],
)
def test_refusals(path, assignment, text):
    model()
    with pytest.raises(ValueError, match=text):
        tf.train.init_from_checkpoint(path, assignment)


def test_warm_start(path):
    with tf.variable_scope("a"):
        w = tf.get_variable("w", [2], initializer=tf.zeros_initializer())
    u = tf.get_variable("u", [1], initializer=tf.zeros_initializer())
    tf.train.warm_start(path, ".*", var_name_to_prev_var_name={"u": "step"})
    assert values(w, u) == [[1, 2], [7]]


def test_contrib_framework(path):
    framework = tf.contrib.framework
    assert framework.list_variables(path) == [("a/b", [1]), ("a/w", [2]), ("step", [1])]
    assert framework.load_variable(path, "a/w").tolist() == [1, 2]


@pytest.fixture
def grown(tmp_path):
    """A table, its transpose, and two vocabularies: values are TensorFlow 1.15's."""
    (tmp_path / "old").write_text("a\nb\nc\nd\n")
    (tmp_path / "new").write_text("d\nx\na\nb\ny\n")
    with tf.Graph().as_default(), tf.Session() as sess:
        rows = tf.reshape(tf.range(1.0, 9.0), [4, 2])
        tf.Variable(rows, name="e")
        tf.Variable(tf.transpose(rows), name="k")
        sess.run(tf.global_variables_initializer())
        tf.train.Saver().save(sess, str(tmp_path / "m"), write_meta_graph=False)
    return tmp_path


def vocab(folder, size, buckets, old=-1, start=None):
    return tf.train.VocabInfo(str(folder / "new"), size, buckets, str(folder / "old"), old, start)


NONE, NINE = [0.0, 0.0], [1.0, 1.0]


@pytest.mark.parametrize(
    ("info", "want"),
    [
        ((5, 0), [[7.0, 8.0], NONE, [1.0, 2.0], [3.0, 4.0], NONE]),
        ((3, 1, 3), [NONE, NONE, [1.0, 2.0], NONE]),
        ((5, 2, 2, tf.ones_initializer()), [NINE, NINE, [1.0, 2.0], [3.0, 4.0], NINE, NINE, NINE]),
    ],
)
@pytest.mark.parametrize("how", ["rows", "columns", "parts"])
def test_words(grown, info, want, how):
    axis = int(how == "columns")
    given = vocab(grown, *info)._replace(axis=axis)
    shape = [len(want), 2][:: -1 if axis else 1]
    cuts = tf.fixed_size_partitioner(2) if how == "parts" else None
    v = tf.get_variable("w", shape, partitioner=cuts)
    tf.train.warm_start(str(grown), ".*", {"w": given}, {"w": "k" if axis else "e"})
    (got,) = values(tf.convert_to_tensor(v))
    assert got == ([list(c) for c in zip(*want, strict=True)] if axis else want)


@pytest.mark.parametrize(
    ("shape", "size", "text"),
    [([6, 2], 5, "of shape"), ([9, 2], 9, "has 5 words")],
)
def test_words_that_do_not_fit(grown, shape, size, text):
    v = tf.get_variable("e", shape, initializer=tf.zeros_initializer())
    with pytest.raises(ValueError, match=text):
        tf.train.warm_start(str(grown), ".*", {"e": vocab(grown, size, 0)})
    with pytest.raises(ValueError, match=r"that were not used: .*other"):
        tf.train.warm_start(str(grown), ".*", {"other": vocab(grown, 5, 0)})
    (grown / "new").unlink()
    with pytest.raises(tf.errors.NotFoundError, match="No such file"):
        tf.train.warm_start(str(grown), ".*", {"e": vocab(grown, shape[0], 0)})
    assert values(v)[0][0] == [0.0] * shape[1]


def test_estimators_begin_with_words(tmp_path):
    """The embedding of each word goes on; the rest of the net has its values."""
    fc = tf.feature_column

    def make(where, words, start=None):
        column = fc.categorical_column_with_vocabulary_file("c", str(words))
        return tf.estimator.DNNClassifier(
            [3], [fc.embedding_column(column, 2)], str(where), warm_start_from=start,
            optimizer=tf.train.GradientDescentOptimizer(0.0),
        )  # fmt: skip

    def data():
        return tf.data.Dataset.from_tensors(({"c": ["a", "b"]}, [0, 1]))

    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("a\nb\nc\n")
    new.write_text("c\nz\na\nb\n")
    first = make(tmp_path / "first", old).train(data)
    key = "dnn/input_from_feature_columns/input_layer/c_embedding/embedding_weights"
    info = tf.train.VocabInfo(str(new), 4, 0, str(old))
    settings = tf.estimator.WarmStartSettings(str(tmp_path / "first"), ".*", {key: info})
    second = make(tmp_path / "second", new, settings).train(data)
    before, after = first.get_variable_value(key), second.get_variable_value(key)
    assert after[[0, 2, 3]].tolist() == before[[2, 0, 1]].tolist()
    assert after[1].tolist() == [0.0, 0.0]
    third = make(tmp_path / "third", old, str(tmp_path / "first")).train(data)
    for name in ("dnn/hiddenlayer_0/kernel", "dnn/logits/bias"):
        want = first.get_variable_value(name).tolist()
        assert second.get_variable_value(name).tolist() == want
        assert third.get_variable_value(name).tolist() == want
