"""Functions of TensorFlow's insides (``tensorflow.python…``) that libraries import.

`graphc.face.inside_names` says under which names.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.face.convert import convert_to_tensor
from graphc.face.current import name_scope
from graphc.face.gradients import custom_gradient
from graphc.face.graph import get_default_graph
from graphc.ir import dtypes

__all__ = [
    "Defun",
    "alias_inplace_add",
    "alias_inplace_update",
    "channel_dimension",
    "constant_flag",
    "conv_input_length",
    "conv_output_length",
    "convert_data_format",
    "deconv_output_length",
    "enabled",
    "function_arguments",
    "in_xla",
    "no_context",
    "normalize_data_format",
    "normalize_padding",
    "normalize_tuple",
    "nothing_removed",
    "prevent_gradient",
    "remove_squeezable_dimensions",
    "squeezed_for_metrics",
    "strip_name_scope",
    "uid",
    "with_gradient",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """The types of references: ``float32_ref``."""
    if name.endswith("_ref"):
        return dtypes.as_dtype(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# ------------------------------------------------------------------- sizes of convolutions


def convert_data_format(data_format: str, ndim: int) -> str:
    """``channels_last`` or ``channels_first`` as the letters of the axes."""
    letters = {3: "W", 4: "HW", 5: "DHW"}.get(ndim)
    if letters is None:
        raise ValueError("Input rank not supported:", ndim)
    if data_format == "channels_last":
        return f"N{letters}C"
    if data_format == "channels_first":
        return f"NC{letters}"
    raise ValueError("Invalid data_format:", data_format)


def normalize_tuple(value: Any, n: int, name: str) -> tuple[int, ...]:
    """`n` whole numbers: `value` repeated, or the numbers in it."""
    if isinstance(value, int | np.integer):
        return (int(value),) * n
    try:
        sizes = tuple(value)
        if len(sizes) == n and all(int(v) == v for v in sizes):
            return sizes
    except (TypeError, ValueError):
        pass
    raise ValueError(f"The `{name}` argument must be a tuple of {n} integers. Received: {value}")


def normalize_data_format(value: str) -> str:
    """The format in small letters, one of the two."""
    word = value.lower()
    if word not in ("channels_first", "channels_last"):
        raise ValueError(
            'The `data_format` argument must be one of "channels_first", "channels_last". '
            f"Received: {value}"
        )
    return word


def normalize_padding(value: str) -> str:
    """The padding in small letters, one of the two."""
    word = value.lower()
    if word not in ("valid", "same"):
        raise ValueError(f'The `padding` argument must be one of "valid", "same". Received: {word}')
    return word


def conv_output_length(
    input_length: int | None, filter_size: int, padding: str, stride: int, dilation: int = 1
) -> int | None:
    """How long a convolution's result is."""
    if input_length is None:
        return None
    reach = filter_size + (filter_size - 1) * (dilation - 1)
    length = {
        "same": input_length, "valid": input_length - reach + 1, "full": input_length + reach - 1,
    }[padding]  # fmt: skip
    return (length + stride - 1) // stride


def conv_input_length(
    output_length: int | None, filter_size: int, padding: str, stride: int
) -> int | None:
    """How long a convolution's operand was."""
    if output_length is None:
        return None
    pad = {"same": filter_size // 2, "valid": 0, "full": filter_size - 1}[padding]
    return (output_length - 1) * stride - 2 * pad + filter_size


def deconv_output_length(
    input_length: int | None, filter_size: int, padding: str, stride: int
) -> int | None:
    """How long a transposed convolution's result is."""
    if input_length is None:
        return None
    more = {"valid": max(filter_size - stride, 0), "full": -(stride + filter_size - 2)}
    return input_length * stride + more.get(padding, 0)


def channel_dimension(shape: Any, data_format: str, min_rank: int = 1) -> Any:
    """The size of a shape's axis of channels.

    Raises
    ------
    ValueError
        When the rank is too small or not known.
    """
    if shape.ndims is None:
        raise ValueError("dims of shape must be known but is None")
    if shape.ndims < min_rank:
        raise ValueError(f"rank of shape must be at least {min_rank} not: {shape.ndims}")
    return shape[1 if data_format == "NCHW" else -1].value


# ------------------------------------------------------------------- gradients


def with_gradient(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What `f` gives as a function with a gradient of its own (`custom_gradient`), for `args`."""
    return custom_gradient(f)(*args, **kwargs)


# ------------------------------------------------------------------- flags


def constant_flag(pred: Any) -> bool | None:
    """Whether `pred` holds, or None where only a run tells."""
    from graphc.face.more import constant_value

    if isinstance(pred, bool):
        return pred
    if isinstance(pred, int | np.integer | np.bool_):
        if pred not in (0, 1):
            raise TypeError(
                f"`pred` must be a Tensor, or a Python bool, or 1 or 0. Found instead: {type(pred)}"
            )
        return bool(pred)
    if not hasattr(pred, "op"):
        raise TypeError(
            f"`pred` must be a Tensor, or a Python bool, or 1 or 0. Found instead: {type(pred)}"
        )
    value = constant_value(pred)
    return None if value is None else bool(value)


def in_xla(graph_or_op: Any) -> bool:
    """Whether something is compiled by XLA: nothing is."""
    return False


def no_context(ctxt: Any) -> None:
    """The context of XLA around another one: there is none."""


def enabled() -> bool:
    """Whether this is TensorFlow 2, or has its control flow or strategies: no."""
    return False


# ------------------------------------------------------------------- tensors


def remove_squeezable_dimensions(
    labels: Any, predictions: Any, expected_rank_diff: int = 0, name: str | None = None
) -> tuple[Any, Any]:
    """The two without a last axis of size 1 where one has an axis more than it should."""
    from graphc.losses.weighting import squeezed

    with name_scope(name, "remove_squeezable_dimensions", [labels, predictions]):
        return squeezed(labels, predictions, expected_rank_diff)


def squeezed_for_metrics(predictions: Any, labels: Any, weights: Any) -> tuple[Any, Any, Any]:
    """The three without last axes of size 1 that the others do not have."""
    from graphc.losses.weighting import squeezed_with_weights

    labels, predictions, weights = squeezed_with_weights(labels, predictions, weights)
    return predictions, labels, weights


def prevent_gradient(input: Any, message: str = "", name: str | None = None) -> Any:
    """`input`; asking for a gradient through it is an error.

    Raises
    ------
    LookupError
        When gradients are computed.
    """

    def refuse(dy: Any) -> Any:
        raise LookupError(
            f"Gradient explicitly disabled. Reason: {message!r}" if message
            else "Gradient explicitly disabled."
        )  # fmt: skip

    @custom_gradient
    def same(x: Any) -> Any:
        from graphc.ops import state

        return state.identity(x, name=name), refuse

    return same(input)


def alias_inplace_update(x: Any, i: Any, v: Any) -> Any:
    """`x` with the rows `i` replaced by `v`; a tensor of its own here."""
    return _rows(x, i, v, lambda old, new: new)


def alias_inplace_add(x: Any, i: Any, v: Any) -> Any:
    """`x` with `v` added to the rows `i`; a tensor of its own here."""
    return _rows(x, i, v, lambda old, new: old + new)


def _rows(x: Any, i: Any, v: Any, change: Callable[[Any, Any], Any]) -> Any:
    from graphc.ops import arrays, scatter, shapes

    x = convert_to_tensor(x)
    v = convert_to_tensor(v, x.dtype)
    i = convert_to_tensor(i, dtypes.int32)
    if i.rank == 0:
        i, v = shapes.expand_dims(i, 0), shapes.expand_dims(v, 0)
    return scatter.tensor_scatter_update(
        x, shapes.expand_dims(i, 1), change(arrays.gather(x, i), v)
    )


# ------------------------------------------------------------------- names and modules


def strip_name_scope(name: str, export_scope: str | None) -> str:
    """A name without the scope it begins with, also behind ``^`` and ``loc:@``."""
    if not export_scope:
        return name
    for mark in ("^", "loc:@", ""):
        before = f"{mark}{export_scope.rstrip('/')}/"
        if name.startswith(before):
            return mark + name[len(before) :]
    return name


_count = 0


def uid() -> int:
    """A number that no earlier call gave."""
    global _count
    _count += 1
    return _count


def nothing_removed(*args: Any, **kwargs: Any) -> None:
    """Modules here have no names to hide."""


def function_arguments(fn: Any) -> tuple[str, ...]:
    """The names of a function's arguments, those that are bound left out."""
    import inspect

    if isinstance(fn, functools.partial):
        bound = set(fn.keywords or ())
        return tuple([a for a in function_arguments(fn.func)[len(fn.args) :] if a not in bound])
    if inspect.isclass(fn):
        return function_arguments(fn.__init__)[1:]
    if not inspect.isroutine(fn) and callable(fn):
        fn = fn.__call__
    names = inspect.getfullargspec(fn)
    found = tuple([*names.args, *names.kwonlyargs])
    return found[1:] if inspect.ismethod(fn) else found


# ------------------------------------------------------------------- functions


class Defun:
    """Decorator: a function of tensors, with a gradient of its own if it says so.

    A call records what the function does, so its body is not shared between calls; that is for the
    compiler to see. Variables are made in the scope of the first call and found again by others.

    Parameters
    ----------
    *input_types : dtypes
        Of the operands; without them they are what is given.
    python_grad_func : function, optional
        ``python_grad_func(op, *dys)`` gives the gradients of the operands.
    grad_func : Defun, optional
        A function of the operands and the gradients of the results, for the same.
    shape_func, func_name, out_names, noinline
        Make no difference.
    """

    def __init__(self, *input_types: Any, **kwargs: Any) -> None:
        self._types = [dtypes.as_dtype(t) for t in input_types]
        self._options = kwargs

    def __call__(self, func: Callable[..., Any]) -> Any:
        return _Defined(func, self._types, **self._options)


class _Defined:
    """A function under `Defun`."""

    def __init__(
        self, func: Callable[..., Any], types: Sequence[Any], func_name: str | None = None,
        grad_func: Any = None, python_grad_func: Any = None, out_names: Any = None,
        shape_func: Any = None, **attributes: Any,
    ) -> None:  # fmt: skip
        functools.update_wrapper(self, func)
        self._func, self._types = func, types
        self._grad, self._python_grad = grad_func, python_grad_func
        self.name = func_name or getattr(func, "__name__", "function")
        self._scopes: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()

    def __call__(self, *args: Any, name: str | None = None) -> Any:
        if self._types and len(args) != len(self._types):
            raise ValueError(
                f"Expected number of arguments: {len(self._types)}, received: {len(args)}"
            )
        types = self._types or [None] * len(args)
        operands = [convert_to_tensor(a, t) for a, t in zip(args, types, strict=True)]
        with name_scope(name, self.name, operands):
            if self._grad is None and self._python_grad is None:
                return self._record(*operands)
            return custom_gradient(self._with_gradient)(*operands)

    def _record(self, *operands: Any) -> Any:
        from graphc.face.scopes import get_variable_scope, variable_scope

        graph = get_default_graph()
        first = graph not in self._scopes
        scope = self._scopes.setdefault(graph, get_variable_scope())
        with variable_scope(scope, reuse=None if first else True, auxiliary_name_scope=False):
            found = self._func(*operands)
        if isinstance(found, list | tuple):
            made = [convert_to_tensor(y) for y in found]
            return made[0] if len(made) == 1 else tuple(made)
        return None if found is None else convert_to_tensor(found)

    def _with_gradient(self, *operands: Any) -> Any:
        results = self._record(*operands)

        def gradient(*dys: Any) -> Any:
            if self._python_grad is not None:
                return self._python_grad(_Call(operands, results), *dys)
            return self._grad(*operands, *dys)

        return results, gradient


class _Call:
    """What a gradient function sees of a call: its operands and results."""

    def __init__(self, operands: Any, results: Any) -> None:
        self.inputs = list(operands)
        self.outputs = list(results) if isinstance(results, tuple) else [results]
