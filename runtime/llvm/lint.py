"""The codegen rules checked on IR text, before LLVM optimises it.

Opcodes, intrinsics and externals are lists of what is allowed: anything else is refused, not only
what is known to be bad. A division is allowed when its divisor is proved non-zero (and, signed,
not -1) by the definitions in its own function: a constant, or the emitter's guarded form, a
`select` between a harmless constant and the value under a comparison of that value. A shift
needs a constant amount below the width, or an amount that a select or a mask keeps below it.
The proof looks through splats.

Other undefined behaviour is excluded by absence: no flag that makes poison, no `undef`, no
constant expressions, no addresses from integers, no alias promises, no lane numbers outside their
vector, no alignment above that of the element (except through pointers named ``al64…``, a name the
emitter gives only to memory the runtime allocates).

The text must have the form llvmlite prints: one instruction a line, ``%"name" = opcode operands``.
About half a microsecond a line.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Sequence
from typing import NoReturn

from graphc.errors import CompileError

__all__ = ["INTRINSICS", "OPCODES", "LintError", "lint"]


class LintError(CompileError):
    """Emitted IR breaks a codegen rule."""


OPCODES = frozenset(
    "add sub mul and or xor shl lshr ashr sdiv udiv srem urem fadd fsub fmul fdiv frem fneg "
    "icmp fcmp select phi br switch ret unreachable call load store alloca getelementptr "
    "extractelement insertelement shufflevector extractvalue insertvalue "
    "trunc zext sext fpext fptrunc uitofp sitofp bitcast atomicrmw cmpxchg fence".split()
)
"""Every instruction the emitter may write."""

INTRINSICS = frozenset(
    "sqrt fabs fma floor ceil trunc rint nearbyint roundeven round copysign fptosi.sat "
    "fptoui.sat masked.load masked.store masked.gather masked.scatter masked.expandload "
    "masked.compressstore memcpy memmove memset ctpop ctlz cttz bswap bitreverse fshl fshr "
    "abs smax smin umax umin sadd.sat uadd.sat ssub.sat usub.sat sadd.with.overflow "
    "uadd.with.overflow ssub.with.overflow usub.with.overflow smul.with.overflow "
    "umul.with.overflow vector.reduce.add vector.reduce.mul vector.reduce.and "
    "vector.reduce.or vector.reduce.xor vector.reduce.smax vector.reduce.smin "
    "vector.reduce.umax vector.reduce.umin vector.reduce.fadd vector.reduce.fmul expect "
    "prefetch codeview.annotation lifetime.start lifetime.end x86.sse2.pause aarch64.hint "
    "convert.to.fp16 convert.from.fp16 x86.sse.stmxcsr x86.sse.ldmxcsr readcyclecounter sin cos "
    "exp exp2 log x86.avx512.mask.scalef x86.avx512.mask.getexp x86.avx512.mask.getmant "
    "x86.avx512.mask.fixupimm x86.avx512.permvar.sf x86.avx512.vpermi2var.ps "
    "x86.avx512.permvar.df x86.avx512.permvar.si x86.avx512.permvar.di "
    "x86.avx512.vpermi2var.pd x86.avx512.vpermi2var.d x86.avx512.vpermi2var.q "
    "x86.avx512bf16.dpbf16ps.512 log2 log10 pow is.fpclass vector.interleave2 "
    "vector.deinterleave2".split()
)
"""Intrinsics without `llvm.` and type suffixes. No minnum or maxnum (C9), no assume."""

_FLAGS = frozenset(
    "nsw nuw exact inbounds nusw nneg disjoint samesign nnan ninf nsz arcp contract afn reassoc "
    "fast".split()
)
_ATTRIBUTES = re.compile(
    r"(?<![\w.])(noalias|dereferenceable\w*|nonnull|noundef|nofpclass|byval|inalloca|range|"
    r"inreg|initializes|captures|writable|align (?:32|64|128|256|512|1024|2048|4096)|"
    r"undef|poison|asm)\b"
)
_CALL_WORDS = frozenset("noalias nonnull noundef nofpclass inreg writable undef poison asm".split())
_STRINGS = re.compile(
    r'"(unsafe-fp-math|no-nans-fp-math|no-infs-fp-math|no-signed-zeros-fp-math|'
    r'approx-func-fp-math|denormal-fp-math[\w-]*|strictfp)"'
)
_WORD_RULE = {"noalias": "C6", "asm": "C12", "undef": "C12", "poison": "C12"}
_METADATA = re.compile(r", !(?!dbg\b|llvm\.loop\b|prof\b|nontemporal\b)([\w.]+)")
_SIZES = {"float": 4, "double": 8, "half": 2, "bfloat": 2, "ptr": 8, "f32": 4, "f64": 8}
_SIZES |= {"f16": 2, "bf16": 2, "p0": 8}
_PROVED = ("sdiv", "udiv", "srem", "urem", "shl", "lshr", "ashr")
_LANES = ("extractelement", "insertelement")
_STACK_LIMIT = 4096

_N = r'(?:"[^"]*"|[\w.$-]+)'  # a name without its sigil
_V = rf"(%{_N}|<[^>]*>|[-\w]+)"  # an operand
_T = r"(?:<[^>]*>|\w+)"  # a type
_SYMBOL = re.compile(rf"@({_N})")
_OPERANDS = re.compile(rf"{_T} {_V}, {_V}$")
_SELECT = re.compile(rf"select +{_T} {_V}, {_T} {_V}, {_T} {_V}$")
_ICMP = re.compile(rf"icmp +(\w+) {_T} {_V}, {_V}$")
_PAIR = re.compile(rf"(or|and) +{_T} {_V}, {_V}$")
_SPLAT = re.compile(rf"shufflevector {_T} {_V}, .*, <\d+ x i32> (zeroinitializer|<[i0-9, ]*>)$")
_INSERT = re.compile(rf"insertelement {_T} [^%]*, {_T} {_V}, i\d+ 0$")
_WIDEN = re.compile(rf"(?:trunc|zext) {_T} {_V} to ")
_MASKED = re.compile(r"llvm\.masked\.(\w+)\.v\d+([a-z]+\d+)")
_MASKED_ALIGN = re.compile(r"\bi32 (\d+), <|\balign (\d+)")
_POISON_FLAG = re.compile(r"llvm\.(?:ctlz|cttz|abs)\..*i1 (?:1|true|-1)\b")
_ALLOCA = re.compile(r"(<[^>]*>|\[[^\]]*\]|\w+)(?:, i\d+ ([^, ]+))?(?:, align \d+)?$")
_ELEMENT = re.compile(r"i\d+ (-?\d+)|i1 (true|false)")


def lint(text: str, externs: Collection[str] = ()) -> None:
    """Raise `LintError` when a module breaks a rule.

    Parameters
    ----------
    text : str
        The module as emitted, before any optimisation.
    externs : collection of str
        C functions and data the module may name.
    """
    lines = text.split("\n")
    groups: dict[str, list[tuple[int, str]]] = {}
    top: list[int] = []
    for k, line in enumerate(lines):
        if line[:3] == "  %":
            rest = line.partition(" = ")[2]
        elif line[:1] == " ":
            rest = line.lstrip()
            if rest[:1] == "%":
                rest = rest.partition(" = ")[2]
        else:
            top.append(k)
            continue
        op, _, operands = rest.partition(" ")
        if op == "tail":
            op, _, operands = operands.partition(" ")
        if op in groups:
            groups[op].append((k, operands))
        else:
            groups[op] = [(k, operands)]
    starts = _check_top([lines[k] for k in top], top, externs)
    _check_text(text)
    _check_opcodes(lines, groups)
    _check_calls(groups.get("call", []))
    _check_access(groups)
    _Proofs(lines, starts, groups).check()


def _fail(rule: str, what: str, line: str = "") -> NoReturn:
    where = f"\n  {line.strip()[:160]}" if line else ""
    raise LintError(f"codegen rule {rule}: {what}{where}")


# ----------------------------------------------------------------- lines outside functions


def _check_top(lines: Sequence[str], at: Sequence[int], externs: Collection[str]) -> list[int]:
    """Check declarations, globals and signatures; returns where functions start."""
    starts = []
    for line, k in zip(lines, at, strict=True):
        first = line[:1]
        if not line or first in "{};" or (line[-1] == ":" and " " not in _plain(line)):
            continue
        if line.startswith(("target ", "source_filename", "!")):
            continue
        if line.startswith("define "):
            starts.append(k)
        elif line.startswith("declare "):
            _check_declaration(line, externs)
        elif first == "@":
            _check_global(line, externs)
        elif not line.startswith("attributes "):
            _fail("R3", "a line that is not understood", line)
        bad = _ATTRIBUTES.search(_plain(line))
        if bad:
            word = bad.group(1)
            _fail(_WORD_RULE.get(word, "C5" if word.startswith("align") else "C12"), word, line)
        if found := _STRINGS.search(line):
            _fail("C7", f"attribute {found.group(1)}", line)
    return starts


def _plain(text: str) -> str:
    return re.sub(r'"[^"]*"', '""', text) if '"' in text else text


def _check_declaration(line: str, externs: Collection[str]) -> None:
    found = _SYMBOL.search(line)
    name = found.group(1).strip('"') if found else ""
    if name.startswith("llvm."):
        if not _known_intrinsic(name[5:]):
            _fail("C9" if name.startswith(("llvm.min", "llvm.max")) else "R2", f"intrinsic {name}")
    elif name not in externs:
        _fail("R2", f"undeclared external {name!r}: not in the list of C functions")


def _check_global(line: str, externs: Collection[str]) -> None:
    found = _SYMBOL.match(line)
    name = found.group(1).strip('"') if found else ""
    rest = line.partition(" = ")[2]
    if name.startswith("llvm.") or re.match(r"(?:\w+ )*(?:alias|ifunc|appending)\b", rest):
        _fail("R3", f"global {name!r}", line)
    if re.match(r"(?:extern_weak|external)\b", rest) and name not in externs:
        _fail("R2", f"undeclared external {name!r}: not in the list of C functions")
    if "inttoptr" in rest or "ptrtoint" in rest:
        _fail("C12", "an address as a constant", line)


def _known_intrinsic(name: str) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:k]) in INTRINSICS for k in range(len(parts), 0, -1))


# ----------------------------------------------------------------- instructions


def _check_text(text: str) -> None:
    for word in ("undef", "poison"):
        if word in text:
            found = re.search(rf"^.*(?<![\w.%@]){word}\b.*$", _plain(text), re.M)
            if found:
                _fail("C12", word, found.group())
    if "!" in text and (found := _METADATA.search(text)):
        _fail("C6" if found.group(1) in ("alias.scope", "tbaa") else "C4", f"!{found.group(1)}")


def _check_opcodes(lines: Sequence[str], groups: dict[str, list[tuple[int, str]]]) -> None:
    for op, found in groups.items():
        if op not in OPCODES:
            if op[:1] == ";" or (not op and not any(lines[k].strip() for k, _ in found)):
                continue
            rule = "C3" if op.startswith("fpto") else "C12"
            _fail(rule, f"instruction {op or 'in an unknown form'}", lines[found[0][0]])
        if bad := {r.partition(" ")[0] for _, r in found} & _FLAGS:
            rule = "C7" if op[0] == "f" or op in ("call", "phi", "select") else "C4"
            _fail(rule, f"flag {min(bad)} on {op}", "")
        if op != "call":
            for k, r in found:
                if "(" in r:
                    _fail("C12", "a constant expression", lines[k])


def _check_calls(calls: Sequence[tuple[int, str]]) -> None:
    if not calls:
        return
    words = set(" ".join([r for _, r in calls]).split(" "))
    if bad := words & _CALL_WORDS:
        word = min(bad)
        _fail(_WORD_RULE.get(word, "C12"), f"{word} in a call")
    for _, r in calls:
        if r.count("(") != 1:
            _fail("C12", "a call with a constant expression or a function type", r)
        if "llvm." not in r:
            continue
        if "llvm.masked." in r:
            _check_masked(r)
        elif _POISON_FLAG.search(r):
            _fail("C12", "an intrinsic that makes poison", r)


def _check_masked(call: str) -> None:
    found, align = _MASKED.search(call), _MASKED_ALIGN.search(call)
    if found is None or align is None:
        return  # expandload and compressstore: bytes
    n = int(align.group(1) or align.group(2))
    own = found.group(1) in ("load", "store") and 'ptr %"al64' in call and n <= 64
    if n > _element_size(found.group(2)) and not own:
        _fail("C5", f"alignment {n} for masked {found.group(1)} of {found.group(2)}", call)


def _element_size(type_text: str) -> int:
    t = type_text
    if t[:1] == "<":
        t = t[1:-1].partition(" x ")[2]
    if t in _SIZES:
        return _SIZES[t]
    return max(1, int(t[1:]) // 8) if t[:1] == "i" and t[1:].isdigit() else 0


def _check_access(groups: dict[str, list[tuple[int, str]]]) -> None:
    forms = {_access(r) for _, r in groups.get("load", [])}
    forms |= {_access(r) for _, r in groups.get("store", [])}
    bad = {f for f in forms if not _aligned(*f)}
    if not bad:
        return
    for op in ("load", "store"):
        for _, r in groups.get(op, []):
            if _access(r) in bad and not _own(r):
                t, align = _access(r)
                _fail("C5", f"alignment {align or 'unstated'} for {op} of {t}", f"{op} {r}")


def _access(operands: str) -> tuple[str, str]:
    """The type and the alignment ("" when not stated) of a load or store."""
    while operands.startswith(("atomic ", "volatile ")):
        operands = operands.partition(" ")[2]
    if operands[:1] == "<":
        t = operands[: operands.find(">") + 1]
    else:
        t = operands.partition(" ")[0].rstrip(",")
    _, stated, align = operands.partition(", !")[0].rpartition(", align ")
    return t, align if stated else ""


def _aligned(t: str, align: str) -> bool:
    size = _element_size(t)
    if not align:
        return size > 0 and t[0] != "<"
    return align.isdigit() and int(align) <= size


def _own(operands: str) -> bool:
    where, _, align = operands.partition(", !")[0].rpartition(", align ")
    return align.isdigit() and int(align) <= 64 and 'ptr %"al64' in where[where.rfind("ptr ") :]


# ----------------------------------------------------------------- proofs


class _Proofs:
    """Divisions, shifts, lane numbers and the stack, proved from definitions in the function."""

    def __init__(
        self,
        lines: Sequence[str],
        starts: Sequence[int],
        groups: dict[str, list[tuple[int, str]]],
    ) -> None:
        self.lines, self.starts, self.groups = lines, starts, groups
        self.tables: dict[int, dict[str, str]] = {}
        self.table: dict[str, str] = {}

    def enter(self, line: int) -> int:
        """Look at the function that holds a line: its definitions by name; returns its number."""
        k = bisect_right(self.starts, line) - 1
        if k not in self.tables:
            stop = self.starts[k + 1] if k + 1 < len(self.starts) else len(self.lines)
            self.tables[k] = {
                name.lstrip(): d
                for name, _, d in (x.partition(" = ") for x in self.lines[self.starts[k] : stop])
                if d
            }
        self.table = self.tables[k]
        return k

    def check(self) -> None:
        for op in _PROVED:
            for line, operands in self.groups.get(op, ()):
                self.arithmetic(op, line, operands)
        for op in _LANES:
            lanes = {(r[1 : r.find(" ")], r.rpartition(" ")[2]) for _, r in self.groups.get(op, ())}
            for count, last in lanes:
                if not (count.isdigit() and last.isdigit() and int(last) < int(count)):
                    self.lane(op, count, last)
        if "alloca" in self.groups:
            self.stack()

    def arithmetic(self, op: str, line: int, operands: str) -> None:
        m = _OPERANDS.match(operands)
        if m is None:
            _fail("C1", f"{op} in an unknown form", self.lines[line])
        divides = op in ("sdiv", "udiv", "srem", "urem")
        y = m.group(2)
        t = operands[: operands.find(">") + 1] if operands[0] == "<" else operands.split(" ")[0]
        values = _constants(y)
        if values is None:
            self.enter(line)
        if divides and not self.divisor(y, {0, -1} if op[0] == "s" else {0}):
            _fail("C1", f"{op} by an unguarded divisor", self.lines[line])
        if not divides and not self.below(y, _element_size(t) * 8):
            _fail("C2", f"{op} by an unguarded amount", self.lines[line])

    def lane(self, op: str, count: str, last: str) -> None:
        for line, r in self.groups[op]:
            if r.rpartition(" ")[2] == last and r.startswith(f"<{count} "):
                self.enter(line)
                if not count.isdigit() or not self.below(last, int(count)):
                    _fail("C12", "a lane that may be outside the vector", self.lines[line])

    def definition(self, operand: str) -> str:
        return self.table.get(operand, "")

    def source(self, operand: str) -> str:
        """The scalar an operand is a splat of, or the operand."""
        m = _SPLAT.match(self.definition(operand))
        if m and (m.group(2) == "zeroinitializer" or _constants(m.group(2)) == {0}):
            inserted = _INSERT.match(self.definition(m.group(1)))
            if inserted:
                return inserted.group(1)
        return operand

    def divisor(self, operand: str, bad: set[int]) -> bool:
        """Whether a divisor is never one of `bad`."""
        values = _constants(operand)
        if values is not None:
            return not values & bad
        m = _SELECT.match(self.definition(self.source(operand)))
        if m is None:
            return False
        cond, safe, value = m.groups()
        values = _constants(safe)
        return values is not None and not values & bad and bad <= self.excluded(cond, value)

    def excluded(self, cond: str, value: str) -> set[int]:
        """Constants c such that `cond` is true wherever `value` is c."""
        out: set[int] = set()
        todo = [cond]
        for _ in range(16):
            if not todo:
                break
            d = self.definition(self.source(todo.pop()))
            pair, compare = _PAIR.match(d), _ICMP.match(d)
            if pair and pair.group(1) == "or":
                todo += pair.group(2, 3)
            elif compare and compare.group(1) == "eq":
                constants = _constants(compare.group(3)) or set()
                if compare.group(2) in (value, self.source(value)) and len(constants) == 1:
                    out |= constants
        return out

    def below(self, operand: str, width: int) -> bool:
        """Whether an amount is always in [0, width)."""
        values = _constants(operand)
        for _ in range(6):
            if values is not None:
                return all(0 <= v < width for v in values)
            operand = self.source(operand)
            d = self.definition(operand)
            narrowed = _WIDEN.match(d)
            if narrowed is None:
                break
            operand = narrowed.group(1)
            values = _constants(operand)
        else:
            return False
        pair, m = _PAIR.match(d), _SELECT.match(d)
        if pair and pair.group(1) == "and":
            sides = [_constants(side) for side in pair.group(2, 3)]
            return any(v is not None and all(0 <= c < width for c in v) for v in sides)
        if m is None:
            return False
        cond, value, safe = m.groups()
        compare = _ICMP.match(self.definition(self.source(cond)))
        if compare is None or compare.group(1) != "ult" or compare.group(2) != value:
            return False
        limit, other = _constants(compare.group(3)), _constants(safe)
        return (
            limit is not None
            and other is not None
            and all(0 < v <= width for v in limit)
            and all(0 <= v < width for v in other)
        )

    def stack(self) -> None:
        totals: dict[int, int] = {}
        for line, operands in self.groups["alloca"]:
            k = self.enter(line)
            before = self.lines[self.starts[k] + 1 : line]
            blocks = [at for at, x in enumerate(before) if x[-1:] == ":" and x[:1] not in " ;"]
            if blocks and any(x[:1] == " " for x in before[: blocks[-1]]):
                _fail("C10", "alloca outside the entry block", self.lines[line])
            totals[k] = totals.get(k, 0) + _alloca_size(operands)
            if totals[k] > _STACK_LIMIT:
                _fail("C10", f"{totals[k]} bytes of stack in a function (at most {_STACK_LIMIT})")


def _alloca_size(operands: str) -> int:
    m = _ALLOCA.match(operands)
    count = (m.group(2) or "1") if m else ""
    if m is None or not count.isdigit():
        _fail("C10", "alloca of a size that is not fixed", operands)
    *lanes, element = m.group(1).strip("<>[]").split(" x ")
    size = _element_size(element)
    for n in lanes:
        size *= int(n)
    if size <= 0:
        _fail("C10", f"alloca of {m.group(1)}", operands)
    return size * int(count)


def _constants(operand: str) -> set[int] | None:
    """The elements of a constant operand, or None when it is not a constant."""
    if operand[:1] in "-0123456789":
        return {int(operand)} if re.fullmatch(r"-?\d+", operand) else None
    if operand == "zeroinitializer":
        return {0}
    if operand[:1] != "<":
        return None
    values = [m.group(1) for m in _ELEMENT.finditer(operand)]
    if None in values or len(values) != operand.count(",") + 1:
        return None
    return {int(v) for v in values if v is not None}
