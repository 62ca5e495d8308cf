"""Summary operations: strings that hold what `FileWriter` writes."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from graphc.face import logging
from graphc.face.current import add_to_collections, get_collection, name_scope
from graphc.face.graph_keys import GraphKeys
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.ops.convert import constant
from graphc.ops.record import Attrs, Op, Types, apply, as_value, check_kind, no_grad, op
from graphc.proto import library, message
from graphc.summary import encode

__all__ = [
    "all_v2_summary_ops", "audio", "get_summary_description", "histogram", "image", "initialize",
    "merge", "merge_all", "scalar", "tensor_summary", "text",
]  # fmt: skip


def _one_string(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(dtypes.string, ())]


def _record(name: str, tf: str, args: str, numpy: Callable[..., Any], types: str, doc: str) -> Op:
    return op(
        name, tf, "host", doc=doc, args=tuple(args.split()), types=types, infer=_one_string,
        numpy=numpy, grad=no_grad, facts={"late": True},
    )  # fmt: skip


scalar_op = _record(
    "scalar_summary", "ScalarSummary", "tags values", encode.scalars, "fiu",
    "Numbers under their tags.",
)  # fmt: skip
histogram_op = _record(
    "histogram_summary", "HistogramSummary", "tag values", encode.histogram, "fiu",
    "How values are distributed.",
)  # fmt: skip
image_op = _record(
    "image_summary", "ImageSummary", "tag tensor", encode.images, "fu", "Images of a batch."
)
audio_op = _record(
    "audio_summary", "AudioSummaryV2", "tag tensor sample_rate", encode.audio, "f",
    "Clips of a batch.",
)  # fmt: skip
tensor_op = _record(
    "tensor_summary", "TensorSummaryV2", "tag tensor serialized_summary_metadata", encode.tensor,
    "fiubs", "A tensor with what plugins want to know of it.",
)  # fmt: skip
merge_op = _record(
    "merge_summary", "MergeSummary", "*inputs", encode.merge, "s", "Several summaries as one."
)

_STRINGS = ("tag", "tags", "serialized_summary_metadata")


def _operands(record: Op, values: Sequence[Any]) -> list[Value]:
    """Tags are strings; the shown values are of any type that the op takes."""
    out = []
    for name, v in zip(record.args, values, strict=True):
        if name in _STRINGS:
            out.append(v if isinstance(v, Value) else constant(v, dtypes.string, name=name))
            continue
        if name == "sample_rate":
            out.append(v if isinstance(v, Value) else constant(v, dtypes.float32, name=name))
            continue
        x = as_value(v, None, name)
        check_kind(record, name, x.dtype, record.types)
        out.append(x)
    return out


def _clean(name: str | None) -> str | None:
    """A name with what no operation's name may hold replaced."""
    if name is None:
        return None
    new = re.sub(r"[^-/\w\.]", "_", name).lstrip("/")
    if new != name:
        logging.info("Summary name %s is illegal; using %s instead.", name, new)
    return new


@contextlib.contextmanager
def _scope(name: str, family: str | None, default: str, values: Any) -> Iterator[tuple[str, str]]:
    """The tag of a summary and the scope that gives its operation its name."""
    name, family = _clean(name) or "", _clean(family)
    with name_scope(f"{family}/{name}" if family else name, default, values) as scope:
        tag = scope.rstrip("/")
        yield (f"{family}/{tag}" if family else tag), scope


def _shown(
    record: Op, name: str, values: Sequence[Any], attrs: Any, collections: Any, family: Any = None
) -> Any:
    message("Summary")  # says now, not in the middle of a training, what is not installed
    shown = [v for v in values if isinstance(v, Value)]
    with _scope(name, family, record.tf, shown) as (tag, scope):
        out = apply(record, [tag, *values], attrs, scope, _operands).outputs[0]
    _collect(out, collections)
    return out


def _collect(out: Value, collections: Any) -> None:
    add_to_collections([GraphKeys.SUMMARIES] if collections is None else collections, out)


def scalar(name: str, tensor: Any, collections: Any = None, family: str | None = None) -> Any:
    """A number to plot against the step.

    Parameters
    ----------
    name : str
        Its tag in TensorBoard, with the name scope before it.
    tensor : tensor or number
    collections : list, optional
        ``[GraphKeys.SUMMARIES]`` by default.
    family : str, optional
        Put before the tag, to group curves.

    Raises
    ------
    ImportError
        Without the tensorboard package (extra ``tensorboard``).

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     raw = sess.run(tf.summary.scalar("loss", 0.5))
    >>> tf.Summary.FromString(raw).value[0].simple_value
    0.5
    """
    return _shown(scalar_op, name, [tensor], None, collections, family)


def histogram(name: str, values: Any, collections: Any = None, family: str | None = None) -> Any:
    """How the elements of a tensor are distributed; NaN and infinity are errors of the run."""
    return _shown(histogram_op, name, [values], None, collections, family)


def image(
    name: str, tensor: Any, max_outputs: int = 3, collections: Any = None,
    family: str | None = None,
) -> Any:  # fmt: skip
    """Images of a batch: (batch, height, width, 1, 3 or 4 channels).

    Bytes are shown as they are. Floats are scaled, each image for itself: so that the largest is
    255, or with negative values so that 0 is 128 and all fit. Pixels that are not finite are red.
    """
    attrs = {"max_images": int(max_outputs)}
    return _shown(image_op, name, [tensor], attrs, collections, family)


def audio(
    name: str, tensor: Any, sample_rate: Any, max_outputs: int = 3, collections: Any = None,
    family: str | None = None,
) -> Any:  # fmt: skip
    """Sound of a batch: (batch, frames) or (batch, frames, channels), values in [-1, 1]."""
    attrs = {"max_outputs": int(max_outputs)}
    return _shown(audio_op, name, [tensor, sample_rate], attrs, collections, family)


def text(name: str, tensor: Any, collections: Any = None) -> Any:
    """Strings, shown as Markdown: a scalar, a vector, or a table.

    Raises
    ------
    ValueError
        When `tensor` holds no strings.
    """
    if tensor.dtype.base_dtype is not dtypes.string:
        raise ValueError(f"Expected tensor {tensor.name} to have dtype string, got {tensor.dtype}")
    metadata = message("SummaryMetadata")()
    metadata.plugin_data.plugin_name = "text"
    return tensor_summary(name, tensor, summary_metadata=metadata, collections=collections)


def tensor_summary(
    name: str, tensor: Any, summary_description: str | None = None, collections: Any = None,
    summary_metadata: Any = None, family: str | None = None, display_name: str | None = None,
) -> Any:  # fmt: skip
    """A tensor for a plugin of TensorBoard, which `summary_metadata` names."""
    metadata = message("SummaryMetadata")()
    if summary_metadata is not None:
        metadata.CopyFrom(summary_metadata)
    if summary_description is not None:
        metadata.summary_description = summary_description
    if display_name is not None:
        metadata.display_name = display_name
    return _shown(
        tensor_op, name, [tensor, metadata.SerializeToString()], None, collections, family
    )


def _merged(record: Op, values: Sequence[Any]) -> list[Value]:
    return [as_value(v, dtypes.string) if not isinstance(v, Value) else v for v in values]


def merge(inputs: Any, collections: Any = None, name: str | None = None) -> Any:
    """One summary with the values of several.

    Raises
    ------
    ValueError
        When there is none.
    """
    inputs = list(inputs)
    if not inputs:
        raise ValueError(
            "List argument 'inputs' to 'MergeSummary' Op with length 0 shorter than minimum "
            "length 1."
        )
    name = _clean(name)
    with name_scope(name, "Merge", inputs):
        out = apply(merge_op, inputs, None, name, _merged).outputs[0]
    add_to_collections(collections or [], out)
    return out


def merge_all(
    key: str = GraphKeys.SUMMARIES, scope: str | None = None, name: str | None = None
) -> Any:
    """One summary of all that are in a collection, or None where it is empty."""
    found = get_collection(key, scope=scope)
    return merge(found, name=name) if found else None


def get_summary_description(node_def: Any) -> Any:
    """The description that a ``TensorSummary`` node carries.

    Raises
    ------
    ValueError
        When `node_def` is another node.
    """
    if node_def.op != "TensorSummary":
        raise ValueError(f"Can't get_summary_description on {node_def.op}")
    out = message("SummaryDescription")()
    library("json_format").Parse(node_def.attr["description"].s.decode() or "{}", out)
    return out


def all_v2_summary_ops() -> list[Any]:
    """There are none: ``tf.contrib.summary`` writes through the session here."""
    return []


def initialize(graph: Any = None, session: Any = None) -> None:
    """Nothing to do: writers are ready when they are made."""


# --------------------------------------------------------------------- before 1.0


def _old(
    record: Op, tags: Any, values: Sequence[Any], attrs: Any, collections: Any, name: str | None
) -> Any:
    """A summary whose tag is not its name."""
    message("Summary")
    shown = [v for v in values if isinstance(v, Value)]
    with name_scope(name, record.tf, shown) as scope:
        out = apply(record, [tags, *values], attrs, scope, _operands).outputs[0]
    _collect(out, collections)
    return out


def scalar_summary(tags: Any, values: Any, collections: Any = None, name: str | None = None) -> Any:
    """Numbers under their tags (before TensorFlow 1.0; now `scalar`)."""
    return _old(scalar_op, tags, [values], None, collections, name)


def histogram_summary(
    tag: Any, values: Any, collections: Any = None, name: str | None = None
) -> Any:
    """How values are distributed (before TensorFlow 1.0; now `histogram`)."""
    return _old(histogram_op, tag, [values], None, collections, name)


def image_summary(
    tag: Any, tensor: Any, max_images: int = 3, collections: Any = None, name: str | None = None
) -> Any:
    """Images of a batch (before TensorFlow 1.0; now `image`)."""
    return _old(image_op, tag, [tensor], {"max_images": int(max_images)}, collections, name)


def audio_summary(
    tag: Any, tensor: Any, sample_rate: Any, max_outputs: int = 3, collections: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Sound of a batch (before TensorFlow 1.0; now `audio`)."""
    attrs = {"max_outputs": int(max_outputs)}
    return _old(audio_op, tag, [tensor, sample_rate], attrs, collections, name)


merge_summary, merge_all_summaries = merge, merge_all
