"""Hashes of byte strings, with TensorFlow's numbers: farmhash, MurmurHash, SipHash."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["farm64", "farm64_of", "murmur64", "murmur64_of", "sip24", "sip24_of"]

Array = np.ndarray[Any, Any]

_MASK = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


class _One:
    """A string as the hashes read it; `n` is its length."""

    def __init__(self, s: bytes) -> None:
        self.s, self.n = s, len(s)

    def word(self, at: Any) -> Any:
        return int.from_bytes(self.s[at : at + 8], "little")

    def half(self, at: Any) -> Any:
        return int.from_bytes(self.s[at : at + 4], "little")

    def byte(self, at: Any) -> Any:
        return self.s[at]


class _Many:
    """Strings that lie in one array, read alike: numbers are arrays of 64 bits that wrap."""

    def __init__(self, data: Array, starts: Array, n: Array) -> None:
        self.data, self.starts, self.n = data, starts, n.astype(np.uint64)

    def _read(self, at: Any, kind: str) -> Array:
        size = np.dtype(kind).itemsize
        shape = (len(self.data) - size + 1,)
        each: Array = np.ndarray(shape, kind, self.data, strides=(1,))
        found: Array = each[self.starts + np.asarray(at).astype(np.int64)]
        return found.astype(np.uint64)

    def word(self, at: Any) -> Any:
        return self._read(at, "<u8")

    def half(self, at: Any) -> Any:
        return self._read(at, "<u4")

    def byte(self, at: Any) -> Any:
        return self._read(at, "u1")


def _right(x: Any, n: int) -> Any:
    x = x & _MASK
    return (x >> n) | (x << (64 - n)) & _MASK


def _mix(x: Any) -> Any:
    x = x & _MASK
    return x ^ (x >> 47)


def _pair(u: Any, v: Any, mul: Any) -> Any:
    a = _mix(((u ^ v) & _MASK) * mul)
    return _mix(((v & _MASK) ^ a) * mul) * mul & _MASK


def _to3(s: Any) -> Any:
    y, z = s.byte(0) + (s.byte(s.n >> 1) << 8), s.n + (s.byte(s.n - 1) << 2)
    return _mix(y * _K2 ^ z * _K0) * _K2 & _MASK


def _to7(s: Any) -> Any:
    return _pair(s.n + (s.half(0) << 3), s.half(s.n - 4), _K2 + s.n * 2)


def _to16(s: Any) -> Any:
    mul = _K2 + s.n * 2
    a, b = s.word(0) + _K2, s.word(s.n - 8)
    return _pair(_right(b, 37) * mul + a, (_right(a, 25) + b) * mul, mul)


def _ends(s: Any, mul: Any, factor: int) -> tuple[Any, Any, Any]:
    """What is common to strings of 17 to 64 bytes: the first word times `factor`, and two sums."""
    a, b = s.word(0) * factor & _MASK, s.word(8)
    c, d = s.word(s.n - 8) * mul & _MASK, s.word(s.n - 16) * _K2
    return a, _right(a + b, 43) + _right(c, 30) + d, a + _right(b + _K2, 18) + c


def _to32(s: Any) -> Any:
    mul = _K2 + s.n * 2
    _, y, x = _ends(s, mul, _K1)
    return _pair(y, x, mul)


def _to64(s: Any) -> Any:
    mul = _K2 + s.n * 2
    a, y, x = _ends(s, mul, _K2)
    z = _pair(y, x, mul)
    e, f = s.word(16) * mul & _MASK, s.word(24)
    g, h = (y + s.word(s.n - 32)) * mul & _MASK, (z + s.word(s.n - 24)) * mul
    return _pair(_right(e + f, 43) + _right(g, 30) + h, e + _right(f + a, 18) + g, mul)


#: The forms of the hash, by the greatest length each is for.
_FORMS = ((3, _to3), (7, _to7), (16, _to16), (32, _to32), (64, _to64))


def _joined(strings: Sequence[bytes]) -> tuple[Array, Array, Array]:
    """The bytes of all strings and eight more, where each begins, and lengths."""
    n = np.fromiter(map(len, strings), np.int64, len(strings))
    return np.frombuffer(b"".join(strings) + bytes(8), np.uint8), np.cumsum(n) - n, n


def farm64_of(strings: Sequence[bytes]) -> Array:
    """`farm64` of each string."""
    data, starts, n = _joined(strings)
    out = np.full(len(n), _K2, np.uint64)  # of an empty string
    low = 0
    for high, form in _FORMS:
        at = np.flatnonzero((low < n) & (n <= high))
        if at.size:
            out[at] = form(_Many(data, starts[at], n[at]))
        low = high
    for i in np.flatnonzero(n > low).tolist():
        out[i] = farm64(strings[i])
    return out


def _word(s: bytes, at: int) -> int:
    return int.from_bytes(s[at : at + 8], "little")


def _weak(s: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = (_word(s, at + 8 * i) for i in range(4))
    a += w
    b = _right(b + a + z, 21)
    c = a
    a += x + y
    b += _right(a, 44)
    return (a + z) & _MASK, (b + c) & _MASK


def farm64(s: bytes) -> int:
    """Farmhash's 64-bit fingerprint (Google, MIT licence; the form for any CPU)."""
    n = len(s)
    if not n:
        return _K2
    for high, form in _FORMS:
        if n <= high:
            return int(form(_One(s)))
    x, y = 81, (81 * _K1 + 113) & _MASK
    z = _mix(y * _K2 + 113) * _K2 & _MASK
    v, w = (0, 0), (0, 0)
    x = (x * _K2 + _word(s, 0)) & _MASK
    last = (n - 1) // 64 * 64
    for at in range(0, last, 64):
        x, y, z, v, w = _block(s, at, x, y, z, v, w, _K1, 1)
    mul = _K1 + ((z & 0xFF) << 1)
    w = (w[0] + ((n - 1) & 63), w[1])
    v = (v[0] + w[0], v[1])
    w = (w[0] + v[0], w[1])
    x, y, z, v, w = _block(s, n - 64, x, y, z, v, w, mul, 9)
    ends = _pair(v[0], w[0], mul) + _mix(y) * _K0 + z, _pair(v[1], w[1], mul) + x
    return int(_pair(*ends, mul))


def _block(
    s: bytes, at: int, x: int, y: int, z: int, v: tuple[int, int], w: tuple[int, int], mul: int,
    times: int,
) -> tuple[int, int, int, tuple[int, int], tuple[int, int]]:  # fmt: skip
    x = _right(x + y + v[0] + _word(s, at + 8), 37) * mul & _MASK
    y = _right(y + v[1] + _word(s, at + 48), 42) * mul & _MASK
    x = (x ^ (w[1] * times)) & _MASK
    y = (y + v[0] * times + _word(s, at + 40)) & _MASK
    z = _right(z + w[0], 33) * mul & _MASK
    v = _weak(s, at, v[1] * mul, x + w[0])
    w = _weak(s, at + 32, z + w[1], y + _word(s, at + 16))
    return z, y, x, v, w


#: What crosses of features are hashed with, where nobody says otherwise.
SPARSE_FEATURE_CROSS_DEFAULT_HASH_KEY = 0xDECAFCAFFE


def murmur64(s: bytes, seed: int = SPARSE_FEATURE_CROSS_DEFAULT_HASH_KEY) -> int:
    """MurmurHash64A (public domain), with the seed of TensorFlow's older bucket op."""
    m = 0xC6A4A7935BD1E995
    h = seed ^ (len(s) * m & _MASK)
    end = len(s) // 8 * 8
    for at in range(0, end, 8):
        k = _mix(_word(s, at) * m) * m & _MASK
        h = (h ^ k) * m & _MASK
    if end < len(s):
        h = (h ^ int.from_bytes(s[end:], "little")) * m & _MASK
    return int(_mix(_mix(h) * m))


#: Strings beyond are hashed one by one: else all would go through as many steps as the longest.
_LONG = 256


def _by_words(
    strings: Sequence[bytes], one: Callable[[bytes], int],
    begin: Callable[[Array], Any], step: Callable[[Any, Array], Any],
    end: Callable[[Any, Array, Array], Array],
) -> Array:  # fmt: skip
    """A hash that reads words of eight bytes in order, of many strings at once.

    `begin` makes the state (rows of numbers) of lengths, `step` the next of a whole word, `end` the
    hash of the state, the bytes that are left (as a word) and lengths.
    """
    data, starts, n = _joined(strings)
    order = np.argsort(-n, kind="stable")  # those that still have words come first
    order = order[n[order] <= _LONG]
    m = n[order]
    words = m // 8
    state = begin(m.astype(np.uint64))
    read = _Many(data, starts[order], m)
    for at in range(int(words[0]) if words.size else 0):
        more = int(np.count_nonzero(words > at))
        read.starts = starts[order[:more]]
        state[:, :more] = step(state[:, :more], read.word(8 * at))
    read.starts = starts[order]
    left = (m % 8).astype(np.uint64) * 8
    # a shift by 64 is none: where nothing is left the word is 0
    kept = np.where(left > 0, _ALL >> (np.uint64(64) - left & np.uint64(63)), np.uint64(0))
    out = np.empty(len(n), np.uint64)
    out[order] = end(state, read.word(words * 8) & kept, m.astype(np.uint64))
    for i in np.flatnonzero(n > _LONG).tolist():
        out[i] = one(strings[i])
    return out


_ALL = np.uint64(_MASK)
_M = 0xC6A4A7935BD1E995


def murmur64_of(strings: Sequence[bytes]) -> Array:
    """`murmur64` of each string."""

    def begin(n: Array) -> Array:
        return (SPARSE_FEATURE_CROSS_DEFAULT_HASH_KEY ^ n * _M)[None]

    def step(h: Array, word: Array) -> Array:
        k: Array = _mix(word * _M) * _M
        return (h ^ k) * _M

    def end(h: Array, left: Array, n: Array) -> Array:
        h = np.where(n % 8 > 0, (h[0] ^ left) * _M, h[0])
        return _mix(_mix(h) * _M)  # type: ignore[no-any-return]

    return _by_words(strings, murmur64, begin, step, end)


def sip24_of(strings: Sequence[bytes], key: tuple[int, int]) -> Array:
    """`sip24` of each string."""

    def step(v: Any, word: Array) -> Any:
        v = [*v[:3], v[3] ^ word]
        _rounds(v, 2)
        return v[0] ^ word, *v[1:]

    def end(v: Any, left: Array, n: Array) -> Array:
        v = [*v]
        word = left | (n & 0xFF) << 56
        v[3] = v[3] ^ word
        _rounds(v, 2)
        v[0] = v[0] ^ word
        v[2] = v[2] ^ 0xFF
        _rounds(v, 4)
        return v[0] ^ v[1] ^ v[2] ^ v[3]  # type: ignore[no-any-return]

    def begin(n: Array) -> Array:
        return np.array(_keyed(key), np.uint64)[:, None].repeat(len(n), 1)

    return _by_words(strings, lambda s: sip24(s, key), begin, step, end)


def _keyed(key: tuple[int, int]) -> list[int]:
    return [key[0] ^ 0x736F6D6570736575, key[1] ^ 0x646F72616E646F6D,
            key[0] ^ 0x6C7967656E657261, key[1] ^ 0x7465646279746573]  # fmt: skip


def sip24(s: bytes, key: tuple[int, int]) -> int:
    """SipHash-2-4 (Aumasson and Bernstein)."""
    v = _keyed(key)
    end = len(s) // 8 * 8
    words = [_word(s, at) for at in range(0, end, 8)]
    words.append(int.from_bytes(s[end:], "little") | (len(s) & 0xFF) << 56)
    for word in words:
        v[3] ^= word
        _rounds(v, 2)
        v[0] ^= word
    v[2] ^= 0xFF
    _rounds(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _rounds(v: list[int], n: int) -> None:
    a, b, c, d = v
    for _ in range(n):
        a = (a + b) & _MASK
        c = (c + d) & _MASK
        b = _right(b, 51) ^ a
        d = _right(d, 48) ^ c
        a = _right(a, 32)
        c = (c + b) & _MASK
        a = (a + d) & _MASK
        b = _right(b, 47) ^ c
        d = _right(d, 43) ^ a
        c = _right(c, 32)
    v[:] = a, b, c, d
