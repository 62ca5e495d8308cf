"""Write down the public names and signatures of TensorFlow 1.15: tf115.json, beside this file.

Run it with the Python 3.7 that `tests/oracle/record.py` names.  The form:

    {namespace: {name: ["function", arguments]
                     | ["class", arguments, {method: arguments}, [other public attributes]]
                     | ["value", repr or type]}}

Arguments are one string as a user would write them in a ``def``; a default that is no plain
literal is ``...``.  Namespaces are those that real programs use (`SPACES`); ``""`` is ``tf``.
"""

import importlib
import inspect
import json
import os
import pathlib
import sys
import types
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.filterwarnings("ignore")

import tensorflow as tf  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent

#: Where real programs take names from; the count is over these.
SPACES = """
    . app bitwise compat data data.experimental debugging distributions dtypes errors estimator
    estimator.inputs estimator.export feature_column flags gfile graph_util image initializers io
    io.gfile layers linalg logging lookup losses manip math metrics nest nn nn.rnn_cell python_io
    queue random resource_loader saved_model saved_model.builder saved_model.constants
    saved_model.loader saved_model.main_op saved_model.signature_constants
    saved_model.signature_def_utils saved_model.tag_constants saved_model.utils sets signal sparse
    spectral strings summary sysconfig test train train.experimental train.queue_runner user_ops
    version
    audio config config.experimental config.optimizer config.threading distribute
    distribute.experimental profiler quantization ragged
    contrib.crf contrib.data contrib.deprecated contrib.distributions contrib.eager
    contrib.framework contrib.framework.nest contrib.image contrib.layers contrib.learn
    contrib.learn.preprocessing contrib.legacy_seq2seq contrib.lookup contrib.losses
    contrib.metrics contrib.nn contrib.opt contrib.rnn contrib.seq2seq contrib.slim
    contrib.slim.nets contrib.stateless contrib.summary contrib.tensorboard.plugins.projector
    contrib.training contrib.util
    contrib.cudnn_rnn contrib.distribute contrib.distributions.bijectors contrib.feature_column
    contrib.graph_editor contrib.integrate contrib.losses.metric_learning contrib.mixed_precision
    contrib.predictor contrib.resampler contrib.signal contrib.sparsemax contrib.staging
    contrib.tfprof
""".split()

PLAIN = (int, float, bool, str, bytes, type(None))


def default(value):
    """A default as it would be written."""
    if isinstance(value, PLAIN):
        return repr(value)
    if isinstance(value, (tuple, list)) and all(isinstance(v, PLAIN) for v in value):
        return repr(value)
    if isinstance(value, tf.DType):
        return value.name
    return "..."


def arguments(function, method=False):
    """The arguments of a function, or None where Python cannot tell."""
    try:
        found = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    if method and found and found[0].name in ("self", "cls"):
        found = found[1:]
    out, bare = [], False
    for p in found:
        if p.kind is p.VAR_POSITIONAL:
            out.append("*" + p.name)
            bare = True
            continue
        if p.kind is p.VAR_KEYWORD:
            out.append("**" + p.name)
            continue
        if p.kind is p.KEYWORD_ONLY and not bare:
            out.append("*")
            bare = True
        out.append(p.name if p.default is p.empty else p.name + "=" + default(p.default))
    return ", ".join(out)


def described(thing):
    """One public thing as JSON."""
    if isinstance(thing, type):
        methods, others = {}, []
        if issubclass(thing, BaseException) or hasattr(thing, "DESCRIPTOR"):
            return ["class", None, {}, []]
        own = [c for c in thing.__mro__ if c.__module__.startswith("tensorflow")]
        for name in sorted({name for c in own for name in vars(c)}):
            if name.startswith("_"):
                continue
            value = inspect.getattr_static(thing, name)
            plain = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
            if callable(plain) and not isinstance(plain, type):
                methods[name] = arguments(plain, not isinstance(value, staticmethod))
            else:
                others.append(name)
        return ["class", arguments(thing.__init__, True), methods, others]
    if callable(thing):
        return ["function", arguments(thing)]
    return ["value", default(thing) if isinstance(thing, PLAIN) else type(thing).__name__]


def space(path):
    """The module of a namespace."""
    if path == "contrib.slim.nets":  # no attribute of slim until it is imported
        return importlib.import_module("tensorflow.contrib.slim.nets")
    found = tf
    for part in [p for p in path.split(".") if p]:
        found = getattr(found, part, None) or importlib.import_module("tensorflow." + path)
    return found


def main():
    """Walk the namespaces and write the file."""
    out = {}
    for path in SPACES:
        path = path.strip(".")
        try:
            module = space(path)
        except AttributeError as error:
            print("no", path, error, file=sys.stderr)
            continue
        rows = {}
        for name in dir(module):
            if name.startswith("_") or name in ("absolute_import", "division", "print_function"):
                continue
            try:
                thing = getattr(module, name)
            except Exception as error:
                print("not", path, name, error, file=sys.stderr)
                continue
            if isinstance(thing, types.ModuleType) or type(thing).__name__ == "_Feature":
                continue
            rows[name] = described(thing)
        out[path] = rows
    lines = []
    for path, rows in out.items():
        body = ",\n".join(
            json.dumps(name) + ":" + json.dumps(row, separators=(",", ":"))
            for name, row in rows.items()
        )
        lines.append(json.dumps(path) + ": {\n" + body + "\n}")
    target = HERE / "tf115.json"
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(len(out), "namespaces,", sum(map(len, out.values())), "names", target.stat().st_size)


if __name__ == "__main__":
    main()
