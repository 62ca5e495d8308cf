"""Fourier transforms in native code: beside numpy in double precision, for all ways and sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf

RNG = np.random.default_rng(0)

#: One row (its first pass of radix 16), rows side by side, Bluestein's way.
SHAPES = [(1, 1), (1, 1024), (33, 28), (2, 37)]
MORE = [
    (2, 16),
    (3, 48),
    (40, 64),
    (33, 63),
    (5, 30),
    (1, 2),
    (1, 130),
    (1, 4096),
    (7, 11),
    (1, 62),
]


def numbers(shape: Any, kind: Any) -> Any:
    x = RNG.normal(size=shape)
    if np.dtype(kind).kind == "c":
        x = x + 1j * RNG.normal(size=shape)
    return x.astype(kind)


def run(f: Any, x: Any, threads: int = 1) -> Any:
    config = tf.ConfigProto(intra_op_parallelism_threads=threads)
    with tf.Graph().as_default(), tf.Session(config=config) as sess:
        p = tf.placeholder(tf.as_dtype(x.dtype), [None] * x.ndim)
        return sess.run(f(p), {p: x})


def near(got: Any, want: Any, n: int) -> None:
    """Within a few rounding errors for each pass."""
    eps = np.finfo(got.dtype).eps
    error = np.linalg.norm(got - want) / max(np.linalg.norm(want), 1e-30)
    assert error <= eps * (2 + np.log2(max(n, 1))), (error / eps, n)


def rows(shapes: Any, kind: Any) -> None:
    for shape in shapes:
        x = numbers(shape, kind)
        wide = x.astype(complex)
        near(run(tf.signal.fft, x), np.fft.fft(wide), shape[-1])
        near(run(tf.signal.ifft, x), np.fft.ifft(wide), shape[-1])


def test_rows() -> None:
    rows(SHAPES, np.complex64)
    rows(SHAPES[1:2], np.complex128)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [np.complex64, np.complex128])
def test_rows_of_more_lengths(kind: Any) -> None:
    rows(MORE, kind)


@pytest.mark.slow
def test_halves_of_more_lengths() -> None:
    halves([(2, 2), (40, 64), (5, 15), (3, 22), (2, 94), (1, 74)])


def test_halves() -> None:
    halves([(1, 512), (40, 30), (2, 9)])


def halves(shapes: Any) -> None:
    for shape in shapes:
        x = numbers(shape, np.float32)
        n = shape[-1]
        near(run(tf.signal.rfft, x), np.fft.rfft(x.astype(float)), n)
        z = np.fft.rfft(x.astype(float)).astype(np.complex64)
        z[:, 0] += 1j  # the imaginary part of what is real is not looked at
        near(run(lambda p, n=n: tf.signal.irfft(p, [n]), z), x, n)


def test_lengths() -> None:
    x = numbers((3, 20), np.float32)
    z = numbers((3, 9), np.complex64)
    for n in (12, 27):
        near(run(lambda p, n=n: tf.signal.rfft(p, [n]), x), np.fft.rfft(x, n), n)
        near(run(lambda p, n=n: tf.signal.irfft(p, [n]), z), np.fft.irfft(z, n), n)


def test_several_axes() -> None:
    for shape in [(2, 16, 40)]:
        x = numbers(shape, np.complex64)
        near(run(tf.signal.fft2d, x), np.fft.fft2(x.astype(complex)), 100)
        near(run(tf.signal.ifft2d, x), np.fft.ifft2(x.astype(complex)), 100)
        r = x.real.copy()
        near(run(tf.signal.rfft2d, r), np.fft.rfft2(r.astype(float)), 100)
        m = shape[-1] - 1
        want = np.fft.irfft2(x.astype(complex), (shape[-2], 2 * m))
        near(run(tf.signal.irfft2d, x), want, 100)
        if len(shape) > 2:
            near(run(tf.signal.fft3d, x), np.fft.fftn(x.astype(complex), axes=(-3, -2, -1)), 500)
            near(run(tf.signal.rfft3d, r), np.fft.rfftn(r.astype(float), axes=(-3, -2, -1)), 500)


def test_threads_change_no_bit() -> None:
    for f, x in ((tf.signal.fft2d, numbers((64, 80), np.complex64)),
                 (tf.signal.rfft, numbers((300, 256), np.float32))):  # fmt: skip
        np.testing.assert_array_equal(run(f, x), run(f, x, 2))


@pytest.mark.parametrize(
    ("given", "half", "whole"),
    [([3, 5], [3, 3], [3, 8]), ([2, 3, 1], [2, 3, 1], [2, 3, 0]), ([2, 0], [2, 0], [2, 0]),
     ([2, 3, 4, 5], [2, 3, 4, 3], [2, 3, 4, 8])],
)  # fmt: skip
@pytest.mark.parametrize("n", ["", "2d"])
def test_sizes_before_the_run(given: list[int], half: list[int], whole: list[int], n: str) -> None:
    with tf.Graph().as_default():
        x, z = (tf.placeholder(t, given) for t in (tf.float32, tf.complex64))
        assert getattr(tf.signal, f"rfft{n}")(x).shape.as_list() == half
        assert getattr(tf.signal, f"irfft{n}")(z).shape.as_list() == whole
        lengths = [7] * (2 if n else 1)
        outer = given[: -len(lengths)]
        assert getattr(tf.signal, f"rfft{n}")(x, lengths).shape.as_list() == (
            [*outer, *lengths[:-1], 4]
        )
        assert getattr(tf.signal, f"irfft{n}")(z, lengths).shape.as_list() == [*outer, *lengths]


def test_nothing_and_odd_values() -> None:
    """Empty operands as TensorFlow 1.15 has them; what is not finite spreads over its row only."""
    assert run(tf.signal.fft, np.zeros((2, 0), np.complex64)).shape == (2, 0)
    assert run(tf.signal.rfft, np.zeros((2, 0), np.float32)).shape == (2, 0)
    assert run(tf.signal.rfft, np.zeros((0, 3), np.float32)).shape == (0, 2)
    x = numbers((20, 8), np.complex64)
    x[3, 1] = np.nan
    got = run(tf.signal.fft, x)
    assert np.isnan(got[3]).all()
    assert np.isfinite(np.delete(got, 3, 0)).all()


#: What TensorFlow 1.15 makes: operations of a call, of its gradient, and the name of the result.
COUNTS: list[tuple[str, Any, Any, Any, int, int, str]] = [
    ("fft", tf.signal.fft, "complex64", [4, None], 1, 11, "FFT"),
    ("ifft2d", tf.signal.ifft2d, "complex64", [4, 5, 6], 1, 14, "IFFT2D"),
    ("rfft", tf.signal.rfft, "float32", [4, 6], 2, 50, "rfft"),
    ("rfft of unknown", tf.signal.rfft, "float32", [4, None], 29, 96, "rfft"),
    ("rfft2d", tf.signal.rfft2d, "float32", [4, 5, 6], 2, 108, "rfft2d"),
    ("rfft filled", lambda x: tf.signal.rfft(x, [100]), "float32", [5, 80], 4, 0, "rfft"),
    ("irfft", tf.signal.irfft, "complex64", [4, 6], 2, 45, "irfft"),
    ("irfft of unknown", tf.signal.irfft, "complex64", [None, None], 51, 77, "irfft"),
    ("frame", lambda x: tf.signal.frame(x, 16, 6), "float32", [40], 67, 62, "frame/Reshape_4"),
    ("frames to the end", lambda x: tf.signal.frame(x, 16, 6, pad_end=True), "float32", [2, None],
     101, 71, "frame/Reshape_4"),
    ("stft", lambda x: tf.signal.stft(x, 16, 6), "float32", [40], 94, 0, "stft/rfft"),
    ("stft filled", lambda x: tf.signal.stft(x, 10, 6, pad_end=True), "float32", [2, 40], 130, 0,
     "stft/rfft"),
    ("inverse stft", lambda x: tf.signal.inverse_stft(x, 16, 4), "complex64", [7, 9], 119, 0, ""),
    ("dct", tf.signal.dct, "float32", [7, 9], 28, 0, ""),
    ("fftshift", tf.signal.fftshift, "complex64", [5, 41], 3, 0, "fftshift"),
]  # fmt: skip


@pytest.mark.parametrize("case", COUNTS, ids=lambda c: c[0])
def test_operations_are_as_many_as_in_tensorflow(case: Any) -> None:
    _, f, kind, shape, forward, back, name = case
    with tf.Graph().as_default() as g:
        x = tf.placeholder(kind, shape)
        before = g._last_id
        y = f(x)
        assert g._last_id - before == forward
        assert not name or y.op.name == name
        if back:
            dy = tf.placeholder(y.dtype, y.shape)
            before = g._last_id
            (dx,) = tf.gradients(y, x, [dy])
            assert isinstance(dx, tf.Tensor)
            assert g._last_id - before == back


def test_gradients_of_complex_results() -> None:
    """By TensorFlow 1.15; the gradients of complex results are given."""
    v = (np.arange(5) + 1j * np.arange(5)[::-1] ** 2).astype(np.complex64)
    w = (np.sin(np.arange(5)) + 0.5j).astype(np.complex64)
    with tf.Graph().as_default(), tf.Session() as sess:
        x, d = tf.placeholder(tf.complex64, [5]), tf.placeholder(tf.complex64, [5])
        got = sess.run(tf.gradients(tf.signal.fft(x), x, [d])[0], {x: v, d: w})
        np.testing.assert_allclose(got, np.fft.ifft(w) * 5, atol=1e-5)
        both = tf.gradients([x * x, tf.math.conj(x)], x, [d, d])[0]
        np.testing.assert_allclose(
            sess.run(both, {x: v, d: w}), w * 2 * v.conj() + w.conj(), rtol=1e-5
        )
