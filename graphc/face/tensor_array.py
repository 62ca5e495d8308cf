"""`TensorArray`: tensors by number, written in one place of a graph and read in another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.face.current import name_scope
from graphc.face.elements import Operation
from graphc.face.graph import get_default_graph
from graphc.face.shape import TensorShape, as_shape, from_dims
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.node import Value
from graphc.ir.region import Context
from graphc.ops import arrays, control, fills, math, reduce, shapes, spaced, state, tensor_arrays
from graphc.ops.convert import convert_to_tensor

__all__ = ["TensorArray"]

#: What TF1 makes to number the rows of a tensor.
_NUMBERS = ("range/start", "range/delta", "range")
_ROWS = ("strided_slice/stack", "strided_slice/stack_1", "strided_slice/stack_2", "strided_slice")


class _Shared:
    """What an array and those made of it by writing have in common."""

    def __init__(self, dtype: DType, infer: bool, grows: bool, context: Context | None) -> None:
        self.dtype = dtype
        self.infer = infer
        self.grows = grows
        self.element: TensorShape = TensorShape(None)
        self.context = context
        self.entered: set[Context] = set()
        #: Whether writing adds to what is there: so it is in an array of gradients.
        self.adds = False
        #: What the arrays of gradients that were asked for have in common, by their source.
        self.grads: dict[str, _Shared] = {}
        #: Of an array of gradients all that was made by writing, the newest last.
        self.flows: list[Value] = []


class TensorArray:
    """A row of tensors of one type, each written once.

    Writing gives a new array; the old one is not used any more. Arrays may be loop variables.

    Parameters
    ----------
    dtype : DType
    size : int or scalar tensor
        The number of elements.
    dynamic_size : bool
        Whether writing beyond the end makes the array longer.
    clear_after_read, tensor_array_name, colocate_with_first_write_call :
        Accepted.
    handle, flow : tensor, optional
        An array's `flow`, to take it up again.
    infer_shape : bool
        Whether all elements have the shape of the first that is written.
    element_shape : shape, optional
        What is known of the elements' shape.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     ta = tf.TensorArray(tf.float32, size=2)
    ...     ta = ta.write(0, 1.0).write(1, 2.0)
    ...     print(sess.run(ta.stack()))
    [1. 2.]
    """

    def __init__(
        self,
        dtype: Any,
        size: Any = None,
        dynamic_size: bool | None = None,
        clear_after_read: bool | None = None,
        tensor_array_name: str | None = None,
        handle: Any = None,
        flow: Value | None = None,
        infer_shape: bool = True,
        element_shape: Any = None,
        colocate_with_first_write_call: bool = True,
        name: str | None = None,
    ) -> None:
        if handle is not None and tensor_array_name:
            raise ValueError("Cannot construct with both handle and tensor_array_name")
        if handle is not None and size is not None:
            raise ValueError("Cannot provide both a handle and size at the same time")
        if handle is None and size is None and flow is None:
            raise ValueError("Size must be provided if handle is not provided")
        kind = as_dtype(dtype).base_dtype
        graph: Any = get_default_graph()
        self._shared = _Shared(kind, infer_shape, bool(dynamic_size), graph.context)
        if element_shape is not None:
            self._shared.element = as_shape(element_shape)
        if flow is None and handle is not None:
            flow = handle
        if flow is None:
            known = self._shared.element.dims
            element = (
                None
                if known is None
                else tuple([D.fresh() if d.value is None else d.value for d in known])
            )
            flow = tensor_arrays.array_new(
                size, kind, element, bool(dynamic_size), name or "TensorArray"
            )
        self._flow = flow

    # ------------------------------------------------------------- what it is

    @property
    def flow(self) -> Value:
        """The tensor that a loop or a cond passes on for the array."""
        return self._flow

    @property
    def handle(self) -> Value:
        """The same tensor: there is nothing else that stands for the array."""
        return self._flow

    @property
    def dtype(self) -> DType:
        """The type of the elements."""
        return self._shared.dtype

    @property
    def dynamic_size(self) -> bool:
        """Whether writing beyond the end makes the array longer."""
        return self._shared.grows

    @property
    def element_shape(self) -> TensorShape:
        """What is known of the elements' shape."""
        return self._shared.element

    @property
    def graph(self) -> Any:
        return self._flow.node.graph

    def _with(self, flow: Value) -> TensorArray:
        made = TensorArray.__new__(TensorArray)
        made._shared, made._flow = self._shared, flow
        if self._shared.adds:
            self._shared.flows.append(flow)
        return made

    def _flow_parts(self) -> tuple[list[Value], Any]:
        """What a construct passes on, and what makes an array of it again."""
        return [self._flow], lambda parts: self._with(parts[0])

    def _merge(self, shape: TensorShape) -> None:
        """Take the shape of an element that is written."""
        if not self._shared.infer:
            return
        known = self._shared.element
        if not known.is_compatible_with(shape):
            raise ValueError(f"Inconsistent shapes: saw {shape} but expected {known} ")
        self._shared.element = known.merge_with(shape)

    def _element_dims(self) -> tuple[Any, ...] | None:
        dims = self._shared.element.dims if self._shared.infer else None
        if dims is None:
            return None
        return tuple([D.fresh() if d.value is None else d.value for d in dims])

    def _entered(self, v: Value) -> Value:
        """`v`, which reads the array: TF1 brings its handle into the loop for that."""
        graph: Any = get_default_graph()
        for c in graph.context.chain() if graph.context is not None else ():
            if c is self._shared.context or c in self._shared.entered:
                break
            self._shared.entered.add(c)
            graph.labelled(v.node)
        return v

    # ------------------------------------------------------------- one element

    def read(self, index: Any, name: str | None = None) -> Value:
        """The element `index`.

        Raises
        ------
        InvalidArgumentError
            In a run, when there is none.
        """
        with name_scope(name, "TensorArrayReadV3") as scope:
            at = convert_to_tensor(index, dtypes.int32, "index")
            v = self._entered(control.array_get(self._flow, at, scope))
        dims = self._element_dims()
        if dims is not None and v.static_shape is None:
            v.static_shape = dims
        return v

    def write(self, index: Any, value: Any, name: str | None = None) -> TensorArray:
        """The array with `value` as its element `index`.

        Raises
        ------
        ValueError
            When `value` has another shape than the elements.
        InvalidArgumentError
            In a run, when there is no such element.
        """
        with name_scope(name, "TensorArrayWrite"):
            element = self._converted(value)
            self._merge(from_dims(element.static_shape))
            flow = self._flow
            with name_scope("TensorArrayWriteV3") as scope:
                at = convert_to_tensor(index, dtypes.int32, "index")
                if self._shared.adds:
                    made = control.array_add(flow, at, element, scope)
                else:
                    if self._shared.grows:
                        flow = _longer(flow, at)
                    made = control.array_set(flow, at, element, scope)
                self._entered(made)
        return self._with(made)

    def _converted(self, value: Any) -> Value:
        v = convert_to_tensor(value, self._shared.dtype, "value")
        return v

    # ------------------------------------------------------------- many elements

    def _whole(self, v: Value, name: str | None) -> Value:
        """An array's tensor as a result, with what is known of the elements."""
        dims = self._element_dims()
        if dims is None and v.static_shape is not None:
            dims = v.static_shape[1:]
        shape = None if dims is None else (D.fresh(), *dims)
        return self._entered(tensor_arrays.array_stack(v, shape, name))

    def stack(self, name: str | None = None) -> Value:
        """All elements as one tensor; those never written are zeros."""
        graph: Any = get_default_graph()
        with name_scope(name, "TensorArrayStack"):
            graph.reserve("TensorArraySizeV3", *_NUMBERS)
            return self._whole(self._flow, "TensorArrayGatherV3")

    def gather(self, indices: Any, name: str | None = None) -> Value:
        """The elements at `indices` as one tensor."""
        with name_scope(name, "TensorArrayGatherV3") as scope:
            at = convert_to_tensor(indices, dtypes.int32, "indices")
            return self._whole(arrays.gather(self._flow, at, axis=0), scope)

    def concat(self, name: str | None = None) -> Value:
        """The elements one behind the other, along their first axis."""
        with name_scope(name, "TensorArrayConcatV3") as scope:
            dims = self._element_dims()
            inner = arrays.getitem(shapes.shape(self._flow), slice(2, None))
            flat = shapes.reshape(self._flow, arrays.concat([[-1], inner], 0))
            shape = None if dims is None else (D.fresh(), *dims[1:])
            return self._entered(tensor_arrays.array_stack(flat, shape, scope))

    def unstack(self, value: Any, name: str | None = None) -> TensorArray:
        """The array with the rows of `value` as its elements."""
        graph: Any = get_default_graph()
        with name_scope(name, "TensorArrayUnstack"):
            v = self._converted(value)
            graph.reserve("Shape", *_ROWS, *_NUMBERS)
            self._merge(from_dims(v.static_shape)[1:])
            with name_scope("TensorArrayScatter"):
                return self._with(self._filled(v, "TensorArrayScatterV3"))

    def _filled(self, v: Value, name: str) -> Value:
        if self._shared.adds:
            rows = spaced.range(arrays.getitem(shapes.shape(v), 0))
            return self._entered(self._added(rows, v, name))
        made = tensor_arrays.array_unstack(self._flow, v, self._shared.grows, name)
        return self._entered(made)

    def _added(self, at: Value, rows: Value, name: str) -> Value:
        """The array with `rows` added to its elements `at`."""
        nothing = fills.zeros_like(self._flow)
        more = tensor_arrays.array_scatter(nothing, at, rows, name)
        return tensor_arrays.array_sum(self._flow, more)

    def scatter(self, indices: Any, value: Any, name: str | None = None) -> TensorArray:
        """The array with the rows of `value` as its elements at `indices`."""
        with name_scope(name, "TensorArrayScatter"):
            v = self._converted(value)
            self._merge(from_dims(v.static_shape)[1:])
            at = convert_to_tensor(indices, dtypes.int32, "indices")
            flow = self._flow
            if self._shared.adds:
                made = self._added(at, v, "TensorArrayScatterV3")
            else:
                if self._shared.grows:
                    flow = _longer(flow, at)
                made = tensor_arrays.array_scatter(flow, at, v, "TensorArrayScatterV3")
            return self._with(self._entered(made))

    def split(self, value: Any, lengths: Any, name: str | None = None) -> TensorArray:
        """The array with the pieces of `value` along its first axis; all are of one length."""
        with name_scope(name, "TensorArraySplit"):
            v = self._converted(value)
            count = math.cast(convert_to_tensor(lengths), dtypes.int64)
            sizes = count.node.attrs["value"] if count.node.op.name == "constant" else None
            if sizes is not None and len(set(sizes.tolist())) > 1:
                raise NotImplementedError(
                    f"TensorArray.split into pieces of different lengths {sizes.tolist()}: the "
                    "elements of an array have one shape here"
                )
            if sizes is None:
                v = _in_equal_pieces(v, count)
            inner = arrays.getitem(shapes.shape(v), slice(1, None))
            n = shapes.size(count, out_type=dtypes.int32)
            head = arrays.stack([n, -1])
            rows = shapes.reshape(v, arrays.concat([head, inner], 0))
            self._merge(TensorShape([None, *from_dims(v.static_shape)[1:]]))
            return self._with(self._filled(rows, "TensorArraySplitV3"))

    # ------------------------------------------------------------- the rest

    def size(self, name: str | None = None) -> Value:
        """The number of elements."""
        made: Value = arrays.getitem(shapes.shape(self._flow), 0)
        return state.identity(made, name=name or "TensorArraySizeV3")

    def identity(self) -> TensorArray:
        """The same array, with the control dependencies of this place."""
        return self._with(state.identity(self._flow))

    def grad(self, source: str, flow: Any = None, name: str | None = None) -> TensorArray:
        """The array of gradients called `source`: as many zeros, and writing adds to them.

        Parameters
        ----------
        source : str
            Two calls with the same are about the same array, as it is after the writes that were
            recorded before.
        flow : tensor, optional
            What must have happened; of a flow of that array, it as it was then.

        Raises
        ------
        ValueError
            For gradients of an array of gradients.
        """
        if self._shared.adds:
            raise ValueError("TensorArray.grad: an array of gradients has none itself")
        if not isinstance(source, str):
            raise TypeError(f"TensorArray.grad: source must be a string, got {source!r}")
        with name_scope(name, "TensorArrayGrad", [self._flow]) as scope:
            shared = self._shared.grads.get(source)
            if shared is None:
                graph: Any = get_default_graph()
                shared = _Shared(self.dtype, self._shared.infer, False, graph.context)
                shared.adds, shared.element = True, self._shared.element
                self._shared.grads[source] = shared
            get_default_graph().reserve(scope + "TensorArrayGradV3")
            before = _newest(shared.flows, flow)
            flow = fills.zeros_like(self._flow) if before is None else before
            with get_default_graph().control_dependencies([self._flow]):
                flow = state.identity(flow, name="gradient_flow")
        made = TensorArray.__new__(TensorArray)
        made._shared, made._flow = shared, flow
        shared.flows.append(flow)
        return made

    def close(self, name: str | None = None) -> Operation:
        """An operation that does nothing: arrays go when nobody needs them."""
        op: Any = state.no_op(name=name or "TensorArrayCloseV3")
        return op  # type: ignore[no-any-return]


def _longer(flow: Value, index: Value) -> Value:
    """The array with elements at `index`: writing does that in TF1."""
    with get_default_graph().counts_as(0):
        last = index if index.rank == 0 else reduce.reduce_max(index)
        return tensor_arrays.array_grow(flow, last)


def _newest(flows: Sequence[Value], flow: Value | None) -> Value | None:
    """The flow to go on from: the one that is given, else the last that can be read here."""
    if flow is not None and any(flow is f for f in flows):
        return flow
    graph: Any = get_default_graph()
    context: Context | None = graph.context
    for f in reversed(flows):
        home = graph.contexts.get(f.node)
        if home is None or (context is not None and context.within(home)):
            return f
    return None


def _in_equal_pieces(v: Value, lengths: Value) -> Value:
    """`v`, in a run that fails where the pieces are of different lengths or do not make `v`."""
    from graphc.ops.check import Assert

    rows = math.cast(arrays.getitem(shapes.shape(v), 0), lengths.dtype)
    even = math.equal(lengths * math.cast(shapes.size(lengths), lengths.dtype), rows)
    words = "TensorArray.split needs pieces of one length that make the whole value:"
    check = Assert(reduce.reduce_all(even), [words, lengths, rows])
    with get_default_graph().control_dependencies([check]):
        return state.identity(v)


def rows_of(values: Sequence[Value]) -> Any:
    """The number of rows of the first of some tensors: a number, or a scalar tensor."""
    first = values[0].static_shape
    if first is not None and first and type(first[0]) is int:
        return first[0]
    return arrays.getitem(shapes.shape(values[0]), 0)
