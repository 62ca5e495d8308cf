"""Dumps in folders: how they are called, and ``GRAPHC_DUMP``, which writes one a compilation."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from graphc.ir.node import Node, Value

__all__ = ["title", "watch", "write"]

#: What `graphc opt` reads is ``gc``: pure graphs.
_ENDINGS = {
    "graph": "txt", "kernels": "txt", "plan": "txt", "llvm": "ll", "optimized": "ll", "asm": "s",
}  # fmt: skip
#: Letters of a folder's name that say what is fetched.
_LONG = 60


def title(number: int, c: Any, elements: Sequence[Value | Node] = ()) -> str:
    """What the folder of a compilation is called: its number, what it computes, its kernels."""
    names = [getattr(e, "node", e).name for e in elements]
    plan = getattr(c, "plan", None)
    what = plan.graph.name if plan is not None else "failed"
    if names:
        what = "+".join(s.replace("/", ".") for s in dict.fromkeys(names))
        what = re.sub(r"[^\w.+-]", "_", what, flags=re.ASCII)
        if len(what) > _LONG:
            what = f"{what[:_LONG].rstrip('+._')}+more"
    if plan is None:
        return _safe(f"{number:03d}_{what}_failed")
    calls = sum(s.calls for s in plan.steps)
    return _safe(f"{number:03d}_{what}_{calls}_kernels")


def _safe(name: str) -> str:
    return re.sub(r"[^\w.+-]", "_", name, flags=re.ASCII)


def write(
    folder: Path, made: Sequence[tuple[str, Callable[[], str]]], wanted: Iterable[str]
) -> None:
    """One file for each stage.

    Raises
    ------
    OSError
        When the folder cannot be written to.
    """
    wanted = set(wanted)
    folder.mkdir(parents=True, exist_ok=True)
    for i, (name, make) in enumerate(made):
        if name in wanted:
            path = folder / f"{i:02d}_{_safe(name)}.{_ENDINGS.get(name, 'gc')}"
            path.write_text(make() + "\n", encoding="utf-8")


# ------------------------------------------------------------------- GRAPHC_DUMP

_watched: set[str] = set()


def watch(where: str) -> None:
    """Write the stages of each compilation from now on into `where` (``GRAPHC_DUMP``).

    They go into a folder with the name of the program; an ``index.txt`` there has a line for
    each. A compilation that fails is written as far as it came, with its error.
    """
    if where not in _watched:
        _watched.add(where)
        _Watch(where)


class _Watch:
    """Observes the runtime; gives up at the first thing that goes wrong."""

    def __init__(self, where: str) -> None:
        from graphc.runtime import listeners

        self.where = where
        self.folder: Path | None = None
        self.number = 0
        listeners.observers.append(self.compiled)
        listeners.failures.append(self.failed)

    def compiled(self, run: Any, c: Any) -> None:
        """A compilation succeeded."""
        self.guarded(run, c, None)

    def failed(self, run: Any, c: Any, error: BaseException) -> None:
        """A compilation failed."""
        self.guarded(run, c, error)

    def guarded(self, run: Any, c: Any, error: BaseException | None) -> None:
        try:
            self.write(run, c, error)
        except Exception as e:  # whatever goes wrong here, the run goes on
            from graphc.runtime import listeners

            listeners.observers.remove(self.compiled)
            listeners.failures.remove(self.failed)
            why = e.strerror if isinstance(e, OSError) and e.strerror else e
            print(
                f"graphc: GRAPHC_DUMP: nothing more is written to {self.where!r}: {why}",
                file=sys.stderr,
            )

    def write(self, run: Any, c: Any, error: BaseException | None) -> None:
        """One folder, and its line in the index."""
        from graphc.face import dump

        if self.folder is None:
            self.folder = _own_folder(Path(self.where))
        elements = [*run.fetches, *run.targets]
        name = title(self.number, c, elements)
        self.number += 1
        made = dump.stages(c, elements)
        wanted = dump.chosen("all", [s for s, _ in made])
        if error is not None:
            wanted = [s for s in wanted if s not in ("kernels", "plan")]
        write(self.folder / name, made, wanted)
        what = (
            "nothing but what was recorded" if c is None else f"{len(c.frozen.graph.nodes())} nodes"
        )
        if error is not None:
            text = "".join(traceback.format_exception(error))
            (self.folder / name / "error.txt").write_text(text, encoding="utf-8")
            what += f", failed: {type(error).__name__}"
        lines = [f"{name}: {what}"]
        lines += [f"    {'' if isinstance(e, Node) else 'fetched '}{_shown(e)}" for e in elements]
        with open(self.folder / "index.txt", "a", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")


def _own_folder(where: Path) -> Path:
    """A new folder with the name of the program: ``train``, or ``train.2`` where that is there."""
    program = Path(sys.argv[0]).stem if sys.argv and sys.argv[0] not in ("", "-c", "-m") else ""
    base = _safe(program) or "python"
    where.mkdir(parents=True, exist_ok=True)
    for k in range(1, 10_000):
        folder = where / (base if k == 1 else f"{base}.{k}")
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            continue
    raise OSError(f"there are too many folders {base}.N")


def _shown(e: Value | Node) -> str:
    """A tensor or an operation, with the line that made it."""
    node = e if isinstance(e, Node) else e.node
    text = f"{e.name}  {node.source[0]}" if node.source else str(e.name)
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
