"""Write down what TensorFlow 1.15 says of the programs beside this file.

Run it with a Python 3.7 that has tensorflow-cpu==1.15.0:
`python tests/names/record.py [family]...`.
"""

import json
import os
import pathlib
import sys
import tempfile
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.filterwarnings("ignore")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import tensorflow as tf  # noqa: E402
from families import HERE, families, observe, programs  # noqa: E402

tf.compat.v1.logging.set_verbosity("ERROR")

if __name__ == "__main__":
    for family, module in families().items():
        if sys.argv[1:] and family not in sys.argv[1:]:
            continue
        rows = []
        for name, f in programs(module).items():
            with tempfile.TemporaryDirectory() as folder:
                fact = observe(tf, f, folder)
            rows.append(json.dumps(name) + ":" + json.dumps(fact, separators=(",", ":")))
        (HERE / (family + ".json")).write_text("{\n" + ",\n".join(rows) + "\n}\n")
