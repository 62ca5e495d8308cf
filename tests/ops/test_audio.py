"""Sound: files, spectra and coefficients, with the values of TensorFlow 1.15."""

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ops.audio import audio_spectrogram, mfcc


@pytest.fixture
def noise() -> Any:
    return (np.random.RandomState(0).rand(1000, 1) * 2 - 1).astype(np.float32)


def test_spectrogram_and_coefficients(noise: Any) -> None:
    sound = tf.constant(noise)
    squared = audio_spectrogram(sound, 100, 37, magnitude_squared=True)
    plain = audio_spectrogram(sound, 64, 50)
    few = mfcc(
        squared, 8000, dct_coefficient_count=5, filterbank_channel_count=12,
        upper_frequency_limit=3500.0,
    )  # fmt: skip
    many = mfcc(plain, 16000)
    assert [tuple(v.shape.as_list()) for v in (squared, plain, few, many)] == [
        (1, 25, 65), (1, 19, 33), (1, 25, 5), (1, 19, 13),
    ]  # fmt: skip
    with tf.Session() as sess:
        got = sess.run([squared, plain, few, many])
    sums = [20593.363, 1566.3552, 353.13232, 3593.5566]
    np.testing.assert_allclose([np.abs(v).sum() for v in got], sums, rtol=1e-5)
    np.testing.assert_allclose(got[0][0, 0, :3], [23.607924, 31.824032, 20.958023], rtol=1e-6)
    np.testing.assert_allclose(
        got[2][0, 1], [11.477352, -1.0643208, 0.38492268, -0.37966120, -0.03957263], rtol=1e-4
    )
    np.testing.assert_allclose(
        got[3][0, 0, :4], [-83.27393, -52.30639, -8.535445, -2.5303466], rtol=1e-5
    )


def test_static_shapes() -> None:
    sound = tf.placeholder(tf.float32, [None, 1])
    assert audio_spectrogram(sound, 100, 37).shape.as_list() == [1, None, 65]
    assert mfcc(tf.placeholder(tf.float32, [None] * 3), 8000).shape.as_list() == [None, None, 13]
    unknown = audio_spectrogram(tf.placeholder(tf.float32), 100, 37)
    assert unknown.shape.as_list() == [None, None, 65]
    with pytest.raises(ValueError, match="must be rank 2 but is rank 1"):
        audio_spectrogram(tf.zeros([100]), 10, 5)


def test_less_than_a_window(noise: Any) -> None:
    with tf.Session() as sess:
        assert sess.run(audio_spectrogram(noise[:50], 100, 37)).shape == (1, 0, 65)
        with pytest.raises(tf.errors.InvalidArgumentError, match="window size 1 and stride 37"):
            sess.run(audio_spectrogram(noise, 1, 37))


def test_files(noise: Any) -> None:
    contents = tf.audio.encode_wav(noise[:7] * np.float32(1.3), 16000)
    with tf.Session() as sess:
        file = sess.run(contents)
        assert file == (
            b"RIFF2\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80>\x00\x00\x00}\x00\x00"
            b'\x02\x00\x10\x00data\x0e\x00\x00\x00?\x10\x9dG3"\xf0\x0e\x98\xe6\x8e0;\xeb'
        )
        decoded = tf.audio.decode_wav(contents)
        assert decoded.audio.shape.as_list() == [None, None]
        got = sess.run(decoded)
        assert got.sample_rate == 16000
        np.testing.assert_allclose(
            got.audio[:, 0],
            [0.1269226, 0.55947876, 0.2671814, 0.11669922, -0.19848633, 0.3793335, -0.16226196],
            rtol=1e-6,
        )
        wide = tf.audio.decode_wav(contents, desired_channels=2, desired_samples=9).audio
        assert wide.shape.as_list() == [9, 2]
        twice = sess.run(wide)
        np.testing.assert_array_equal(twice[:7], np.repeat(got.audio, 2, 1))
        assert not twice[7:].any()
        assert sess.run(tf.audio.decode_wav(contents, desired_samples=3).audio).shape == (3, 1)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"abc", "too short"),
        (b"RIFX" + b"\0" * 20, "Expected RIFF"),
        (b"RIFF\0\0\0\0WAVE", "format"),
        (b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x03" + b"\0" * 15, "PCM"),
        (b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01" + b"\0" * 13, "16-bit"),
    ],
)
def test_damaged_files(contents: bytes, message: str) -> None:
    with tf.Session() as sess, pytest.raises(tf.errors.InvalidArgumentError, match=message):
        sess.run(tf.audio.decode_wav(contents))


def test_where_programs_look_for_them() -> None:
    from graphc.face.inside_names import INSIDE
    from graphc.face.names import BORROWED

    for module in ("contrib.framework.python.ops.audio_ops", "python.ops.gen_audio_ops"):
        assert BORROWED[module] == ("audio",)
        assert INSIDE[f"{module}.mfcc"] == "graphc.ops.audio:mfcc"
    assert tf.contrib.signal.stft is tf.signal.stft
