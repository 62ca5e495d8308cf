"""Writes what TensorFlow 1.15 gives for `nasty_programs`: run with an interpreter that has it."""

import json
import pathlib

import nasty_programs
import numpy as np
import tensorflow as tf


def main():
    out = {}
    for name, program in nasty_programs.programs(tf, np).items():
        with tf.Graph().as_default():
            try:
                out[name] = nasty_programs.shown(program())
            except Exception as e:
                out[name] = f"!{type(e).__name__}"
    path = pathlib.Path(__file__).with_name("nasty.json")
    path.write_text(json.dumps(out, indent=0) + "\n")


if __name__ == "__main__":
    main()
