"""What the memory of a run is for, and runs that keep to a limit of it."""

from __future__ import annotations

import random

import numpy as np
import pytest

import graphc as tf
from graphc.runtime import recompute
from graphc.runtime.arena import Piece, pack, pack_tight
from graphc.see.memory import memory_report


@pytest.fixture(autouse=True)
def _graph():
    with tf.Graph().as_default():
        tf.set_random_seed(7)
        yield


# ------------------------------------------------------------------- the report


def test_every_buffer_has_its_place_and_line():
    x = tf.placeholder(tf.float32, [64, 256], name="x")
    h = tf.matmul(x, tf.ones([256, 512]), name="h")  # its line is asked for below
    y = tf.matmul(tf.nn.softmax(h), tf.ones([512, 8]), name="y")
    (m,) = memory_report([y, tf.reduce_max(h)])
    values = {b.name: b for b in m.buffers if b.kind == "value"}
    assert set(values) >= {"h", "Softmax"}
    assert values["h"].bytes == 4 * 64 * 512
    line = test_every_buffer_has_its_place_and_line.__code__.co_firstlineno + 2
    assert values["h"].lines == (f"{__file__}:{line}",)
    assert set(values["h"].readers) == {
        i for i in range(values["h"].first + 1, values["h"].last + 1) if i in values["h"].readers
    }
    for b in m.buffers:
        assert 0 <= b.offset <= b.offset + b.bytes <= m.arena
        for other in m.alive(b.first):
            assert other is b or (
                b.offset + b.bytes <= other.offset or other.offset + other.bytes <= b.offset
            )
    assert m.outside["feeds"] == 4 * 64 * 256
    assert m.outside["results"] == 4 * 64 * 8 + 4


def test_the_peak_is_where_most_is_in_use():
    x = tf.placeholder(tf.float32, [128, 128], name="x")
    h = x
    for _ in range(4):
        h = tf.nn.softmax(tf.matmul(h, x))
    (m,) = memory_report(tf.gradients(h, x))
    live = m.timeline()
    assert live[m.peak] == max(live) == sum(b.bytes for b in m.alive(m.peak))
    assert max(live) <= m.arena
    assert sum(m.by_line().values()) == max(live)
    text = str(m)
    assert f"arena {m.arena:,} bytes" in text
    assert f"most at step {m.peak} ({m.steps[m.peak]})" in text
    assert f"{__file__}:" in text
    assert "smaller ones" in m.text(rows=2)


def test_runs_without_temporaries_have_a_report_too():
    (m,) = memory_report(tf.placeholder(tf.float32, [3]) + 1.0)
    assert (m.arena, m.buffers) == (0, ())
    assert "results 12 bytes" in str(m)


def test_each_part_of_a_run_has_its_memory():
    x = tf.placeholder(tf.float32, [64, 64])
    y = tf.py_func(lambda a: a, [tf.matmul(tf.nn.softmax(x), x)], tf.float32)
    assert len(memory_report(tf.reduce_sum(y))) == 2


def test_names_and_lines_of_all_kinds_are_shown():
    x = tf.placeholder(tf.float32, [64, 64], name="a.b-c")
    h = tf.nn.softmax(tf.matmul(x, x), name="d/e_1")
    (m,) = memory_report(tf.matmul(h, h))
    assert any(b.name.startswith("d/e_1") for b in m.buffers)


# ------------------------------------------------------------------- placing


@pytest.mark.parametrize("seed", range(20))
def test_pieces_that_live_together_do_not_overlap(seed):
    rng = random.Random(seed)
    items = []
    for k in range(60):
        first = rng.randrange(40)
        size = rng.choice([0, 64, 128, 640, 4096])
        items.append(Piece(first, first + rng.randrange(12), size, k))
    alive = [sum(p.bytes for p in items if p.first <= t <= p.last) for t in range(60)]
    for place in (pack, pack_tight):
        offset = {}
        total = place(items, offset)
        assert total >= max(alive)
        for a in items:
            assert offset[a.key] + a.bytes <= total
            for b in items[: a.key]:
                if a.bytes and b.bytes and a.first <= b.last and b.first <= a.last:
                    ends = offset[a.key] + a.bytes, offset[b.key] + b.bytes
                    assert ends[0] <= offset[b.key] or ends[1] <= offset[a.key]


# ------------------------------------------------------------------- the limit


def _mlp():
    x = tf.placeholder(tf.float32, [None, 64], name="x")
    h = x
    for i in range(12):
        h = tf.nn.relu(tf.matmul(h, tf.get_variable(f"w{i}", [64, 64])))
    loss = tf.reduce_mean(tf.square(h))
    return [tf.train.AdamOptimizer().minimize(loss), loss], {x: _data(512, 64)}


def _normalised():
    x = tf.placeholder(tf.float32, [None, 64], name="x")
    h = x
    for i in range(6):
        h = tf.matmul(h, tf.get_variable(f"w{i}", [64, 64]))
        mean, var = tf.nn.moments(h, [1], keep_dims=True)
        h = tf.nn.elu((h - mean) * tf.rsqrt(var + 1e-3)) + tf.nn.dropout(h, 0.5, seed=3 + i)
    loss = tf.reduce_sum(tf.nn.softmax(h) * h)
    return [tf.train.MomentumOptimizer(0.01, 0.9).minimize(loss), loss], {x: _data(256, 64)}


def _cnn():
    x = tf.placeholder(tf.float32, [None, 16, 16, 3], name="x")
    h = x
    for i in range(5):
        w = tf.get_variable(f"w{i}", [3, 3, h.shape[-1].value, 16])
        h = tf.nn.relu(tf.nn.conv2d(h, w, [1, 1, 1, 1], "SAME"))
        if i == 2:
            h = tf.nn.max_pool(h, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
    loss = tf.reduce_mean(tf.square(h))
    return [tf.train.GradientDescentOptimizer(0.1).minimize(loss), loss], {x: _data(8, 16, 16, 3)}


def _recurrent():
    x = tf.placeholder(tf.float32, [None, 6, 16], name="x")
    out, _ = tf.nn.static_rnn(tf.nn.rnn_cell.LSTMCell(32), tf.unstack(x, axis=1), dtype=tf.float32)
    loss = tf.reduce_sum(tf.square(tf.add_n(out)))
    return [tf.train.AdamOptimizer().minimize(loss), loss], {x: _data(64, 6, 16)}


def _looped():
    x = tf.placeholder(tf.float32, [None, 10, 16], name="x")
    out, _ = tf.nn.dynamic_rnn(tf.nn.rnn_cell.GRUCell(16), x, dtype=tf.float32)
    h = tf.reshape(out, [-1, 16])
    for i in range(4):
        h = tf.tanh(tf.matmul(h, tf.get_variable(f"w{i}", [16, 16])))
    loss = tf.reduce_sum(tf.square(h))
    return [tf.train.AdamOptimizer().minimize(loss), loss], {x: _data(32, 10, 16)}


def _checked():
    x = tf.placeholder(tf.float32, [None, 32], name="x")
    table = tf.get_variable("table", [100, 32])
    h = x + tf.gather(table, tf.cast(tf.abs(x[:, 0]) * 10.0, tf.int32) % 100)
    for i in range(6):
        h = tf.sigmoid(tf.matmul(h, tf.get_variable(f"w{i}", [32, 32])))
        h = tf.check_numerics(h, "bad")
    loss = tf.reduce_sum(h)
    return [tf.train.AdagradOptimizer(0.1).minimize(loss), loss, h], {x: _data(256, 32)}


def _conditional():
    x = tf.placeholder(tf.float32, [None, 32], name="x")
    h = x
    for i in range(5):
        w = tf.get_variable(f"w{i}", [32, 32])
        h = tf.tanh(tf.matmul(h, w))
        h = tf.cond(tf.reduce_sum(h) > 0, lambda h=h: h * 2.0, lambda h=h, w=w: tf.matmul(h, w))
    loss = tf.reduce_sum(tf.square(h))
    return [tf.train.GradientDescentOptimizer(0.01).minimize(loss), loss], {x: _data(128, 32)}


def _data(*shape):
    return np.random.RandomState(5).standard_normal(shape).astype(np.float32)


def _trained(fetches, feed, limit, steps=3):
    """What the fetches gave, the variables afterwards, the arena's bytes."""
    with tf.Session(memory_limit=limit) as sess:
        sess.run(tf.global_variables_initializer())
        got = [sess.run(fetches, feed)[1:] for _ in range(steps)]
        largest = max(
            (len(c.arena) if c.arena is not None else 0)
            for run in sess._executor.prepared.values()
            for found in run.plans.values()
            for c in found
        )
        (report,) = memory_report(fetches, feed, sess)
        return got, sess.run(tf.global_variables()), report.arena, largest


#: How much smaller than without a limit the arena can be at least, whatever the CPU's caches and
#: vectors, on which the working memory of products depends.
MODELS = {
    _mlp: 0.4, _normalised: 0.56, _cnn: 0.7, _recurrent: 0.8, _looped: 0.8, _checked: 0.65,
    _conditional: 0.94,
}  # fmt: skip


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
@pytest.mark.parametrize("share", ["a little less", "as little as can be"])
def test_with_less_memory_the_same_bits(model, share):
    fetches, feed = model()
    got, variables, arena, _ = _trained(fetches, feed, 0)
    least = MODELS[model]
    limit = int(arena * ((1 + least) / 2 if share == "a little less" else least))
    again, changed, less, largest = _trained(fetches, feed, limit)
    assert less <= limit < arena
    assert largest <= limit + 128
    for a, b in zip(got, again, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)
    for x, y in zip(variables, changed, strict=True):
        np.testing.assert_array_equal(x, y)


def test_cheap_values_are_computed_again_before_products():
    x = tf.placeholder(tf.float32, [256, 64], name="x")
    h, loss = x, 0.0
    for i in range(6):
        h = tf.matmul(tf.nn.softmax(h), tf.get_variable(f"w{i}", [64, 64]))
        loss += tf.reduce_sum(tf.sin(h))  # its gradient needs what the softmax is made of
    (grad,) = tf.gradients(loss, x)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        (before,) = memory_report(grad, session=sess)
    with tf.Session(memory_limit=int(before.arena * 0.85)) as sess:
        sess.run(tf.global_variables_initializer())
        (after,) = memory_report(grad, session=sess)
    more = list(after.steps)
    for name in before.steps:
        more.remove(name)
    assert more
    assert not any("matmul" in name for name in more), more


def test_a_limit_that_cannot_be_kept_says_what_is_missing():
    fetches, feed = _mlp()
    with tf.Session(memory_limit=300_000) as sess:
        sess.run(tf.global_variables_initializer())
        before = sess.run(tf.global_variables())
        with pytest.raises(tf.errors.ResourceExhaustedError) as e:
            sess.run(fetches, feed)
        text = str(e.value)
        assert "more than memory_limit=300,000" in text
        assert "131,072 bytes: Relu" in text
        assert f"({__file__}:" in text
        for a, b in zip(before, sess.run(tf.global_variables()), strict=True):
            np.testing.assert_array_equal(a, b)
        small = {k: v[:16] for k, v in feed.items()}
        assert np.isfinite(sess.run(fetches, small)[1])


def test_a_larger_batch_is_planned_anew_where_the_limit_asks_for_it():
    fetches, feed = _mlp()
    (x, data), = feed.items()  # fmt: skip
    _, _, arena, _ = _trained(fetches, feed, 0, 1)
    from graphc.runtime.counting import counters

    with tf.Session(memory_limit=arena // 2) as sess, tf.Session() as free:
        for s in (sess, free):
            s.run(tf.global_variables_initializer())
        for rows in (64, 512, 64, 512, 500):
            got = [s.run(fetches, {x: data[:rows]})[1] for s in (sess, free)]
            assert got[0] == got[1]
        plans = counters.plans
        for rows in (64, 512, 32, 480):
            sess.run(fetches, {x: data[:rows]})
        assert counters.plans == plans


def test_the_limit_is_an_option_of_the_configuration():
    fetches, feed = _mlp()
    config = tf.ConfigProto(graphc_memory_limit=200_000)
    with tf.Session(config=config) as sess:
        sess.run(tf.global_variables_initializer())
        with pytest.raises(tf.errors.ResourceExhaustedError, match="memory_limit=200,000"):
            sess.run(fetches, feed)
    for wrong in (-1, 2.5):
        with pytest.raises(ValueError, match="memory_limit"):
            tf.Session(memory_limit=wrong)


def test_no_run_is_stopped_between_two_changes_of_variables():
    fetches, feed = _mlp()
    _, _, arena, _ = _trained(fetches, feed, 0, 1)
    with tf.Session(memory_limit=arena // 2) as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(fetches, feed)
        run = sess._executor.prepare(*[tuple(p) for p in (sess._executor.prepared)][-1])
        (found,) = run.plans.values()
        steps = found[0].plan.steps
        first = next(i for i, s in enumerate(steps) if s.commit)
        assert first < len(steps) - 14, "changes come as early as they can"
        assert all(s.commit for s in steps[first:])
        assert not any(s.checks or s.target for s in steps[first:])


@pytest.mark.parametrize("share", [0.95, 0.7, 0.55])
def test_runs_that_check_their_numbers_change_nothing_when_they_fail(share):
    x = tf.placeholder(tf.float32, [None, 64], name="x")
    h = x
    for i in range(12):
        h = tf.nn.relu(tf.matmul(h, tf.get_variable(f"w{i}", [64, 64])))
    loss = tf.reduce_mean(tf.log(tf.reduce_sum(tf.square(h), 1)))
    train = tf.train.AdamOptimizer().minimize(loss)
    data = _data(512, 64)
    with tf.Session(check_numerics=True) as sess:
        sess.run(tf.global_variables_initializer())
        (free,) = memory_report([train, loss], {x: data}, sess)
        expected = [sess.run([train, loss], {x: data})[1] for _ in range(2)]
    with tf.Session(check_numerics=True, memory_limit=int(free.arena * share)) as sess:
        sess.run(tf.global_variables_initializer())
        assert [sess.run([train, loss], {x: data})[1] for _ in range(2)] == expected
        before = sess.run(tf.global_variables())
        with pytest.raises(tf.errors.InvalidArgumentError, match="Inf"):
            sess.run([train, loss], {x: data * 0})
        for a, b in zip(before, sess.run(tf.global_variables()), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_long_search_ends(monkeypatch):
    monkeypatch.setattr(recompute, "BUDGET", 1)
    fetches, feed = _mlp()
    with tf.Session(memory_limit=500_000) as sess:
        sess.run(tf.global_variables_initializer())
        with pytest.raises(tf.errors.ResourceExhaustedError):
            sess.run(fetches, feed)
