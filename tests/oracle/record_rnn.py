"""Write down what TensorFlow 1.15 computes for `rnn_programs.py`: rnn.json, beside this file.

Run it with the Python that `record.py` describes: ``python tests/oracle/record_rnn.py [name …]``.
rnn.json has for each program {"variables": [[name, shape], …], "said", "fetch": [{"name", "dtype",
"static", "values": [before, after three steps of training]}, …]}.
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
from rnn_programs import PROGRAMS, start  # noqa: E402

tf.compat.v1.logging.set_verbosity("ERROR")


def rounded(a):
    """An array as nested lists; floats with seven digits."""
    if a.dtype.kind == "f":
        return json.loads(json.dumps(a.tolist()), parse_float=lambda s: float(f"{float(s):.7g}"))
    return a.tolist()


def facts(program):
    """Run one program."""
    tf.compat.v1.reset_default_graph()
    tf.get_variable_scope().set_initializer(start(tf, np))
    plan = program(tf, np)
    fetch, feed = list(plan["fetch"]), plan.get("feed")
    variables = [[v.name, v.shape.as_list()] for v in tf.global_variables()]
    step = None
    if "loss" in plan:
        step = tf.train.GradientDescentOptimizer(0.1).minimize(plan["loss"])
    with tf.Session() as session:
        session.run([tf.global_variables_initializer(), tf.tables_initializer()])
        rounds = [session.run(fetch, feed)]
        if step is not None:
            for _ in range(3):
                session.run(step, feed)
            rounds.append(session.run(fetch, feed))
    rows = []
    for i, t in enumerate(fetch):
        shape = t.get_shape()
        rows.append(
            {
                "name": t.name,
                "dtype": t.dtype.base_dtype.name,
                "static": None if shape.ndims is None else shape.as_list(),
                "values": [rounded(np.asarray(r[i])) for r in rounds],
            }
        )
    return {"variables": variables, "said": plan.get("said"), "fetch": rows}


def main():
    """Write the file, or renew some of its rows."""
    target = HERE / "rnn.json"
    chosen = sys.argv[1:]
    known = json.loads(target.read_text()) if target.exists() else {}
    for name, program in PROGRAMS.items():
        if chosen and name not in chosen:
            continue
        try:
            known[name] = facts(program)
        except Exception as e:
            print(name, type(e).__name__, str(e)[:500])
    rows = {n: known[n] for n in PROGRAMS if n in known}
    lines = [json.dumps(k) + ":" + json.dumps(v, separators=(",", ":")) for k, v in rows.items()]
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(len(rows), "programs,", target.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
