"""What ``tensorflow.python.framework.op_def_registry`` says: the types of operations there are."""

from __future__ import annotations

from typing import Any

from graphc.face.elements import OpDef
from graphc.graphdef.forms import load_records
from graphc.ir.registry import OPS

__all__ = ["get_registered_ops"]

#: Types without inputs whose operations are an object of the session. Records of graphc have
#: other names for some of them, and more than one type for others.
_OBJECTS = (
    "Barrier ConditionalAccumulator FIFOQueue FIFOQueueV2 FixedLengthRecordReader "
    "FixedLengthRecordReaderV2 HashTable HashTableV2 IdentityReader IdentityReaderV2 Iterator "
    "IteratorV2 MutableHashTable MutableHashTableOfTensors MutableHashTableOfTensorsV2 "
    "MutableHashTableV2 OneShotIterator PaddingFIFOQueue PaddingFIFOQueueV2 PriorityQueue "
    "PriorityQueueV2 RandomShuffleQueue RandomShuffleQueueV2 ResourceConditionalAccumulator "
    "SparseConditionalAccumulator SummaryWriter TFRecordReader TFRecordReaderV2 "
    "TemporaryVariable TextLineReader TextLineReaderV2 VarHandleOp Variable VariableV2 "
    "WholeFileReader WholeFileReaderV2"
).split()

#: First inputs that records have as attributes: of types, and of types that begin so.
_FIRST = {
    "RandomStandardNormal": "shape", "RandomUniform": "shape", "TruncatedNormal": "shape",
    "CountUpTo": "ref", "TensorDataset": "components", "LookupTable": "table_handle",
    "Queue": "handle", "Reader": "reader_handle", "ResourceAccumulator": "handle",
}  # fmt: skip


def _inputs(record: Any) -> tuple[str, ...]:
    first = (a for start, a in _FIRST.items() if record.tf.startswith(start))
    return record.args or tuple(first)


def get_registered_ops() -> dict[str, OpDef]:
    """Type → its definition, for all types that graphc has an op for.

    Returns
    -------
    dict
        A new one: what programs add to it is theirs.
    """
    load_records()
    known = {r.tf: OpDef(r.tf, _inputs(r), r.doc, r.stateful) for r in OPS.values() if r.tf}
    return {**known, **{name: OpDef(name, (), "", True) for name in _OBJECTS}}
