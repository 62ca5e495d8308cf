"""``tf.Print``, ``tf.print`` and ``tf.strings.format``: tensors as text, as TF1 writes it."""

from __future__ import annotations

import logging
import pprint
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.node import Node, Value
from graphc.ops import sharing
from graphc.ops.record import as_value, no_grad, op

__all__ = ["Print", "print", "string_format", "summarized"]

# ------------------------------------------------------------------------- numbers as text


def _escaped(x: bytes) -> str:
    """Bytes as a C string would write them."""
    out = []
    for b in x:
        c = chr(b)
        if c in "\"'\\":
            out.append("\\" + c)
        elif c in "\n\r\t":
            out.append({"\n": "\\n", "\r": "\\r", "\t": "\\t"}[c])
        else:
            out.append(c if 32 <= b < 127 else f"\\{b:03o}")
    return "".join(out)


def element_text(x: Any) -> str:
    """One element: six digits of a float where they say it exactly, nine (17) where not."""
    if isinstance(x, bytes):
        return _escaped(x)
    if isinstance(x, bool | np.bool_):
        return str(int(x))
    if isinstance(x, np.float64):
        short = f"{float(x):.15g}"
        return short if float(short) == x or x != x else f"{float(x):.17g}"
    if isinstance(x, np.floating):
        f = np.float32(x)
        short = f"{float(f):.6g}"
        return short if np.float32(short) == f or f != f else f"{float(f):.9g}"
    return str(int(x))


def summarized(a: np.ndarray[Any, Any], limit: int) -> str:
    """The first `limit` elements with their brackets but the outermost (all if negative)."""
    limit = a.size if limit < 0 else limit
    flat = a.reshape(-1)
    if a.ndim == 0:
        return element_text(flat[0]) if limit else "..."
    out: list[str] = []
    at = 0

    def rows(dim: int) -> None:
        nonlocal at
        if at >= limit:
            return
        for i in range(a.shape[dim]):
            if dim == a.ndim - 1:
                if at >= limit:
                    out.append("..." if dim else "")
                    return
                out.append((" " if i else "") + element_text(flat[at]))
                at += 1
            elif at < limit:
                out.append("[")
                rows(dim + 1)
                out.append("]")

    rows(0)
    return "".join(out) + ("..." if a.size > limit else "")


def formatted(a: np.ndarray[Any, Any], summarize: int, indent: int = 1) -> str:
    """An array as ``tf.print`` shows it: the first and last `summarize` entries of each axis."""
    if a.ndim == 0:
        x = a[()]
        text = element_text(x)
        return f'"{text}"' if isinstance(x, bytes) else text
    n = len(a)
    all_of_it = summarize < 0 or n <= 2 * summarize
    first = range(n) if all_of_it else range(summarize)
    last = range(0) if all_of_it else range(n - summarize, n)
    items = [formatted(np.asarray(a[i], a.dtype), summarize, indent + 1) for i in first]
    if not all_of_it:
        items.append("...")
    items += [formatted(np.asarray(a[i], a.dtype), summarize, indent + 1) for i in last]
    between = " " if a.ndim == 1 else "\n" * (a.ndim - 1) + " " * indent
    return "[" + between.join(items) + "]"


# ------------------------------------------------------------------------- tf.Print


def _print(
    context: Any, x: Any, *data: Any, message: str, first_n: int, summarize: int, name: str
) -> Any:
    count = context.resource(f"Print/{name}", lambda: [0])
    if first_n < 0 or count[0] < first_n:
        count[0] += 1
        text = "".join(f"[{summarized(a, summarize)}]" for a in data)
        sys.stderr.write(f"{message}{text}\n")
        sys.stderr.flush()
    return x


print_op = op(
    "print", "Print", "host", args=("input", "*data"), types="fiubsc", host=_print, stateful=True,
    doc="Its operand; a run writes the others to stderr.",
    infer=lambda inputs, attrs: [(inputs[0].dtype, inputs[0].static_shape)],
    grad=lambda y, dy, x, *data, **attrs: (dy, *[None] * len(data)),
    facts={"effect": True, "shares": sharing.itself},
)  # fmt: skip


def Print(
    input_: Any, data: Sequence[Any], message: str | None = None, first_n: int | None = None,
    summarize: int | None = None, name: str | None = None,
) -> Value:  # fmt: skip
    """`input_`; runs that use it write `data` to stderr.

    Parameters
    ----------
    data : list of tensors
    message : str, optional
        Written first.
    first_n : int, optional
        How often at most; always by default.
    summarize : int, optional
        How many elements of each tensor: 3 by default, all if negative.

    Examples
    --------
    ``loss = tf.Print(loss, [loss, step], "loss, step: ")``
    """
    values = [as_value(input_, name="input"), *[as_value(d) for d in data]]
    attrs = {
        "message": message or "", "first_n": -1 if first_n is None else first_n,
        "summarize": 3 if summarize is None else summarize, "name": name or "",
    }  # fmt: skip
    return build(print_op, values, attrs, name).outputs[0]


# ------------------------------------------------------------------------- tf.print


def _filled(*arrays: Any, template: str, placeholder: str, summarize: int) -> bytes:
    parts = template.split(placeholder)
    out = [parts[0]]
    for a, part in zip(arrays, parts[1:], strict=True):
        out += [formatted(a, summarize), part]
    return "".join(out).encode()


format_op = op(
    "string_format", "StringFormat", "host", args=("*inputs",), types="fiubsc", grad=no_grad,
    doc="A text with tensors in the places of a placeholder.", numpy=_filled,
    infer=lambda inputs, attrs: [(dtypes.string, ())],
)  # fmt: skip


def string_format(
    template: str, inputs: Any, placeholder: str = "{}", summarize: int = 3,
    name: str | None = None,
) -> Value:  # fmt: skip
    """`template` with each `placeholder` replaced by a tensor as text.

    Parameters
    ----------
    inputs : tensor or list of tensors
        As many as there are placeholders.
    summarize : int
        How many elements at each end of each axis; all if negative.

    Raises
    ------
    ValueError
        When the numbers of placeholders and inputs differ.
    """
    items = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    found = template.count(placeholder)
    if found != len(items):
        raise ValueError(
            f"{found} placeholder(s) in template does not match {len(items)} tensor(s) provided "
            "as input"
        )
    attrs = {"template": template, "placeholder": placeholder, "summarize": summarize}
    return build(format_op, [as_value(x) for x in items], attrs, name).outputs[0]


_LOGS = {
    "log(info)": logging.INFO, "log(warning)": logging.WARNING, "log(error)": logging.ERROR,
}  # fmt: skip


def _write(x: Any, *, output_stream: str, end: str) -> tuple[()]:
    text = x[()].decode(errors="replace") + end
    if output_stream.startswith("file://"):
        with open(output_stream[7:], "a", encoding="utf-8") as f:
            f.write(text)
    elif output_stream in _LOGS:
        logging.getLogger("graphc").log(_LOGS[output_stream], text.rstrip("\n"))
    else:
        stream = sys.stdout if output_stream == "stdout" else sys.stderr
        stream.write(text)
        stream.flush()
    return ()


write_op = op(
    "print_v2", "PrintV2", "host", args=("input",), types="s", numpy=_write, stateful=True,
    doc="Writes a string.", infer=lambda inputs, attrs: [], facts={"effect": True},
)  # fmt: skip


class _Place:
    """Stands for a tensor inside a structure."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _places(x: Any, found: list[Any], mark: str) -> Any:
    """`x` with its tensors taken out."""
    if isinstance(x, Value) or hasattr(x, "_snapshot"):
        found.append(x)
        return _Place(mark)
    if isinstance(x, Mapping):
        return {k: _places(v, found, mark) for k, v in x.items()}
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*[_places(v, found, mark) for v in x])
    if isinstance(x, list | tuple):
        return type(x)(_places(v, found, mark) for v in x)
    return x


_STREAMS: tuple[tuple[str, Callable[[], Any]], ...] = (
    ("stdout", lambda: sys.stdout), ("stderr", lambda: sys.stderr),
)  # fmt: skip


def _stream_name(stream: Any) -> str:
    if stream is None:
        return "stderr"
    for name, get in _STREAMS:
        if stream is get() or stream is getattr(sys, f"__{name}__"):
            return name
    if isinstance(stream, str) and (stream.startswith("file://") or stream in ("stdout", "stderr")):
        return stream
    if callable(stream) and getattr(stream, "__name__", "") in ("info", "warning", "warn", "error"):
        return f"log({'warning' if stream.__name__ == 'warn' else stream.__name__})"
    raise ValueError(
        "Output stream must be sys.stdout, sys.stderr, tf.logging.info, tf.logging.warning, "
        f"tf.logging.error or a path beginning with 'file://', not {stream!r}"
    )


def print(*inputs: Any, **kwargs: Any) -> Node:
    """An operation that writes its arguments: tensors, and anything else as it is now.

    Parameters
    ----------
    *inputs : tensors, objects, and nested structures of both
    output_stream : file, optional
        ``sys.stderr`` by default; ``sys.stdout``, a function of ``tf.logging``, or ``"file://…"``.
    summarize : int
        How many elements at each end of each axis (3); all if negative.
    sep, end : str
        As Python's print.
    name : str, optional

    Examples
    --------
    ``with tf.control_dependencies([tf.print("loss:", loss)]): …``
    """
    stream = kwargs.pop("output_stream", None)
    name = kwargs.pop("name", None)
    summarize, sep, end = (kwargs.pop(*p) for p in (("summarize", 3), ("sep", " "), ("end", "\n")))
    if kwargs:
        raise ValueError(f"Unrecognized keyword arguments for tf.print: {kwargs}")
    mark = "\0tensor\0"
    found: list[Any] = []
    texts = []
    for x in inputs:
        shown = _places(x, found, mark)
        texts.append(shown if isinstance(shown, str) else pprint.pformat(shown))
    with current().scope(name, "") if name else _nothing():
        text = string_format(sep.join(texts), found, mark, 3 if summarize is None else summarize)
        attrs = {"output_stream": _stream_name(stream), "end": end}
        return build(write_op, [text], attrs, name)


class _nothing:
    def __enter__(self) -> None: ...
    def __exit__(self, *exc: object) -> None: ...
