"""Random numbers of TensorFlow 1's CPU ops, as pure functions of (seed, counter).

This module is the numpy reference from which the native kernels are written.  It reproduces
TensorFlow 1.15 on a CPU: uniform numbers, integers and permutations bit for bit, normal numbers
to within an ulp or so (they go through ``log``, ``sin`` and ``cos``).

The generator
-------------
Philox4x32-10 (Salmon and others, SC 2011) maps a 128-bit counter and a 64-bit key to a *block* of
four 32-bit *lanes*.  An op with attributes ``(seed, seed2)`` has

* key: ``key[0] = seed & 0xffffffff``, ``key[1] = (seed >> 32) & 0xffffffff``;
* counter of block ``b``: the 128-bit number ``(seed2 mod 2**64) * 2**64 + b``, its four 32-bit
  words from the least significant one (word 0) to the most significant one (word 3).

Below, *block b* means the four lanes got from that counter.  Every function takes ``skip``: the
number of blocks which earlier runs of the same op in the same session have reserved.  The session
holds one such number for each op (node), 0 at first; a run uses blocks from ``skip`` on, and adds
`reserved` to it afterwards, however many blocks were in fact read.  The number belongs to the
session: another session starts again from 0, and runs that do not reach the op leave it alone.

How an output element finds its block
-------------------------------------
``i`` is the element's index in the flat (row-major) output, and ``//`` is integer division.
No element depends on how many there are, nor on threads.

================================  =============================  ===========================
output                            block                          lanes
================================  =============================  ===========================
uniform 16-bit and 32-bit, ints   ``skip + i // 4``              ``i % 4``
uniform 64-bit, floats and ints   ``skip + i // 2``              ``2 * (i % 2)`` and the next
normal 16-bit and 32-bit          ``skip + i // 4``              pair ``(i % 4) // 2``
normal 64-bit                     ``skip + i // 2``              all four
truncated normal, up to 32 bits   ``skip + 256 * (i // 4) + r``  by rejection
truncated normal, 64 bits         ``skip + 128 * (i // 2) + r``  by rejection
shuffle, step ``i``               ``skip + i // 4``              ``i % 4``
multinomial, flat sample ``i``    ``skip + i // 2``              ``2 * (i % 2)`` and the next
================================  =============================  ===========================
"""

import secrets
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = [
    "DEFAULT_GRAPH_SEED",
    "blocks",
    "fresh_seeds",
    "multinomial",
    "normal_bf16",
    "normal_f16",
    "normal_f32",
    "normal_f64",
    "normal_pairs",
    "op_seeds",
    "philox4x32",
    "reserved",
    "shuffle_permutation",
    "start",
    "truncated_normal_bf16",
    "truncated_normal_f16",
    "truncated_normal_f32",
    "truncated_normal_f64",
    "uniform_bf16",
    "uniform_f16",
    "uniform_f32",
    "uniform_f64",
    "uniform_int",
    "uniform_pairs",
]

U32 = npt.NDArray[np.uint32]
F16 = npt.NDArray[np.float16]
F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

DEFAULT_GRAPH_SEED = 87654321
"""The graph-level seed of an op that has a seed of its own in a graph that has none."""

MAX_INT32 = 2**31 - 1
BLOCKS_PER_OUTPUT = 256
"""Blocks that TensorFlow reserves for each output element of most random ops."""

_MASK32 = 2**32 - 1
_MASK64 = 2**64 - 1
_MULTIPLY_0 = np.uint64(0xD2511F53)
_MULTIPLY_2 = np.uint64(0xCD9E8D57)
_WEYL_0 = 0x9E3779B9
_WEYL_1 = 0xBB67AE85
_ROUNDS = 10
_CHUNK = 1 << 14
_LOW_WORD = np.uint64(_MASK32)
_HIGH = np.uint64(32)


# ---------------------------------------------------------------------------------------- seeds


def op_seeds(graph_seed: int | None, op_seed: int | None, last_id: int) -> tuple[int, int] | None:
    """Return the attributes (seed, seed2) of a random op, by the rule of ``tf.get_seed``.

    Parameters
    ----------
    graph_seed
        The graph's seed (``tf.set_random_seed``), None if it has none.
    op_seed
        The op's own seed (the argument ``seed=``), None if it has none.
    last_id
        The id of the graph's newest op (``graph._last_id``: 0 in an empty graph, and 1 more with
        each op made) at the moment of the call.  ``tf.random_uniform`` and the two normals ask
        after they have made the constants for their shape and range, and before the random op;
        ``tf.random_shuffle`` asks before it converts its input, ``tf.multinomial`` after.

    Returns
    -------
    tuple of int or None
        The two seeds.  None means that neither was set: the op's attributes are (0, 0), and each
        session must take new seeds for it (`fresh_seeds`).  This is never (0, 0).
    """
    if graph_seed is None and op_seed is None:
        return None
    first = DEFAULT_GRAPH_SEED if graph_seed is None else graph_seed % MAX_INT32
    second = (last_id if op_seed is None else op_seed) % MAX_INT32
    return (0, MAX_INT32) if (first, second) == (0, 0) else (first, second)


def fresh_seeds() -> tuple[int, int]:
    """Return two new 64-bit seeds, for an op whose attributes (seed, seed2) are (0, 0)."""
    return secrets.randbits(64), secrets.randbits(64)


def start(seed: int, seed2: int) -> tuple[int, U32]:
    """Return the first counter and the key of an op.

    Parameters
    ----------
    seed, seed2
        The op's attributes: 64-bit integers, signed or not.  (0, 0) has no special meaning here.

    Returns
    -------
    counter : int
        The 128-bit counter of block 0.
    key : uint32[2]
        The key.
    """
    key = np.array([seed & _MASK32, (seed >> 32) & _MASK32], np.uint32)
    return (seed2 & _MASK64) << 64, key


def reserved(op_kind: str, n_outputs: int, batch: int = 1) -> int:
    """Return how many blocks one run of an op reserves: what the session adds to its ``skip``.

    Parameters
    ----------
    op_kind
        The op's type: RandomUniform, RandomUniformInt, RandomStandardNormal, TruncatedNormal,
        RandomShuffle or Multinomial.
    n_outputs
        The number of output elements.  For RandomShuffle it is the size of the first dimension
        instead (0 where the input has no elements).
    batch
        For Multinomial only: the number of rows of its logits, which divides `n_outputs`.

    Returns
    -------
    int
        ``256 * n_outputs`` for the ops that take a shape, of any element type;
        ``ceil((n - 1) / 4)`` for a shuffle; ``512 * batch * (samples rounded up to a multiple of
        4)`` for Multinomial with any output, where ``samples = n_outputs / batch``.
    """
    if op_kind in ("RandomUniform", "RandomUniformInt", "RandomStandardNormal", "TruncatedNormal"):
        return BLOCKS_PER_OUTPUT * n_outputs
    if op_kind == "RandomShuffle":
        return (max(n_outputs - 1, 0) + 3) // 4
    if op_kind == "Multinomial":
        if n_outputs == 0:
            return 0
        return BLOCKS_PER_OUTPUT * 2 * batch * ((n_outputs // batch + 3) // 4 * 4)
    raise ValueError(f"{op_kind} is not a random op known here")


# ------------------------------------------------------------------------------------ generator


def philox4x32(counter: U32, key: U32) -> U32:
    """Return the blocks of these counters: Philox4x32 with ten rounds.

    A round takes the words (c0, c1, c2, c3) under the key (k0, k1) to ::

        (high(0xCD9E8D57 * c2) ^ c1 ^ k0,  low(0xCD9E8D57 * c2),
         high(0xD2511F53 * c0) ^ c3 ^ k1,  low(0xD2511F53 * c0))

    where ``high`` and ``low`` are the halves of the 64-bit product.  Between two rounds the key
    grows by (0x9E3779B9, 0xBB67AE85), modulo 2**32 each.

    Parameters
    ----------
    counter : uint32[n, 4]
        Word 0 is the least significant one.
    key : uint32[2]
        The key.

    Returns
    -------
    uint32[n, 4]
        The lanes.
    """
    out = np.empty((len(counter), 4), np.uint32)
    for first in range(0, len(counter), _CHUNK):
        part = slice(first, first + _CHUNK)
        c0, c1, c2, c3 = counter[part].T.astype(np.uint64)
        k0, k1 = int(key[0]), int(key[1])
        for _ in range(_ROUNDS):
            product0 = _MULTIPLY_0 * c0
            product2 = _MULTIPLY_2 * c2
            c0 = (product2 >> _HIGH) ^ c1 ^ np.uint64(k0)
            c1 = product2 & _LOW_WORD
            c2 = (product0 >> _HIGH) ^ c3 ^ np.uint64(k1)
            c3 = product0 & _LOW_WORD
            k0 = (k0 + _WEYL_0) & _MASK32
            k1 = (k1 + _WEYL_1) & _MASK32
        for lane, word in enumerate((c0, c1, c2, c3)):
            out[part, lane] = word
    return out


def blocks(seed: int, seed2: int, skip: int, index: npt.NDArray[Any]) -> U32:
    """Return the blocks ``skip + index`` of an op.

    Parameters
    ----------
    seed, seed2
        The op's attributes.
    skip
        A number of blocks, not negative.
    index : integers[n]
        Further numbers of blocks, not negative.

    Returns
    -------
    uint32[n, 4]
        The lanes of each block.
    """
    counter, key = start(seed, seed2)
    base = (counter + skip) % 2**128
    offset = index.astype(np.uint64)
    low = np.uint64(base & _MASK64) + offset
    high = np.uint64(base >> 64) + (low < offset).astype(np.uint64)
    words = (low & _LOW_WORD, low >> _HIGH, high & _LOW_WORD, high >> _HIGH)
    return philox4x32(np.stack(words, 1).astype(np.uint32), key)


def _lanes(seed: int, seed2: int, skip: int, n: int) -> U32:
    """Return the first n lanes of the blocks from skip on, in order."""
    return blocks(seed, seed2, skip, np.arange((n + 3) // 4)).reshape(-1)[:n]


# -------------------------------------------------------------------------------------- uniform


def _unit_f32(lane: U32) -> F32:
    """Map lanes to [0, 1): the low 23 bits are the mantissa of a number in [1, 2), less 1."""
    bits = (lane & np.uint32(0x7FFFFF)) | np.uint32(0x3F800000)
    unit: F32 = bits.view(np.float32) - np.float32(1)
    return unit


def _unit_f64(first: U32, second: U32) -> F64:
    """Map pairs of lanes to [0, 1): a 52-bit mantissa of a number in [1, 2), less 1.

    Its upper 20 bits are the low 20 bits of the first lane, its lower 32 the second lane.
    """
    high = ((first & np.uint32(0xFFFFF)) | np.uint32(0x3FF00000)).astype(np.uint64)
    unit: F64 = ((high << _HIGH) | second).view(np.float64) - 1.0
    return unit


def uniform_f32(seed: int, seed2: int, skip: int, n: int) -> F32:
    """Return n float32 numbers of op RandomUniform, in [0, 1).

    Element ``i`` comes from block ``skip + i // 4``, lane ``i % 4``: the low 23 bits of the lane
    are the mantissa of a float32 in [1, 2), from which 1 is subtracted.  So it is
    ``(lane & 0x7fffff) * 2**-23`` exactly.  (``tf.random_uniform`` then computes
    ``x * (maxval - minval) + minval`` with ordinary ops.)
    """
    return _unit_f32(_lanes(seed, seed2, skip, n))


def uniform_f64(seed: int, seed2: int, skip: int, n: int) -> F64:
    """Return n float64 numbers of op RandomUniform, in [0, 1).

    Element ``i`` comes from block ``skip + i // 2``, lanes ``a = 2 * (i % 2)`` and ``a + 1``: it
    is ``((lane[a] & 0xfffff) * 2**32 + lane[a + 1]) * 2**-52`` exactly.
    """
    lane = _lanes(seed, seed2, skip, 2 * n)
    return _unit_f64(lane[0::2], lane[1::2])


def uniform_f16(seed: int, seed2: int, skip: int, n: int) -> F16:
    """Return n float16 numbers of op RandomUniform, in [0, 1).

    Element ``i`` comes from block ``skip + i // 4``, lane ``i % 4``, and is
    ``(lane & 0x3ff) * 2**-10`` exactly.
    """
    lane = _lanes(seed, seed2, skip, n) & np.uint32(0x3FF)
    unit: F16 = (lane.astype(np.float32) * np.float32(2**-10)).astype(np.float16)
    return unit


def uniform_bf16(seed: int, seed2: int, skip: int, n: int) -> F32:
    """Return n bfloat16 numbers of op RandomUniform, in [0, 1), as float32.

    Element ``i`` comes from block ``skip + i // 4``, lane ``i % 4``, and is
    ``(lane & 0x7f) * 2**-7`` exactly.
    """
    lane = _lanes(seed, seed2, skip, n) & np.uint32(0x7F)
    unit: F32 = lane.astype(np.float32) * np.float32(2**-7)
    return unit


def uniform_int(
    seed: int,
    seed2: int,
    skip: int,
    n: int,
    lo: int,
    hi: int,
    dtype: npt.DTypeLike,
) -> npt.NDArray[Any]:
    """Return n integers of op RandomUniformInt, in [lo, hi).

    The range ``hi - lo`` is an unsigned number as wide as the type.  For int32, element ``i``
    is ``lo + lane % range`` with block ``skip + i // 4``, lane ``i % 4``.  For int64 it is
    ``lo + (lane[a] + lane[a + 1] * 2**32) % range`` with block ``skip + i // 2``,
    ``a = 2 * (i % 2)``.  The remainder is that of unsigned numbers, the sum wraps.

    Parameters
    ----------
    seed, seed2, skip, n
        As everywhere here.
    lo, hi
        The bounds, ``lo < hi`` (not looked at when n is 0).
    dtype
        int32 or int64.

    Returns
    -------
    dtype[n]
        The numbers.

    Raises
    ------
    ValueError
        If ``lo >= hi`` and n is positive.
    TypeError
        If dtype is another type.
    """
    kind = np.dtype(dtype)
    if kind not in (np.dtype(np.int32), np.dtype(np.int64)):
        raise TypeError(f"random integers are int32 or int64, not {kind}")
    if n == 0:
        return np.empty(0, kind)
    if lo >= hi:
        raise ValueError(f"Need minval < maxval, got {lo} >= {hi}")
    if kind.itemsize == 4:
        lane = _lanes(seed, seed2, skip, n)
        low32 = np.uint32(lo & _MASK32)
        narrow: npt.NDArray[np.int32] = (lane % np.uint32(hi - lo) + low32).view(np.int32)
        return narrow
    pair = _lanes(seed, seed2, skip, 2 * n).astype(np.uint64)
    bits = pair[0::2] | (pair[1::2] << _HIGH)
    low64 = np.uint64(lo & _MASK64)
    wide: I64 = (bits % np.uint64(hi - lo) + low64).view(np.int64)
    return wide


# --------------------------------------------------------------------------------------- normal


def _box_muller_f32(lane0: U32, lane1: U32) -> tuple[F32, F32]:
    """Return the two float32 normal numbers of pairs of lanes; `normal_f32` says how."""
    u = np.maximum(_unit_f32(lane0), np.float32(1e-7))
    angle = (2 * np.pi * _unit_f32(lane1).astype(np.float64)).astype(np.float32)
    log = np.log(u.astype(np.float64)).astype(np.float32)
    radius = np.sqrt(np.float32(-2) * log)
    wide = angle.astype(np.float64)
    sin, cos = np.sin(wide).astype(np.float32), np.cos(wide).astype(np.float32)
    return sin * radius, cos * radius


def _box_muller_f64(lane: U32) -> tuple[F64, F64]:
    """Return the two float64 normal numbers of blocks; `normal_f64` says how.

    The functions are taken in long double (80 bits on x86), so that they are rounded correctly
    whatever vector library numpy was built with.
    """
    u = np.maximum(_unit_f64(lane[:, 0], lane[:, 1]), 1e-7)
    angle = (2 * np.pi * _unit_f64(lane[:, 2], lane[:, 3])).astype(np.longdouble)
    radius = np.sqrt(-2.0 * np.log(u.astype(np.longdouble)).astype(np.float64))
    sin, cos = np.sin(angle).astype(np.float64), np.cos(angle).astype(np.float64)
    return sin * radius, cos * radius


def _block_normals_f32(lane: U32) -> F32:
    """Return the four float32 normal numbers of each block, in order."""
    sin, cos = _box_muller_f32(lane[:, 0::2], lane[:, 1::2])
    return np.stack((sin, cos), 2).reshape(-1, 4)


def normal_pairs(lane: U32) -> F64:
    """Return the two float64 normal numbers of each block, in order."""
    return np.stack(_box_muller_f64(lane), 1)


def _round_bf16(x: F32) -> F32:
    """Round to the nearest bfloat16, ties to even."""
    bits = x.view(np.uint32)
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    rounded: F32 = ((bits + np.uint32(0x7FFF) + odd) & np.uint32(0xFFFF0000)).view(np.float32)
    return rounded


def uniform_pairs(lane: U32) -> F64:
    """Return the two float64 uniform numbers of each block, in order."""
    return np.stack([_unit_f64(lane[:, i], lane[:, i + 1]) for i in (0, 2)], 1)


def normal_f32(seed: int, seed2: int, skip: int, n: int) -> F32:
    """Return n float32 numbers of op RandomStandardNormal.

    Elements ``i`` and ``i + 1``, i even, come from block ``skip + i // 4``: let ``x0, x1`` be
    lanes ``i % 4`` and ``i % 4 + 1`` (so lanes 0, 1 or lanes 2, 3), and U the map of
    `uniform_f32`.  All values are float32 but where said otherwise::

        u      = max(U(x0), 1e-7f)
        angle  = float32(2 * pi * float64(U(x1)))    # the product in float64, rounded once
        radius = sqrt(-2 * log(u))                   # log rounded to float32, then sqrt
        element i     = sin(angle) * radius
        element i + 1 = cos(angle) * radius

    If n is odd the last cosine is dropped.  Here log, sin and cos are taken in float64 and
    rounded to float32, so they are rounded correctly.  TensorFlow takes the C library's ``logf``
    and ``sincosf``; with those of glibc 2.36 the steps above give its numbers bit for bit, and
    with the correctly rounded ones 1.5 % of a million numbers differ, 8 by three ulps, the others
    by one or two.
    """
    lane = blocks(seed, seed2, skip, np.arange((n + 3) // 4))
    return _block_normals_f32(lane).reshape(-1)[:n]


def normal_f64(seed: int, seed2: int, skip: int, n: int) -> F64:
    """Return n float64 numbers of op RandomStandardNormal.

    Elements ``i`` and ``i + 1``, i even, come from block ``skip + i // 2``, all four lanes, with
    U the map of `uniform_f64`, all in float64::

        u      = max(U(lane[0], lane[1]), 1e-7)
        angle  = 2 * pi * U(lane[2], lane[3])        # 2 * pi is one constant
        radius = sqrt(-2 * log(u))
        element i     = sin(angle) * radius
        element i + 1 = cos(angle) * radius

    Mind the numbers: a block gives *two* elements, so elements 0 and 1 share block ``skip``,
    elements 2 and 3 share block ``skip + 1``.  If n is odd the last cosine is dropped.
    """
    lane = blocks(seed, seed2, skip, np.arange((n + 1) // 2))
    return normal_pairs(lane).reshape(-1)[:n]


def normal_f16(seed: int, seed2: int, skip: int, n: int) -> F16:
    """Return n float16 numbers of op RandomStandardNormal: `normal_f32`, rounded."""
    return normal_f32(seed, seed2, skip, n).astype(np.float16)


def normal_bf16(seed: int, seed2: int, skip: int, n: int) -> F32:
    """Return n bfloat16 numbers (as float32) of RandomStandardNormal: `normal_f32`, rounded."""
    return _round_bf16(normal_f32(seed, seed2, skip, n))


def _truncated(
    kind: Literal["f32", "f64"], seed: int, seed2: int, skip: int, n: int
) -> npt.NDArray[Any]:
    """Return n truncated normal numbers; `truncated_normal_f32` says how."""
    group = 4 if kind == "f32" else 2
    out: npt.NDArray[Any] = np.zeros(((n + group - 1) // group, group), f"f{16 // group}")
    filled = np.zeros(len(out), np.int64)
    open_groups = np.arange(len(out))
    stride = BLOCKS_PER_OUTPUT * group // 4
    block = 0
    while len(open_groups):
        lane = blocks(seed, seed2, skip, open_groups * stride + block)
        value: npt.NDArray[Any]
        value = _block_normals_f32(lane) if kind == "f32" else normal_pairs(lane)
        accepted = np.abs(value) < 2
        place = filled[open_groups, None] + np.cumsum(accepted, 1) - 1
        row, column = np.nonzero(accepted & (place < group))
        out[open_groups[row], place[row, column]] = value[row, column]
        filled[open_groups] += accepted.sum(1)
        open_groups = open_groups[filled[open_groups] < group]
        block += 1
    return out.reshape(-1)[:n]


def truncated_normal_f32(seed: int, seed2: int, skip: int, n: int) -> F32:
    """Return n float32 numbers of op TruncatedNormal: normal numbers of magnitude below 2.

    Output elements form groups of four: group ``g`` is elements ``4 * g`` to ``4 * g + 3``.  Each
    group has 256 blocks to itself, from block ``skip + 256 * g`` on, and is filled thus: take its
    blocks in order; a block gives four candidates, the numbers of `normal_f32` (sine and cosine of
    lanes 0, 1, then sine and cosine of lanes 2, 3); each candidate with ``abs(x) < 2`` becomes
    the group's next element; stop at four.  A last, partial group is filled in the same way and
    its excess dropped.  (Most groups need one or two blocks.)
    """
    return _truncated("f32", seed, seed2, skip, n)


def truncated_normal_f64(seed: int, seed2: int, skip: int, n: int) -> F64:
    """Return n float64 numbers of op TruncatedNormal: normal numbers of magnitude below 2.

    As `truncated_normal_f32`, but a group is two elements and has 128 blocks, from block
    ``skip + 128 * g`` on; a block gives two candidates, the numbers of `normal_f64`.
    """
    return _truncated("f64", seed, seed2, skip, n)


def truncated_normal_f16(seed: int, seed2: int, skip: int, n: int) -> F16:
    """Return n float16 numbers of TruncatedNormal: `truncated_normal_f32`, rounded afterwards."""
    return truncated_normal_f32(seed, seed2, skip, n).astype(np.float16)


def truncated_normal_bf16(seed: int, seed2: int, skip: int, n: int) -> F32:
    """Return n bfloat16 numbers (as float32) of TruncatedNormal: the float32 ones, rounded."""
    return _round_bf16(truncated_normal_f32(seed, seed2, skip, n))


# ---------------------------------------------------------------------- shuffles and categories


def shuffle_permutation(seed: int, seed2: int, skip: int, n: int) -> I64:
    """Return the permutation of op RandomShuffle: row ``i`` of the output is input row ``p[i]``.

    It is a Fisher-Yates shuffle from the front.  From ``p = [0, 1, ..., n - 1]``, for each step
    ``i`` from 0 to n - 2 in order, swap ``p[i]`` and ``p[i + lane % (n - i)]``, where the lane is
    ``i % 4`` of block ``skip + i // 4``.  With n of 0 or 1 nothing is drawn.
    """
    permutation = list(range(n))
    steps = max(n - 1, 0)
    left = np.arange(n, n - steps, -1, dtype=np.uint32)
    ahead = (_lanes(seed, seed2, skip, steps) % left).tolist()
    for i, step in enumerate(ahead):
        j = i + step
        permutation[i], permutation[j] = permutation[j], permutation[i]
    return np.array(permutation, np.int64)


def multinomial(
    seed: int, seed2: int, skip: int, logits: npt.NDArray[Any], num_samples: int
) -> I64:
    """Return samples of op Multinomial: for each row of logits, class numbers.

    Sample ``j`` of row ``b`` uses the float64 uniform number ``u`` of flat index
    ``i = b * num_samples + j`` (see `uniform_f64`: block ``skip + i // 2``, lanes
    ``2 * (i % 2)`` and the next).  The row's running sums, in float64 and from class 0 on, are
    those of ``exp(logit - max)`` with logits that are not finite left out of the maximum and of
    the sums; the sample is the number of running sums that are ``<= u * total``.

    TensorFlow cuts large batches into pieces for its threads, and each piece after the first
    starts at block ``skip + row * (num_samples + 3) // 4`` instead (its sample 0 takes lanes 0
    and 1 of that), so its samples depend on the number of threads.  This function gives those of
    one piece, which is what TensorFlow gives in a process with one intra-op thread, and for small
    batches (``batch * 50 * (num_samples * log2(classes) + classes)`` below about 2e5) with any
    number.

    Parameters
    ----------
    seed, seed2, skip
        As everywhere here.
    logits : float16, float32 or float64 [batch, classes]
        Unnormalised logarithms of probabilities.
    num_samples
        How many samples to take for each row.

    Returns
    -------
    int64[batch, num_samples]
        The classes.  A row with no finite logit gives ``classes``, as in TensorFlow.
    """
    batch, classes = logits.shape
    if classes == 0:
        raise ValueError(f"num_classes should be positive, got {classes}")
    u = uniform_f64(seed, seed2, skip, batch * num_samples).reshape(batch, num_samples)
    finite = np.isfinite(logits)
    wide = np.where(finite, logits, -np.inf).astype(np.float64)
    top = np.where(finite.any(1), wide.max(1), 0.0)
    running = np.cumsum(np.exp(wide - top[:, None]), 1)
    out = np.empty((batch, num_samples), np.int64)
    for row in range(batch):
        out[row] = np.searchsorted(running[row], u[row] * running[row, -1], side="right")
    return out
