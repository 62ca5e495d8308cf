"""The debugger's prompt: commands as in ``tfdbg``, over any two streams."""

from __future__ import annotations

import argparse
import cmd
import linecache
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO

import numpy as np

from graphc.runtime.numerics import describe
from graphc.see.stepper import Datum, Debugger, Leave, summary

__all__ = ["Shell", "sliced"]

_SLICE = re.compile(r"^(?P<name>[^\[\]]+?)(?P<index>\[.*\])?$")


class Wrong(Exception):
    """A command that cannot be understood, or names what there is not."""


class _Parser(argparse.ArgumentParser):
    def __init__(self, name: str) -> None:
        super().__init__(name, add_help=False)

    def error(self, message: str) -> NoReturn:
        raise Wrong(message)


def sliced(a: Any, index: str) -> Any:
    """An array at an index in text, ``[0, 1:3]``.

    Raises
    ------
    Wrong
        When it is no index, or not one of this array.
    """
    places: list[Any] = []
    for part in filter(None, (p.strip() for p in index.strip("[]").split(","))):
        ends = part.split(":")
        try:
            numbers = [int(e) if e.strip() else None for e in ends]
        except ValueError:
            if part != "...":
                raise Wrong(f"{part!r} is no index") from None
            places.append(...)
            continue
        places.append(numbers[0] if len(ends) == 1 else slice(*numbers))
    try:
        return np.asarray(a)[tuple(places)]
    except (IndexError, TypeError, ValueError) as e:
        raise Wrong(f"{index}: {e}") from None


class Shell(cmd.Cmd):
    """Asks the user what to do where a run stands still.

    Parameters
    ----------
    stdin, stdout : streams, optional
    """

    prompt = "tfdbg> "

    def __init__(self, stdin: TextIO | None = None, stdout: TextIO | None = None) -> None:
        super().__init__(stdin=stdin, stdout=stdout or sys.stdout)
        self.use_rawinput = stdin is None and sys.stdin.isatty()
        self.debugger: Debugger = Debugger(self.ask)
        self.at = ""

    # ------------------------------------------------------------- the prompt

    def ask(self, debugger: Debugger, kind: str) -> None:
        """Take commands until one lets the run go on."""
        self.at = kind
        if kind == "start":
            self.say(f"--- run {debugger.count}: {debugger.title}")
        elif kind == "end" and debugger.error is not None:
            self.say(f"--- run {debugger.count} failed: {debugger.error}")
        elif kind == "end":
            self.say(f"--- run {debugger.count} is done: {len(debugger.values)} tensors (lt)")
        else:
            self.where()
        self.cmdloop()

    def say(self, text: str) -> None:
        """Print, whatever the stream can show."""
        encoding = getattr(self.stdout, "encoding", None) or "utf-8"
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=self.stdout)

    def where(self) -> None:
        """Say where the run stands."""
        n = self.debugger.current
        if n is None:
            self.say("the run has not begun")
            return
        values = [d for d in self.debugger.values.values() if d.node is n]
        turn = f"  ({values[0].turn})" if values and values[0].path else ""
        self.say(f"--> {n.name} ({n.op.name}){turn}" + (f"  {n.source[0]}" if n.source else ""))
        for d in values:
            self.say(f"    {summary(d)}")

    def onecmd(self, line: str) -> bool:
        """One command; what is wrong with it is said."""
        try:
            return bool(super().onecmd(line))
        except Wrong as e:
            self.say(f"error: {e}")
        except Leave:
            raise
        except ValueError as e:
            self.say(f"error: {e}")
        return False

    def emptyline(self) -> bool:
        """Nothing happens."""
        return False

    def default(self, line: str) -> None:
        """A word that is no command."""
        if line == "EOF":
            self.debugger.detached = True
            return True  # type: ignore[return-value]
        raise Wrong(f"there is no command {line.split()[0]!r} (help lists them)")

    def do_help(self, arg: str) -> None:
        """help [COMMAND]: what there is."""
        f = getattr(self, f"do_{_ALIASES.get(arg, arg)}", None)
        if arg and (f is None or not f.__doc__):
            raise Wrong(f"there is no command {arg!r}")
        every: list[Any] = [getattr(self, n) for n in dir(self) if n.startswith("do_")]
        shown: list[Any] = [f] if arg else every
        for g in shown:
            if g.__doc__ and g.__name__[3:] not in _ALIASES:
                self.say(g.__doc__.strip())

    def precmd(self, line: str) -> str:
        """Short names."""
        word, _, rest = line.strip().partition(" ")
        return f"{_ALIASES.get(word, word)} {rest}".strip()

    def words(self, arg: str, *options: tuple[Any, ...], **named: Any) -> argparse.Namespace:
        """The arguments of a command: ``(names, keywords of add_argument)`` each."""
        p = _Parser("")
        for names, keywords in options:
            p.add_argument(*names.split(), **keywords)
        return p.parse_args(shlex.split(arg))

    # ------------------------------------------------------------- going on

    def go(self, mode: str, **settings: Any) -> bool:
        d = self.debugger
        d.mode = mode
        for k, x in settings.items():
            setattr(d, k, x)
        return True

    def do_run(self, arg: str) -> bool:
        """run [-n] [-t N] [-f FILTER]: to the end; unwatched; N runs; to what passes."""
        a = self.words(
            arg, ("-n --no_debug", {"action": "store_true"}),
            ("-t --times", {"type": int, "default": 1}),
            ("-f --till_filter_pass", {"default": ""}),
        )  # fmt: skip
        if a.till_filter_pass and a.till_filter_pass not in self.debugger.filters:
            raise Wrong(f"there is no tensor filter {a.till_filter_pass!r}")
        if a.times < 1:
            raise Wrong("-t takes a number from 1")
        if self.at == "start" and a.times > 1:
            return self.go("plain", skip=a.times - 2)
        if a.no_debug:
            return self.go("plain")
        return self.go("run", pass_filter=a.till_filter_pass)

    def do_step(self, arg: str) -> bool:
        """step [N]: on to the next node (of a loop's body too), or the N-th."""
        a = self.words(arg, ("count", {"type": int, "nargs": "?", "default": 1}))
        if a.count < 1:
            raise Wrong(f"step takes a number from 1, not {a.count}: a run does not go back")
        return self.go("step", steps=a.count)

    def do_next(self, arg: str) -> bool:
        """next: on to the next node that is not deeper in loops."""
        return self.go("next")

    def do_continue(self, arg: str) -> bool:
        """continue: on to a breakpoint, or the end of the run."""
        return self.go("run")

    def do_until(self, arg: str) -> bool:
        """until NODE|FILTER: on to a node of that name, or to a tensor that passes a filter."""
        if not arg:
            raise Wrong("until what? A node or a filter")
        d = self.debugger
        if arg in d.filters:
            return self.go("until", target=lambda n, made: any(d.passes(arg, x) for x in made))
        try:
            name = re.compile(arg)
        except re.error as e:
            raise Wrong(f"{arg!r} is neither a filter nor a pattern of names: {e}") from None
        return self.go("until", target=lambda n, made: bool(name.fullmatch(n.name)))

    def do_break(self, arg: str) -> None:
        """break [NODE]: stop at a node; without one, list where."""
        if arg:
            if self.debugger.operation(arg) is None:
                raise Wrong(f"there is no node {arg!r}")
            self.debugger.breakpoints.add(arg)
        for name in sorted(self.debugger.breakpoints):
            self.say(f"  {name}")

    def do_clear(self, arg: str) -> None:
        """clear [NODE]: stop there no more; nowhere, without one."""
        if arg and arg not in self.debugger.breakpoints:
            raise Wrong(f"there is no breakpoint at {arg!r}")
        self.debugger.breakpoints -= {arg} if arg else set(self.debugger.breakpoints)

    def do_exit(self, arg: str) -> NoReturn:
        """exit: leave the program."""
        raise Leave(1)

    # ------------------------------------------------------------- looking

    def do_where(self, arg: str) -> None:
        """where: the node at which the run stands."""
        self.where()

    def do_run_info(self, arg: str) -> None:
        """run_info: what is fetched and fed."""
        self.say(f"run {self.debugger.count}: {self.debugger.title}")

    def do_list_tensors(self, arg: str) -> None:
        """list_tensors (lt) [-n NAME] [-t OP] [-f FILTER]: the tensors computed so far."""
        a = self.words(
            arg, ("-n --node_name_filter", {"default": ""}),
            ("-t --op_type_filter", {"default": ""}),
            ("-f --tensor_filter", {"default": ""}),
        )  # fmt: skip
        try:
            found = self.debugger.tensors(a.node_name_filter, a.op_type_filter, a.tensor_filter)
        except KeyError as e:
            raise Wrong(f"there is no tensor filter {e.args[0]!r}") from None
        except re.error as e:
            raise Wrong(f"not a pattern: {e}") from None
        what = f' passing filter "{a.tensor_filter}"' if a.tensor_filter else ""
        self.say(f"{len(found)} tensor(s){what}")
        for d in found:
            kind = d.node.op.tf or d.node.op.name
            self.say(f"  {d.dump_size_bytes:>10}  {kind:<20} {d.tensor_name}")

    def found(self, name: str) -> Datum:
        values = self.debugger.values
        d = values.get(name) or values.get(f"{name}:0")
        if d is None:
            raise Wrong(f"tensor {name!r} has no value (yet)")
        return d

    def do_print_tensor(self, arg: str) -> None:
        """print_tensor (pt) NAME[SLICE] [-a] [-s]: a tensor; all of it; its statistics too."""
        a = self.words(
            arg.replace(", ", ","), ("name", {}), ("-a --all", {"action": "store_true"}),
            ("-s --numeric_summary", {"action": "store_true"}),
        )  # fmt: skip
        m = _SLICE.match(a.name)
        if m is None:
            raise Wrong(f"{a.name!r} is no tensor")
        d = self.found(m["name"])
        x = sliced(d.array, m["index"]) if m["index"] else d.array
        turn = f" ({d.turn})" if d.path else ""
        self.say(f'Tensor "{d.tensor_name}{m["index"] or ""}"{turn}: {describe(x)}')
        if a.numeric_summary:
            self.say(numbers(x))
        self.say(np.array2string(np.asarray(x), threshold=sys.maxsize if a.all else 1000))

    def operation(self, name: str) -> Any:
        op = self.debugger.operation(name)
        if op is None:
            raise Wrong(f"there is no node {name!r} in the graph")
        return op

    def do_node_info(self, arg: str) -> None:
        """node_info (ni) NODE [-a] [-t]: its op, inputs, outputs; attributes; where it was made."""
        a = self.words(
            arg, ("name", {}), ("-a --attributes", {"action": "store_true"}),
            ("-t --traceback", {"action": "store_true"}),
        )  # fmt: skip
        op = self.operation(a.name)
        self.say(f"Node {op.name}\n  op: {op.type}")
        self.say(f"  inputs: {', '.join(v.name for v in op.inputs) or 'none'}")
        self.say(f"  control inputs: {', '.join(n.name for n in op.control_inputs) or 'none'}")
        self.say(f"  recipients: {', '.join(self.recipients(op)) or 'none'}")
        for i, v in enumerate(op.outputs):
            d = self.debugger.values.get(f"{op.name}:{i}")
            self.say(
                f"  output {i}: {v.dtype.name} {v.shape}" + (f" = {describe(d.array)}" if d else "")
            )
        if a.attributes:
            for k, x in sorted(op.node_def.attr.items()) if hasattr(op.node_def, "attr") else ():
                self.say(f"  {k}: {' '.join(str(x).split())}")
        if a.traceback:
            for s in op.source:
                self.say(f"  {s}")

    def recipients(self, op: Any) -> list[str]:
        mine = set(op.outputs)
        return [n.name for n in self.debugger.graph.get_operations() if mine.intersection(n.inputs)]

    def do_list_inputs(self, arg: str) -> None:
        """list_inputs (li) NODE [-r] [-d DEPTH]: what it reads; what that reads."""
        self.tree(arg, lambda op: list(dict.fromkeys(v.op.name for v in op.inputs)))

    def do_list_outputs(self, arg: str) -> None:
        """list_outputs (lo) NODE [-r] [-d DEPTH]: who reads it; who reads that."""
        self.tree(arg, self.recipients)

    def tree(self, arg: str, following: Callable[[Any], Sequence[str]]) -> None:
        a = self.words(
            arg, ("name", {}), ("-r --recursive", {"action": "store_true"}),
            ("-d --depth", {"type": int, "default": 20}),
        )  # fmt: skip
        op = self.operation(a.name)
        self.say(op.name)
        seen: set[str] = set()
        stack = [(name, 1) for name in reversed(following(op))]
        while stack:
            name, depth = stack.pop()
            self.say(f"{'  ' * depth}({depth}) {name}" + (" ..." if name in seen else ""))
            if a.recursive and depth < a.depth and name not in seen:
                stack += [(x, depth + 1) for x in reversed(following(self.operation(name)))]
            seen.add(name)

    def do_eval(self, arg: str) -> None:
        """eval EXPRESSION: Python on tensors in backticks, eval "np.mean(`loss:0`)"."""
        text = arg.strip()
        if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
            text = text[1:-1]
        values: dict[str, Any] = {"np": np, "numpy": np}

        def value(m: re.Match[str]) -> str:
            name = f"_t{len(values)}"
            values[name] = self.found(m[1]).array
            return name

        text = re.sub(r"`([^`]+)`", value, text)
        try:
            got = eval(text, values)
        except Exception as e:
            raise Wrong(f"{type(e).__name__}: {e}") from None
        self.say(np.array2string(got) if isinstance(got, np.ndarray) else repr(got))

    def do_print_source(self, arg: str) -> None:
        """print_source (ps) [FILE] [-b LINE]: the program's lines around the node, or in a file."""
        a = self.words(
            arg, ("file", {"nargs": "?", "default": ""}),
            ("-b --line_begin", {"type": int, "default": 0}),
        )  # fmt: skip
        n = self.debugger.current
        here = re.match(r"(.*):(\d+)", str(n.source[0])) if n is not None and n.source else None
        path = a.file or (here[1] if here else "")
        if not path:
            raise Wrong("no node, no file")
        at = int(here[2]) if here is not None and not a.file else 0
        lines = linecache.getlines(path)
        if not lines:
            raise Wrong(f"there is no file {path!r}")
        begin = a.line_begin or max(1, at - 5)
        stop = begin + (11 if not a.file or a.line_begin else len(lines))
        self.say(Path(path).name)
        for k, line in enumerate(lines[begin - 1 : stop - 1], begin):
            self.say(f"{'->' if k == at else '  '} {k:4d}  {line.rstrip()}")


_ALIASES = {
    "r": "run", "s": "step", "n": "next", "c": "continue", "cont": "continue", "b": "break",
    "lt": "list_tensors", "pt": "print_tensor", "p": "print_tensor", "ni": "node_info",
    "li": "list_inputs", "lo": "list_outputs", "ps": "print_source", "list": "print_source",
    "l": "print_source", "ri": "run_info", "quit": "exit", "q": "exit", "w": "where", "u": "until",
}  # fmt: skip


def numbers(x: Any) -> str:
    """How many elements are of which kind."""
    a = np.asarray(x)
    if a.dtype.kind not in "fiu":
        return f"  elements: {a.size}"
    with np.errstate(all="ignore"):
        kinds = {
            "nan": np.isnan(a), "-inf": a == -np.inf, "-": (a < 0) & (a > -np.inf), "0": a == 0,
            "+": (a > 0) & (a < np.inf), "+inf": a == np.inf,
        }  # fmt: skip
    counted = {k: int(v.sum()) for k, v in kinds.items() if v.any()}
    return "  " + "  ".join(f"{k}: {n}" for k, n in {**counted, "total": a.size}.items())
