"""The 16 bits of numbers of bfloat16, and back, for arrays of any rank."""

import numpy as np
import pytest

from graphc.ir.bfloat16 import bits_of, from_bits, rounded


@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 2), (0, 3)])
def test_round_trip(shape):
    n = int(np.prod(shape))
    bits = (np.arange(n, dtype=np.uint16) * 257 + 0x3F80).reshape(shape)
    numbers = from_bits(bits)
    assert numbers.dtype == np.float32
    assert numbers.shape == shape
    back = bits_of(numbers)
    assert back.dtype == np.uint16
    assert back.shape == shape
    assert (back == bits).all()


def test_ties_go_to_even_and_nan_stays():
    given = np.array([1.00390625, 1.01171875, 3.4e38, -0.0, np.inf, np.nan], np.float32)
    want = np.array([0x3F80, 0x3F82, 0x7F80, 0x8000, 0x7F80, 0x7FC0], np.uint16)
    assert (bits_of(given) == want).all()
    assert bits_of(np.float32(1.00390625)) == 0x3F80
    assert rounded(np.float32(3.296875)).dtype == np.float32
    assert rounded(given[::2]).shape == (3,)
