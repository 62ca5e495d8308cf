"""Strings and files of pictures in TensorFlow's graphs: each op is a call of a public function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.ops import audio

__all__ = ["TEXTS"]

Row = Callable[[Any, list[Value], Callable[[str, Any], Any]], Any]


def _split(tf: Any, x: list[Value], a: Any) -> Any:
    made = tf.string_split(*x, skip_empty=a("skip_empty", True))
    return made.indices, made.values, made.dense_shape


def _split_v2(tf: Any, x: list[Value], a: Any) -> Any:
    made = tf.strings.split(*x, maxsplit=a("maxsplit", -1))
    return made.indices, made.values, made.dense_shape


TEXTS: dict[str, Row] = {
    "StringToHashBucketFast": lambda tf, x, a: tf.string_to_hash_bucket_fast(
        *x, a("num_buckets", 1)
    ),
    "StringToHashBucket": lambda tf, x, a: tf.string_to_hash_bucket(*x, a("num_buckets", 1)),
    "StringToHashBucketStrong": lambda tf, x, a: tf.string_to_hash_bucket_strong(
        *x, a("num_buckets", 1), list(a("key", ()))
    ),
    "StringLower": lambda tf, x, a: tf.strings.lower(*x, encoding=a("encoding", "")),
    "StringUpper": lambda tf, x, a: tf.strings.upper(*x, encoding=a("encoding", "")),
    "StringStrip": lambda tf, x, a: tf.strings.strip(*x),
    "StringLength": lambda tf, x, a: tf.strings.length(*x, unit=a("unit", "BYTE")),
    "Substr": lambda tf, x, a: tf.substr(*x, unit=a("unit", "BYTE")),
    "StaticRegexReplace": lambda tf, x, a: tf.regex_replace(
        *x, a("pattern", ""), a("rewrite", ""), a("replace_global", True)
    ),
    "StaticRegexFullMatch": lambda tf, x, a: tf.strings.regex_full_match(*x, a("pattern", "")),
    "RegexReplace": lambda tf, x, a: tf.regex_replace(*x, a("replace_global", True)),
    "RegexFullMatch": lambda tf, x, a: tf.strings.regex_full_match(*x),
    "StringToNumber": lambda tf, x, a: tf.string_to_number(
        *x, out_type=a("out_type", dtypes.float32)
    ),
    "AsString": lambda tf, x, a: tf.as_string(
        *x, precision=a("precision", -1), scientific=a("scientific", False),
        shortest=a("shortest", False), width=a("width", -1), fill=a("fill", ""),
    ),
    "DecodeRaw": lambda tf, x, a: tf.decode_raw(
        *x, a("out_type", dtypes.float32), little_endian=a("little_endian", True)
    ),
    "DecodeWav": lambda tf, x, a: tuple(
        tf.audio.decode_wav(*x, a("desired_channels", -1), a("desired_samples", -1))
    ),
    "EncodeWav": lambda tf, x, a: tf.audio.encode_wav(*x),
    "AudioSpectrogram": lambda tf, x, a: audio.audio_spectrogram(
        x[0], a("window_size", 0), a("stride", 0), a("magnitude_squared", False)
    ),
    "Mfcc": lambda tf, x, a: audio.mfcc(
        x[0], x[1], a("upper_frequency_limit", 4000.0), a("lower_frequency_limit", 20.0),
        a("filterbank_channel_count", 40), a("dct_coefficient_count", 13),
    ),
    "DecodeBase64": lambda tf, x, a: tf.decode_base64(*x),
    "EncodeBase64": lambda tf, x, a: tf.encode_base64(*x, pad=a("pad", False)),
    "StringSplit": _split,
    "StringSplitV2": _split_v2,
    "ReduceJoin": lambda tf, x, a: tf.reduce_join(
        *x, keep_dims=a("keep_dims", False), separator=a("separator", "")
    ),
    "DecodeJpeg": lambda tf, x, a: tf.image.decode_jpeg(*x, channels=a("channels", 0)),
    "DecodePng": lambda tf, x, a: tf.image.decode_png(
        *x, channels=a("channels", 0), dtype=a("dtype", dtypes.uint8)
    ),
    "DecodeBmp": lambda tf, x, a: tf.image.decode_bmp(*x, channels=a("channels", 0)),
    "DecodeGif": lambda tf, x, a: tf.image.decode_gif(*x),
    "EncodeJpeg": lambda tf, x, a: tf.image.encode_jpeg(
        *x, format=a("format", ""), quality=a("quality", 95),
        progressive=a("progressive", False), optimize_size=a("optimize_size", False),
    ),
    "EncodePng": lambda tf, x, a: tf.image.encode_png(*x, compression=a("compression", -1)),
    "ExtractJpegShape": lambda tf, x, a: tf.image.extract_jpeg_shape(*x),
}  # fmt: skip
