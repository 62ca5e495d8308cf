"""Which statement of a kernel each instruction comes from: for whoever reads the code.

A kernel is emitted once more with debug locations, the line of its text for each statement. LLVM
keeps these through its optimiser and into the assembly. They are only looked at where this code is,
but for them, what is shown and run; kernels that run never have any.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from graphc.ir.kernel import Stmt, bodies

__all__ = ["Trail", "places"]


class Trail:
    """Debug locations of a module.

    Parameters
    ----------
    lines : mapping
        The line of each statement, by its `id`.
    rest : int
        The line of what no statement asks for: that of a matrix product is its one statement.
    """

    def __init__(self, lines: Mapping[int, int], rest: int = 0) -> None:
        self.lines, self.rest = dict(lines), rest
        self.known: dict[Any, Any] = {}
        self.scopes: dict[str, Any] = {}

    def follow(self, body: Sequence[Stmt], code: Sequence[Stmt]) -> None:
        """Statements of `code` are emitted for those of `body`, one for one (`common`)."""
        for s, made in zip(body, code, strict=True):
            if (line := self.lines.get(id(s))) is not None:
                self.lines[id(made)] = line
            for inner, inner_made in zip(bodies(s), bodies(made), strict=True):
                self.follow(inner, inner_made)

    def enter(self, k: Any) -> None:
        """A function begins."""
        self.scope(k.module, k.func)
        k.b.debug_metadata = self.location(k, self.rest)

    @contextmanager
    def at(self, k: Any, statement: object) -> Iterator[None]:
        """Instructions made inside are those of a statement."""
        line = self.lines.get(id(statement))
        before = k.b.debug_metadata
        if line is not None:
            k.b.debug_metadata = self.location(k, line)
        try:
            yield
        finally:
            k.b.debug_metadata = before

    def location(self, k: Any, line: int) -> Any:
        key = k.func.name, line
        if key not in self.known:
            scope = self.scope(k.module, k.func)
            fields = {"line": line, "column": 1, "scope": scope}
            self.known[key] = k.module.add_debug_info("DILocation", fields)
        return self.known[key]

    def scope(self, module: Any, func: Any) -> Any:
        """The subprogram of a function."""
        if func.name in self.scopes:
            return self.scopes[func.name]
        if not self.scopes:
            self.unit(module)
        of = {"types": module.add_metadata([])}
        made = module.add_debug_info("DISubprogram", {
            "name": func.name, "file": self.file, "line": 1, "scopeLine": 1,
            "type": module.add_debug_info("DISubroutineType", of), "unit": self.whole,
            "spFlags": _token("DISPFlagDefinition"),
        }, is_distinct=True)  # fmt: skip
        func.set_metadata("dbg", made)
        self.scopes[func.name] = made
        return made

    def unit(self, module: Any) -> None:
        """What debug information begins with."""
        from llvmlite import ir

        self.file = module.add_debug_info("DIFile", {"filename": "kernel", "directory": ""})
        self.whole = module.add_debug_info("DICompileUnit", {
            "language": _token("DW_LANG_C"), "file": self.file, "producer": "graphc",
            "isOptimized": True, "runtimeVersion": 0, "emissionKind": _token("LineTablesOnly"),
        }, is_distinct=True)  # fmt: skip
        module.add_named_metadata("llvm.dbg.cu", self.whole)
        i32 = ir.IntType(32)
        for name, number in (("Dwarf Version", 4), ("Debug Info Version", 3)):
            module.add_named_metadata("llvm.module.flags", [i32(2), name, i32(number)])


def _token(word: str) -> Any:
    from llvmlite import ir

    return ir.DIToken(word)


# ----------------------------------------------------------------- reading them back


def places(
    owner: Any,
    emit: Callable[[Any], object],
    lines: Mapping[int, int],
    texts: Mapping[str, str],
    rest: int = 0,
) -> dict[str, list[int]]:
    """For each line of a kernel's `texts` the line of its statements, 0 where there is none.

    Parameters
    ----------
    owner : Compiled
    emit : callable
        What emits the kernel whose statements `lines` knows.
    texts : mapping
        ``llvm``, ``optimized`` and ``asm``, as shown.
    rest : int
        As for `Trail`.
    """
    from graphc.runtime.llvm import native_code

    shown = owner._context.printed
    try:
        text = native_code.emitted(emit, owner, Trail(lines, rest))
        made = {
            "llvm": _located(text), "optimized": _located(shown(text, assembly=False)),
            "asm": _counted(shown(text, assembly=True)),
        }  # fmt: skip
    except Exception:  # the code itself is there: only where it comes from is not
        return {}
    out = {}
    for kind, shown_text in texts.items():
        found = _aligned(shown_text.split("\n"), made[kind], kind == "asm")
        if found is not None:
            out[kind] = found
    return out


_LOCATION = re.compile(r"^!(\d+) = (?:distinct )?!DILocation\([^)]*?\bline: (\d+)", re.MULTILINE)
_AT = re.compile(r", !dbg !(\d+)")
_METADATA = re.compile(r"!\d+")
Code = list[tuple[str, int]]


def _located(text: str) -> Code:
    """The instructions of a module, each with its line."""
    line = {int(a): int(b) for a, b in _LOCATION.findall(text)}
    out = []
    for s in text.split("\n"):
        if _is_code(s, False):
            found = _AT.search(s)
            out.append((_bare(_AT.sub("", s), False), line.get(int(found[1]), 0) if found else 0))
    return out


def _counted(text: str) -> Code:
    """The instructions of assembly, each with its line."""
    out, line = [], 0
    for s in text.split("\n"):
        words = s.split()
        if words[:1] == [".loc"]:
            line = int(words[2])
        elif words[:1] == [".type"]:  # another function begins
            line = 0
        elif _is_code(s, True):
            out.append((_bare(s, True), line))
    return out


def _is_code(s: str, assembly: bool) -> bool:
    if assembly:
        return s[:1] == "\t" and s[1:2] not in ("", ".", "#")
    return s[:2] == "  " and s[2:].strip() != ""


def _bare(s: str, assembly: bool) -> str:
    """An instruction without remarks and numbers of metadata."""
    s = s.partition("#")[0] if assembly else _METADATA.sub("!", s)
    return " ".join(s.split())


def _aligned(shown: list[str], code: Code, assembly: bool) -> list[int] | None:
    """The lines of `code` beside what is shown; None where that is other code."""
    out, at = [], 0
    for s in shown:
        if not _is_code(s, assembly):
            out.append(0)
            continue
        if at == len(code) or code[at][0] != _bare(s, assembly):
            return None
        out.append(code[at][1])
        at += 1
    return out if at == len(code) else None
