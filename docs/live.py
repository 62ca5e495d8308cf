"""Blocks of pages that run: ``{run}`` Python, ``{file}`` a file, ``{shell}`` a command.

All blocks of a page share one folder and one Python namespace. A block shows its code and, below,
what it prints; a block that fails, fails the build.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Block", "Page", "blocks", "setup"]

_FENCE = re.compile(r"^```\{(run|file|shell)\}[ ]*([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A block: its kind, what is behind the kind, its lines, and where it begins."""

    kind: str
    argument: str
    code: str
    line: int


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a page."""
    for m in _FENCE.finditer(text):
        yield Block(m[1], m[2].strip(), m[3], text.count("\n", 0, m.start()) + 1)


class Page:
    """Runs the blocks of one page, in order; they may import the files in the folder `users`."""

    def __init__(self, users: Path) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.scope: dict[str, Any] = {"__name__": "__main__"}
        self.files: list[str] = []
        self.graph = importlib.import_module("graphc").Graph()
        for path in users.glob("*.py"):
            shutil.copy(path, self.folder.name)

    def close(self) -> None:
        """Remove the folder, what was imported from it, and what was added to graphc."""
        importlib.import_module("graphc.extend").forget()
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", "")).startswith(self.folder.name):
                del sys.modules[name]
        self.folder.cleanup()

    def run(self, block: Block) -> str:
        """What a block prints.

        Raises
        ------
        Exception
            What the block raises; CalledProcessError for commands.
        """
        before = os.getcwd()
        os.chdir(self.folder.name)
        sys.path.insert(0, self.folder.name)
        try:
            return getattr(self, f"_{block.kind}")(block).replace(self.folder.name + "/", "")
        finally:
            os.chdir(before)
            sys.path.remove(self.folder.name)

    def _run(self, block: Block) -> str:
        # in a file, so that lines of the user's can be shown with their text
        self.files.append(f"page{len(self.files)}.py")
        Path(self.files[-1]).write_text(block.code, encoding="utf-8")
        out = io.StringIO()
        path = os.path.join(self.folder.name, self.files[-1])
        with contextlib.redirect_stdout(out), self.graph.as_default():
            exec(compile(block.code, path, "exec"), self.scope)
        return out.getvalue()

    def _file(self, block: Block) -> str:
        Path(block.argument).write_text(block.code, encoding="utf-8")
        return ""

    def _shell(self, block: Block) -> str:
        words = shlex.split(block.code)
        command = [sys.executable if words[0] == "python" else words[0], *words[1:]]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{block.code.strip()} fails:\n{done.stdout}{done.stderr}")
        return done.stdout


# ------------------------------------------------------------------------- sphinx


def setup(app: Any) -> dict[str, Any]:
    """Register the three directives."""
    from docutils import nodes
    from sphinx.util.docutils import SphinxDirective

    pages: dict[str, Page] = {}

    class Live(SphinxDirective):
        has_content = True
        optional_arguments = 1
        final_argument_whitespace = True

        def run(self) -> list[nodes.Node]:
            code = "\n".join(self.content) + "\n"
            argument = self.arguments[0] if self.arguments else ""
            block = Block(self.name, argument, code, self.lineno)
            name = self.env.docname
            if name not in pages:
                finish(app, None)  # pages are read one after the other
                pages[name] = Page(Path(self.env.srcdir) / "users")
            page = pages[name]
            try:
                printed = page.run(block)
            except Exception as e:
                raise self.error(f"{self.name} block: {type(e).__name__}: {e}") from e
            shown = [nodes.literal_block(code, code, language=_LANGUAGE[self.name])]
            if self.name == "file":
                shown.insert(0, nodes.caption(argument, argument))
                return [nodes.container("", *shown, literal_block=True,
                                        classes=["literal-block-wrapper"])]  # fmt: skip
            if printed:
                shown.append(nodes.literal_block(printed, printed.rstrip(), language="text"))
            return list(shown)

    def finish(app: Any, error: Any) -> None:
        while pages:
            pages.popitem()[1].close()

    app.connect("build-finished", finish)
    for kind in _LANGUAGE:
        app.add_directive(kind, Live)
    return {"version": "1", "parallel_read_safe": False}


_LANGUAGE = {"run": "python", "file": "python", "shell": "console"}
