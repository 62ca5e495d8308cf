"""An ensemble of decision trees as arrays: how it grows, is pruned, and is written to checkpoints.

Trees stand one after the other in the arrays, their nodes in the order in which they were made.
Children are numbered within their tree; a node without children is a leaf.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from graphc.checkpoint import wire

__all__ = ["ARRAYS", "Ensemble", "Splits"]

#: Element types and shapes of the arrays of an ensemble without trees.
ARRAYS = ((np.int32, (0, 4)), (np.float32, (0, 2)), (np.int32, (0, 3)), (np.int64, (4,)))

FEATURE, THRESHOLD, LEFT, RIGHT = range(4)
#: A node's number: of a leaf what it predicts, of a split what it did as a leaf.
VALUE, GAIN = range(2)
FIRST, LAYERS, FINAL = range(3)
TREES_TRIED, LAYERS_TRIED, LAYER_FIRST, LAYER_END = range(4)


@dataclass
class Splits:
    """The best split of each node of a layer for each feature, in the order of features."""

    gains: npt.NDArray[np.float32]
    thresholds: npt.NDArray[np.int32]
    left: npt.NDArray[np.float32]
    right: npt.NDArray[np.float32]
    weighs_enough: npt.NDArray[np.bool_]


@dataclass
class _Tree:
    nodes: list[list[int]] = field(default_factory=lambda: [[0, 0, 0, 0]])
    values: list[list[float]] = field(default_factory=lambda: [[0.0, 0.0]])
    layers: int = 0
    final: bool = False

    def split(self, at: int, feature: int, threshold: int, gain: float, leaves: Any) -> None:
        n = len(self.nodes)
        self.nodes[at] = [feature, threshold, n, n + 1]
        self.values[at][GAIN] = gain
        for value in leaves:
            self.nodes.append([0, 0, 0, 0])
            self.values.append([float(value), 0.0])

    def prune(self) -> None:
        """Make leaves of splits that gain nothing and have none behind them that do."""
        for at in range(len(self.nodes) - 1, -1, -1):
            left, right = self.nodes[at][LEFT:]
            leaves = left and not self.nodes[left][LEFT] and not self.nodes[right][LEFT]
            if leaves and self.values[at][GAIN] <= 0:
                self.nodes[at] = [0, 0, 0, 0]
                self.values[at][GAIN] = 0.0
        reached = [0]
        for at in reached:  # grows meanwhile: nodes layer by layer, as they were made
            if self.nodes[at][LEFT]:
                reached += self.nodes[at][LEFT:]
        place = {old: new for new, old in enumerate(sorted(reached))}
        self.nodes = [
            [f, t, place[a], place[b]] if a else [0, 0, 0, 0]
            for f, t, a, b in (self.nodes[i] for i in place)
        ]
        self.values = [self.values[i] for i in place]


class Ensemble:
    """Trees, whose predictions are added, and how far they have grown."""

    def __init__(self, nodes: Any, values: Any, trees: Any, counts: Any) -> None:
        self.counts = [int(n) for n in counts]
        ends = [*[int(row[FIRST]) for row in trees[1:]], len(nodes)][: len(trees)]
        self.trees = [
            _Tree(nodes[a:b].tolist(), values[a:b].tolist(), int(layers), bool(final))
            for (a, layers, final), b in zip(trees.tolist(), ends, strict=True)
        ]

    def arrays(self) -> tuple[Any, ...]:
        first = np.cumsum([0, *[len(t.nodes) for t in self.trees]])
        rows = [(a, t.layers, t.final) for a, t in zip(first[:-1], self.trees, strict=True)]
        return tuple(
            np.array(x, kind).reshape(-1, *shape[1:])
            for x, (kind, shape) in zip(
                (
                    [n for t in self.trees for n in t.nodes],
                    [v for t in self.trees for v in t.values], rows, self.counts,
                ),
                ARRAYS, strict=True,
            )
        )  # fmt: skip

    # ---- growing

    def center(self, gradient: float, hessian: float, l1: float, l2: float) -> bool:
        """Move what the first tree begins with; whether it is worth while to do so again."""
        first = not self.trees
        if first:
            self._plant()
        step = np.float32(_weight(gradient, hessian, l1, l2))
        value = self.trees[0].values[0]
        old = np.float32(value[VALUE])
        value[VALUE] = float(old + step)
        with np.errstate(all="ignore"):
            return bool(first or np.abs(step / old) > np.float32(0.01))

    def _plant(self) -> None:
        self.trees.append(_Tree())
        self.counts[LAYER_FIRST:] = [0, 1]

    def grow(self, found: Splits, rate: float, depth: int, pruning: str) -> None:
        """One layer more: the best splits of the nodes that the last layer made."""
        if not self.trees or not self.trees[-1].layers:
            self.counts[TREES_TRIED] += 1
        self.counts[LAYERS_TRIED] += 1
        if not self.trees:
            self._plant()
        tree, start = self.trees[-1], self.counts[LAYER_FIRST]
        end = len(tree.nodes)
        for at in range(start, self.counts[LAYER_END]):
            row = at - start
            if not found.weighs_enough[row]:
                continue
            best = int(found.gains[:, row].argmax())
            gain = found.gains[best, row]
            if pruning == "pre" and not gain > 0:
                continue
            old, rate32 = np.float32(tree.values[at][VALUE]), np.float32(rate)
            leaves = [old + rate32 * side[best, row] for side in (found.left, found.right)]
            tree.split(at, best, int(found.thresholds[best, row]), float(gain), leaves)
        if len(tree.nodes) == end:
            return
        self.counts[LAYER_FIRST:] = [end, len(tree.nodes)]
        tree.layers += 1
        if tree.layers >= depth:
            tree.final = True
            if pruning == "post":
                tree.prune()
            self._plant()

    # ---- explaining

    def explain(self, row: Any) -> tuple[Any, list[tuple[int, float, float]]]:
        """What is predicted for an example before any split, and by each split (feature, before,
        after).
        """
        sum_, steps, prior = 0.0, [], None
        for tree in self.trees:
            at = 0
            if prior is None:
                prior = tree.values[0][VALUE]
            while tree.nodes[at][LEFT]:
                feature, threshold, left, right = tree.nodes[at]
                to = left if row[feature] <= threshold else right
                before, after = sum_ + tree.values[at][VALUE], sum_ + tree.values[to][VALUE]
                steps.append((feature, before, after))
                at = to
            sum_ += tree.values[at][VALUE]
        return prior or 0.0, steps

    # ---- messages

    def message(self) -> bytes:
        """The ensemble as TensorFlow's checkpoints have it."""
        out = b"".join(wire.field(1, _tree_message(t)) for t in self.trees)
        if self.trees:
            out += wire.field(2, struct.pack("<f", 1.0) * len(self.trees))
        for t in self.trees:
            out += wire.field(3, wire.number(2, t.layers) + wire.number(3, int(t.final)))
        counts = b"".join(wire.number(i + 1, n) for i, n in enumerate(self.counts))
        return out + (wire.field(4, counts) if self.trees else b"")

    @staticmethod
    def of_message(data: bytes) -> Ensemble:
        """The ensemble of a checkpoint.

        Raises
        ------
        ValueError
            When the bytes are no ensemble, or one with splits or leaves that the ready-made
            estimators do not make.
        """
        made = Ensemble(*[np.zeros(shape, kind) for kind, shape in ARRAYS])
        states: list[dict[int, Any]] = []
        for no, value in wire.fields(data):
            if no == 1:
                made.trees.append(_tree_of(_bytes(value)))
            elif no == 2 and set(struct.iter_unpack("<f", _bytes(value))) - {(1.0,)}:
                raise ValueError("trees that weigh something else than 1 are not supported")
            elif no == 3:
                states.append(dict(wire.fields(_bytes(value))))
            elif no == 4:
                for i, n in wire.fields(_bytes(value)):
                    made.counts[i - 1] = int(n)
        for tree, state in zip(made.trees, states, strict=True):
            tree.layers, tree.final = int(state.get(2, 0)), bool(state.get(3, 0))
        return made


def _weight(g: float, h: float, l1: float, l2: float) -> float:
    g = float(np.sign(g)) * max(abs(g) - l1, 0.0)
    return -g / (h + l2) if h + l2 > 1e-15 else 0.0


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("an ensemble of trees was expected")
    return value


def _float(no: int, value: float) -> bytes:
    return wire.fixed32(no, int(np.float32(value).view(np.uint32)))


def _tree_message(tree: _Tree) -> bytes:
    out = b""
    for (feature, threshold, left, right), (value, gain) in zip(
        tree.nodes, tree.values, strict=True
    ):
        leaf = _float(3, value)
        if not left:
            out += wire.field(1, wire.field(1, leaf))
            continue
        split = b"".join(
            wire.number(no, n) for no, n in enumerate((feature, threshold, left, right), 1)
        )
        about = _float(1, gain) + (wire.field(2, leaf) if leaf else b"")
        out += wire.field(1, wire.field(2, split) + wire.field(777, about))
    return out


def _tree_of(data: bytes) -> _Tree:
    tree = _Tree([], [])
    for _, node in wire.fields(data):
        parts = dict(wire.fields(_bytes(node)))
        split, about = dict(wire.fields(_bytes(parts.get(2, b"")))), {}
        if set(parts) - {1, 2, 777} or set(split) - {1, 2, 3, 4}:
            raise ValueError("only splits by buckets and leaves of one number are supported")
        if 777 in parts:
            about = dict(wire.fields(_bytes(parts[777])))
        leaf = dict(wire.fields(_bytes(parts.get(1, about.get(2, b"")))))
        tree.nodes.append([int(split.get(no, 0)) for no in (1, 2, 3, 4)])
        tree.values.append([_number(leaf.get(3, 0)), _number(about.get(1, 0))])
    return tree


def _number(bits: int | bytes) -> float:
    return float(np.uint32(bits).view(np.float32))
