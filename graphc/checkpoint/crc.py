"""CRC-32C (Castagnoli) over buffers of any size, with numpy; and TensorFlow's masked form of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

__all__ = ["crc32c", "masked", "masked_crc32c", "masked_crcs", "unmask"]

U32 = np.ndarray[Any, np.dtype[np.uint32]]

_POLYNOMIAL = 0x82F63B78
#: Bytes of one lane, for little data and for much; and how much is worked on at once.
_LANE, _LONG = 64, 1024
_MUCH, _BLOCK = 1 << 18, 1 << 22
#: Below this many bytes a loop over bytes is quicker than lanes.
_SMALL = 2048


@cache
def _bytes_table() -> tuple[int, ...]:
    """What each byte does to a register that holds nothing else."""
    out = []
    for n in range(256):
        for _ in range(8):
            n = (n >> 1) ^ (_POLYNOMIAL if n & 1 else 0)
        out.append(n)
    return tuple(out)


def _plain(data: bytes, register: int) -> int:
    table = _bytes_table()
    for b in data:
        register = table[(register ^ b) & 0xFF] ^ (register >> 8)
    return register


@cache
def _halves() -> tuple[U32, U32]:
    """Four zero bytes pushed through a register: tables for its low and its high half."""
    table = np.array(_bytes_table(), np.uint32)
    half = np.arange(1 << 16, dtype=np.uint32)

    def push(a: U32) -> U32:
        for _ in range(4):
            a = table[a & np.uint32(0xFF)] ^ (a >> np.uint32(8))
        return a

    return push(half), push(half << np.uint32(16))


@cache
def _shift(level: int) -> U32:
    """Tables that push ``_LANE << level`` zero bytes through, for each byte of a register."""
    bits: U32 = np.uint32(1) << np.arange(32, dtype=np.uint32)
    if level:
        images = _push(_shift(level - 1), _push(_shift(level - 1), bits))
    else:
        low, high = _halves()
        images = bits
        for _ in range(_LANE // 4):
            images = low[images & np.uint32(0xFFFF)] ^ high[images >> np.uint32(16)]
    tables: U32 = np.zeros((4, 256), np.uint32)
    byte = np.arange(256, dtype=np.uint32)
    for i in range(32):  # pushing is linear: the image of a byte is that of its bits
        tables[i // 8] ^= images[i] * ((byte >> np.uint32(i % 8)) & np.uint32(1))
    return tables


def _push(tables: U32, registers: U32) -> U32:
    out: U32 = tables[0][registers & np.uint32(0xFF)]
    for i in (1, 2, 3):
        out ^= tables[i][(registers >> np.uint32(8 * i)) & np.uint32(0xFF)]
    return out


def _registers(block: U32, lane: int, register: int = 0) -> U32:
    """The register after each lane of `block`; `register` goes into the first word of the first."""
    low, high = _halves()
    words = np.ascontiguousarray(block.reshape(-1, lane // 4).T)
    words[0, 0] ^= np.uint32(register)
    state = np.zeros(words.shape[1], np.uint32)
    for w in words:
        state ^= w
        state = low[state & np.uint32(0xFFFF)] ^ high[state >> np.uint32(16)]
    return state


def _lanes(block: U32, register: int, lane: int) -> int:
    """The register after `block`, whole lanes; what was in it goes into the first word."""
    state = _registers(block, lane, register)
    level = (lane // _LANE).bit_length() - 1
    while len(state) > 1:
        if len(state) % 2:  # zeros before the data change nothing
            state = np.concatenate([np.zeros(1, np.uint32), state])
        state = _push(_shift(level), state[0::2]) ^ state[1::2]
        level += 1
    return int(state[0])


def crc32c(data: Any, crc: int = 0) -> int:
    """The CRC-32C of a bytes-like object, going on from `crc`, that of what came before.

    Examples
    --------
    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    view = memoryview(data).cast("B")
    register = crc ^ 0xFFFFFFFF
    n = len(view)
    if n >= _SMALL:
        lane = _LONG if n >= _MUCH else _LANE
        whole = n - n % lane
        block = np.frombuffer(view[:whole], np.dtype("<u4"))
        for i in range(0, len(block), _BLOCK // 4):
            part = block[i : i + _BLOCK // 4].astype(np.uint32, copy=False)
            register = _lanes(part, register, lane)
        view = view[whole:]
    return _plain(bytes(view), register) ^ 0xFFFFFFFF


def masked(c: int) -> int:
    """A CRC as it is stored: turned and shifted, so that a CRC of CRCs is no accident."""
    return (((c >> 15) | (c << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def masked_crc32c(data: Any, crc: int = 0) -> int:
    """The CRC of some bytes as it is stored."""
    return masked(crc32c(data, crc))


def masked_crcs(parts: Sequence[bytes]) -> list[int]:
    """`masked_crc32c` of each of many short strings of bytes: the lanes of all are one array."""
    sizes = np.array([len(p) for p in parts])
    if len(parts) < 2 or sizes.min() < 4:
        return [masked_crc32c(p) for p in parts]
    counts = -(-sizes // _LANE)
    ends = np.cumsum(counts)
    # zeros before the data change nothing; what is in the register goes into the first word
    pads = [bytes(n) for n in (counts * _LANE - sizes).tolist()]
    data = np.frombuffer(bytearray().join([x for pair in zip(pads, parts, strict=True)
                                           for x in pair]), np.uint8)  # fmt: skip
    data[(ends * _LANE - sizes)[:, None] + np.arange(4)] ^= 0xFF
    lanes = _registers(data.view("<u4").astype(np.uint32, copy=False), _LANE)
    out = np.empty(len(parts), np.uint32)
    widths = np.maximum(2 ** np.ceil(np.log2(counts)).astype(int), 1)
    for width in np.unique(widths).tolist():
        rows = np.flatnonzero(widths == width)
        state = np.zeros((len(rows), width), np.uint32)
        at = np.arange(width) - width  # from the end of each
        inside = -at <= counts[rows, None]
        state[inside] = lanes[(ends[rows, None] + at)[inside]]
        level = 0
        while state.shape[1] > 1:
            state = _push(_shift(level), state[:, 0::2]) ^ state[:, 1::2]
            level += 1
        out[rows] = state[:, 0]
    return [masked(c ^ 0xFFFFFFFF) for c in out.tolist()]


def unmask(stored: int) -> int:
    """The CRC behind its stored form."""
    c = (stored - 0xA282EAD8) & 0xFFFFFFFF
    return ((c >> 17) | (c << 15)) & 0xFFFFFFFF
