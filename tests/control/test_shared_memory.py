"""Results that lie in a variable's memory show its updates; the values are TensorFlow 1.15's.

Each program orders its updates by control dependencies, so that TensorFlow has one answer.
"""

import numpy as np
import pytest

import graphc as tf


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default():
        yield


#: Views of a ``[4, 16]``, a ``[4, 3]`` and a ``[64]`` float variable: whether an update is seen.
#: Rows are shared where they are multiples of 64 bytes.
MATRIX = {
    "identity": (tf.identity, "nn"),
    "identity_n": (lambda v: tf.identity_n([v, v])[1], "nn"),
    "tuple": (lambda v: tf.tuple([v, tf.constant(1.0)])[0], "nn"),
    "stop_gradient": (tf.stop_gradient, "nn"),
    "reshape": (lambda v: tf.reshape(v, [-1]), "nn"),
    "reshape twice": (lambda v: tf.reshape(tf.reshape(v, [-1]), [2, -1]), "nn"),
    "fed shape": (lambda v: tf.reshape(v, tf.placeholder_with_default([-1], [1])), "nn"),
    "expand_dims": (lambda v: tf.expand_dims(v, 0), "nn"),
    "squeeze": (lambda v: tf.squeeze(tf.expand_dims(v, 1)), "nn"),
    "flatten": (tf.layers.flatten, "nn"),
    "cast to float32": (lambda v: tf.cast(v, tf.float32), "nn"),
    "cast": (lambda v: tf.cast(v, tf.float64), "oo"),
    "bitcast": (lambda v: tf.bitcast(v, tf.int32), "nn"),
    "check_numerics": (lambda v: tf.check_numerics(v, "m"), "nn"),
    "ensure_shape": (lambda v: tf.ensure_shape(v, v.shape), "nn"),
    "default": (lambda v: tf.placeholder_with_default(v, v.shape), "nn"),
    "whole slice": (lambda v: tf.slice(v, [0, 0], [-1, -1]), "nn"),
    "rows of slice": (lambda v: tf.slice(v, [1, 0], [2, -1]), "no"),
    "row of slice": (lambda v: tf.slice(v, [tf.placeholder_with_default(1, []), 0], [1, -1]), "no"),
    "columns of slice": (lambda v: tf.slice(v, [0, 1], [4, 2]), "oo"),
    "[:]": (lambda v: v[:], "nn"),
    "[...]": (lambda v: v[...], "nn"),
    "[None]": (lambda v: v[None], "nn"),
    "[:, None]": (lambda v: v[:, None], "nn"),
    "[:2]": (lambda v: v[:2], "no"),
    "[-2:]": (lambda v: v[-2:], "no"),
    "[1]": (lambda v: v[1], "no"),
    "[fed]": (lambda v: v[tf.placeholder_with_default(1, [])], "no"),
    "[1:3, None]": (lambda v: v[1:3, None], "no"),
    "[..., :1]": (lambda v: v[..., :1], "oo"),
    "[1, 1]": (lambda v: v[1, 1], "oo"),
    "[::-1]": (lambda v: v[::-1], "oo"),
    "[::2]": (lambda v: v[::2], "oo"),
    "split": (lambda v: tf.split(v, 2)[1], "no"),
    "split in one": (lambda v: tf.split(v, 1, -1)[0], "nn"),
    "split in columns": (lambda v: tf.split(v, [1, -1], 1)[1], "oo"),
    "split in sizes": (lambda v: tf.split(v, [1, 3])[1], "no"),
    "one size": (lambda v: tf.split(v, [4])[0], "nn"),
    "unstack": (lambda v: tf.unstack(v)[1], "no"),
    "unstack columns": (lambda v: tf.unstack(v, axis=1)[1], "oo"),
    "part of a part": (lambda v: tf.reshape(tf.unstack(v)[1], [-1]), "no"),
    "copy of a part": (lambda v: tf.reshape(v, [-1, 2])[1:3], "oo"),
    "stack": (lambda v: tf.stack([v], axis=-1), "nn"),
    "stack of two": (lambda v: tf.stack([v, v]), "oo"),
    "parallel_stack": (lambda v: tf.parallel_stack([v]), "oo"),
    "concat of one": (lambda v: tf.concat([v], 0), "nn"),
    "concat": (lambda v: tf.concat([v, v], 0), "oo"),
    "add_n of one": (lambda v: tf.add_n([v]), "nn"),
    "transpose": (tf.transpose, "oo"),
    "transpose nothing": (lambda v: tf.transpose(v, [0, 1]), "nn"),
    "transpose ones": (lambda v: tf.transpose(tf.reshape(v, [1, 4, 1, -1]), [2, 1, 0, 3]), "nn"),
    "pad": (lambda v: tf.pad(v, [[1, 0], [0, 0]]), "oo"),
    "pad nothing": (lambda v: tf.pad(v, [[0, 0], [0, 0]]), "nn"),
    "pad with 2": (lambda v: tf.pad(v, [[0, 0], [0, 0]], constant_values=2.0), "nn"),
    "mirror nothing": (lambda v: tf.pad(v, [[0, 0], [0, 0]], "REFLECT"), "nn"),
    "tile": (lambda v: tf.tile(v, [2, 1]), "oo"),
    "tile once": (lambda v: tf.tile(v, [1, 1]), "nn"),
    "broadcast_to": (lambda v: tf.broadcast_to(v, [1, *v.shape.as_list()]), "oo"),
    "broadcast_to its shape": (lambda v: tf.broadcast_to(v, v.shape), "nn"),
    "reverse": (lambda v: tf.reverse(v, [0]), "oo"),
    "reverse nothing": (lambda v: tf.reverse(v, []), "nn"),
    "roll": (lambda v: tf.roll(v, 0, 0), "oo"),
    "band": (lambda v: tf.matrix_band_part(v, -1, -1), "nn"),
    "part of a band": (lambda v: tf.matrix_band_part(v, 3, -1), "oo"),
    "sum over no axes": (lambda v: tf.reduce_sum(v, []), "nn"),
    "mean over no axes": (lambda v: tf.reduce_mean(v, []), "nn"),
    "max over ones": (lambda v: tf.reduce_max(tf.expand_dims(v, -1), -1), "nn"),
    "prod over ones": (lambda v: tf.reduce_prod(tf.expand_dims(v, 0), 0, True), "nn"),
    "logsumexp over no axes": (lambda v: tf.reduce_logsumexp(v, []), "oo"),
    "sum": (lambda v: tf.reduce_sum(v, 1), "oo"),
    "gather": (lambda v: tf.gather(v, [0, 1, 2, 3]), "oo"),
    "space_to_batch": (lambda v: tf.space_to_batch_nd(v[None], [1], [[0, 0]]), "nn"),
    "relu": (tf.nn.relu, "oo"),
    "a cond": (lambda v: tf.cond(_true(), lambda: tf.identity(v), lambda: v * 0.0), "nn"),
    "a view in a cond": (lambda v: tf.cond(_true(), lambda: v[None], lambda: v[None] * 0.0), "nn"),
    "the copy of a cond": (lambda v: tf.cond(_true(), lambda: v * 3.0, lambda: v + 0.0), "oo"),
}  # fmt: skip

VECTOR = {
    "[:32]": (lambda v: v[:32], "n"),
    "[16:32]": (lambda v: v[16:32], "n"),
    "[16:40]": (lambda v: v[16:40], "o"),
    "[8:32]": (lambda v: v[8:32], "o"),
    "[16]": (lambda v: v[16], "o"),
    "slice": (lambda v: tf.slice(v, [16], [16]), "n"),
    "slice of 8": (lambda v: tf.slice(v, [16], [8]), "o"),
    "split": (lambda v: tf.split(v, 2)[1], "o"),
    "unstack": (lambda v: tf.unstack(v)[16], "o"),
}


def _true():
    return tf.placeholder_with_default(True, [])


def _variable(shape, resource=False):
    first = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) % 7 + 1
    return tf.get_variable("v", initializer=first, use_resource=resource)


def _seen(v, made):
    """For each tensor of `made` whether who uses it after an update sees that: n or o."""
    with tf.control_dependencies(made):
        update = v.assign_add(tf.fill(v.shape, 50.0))
    with tf.control_dependencies([update]):
        used = [tf.abs(t) for t in made]
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        old = s.run(made)
        out = s.run(used)
        new = s.run(made)
    answers = {(True, False): "n", (False, True): "o"}
    return [
        answers[np.array_equal(np.abs(n), x), np.array_equal(np.abs(o), x)]
        for o, x, n in zip(old, out, new, strict=True)
    ]


@pytest.mark.parametrize(
    ("shape", "views", "at"), [([4, 16], MATRIX, 0), ([4, 3], MATRIX, 1), ([64], VECTOR, 0)]
)
def test_which_results_share_the_memory_of_a_variable(shape, views, at):
    v = _variable(shape)
    made = [view(v) for view, _ in views.values()]
    expected = {name: told[at] for name, (_, told) in views.items()}
    assert dict(zip(views, _seen(v, made), strict=True)) == expected


def test_resources_are_copied():
    v = _variable([4, 16], resource=True)
    # tf.cast to the type that it has is the variable itself
    views = {name: view(v) for name, (view, _) in MATRIX.items() if "of one" not in name}
    seen = dict(zip(views, _seen(v, list(views.values())), strict=True))
    assert [name for name, answer in seen.items() if answer == "n"] == ["cast to float32"]


def _gradient(v, optimizer):
    return optimizer.apply_gradients([(tf.fill(v.shape, -100.0), v)])


def _sparse(v, optimizer):
    rows = tf.IndexedSlices(tf.fill(v.shape, -100.0), tf.constant([0, 1, 2, 3]))
    return optimizer.apply_gradients([(rows, v)])


UPDATES = {
    "assign": lambda v: v.assign(v * 0 + 100.0),
    "assign a constant": lambda v: tf.assign(v, np.full([4, 16], 100.0), use_locking=False),
    "assign any shape": lambda v: tf.assign(v, tf.fill([4, 16], 100.0), validate_shape=False),
    "assign_sub": lambda v: v.assign_sub(tf.fill([4, 16], 100.0)),
    "scatter_update": lambda v: tf.scatter_update(v, [0, 1, 2, 3], tf.fill([4, 16], 100.0)),
    "scatter_nd_add": lambda v: tf.scatter_nd_add(v, [[0], [1]], tf.fill([2, 16], 100.0)),
    "strided assign": lambda v: v[:].assign(tf.fill([4, 16], 100.0)),
    "gradient descent": lambda v: _gradient(v, tf.train.GradientDescentOptimizer(1.0)),
    "momentum": lambda v: _gradient(v, tf.train.MomentumOptimizer(1.0, 0.9)),
    "adam": lambda v: _gradient(v, tf.train.AdamOptimizer(100.0)),
    "sparse": lambda v: _sparse(v, tf.train.GradientDescentOptimizer(1.0)),
}


@pytest.mark.parametrize("update", UPDATES)
def test_all_updates_write_in_place(update):
    v = _variable([4, 16])
    views = [tf.reshape(v, [-1]), v[:2], tf.reduce_sum(v, [])]
    with tf.control_dependencies(views):
        changed = UPDATES[update](v)
    with tf.control_dependencies([changed]):
        used = [t * 2 for t in [*views, tf.tile(v, [1, 1])]]
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        *fetched, _ = s.run([*views, changed])  # results share the memory until the run is over
        assert [x.tolist() for x in fetched] == [x.tolist() for x in s.run(views)]
        s.run(tf.global_variables_initializer())
        out, now = s.run(used), s.run(v)
    assert (out[0] == now.reshape(-1) * 2).all()
    assert (out[1] == now[:2] * 2).all()
    assert (out[2] == now * 2).all()
    assert (out[3] == now * 2).all()


PROGRAMS = {}


def program(ref, resource):
    """A program of a variable ``[1, 2]``; its value where that is no resource, and where it is."""

    def enter(f):
        PROGRAMS[f.__name__] = f, ref, resource

    return enter


@program([222, 224], [222, 224])
def what_an_update_returns_is_the_variable(v):
    first = v.assign_add([10.0, 10.0])
    with tf.control_dependencies([first]):
        second = v.assign_add([100.0, 100.0])
    with tf.control_dependencies([second]):
        return first * 2


@program([21, 24], [21, 24])
def what_assign_returns_too(v):
    first = v.assign([5.0, 6.0])
    with tf.control_dependencies([first * 2]):
        second = v.assign([7.0, 8.0])
    with tf.control_dependencies([second]):
        return first * 3


@program([[222], [224]], [[22], [24]])
def a_view_of_an_update(v):
    view = tf.reshape(v.assign_add([10.0, 10.0]), [2, 1])
    with tf.control_dependencies([view]):
        second = v.assign_add([100.0, 100.0])
    with tf.control_dependencies([second]):
        return view * 2


@program([222, 224], [22, 24])
def a_read_after_an_update(v):
    with tf.control_dependencies([v.assign_add([10.0, 10.0])]):
        read = tf.identity(v)
    with tf.control_dependencies([read]):
        second = v.assign_add([100.0, 100.0])
    with tf.control_dependencies([second]):
        return read * 2


@program([2, 4], [2, 4])
def what_is_assigned_is_copied(v):
    w = tf.get_variable("w", initializer=np.zeros(2, np.float32))
    given = w.assign(v)
    with tf.control_dependencies([given]):
        update = v.assign_add([100.0, 100.0])
    with tf.control_dependencies([update]):
        return given * 2


@program([44, 48], [4, 8])
def gradients_of_what_shares(v):
    view = tf.reshape(v, [2, 1])
    y = tf.reduce_sum(view * view)
    with tf.control_dependencies([y]):
        update = v.assign_add([10.0, 10.0])
    with tf.control_dependencies([update]):
        return tf.gradients(y, v)[0] * 2


@program([[104, 106], [153, 183]], [[52, 53], [3, 6]])
def each_reader_sees_the_updates_before_it(v):
    view = v[None]
    with tf.control_dependencies([view]):
        update = v.assign_add([51.0, 51.0])
    with tf.control_dependencies([update]):
        first = view * 2 if "ref" in repr(v.dtype) else v * 1
    with tf.control_dependencies([first]):
        second = v.assign([51.0, 61.0])
    with tf.control_dependencies([second]):
        return tf.concat([tf.reshape(first, [1, 2]), view * 3], 0)


def _thrice(v, view, use):
    """A loop that updates `v` three times, and uses `view` after each."""

    def body(i, total):
        with tf.control_dependencies([total]):
            update = v.assign_add([1.0, 1.0])
        with tf.control_dependencies([update]):
            return i + 1, total + use(view)

    with tf.control_dependencies([view]):
        first = tf.constant(0)
    shapes = [tf.TensorShape([]), tf.TensorShape(None)]
    return tf.while_loop(lambda i, _: i < 3, body, [first, tf.zeros([2])], shapes)[1]


@program([18, 24], [6, 12])
def a_loop(v):
    return _thrice(v, tf.identity(v[:]), lambda x: x * 2)


@program([9, 12], [3, 6])
def a_loop_with_python_inside(v):
    return _thrice(v, tf.reshape(v, [-1]), lambda x: tf.py_func(lambda a: a, [x], tf.float32))


@program([4.5, 9], [4.5, 9])
def a_copy_in_a_loop_with_python_inside(v):
    return _thrice(v, v * 1.5, lambda x: tf.py_func(lambda a: a, [x], tf.float32))


@program([18, 24], [12, 18])
def a_view_made_in_a_loop(v):
    def body(i, total):
        with tf.control_dependencies([total]):
            view = tf.reshape(v, [-1])
        with tf.control_dependencies([view]):
            update = v.assign_add([1.0, 1.0])
        with tf.control_dependencies([update]):
            return i + 1, total + view * 2

    return tf.while_loop(lambda i, _: i < 3, body, [0, tf.zeros([2])])[1]


@program([[804, 1004]], [[204, 404]])
def loops_in_loops(v):
    view = v[None]

    def inner(j, total):
        with tf.control_dependencies([total]):
            update = v.assign_add([1.0, 1.0])
        with tf.control_dependencies([update]):
            return j + 1, total + view * 0 + 1

    def outer(i, total):
        total = tf.while_loop(lambda j, _: j < 2, inner, [tf.identity(i) * 0, total])[1]
        with tf.control_dependencies([total]):
            return i + 1, total + view * 100

    with tf.control_dependencies([view]):
        first = tf.constant(0)
    return tf.while_loop(lambda i, _: i < 2, outer, [first, tf.zeros([1, 2])])[1]


@program([[55, 77]], [[22, 44]])
def conds_in_loops(v):
    view = v[None]

    def body(i, total):
        with tf.control_dependencies([total]):
            even = tf.equal(i % 2, 0)

        def yes():
            with tf.control_dependencies([v.assign_add([1.0, 1.0])]):
                return total + view

        return i + 1, tf.cond(even, yes, lambda: total + view * tf.identity(total * 0 + 10))

    with tf.control_dependencies([view]):
        first = tf.constant(0)
    return tf.while_loop(lambda i, _: i < 4, body, [first, tf.zeros([1, 2])])[1]


@program([[4], [6]], [[2], [4]])
def a_cond_updates(v):
    view = tf.reshape(v, [2, 1])

    def yes():
        with tf.control_dependencies([v.assign_add([1.0, 1.0])]):
            return tf.constant(1)

    with tf.control_dependencies([view]):
        chosen = tf.cond(_true(), yes, lambda: tf.constant(0))
    with tf.control_dependencies([chosen]):
        return view * 2


@program([16, 18], [16, 18])
def the_other_branch_of_a_cond(v):
    w = tf.get_variable("w", initializer=np.array([7.0, 8.0], np.float32), use_resource=False)
    no = tf.placeholder_with_default(False, [])
    chosen = tf.cond(no, lambda: v, lambda: tf.reshape(w, [-1]))
    with tf.control_dependencies([chosen]):
        updates = [w.assign_add([1.0, 1.0]), v.assign_add([5.0, 5.0])]
    with tf.control_dependencies(updates):
        return chosen * 2


@program([[4], [6]], [[2], [4]])
def python_is_given_what_is_there(v):
    view = tf.reshape(v, [2, 1])
    with tf.control_dependencies([tf.py_func(lambda x: x, [view], tf.float32)]):
        update = v.assign_add([1.0, 1.0])
    with tf.control_dependencies([update]):
        return tf.py_func(lambda x: x * 2, [view], tf.float32)


@program([3], [])
def sizes_that_data_decides(v):
    view = tf.reshape(v, [2, 1])
    with tf.control_dependencies([view]):
        update = v.assign_add([1.0, 1.0])
    with tf.control_dependencies([update]):
        return tf.boolean_mask(view, view > 2.0)


@program([4, 6], [2, 4])
def what_print_hands_on(v):
    printed = tf.Print(v, [v], first_n=0)
    with tf.control_dependencies([printed]):
        update = v.assign_add([1.0, 1.0])
    with tf.control_dependencies([update]):
        return printed * 2


@pytest.mark.parametrize("resource", [False, True])
@pytest.mark.parametrize("name", PROGRAMS)
def test_updates_seen(name, resource):
    make, *told = PROGRAMS[name]
    v = tf.get_variable("v", initializer=np.array([1, 2], np.float32), use_resource=resource)
    made = make(v)
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        assert s.run(made).tolist() == told[resource]


@pytest.mark.parametrize(
    ("value", "seen"), [([[7.0], [8.0]], [[14.0], [16.0]]), ([7.0, 8.0, 9.0], [[2.0], [4.0]])]
)
def test_an_array_of_another_size_goes_into_other_memory(value, seen):
    v = tf.Variable([1.0, 2.0], use_resource=False)
    view = tf.reshape(v, [2, 1])
    with tf.control_dependencies([view]):
        update = tf.assign(v, value, validate_shape=False)
    with tf.control_dependencies([update]):
        used = view * 2
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        assert s.run(used).tolist() == seen


def test_what_is_fed_is_not_the_variable():
    v = tf.Variable([1.0, 2.0], use_resource=False)
    view = tf.reshape(v, [2, 1])
    with tf.control_dependencies([view]):
        update = v.assign_add([10.0, 10.0])
    with tf.control_dependencies([update]):
        used = view * 2
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        assert s.run(used, {view: [[3.0], [4.0]]}).tolist() == [[6.0], [8.0]]
        assert s.run(used, {v.value(): [3.0, 4.0]}).tolist() == [[6.0], [8.0]]


def test_what_is_fed_is_fed_where_others_come_after_it():
    x = tf.constant([1.0, 2.0]) * 3
    a, b = tf.split(tf.constant([1.0, 2.0]) * 2, 2)
    with tf.control_dependencies([x, a.op]):
        y = tf.constant(1.0) + 2

    def body(i, total):
        with tf.control_dependencies([x]):
            return i + 1, total + x

    total = tf.while_loop(lambda i, _: i < 3, body, [0, tf.zeros([2])])[1]
    with tf.Session() as s:
        got = s.run([x * 2, y, a * 1, b * 1, total], {x: [5, 6], b: [9]})
    assert [g.tolist() for g in got] == [[10, 12], 3, [2], [9], [15, 18]]


def test_python_is_fed_where_others_come_after_it():
    x = tf.py_func(lambda: np.float32(1), [], tf.float32)
    with tf.control_dependencies([x]):
        y = x * 2
    with tf.Session() as s:
        assert s.run(y, {x: 7}) == 14


def test_an_update_that_is_fed_is_done_where_others_come_after_it():
    v = tf.Variable(1.0, use_resource=False)
    update = v.assign_add(10.0)
    with tf.control_dependencies([tf.group(update)]):
        read = v * 1
    with tf.Session() as s:
        s.run(v.initializer)
        assert s.run(read, {update: 5}) == 11


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_a_resource_among_what_is_stacked(axis):
    v = tf.get_variable("v", initializer=[1.0, 2.0], use_resource=True)
    with tf.Session() as s:
        s.run(v.initializer)
        expected = np.stack([[1.0, 2.0], [3.0, 4.0]], axis)
        assert s.run(tf.stack([v, [3.0, 4.0]], axis)).tolist() == expected.tolist()
