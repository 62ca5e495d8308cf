"""Functions of the main namespace that few programs use."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from graphc.face import nest
from graphc.face.convert import is_tensor
from graphc.face.current import name_scope
from graphc.face.flow import case
from graphc.face.functional import map_fn
from graphc.face.gradients import _Custom, _with_gradient, custom_gradient
from graphc.face.graph import get_default_graph
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.known import known
from graphc.ir.node import Value
from graphc.ops import hashing, math, state
from graphc.ops.convert import convert_to_tensor
from graphc.ops.record import as_value, meaning, no_grad, op

__all__ = [
    "CriticalSection", "Module", "constant_value", "decode_compressed", "fingerprint", "function",
    "get_logger", "get_static_value", "grad_pass_through", "identity_n",
    "nondifferentiable_batch_function", "py_function", "recompute_grad", "reverse_v2",
    "switch_case", "timestamp", "vectorized_map", "where_v2",
    "wrap_function",
]  # fmt: skip


# ------------------------------------------------------------------------- values


def identity_n(input: Sequence[Any], name: str | None = None) -> list[Value]:
    """The tensors as they are, as outputs of one operation."""
    values = [as_value(x) for x in input]
    n = len(values)
    through = _Custom(lambda *dys: dys if n > 1 else dys[0], n, n, [])
    attrs = {"count": n, "_gradient": through}
    return list(build(_with_gradient, [*values, *values], attrs, name).outputs)


def where_v2(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Value:
    """`x` where the condition is true, else `y`, all broadcast; without them where it is true."""
    if x is None and y is None:
        return math.where(condition, name=name)
    if x is None or y is None:
        raise ValueError("x and y must both be non-None or both be None.")
    with name_scope(name, "SelectV2") as scope:
        a = as_value(x, y.dtype if isinstance(y, Value) and not isinstance(x, Value) else None)
        given = (as_value(condition, dtypes.bool_), a, as_value(y, a.dtype))
        return build(math.select, given, None, scope).outputs[0]


def reverse_v2(tensor: Any, axis: Any, name: str | None = None) -> Value:
    """The tensor with the elements along `axis` in reverse order."""
    from graphc.ops import arrays

    return arrays.reverse(tensor, axis, name)


#: Ops whose value TF1 says while the graph is built.
_STATIC = frozenset(
    "constant shape size rank range cast concat stack fill equal not_equal reshape sizes "
    "shape_n zeros ones pack".split()
)


def constant_value(tensor: Any, partial: bool = False) -> np.ndarray[Any, Any] | None:
    """The value of a tensor where it is known before the run, else None; no tensor is itself."""
    if not isinstance(tensor, Value):
        from graphc.face.inside_tensors import TensorLike

        return None if isinstance(tensor, TensorLike) or is_tensor(tensor) else tensor
    return _static_value(tensor)


get_static_value = constant_value


def _static_value(v: Value) -> np.ndarray[Any, Any] | None:
    n = v.node
    if n.op.name == "constant":
        return np.array(n.attrs["value"])
    found = known(v) if v.dtype.kind in "iu" else None
    if type(found) is int:
        return np.array(found, v.dtype.np)
    if isinstance(found, tuple) and all(type(x) is int for x in found):
        return np.array(found, v.dtype.np)
    if n.op.name not in _STATIC or n.op.numpy is None:
        return None
    inputs = [_static_value(x) for x in n.inputs]
    if any(x is None for x in inputs):
        return None
    types = [(o.dtype, o.static_shape) for o in n.outputs]
    return meaning(n.op, inputs, n.attrs, types)[n.outputs.index(v)]


timestamp_op = op(
    "timestamp", "Timestamp", "host", doc="Seconds since 1970.", types="f", stateful=True,
    numpy=lambda: np.array(time.time()), grad=no_grad,
    infer=lambda inputs, attrs: [(dtypes.float64, ())],
)  # fmt: skip


def timestamp(name: str | None = None) -> Value:
    """Seconds since 1970, when the run comes to it."""
    return build(timestamp_op, (), {}, name).outputs[0]


def _fingerprints(x: Any) -> np.ndarray[Any, Any]:
    rows = x.reshape(x.shape[0], -1) if x.ndim > 1 else x
    out = np.empty((x.shape[0], 8), np.uint8)
    for i, row in enumerate(rows):
        if x.dtype == object:
            each = [row] if x.ndim == 1 else list(row)
            hashes = [hashing.farm64(bytes(s)) for s in each]
            h = hashes[0] if len(hashes) == 1 else hashing.farm64(
                np.array(hashes, "<u8").tobytes()
            )  # fmt: skip
        else:
            h = hashing.farm64(np.ascontiguousarray(row).tobytes())
        out[i] = np.frombuffer(int(h).to_bytes(8, "little"), np.uint8)
    return out


fingerprint_op = op(
    "fingerprint", "Fingerprint", "host", args=("data",), types="fiubs", numpy=_fingerprints,
    doc="Farmhash of each row.", grad=no_grad,
    infer=lambda inputs, attrs: [
        (dtypes.uint8, None if inputs[0].static_shape is None else (inputs[0].static_shape[0], 8))
    ],
)  # fmt: skip


def fingerprint(data: Any, method: str = "farmhash64", name: str | None = None) -> Value:
    """Eight bytes for each row of `data`, which tell it from other rows."""
    if method != "farmhash64":
        raise ValueError(f"Unsupported fingerprint method: {method}")
    return build(fingerprint_op, (as_value(data),), {}, name).outputs[0]


def _unpacked(x: Any, *, kind: str) -> Any:
    import zlib  # here only

    bits = {"ZLIB": zlib.MAX_WBITS, "GZIP": zlib.MAX_WBITS | 16}.get(kind)
    out = np.empty(x.shape, object)
    for i, s in enumerate(x.flat):
        out.flat[i] = bytes(s) if bits is None else zlib.decompress(s, bits)
    return out


decompress_op = op(
    "decode_compressed", "DecodeCompressed", "host", args=("bytes",), types="s", numpy=_unpacked,
    doc="What compressed bytes say.", grad=no_grad,
    infer=lambda inputs, attrs: [(inputs[0].dtype, inputs[0].static_shape)],
)  # fmt: skip


def decode_compressed(bytes: Any, compression_type: str = "", name: str | None = None) -> Value:
    """The bytes that compressed strings hold; `compression_type` is "", "ZLIB" or "GZIP"."""
    if compression_type not in ("", "ZLIB", "GZIP"):
        raise ValueError(f"unknown compression_type {compression_type!r}")
    v = as_value(bytes, dtypes.string)
    return build(decompress_op, (v,), {"kind": compression_type}, name).outputs[0]


# ------------------------------------------------------------------------- functions


def switch_case(
    branch_index: Any, branch_fns: Any, default: Callable[[], Any] | None = None,
    name: str = "switch_case",
) -> Any:  # fmt: skip
    """What the function of that number gives; `default` (or the last) for any other number.

    Parameters
    ----------
    branch_fns : list of callable, list of (int, callable), or dict
    """
    pairs: list[tuple[int, Callable[[], Any]]]
    if isinstance(branch_fns, dict):
        pairs = sorted(branch_fns.items())
    elif all(callable(f) for f in branch_fns):
        pairs = list(enumerate(branch_fns))
    else:
        pairs = sorted(branch_fns)
    if not pairs:
        raise ValueError("branch_fns must not be empty")
    index = convert_to_tensor(branch_index, name="branch_index")
    with name_scope(name):
        last = default or pairs[-1][1]
        rest = pairs if default is not None else pairs[:-1]
        if not rest:
            return last()
        return case([(math.equal(index, i), f) for i, f in rest], default=last)


def grad_pass_through(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function with the values of `f` and the gradient of the identity."""

    @custom_gradient
    def passing(*args: Any, **kwargs: Any) -> Any:
        def grad(*dys: Any, variables: Any = None) -> Any:
            own = dys if len(args) > 1 else dys[0]
            return own if variables is None else (own, [None] * len(variables))

        return f(*args, **kwargs), grad

    return functools.wraps(f)(passing)


def recompute_grad(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f` as it is: what is kept for gradients is decided when a run is compiled."""
    return f


def py_function(func: Callable[..., Any], inp: Any, Tout: Any, name: str | None = None) -> Any:
    """Call a Python function of numpy arrays (TF1 hands it eager tensors)."""
    from graphc.ops.script import py_func

    return py_func(func, inp, Tout, True, name or "EagerPyFunc")


def vectorized_map(fn: Callable[..., Any], elems: Any) -> Any:
    """`fn` applied to each element along the first axis (see `map_fn`)."""
    flat = nest.flatten(elems)
    first = [convert_to_tensor(e)[0] for e in flat]
    with get_default_graph().transaction():
        made = fn(nest.pack_sequence_as(elems, first))
        types = nest.map_structure(lambda v: convert_to_tensor(v).dtype, made)
    return map_fn(fn, elems, dtype=types)


def function(
    func: Callable[..., Any] | None = None, input_signature: Any = None, autograph: bool = True,
    experimental_autograph_options: Any = None, experimental_relax_shapes: bool = False,
    experimental_compile: bool | None = None,
) -> Any:  # fmt: skip
    """A function that records its operations where it is called; decorator or function.

    Python's own statements are not rewritten (`autograph`): use `cond` and `while_loop`.
    """
    if func is None:
        return functools.partial(function, input_signature=input_signature, autograph=autograph)
    specs = None if input_signature is None else list(input_signature)

    @functools.wraps(func)
    def recorded(*args: Any, **kwargs: Any) -> Any:
        given = list(args)
        for i, s in enumerate(specs or ()):
            if i < len(given) and nest.is_sequence(s):
                given[i] = nest.map_structure(
                    lambda spec, x: convert_to_tensor(x, spec.dtype), s, given[i]
                )
            elif i < len(given):
                given[i] = convert_to_tensor(given[i], s.dtype)
        return func(*given, **kwargs)

    recorded.python_function = func  # type: ignore[attr-defined]
    return recorded


def wrap_function(fn: Callable[..., Any], signature: Any, name: str | None = None) -> Any:
    """A function that records its operations where it is called."""
    return function(fn, input_signature=signature)


def nondifferentiable_batch_function(
    num_batch_threads: int, max_batch_size: int, batch_timeout_micros: int,
    allowed_batch_sizes: Any = None, max_enqueued_batches: int = 10, autograph: bool = True,
) -> Any:  # fmt: skip
    """A decorator for functions of batches; each call is a batch of its own, without gradients."""

    def decorator(fn: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(fn)
        def called(*args: Any) -> Any:
            made = fn(*[convert_to_tensor(a) for a in args])
            return nest.map_structure(state.stop_gradient, made)

        return called

    return decorator


# ------------------------------------------------------------------------- objects


def get_logger() -> logging.Logger:
    """TensorFlow's logger."""
    return logging.getLogger("tensorflow")


class CriticalSection:
    """Functions that must not run at the same time: runs of a session are ordered anyway.

    Parameters
    ----------
    name : str, optional
    """

    def __init__(
        self, name: str | None = None, shared_name: str | None = None,
        critical_section_def: Any = None, import_scope: str | None = None,
    ) -> None:  # fmt: skip
        self._name = name or "critical_section"
        self._last: Any = None

    @property
    def name(self) -> str:
        return self._name

    def execute(
        self, fn: Callable[[], Any], exclusive_resource_access: bool = True, name: str | None = None
    ) -> Any:
        """What `fn` gives; it is recorded after all that was executed before."""
        graph = get_default_graph()
        before = [] if self._last is None else [self._last]
        with graph.control_dependencies(before), name_scope(name, self._name + "_execute"):
            made = fn()
            flat = [convert_to_tensor(v) for v in nest.flatten(made)]
            out = [state.identity(v) for v in flat]
            with graph.control_dependencies(out):
                self._last = state.no_op()
        return nest.pack_sequence_as(made, out)


class Module:
    """Base of objects with variables and a name: subclasses make them in ``__init__``.

    Parameters
    ----------
    name : str, optional
        By default that of the class, in snake case.
    """

    #: Attributes in which no variables are looked for.
    _TF_MODULE_IGNORED_PROPERTIES = frozenset(
        ("_self_unconditional_checkpoint_dependencies", "_self_unconditional_dependency_names")
    )

    def __init__(self, name: str | None = None) -> None:
        from graphc.layers.base import snake_case  # layers are a part of their own

        if name is not None and not name.isidentifier():
            raise ValueError(f"{name!r} is not a valid module name.")
        self._name = name or snake_case(type(self).__name__)
        with name_scope(self._name) as scope:
            self._scope_name = scope

    @property
    def name(self) -> str:
        return self._name

    @property
    def name_scope(self) -> Any:
        """A context that records below the module's name."""
        return name_scope(self._scope_name)

    @staticmethod
    def _no_dependency(value: Any) -> Any:
        """`value`, of which a checkpoint shall not know: it finds what it needs by itself."""
        return value

    def _found(self) -> Iterator[Any]:
        from graphc.face.variables import Variable

        seen: set[int] = set()
        stack = [v for _, v in sorted(vars(self).items())]
        while stack:
            x = stack.pop(0)
            if type(x) in (list, tuple):
                stack = list(x) + stack
            elif type(x) is dict:
                stack = [x[k] for k in sorted(x)] + stack
            elif id(x) not in seen and isinstance(x, Variable | Module):
                seen.add(id(x))
                yield x
                if isinstance(x, Module) and x is not self:
                    stack = [v for _, v in sorted(vars(x).items())] + stack

    @property
    def variables(self) -> tuple[Any, ...]:
        """Its variables and those of modules in it."""
        return tuple([x for x in self._found() if not isinstance(x, Module)])

    @property
    def trainable_variables(self) -> tuple[Any, ...]:
        return tuple([v for v in self.variables if v.trainable])

    @property
    def submodules(self) -> tuple[Any, ...]:
        """Modules in it."""
        return tuple([x for x in self._found() if isinstance(x, Module)])

    @classmethod
    def with_name_scope(cls, method: Callable[..., Any]) -> Callable[..., Any]:
        """A method that records below the name of its module."""

        @functools.wraps(method)
        def scoped(self: Any, *args: Any, **kwargs: Any) -> Any:
            with self.name_scope:
                return method(self, *args, **kwargs)

        return scoped
