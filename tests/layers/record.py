"""Write down what TensorFlow 1.15 does with the programs beside this file.

Run it with a Python 3.7 that has tensorflow-cpu==1.15.0 and numpy==1.18.5, as
`python tests/layers/record.py [layers] [losses] …`; it writes `<what>.json`.
"""

import importlib
import json
import os
import pathlib
import sys
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import tensorflow as tf  # noqa: E402
from layer_harness import observe  # noqa: E402

tf.compat.v1.logging.set_verbosity("ERROR")


def record(what):
    module = importlib.import_module(what + "_programs")
    rows, failed = [], []
    for key, program in module.PROGRAMS.items():
        try:
            fact = observe(tf, program)
        except Exception as error:
            failed.append(f"{key}: {type(error).__name__}: {str(error)[:400]}")
            continue
        rows.append(json.dumps(key) + ":" + json.dumps(fact, separators=(",", ":")))
    (HERE / (what + ".json")).write_text("{\n" + ",\n".join(rows) + "\n}\n")
    print(f"{what}: {len(rows)} programs")
    if failed:
        raise SystemExit("\n".join(failed))


if __name__ == "__main__":
    for chosen in sys.argv[1:] or [
        "layers",
        "losses",
        "metrics",
        "contrib",
        "distributions",
        "names",
    ]:
        record(chosen)
