"""`Bijector`: a differentiable function with its inverse, and functions of bijectors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from graphc.face.current import name_scope
from graphc.face.shape import TensorShape, as_shape
from graphc.ir import dtypes
from graphc.ops import fills, reduce, shapes
from graphc.ops.convert import convert_to_tensor

__all__ = ["Bijector", "Chain", "ConditionalBijector", "Identity", "Inline", "Invert"]


class Bijector:
    """A function that is applied to samples, its inverse, and the determinants of its derivative.

    Subclasses define ``_forward``, ``_inverse`` and ``_forward_log_det_jacobian`` or
    ``_inverse_log_det_jacobian``; where the shape of an event changes, ``_forward_event_shape`` and
    ``_inverse_event_shape`` too.

    Parameters
    ----------
    graph_parents : list of tensors, optional
    is_constant_jacobian, validate_args : bool
    dtype : DType, optional
    forward_min_event_ndims, inverse_min_event_ndims : int
        How many axes an input and an output of the function have at least. One is enough where
        both are the same.
    name : str, optional
    """

    _is_injective = True

    def __init__(
        self, graph_parents: Any = None, is_constant_jacobian: bool = False,
        validate_args: bool = False, dtype: Any = None, forward_min_event_ndims: int | None = None,
        inverse_min_event_ndims: int | None = None, name: str | None = None,
    ) -> None:  # fmt: skip
        if forward_min_event_ndims is None and inverse_min_event_ndims is None:
            raise ValueError(
                "Must specify at least one of `forward_min_event_ndims` and "
                "`inverse_min_event_ndims`."
            )
        for n in (forward_min_event_ndims, inverse_min_event_ndims):
            if n is not None and not isinstance(n, int):
                raise TypeError(f"Expected an int, got {type(n)}")
            if n is not None and n < 0:
                raise ValueError(f"{n} must be a non-negative integer.")
        self._graph_parents = list(graph_parents or ())
        self._is_constant_jacobian = is_constant_jacobian
        self._validate_args = validate_args
        self._dtype = dtype
        first, second = forward_min_event_ndims, inverse_min_event_ndims
        self._forward_min: Any = second if first is None else first
        self._inverse_min: Any = first if second is None else second
        self._name = name or _snake(type(self).__name__)
        self._of_output: dict[Any, Any] = {}

    # ---- what it is

    @property
    def graph_parents(self) -> list[Any]:
        return self._graph_parents

    @property
    def forward_min_event_ndims(self) -> Any:
        return self._forward_min

    @property
    def inverse_min_event_ndims(self) -> Any:
        return self._inverse_min

    @property
    def is_constant_jacobian(self) -> bool:
        return self._is_constant_jacobian

    @property
    def validate_args(self) -> bool:
        return self._validate_args

    @property
    def dtype(self) -> Any:
        return self._dtype

    @property
    def name(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name!r}>"

    @contextlib.contextmanager
    def _scope(self, name: str | None) -> Iterator[None]:
        with name_scope(self._name), name_scope(name):
            yield

    # ---- shapes

    def forward_event_shape(self, input_shape: Any) -> TensorShape:
        """The shape of an output for an input of that shape."""
        return as_shape(self._forward_event_shape(as_shape(input_shape)))

    def inverse_event_shape(self, output_shape: Any) -> TensorShape:
        """The shape of an input for an output of that shape."""
        return as_shape(self._inverse_event_shape(as_shape(output_shape)))

    def forward_event_shape_tensor(
        self, input_shape: Any, name: str = "forward_event_shape_tensor"
    ) -> Any:
        """`forward_event_shape` of a tensor of sizes."""
        with self._scope(name):
            shape = convert_to_tensor(input_shape, dtypes.int32)
            return self._forward_event_shape_tensor(shape)

    def inverse_event_shape_tensor(
        self, output_shape: Any, name: str = "inverse_event_shape_tensor"
    ) -> Any:
        """`inverse_event_shape` of a tensor of sizes."""
        with self._scope(name):
            shape = convert_to_tensor(output_shape, dtypes.int32)
            return self._inverse_event_shape_tensor(shape)

    def _forward_event_shape(self, shape: Any) -> Any:
        return shape

    def _inverse_event_shape(self, shape: Any) -> Any:
        return shape

    def _forward_event_shape_tensor(self, shape: Any) -> Any:
        return shape

    def _inverse_event_shape_tensor(self, shape: Any) -> Any:
        return shape

    # ---- the function

    def _tensor(self, x: Any) -> Any:
        v = convert_to_tensor(x)
        if self._dtype is not None and v.dtype is not self._dtype:
            raise TypeError(f"Input had dtype {v.dtype} but expected {self._dtype}.")
        return v

    def _forward(self, x: Any) -> Any:
        raise NotImplementedError("forward not implemented.")

    def _inverse(self, y: Any) -> Any:
        raise NotImplementedError("inverse not implemented")

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        raise NotImplementedError("forward_log_det_jacobian not implemented.")

    def _inverse_log_det_jacobian(self, y: Any) -> Any:
        raise NotImplementedError("inverse_log_det_jacobian not implemented.")

    def forward(self, x: Any, name: str = "forward", **kwargs: Any) -> Any:
        """The function of `x`."""
        with self._scope(name):
            x = self._tensor(x)
            y = self._forward(x, **kwargs)
            if self._is_injective:
                self._of_output[y] = x
            return y

    def inverse(self, y: Any, name: str = "inverse", **kwargs: Any) -> Any:
        """The x whose function is `y`; a tuple of them where there are several."""
        with self._scope(name):
            y = self._tensor(y)
            known = self._of_output.get(y)
            return self._inverse(y, **kwargs) if known is None else known

    def forward_log_det_jacobian(
        self, x: Any, event_ndims: Any, name: str = "forward_log_det_jacobian", **kwargs: Any
    ) -> Any:
        """The logarithm of the absolute determinant of the derivative at `x`.

        Parameters
        ----------
        event_ndims : int
            How many axes of `x` are one event.
        """
        if not self._is_injective:
            raise NotImplementedError(
                "forward_log_det_jacobian cannot be implemented for non-injective transforms."
            )
        with self._scope(name):
            x = self._tensor(x)
            n = _events(event_ndims, self._forward_min)
            if _has(self, "_forward_log_det_jacobian"):
                return _summed(x, self._forward_log_det_jacobian(x, **kwargs), self._forward_min, n)
            y = self.forward(x, **kwargs)
            ldj = self._inverse_log_det_jacobian(y, **kwargs)
            return -_summed(x, ldj, self._forward_min, n)

    def inverse_log_det_jacobian(
        self, y: Any, event_ndims: Any, name: str = "inverse_log_det_jacobian", **kwargs: Any
    ) -> Any:
        """The logarithm of the absolute determinant of the inverse's derivative at `y`."""
        with self._scope(name):
            y = self._tensor(y)
            n = _events(event_ndims, self._inverse_min)
            if not self._is_injective:
                parts = self._inverse_log_det_jacobian(y, **kwargs)
                return tuple(_summed(y, part, self._inverse_min, n) for part in parts)
            if _has(self, "_inverse_log_det_jacobian"):
                return _summed(y, self._inverse_log_det_jacobian(y, **kwargs), self._inverse_min, n)
            x = self.inverse(y, **kwargs)
            ldj = self._forward_log_det_jacobian(x, **kwargs)
            return -_summed(y, ldj, self._inverse_min, n)


class ConditionalBijector(Bijector):
    """A bijector whose functions take more keyword arguments."""


def _snake(name: str) -> str:
    from graphc.layers.base import snake_case

    return snake_case(name)


def _has(b: Bijector, method: str) -> bool:
    return getattr(type(b), method) is not getattr(Bijector, method)


def _events(given: Any, least: Any) -> int:
    from graphc.face.more import constant_value

    n = given if isinstance(given, int) else constant_value(convert_to_tensor(given))
    if n is None:
        raise ValueError("event_ndims must be known when the graph is made")
    if int(n) < least:
        raise ValueError(f"event_ndims ({n}) must be larger than min_event_ndims ({least})")
    return int(n)


def _summed(x: Any, ldj: Any, least: int, events: int) -> Any:
    """The sum over the axes of an event that the function treats one by one."""
    ldj = convert_to_tensor(ldj)
    if events == least:
        return ldj
    rank = x.shape.ndims
    if rank is None:
        raise ValueError("the rank of the argument must be known")
    known = x.shape[rank - events : rank - least]
    size = (
        known.as_list() if known.is_fully_defined()
        else shapes.shape(x)[rank - events : rank - least]
    )  # fmt: skip
    return reduce.reduce_sum(
        fills.ones(size, ldj.dtype) * ldj, axis=[-i for i in range(1, events - least + 1)]
    )


class Identity(Bijector):
    """The function that changes nothing."""

    def __init__(self, validate_args: bool = False, name: str = "identity") -> None:
        super().__init__(
            is_constant_jacobian=True, validate_args=validate_args, forward_min_event_ndims=0,
            name=name,
        )  # fmt: skip

    def _forward(self, x: Any) -> Any:
        return x

    def _inverse(self, y: Any) -> Any:
        return y

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        return convert_to_tensor(0.0, x.dtype)


class Inline(Bijector):
    """A bijector of given functions."""

    def __init__(
        self, forward_fn: Callable[..., Any] | None = None,
        inverse_fn: Callable[..., Any] | None = None,
        inverse_log_det_jacobian_fn: Callable[..., Any] | None = None,
        forward_log_det_jacobian_fn: Callable[..., Any] | None = None,
        forward_event_shape_fn: Callable[..., Any] | None = None,
        forward_event_shape_tensor_fn: Callable[..., Any] | None = None,
        inverse_event_shape_fn: Callable[..., Any] | None = None,
        inverse_event_shape_tensor_fn: Callable[..., Any] | None = None,
        is_constant_jacobian: bool = False, validate_args: bool = False,
        forward_min_event_ndims: int | None = None, inverse_min_event_ndims: int | None = None,
        name: str = "inline",
    ) -> None:  # fmt: skip
        super().__init__(
            None, is_constant_jacobian, validate_args, None, forward_min_event_ndims,
            inverse_min_event_ndims, name,
        )  # fmt: skip
        self._given = {
            "forward": forward_fn, "inverse": inverse_fn,
            "inverse_log_det_jacobian": inverse_log_det_jacobian_fn,
            "forward_log_det_jacobian": forward_log_det_jacobian_fn,
            "forward_event_shape": forward_event_shape_fn or (lambda s: s),
            "forward_event_shape_tensor": forward_event_shape_tensor_fn or (lambda s: s),
            "inverse_event_shape": inverse_event_shape_fn or (lambda s: s),
            "inverse_event_shape_tensor": inverse_event_shape_tensor_fn or (lambda s: s),
        }  # fmt: skip

    def _use(self, word: str, x: Any, **kwargs: Any) -> Any:
        f = self._given[word]
        if f is None:
            raise NotImplementedError(f"Cannot call `{word}`: no function `{word}_fn` was given.")
        return f(x, **kwargs)

    def _forward(self, x: Any, **kwargs: Any) -> Any:
        return self._use("forward", x, **kwargs)

    def _inverse(self, y: Any, **kwargs: Any) -> Any:
        return self._use("inverse", y, **kwargs)

    def _forward_log_det_jacobian(self, x: Any, **kwargs: Any) -> Any:
        if self._given["forward_log_det_jacobian"] is None:
            return -self._use("inverse_log_det_jacobian", self.forward(x), **kwargs)
        return self._use("forward_log_det_jacobian", x, **kwargs)

    def _inverse_log_det_jacobian(self, y: Any, **kwargs: Any) -> Any:
        if self._given["inverse_log_det_jacobian"] is None:
            return -self._use("forward_log_det_jacobian", self.inverse(y), **kwargs)
        return self._use("inverse_log_det_jacobian", y, **kwargs)

    def _forward_event_shape(self, shape: Any) -> Any:
        return self._use("forward_event_shape", shape)

    def _inverse_event_shape(self, shape: Any) -> Any:
        return self._use("inverse_event_shape", shape)

    def _forward_event_shape_tensor(self, shape: Any) -> Any:
        return self._use("forward_event_shape_tensor", shape)

    def _inverse_event_shape_tensor(self, shape: Any) -> Any:
        return self._use("inverse_event_shape_tensor", shape)


class Invert(Bijector):
    """Another bijector the other way round."""

    def __init__(
        self, bijector: Bijector, validate_args: bool = False, name: str | None = None
    ) -> None:
        if not bijector._is_injective:
            raise NotImplementedError("Invert is not implemented for non-injective bijectors.")
        self._bijector = bijector
        super().__init__(
            bijector.graph_parents, bijector.is_constant_jacobian, validate_args, bijector.dtype,
            bijector.inverse_min_event_ndims, bijector.forward_min_event_ndims,
            name or "_".join(["invert", bijector.name]),
        )  # fmt: skip

    @property
    def bijector(self) -> Bijector:
        return self._bijector

    def _forward(self, x: Any, **kwargs: Any) -> Any:
        return self._bijector.inverse(x, **kwargs)

    def _inverse(self, y: Any, **kwargs: Any) -> Any:
        return self._bijector.forward(y, **kwargs)

    def _forward_log_det_jacobian(self, x: Any, **kwargs: Any) -> Any:
        n = self._bijector.inverse_min_event_ndims
        return self._bijector.inverse_log_det_jacobian(x, n, **kwargs)

    def _inverse_log_det_jacobian(self, y: Any, **kwargs: Any) -> Any:
        n = self._bijector.forward_min_event_ndims
        return self._bijector.forward_log_det_jacobian(y, n, **kwargs)

    def _forward_event_shape(self, shape: Any) -> Any:
        return self._bijector.inverse_event_shape(shape)

    def _inverse_event_shape(self, shape: Any) -> Any:
        return self._bijector.forward_event_shape(shape)

    def _forward_event_shape_tensor(self, shape: Any) -> Any:
        return self._bijector.inverse_event_shape_tensor(shape)

    def _inverse_event_shape_tensor(self, shape: Any) -> Any:
        return self._bijector.forward_event_shape_tensor(shape)


class Chain(Bijector):
    """Several bijectors, of which the last is applied first."""

    def __init__(
        self, bijectors: Sequence[Bijector] | None = None, validate_args: bool = False,
        name: str | None = None,
    ) -> None:  # fmt: skip
        self._bijectors = list(bijectors or ())
        for b in self._bijectors:
            if not b._is_injective:
                raise NotImplementedError(f"Invert is not implemented for non-injective {b.name}")
        kinds = {b.dtype for b in self._bijectors if b.dtype is not None}
        if len(kinds) > 1:
            raise ValueError(f"incompatible dtypes: {sorted(d.name for d in kinds)}")
        forward, change = 0, 0
        for b in reversed(self._bijectors):
            forward = max(forward, b.forward_min_event_ndims - change)
            change += b.inverse_min_event_ndims - b.forward_min_event_ndims
        joined = "_of_".join(b.name for b in self._bijectors)
        super().__init__(
            [p for b in self._bijectors for p in b.graph_parents],
            all(b.is_constant_jacobian for b in self._bijectors), validate_args,
            next(iter(kinds), None), forward, forward + change,
            name or ("chain_of_" + joined if joined else "identity"),
        )  # fmt: skip

    @property
    def bijectors(self) -> list[Bijector]:
        return self._bijectors

    def _forward(self, x: Any, **kwargs: Any) -> Any:
        for b in reversed(self._bijectors):
            x = b.forward(x, **kwargs.get(b.name, {}))
        return x

    def _inverse(self, y: Any, **kwargs: Any) -> Any:
        for b in self._bijectors:
            y = b.inverse(y, **kwargs.get(b.name, {}))
        return y

    def _forward_log_det_jacobian(self, x: Any, **kwargs: Any) -> Any:
        total, n = convert_to_tensor(0.0, x.dtype), self._forward_min
        for b in reversed(self._bijectors):
            more = kwargs.get(b.name, {})
            total = total + b.forward_log_det_jacobian(x, n, **more)
            n = n + b.inverse_min_event_ndims - b.forward_min_event_ndims
            x = b.forward(x, **more)
        return total

    def _inverse_log_det_jacobian(self, y: Any, **kwargs: Any) -> Any:
        total, n = convert_to_tensor(0.0, y.dtype), self._inverse_min
        for b in self._bijectors:
            more = kwargs.get(b.name, {})
            total = total + b.inverse_log_det_jacobian(y, n, **more)
            n = n + b.forward_min_event_ndims - b.inverse_min_event_ndims
            y = b.inverse(y, **more)
        return total

    def _forward_event_shape(self, shape: Any) -> Any:
        for b in reversed(self._bijectors):
            shape = b.forward_event_shape(shape)
        return shape

    def _inverse_event_shape(self, shape: Any) -> Any:
        for b in self._bijectors:
            shape = b.inverse_event_shape(shape)
        return shape

    def _forward_event_shape_tensor(self, shape: Any) -> Any:
        for b in reversed(self._bijectors):
            shape = b.forward_event_shape_tensor(shape)
        return shape

    def _inverse_event_shape_tensor(self, shape: Any) -> Any:
        for b in self._bijectors:
            shape = b.inverse_event_shape_tensor(shape)
        return shape
