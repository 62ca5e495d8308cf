"""Programs of complex numbers, Fourier transforms and signals; see `layer_harness.py`."""

from layer_harness import data

PROGRAMS = {}


def program(f):
    assert f.__name__ not in PROGRAMS
    PROGRAMS[f.__name__] = f
    return f


def parts(tf, values):
    """Each as real numbers, the parts of complex ones apart."""
    out = []
    for i, v in enumerate(values):
        if v.dtype.is_complex:
            v = tf.stack([tf.real(v), tf.imag(v)], -1)
        out.append(tf.identity(v, name="v" + str(i)))
    return out


def size(tf, v):
    """A real number that depends on all of `v`, each element in another way."""
    if v.dtype.is_complex:
        return size(tf, tf.real(v)) + size(tf, 1.5 * tf.imag(v))
    n = tf.cast(tf.size(v), tf.float32)
    weights = tf.reshape(tf.cos(tf.range(n)), tf.shape(v))
    return tf.reduce_sum(tf.cast(v, tf.float32) * weights)


def with_gradients(tf, ys, xs, **more):
    grads = [g for y in ys for g in tf.gradients(size(tf, y), xs) if g is not None]
    return {"fetch": parts(tf, [*ys, *grads]), **more}


@program
def complex_arithmetic(tf, np):
    a = tf.complex(tf.constant(data(2, 3)), tf.constant(data(2, 3)[:, ::-1] * 0.5))
    b = tf.complex(tf.constant(data(3)[::-1].copy()), tf.constant([0.3, -0.8, 1.1]))
    ys = [
        a + b, a - b, a * b, a / b, -a, tf.square(a), tf.reciprocal(b), tf.conj(a), 2.0 * a + 1j,
        tf.add_n([a, a * b]), tf.cast(a, tf.complex128), tf.cast(a, tf.float32),
    ]  # fmt: skip
    return with_gradients(tf, ys, [a, b])


@program
def parts_of_complex_numbers(tf, np):
    re, im = tf.constant(data(4)), tf.constant(data(4)[::-1] * 0.7)
    z = tf.complex(re, im)
    ys = [tf.real(z), tf.imag(z), tf.abs(z), tf.angle(z), tf.conj(z), tf.real(z * tf.conj(z))]
    said = [v.dtype.name for v in ys] + [
        str(tf.complex64.is_complex), str(tf.complex128.real_dtype), str(tf.real(re) is re),
        str(tf.conj(re) is re), tf.as_dtype("complex64").name, tf.as_dtype(np.complex128).name,
        tf.constant(1 + 2j).dtype.name, tf.to_complex64(re).dtype.name,
    ]  # fmt: skip
    return with_gradients(tf, ys, [z, re, im], said=said)


@program
def elementary_functions(tf, np):
    z = tf.complex(tf.constant(data(5) * 0.8 + 0.9), tf.constant(data(5)[::-1] * 0.4))
    fs = (tf.exp, tf.log, tf.sqrt, tf.rsqrt, tf.sin, tf.cos, tf.tan, tf.sinh, tf.cosh, tf.tanh,
          tf.sigmoid, tf.log1p, tf.expm1)  # fmt: skip
    ys = [f(z) for f in fs] + [tf.pow(z, tf.conj(z))]
    return with_gradients(tf, ys, [z])


@program
def shapes_of_complex_numbers(tf, np):
    z = tf.complex(tf.constant(data(2, 3)), tf.constant(data(3, 2).reshape(2, 3) * 0.5))
    w = tf.complex(tf.constant(data(3, 2)), tf.constant(data(3, 2) + 0.3))
    ys = [
        tf.matmul(z, w), tf.matmul(z, z, adjoint_b=True), tf.matmul(z, w, transpose_a=True,
        transpose_b=True), tf.reduce_sum(z, 1), tf.reduce_mean(z), tf.reduce_prod(z, 0),
        tf.transpose(z), tf.reshape(z, [3, 2]), tf.concat([z, 2.0 * z], 0), tf.stack([z, z], 1),
        z[:, 1:], tf.gather(z, [1, 0, 1]), tf.tile(z, [1, 2]), tf.pad(z, [[1, 0], [0, 1]]),
        tf.reverse(z, [1]), tf.expand_dims(z, 0), tf.zeros_like(z) + tf.ones([2, 3], tf.complex64),
        tf.where([True, False], z, 2.0 * z), tf.broadcast_to(z[0], [2, 3]), tf.cumsum(
        tf.real(z), 1), tf.diag(z[0]), tf.split(z, 3, 1)[1], tf.unstack(z)[0],
    ]  # fmt: skip
    return with_gradients(tf, ys, [z, w])


@program
def complex_variables(tf, np):
    v = tf.Variable(np.array([1 + 2j, 3 - 1j], np.complex64))
    x = tf.placeholder(tf.complex64, [None])
    y = v * x
    step = tf.group(v.assign(tf.conj(v) + tf.complex(0.5, 0.25)))
    loop = tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * v), [0, x])[1]
    return {"fetch": parts(tf, [v, y, loop]), "feed": {x: np.array([1j, 2.0])}, "step": step,
            "times": 2, "load": False}  # fmt: skip


@program
def fourier(tf, np):
    z = tf.complex(tf.constant(data(2, 4, 6)), tf.constant(data(2, 4, 6)[::-1] * 0.5))
    ys = [tf.fft(z), tf.ifft(z), tf.fft2d(z), tf.ifft2d(z), tf.fft3d(z), tf.ifft3d(z),
          tf.signal.fft(z), tf.spectral.ifft(z)]  # fmt: skip
    return with_gradients(tf, ys, [z], said=[y.op.type for y in ys[:6]])


@program
def fourier_of_reals(tf, np):
    x = tf.placeholder(tf.float32, [None, 4, 6])
    z = tf.complex(tf.constant(data(2, 3, 4)), tf.constant(data(2, 3, 4)[::-1] * 0.5))
    ys = [
        tf.spectral.rfft(x), tf.spectral.rfft2d(x), tf.spectral.irfft(z), tf.spectral.irfft(z, [6]),
        tf.spectral.irfft2d(z), tf.signal.irfft(z, [7]),
    ]  # fmt: skip
    shaped = [
        tf.spectral.irfft(z, [5]),
        tf.spectral.rfft(x, [5]),
        tf.spectral.rfft(x, [8]),
        tf.signal.rfft3d(tf.constant(data(2, 4, 6))),
        tf.signal.irfft3d(z),
    ]
    out = with_gradients(tf, ys, [x, z], feed={x: data(2, 4, 6)})
    out["fetch"] += [tf.identity(tf.abs(v), name="s" + str(i)) for i, v in enumerate(shaped)]
    return out


@program
def shifts(tf, np):
    x = tf.constant(data(3, 4))
    return {"fetch": [
        tf.identity(v, name="v" + str(i)) for i, v in enumerate((
            tf.signal.fftshift(x), tf.signal.ifftshift(x), tf.signal.fftshift(x, axes=1),
            tf.signal.ifftshift(x, axes=[0]),
        ))
    ]}  # fmt: skip


@program
def frames_and_windows(tf, np):
    x = tf.constant(data(2, 23))
    windows = [tf.signal.hann_window(8), tf.signal.hann_window(7, periodic=False),
               tf.signal.hamming_window(6), tf.signal.hann_window(1)]  # fmt: skip
    ys = [tf.signal.frame(x, 6, 4), tf.signal.frame(x, 6, 4, pad_end=True, pad_value=3),
          tf.signal.frame(tf.transpose(x), 5, 5, axis=0),
          tf.signal.overlap_and_add(tf.signal.frame(x, 6, 4), 4),
          tf.signal.overlap_and_add(tf.reshape(x[:, :20], [2, 4, 5]), 2)]  # fmt: skip
    grads = [tf.gradients(size(tf, y), x)[0] for y in ys]
    return {"fetch": [tf.identity(v, name="v" + str(i))
                      for i, v in enumerate([*windows, *ys, *grads])]}  # fmt: skip


@program
def short_time_transforms(tf, np):
    x = tf.placeholder(tf.float32, [2, 40])
    s = tf.signal.stft(x, 8, 4)
    t = tf.signal.stft(x, 6, 3, fft_length=16, window_fn=None, pad_end=True)
    back = tf.signal.inverse_stft(s, 8, 4, window_fn=tf.signal.inverse_stft_window_fn(4))
    plain = tf.signal.inverse_stft(t, 6, 3, fft_length=16, window_fn=None)
    out = with_gradients(tf, [s, t, back, plain], [x], feed={x: data(2, 40)})
    return out


@program
def cosine_transforms_and_mel(tf, np):
    x = tf.constant(data(2, 6))
    ys = [tf.spectral.dct(x), tf.spectral.dct(x, norm="ortho"), tf.spectral.idct(x),
          tf.spectral.idct(x, norm="ortho"), tf.spectral.dct(x, type=1),
          tf.spectral.dct(x, type=3), tf.spectral.dct(x, type=3, norm="ortho"),
          tf.spectral.dct(x, n=4), tf.spectral.dct(x, n=9),
          tf.signal.mfccs_from_log_mel_spectrograms(x)]  # fmt: skip
    mel = tf.signal.linear_to_mel_weight_matrix(5, 17, 8000, 80.0, 3500.0)
    out = with_gradients(tf, ys, [x])
    out["fetch"].append(tf.identity(mel, name="mel"))
    return out
