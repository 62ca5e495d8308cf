"""Data that is there already: ``contrib.learn.datasets`` and ``keras.utils.get_file``."""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

import graphc as tf

DATASETS = tf.contrib.learn.datasets


def test_tables_with_a_header(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("2,3,a,b\n1,2,3,0\n4,5,6,1\n")
    got = DATASETS.base.load_csv_with_header(str(file), np.int64, np.float32)
    assert got.data.dtype == np.float32
    assert got.data.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert got.target.tolist() == [0, 1]
    first = DATASETS.base.load_csv_with_header(str(file), np.int64, np.float32, target_column=0)
    assert first.target.tolist() == [1, 4]
    assert first.data.tolist() == [[2, 3, 0], [5, 6, 1]]
    file.write_text("3,3,a,b\n1,2,3,0\n4,5,6,1\n")  # as in TensorFlow: what lacks is 0
    assert DATASETS.base.load_csv_with_header(str(file), int, float).target.tolist() == [0, 1, 0]
    file.write_text("1,3,a,b\n1,2,3,0\n4,5,6,1\n")
    with pytest.raises(IndexError):
        DATASETS.base.load_csv_with_header(str(file), int, float)


def test_tables_without_a_header(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("1,2,3,0\n4,5,6,1\n")
    got = DATASETS.base.load_csv_without_header(str(file), np.int64, np.float32)
    assert (got.data.dtype, got.target.dtype) == (np.float32, np.int64)
    assert got.data.tolist() == [[1, 2, 3], [4, 5, 6]]
    with pytest.raises(tf.errors.NotFoundError, match="gone"):
        DATASETS.base.load_csv_without_header(str(tmp_path / "gone.csv"), int, float)


def test_irises() -> None:
    """TensorFlow's numbers, which are not scikit-learn's in three places."""
    pytest.importorskip("sklearn")
    made = DATASETS.load_dataset("iris")
    assert (made.data.shape, made.data.dtype, made.target.dtype) == ((150, 4), float, np.int64)
    assert made.data[[34, 37]].tolist() == [[4.9, 3.1, 1.5, 0.1], [4.9, 3.1, 1.5, 0.1]]
    assert np.bincount(made.target).tolist() == [50, 50, 50]


def test_unknown_data() -> None:
    with pytest.raises(ValueError, match="Name of dataset is not found: x"):
        DATASETS.load_dataset("x")
    with pytest.raises(ValueError, match="downloads nothing"):
        DATASETS.load_dataset("boston")
    with pytest.raises(FileNotFoundError, match=r"http://x/f"):
        DATASETS.base.maybe_download("f", "/nowhere", "http://x/f")


def test_files_of_keras(tmp_path: Path) -> None:
    folder = tmp_path / "datasets"
    folder.mkdir()
    file = folder / "a.txt"
    file.write_text("hi")

    def get(name: str, **kwargs: object) -> str:
        return tf.keras.utils.get_file(name, "http://x/f", cache_dir=str(tmp_path), **kwargs)

    assert get("a.txt") == str(file)
    for name in ("md5", "sha256"):
        right = hashlib.new(name, b"hi").hexdigest()
        assert get("a.txt", file_hash=right) == str(file)
        assert get("a.txt", file_hash=right, hash_algorithm=name) == str(file)
        with pytest.raises(OSError, match=f"{name} hash {right}"):
            get("a.txt", file_hash="0" * len(right))
    assert get("a.txt", md5_hash=hashlib.md5(b"hi").hexdigest()) == str(file)
    with pytest.raises(FileNotFoundError, match=r"b\.txt.*downloads nothing.*http://x/f"):
        get("b.txt")
    assert get("a.txt", extract=True) == str(file)  # no archive: left alone
    with tarfile.open(folder / "t.tar.gz", "w:gz") as archive:
        archive.add(file, "t/a.txt")
    assert get("t", untar=True) == str(folder / "t")
    assert (folder / "t" / "a.txt").read_text() == "hi"
    with zipfile.ZipFile(folder / "z.zip", "w") as zipped:
        zipped.writestr("z/b.txt", "ho")
    assert get("z.zip", extract=True) == str(folder / "z.zip")
    assert (folder / "z" / "b.txt").read_text() == "ho"


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        ("structure", [7, 5, 4, 1, 6, 2, 3, 0], [7, 5, 4, 1, 3, 2, 0, 6]),
        ("initializable", [5, 4, 2, 6, 7, 0, 1, 3], [1, 3, 0, 2, 5, 7, 4, 6]),
        ("one shot", [5, 4, 2, 6, 7, 0, 1, 3], [1, 3, 0, 2, 5, 7, 4, 6]),
    ],
)
def test_order_by_kind_of_iterator(kind: str, first: list[int], second: list[int]) -> None:
    """TensorFlow 1.15 makes one of shuffle and repeat, but not in `Iterator.make_initializer`."""
    with tf.Graph().as_default(), tf.Session() as s:
        data = tf.data.Dataset.range(8).shuffle(8, seed=4).repeat(2).batch(8)
        if kind == "structure":
            it = tf.data.Iterator.from_structure(data.output_types, data.output_shapes)
            s.run(it.make_initializer(data))
        elif kind == "initializable":
            it = data.make_initializable_iterator()
            s.run(it.initializer)
        else:
            it = data.make_one_shot_iterator()
        x = it.get_next()
        assert [s.run(x).tolist(), s.run(x).tolist()] == [first, second]
