"""Names and errors of the face against what TensorFlow 1.15 did (tests/oracle)."""

import importlib
import json
import pathlib
import re
import sys
import warnings

import numpy as np
import pytest

import graphc as tf

ORACLE = pathlib.Path(__file__).parents[1] / "oracle"
sys.path.insert(0, str(ORACLE))
NAMING = importlib.import_module("naming_programs").PROGRAMS
ERRORS = importlib.import_module("error_programs").PROGRAMS
NAMES = json.loads((ORACLE / "naming.json").read_text())
FACTS = json.loads((ORACLE / "errors.json").read_text())

#: Programs about what this package does; those of single ops are tested beside the ops.
NAMED = """
constants placeholders name_counting trailing_slash_name conversions variable_plain
variable_from_random variable_callable_initial variable_same_name variable_in_name_scope
variable_in_variable_scope variable_uses get_variable_regularizer get_variable_reuse name_scopes
name_scope_against_op name_scope_with_dots unique_names variable_scopes variable_scope_default_name
variable_scope_reenter_name_scope variable_scope_empty mixed_scopes collections initializers
""".split()

RAISED = """
set_shape_conflict set_shape_rank shape_as_list_unknown shape_len_unknown shape_index_unknown_rank
shape_index_out_of_range zeros_of_unknown_dimension shape_of_negative constant_shape_mismatch
variable_shape_unknown assign_shape assign_dtype assign_python_float_to_int constant_float_as_int
constant_string_as_float constant_huge_int constant_ragged constant_none constant_mixed
constant_int_bool constant_tensor convert_none convert_dtype_conflict convert_dictionary
unknown_dtype_name placeholder_without_dtype tensor_as_bool tensor_in_if tensor_chained_comparison
tensor_iteration tensor_unpacking tensor_len tensor_equality_is_identity tensor_in_list
tensor_numpy_function tensor_numpy_array tensor_range tensor_format tensor_repr variable_repr
operation_repr variable_iteration variable_bool variable_augmented tensor_attribute
tensor_numpy_method get_variable_twice get_variable_reuse_missing get_variable_reuse_shape
get_variable_reuse_dtype get_variable_reuse_of_plain_variable get_variable_without_shape
get_variable_unknown_shape get_variable_initial_and_shape get_variable_constant_shape
get_variable_bad_name variable_without_value variable_none op_name_with_space
op_name_leading_underscore name_scope_bad name_scope_empty_call variable_scope_none
variable_scope_wrong_type variable_scope_int_default tensor_by_missing_name tensor_by_op_name
tensor_by_missing_output operation_by_tensor_name operation_by_missing_name foreign_tensor_in_op
foreign_tensor_fetch foreign_tensor_feed foreign_tensor_after_reset finalized_graph
reset_inside_graph eval_without_session run_operation_without_session closed_session
session_on_empty_graph fetch_none fetch_list_with_none fetch_float fetch_array fetch_unknown_name
fetch_bad_name fetch_empty_list missing_feed missing_feed_shape missing_feed_unknown feed_shape
feed_rank feed_scalar_for_vector feed_vector_for_scalar feed_tensor feed_int_overflow
feed_int_overflow_uint8 feed_dictionary_key feed_key_number feed_key_operation feed_key_op_name
feed_not_a_dictionary feed_variable unfeedable_tensor unfetchable_operation variable_load_shape
control_dependencies_number group_number
""".split()

#: An interpreter's own words, and where graphc says more than TensorFlow.
SAME_START = {
    "tensor_float", "tensor_int", "shape_int_of_unknown", "uninitialized_variable",
    "uninitialized_variable_read", "sessions_do_not_share", "assign_shape_at_run",
    "fetch_structure",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_names(name: str) -> None:
    said = NAMING[name](tf, np)
    assert list(said or []) == NAMES[name]["said"]


def cleaned(message: str) -> str:
    """Without the user's source line, addresses and positions."""
    message = message.split('\n  File "')[0]
    message = re.sub(r"0x[0-9a-f]{6,}", "0x", message)
    return re.sub(
        r"Originally defined at:.*", "Originally defined at:", message, flags=re.S
    ).rstrip()


def outcome(name: str) -> tuple[str | None, str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            got = ERRORS[name](tf, np)
        except Exception as e:  # every class is compared
            kind = type(e).__name__
            if type(e).__module__ == "graphc.errors":
                kind = "errors." + kind
            return kind, cleaned(str(e))
    return None, re.sub(r"0x[0-9a-f]{6,}", "0x", repr(got))


@pytest.mark.parametrize("name", RAISED)
def test_errors(name: str) -> None:
    fact = FACTS[name]
    want = fact["message"] if fact["type"] else fact["returned"]
    assert outcome(name) == (fact["type"], want)


@pytest.mark.parametrize("name", sorted(SAME_START))
def test_errors_begin_alike(name: str) -> None:
    fact = FACTS[name]
    kind, message = outcome(name)
    assert kind == fact["type"]
    if kind is not None:
        assert message[:12] == fact["message"][:12]


def test_every_message_is_short() -> None:
    for name in RAISED:
        tf.reset_default_graph()
        _, message = outcome(name)
        assert message.count("\n") < 12, name
