"""Elements of a dataset kept in a file: ``cache(filename)``.

The file ``name.graphc`` holds numpy arrays one after the other, a component each; strings as
bytes with their lengths. It is written beside its final name and moved there once it is complete.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np

from graphc.data.streams import Element
from graphc.errors import DataLossError, system_errors

__all__ = ["cached"]


def cached(
    name: str, specs: Sequence[Any], make: Callable[[], Iterable[Element]]
) -> Iterator[Element]:
    """The elements in a file; where there is none yet, those of `make`, which go there."""
    path = name + ".graphc"
    if os.path.exists(path):
        yield from _read(path, specs)
        return
    part = f"{path}.{os.getpid()}.part"
    try:
        with system_errors(part):
            f = open(part, "wb")
        try:
            for e in make():
                with system_errors(part):
                    f.write(b"\x01")
                    for s, x in zip(specs, e, strict=True):
                        _write_component(f, np.asarray(x, object) if s.dtype.kind == "s" else x)
                yield e
            with system_errors(part):
                f.write(b"\x00")
                f.flush()
                os.fsync(f.fileno())
        finally:
            with contextlib.suppress(OSError):  # what could not be written is not kept
                f.close()
        with system_errors(path):
            os.replace(part, path)
    finally:
        if os.path.exists(part):
            os.remove(part)


def _write_component(f: BinaryIO, x: Any) -> None:
    a = np.asarray(x)
    if a.dtype != object:
        np.lib.format.write_array(f, a, allow_pickle=False)
        return
    flat = [bytes(s) for s in a.reshape(-1)]
    np.lib.format.write_array(f, np.array([len(s) for s in flat], np.int64).reshape(a.shape))
    f.write(b"".join(flat))


def _read(path: str, specs: Sequence[Any]) -> Iterator[Element]:
    with open(path, "rb") as f:
        while True:
            mark = f.read(1)
            if mark == b"\x00":
                return
            if mark != b"\x01":
                raise DataLossError(None, None, f"{path} is damaged or no cache of a dataset")
            try:
                yield tuple([_read_component(f, s.dtype.kind == "s") for s in specs])
            except (ValueError, EOFError) as e:
                raise DataLossError(None, None, f"{path} is damaged: {e}") from None


def _read_component(f: BinaryIO, text: bool) -> Any:
    a = np.lib.format.read_array(f, allow_pickle=False)
    if not text:
        return a
    out = np.empty(a.shape, object)
    for i, n in np.ndenumerate(a):
        out[i] = f.read(int(n))
    return out
