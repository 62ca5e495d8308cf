"""`graphc.report`: the compiler's work on a run as one page, from the Python line to the assembly.

`gather` makes the data, `page` the HTML; what the page does is in ``assets``.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from graphc.see.report.compiled import Limits

__all__ = ["report", "write"]


def report(
    fetches: Any, path: str | os.PathLike[str] = "report.html",
    feed_dict: Mapping[Any, Any] | None = None, session: Any = None, *, graph: Any = None,
    level: int = 2, passes: Any = None, off: Iterable[str] = (), runs: int = 10, title: str = "",
    max_nodes: int = 50_000, max_kernels: int = 150,
) -> Path | None:  # fmt: skip
    """Write a page that shows what the compiler makes of a run, and where its time goes.

    One file that needs no network: the user's lines, the graph after each pass, kernels, LLVM IR,
    assembly, times and memory, linked with each other.

    Parameters
    ----------
    fetches : tensor, operation, or nested lists of them
    path : str or path
        Where the page is written.
    feed_dict : dict, optional
        Values of placeholders. Without them sizes are guessed and nothing is run.
    session : Session, optional
        Whose variables and configuration to use; by default the default session. Without one
        nothing is run, so there are no times.
    graph, level, passes, off
        As for `graphc.dump`, where there is no session.
    runs : int
        How often the run is measured (and twice more before); 0 for no times. Variables and random
        numbers are afterwards what they were; what Python functions, files and queues do is done.
    title : str
        Of the page.
    max_nodes, max_kernels : int
        Rows of a graph, and kernels with their code, that the page holds at most. It says what
        was left out.

    Returns
    -------
    pathlib.Path or None
        The file; None when it could not be written, which is said on the error stream.

    Raises
    ------
    ValueError, TypeError
        For what cannot be fetched or fed. A run that does not compile is no error here: the page
        shows everything up to the failure.

    Examples
    --------
    >>> import graphc as tf, tempfile, os
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     x = tf.placeholder(tf.float32, [None, 8])
    ...     y = tf.nn.softmax(x * 2.0)
    ...     file = tf.report(y, os.path.join(tempfile.mkdtemp(), "y.html"), {x: [[1.0] * 8]})
    >>> file.name
    'y.html'
    """
    from graphc.see.report.gather import gather

    options: dict[str, Any] = {}
    if session is None and (level != 2 or passes is not None or tuple(off)):
        options = {"level": level, "passes": passes, "off": off}
    data = gather(
        fetches, feed_dict, session, graph=graph, runs=runs, title=title,
        limits=Limits(max_nodes, max_kernels), **options,
    )  # fmt: skip
    return write(data, path)


def write(data: Mapping[str, Any], path: str | os.PathLike[str]) -> Path | None:
    """Write the page of gathered data; what goes wrong is said on the error stream."""
    from graphc.see.report.page import page

    if data["error"] is not None:
        first = data["error"]["message"].strip().split("\n", 1)[0]
        _say(f"{data['error']['type']}: {first:.200}; the report shows what there is until then")
    text = page(data)
    file = Path(os.fspath(path))
    try:
        _replace(file, text)
    except OSError as e:
        _say(f"cannot write the report to {str(file)!r}: {e.strerror or e}")
        return None
    return file


def _replace(file: Path, text: str) -> None:
    """Write a file whole or not at all; a pipe or a device is written to, a link followed."""
    if file.is_dir():
        raise IsADirectoryError(0, "it is a folder")
    if file.exists() and not file.is_file():
        with open(file, "w", encoding="utf-8", newline="\n") as f:
            f.write(text)
        return
    file = file.resolve()
    handle, made = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as f:
            f.write(text)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(made, 0o666 & ~mask)
        os.replace(made, file)
    except BaseException:
        os.unlink(made)
        raise


def _say(message: str) -> None:
    print(f"graphc: {message}", file=sys.stderr)
