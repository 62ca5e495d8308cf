"""``python -m graphc dump``: every stage of what a script compiled, or of a saved graph."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from graphc.cli import Misuse
from graphc.commands import script
from graphc.commands.script import shown

__all__ = ["arguments", "execute"]

_STAGES = """stages: graph (as recorded), pure, one for each pass (sizes, fold, cse, ..., fuse;
fold.2 after its second time), kernels, plan, llvm, optimized (LLVM IR after its optimiser), asm.
Without `dump`: GRAPHC_DUMP=folder python script.py writes all but LLVM's stages there.

files: a Python script; IR text (.gc, or - for the standard input); a GraphDef or MetaGraphDef
(.pb, .pbtxt, .meta) or the folder of a SavedModel, which need the package tensorboard.
"""
_SAVED = (".pb", ".pbtxt", ".meta")


class Item(NamedTuple):
    """Something to show: a compilation, its title, and what is fetched."""

    title: str
    compilation: Any
    elements: Sequence[Any]
    seeds: Any = None


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``dump``."""
    parser.epilog = f"{parser.epilog}\n\n{_STAGES}"
    parser.add_argument(
        "--stage", default="all",
        help="stages with commas, or 'everything' (default: all but LLVM's)",
    )  # fmt: skip
    parser.add_argument(
        "--format", default="text", choices=("text", "json", "dot", "python"),
        help="json and dot show graphs; python writes them as programs of numpy",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=None, metavar="FOLDER",
        help="write one file a stage into a folder for each compilation",
    )  # fmt: skip
    parser.add_argument(
        "--fetch", default=None, metavar="NAMES",
        help="of a saved graph: what to compute, names with commas (default: what nothing reads)",
    )  # fmt: skip
    parser.add_argument(
        "--level", type=int, choices=(0, 1, 2), default=None,
        help="of a graph: the level (default 2)",
    )  # fmt: skip
    parser.add_argument("--passes", default=None, metavar="LIST", help="of a graph: the pipeline")
    parser.add_argument(
        "--kernel", default="", metavar="NAME",
        help="of kernels, LLVM IR and assembly only what is called so, or has it in its name",
    )  # fmt: skip
    script.arguments(parser, "a Python script or a graph")


def execute(args: argparse.Namespace) -> int:
    """Show a script's compilations, or a graph's."""
    file = args.script
    saved = Path(file).suffix in _SAVED or Path(file).is_dir()
    if file != "-" and not saved:
        script.check_run(file, args.run)
    if args.fetch is not None and not saved:
        raise Misuse("--fetch is for saved graphs")
    graphs = saved or file == "-" or Path(file).suffix == ".gc"
    if graphs and args.args:
        raise Misuse(f"a graph takes no arguments: {' '.join(args.args)!r} stands behind it")
    _check_pipeline(args, graphs)
    _check_stages(args, graphs)
    script.writable_folder(args.out)
    status = 0
    if file == "-" or Path(file).suffix == ".gc":
        items = _of_text(args)
    elif saved:
        items = _of_saved(args)
    else:
        status, items = _of_script(args)
        if status and not items:
            return status
    if args.kernel:
        _check_kernel(items, args.kernel)
    _show(items, args.stage, args.format, args.out, args.kernel)
    return status


def _check_pipeline(args: argparse.Namespace, graphs: bool) -> None:
    """``--level`` and ``--passes`` are for graphs alone."""
    if not graphs and (args.level is not None or args.passes is not None):
        raise Misuse("--level and --passes are for graphs; a script's sessions have options")
    if args.level is None:
        args.level = 2


def _check_kernel(items: Sequence[Item], kernel: str) -> None:
    """Refuse a name that no kernel has."""
    plans = [i.compilation.plan for i in items if i.compilation is not None]
    names = list(dict.fromkeys(s.code.name for p in plans if p for s in p.steps if s.calls))
    if not any(kernel in name for name in names):
        raise Misuse(f"no kernel is called {kernel!r}; there are: {', '.join(names)}")


def _check_stages(args: argparse.Namespace, graphs: bool) -> None:
    """Refuse stages that there cannot be, before a script runs."""
    from graphc.face import dump
    from graphc.see import forms

    text = "" if graphs else Path(args.script).read_text(encoding="utf-8", errors="replace")
    try:
        for word in args.stage.split(","):
            if word.partition(":")[0].partition(".")[0].strip() not in text or not word.strip():
                dump.check_stage(word)  # a script may have passes of its own
        forms.check_stages(args.stage, args.format)
    except ValueError as e:
        raise Misuse(str(e)) from None


# ------------------------------------------------------------------- what to show


def _of_script(args: argparse.Namespace) -> tuple[int, list[Item]]:
    from graphc.see import folders

    status, seen = script.observed(args.script, args.args)
    if status and not seen:
        return status, []
    items = []
    for s in script.pick(seen, args.run):
        seeds = s.run.executor.state.seeds.get
        name = folders.title(s.number, s.compilation, s.elements)
        items.append(Item(name, s.compilation, s.elements, seeds))
    return status, items


def _of_text(args: argparse.Namespace) -> list[Item]:
    from graphc.commands.opt import read_graphs
    from graphc.face import dump
    from graphc.see import folders

    items = []
    for i, g in enumerate(read_graphs(args.script)):
        try:
            c = dump.compile_graph(g, args.level, args.passes)
        except ValueError as e:
            raise Misuse(str(e)) from None
        items.append(Item(folders.title(i, c), c, ()))
    return items


def _of_saved(args: argparse.Namespace) -> list[Item]:
    from graphc.commands.saved import fetched, read_saved
    from graphc.face import dump

    graph, default = read_saved(args.script)
    elements = fetched(graph, args.fetch.split(",") if args.fetch else default)
    try:
        parts = dump.compile_run(elements, graph=graph, level=args.level, passes=args.passes)
    except Exception as e:
        raise Misuse(f"{args.script!r} cannot be compiled: {e}", 1) from None
    name = Path(args.script).name
    return [Item(f"{name} {p.title}".strip(), p.compilation, p.elements) for p in parts]


# ------------------------------------------------------------------- showing it


def _show(items: Sequence[Item], stage: str, form: str, out: Path | None, kernel: str = "") -> None:
    from graphc.face import dump
    from graphc.see import folders, forms

    if form != "text":
        _formatted(items, stage, form, out)
        return
    every = [(i, dump.stages(i.compilation, i.elements, kernel)) for i in items]
    known = list(dict.fromkeys(name for _, made in every for name, _ in made))
    try:
        wanted = forms.wanted(stage, known, "text")
    except ValueError as e:
        raise Misuse(str(e)) from None
    for item, made in every:
        made = [m for m in made if m[0] != "graph" or item.elements]
        try:
            if out is not None:
                folders.write(out / item.title, made, wanted)
                continue
        except OSError as e:
            raise Misuse(f"cannot write to {str(out)!r}: {e}") from None
        for name, make in made:
            text = make() if name in wanted else ""
            if text:
                shown(f"# ==== {item.title}: {name}\n{text}\n")


def _formatted(items: Sequence[Item], stage: str, form: str, out: Path | None) -> None:
    """JSON, DOT or Python: printed as one text, or a file for each compilation."""
    from graphc.see import forms

    try:
        if out is not None:
            for item in items:
                forms.write(out / item.title, item, stage, form, item.seeds)
        elif form == "python":
            for item in items:
                shown(forms.formatted([item[:3]], stage, form, item.seeds))
        else:
            shown(forms.formatted([i[:3] for i in items], stage, form))
    except ValueError as e:
        raise Misuse(str(e)) from None
    except OSError as e:
        raise Misuse(f"cannot write to {str(out)!r}: {e}") from None
