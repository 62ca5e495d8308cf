"""Nasty programs of control flow: each gives results, under TF 1.15 and here, or fails."""

# ruff: noqa

import collections

import numpy


def shown(x):
    """A result as text: type, shape and values."""
    if isinstance(x, (list, tuple)):
        return f"{type(x).__name__}({', '.join(map(shown, x))})"
    if isinstance(x, dict):
        return "{" + ", ".join(f"{k!r}: {shown(v)}" for k, v in sorted(x.items())) + "}"
    if isinstance(x, (numpy.ndarray, numpy.generic)):
        a = numpy.asarray(x)
        if a.dtype.kind == "f":
            a = numpy.round(a.astype(numpy.float64), 4) + 0.0
        return f"{numpy.asarray(x).dtype}{list(a.shape)} {a.tolist()}"
    return repr(x)


def programs(tf, np):
    """The programs by name, each to be called with a new default graph."""

    def run(x, feed=None, init=False):
        with tf.Session() as s:
            if init:
                s.run(tf.global_variables_initializer())
            return s.run(x, feed)

    def p_ta_split_bad_sum():
        v = tf.constant(np.arange(12.0).reshape(6, 2), tf.float32)
        l = tf.placeholder(tf.int64, [None])
        ta = tf.TensorArray(tf.float32, 3, infer_shape=False).split(v, l)
        return run(ta.read(0), {l: [1, 2, 2]})

    def p_ta_split_bad_count():
        v = tf.constant(np.arange(12.0).reshape(6, 2), tf.float32)
        l = tf.placeholder(tf.int64, [None])
        ta = tf.TensorArray(tf.float32, 4, infer_shape=False).split(v, l)
        return run(ta.read(0), {l: [1, 2, 3]})

    def p_ta_read_unwritten_es():
        ta = tf.TensorArray(tf.float32, 3, element_shape=[2]).write(0, [1.0, 2.0])
        return run(ta.read(1))

    def p_ta_stack_unwritten():
        ta = tf.TensorArray(tf.float32, 3).write(0, 1.0)
        return run(ta.stack())

    def p_ta_oob_write():
        ta = tf.TensorArray(tf.float32, 3).write(3, 1.0)
        return run(ta.stack())

    def p_ta_neg_write():
        ta = tf.TensorArray(tf.float32, 3).write(-1, 1.0)
        return run(ta.stack())

    def p_ta_oob_read():
        ta = tf.TensorArray(tf.float32, 3).write(0, 1.0)
        return run(ta.read(3))

    def p_ta_gather_unwritten():
        ta = tf.TensorArray(tf.float32, 3).write(0, 1.0).write(1, 2.0)
        return run(ta.gather([0, 2]))

    def p_ta_scatter_oob():
        ta = tf.TensorArray(tf.float32, 3).scatter([0, 5], [1.0, 2.0])
        return run(ta.stack())

    def p_ta_unstack_bad_count():
        ta = tf.TensorArray(tf.float32, 3).unstack([1.0, 2.0])
        return run([ta.stack(), ta.size()])

    def p_ta_unstack_bad_count2():
        ta = tf.TensorArray(tf.float32, 3).unstack([1.0, 2.0, 3.0, 4.0])
        return run(ta.stack())

    def p_ta_write_shape():
        x = tf.placeholder(tf.float32)
        ta = tf.TensorArray(tf.float32, 3).write(0, x).write(1, [1.0, 2.0])
        return run(ta.stack(), {x: 3.0})

    def p_ta_es_mismatch():
        x = tf.placeholder(tf.float32)
        return run(
            tf.TensorArray(tf.float32, 3, element_shape=[2]).write(0, x).read(0),
            {x: [1.0, 2.0, 3.0]},
        )

    def p_ta_grad_public():
        x = tf.constant([1.0, 2.0, 3.0])
        ta = tf.TensorArray(tf.float32, 3, clear_after_read=False).unstack(x)
        r = ta.read(1)
        g = ta.grad("grad")
        g = g.write(0, 4.0).write(1, 5.0).write(2, 6.0)
        return run(g.stack())

    def p_ta_grad_public2():
        # writes to grad accumulate
        ta = tf.TensorArray(tf.float32, 2, clear_after_read=False)
        ta = ta.write(0, 1.0).write(1, 2.0)
        g = ta.grad("g")
        g = g.write(0, 4.0).write(0, 5.0).write(1, 1.0)
        return run([g.read(0), g.read(1)])

    def p_ta_grad_names():
        ta = tf.TensorArray(tf.float32, 2, clear_after_read=False)
        ta = ta.write(0, 1.0).write(1, 2.0)
        g = ta.grad("g")
        return [g.dtype, g.flow.name, type(g).__name__]

    def p_ta_grad_two_sources():
        ta = tf.TensorArray(tf.float32, 2, clear_after_read=False)
        ta = ta.write(0, 1.0).write(1, 2.0)
        g = ta.grad("g")
        h = ta.grad("h")
        g = g.write(0, 4.0).write(1, 1.0)
        h = h.write(0, 7.0).write(1, 8.0)
        return run([g.stack(), h.stack()])

    def p_ta_grad_same_source():
        ta = tf.TensorArray(tf.float32, 2, clear_after_read=False)
        ta = ta.write(0, 1.0).write(1, 2.0)
        g = ta.grad("g").write(0, 4.0)
        with tf.control_dependencies([g.flow]):
            h = ta.grad("g", flow=g.flow)
            h = h.write(0, 7.0).write(1, 8.0)
        return run(h.stack())

    def p_ta_grad_unstack():
        x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
        ta = tf.TensorArray(tf.float32, 2, clear_after_read=False).unstack(x)
        g = ta.grad("g").unstack(x * 2)
        return run(g.stack())

    def p_ta_grad_read_unwritten():
        ta = tf.TensorArray(tf.float32, 2, clear_after_read=False)
        ta = ta.write(0, 1.0).write(1, 2.0)
        g = ta.grad("g").write(0, 3.0)
        return run(g.read(1))

    def p_ta_grad_stack_unwritten():
        ta = tf.TensorArray(tf.float32, 2, clear_after_read=False)
        ta = ta.write(0, [1.0, 2.0]).write(1, [2.0, 3.0])
        g = ta.grad("g").write(0, [3.0, 4.0])
        return run(g.stack())

    def p_ta_grad_write_shape():
        ta = tf.TensorArray(tf.float32, 2, clear_after_read=False)
        ta = ta.write(0, [1.0, 2.0]).write(1, [2.0, 3.0])
        g = ta.grad("g").write(0, 3.0)
        return run(g.stack())

    def p_ta_grad_of_empty():
        ta = tf.TensorArray(tf.float32, 2, clear_after_read=False)
        g = ta.grad("g").write(0, 3.0)
        return run(g.read(0))

    def p_ta_grad_dynamic():
        ta = tf.TensorArray(tf.float32, 0, dynamic_size=True, clear_after_read=False)
        ta = ta.write(0, 1.0).write(1, 2.0)
        g = ta.grad("g").write(1, 3.0)
        return run(g.size()), run(g.read(1))

    def loop(write, n=5, dyn=False, size=None, es=None, x=None, infer=True, car=None):
        x = tf.constant(np.arange(1.0, 6.0), tf.float32) if x is None else x
        ta = tf.TensorArray(
            tf.float32,
            n if size is None else size,
            dynamic_size=dyn,
            element_shape=es,
            infer_shape=infer,
            clear_after_read=car,
        )
        i, t = tf.while_loop(lambda i, t: i < n, lambda i, t: (i + 1, write(i, t, x)), (0, ta))
        return x, t

    def fin(xt, extra=None):
        x, t = xt
        y = t.stack()
        return run(
            [
                y,
                tf.gradients(
                    tf.reduce_sum(
                        y**2 * tf.cast(tf.reshape(tf.range(tf.size(y)), tf.shape(y)), tf.float32)
                    ),
                    x,
                )[0],
            ]
        )

    def p_tl_rev():
        return fin(loop(lambda i, t, x: t.write(4 - i, x[i] * 2)))

    def p_tl_rev_dyn():
        return fin(loop(lambda i, t, x: t.write(4 - i, x[i] * 2), dyn=True, size=0))

    def p_tl_perm_dyn():
        return fin(
            loop(
                lambda i, t, x: t.write(tf.constant([3, 0, 2, 4, 1])[i], x[i] * 2), dyn=True, size=0
            )
        )

    def p_tl_gap_dyn():
        return fin(loop(lambda i, t, x: t.write(2 * i, x[i] * 2), dyn=True, size=0))

    def p_tl_gap_oob():
        return fin(loop(lambda i, t, x: t.write(2 * i, x[i] * 2), size=8))

    def p_tl_cond_dyn():
        return fin(
            loop(
                lambda i, t, x: tf.cond(i % 2 < 1, lambda: t.write(i, x[i] * 2), lambda: t),
                dyn=True,
                size=0,
            )
        )

    def p_tl_cond2_dyn():
        return fin(
            loop(
                lambda i, t, x: tf.cond(
                    i < 2, lambda: t.write(i, x[i] * 2), lambda: t.write(6 - i, x[i] * 3)
                ),
                dyn=True,
                size=1,
            )
        )

    def p_tl_two_dyn():
        return fin(
            loop(
                lambda i, t, x: t.write(2 * i, x[i] * 2).write(2 * i + 1, x[i] * x[i]),
                size=0,
                dyn=True,
            )
        )

    def p_tl_read_any():
        x = tf.constant(np.arange(1.0, 6.0), tf.float32)
        ta = tf.TensorArray(tf.float32, 6, clear_after_read=False).write(0, tf.reduce_sum(x))
        i, t = tf.while_loop(
            lambda i, t: i < 5, lambda i, t: (i + 1, t.write(i + 1, t.read(i // 2) * x[i])), (0, ta)
        )
        y = t.stack()
        return run([y, tf.gradients(tf.reduce_sum(y), x)[0]])

    def p_tl_write_data_dyn():
        x = tf.constant([2.0, 0.0, 1.0])
        ta = tf.TensorArray(tf.float32, 0, dynamic_size=True, clear_after_read=False)
        i, t = tf.while_loop(
            lambda i, a: i < 3,
            lambda i, t: (i + 1, t.write(tf.cast(x[i], tf.int32), x[i] * 3)),
            (0, ta),
        )
        y = t.stack()
        return run([y, tf.gradients(tf.reduce_sum(y), x)[0]])

    def p_tl_partly_before():
        x = tf.constant(np.arange(1.0, 6.0), tf.float32)
        ta = tf.TensorArray(tf.float32, 8).write(7, x[0])
        i, t = tf.while_loop(lambda i, t: i < 5, lambda i, t: (i + 1, t.write(i, x[i])), (0, ta))
        y = t.stack()
        return run([y, tf.gradients(tf.reduce_sum(y**2), x)[0]])

    def p_tl_after():
        x = tf.constant(np.arange(1.0, 6.0), tf.float32)
        ta = tf.TensorArray(tf.float32, 8)
        i, t = tf.while_loop(lambda i, t: i < 5, lambda i, t: (i + 1, t.write(i, x[i])), (0, ta))
        t = t.write(6, x[0] * 3.0)
        y = t.stack()
        return run([y, tf.gradients(tf.reduce_sum(y**2), x)[0]])

    def p_tl_nested_loop_dyn():
        x = tf.constant(np.arange(1.0, 6.0), tf.float32)
        ta = tf.TensorArray(tf.float32, 0, dynamic_size=True)

        def body(i, t):
            j, t = tf.while_loop(
                lambda j, t: j < 4,
                lambda j, t: (j + 1, t.write(i * 4 + j, x[i] * tf.cast(j, tf.float32))),
                (0, t),
            )
            return i + 1, t

        i, t = tf.while_loop(lambda i, t: i < 5, body, (0, ta))
        y = t.stack()
        return run([y, tf.gradients(tf.reduce_sum(y**2), x)[0]])

    def p_tl_cond_dyn_count():
        # compaction: writes at its own counter
        x = tf.constant([3.0, -1.0, 2.0, -5.0, 4.0])
        ta = tf.TensorArray(tf.float32, 0, dynamic_size=True)

        def body(i, k, t):
            k, t = tf.cond(x[i] > 0, lambda: (k + 1, t.write(k, x[i] ** 2)), lambda: (k, t))
            return i + 1, k, t

        i, k, t = tf.while_loop(lambda i, k, t: i < 5, body, (0, 0, ta))
        y = t.stack()
        return run([k, y, tf.gradients(tf.reduce_sum(y**2), x)[0]])

    def p_tl_cond_count():
        x = tf.constant([3.0, -1.0, 2.0, -5.0, 4.0])
        ta = tf.TensorArray(tf.float32, 5)

        def body(i, k, t):
            k, t = tf.cond(x[i] > 0, lambda: (k + 1, t.write(k, x[i] ** 2)), lambda: (k, t))
            return i + 1, k, t

        i, k, t = tf.while_loop(lambda i, k, t: i < 5, body, (0, 0, ta))
        y = t.stack()
        return run([k, y, tf.gradients(tf.reduce_sum(y**2), x)[0]])

    def p_tl_while_read_written():
        # fibonacci by array
        ta = tf.TensorArray(tf.int32, 10, clear_after_read=False).write(0, 1).write(1, 1)
        i, t = tf.while_loop(
            lambda i, t: i < 10,
            lambda i, t: (i + 1, t.write(i, t.read(i - 1) + t.read(i - 2))),
            (2, ta),
        )
        return run(t.stack())

    def p_tl_size_in_loop():
        x = tf.constant(np.arange(1.0, 6.0), tf.float32)
        ta = tf.TensorArray(tf.float32, 0, dynamic_size=True, clear_after_read=False)
        i, t = tf.while_loop(
            lambda i, t: t.size() < 5, lambda i, t: (i + 1, t.write(t.size(), x[i])), (0, ta)
        )
        y = t.stack()
        return run([y, i, tf.gradients(tf.reduce_sum(y**2), x)[0]])

    def p_tl_scatter_loop():
        x = tf.constant(np.arange(1.0, 6.0), tf.float32)
        ta = tf.TensorArray(tf.float32, 10)
        i, t = tf.while_loop(
            lambda i, t: i < 5,
            lambda i, t: (i + 1, t.scatter([i, i + 5], [x[i], x[i] ** 2])),
            (0, ta),
        )
        y = t.stack()
        return run([y, tf.gradients(tf.reduce_sum(y**2), x)[0]])

    def mk(k=1.0):
        return tf.SparseTensor([[0, 1]], tf.reshape(tf.convert_to_tensor(k), [1]), [2, 2])

    def p_sp_while():
        sp = mk()
        i, r = tf.while_loop(
            lambda i, s: i < 3,
            lambda i, s: (i + 1, tf.SparseTensor(s.indices, s.values * 2, s.dense_shape)),
            (0, sp),
        )
        return (
            run(r),
            r.indices.name,
            r.values.name,
            r.dense_shape.name,
            str(r.shape),
            str(r.indices.shape),
            str(r.values.shape),
        )

    def p_sp_while_names():
        sp = mk()
        i, r = tf.while_loop(
            lambda i, s: i < 3,
            lambda i, s: (i + 1, tf.SparseTensor(s.indices, s.values * 2, s.dense_shape)),
            (0, sp),
        )
        return [
            o.name
            for o in tf.get_default_graph().get_operations()
            if o.type in ("Exit", "Merge") or "Sparse" in o.name
        ]

    def p_sp_cond():
        x = tf.placeholder(tf.float32, [])
        r = tf.cond(x > 0.0, lambda: mk(x), lambda: mk(-x))
        return (
            run(r, {x: -2.0}),
            r.indices.name,
            r.values.name,
            str(r.shape),
            str(r.indices.shape),
            str(r.values.shape),
        )

    def p_sp_cond_shapes():
        x = tf.placeholder(tf.float32, [])
        r = tf.cond(
            x > 0.0, lambda: tf.SparseTensor([[0, 1], [1, 0]], [x, x], [2, 2]), lambda: mk(-x)
        )
        return (
            run(r, {x: -2.0}),
            run(r, {x: 2.0}),
            str(r.shape),
            str(r.indices.shape),
            str(r.values.shape),
        )

    def p_sp_cond_mix():
        x = tf.placeholder(tf.float32, [])
        return tf.cond(x > 0.0, lambda: mk(x), lambda: x)

    def p_sp_cond_grad():
        x = tf.placeholder(tf.float32, [])
        r = tf.cond(x > 0.0, lambda: mk(x * x), lambda: mk(-x))
        y = tf.reduce_sum(r.values)
        g = tf.gradients(y, x)[0]
        return run([y, g], {x: -2.0}), run([y, g], {x: 2.0})

    def p_sp_while_shape_change():
        i, r = tf.while_loop(
            lambda i, s: i < 3, lambda i, s: (i + 1, tf.sparse_concat(0, [s, s])), [0, mk()]
        )
        return run(r)

    def p_sp_while_grad():
        x = tf.constant(2.0)
        i, r = tf.while_loop(
            lambda i, s: i < 3,
            lambda i, s: (i + 1, tf.SparseTensor(s.indices, s.values * x, s.dense_shape)),
            [0, mk(x)],
        )
        return run(tf.gradients(r.values, x))

    def p_sp_is():
        v = tf.get_variable("v", initializer=[1.0, 2.0, 3.0])
        g = tf.IndexedSlices(tf.constant([[5.0]]), tf.constant([1]), tf.constant([3, 1]))
        i, r = tf.while_loop(
            lambda i, s: i < 3,
            lambda i, s: (i + 1, tf.IndexedSlices(s.values * 2, s.indices, s.dense_shape)),
            [0, g],
        )
        return (
            type(r).__name__,
            run(r),
            [o.name for o in tf.get_default_graph().get_operations() if o.type in ("Exit",)],
            r.values.name,
            r.indices.name,
        )

    def p_sp_is_cond():
        x = tf.placeholder(tf.float32, [])
        f = lambda k: (
            lambda: tf.IndexedSlices(
                tf.reshape(x * k, [1, 1]), tf.constant([1]), tf.constant([3, 1])
            )
        )
        r = tf.cond(x > 0, f(1.0), f(2.0))
        return type(r).__name__, run(r, {x: 2.0}), r.values.name, r.indices.name

    def p_sp_cond_dict():
        x = tf.placeholder(tf.float32, [])
        r = tf.cond(
            x > 0.0,
            lambda: {"s": mk(x), "t": (x, mk(2 * x))},
            lambda: {"s": mk(-x), "t": (x, mk(3 * x))},
        )
        return run(r, {x: -2.0})

    def p_sp_inv1():
        x = tf.constant([[1.0, 2.0]])
        i, a = tf.while_loop(
            lambda i, a: i < 4,
            lambda i, a: (i + 1, tf.concat([a, a[-1:] * 2 + a[:1]], 0)),
            [0, x],
            shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, 2])],
        )
        return run([a, tf.gradients(tf.reduce_sum(a**2), x)[0]]), str(a.shape)

    def p_sp_inv_bad():
        x = tf.constant([[1.0, 2.0]])
        i, a = tf.while_loop(
            lambda i, a: i < 4,
            lambda i, a: (i + 1, a),
            [0, x],
            shape_invariants=[tf.TensorShape([]), tf.TensorShape([3, 2])],
        )
        return run(a)

    def p_sp_inv_rank():
        x = tf.constant([[1.0, 2.0]])
        i, a = tf.while_loop(
            lambda i, a: i < 2,
            lambda i, a: (i + 1, tf.expand_dims(a, 0)),
            [0, x],
            shape_invariants=[tf.TensorShape([]), tf.TensorShape(None)],
        )
        return run(a), str(a.shape)

    def p_rag_cond():
        x = tf.placeholder(tf.float32, [])
        r = tf.cond(
            x > 0.0,
            lambda: tf.ragged.constant([[1.0, 2.0], [3.0]]) * x,
            lambda: tf.ragged.constant([[1.0], [2.0, 3.0, 4.0], [5.0]]),
        )
        return type(r).__name__, run(r, {x: 2.0}).to_list(), run(r, {x: -2.0}).to_list()

    def p_rag_while():
        r = tf.while_loop(
            lambda i, r: i < 3,
            lambda i, r: (i + 1, r * 2.0),
            [0, tf.ragged.constant([[1.0, 2.0], [3.0]])],
        )
        return run(r[1]).to_list(), type(r[1]).__name__, r[1].flat_values.name, r[1].row_splits.name

    def p_rag_grad():
        x = tf.constant(2.0)
        r = tf.while_loop(
            lambda i, r: i < 3,
            lambda i, r: (i + 1, r * x),
            [0, tf.ragged.constant([[1.0, 2.0], [3.0]])],
        )
        return run(tf.gradients(r[1].flat_values, x))

    def p_rag_while_grow():
        r = tf.while_loop(
            lambda i, r: i < 3,
            lambda i, r: (i + 1, tf.concat([r, r], 0)),
            [0, tf.ragged.constant([[1.0, 2.0], [3.0]])],
        )
        return run(r[1]).to_list()

    def p_pred_cond_vec():
        p = tf.placeholder(tf.bool)
        return run(tf.cond(p, lambda: 1, lambda: 2), {p: [True, False]})

    def p_pred_cond_vec1():
        p = tf.placeholder(tf.bool)
        return run(tf.cond(p, lambda: 1, lambda: 2), {p: [True]})

    def p_pred_cond_vec_host():
        p = tf.placeholder(tf.bool)
        return run(
            tf.cond(p, lambda: tf.constant("a"), lambda: tf.constant("b")), {p: [True, False]}
        )

    def p_pred_while_vec():
        p = tf.placeholder(tf.bool)
        return run(tf.while_loop(lambda i: p, lambda i: i + 1, [0]), {p: [True, False]})

    def p_pred_while_vec0():
        p = tf.placeholder(tf.bool)
        return run(tf.while_loop(lambda i: p, lambda i: i + 1, [0]), {p: [False]})

    def p_pred_while_vec_host():
        p = tf.placeholder(tf.bool)
        return run(
            tf.while_loop(lambda i: p, lambda i: tf.string_join([i, i]), [tf.constant("a")]),
            {p: [True, False]},
        )

    def p_pred_py_pred():
        p = tf.py_func(lambda: np.array([True]), [], tf.bool)
        return run(tf.cond(p, lambda: 1, lambda: 2))

    def p_pred_assert_data():
        x = tf.placeholder(tf.int32, [])

        def body(i):
            with tf.control_dependencies([tf.Assert(i < 3, ["i is", i, x])]):
                return tf.identity(i) + 1

        r = tf.while_loop(lambda i: i < x, body, [0])
        with tf.Session() as s:
            try:
                s.run(r, {x: 6})
                e = None
            except Exception as ex:
                e = type(ex).__name__, ex.message.split("\n")[0]
            return e

    def p_pred_assert_data_cond():
        x = tf.placeholder(tf.int32, [])

        def t():
            with tf.control_dependencies([tf.Assert(x < 3, ["x is", x, x * 2])]):
                return tf.identity(x)

        r = tf.cond(x > 0, t, lambda: x)
        with tf.Session() as s:
            try:
                s.run(r, {x: 6})
                e = None
            except Exception as ex:
                e = type(ex).__name__, ex.message.split("\n")[0]
            return e

    def p_pred_assert_message_loop():
        x = tf.placeholder(tf.float32, [])

        def body(a):
            with tf.control_dependencies([tf.assert_less(a, 10.0, message="too big", name="chk")]):
                return a * 2.0

        r = tf.while_loop(lambda i: i < x, body, [1.0])
        with tf.Session() as s:
            try:
                s.run(r, {x: 60.0})
                e = None
            except Exception as ex:
                e = type(ex).__name__, ex.message.split("\n")[0]
            return e

    def p_adv_nest1():
        x = tf.constant([1.0, 2.0, 3.0, 4.0])

        def step(acc, e):
            def body(i, a):
                return i + 1, tf.cond(
                    a > 10.0,
                    lambda: a / 2 + e,
                    lambda: tf.cond(e > 2.0, lambda: a * e, lambda: a + e * e),
                )

            i, a = tf.while_loop(lambda i, a: i < 3, body, (0, acc))
            return a

        y = tf.scan(step, x, initializer=1.0)
        return run([y, tf.gradients(y, x)[0]])

    def p_adv_cond_loops():
        x = tf.placeholder(tf.float32, [])

        def t():
            return tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * x), (0, x))[1]

        def f():
            return tf.while_loop(lambda i, a: a < 100.0, lambda i, a: (i + 1, a * a + x), (0, x))[1]

        y = tf.cond(x < 1.5, t, f)
        g = tf.gradients(y, x)[0]
        return run([y, g], {x: 1.2}), run([y, g], {x: 2.0})

    def p_adv_zero_len():
        np.random.seed(0)
        x = tf.placeholder(tf.float32, [None, 3, 2])
        l = tf.placeholder(tf.int32, [None])
        cell = tf.nn.rnn_cell.GRUCell(2, kernel_initializer=tf.constant_initializer(0.1))
        o, s = tf.nn.dynamic_rnn(cell, x, sequence_length=l, dtype=tf.float32)
        g = tf.gradients(tf.reduce_sum(o) + tf.reduce_sum(s), x)[0]
        X = np.random.rand(2, 3, 2)
        return run([o, s, g], {x: X, l: [0, 2]}, True), run([o, s, g], {x: X, l: [0, 0]}, True)

    def p_adv_map_struct():
        a = tf.constant([1.0, 2.0, 3.0])
        b = tf.constant([[1, 2], [3, 4], [5, 6]])
        r = tf.map_fn(
            lambda t: {"s": t[0] * 2, "p": (t[1] + 1, tf.cast(t[1], tf.float32) * t[0])},
            (a, b),
            dtype={"s": tf.float32, "p": (tf.int32, tf.float32)},
        )
        return run([r, tf.gradients(tf.reduce_sum(r["p"][1]) + tf.reduce_sum(r["s"]), a)[0]])

    def p_adv_map_bad_struct():
        a = tf.constant([1.0, 2.0, 3.0])
        return run(tf.map_fn(lambda t: (t, t), a))

    def p_adv_scan_empty():
        a = tf.placeholder(tf.float32, [None, 2])
        return run(tf.scan(lambda p, t: p + t, a, initializer=tf.zeros([2])), {a: np.zeros((0, 2))})

    def p_adv_foldl_empty():
        a = tf.placeholder(tf.float32, [None])
        return run(
            [
                tf.foldl(lambda p, t: p + t, a, initializer=1.0),
                tf.foldr(lambda p, t: p + t, a, initializer=2.0),
            ],
            {a: np.zeros((0,))},
        )

    def p_adv_backprop_false():
        x = tf.constant(2.0)
        r = tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * x), (0, x), back_prop=False)[
            1
        ]
        return run(tf.gradients(r, x))

    def p_adv_captured_var():
        v = tf.get_variable("v", initializer=[1.5, 2.0])
        w = tf.get_variable("w", initializer=0.5)
        r = tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * v + w), (0, tf.ones([2])))[1]
        return run(tf.gradients(r, [v, w]), init=True)

    def p_adv_assign_in_body():
        v = tf.get_variable("v", initializer=1.0, use_resource=True)

        def body(i, a):
            with tf.control_dependencies([v.assign_add(2.0)]):
                return i + 1, a + v.read_value()

        r = tf.while_loop(lambda i, a: i < 3, body, (0, 0.0), parallel_iterations=1)
        with tf.Session() as s:
            s.run(tf.global_variables_initializer())
            return s.run(r), s.run(v)

    def p_adv_ctrl_in_body():
        v = tf.get_variable("v", initializer=1.0)

        def body(i):
            with tf.control_dependencies([tf.assign_add(v, 1.0)]):
                return tf.identity(i) + 1

        r = tf.while_loop(lambda i: i < 3, body, [0])
        with tf.Session() as s:
            s.run(tf.global_variables_initializer())
            return s.run(r), s.run(v)

    def p_adv_assert_unrun_branch():
        x = tf.placeholder(tf.float32, [])

        def t():
            with tf.control_dependencies([tf.assert_positive(x)]):
                return tf.identity(x)

        r = tf.cond(x > -5.0, t, lambda: -x)
        with tf.Session() as s:
            out = [s.run(r, {x: 3.0}), s.run(r, {x: -6.0})]
            try:
                s.run(r, {x: -2.0})
            except Exception as ex:
                out.append(type(ex).__name__)
            return out

    def p_adv_cond_nested():
        x = tf.placeholder(tf.float32, [])
        r = tf.cond(
            x > 0.0,
            lambda: {"a": (x, [x * 2, x * 3]), "b": x - 1},
            lambda: {"a": (-x, [x * 4, x * 5]), "b": x + 1},
        )
        return run(r, {x: 1.0}), run(r, {x: -1.0}), str(type(r))

    def p_adv_cond_none():
        x = tf.placeholder(tf.float32, [])
        return tf.cond(x > 0.0, lambda: None, lambda: x)

    def p_adv_cond_ops():
        v = tf.get_variable("v", initializer=1.0)
        x = tf.placeholder(tf.float32, [])
        r = tf.cond(x > 0.0, lambda: tf.group(v.assign_add(1.0)), lambda: tf.no_op())
        with tf.Session() as s:
            s.run(tf.global_variables_initializer())
            a = s.run(r, {x: 1.0})
            b = s.run(v)
            c = s.run(r, {x: -1.0})
            d = s.run(v)
            return str(r.dtype), str(r.shape), a, b, c, d

    def p_adv_cond_op_vs_tensor():
        v = tf.get_variable("v", initializer=1.0)
        x = tf.placeholder(tf.float32, [])
        return run(tf.cond(x > 0.0, lambda: v.assign_add(1.0).op, lambda: x), {x: 1.0}, True)

    def p_adv_cond_empty_list():
        x = tf.placeholder(tf.float32, [])
        return tf.cond(x > 0.0, lambda: [], lambda: [])

    def p_adv_cond_diff_struct():
        x = tf.placeholder(tf.float32, [])
        return tf.cond(x > 0.0, lambda: (x, x), lambda: [x, x])

    def p_adv_cond_diff_shape_grad():
        x = tf.placeholder(tf.float32, [])
        r = tf.cond(x > 0.0, lambda: tf.ones([2]) * x, lambda: tf.ones([3, 4]) * x * x)
        g = tf.gradients(tf.reduce_sum(r), x)[0]
        return run([r, g], {x: 1.0}), run([r, g], {x: -1.0})

    def p_adv_cond_namedtuple():
        P = collections.namedtuple("P", "a b")
        x = tf.placeholder(tf.float32, [])
        r = tf.cond(x > 0.0, lambda: P(x, 2 * x), lambda: P(3 * x, x))
        return type(r).__name__, run(r.b, {x: 2.0})

    def p_adv_while_single():
        return (
            run(tf.while_loop(lambda i: i < 3, lambda i: i + 1, [0])),
            run(tf.while_loop(lambda i: i < 3, lambda i: [i + 1], [0])),
            run(
                tf.while_loop(lambda i: i < 3, lambda i: (i + 1,), (0,), return_same_structure=True)
            ),
        )

    def p_adv_while_maxiter():
        x = tf.placeholder(tf.int32, [])
        r = tf.while_loop(
            lambda i, a: i < 10, lambda i, a: (i + 1, a * 2.0), (0, 1.0), maximum_iterations=x
        )
        return run(r, {x: 3}), run(r, {x: 0}), run(r, {x: 20}), run(r, {x: -1})

    def p_adv_while_maxiter_grad():
        v = tf.constant(3.0)
        r = tf.while_loop(
            lambda i, a: i < 10, lambda i, a: (i + 1, a * v), (0, 1.0), maximum_iterations=4
        )
        return run(tf.gradients(r[1], v))

    def p_adv_map_random():
        tf.set_random_seed(3)
        r = tf.map_fn(
            lambda e: tf.random_uniform([2], seed=7) * e,
            tf.constant([1.0, 2.0, 3.0]),
            parallel_iterations=1,
        )
        with tf.Session() as s:
            return s.run(r)

    def p_adv_grad_in_loop():
        # gradient inside a loop body
        x = tf.constant(3.0)

        def body(i, a):
            y = a * a * x
            g = tf.gradients(y, a)[0]
            return i + 1, a - 0.1 * g

        r = tf.while_loop(lambda i, a: i < 3, body, (0, 1.0))
        return run(r)

    def p_adv_grad_in_loop_captured():
        x = tf.constant(3.0)

        def body(i, a):
            y = a * a * x
            g = tf.gradients(y, x)[0]
            return i + 1, a + 0.1 * g

        r = tf.while_loop(lambda i, a: i < 3, body, (0, 1.0))
        return run(r)

    def p_adv_grad_loop_in_loop():
        x = tf.constant(1.5)

        def body(i, a):
            z = tf.while_loop(lambda j, b: j < 2, lambda j, b: (j + 1, b * b * x), (0, a))[1]
            g = tf.gradients(z, a)[0]
            return i + 1, a - 0.01 * g

        r = tf.while_loop(lambda i, a: i < 3, body, (0, 1.0))
        return run(r)

    def p_adv_use_cond_inside_outside():
        x = tf.placeholder(tf.float32, [])
        box = []

        def t():
            box.append(x * 3.0)
            return box[0]

        r = tf.cond(x > 0, t, lambda: x)
        return run(box[0] + r, {x: 2.0})

    def p_adv_case_excl():
        x = tf.placeholder(tf.int32, [])
        r = tf.case([(x < 1, lambda: 1), (x < 2, lambda: 2)], default=lambda: 3, exclusive=True)
        return [run(r, {x: 1}), run(r, {x: 0})]

    def p_adv_switch_case():
        x = tf.placeholder(tf.int32, [])
        r = tf.switch_case(x, [lambda: 1, lambda: 2, lambda: 3])
        return [run(r, {x: k}) for k in (-1, 0, 1, 2, 5)]

    def p_adv_stop_gradients_arg():
        x = tf.constant(2.0)
        y = x * x
        r = tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * y), (0, x))[1]
        return run(tf.gradients(r, x, stop_gradients=[y]))

    def p_adv_grad_wrt_loopvar_in():
        x = tf.constant(2.0)
        z = tf.constant(1.0)
        i, a, b = tf.while_loop(
            lambda i, a, b: i < 3, lambda i, a, b: (i + 1, b * 2, a * 3), (0, x, z)
        )
        return (
            run(tf.gradients(a, [x, z])),
            run(tf.gradients(b, [x, z])),
            run(tf.gradients([a, b], [x, z])),
        )

    def p_adv_string_loop():
        r = tf.while_loop(
            lambda i, s: i < 3,
            lambda i, s: (i + 1, tf.string_join([s, tf.as_string(i)])),
            (0, tf.constant("a")),
        )
        return run(r)

    def p_adv_pyfunc_loop():
        r = tf.while_loop(
            lambda i, a: i < 3,
            lambda i, a: (
                i + 1,
                tf.reshape(tf.py_func(lambda x: np.float32(x * 2), [a], tf.float32), []),
            ),
            (0, 1.0),
        )
        return run(r)

    def p_adv_while_in_while_captured():
        x = tf.constant([1.0, 2.0])

        def outer(i, a):
            b = a * x

            def inner(j, c):
                return j + 1, c + b * tf.cast(i + j, tf.float32)

            _, c = tf.while_loop(lambda j, c: j < i + 1, inner, (0, a))
            return i + 1, c

        a = tf.while_loop(lambda i, a: i < 3, outer, (0, x))[1]
        return run([a, tf.gradients(a, x)[0]])

    def p_adv_minimize_in_cond():
        v = tf.get_variable("v", initializer=3.0)
        x = tf.placeholder(tf.bool, [])
        op = tf.cond(
            x, lambda: tf.train.GradientDescentOptimizer(0.1).minimize(v * v), lambda: tf.no_op()
        )
        with tf.Session() as s:
            s.run(tf.global_variables_initializer())
            s.run(op, {x: False})
            a = s.run(v)
            s.run(op, {x: True})
            return a, s.run(v)

    def p_adv_var_in_body_fn():
        def body(i, a):
            v = tf.get_variable("v", [], initializer=tf.constant_initializer(1.5))
            return i + 1, a * v

        r = tf.while_loop(lambda i, a: i < 2, body, (0, 1.0))
        return run(r, init=True)

    def p_adv_second_cond():
        x = tf.placeholder(tf.float32, [])
        y = tf.cond(x > 0, lambda: x**3, lambda: x**4)
        g = tf.gradients(y, x)[0]
        h = tf.gradients(g, x)[0]
        return run([g, h], {x: 2.0}), run([g, h], {x: -2.0})

    def p_adv_div_zero_loop():
        x = tf.constant([1, 0, 2])
        return run(tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a + 6 // x[i]), (0, 0)))

    def p_adv_gather_oob_loop():
        x = tf.constant([1, 0, 2])
        return run(
            tf.while_loop(lambda i, a: i < 5, lambda i, a: (i + 1, a + tf.gather(x, i)), (0, 0))
        )

    def p_adv_dead_grad_var():
        # variable used only in one branch
        v = tf.get_variable("v", initializer=3.0)
        w = tf.get_variable("w", initializer=2.0)
        x = tf.placeholder(tf.float32, [])
        y = tf.cond(x > 0, lambda: v * x, lambda: w * x)
        g = tf.gradients(y, [v, w])
        return run(g, {x: 2.0}, True), run(g, {x: -2.0}, True)

    return {k[2:]: f for k, f in locals().items() if k.startswith("p_")}
