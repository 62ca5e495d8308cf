"""What a layer remembers of its calls, and asks of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from graphc.face.current import name_scope
from graphc.ir.dtypes import DType
from graphc.layers.spec import flat_values

__all__ = ["Call", "Remembering", "described", "own_config", "tuple_shape"]


class Call(NamedTuple):
    """One call of a layer: TF1's node between layers.

    Attributes
    ----------
    inbound_layer, outbound_layer : Layer
        The layer that was called.
    input_tensors, output_tensors : nest of Tensor
    """

    outbound_layer: Any
    input_tensors: Any
    output_tensors: Any
    input_mask: Any = None
    output_mask: Any = None


def tuple_shape(x: Any) -> Any:
    """The static shape of a tensor as a tuple; of several, a list of them."""
    flat = flat_values(x)
    if len(flat) == 1:
        shape = flat[0].shape  # type: ignore[attr-defined]
        return None if shape.ndims is None else tuple(shape.as_list())
    return [tuple_shape(v) for v in flat]


def described(x: Any) -> Any:
    """Plain data that says what an argument of a layer is."""
    if isinstance(x, list | tuple):
        return type(x)([described(v) for v in x])
    if isinstance(x, np.ndarray):
        return x.tolist()
    if isinstance(x, np.generic):
        return x.item()
    if isinstance(x, DType):
        return x.name
    if hasattr(x, "get_config"):
        kind, config = type(x).__name__, x.get_config()
        return {"class_name": kind, "config": config}
    name = getattr(x, "__name__", None) or getattr(x, "name", None)
    return x if not callable(x) else {"<lambda>": "linear"}.get(str(name), name)


def own_config(layer: Any) -> dict[str, Any]:
    """The arguments of the first of `layer`'s classes that is graphc's, as far as it keeps them."""
    own: Any = next(c for c in type(layer).__mro__ if c.__module__.startswith("graphc."))
    names = [
        p.name for p in inspect.signature(own.__init__).parameters.values()
        if p.kind is p.POSITIONAL_OR_KEYWORD and p.name not in ("self", "name", "trainable")
    ]  # fmt: skip
    kept = {n: getattr(layer, n) for n in names if n != "dtype" and hasattr(layer, n)}
    return {n: "linear" if n == "activation" and v is None else described(v)
            for n, v in kept.items()}  # fmt: skip


class Remembering:
    """The part of a layer that answers for its calls."""

    _calls: list[Call]
    _outbound: list[Call]
    name: Any

    def _only_call(self, what: str, field: str) -> Any:
        if not self._calls:
            kind = f"no {what} to return." if "shape" not in what else ""
            if kind:
                raise AttributeError(f"Layer {self.name} is not connected, {kind}")
            raise AttributeError(
                f"The layer has never been called and thus has no defined {what.replace('_', ' ')}."
            )
        if len(self._calls) > 1 and "shape" not in what:
            raise AttributeError(
                f"Layer {self.name} has multiple inbound nodes, hence the notion of "
                f'"layer {what}" is ill-defined. Use `get_{what}_at(node_index)` instead.'
            )
        return getattr(self._calls[0], field)

    @property
    def inbound_nodes(self) -> list[Call]:
        """Its calls."""
        return list(self._calls)

    @property
    def outbound_nodes(self) -> list[Call]:
        """Calls of other layers that read what it computed."""
        return list(self._outbound)

    @property
    def input(self) -> Any:
        return self._only_call("input", "input_tensors")

    @property
    def output(self) -> Any:
        return self._only_call("output", "output_tensors")

    @property
    def input_mask(self) -> Any:
        return self._only_call("input_mask", "input_mask")

    @property
    def output_mask(self) -> Any:
        return self._only_call("output_mask", "output_mask")

    @property
    def input_shape(self) -> Any:
        return tuple_shape(self._only_call("input_shape", "input_tensors"))

    @property
    def output_shape(self) -> Any:
        return tuple_shape(self._only_call("output_shape", "output_tensors"))

    def _call_at(self, index: int, field: str) -> Any:
        if not self._calls:
            raise RuntimeError(
                "The layer has never been called and thus has no defined input and output."
            )
        if not 0 <= index < len(self._calls):
            raise ValueError(
                f"Asked to get call {index}, but the layer has only {len(self._calls)} inbound "
                "nodes."
            )
        return getattr(self._calls[index], field)

    def get_input_at(self, node_index: int) -> Any:
        """The input of one of its calls."""
        return self._call_at(node_index, "input_tensors")

    def get_output_at(self, node_index: int) -> Any:
        """The output of one of its calls."""
        return self._call_at(node_index, "output_tensors")

    def get_input_mask_at(self, node_index: int) -> Any:
        """The mask of the input of one of its calls."""
        return self._call_at(node_index, "input_mask")

    def get_output_mask_at(self, node_index: int) -> Any:
        """The mask of the output of one of its calls."""
        return self._call_at(node_index, "output_mask")

    def get_input_shape_at(self, node_index: int) -> Any:
        """The shape of the input of one of its calls."""
        return tuple_shape(self._call_at(node_index, "input_tensors"))

    def get_output_shape_at(self, node_index: int) -> Any:
        """The shape of the output of one of its calls."""
        return tuple_shape(self._call_at(node_index, "output_tensors"))

    # ---- layers inside, and their names

    @property
    def submodules(self) -> tuple[Any, ...]:
        """Layers that are attributes of this one, and theirs, each once."""
        found: dict[int, Any] = {}
        stack = [v for _, v in sorted(vars(self).items(), key=lambda kv: kv[0])]
        while stack:
            x = stack.pop(0)
            if isinstance(x, Remembering):
                if x is not self and id(x) not in found:
                    found[id(x)] = x
                    stack += [v for _, v in sorted(vars(x).items(), key=lambda kv: kv[0])]
            elif type(x) in (list, tuple):
                stack += x
            elif type(x) is dict:
                stack += x.values()
        return tuple(found.values())

    @classmethod
    def with_name_scope(cls, method: Callable[..., Any]) -> Callable[..., Any]:
        """A method that records below the name of its object."""

        @functools.wraps(method)
        def scoped(self: Any, *args: Any, **kwargs: Any) -> Any:
            with name_scope(self.name_scope):
                return method(self, *args, **kwargs)

        return scoped
