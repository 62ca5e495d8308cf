"""`bisect`: from a program with wrong results to the pass, rule and single application at fault.

Everything is done on a copy of the session's variables. Each native part of the run is compared
with numpy (`graphc.see.check`); then compilations in which only the first N rewrites are permitted
say, by halving, which application is the one that breaks it; then the graph is cut down.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graphc.face.default_session import get_default_session
from graphc.face.graph import get_default_graph
from graphc.face.session import Session
from graphc.ir import journal
from graphc.ir.permit import Application, Permit, granting
from graphc.passes.pipeline import REQUIRED, Trace, optimize_ir
from graphc.runtime.state import State
from graphc.see import reproduce
from graphc.see.check import Fault, Numpy, find, rewriting, same, showing
from graphc.see.native import Part

__all__ = ["Verdict", "bisect"]


@dataclass(frozen=True, eq=False)
class Verdict:
    """What `bisect` found.

    Attributes
    ----------
    kind : str
        ``"rule"``, ``"pass"``, ``"kernel"``, ``"plan"``, or ``""`` where nothing is wrong.
    stage : str
        The pass (``"fold.2"`` is its second time) or the kernel.
    rule : str
        The rule, if one is at fault.
    op : str
        Of a kernel the op whose native code is wrong, if it is one.
    node : str
        The node that the application rewrote, or that the kernel computes.
    application : int or None
        The how manieth rewrite of the compilation it is, from 1.
    total : int
        How many rewrites there are.
    tries : int
        Compilations that it took.
    script : Path or None
        A program that shows the fault.
    text : str
        How the values differ.
    """

    kind: str = ""
    stage: str = ""
    rule: str = ""
    op: str = ""
    node: str = ""
    application: int | None = None
    total: int = 0
    tries: int = 0
    script: Path | None = None
    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.kind)

    def __str__(self) -> str:
        if not self and self.text:
            return f"graphc.bisect: {self.text}"
        if not self:
            return "graphc.bisect: nothing is wrong: the results agree with numpy"
        lines = [f"graphc.bisect: {self.text}"]
        if self.application is not None:
            lines.append(
                f"  rewrite {self.application} of {self.total}, of {self.node!r}, found in "
                f"{self.tries} compilations"
            )
        if self.script is not None:
            lines.append(f"  shown by: python {self.script}")
        return "\n".join(lines)


class _Found(Exception):
    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict


def bisect(
    fetches: Any, feed_dict: Mapping[Any, Any] | None = None, session: Any = None,
    check: Callable[[Any], bool] | None = None, *, script: str | Path | None = None,
) -> Verdict:  # fmt: skip
    """Find what the compiler does wrong in a run; variables of the session do not change.

    What ops on the host change (queues, files, Python functions) is not copied: it changes.

    Parameters
    ----------
    fetches : tensor, operation, or nested lists of them
    feed_dict : dict, optional
    session : Session, optional
        By default the default session; without one a new one, its variables initialized.
    check : callable, optional
        Says of the results of a run whether they are right, True or False. By default results are
        compared with numpy.
    script : str or Path, optional
        Where to write the program that shows the fault; by default a new folder.

    Returns
    -------
    Verdict
        Print it.

    Raises
    ------
    TypeError, RuntimeError
        When `check` gives something else, or raises.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default():
    ...     x = tf.constant([1.0, 2.0])
    ...     print(tf.bisect(tf.exp(x) * 1.0))
    graphc.bisect: nothing is wrong: the results agree with numpy
    """
    if check is not None and not callable(check):
        raise TypeError(f"`check` is a function of a run's results, not {check!r:.60}")
    search = _Search(fetches, feed_dict, session, script)
    found = search.by_numpy()
    return found if check is None else search.by_check(check, found)


class _Search:
    def __init__(self, fetches: Any, feeds: Any, session: Any, script: Any) -> None:
        self.fetches, self.feeds, self.script = fetches, feeds, script
        session = session or get_default_session()
        if session is not None and session._closed:
            raise RuntimeError("Attempted to use a closed Session.")
        self.graph = session.graph if session is not None else get_default_graph()
        self.config = session._config if session is not None else None
        self.state = session._executor.state if session is not None else None
        if self.state is None:
            with self.graph.as_default(), Session(graph=self.graph) as fresh:
                names = [n for n in self.graph.get_operations() if n.op.name == "variable"]
                if names:
                    from graphc.face.variables import global_variables_initializer

                    fresh.run(global_variables_initializer())
                self.state = copied(fresh._executor.state)
        self.tries = 0

    def session(self, permit: Permit | None = None) -> Any:
        """A session of its own with the same variables."""
        made = Session(graph=self.graph, config=self.config)
        made._executor.state = copied(self.state)
        made._executor.permit = permit
        made._executor.checker = None
        return made

    # ------------------------------------------------------------- with numpy

    def by_numpy(self) -> Verdict:
        """The first native part of the run that differs from numpy."""
        session = self.session()
        session._executor.checker = self.look
        try:
            session.run(self.fetches, self.feeds)
        except _Found as e:
            return e.verdict
        finally:
            session._executor.state = State()  # what the two share is not closed
            session.close()
        return Verdict()

    def look(self, run: Any, c: Any, env: Any, arrays: Any) -> Any:
        """An executor's `checker`."""
        verdict = examine(Part(run, c, env, arrays), self.script)
        if verdict:
            raise _Found(verdict)
        return c, env

    # ------------------------------------------------------------- with the user's own check

    def by_check(self, check: Callable[[Any], bool], found: Verdict) -> Verdict:
        """The application without which `check` is content."""
        used: list[Application] = []

        def bad(permit: Permit) -> bool:
            nonlocal used
            self.tries += 1
            session = self.session(permit)
            try:
                result = session.run(self.fetches, self.feeds)
            finally:
                session._executor.state = State()
                session.close()
            used = max(permit.compilations, key=len, default=[])
            return not _content(check, result)

        if not bad(Permit()):
            return Verdict()
        everything = used
        if bad(Permit(limit=0)):
            for name in dict.fromkeys(s.partition(":")[0] for s in self.passes()):
                if name not in REQUIRED and not bad(Permit(passes_off={name})):
                    text = f"The check is content without pass {name}."
                    return Verdict("pass", name, tries=self.tries, text=text)
            if found:
                return found
            text = "The check fails with every rewrite and pass switched off, too; what it sees"
            return Verdict(tries=self.tries, text=f"{text} agrees with numpy: look at the program.")
        n = halved(lambda k: bad(Permit(limit=k)), len(everything))
        a = everything[n - 1]
        what = f"rule {a.rule!r} of pass {a.stage}" if a.rule else f"pass {a.stage}"
        return Verdict(
            "rule" if a.rule else "pass", a.stage, a.rule, "", a.node, n, len(everything),
            self.tries, found.script, f"The check fails with the {what} at {a.node}.",
        )  # fmt: skip

    def passes(self) -> list[str]:
        with self.session() as s:
            names: list[str] = s._executor.passes
            s._executor.state = State()
        return names


def _content(check: Callable[[Any], Any], result: Any) -> bool:
    """What `check` says of the results of a run."""
    try:
        answer = check(result)
    except Exception as e:
        raise RuntimeError(
            f"`check` raises {type(e).__name__}: {e}; it returns whether the results are right"
        ) from e
    if isinstance(answer, bool | np.bool_) or (isinstance(answer, np.ndarray) and not answer.ndim):
        return bool(answer)
    more = f" of shape {answer.shape}: np.all(...) says it" if hasattr(answer, "shape") else ""
    raise TypeError(
        "`check` returns whether the results are right, True or False, but gave "
        f"{type(answer).__name__}{more}"
    )


def copied(state: Any) -> Any:
    """Variables and counters as they are now; what host ops keep is shared."""
    out = State()
    with state.lock:
        for name, cell in state.cells.items():
            if cell.ready:
                new = out.cell(name, cell.dtype, cell.shape)
                new.array[...] = cell.array
                new.ready = True
        out.skips.update(state.skips)
        out.seeds.update(state.seeds)
        out.resources = state.resources
    return out


def halved(bad: Callable[[int], bool], total: int) -> int:
    """The least n at which `bad` holds: it does at `total`, and not at 0."""
    good = 0
    while total - good > 1:
        middle = (good + total) // 2
        if bad(middle):
            total = middle
        else:
            good = middle
    return total


def permitted(part: Part, permit: Permit) -> Part:
    """A part whose graph was rewritten as far as is permitted; it has no code."""
    c = part.compilation
    with granting(permit), journal.recording():
        trace = Trace()
        optimize_ir(c.frozen.graph, part.run.executor.passes, trace)
    return part._replace(compilation=c.retraced(trace))


def examine(part: Part, script: str | Path | None = None) -> Verdict:
    """What is wrong in one native part."""
    fault = find(part)
    if fault is None:
        return Verdict()
    n, total, tries, node = applied(part, fault)
    path = written(part, fault, script)
    return Verdict(
        fault.kind, fault.stage, fault.rule, fault.op, node, n, total, tries, path, str(fault),
    )  # fmt: skip


def applied(part: Part, fault: Fault) -> tuple[int | None, int, int, str]:
    """Which rewrite shows the fault first, of how many, what finding it took, and its node."""
    shown = fault.node.name
    if fault.kind not in ("rule", "pass"):
        return None, 0, 0, shown
    tries = 0

    def bad(limit: int | None) -> bool:
        nonlocal tries
        tries += 1
        permit.limit = limit
        made = permitted(part, permit)
        return same(fault, rewriting(made, Numpy(made)))

    permit = Permit()
    if not bad(None):
        return None, 0, tries, shown
    everything = permit.used
    total = len(everything)
    if not total or bad(0):  # the pass as a whole
        return None, total, tries, shown
    n = halved(bad, total)
    found = everything[n - 1]
    # the wrong value may be that of a loop, whose body was rewritten
    return n, total, tries, found.node if found.stage == fault.stage else shown


def written(part: Part, fault: Fault, script: str | Path | None) -> Path | None:
    """The program that shows a fault, cut down; None where none can be written."""
    passes = part.run.executor.passes
    small = reproduce.shrink(part, showing(fault, passes), fault.node.name)
    variables = {}
    if small is None:
        if part.compilation.frozen.random:
            return None  # which numbers were drawn is the session's
        small, variables = (part.compilation.frozen.graph, part.given), part.variables
    text = reproduce.script(small, str(fault), passes, variables)
    try:
        path = Path(script or Path(tempfile.mkdtemp(prefix="graphc_bisect_")) / "fault.py")
        path.write_text(text, encoding="utf-8")
    except OSError as e:
        warnings.warn(f"graphc.bisect cannot write its script: {e}", RuntimeWarning, stacklevel=2)
        return None
    return path
