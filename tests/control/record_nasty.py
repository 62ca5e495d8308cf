"""Writes what TensorFlow 1.15 gives for `nasty_programs`: run with an interpreter that has it."""

import json
import pathlib

import nasty_programs
import numpy as np
import tensorflow as tf


def shown(x):
    if isinstance(x, (list, tuple)):
        return "%s(%s)" % (type(x).__name__, ", ".join(map(shown, x)))  # noqa: UP031
    if isinstance(x, dict):
        return "{" + ", ".join(f"{k!r}: {shown(v)}" for k, v in sorted(x.items())) + "}"
    if isinstance(x, (np.ndarray, np.generic)):
        a = np.asarray(x)
        if a.dtype.kind == "f":
            a = np.round(a.astype(np.float64), 4) + 0.0
        return f"{np.asarray(x).dtype}{list(a.shape)} {a.tolist()}"
    return repr(x)


def main():
    out = {}
    for name, program in nasty_programs.programs(tf, np).items():
        with tf.Graph().as_default():
            try:
                out[name] = shown(program())
            except Exception as e:
                out[name] = f"!{type(e).__name__}"
    path = pathlib.Path(__file__).with_name("nasty.json")
    path.write_text(json.dumps(out, indent=0) + "\n")


if __name__ == "__main__":
    main()
