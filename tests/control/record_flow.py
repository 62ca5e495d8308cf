"""Writes what TensorFlow 1.15 gives for `flow_programs`: run with an interpreter that has it."""

import json
import pathlib

import flow_programs
import numpy as np
import tensorflow as tf


def plain(x):
    if isinstance(x, dict):
        return {k: plain(v) for k, v in sorted(x.items())}
    if isinstance(x, (list, tuple)):
        return [plain(v) for v in x]
    if isinstance(x, bytes):
        return x.decode()
    if x is None:
        return None
    return np.asarray(x).tolist()


def main():
    out = {}
    for name, build in flow_programs.PROGRAMS.items():
        print(name)
        with tf.Graph().as_default():
            fetches, feeds = build(tf, np)
            with tf.Session() as s:
                s.run(tf.global_variables_initializer())
                out[name] = plain(s.run(fetches, feeds))
    path = pathlib.Path(__file__).with_name("flow_values.json")
    lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in out.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
