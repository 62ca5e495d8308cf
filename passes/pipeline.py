"""The passes, in one table; the order of a level is text."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphc.ir import journal, permit
from graphc.ir.graph import Graph
from graphc.ir.journal import Journal
from graphc.ir.node import Node, Value
from graphc.ir.registry import FOREIGN, REGIONS
from graphc.ops.control import with_regions
from graphc.passes.accumulate import accumulate
from graphc.passes.chain import chain
from graphc.passes.cse import cse
from graphc.passes.expand import expand
from graphc.passes.fold import fold
from graphc.passes.fuse import fuse
from graphc.passes.hoist import hoist
from graphc.passes.layout import layout
from graphc.passes.narrow import narrow
from graphc.passes.pools import pools
from graphc.passes.rewrite import licensed
from graphc.passes.share import share
from graphc.passes.simplify import simplify
from graphc.passes.sizes import sizes
from graphc.passes.stabilize import stabilize
from graphc.passes.trim import trim
from graphc.passes.verify import verify
from graphc.passes.winograd import winograd

__all__ = [
    "LEVELS", "PASSES", "PassRecord", "Trace", "named", "of_level", "optimize_ir", "pipeline",
    "register",
]  # fmt: skip

Pass = Callable[..., Graph]

#: Every pass by its name: file = function = row = command-line word = folder of its tests.
PASSES: dict[str, Pass] = {
    "sizes": sizes,
    "fold": fold,
    "cse": cse,
    "stabilize": stabilize,
    "simplify": simplify,
    "chain": chain,
    "pools": pools,
    "trim": trim,
    "hoist": hoist,
    "expand": expand,
    "layout": layout,
    "narrow": narrow,
    "accumulate": accumulate,
    "winograd": winograd,
    "fuse": fuse,
    "share": share,
}

#: Passes that take licences as options and say what they did.
RULED = frozenset({"stabilize", "simplify", "chain", "layout", "winograd"})

#: What each level runs. `sizes`, `expand` and `fuse` are lowering steps: no level leaves them out.
#: Rules run twice: on whole composites (softmax) first, on what they are made of afterwards.
LEVELS: dict[int, str] = {
    0: "sizes,expand,sizes,fuse",
    1: "sizes,fold,expand,sizes,fold,cse,fuse,share",
    2: "sizes,fold,trim,cse,stabilize,simplify,chain,pools,trim,hoist,expand,sizes,fold,layout,"
    "simplify,cse,trim,narrow,trim,accumulate,hoist,cse,winograd,fuse,share",
}
REQUIRED = ("sizes", "expand", "fuse")
#: Passes whose replacements of nodes depend on each other, are rules, or ask by themselves (`trim`,
#: `hoist`): a search for a faulty one does not take each node that these replace as a rewrite.
WHOLE = frozenset({"sizes", "stabilize", "simplify", "trim", "hoist", "expand", "layout", "fuse"})


@dataclass
class PassRecord:
    """What one pass did: for dumps and reports."""

    name: str
    graph: Graph
    seconds: float
    nodes: int
    notes: dict[str, int] = field(default_factory=dict)


@dataclass
class Trace:
    """The graphs after each pass of one compilation, and what was written down meanwhile."""

    records: list[PassRecord] = field(default_factory=list)
    journal: Journal | None = field(default_factory=journal.current)


def register(name: str, f: Callable[[Graph], Graph]) -> None:
    """Enter a pass of your own in the table, so that a pipeline can name it.

    Raises
    ------
    ValueError
        For a name that is taken, or that a pipeline could not hold.
    """
    if name in PASSES:
        raise ValueError(f"there is a pass {name!r} already")
    if not name or not name.replace("_", "").isalnum():
        raise ValueError(f"a pass needs a name of letters, digits and underscores, not {name!r}")
    FOREIGN.add(name)
    PASSES[name] = f


def of_level(level: int) -> str:
    """The pipeline of a level.

    Raises
    ------
    ValueError
        For a level that there is not.
    """
    if level not in LEVELS:
        *others, last = LEVELS
        known = f"{', '.join(map(str, others))} or {last}"
        raise ValueError(f"level must be {known}, not {level!r}")
    return LEVELS[level]


def named(passes: str | Iterable[str]) -> list[str]:
    """Passes from a list, or from a text with commas."""
    return [s.strip() for s in passes.split(",")] if isinstance(passes, str) else list(passes)


def pipeline(
    passes: str | Sequence[str] | None = None, level: int = 2, off: str | Iterable[str] = ()
) -> list[str]:
    """The passes to run: a level, or a list, without those switched off.

    Raises
    ------
    ValueError
        For a name that is no pass; lists the passes there are. A name may carry licences,
        ``"simplify:REASSOC+NO_NAN"``. For a pass in `off` that no level leaves out. For a level
        that there is not.
    """
    out, off = named(of_level(level) if passes is None else passes), named(off)
    for s in [*out, *off]:
        name, _, options = s.partition(":")
        if name not in PASSES:
            raise ValueError(f"unknown pass {name!r}; there are: {', '.join(PASSES)}")
        if options and name not in RULED:
            raise ValueError(f"pass {name!r} has no options, got {options!r}")
        licensed(options)
    for s in off:
        if s in REQUIRED:
            raise ValueError(
                f"pass {s!r} cannot be switched off: it is a step of lowering, as are "
                f"{' and '.join(r for r in REQUIRED if r != s)}"
            )
    return [s for s in out if s.partition(":")[0] not in off]


def optimize_ir(
    g: Graph, names: Sequence[str], trace: Trace | None = None, check: bool = False
) -> Graph:
    """Run passes in order; `check` verifies after each, `trace` keeps every graph."""
    apply = everywhere if any(n.op.name in REGIONS for n in g.nodes()) else _here
    log = journal.current()
    granted = permit.current()
    if granted is not None:
        granted.start()
    for name in names:
        t = time.perf_counter()
        if log is not None:
            log.begin(name)
        notes: dict[str, int] = {}
        word, _, options = name.partition(":")
        if granted is not None and not granted.begin(name, word not in WHOLE):
            continue
        more = (options, notes) if word in RULED else ()
        g = apply(PASSES[word], g, more)
        if trace is not None:
            seconds = time.perf_counter() - t
            trace.records.append(PassRecord(name, g, seconds, len(g.nodes()), notes))
        if check:
            verify(g, name)
    return g


def _here(f: Pass, g: Graph, more: tuple[Any, ...]) -> Graph:
    return f(g, *more)  # no pass makes a region where there was none


def everywhere(f: Pass, g: Graph, more: tuple[Any, ...]) -> Graph:
    """`f` applied to the regions of `g`, inner ones first, and to `g`."""

    def step(n: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        made = with_regions(n, inputs, lambda r: everywhere(f, r, more))
        return None if made is None else made.outputs

    if any(n.op.name in REGIONS for n in g.nodes()):
        g = g.rebuild(step, ops=REGIONS, asks=False)
    return f(g, *more)
