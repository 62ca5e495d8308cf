"""Cells made of cells: stacked, with dropout, with the input added to the output."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from graphc.face import logging, nest
from graphc.face.current import device as on_device
from graphc.face.current import name_scope
from graphc.face.scopes import variable_scope
from graphc.face.shape import as_shape
from graphc.ir.node import Value
from graphc.nn.cells import LSTMStateTuple, RNNCell, check_cell, is_array_of_tensors
from graphc.ops import arrays, convert, math, nn, random

__all__ = ["DeviceWrapper", "DropoutWrapper", "MultiRNNCell", "ResidualWrapper", "WrapperCell"]


class MultiRNNCell(RNNCell):
    """Cells one after the other: the output of each is the input of the next.

    Parameters
    ----------
    cells : list of cells
    state_is_tuple : bool
        Whether the state is a tuple of the states of the cells, or one tensor of them side by
        side.

    Raises
    ------
    ValueError
        Without cells, and when states are nested though they are to be side by side.
    """

    def __init__(self, cells: Any, state_is_tuple: bool = True) -> None:
        super().__init__()
        if not cells:
            raise ValueError("Must specify at least one cell for MultiRNNCell.")
        if not nest.is_sequence(cells):
            raise TypeError(f"cells must be a list or tuple, but saw: {cells}.")
        if len({id(c) for c in cells}) < len(cells):
            logging.log_first_n(
                logging.WARN,
                "At least two cells provided to MultiRNNCell are the same object and will share "
                "weights.", 1,
            )  # fmt: skip
        self._cells = cells
        self._state_is_tuple = state_is_tuple
        if not state_is_tuple and any(nest.is_sequence(c.state_size) for c in cells):
            raise ValueError(
                "Some cells return tuples of states, but the flag state_is_tuple is not set.  "
                f"State sizes are: {[c.state_size for c in cells]}"
            )

    @property
    def state_size(self) -> Any:
        sizes = [c.state_size for c in self._cells]
        return tuple(sizes) if self._state_is_tuple else sum(sizes)

    @property
    def output_size(self) -> Any:
        return self._cells[-1].output_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """Zeros for each cell."""
        with name_scope(type(self).__name__ + "ZeroState", values=[batch_size]):
            if self._state_is_tuple:
                return tuple([c.zero_state(batch_size, dtype) for c in self._cells])
            return super().zero_state(batch_size, dtype)

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        if self._state_is_tuple and not nest.is_sequence(state):
            raise ValueError(
                f"Expected state to be a tuple of length {len(self.state_size)}, but received: "
                f"{state}"
            )
        new_states, start = [], 0
        for i, cell in enumerate(self._cells):
            with variable_scope(f"cell_{i}"):
                if self._state_is_tuple:
                    own = state[i]
                else:
                    own = arrays.slice(state, [0, start], [-1, cell.state_size])
                    start += cell.state_size
                inputs, new = cell(inputs, own)
                new_states.append(new)
        if self._state_is_tuple:
            return inputs, tuple(new_states)
        return inputs, arrays.concat(new_states, 1)


class WrapperCell(RNNCell):
    """A cell that does something around the step of another; it has no variable scope."""

    def __init__(self, cell: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_cell("cell", cell)
        self.cell = cell

    @property
    def wrapped_cell(self) -> Any:
        return self.cell

    @property
    def state_size(self) -> Any:
        return self.cell.state_size

    @property
    def output_size(self) -> Any:
        return self.cell.output_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """That of the inner cell."""
        with name_scope(type(self).__name__ + "ZeroState", values=[batch_size]):
            return self.cell.zero_state(batch_size, dtype)

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        """One step."""
        return self._around(inputs, state, self.cell.__call__, scope=scope)

    def call(self, inputs: Any, state: Any) -> Any:
        """One step without the inner cell's own scope."""
        return self._around(inputs, state, self.cell.call)

    def _around(self, inputs: Any, state: Any, step: Callable[..., Any], **kwargs: Any) -> Any:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Its parameters, the inner cell by its class and its own."""
        inner = {"class_name": type(self.cell).__name__, "config": self.cell.get_config()}
        return {**super().get_config(), "cell": inner}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """A wrapper as `get_config` says; as in TF1, of a cell that `config` holds as an object.

        Raises
        ------
        ValueError
            Where the cell is described only.
        """
        if not isinstance(config.get("cell"), RNNCell):
            raise ValueError(
                f"{cls.__name__} does not make the wrapped cell from its description: put the "
                "cell itself into the configuration"
            )
        return cls(**config)


def _but_memory(state: Any) -> Any:
    """State dropout leaves what an LSTM cell remembers, and arrays of tensors, as they are."""
    if isinstance(state, LSTMStateTuple):
        return LSTMStateTuple(False, True)
    return not is_array_of_tensors(state)


def _chosen(visit: Callable[[Any], Any], state: Any) -> Any:
    """A shallow structure of booleans: which parts of `state` to drop from."""
    answer = visit(state)
    if not nest.is_sequence(state):
        if not isinstance(answer, bool):
            raise TypeError(f"traverse_fn returned: {answer}, expected a bool")
        return answer
    if isinstance(answer, bool):
        if not answer:
            return False
        parts = nest.flatten_up_to(_shallow(state), state)
        return nest.pack_sequence_as(_shallow(state), [_chosen(visit, p) for p in parts])
    nest.assert_shallow_structure(answer, state)
    return nest.map_structure_up_to(
        answer, lambda do, part: _chosen(visit, part) if do else False, answer, state
    )


def _shallow(state: Any) -> Any:
    if isinstance(state, dict):
        return type(state)((k, True) for k in state)
    if hasattr(state, "_fields"):
        return type(state)(*[True for _ in state])
    return type(state)([True for _ in state])


class DropoutWrapper(WrapperCell):
    """A cell with dropout of its inputs, states and outputs.

    Parameters
    ----------
    cell : cell
    input_keep_prob, output_keep_prob, state_keep_prob : float or scalar tensor
        How much is kept. State dropout spares the memory ``c`` of LSTM cells.
    variational_recurrent : bool
        Whether the same elements are dropped in all steps of a run.
    input_size : TensorShape, optional
        Of the inputs, needed for variational dropout of them.
    dtype : DType, optional
        Needed for variational dropout.
    seed : int, optional
    dropout_state_filter_visitor : callable, optional
        Says of each part of a state whether to drop from it.

    Raises
    ------
    ValueError
        When a probability is not between 0 and 1.
    """

    def __init__(
        self, cell: Any, input_keep_prob: Any = 1.0, output_keep_prob: Any = 1.0,
        state_keep_prob: Any = 1.0, variational_recurrent: bool = False, input_size: Any = None,
        dtype: Any = None, seed: Any = None, dropout_state_filter_visitor: Any = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(cell, dtype=dtype, **kwargs)
        if dropout_state_filter_visitor is not None and not callable(dropout_state_filter_visitor):
            raise TypeError("dropout_state_filter_visitor must be callable")
        self._visit = dropout_state_filter_visitor or _but_memory
        with name_scope("DropoutWrapperInit"):
            self._input_keep_prob = _probability("input_keep_prob", input_keep_prob)
            self._state_keep_prob = _probability("state_keep_prob", state_keep_prob)
            self._output_keep_prob = _probability("output_keep_prob", output_keep_prob)
        self._variational_recurrent = variational_recurrent
        self._input_size = input_size
        self._seed = seed
        self._noise: dict[str, Any] = {"input": None, "state": None, "output": None}
        if not variational_recurrent:
            return
        if dtype is None:
            raise ValueError("When variational_recurrent=True, dtype must be provided")
        if _drops(self._input_keep_prob):
            if input_size is None:
                raise ValueError(
                    "When variational_recurrent=True and input_keep_prob < 1.0 or is unknown, "
                    "input_size must be provided"
                )
            self._noise["input"] = self._noises("input", input_size, dtype)
        self._noise["state"] = self._noises("state", cell.state_size, dtype)
        self._noise["output"] = self._noises("output", cell.output_size, dtype)

    def _noises(self, salt: str, sizes: Any, dtype: Any) -> Any:
        def noise(i: int, size: Any) -> Value:
            shape = arrays.concat([[1], as_shape(size).as_list()], 0)
            return random.random_uniform(shape, seed=self._seed_of(salt, i), dtype=dtype)

        return _enumerated(noise, sizes)

    def _seed_of(self, salt: str, index: int) -> int | None:
        """A seed for each place, as TF derives it."""
        if self._seed is None:
            return None
        text = f"{self._seed}{salt}_{index}".encode()
        return int(hashlib.md5(text, usedforsecurity=False).hexdigest()[:8], 16) & 0x7FFFFFFF

    def _dropped(self, values: Any, salt: str, keep: Any, chosen: Any = None) -> Any:
        shallow = values if chosen is None else chosen
        if self._variational_recurrent:

            def drop(i: int, do: Any, v: Any, noise: Any) -> Any:
                if do is False:
                    return v
                out: Any = math.div(v, keep) * math.floor(keep + noise)
                out.set_shape(v.get_shape())
                return out

            return _enumerated_up_to(drop, shallow, values, self._noise[salt])

        def drop_anew(i: int, do: Any, v: Any) -> Any:
            if do is False:
                return v
            return nn.dropout(v, rate=1.0 - keep, seed=self._seed_of(salt, i))

        return _enumerated_up_to(drop_anew, shallow, values)

    def _around(self, inputs: Any, state: Any, step: Callable[..., Any], **kwargs: Any) -> Any:
        if _drops(self._input_keep_prob):
            inputs = self._dropped(inputs, "input", self._input_keep_prob)
        output, new_state = step(inputs, state, **kwargs)
        if _drops(self._state_keep_prob):
            chosen = _chosen(self._visit, new_state)
            new_state = self._dropped(new_state, "state", self._state_keep_prob, chosen)
        if _drops(self._output_keep_prob):
            output = self._dropped(output, "output", self._output_keep_prob)
        return output, new_state

    def get_config(self) -> dict[str, Any]:
        """Its parameters."""
        names = ("input_keep_prob", "output_keep_prob", "state_keep_prob",
                 "variational_recurrent", "input_size", "seed")  # fmt: skip
        return {**super().get_config(), **{k: getattr(self, f"_{k}") for k in names}}


def _probability(name: str, p: Any) -> Any:
    tensor = convert.convert_to_tensor(p)
    if tensor.node.op.name != "constant":
        return tensor
    value = float(tensor.node.attrs["value"])
    if not 0 <= value <= 1:
        raise ValueError(f"Parameter {name} must be between 0 and 1: {int(value)}")
    return value


def _drops(p: Any) -> bool:
    return not isinstance(p, float) or p < 1


def _enumerated(f: Callable[..., Any], structure: Any) -> Any:
    return _enumerated_up_to(lambda i, _, x: f(i, x), structure, structure)


def _enumerated_up_to(f: Callable[..., Any], shallow: Any, *structures: Any) -> Any:
    count = iter(range(1 << 30))
    return nest.map_structure_up_to(shallow, lambda *xs: f(next(count), *xs), shallow, *structures)


class ResidualWrapper(WrapperCell):
    """A cell whose inputs are added to its outputs.

    Parameters
    ----------
    cell : cell
    residual_fn : callable, optional
        ``(inputs, outputs) -> outputs`` in place of the sum.
    """

    def __init__(self, cell: Any, residual_fn: Any = None, **kwargs: Any) -> None:
        super().__init__(cell, **kwargs)
        self._residual_fn = residual_fn

    def _around(self, inputs: Any, state: Any, step: Callable[..., Any], **kwargs: Any) -> Any:
        outputs, new_state = step(inputs, state, **kwargs)
        return (self._residual_fn or _sum_of)(inputs, outputs), new_state


def _sum_of(inputs: Any, outputs: Any) -> Any:
    nest.assert_same_structure(inputs, outputs)
    nest.map_structure(
        lambda x, y: x.get_shape().assert_is_compatible_with(y.get_shape()), inputs, outputs
    )
    return nest.map_structure(lambda x, y: x + y, inputs, outputs)


class DeviceWrapper(WrapperCell):
    """A cell whose operations are said to be on a device.

    Parameters
    ----------
    cell : cell
    device : str or callable
    """

    def __init__(self, cell: Any, device: Any, **kwargs: Any) -> None:
        super().__init__(cell, **kwargs)
        self._device = device

    def get_config(self) -> dict[str, Any]:
        """Its parameters."""
        return {**super().get_config(), "device": self._device}

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """That of the inner cell."""
        with on_device(self._device):
            return super().zero_state(batch_size, dtype)

    def _around(self, inputs: Any, state: Any, step: Callable[..., Any], **kwargs: Any) -> Any:
        with on_device(self._device):
            return step(inputs, state, **kwargs)
