"""Programs with control flow, for TensorFlow 1.15 and for graphc; each gives its results."""

PROGRAMS = {}


def program(f):
    PROGRAMS[f.__name__] = f
    return f


@program
def branches(tf):
    x = tf.placeholder(tf.float32, [None], name="x")
    p = tf.placeholder(tf.bool, [], name="p")
    c = tf.constant([1.0, 2.0, 3.0], name="c")
    return tf.cond(p, lambda: (x * 2.0 + c, x), lambda: (x - 1.0, tf.constant([7.0])))


@program
def nested_branches(tf):
    x = tf.placeholder(tf.float32, [3], name="x")
    p = tf.placeholder(tf.bool, [], name="p")
    q = tf.placeholder(tf.bool, [], name="q")
    a = tf.cond(p, lambda: tf.cond(q, lambda: tf.sin(x), lambda: x + 1.0), lambda: tf.negative(x))
    b = tf.case([(p, lambda: tf.exp(x)), (q, lambda: tf.abs(x))], lambda: tf.square(x))
    return a, b


@program
def loop(tf):
    n = tf.placeholder(tf.int32, [], name="n")
    w = tf.constant([[0.5, 0.1], [0.2, 0.3]], name="w")
    x = tf.placeholder(tf.float32, [None, 2], name="x")

    def body(i, y):
        return i + 1, tf.tanh(tf.matmul(y, w))

    return tf.while_loop(lambda i, y: i < n, body, [0, x])


@program
def loop_in_loop(tf):
    n = tf.placeholder(tf.int32, [], name="n")
    x = tf.placeholder(tf.float32, [2], name="x")

    def inner(y):
        return tf.while_loop(lambda j, z: j < n, lambda j, z: (j + 1, z * x), [0, y])[1]

    def body(i, y):
        return i + 1, tf.cond(tf.less(i, 2), lambda: inner(y), lambda: tf.negative(y))

    return tf.while_loop(lambda i, y: tf.less(i, n), body, [0, x], parallel_iterations=3)


@program
def control_in_loop(tf):
    v = tf.get_variable("v", initializer=1.0)
    n = tf.placeholder(tf.int32, [], name="n")
    first = tf.no_op(name="first")

    def body(i):
        with tf.control_dependencies([tf.assign_add(v, 2.0)]):
            return tf.add(i, 1)

    with tf.control_dependencies([first]):
        return [tf.while_loop(lambda i: tf.less(i, n), body, [tf.constant(0)])]


@program
def arrays(tf):
    x = tf.placeholder(tf.float32, [2, 3], name="x")
    n = tf.placeholder(tf.int32, [], name="n")
    a = tf.TensorArray(tf.float32, size=2, element_shape=[3]).unstack(x)

    def body(i, b):
        return i + 1, b.write(i, a.read(i))

    b = tf.TensorArray(tf.float32, n, dynamic_size=True)
    _, b = tf.while_loop(lambda i, _: i < n, body, [0, b])
    c = tf.TensorArray(tf.float32, size=1, element_shape=[3]).scatter([0], [[1.0, 2.0, 3.0]])
    d = tf.TensorArray(tf.float32, size=1, element_shape=[1, 3]).write(0, x[:1]).concat()
    return b.stack(), a.gather([1, 0]), c.read(0), d


@program
def mapped(tf):
    x = tf.placeholder(tf.float32, [4, 3], name="x")
    return tf.map_fn(tf.reduce_sum, x), tf.scan(lambda a, b: a + b, x)
