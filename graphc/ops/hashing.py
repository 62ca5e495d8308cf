"""Hashes of byte strings, with TensorFlow's numbers: farmhash, MurmurHash, SipHash."""

from __future__ import annotations

__all__ = ["farm64", "murmur64", "sip24"]

_MASK = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def _word(s: bytes, at: int) -> int:
    return int.from_bytes(s[at : at + 8], "little")


def _right(x: int, n: int) -> int:
    x &= _MASK
    return (x >> n) | (x << (64 - n)) & _MASK


def _mix(x: int) -> int:
    x &= _MASK
    return x ^ (x >> 47)


def _pair(u: int, v: int, mul: int) -> int:
    a = _mix(((u ^ v) & _MASK) * mul)
    return _mix(((v & _MASK) ^ a) * mul) * mul & _MASK


def _to16(s: bytes) -> int:
    n = len(s)
    mul = _K2 + n * 2
    if n >= 8:
        a, b = _word(s, 0) + _K2, _word(s, n - 8)
        return _pair(_right(b, 37) * mul + a, (_right(a, 25) + b) * mul, mul)
    if n >= 4:
        a, b = int.from_bytes(s[:4], "little"), int.from_bytes(s[-4:], "little")
        return _pair(n + (a << 3), b, mul)
    if n:
        y, z = s[0] + (s[n >> 1] << 8), n + (s[-1] << 2)
        return _mix(y * _K2 ^ z * _K0) * _K2 & _MASK
    return _K2


def _ends(s: bytes, mul: int, factor: int) -> tuple[int, int, int]:
    """What is common to strings of 17 to 64 bytes: the first word times `factor`, and two sums."""
    n = len(s)
    a, b = _word(s, 0) * factor & _MASK, _word(s, 8)
    c, d = _word(s, n - 8) * mul & _MASK, _word(s, n - 16) * _K2
    return a, _right(a + b, 43) + _right(c, 30) + d, a + _right(b + _K2, 18) + c


def _to64(s: bytes) -> int:
    n = len(s)
    mul = _K2 + n * 2
    a, y, x = _ends(s, mul, _K2)
    z = _pair(y, x, mul)
    e, f = _word(s, 16) * mul & _MASK, _word(s, 24)
    g, h = (y + _word(s, n - 32)) * mul & _MASK, (z + _word(s, n - 24)) * mul
    return _pair(_right(e + f, 43) + _right(g, 30) + h, e + _right(f + a, 18) + g, mul)


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
    if n <= 16:
        return _to16(s)
    if n <= 32:
        mul = _K2 + n * 2
        _, y, x = _ends(s, mul, _K1)
        return _pair(y, x, mul)
    if n <= 64:
        return _to64(s)
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
    return _pair(_pair(v[0], w[0], mul) + _mix(y) * _K0 + z, _pair(v[1], w[1], mul) + x, mul)


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
    return _mix(_mix(h) * m)


def sip24(s: bytes, key: tuple[int, int]) -> int:
    """SipHash-2-4 (Aumasson and Bernstein)."""
    v = [key[0] ^ 0x736F6D6570736575, key[1] ^ 0x646F72616E646F6D,
         key[0] ^ 0x6C7967656E657261, key[1] ^ 0x7465646279746573]  # fmt: skip
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
