"""Count the operations that TensorFlow 1.15 makes: gradient_counts.json, beside this file.

Run it with the Python that `record.py` describes. The file has "expressions": {text: operations of
the expression, of its gradient, of its gated gradient}, "optimizers": {name and kind: operations of
gradients, of updates, of updates that count a step}, "programs": {name: [[mark, operations], …]}.
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

import gradient_count_programs as programs  # noqa: E402
import tensorflow as tf  # noqa: E402

tf.compat.v1.logging.set_verbosity("ERROR")


def attempt(f, *args):
    """What a function gives, or None where TensorFlow raises."""
    try:
        return f(tf, *args)
    except (LookupError, TypeError, ValueError):
        return None


def main():
    """Write the file, one line a fact."""
    made = {
        "expressions": {e: attempt(programs.counts, e) for e in programs.EXPRESSIONS},
        "optimizers": {
            f"{name} {kind}": attempt(programs.optimized, name, kind)
            for name in programs.OPTIMIZERS
            for kind in programs.KINDS
        },
        "programs": {f.__name__: programs.marks(tf, f) for f in programs.PROGRAMS},
    }
    parts = []
    for key, facts in made.items():
        lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in facts.items() if v is not None]
        parts.append(f'"{key}": {{\n' + ",\n".join(lines) + "\n}")
    (HERE / "gradient_counts.json").write_text("{\n" + ",\n".join(parts) + "\n}\n")


main()
