"""tf.gfile, tf.io.gfile and MNIST's files; errors as TensorFlow 1.15 gave them."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.face import mnist


def test_reading_and_writing(tmp_path: Path) -> None:
    path = str(tmp_path / "f")
    with tf.gfile.GFile(path, "w") as f:
        f.write("ab\nc\n")
        f.write(b"d")
    f = tf.gfile.GFile(path)
    assert (f.read(), f.tell(), f.size(), f.mode, f.name) == ("ab\nc\nd", 6, 6, "r", path)
    f.seek(3)
    assert f.readline() == "c\n"
    f.close()
    assert f.read(2) == "ab"
    f = tf.gfile.FastGFile(path, "rb")
    assert (f.readline(), f.readlines()) == (b"ab\n", [b"c\n", b"d"])
    assert list(tf.gfile.Open(tmp_path / "f")) == ["ab\n", "c\n", "d"]
    with tf.io.gfile.GFile(path, "a+") as f:
        f.write("e")
    assert tf.gfile.Stat(path).length == 7


def test_folders(tmp_path: Path) -> None:
    base = str(tmp_path)
    tf.gfile.MakeDirs(base + "/a/b")
    tf.gfile.MakeDirs(base + "/a/b")
    tf.gfile.MkDir(base + "/c")
    (tmp_path / "a" / "x.txt").write_text("x")
    tf.gfile.Copy(base + "/a/x.txt", base + "/a/y.txt")
    assert tf.gfile.Glob(base + "/a/*.txt") == [base + "/a/x.txt", base + "/a/y.txt"]
    assert tf.io.gfile.glob([base + "/c*", base + "/a/x*"]) == [base + "/c", base + "/a/x.txt"]
    assert sorted(tf.gfile.ListDirectory(base)) == ["a", "c"]
    first = next(tf.gfile.Walk(base))
    assert (first[0], sorted(first[1]), first[2]) == (base, ["a", "c"], [])
    assert [d for d, *_ in tf.io.gfile.walk(base, topdown=False)][-1] == base
    tf.gfile.Rename(base + "/a/x.txt", base + "/a/y.txt", overwrite=True)
    assert tf.gfile.IsDirectory(base + "/a")
    assert not tf.gfile.Exists(base + "/a/x.txt")
    tf.gfile.Remove(base + "/a/y.txt")
    tf.gfile.DeleteRecursively(base + "/a")
    assert tf.gfile.Stat(base).is_directory
    assert list(tf.gfile.Walk(base + "/none")) == []


E = tf.errors
ERRORS: dict[str, tuple[Any, str]] = {
    "GFile('/nope/x').read()": (E.NotFoundError, "/nope/x; No such file or directory"),
    "MkDir(f + '/b')": (E.FailedPreconditionError, "; Not a directory"),
    "MkDir('/nope/a/b')": (E.NotFoundError, "/nope/a/b; No such file or directory"),
    "Remove('/nope')": (E.NotFoundError, "/nope; No such file or directory"),
    "ListDirectory('/nope')": (E.NotFoundError, "Could not find directory /nope"),
    "Stat('/nope')": (E.NotFoundError, "/nope; No such file or directory"),
    "Copy('/nope', f)": (E.NotFoundError, "/nope; No such file or directory"),
    "Copy(f, f)": (E.AlreadyExistsError, "file already exists"),
    "Rename(f, f)": (E.AlreadyExistsError, "file already exists"),
    "DeleteRecursively('/nope')": (E.NotFoundError, "/nope not found"),
    "GFile(f, 'w').read()": (E.PermissionDeniedError, "File isn't open for reading"),
    "GFile(f, 'r').write('a')": (E.PermissionDeniedError, "File isn't open for writing"),
    "GFile(f, 'q')": (
        E.InvalidArgumentError,
        "mode is not 'r' or 'w' or 'a' or 'r+' or 'w+' or 'a+'",
    ),
    "GFile(d).read()": (E.FailedPreconditionError, "; Is a directory"),
}


@pytest.mark.parametrize("call", ERRORS)
def test_errors(call: str, tmp_path: Path) -> None:
    kind, text = ERRORS[call]
    (tmp_path / "f").write_text("x")
    with pytest.raises(kind) as e:
        eval("tf.gfile." + call, {"tf": tf, "f": str(tmp_path / "f"), "d": str(tmp_path)})
    assert e.value.message.endswith(text)


# ------------------------------------------------------------------------------- MNIST


def idx(array: Any) -> bytes:
    head = struct.pack(f">4B{array.ndim}i", 0, 0, 8, array.ndim, *array.shape)
    return head + array.astype(np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.RandomState(0)
    for name, n in (("train", 30), ("t10k", 8)):
        images, labels = rng.randint(0, 256, (n, 28, 28)), np.arange(n) % 10
        (tmp_path / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (tmp_path / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels))
    return tmp_path


def test_read_data_sets(folder: Path) -> None:
    from graphc.examples.tutorials.mnist import input_data

    data = input_data.read_data_sets(str(folder), one_hot=True, validation_size=10)
    assert [s.num_examples for s in data] == [20, 10, 8]
    assert data.train.images.shape == (20, 784)
    assert data.train.images.dtype == np.float32
    assert 0.99 < data.train.images.max() <= 1
    assert data.test.labels.argmax(1).tolist() == list(range(8))
    raw = input_data.read_data_sets(
        folder, validation_size=0, reshape=False, dtype=tf.uint8, seed=3
    )
    assert raw.train.images.shape == (30, 28, 28, 1)
    assert raw.train.images.dtype == np.uint8
    with pytest.raises(ValueError, match="Validation size should be between 0 and 30"):
        input_data.read_data_sets(folder, validation_size=31)


def test_batches_come_in_tensorflow_s_order() -> None:
    images = np.arange(10 * 784).reshape(10, 28, 28, 1).astype(np.uint8)
    data = mnist.DataSet(images, np.arange(10), seed=3)
    got = [(data.next_batch(4)[1].tolist(), data.epochs_completed) for _ in range(4)]
    assert got == [([5, 4, 1, 2], 0), ([9, 6, 7, 0], 0), ([3, 8, 2, 3], 1), ([1, 4, 8, 9], 1)]
    plain = mnist.DataSet(images, np.arange(10))
    assert plain.next_batch(3, shuffle=False)[1].tolist() == [0, 1, 2]
    assert len(plain.next_batch(2, fake_data=True)[0][0]) == 784


def test_missing_and_damaged_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAPHC_MNIST", raising=False)
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.arange(9))[:-2])
    with pytest.raises(ValueError, match="it is damaged"):
        mnist.read_data_sets(folder)
    (folder / "t10k-labels-idx1-ubyte").write_bytes(b"what")
    with pytest.raises(ValueError, match="is no MNIST file"):
        mnist.read_data_sets(folder)
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"put t10k-labels-idx1-ubyte.gz there"):
        mnist.read_data_sets(folder)
    with pytest.raises(FileNotFoundError, match=r"mnist\.npz"):
        tf.keras.datasets.mnist.load_data("/nowhere/mnist.npz")


def test_digits_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.setenv("GRAPHC_MNIST", "digits")
    data = mnist.read_data_sets(tmp_path)
    assert [s.num_examples for s in data] == [1400, 100, 297]
    image = data.train.images[0].reshape(28, 28)
    assert image[:4].max() == 0
    assert image.max() > 0.9
