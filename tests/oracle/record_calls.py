"""Count the operations that TensorFlow 1.15 makes for calls: call_counts.json, beside this file.

Run it with the Python that `record.py` describes. What the file says is "different" (counted
otherwise here) stays so.
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

import call_count_programs as programs  # noqa: E402
import tensorflow as tf  # noqa: E402

tf.compat.v1.logging.set_verbosity("ERROR")


def main():
    """Write the file, one line a call; calls that TensorFlow refuses are named."""
    path = HERE / "call_counts.json"
    before = json.loads(path.read_text())["different"] if path.exists() else {}
    lines = {"counts": [], "different": []}
    for text in programs.CALLS:
        try:
            made = programs.counted(tf, text)
        except Exception as e:
            print(f"{text}: {type(e).__name__}: {str(e)[:100]}")
            continue
        kind = "different" if text in before else "counts"
        lines[kind].append(f"{json.dumps(text)}: {made}")
    parts = [f'"{kind}": {{\n' + ",\n".join(rows) + "\n}" for kind, rows in lines.items()]
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")


main()
