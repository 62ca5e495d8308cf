"""Recurrent layers, and layers around layers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.face.shape import as_shape
from graphc.keras import backend as K
from graphc.keras import sessions
from graphc.keras.engine import InputSpec, Layer
from graphc.keras.words import activation_of
from graphc.ops import arrays, fills, linalg, shapes
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import made

__all__ = [
    "GRU", "LSTM", "RNN", "Bidirectional", "CuDNNGRU", "CuDNNLSTM", "GRUCell", "LSTMCell",
    "SimpleRNN", "SimpleRNNCell", "StackedRNNCells", "TimeDistributed", "Wrapper",
]  # fmt: skip


class _Cell(Layer):
    """What cells share: kernels for inputs and states, a bias, dropout."""

    gates = 1

    def __init__(
        self, units: int, activation: Any = "tanh", use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None, bias_regularizer: Any = None,
        kernel_constraint: Any = None, recurrent_constraint: Any = None,
        bias_constraint: Any = None, dropout: float = 0.0, recurrent_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.units = int(units)
        self.activation = activation_of(activation)
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.recurrent_initializer = recurrent_initializer
        self.bias_initializer = bias_initializer
        self.kernel_regularizer = kernel_regularizer
        self.recurrent_regularizer = recurrent_regularizer
        self.bias_regularizer = bias_regularizer
        self.kernel_constraint = kernel_constraint
        self.recurrent_constraint = recurrent_constraint
        self.bias_constraint = bias_constraint
        self.dropout, self.recurrent_dropout = dropout, recurrent_dropout
        self.state_size: Any = self.units
        self.output_size = self.units
        self.kernel: Any = None
        self.recurrent_kernel: Any = None
        self.bias: Any = None
        self._masks: dict[str, Any] = {}

    def build(self, input_shape: Any) -> None:
        n, width = as_shape(input_shape).as_list()[-1], self.units * self.gates
        self.kernel = self.add_weight(
            "kernel", (n, width), None, self.kernel_initializer, self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )  # fmt: skip
        self.recurrent_kernel = self.add_weight(
            "recurrent_kernel", (self.units, width), None, self.recurrent_initializer,
            self.recurrent_regularizer, constraint=self.recurrent_constraint,
        )  # fmt: skip
        if self.use_bias:
            self._build_bias(width)
        self.built = True

    def _build_bias(self, width: int) -> None:
        self.bias = self.add_weight(
            "bias", (width,), None, self.bias_initializer, self.bias_regularizer,
            constraint=self.bias_constraint,
        )  # fmt: skip

    def draw_masks(self, inputs: Any, training: Any) -> None:
        """One dropout mask for all moments of a sequence."""
        self._masks = {}
        batch = shapes.shape(inputs)[0]
        for key, rate, n in (("x", self.dropout, inputs.shape[-1].value),
                             ("h", self.recurrent_dropout, self.units)):  # fmt: skip
            if rate > 0:
                ones = fills.ones(arrays.stack([batch, n]), inputs.dtype)
                dropped = sessions.in_train_phase(
                    lambda o=ones, r=rate: K.dropout(o, r), ones, training
                )
                self._masks[key] = dropped

    def _kept(self, key: str, x: Any) -> Any:
        return x * self._masks[key] if key in self._masks else x

    def get_initial_state(
        self, inputs: Any = None, batch_size: Any = None, dtype: Any = None
    ) -> Any:
        """Zeros."""
        n = shapes.shape(inputs)[0] if inputs is not None else batch_size
        kind = dtype or (inputs.dtype if inputs is not None else "float32")
        sizes = self.state_size if isinstance(self.state_size, list | tuple) else [self.state_size]
        made: Any = [fills.zeros(arrays.stack([n, s]), kind) for s in sizes]
        for m, s in zip(made, sizes, strict=True):
            m.set_shape([None, s])
        return made if isinstance(self.state_size, list | tuple) else made[0]


class SimpleRNNCell(_Cell):
    """``h = activation(x W + h U + b)``."""

    def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
        h = linalg.matmul(self._kept("x", inputs), self.kernel)
        if self.use_bias:
            h = h + convert_to_tensor(self.bias)
        y = self.activation(h + linalg.matmul(self._kept("h", states[0]), self.recurrent_kernel))
        return y, [y]


class LSTMCell(_Cell):
    """A long short-term memory; gates in the order input, forget, candidate, output."""

    gates = 4

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "hard_sigmoid",
        use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal", bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True, kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None, bias_regularizer: Any = None,
        kernel_constraint: Any = None, recurrent_constraint: Any = None,
        bias_constraint: Any = None, dropout: float = 0.0, recurrent_dropout: float = 0.0,
        implementation: int = 1, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer,
            bias_initializer, kernel_regularizer, recurrent_regularizer, bias_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint, dropout, recurrent_dropout,
            **kwargs,
        )  # fmt: skip
        self.recurrent_activation = activation_of(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias
        self.state_size = [self.units, self.units]

    def _build_bias(self, width: int) -> None:
        initial = self.bias_initializer
        if self.unit_forget_bias:
            from graphc.layers.words import initializer_of

            given, n = initializer_of(self.bias_initializer), self.units

            def initial(shape: Any, dtype: Any = None) -> Any:
                return arrays.concat(
                    [given([n], dtype=dtype), fills.ones([n], dtype), given([2 * n], dtype=dtype)],
                    0,
                )  # fmt: skip

        self.bias = self.add_weight(
            "bias", (width,), None, initial, self.bias_regularizer, constraint=self.bias_constraint
        )

    def _before_gates(self, inputs: Any, h: Any) -> Any:
        """What the four gates see, before their activations."""
        z = linalg.matmul(self._kept("x", inputs), self.kernel)
        z = z + linalg.matmul(self._kept("h", h), self.recurrent_kernel)
        if self.use_bias:
            z = z + convert_to_tensor(self.bias)
        return arrays.split(z, 4, 1)

    def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
        h, c = states[0], states[1]
        i, f, g, o = self._before_gates(inputs, h)
        gate = self.recurrent_activation
        c = gate(f) * c + gate(i) * self.activation(g)
        h = gate(o) * self.activation(c)
        return h, [h, c]


class GRUCell(_Cell):
    """A gated recurrent unit; gates in the order update, reset, candidate."""

    gates = 3

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "hard_sigmoid",
        use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal", bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None, recurrent_regularizer: Any = None,
        bias_regularizer: Any = None, kernel_constraint: Any = None,
        recurrent_constraint: Any = None, bias_constraint: Any = None, dropout: float = 0.0,
        recurrent_dropout: float = 0.0, implementation: int = 1, reset_after: bool = False,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer,
            bias_initializer, kernel_regularizer, recurrent_regularizer, bias_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint, dropout, recurrent_dropout,
            **kwargs,
        )  # fmt: skip
        self.recurrent_activation = activation_of(recurrent_activation)
        self.reset_after = reset_after

    def _build_bias(self, width: int) -> None:
        self.bias = self.add_weight(
            "bias", (2, width) if self.reset_after else (width,), None, self.bias_initializer,
            self.bias_regularizer, constraint=self.bias_constraint,
        )  # fmt: skip

    def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
        h, n = self._kept("h", states[0]), self.units
        gate = self.recurrent_activation
        x = linalg.matmul(self._kept("x", inputs), self.kernel)
        u: Any = convert_to_tensor(self.recurrent_kernel)
        bias = None if self.bias is None else convert_to_tensor(self.bias)
        if bias is not None:
            x = x + (bias[0] if self.reset_after else bias)
        if self.reset_after:
            r = linalg.matmul(h, u)
            if bias is not None:
                r = r + bias[1]
            update, reset = gate(x[:, :n] + r[:, :n]), gate(x[:, n : 2 * n] + r[:, n : 2 * n])
            candidate = self.activation(x[:, 2 * n :] + reset * r[:, 2 * n :])
        else:
            r = linalg.matmul(h, u[:, : 2 * n])
            update, reset = gate(x[:, :n] + r[:, :n]), gate(x[:, n : 2 * n] + r[:, n:])
            candidate = self.activation(x[:, 2 * n :] + linalg.matmul(reset * h, u[:, 2 * n :]))
        y = update * states[0] + (1.0 - update) * candidate
        return y, [y]


class StackedRNNCells(Layer):
    """Cells, each on the output of the one before."""

    def __init__(self, cells: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cells = list(cells)

    @property
    def state_size(self) -> Any:
        return [s for c in self.cells for s in _each(c.state_size)]

    @property
    def output_size(self) -> Any:
        return getattr(self.cells[-1], "output_size", _each(self.cells[-1].state_size)[0])

    def build(self, input_shape: Any) -> None:
        shape = as_shape(input_shape)
        for cell in self.cells:
            if not cell.built:
                cell.build(shape)
                cell.built = True
            n = getattr(cell, "output_size", None) or _each(cell.state_size)[0]
            shape = as_shape([shape[0].value, n])
        self.built = True

    def draw_masks(self, inputs: Any, training: Any) -> None:
        """Dropout masks of the first cell."""
        if hasattr(self.cells[0], "draw_masks"):
            self.cells[0].draw_masks(inputs, training)

    def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
        x, at, out = inputs, 0, []
        for cell in self.cells:
            n = len(_each(cell.state_size))
            x, new = _step(cell, x, list(states[at : at + n]))
            out += new
            at += n
        return x, out


def _each(x: Any) -> list[Any]:
    return list(x) if isinstance(x, list | tuple) else [x]


def _step(cell: Any, x: Any, states: list[Any]) -> Any:
    """One step, built at first use."""
    if not cell.built:
        cell.build(x.shape)
        cell.built = True
    y, new = cell.call(x, states)
    return y, _each(new)


class RNN(Layer):
    """A cell run along sequences ``[batch, moments, features]``.

    Parameters
    ----------
    cell : layer or list of layer
        ``call(input, states) -> (output, new states)`` and `state_size`.
    return_sequences : bool
        Give the outputs of all moments and not only the last.
    return_state : bool
        Give the last states too.
    go_backwards : bool
    unroll, time_major : bool
    stateful : bool
        A batch begins with the states at the end of the one before; the size of batches must
        be known. `reset_states` sets them to zeros, or to what it is given.
    """

    #: How many more operations TF1 makes in a call than are recorded.
    _more_operations = 0

    supports_masking = True

    def __init__(
        self, cell: Any, return_sequences: bool = False, return_state: bool = False,
        go_backwards: bool = False, stateful: bool = False, unroll: bool = False,
        time_major: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.supports_masking = True
        self.stateful = stateful
        self._kept_states: list[Any] | None = None
        self._batch: int | None = None
        self.cell = StackedRNNCells(cell) if isinstance(cell, list | tuple) else cell
        if not hasattr(self.cell, "call") or not hasattr(self.cell, "state_size"):
            raise ValueError("`cell` should have a `call` method and a `state_size`.")
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.unroll, self.time_major = go_backwards, unroll, time_major
        self.input_spec = InputSpec(ndim=3) if not isinstance(cell, list | tuple) else None

    def __call__(
        self, inputs: Any, initial_state: Any = None, constants: Any = None, **kwargs: Any
    ) -> Any:
        if isinstance(inputs, list | tuple) and initial_state is None:
            inputs, initial_state = inputs[0], list(inputs[1:])
        if initial_state is not None:
            self.input_spec = None
            given = [inputs, *_each(initial_state)]
            return super().__call__(given, **kwargs)
        return super().__call__(inputs, **kwargs)

    def build(self, input_shape: Any) -> None:
        shape = input_shape[0] if isinstance(input_shape, list) else input_shape
        if not self.cell.built:
            self.cell.build(as_shape([as_shape(shape)[0].value, as_shape(shape)[-1].value]))
            self.cell.built = True
        self._build_states(as_shape(shape)[1 if self.time_major else 0].value)

    def _build_states(self, batch: int | None) -> None:
        """The last part of building: variables for the states, where they are kept."""
        self._batch = batch
        if self.stateful:
            self.reset_states()
        self.built = True

    def call(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:
        made(self._more_operations)
        states = None
        if isinstance(inputs, list | tuple):
            inputs, states = inputs[0], list(inputs[1:])
        if isinstance(mask, list | tuple):
            mask = mask[0]
        first = inputs[0] if self.time_major else inputs[:, 0]
        if states is None:
            states = self._first_states(lambda n: _zeros(first, n))
        if hasattr(self.cell, "draw_masks"):
            self.cell.draw_masks(first, training)
        last, ys, new = K.rnn(
            lambda x, s: _step(self.cell, x, list(s)), inputs, states, self.go_backwards, mask,
            time_major=self.time_major,
        )  # fmt: skip
        self._keep(new)
        y = ys if self.return_sequences else last
        if self.return_sequences:
            known = inputs.shape.as_list()
            y.set_shape([*known[:2], y.shape[-1].value])
        return [y, *new] if self.return_state else y

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if isinstance(mask, list | tuple):
            mask = mask[0]
        own = mask if self.return_sequences else None
        if not self.return_state:
            return own
        return [own, *[None] * len(_each(self.cell.state_size))]

    @property
    def states(self) -> list[Any]:
        return self._kept_states or [None] * len(_each(self.cell.state_size))

    def _first_states(self, blank: Callable[[Any], Any]) -> list[Any]:
        """What a batch begins with: what is kept, or a `blank` state for each size."""
        if self._kept_states is not None:
            return [convert_to_tensor(v) for v in self._kept_states]
        return [blank(n) for n in _each(self.cell.state_size)]

    def _keep(self, new: Any) -> None:
        if self._kept_states is not None:
            self.add_update([v.assign(x) for v, x in zip(self._kept_states, new, strict=True)])

    def _state_sizes(self) -> list[list[int]]:
        """The shape of each state of an example."""
        return [[n] for n in _each(self.cell.state_size)]

    def reset_states(self, states: Any = None) -> None:
        """Begin anew: with zeros, or with an array for each state.

        Raises
        ------
        AttributeError, ValueError
            When the layer keeps no states, does not know the size of batches, or `states` do not
            fit.
        """
        if not self.stateful:
            raise AttributeError("Layer must be stateful.")
        if not self._batch:
            raise ValueError(
                f"The stateful layer {self.name} must know the size of its batches: give the first "
                "layer of a Sequential `batch_input_shape`, or Input `batch_shape`."
            )
        sizes = [(self._batch, *each) for each in self._state_sizes()]
        if self._kept_states is None:
            self._kept_states = [K.zeros(size) for size in sizes]
            if states is None:
                return
        given = [np.zeros(size) for size in sizes] if states is None else _each(states)
        if len(given) != len(sizes):
            raise ValueError(
                f"Layer {self.name} expects {len(sizes)} states, but it received {len(given)} "
                f"state values. Input received: {given}"
            )
        for i, (size, value) in enumerate(zip(sizes, given, strict=True)):
            if np.shape(value) != size:
                raise ValueError(
                    f"State {i} is incompatible with layer {self.name}: expected shape={size}, "
                    f"found shape={np.shape(value)}"
                )
        sessions.batch_set_value(list(zip(self._kept_states, given, strict=True)))

    def get_initial_state(self, inputs: Any) -> Any:
        """Zeros."""
        return [_zeros(inputs[:, 0], n) for n in _each(self.cell.state_size)]


def _zeros(x: Any, n: int) -> Any:
    made: Any = fills.zeros(arrays.stack([shapes.shape(x)[0], n]), x.dtype)
    made.set_shape([x.shape[0].value, n])
    return made


class _OfCell(RNN):
    """A recurrent layer with the arguments of its cell."""

    cell_class: Any = SimpleRNNCell

    def __init__(self, units: int, *args: Any, **kwargs: Any) -> None:
        names = [
            p.name for p in inspect.signature(self.cell_class.__init__).parameters.values()
            if p.kind is p.POSITIONAL_OR_KEYWORD and p.name not in ("self", "units")
        ] + ["activity_regularizer"]  # fmt: skip
        if args:
            kwargs.update(zip(names, args, strict=False))
        penalty = kwargs.pop("activity_regularizer", None)
        own = {k: kwargs.pop(k) for k in names if k in kwargs}
        if kwargs.get("dtype") is not None:
            own["dtype"] = kwargs["dtype"]
        cell = self.cell_class(units, name=f"{type(self).__name__.lower()}_cell", **own)
        super().__init__(cell, activity_regularizer=penalty, **kwargs)

    def __getattr__(self, name: str) -> Any:
        cell = self.__dict__.get("cell")
        if cell is not None and not name.startswith("_") and name in vars(cell):
            return getattr(cell, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def get_config(self) -> dict[str, Any]:
        own = {k: getattr(self, k) for k in ("return_sequences", "return_state", "go_backwards",
                                             "unroll", "time_major", "stateful")}  # fmt: skip
        inner = {k: v for k, v in self.cell.get_config().items()
                 if k not in ("name", "trainable", "dtype")}  # fmt: skip
        base = {"name": self.name, "trainable": self.trainable, "dtype": "float32"}
        return {**base, **inner, **own}


class SimpleRNN(_OfCell):
    __doc__ = SimpleRNNCell.__doc__
    cell_class = SimpleRNNCell
    _more_operations = -41


class LSTM(_OfCell):
    __doc__ = LSTMCell.__doc__
    cell_class = LSTMCell
    _more_operations = 7


class GRU(_OfCell):
    __doc__ = GRUCell.__doc__
    cell_class = GRUCell
    _more_operations = -3


class CuDNNLSTM(LSTM):
    """An LSTM whose gates are sigmoids."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(units, recurrent_activation="sigmoid", **kwargs)


class CuDNNGRU(GRU):
    """A GRU whose gates are sigmoids, and whose reset gate comes after the product."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(units, recurrent_activation="sigmoid", reset_after=True, **kwargs)


# ------------------------------------------------------------------------- around layers


class Wrapper(Layer):
    """A layer around a layer."""

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layer = layer

    def get_config(self) -> dict[str, Any]:
        inner = {"class_name": type(self.layer).__name__, "config": self.layer.get_config()}
        return {"name": self.name, "trainable": self.trainable, "dtype": "float32",
                "layer": inner}  # fmt: skip

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        from graphc.keras.serialize import layer_from

        given = dict(config)
        inner = given.pop("layer")
        return cls(layer_from(inner), **given)


class TimeDistributed(Wrapper):
    """A layer applied to each moment of sequences."""

    supports_masking = True

    def build(self, input_shape: Any) -> None:
        sizes = as_shape(input_shape).as_list()
        if not self.layer.built:
            self.layer.build(as_shape([sizes[0], *sizes[2:]]))
            self.layer.built = True
        self.built = True

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        accepted = inspect.signature(self.layer.call).parameters
        more = {"training": training} if "training" in accepted else {}
        sizes = inputs.shape.as_list()
        if None not in sizes[1:]:
            y: Any = self.layer.call(shapes.reshape(inputs, [-1, *sizes[2:]]), **more)
            after = y.shape.as_list()[1:]
            if None not in after:
                return shapes.reshape(y, [-1, sizes[1], *after])
            live = shapes.shape(inputs)
        else:
            live = shapes.shape(inputs)
            flat: Any = shapes.reshape(inputs, arrays.concat([[-1], live[2:]], 0))
            flat.set_shape([None, *sizes[2:]])
            y = self.layer.call(flat, **more)
        out: Any = shapes.reshape(y, arrays.concat([live[:2], shapes.shape(y)[1:]], 0))
        out.set_shape([*sizes[:2], *y.shape.as_list()[1:]])
        return out


class Bidirectional(Wrapper):
    """A recurrent layer run forwards and backwards.

    Parameters
    ----------
    merge_mode : {"concat", "sum", "mul", "ave", None}
        How the two outputs become one; None gives both.
    """

    supports_masking = True

    def __init__(
        self, layer: Any, merge_mode: str | None = "concat", weights: Any = None,
        backward_layer: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(layer, **kwargs)
        if merge_mode not in ("sum", "mul", "ave", "concat", None):
            raise ValueError(
                "Invalid merge mode. Merge mode should be one of {'sum', 'mul', 'ave', 'concat', "
                "None}"
            )
        self.merge_mode = merge_mode
        config = layer.get_config()
        config["go_backwards"] = not config.get("go_backwards", False)
        self.forward_layer = layer
        self.backward_layer = backward_layer or type(layer).from_config(config)
        self.forward_layer._name = "forward_" + layer.name
        self.backward_layer._name = "backward_" + layer.name.removeprefix("forward_")
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state

    def _nested(self) -> list[Any]:
        return [self.forward_layer, self.backward_layer]

    def build(self, input_shape: Any) -> None:
        self.built = True

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        more = {"training": training} if training is not None else {}
        a = self.forward_layer(inputs, mask=mask, **more)
        b = self.backward_layer(inputs, mask=mask, **more)
        states: list[Any] = []
        if self.return_state:
            states = [*a[1:], *b[1:]]
            a, b = a[0], b[0]
        if self.return_sequences:
            b = arrays.reverse(b, [1])
        y: Any
        if self.merge_mode is None:
            y = [a, b]
        elif self.merge_mode == "concat":
            y = arrays.concat([a, b], -1)
        else:
            y = {"sum": lambda: a + b, "mul": lambda: a * b, "ave": lambda: (a + b) / 2.0}[
                self.merge_mode
            ]()  # fmt: skip
        if self.return_state:
            return [*_each(y), *states]
        return y

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return mask if self.return_sequences else None
