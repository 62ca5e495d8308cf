"""What a run hands out: arrays that nobody else holds, and numbers."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.runtime.results import REUSE, maker


@pytest.mark.parametrize("checked", [False, True])
def test_arrays_numbers_and_what_is_only_checked(checked: bool) -> None:
    x = tf.placeholder(tf.float32, [None])
    with tf.control_dependencies([tf.Assert(tf.reduce_all(x < 9.0), [x])] if checked else []):
        fetches = [tf.reduce_sum(x), x * 2.0, tf.reduce_max(x), tf.cast(tf.size(x), tf.bfloat16)]
    kept = []
    with tf.Session() as sess:
        for n in (3, 3, 3, 5, 3):
            values = np.arange(n, dtype=np.float32) + len(kept)
            kept.append((values, sess.run(fetches, {x: values})))
            alone = sess.run(fetches[2], {x: values})
            assert type(alone) is np.float32
            assert alone == values.max()
        if checked:
            with pytest.raises(tf.errors.InvalidArgumentError, match="assertion failed"):
                sess.run(fetches, {x: np.full(3, 9.0, np.float32)})
    for values, (total, doubled, most, count) in kept:  # later runs have left these alone
        assert type(total) is type(most) is np.float32
        assert (total, most, float(count)) == (values.sum(), values.max(), len(values))
        np.testing.assert_array_equal(doubled, values * 2)


def test_large_arrays_are_used_again_once_nobody_holds_them() -> None:
    make = maker(np.dtype(np.float32), (REUSE // 4,))
    first = make()
    place, view = first.ctypes.data, first[:2]
    assert make().ctypes.data != place
    del first
    assert make().ctypes.data != place  # the view is of it
    del view
    held = [make(), make()]
    assert place in {a.ctypes.data for a in held}
    small = maker(np.dtype(np.float32), (REUSE // 4 - 1,))
    assert small() is not small()
