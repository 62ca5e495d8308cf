"""The ``checkpoint`` file of a folder: which checkpoints there are, the latest first to know."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CheckpointState", "parse_state"]


@dataclass
class CheckpointState:
    """What a ``checkpoint`` file says.

    Attributes
    ----------
    model_checkpoint_path : str
        The latest.
    all_model_checkpoint_paths : list of str
        All that are kept, oldest first.
    all_model_checkpoint_timestamps : list of float
    last_preserved_timestamp : float
    """

    model_checkpoint_path: str = ""
    all_model_checkpoint_paths: list[str] = field(default_factory=list)
    all_model_checkpoint_timestamps: list[float] = field(default_factory=list)
    last_preserved_timestamp: float = 0.0

    def __str__(self) -> str:
        lines = []
        if self.model_checkpoint_path:
            lines.append(f"model_checkpoint_path: {_quoted(self.model_checkpoint_path)}")
        lines += [
            f"all_model_checkpoint_paths: {_quoted(p)}" for p in self.all_model_checkpoint_paths
        ]
        lines += [
            f"all_model_checkpoint_timestamps: {t!r}" for t in self.all_model_checkpoint_timestamps
        ]
        if self.last_preserved_timestamp:
            lines.append(f"last_preserved_timestamp: {self.last_preserved_timestamp!r}")
        return "".join([line + "\n" for line in lines])


_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\", "'": "\\'"}
_UNESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "a": b"\a", "b": b"\b", "f": b"\f", "v": b"\v"}


def _quoted(text: str) -> str:
    out = []
    for c in text:
        if c in _ESCAPES:
            out.append(_ESCAPES[c])
        elif " " <= c <= "~":
            out.append(c)
        else:
            out.extend([f"\\{b:03o}" for b in c.encode("utf-8", "surrogateescape")])
    return '"' + "".join(out) + '"'


_ESCAPE = re.compile(rb"\\([0-7]{1,3}|x[0-9a-fA-F]{1,2}|.)", re.DOTALL)


def _unquoted(text: str) -> str:
    def put(m: re.Match[bytes]) -> bytes:
        code = m[1]
        if code[:1].isdigit():
            return bytes([int(code, 8) & 0xFF])
        if len(code) > 1:
            return bytes([int(code[1:], 16)])
        return _UNESCAPES.get(code.decode("latin-1"), code)

    raw = _ESCAPE.sub(put, text.encode("utf-8", "surrogateescape"))
    return raw.decode("utf-8", "surrogateescape")


_LINE = re.compile(
    r"""\s*(?:\#[^\n]*\n\s*)*(\w+)\s*:\s*("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[-+.\w]+)"""
)
_FIELDS = {
    "model_checkpoint_path": str, "all_model_checkpoint_paths": list,
    "all_model_checkpoint_timestamps": list, "last_preserved_timestamp": float,
}  # fmt: skip


def parse_state(text: str) -> CheckpointState:
    """What the text of a ``checkpoint`` file says.

    Raises
    ------
    ValueError
        When it is none.
    """
    state, at = CheckpointState(), 0
    text = text.rstrip()
    while at < len(text):
        m = _LINE.match(text, at)
        if m is None or m[1] not in _FIELDS:
            line = text.count("\n", 0, at) + 1
            raise ValueError(f"line {line}: no field of a checkpoint state")
        value: Any = _unquoted(m[2][1:-1]) if m[2][0] in "\"'" else float(m[2])
        if isinstance(value, str) == m[1].endswith(("timestamps", "timestamp")):
            raise ValueError(f"{m[1]} has the value {m[2]}")
        if _FIELDS[m[1]] is list:
            getattr(state, m[1]).append(value)
        else:
            setattr(state, m[1], value)
        at = m.end()
    return state
