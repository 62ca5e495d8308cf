"""`TensorArray`: tensors by number, written in one place of a graph and read in another."""

from __future__ import annotations

from typing import Any

from graphc.face.array_elements import (
    covers,
    in_equal_pieces,
    longer,
    newest,
    refused,
    row_of,
    sizes_of,
)
from graphc.face.current import name_scope
from graphc.face.elements import Operation
from graphc.face.graph import get_default_graph
from graphc.face.graph_contexts import nothing
from graphc.face.shape import TensorShape, as_shape, from_dims
from graphc.ir import build, dtypes
from graphc.ir import dims as D
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.node import Value
from graphc.ir.region import Context
from graphc.ops import (
    arrays,
    control,
    fills,
    math,
    packed_arrays,
    shapes,
    spaced,
    state,
    tensor_arrays,
)
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import in_loop
from graphc.passes.array_uses import USES, ArrayUse

__all__ = ["TensorArray"]

#: What TF1 makes to number the rows of a tensor.
_NUMBERS = ("range/start", "range/delta", "range")
#: Where a graph keeps which tensors that it gave out for arrays are packed.
_GIVEN = "packed arrays"
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
        #: Whether elements may differ in shape at all, and that of the first ones.
        self.varied = False
        self.first: Any = None
        #: Whether each is a row with its shape in front; None until something is written or read.
        self.packed: bool | None = False
        #: Of an array of gradients the array that these are gradients of.
        self.shaped: Value | None = None
        #: What messages call it, and whether what is read is gone; "" where nobody knows.
        self.name, self.clears = "", False


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
    clear_after_read : bool
        Whether each element may be read once a run. Refused is what can be seen before the run:
        outside of loops and conds, at indices that are constants.
    tensor_array_name : str
        What error messages call it.
    colocate_with_first_write_call : bool
        Whether the array is on no device of its own.
    handle, flow : tensor, optional
        An array's `flow`, to take it up again.
    infer_shape : bool
        Whether all elements have the shape of the first that is written. Else numbers of 32 and 64
        bits may be elements of several shapes, unless `element_shape` says all sizes.
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
        if flow is None and handle is None:
            self._shared.name = tensor_array_name or "TensorArray"
            self._shared.clears = clear_after_read is None or bool(clear_after_read)
        if flow is None and handle is not None:
            flow = handle
        if flow is None:
            known = self._shared.element
            fixed = infer_shape or known.is_fully_defined() or not packed_arrays.packs(kind)
            self._shared.varied, self._shared.packed = not fixed, False if fixed else None
            element = sizes_of(known) if fixed else None
            free = colocate_with_first_write_call
            with graph.colocate_with(None, ignore_existing=True) if free else nothing:
                flow = tensor_arrays.array_new(
                    size, kind, element, bool(dynamic_size), name or "TensorArray"
                )
        else:
            packed = graph.extras.get(_GIVEN, ())
            self._shared.packed = flow in packed or handle in packed
        self._flow = flow
        #: Whether the elements are packed, where they came to be so after others were not.
        self._form: bool | None = None
        #: Constants that were indices of writes before.
        self._written: frozenset[int] = frozenset()

    # ------------------------------------------------------------- what it is

    @property
    def flow(self) -> Value:
        """The tensor that a loop or a cond passes on for the array."""
        if self._packed:
            self.graph.extras.setdefault(_GIVEN, set()).add(self._flow)
        return self._flow

    @property
    def handle(self) -> Value:
        """The same tensor: there is nothing else that stands for the array."""
        return self.flow

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
        made._shared, made._flow, made._written = self._shared, flow, self._written
        made._form = self._form
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

    @property
    def _packed(self) -> bool:
        """Whether each element is a row with its shape in front."""
        return bool(self._shared.packed if self._form is None else self._form)

    def even(self) -> TensorArray:
        """The array itself: from now on its elements have one shape."""
        self._shared.varied = self._shared.packed = False
        return self

    def _settled(self) -> bool:
        """Whether it is packed: what is read before something is written is not."""
        self._shared.packed = bool(self._shared.packed)
        return self._packed

    def _ready(self, shape: Any, rows: bool = False) -> TensorArray:
        """The array in the form that an element of this shape, or rows of it, can be written to.

        In a loop the first one decides, as elements of other iterations are not known yet.
        """
        shared = self._shared
        graph: Any = self.graph or build.current()  # which says what it has not, where it is none
        here = graph.contexts.get(self._flow.node) is graph.context is shared.context
        if shared.packed is None and self._form is None:
            known = shape is not None and D.is_known(shape)
            shared.packed = in_loop() and not known and not rows
            shared.first = shape
        elif shared.varied and not self._packed and here:
            shared.first = shape if shared.first is None else shared.first
            if shape is None or shape != shared.first:
                with graph.counts_as(0):
                    made = self._with(packed_arrays.packed(self._flow, True))
                made._form = True
                return made
        return self

    def _element_dims(self) -> tuple[Any, ...] | None:
        shared = self._shared
        return sizes_of(shared.element) if shared.infer or shared.varied else None

    def _both(self) -> tuple[Value, Value]:
        """Of a packed array its elements, and the tensor that tells their shapes."""
        return self._flow, self._flow if self._shared.shaped is None else self._shared.shaped

    def _entered(self, v: Value) -> Value:
        """`v`, which reads the array: TF1 brings its handle into the loop for that."""
        graph: Any = get_default_graph()
        for c in graph.context.chain() if graph.context is not None else ():
            if c is self._shared.context or c in self._shared.entered:
                break
            self._shared.entered.add(c)
            graph.labelled(v.node)
        return v

    def _used(self, node: Any, reads: bool, at: Any = None) -> None:
        """Write down what an operation does with the array (`graphc.passes.array_uses`)."""
        graph, shared = node.graph, self._shared
        known = shared.name and not shared.adds and (shared.clears or not reads)
        if not known or getattr(graph, "context", node) is not None:
            return
        places: tuple[Any, ...] | None = at
        if isinstance(at, Value):
            if at.node.op.name == "constant":
                places = tuple([int(k) for k in at.node.attrs["value"].ravel()])
            else:
                places = (at,)
        uses = graph.extras.setdefault(USES, {})
        uses[node] = ArrayUse(shared, shared.name, reads, places)

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
            if self._settled():
                with get_default_graph().counts_as(1):
                    v = packed_arrays.read(*self._both(), at, scope)
            else:
                v = control.array_get(self._flow, at, scope)
            self._entered(v)
        self._used(v.node, True, at)
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
            before = self._ready(element.static_shape)
            flow = before._flow
            with name_scope("TensorArrayWriteV3") as scope:
                at = convert_to_tensor(index, dtypes.int32, "index")
                packed, adds = before._packed, self._shared.adds
                number = int(at.node.attrs["value"]) if at.node.op.name == "constant" else None
                if number in self._written and not adds:
                    words = f"Could not write to TensorArray index {number} because it has already"
                    flow = refused(flow, words + " been written to.")
                if self._shared.grows and not adds:
                    flow = longer(flow, at)
                with get_default_graph().counts_as(1 if packed else None):
                    if packed:
                        made = packed_arrays.write(flow, at, element, adds, scope)
                    else:
                        put = control.array_add if adds else control.array_set
                        made = put(flow, at, element, scope)
                self._entered(made)
        self._used(made.node, False, at)
        array = before._with(made)
        array._written |= frozenset(() if number is None else (number,))
        return array

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

    def _unpacked(self, f: Any, rows: Value, shaped: Value, name: str) -> Value:
        """Elements of a packed array as a result."""
        with get_default_graph().counts_as(1):
            v: Value = f(rows, shaped, name)
        dims = self._element_dims()
        if dims is not None:
            joined = f is packed_arrays.concat
            v.static_shape = (D.fresh(), *dims[1:]) if joined else (D.fresh(), *dims)
        return self._entered(v)

    def stack(self, name: str | None = None) -> Value:
        """All elements as one tensor; those never written are zeros."""
        graph: Any = get_default_graph()
        with name_scope(name, "TensorArrayStack"):
            graph.reserve("TensorArraySizeV3", *_NUMBERS)
            if self._settled():
                v = self._unpacked(packed_arrays.stack, *self._both(), "TensorArrayGatherV3")
            else:
                v = self._whole(self._flow, "TensorArrayGatherV3")
            self._used(v.node, True)
            return v

    def gather(self, indices: Any, name: str | None = None) -> Value:
        """The elements at `indices` as one tensor."""
        with name_scope(name, "TensorArrayGatherV3") as scope:
            at = convert_to_tensor(indices, dtypes.int32, "indices")
            if self._settled():
                with get_default_graph().counts_as(0):
                    rows, shaped = (packed_arrays.gather(v, at) for v in self._both())
                v = self._unpacked(packed_arrays.stack, rows, shaped, scope)
            else:
                with get_default_graph().counts_as(0, [(0, 1)]):
                    rows = arrays.gather(self._flow, at, axis=0)
                v = self._whole(rows, scope)
            self._used(v.node, True, at)
            return v

    def concat(self, name: str | None = None) -> Value:
        """The elements one behind the other, along their first axis."""
        with name_scope(name, "TensorArrayConcatV3") as scope:
            if self._settled():
                return self._unpacked(packed_arrays.concat, *self._both(), scope)
            dims, flow = self._element_dims(), self._flow
            if dims == ():
                words = "Concat saw a scalar shape at index 0 but requires at least vectors."
                flow = refused(flow, words + "  Did you mean to call pack?")
            with get_default_graph().counts_as(1, [(3, 1)]):
                inner = arrays.getitem(shapes.shape(flow), slice(2, None))
                flat = shapes.reshape(flow, arrays.concat([[-1], inner], 0))
                shape = (D.fresh(), *dims[1:]) if dims else None
                made = tensor_arrays.array_stack(flat, shape, scope)
            joined = self._entered(made)
            self._used(joined.node, True)
            return joined

    def unstack(self, value: Any, name: str | None = None) -> TensorArray:
        """The array with the rows of `value` as its elements."""
        graph: Any = get_default_graph()
        with name_scope(name, "TensorArrayUnstack"):
            v = self._converted(value)
            graph.reserve("Shape", *_ROWS, *_NUMBERS)
            self._merge(from_dims(v.static_shape)[1:])
            with name_scope("TensorArrayScatter"):
                made = self._ready(row_of(v), True)._with_rows(v)
            count = v.static_shape[0] if v.static_shape else None
            self._used(
                made._flow.node, False, tuple(range(count)) if isinstance(count, int) else None
            )
            return made

    def _with_rows(self, v: Value) -> TensorArray:
        """The array with the rows of `v` at its start."""
        name = "TensorArrayScatterV3"
        if not self._packed:
            return self._with(self._filled(v, name))
        return self._with(self._packed_rows(v, None, name))

    def _packed_rows(
        self, value: Value, at: Value | None, name: str, lengths: Value | None = None
    ) -> Value:
        """A packed array with rows or pieces of a tensor put at its start, or elsewhere."""
        flow, adds, grows = self._flow, self._shared.adds, self._shared.grows
        if grows and at is not None:
            flow = longer(flow, at)
        with get_default_graph().counts_as(1):
            if lengths is None:
                rows = packed_arrays.packed(value, not adds)
            else:
                rows = packed_arrays.split(value, lengths, not adds)
                rows = rows if grows else packed_arrays.as_many(rows, flow)
            if at is None and not adds:
                made = packed_arrays.put(flow, rows, grows, name)
            else:
                made = packed_arrays.scatter(flow, at, rows, adds, name)
        return self._entered(made)

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
            before = self._ready(row_of(v), True)
            flow = before._flow
            if before._packed:
                return before._with(before._packed_rows(v, at, "TensorArrayScatterV3"))
            if self._shared.adds:
                made = self._added(at, v, "TensorArrayScatterV3")
            else:
                if self._shared.grows:
                    flow = longer(flow, at)
                made = tensor_arrays.array_scatter(flow, at, v, "TensorArrayScatterV3")
            self._used(made.node, False, at)
            return self._with(self._entered(made))

    def split(self, value: Any, lengths: Any, name: str | None = None) -> TensorArray:
        """The array with the pieces of `value` along its first axis as its elements.

        They are of one length, unless the array was made with ``infer_shape=False``.
        """
        with name_scope(name, "TensorArraySplit"):
            v = self._converted(value)
            given = convert_to_tensor(lengths)
            count = math.cast(given, dtypes.int64)
            sizes = given.node.attrs["value"] if given.node.op.name == "constant" else None
            equal = sizes is not None and covers(sizes, v)
            if self._shared.packed is None:
                self._shared.packed = not equal
            with get_default_graph().counts_as(1):
                return self._with(self._in_pieces(v, count, equal, "TensorArraySplitV3"))

    def _in_pieces(self, v: Value, count: Value, equal: bool, name: str) -> Value:
        if self._packed:
            return self._packed_rows(v, None, name, count)
        if not equal:
            v = in_equal_pieces(v, count)
        inner = arrays.getitem(shapes.shape(v), slice(1, None))
        n = shapes.size(count, out_type=dtypes.int32)
        rows = shapes.reshape(v, arrays.concat([arrays.stack([n, -1]), inner], 0))
        if v.rank is not None:
            self._merge(TensorShape([None, *from_dims(v.static_shape)[1:]]))
        return self._filled(rows, name)

    # ------------------------------------------------------------- the rest

    def size(self, name: str | None = None) -> Value:
        """The number of elements."""
        with get_default_graph().counts_as(1):
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
                if self._settled():
                    shared.packed, shared.shaped = True, self._flow
                self._shared.grads[source] = shared
            get_default_graph().reserve(scope + "TensorArrayGradV3")
            before = newest(shared.flows, flow)
            flow = fills.zeros_like(self._flow) if before is None else before
            with get_default_graph().control_dependencies([self._flow]):
                flow = state.identity(flow, name="gradient_flow")
        made = TensorArray.__new__(TensorArray)
        made._shared, made._flow, made._written, made._form = shared, flow, frozenset(), None
        shared.flows.append(flow)
        return made

    def close(self, name: str | None = None) -> Operation:
        """An operation that does nothing: arrays go when nobody needs them."""
        op: Any = state.no_op(name=name or "TensorArrayCloseV3")
        return op  # type: ignore[no-any-return]
