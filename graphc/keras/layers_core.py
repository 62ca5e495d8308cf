"""Dense and shaping layers, activations, padding, embeddings."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.face.shape import as_shape
from graphc.ir.build import current
from graphc.ir.node import Value
from graphc.keras import backend as K
from graphc.keras import sessions, settings
from graphc.keras.engine import InputSpec, Layer
from graphc.layers import core, normalization
from graphc.layers.words import regularizer_of, sizes_of
from graphc.ops import arrays, math, nn, norm, reduce, shapes, transposing
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import as_many, made

__all__ = [
    "ELU",
    "Activation",
    "ActivityRegularization",
    "BatchNormalization",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "Lambda",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "PReLU",
    "Permute",
    "ReLU",
    "RepeatVector",
    "Reshape",
    "Softmax",
    "ThresholdedReLU",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "wrapped",
]  # fmt: skip


def wrapped(base: Any, name: str, defaults: dict[str, Any] | None = None) -> Any:
    """The Keras form of a layer of `tf.layers`: its names of variables, and Keras's defaults."""
    ways = dict(defaults or {})

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        bound = signature.bind(*args, **kwargs)
        given = dict(bound.arguments)
        rest = given.pop("kwargs", {})
        keep = Layer._keras_keywords(rest)
        for key, v in ways.items():
            given.setdefault(key, v)
        base.__init__(self, **given, **rest)
        Layer._finish_keywords(self, keep)

    old = [p for p in inspect.signature(base.__init__).parameters.values() if p.name != "self"]
    new = [p.replace(default=ways[p.name]) if p.name in ways else p for p in old]
    if not any(p.kind is p.VAR_KEYWORD for p in new):
        new.append(inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD))
    signature = inspect.Signature(new)
    init.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD), *new]
    )
    doc = base.__doc__
    return type(name, (Layer, base), {"__init__": init, "__doc__": doc, "__module__": __name__})


_FILTER: dict[str, Any] = {"kernel_initializer": "glorot_uniform", "bias_initializer": "zeros"}

Dense = wrapped(core.Dense, "Dense", _FILTER)
_Dropout = wrapped(core.Dropout, "Dropout")
Flatten = wrapped(core.Flatten, "Flatten")
_BatchNormalization = wrapped(normalization.BatchNormalization, "BatchNormalization", {
    "beta_initializer": "zeros", "gamma_initializer": "ones", "moving_mean_initializer": "zeros",
    "moving_variance_initializer": "ones",
})  # fmt: skip


class Dropout(_Dropout):  # type: ignore[misc, valid-type]
    __doc__ = core.Dropout.__doc__
    supports_masking = True

    def call(self, inputs: Any, training: Any = None) -> Any:
        return super().call(inputs, sessions.phase(training))


class BatchNormalization(_BatchNormalization):  # type: ignore[misc, valid-type]
    __doc__ = normalization.BatchNormalization.__doc__
    supports_masking = True

    def call(self, inputs: Any, training: Any = None) -> Any:
        flag = sessions.phase(training)
        if isinstance(flag, Value):  # reads of resource variables inside of conds, in TF1
            made(4 if len(inputs.shape) == 4 else 8)
        return super().call(inputs, flag if self.trainable else False)


class Activation(Layer):
    """A function of each element (or, by a word, one of Keras's)."""

    supports_masking = True

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        from graphc.keras.words import activation_of

        self.activation = activation_of(activation)

    def call(self, inputs: Any) -> Any:
        return self.activation(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class Reshape(Layer):
    """Another shape for each entry of the batch; one size may be -1."""

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = tuple(target_shape)

    def call(self, inputs: Any) -> Any:
        batch = None if inputs.shape.ndims is None else inputs.shape[0].value
        y: Any = shapes.reshape(inputs, [shapes.shape(inputs)[0] if batch is None else batch,
                                         *self.target_shape])  # fmt: skip
        y.set_shape(self.compute_output_shape(inputs.shape))
        return y

    def compute_output_shape(self, input_shape: Any) -> Any:
        out: list[Any] = list(self.target_shape)
        if as_shape(input_shape).ndims is None:
            return as_shape([None, *[None if n == -1 else n for n in out]])
        sizes = as_shape(input_shape).as_list()
        if -1 in out:
            rest: Any = sizes[1:]
            known = int(np.prod([n for n in out if n != -1]))
            total = None if None in rest else int(np.prod(rest))
            if total is not None and total % known:
                raise ValueError("total size of new array must be unchanged")
            out[out.index(-1)] = None if total is None else total // known
        return as_shape([sizes[0], *out])


class Permute(Layer):
    """The axes of each entry in another order, counted from 1."""

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                f"Invalid permutation `dims` for Permute Layer: {dims}. The set of indices in "
                "`dims` must be consecutive and start from 1."
            )

    def call(self, inputs: Any) -> Any:
        return transposing.transpose(inputs, [0, *self.dims])


class RepeatVector(Layer):
    """Vectors repeated along a new second axis."""

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = n
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Any) -> Any:
        return K.repeat(inputs, self.n)


class Lambda(Layer):
    """A function of tensors as a layer."""

    def __init__(
        self, function: Callable[..., Any], output_shape: Any = None, mask: Any = None,
        arguments: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.function = function
        self.arguments = dict(arguments or {})
        self._output_shape = output_shape
        self.mask = mask
        self.supports_masking = mask is not None

    def call(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:
        more = dict(self.arguments)
        accepted = inspect.signature(self.function).parameters
        if "mask" in accepted:
            more["mask"] = mask
        if "training" in accepted:
            more["training"] = training
        return self.function(inputs, **more)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.mask(inputs, mask) if callable(self.mask) else self.mask


class ActivityRegularization(Layer):
    """A penalty on the layer's input."""

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        from graphc.layers.keras_words import L1L2

        super().__init__(activity_regularizer=L1L2(l1, l2), **kwargs)
        self.l1, self.l2 = l1, l2


class Masking(Layer):
    """Moments all of whose numbers are `mask_value` are left out by layers that follow."""

    supports_masking = True
    _starts_mask = True

    def __init__(self, mask_value: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = mask_value

    @as_many(1)
    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return reduce.reduce_any(math.not_equal(inputs, self.mask_value), -1)

    def call(self, inputs: Any) -> Any:
        keep = reduce.reduce_any(math.not_equal(inputs, self.mask_value), -1, True)
        return inputs * math.cast(keep, inputs.dtype)


class Embedding(Layer):
    """A vector for each whole number.

    Parameters
    ----------
    input_dim, output_dim : int
        How many numbers there are, and how long vectors are.
    mask_zero : bool
        Whether 0 means that nothing is there.
    """

    def __init__(
        self, input_dim: int, output_dim: int, embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None, activity_regularizer: Any = None,
        embeddings_constraint: Any = None, mask_zero: bool = False, input_length: Any = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        if "input_shape" not in kwargs and "batch_input_shape" not in kwargs:
            kwargs["input_shape"] = (
                tuple(input_length) if isinstance(input_length, list | tuple) else (input_length,)
            )
        kwargs.setdefault("dtype", "float32")
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.input_dim, self.output_dim = input_dim, output_dim
        self.embeddings_initializer = embeddings_initializer
        self.embeddings_regularizer = embeddings_regularizer
        self.embeddings_constraint = embeddings_constraint
        self.mask_zero = mask_zero
        self._starts_mask = mask_zero
        self.input_length = input_length
        self.embeddings: Any = None

    def build(self, input_shape: Any) -> None:
        self.embeddings = self.add_weight(
            "embeddings", (self.input_dim, self.output_dim), self.dtype,
            self.embeddings_initializer, self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
        )  # fmt: skip
        self.built = True

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return math.not_equal(inputs, 0) if self.mask_zero else None

    def call(self, inputs: Any) -> Any:
        ids = inputs if inputs.dtype.name in ("int32", "int64") else math.cast(inputs, "int32")
        made(1)
        return arrays.gather(self.embeddings, ids)


# ------------------------------------------------------------------------- activations


class LeakyReLU(Layer):
    """``x`` above 0, ``alpha * x`` below."""

    supports_masking = True

    def __init__(self, alpha: Any = 0.3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs: Any) -> Any:
        return K.relu(inputs, self.alpha)


class ReLU(Layer):
    """``x`` above the threshold (see `backend.relu`)."""

    supports_masking = True

    def __init__(
        self, max_value: Any = None, negative_slope: Any = 0, threshold: Any = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if max_value is not None and max_value < 0.0:
            raise ValueError(f"max_value of Relu layer cannot be negative value: {max_value}")
        self.max_value, self.negative_slope = max_value, negative_slope
        self.threshold = threshold

    def call(self, inputs: Any) -> Any:
        return K.relu(inputs, self.negative_slope, self.max_value, self.threshold)


class ELU(Layer):
    """The exponential linear unit."""

    supports_masking = True

    def __init__(self, alpha: Any = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs: Any) -> Any:
        return K.elu(inputs, self.alpha)


class ThresholdedReLU(Layer):
    """``x`` above `theta`, else 0."""

    supports_masking = True

    def __init__(self, theta: Any = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.theta = theta

    def call(self, inputs: Any) -> Any:
        return inputs * math.cast(inputs > self.theta, inputs.dtype)


class Softmax(Layer):
    """Numbers that sum to 1 along an axis."""

    supports_masking = True

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any) -> Any:
        return nn.softmax(inputs, axis=self.axis)


class PReLU(Layer):
    """``x`` above 0, below it ``alpha * x`` with a learnt alpha for each place."""

    supports_masking = True

    def __init__(
        self, alpha_initializer: Any = "zeros", alpha_regularizer: Any = None,
        alpha_constraint: Any = None, shared_axes: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.alpha_initializer, self.alpha_regularizer = alpha_initializer, alpha_regularizer
        self.alpha_constraint = alpha_constraint
        self.shared_axes = (
            None if shared_axes is None
            else list(shared_axes) if isinstance(shared_axes, list | tuple) else [shared_axes]
        )  # fmt: skip
        self.alpha: Any = None

    def build(self, input_shape: Any) -> None:
        sizes = as_shape(input_shape).as_list()[1:]
        for a in self.shared_axes or ():
            sizes[a - 1] = 1
        self.alpha = self.add_weight(
            "alpha", sizes, None, self.alpha_initializer, self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )  # fmt: skip
        self.built = True

    def call(self, inputs: Any) -> Any:
        made(1)  # the factor is negated
        return nn.relu(inputs) - convert_to_tensor(self.alpha) * nn.relu(-inputs)


# ------------------------------------------------------------------------- space


def _pairs(given: Any, rank: int, what: str) -> tuple[tuple[int, int], ...]:
    """Numbers before and after each axis: one for all, one for each, or pairs."""
    if isinstance(given, int):
        return ((given, given),) * rank
    if rank == 1 and len(given) == 2 and all(isinstance(v, int) for v in given):
        return ((int(given[0]), int(given[1])),)
    if len(given) != rank:
        raise ValueError(f"`{what}` should have {rank} elements. Found: {given}")
    out = []
    for v in given:
        a, b = sizes_of(v, 2, f"an entry of {what}")
        out.append((a, b))
    return tuple(out)


class _Space(Layer):
    """What layers share that change sizes of space."""

    rank = 1

    def __init__(self, data_format: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = core.normalized_format(data_format or settings.image_data_format())
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _full(self, each: Any, rest: Any) -> list[Any]:
        if self.rank > 1 and self.data_format == "channels_first":
            return [rest, rest, *each]
        return [rest, *each, rest]


class _ZeroPadding(_Space):
    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.padding: Any = _pairs(padding, self.rank, "padding")

    def call(self, inputs: Any) -> Any:
        return arrays.pad(inputs, self._full([list(p) for p in self.padding], [0, 0]))


class ZeroPadding1D(_ZeroPadding):
    """Zeros before and after sequences."""

    rank = 1

    def __init__(self, padding: Any = 1, **kwargs: Any) -> None:
        super().__init__(padding, None, **kwargs)


class ZeroPadding2D(_ZeroPadding):
    """Zeros around images."""

    rank = 2

    def __init__(
        self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(padding, data_format, **kwargs)


class ZeroPadding3D(_ZeroPadding):
    """Zeros around volumes."""

    rank = 3

    def __init__(
        self, padding: Any = (1, 1, 1), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(padding, data_format, **kwargs)


class _Cropping(_Space):
    def __init__(self, cropping: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.cropping: Any = _pairs(cropping, self.rank, "cropping")

    def call(self, inputs: Any) -> Any:
        each = [slice(a, -b if b else None) for a, b in self.cropping]
        return inputs[tuple(self._full(each, slice(None)))]


class Cropping1D(_Cropping):
    """Sequences without their ends."""

    rank = 1

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(cropping, None, **kwargs)


class Cropping2D(_Cropping):
    """Images without their edges."""

    rank = 2

    def __init__(
        self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(cropping, data_format, **kwargs)


class Cropping3D(_Cropping):
    """Volumes without their faces."""

    rank = 3

    def __init__(
        self, cropping: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(cropping, data_format, **kwargs)


class UpSampling1D(_Space):
    """Each moment repeated."""

    rank = 1

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(None, **kwargs)
        self.size = int(size)

    def call(self, inputs: Any) -> Any:
        return K.repeat_elements(inputs, self.size, 1)


class UpSampling2D(_Space):
    """Images larger by whole factors, by the nearest pixel or bilinear."""

    rank = 2

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest",
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(data_format, **kwargs)
        self.size = sizes_of(size, 2, "size")
        self.interpolation = interpolation

    def call(self, inputs: Any) -> Any:
        high, wide = self.size
        with current().counts_as(8):
            return K.resize_images(inputs, high, wide, self.data_format, self.interpolation)


class UpSampling3D(_Space):
    """Volumes larger by whole factors."""

    rank = 3

    def __init__(
        self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.size = sizes_of(size, 3, "size")

    def call(self, inputs: Any) -> Any:
        first = 2 if self.data_format == "channels_first" else 1
        for i, n in enumerate(self.size):
            inputs = K.repeat_elements(inputs, n, first + i)
        return inputs


class LayerNormalization(Layer):
    """Normalised over `axis` for each entry, with learnt scale and shift."""

    def __init__(
        self, axis: Any = -1, epsilon: float = 1e-3, center: bool = True, scale: bool = True,
        beta_initializer: Any = "zeros", gamma_initializer: Any = "ones",
        beta_regularizer: Any = None, gamma_regularizer: Any = None, beta_constraint: Any = None,
        gamma_constraint: Any = None, trainable: bool = True, name: str | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(trainable, name, **kwargs)
        self.axis = list(axis) if isinstance(axis, list | tuple) else [axis]
        self.epsilon, self.center, self.scale = epsilon, center, scale
        self.beta_initializer, self.gamma_initializer = beta_initializer, gamma_initializer
        self.beta_regularizer = regularizer_of(beta_regularizer)
        self.gamma_regularizer = regularizer_of(gamma_regularizer)
        self.beta_constraint, self.gamma_constraint = beta_constraint, gamma_constraint
        self.gamma: Any = None
        self.beta: Any = None

    def build(self, input_shape: Any) -> None:
        sizes = as_shape(input_shape).as_list()
        at = sorted(a % len(sizes) for a in self.axis)
        own = [sizes[a] for a in at]
        self._wide = [n if i in at else 1 for i, n in enumerate(sizes)]
        if self.scale:
            self.gamma = self.add_weight(
                "gamma", own, None, self.gamma_initializer, self.gamma_regularizer,
                constraint=self.gamma_constraint,
            )  # fmt: skip
        if self.center:
            self.beta = self.add_weight(
                "beta", own, None, self.beta_initializer, self.beta_regularizer,
                constraint=self.beta_constraint,
            )  # fmt: skip
        self.built = True

    def call(self, inputs: Any) -> Any:
        rank = inputs.rank
        mean, variance = norm.moments(inputs, [a % rank for a in self.axis], keep_dims=True)

        def wide(v: Any) -> Any:
            if v is None or [a % rank for a in self.axis] == [rank - 1]:
                return v
            return shapes.reshape(v, self._wide)

        return norm.batch_normalization(
            inputs, mean, variance, wide(self.beta), wide(self.gamma), self.epsilon
        )
