"""Every misuse program: the exception that TensorFlow 1.15 raised, and its first sentence."""

from __future__ import annotations

import importlib
import json
import pathlib
import re
import sys

import numpy as np
import pytest

import graphc as tf

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
PROGRAMS = importlib.import_module("error_programs").PROGRAMS
FACTS = json.loads((HERE / "errors.json").read_text())

#: Refused here, while TensorFlow went on with a value nobody meant.
STRICTER = {
    "transpose_perm_repeated": "a permutation lacks an axis",
    "slice_out_of_range": "the slice ends behind the tensor",
    "constant_int_overflow": "2**40 as int32 became 0",
    "feed_none": "None became NaN",
    "minimize_string_rate": "a string as learning rate",
    "while_dtype_changes": "a loop variable is of another type after an iteration",
}
#: Another exception type, with the reason.
OTHER_TYPE = {
    "feed_huge_int": "TypeError as for every other integer that does not fit",
    "cumsum_axis_range": "raised while building",
    "cast_string": "raised while building",
    "gradient_none_input": "TensorFlow failed on an attribute",
    "truediv_float_by_int_number": "the number takes the tensor's type, as everywhere",
    "where_condition_int": "to be decided: ValueError of the conversion",
    "convert_list_of_mixed_tensors": "to be decided: ValueError of the conversion",
}
#: The same type in other words (types listed, operands that are attributes here, positions).
OTHER_WORDS = set(
    """argmax_empty feed_string_for_float feed_ragged feed_complex_for_float reduce_axis_at_run
    negative_size_at_run softmax_xent_at_run scatter_out_of_range""".split()
)


def sentence(message: str) -> str:
    """The message without source lines, ops and positions."""
    message = message.split("\n")[0].split(" for '")[0]
    message = re.sub(r"pyfunc_\d+", "pyfunc", message)
    return re.sub(r"0x[0-9a-f]{6,}", "0x", message).rstrip(" .:")


def outcome(name: str) -> Exception | None:
    tf.reset_default_graph()
    try:
        PROGRAMS[name](tf, np)
    except Exception as e:
        return e
    finally:
        tf.reset_default_graph()
    return None


@pytest.mark.parametrize("name", [n for n in PROGRAMS if n in FACTS])
def test_error(name: str) -> None:
    fact, got = FACTS[name], outcome(name)
    if got is not None and re.search("graphc has no|is not a name of", str(got)):
        pytest.xfail(str(got))
    if name in STRICTER or name in OTHER_TYPE:
        assert (got is None) == (name == "truediv_float_by_int_number")
        return
    if fact["type"] is None:
        assert got is None, f"TensorFlow accepts this: {fact['returned']}"
        return
    assert got is not None, f"TensorFlow raises {fact['type']}: {fact['message']}"
    kinds = [c.__name__ for c in type(got).__mro__]
    assert fact["type"].replace("errors.", "") in kinds, f"{type(got).__name__}: {got}"
    assert len(str(got).splitlines()) <= 12
    if fact["stage"] == "run" and name not in OTHER_WORDS:
        assert sentence(str(got)) == sentence(fact["message"])
