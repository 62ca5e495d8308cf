"""Record files: round trips, the layout, damage (outcomes as TensorFlow 1.15's)."""

import itertools

import pytest

import graphc as tf
from graphc.checkpoint.crc import masked_crc32c, masked_crcs

RECORDS = [b"abc", b"", b"y" * 5000]


def write(path, options=None):
    with tf.python_io.TFRecordWriter(str(path), options) as w:
        for r in RECORDS:
            w.write(r)


def read(path, options=None):
    return list(tf.python_io.tf_record_iterator(str(path), options))


@pytest.mark.parametrize("kind", ["NONE", "GZIP", "ZLIB"])
def test_what_goes_in_comes_out(tmp_path, kind):
    options = tf.python_io.TFRecordOptions(getattr(tf.python_io.TFRecordCompressionType, kind))
    write(tmp_path / "r", options)
    assert read(tmp_path / "r", options) == RECORDS
    name = "" if kind == "NONE" else kind
    assert read(tmp_path / "r", tf.io.TFRecordOptions(name)) == RECORDS
    assert tf.python_io.TFRecordOptions.get_compression_type_string(options) == name


def test_the_bytes_of_a_record(tmp_path):
    """Length, its checksum, data, its checksum: TensorFlow writes these bytes."""
    write(tmp_path / "r")
    data = (tmp_path / "r").read_bytes()
    assert data[:19].hex() == HEX
    assert len(data) == 3 * 16 + 5003


HEX = "0300000000000000b099490e6162636e57f121"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d: d[:-3], "truncated record at 35"),
        (lambda d: d[:14], "truncated record at 0"),
        (lambda d: b"\1" + d[1:], "corrupted record at 0"),
        (lambda d: d[:13] + b"z" + d[14:], "corrupted record at 12"),
        (lambda d: d[:5], []),
        (lambda d: b"", []),
        (lambda d: d[:20], [b"abc"]),
    ],
)
def test_damage(tmp_path, change, expected):
    write(tmp_path / "r")
    (tmp_path / "r").write_bytes(change((tmp_path / "r").read_bytes()))
    if isinstance(expected, list):
        assert read(tmp_path / "r") == expected
        return
    with pytest.raises(tf.errors.DataLossError, match=expected):
        read(tmp_path / "r")


@pytest.mark.parametrize("kind", ["GZIP", "ZLIB"])
def test_damaged_compression(tmp_path, kind):
    write(tmp_path / "r", kind)
    data = (tmp_path / "r").read_bytes()
    (tmp_path / "r").write_bytes(data[:2] + b"\xff" * 40 + data[42:])
    with pytest.raises(tf.errors.DataLossError):
        read(tmp_path / "r", kind)


def test_refusals(tmp_path):
    with pytest.raises(tf.errors.NotFoundError, match="No such file"):
        read(tmp_path / "none")
    with pytest.raises(tf.errors.NotFoundError, match="No such file"):
        tf.python_io.TFRecordWriter(str(tmp_path / "folder" / "r"))
    with pytest.raises(ValueError, match='Not a valid compression_type: "BAD"'):
        tf.python_io.TFRecordOptions("BAD")
    w = tf.python_io.TFRecordWriter(str(tmp_path / "r"))
    with pytest.raises(TypeError, match="expected bytes, str found"):
        w.write("text")
    w.close()
    w.close()
    with pytest.raises(tf.errors.FailedPreconditionError, match="previously closed"):
        w.write(b"x")


def test_many_records(tmp_path):
    """Files are read in blocks: records of all sizes, on both sides of their borders."""
    records = [bytes([n % 251]) * (n * n % 3001) for n in range(700)] + [b"z" * 600_000, b"", b"q"]
    with tf.python_io.TFRecordWriter(str(tmp_path / "r")) as w:
        for r in records:
            w.write(r)
    assert read(tmp_path / "r") == records
    raw = bytearray((tmp_path / "r").read_bytes())
    raw[-40] ^= 1  # in the long one
    (tmp_path / "r").write_bytes(raw)
    found = tf.python_io.tf_record_iterator(str(tmp_path / "r"))
    assert list(itertools.islice(found, 700)) == records[:700]
    with pytest.raises(tf.errors.DataLossError, match="corrupted record at"):
        next(found)


@pytest.mark.parametrize("sizes", [[3, 70], [4, 5, 63, 64, 65, 128, 129, 1000], [9] * 40, []])
def test_sums_of_many(sizes):
    parts = [bytes(range(256)) * 4 for _ in sizes]
    parts = [p[:n] for p, n in zip(parts, sizes, strict=True)]
    assert masked_crcs(parts) == [masked_crc32c(p) for p in parts]
