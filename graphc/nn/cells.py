"""Recurrent cells: one step of a recurrent net, with variables named as TF1 names them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from graphc.face import logging, nest
from graphc.face.current import name_scope
from graphc.face.elements import Tensor
from graphc.face.initializers import Constant, Zeros
from graphc.face.scopes import get_variable_scope, variable_scope
from graphc.face.shape import TensorShape, as_shape
from graphc.face.variables import trainable_variables
from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.dtypes import as_dtype
from graphc.ir.known import known
from graphc.ir.node import Value
from graphc.layers.base import InputSpec, Layer
from graphc.layers.words import activation_of, initializer_of
from graphc.ops import arrays, convert, fills, linalg, math, nn, shapes

__all__ = [
    "BasicLSTMCell", "BasicRNNCell", "GRUCell", "LSTMCell", "LSTMStateTuple", "LayerRNNCell",
    "RNNCell", "UnitsCell", "check_cell", "concat_shape", "linear_parts", "static_concat_shape",
]  # fmt: skip


def check_cell(name: str, cell: Any) -> None:
    """Refuse what does not act as a cell.

    Raises
    ------
    TypeError
        With everything that is missing.
    """
    wrong = [f"'{a}' property is missing" for a in ("output_size", "state_size") if _lacks(cell, a)]
    if _lacks(cell, "zero_state") and _lacks(cell, "get_initial_state"):
        wrong.append("either 'zero_state' or 'get_initial_state' method is required")
    if not callable(cell):
        wrong.append("is not callable")
    if wrong:
        raise TypeError(f"The argument {name!r} ({cell}) is not an RNNCell: {', '.join(wrong)}.")


def _lacks(x: Any, attribute: str) -> bool:
    try:
        getattr(x, attribute)
    except AttributeError:
        return True
    return False


# --------------------------------------------------------------------- shapes of states


def _sizes(part: Any) -> tuple[Value | None, TensorShape]:
    """A size or sizes as a vector tensor (None when unknown) and as a static shape."""
    if isinstance(part, Value):
        k = known(part)
        if part.static_shape == ():
            size = k if type(k) is int else None
            return shapes.expand_dims(part, 0), TensorShape([size])
        if part.rank != 1:
            raise ValueError(
                f"prefix tensor must be either a scalar or vector, but saw tensor: {part}"
            )
        static = (
            TensorShape(None) if k is None
            else TensorShape([d if type(d) is int else None for d in k])
        )  # fmt: skip
        return part, static
    static = as_shape(part)
    if not static.is_fully_defined():
        return None, static
    return convert.constant(static.as_list(), dtypes.int32), static


def concat_shape(prefix: Any, suffix: Any) -> Value:
    """The sizes `prefix` (of the batch) and then `suffix` (of a state or an output) as a tensor."""
    p, s = _sizes(prefix)[0], _sizes(suffix)[0]
    if p is None or s is None:
        raise ValueError(f"Provided a prefix or suffix of None: {prefix} and {suffix}")
    return arrays.concat([p, s], 0)


def static_concat_shape(prefix: Any, suffix: Any) -> TensorShape:
    """What is known before the run of the same sizes."""
    return _static_sizes(prefix).concatenate(_static_sizes(suffix))


def _static_sizes(part: Any) -> TensorShape:
    if part is None:
        return TensorShape([None])
    if isinstance(part, Value):
        k = known(part)
        sizes = k if isinstance(k, tuple) else (k,)
        return TensorShape([d if type(d) is int else None for d in sizes])
    return as_shape(part)


def zeros_of(batch_size: Any, size: Any, dtype: Any) -> Any:
    """Zeros for a batch of states or outputs of one size."""
    out: Any = fills.zeros(concat_shape(batch_size, size), as_dtype(dtype))
    out.set_shape(static_concat_shape(batch_size, size))
    return out


def zero_part(batch_size: Any, size: Any, dtype: Any) -> Any:
    """`zeros_of` for a state; TF1 makes constants for the static shape besides."""
    out = zeros_of(batch_size, size, dtype)
    for given in (batch_size, size):
        sized = not isinstance(given, Value)
        current().reserve(*(["Const"] if sized else ["ExpandDims/dim", "ExpandDims"]))
    return out


# --------------------------------------------------------------------- the base


class RNNCell(Layer):
    """One step of a recurrent net: ``output, new_state = cell(inputs, state)``.

    A cell of your own defines `state_size`, `output_size` and ``call(inputs, state)``. Variables
    that `call` makes with `tf.get_variable` or `add_variable` belong to it.
    """

    def __init__(
        self, trainable: bool = True, name: str | None = None, dtype: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(trainable=trainable, name=name, dtype=dtype, **kwargs)
        self._opened: Any = None

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        """One step.

        Parameters
        ----------
        inputs : tensor
            ``[batch, input_size]``.
        state : tensor or nested tensors
            As `state_size` says, ``[batch, size]`` each.
        scope : str or VariableScope, optional
            Of the variables; the name of the cell by default.

        Returns
        -------
        output : tensor
            ``[batch, output_size]``.
        new_state
            Of the structure of `state`.
        """
        if scope is not None:
            with variable_scope(scope, custom_getter=self._rnn_get_variable) as opened:
                return super().__call__(inputs, state, scope=opened)
        if getattr(self, "_opened", None) is None:
            self._opened = variable_scope(
                get_variable_scope(), custom_getter=self._rnn_get_variable
            )
        with self._opened:
            return super().__call__(inputs, state)

    def _rnn_get_variable(self, getter: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        v = getter(*args, **kwargs)
        trained = any(v is w for w in trainable_variables())
        own = self._trainable_weights if trained else self._non_trainable_weights
        if all(v is not w for w in own):
            own.append(v)
        return v

    @property
    def trainable_weights(self) -> list[Any]:
        return list(dict.fromkeys(super().trainable_weights))

    @property
    def non_trainable_weights(self) -> list[Any]:
        return list(dict.fromkeys(super().non_trainable_weights))

    @property
    def state_size(self) -> Any:
        """The size or sizes of the state: an int, a TensorShape, or a nest of them."""
        raise NotImplementedError("Abstract method")

    @property
    def output_size(self) -> Any:
        """The size of an output."""
        raise NotImplementedError("Abstract method")

    def build(self, input_shape: Any) -> None:
        """Nothing: `call` may make its variables."""

    def get_initial_state(
        self, inputs: Any = None, batch_size: Any = None, dtype: Any = None
    ) -> Any:
        """Zeros for the batch of `inputs`, or of `batch_size` rows of `dtype`."""
        if inputs is not None:
            inputs = convert.convert_to_tensor(inputs, name="inputs")
            rows = inputs.get_shape()[0].value
            if batch_size is not None:
                given = known(batch_size) if isinstance(batch_size, Value) else batch_size
                if rows != given:
                    raise ValueError(
                        "batch size from input tensor is different from the input param. Input "
                        f"tensor batch: {rows}, batch_size: {batch_size}"
                    )
            if dtype is not None and inputs.dtype is not as_dtype(dtype):
                raise ValueError(
                    "dtype from input tensor is different from the input param. Input tensor "
                    f"dtype: {inputs.dtype}, dtype: {dtype}"
                )
            batch_size = rows or shapes.shape(inputs)[0]
            dtype = inputs.dtype
        if batch_size is None or dtype is None:
            raise ValueError(
                "batch_size and dtype cannot be None while constructing initial state: "
                f"batch_size={batch_size}, dtype={dtype}"
            )
        return self.zero_state(batch_size, dtype)

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """Zeros of the structure of `state_size`, ``[batch_size, size]`` each."""
        with name_scope(type(self).__name__ + "ZeroState", values=[batch_size]):
            return nest.map_structure(lambda s: zero_part(batch_size, s, dtype), self.state_size)


class LayerRNNCell(RNNCell):
    """A cell whose variables are made by `build`."""

    def __call__(
        self, inputs: Any, state: Any, scope: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """One step (see `RNNCell`)."""
        return Layer.__call__(self, inputs, state, *args, scope=scope, **kwargs)


def _check_floating(*given: Any) -> None:
    for x in given:
        dtype = getattr(x, "dtype", x)
        if dtype is not None and not as_dtype(dtype).base_dtype.is_floating:
            raise ValueError(
                f"RNN cell only supports floating point inputs, but saw dtype: {dtype}"
            )


def input_depth(shape: Any) -> int:
    """The size of the last axis of a cell's input.

    Raises
    ------
    ValueError
        When it is not known.
    """
    static = as_shape(shape)
    depth = None if static.ndims is None else static[-1].value
    if depth is None:
        raise ValueError(f"Expected inputs.shape[-1] to be known, saw shape: {static}")
    return int(depth)


def linear_parts(x: Any, h: Any, kernel: Any, bias: Any) -> Value:
    """``[x, h] @ kernel + bias``."""
    out: Value = nn.bias_add(linalg.matmul(arrays.concat([x, h], 1), kernel), bias)
    return out


class OfUnits:
    """What a cell is whose state and output are its units."""

    _num_units: int

    @property
    def state_size(self) -> Any:
        return self._num_units

    @property
    def output_size(self) -> Any:
        return self._num_units


class UnitsCell(OfUnits, LayerRNNCell):
    """What the cells of one size have in common."""

    def __init__(
        self, num_units: int, activation: Any, reuse: Any, name: str | None, dtype: Any,
        kwargs: dict[str, Any],
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        _check_floating(self.dtype)
        self.input_spec = InputSpec(ndim=2)
        self._num_units = num_units
        self._activation: Callable[..., Any] = activation_of(activation) or math.tanh

    def get_config(self) -> dict[str, Any]:
        """Its parameters."""
        return {**super().get_config(), "num_units": self._num_units, "reuse": self._reuse}

    def _depth(self, shape: Any) -> int:
        """The size of the inputs."""
        _check_floating(self.dtype)
        return input_depth(shape)


class BasicRNNCell(UnitsCell):
    """``tanh([x, h] @ kernel + bias)``.

    Parameters
    ----------
    num_units : int
    activation : callable or str, optional
        ``tanh`` by default.
    reuse : bool, optional
        Whether its variables exist already.
    name : str, optional
        ``"basic_rnn_cell"`` by default.
    dtype : DType, optional
        Of its variables; that of its inputs by default.
    """

    def __init__(
        self, num_units: int, activation: Any = None, reuse: Any = None, name: str | None = None,
        dtype: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(num_units, activation, reuse, name, dtype, kwargs)

    def build(self, input_shape: Any) -> None:
        """Make kernel and bias."""
        n = self._num_units
        self._kernel = self.add_variable("kernel", [self._depth(input_shape) + n, n])
        self._bias = self.add_variable("bias", [n], initializer=Zeros())
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        _check_floating(inputs, state)
        out = self._activation(linear_parts(inputs, state, self._kernel, self._bias))
        return out, out


class GRUCell(UnitsCell):
    """A gated recurrent unit.

    Parameters
    ----------
    num_units : int
    activation : callable or str, optional
        ``tanh`` by default.
    reuse : bool, optional
        Whether its variables exist already.
    kernel_initializer, bias_initializer : optional
        The biases of the gates start at one by default.
    name : str, optional
        ``"gru_cell"`` by default.
    dtype : DType, optional
        Of its variables; that of its inputs by default.
    """

    def __init__(
        self, num_units: int, activation: Any = None, reuse: Any = None,
        kernel_initializer: Any = None, bias_initializer: Any = None, name: str | None = None,
        dtype: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(num_units, activation, reuse, name, dtype, kwargs)
        self._kernel_initializer = initializer_of(kernel_initializer)
        self._bias_initializer = initializer_of(bias_initializer)

    def build(self, input_shape: Any) -> None:
        """Make kernels and biases of the gates and of the candidate."""
        n, rows = self._num_units, self._depth(input_shape) + self._num_units

        def pair(name: str, columns: int, start: Any) -> tuple[Any, Any]:
            kernel = self.add_variable(
                f"{name}/kernel", [rows, columns], initializer=self._kernel_initializer
            )
            start = start if self._bias_initializer is None else self._bias_initializer
            return kernel, self.add_variable(f"{name}/bias", [columns], initializer=start)

        self._gate_kernel, self._gate_bias = pair("gates", 2 * n, Constant(1.0))
        self._candidate_kernel, self._candidate_bias = pair("candidate", n, Zeros())
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        _check_floating(inputs, state)
        gates = math.sigmoid(linear_parts(inputs, state, self._gate_kernel, self._gate_bias))
        r, u = arrays.split(gates, 2, 1)
        c = self._activation(
            linear_parts(inputs, r * state, self._candidate_kernel, self._candidate_bias)
        )
        new_h = u * state + (1 - u) * c
        return new_h, new_h


class _CH(NamedTuple):
    c: Any
    h: Any


class LSTMStateTuple(_CH):
    """The state of an LSTM cell: ``c``, what it remembers, and ``h``, its output."""

    __slots__ = ()

    @property
    def dtype(self) -> Any:
        """Their element type."""
        if self.c.dtype != self.h.dtype:
            raise TypeError(f"Inconsistent internal state: {self.c.dtype} vs {self.h.dtype}")
        return self.c.dtype


def warn_concatenated(cell: Any) -> None:
    """Say that states in one tensor are slower."""
    logging.warning(
        "%s: Using a concatenated state is slower and will soon be deprecated.  "
        "Use state_is_tuple=True.", cell,
    )  # fmt: skip


class BasicLSTMCell(UnitsCell):
    """A long short-term memory cell.

    Parameters
    ----------
    num_units : int
    forget_bias : float
        Added to the forget gate.
    state_is_tuple : bool
        Whether the state is an `LSTMStateTuple`, or one tensor of both side by side.
    activation : callable or str, optional
        ``tanh`` by default.
    reuse : bool, optional
        Whether its variables exist already.
    name : str, optional
        ``"basic_lstm_cell"`` by default.
    dtype : DType, optional
        Of its variables; that of its inputs by default.
    """

    def __init__(
        self, num_units: int, forget_bias: float = 1.0, state_is_tuple: bool = True,
        activation: Any = None, reuse: Any = None, name: str | None = None, dtype: Any = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(num_units, activation, reuse, name, dtype, kwargs)
        if not state_is_tuple:
            warn_concatenated(self)
        self._forget_bias = forget_bias
        self._state_is_tuple = state_is_tuple

    @property
    def state_size(self) -> Any:
        n = self._num_units
        return LSTMStateTuple(n, n) if self._state_is_tuple else 2 * n

    def build(self, input_shape: Any) -> None:
        """Make kernel and bias of the four gates."""
        n = self._num_units
        self._kernel = self.add_variable("kernel", [self._depth(input_shape) + n, 4 * n])
        self._bias = self.add_variable("bias", [4 * n], initializer=Zeros())
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        _check_floating(inputs, *nest.flatten(state))
        c, h = state if self._state_is_tuple else arrays.split(state, 2, 1)
        i, j, f, o = arrays.split(linear_parts(inputs, h, self._kernel, self._bias), 4, 1)
        forget = convert.constant(self._forget_bias, f.dtype)
        kept = math.multiply(c, math.sigmoid(math.add(f, forget)))
        new_c = math.add(kept, math.multiply(math.sigmoid(i), self._activation(j)))
        new_h = math.multiply(self._activation(new_c), math.sigmoid(o))
        if self._state_is_tuple:
            return new_h, LSTMStateTuple(new_c, new_h)
        return new_h, arrays.concat([new_c, new_h], 1)

    def get_config(self) -> dict[str, Any]:
        """Its parameters."""
        own = {"forget_bias": self._forget_bias, "state_is_tuple": self._state_is_tuple}
        return {**super().get_config(), **own}


class LSTMCell(UnitsCell):
    """A long short-term memory cell with peepholes, clipping and projection where wanted.

    Parameters
    ----------
    num_units : int
    use_peepholes : bool
        Whether the gates see the cell's memory, each unit its own.
    cell_clip : float, optional
        The memory is kept within ``±cell_clip``.
    initializer : optional
        Of kernel, peepholes and projection.
    num_proj : int, optional
        The output is projected to so many units.
    proj_clip : float, optional
        The projected output is kept within ``±proj_clip``.
    num_unit_shards, num_proj_shards : int, optional
        Accepted: variables are not split.
    forget_bias, state_is_tuple, activation, reuse, name, dtype
        As for `BasicLSTMCell`; the name is ``"lstm_cell"`` by default.
    """

    def __init__(
        self, num_units: int, use_peepholes: bool = False, cell_clip: float | None = None,
        initializer: Any = None, num_proj: int | None = None, proj_clip: float | None = None,
        num_unit_shards: int | None = None, num_proj_shards: int | None = None,
        forget_bias: float = 1.0, state_is_tuple: bool = True, activation: Any = None,
        reuse: Any = None, name: str | None = None, dtype: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(num_units, activation, reuse, name, dtype, kwargs)
        if not state_is_tuple:
            warn_concatenated(self)
        if num_unit_shards is not None or num_proj_shards is not None:
            logging.warning(
                "%s: The num_unit_shards and proj_unit_shards parameters are deprecated.", self
            )
        self._use_peepholes = use_peepholes
        self._cell_clip = cell_clip
        self._initializer = initializer_of(initializer)
        self._num_proj = num_proj
        self._proj_clip = proj_clip
        self._forget_bias = forget_bias
        self._state_is_tuple = state_is_tuple

    @property
    def state_size(self) -> Any:
        n, m = self._num_units, self.output_size
        return LSTMStateTuple(n, m) if self._state_is_tuple else n + m

    @property
    def output_size(self) -> Any:
        return self._num_proj or self._num_units

    def build(self, input_shape: Any) -> None:
        """Make kernel, bias, peepholes and projection."""
        n, start = self._num_units, self._initializer
        rows = self._depth(input_shape) + self.output_size
        self._kernel = self.add_variable("kernel", [rows, 4 * n], initializer=start)
        self._bias = self.add_variable("bias", [4 * n], initializer=Zeros())
        self._peepholes: list[Any] = []
        if self._use_peepholes:
            self._peepholes = [
                self.add_variable(f"w_{gate}_diag", [n], initializer=start) for gate in "fio"
            ]
        if self._num_proj is not None:
            self._projection = self.add_variable(
                "projection/kernel", [n, self._num_proj], initializer=start
            )
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        _check_floating(inputs, *nest.flatten(state))
        n = self._num_units
        if self._state_is_tuple:
            c_prev, m_prev = state
        else:
            c_prev = arrays.slice(state, [0, 0], [-1, n])
            m_prev = arrays.slice(state, [0, n], [-1, self.output_size])
        if as_shape(inputs.get_shape()).with_rank(2)[1].value is None:
            raise ValueError("Could not infer input size from inputs.get_shape()[-1]")
        i, j, f, o = arrays.split(linear_parts(inputs, m_prev, self._kernel, self._bias), 4, 1)
        f = f + self._forget_bias
        if self._use_peepholes:
            w_f, w_i, w_o = self._peepholes
            forget = math.sigmoid(f + w_f * c_prev)
            c = forget * c_prev + math.sigmoid(i + w_i * c_prev) * self._activation(j)
        else:
            c = math.sigmoid(f) * c_prev + math.sigmoid(i) * self._activation(j)
        if self._cell_clip is not None:
            c = math.clip_by_value(c, -self._cell_clip, self._cell_clip)
        m = math.sigmoid(o + w_o * c if self._use_peepholes else o) * self._activation(c)
        if self._num_proj is not None:
            m = linalg.matmul(m, self._projection)
            if self._proj_clip is not None:
                m = math.clip_by_value(m, -self._proj_clip, self._proj_clip)
        return m, LSTMStateTuple(c, m) if self._state_is_tuple else arrays.concat([c, m], 1)

    def get_config(self) -> dict[str, Any]:
        """Its parameters."""
        names = ("use_peepholes", "cell_clip", "num_proj", "proj_clip", "forget_bias",
                 "state_is_tuple")  # fmt: skip
        return {**super().get_config(), **{k: getattr(self, f"_{k}") for k in names}}


def is_array_of_tensors(x: Any) -> bool:
    """Whether `x` is no tensor but what stands for many, like a TensorArray."""
    return not isinstance(x, Tensor | Value) and hasattr(x, "flow")
