"""Write down what TensorFlow 1.15 says of the programs beside this file: a JSON of each family.

Run it with a Python 3.7 that has tensorflow-cpu==1.15.0, as `python tests/contrib/record.py
[family[:program]...]`.
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
    only = [a.partition(":")[2] for a in sys.argv[1:] if ":" in a]
    families = [a.partition(":")[0] for a in sys.argv[1:]] or [
        p.name[: -len("_programs.py")] for p in HERE.glob("*_programs.py")
    ]
    for family in families:
        target = HERE / (family + ".json")
        facts = json.loads(target.read_text()) if only else {}
        for name, f in importlib.import_module(family + "_programs").PROGRAMS.items():
            if not only or name in only:
                tf.compat.v1.reset_default_graph()
                facts[name] = f(tf, np, tempfile.mkdtemp())
        rows = [
            json.dumps(k) + ":" + json.dumps(v, separators=(",", ":")) for k, v in facts.items()
        ]
        target.write_text("{\n" + ",\n".join(rows) + "\n}\n")
