"""Expressions with ragged tensors, and what they give; TensorFlow 1.15 writes answers.json.

python answers.py
"""

import json
import pathlib
from typing import Any

HERE = pathlib.Path(__file__).parent
EXPRESSIONS = (HERE / "expressions.txt").read_text(encoding="utf-8").splitlines()


def names(tf: Any) -> Any:
    """What expressions are about."""
    c = tf.ragged.constant
    return {
        "tf": tf, "c": c, "R": tf.RaggedTensor,
        "r": c([[1, 2, 3], [], [4, 5], [6]]),
        "q": c([[[1, 2], [3]], [], [[4], [], [5, 6]]]),
        "f": c([[1.0, 2.0], [], [3.5]]),
        "w": c([["a b", "c"], [], ["d e f"]]),
    }  # fmt: skip


def lists(v: Any) -> Any:
    if hasattr(v, "to_list"):
        return lists(v.to_list())
    if isinstance(v, (list, tuple)):
        return [lists(x) for x in v]
    if hasattr(v, "tolist"):
        return lists(v.tolist())
    if isinstance(v, float):
        return "nan" if v != v else float(f"{v:.6g}")
    return v.decode("utf-8", "replace") if isinstance(v, bytes) else v


def answer(tf: Any, expression: str) -> Any:
    """[value, static shape, element type], a plain value, or the name of an error's type."""
    with tf.Graph().as_default():
        try:
            x = eval(expression, names(tf))
            if isinstance(x, (str, int, type(None))):
                return x
            with tf.Session() as s:
                v = s.run(x)
        except Exception as e:
            return type(e).__name__
        if isinstance(x, list) or not hasattr(x, "dtype"):
            return lists(v)
        return [lists(v), str(x.shape), x.dtype.name]


if __name__ == "__main__":
    import tensorflow

    found = {e: answer(tensorflow, e) for e in EXPRESSIONS}
    with open(HERE / "answers.json", "w", encoding="utf-8") as out:
        lines = [json.dumps(k) + ": " + json.dumps(v) for k, v in found.items()]
        out.write("{\n" + ",\n".join(lines) + "\n}\n")
