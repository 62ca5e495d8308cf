"""Datasets as a whole: written to a file, reduced to a value, read in batches of features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.checkpoint import records
from graphc.data.dataset import Dataset
from graphc.data.files import TFRecordDataset
from graphc.data.iterator import one_shot, whole
from graphc.ir.build import build
from graphc.ir.dtypes import string
from graphc.ir.node import Value
from graphc.ops.convert import convert_to_tensor
from graphc.ops.record import Attrs, Types, no_grad, op

__all__ = ["TFRecordWriter", "read_batch_features", "reduce_dataset"]


def _nothing(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return []


def _write(host: Any, *arrays: Any, dataset: Dataset) -> None:
    name, kind = (bytes(np.asarray(a)[()]).decode() for a in arrays[-2:])
    with records.TFRecordWriter(name, kind) as writer:
        for (record,) in whole(host, arrays, dataset):
            writer.write(bytes(np.asarray(record)[()]))


write_op = op(
    "dataset_to_tf_record", "DatasetToTFRecord", "host", args=("*tensors",), types="fiubs",
    doc="Writes the elements of a dataset to a file.", infer=_nothing, host=_write, grad=no_grad,
    stateful=True, facts={"effect": True},
)  # fmt: skip


class TFRecordWriter:
    """Writes a dataset of strings to a TFRecord file.

    Parameters
    ----------
    filename : str or string tensor
    compression_type : {"", "GZIP", "ZLIB"}, optional

    Examples
    --------
    >>> import graphc as tf
    >>> path = tf.test.get_temp_dir() + "/words.tfrecord"
    >>> words = tf.data.Dataset.from_tensor_slices(["one", "two"])
    >>> with tf.Session() as session:
    ...     session.run(tf.data.experimental.TFRecordWriter(path).write(words))
    >>> list(tf.python_io.tf_record_iterator(path))
    [b'one', b'two']
    """

    def __init__(self, filename: Any, compression_type: str | None = None) -> None:
        self._filename = convert_to_tensor(filename, string, "filename")
        self._kind = convert_to_tensor(compression_type or "", string, "compression_type")

    def write(self, dataset: Any) -> Any:
        """An operation that writes all elements.

        Raises
        ------
        TypeError
            For elements that are no scalar strings.
        """
        if not isinstance(dataset, Dataset):
            raise TypeError("`dataset` must be a `tf.data.Dataset` object.")
        if dataset.output_types != string or dataset.output_shapes.ndims not in (0, None):
            raise TypeError(
                "`dataset` must produce scalar `DT_STRING` tensors whereas it produces shape "
                f"{dataset.output_shapes} and types {dataset.output_types}"
            )
        operands = [*dataset._all_tensors(), self._filename, self._kind]
        return build(write_op, operands, {"dataset": dataset}, None)


def reduce_dataset(dataset: Any, reducer: Any) -> Any:
    """What the functions of a `Reducer` make of all elements; its last one is not called."""
    return dataset.reduce(reducer.init_func(np.int64(0)), reducer.reduce_func)


def read_batch_features(
    file_pattern: Any, batch_size: Any, features: Mapping[str, Any], reader: Any = TFRecordDataset,
    reader_args: Any = None, randomize_input: bool = True, num_epochs: Any = None,
    capacity: Any = 10000,
) -> Any:  # fmt: skip
    """A batch of the Examples in files, parsed, in each run.

    Parameters
    ----------
    file_pattern : str or list of str
    randomize_input : bool
        Whether examples are shuffled, `capacity` at a time.
    num_epochs : int, optional
        For ever if not given.

    Returns
    -------
    dict
        Name of each feature → its tensor.
    """
    import graphc

    d = Dataset.list_files(file_pattern, randomize_input)
    d = d.flat_map(lambda name: reader(name, *(reader_args or ())))
    if isinstance(d.output_types, tuple):
        d = d.map(lambda _, example: example)
    d = d.repeat(num_epochs)
    if randomize_input:
        d = d.shuffle(capacity)
    d = d.batch(batch_size).map(lambda x: graphc.parse_example(x, features))
    return one_shot(d).get_next()
