"""Which ``NodeDef`` an op is: one row for each op that is not simply its operands and type ``T``.

A row says ``op = Type(operands) attributes``, and is read both ways.

* An operand is one of graphc's by name, ``*name`` for the rest of them, or ``@attribute``: a
  tensor in TensorFlow, which here is an attribute where it is known, else one more input.
* An attribute is ``name=source``, or ``name`` alone for ``name=name``. The source is an attribute
  of graphc; ``<operand`` or ``<@attribute`` is the operand's element type; ``<*`` the types of the
  last, variable operands, ``#`` their number; ``-1`` writes nothing and says that it is the last
  axis. ``T`` alone is the type of the first operand.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Sequence
from typing import NamedTuple

from graphc.ir import dtypes
from graphc.ir.registry import OPS

__all__ = ["DEFAULTS", "Attribute", "Form", "form_of", "forms_by_type", "load_records"]

_ROWS = """
constant = Const() dtype
reshape = Reshape(tensor, @shape) T Tshape=<@shape
expand_dims = ExpandDims(input, @axis) T Tdim=<@axis
squeeze = Squeeze(input) T squeeze_dims=axis
transpose = Transpose(a, @perm) T Tperm=<@perm
shape = Shape(input) T out_type
size = Size(input) T out_type
rank = Rank(input) T
shape_n = ShapeN(*input) T=<input N=# out_type
broadcast_to = BroadcastTo(input, @shape) T Tidx=<@shape
fill = Fill(@dims, value) T=<value index_type=<@dims
zeros_like = ZerosLike(x) T
range = Range(@start, @limit, @delta) Tidx=dtype
linspace = LinSpace(start, stop, @num) T Tidx=<@num
one_hot = OneHot(indices, @depth, on_value, off_value) T=<on_value TI=<indices axis
slice = Slice(input, @begin, @size) T Index=<@begin
strided_slice = StridedSlice(input, @begin, @end, @strides) T Index=<@begin begin_mask end_mask \
ellipsis_mask new_axis_mask shrink_axis_mask
strided_slice_grad = StridedSliceGrad(@shape, @begin, @end, @strides, dy) T=<dy Index=<@begin \
begin_mask end_mask ellipsis_mask new_axis_mask shrink_axis_mask
concat = ConcatV2(*values, @axis) T=<values N=# Tidx=<@axis
stack = Pack(*values) T=<values N=# axis
unstack = Unpack(value) T num axis
split = Split(@axis, value) T=<value num_split=num
split_v = SplitV(value, @sizes, @axis) T Tlen=<@sizes num_split=num
pad = Pad(tensor, @paddings) T Tpaddings=<@paddings
pad_v2 = PadV2(tensor, @paddings, constant_values) T Tpaddings=<@paddings
mirror_pad = MirrorPad(input, @paddings) T Tpaddings=<@paddings mode
tile = Tile(input, @multiples) T Tmultiples=<@multiples
reverse = ReverseV2(tensor, @axis) T Tidx=<@axis
reverse_sequence = ReverseSequence(input, seq_lengths) T Tlen=<seq_lengths seq_dim=seq_axis \
batch_dim=batch_axis
roll = Roll(input, @shift, @axis) T Tshift=<@shift Taxis=<@axis
gather = GatherV2(params, indices, @axis) Tparams=<params Tindices=<indices Taxis=<@axis batch_dims
gather_nd = GatherNd(params, indices) Tparams=<params Tindices=<indices
scatter_nd = ScatterNd(indices, updates, @shape) T=<updates Tindices=<indices
unsorted_segment_sum = UnsortedSegmentSum(data, segment_ids, @num_segments) T \
Tindices=<segment_ids Tnumsegments=<@num_segments
unsorted_segment_max = UnsortedSegmentMax(data, segment_ids, @num_segments) T \
Tindices=<segment_ids Tnumsegments=<@num_segments
unsorted_segment_min = UnsortedSegmentMin(data, segment_ids, @num_segments) T \
Tindices=<segment_ids Tnumsegments=<@num_segments
unsorted_segment_prod = UnsortedSegmentProd(data, segment_ids, @num_segments) T \
Tindices=<segment_ids Tnumsegments=<@num_segments
where_indices = Where(condition) T
unique = Unique(x) T out_idx
unique_with_counts = UniqueWithCounts(x) T out_idx
invert_permutation = InvertPermutation(x) T
matrix_diag = MatrixDiag(diagonal) T
matrix_diag_part = MatrixDiagPart(input) T
matrix_set_diag = MatrixSetDiag(input, diagonal) T
diag = Diag(diagonal) T
diag_part = DiagPart(input) T
cast = Cast(x) SrcT=<x DstT=dtype
bitcast = Bitcast(input) T type
select = Select(condition, t, e) T=<t
logical_and = LogicalAnd(x, y)
logical_or = LogicalOr(x, y)
logical_not = LogicalNot(x)
add_n = AddN(*inputs) T=<inputs N=#
reduce_sum = Sum(input, @axis) T Tidx=<@axis keep_dims=keepdims
reduce_mean = Mean(input, @axis) T Tidx=<@axis keep_dims=keepdims
reduce_max = Max(input, @axis) T Tidx=<@axis keep_dims=keepdims
reduce_min = Min(input, @axis) T Tidx=<@axis keep_dims=keepdims
reduce_prod = Prod(input, @axis) T Tidx=<@axis keep_dims=keepdims
reduce_any = Any(input, @axis) Tidx=<@axis keep_dims=keepdims
reduce_all = All(input, @axis) Tidx=<@axis keep_dims=keepdims
argmax = ArgMax(input, @axis) T Tidx=<@axis output_type=dtype
argmin = ArgMin(input, @axis) T Tidx=<@axis output_type=dtype
cumsum = Cumsum(x, @axis) T Tidx=<@axis exclusive reverse
cumprod = Cumprod(x, @axis) T Tidx=<@axis exclusive reverse
conv2d = Conv2D(input, filter) T strides padding explicit_paddings data_format dilations
conv2d_backprop_input = Conv2DBackpropInput(@input_sizes, filter, out_backprop) T=<filter \
strides padding explicit_paddings data_format dilations
conv2d_backprop_filter = Conv2DBackpropFilter(input, @filter_sizes, out_backprop) T \
strides padding explicit_paddings data_format dilations
conv3d = Conv3D(input, filter) T strides padding data_format dilations
depthwise_conv2d_native = DepthwiseConv2dNative(input, filter) T strides padding data_format \
dilations
matmul = MatMul(a, b) T transpose_a transpose_b
matmul = BatchMatMulV2(a, b) T adj_x=transpose_a adj_y=transpose_b
matmul = BatchMatMul(a, b) T adj_x=transpose_a adj_y=transpose_b
bias_add = BiasAdd(value, bias) T data_format
softmax = Softmax(logits) T axis=-1
log_softmax = LogSoftmax(logits) T axis=-1
softmax_cross_entropy = SoftmaxCrossEntropyWithLogits(logits, labels) T axis=-1
sparse_softmax_cross_entropy = SparseSoftmaxCrossEntropyWithLogits(logits, labels) T Tlabels=<labels
avg_pool_grad = AvgPoolGrad(@orig_input_shape, grad) T=<grad ksize strides padding data_format
depthwise_conv2d_native_backprop_input = DepthwiseConv2dNativeBackpropInput(@input_sizes, filter, \
out_backprop) T=<filter strides padding data_format dilations
depthwise_conv2d_native_backprop_filter = DepthwiseConv2dNativeBackpropFilter(input, \
@filter_sizes, out_backprop) T strides padding data_format dilations
leaky_relu = LeakyRelu(features) T alpha
leaky_relu_grad = LeakyReluGrad(gradients, features) T alpha
l2_loss = L2Loss(t) T
max_pool = MaxPool(input) T ksize strides padding data_format
avg_pool = AvgPool(value) T ksize strides padding data_format
max_pool3d = MaxPool3D(input) T ksize strides padding data_format
avg_pool3d = AvgPool3D(value) T ksize strides padding data_format
max_pool_grad = MaxPoolGrad(orig_input, orig_output, grad) T ksize strides padding data_format
fused_batch_norm = FusedBatchNormV3(x, scale, offset, *population) T U=<scale epsilon data_format \
is_training
fused_batch_norm = FusedBatchNormV2(x, scale, offset, *population) T U=<scale epsilon data_format \
is_training
fused_batch_norm = FusedBatchNorm(x, scale, offset, *population) T epsilon data_format is_training
lrn = LRN(input) T depth_radius bias alpha beta
scatter_update = ScatterUpdate(ref, indices, updates) T Tindices=<indices
scatter_add = ScatterAdd(ref, indices, updates) T Tindices=<indices
scatter_sub = ScatterSub(ref, indices, updates) T Tindices=<indices
scatter_mul = ScatterMul(ref, indices, updates) T Tindices=<indices
scatter_div = ScatterDiv(ref, indices, updates) T Tindices=<indices
scatter_min = ScatterMin(ref, indices, updates) T Tindices=<indices
scatter_max = ScatterMax(ref, indices, updates) T Tindices=<indices
matrix_inverse = MatrixInverse(input) T adjoint
matrix_solve = MatrixSolve(matrix, rhs) T adjoint
matrix_determinant = MatrixDeterminant(input) T
cholesky = Cholesky(input) T
string_join = StringJoin(*inputs) N=# separator
reduce_join = ReduceJoin(inputs, @axis) keep_dims=keepdims separator
substr = Substr(input, pos, len) T=<pos unit
string_length = StringLength(input) unit
string_lower = StringLower(input) encoding
string_upper = StringUpper(input) encoding
string_strip = StringStrip(input)
string_split = StringSplit(input, delimiter) skip_empty=skip
string_split = StringSplitV2(input, delimiter) maxsplit=most
string_to_number = StringToNumber(string_tensor) out_type=dtype
string_to_hash_bucket = StringToHashBucket(input) num_buckets
string_to_hash_bucket_fast = StringToHashBucketFast(input) num_buckets
string_to_hash_bucket_strong = StringToHashBucketStrong(input) num_buckets key
regex_replace = StaticRegexReplace(input) pattern rewrite replace_global=whole
regex_replace = RegexReplace(input, *rest) replace_global=whole
regex_full_match = StaticRegexFullMatch(input) pattern
regex_full_match = RegexFullMatch(input, *pattern)
decode_base64 = DecodeBase64(input)
encode_base64 = EncodeBase64(input) pad
decode_raw = DecodeRaw(bytes) out_type little_endian
read_file = ReadFile(filename)
write_file = WriteFile(filename, contents)
matching_files = MatchingFiles(pattern)
sparse_to_dense = SparseToDense(sparse_indices, output_shape, sparse_values, default_value) \
T=<sparse_values Tindices=<sparse_indices validate_indices=validate
dynamic_partition = DynamicPartition(data, partitions) T num_partitions
space_to_depth = SpaceToDepth(input) T block_size data_format
depth_to_space = DepthToSpace(input) T block_size data_format
extract_image_patches = ExtractImagePatches(images) T ksizes strides rates padding
cross = Cross(a, b) T
max_pool_with_argmax = MaxPoolWithArgmax(input) T ksize strides padding Targmax \
include_batch_in_index
top_k = TopKV2(input, @k) T sorted
in_top_k = InTopKV2(predictions, targets, @k) T=<targets
matrix_band_part = MatrixBandPart(input, @num_lower, @num_upper) T Tindex=<@num_lower
random_uniform = RandomUniform(@shape) T=<@shape dtype seed seed2
random_normal = RandomStandardNormal(@shape) T=<@shape dtype seed seed2
truncated_normal = TruncatedNormal(@shape) T=<@shape dtype seed seed2
random_shuffle = RandomShuffle(value) T seed seed2
random_uniform_int = RandomUniformInt(@shape, minval, maxval) T=<@shape Tout=<minval seed seed2
random_gamma = RandomGamma(shape, alpha) T=<alpha S=<shape seed seed2
random_poisson = RandomPoissonV2(shape, rate) R=<rate S=<shape dtype seed seed2
random_gamma_grad = RandomGammaGrad(alpha, sample) T
igamma_grad_a = IgammaGradA(a, x) T
multinomial = Multinomial(logits, @num_samples) T output_dtype seed seed2
ctc_greedy_decoder = CTCGreedyDecoder(inputs, sequence_length) merge_repeated=merge
placeholder = Placeholder() dtype shape
placeholder_with_default = PlaceholderWithDefault(input) dtype=<input shape
variable = VariableV2() dtype shape
no_op = NoOp()
identity_n = IdentityN(*input) T=<*
assign = Assign(ref, value) T validate_shape
save_v2 = SaveV2(prefix, tensor_names, shape_and_slices, *tensors) dtypes=<*
restore_v2 = RestoreV2(prefix, tensor_names, shape_and_slices) dtypes
scalar_summary = ScalarSummary(tags, values) T=<values
histogram_summary = HistogramSummary(tag, values) T=<values
image_summary = ImageSummary(tag, tensor) T=<tensor max_images
audio_summary = AudioSummaryV2(tag, tensor, sample_rate) max_outputs
tensor_summary = TensorSummaryV2(tag, tensor, serialized_summary_metadata) T=<tensor
merge_summary = MergeSummary(*inputs) N=#
"""

#: What an attribute is where a node does not say it; by type where types differ.
DEFAULTS: dict[str, object] = {
    "data_format": "NHWC", "dilations": (1, 1, 1, 1), "explicit_paddings": (), "keep_dims": False,
    "transpose_a": False, "transpose_b": False, "adj_x": False, "adj_y": False,
    "axis": -1,
    "batch_dims": 0, "exclusive": False, "reverse": False, "seed": 0, "seed2": 0,
    "squeeze_dims": (), "epsilon": 1e-4, "is_training": True, "validate_shape": True,
    "begin_mask": 0, "end_mask": 0, "ellipsis_mask": 0, "new_axis_mask": 0, "shrink_axis_mask": 0,
    "alpha": 0.2, "sorted": True, "max_images": 3, "max_outputs": 3, "batch_dim": 0,
    "LRN.alpha": 1.0, "LRN.bias": 1.0, "LRN.beta": 0.5, "depth_radius": 5, "Pack.axis": 0,
    "Unpack.axis": 0, "Conv3D.data_format": "NDHWC", "Conv3D.dilations": (1, 1, 1, 1, 1),
    "MaxPool3D.data_format": "NDHWC", "AvgPool3D.data_format": "NDHWC", "shape": None,
    "adjoint": False, "separator": "", "Range.Tidx": dtypes.int32,
    "output_dtype": dtypes.int64, "merge_repeated": False,
    "out_type": dtypes.int32, "out_idx": dtypes.int32, "output_type": dtypes.int64,
}  # fmt: skip


class Attribute(NamedTuple):
    """An attribute of a ``NodeDef`` and where it comes from."""

    name: str
    source: str


class Form(NamedTuple):
    """A row of the table."""

    op: str
    type: str
    operands: tuple[str, ...]
    attributes: tuple[Attribute, ...]

    @property
    def plain(self) -> tuple[str, ...]:
        """Operands that are inputs in graphc too."""
        return tuple([o for o in self.operands if not o.startswith("@")])


def _parse(line: str) -> Form:
    left, _, rest = line.partition("(")
    op, _, kind = (s.strip() for s in left.partition("="))
    inside, _, after = rest.partition(")")
    operands = tuple([o.strip() for o in inside.split(",") if o.strip()])
    attributes = []
    for word in after.split():
        name, _, source = word.partition("=")
        if name == "T" and not source:
            source = "<" + next(o for o in operands if not o.startswith("@")).lstrip("*")
        attributes.append(Attribute(name, source or name))
    return Form(op, kind, operands, tuple(attributes))


@functools.cache
def _table() -> dict[str, list[Form]]:
    out: dict[str, list[Form]] = {}
    for line in _ROWS.replace("\\\n", "").strip().splitlines():
        form = _parse(line)
        out.setdefault(form.op, []).append(form)
    return out


@functools.cache
def load_records() -> None:
    """Import all modules that define ops, so that `OPS` is whole."""
    ops = importlib.import_module("graphc.ops")
    for found in pkgutil.iter_modules(ops.__path__):
        importlib.import_module(f"graphc.ops.{found.name}")
    for name in _ELSEWHERE:
        importlib.import_module(name)


#: Modules outside of `graphc.ops` whose ops graphs may hold.
_ELSEWHERE = (
    "graphc.checkpoint.ops", "graphc.contrib.image", "graphc.contrib.table_ops",
    "graphc.data.accumulators", "graphc.data.cardinality", "graphc.data.iterator",
    "graphc.data.optional", "graphc.data.parsing", "graphc.data.queues", "graphc.data.readers",
    "graphc.data.serialized", "graphc.data.staging", "graphc.data.text", "graphc.data.writing",
    "graphc.face.handles", "graphc.face.more", "graphc.feature_column.kinds",
    "graphc.graphdef.datasets", "graphc.graphdef.foreign", "graphc.graphdef.readers",
    "graphc.ragged.strings", "graphc.sparse.crosses", "graphc.sparse.records",
    "graphc.sparse.strings", "graphc.summary.ops", "graphc.train.input",
)  # fmt: skip


def _simple(op: str, kind: str, args: Sequence[str]) -> Form:
    first = args[0].lstrip("*") if args else ""
    return Form(op, kind, tuple(args), (Attribute("T", "<" + first),) if args else ())


def form_of(op: str, kind: str) -> Form | None:
    """The row of an op whose type is `kind`; None where no type of TensorFlow's means it."""
    rows = _table().get(op)
    if rows is not None:
        return next((f for f in rows if f.type == kind), None)
    record = OPS[op]
    if (record.family != "elementwise" and op not in _SIMPLE) or op in _OURS:
        return None
    return _simple(op, kind, record.args)


#: Ops that are their operands and ``T`` though not elementwise.
_SIMPLE = frozenset({"identity", "stop_gradient", "prevent_gradient", "assign_add", "assign_sub"})
#: Elementwise ops that TensorFlow 1.15 makes of several, or has under another meaning.
_OURS = frozenset({"log_sigmoid", "trigamma", "logical_xor"})


@functools.cache
def forms_by_type() -> dict[str, Form]:
    """Type of TensorFlow's → row."""
    load_records()
    out = {}
    for name, record in OPS.items():
        for form in _table().get(name, ()):
            out[form.type] = form
        if name not in _table():
            form_ = form_of(name, record.tf)
            if form_ is not None:
                out.setdefault(record.tf, form_)
    for old, new in _SAME.items():
        out[old] = out[new]._replace(type=old)
    return out


#: Types that mean what another does.
_SAME = {"Variable": "VariableV2", "AddV2": "Add", "Div": "RealDiv", "Inv": "Reciprocal",
         "ConcatV2": "ConcatV2", "Snapshot": "Identity", "SelectV2": "Select"}  # fmt: skip
