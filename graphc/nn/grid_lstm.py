"""`GridLSTMCell`: cells that run over frequencies inside each step of time."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

from graphc.face.initializers import Zeros
from graphc.face.scopes import get_variable, get_variable_scope, variable_scope
from graphc.nn.cells import RNNCell
from graphc.nn.rare_cells import _concatenated, _width
from graphc.ops import arrays, fills, linalg, math, nn, shapes

__all__ = ["BidirectionalGridLSTMCell", "GridLSTMCell"]


class GridLSTMCell(RNNCell):
    """Two LSTMs for each window of the input: one over time, one over the windows.

    Parameters
    ----------
    num_units : int
    use_peepholes : bool
    share_time_frequency_weights : bool
        Use the gates of the frequencies for time too.
    cell_clip : float, optional
    num_unit_shards : int
        Parts that each matrix is made of.
    forget_bias : float
    feature_size, frequency_skip : int
        The size of a window, and from where to where it moves.
    num_frequency_blocks : list of int
        The number of windows in each block.
    start_freqindex_list, end_freqindex_list : list of int, optional
        Which part of the input each block sees; all without them, in one block.
    couple_input_forget_gates : bool
        Take in what is forgotten.
    """

    _directions: tuple[str, ...] = ("",)

    def __init__(
        self, num_units: int, use_peepholes: bool = False,
        share_time_frequency_weights: bool = False, cell_clip: float | None = None,
        initializer: Any = None, num_unit_shards: int = 1, forget_bias: float = 1.0,
        feature_size: int | None = None, frequency_skip: int | None = None,
        num_frequency_blocks: Sequence[int] | None = None,
        start_freqindex_list: Sequence[int] | None = None,
        end_freqindex_list: Sequence[int] | None = None, couple_input_forget_gates: bool = False,
        state_is_tuple: bool = True, reuse: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse)
        if not num_frequency_blocks:
            raise ValueError("num_frequency_blocks, the windows of each block, must be given")
        if (start_freqindex_list is None) != (end_freqindex_list is None):
            raise ValueError("start_freqindex_list and end_freqindex_list go together")
        self._num_units = num_units
        self._peepholes, self._shared = use_peepholes, share_time_frequency_weights
        self._clip, self._initializer, self._shards = cell_clip, initializer, num_unit_shards
        self._forget_bias, self._coupled = forget_bias, couple_input_forget_gates
        self._feature_size, self._skip = feature_size, frequency_skip
        self._blocks = list(num_frequency_blocks)
        self._bounds = list(zip(start_freqindex_list or (), end_freqindex_list or (), strict=True))
        self._state_is_tuple = state_is_tuple
        names = [
            f"{way}state_f{i:02d}_b{b:02d}_{part}"
            for way in self._directions
            for b, n in enumerate(self._blocks)
            for i in range(n)
            for part in "cm"
        ]
        self._tuple: Any = namedtuple("GridLSTMStateTuple", names)  # type: ignore[misc]

    @property
    def state_size(self) -> Any:
        sizes = [self._num_units] * len(self._tuple._fields)
        return self._tuple(*sizes) if self._state_is_tuple else sum(sizes)

    @property
    def output_size(self) -> int:
        return self._num_units * len(self._tuple._fields)

    @property
    def state_tuple_type(self) -> Any:
        return self._tuple

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        m, states = self._direction(self._windows(inputs), list(self._parts(state)))
        return arrays.concat(m, 1), self._joined(states)

    def _parts(self, state: Any) -> Sequence[Any]:
        if self._state_is_tuple:
            return tuple(state)
        return arrays.split(state, len(self._tuple._fields), 1)

    def _joined(self, states: list[Any]) -> Any:
        return self._tuple(*states) if self._state_is_tuple else arrays.concat(states, 1)

    def _windows(self, inputs: Any, offset: int = 0) -> list[list[Any]]:
        """The windows of each block, of inputs that are moved by `offset` first."""
        if offset:
            blank = fills.zeros_like(inputs[:, : abs(offset)])
            moved = (inputs[:, offset:], blank) if offset > 0 else (blank, inputs[:, :offset])
            inputs = arrays.concat(moved, 1)
        width = _width(inputs)
        bounds = self._bounds or [(0, width)]
        if len(bounds) != len(self._blocks):
            raise ValueError(
                f"Length of num_frequency_blocks is not 1, but instead is {len(self._blocks)}"
                if not self._bounds
                else f"num_frequency_blocks has {len(self._blocks)} blocks, "
                f"start_freqindex_list {len(bounds)}"
            )
        size, skip = self._feature_size or width, self._skip or 1
        out = []
        for (start, end), want in zip(bounds, self._blocks, strict=True):
            count = (end - start - size) // skip + 1
            if count != want:
                raise ValueError(f"Invalid num_frequency_blocks: {want} windows asked, {count} fit")
            out.append([
                arrays.slice(inputs, [0, start + i * skip], [-1, size]) for i in range(count)
            ])  # fmt: skip
        return out

    def _direction(self, blocks: list[list[Any]], state: list[Any]) -> tuple[list[Any], list[Any]]:
        """Outputs and new states of all blocks; `state` has ``c`` and ``m`` of each window."""
        outs: list[Any] = []
        states: list[Any] = []
        with variable_scope(get_variable_scope(), initializer=self._initializer):
            for b, windows in enumerate(blocks):
                step = self._block(b, windows[0])
                batch = shapes.shape(windows[0])[0]
                c = m = fills.zeros([batch, self._num_units], windows[0].dtype)
                for x in windows:
                    c_time, m_time, *state = state
                    c, m, c_time, m_time = step(x, c, m, c_time, m_time)
                    outs += [m_time, m]
                    states += [c_time, m_time]
        return outs, states

    def _block(self, b: int, like: Any) -> Any:
        """A step of a block, whose variables are made here."""
        n, dtype = self._num_units, like.dtype
        gates = 3 if self._coupled else 4
        ways = "f" if self._shared else "ft"
        weights = []
        for way in ways:
            rows = _width(like) + 2 * n
            w = _concatenated(f"W_{way}_{b}", [rows, gates * n], dtype, self._shards)
            weights.append((w, get_variable(f"B_{way}_{b}", [gates * n], dtype, Zeros())))
        peep: dict[str, Any] = {}
        if self._peepholes:
            for own in ("freq", "time")[: len(ways)]:
                for gate in "IO" if self._coupled else "FIO":
                    for other in "ft":
                        key = f"{gate}_diag_{own}{other}"
                        peep[key] = get_variable(f"W_{key}_{b}", [n], dtype)

        def bent(gate: str, own: str, z: Any, c_freq: Any, c_time: Any) -> Any:
            if self._peepholes:
                own = own if f"{gate}_diag_{own}f" in peep else "freq"
                z = z + peep[f"{gate}_diag_{own}f"] * c_freq + peep[f"{gate}_diag_{own}t"] * c_time
            return z

        def step(x: Any, c_freq: Any, m_freq: Any, c_time: Any, m_time: Any) -> Any:
            both = arrays.concat([x, m_time, m_freq], 1)
            parts = [
                arrays.split(nn.bias_add(linalg.matmul(both, w), bias), gates, 1)
                for w, bias in weights
            ]
            parts = [parts[0], parts[-1]]
            new = []
            for own, before, z in zip(("freq", "time"), (c_freq, c_time), parts, strict=True):
                i = math.sigmoid(bent("I", own, z[0], c_freq, c_time))
                f = 1.0 - i
                if not self._coupled:
                    f = math.sigmoid(bent("F", own, z[2] + self._forget_bias, c_freq, c_time))
                c = f * before + i * math.tanh(z[1])
                new.append(
                    c if self._clip is None else math.clip_by_value(c, -self._clip, self._clip)
                )
            c_freq, c_time = new
            m_freq, m_time = (
                math.sigmoid(bent("O", own, z[-1], c_freq, c_time)) * math.tanh(c)
                for own, c, z in zip(("freq", "time"), new, parts, strict=True)
            )
            return c_freq, m_freq, c_time, m_time

        return step


class BidirectionalGridLSTMCell(GridLSTMCell):
    """`GridLSTMCell` over the windows forwards and backwards; outputs and states one after another.

    Parameters
    ----------
    backward_slice_offset : int
        By how much the inputs of the way back are moved.
    """

    _directions = ("fwd_", "bwd_")

    def __init__(
        self, num_units: int, use_peepholes: bool = False,
        share_time_frequency_weights: bool = False, cell_clip: float | None = None,
        initializer: Any = None, num_unit_shards: int = 1, forget_bias: float = 1.0,
        feature_size: int | None = None, frequency_skip: int | None = None,
        num_frequency_blocks: Sequence[int] | None = None,
        start_freqindex_list: Sequence[int] | None = None,
        end_freqindex_list: Sequence[int] | None = None, couple_input_forget_gates: bool = False,
        backward_slice_offset: int = 0, reuse: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            num_units, use_peepholes, share_time_frequency_weights, cell_clip, initializer,
            num_unit_shards, forget_bias, feature_size, frequency_skip, num_frequency_blocks,
            start_freqindex_list, end_freqindex_list, couple_input_forget_gates, True, reuse,
        )  # fmt: skip
        self._offset = backward_slice_offset

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        half = len(state) // 2
        with variable_scope("fwd"):
            m, states = self._direction(self._windows(inputs), list(state[:half]))
        with variable_scope("bwd"):
            back = [block[::-1] for block in self._windows(inputs, self._offset)]
            m_back, states_back = self._direction(back, list(state[half:]))
        return arrays.concat(m + m_back, 1), self._joined(states + states_back)
