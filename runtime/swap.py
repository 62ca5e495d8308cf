"""New values of variables beside the old ones, for runs that may fail after they are made.

With `check_numerics` any kernel may fail, and a run that fails changes nothing. So the new value of
a large variable is made in a second array (`Cell.arrays`); the last steps of the plan, which
cannot fail and are not interrupted, change the word that says which of the two is the variable
(`Cell.side`). Small variables are made in temporary memory and copied by such steps: that costs
less than Python's part of a move.

What holds:

* **The truth is native.** After a run ended, all its variables have moved, or none. Nothing
  that Python does afterwards, or does not come to do (Ctrl-C), changes that.
* **Only programs hold addresses** of variables, in their words; everybody else asks `Cell.array`
  under the lock of the state. A program is run under that lock too, so nothing moves meanwhile.
* **A binding is right when it has seen the last move** (`Bound.moves` is `State.moves`). The number
  is changed *before* a program that moves variables starts, so that whatever happens no binding is
  thought to be right that is not. One number is all that the quick path of other runs looks at.
* A binding that is behind writes the addresses anew (`Pointers.point`). One that has itself made
  the last move has the addresses of both sides ready: a training loop alternates between them.
* Second arrays are as old as the first run that needs them, and live as long as the variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.ir.dtypes import bool_
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node
from graphc.runtime.llvm.entry import OK
from graphc.runtime.steps import Buf, Code, StepSpec

if TYPE_CHECKING:
    from graphc.runtime.compilation import Bound
    from graphc.runtime.state import Cell, State

__all__ = ["LARGE", "NEW", "Moving", "Pointers", "flip_step"]

#: Bytes of a variable from which moving it costs less than copying it.
LARGE = 1 << 16
#: The `index` of a buffer that is a variable's second array.
NEW = 2


def flip_step(new: Buf, node: Node) -> StepSpec:
    """What makes the second array of a variable, `new`, the variable."""
    b = KernelBuilder("flip")
    side = b.inout("side", bool_, (1,))
    b.store(side, (0,), b.let("logical_not", b.load(side, (0,))))
    buf = Buf("side", bool_, 1, name=new.name)
    return StepSpec(Code("flip", b.build()), [buf], node, [], [buf], [buf, new], commit=True)


class Pointers:
    """The words of a program that are addresses of variables.

    Parameters
    ----------
    words : ndarray
        All words of the program.
    places : iterable of (int, Cell, bool)
        Each of these words, whose address it is, and whether that of the second array.
    moved : iterable of Cell
        What the program moves.
    """

    __slots__ = ("cells", "moved", "next", "now", "where", "which", "words")

    def __init__(
        self, words: np.ndarray[Any, Any], places: Iterable[tuple[int, Cell, bool]],
        moved: Iterable[Cell],
    ) -> None:  # fmt: skip
        self.words = words
        self.moved = frozenset(moved)
        self.cells: dict[tuple[Cell, bool], int] = {}
        found = [(at, self.cells.setdefault((c, o), len(self.cells))) for at, c, o in places]
        self.where = np.array([at for at, _ in found], np.intp)
        self.which = np.array([k for _, k in found], np.intp)
        self.now = self.next = self.where

    def point(self) -> None:
        """Have all words say where the variables are."""
        self.words[self.where] = self.now = self.addresses(False)
        self.next = self.addresses(True)

    def addresses(self, later: bool) -> np.ndarray[Any, Any]:
        """What the words should be; `later`, once the program has moved its variables."""
        moved = self.moved if later else ()
        at = [c.address(other ^ (c in moved)) for c, other in self.cells]
        return np.array(at, np.int64)[self.which]

    def turn(self) -> None:
        """`point`, when the program itself has made the last move, and all before were seen."""
        self.words[self.where] = self.next
        self.now, self.next = self.next, self.now


class Moving:
    """The call of a program that moves variables."""

    __slots__ = ("bound", "program", "state")

    def __init__(self, state: State, bound: Bound, program: Callable[..., int]) -> None:
        self.state = state
        self.bound = bound
        self.program = program

    def __call__(self, *args: Any) -> int:
        state, bound = self.state, self.bound
        state.moved()
        code = self.program(*args)
        if code == OK:
            bound.pointers.turn()
        bound.moves = state.moves
        return code
