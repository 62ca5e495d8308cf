"""What the pictures' networks of ``tf.keras.applications`` share: input, top, weights."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import graphc

__all__ = [
    "Net", "decode_predictions", "layers", "preprocess_caffe", "preprocess_input", "preprocess_tf",
    "preprocess_torch", "shown",
]  # fmt: skip

tf: Any = graphc

_CACHE = os.path.join(os.path.expanduser("~"), ".keras", "models")


def layers() -> Any:
    """``tf.keras.layers``."""
    return tf.keras.layers


def _input_shape(given: Any, size: int, least: int, flat: bool, weights: Any) -> Any:
    """The shape of a picture: what was given, or the usual one.

    Raises
    ------
    ValueError
        When it is too small, or unknown where the network needs to know it.
    """
    first = tf.keras.backend.image_data_format() == "channels_first"

    def of(height: Any, width: Any, channels: Any) -> tuple[Any, ...]:
        return (channels, height, width) if first else (height, width, channels)

    channels = 3
    if weights != "imagenet" and given and len(given) == 3:
        channels = given[0 if first else -1]
        if channels not in (1, 3):
            warnings.warn("This model usually expects 1 or 3 input channels. However, it was "
                          f"passed an input_shape with {channels} input channels.",
                          stacklevel=4)  # fmt: skip
    usual = of(size, size, channels)
    if weights == "imagenet" and flat:
        if given is not None and tuple(given) != usual:
            raise ValueError("When setting `include_top=True` and loading `imagenet` weights, "
                             f"`input_shape` should be {usual}.")  # fmt: skip
        return usual
    if given:
        given = tuple(given)
        if len(given) != 3:
            raise ValueError("`input_shape` must be a tuple of three integers.")
        if given[0 if first else -1] != 3 and weights == "imagenet":
            raise ValueError(f"The input must have 3 channels; got `input_shape={given}`")
        if any(n is not None and n < least for n in (given[1:] if first else given[:2])):
            raise ValueError(f"Input size must be at least {least}x{least}; got "
                             f"`input_shape={given}`")  # fmt: skip
    else:
        given = usual if flat else of(None, None, 3)
    if flat and None in given:
        raise ValueError("If `include_top` is True, you should specify a static `input_shape`. "
                         f"Got `input_shape={given}`")  # fmt: skip
    return given


class Net:
    """A network that is being built: layers are added to `x`.

    Parameters
    ----------
    file : str
        The name of the file of weights that Keras keeps, with a place for "_notop".
    size, least : int
        The usual and the least height of a picture.
    flat : bool
        Whether the top needs to know the size.
    """

    def __init__(
        self, include_top: bool, weights: Any, input_tensor: Any, input_shape: Any, pooling: Any,
        classes: int, *, size: int, least: int = 32, flat: bool | None = None,
    ) -> None:  # fmt: skip
        if weights not in ("imagenet", None) and not os.path.exists(weights):
            raise ValueError("The `weights` argument should be either `None` (random "
                             "initialization), `imagenet` (pre-training on ImageNet), or the path "
                             "to the weights file to be loaded.")  # fmt: skip
        if weights == "imagenet" and include_top and classes != 1000:
            raise ValueError('If using `weights` as `"imagenet"` with `include_top` as true, '
                             "`classes` should be 1000")  # fmt: skip
        self.top, self.weights, self.pooling, self.classes = include_top, weights, pooling, classes
        self.shape = _input_shape(
            input_shape, size, least, include_top if flat is None else flat, weights
        )
        self.first = tf.keras.backend.image_data_format() == "channels_first"
        self.axis = 1 if self.first else 3
        kit = layers()
        if input_tensor is None:
            self.x = kit.Input(shape=self.shape)
        elif tf.keras.backend.is_keras_tensor(input_tensor):
            self.x = input_tensor
        else:
            self.x = kit.Input(tensor=input_tensor, shape=self.shape)
        self._given, self._input = input_tensor, self.x

    @property
    def rows(self) -> Any:
        """The height of a picture."""
        return self.shape[1 if self.first else 0]

    @property
    def channels(self) -> int:
        """The channels of what was built so far."""
        return int(self.x.shape[self.axis])

    def add(self, layer: Any) -> Any:
        """One more layer."""
        self.x = layer(self.x)
        return self.x

    def conv(
        self, filters: int, kernel: Any, strides: int = 1, padding: str = "valid",
        bias: bool = True, name: str | None = None, **more: Any,
    ) -> Any:  # fmt: skip
        """A convolution."""
        return self.add(
            layers().Conv2D(filters, kernel, strides=strides, padding=padding, use_bias=bias,
                            name=name, **more)
        )  # fmt: skip

    def norm(self, name: str | None = None, **more: Any) -> Any:
        """Batch normalization of the channels."""
        return self.add(layers().BatchNormalization(axis=self.axis, name=name, **more))

    def relu(self, name: str | None = None) -> Any:
        """The positive part."""
        return self.add(layers().Activation("relu", name=name))

    def pad(self, padding: Any, name: str | None = None) -> Any:
        """Zeros around."""
        return self.add(layers().ZeroPadding2D(padding, name=name))

    def finish(
        self, name: str, file: str, last: str = "predictions", average: str | None = "avg_pool"
    ) -> Any:
        """The top, and the model with its weights."""
        kit = layers()
        if self.top:
            if average is not None:
                self.add(kit.GlobalAveragePooling2D(name=average or None))
            self.add(kit.Dense(self.classes, activation="softmax", name=last))
        else:
            self.pooled()
        return self.model(name, file)

    def pooled(self, average: str | None = None, largest: str | None = None) -> None:
        """What the user asks for where there is no top."""
        kit = layers()
        if self.pooling == "avg":
            self.add(kit.GlobalAveragePooling2D(name=average))
        elif self.pooling == "max":
            self.add(kit.GlobalMaxPooling2D(name=largest))

    def model(self, name: str, file: str) -> Any:
        """The model, with the weights that the user asks for.

        Raises
        ------
        ValueError
            When they are those of ImageNet and Keras' cache has no such file.
        """
        inputs = self._input
        if self._given is not None:
            inputs = tf.keras.utils.get_source_inputs(self._input)
        made = tf.keras.models.Model(inputs, self.x, name=name)
        if self.weights == "imagenet":
            path = os.path.join(_CACHE, file)
            if not os.path.exists(path):
                raise ValueError(f"graphc downloads no weights: put {file} into {_CACHE}, or pass "
                                 "the path of a file as `weights`, or weights=None")  # fmt: skip
            made.load_weights(path)
        elif self.weights is not None:
            made.load_weights(self.weights)
        return made


def shown(file: str, top: bool, ending: str = "_notop") -> str:
    """The name of a file of weights, with or without the top."""
    return file % ("" if top else ending)


# ------------------------------------------------------------------------- pictures


_MEANS = {"caffe": (103.939, 116.779, 123.68), "torch": (0.485, 0.456, 0.406)}
_DEVIATION = (0.229, 0.224, 0.225)


def preprocess_input(x: Any, data_format: str | None = None, mode: str = "caffe") -> Any:
    """Pictures of 0 to 255 as a network was trained with them.

    Parameters
    ----------
    x : array or tensor
        One or several pictures, red first. An array of floats is changed in place.
    mode : str
        ``"caffe"``: blue first, less the means of ImageNet; ``"tf"``: from -1 to 1; ``"torch"``:
        from 0 to 1, less means, over deviations.
    """
    data_format = data_format or tf.keras.backend.image_data_format()
    if data_format not in ("channels_first", "channels_last"):
        raise ValueError(f"Unknown data_format {data_format}")
    array = isinstance(x, np.ndarray)
    if array and not issubclass(x.dtype.type, np.floating):
        x = x.astype(tf.keras.backend.floatx(), copy=False)
    if mode == "tf":
        if not array:
            return x / 127.5 - 1.0
        x /= 127.5
        x -= 1.0
        return x
    first = data_format == "channels_first"
    rank = x.ndim if array else x.shape.ndims
    axis = (0 if rank == 3 else 1) if first else rank - 1
    along = [1] * rank
    along[axis] = 3
    mean = np.reshape(_MEANS["torch" if mode == "torch" else "caffe"], along).astype("float32")
    if mode == "torch":
        deviation = np.reshape(_DEVIATION, along).astype("float32")
        if not array:
            return (x / 255.0 - mean) / deviation
        x /= 255.0
        x -= mean.astype(x.dtype)
        x /= deviation.astype(x.dtype)
        return x
    if not array:
        return tf.reverse(x, [axis]) - mean
    x = np.flip(x, axis)
    x -= mean.astype(x.dtype)
    return x


def _in_mode(mode: str) -> Callable[..., Any]:
    def preprocess_input(x: Any, data_format: str | None = None) -> Any:
        """Pictures of 0 to 255 as the network was trained with them."""
        return _preprocess(x, data_format, mode)

    return preprocess_input


_preprocess = preprocess_input
preprocess_caffe, preprocess_tf, preprocess_torch = map(_in_mode, ("caffe", "tf", "torch"))


def decode_predictions(preds: Any, top: int = 5) -> list[Any]:
    """The likeliest classes of ImageNet for each row: (identifier, word, probability).

    The words come from ``imagenet_class_index.json`` in Keras' cache.

    Raises
    ------
    ValueError
        When `preds` are no rows of 1000, or there is no such file.
    """
    import json

    if preds.ndim != 2 or preds.shape[1] != 1000:
        raise ValueError("`decode_predictions` expects a batch of predictions (i.e. a 2D array of "
                         f"shape (samples, 1000)). Found array with shape: {preds.shape}"
                         )  # fmt: skip
    path = os.path.join(_CACHE, "imagenet_class_index.json")
    if not os.path.exists(path):
        raise ValueError(f"graphc downloads nothing: put imagenet_class_index.json into {_CACHE}")
    with open(path, encoding="utf-8") as f:
        words = json.load(f)
    out = []
    for row in preds:
        best = row.argsort()[-top:][::-1]
        found = [(*words[str(i)], row[i]) for i in best]
        out.append(sorted(found, key=lambda r: r[2], reverse=True))
    return out
