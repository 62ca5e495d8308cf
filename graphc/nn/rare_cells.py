"""Cells of ``tf.contrib.rnn`` that are seldom used: coupled gates, groups, phases, frequencies."""

from __future__ import annotations

import math as _math
from typing import Any

from graphc.face.initializers import Constant, RandomUniform, Zeros
from graphc.face.scopes import get_variable, get_variable_scope, variable_scope
from graphc.nn.cells import LSTMStateTuple, OfUnits, RNNCell
from graphc.nn.contrib_cells import Linear
from graphc.nn.wrappers import WrapperCell
from graphc.ops import arrays, fills, linalg, math, nn, random, shapes
from graphc.ops.state import stop_gradient

__all__ = [
    "CompiledWrapper", "CoupledInputForgetGateLSTMCell", "GLSTMCell", "IntersectionRNNCell",
    "PhasedLSTMCell", "TimeFreqLSTMCell",
]  # fmt: skip


def _width(inputs: Any) -> int:
    n = inputs.get_shape().with_rank(2)[1].value
    if n is None:
        raise ValueError("Could not infer input size from inputs.get_shape()[-1]")
    return int(n)


def _concatenated(name: str, shape: list[int], dtype: Any, shards: int) -> Any:
    """A matrix in parts of rows, as variables ``<name>_0``, … where there are several."""
    if shards == 1:
        return get_variable(f"{name}_0", shape, dtype)
    each, extra = divmod(shape[0], shards)
    parts = [
        get_variable(f"{name}_{i}", [each + (i < extra), *shape[1:]], dtype) for i in range(shards)
    ]
    return arrays.concat(parts, 0)


class CompiledWrapper(WrapperCell):
    """The inner cell: every cell is compiled here."""

    def __init__(self, cell: Any, compile_stateful: bool = False) -> None:
        super().__init__(cell)
        self._compile_stateful = compile_stateful

    def _around(self, inputs: Any, state: Any, step: Any, **kwargs: Any) -> Any:
        return step(inputs, state, **kwargs)


class CoupledInputForgetGateLSTMCell(RNNCell):
    """An LSTM cell that takes in what it forgets: one gate for both.

    Parameters
    ----------
    num_units : int
    use_peepholes : bool
    initializer : optional
    num_proj : int, optional
        The output is projected to so many units, each clipped to `proj_clip`.
    num_unit_shards, num_proj_shards : int
        Into how many variables the matrices are cut.
    forget_bias : float
    state_is_tuple : bool
    activation : callable
    layer_norm : bool
        Whether gates and memory are normalised, beginning with `norm_gain` and `norm_shift`.
    """

    def __init__(
        self, num_units: int, use_peepholes: bool = False, initializer: Any = None,
        num_proj: int | None = None, proj_clip: float | None = None, num_unit_shards: int = 1,
        num_proj_shards: int = 1, forget_bias: float = 1.0, state_is_tuple: bool = True,
        activation: Any = math.tanh, reuse: Any = None, layer_norm: bool = False,
        norm_gain: float = 1.0, norm_shift: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse)
        self._num_units, self._peepholes, self._initializer = num_units, use_peepholes, initializer
        self._num_proj, self._proj_clip = num_proj, proj_clip
        self._shards = num_unit_shards, num_proj_shards
        self._forget_bias, self._tuple, self._activation = forget_bias, state_is_tuple, activation
        self._layer_norm, self._norm = layer_norm, (norm_gain, norm_shift)

    @property
    def state_size(self) -> Any:
        out = self.output_size
        return LSTMStateTuple(self._num_units, out) if self._tuple else self._num_units + out

    @property
    def output_size(self) -> Any:
        return self._num_units if self._num_proj is None else self._num_proj

    def _normed(self, x: Any, scope: str) -> Any:
        from graphc.contrib.layers.normalization import layer_norm

        gain, shift = self._norm
        with variable_scope(scope):
            get_variable("gamma", [_width(x)], initializer=Constant(gain))
            get_variable("beta", [_width(x)], initializer=Constant(shift))
        return layer_norm(x, reuse=True, scope=scope)

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        n = self._num_units
        c_prev, m_prev = state if self._tuple else (state[:, :n], state[:, n:])
        dtype = inputs.dtype
        with variable_scope(get_variable_scope(), initializer=self._initializer):
            w = _concatenated(
                "W", [_width(inputs) + self.output_size, 3 * n], dtype, self._shards[0]
            )
            b = get_variable("B", [3 * n], dtype, Zeros())
            gates: Any = linalg.matmul(arrays.concat([inputs, m_prev], 1), w)
            if not self._layer_norm:
                gates = nn.bias_add(gates, b)
            j, f, o = arrays.split(gates, 3, 1)
            if self._layer_norm:
                words = ("transform", "forget", "output")
                j, f, o = (self._normed(v, k) for v, k in zip((j, f, o), words, strict=True))
            if self._peepholes:
                f = f + get_variable("W_F_diag", [n], dtype) * c_prev
                w_o = get_variable("W_O_diag", [n], dtype)
            forget = math.sigmoid(f + self._forget_bias)
            c = forget * c_prev + (1.0 - forget) * self._activation(j)
            if self._layer_norm:
                c = self._normed(c, "state")
            if self._peepholes:
                o = o + w_o * c
            m = math.sigmoid(o) * self._activation(c)
            if self._num_proj is not None:
                m = linalg.matmul(
                    m, _concatenated("W_P", [n, self._num_proj], dtype, self._shards[1])
                )
                if self._proj_clip is not None:
                    m = math.clip_by_value(m, -self._proj_clip, self._proj_clip)
        return m, LSTMStateTuple(c, m) if self._tuple else arrays.concat([c, m], 1)


class GLSTMCell(RNNCell):
    """LSTM cells side by side, each with its part of the inputs and of the state.

    Parameters
    ----------
    num_units : int
    number_of_groups : int
        How many; both sizes are multiples of it.
    initializer, num_proj, forget_bias, activation, reuse
        As for `LSTMCell`.
    """

    def __init__(
        self, num_units: int, initializer: Any = None, num_proj: int | None = None,
        number_of_groups: int = 1, forget_bias: float = 1.0, activation: Any = math.tanh,
        reuse: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse)
        if num_units % number_of_groups or (num_proj or 0) % number_of_groups:
            raise ValueError("num_units and num_proj must be divisible by number_of_groups")
        self._num_units, self._num_proj, self._groups = num_units, num_proj, number_of_groups
        self._initializer, self._forget_bias = initializer, forget_bias
        self._activation = activation
        self._first: list[Linear | None] = [None] * number_of_groups
        self._second: Linear | None = None

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self.output_size)

    @property
    def output_size(self) -> Any:
        return self._num_units if self._num_proj is None else self._num_proj

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        c_prev, m_prev = state
        width, k = _width(inputs), self._groups
        if width % k:
            raise ValueError(f"input size ({width}) must be divisible by number_of_groups ({k})")
        part, held = width // k, self.output_size // k
        known = inputs.get_shape()[0].value
        rows = shapes.shape(inputs)[0] if known is None else known
        found: list[list[Any]] = [[], [], [], []]
        with variable_scope(get_variable_scope(), initializer=self._initializer):
            for g in range(k):
                with variable_scope(f"group{g}"):
                    own = [
                        arrays.slice(
                            v, [0, g * n], [rows, n], name=f"GLSTM_group{g}_input_generation"
                        )
                        for v, n in ((inputs, part), (m_prev, held))
                    ]
                    x = arrays.concat(own, 1)
                    linear = self._first[g] or Linear(x, 4 * self._num_units // k, False)
                    self._first[g] = linear
                    for row, v in zip(found, arrays.split(linear(x), 4, 1), strict=True):
                        row.append(v)
            i, j, f, o = (
                nn.bias_add(
                    arrays.concat(row, 1),
                    get_variable(f"bias_{w}", [self._num_units], inputs.dtype, Constant(0.0)),
                )
                for row, w in zip(found, "ijfo", strict=True)
            )  # fmt: skip
        c = math.sigmoid(f + self._forget_bias) * c_prev + math.sigmoid(i) * math.tanh(j)
        m = math.sigmoid(o) * self._activation(c)
        if self._num_proj is not None:
            with variable_scope("projection"):
                self._second = self._second or Linear(m, self._num_proj, False)
                m = self._second(m)
        return m, LSTMStateTuple(c, m)


class _ExpUniform(RandomUniform):
    """``exp`` of uniform numbers between the logarithms of two."""

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        low, high = (_math.log(float(v)) for v in (self.minval, self.maxval))
        return math.exp(random.random_uniform(shape, low, high, dtype or "float32", self.seed))


class PhasedLSTMCell(RNNCell):
    """An LSTM cell whose units open in turn (arXiv:1610.09513); its input is (time, features).

    Parameters
    ----------
    num_units : int
    use_peepholes : bool
    leak : float
        What passes when a unit is closed.
    ratio_on : float
        How much of its period a unit is open.
    period_init_min, period_init_max : float
        Periods begin between these.
    """

    def __init__(
        self, num_units: int, use_peepholes: bool = False, leak: float = 0.001,
        ratio_on: float = 0.1, trainable_ratio_on: bool = True, period_init_min: float = 1.0,
        period_init_max: float = 1000.0, reuse: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse)
        self._num_units, self._peepholes = num_units, use_peepholes
        self._leak, self._ratio_on, self._trainable = leak, ratio_on, trainable_ratio_on
        self._periods = period_init_min, period_init_max
        self._linear: dict[str, Linear] = {}

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self._num_units)

    @property
    def output_size(self) -> Any:
        return self._num_units

    def _of(self, scope: str, parts: list[Any], size: int) -> Any:
        with variable_scope(scope):
            if scope not in self._linear:
                self._linear[scope] = Linear(parts, size, True)
            return self._linear[scope](parts)

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        (time, x), (c_prev, h_prev), n = inputs, state, self._num_units
        more = [c_prev] if self._peepholes else []
        gates = math.sigmoid(self._of("mask_gates", [x, h_prev, *more], 2 * n))
        take, keep = arrays.split(gates, 2, 1)
        new = math.tanh(self._of("new_input", [x, h_prev], n))
        c = c_prev * keep + take * new
        more = [c] if self._peepholes else []
        out = math.sigmoid(self._of("output_gate", [x, h_prev, *more], n))
        h = math.tanh(c) * out
        period = get_variable("period", [n], initializer=_ExpUniform(*self._periods))
        phase = get_variable("phase", [n], initializer=_Phases(period))
        ratio = get_variable(
            "ratio_on", [n], initializer=Constant(self._ratio_on), trainable=self._trainable
        )
        k = self._open(time, phase, period, ratio)
        c = k * c + (1.0 - k) * c_prev
        h = k * h + (1.0 - k) * h_prev
        return h, LSTMStateTuple(c, h)

    def _open(self, time: Any, phase: Any, period: Any, ratio: Any) -> Any:
        """How far each unit is open at a time."""
        length = math.cast(period, time.dtype)
        since = time - math.cast(phase, time.dtype)
        passed = stop_gradient(math.mod(since, length) - since) + since
        cycle = math.cast(passed / length, "float32")
        up = 2.0 * cycle / ratio
        k = math.select(cycle < ratio, 2.0 - up, self._leak * cycle)
        return math.select(cycle < 0.5 * ratio, up, k)


class _Phases(RandomUniform):
    """Uniform numbers below the periods that a variable begins with."""

    def __init__(self, period: Any) -> None:
        super().__init__(0.0, 1.0)
        self._period = period

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        return random.random_uniform(shape, 0.0, self._period.initial_value, dtype or "float32")


class IntersectionRNNCell(OfUnits, RNNCell):
    """A cell whose output is partly its input (arXiv:1611.09913).

    Parameters
    ----------
    num_units : int
    num_in_proj : int, optional
        For inputs of another size than `num_units`: they are projected.
    """

    def __init__(
        self, num_units: int, num_in_proj: int | None = None, initializer: Any = None,
        forget_bias: float = 1.0, y_activation: Any = nn.relu, reuse: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse)
        self._num_units, self._num_in_proj = num_units, num_in_proj
        self._initializer, self._forget_bias = initializer, forget_bias
        self._y_activation = y_activation
        self._first: Linear | None = None
        self._second: Linear | None = None

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        n = self._num_units
        with variable_scope(get_variable_scope(), initializer=self._initializer):
            if _width(inputs) != n:
                if not self._num_in_proj:
                    raise ValueError(
                        "Must have input size == output size for Intersection RNN. To fix, "
                        "num_in_proj should be set to num_units at cell init."
                    )
                with variable_scope("in_projection"):
                    self._first = self._first or Linear(inputs, n, True)
                    inputs = self._first(inputs)
            both = arrays.concat([inputs, state], 1)
            self._second = self._second or Linear(both, 4 * n, True)
            gate_h, h, gate_y, y = arrays.split(self._second(both), 4, 1)
        gate_h, gate_y = (math.sigmoid(g + self._forget_bias) for g in (gate_h, gate_y))
        new_state = gate_h * state + (1.0 - gate_h) * math.tanh(h)
        return gate_y * inputs + (1.0 - gate_y) * self._y_activation(y), new_state


class TimeFreqLSTMCell(RNNCell):
    """An LSTM cell that goes over the features of a step too, a window at a time.

    Parameters
    ----------
    num_units : int
    feature_size, frequency_skip : int
        The size of a window and how far the next one is.
    use_peepholes, cell_clip, initializer, num_unit_shards, forget_bias, reuse
        As for `LSTMCell`.
    """

    def __init__(
        self, num_units: int, use_peepholes: bool = False, cell_clip: float | None = None,
        initializer: Any = None, num_unit_shards: int = 1, forget_bias: float = 1.0,
        feature_size: int | None = None, frequency_skip: int = 1, reuse: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse)
        self._num_units, self._peepholes, self._clip = num_units, use_peepholes, cell_clip
        self._initializer, self._shards, self._forget_bias = (
            initializer, num_unit_shards, forget_bias,
        )  # fmt: skip
        self._feature_size, self._skip = feature_size, frequency_skip

    @property
    def state_size(self) -> Any:
        return 2 * self._num_units

    @property
    def output_size(self) -> Any:
        return self._num_units

    def _windows(self, inputs: Any) -> list[Any]:
        size = self._feature_size or _width(inputs)
        count = (_width(inputs) - size) // self._skip + 1
        return [inputs[:, i * self._skip : i * self._skip + size] for i in range(count)]

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        n, dtype = self._num_units, inputs.dtype
        windows = self._windows(inputs)
        size = _width(windows[0])
        w = _concatenated("W", [size + 2 * n, 4 * n], dtype, self._shards)
        b = get_variable("B", [4 * n], dtype, Zeros())
        peep: Any = [0.0, 0.0, 0.0]
        if self._peepholes:
            peep = [get_variable(f"W_{g}_diag", [n], dtype) for g in "FIO"]
        before = fills.zeros_like(state[:, :n])
        outs, states = [], []
        for k, x in enumerate(windows):
            c_prev = state[:, 2 * k * n : (2 * k + 1) * n]
            m_prev = state[:, (2 * k + 1) * n : (2 * k + 2) * n]
            gates = nn.bias_add(linalg.matmul(arrays.concat([x, m_prev, before], 1), w), b)
            i, j, f, o = arrays.split(gates, 4, 1)
            keep = math.sigmoid(f + self._forget_bias + peep[0] * c_prev)
            c = keep * c_prev + math.sigmoid(i + peep[1] * c_prev) * math.tanh(j)
            if self._clip is not None:
                c = math.clip_by_value(c, -self._clip, self._clip)
            before = math.sigmoid(o + peep[2] * c) * math.tanh(c)
            outs.append(before)
            states += [c, before]
        return arrays.concat(outs, 1), arrays.concat(states, 1)
