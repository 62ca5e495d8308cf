"""What serialised Examples become: an item (an image, a label) is made of features by a handler."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.data.parsing import FixedLenFeature, decode_raw, parse_single_example
from graphc.face import flow
from graphc.face.functional import map_fn
from graphc.image.files import decode_image
from graphc.ir import dtypes
from graphc.ir.dtypes import as_dtype
from graphc.ops import arrays, math, shapes, transposing
from graphc.sparse import tensor as sparse
from graphc.sparse.ops import sparse_reshape, sparse_tensor_to_dense

__all__ = [
    "BackupHandler", "BoundingBox", "DataDecoder", "Image", "ItemHandler", "ItemHandlerCallback",
    "LookupTensor", "SparseTensor", "TFExampleDecoder", "Tensor",
]  # fmt: skip


class DataDecoder(abc.ABC):
    """From serialised data to tensors."""

    @abc.abstractmethod
    def decode(self, data: Any, items: Sequence[str]) -> list[Any]:
        """The tensors of `items`."""

    @abc.abstractmethod
    def list_items(self) -> list[str]:
        """The items there are."""


class ItemHandler(abc.ABC):
    """How one item is made.

    Parameters
    ----------
    keys : str or list of str
        The features it is made of.
    """

    def __init__(self, keys: Any) -> None:
        self._keys = list(keys) if isinstance(keys, list | tuple) else [keys]

    @property
    def keys(self) -> list[str]:
        return self._keys

    @abc.abstractmethod
    def tensors_to_item(self, keys_to_tensors: Mapping[str, Any]) -> Any:
        """The item, of its features by name."""


class ItemHandlerCallback(ItemHandler):
    """An item that a function of a dictionary of features makes."""

    def __init__(self, keys: Any, func: Callable[[Mapping[str, Any]], Any]) -> None:
        super().__init__(keys)
        self._func = func

    def tensors_to_item(self, keys_to_tensors: Mapping[str, Any]) -> Any:
        return self._func(keys_to_tensors)


class BoundingBox(ItemHandler):
    """Boxes ``[n, 4]`` of four sparse features with their sides."""

    def __init__(self, keys: Any = None, prefix: str = "") -> None:
        sides = ["ymin", "xmin", "ymax", "xmax"] if keys is None else list(keys)
        if len(sides) != 4:
            raise ValueError(f"BoundingBox expects 4 keys but got {len(sides)}")
        self._full_keys = [prefix + k for k in sides]
        super().__init__(self._full_keys)

    def tensors_to_item(self, keys_to_tensors: Mapping[str, Any]) -> Any:
        rows = []
        for key in self._full_keys:
            side: Any = keys_to_tensors[key]
            values = side.values if isinstance(side, sparse.SparseTensor) else side
            rows.append(shapes.expand_dims(values, 0))
        return transposing.transpose(_concat(rows, 0))


def _concat(values: Any, axis: int) -> Any:
    from graphc.ops.arrays import concat  # here only

    return concat(values, axis)


def _sizes(keys_to_tensors: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """A shape of features that hold its numbers."""
    out = []
    for key in keys:
        size: Any = keys_to_tensors[key]
        if isinstance(size, sparse.SparseTensor):
            size = sparse_tensor_to_dense(size)
        out.append(shapes.reshape(size, [-1]))
    return math.cast(_concat(out, 0), dtypes.int32)


class Tensor(ItemHandler):
    """A feature as it is, in another shape if that is asked for.

    Parameters
    ----------
    shape_keys : str or list of str, optional
        Features with its shape.
    shape : list of int, optional
    default_value
        Where a sparse feature has nothing.
    """

    def __init__(
        self, tensor_key: str, shape_keys: Any = None, shape: Any = None, default_value: Any = 0
    ) -> None:
        if shape_keys and shape is not None:
            raise ValueError("Cannot specify both shape_keys and shape parameters.")
        given = [] if not shape_keys else shape_keys
        given = list(given) if isinstance(given, list | tuple) else [given]
        super().__init__([tensor_key, *given])
        self._tensor_key, self._shape_keys, self._shape = tensor_key, given, shape
        self._default_value = default_value

    def tensors_to_item(self, keys_to_tensors: Mapping[str, Any]) -> Any:
        x: Any = keys_to_tensors[self._tensor_key]
        shape = self._shape
        if self._shape_keys:
            shape = _sizes(keys_to_tensors, self._shape_keys)
        if isinstance(x, sparse.SparseTensor):
            if shape is not None:
                x = sparse_reshape(x, shape)
            return sparse_tensor_to_dense(x, self._default_value)
        return x if shape is None else shapes.reshape(x, shape)


class LookupTensor(Tensor):
    """`Tensor`, with what a table has for its elements."""

    def __init__(
        self, tensor_key: str, table: Any, shape_keys: Any = None, shape: Any = None,
        default_value: Any = "",
    ) -> None:  # fmt: skip
        self._table = table
        super().__init__(tensor_key, shape_keys, shape, default_value)

    def tensors_to_item(self, keys_to_tensors: Mapping[str, Any]) -> Any:
        return self._table.lookup(super().tensors_to_item(keys_to_tensors))


class BackupHandler(ItemHandler):
    """What `handler` makes, or where that is empty what `backup` makes."""

    def __init__(self, handler: Any, backup: Any) -> None:
        if not isinstance(handler, ItemHandler):
            raise ValueError(f"Primary handler is of type {type(handler)} instead of ItemHandler")
        if not isinstance(backup, ItemHandler):
            raise ValueError(f"Backup handler is of type {type(backup)} instead of ItemHandler")
        self._handler, self._backup = handler, backup
        super().__init__(handler.keys + backup.keys)

    def tensors_to_item(self, keys_to_tensors: Mapping[str, Any]) -> Any:
        item = self._handler.tensors_to_item(keys_to_tensors)
        return flow.cond(
            math.equal(shapes.size(item), 0),
            lambda: self._backup.tensors_to_item(keys_to_tensors),
            lambda: item,
        )


class SparseTensor(ItemHandler):
    """A sparse tensor of features with indices and values.

    Parameters
    ----------
    shape_key : str, optional
        A feature with its shape, or `shape` itself.
    densify : bool
        Whether the item is the dense tensor.
    """

    def __init__(
        self, indices_key: str | None = None, values_key: str | None = None,
        shape_key: str | None = None, shape: Any = None, densify: bool = False,
        default_value: Any = 0,
    ) -> None:  # fmt: skip
        keys = [indices_key or "indices", values_key or "values"]
        if shape_key:
            keys.append(shape_key)
        super().__init__(keys)
        self._indices_key, self._values_key = keys[:2]
        self._shape_key, self._shape = shape_key, shape
        self._densify, self._default_value = densify, default_value

    def tensors_to_item(self, keys_to_tensors: Mapping[str, Any]) -> Any:
        at, values = keys_to_tensors[self._indices_key], keys_to_tensors[self._values_key]
        shape = self._shape
        if self._shape_key:
            shape = keys_to_tensors[self._shape_key]
            if isinstance(shape, sparse.SparseTensor):
                shape = sparse_tensor_to_dense(shape)
        elif shape is None:
            shape = at.dense_shape
        at = at.values if isinstance(at, sparse.SparseTensor) else at
        values = values.values if isinstance(values, sparse.SparseTensor) else values
        width = shapes.shape(shape)[0] if not isinstance(shape, list | tuple) else len(shape)
        at = math.cast(shapes.reshape(at, arrays.stack([-1, width])), dtypes.int64)
        size = math.cast(shape, dtypes.int64)
        made = sparse.SparseTensor(at, values, size)
        return sparse_tensor_to_dense(made, self._default_value) if self._densify else made


class Image(ItemHandler):
    """An encoded image: JPEG, PNG, BMP or GIF by what is in it, or raw numbers.

    Parameters
    ----------
    image_key, format_key : str
        Features with the bytes (``image/encoded``) and their format (``image/format``).
    shape : list of int, optional
        The shape of raw images, and what others are reshaped to.
    channels : int
    dtype
        Numbers are cast to it; raw ones have it.
    repeated : bool
        Whether an example has several images.
    dct_method
        Has no meaning here.
    """

    def __init__(
        self, image_key: str | None = None, format_key: str | None = None, shape: Any = None,
        channels: int = 3, dtype: Any = dtypes.uint8, repeated: bool = False,
        dct_method: str = "",
    ) -> None:  # fmt: skip
        self._image_key, self._format_key = (
            image_key or "image/encoded",
            format_key or "image/format",
        )
        super().__init__([self._image_key, self._format_key])
        self._shape, self._channels, self._dtype = shape, channels, as_dtype(dtype)
        self._repeated = repeated

    def tensors_to_item(self, keys_to_tensors: Mapping[str, Any]) -> Any:
        images, kind = keys_to_tensors[self._image_key], keys_to_tensors[self._format_key]
        if self._repeated:
            return map_fn(lambda x: self._decode(x, kind), images, dtype=self._dtype)
        return self._decode(images, kind)

    def _decode(self, image_buffer: Any, image_format: Any) -> Any:
        raw = math.logical_or(math.equal(image_format, "raw"), math.equal(image_format, "RAW"))
        image: Any = flow.cond(
            raw,
            lambda: decode_raw(image_buffer, self._dtype),
            lambda: math.cast(decode_image(image_buffer, self._channels), self._dtype),
        )
        if self._shape is not None:
            return shapes.reshape(image, self._shape)
        image.set_shape([None, None, self._channels])
        return image


class TFExampleDecoder(DataDecoder):
    """Decodes serialised Examples.

    Parameters
    ----------
    keys_to_features : dict
        Features by name, as for `tf.parse_single_example`.
    items_to_handlers : dict
        Handlers by the name of what they make.
    """

    def __init__(
        self, keys_to_features: Mapping[str, Any], items_to_handlers: Mapping[str, ItemHandler]
    ) -> None:
        self._keys_to_features, self._items_to_handlers = keys_to_features, items_to_handlers

    def list_items(self) -> list[str]:
        return list(self._items_to_handlers)

    def decode(self, serialized_example: Any, items: Sequence[str] | None = None) -> list[Any]:
        """The tensors of `items`, all by default, of one Example."""
        example = dict(parse_single_example(serialized_example, self._keys_to_features))
        for key in sorted(self._keys_to_features):
            feature = self._keys_to_features[key]
            if isinstance(feature, FixedLenFeature):
                example[key] = shapes.reshape(example[key], feature.shape)
        out = []
        for item in items or self._items_to_handlers:
            handler = self._items_to_handlers[item]
            out.append(handler.tensors_to_item({key: example[key] for key in handler.keys}))
        return out
