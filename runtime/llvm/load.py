"""Objects to running code without LLVM: link once at compile time, map at load time.

`flatten` turns an x86-64 ELF object into one position-independent block (code, constants,
stubs and a table of addresses of C functions). Loading is then a copy, one store for each C
function used, and a change of page rights: some microseconds, and no import of llvmlite, so a
process whose kernels are all on disk starts without LLVM. What `flatten` does not
know it leaves to LLVM's own linker (`jit` does so, and on every other platform).
"""

from __future__ import annotations

import ctypes
import mmap
import struct
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ["Flat", "Image", "Unsupported", "flatten", "supported"]

_SHF_WRITE, _SHF_ALLOC, _SHF_EXEC, _SHF_TLS = 0x1, 0x2, 0x4, 0x400
_SHT_PROGBITS, _SHT_SYMTAB, _SHT_RELA, _SHT_NOBITS = 1, 2, 4, 8
_R_64, _R_PC32, _R_PLT32, _R_GOTPCREL, _R_PC64, _R_GOTPCRELX, _R_REX_GOTPCRELX = (
    1, 2, 4, 9, 24, 41, 42,
)  # fmt: skip
_STUB = 8


class Unsupported(Exception):
    """An object with something the flat form does not hold."""


class Flat:
    """A linked block.

    Attributes
    ----------
    code : bytes
    entries : dict of str to int
        Offsets of the functions.
    slots : list of (int, str)
        Eight-byte places that receive addresses: of the C function named, or, where the text
        is ``+n``, of byte n of the block itself.
    """

    __slots__ = ("code", "entries", "slots")

    def __init__(self, code: bytes) -> None:
        self.code = code
        self.entries: dict[str, int] = {}
        self.slots: list[tuple[int, str]] = []

    def dump(self) -> bytes:
        """The block as bytes for the cache."""
        head = [f"E {at} {name}" for name, at in self.entries.items()]
        head += [f"S {at} {name}" for at, name in self.slots]
        text = "\n".join(head).encode()
        return struct.pack("<II", len(text), len(self.code)) + text + self.code

    @classmethod
    def parse(cls, body: bytes) -> Flat:
        """What `dump` wrote; raises ValueError on anything else."""
        if len(body) < 8:
            raise ValueError("short block")
        n, size = struct.unpack_from("<II", body)
        if len(body) != 8 + n + size:
            raise ValueError("wrong size of block")
        flat = cls(body[8 + n :])
        for line in body[8 : 8 + n].decode().split("\n"):
            kind, at, name = line.split(" ", 2)
            if not 0 <= int(at) < size or kind not in "ES":
                raise ValueError("bad table of block")
            if kind == "E":
                flat.entries[name] = int(at)
            elif int(at) % 8 or int(at) + 8 > size:
                raise ValueError("bad slot of block")
            else:
                flat.slots.append((int(at), name))
        return flat


class _Section(NamedTuple):
    name: str
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    align: int


class _Symbol(NamedTuple):
    name: str
    info: int
    section: int
    value: int


def _sections(obj: bytes) -> list[_Section]:
    if obj[:7] != b"\x7fELF\x02\x01\x01" or struct.unpack_from("<H", obj, 18)[0] != 62:
        raise Unsupported("not an x86-64 ELF object")
    (shoff,) = struct.unpack_from("<Q", obj, 40)
    entsize, count, names = struct.unpack_from("<HHH", obj, 58)
    if entsize != 64 or count == 0:
        raise Unsupported("section table")
    rows = [struct.unpack_from("<IIQQQQIIQQ", obj, shoff + 64 * k) for k in range(count)]
    base = rows[names][4]
    return [
        _Section(_text(obj, base + r[0]), r[1], r[2], r[4], r[5], r[6], r[7], max(1, r[8]))
        for r in rows
    ]


def _symbols(obj: bytes, sections: Sequence[_Section]) -> list[_Symbol]:
    out: list[_Symbol] = []
    for s in sections:
        if s.kind == _SHT_SYMTAB:
            base = sections[s.link].offset
            for at in range(s.offset, s.offset + s.size, 24):
                name, info, _, shndx, value, _ = struct.unpack_from("<IBBHQQ", obj, at)
                out.append(_Symbol(_text(obj, base + name), info, shndx, value))
    return out


def _text(obj: bytes, at: int) -> str:
    return obj[at : obj.index(b"\0", at)].decode("utf-8", "replace")


def flatten(obj: bytes) -> Flat:
    """Link an object into one block; raises `Unsupported` for what that cannot hold."""
    sections = _sections(obj)
    symbols = _symbols(obj, sections)
    place, code = _lay_out(obj, sections)
    flat = Flat(b"")
    link = _Linker(obj, code, place, symbols, flat)
    for s in sections:
        if s.kind == _SHT_RELA and s.info in place:
            for at in range(s.offset, s.offset + s.size, 24):
                link.relocate(s.info, *struct.unpack_from("<QQq", obj, at))
        elif s.kind not in (_SHT_RELA,) and s.flags & _SHF_TLS:
            raise Unsupported("thread-local data")
    for y in symbols:
        if y.section in place and y.info & 15 == 2 and y.info >> 4 in (1, 2):
            flat.entries[y.name] = place[y.section] + y.value
    flat.code = bytes(code)
    return flat


def _lay_out(obj: bytes, sections: Sequence[_Section]) -> tuple[dict[int, int], bytearray]:
    place: dict[int, int] = {}
    code = bytearray()
    keep = [
        (not s.flags & _SHF_EXEC, k)
        for k, s in enumerate(sections)
        if s.flags & _SHF_ALLOC and s.size and s.name != ".eh_frame"
    ]
    for _, k in sorted(keep):
        s = sections[k]
        if s.flags & _SHF_WRITE or s.kind != _SHT_PROGBITS or s.align > 4096:
            raise Unsupported(f"section {s.name}")
        code += bytes(-len(code) % s.align)
        place[k] = len(code)
        code += obj[s.offset : s.offset + s.size]
    return place, code


class _Linker:
    """Applies relocations; makes stubs and address slots as they are asked for."""

    def __init__(
        self,
        obj: bytes,
        code: bytearray,
        place: Mapping[int, int],
        symbols: Sequence[_Symbol],
        flat: Flat,
    ) -> None:
        self.obj, self.code, self.place, self.symbols, self.flat = obj, code, place, symbols, flat
        self.slots: dict[str, int] = {}
        self.stubs: dict[str, int] = {}

    def relocate(self, section: int, offset: int, info: int, addend: int) -> None:
        symbol, kind = self.symbols[info >> 32], info & 0xFFFFFFFF
        at = self.place[section] + offset
        if kind in (_R_GOTPCREL, _R_GOTPCRELX, _R_REX_GOTPCRELX):
            target = self.slot(self.local(symbol))
        elif kind == _R_PLT32 and symbol.section == 0:
            target = self.stub(symbol.name)
        elif kind in (_R_PC32, _R_PLT32, _R_PC64) and symbol.section in self.place:
            target = self.place[symbol.section] + symbol.value
        else:
            raise Unsupported(f"relocation {kind} of {symbol.name or 'a section'}")
        struct.pack_into("<q" if kind == _R_PC64 else "<i", self.code, at, target + addend - at)

    def local(self, symbol: _Symbol) -> str:
        if symbol.section in self.place:
            return f"+{self.place[symbol.section] + symbol.value}"
        if symbol.section != 0 or not symbol.name:
            raise Unsupported(f"address of {symbol.name or 'a section'}")
        return symbol.name

    def slot(self, name: str) -> int:
        if name not in self.slots:
            self.code += bytes(-len(self.code) % 8)
            self.slots[name] = len(self.code)
            self.flat.slots.append((len(self.code), name))
            self.code += bytes(8)
        return self.slots[name]

    def stub(self, name: str) -> int:
        if name not in self.stubs:
            slot = self.slot(name)
            self.code += bytes(-len(self.code) % _STUB)
            at = self.stubs[name] = len(self.code)
            self.code += b"\xff\x25" + struct.pack("<i", slot - (at + 6)) + b"\xcc\xcc"
        return self.stubs[name]


class Image:
    """Blocks mapped for running; the mapping lives as long as this object.

    Parameters
    ----------
    blocks : sequence of Flat
    addresses : mapping of str to int
        Of every C function the blocks use.
    """

    def __init__(self, blocks: Sequence[Flat], addresses: Mapping[str, int]) -> None:
        starts: list[int] = []
        size = 0
        for b in blocks:
            size += -size % 64
            starts.append(size)
            size += len(b.code)
        memory = mmap.mmap(-1, max(size, 1), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        anchor = ctypes.c_char.from_buffer(memory)
        base = ctypes.addressof(anchor)
        del anchor
        self.entries: list[dict[str, int]] = []
        #: The ends of the blocks.
        self.ends = [base + start + len(b.code) for b, start in zip(blocks, starts, strict=True)]
        for b, start in zip(blocks, starts, strict=True):
            memory[start : start + len(b.code)] = b.code
            for at, name in b.slots:
                address = base + start + int(name[1:]) if name[0] == "+" else addresses[name]
                struct.pack_into("<Q", memory, start + at, address)
            self.entries.append({n: base + start + at for n, at in b.entries.items()})
        _make_executable(base, max(size, 1))
        self._memory = memory
        self.size = size


def _make_executable(base: int, size: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    libc.mprotect.restype = ctypes.c_int
    if libc.mprotect(base, size, mmap.PROT_READ | mmap.PROT_EXEC) != 0:
        raise OSError(ctypes.get_errno(), "no executable memory (a security policy of the system?)")


def supported() -> bool:
    """Whether this platform can run flat blocks."""
    return sys.platform.startswith("linux") and ctypes.sizeof(ctypes.c_void_p) == 8
