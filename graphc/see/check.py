"""GRAPHC_CHECK=1: what the compiler made of a run is compared with numpy before it runs.

For the first run of every compilation the graph after each pass is computed on numpy, and what a
rule or pass put in the place of a value is compared with that value; then every kernel is
compared with the meaning of its nodes, for the inputs it really gets; then the whole program. A
rule or a pass that is wrong is switched off for the graph, with a warning, and the run goes on; a
wrong kernel or plan is an error, with a script that shows it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import CompileError, InvalidArgumentError
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value
from graphc.ir.permit import Permit
from graphc.ir.registry import REGIONS
from graphc.ir.text import parse_graph
from graphc.passes import rewrite
from graphc.passes.pipeline import REQUIRED
from graphc.passes.stabilize import STABLE
from graphc.runtime.feeds import to_storage
from graphc.see import native
from graphc.see.compare import TURNS, Inside, Memo, difference, within_noise
from graphc.see.native import Part

__all__ = ["Fault", "checker", "find", "replay"]

Array = np.ndarray[Any, Any]
#: Faults that one compilation may have before it is given up.
MOST = 50
#: Licences with which an infinity or a NaN may become a number.
_LOOSE = frozenset({"STABLER", "NO_NAN"})


@dataclass(frozen=True, eq=False)
class Fault:
    """Something that the compiler got wrong.

    Attributes
    ----------
    kind : str
        ``"rule"``, ``"pass"``, ``"kernel"`` or ``"plan"``.
    stage : str
        The pass, as stages of dumps are called (``"fold.2"``); of a kernel its name.
    rule : str
        The rule's name, or "".
    op : str
        Of a kernel, the op whose native code is wrong by itself, or "".
    node : Node
        The node of the graph before the pass, or that the kernel computes.
    text : str
        How the values differ.
    """

    kind: str
    stage: str
    node: Node
    text: str
    rule: str = ""
    op: str = ""

    @property
    def word(self) -> str:
        """The name of the pass."""
        return self.stage.partition(".")[0].partition(":")[0]

    def __str__(self) -> str:
        if self.kind == "rule":
            what = f"rule {self.rule!r} of pass {self.stage}"
        elif self.kind == "pass":
            what = f"pass {self.stage}"
        elif self.kind == "kernel":
            what = f"kernel {self.stage}" + (f" (native code of op {self.op!r})" if self.op else "")
        else:
            what = "plan of the run (memory that is shared or written in place)"
        where = f"\n  defined at {self.node.source[0]}" if self.node.source else ""
        return f"The {what} is wrong for {self.node.name} ({self.node.op.name}): {self.text}{where}"


class Numpy:
    """The values of a part on numpy, as computed and in float64."""

    def __init__(self, part: Part) -> None:
        g = part.compilation.frozen.graph
        args = (
            part.env,
            part.variables,
            part.streams(),
            dict(zip(g.inputs, part.given, strict=True)),
        )
        self.plain = Memo(*args)
        self.wide = Memo(*args, wide=True)

    def difference(self, old: Value, new: Value, loose: bool = False) -> str:
        """How `new` differs from `old`; "" where rounding explains it, or nothing is known."""
        if old.dtype is not new.dtype or old.dtype.kind == "s":
            return ""
        try:
            return self.compared(old, new, loose, None)
        except KeyError:
            return ""
        except Inside:
            pass
        for turn in range(TURNS):
            try:
                text = self.compared(old, new, loose, turn)
            except (Inside, KeyError):
                return ""
            if text:
                return text
        return ""

    def compared(self, old: Value, new: Value, loose: bool, turn: int | None) -> str:
        """`difference`, in a turn of the region that the values belong to."""
        a, b = self.plain.of(old, turn), self.plain.of(new, turn)
        if a.shape != b.shape:
            return ""  # a pass made its users read something else
        text = difference(a, b, loose)
        if not text or old.dtype.kind != "f" or old.dtype.size == 8:
            return text
        return (
            text if difference(self.wide.of(old, turn), self.wide.of(new, turn), loose, 4) else ""
        )


def loose(rule: str, stage: str) -> bool:
    """Whether a rule's licence, in force in a stage, lets an infinity or NaN become a number."""
    granted = rewrite.licensed(stage.partition(":")[2].partition(".")[0])
    tables = (rewrite.RULES, rewrite.VIEWS, STABLE)
    needs = [r.needs.split() for t in tables for r in t if r.name == rule]
    return any(not _LOOSE.isdisjoint(n) for n in needs if granted.issuperset(n))


# ------------------------------------------------------------------------- rules and passes


def rewriting(part: Part, numpy: Numpy) -> Fault | None:
    """The first rule or pass that changed a value."""
    c = part.compilation
    log = c.trace.journal
    before: Graph = c.frozen.graph
    times: dict[str, int] = {}
    for r in c.trace.records:
        k = times[r.name] = times.get(r.name, 0) + 1
        stage = r.name if k == 1 else f"{r.name}.{k}"
        changes = [x for x in log.changes if x.stage == stage] if log is not None else []
        numpy.plain.all(before.roots)  # regions show what they are given
        if any(n.op.name in REGIONS for n in before.nodes()):
            numpy.wide.all(before.roots)
        lax = False
        for x in changes:
            if x.rule:
                may = loose(x.rule, stage)
                lax = lax or may
                text = numpy.difference(x.old, x.new, may)
                if text:
                    return Fault("rule", stage, x.old.node, text, x.rule)
            else:
                numpy.plain.unify(x.old, x.new)
        for old, new in zip(before.roots, r.graph.roots, strict=True):
            text = numpy.difference(old, new, lax)
            if text:
                return first_change(stage, changes, numpy, lax) or Fault(
                    "pass", stage, old.node, text
                )
        before = r.graph
    return None


def first_change(stage: str, changes: list[Any], numpy: Numpy, lax: bool) -> Fault | None:
    """What a pass replaced wrongly, where one replacement shows it."""
    for x in changes:
        text = "" if x.rule else numpy.difference(x.old, x.new, lax)
        if text:
            return Fault("pass", stage, x.old.node, text)
    return None


# ------------------------------------------------------------------------- kernels


def kernels(part: Part, numpy: Numpy, g: Graph, memo: Memo | None = None) -> Fault | None:
    """The first kernel whose results are not those of its nodes."""
    memo = memo or numpy.plain
    got = native.every_value(part, g, memo.env)
    if not got:
        return None
    done: dict[Value, Array] = {}
    wide = Memo(memo.env, memo.variables, memo.start, {}, wide=True)  # type: ignore[arg-type]
    given = {v: part.given_of(v) for v in g.inputs}
    for n in g.nodes():
        if n.op.name == "input":
            done[n.outputs[0]] = given[n.outputs[0]]
            continue
        arrays = [done[v] for v in n.inputs]
        with np.errstate(all="ignore"):
            out = memo.node(n, arrays)
        done.update((v, got.get(v, a)) for v, a in zip(n.outputs, out, strict=True))
        if any(difference(a, done[v]) for v, a in zip(n.outputs, out, strict=True)):
            text = of_node(n, memo, wide, arrays, out, [done[v] for v in n.outputs])
            if text:
                return inner(part, numpy, n, memo) or kernel_fault(part, n, arrays, text)
    return None


def of_node(
    n: Node, memo: Memo, wide: Memo, arrays: list[Array], out: list[Array], got: list[Array]
) -> str:
    """How native results of a node differ from what numpy may give for it."""
    with np.errstate(all="ignore"):
        exact = wide.node(n, [wide.widened(a) for a in arrays])
        other = elsewhere(n, memo, arrays)
    for i, (a, x, b) in enumerate(zip(out, exact, got, strict=True)):
        if other is not None and a.shape == b.shape:
            b = np.where(a == other[i], b, a)  # what is never written may be anything
        text = within_noise(b, a, x)
        if text and (a.dtype.kind == "f" or decided(n, a, x, b)):
            return text
    return ""


def elsewhere(n: Node, memo: Memo, arrays: list[Array]) -> list[Array] | None:
    """What a loop gives if memory that nobody has written yet holds something else."""
    if n.op.name not in REGIONS:
        return None
    blank = [v.node.op.name == "blank" for v in n.inputs]
    memo.fill = 1
    try:
        return memo.node(
            n, [np.ones_like(a) if b else a for a, b in zip(arrays, blank, strict=True)]
        )
    finally:
        memo.fill = 0


def decided(n: Node, a: Array, wide: Array, got: Array) -> bool:
    """Whether an integer result is wrong, where rounding of floats may have decided it."""
    body = n.attrs.get("body")
    nodes = body.nodes() if isinstance(body, Graph) else [n]
    if not any(v.dtype.kind == "f" for m in nodes for v in (*m.inputs, *m.outputs)):
        return True
    wrong = np.count_nonzero((a != got) & (a == wide))
    return bool(wrong > a.size // 100)


def inner(part: Part, numpy: Numpy, n: Node, memo: Memo) -> Fault | None:
    """The kernel inside of a loop or condition that is wrong in its first turn."""
    if n.op.name not in REGIONS:
        return None
    for region in (r for r in n.attrs.values() if isinstance(r, Graph)):
        if all(v in memo.seen for v in region.inputs):
            arrays = [
                np.ascontiguousarray(to_storage(np.asarray(memo.seen[v][0]), v.dtype))
                for v in region.inputs
            ]
            fault = kernels(part._replace(arrays=arrays), numpy, region, memo)
            if fault is not None:
                return fault
    return None


def kernel_fault(part: Part, n: Node, arrays: list[Array], text: str) -> Fault:
    """Which kernel it is, and which op of it is wrong by itself."""
    names = [s.code.name for s in part.compilation.plan.steps if s.node is n and s.calls]
    name = names[0] if names else n.name
    if n.op.name != "fused":
        return Fault("kernel", name, n, text, op=n.op.name)
    body: Graph = n.attrs["body"]
    memo = Memo(part.env, {}, (), {})
    memo.know_offsets(n)
    done = dict(zip(body.inputs, arrays, strict=True))
    with np.errstate(all="ignore"):
        memo.nodes(body.nodes(), done)
    for m in body.nodes():
        if m.op.name in ("input", "constant", "pick"):
            continue
        try:
            single = native.alone(m, [done[v] for v in m.inputs])
            got = native.trial(single)
        except Exception:  # an op that has no native form by itself
            continue
        for v, a in zip(m.outputs, got[0] if got else (), strict=False):
            found = difference(done[v], a)
            if found and within_noise(a, done[v], done[v].astype(np.float64, copy=False)):
                return Fault("kernel", name, m, found, op=m.op.name)
    last = body.outputs[0].node
    return Fault("kernel", name, last, text)


# ------------------------------------------------------------------------- the whole program


def program(part: Part, numpy: Numpy) -> Fault | None:
    """Whether the program as a whole gives what its kernels give one by one."""
    got = native.trial(part)
    if got is None:
        return None
    g = part.compilation.plan.graph
    outs, new = got
    pairs = [
        *zip(g.outputs, outs, strict=True),
        *((v, new[name]) for name, v in g.updates),
    ]
    single: dict[Value, Array] | None = None
    for v, a in pairs:
        want = numpy.plain.of(v)
        if not difference(want, a):
            continue
        wide = numpy.wide.of(v)
        text = within_noise(a, want, wide) if want.dtype.kind == "f" else difference(want, a)
        if text and (want.dtype.kind == "f" or decided(v.node, want, wide, a)):
            if single is None:  # each kernel was right: does rounding add up to this?
                single = native.every_value(part, g, numpy.plain.env) or {}
            if v in single and np.array_equal(single[v], a, equal_nan=want.dtype.kind in "fc"):
                continue
            return Fault("plan", "plan", v.node, text)
    return None


def find(part: Part) -> Fault | None:
    """The first thing that is wrong in what a part became; None when all agrees with numpy."""
    numpy = Numpy(part)
    try:
        return (
            rewriting(part, numpy)
            or kernels(part, numpy, part.compilation.plan.graph)
            or program(part, numpy)
        )
    except (InvalidArgumentError, ValueError, IndexError):
        return None  # an assertion, an index out of bounds: the run says so itself


def same(a: Fault, b: Fault | None) -> bool:
    """Whether two faults are one: found in a graph and in a smaller one."""
    if b is None or a.kind != b.kind or a.rule != b.rule or (a.op and a.op != b.op):
        return False
    return a.kind != "pass" or a.word == b.word


def showing(fault: Fault, passes: Any = None) -> Callable[[Graph, list[Array]], bool]:
    """Whether a graph by itself has a fault."""
    code = fault.kind in ("kernel", "plan")

    def shows(g: Graph, arrays: list[Array]) -> bool:
        part = native.of_graph(g, arrays, passes, code=code)
        return same(fault, find(part) if code else rewriting(part, Numpy(part)))

    return shows


def replay(
    text: str, inputs: Any, passes: str | None = None, variables: Mapping[str, Any] | None = None
) -> int:
    """Compile a graph in text, compare it with numpy and say what is wrong: 1 if something is."""
    g = parse_graph(text.strip())
    arrays = [np.asarray(a) for a in inputs]
    part = native.of_graph(g, arrays, passes, variables=variables)
    fault = find(part)
    if fault is None:
        print("graphc: what was compiled agrees with numpy")
        return 0
    print(f"graphc: {fault}")
    want = Numpy(part).plain.all(part.compilation.frozen.graph.roots)
    got = native.trial(part)
    for v, a, b in zip(g.outputs, want, got[0] if got else (), strict=False):
        print(f"{v.name}\n  numpy:  {_short(a)}\n  native: {_short(b)}")
    return 1


def _short(a: Array) -> str:
    return " ".join(np.array2string(a, threshold=20, max_line_width=100000).split())


def checker(runs: int = 1) -> Callable[..., Any]:
    """What an executor calls before it runs a part: see `Executor.checker`."""
    left: dict[int, tuple[Any, int]] = {}

    def check(run: Any, c: Any, env: Any, arrays: Any) -> Any:
        for _ in range(MOST):
            fault = find(Part(run, c, env, arrays))
            if fault is None:
                break
            switch_off(run.executor, fault, Part(run, c, env, arrays))
            c, env = run.again(c, arrays)
        _, done = left.get(id(c), (c, 0))
        left[id(c)] = c, done + 1
        c.checked = check if done + 1 >= runs else None
        return c, env

    return check


def switch_off(executor: Any, fault: Fault, part: Part) -> None:
    """Have later compilations of the executor's graph do without the rule or pass at fault.

    Raises
    ------
    CompileError
        For what nothing can do without: a lowering pass, a kernel, the plan.
    """
    permit = executor.permit
    if permit is None:
        permit = executor.permit = Permit()
    if fault.kind == "rule":
        permit.rules_off.add(fault.rule)
        what = f"rule {fault.rule!r}"
    elif fault.kind == "pass" and fault.word not in REQUIRED:
        permit.passes_off.add(fault.word)
        what = f"pass {fault.word!r}"
    else:
        from graphc.see.reproduce import saved

        raise CompileError(f"GRAPHC_CHECK: {fault}{saved(part, fault)}")
    warnings.warn(
        f"GRAPHC_CHECK: {fault}\nThe {what} is switched off for this graph; please report it.",
        RuntimeWarning,
        stacklevel=6,
    )
