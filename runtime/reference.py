"""The numpy interpreter: what a graph means, one record at a time.

It is the oracle of all tests and the meaning of host calls, and is never on a hot path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir.dims import Expr, Func, Symbol
from graphc.ir.dtypes import DType
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value, reachable
from graphc.ir.registry import REGIONS
from graphc.ops.convert import as_array
from graphc.ops.record import meaning, round_bf16

__all__ = ["Env", "evaluate", "resolve"]

Array = np.ndarray[Any, Any]
Env = dict[Symbol, int]


def resolve(x: Any, env: Mapping[Symbol, int]) -> Any:
    """An attribute with its sizes as numbers: expressions inside tuples and lists included."""
    if isinstance(x, Expr):
        return D.evaluate(x, env)
    if isinstance(x, tuple):
        return tuple(resolve(e, env) for e in x)
    if isinstance(x, list):
        return [resolve(e, env) for e in x]
    return x


def _learn(value: Value, a: Array, env: Env) -> None:
    """Take the sizes of `a` for the symbols in the static shape of `value`.

    Raises
    ------
    ValueError
        When the array has not the shape that the value has.
    """
    shape = value.static_shape
    if shape is None:
        return
    fits = len(shape) == a.ndim
    for d, n in zip(shape, a.shape, strict=False):
        if type(d) is int:
            fits = fits and d == n
        elif d.is_atom:  # type: ignore[union-attr]
            atom = d.terms[0][0][0]  # type: ignore[union-attr]
            if isinstance(atom, Symbol):
                # a size that nothing is known of says only what it is here
                known = env.setdefault(atom, n)
                fits = fits and (known == n or atom.name.startswith("?"))
    if not fits:
        raise ValueError(f"{value!r} has the shape {shape}, but was given {a.shape}")


def _fed(value: Value, a: Any) -> Array:
    array, _ = as_array(a, value.dtype)
    return round_bf16(array) if value.dtype.name == "bfloat16" else array


def _stored(variables: Mapping[str, Any] | None, name: str, dtype: DType) -> Array:
    if variables is None or name not in variables:
        raise KeyError(f"variable {name!r} has no value")
    return np.asarray(variables[name], dtype.np)


def evaluate(
    values: Sequence[Value],
    feeds: Mapping[Value, Any] | None = None,
    variables: Mapping[str, Any] | None = None,
    *,
    env: Mapping[Symbol, int] | None = None,
    check: bool = True,
) -> list[Array]:
    """The arrays that `values` stand for.

    Parameters
    ----------
    values : sequence of Value
    feeds : mapping, optional
        Arrays for placeholders, and for any other value, which is then not computed.
    variables : mapping, optional
        Arrays by the `var` attribute of ``read`` nodes.
    env : mapping, optional
        Sizes of symbols that no feed tells.
    check : bool
        Compare every result with the type that its op infers.

    Raises
    ------
    AssertionError
        With `check`, when a record's meaning and its inference differ.
    KeyError
        For a placeholder without a feed or a variable without a value.
    """
    feeds = {v: _fed(v, a) for v, a in (feeds or {}).items()}
    sizes: Env = dict(env or {})
    for v, a in feeds.items():
        _learn(v, a, sizes)
    done: dict[Value, Array] = dict(feeds)
    whole = {v.node for v in feeds if all(o in feeds for o in v.node.outputs)}
    for node in reachable([v.node for v in values], whole):
        if node not in whole:
            _run(node, done, sizes, variables, check)
    return [done[v] for v in values]


def _run(
    node: Node,
    done: dict[Value, Array],
    sizes: Env,
    variables: Mapping[str, Any] | None,
    check: bool,
) -> None:
    if node.op.name == "read":
        out = [_stored(variables, node.attrs["var"], node.outputs[0].dtype)]
    elif node.op.name == "placeholder":
        raise KeyError(f"You must feed a value for placeholder {node.name!r}")
    else:
        attrs = {k: resolve(v, sizes) for k, v in node.attrs.items()}
        arrays = [done[v] for v in node.inputs]
        types = [v.type for v in node.outputs]
        try:
            if node.op.name in REGIONS:
                out = control(node, arrays, lambda r, given: _region(r, given, sizes, check))
            else:
                out = meaning(node.op, arrays, attrs, types, check)
        except AssertionError as e:
            raise AssertionError(f"{node.name}: {e}") from None
    for v, a in zip(node.outputs, out, strict=True):
        if v not in done:  # a fed output keeps what was fed
            done[v] = a
            _learn_new(v, a, sizes)


def control(
    node: Node, arrays: Sequence[Array], run: Callable[[Graph, Sequence[Array]], list[Array]]
) -> list[Array]:
    """What a node with regions gives: its loop, or the branch that its predicate chooses.

    `run` gives the results of a region for its inputs.
    """
    if node.op.name == "cond":
        pred, *captured = arrays
        return run(node.attrs["then" if pred else "orelse"], captured)
    count = len(node.outputs)
    values, captured = list(arrays[:count]), list(arrays[count:])
    while run(node.attrs["cond"], [*values, *captured])[0]:
        values = run(node.attrs["body"], [*values, *captured])
    return values


def _region(region: Graph, given: Sequence[Array], env: Env, check: bool) -> list[Array]:
    feeds = dict(zip(region.inputs, given, strict=True))
    return evaluate(region.outputs, feeds, env=env, check=check)


def _learn_new(value: Value, a: Array, env: Env) -> None:
    """Sizes that only the data decide (a boolean mask's) become known as they appear."""
    for d, n in zip(value.static_shape or (), a.shape, strict=False):
        if isinstance(d, Expr) and d.is_atom and not isinstance(d.terms[0][0][0], Func):
            env.setdefault(d.terms[0][0][0], n)
