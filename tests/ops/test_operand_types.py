"""Operands of another type are refused with the error of TensorFlow 1.15 (written down from it)."""

import numpy as np
import pytest

import graphc as tf


@pytest.fixture
def given():
    tf.reset_default_graph()
    return {
        "tf": tf, "x": tf.placeholder(tf.float32, [2, 3]), "v": tf.placeholder(tf.float32, [4]),
        "i": tf.placeholder(tf.int32, [4]), "k": tf.placeholder(tf.int64, [3]),
        "b": tf.placeholder(tf.bool, []), "q": tf.placeholder(tf.float32, None),
        "w": tf.Variable([1.0, 2.0, 3.0]),
    }  # fmt: skip


TYPE_ERRORS = {
    "tf.less(k, w)": "Input 'y' of 'Less' Op has type float32 that does not match type int64",
    "k < w": "'Less' Op has type float32", "k + w": "'AddV2' Op has type float32",
    "tf.add(k, w)": "'Add' Op has type float32",
    "tf.minimum(k, w)": "'Minimum' Op has type float32", "tf.div(k, w)": "x and y must have",
    "tf.truediv(k, w)": "x and y must have the same dtype", "tf.assign_sub(w, k)": "'AssignSub' Op",
    "tf.where(b, w, k)": "'Select' Op", "tf.where(i, v, v)": "Input 'condition' of 'Select' Op",
    "tf.concat([w, k], 0)": "Tensors in list passed to 'values' of 'ConcatV2' Op",
    "tf.stack([k[0], 1.5 * w[0]])": "Tensors in list passed to 'values' of 'Pack' Op",
    "tf.dynamic_partition(v, v, 2)": "Input 'partitions' of 'DynamicPartition' Op has type float32 "
                                     "that does not match expected type of int32",
    "tf.dynamic_stitch([[0], [1]], [v[:1], i[:1]])": "Tensors in list passed to 'data'",
    "tf.dynamic_stitch([v], [v])": "expected type of int32",
    "tf.scatter_update(w, [0], k[:1])": "Input 'updates' of 'ScatterUpdate' Op has type int64",
    "tf.searchsorted(v, i)": "Input 'values' of 'LowerBound' Op", "tf.cross(x, k)": "'Cross' Op",
    "tf.sparse_tensor_dense_matmul(tf.SparseTensor([[0, 1]], [1.0], [2, 3]), k[:, None])":
        "Input 'b' of 'SparseTensorDenseMatMul' Op has type int64",
    "tf.repeat(v, v)": "repeats must be an integer tensor", "tf.bincount([1.5])": "Expected int32",
    "tf.fake_quant_with_min_max_args(i)": "'FakeQuantWithMinMaxArgs' Op has type int32",
    "tf.tensor_scatter_add(x, [[0]], k[None])": "'TensorScatterAdd' Op has type int64",
}  # fmt: skip

VALUE_ERRORS = {
    "tf.bincount(v)": "Tensor conversion requested dtype int32",
    "tf.bincount(w)": "Incompatible type conversion requested to type 'int32'",
    "tf.convert_to_tensor(w, tf.int32)": "Incompatible",
    "tf.repeat(x, 2, 5)": "axis=5 out of bounds: expected -2<=axis<2",
    "tf.repeat(q, 2, -1)": "axis may only be negative if ndims is statically known",
    "tf.repeat(x, [2], 0)": "Dimensions 2 and 1 are not compatible",
    "tf.repeat(x, [[1]])": "must have rank at most 1",
    "tf.batch_gather(v, 0)": "must be less than rank", "tf.hessians(x, v)": "None",
    "tf.parallel_stack([q, q])": "shape attr must be fully defined",
    "tf.add(w, None)": "None values not supported", "tf.add(None, w)": "None values not supported",
}  # fmt: skip


@pytest.mark.parametrize("text", TYPE_ERRORS)
def test_type_errors(text, given):
    with pytest.raises(TypeError) as e:
        eval(text, given)
    assert TYPE_ERRORS[text] in str(e.value)


@pytest.mark.parametrize("text", VALUE_ERRORS)
def test_value_errors(text, given):
    with pytest.raises(ValueError, match=VALUE_ERRORS[text].replace("<", ".")):
        eval(text, given)


def test_what_the_functions_give(given):
    """Values and shapes of functions whose operands are asked for more than before."""
    q, i = given["q"], given["i"]
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    with tf.Session() as sess:
        for axis in (0, 1):
            assert (sess.run(tf.repeat(q, 2, axis), {q: rows}) == rows.repeat(2, axis)).all()
            for turned in (False, True):
                way = "DESCENDING" if turned else "ASCENDING"
                want = np.sort(rows[::-1], axis)[:: -1 if turned and not axis else 1]
                want = want[:, :: -1 if turned and axis else 1]
                assert (sess.run(tf.sort(q, axis, way), {q: rows[::-1]}) == want).all()
        assert (sess.run(tf.repeat(rows, [1, 0, 2], 1)) == rows.repeat([1, 0, 2], 1)).all()
        low = np.iinfo(np.int32).min
        assert sess.run(tf.sort([3, low, -1])).tolist() == [low, -1, 3]
        both = tf.broadcast_dynamic_shape(i, [3, 1])
        assert sess.run(both, {i: [5, 4, 3, 2]}).tolist() == [5, 4, 3, 2]
        with pytest.raises(tf.errors.InvalidArgumentError, match="Incompatible shapes"):
            sess.run(both, {i: [5, 4, 2, 2]})
