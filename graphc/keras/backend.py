"""``tf.keras.backend``: variables, and Keras's names of operations.

Settings are in `settings`, sessions and the learning phase in `sessions`, volumes and sequences in
`backend_nets`; `graphc.face.rare_names` puts them into the same namespace.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.face import functional
from graphc.face.current import name_scope as name_scope
from graphc.face.gradients import gradients as _gradients
from graphc.face.lazy import lookup
from graphc.face.variables import Variable
from graphc.ir import dtypes
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Value
from graphc.keras import settings
from graphc.ops import (
    arrays,
    conv,
    cumulative,
    fills,
    linalg,
    math,
    nn,
    norm,
    random,
    reduce,
    shapes,
    spaced,
    state,
    transposing,
)
from graphc.ops import pool as pooling
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import as_many, made
from graphc.train.averages import assign_moving_average

# ------------------------------------------------------------------------- variables and values


def variable(value: Any, dtype: Any = None, name: str | None = None, constraint: Any = None) -> Any:
    """A variable."""
    kind = as_dtype(dtype or settings.floatx())
    given = value if isinstance(value, Value) else np.asarray(value, kind.np)
    return Variable(given, dtype=kind, name=name, constraint=constraint)


def placeholder(
    shape: Any = None, ndim: int | None = None, dtype: Any = None, sparse: bool = False,
    name: str | None = None, ragged: bool = False,
) -> Any:  # fmt: skip
    """A placeholder."""
    if shape is None and ndim is not None:
        shape = [None] * ndim
    return state.placeholder(as_dtype(dtype or settings.floatx()), shape, name=name)


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Any:
    """A constant."""
    from graphc.ops.convert import constant as make

    return make(value, dtype or settings.floatx(), shape, name or "Const")


def _filled(f: Callable[..., Any], as_variable: bool) -> Callable[..., Any]:
    def made(shape: Any, dtype: Any = None, name: str | None = None) -> Any:
        value = f(shape, as_dtype(dtype or settings.floatx()))
        return Variable(value, name=name) if as_variable else value

    made.__doc__ = f.__doc__
    return made


zeros = _filled(fills.zeros, True)
ones = _filled(fills.ones, True)


def eye(size: int, dtype: Any = None, name: str | None = None) -> Any:
    """A variable that is the identity matrix."""
    return variable(np.eye(size), dtype, name)


def random_uniform_variable(
    shape: Any, low: float, high: float, dtype: Any = None, name: str | None = None,
    seed: int | None = None,
) -> Any:  # fmt: skip
    """A variable of uniform random numbers."""
    return Variable(
        random.random_uniform(shape, low, high, dtype or settings.floatx(), seed), name=name
    )


def random_normal_variable(
    shape: Any, mean: float, scale: float, dtype: Any = None, name: str | None = None,
    seed: int | None = None,
) -> Any:  # fmt: skip
    """A variable of normal random numbers."""
    return Variable(
        random.random_normal(shape, mean, scale, dtype or settings.floatx(), seed), name=name
    )


def update(x: Any, new_x: Any) -> Any:
    """An operation that sets a variable."""
    return x.assign(new_x)


def update_add(x: Any, increment: Any) -> Any:
    """An operation that adds to a variable."""
    return x.assign_add(increment)


def update_sub(x: Any, decrement: Any) -> Any:
    """An operation that subtracts from a variable."""
    return x.assign_sub(decrement)


def moving_average_update(x: Any, value: Any, momentum: Any) -> Any:
    """An operation that moves a variable towards a value."""
    return assign_moving_average(x, value, momentum, zero_debias=False)


def count_params(x: Any) -> int:
    """The number of elements."""
    return int(np.prod(x.get_shape().as_list()))


def int_shape(x: Any) -> Any:
    """The static shape as a tuple, None for sizes that are not known."""
    s = x.get_shape()
    return None if s.ndims is None else tuple(s.as_list())


def ndim(x: Any) -> Any:
    """The number of axes."""
    return x.get_shape().ndims


def dtype(x: Any) -> str:
    """The name of the element type."""
    return str(x.dtype.base_dtype.name)


def shape(x: Any) -> Any:
    """The shape as a tensor."""
    return shapes.shape(x)


def is_sparse(tensor: Any) -> bool:
    """Whether it is a SparseTensor."""
    return hasattr(tensor, "dense_shape")


def to_dense(tensor: Any) -> Any:
    """A sparse tensor as a dense one; others as they are."""
    return lookup("sparse", "to_dense")(tensor) if is_sparse(tensor) else tensor


def is_keras_tensor(x: Any) -> bool:
    """Whether a model's layer made it."""
    return hasattr(x, "_keras_history")


def is_tensor(x: Any) -> bool:
    """Whether it is a tensor or variable."""
    return isinstance(x, Value | Variable)


# ------------------------------------------------------------------------- arithmetic


def cast(x: Any, dtype: Any) -> Any:
    """`x` in another element type."""
    return math.cast(x, dtype)


def _over(f: Callable[..., Any], kind: str = "") -> Callable[..., Any]:
    def reduced(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        v = convert_to_tensor(x)
        if kind:
            v = math.cast(v, kind)
        elif v.dtype.kind == "b" and f in (reduce.reduce_mean, reduce.reduce_sum):
            v = math.cast(v, settings.floatx())
        return f(v, axis, keepdims)

    reduced.__doc__ = getattr(f, "doc", None) or f.__doc__  # of a record, or a function
    return reduced


sum = _over(reduce.reduce_sum)
prod = _over(reduce.reduce_prod)
mean = _over(reduce.reduce_mean)
max = _over(reduce.reduce_max)
min = _over(reduce.reduce_min)
any = _over(reduce.reduce_any, "bool")
all = _over(reduce.reduce_all, "bool")
logsumexp = _over(reduce.reduce_logsumexp)
abs, square, sqrt_, exp, log = math.abs, math.square, math.sqrt, math.exp, math.log
round, sign, pow, sin, cos = math.round, math.sign, math.pow, math.sin, math.cos
maximum, minimum, equal, not_equal = math.maximum, math.minimum, math.equal, math.not_equal
greater, greater_equal, less, less_equal = (
    math.greater, math.greater_equal, math.less, math.less_equal,
)  # fmt: skip
sigmoid, tanh, softplus, softsign = math.sigmoid, math.tanh, nn.softplus, nn.softsign
stop_gradient, zeros_like, ones_like = state.stop_gradient, fills.zeros_like, fills.ones_like
tile, gather, bias_add_ = arrays.tile, arrays.gather, nn.bias_add
map_fn, foldl, foldr = functional.map_fn, functional.foldl, functional.foldr


def sqrt(x: Any) -> Any:
    """The root; of negative numbers 0."""
    v = convert_to_tensor(x)
    return math.sqrt(math.maximum(v, fills.zeros_like(v)))


def var(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The variance."""
    v = convert_to_tensor(x)
    return reduce.reduce_mean(math.square(v - reduce.reduce_mean(v, axis, True)), axis, keepdims)


def std(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The standard deviation."""
    return math.sqrt(var(x, axis, keepdims))


def clip(x: Any, min_value: Any, max_value: Any) -> Any:
    """`x` within two numbers."""
    high = np.inf if max_value is None else max_value
    return math.clip_by_value(x, min_value, np.maximum(min_value, high) if isinstance(
        high, int | float) and isinstance(min_value, int | float) else high)  # fmt: skip


def argmax(x: Any, axis: int = -1) -> Any:
    """Where the largest element is."""
    return reduce.argmax(x, axis)


def argmin(x: Any, axis: int = -1) -> Any:
    """Where the smallest element is."""
    return reduce.argmin(x, axis)


def cumsum(x: Any, axis: int = 0) -> Any:
    """Sums of all elements so far."""
    return cumulative.cumsum(x, axis)


def cumprod(x: Any, axis: int = 0) -> Any:
    """Products of all elements so far."""
    return cumulative.cumprod(x, axis)


def dot(x: Any, y: Any) -> Any:
    """The product over the last axis of `x` and the last but one of `y`."""
    a, b = convert_to_tensor(x), convert_to_tensor(y)
    if a.rank == 2 and b.rank == 2:
        return linalg.matmul(a, b)
    assert a.rank is not None
    assert b.rank is not None
    return linalg.tensordot(a, b, [[a.rank - 1], [builtins.max(b.rank - 2, 0)]])


def batch_dot(x: Any, y: Any, axes: Any = None) -> Any:
    """Products over an axis of each, for each entry of the batch."""
    a, b = convert_to_tensor(x), convert_to_tensor(y)
    p, q = a.rank, b.rank
    assert p is not None
    assert q is not None
    if axes is None:
        axes = [p - 1, q - 1 if q == 2 else q - 2]
    i, j = (axes, axes) if isinstance(axes, int) else axes
    i, j = i % p, j % q
    a = transposing.transpose(a, [0, *[k for k in range(1, p) if k != i], i])
    b = transposing.transpose(b, [0, j, *[k for k in range(1, q) if k != j]])
    left, right = shapes.shape(a), shapes.shape(b)
    u = shapes.reshape(a, arrays.stack([left[0], -1, left[p - 1]]))
    v = shapes.reshape(b, arrays.stack([right[0], right[1], -1]))
    y2 = linalg.matmul(u, v)
    sizes = arrays.concat([left[:-1], right[2:]], 0)
    out = shapes.reshape(y2, sizes)
    known = [*a.shape.as_list()[:-1], *b.shape.as_list()[2:]]  # type: ignore[attr-defined]
    out.set_shape(known)  # type: ignore[attr-defined]
    return shapes.expand_dims(out, 1) if out.rank == 1 else out


def gradients(loss: Any, variables: Any) -> Any:
    """Derivatives of `loss`."""
    return _gradients(loss, variables)


# ------------------------------------------------------------------------- shapes


def reshape(x: Any, shape: Any) -> Any:
    """`x` in another shape."""
    return shapes.reshape(x, shape)


def permute_dimensions(x: Any, pattern: Any) -> Any:
    """Axes in another order."""
    return transposing.transpose(x, pattern)


def transpose(x: Any) -> Any:
    """Axes in reverse order."""
    return transposing.transpose(x)


def expand_dims(x: Any, axis: int = -1) -> Any:
    """A new axis of size 1."""
    return shapes.expand_dims(x, axis)


def squeeze(x: Any, axis: int) -> Any:
    """Without an axis of size 1."""
    return shapes.squeeze(x, [axis])


def flatten(x: Any) -> Any:
    """One axis."""
    return shapes.reshape(x, [-1])


def batch_flatten(x: Any) -> Any:
    """Two axes: the batch and all others."""
    v = convert_to_tensor(x)
    rest = v.shape.as_list()[1:]  # type: ignore[attr-defined]
    n = int(np.prod(rest)) if None not in rest else -1
    return shapes.reshape(v, arrays.stack([shapes.shape(v)[0] if n == -1 else -1, n]))


def concatenate(tensors: Any, axis: int = -1) -> Any:
    """Tensors one after the other."""
    return arrays.concat(tensors, axis)


def stack(x: Any, axis: int = 0) -> Any:
    """Tensors along a new axis."""
    return arrays.stack(x, axis)


def repeat(x: Any, n: int) -> Any:
    """A matrix repeated along a new second axis."""
    return arrays.tile(shapes.expand_dims(x, 1), [1, n, 1])


@as_many(lambda x, rep, axis: None if x.shape[axis].value is None else 5)  # split and joined again
def repeat_elements(x: Any, rep: int, axis: int) -> Any:
    """Each element along an axis several times."""
    from graphc.ops.blocks import repeat as each

    return each(x, rep, axis)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = "int32") -> Any:
    """Numbers one after the other."""
    made = spaced.range(start, delta=step) if stop is None else spaced.range(start, stop, step)
    return math.cast(made, dtype)


def one_hot(indices: Any, num_classes: int) -> Any:
    """Vectors with one 1."""
    return fills.one_hot(indices, num_classes)


def reverse(x: Any, axes: Any) -> Any:
    """Axes turned round."""
    return arrays.reverse(x, [axes] if isinstance(axes, int) else axes)


def temporal_padding(x: Any, padding: Any = (1, 1)) -> Any:
    """Zeros before and after the second axis."""
    return arrays.pad(x, [[0, 0], list(padding), [0, 0]])


def _space(x: Any, padding: Any, data_format: str | None) -> Any:
    each = [list(p) for p in padding]
    if (data_format or settings.image_data_format()) == "channels_first":
        return arrays.pad(x, [[0, 0], [0, 0], *each])
    return arrays.pad(x, [[0, 0], *each, [0, 0]])


def spatial_2d_padding(
    x: Any, padding: Any = ((1, 1), (1, 1)), data_format: str | None = None
) -> Any:
    """Zeros around images."""
    return _space(x, padding, data_format)


def spatial_3d_padding(
    x: Any, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None
) -> Any:
    """Zeros around volumes."""
    return _space(x, padding, data_format)


def resize_images(
    x: Any, height_factor: int, width_factor: int, data_format: str | None = None,
    interpolation: str = "nearest",
) -> Any:  # fmt: skip
    """Images larger by whole factors."""
    first = (data_format or settings.image_data_format()) == "channels_first"
    v = transposing.transpose(x, [0, 2, 3, 1]) if first else convert_to_tensor(x)
    sizes = [n if n is not None else shapes.shape(v)[i + 1]
             for i, n in enumerate(v.shape.as_list()[1:3])]  # type: ignore[attr-defined]  # fmt: skip
    new = [sizes[0] * height_factor, sizes[1] * width_factor]
    f = {"nearest": "resize_nearest_neighbor", "bilinear": "resize_bilinear"}.get(interpolation)
    if f is None:
        raise ValueError('interpolation should be one of "nearest" or "bilinear".')
    y = lookup("image", f)(v, arrays.stack(new), half_pixel_centers=True)
    if builtins.all(isinstance(n, int) for n in new):
        y.set_shape([None, *new, None])
    return transposing.transpose(y, [0, 3, 1, 2]) if first else y


# ------------------------------------------------------------------------- nets


@as_many(
    lambda x, alpha=0.0, max_value=None, threshold=0.0: (
        1 if threshold == 0 and (max_value is None or (alpha == 0 and max_value == 6)) else None
    )
)
def relu(x: Any, alpha: Any = 0.0, max_value: Any = None, threshold: Any = 0) -> Any:
    """`x` above the threshold, `alpha` times what is below, at most `max_value`."""
    v = convert_to_tensor(x)
    above = math.maximum(v, 0.0) if threshold == 0 else v * math.cast(v > threshold, v.dtype)
    if max_value is not None:
        above = math.minimum(above, float(max_value))
    if isinstance(alpha, int | float) and alpha == 0:
        return nn.relu(v) if threshold == 0 and max_value is None else above
    return above - alpha * nn.relu(-v + threshold)


def elu(x: Any, alpha: Any = 1.0) -> Any:
    """The exponential linear unit."""
    y = nn.elu(x)
    return y if alpha == 1 else math.select(convert_to_tensor(x) > 0, y, alpha * y)


def softmax(x: Any, axis: int = -1) -> Any:
    """Numbers that sum to 1."""
    return nn.softmax(x, axis=axis)


def hard_sigmoid(x: Any) -> Any:
    """``clip(0.2 x + 0.5, 0, 1)``."""
    return math.clip_by_value(0.2 * convert_to_tensor(x) + 0.5, 0.0, 1.0)


def l2_normalize(x: Any, axis: Any = None) -> Any:
    """Vectors of length 1."""
    return nn.l2_normalize(x, axis)


def in_top_k(predictions: Any, targets: Any, k: int) -> Any:
    """Whether targets are among the k largest."""
    return lookup("nn", "in_top_k")(predictions, targets, k)


def dropout(x: Any, level: Any, noise_shape: Any = None, seed: int | None = None) -> Any:
    """A share of the elements 0, the others larger."""
    return nn.dropout(x, rate=level, noise_shape=noise_shape, seed=seed)


def bias_add(x: Any, bias: Any, data_format: str | None = None) -> Any:
    """A bias for each channel."""
    if (data_format or settings.image_data_format()) == "channels_first" and convert_to_tensor(
        x
    ).rank == 4:
        return nn.bias_add(x, bias, "NCHW")
    return nn.bias_add(x, bias)


def batch_normalization(
    x: Any, mean: Any, var: Any, beta: Any, gamma: Any, axis: int = -1, epsilon: float = 1e-3
) -> Any:
    """Normalised by given statistics."""
    return norm.batch_normalization(x, mean, var, beta, gamma, epsilon)


def categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """The cross entropy of probabilities (or logits) for one-hot targets."""
    t, y = convert_to_tensor(target), convert_to_tensor(output)
    if from_logits or y.node.op.name == "softmax":
        logits = y if from_logits else y.node.inputs[0]
        made(1)
        return nn.softmax_cross_entropy_with_logits_v2(labels=t, logits=logits)
    made(2)  # the bounds of probabilities
    y = y / reduce.reduce_sum(y, axis, True)
    y = math.clip_by_value(y, settings.epsilon(), 1.0 - settings.epsilon())
    return -reduce.reduce_sum(t * math.log(y), axis)


def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """The cross entropy of probabilities (or logits) for class numbers."""
    y = convert_to_tensor(output)
    t = math.cast(target, dtypes.int64)
    if y.rank is None and axis != -1:
        raise ValueError(
            f"Cannot compute sparse categorical crossentropy with `axis={axis}` on an output "
            "tensor with unknown rank"
        )
    if from_logits or y.node.op.name == "softmax":
        logits = y if from_logits else y.node.inputs[0]
        made(1)
    else:
        made(2)  # the bounds of probabilities
        logits = math.log(math.clip_by_value(y, settings.epsilon(), 1.0 - settings.epsilon()))
    if logits.rank is not None and axis % logits.rank != logits.rank - 1:
        rest = [a for a in builtins.range(logits.rank) if a != axis % logits.rank]
        logits = transposing.transpose(logits, [*rest, axis % logits.rank])
    if logits.rank is not None and (t.rank == logits.rank or t.rank is None):
        sizes = shapes.shape(logits)[:-1]
        made(3)  # both are reshaped in TF1
        t = shapes.reshape(t, sizes)
    return nn.sparse_softmax_cross_entropy_with_logits(labels=t, logits=logits)


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """The cross entropy of probabilities (or logits) of each being 1."""
    t, y = convert_to_tensor(target), convert_to_tensor(output)
    if from_logits or y.node.op.name == "sigmoid":
        logits = y if from_logits else y.node.inputs[0]
        made(1)
        return nn.sigmoid_cross_entropy_with_logits(labels=t, logits=logits)
    made(2)  # the bounds of probabilities
    e = settings.epsilon()
    y = math.clip_by_value(y, e, 1.0 - e)
    return -(t * math.log(y + e) + (1 - t) * math.log(1 - y + e))


def _layout(data_format: str | None, rank: int) -> str:
    space = "DHW"[3 - rank :] if rank > 1 else "W"
    first = (data_format or settings.image_data_format()) == "channels_first"
    return f"NC{space}" if first else f"N{space}C"


def _steps(n: Any, rank: int, layout: str) -> list[int]:
    each = [n] * rank if isinstance(n, int) else list(n)
    return [1, 1, *each] if layout.startswith("NC") else [1, *each, 1]


def conv2d(
    x: Any, kernel: Any, strides: Any = (1, 1), padding: str = "valid",
    data_format: str | None = None, dilation_rate: Any = (1, 1),
) -> Any:  # fmt: skip
    """A convolution of images."""
    layout = _layout(data_format, 2)
    return conv.conv2d(x, kernel, _steps(strides, 2, layout), padding.upper(), data_format=layout,
                       dilations=_steps(dilation_rate, 2, layout))  # fmt: skip


def conv1d(
    x: Any, kernel: Any, strides: int = 1, padding: str = "valid", data_format: str | None = None,
    dilation_rate: int = 1,
) -> Any:  # fmt: skip
    """A convolution of sequences."""
    return conv.conv1d(x, kernel, strides, padding.upper(), data_format=_layout(data_format, 1),
                       dilations=dilation_rate)  # fmt: skip


def pool2d(
    x: Any, pool_size: Any, strides: Any = (1, 1), padding: str = "valid",
    data_format: str | None = None, pool_mode: str = "max",
) -> Any:  # fmt: skip
    """The largest, or the mean, of each window."""
    layout = _layout(data_format, 2)
    f: Any = pooling.max_pool if pool_mode == "max" else pooling.avg_pool
    return f(x, _steps(pool_size, 2, layout), _steps(strides, 2, layout), padding.upper(), layout)


def random_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: int | None = None
) -> Any:
    """Normal random numbers."""
    return random.random_normal(shape, mean, stddev, dtype or settings.floatx(), seed)


def random_uniform(
    shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None,
    seed: int | None = None,
) -> Any:  # fmt: skip
    """Uniform random numbers."""
    return random.random_uniform(shape, minval, maxval, dtype or settings.floatx(), seed)


def random_binomial(shape: Any, p: float = 0.0, dtype: Any = None, seed: int | None = None) -> Any:
    """1 with probability `p`, else 0."""
    kind = dtype or settings.floatx()
    return math.cast(random.random_uniform(shape, dtype=kind, seed=seed) <= p, kind)


def truncated_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: int | None = None
) -> Any:
    """Normal random numbers within two standard deviations."""
    return random.truncated_normal(shape, mean, stddev, dtype or settings.floatx(), seed)


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """One of two, by a scalar or for each element."""
    c = convert_to_tensor(condition)
    if c.rank == 0:
        yes, no = (e if callable(e) else (lambda e=e: e)
                   for e in (then_expression, else_expression))  # fmt: skip
        return lookup("", "cond")(math.cast(c, "bool"), yes, no)
    a, b = (e() if callable(e) else e for e in (then_expression, else_expression))
    a = convert_to_tensor(a)
    c = math.cast(c, "bool")
    while c.rank is not None and a.rank is not None and c.rank < a.rank:
        c = shapes.expand_dims(c, -1)
    return math.select(c, a, b)


def print_tensor(x: Any, message: str = "") -> Any:
    """`x`, printed in the run."""
    return lookup("", "Print")(x, [x], message)


def rnn(
    step_function: Callable[..., Any], inputs: Any, initial_states: Any, go_backwards: bool = False,
    mask: Any = None, constants: Any = None, unroll: bool = False, input_length: Any = None,
    time_major: bool = False, zero_output_for_mask: bool = False,
) -> Any:  # fmt: skip
    """A step for each moment of `inputs`, states going on from one to the next.

    Parameters
    ----------
    step_function : callable
        ``(input, states) -> (output, new states)``.
    mask : tensor of bool, optional
        Moments that are left out: outputs and states stay as they were.

    Returns
    -------
    last output, outputs, list of last states
    """
    x = convert_to_tensor(inputs)
    assert x.rank is not None
    if not time_major:
        x = transposing.transpose(x, [1, 0, *range(2, x.rank)])
    flags = None
    if mask is not None:
        m = math.cast(mask, "bool")
        flags = m if time_major else transposing.transpose(m, [1, 0])
    if go_backwards:
        x = arrays.reverse(x, [0])
        flags = None if flags is None else arrays.reverse(flags, [0])
    begin = list(initial_states)
    more = list(constants or ())
    first, _ = step_function(x[0], [*begin, *more])
    zero = fills.zeros_like(first)

    def step(carried: Any, element: Any) -> Any:
        before, states = carried[0], list(carried[1:])
        row = element[0] if flags is not None else element
        y, new = step_function(row, [*states, *more])
        new = list(new)
        if flags is not None:
            keep = element[1]
            y = _where(keep, y, fills.zeros_like(y) if zero_output_for_mask else before)
            new = [_where(keep, n, s) for n, s in zip(new, states, strict=True)]
        return (y, *new)

    elems = x if flags is None else (x, flags)
    outs = functional.scan(step, elems, (zero, *begin))
    ys, states = outs[0], [s[-1] for s in outs[1:]]
    last = ys[-1]
    if not time_major:
        assert ys.rank is not None
        ys = transposing.transpose(ys, [1, 0, *range(2, ys.rank)])
    return last, ys, states


def _where(keep: Any, a: Any, b: Any) -> Any:
    flag = keep
    while flag.rank < a.rank:
        flag = shapes.expand_dims(flag, -1)
    return math.select(flag, a, b)
