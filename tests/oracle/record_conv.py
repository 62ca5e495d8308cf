"""Write down what TensorFlow 1.15 computes for `conv_programs.py`: conv.json, beside this file.

Run it with the Python that `record.py` describes: ``python tests/oracle/record_conv.py``.
conv.json has for each case a list of {"dtype", "shape", "value"}, or {"error": text}; None where
TensorFlow has no gradient.
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

import tensorflow as tf  # noqa: E402
from conv_programs import CASES  # noqa: E402

tf.compat.v1.logging.set_verbosity("ERROR")


def said(f, arrays):
    """What the program gives."""
    tf.compat.v1.reset_default_graph()
    xs = [tf.compat.v1.placeholder(a.dtype, a.shape) for a in arrays]
    try:
        ys = f(tf, *xs)
        with tf.compat.v1.Session() as session:
            wanted = [y for y in ys if y is not None]
            got = iter(session.run(wanted, {x: arrays[i] for i, x in enumerate(xs)}))
    except Exception as e:
        return {"error": str(e).split("\n")[0]}
    return [
        None if y is None else (lambda a: {
            "dtype": a.dtype.name, "shape": list(a.shape), "value": a.reshape(-1).tolist(),
        })(next(got))
        for y in ys
    ]  # fmt: skip


def main():
    """Write the file."""
    facts = {name: said(f, arrays) for name, (f, arrays) in CASES.items()}
    lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in facts.items()]
    (HERE / "conv.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    for name, v in facts.items():
        if isinstance(v, dict):
            print(name, v["error"][:300])


if __name__ == "__main__":
    main()
