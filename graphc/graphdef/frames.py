"""Where the nodes of a graph of TensorFlow's are: in which loops, in which branches.

TensorFlow 1 writes control flow as single nodes: values enter a *frame* (``Enter``), go round
(``Merge``, ``Switch``, ``NextIteration``) and leave it (``Exit``); a branch is what hangs on one
output of a ``Switch``, and ends in a ``Merge``. `Places` follows the edges and gives each node its
place, a path of frames and arms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = [
    "FLOW",
    "Arm",
    "Frame",
    "Place",
    "Places",
    "Unstructured",
    "data_inputs",
    "kind",
    "source",
]

#: Types of nodes that make constructs, and what reference forms of them are called besides.
FLOW = frozenset({
    "Enter", "Exit", "LoopCond", "Merge", "NextIteration", "Switch", "RefEnter", "RefExit",
    "RefMerge", "RefNextIteration", "RefSwitch",
})  # fmt: skip


class Unstructured(Exception):
    """Control flow that no loop or cond of TensorFlow's Python face leaves behind."""


def source(text: str) -> str:
    """The name of the node that an input means."""
    return text.removeprefix("^").partition(":")[0]


def data_inputs(n: Any) -> list[str]:
    """Inputs that are values."""
    return [i for i in n.input if not i.startswith("^")]


class Place:
    """A frame or an arm, inside of another or of the graph."""

    def __init__(self, parent: Place | None) -> None:
        self.parent = parent

    def path(self) -> list[Place]:
        """From the outermost place to this."""
        out: list[Place] = []
        p: Place | None = self
        while p is not None:
            out.append(p)
            p = p.parent
        return out[::-1]

    def within(self, other: Place | None) -> bool:
        """Whether this is `other` or inside of it."""
        return other is None or other in self.path()


class Frame(Place):
    """The inside of a loop.

    Attributes
    ----------
    name : str
    merges : list
        The nodes of its loop variables.
    """

    def __init__(self, name: str) -> None:
        super().__init__(None)
        self.name = name
        self.merges: list[Any] = []


class Arm(Place):
    """One branch of the conds with one predicate.

    Attributes
    ----------
    pred : str
        The value that decides.
    side : int
        0 for the branch of false.
    """

    def __init__(self, parent: Place | None, pred: str, side: int) -> None:
        super().__init__(parent)
        self.pred, self.side = pred, side


def kind(n: Any) -> str:
    """The type of a node of control flow, without ``Ref``."""
    return str(n.op).removeprefix("Ref") if n.op in FLOW else ""


class Places:
    """The places of the nodes of one graph.

    Parameters
    ----------
    nodes : mapping
        Name → node.
    order : sequence
        Nodes after what they need, edges to the next iteration left out.
    outside : callable
        Whether an input is replaced by a tensor of another graph.

    Attributes
    ----------
    of : dict
        Name of a node → its place, None for the graph itself.
    frames : dict
        Name → frame.

    Raises
    ------
    Unstructured
    """

    def __init__(
        self, nodes: Mapping[str, Any], order: Sequence[Any], outside: Callable[[str], bool]
    ) -> None:
        self.nodes, self.outside = nodes, outside
        self.of: dict[str, Place | None] = {}
        self.frames: dict[str, Frame] = {}
        self.arms: dict[tuple[Place | None, str, int], Arm] = {}
        for _ in range(50):  # until every frame knows in which place it is
            before = {f: f.parent for f in self.frames.values()}
            for n in order:
                self.of[n.name] = self._place(n)
            if before == {f: f.parent for f in self.frames.values()}:
                break
        for n in order:
            if self.is_variable(n):
                frame = self.of[n.name]
                assert isinstance(frame, Frame)
                frame.merges.append(n)

    def is_variable(self, n: Any) -> bool:
        """Whether `n` is the ``Merge`` of a loop variable."""
        return kind(n) == "Merge" and any(
            kind(self.nodes[source(i)]) == "NextIteration" for i in data_inputs(n)
        )

    def is_loop_switch(self, n: Any) -> bool:
        """Whether `n` is the ``Switch`` of a loop variable."""
        return kind(self.nodes[source(n.input[1])]) == "LoopCond"

    def output(self, text: str) -> Place | None:
        """The place of a value."""
        if self.outside(text):
            return None
        n = self.nodes[source(text)]
        place = self.of.get(n.name)
        if kind(n) == "Switch" and not text.startswith("^") and not self.is_loop_switch(n):
            return self.arm(place, self.predicate(n.input[1]), int(text.endswith(":1")))
        return place

    def arm(self, parent: Place | None, pred: str, side: int) -> Arm:
        key = (parent, pred, side)
        if key not in self.arms:
            self.arms[key] = Arm(parent, pred, side)
        return self.arms[key]

    def predicate(self, text: str) -> str:
        """A predicate by the name of what computes it."""
        while not self.outside(text):
            n = self.nodes[source(text)]
            if n.op != "Identity":
                break
            text = n.input[0]
        return text

    def _place(self, n: Any) -> Place | None:
        what = kind(n)
        if what == "Merge":
            return self._merge(n)
        places = [self.output(i) for i in n.input]
        inner = _innermost(places)
        if what == "Enter":
            name = n.attr["frame_name"].s.decode()
            frame = self.frames.setdefault(name, Frame(name))
            around = _innermost([frame.parent, inner])
            if around is not None and around.within(frame):
                raise Unstructured(f"'{n.name}' enters a loop from inside of it")
            frame.parent = around
            return frame
        if what == "Exit":
            frames = [p for p in (inner.path() if inner else ()) if isinstance(p, Frame)]
            if not frames:
                raise Unstructured(f"'{n.name}' leaves a loop in which it is not")
            return frames[-1].parent
        return inner

    def _merge(self, n: Any) -> Place | None:
        inputs = data_inputs(n)
        entering = [i for i in inputs if kind(self.nodes[source(i)]) == "Enter"]
        if entering and self.is_variable(n):
            return self.output(entering[0])
        arms = [self.output(i) for i in inputs]
        a, b = arms if len(arms) == 2 else (None, None)
        if (
            not isinstance(a, Arm)
            or not isinstance(b, Arm)
            or (a.parent, a.pred) != (b.parent, b.pred)
            or a.side == b.side
        ):
            raise Unstructured(f"'{n.name}' merges what are no two branches of one cond")
        return a.parent


def _innermost(places: Sequence[Place | None]) -> Place | None:
    best: Place | None = None
    for p in places:
        if p is not None and p is not best and (best is None or p.within(best)):
            best = p
    return best
