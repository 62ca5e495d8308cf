"""The page: data, style and program in one file that needs nothing else.

The data is compressed JSON, and the text of each kernel is a piece of its own that is opened when
it is looked at. Both are base64, so nothing in a graph can end the element that they are in.
"""

from __future__ import annotations

import base64
import html
import json
import zlib
from collections.abc import Mapping
from importlib import resources
from typing import Any

__all__ = ["SCRIPTS", "page", "unpacked"]

#: The parts of the program, in order.
SCRIPTS = (
    "base.js", "model.js", "list.js", "source.js", "ir.js", "kernel.js", "tables.js", "scopes.js",
    "memory.js", "main.js",
)  # fmt: skip


def page(data: Mapping[str, Any]) -> str:
    """The HTML of a report."""
    parts = []
    pieces: list[str] = []
    for part in data["parts"]:
        kernels = []
        for k in part["kernels"]:
            texts = {x: k[x] for x in ("loops", "lines", "native") if x in k}
            k = {x: y for x, y in k.items() if x not in texts}
            if texts:
                k["text"] = len(pieces)
                pieces.append(_packed(texts))
            kernels.append(k)
        parts.append({**part, "kernels": kernels})
    places = {
        "TITLE": html.escape(_one_line(data["title"]), quote=True),
        "STYLE": _asset("style.css"),
        "DATA": _packed({**data, "parts": parts}),
        "PIECES": "\n".join(
            f'<script type="text/plain" class="piece">{p}</script>' for p in pieces
        ),
        "PROGRAM": "\n".join(_asset(name) for name in SCRIPTS),
    }
    out = []
    for i, piece in enumerate(_asset("page.html").split("@@")):
        out.append(places[piece] if i % 2 else piece)
    return "".join(out)


def unpacked(text: str) -> Any:
    """What `page` packed into an element."""
    return json.loads(zlib.decompress(base64.b64decode(text), -15))


def _packed(data: Any) -> str:
    raw = json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()
    c = zlib.compressobj(6, zlib.DEFLATED, -15)
    return base64.b64encode(c.compress(raw) + c.flush()).decode()


def _asset(name: str) -> str:
    return (resources.files(__package__) / "assets" / name).read_text(encoding="utf-8")


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
