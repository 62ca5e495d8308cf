"""Writes what TensorFlow 1.15 gives for `random_programs`: run with an interpreter that has it."""

import json
import pathlib
import sys

import random_programs
import tensorflow as tf


def rounded(x):
    return [rounded(v) for v in x] if isinstance(x, list) else float(f"{x:.6g}")


def main(first=0, last=100):
    rows = []
    for seed in range(first, last):
        try:
            facts = random_programs.observed(tf, seed)
        except tf.errors.InvalidArgumentError:
            continue  # of some programs TensorFlow cannot compute the gradients
        facts = [f and [f[0], rounded(f[1])] for f in facts]
        rows.append(json.dumps(str(seed)) + ": " + json.dumps(facts))
    path = pathlib.Path(__file__).with_name("random_programs.json")
    path.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
