"""Writes ``written.json``: what TensorFlow 1.15 has for `written_programs`, run under it.

Of each call the types that it makes (beside constants and what any graph is made of), and of each
type the number of inputs and the attributes.
"""

import json
import os

import tensorflow as tf
from written_programs import CALLS, operands

HERE = os.path.dirname(os.path.abspath(__file__))
#: Types of nodes that are not what a call is about.
COMMON = """
Const Identity Shape StridedSlice Pack Reshape Fill Cast Sub Mul Add AddV2 Max Sum Range ConcatV2
Placeholder VariableV2 Assign Switch Merge Less Equal NoOp GreaterEqual Greater All Rank Slice
ExpandDims Squeeze Maximum Minimum Prod Size OnesLike ZerosLike Mean LogicalAnd AssertGuard Log Exp
Softmax
""".split()


def record(text):
    with tf.Graph().as_default() as g:
        given = operands(tf)
        eval(text, given)
        return {
            n.op: [sum(not i.startswith("^") for i in n.input), sorted(n.attr)]
            for n in g.as_graph_def().node
            if n.op not in COMMON or (n.op == "Softmax" and "softmax(" in text)
        }


with open(os.path.join(HERE, "written.json"), "w") as out:
    rows = [f"{json.dumps(t)}: {json.dumps(record(t), sort_keys=True)}" for t in CALLS]
    out.write("{\n" + ",\n".join(rows) + "\n}\n")
