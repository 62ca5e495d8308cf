"""Writes ``frames.json``: as which nodes TensorFlow 1.15 writes control flow, run under it.

Of each program of `frame_programs` the name of each node → its type and its inputs, the control
inputs last and in order of their names.
"""

import json
import os

import tensorflow as tf
from frame_programs import PROGRAMS

HERE = os.path.dirname(os.path.abspath(__file__))


def nodes(graph_def):
    out = {}
    for n in graph_def.node:
        data = [i for i in n.input if not i.startswith("^")]
        out[n.name] = [n.op, data + sorted(i for i in n.input if i.startswith("^"))]
    return out


def record(f):
    with tf.Graph().as_default() as g:
        f(tf)
        return nodes(g.as_graph_def())


def rows(recorded):
    return ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in recorded.items())


with open(os.path.join(HERE, "frames.json"), "w") as out:
    parts = [f'"{name}": {{\n{rows(record(f))}\n}}' for name, f in PROGRAMS.items()]
    out.write("{\n" + ",\n".join(parts) + "\n}\n")
