"""Convolutions to few channels by the products of all taps, against numpy in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from guarded_plans import Array, plan_of, run
from test_conv_kernels import BELOW, attrs, drawn, widened, within

import graphc as tf
from graphc.ops import conv_products, conv_taps
from graphc.runtime.llvm import conv_forms
from graphc.runtime.llvm.cpu import host


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever can be computed so is."""
    monkeypatch.setattr(conv_taps, "_pays", lambda s, dtype: True)


#: image, filter, attributes: around blocks of places, vectors of sums, strides and borders.
SHAPES: list[Any] = [
    *[((2, 5, n, 3), (3, 3, 3, 4), attrs(pads=1)) for n in (1, 2, 7, 9, 14, 15, 29)],
    *[((1, 5, 6, c), (2, 3, c, 5), attrs(pads=1)) for c in (1, 5, 6, 8, 11, 17)],
    *[((1, 3, 9, 2), (2, 2, 2, f), attrs(pads=1)) for f in (1, 17, 256, 257, 513)],
    *[((2, 9, 10, 3), (5, 5, 3, 6), attrs(s, pads=[(1, 2), (2, 1)])) for s in (2, 3, 4)],
    ((2, 12, 11, 3), (11, 11, 3, 5), attrs(4)),
    ((1, 12, 13, 1), (3, 2, 1, 5), attrs([4, 5])),
    ((9, 7, 9, 3), (3, 3, 3, 6), attrs([2, 3], pads=[(1, 1), (0, 0)])),
    ((2, 4, 4, 3), (2, 2, 3, 4), attrs(pads=[(5, 4), (6, 3)])),
    ((2, 3, 2, 2), (5, 7, 2, 3), attrs(pads=[(2, 2), (3, 3)])),
    ((0, 4, 4, 3), (3, 3, 3, 4), attrs(pads=1)),
    ((2, 4, 3, 5, 2), (3, 2, 3, 2, 3), attrs([1, 2, 1], pads=[(1, 1), (0, 1), (1, 1)], n=3)),
    ((1, 5, 3, 4, 3), (4, 2, 2, 3, 7), attrs([2, 1, 2], pads=[(1, 2), (1, 0), (0, 1)], n=3)),
    ((3, 31, 4), (7, 4, 6), attrs(2, pads=[(3, 3)], n=1)),
    ((1, 300, 1), (9, 1, 3), attrs(pads=[(8, 0)], n=1)),
]  # fmt: skip


def both(x: Any, w: Any, a: dict[str, Any], dtype: Any, **how: Any) -> list[Array]:
    """The gradient by the image, and with strides of 1 the convolution to as few channels."""
    rng = np.random.default_rng(sum(x) + 31 * sum(w))
    places = conv_products.conv_numpy(np.zeros(x), np.zeros(w), **a).shape
    v, g = drawn(rng, w, dtype), drawn(rng, places, dtype)
    back = {**a, "sizes": tuple(x[1:-1]), "groups": 1}
    cases: list[Any] = [(conv_products.conv_input_op, [v, g], back, x, v[..., 0, :].size)]
    if {*a["strides"]} == {1}:
        small = (*w[:-2], w[-1], w[-2])
        image = (*x[:-1], w[-1])
        p, q = drawn(rng, image, dtype), drawn(rng, small, dtype)
        cases.append((conv_products.conv_op, [p, q], a, (*places[:-1], w[-2]), q[..., 0].size))
    made = []
    for op, arrays, attributes, shape, terms in cases:
        assert op.numpy is not None
        wide = [widened(v).astype(np.float64) for v in arrays]
        want, most = op.numpy(*wide, **attributes), op.numpy(*map(np.abs, wide), **attributes)
        got = run(op, arrays, attributes, shape, **how)
        within(got, want, most, terms)
        made.append(got)
    return made


#: Those that every run of the tests takes.
FEW = (2, 8, 21, 24, 28)


@pytest.mark.parametrize("which", [
    pytest.param(i, marks=() if i in FEW else pytest.mark.slow) for i in range(len(SHAPES))
])  # fmt: skip
@pytest.mark.usefixtures("always")
def test_products_of_all_taps(which: int) -> None:
    both(*SHAPES[which], np.float32, high=which % 2 == 0, known=which % 3 != 0, parts=1 + which % 2)
    if which not in FEW:
        both(*SHAPES[which], np.float32, high=which % 2 == 1, known=which % 3 == 0)


@pytest.mark.parametrize("dtype", [np.float64, np.uint16])
@pytest.mark.usefixtures("always")
def test_of_other_types(dtype: Any) -> None:
    for case in (SHAPES[5], SHAPES[16]):
        both(*case, dtype)


@pytest.mark.parametrize("level", BELOW)
@pytest.mark.usefixtures("always")
def test_on_lesser_cpus(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conv_forms, "host", lambda: host(level))
    for case in (SHAPES[11], SHAPES[20]):
        both(*case, np.float32, level=level)


@pytest.mark.usefixtures("always")
def test_bits_do_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not on how units are cut, and not on how many results of a row or a column are in one."""
    for case in (SHAPES[6], SHAPES[19]):
        with monkeypatch.context() as m:
            one = both(*case, np.float32)
            many = [both(*case, np.float32, parts=3)]
            m.setattr(conv_taps, "_width", lambda s: 3)
            many.append(both(*case, np.float32))
            m.setattr(conv_taps, "_height", lambda s, wide: 2)
            many.append(both(*case, np.float32, parts=7))
        for other in many:
            for p, q in zip(one, other, strict=True):
                np.testing.assert_array_equal(p, q)


def test_a_number_that_is_none_stays_among_the_results_that_see_it() -> None:
    """Lanes that belong to other taps never reach results."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((1, 8, 8, 64)).astype(np.float32)
    x[0, 3, 4, 5] = np.nan
    w = rng.standard_normal((3, 3, 64, 3)).astype(np.float32)
    got = run(conv_products.conv_op, [x, w], attrs(pads=1), (1, 8, 8, 3))
    bad = np.zeros((1, 8, 8), bool)
    bad[0, 2:5, 3:6] = True
    np.testing.assert_array_equal(np.isnan(got).any(-1), bad)
    assert np.isnan(got).all(-1).sum() == 9


@pytest.mark.parametrize(
    ("channels", "columns", "wanted"),
    [(64, 3, True), (64, 64, False), (1, 8, False), (32, 1, True)],
)
def test_which_convolutions_are_computed_so(channels: int, columns: int, wanted: bool) -> None:
    x, w = (
        np.zeros((2, 16, 16, channels), np.float32),
        np.zeros((5, 5, channels, columns), np.float32),
    )
    p = plan_of(conv_products.conv_op, [x, w], attrs(pads=2), True)
    assert any("conv_taps" in str(s.code.kernel) for s in p.steps) == wanted


@pytest.mark.parametrize("columns", [1, 3])
def test_what_follows_runs_along_rows(columns: int) -> None:
    """Operands of each shape behind the sums, several results, and both layouts."""
    rng = np.random.default_rng(2)
    shape = (3, 10, 12, columns)
    g, w = rng.uniform(-1, 1, (3, 5, 6, 48)), rng.uniform(-1, 1, (5, 5, columns, 48)) / 10
    rest = [rng.uniform(-1, 1, s) for s in
            [(columns,), shape, (3, 1, 1, 1), (12, 1), (1, 10, 1, columns), ()]]  # fmt: skip

    def build(g: Any, w: Any, *rest: Any) -> Any:
        y = tf.nn.conv2d_transpose(g, w, shape, [1, 2, 2, 1], "SAME")
        z = tf.tanh(y + rest[0]) * rest[1]
        for r in rest[2:]:
            z = z + r * y
        return y * 2, z, tf.nn.relu(y)

    values = []
    for dtype in (tf.float32, tf.float64):
        with tf.Graph().as_default(), tf.Session() as s:
            ps = [tf.placeholder(dtype, v.shape) for v in (g, w, *rest)]
            values.append(s.run(build(*ps), dict(zip(ps, (g, w, *rest), strict=True))))
    attributes = {**attrs(2, pads=[(1, 2), (1, 2)]), "sizes": (10, 12), "groups": 1}
    y = conv_products.conv_input_numpy(w, g, **attributes)
    z = np.tanh(y + rest[0]) * rest[1] + sum(r * y for r in rest[2:])
    for got, tolerance in zip(values, (1e-5, 1e-13), strict=True):
        for v, want in zip(got, (y * 2, z, np.maximum(y, 0)), strict=True):
            np.testing.assert_allclose(v, want, rtol=0, atol=tolerance)


def test_layouts_agree() -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((2, 9, 8, 40)).astype(np.float32)
    w = rng.standard_normal((3, 3, 40, 2)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as s:
        one = s.run(tf.nn.conv2d(x, w, 1, "SAME"))
        y = tf.nn.conv2d(np.moveaxis(x, -1, 1), w, 1, "SAME", data_format="NCHW")
        np.testing.assert_array_equal(np.moveaxis(s.run(y), 1, -1), one)
