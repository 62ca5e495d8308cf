"""Record what TensorFlow 1.15 gives for programs of input: ``python record_data.py [module …]``."""

import json
import pathlib
import sys
import tempfile

import numpy as np
import tensorflow as tf

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))


def record(module):
    programs = __import__(module).PROGRAMS
    out = {}
    for name, program in sorted(programs.items()):
        with tf.Graph().as_default(), tempfile.TemporaryDirectory() as folder:
            out[name] = program(tf, np, folder)
    target = HERE / f"{module.replace('_programs', '')}.json"
    target.write_text(json.dumps(out, sort_keys=True, indent=None) + "\n")


if __name__ == "__main__":
    tf.logging.set_verbosity(tf.logging.ERROR)
    for module in sys.argv[1:] or ["data_programs"]:
        record(module)
