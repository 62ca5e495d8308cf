"""Write down what the networks of TensorFlow 1.15 are made of: see `record.py`."""

import json

import record  # prepares the paths
import tensorflow as tf
from nets_programs import STRUCTURES, structure

if __name__ == "__main__":
    rows = [json.dumps(k) + ":" + json.dumps(structure(tf, f)) for k, f in STRUCTURES.items()]
    (record.HERE / "nets_structure.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")
    record.record("nets")
