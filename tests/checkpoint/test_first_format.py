"""Checkpoints of the first format, which TensorFlow 1.15 wrote (`record_first_format.py`)."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import graphc as tf
from graphc.checkpoint.slices import Slice, slice_key
from graphc.checkpoint.table import read_table, write_table
from graphc.checkpoint.tables import TableReader

DATA = Path(__file__).parent / "data"
FIRST, SHARDED = str(DATA / "first"), str(DATA / "first-sharded")
VALUES = {
    "a": np.arange(12, dtype="f").reshape(3, 4), "d": np.array([[1.5, -2.5]]),
    "net/b": np.array([1, -2, 2**40]), "i": np.array(-7, np.int32),
    "u": np.array([0, 200], np.uint8), "h": np.array([1.5, -2], np.float16),
    "flag": np.array([True, False]), "empty": np.zeros((0, 3), "f"),
    "s": np.array([b"x", b"", b"y" * 200], object), "part": np.arange(30, dtype="f").reshape(10, 3),
}  # fmt: skip


@pytest.fixture(autouse=True)
def graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def read(prefix):
    reader = TableReader(prefix)
    return {name: reader.tensor(name) for name in reader.entries}


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tolist() == b.tolist()


@pytest.mark.parametrize("prefix", [FIRST, SHARDED])
def test_reads_what_tensorflow_wrote(prefix):
    found = read(prefix)
    assert found.keys() == VALUES.keys()
    assert [n for n in VALUES if not same(found[n], VALUES[n])] == []
    part = TableReader(prefix).part("part", Slice(((2, 5), (0, 2))))
    assert part.tolist() == VALUES["part"][2:7, :2].tolist()


@pytest.mark.parametrize("prefix", [FIRST, SHARDED])
def test_what_users_call(prefix):
    assert tf.train.checkpoint_exists(prefix)
    assert len(tf.train.get_checkpoint_mtimes([prefix, str(DATA / "none")])) == 1
    assert dict(tf.train.list_variables(prefix)) == {n: list(a.shape) for n, a in VALUES.items()}
    assert tf.train.load_variable(prefix, "net/b").tolist() == [1, -2, 2**40]
    reader = tf.train.NewCheckpointReader(prefix)
    assert reader.get_variable_to_dtype_map()["h"] is tf.float16
    with pytest.raises(tf.errors.UnimplementedError, match="Sliced checkpoints are not supported"):
        reader.get_tensor("part")


@pytest.mark.parametrize("prefix", [FIRST, SHARDED])
def test_restored_into_variables_in_other_parts(prefix):
    a = tf.get_variable("a", [3, 4])
    part = tf.get_variable("part", [10, 3])
    with tf.Session() as s:
        tf.train.Saver([a, part]).restore(s, prefix)
        assert s.run(a).tolist() == VALUES["a"].tolist()
        assert s.run(part).tolist() == VALUES["part"].tolist()
    with tf.Graph().as_default(), tf.Session() as s:
        halves = tf.get_variable("part", [10, 3], partitioner=tf.fixed_size_partitioner(2))
        tf.train.Saver().restore(s, prefix)
        assert s.run(halves.as_tensor()).tolist() == VALUES["part"].tolist()


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: tf.get_variable("zz", [1]), "NotFound", "zz"),
        (lambda: tf.get_variable("a", [3, 5]), "InvalidArgument", "shape"),
        (lambda: tf.get_variable("a", [3, 4], tf.float64), "InvalidArgument", "double"),
    ],
)
def test_refusals(make, error, says):
    v = make()
    with tf.Session() as s, pytest.raises(tf.errors.OpError, match=says) as e:
        tf.train.Saver([v]).restore(s, FIRST)
    assert type(e.value).__name__ == f"{error}Error"


def test_other_files_are_no_checkpoint(tmp_path):
    v = tf.get_variable("a", [3, 4])
    saver = tf.train.Saver([v])
    (tmp_path / "x.data-00000-of-00001").write_bytes(b"nothing of the kind" * 9)
    with tf.Session() as s:
        for path in (tmp_path / "x.data-00000-of-00001", tmp_path):
            assert tf.train.checkpoint_exists(str(path))
            with pytest.raises(tf.errors.DataLossError, match="in a different file format"):
                saver.restore(s, str(path))
        with pytest.raises(tf.errors.NotFoundError, match="no; No such file or directory"):
            saver.restore(s, str(tmp_path / "no" / "m"))
        with pytest.raises(ValueError, match="not a valid checkpoint"):
            saver.restore(s, str(tmp_path / "m"))


def test_damage_is_noticed_or_harmless(tmp_path):
    path, rng = tmp_path / "m", random.Random(5)
    whole = Path(FIRST).read_bytes()
    unnoticed = 0
    for _ in range(300):
        data, at = bytearray(whole), rng.randrange(len(whole))
        if rng.random() < 0.3:
            del data[at:]
        else:
            data[at] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        try:
            found = read(str(path))
        except tf.errors.DataLossError as e:
            assert str(path) in str(e)  # noqa: PT017
            continue
        unnoticed += 1
        assert [n for n in VALUES if not same(found[n], VALUES[n])] == []
    assert unnoticed < 60  # bytes of the footer


def test_forged_entries_are_refused(tmp_path):
    """Checksums are right, what they cover is not: no other values, no memory for false sizes."""
    path, rng = tmp_path / "m", random.Random(6)
    table = read_table(Path(FIRST).read_bytes())
    for _ in range(300):
        forged, key = dict(table), rng.choice(list(table))
        data = bytearray(forged[key])
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        forged[key] = bytes(data)
        path.write_bytes(write_table(sorted(forged.items())))
        try:
            reader = TableReader(str(path))
            for name in reader.entries:
                reader.tensor(name)
        except (tf.errors.DataLossError, tf.errors.UnimplementedError):
            pass
        except tf.errors.InvalidArgumentError as e:
            assert "sufficient slices" in str(e)  # noqa: PT017


def test_removed_only_when_asked_for(tmp_path):
    path = tmp_path / "m"
    shutil.copy(FIRST, path)
    tf.train.remove_checkpoint(str(path))
    assert path.exists()
    tf.train.remove_checkpoint(str(path), 1)
    assert not path.exists()


def test_slices_that_overlap_leave_nothing_unwritten(tmp_path):
    """As many elements as the tensor has, but some twice: the others would be any memory."""
    path = tmp_path / "m"
    table = read_table(Path(FIRST).read_bytes())
    # the slice that begins in row 4 begins in row 3
    forged = {k: v.replace(b"\n\x04\x08\x04\x10\x03", b"\n\x04\x08\x03\x10\x03") for k, v in
              table.items()}  # fmt: skip
    forged[slice_key("part", Slice(((3, 3), (0, 3))))] = forged.pop(
        slice_key("part", Slice(((4, 3), (0, 3))))
    )
    path.write_bytes(write_table(sorted(forged.items())))
    with pytest.raises(tf.errors.DataLossError, match="slices of part overlap"):
        TableReader(str(path)).tensor("part")
