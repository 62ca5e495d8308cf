"""Write down what TensorFlow 1.15 says of the programs beside this file.

Run it with a Python 3.7 that has tensorflow-cpu==1.15.0, as `python tests/keras/record.py`.
"""

import json
import os
import pathlib
import sys
import tempfile
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import tensorflow as tf  # noqa: E402
from keras_programs import PROGRAMS, observe  # noqa: E402

tf.compat.v1.logging.set_verbosity("ERROR")

if __name__ == "__main__":
    rows = []
    for name, f in PROGRAMS.items():
        fact = observe(tf, f, tempfile.mkdtemp())
        rows.append(json.dumps(name) + ":" + json.dumps(fact, separators=(",", ":")))
    (HERE / "keras.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")
