"""The handwritten digits of ``tf.examples.tutorials.mnist``, from files that are there already."""

from __future__ import annotations

import collections
import gzip
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np

from graphc.face.current import get_seed
from graphc.ir import dtypes

__all__ = ["DataSet", "Datasets", "dense_to_one_hot", "load_mnist", "read_data_sets"]

Datasets = collections.namedtuple("Datasets", ["train", "validation", "test"])

_FILES = (
    "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz",
)  # fmt: skip


def dense_to_one_hot(labels_dense: Any, num_classes: int) -> Any:
    """Labels as rows with a single one."""
    out = np.zeros((len(labels_dense), num_classes))
    out[np.arange(len(labels_dense)), np.asarray(labels_dense).ravel()] = 1
    return out


class DataSet:
    """Images with labels, handed out in batches; each epoch in an order of its own.

    Attributes
    ----------
    images, labels, num_examples, epochs_completed
    """

    def __init__(
        self, images: Any, labels: Any, fake_data: bool = False, one_hot: bool = False,
        dtype: Any = dtypes.float32, reshape: bool = True, seed: int | None = None,
    ) -> None:  # fmt: skip
        graph_seed, op_seed = get_seed(seed)
        np.random.seed(graph_seed if seed is None else op_seed)
        dtype = dtypes.as_dtype(dtype)
        if dtype not in (dtypes.uint8, dtypes.float32):
            raise TypeError(f"Invalid image dtype {dtype!r}, expected uint8 or float32")
        self._one_hot, self._fake = one_hot, fake_data
        if fake_data:
            self._num_examples = 10000
        else:
            if len(images) != len(labels):
                raise ValueError(
                    f"{len(images)} images and {len(labels)} labels: there must be as many"
                )
            self._num_examples = len(images)
            if reshape:
                images = images.reshape(len(images), -1)
            if dtype is dtypes.float32:
                images = images.astype(np.float32) * np.float32(1 / 255)
        self._images, self._labels = images, labels
        self._epochs, self._place = 0, 0

    @property
    def images(self) -> Any:
        return self._images

    @property
    def labels(self) -> Any:
        return self._labels

    @property
    def num_examples(self) -> int:
        return self._num_examples

    @property
    def epochs_completed(self) -> int:
        return self._epochs

    def _shuffle(self) -> None:
        order = np.arange(self._num_examples)
        np.random.shuffle(order)
        self._images, self._labels = self._images[order], self._labels[order]

    def next_batch(self, batch_size: int, fake_data: bool = False, shuffle: bool = True) -> Any:
        """The next images and labels; a batch may begin in one epoch and end in the next."""
        if fake_data:
            label: Any = [1] + [0] * 9 if self._one_hot else 0
            return [[1] * 784 for _ in range(batch_size)], [label for _ in range(batch_size)]
        if self._epochs == 0 and self._place == 0 and shuffle:
            self._shuffle()
        start, end = self._place, self._place + batch_size
        if end <= self._num_examples:
            self._place = end
            return self._images[start:end], self._labels[start:end]
        self._epochs += 1
        images, labels = self._images[start:], self._labels[start:]
        if shuffle:
            self._shuffle()
        self._place = rest = batch_size - len(images)
        return (
            np.concatenate((images, self._images[:rest])),
            np.concatenate((labels, self._labels[:rest])),
        )


def _idx(path: Path) -> Any:
    """The array in a file of MNIST's format, packed or not."""
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    if len(data) < 8 or data[:3] != b"\0\0\x08" or data[3] not in (1, 3):
        raise ValueError(f"{str(path)!r} is no MNIST file: it begins with {data[:4].hex()}")
    sizes = struct.unpack_from(f">{data[3]}i", data, 4)
    body = np.frombuffer(data, np.uint8, offset=4 + 4 * len(sizes))
    if body.size != np.prod(sizes):
        raise ValueError(
            f"{str(path)!r} says it holds {sizes} bytes and has {body.size}: it is damaged"
        )
    return body.reshape(sizes)


def _files(folder: Path) -> list[Any]:
    """The four arrays, or an error that says which files to put where."""
    found = []
    for name in _FILES:
        places = [folder / name, folder / name[:-3], folder / name[:-3].replace("-idx", ".idx")]
        path = next((p for p in places if p.is_file()), None)
        if path is None:
            break
        found.append(_idx(path))
    if len(found) == len(_FILES):
        return found
    if os.environ.get("GRAPHC_MNIST") == "digits":
        return _digits()
    missing = ", ".join(n for n in _FILES if not any((folder / m).is_file() for m in (n, n[:-3])))
    raise FileNotFoundError(
        f"MNIST is not in {str(folder)!r}: put {missing} there (packed or unpacked); graphc "
        "downloads nothing. To try the program without them, set GRAPHC_MNIST=digits (or python "
        "-m graphc run --digits …): the 1797 digits of scikit-learn, enlarged, stand in."
    )


def _digits() -> list[Any]:
    """scikit-learn's digits in MNIST's form: 28 by 28, white on black, in a frame of four."""
    import importlib

    try:
        digits = importlib.import_module("sklearn.datasets").load_digits()
    except ImportError as e:
        raise ImportError(
            "GRAPHC_MNIST=digits takes the digits from scikit-learn: pip install 'graphc[samples]'"
        ) from e
    small = digits.images / 16
    place = np.clip((np.arange(20) + 0.5) * 8 / 20 - 0.5, 0, 7)
    low = np.minimum(place.astype(int), 6)
    weights = np.zeros((20, 8))
    weights[np.arange(20), low] = 1 - (place - low)
    weights[np.arange(20), low + 1] = place - low
    images = np.zeros((len(small), 28, 28), np.uint8)
    images[:, 4:24, 4:24] = np.round(255 * np.einsum("ia,nab,jb->nij", weights, small, weights))
    labels = digits.target.astype(np.uint8)
    return [images[:1500], labels[:1500], images[1500:], labels[1500:]]


def read_data_sets(
    train_dir: Any, fake_data: bool = False, one_hot: bool = False, dtype: Any = dtypes.float32,
    reshape: bool = True, validation_size: int = 5000, seed: int | None = None,
    source_url: str = "",
) -> Any:  # fmt: skip
    """The training, validation and test images of MNIST.

    Parameters
    ----------
    train_dir : path
        Where the four files are. Nothing is downloaded.
    fake_data : bool
        Give constants.
    one_hot : bool
        Labels as rows of zeros with a one.
    dtype : DType
        ``float32``: between 0 and 1; ``uint8``: as they are.
    reshape : bool
        Images as rows of 784, not as (28, 28, 1).
    validation_size : int
        How many of the first training images are for validation.
    seed : int, optional
        Of the order of batches.
    source_url : str
        Not used.
    """
    if fake_data:
        none: Any = []
        return Datasets(*(DataSet(none, none, True, one_hot, dtype, True, seed) for _ in range(3)))
    folder = Path(os.path.expanduser(os.fsdecode(train_dir) or "."))
    train_images, train_labels, test_images, test_labels = _files(folder)
    if len(train_images) < 5000 and validation_size == 5000:
        validation_size = 100  # the stand-in is smaller
    if not 0 <= validation_size <= len(train_images):
        raise ValueError(
            f"Validation size should be between 0 and {len(train_images)}. Received: "
            f"{validation_size}."
        )
    labels = [train_labels[validation_size:], train_labels[:validation_size], test_labels]
    images = [train_images[validation_size:], train_images[:validation_size], test_images]
    if one_hot:
        labels = [dense_to_one_hot(part, 10) for part in labels]
    pairs = zip(images, labels, strict=True)
    return Datasets(
        *(DataSet(i[..., None], n, dtype=dtype, reshape=reshape, seed=seed) for i, n in pairs)
    )


def load_mnist(path: str = "mnist.npz") -> Any:
    """``tf.keras.datasets.mnist.load_data``: from ``~/.keras/datasets``, without a download."""
    file = Path(path) if os.path.isabs(path) else Path("~/.keras/datasets").expanduser() / path
    if file.is_file():
        with np.load(file, allow_pickle=False) as f:
            return (f["x_train"], f["y_train"]), (f["x_test"], f["y_test"])
    if os.environ.get("GRAPHC_MNIST") == "digits":
        train_images, train_labels, test_images, test_labels = _digits()
        return (train_images, train_labels), (test_images, test_labels)
    raise FileNotFoundError(
        f"there is no {str(file)!r}, and graphc downloads nothing: put Keras' mnist.npz there, or "
        "set GRAPHC_MNIST=digits to take scikit-learn's digits in its place"
    )
