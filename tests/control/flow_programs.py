"""Programs with control flow: each gives what to fetch and what to feed, under TF 1.15 and here."""

# ruff: noqa: B023, E501

PROGRAMS = {}


def program(f):
    PROGRAMS[f.__name__] = f
    return f


# --------------------------------------------------------------------- loops


@program
def fibonacci(tf, np):
    n = tf.placeholder(tf.int32, [])
    return tf.while_loop(lambda i, a, b: i < n, lambda i, a, b: (i + 1, b, a + b), [0, 0, 1]), {
        n: 20
    }


@program
def newton(tf, np):
    c = tf.placeholder(tf.float64, [])

    def test(x, i):
        return tf.logical_and(tf.abs(x * x - c) > 1e-12, i < 50)

    return tf.while_loop(test, lambda x, i: (0.5 * (x + c / x), i + 1), [c, 0]), {c: 2.0}


@program
def collatz(tf, np):
    n = tf.placeholder(tf.int64, [])

    def body(m, k):
        return tf.cond(tf.equal(m % 2, 0), lambda: m // 2, lambda: 3 * m + 1), k + 1

    return tf.while_loop(lambda m, k: m > 1, body, [n, 0]), {n: 27}


@program
def no_iteration(tf, np):
    return tf.while_loop(
        lambda i, x: i < 0, lambda i, x: (i + 1, x * 2), [0, tf.constant([1.0, 2.0])]
    ), {}


@program
def nested_loops(tf, np):
    def outer(i, total):
        _, inner = tf.while_loop(
            lambda j, s: j < i, lambda j, s: (j + 1, s + i * j), [0, tf.constant(0)]
        )
        return i + 1, total + inner

    return tf.while_loop(lambda i, t: i < 7, outer, [0, 0]), {}


@program
def limited(tf, np):
    k = tf.placeholder(tf.int32, [])
    return tf.while_loop(
        lambda i, x: i < 100, lambda i, x: (i + 1, x + 0.5), (0, 1.0), maximum_iterations=k
    ), {k: 6}


@program
def matrix_powers(tf, np):
    a = tf.placeholder(tf.float64, [None, None])
    m = np.array([[0.5, 0.25, 0.0], [0.1, 0.2, 0.3], [0.0, 0.4, 0.6]])
    n = tf.shape(a)[0]
    return tf.while_loop(
        lambda i, p: i < n + 2, lambda i, p: (i + 1, tf.matmul(p, a)), [0, tf.eye(n, dtype=tf.float64)],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, None])],
    ), {a: m}  # fmt: skip


@program
def growing(tf, np):
    return tf.while_loop(
        lambda i, x: i < 4, lambda i, x: (i + 1, tf.concat([x, [tf.cast(i, tf.float32)]], 0)),
        [0, tf.zeros([1])], shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])],
    ), {}  # fmt: skip


@program
def structures(tf, np):
    def body(d, pair):
        a, (b, c) = d["a"], pair
        return {"a": a + 1, "z": d["z"] * 2.0}, (c, [b[0] + a])

    out = tf.while_loop(lambda d, pair: d["a"] < 5, body, [{"a": 0, "z": 1.5}, ([1], [2])])
    return out, {}


@program
def swapping(tf, np):
    return tf.while_loop(
        lambda i, a, b, c: i < 4, lambda i, a, b, c: (i + 1, b, c, a), [0, 1.0, 2.0, 3.0]
    ), {}


@program
def loop_of_conds(tf, np):
    def body(i, x):
        y = tf.cond(
            i % 3 > 0, lambda: tf.cond(i % 3 > 1, lambda: x + 1.0, lambda: x * 2.0), lambda: -x
        )
        return i + 1, y

    return tf.while_loop(lambda i, x: i < 10, body, [0, 1.0]), {}


@program
def factorial_by_dtype(tf, np):
    out = []
    for t in (tf.int32, tf.int64, tf.float32, tf.float64):
        out.append(
            tf.while_loop(
                lambda i, p: i <= 10,
                lambda i, p: (i + 1, p * tf.cast(i, t)),
                [1, tf.constant(1, t)],
            )[1]
        )
    return out, {}


# --------------------------------------------------------------------- conds


@program
def both_ways(tf, np):
    x = tf.placeholder(tf.float32, [])
    y = tf.cond(
        x > 1.0, lambda: (x * 2.0, tf.constant("big")), lambda: (x - 1.0, tf.constant("small"))
    )
    return y, {x: 3.0}


@program
def created_outside_runs(tf, np):
    v = tf.Variable(1.0)
    changed = v.assign_add(10.0)
    p = tf.placeholder(tf.bool, [])
    with tf.control_dependencies([tf.cond(p, lambda: changed + 0.0, lambda: tf.constant(0.0))]):
        return tf.identity(v), {p: False}


@program
def created_inside_runs_if_taken(tf, np):
    v = tf.Variable(1.0)
    p, q = tf.placeholder(tf.bool, []), tf.placeholder(tf.bool, [])
    first = tf.cond(p, lambda: v.assign_add(10.0), lambda: tf.identity(v))
    with tf.control_dependencies([first]):
        second = tf.cond(q, lambda: v.assign_add(100.0), lambda: tf.identity(v))
    with tf.control_dependencies([second]):
        return [second, tf.identity(v)], {p: False, q: True}


@program
def operations_in_branches(tf, np):
    v, w = tf.Variable(1.0), tf.Variable(2.0)
    p = tf.placeholder(tf.bool, [])
    done = tf.cond(p, lambda: tf.group(v.assign_add(1.0), w.assign_add(2.0)), lambda: tf.no_op())
    with tf.control_dependencies([done]):
        return [tf.identity(v), tf.identity(w)], {p: True}


@program
def other_shapes(tf, np):
    p = tf.placeholder(tf.bool, [])
    y = tf.cond(p, lambda: tf.ones([2, 2]), lambda: tf.zeros([3]))
    return [y, tf.shape(y), tf.reduce_sum(y)], {p: True}


@program
def cases(tf, np):
    x = tf.placeholder(tf.int32, [None])

    def classify(v):
        return tf.case(
            [(v < 1, lambda: tf.constant(10)), (v < 2, lambda: tf.constant(20))],
            default=lambda: tf.constant(30),
        )

    return [classify(x[0]), classify(x[1]), classify(x[2])], {x: [0, 1, 2]}


@program
def failing_branch_not_taken(tf, np):
    x = tf.placeholder(tf.float32, [None])
    y = tf.cond(tf.size(x) > 2, lambda: x[2] * 2.0, lambda: tf.constant(-1.0))
    return y, {x: [1.0, 2.0]}


@program
def branch_reads_variables(tf, np):
    w = tf.Variable([1.0, 2.0])
    p = tf.placeholder(tf.bool, [])
    return tf.cond(p, lambda: w * 3.0, lambda: w + 1.0), {p: True}


@program
def escaping_value(tf, np):
    kept = []

    def then():
        kept.append(tf.constant(3.0) * 2.0)
        return kept[0] + 1.0

    p = tf.placeholder(tf.bool, [])
    y = tf.cond(p, then, lambda: 1.0)
    return [y, kept[0] * 2.0], {p: True}


# --------------------------------------------------------------------- state in loops


@program
def assigning_loop(tf, np):
    v = tf.Variable(1.0)

    def body(i):
        with tf.control_dependencies([v.assign_add(tf.cast(i, tf.float32))]):
            return i + tf.cast(v > 4.0, tf.int32) * 0 + 1

    out = tf.while_loop(lambda i: i < 5, body, [0])
    with tf.control_dependencies([out]):
        return [out, tf.identity(v)], {}


@program
def assigning_in_a_branch_in_a_loop(tf, np):
    v = tf.Variable(0)

    def body(i):
        changed = tf.cond(tf.equal(i % 2, 0), lambda: v.assign_add(i), lambda: tf.constant(0))
        with tf.control_dependencies([changed]):
            return tf.identity(i + 1)

    out = tf.while_loop(lambda i: i < 7, body, [0])
    with tf.control_dependencies([out]):
        return tf.identity(v), {}


@program
def loop_after_an_update(tf, np):
    v = tf.Variable(1.0)
    with tf.control_dependencies([v.assign(5.0)]):
        start = tf.identity(v)
    return tf.while_loop(lambda x: x < 30.0, lambda x: x * 2.0, [start]), {}


@program
def host_function_in_a_loop(tf, np):
    def body(i, x):
        y = tf.py_func(lambda a: a * np.float32(2), [x], tf.float32)
        y.set_shape([])
        return i + 1, y + 1.0

    return tf.while_loop(lambda i, x: i < 5, body, [0, 1.0]), {}


@program
def host_function_and_state_in_a_loop(tf, np):
    v = tf.Variable(1.0)

    def body(i, x):
        y = tf.py_func(lambda a: a * np.float32(2), [x], tf.float32)
        y.set_shape([])
        with tf.control_dependencies([v.assign_add(y)]):
            return i + 1, tf.identity(y)

    out = tf.while_loop(lambda i, x: i < 5, body, [0, 1.0])
    with tf.control_dependencies([out[0]]):
        return [out, tf.identity(v)], {}


# --------------------------------------------------------------------- arrays, maps, scans


@program
def array_in_a_loop(tf, np):
    n = tf.placeholder(tf.int32, [])
    ta = tf.TensorArray(tf.float32, size=n, clear_after_read=False)
    x = tf.constant([1.0, 2.0])

    def body(i, a, ta):
        return i + 1, a * 2.0, ta.write(i, a)

    _, last, ta = tf.while_loop(lambda i, a, ta: i < n, body, [0, x, ta])
    return [last, ta.stack(), ta.size(), ta.gather([1, 0])], {n: 4}


@program
def array_read_back(tf, np):
    x = tf.placeholder(tf.float32, [None, 2])
    n = tf.shape(x)[0]
    source = tf.TensorArray(tf.float32, size=n).unstack(x)
    out = tf.TensorArray(tf.float32, size=n + 1, clear_after_read=False).write(0, tf.zeros([2]))

    def body(i, out):
        return i + 1, out.write(i + 1, out.read(i) + source.read(i))

    _, out = tf.while_loop(lambda i, out: i < n, body, [0, out])
    return [out.stack(), out.concat()], {x: np.arange(8.0).reshape(4, 2)}


@program
def growing_array(tf, np):
    def body(i, ta):
        return i + 1, ta.write(i, tf.fill([2], tf.cast(i, tf.float32)))

    ta = tf.TensorArray(tf.float32, size=0, dynamic_size=True)
    _, ta = tf.while_loop(lambda i, ta: i < 5, body, [0, ta])
    return [ta.stack(), ta.size()], {}


@program
def array_without_loop(tf, np):
    ta = tf.TensorArray(tf.float32, size=4, element_shape=[2], clear_after_read=False)
    ta = ta.write(0, [1.0, 2.0]).write(2, [3.0, 4.0])
    tb = tf.TensorArray(tf.float32, size=3).scatter([2, 0, 1], [[1.0], [2.0], [3.0]])
    tc = tf.TensorArray(tf.float32, size=2, clear_after_read=False).split(
        [1.0, 2.0, 3.0, 4.0], [2, 2]
    )
    return [ta.stack(), ta.read(1), tb.stack(), tc.stack(), tc.concat()], {}


@program
def array_in_a_branch(tf, np):
    p = tf.placeholder(tf.bool, [])
    ta = tf.TensorArray(tf.float32, size=2)
    ta = tf.cond(p, lambda: ta.write(0, [1.0, 2.0]), lambda: ta.write(1, [3.0, 4.0]))
    return ta.stack(), {p: False}


@program
def array_written_in_some_iterations(tf, np):
    ta = tf.TensorArray(tf.int32, size=6, element_shape=[])

    def body(i, ta):
        return i + 1, tf.cond(tf.equal(i % 2, 0), lambda: ta.write(i, i * i), lambda: ta)

    _, ta = tf.while_loop(lambda i, ta: i < 6, body, [0, ta])
    return ta.stack(), {}


@program
def maps(tf, np):
    x = tf.placeholder(tf.float32, [None, 3])
    a = tf.map_fn(lambda r: r * 2.0, x)
    b, c = tf.map_fn(
        lambda r: (tf.reduce_sum(r), tf.cast(r, tf.int32)), x, dtype=(tf.float32, tf.int32)
    )
    d = tf.map_fn(lambda p: p[0] * p[1], (x, x + 1.0), dtype=tf.float32)
    e = tf.map_fn(lambda p: {"s": p["a"] + p["b"]}, {"a": x, "b": x}, dtype={"s": tf.float32})
    f = tf.map_fn(lambda i: i * i, tf.range(4))
    return [a, b, c, d, e, f], {x: np.arange(6.0).reshape(2, 3)}


@program
def map_of_map(tf, np):
    x = tf.placeholder(tf.float32, [None, None])
    y = tf.map_fn(lambda r: tf.map_fn(lambda e: e * e + tf.reduce_sum(r), r), x)
    return y, {x: np.arange(6.0).reshape(2, 3)}


@program
def map_of_conds(tf, np):
    x = tf.placeholder(tf.float32, [None])
    return tf.map_fn(lambda e: tf.cond(e > 0.0, lambda: tf.log(e), lambda: e * 10.0), x), {
        x: [1.0, -2.0, 3.0, -4.0]
    }


@program
def map_of_nothing(tf, np):
    x = tf.placeholder(tf.float32, [None, 3])
    return tf.shape(tf.map_fn(lambda r: r * 2.0, x)), {x: np.zeros((0, 3))}


@program
def scans(tf, np):
    x = tf.placeholder(tf.float32, [None])
    a = tf.scan(lambda a, e: a + e, x)
    b = tf.scan(lambda a, e: a * 0.5 + e, x, initializer=tf.constant(8.0))
    c = tf.scan(lambda a, e: a + e, x, reverse=True)
    d = tf.scan(lambda a, e: a * 0.5 + e, x, initializer=10.0, reverse=True)
    e = tf.scan(lambda a, e: (a[1], a[0] + e), x, initializer=(0.0, 1.0))
    f = tf.scan(lambda a, p: a + p[0] * p[1], (x, x), initializer=0.0)
    return [a, b, c, d, e, f], {x: [1.0, 2.0, 3.0, 4.0]}


@program
def scan_of_matrices(tf, np):
    x = tf.placeholder(tf.float64, [None, 2, 2])
    h = tf.scan(lambda a, m: tf.tanh(tf.matmul(a, m)), x, initializer=tf.eye(2, dtype=tf.float64))
    return h, {x: np.arange(12.0).reshape(3, 2, 2) / 10.0}


@program
def folds(tf, np):
    x = tf.placeholder(tf.float32, [None])
    a = tf.foldl(lambda a, e: a * 2.0 + e, x)
    b = tf.foldr(lambda a, e: a * 2.0 + e, x)
    c = tf.foldl(lambda a, e: a - e, x, initializer=100.0)
    d = tf.foldr(lambda a, e: a / e, x, initializer=48.0)
    e = tf.foldl(lambda a, p: (a[0] + p, a[1] * p), x, initializer=(0.0, 1.0))
    return [a, b, c, d, e], {x: [1.0, 2.0, 3.0, 4.0]}


@program
def map_with_variable(tf, np):
    w = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    x = tf.placeholder(tf.float32, [None, 2])
    return tf.map_fn(lambda r: tf.squeeze(tf.matmul(r[None], w), 0), x), {
        x: [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    }


# --------------------------------------------------------------------- gradients


def with_gradients(tf, y, xs):
    total = y if not isinstance(y, (list, tuple)) else list(y)
    grads = tf.gradients(total, xs)
    return [y, [tf.convert_to_tensor(g) for g in grads]]


@program
def gradient_of_powers(tf, np):
    x, w = tf.constant(3.0), tf.constant(2.0)
    _, y = tf.while_loop(lambda i, a: i < 4, lambda i, a: (i + 1, a * w), [0, x])
    return with_gradients(tf, y, [x, w]), {}


@program
def gradient_of_recurrence(tf, np):
    x = tf.constant([[1.0, 2.0]])
    w, b = tf.Variable([[0.5, 0.2], [0.1, 0.3]]), tf.Variable([0.1, -0.2])
    _, y = tf.while_loop(
        lambda i, a: i < 5, lambda i, a: (i + 1, tf.tanh(tf.matmul(a, w) + b)), [0, x]
    )
    return with_gradients(tf, tf.reduce_sum(y * y), [x, w, b]), {}


@program
def gradient_of_unknown_trips(tf, np):
    x = tf.placeholder(tf.float32, [])
    y = tf.while_loop(lambda a: a < 100.0, lambda a: a * a, [x])
    return with_gradients(tf, y, [x]), {x: 1.5}


@program
def gradient_of_fed_trips(tf, np):
    x, n = tf.constant([1.0, 2.0]), tf.placeholder(tf.int32, [])
    _, y = tf.while_loop(lambda i, a: i < n, lambda i, a: (i + 1, tf.sin(a) + a), [0, x])
    return with_gradients(tf, y, [x]), {n: 5}


@program
def gradient_without_iteration(tf, np):
    x, w = tf.constant([1.0, 2.0]), tf.constant(3.0)
    n = tf.placeholder(tf.int32, [])
    _, y = tf.while_loop(lambda i, a: i < n, lambda i, a: (i + 1, a * w), [0, x])
    return with_gradients(tf, y, [x, w]), {n: 0}


@program
def gradient_of_nested_loops(tf, np):
    x, w = tf.constant(0.5), tf.constant(1.1)

    def outer(i, a):
        _, b = tf.while_loop(lambda j, b: j < i, lambda j, b: (j + 1, tf.sin(b) * w + a), [0, a])
        return i + 1, b * a

    _, y = tf.while_loop(lambda i, a: i < 4, outer, [0, x])
    return with_gradients(tf, y, [x, w]), {}


@program
def gradient_of_nested_loops_of_unknown_trips(tf, np):
    x = tf.placeholder(tf.float64, [])

    def outer(i, a):
        b = tf.while_loop(lambda b: b < tf.cast(10 * i, tf.float64), lambda b: b * a + 1.0, [a])
        return i + 1, a + tf.log(b)

    _, y = tf.while_loop(lambda i, a: i < 4, outer, [1, x])
    return with_gradients(tf, y, [x]), {x: 1.2}


@program
def gradient_of_a_growing_value(tf, np):
    x, w = tf.placeholder(tf.float64, [None, 2]), tf.constant([[0.5, -0.2], [0.1, 0.9]], tf.float64)

    def body(i, seen):
        scores = tf.nn.softmax(tf.matmul(seen[-1:], seen, transpose_b=True))
        new = tf.tanh(tf.matmul(tf.matmul(scores, seen), w))
        return i + 1, tf.concat([seen, new], 0)

    shapes = [tf.TensorShape([]), tf.TensorShape([None, 2])]
    _, y = tf.while_loop(lambda i, a: i < 4, body, [0, x], shapes)
    return with_gradients(tf, y * y, [x, w]), {x: [[1.0, 0.3], [-0.4, 0.8]]}


@program
def gradient_of_a_beam(tf, np):
    """Of the scores of sequences that get longer until all of one end."""
    w = tf.constant(np.linspace(-1.0, 1.0, 12).reshape(3, 4))

    def body(ids, scores):
        state = tf.gather(w, ids[:, -1] % 3) * tf.cast(tf.shape(ids)[1], tf.float64)
        logs = tf.nn.log_softmax(state) + tf.expand_dims(scores, 1)
        best, at = tf.nn.top_k(tf.reshape(logs, [-1]), 2)
        ids = tf.concat([tf.gather(ids, at // 4), tf.expand_dims(at % 4, 1)], 1)
        return ids, best

    shapes = [tf.TensorShape([2, None]), tf.TensorShape([2])]
    ids, scores = tf.while_loop(
        lambda ids, scores: tf.shape(ids)[1] < 5,
        body,
        [tf.constant([[0], [1]]), tf.constant([0.0, -1.0], tf.float64)],
        shapes,
    )
    return [ids, with_gradients(tf, scores, [w])], {}


def recursive(tf, np, **array):
    """A net over a tree: the children of a node come before it."""
    rng = np.random.RandomState(0)
    emb, w, u = (tf.constant(rng.randn(*s)) for s in ((5, 3), (6, 3), (3, 2)))
    leaf, left = tf.placeholder(tf.bool, [None]), tf.placeholder(tf.int32, [None])
    right, words = tf.placeholder(tf.int32, [None]), tf.placeholder(tf.int32, [None])

    def body(nodes, i):
        def combined():
            both = [nodes.read(tf.gather(left, i)), nodes.read(tf.gather(right, i))]
            return tf.tanh(tf.matmul(tf.concat(both, 1), w))

        word = lambda: tf.expand_dims(tf.gather(emb, tf.gather(words, i)), 0)  # noqa: E731
        return nodes.write(i, tf.cond(tf.gather(leaf, i), word, combined)), i + 1

    nodes = tf.TensorArray(tf.float64, 0, dynamic_size=True, clear_after_read=False, **array)
    nodes, _ = tf.while_loop(lambda _, i: i < tf.squeeze(tf.shape(leaf)), body, [nodes, 0])
    root = tf.matmul(nodes.read(nodes.size() - 1), u)
    all_nodes = tf.matmul(nodes.concat(), u)
    loss = tf.reduce_sum(root * root) + tf.reduce_sum(tf.sin(all_nodes))
    grads = [tf.convert_to_tensor(g) for g in tf.gradients(loss, [emb, w, u])]
    feeds = {
        leaf: [True, True, False, True, False], words: [0, 1, -1, 4, -1],
        left: [-1, -1, 0, -1, 2], right: [-1, -1, 1, -1, 3],
    }  # fmt: skip
    return [loss, root, nodes.size(), grads], feeds


@program
def gradient_of_a_recursive_net(tf, np):
    return recursive(tf, np, infer_shape=False)


@program
def gradient_of_an_array_grown_until_some_value(tf, np):
    x = tf.placeholder(tf.float64, [2])
    ta = tf.TensorArray(tf.float64, 0, dynamic_size=True).write(0, x)

    def body(i, a, ta):
        a = tf.sin(a) + x * tf.cast(i, tf.float64)
        return i + 1, a, ta.write(i + 1, a)

    far = lambda i, a, ta: tf.reduce_sum(a) < 9.0  # noqa: E731
    i, _, ta = tf.while_loop(far, body, [0, x, ta])
    y = ta.stack()
    return [i, ta.size(), with_gradients(tf, y * y, [x])], {x: [0.4, 0.7]}


@program
def arrays_grown_from_some_size(tf, np):
    def body(i, a, b):
        return i + 1, a.write(i, [tf.cast(i, tf.float32)]), b.write(i - 2, i)

    a = b = None
    out = []
    for n in (3, 5, 9):
        first = tf.TensorArray(tf.float32, 3, dynamic_size=True).unstack([[1.0], [2.0], [3.0]])
        ints = tf.TensorArray(tf.int32, 1, dynamic_size=True)
        _, a, b = tf.while_loop(lambda i, a, b: i < n, body, [3, first, ints.write(0, 7)])
        out.append([a.size(), b.size(), a.read(2), b.stack()])
    return out, {}


@program
def gradient_of_a_cond(tf, np):
    x, z = tf.placeholder(tf.float32, []), tf.constant(2.0)
    y = tf.cond(x > 1.0, lambda: tf.sin(x) * z, lambda: x * x)
    return with_gradients(tf, y, [x, z]), {x: 3.0}


@program
def gradient_of_the_other_branch(tf, np):
    x, z = tf.placeholder(tf.float32, []), tf.constant(2.0)
    y = tf.cond(x > 1.0, lambda: tf.sin(x) * z, lambda: x * x)
    return with_gradients(tf, y, [x, z]), {x: 0.5}


@program
def gradient_of_cond_in_loop(tf, np):
    x, w = tf.constant(0.7), tf.constant(1.3)

    def body(i, a):
        return i + 1, tf.cond(
            tf.equal(i % 2, 0), lambda: tf.exp(a * 0.1) * w, lambda: a * a + w * w
        )

    _, y = tf.while_loop(lambda i, a: i < 5, body, [0, x])
    return with_gradients(tf, y, [x, w]), {}


@program
def gradient_of_loop_in_cond(tf, np):
    x, p = tf.constant(0.7), tf.placeholder(tf.bool, [])

    def loop():
        return tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, tf.sin(a) + x), [0, x])[1]

    y = tf.cond(p, loop, lambda: x * 5.0)
    return with_gradients(tf, y, [x]), {p: True}


@program
def gradient_of_a_map(tf, np):
    x, w = tf.placeholder(tf.float32, [None, 2]), tf.Variable([[1.0, 2.0], [3.0, -1.0]])
    y = tf.map_fn(lambda r: tf.tanh(tf.squeeze(tf.matmul(r[None], w), 0)), x)
    return with_gradients(tf, y, [x, w]), {x: np.arange(6.0).reshape(3, 2) / 5.0}


@program
def gradient_of_a_map_of_several(tf, np):
    x, y = tf.placeholder(tf.float32, [None]), tf.placeholder(tf.float32, [None])
    a, b = tf.map_fn(lambda p: (p[0] * p[1], tf.sin(p[0])), (x, y), dtype=(tf.float32, tf.float32))
    return with_gradients(tf, [a, b * b], [x, y]), {x: [1.0, 2.0, 3.0], y: [4.0, 5.0, 6.0]}


@program
def gradient_of_a_scan(tf, np):
    x, h, w = (
        tf.placeholder(tf.float64, [None]),
        tf.constant(0.5, tf.float64),
        tf.Variable(0.9, dtype=tf.float64),
    )
    y = tf.scan(lambda a, e: tf.tanh(a * w + e), x, initializer=h)
    return with_gradients(tf, y, [x, h, w]), {x: [0.1, 0.2, 0.3, 0.4]}


@program
def gradient_of_a_scan_without_initializer(tf, np):
    x = tf.placeholder(tf.float64, [None])
    return with_gradients(tf, tf.scan(lambda a, e: a * e, x), [x]), {x: [1.1, 1.2, 1.3, 1.4]}


@program
def gradient_of_a_reverse_scan(tf, np):
    x = tf.placeholder(tf.float64, [None, 2])
    y = tf.scan(
        lambda a, e: (a[0] * 0.5 + e, a[1] * e),
        x,
        initializer=(tf.zeros([2], tf.float64), tf.ones([2], tf.float64)),
        reverse=True,
    )
    return with_gradients(tf, [y[0], y[1]], [x]), {x: np.arange(8.0).reshape(4, 2) / 4.0 + 0.5}


@program
def gradient_of_folds(tf, np):
    x = tf.placeholder(tf.float64, [None])
    a, b = tf.foldl(lambda a, e: a * e + e, x), tf.foldr(lambda a, e: tf.sin(a) * e, x)
    return with_gradients(tf, [a, b], [x]), {x: [1.1, 1.2, 1.3, 1.4]}


@program
def gradient_of_rows_read_in_a_loop(tf, np):
    table = tf.Variable(np.arange(10.0).reshape(5, 2).astype(np.float32))
    ids = tf.constant([1, 3, 1, 0])

    def body(i, a):
        return i + 1, a * 0.5 + tf.nn.embedding_lookup(table, ids[i])

    _, y = tf.while_loop(lambda i, a: i < 4, body, [0, tf.zeros([2])])
    return with_gradients(tf, y * y, [table]), {}


@program
def gradient_through_an_array(tf, np):
    x, w = tf.constant([1.0, 2.0]), tf.constant(1.5)
    n = tf.placeholder(tf.int32, [])
    ta = tf.TensorArray(tf.float32, size=n)
    _, last, ta = tf.while_loop(
        lambda i, a, t: i < n, lambda i, a, t: (i + 1, tf.sin(a) * w, t.write(i, a)), [0, x, ta]
    )
    y = ta.stack() * tf.constant([[1.0, 10.0]])
    return with_gradients(tf, [y, last], [x, w]), {n: 4}


@program
def gradient_of_some_variables_only(tf, np):
    x, z = tf.constant(2.0), tf.constant(5.0)
    out = tf.while_loop(lambda i, a, b: i < 3, lambda i, a, b: (i + 1, a * a, b + 1.0), [0, x, z])
    ga, _ = tf.gradients(out[1], [x, z])
    return [ga, tf.gradients(out[2], [x, z])[1]], {}


@program
def gradient_stopped_inside(tf, np):
    x = tf.constant(2.0)
    _, y = tf.while_loop(
        lambda i, a: i < 3, lambda i, a: (i + 1, a * x + tf.stop_gradient(a * a)), [0, x]
    )
    return with_gradients(tf, y, [x]), {}


@program
def gradient_of_swapping(tf, np):
    a, b = tf.constant(2.0), tf.constant(3.0)
    _, x, y = tf.while_loop(lambda i, x, y: i < 5, lambda i, x, y: (i + 1, y, x * y), [0, a, b])
    return with_gradients(tf, [x, y], [a, b]), {}


@program
def gradient_with_limit(tf, np):
    x = tf.constant(1.1)
    y = tf.while_loop(lambda a: a < 1e9, lambda a: a * a * x, [x], maximum_iterations=3)
    return with_gradients(tf, y, [x]), {}


@program
def gradient_of_cond_of_vectors_in_loop(tf, np):
    x, w = tf.placeholder(tf.float32, [None]), tf.constant(1.3)

    def body(i, a):
        return i + 1, tf.cond(
            tf.equal(i % 2, 0), lambda: tf.exp(a * 0.1) * w, lambda: tf.sin(a) * a
        )

    _, y = tf.while_loop(lambda i, a: i < 5, body, [0, x])
    return with_gradients(tf, y, [x, w]), {x: [0.5, 0.7, -1.0]}


@program
def rows_of_a_variable_in_a_loop(tf, np):
    v, total = tf.Variable(tf.zeros([4])), tf.Variable(0.0)

    def body(i, a):
        with tf.control_dependencies([tf.scatter_update(v, i, a)]):
            return i + 1, a * 2.0 + total.assign_add(1.0)

    return tf.while_loop(lambda i, a: i < 4, body, [0, 1.0], parallel_iterations=1), {}


@program
def scatter_into_a_written_array(tf, np):
    x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    ta = tf.TensorArray(tf.float32, 4, clear_after_read=False).write(0, x[0] * 3.0)
    ta = ta.scatter([3, 1], x * x)
    y = ta.read(0) * ta.read(3) + ta.read(1)
    return with_gradients(tf, y, [x]), {}


@program
def split_by_fed_lengths(tf, np):
    n = tf.placeholder(tf.int32, [None])
    return tf.TensorArray(tf.float32, 3).split(tf.range(6.0), n).stack(), {n: [2, 2, 2]}


@program
def case_of_a_dict(tf, np):
    x = tf.placeholder(tf.int32, [])
    more, some = tf.greater(x, 1, name="b"), tf.greater(x, 0, name="a")
    pairs = {more: lambda: tf.constant(1), some: lambda: tf.constant(2)}
    return tf.case(pairs, default=lambda: tf.constant(3)), {x: 2}
