"""Write a checkpoint of objects with TensorFlow 1.15: ``objects/tf115-1``, and what is in it."""

import json
import os
import pathlib

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow as tf
from object_programs import build, fill

HERE = pathlib.Path(__file__).resolve().parent

if __name__ == "__main__":
    objects, _ = build(tf)
    checkpoint = tf.train.Checkpoint(**objects)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        fill(tf, session)
        path = checkpoint.save(str(HERE / "objects" / "tf115"), session)
    shapes = dict(tf.train.list_variables(path))
    (HERE / "objects" / "keys.json").write_text(json.dumps(shapes, indent=0, sort_keys=True))
