"""Write down what the programs give under TensorFlow 1.15: ``recorded.json``, beside this file.

Run it with the Python 3.7 that `tests/oracle/record.py` names: ``python tests/programs/record.py
[program...]``. A program is a file in ``src/``, written as TensorFlow 1 programs are, that leaves
what it found in ``RESULT``, a dict. Each runs in a fresh default graph.
"""

import json
import os
import pathlib
import sys
import traceback
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
warnings.filterwarnings("ignore")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import tensorflow as tf  # noqa: E402
from recorded import plain  # noqa: E402

tf.compat.v1.logging.set_verbosity("ERROR")
HERE = pathlib.Path(__file__).resolve().parent


def main(names):
    """Run programs and write their results into the file."""
    target = HERE / "recorded.json"
    facts = json.loads(target.read_text()) if target.exists() else {}
    programs = sorted((HERE / "src").glob("*.py"))
    for path in programs:
        if names and path.stem not in names:
            continue
        tf.reset_default_graph()
        scope = {"__name__": "__main__", "__file__": str(path)}
        try:
            exec(compile(path.read_text(), str(path), "exec"), scope)
        except Exception:
            traceback.print_exc()
            print("FAILED", path.stem)
            continue
        facts[path.stem] = plain(scope["RESULT"])
    known = {p.stem for p in programs}
    rows = [
        json.dumps(name) + ": " + json.dumps(fact, separators=(",", ":"), allow_nan=False)
        for name, fact in sorted(facts.items())
        if name in known
    ]
    target.write_text("{\n" + ",\n".join(rows) + "\n}\n")
    print(len(rows), "programs,", target.stat().st_size, "bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
