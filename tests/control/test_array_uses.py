"""Elements of arrays that are read or written twice are refused with TensorFlow 1.15's words."""

import pytest

import graphc as tf

TWICE = (
    r"TensorArray TensorArray_\d+: Could not read index {} twice because it was cleared after a "
    r"previous read \(perhaps try setting clear_after_read = false\?\)\."
)
WRITTEN = r"TensorArray TensorArray_\d+: Could not write to TensorArray index {} because it has already been written to\."  # noqa: E501


def array(**kwargs):
    return tf.TensorArray(tf.float32, 3, **kwargs).unstack([1.0, 2.0, 3.0])


def fed():
    return tf.placeholder_with_default(1, [])


READS = {
    "element": (lambda a: [a.read(0), a.read(0)], 0),
    "element of all": (lambda a: [a.stack(), a.read(2)], 2),
    "all of elements": (lambda a: [a.read(1), a.stack()], 1),
    "all": (lambda a: [a.stack(), a.stack()], 0),
    "some": (lambda a: [a.gather([0, 1]), a.read(1)], 1),
    "the same": (lambda a: a.gather([0, 0]), 0),
}


@pytest.mark.parametrize("name", READS)
def test_read_twice(name):
    f, index = READS[name]
    with tf.Session() as session:
        with pytest.raises(tf.errors.InvalidArgumentError, match=TWICE.format(index)):
            session.run(f(array()))
        session.run(f(array(clear_after_read=False)))


def test_read_in_several_runs():
    a = array()
    first, whole, last = a.read(0), a.stack(), a.read(2)
    with tf.Session() as session:
        assert session.run(first) == 1.0
        assert session.run([first, last]) == [1.0, 3.0]
        assert session.run(whole).tolist() == [1.0, 2.0, 3.0]
        with pytest.raises(tf.errors.InvalidArgumentError, match="twice"):
            session.run([first, whole])


def test_read_twice_at_an_index_of_the_run():
    i, a = fed(), array(tensor_array_name="mine")
    with tf.Session() as session:
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"mine_\d+: Could not read index"):
            session.run([a.read(i), a.read(i)])
        b = array()
        assert session.run([b.read(i), b.read(fed() + 1)]) == [2.0, 3.0]


WRITES = {
    "element": (lambda a: a.write(0, 1.0).write(0, 2.0).read(0), 0),
    "two of one": (lambda a: [a.write(1, 1.0).flow, a.write(1, 2.0).flow], 1),
    "of rows": (lambda a: a.unstack([1.0, 2.0]).write(1, 5.0).stack(), 1),
    "of scattered": (lambda a: a.scatter([0, 2], [1.0, 2.0]).write(2, 5.0).stack(), 2),
    "scattered": (lambda a: a.scatter([0, 0], [1.0, 2.0]).read(0), 0),
}


@pytest.mark.parametrize("name", WRITES)
def test_written_twice(name):
    f, index = WRITES[name]
    with tf.Session() as session:
        with pytest.raises(tf.errors.InvalidArgumentError, match=WRITTEN.format(index)):
            session.run(f(tf.TensorArray(tf.float32, 3)))


def test_written_elsewhere():
    a = tf.TensorArray(tf.float32, 3).unstack([1.0, 2.0]).write(2, 5.0)
    with tf.Session() as session:
        assert session.run(a.stack()).tolist() == [1.0, 2.0, 5.0]


def test_gradients_read_again():
    x = tf.constant([1.0, 2.0, 3.0])
    a = tf.TensorArray(tf.float32, 3).unstack(x)
    y = a.read(0) ** 2 + a.read(1) * 3.0
    with tf.Session() as session:
        assert session.run(tf.gradients(y, x)[0]).tolist() == [2.0, 3.0, 0.0]
