"""Write down what TensorFlow 1.15 does: naming, values, errors and train.json, beside this file.

Run it with a Python 3.7 that has

    tensorflow-cpu==1.15.0 numpy==1.18.5 protobuf==3.20.3 h5py==2.10.0

as `python tests/oracle/record.py [naming] [values] [errors] [train]`.

The programs are in `naming_programs.py`, `value_programs.py`, `error_programs.py` and
`train_programs.py` (of the same form as values); each is a function of `tf` and `np` and runs
in a fresh default graph (call `tf.reset_default_graph()` before each), so the same source runs
under graphc (`import graphc as tf`).

naming.json
    {program: {"ops": [[name, type], ...] in creation order, "said": what the program returned}}

values.json
    {program: [fact, ...]} with a fact for every tensor the program returned:
    {"name", "dtype", "static": shape before the run (null: rank unknown), "shape", "value"}.
    Programs with several steps have "values", one per step, in place of "shape" and "value".
    A fetch that is None (no gradient) is null; IndexedSlices have "slices": [values, indices].

errors.json
    {program: {"type", "bases", "stage": "build" or "run", "message"}}, or
    {"type": null, "returned": text} where TensorFlow raises nothing.
    A type with "errors." before it is one of tf.errors.

Floats are written with the fewest digits that give the same number of their dtype; not-a-number and
the infinities are the strings "nan", "inf" and "-inf".  Addresses of objects and source
positions are cut out of messages.
"""

import importlib
import json
import os
import pathlib
import re
import sys
import traceback
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
warnings.filterwarnings("ignore")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

tf.compat.v1.logging.set_verbosity("ERROR")
HERE = pathlib.Path(__file__).resolve().parent


def number(x):
    """One element as JSON: floats with the shortest decimal form of their own dtype."""
    if isinstance(x, (bytes, str)):
        return x.decode() if isinstance(x, bytes) else x
    if isinstance(x, (bool, np.bool_)):
        return bool(x)
    if isinstance(x, (int, np.integer)):
        return int(x)
    if np.isnan(x):
        return "nan"
    if np.isinf(x):
        return "inf" if x > 0 else "-inf"
    return float(str(x))


def nested(a):
    """An array as nested lists of JSON elements."""
    if not isinstance(a, np.ndarray):
        return number(a)
    return [nested(row) for row in a] if a.ndim else number(a[()])


def static(shape):
    """A TensorShape as a list with None for unknown sizes, or None for an unknown rank."""
    return None if shape.ndims is None else shape.as_list()


def ran(value):
    """A fetched value as JSON."""
    if isinstance(value, tf.SparseTensorValue):
        return {"sparse": [ran(part) for part in value]}
    if isinstance(value, (list, tuple, dict)):
        raise TypeError("a program returns a flat list of tensors")
    a = np.asarray(value)
    return {"shape": list(a.shape), "value": nested(a)}


def naming(program):
    """Names and types of the ops of one program."""
    said = program(tf, np)
    ops = [[op.name, op.type] for op in tf.get_default_graph().get_operations()]
    return {"ops": ops, "said": list(said or [])}


def values(program):
    """Run one program and describe every tensor that it returned."""
    got = program(tf, np)
    plan = got if isinstance(got, dict) else {"fetch": got}
    fetch, feed = list(plan["fetch"]), plan.get("feed")
    live = [t for t in fetch if t is not None]
    with tf.Session() as sess:
        if tf.global_variables():
            sess.run(tf.global_variables_initializer())
        rounds = [sess.run(live, feed)]
        for _ in range(plan.get("times", 0)):
            sess.run(plan["step"], feed)
            rounds.append(sess.run(live, feed))
    facts, place = [], 0
    for tensor in fetch:
        if tensor is None:
            facts.append(None)
            continue
        if isinstance(tensor, tf.IndexedSlices):
            pair = rounds[0][place]
            facts.append({"slices": [ran(pair.values), ran(pair.indices)]})
        else:
            dtype = tensor.dtype.base_dtype.name
            fact = {"name": tensor.name, "dtype": dtype, "static": static(tensor.get_shape())}
            found = [ran(one[place]) for one in rounds]
            if len(found) == 1:
                fact.update(found[0])
            else:
                fact["values"] = [one["value"] for one in found]
            facts.append(fact)
        place += 1
    return facts


def cleaned(message):
    """A message without stack traces, source positions and addresses."""
    message = re.split(r"\n+Original stack trace for|\n+Errors may have originated", message)[0]
    message = re.split(r"\n+Traceback \(most recent call last\)", message)[0]
    message = re.sub(r"pyfunc_\d+", "pyfunc", message)
    message = re.sub(r" ?\(defined at [^)]*\) ?", "", message)
    message = re.sub(r"0x[0-9a-f]{6,}", "0x", message)
    message = re.sub(r"Originally defined at:.*", "Originally defined at:", message, flags=re.S)
    return message.rstrip()


def kind(cls):
    """Name of an exception class, with `errors.` before TensorFlow's own."""
    own = cls.__module__.startswith("tensorflow")
    return "errors." + cls.__name__ if own and hasattr(tf.errors, cls.__name__) else cls.__name__


def errors(program):
    """The exception of one program, or what it returned."""
    try:
        got = program(tf, np)
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        in_run = any(f.filename.endswith("client/session.py") and f.name == "run" for f in frames)
        stage = "run" if in_run else "build"
        message = error.message if isinstance(error, tf.errors.OpError) else str(error)
        bases = [kind(c) for c in type(error).__mro__[1:] if c not in (object, BaseException)]
        return {
            "type": kind(type(error)),
            "bases": bases,
            "stage": stage,
            "message": cleaned(message),
        }
    return {"type": None, "returned": re.sub(r"0x[0-9a-f]{6,}", "0x", repr(got))}


def record(what):
    """Run all programs of one kind and write their file."""
    module = importlib.import_module(
        {
            "naming": "naming_programs",
            "values": "value_programs",
            "errors": "error_programs",
            "train": "train_programs",
        }[what]
    )
    rows, failed = [], []
    for name, program in module.PROGRAMS.items():
        tf.reset_default_graph()
        try:
            fact = globals()["values" if what == "train" else what](program)
        except Exception as error:
            failed.append(f"{name}: {type(error).__name__}: {str(error)[:400]}")
            continue
        text = json.dumps(fact, separators=(",", ":"), allow_nan=False)
        rows.append(f"{json.dumps(name)}:{text}")
    if failed:
        raise SystemExit("\n".join(failed))
    target = HERE / (what + ".json")
    target.write_text("{\n" + ",\n".join(rows) + "\n}\n")
    print(f"{target.name}: {len(rows)} programs, {target.stat().st_size} bytes")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or ["naming", "values", "errors", "train"]:
        record(chosen)
