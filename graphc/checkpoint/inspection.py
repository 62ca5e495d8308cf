"""``inspect_checkpoint``: what a checkpoint holds, printed."""

from __future__ import annotations

import math
import re
from typing import Any

__all__ = ["print_tensors_in_checkpoint_file"]


def print_tensors_in_checkpoint_file(
    file_name: str, tensor_name: str, all_tensors: bool, all_tensor_names: bool = False,
    count_exclude_pattern: str = "",
) -> None:  # fmt: skip
    """Print the names, or the values, of a checkpoint's tensors, and how many numbers they are.

    Parameters
    ----------
    file_name : str
        The prefix of a checkpoint.
    tensor_name : str
        The only tensor to print; ``""`` for what else is asked for.
    all_tensors, all_tensor_names : bool
        Print every value, or every name.
    count_exclude_pattern : str
        A regular expression of names that are not counted.
    """
    import graphc as tf

    reader = tf.train.NewCheckpointReader(file_name)
    shapes = reader.get_variable_to_shape_map()
    if all_tensors or all_tensor_names:
        for name in sorted(shapes):
            print("tensor_name: ", name)
            if all_tensors:
                print(reader.get_tensor(name))
    elif tensor_name:
        print("tensor_name: ", tensor_name)
        print(reader.get_tensor(tensor_name))
    else:
        print(reader.debug_string().decode("utf-8", errors="ignore"))
    print(f"# Total number of params: {_count(shapes, count_exclude_pattern)}")


def _count(shapes: dict[str, Any], exclude: str) -> int:
    return sum([
        math.prod(shape) for name, shape in shapes.items()
        if not exclude or not re.search(exclude, name)
    ])  # fmt: skip
