"""Write down TensorFlow 1.15's networks of tf.keras.applications: applications.json, here.

Run it with a Python 3.7 that has tensorflow-cpu==1.15.0.
"""

import json
import os
import pathlib
import sys
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from applications_programs import NETWORKS, output, structure  # noqa: E402

tf.compat.v1.logging.set_verbosity("ERROR")

if __name__ == "__main__":
    rows = []
    for name, small in NETWORKS.items():
        fact = [structure(tf, name), output(tf, np, name) if small else None]
        rows.append(json.dumps(name) + ": " + json.dumps(fact))
        print(rows[-1], flush=True)
    (HERE / "applications.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")
