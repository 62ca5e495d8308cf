"""The end of a tile: finished sums go through the epilogue to where they belong."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.runtime.llvm.gemm_base import Base, End
from graphc.runtime.llvm.values import V

__all__ = ["Ends"]


class Ends(Base):
    """The epilogue over tiles on the stack."""

    def _finish(self, i: V, j: V, rows: V, cols: V) -> None:
        self._end(self._tile_end(i, j, rows, cols))

    def _column(self, i: V) -> End:
        """The end of a tile of one column."""
        none = self.fn.index(0)
        return self._tile_end(i, none, none, none)

    def _tile_end(self, i: V, j: V, rows: V, cols: V) -> End:
        return End(
            self.table, self.stack, self.out, self.n, self.out_row, self.index, i, j, rows, cols
        )

    def _end(self, tile: End) -> None:
        """The epilogue over the tile on the stack: whole vectors, then the rest under a mask.

        One copy of the epilogue each, in a loop: a tile's 24 copies would cost more to
        compile than they save, and a tile is finished once for its k terms.
        """
        fn, g, lanes = self.fn, self.g, self.lanes
        nv = self._div(tile.cols, lanes)
        with fn.loop(0, tile.rows) as r:
            if g.n is None or g.n >= lanes:
                with fn.loop(0, nv) as v:
                    x = fn.load(tile.sums, r.i * self.nr + v.i * lanes, g.acc, lanes)
                    self._emit_out(x, tile, r.i, v.i * lanes, None)
            if g.n is None or g.n % lanes != 0:
                left = tile.cols - nv * lanes
                with fn.if_(left > 0):
                    x = fn.load(tile.sums, r.i * self.nr + nv * lanes, g.acc, lanes)
                    self._emit_out(x, tile, r.i, nv * lanes, self._mask(left, lanes))

    def _emit_out(self, acc: V, tile: End, r: V, c: V, mask: V | None) -> None:
        fn, g = self.fn, self.g
        values: Sequence[V] | None = [acc]
        row, col = tile.row + r, tile.col + c
        at = (tile.first + row) * tile.n + col  # here: the operands' places are the same sum
        if self.asks is not None:
            self.asks.place = at
        if self.epilogue is not None:
            values = self.epilogue(fn, acc, row, col, tile.batch, mask)
        for p, t, v in zip(tile.out, g.stored, values or (), strict=False):
            x = fn.cast(v, t)
            fn.look(x, mask, bool(fn.sought.small))
            fn.store(p, at, x, mask)
