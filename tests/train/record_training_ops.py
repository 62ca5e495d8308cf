"""Write down what TensorFlow 1.15 says of `training_ops_programs.py` (Python 3.7 runs it)."""

import json
import pathlib

import tensorflow as tf
import training_ops_programs as programs
from tensorflow.python.training import training_ops

rows = []
for name in programs.NAMES:
    args = programs.arguments(training_ops, name)
    fact = {"args": args, "says": programs.observe(tf, training_ops, name, args)}
    rows.append(json.dumps(name) + ":" + json.dumps(fact, separators=(",", ":")))
path = pathlib.Path(__file__).with_name("training_ops.json")
path.write_text("{\n" + ",\n".join(rows) + "\n}\n")
