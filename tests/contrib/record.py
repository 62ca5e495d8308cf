"""Write down what TensorFlow 1.15 says of the programs beside this file: a JSON of each family.

Run it with a Python 3.7 that has tensorflow-cpu==1.15.0, as `python tests/contrib/record.py
[family...]`.
"""

import importlib
import json
import os
import pathlib
import sys
import tempfile
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

tf.compat.v1.logging.set_verbosity("ERROR")

if __name__ == "__main__":
    families = sys.argv[1:] or [p.name[: -len("_programs.py")] for p in HERE.glob("*_programs.py")]
    for family in families:
        rows = []
        for name, f in importlib.import_module(family + "_programs").PROGRAMS.items():
            tf.compat.v1.reset_default_graph()
            fact = f(tf, np, tempfile.mkdtemp())
            rows.append(json.dumps(name) + ":" + json.dumps(fact, separators=(",", ":")))
        (HERE / (family + ".json")).write_text("{\n" + ",\n".join(rows) + "\n}\n")
