"""Write down what TensorFlow 1.15 says of the programs beside this file.

Run it with a Python 3.7 that has tensorflow-cpu==1.15.0, as
`python tests/keras/record.py [keras] [applications] [own_optimizers]`.
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
sys.path[:0] = [str(HERE), str(HERE.parent)]

import applications_programs  # noqa: E402
import keras_programs  # noqa: E402
import numpy as np  # noqa: E402
import own_optimizers_programs  # noqa: E402
import tensorflow as tf  # noqa: E402

tf.compat.v1.logging.set_verbosity("ERROR")


def keras():
    """What each program gives."""
    for name, f in keras_programs.PROGRAMS.items():
        yield name, keras_programs.observe(tf, f, tempfile.mkdtemp())


def applications():
    """Structure of each network, and the output of the small ones."""
    for name, small in applications_programs.NETWORKS.items():
        structure = applications_programs.structure(tf, name)
        yield name, [structure, applications_programs.output(tf, np, name) if small else None]


def own_optimizers():
    """What each program gives."""
    for name, f in own_optimizers_programs.PROGRAMS.items():
        yield name, own_optimizers_programs.observe(tf, f)


if __name__ == "__main__":
    families = {f.__name__: f for f in (keras, applications, own_optimizers)}
    for family in sys.argv[1:] or families:
        rows = [
            json.dumps(name) + ":" + json.dumps(fact, separators=(",", ":"))
            for name, fact in families[family]()
        ]
        (HERE / f"{family}.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")
