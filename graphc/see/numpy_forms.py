"""How some ops are written in numpy by people: the forms that runnable dumps prefer.

An op without a form is written by its meaning (`graphc.see.numpy_source`). A form says exactly what
the meaning says; `tests/see/test_numpy_source.py` compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from graphc.ir import dtypes
from graphc.ir.dtypes import DType
from graphc.ir.node import Node

__all__ = ["FORMS", "numpy_type"]

#: The text of a node, from the texts of its operands and attributes; None: by its meaning.
Form = Callable[[Node, Sequence[str], Mapping[str, str]], "str | None"]

_BINARY = {
    "add": "+", "subtract": "-", "multiply": "*", "realdiv": "/", "less": "<", "less_equal": "<=",
    "greater": ">", "greater_equal": ">=", "bitwise_and": "&", "bitwise_or": "|",
    "bitwise_xor": "^",
}  # fmt: skip
_REDUCED = {"reduce_max": "max", "reduce_min": "min", "reduce_any": "any", "reduce_all": "all"}


def numpy_type(t: DType) -> str:
    """An element type as numpy has it (``np.bool`` is a name of NumPy 2 alone)."""
    return "object" if t.kind == "s" else "np.bool_" if t.kind == "b" else f"np.{t.np.name}"


def _kind(n: Node) -> str:
    """The element type of the first operand, as numpy has it."""
    return numpy_type(n.inputs[0].dtype)


def _exact(n: Node) -> bool:
    """Whether numpy computes in the type itself (half precision is computed in single)."""
    t = n.inputs[0].dtype
    return t.size >= 4 or t.kind in "iu"


def _axes(n: Node, shown: Mapping[str, str]) -> str:
    axis = n.attrs["axis"]
    text = shown["axis"] if not isinstance(axis, tuple) or len(axis) != 1 else str(axis[0])
    return f"axis={text}" + (", keepdims=True" if n.attrs["keepdims"] else "")


def _sum(n: Node, given: Sequence[str], shown: Mapping[str, str]) -> str | None:
    f = n.op.name.removeprefix("reduce_")
    if n.attrs["axis"] == () or not _exact(n):
        return None
    return f"np.{f}({given[0]}, {_axes(n, shown)}, dtype={_kind(n)})"


def _mean(n: Node, given: Sequence[str], shown: Mapping[str, str]) -> str | None:
    shape = n.inputs[0].static_shape
    if n.inputs[0].dtype.kind != "f" or shape is None or 0 in shape:
        return None
    return _sum(n, given, shown)


def _extreme(n: Node, given: Sequence[str], shown: Mapping[str, str]) -> str | None:
    shape = n.inputs[0].static_shape
    if n.attrs["axis"] == () or shape is None or 0 in shape:  # symbols are never 0
        return None
    return f"np.{_REDUCED[n.op.name]}({given[0]}, {_axes(n, shown)})"


def _matmul(n: Node, given: Sequence[str], shown: Mapping[str, str]) -> str | None:
    if not _exact(n) or n.inputs[0].dtype is dtypes.bfloat16:
        return None
    sides = []
    for x, v, turned in zip(
        given, n.inputs, (n.attrs["transpose_a"], n.attrs["transpose_b"]), strict=True
    ):
        turn = f"{x}.T" if v.rank == 2 else f"np.swapaxes({x}, -1, -2)"
        sides.append(turn if turned else x)
    return " @ ".join(sides)


def _slice(n: Node, given: Sequence[str], shown: Mapping[str, str]) -> str | None:
    a = n.attrs
    if "begin" not in a or "end" not in a or len(given) != 1:
        return None
    rows = []
    strides = a.get("strides") or (1,) * len(a["begin"])
    texts = [_entries(shown[k]) for k in ("begin", "end")]
    for i, step in enumerate(strides):
        bit = {
            k: bool(a.get(f"{k}_mask", 0) >> i & 1)
            for k in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
        }
        begin = "" if bit["begin"] else texts[0][i]
        end = "" if bit["end"] else texts[1][i]
        if bit["ellipsis"]:
            rows.append("...")
        elif bit["new_axis"]:
            rows.append("None")
        elif bit["shrink_axis"]:
            rows.append(texts[0][i])
        else:
            rows.append(f"{begin}:{end}" + (f":{step}" if step != 1 else ""))
    return f"{given[0]}[{', '.join(rows)}]" if rows else given[0]


def _entries(text: str) -> list[str]:
    """The texts of the elements of a tuple of sizes."""
    out, depth, last = [], 0, 1
    for i, c in enumerate(text):
        depth += (c in "([") - (c in ")]")
        if (c == "," and depth == 1) or (c in ")]" and depth == 0):
            if text[last:i].strip():
                out.append(text[last:i].strip())
            last = i + 1
    return out


def _cast(n: Node, given: Sequence[str], shown: Mapping[str, str]) -> str | None:
    a, b = n.inputs[0].dtype, n.attrs["dtype"]
    if b.kind == "b":
        return f"{given[0]} != 0"
    if a.kind == "f" and b.kind in "iu":
        return None
    return f"{given[0]}.astype({numpy_type(b)})"


def _pick(n: Node, given: Sequence[str], shown: Mapping[str, str]) -> str | None:
    return f"np.take({given[0]}, {shown['at']}, axis={shown['axis']})"


def _turned(n: Node, given: Sequence[str], shown: Mapping[str, str]) -> str | None:
    plain = n.attrs["perm"] is None or (n.inputs[0].rank == 2 and n.attrs["perm"] == (1, 0))
    return f"{given[0]}.T" if plain else None


def _sizes(n: Node, given: Sequence[str], shown: Mapping[str, str]) -> str | None:
    return f"np.array({shown['value']}, {numpy_type(n.outputs[0].dtype)})"


def _shape(n: Node, given: Sequence[str], shown: Mapping[str, str]) -> str | None:
    return f"np.array({given[0]}.shape, {numpy_type(n.outputs[0].dtype)})"


def _between(sign: str) -> Form:
    return lambda n, given, shown: f"{given[0]} {sign} {given[1]}"


FORMS: dict[str, Form] = {
    **{k: _between(sign) for k, sign in _BINARY.items()},
    **dict.fromkeys(_REDUCED, _extreme),
    "reduce_sum": _sum, "reduce_prod": _sum, "reduce_mean": _mean,
    "add_n": lambda n, x, a: " + ".join(x),
    "negative": lambda n, x, a: f"-{x[0]}",
    "invert": lambda n, x, a: f"~{x[0]}",
    "matmul": _matmul,
    "strided_slice": _slice,
    "cast": _cast,
    "pick": _pick,
    "transpose": _turned,
    "sizes": _sizes,
    "shape": _shape,
}  # fmt: skip
