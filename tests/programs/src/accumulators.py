"""Gradients of several workers, taken together: conditional accumulators."""

import threading

import numpy as np
import tensorflow as tf

RESULT = {}


def keep(name, make):
    """What `make` gives in a new graph and session, or the error's type."""
    tf.reset_default_graph()
    with tf.Session() as sess:
        try:
            RESULT[name] = make(sess.run)
        except (ValueError, tf.errors.InvalidArgumentError) as e:
            RESULT[name] = type(e).__name__


def dense(run, **more):
    """Gradients of steps that are over are dropped."""
    a = tf.ConditionalAccumulator(tf.float32, shape=tf.TensorShape([2]), **more)
    apply = [a.apply_grad([float(i), 2.0 * i], local_step=i) for i in range(4)]
    take, count = a.take_grad(3), a.num_accumulated()
    out = [a.name, a.dtype.name, take.name, take.shape.as_list(), count.name]
    run(apply[:3])
    out += [run(count), run(take), run(count)]
    run(apply)
    out += [run(count), run(take)]
    run(apply)
    out.append(run(count))
    run(a.set_global_step(3))
    run(a.set_global_step(1))
    run(apply)
    return [*out, run(count), run(take)]


keep("mean", dense)
keep("sum", lambda run: dense(run, reduction_type="SUM"))
keep("other reduction", lambda run: dense(run, reduction_type="MAX"))


def shared(run):
    a, b = (tf.ConditionalAccumulator(tf.float64, [], shared_name="q") for _ in range(2))
    run(a.apply_grad(tf.constant(1.0, tf.float64)))
    return [run(b.num_accumulated()), run(b.take_grad(1))]


keep("shared", shared)


def waits(run):
    a = tf.ConditionalAccumulator(tf.float32, [])
    apply, take, found = a.apply_grad(1.5), a.take_grad(2), []
    thread = threading.Thread(target=lambda: found.append(run(take)))
    thread.start()
    run(apply)
    found.append("waits")
    run(apply)
    thread.join()
    return found


keep("waits", waits)


def one(*given, **more):
    def make(run):
        a = tf.ConditionalAccumulator(tf.float32, **more)
        for g in given:
            run(a.apply_grad(g))
        return run(a.take_grad(len(given)))

    return make


keep("static shape", one([1.0, 2.0, 3.0], shape=[2]))
keep("other shape", one([1.0, 2.0, 3.0], [1.0, 2.0]))
keep("other type", one(tf.constant([1])))
keep("none", one())


def fed(run):
    a = tf.ConditionalAccumulator(tf.float32, [2])
    p = tf.placeholder(tf.float32)
    run(a.apply_grad(p), {p: [1.0, 2.0, 3.0]})


keep("fed shape", fed)


def rows(run, **more):
    a = tf.SparseConditionalAccumulator(tf.float32, shape=[4, 2], **more)
    slices = tf.IndexedSlices(
        tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([0, 2], tf.int64),
        tf.constant([4, 2], tf.int64),
    )  # fmt: skip
    run([a.apply_indexed_slices_grad(slices, local_step=0),
         a.apply_grad([2, 3], [[5.0, 6.0], [7.0, 8.0]], [4, 2], local_step=1)])  # fmt: skip
    found = run(a.take_indexed_slices_grad(2))
    return [np.argsort(found.indices), found.indices[np.argsort(found.indices)],
            found.values[np.argsort(found.indices)], found.dense_shape]  # fmt: skip


keep("rows", lambda run: rows(run)[1:])
keep("sums of rows", lambda run: rows(run, reduction_type="SUM")[1:])


def bad(*gradient):
    def make(run):
        a = tf.SparseConditionalAccumulator(tf.float32, shape=[4, 2])
        run(a.apply_grad(*gradient))

    return make


keep("too few rows", bad([2, 1], [[5.0, 6.0]], [4, 2]))
keep("wider rows", bad([2], [[5.0, 6.0, 7.0]], [4, 3]))
keep("row outside", bad([7], [[5.0, 6.0]], [4, 2]))
