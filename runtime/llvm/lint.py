"""The codegen rules checked on IR text, before LLVM optimises it.

Opcodes, intrinsics and externals are lists of what is allowed: anything else is refused, not only
what is known to be bad. A division is allowed when its divisor is proved non-zero (and, signed,
not -1) by the definitions in its own function: a constant, or the emitter's guarded form, a
`select` between a harmless constant and the value under a comparison of that value. A shift
needs a constant amount below the width, or an amount that a select or a mask keeps below it.
The proof looks through splats.

Undefined behaviour that has no division or shift is excluded by absence: no flag that makes poison,
no `undef`, no address arithmetic through integers, no alias promises, no alignment above that of
the element (except for pointers named ``al64…``, which the emitter gives only to memory the
runtime allocates).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from graphc.errors import CompileError

__all__ = ["INTRINSICS", "OPCODES", "LintError", "lint"]


class LintError(CompileError):
    """Emitted IR breaks a codegen rule."""


OPCODES = frozenset(
    "add sub mul and or xor shl lshr ashr sdiv udiv srem urem fadd fsub fmul fdiv frem fneg "
    "icmp fcmp select phi br switch ret unreachable call tail load store alloca getelementptr "
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
    "prefetch lifetime.start lifetime.end x86.sse2.pause aarch64.hint convert.to.fp16 "
    "convert.from.fp16 x86.sse.stmxcsr x86.sse.ldmxcsr readcyclecounter sin cos exp exp2 log "
    "log2 log10 pow is.fpclass vector.interleave2 vector.deinterleave2".split()
)
"""Intrinsics without `llvm.` and type suffixes. No minnum or maxnum (C9), no assume."""

_FLAGS = frozenset(
    "nsw nuw exact inbounds nusw nneg disjoint samesign nnan ninf nsz arcp contract afn reassoc "
    "fast".split()
)
_WORDS = (
    "undef", "poison", "noalias", "inttoptr", "ptrtoint", "inbounds", "unsafe-fp-math",
    "!alias.scope", "!tbaa", "!range", "!nonnull", "!noundef", "dereferenceable", "nofpclass",
    "fptosi ", "fptoui ", "freeze ", "global_ctors", "global_dtors", "no-nans", "no-infs",
    "denormal-fp", "asm ",
)  # fmt: skip

_NAME = r'(?:"[^"]*"|[\w.$-]+)'
_OP = re.compile(rf"^[ \t]+(?:%{_NAME}[ \t]*=[ \t]*)?([a-z_]\w*)[ \t]*(\w*)", re.M)
_TOP = re.compile(r"^([^\s][^\s=:]*)", re.M)
_QUOTED = re.compile(r'"[^"]*"|;[^\n]*')
_ACCESS = re.compile(
    rf"^[ \t]+(?:%{_NAME}[ \t]*=[ \t]*load(?: atomic)?(?: volatile)?[ \t]*(<[^>]*>|\w+)|"
    rf"store(?: atomic)?(?: volatile)?[ \t]*(<[^>]*>|\w+)[ \t])([^\n]*)",
    re.M,
)
_ALIGN = re.compile(r"\balign (\d+)")
_POINTER = re.compile(r"(?:ptr|\*)[ \t]*%(" + _NAME + r")[^%]*$")
_MASKED = re.compile(
    r'@"?llvm\.masked\.(load|gather|store|scatter)\.(?:v\d+)([a-z]\w*?)\.[^(]*\(([^\n]*)', re.M
)
_MASKED_ALIGN = re.compile(r"\bi32 (\d+), <|\balign (\d+)")
_DECLARE = re.compile(rf"^declare\b[^@\n]*@({_NAME})", re.M)
_GLOBAL = re.compile(rf"^@({_NAME})[ \t]*=[ \t]*([^\n]*)", re.M)
_CALL = re.compile(rf"^[ \t]+(?:%{_NAME}[ \t]*=[ \t]*)?(?:tail[ \t]+)?call\b([^\n]*)", re.M)
_DEFINE = re.compile(r"^define\b[^\n]*", re.M)
_DEF = re.compile(rf"^[ \t]+%({_NAME})[ \t]*=[ \t]*([^\n]*)", re.M)
_POISON_ZERO = re.compile(r'@"?llvm\.(?:ctlz|cttz|abs)\.[^(]*\([^\n]*i1 (?:1|true|-1)')
_SIZES = {"float": 4, "double": 8, "half": 2, "bfloat": 2, "ptr": 8, "f32": 4, "f64": 8}
_SIZES |= {"f16": 2, "bf16": 2, "p0": 8, "fp128": 16}
_TOP_WORDS = frozenset(
    "define declare source_filename target attributes } { ] ; uselistorder".split()
)


def lint(text: str, externs: Collection[str] = ()) -> None:
    """Raise `LintError` when a module breaks a rule.

    Parameters
    ----------
    text : str
        The module as emitted, before any optimisation.
    externs : collection of str
        C functions and data the module may name.
    """
    ops = set(_OP.findall(text))
    opcodes = {op for op, _ in ops}
    _check_opcodes(text, ops, opcodes)
    _check_words(text)
    _check_top(text, externs)
    if "load" in opcodes or "store" in opcodes:
        _check_alignment(text)
    if "call" in opcodes or "tail" in opcodes:
        _check_calls(text)
    if opcodes & _PROVED:
        for body in _functions(text):
            _Function(body).check()


_PROVED = {
    "sdiv", "udiv", "srem", "urem", "shl", "lshr", "ashr", "alloca", "extractelement",
    "insertelement",
}  # fmt: skip


def _fail(rule: str, what: str, line: str = "") -> None:
    where = f"\n  {line.strip()[:160]}" if line else ""
    raise LintError(f"codegen rule {rule}: {what}{where}")


def _line_of(text: str, word: str) -> str:
    found = re.search(rf"^[^\n]*(?<![\w.]){re.escape(word)}[^\n]*$", text, re.M)
    return found.group() if found else ""


def _check_opcodes(text: str, ops: set[tuple[str, str]], opcodes: set[str]) -> None:
    if unknown := opcodes - OPCODES - {"i1", "i8", "i16", "i32", "i64", "to"}:
        word = min(unknown)
        _fail("C3" if word.startswith("fpto") else "C12", f"instruction {word}", _line_of(text, word))
    for op, flag in ops:
        if flag in _FLAGS:
            rule = "C7" if op[0] == "f" or op in ("call", "phi", "select") else "C4"
            _fail(rule, f"flag {flag}", _line_of(text, f"{op} {flag}"))


def _check_words(text: str) -> None:
    for word in _WORDS:
        if word in text:
            plain = _QUOTED.sub('""', text) if word[-1] != "h" and "-" not in word else text
            if re.search(rf"(?<![\w.%@]){re.escape(word)}", plain):
                rule = {"noalias": "C6", "!alias.scope": "C6", "!tbaa": "C6", "inbounds": "C4"}
                if not word.startswith("fpto"):
                    _fail(rule.get(word, "C12"), f"{word.strip()} in IR", _line_of(text, word))
                _fail("C3", f"{word.strip()} in IR", _line_of(text, word))
    if 'fast-math"' in text or "-fp-math" in text:
        _fail("C7", "a fast-math attribute")


def _check_top(text: str, externs: Collection[str]) -> None:
    for word in set(_TOP.findall(text)):
        if word in _TOP_WORDS or word[0] in "@!;%}{]\"" or word.startswith("attributes"):
            continue
        if re.search(rf"^{re.escape(word)}:", text, re.M):
            continue
        _fail("R3", f"a line that begins with {word!r}", _line_of(text, word))
    for name in _DECLARE.findall(text):
        name = name.strip('"')
        if name.startswith("llvm."):
            if not _known_intrinsic(name[5:]):
                _fail("C9" if "num" in name else "R2", f"intrinsic {name}")
        elif name not in externs:
            _fail("R2", f"undeclared external {name!r}: not in the list of C functions")
    for name, rest in _GLOBAL.findall(text):
        name = name.strip('"')
        if re.match(r"(?:extern_weak|external)\b", rest):
            if name not in externs:
                _fail("R2", f"undeclared external {name!r}: not in the list of C functions")
        elif re.match(r"[^=]*\b(?:alias|ifunc|appending)\b", rest.split("{")[0].split('c"')[0]):
            _fail("R3", f"global @{name}", rest)


def _known_intrinsic(name: str) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:k]) in INTRINSICS for k in range(len(parts), 0, -1))


def _element_size(type_text: str) -> int:
    t = type_text.strip("<>").split(" x ")[-1].strip() if type_text[0] == "<" else type_text
    if t in _SIZES:
        return _SIZES[t]
    return max(1, int(t[1:]) // 8) if re.fullmatch(r"i\d+", t) else 0


def _check_alignment(text: str) -> None:
    seen: dict[tuple[str, str], bool] = {}
    for loaded, stored, rest in _ACCESS.findall(text):
        t = loaded or stored
        found = _ALIGN.search(rest)
        align = found.group(1) if found else ""
        if seen.get((t, align)):
            continue
        size = _element_size(t)
        good = bool(align and int(align) <= size) or (not align and t[0] != "<" and size > 0)
        if good:
            seen[(t, align)] = True
        elif not (align and int(align) <= 64 and _is_own(rest[: found.start()] if found else "")):
            _fail("C5", f"alignment {align or 'unstated'} for {t}", f"{t}{rest}")
    if "llvm.masked." not in text:
        return
    for kind, element, args in _MASKED.findall(text):
        found = _MASKED_ALIGN.search(args)
        if found is None:
            continue
        align = int(found.group(1) or found.group(2))
        own = kind in ("load", "store") and 'ptr %"al64' in args and align <= 64
        if align > _element_size(element) and not own:
            _fail("C5", f"alignment {align} for masked {kind} of {element}", args)


def _is_own(operands: str) -> bool:
    found = _POINTER.search(operands)
    return bool(found and found.group(1).strip('"').startswith("al64"))


def _check_calls(text: str) -> None:
    bad = _POISON_ZERO.search(text)
    if bad:
        _fail("C12", "an intrinsic that makes poison", bad.group())
    for call in _CALL.findall(text):
        if call.lstrip().startswith("asm") or " asm " in call:
            _fail("C12", "inline assembly", call)


def _functions(text: str) -> Iterator[str]:
    starts = [m.start() for m in _DEFINE.finditer(text)]
    for start, stop in zip(starts, [*starts[1:], len(text)], strict=True):
        yield text[start:stop]


_BINARY = re.compile(
    rf"^[ \t]+%{_NAME}[ \t]*=[ \t]*(sdiv|udiv|srem|urem|shl|lshr|ashr)[ \t]+(<[^>]*>|\w+)[ \t]+"
    rf"(%{_NAME}|<[^>]*>|[-\w]+)[ \t]*,[ \t]*(%{_NAME}|<[^>]*>|[-\w]+)",
    re.M,
)
_BINARY_ANY = re.compile(r"=[ \t]*(?:sdiv|udiv|srem|urem|shl|lshr|ashr)\b")
_LANE = re.compile(rf"^[ \t]+%{_NAME}[ \t]*=[ \t]*(?:extract|insert)element[ \t]+<(\d+) x [^\n]*$", re.M)
_LAST = re.compile(rf"[, \t](%{_NAME}|\d+)[ \t]*$")
_ALLOCA = re.compile(r"^[ \t]+%[^\n]*=[ \t]*alloca\b([^\n]*)$", re.M)
_SELECT = re.compile(
    rf"select[ \t]+(?:<[^>]*>|i1)[ \t]+(%{_NAME})[ \t]*,[ \t]*(?:<[^>]*>|\w+)[ \t]+"
    rf"(%{_NAME}|<[^>]*>|[-\w]+)[ \t]*,[ \t]*(?:<[^>]*>|\w+)[ \t]+(%{_NAME}|<[^>]*>|[-\w]+)"
)
_ICMP = re.compile(
    rf"icmp[ \t]+(\w+)[ \t]+(?:<[^>]*>|\w+)[ \t]+(%{_NAME}|<[^>]*>|[-\w]+)[ \t]*,[ \t]*"
    rf"(%{_NAME}|<[^>]*>|[-\w]+)"
)
_PAIR = re.compile(
    rf"(or|and)[ \t]+(?:<[^>]*>|\w+)[ \t]+(%{_NAME}|<[^>]*>|[-\w]+)[ \t]*,[ \t]*"
    rf"(%{_NAME}|<[^>]*>|[-\w]+)"
)
_SPLAT = re.compile(rf"shufflevector[ \t]+<[^>]*>[ \t]+(%{_NAME})[ \t]*,")
_INSERT = re.compile(
    rf"insertelement[ \t]+<[^>]*>[ \t]+[^,%]*,[ \t]*(?:<[^>]*>|\w+)[ \t]+(%{_NAME}|[-\w]+)[ \t]*,"
    rf"[ \t]*i\d+[ \t]+0[ \t]*$"
)
_WIDEN = re.compile(rf"(?:trunc|zext)[ \t]+(?:<[^>]*>|\w+)[ \t]+(%{_NAME})[ \t]+to\b")


class _Function:
    """Proofs about values of one function, from its definitions."""

    def __init__(self, body: str) -> None:
        self.body = body
        self._defs: dict[str, str] | None = None

    def definition(self, operand: str) -> str:
        if self._defs is None:
            self._defs = {"%" + n: d for n, d in _DEF.findall(self.body)}
        return self._defs.get(operand, "")

    def check(self) -> None:
        found = _BINARY.findall(self.body)
        if len(found) != len(_BINARY_ANY.findall(self.body)):
            _fail("C1", "a division or shift in a form the check does not read")
        for op, t, x, y in dict.fromkeys(found):
            if op.endswith(("div", "rem")):
                if not self.divisor(y, signed=op[0] == "s"):
                    _fail("C1", f"{op} by an unguarded divisor", f"{op} {t} {x}, {y}")
            elif not self.below(y, _element_size(t) * 8):
                _fail("C2", f"{op} by an unguarded amount", f"{op} {t} {x}, {y}")
        for m in _LANE.finditer(self.body):
            last = _LAST.search(m.group())
            if last is None or not self.below(last.group(1), int(m.group(1))):
                _fail("C12", "a lane number that may be outside the vector", m.group())
        self.stack()

    def source(self, operand: str) -> str:
        """The scalar an operand is a splat of, or the operand."""
        d = self.definition(operand)
        shuffled = _SPLAT.match(d)
        if shuffled and re.search(r"(?:zeroinitializer|<(?:i32 0(?:, )?)+>)[ \t]*$", d):
            inserted = _INSERT.match(self.definition(shuffled.group(1)))
            if inserted:
                return inserted.group(1)
        return operand

    def divisor(self, operand: str, *, signed: bool) -> bool:
        """Whether a divisor is never 0, nor -1 when signed."""
        bad = {0, -1} if signed else {0}
        values = _constants(operand)
        if values is not None:
            return not values & bad
        operand = self.source(operand)
        m = _SELECT.match(self.definition(operand))
        if m is None:
            return False
        cond, safe, value = m.groups()
        values = _constants(safe)
        if values is None or values & bad:
            return False
        return bad <= self.excluded(cond, value)

    def excluded(self, cond: str, value: str) -> set[int]:
        """The constants c for which `cond` is true where `value` == c."""
        out: set[int] = set()
        todo, steps = [cond], 0
        while todo and steps < 16:
            steps += 1
            d = self.definition(self.source(todo.pop()))
            pair = _PAIR.match(d)
            if pair and pair.group(1) == "or":
                todo += pair.group(2, 3)
                continue
            compare = _ICMP.match(d)
            if compare and compare.group(1) == "eq":
                constants = _constants(compare.group(3)) or set()
                if compare.group(2) in (value, self.source(value)) and len(constants) == 1:
                    out |= constants
        return out

    def below(self, operand: str, width: int) -> bool:
        """Whether an amount is always in [0, width)."""
        values = _constants(operand)
        if values is not None:
            return all(0 <= v < width for v in values)
        operand = self.source(operand)
        d = self.definition(operand)
        for _ in range(4):
            widened = _WIDEN.match(d)
            if widened is None:
                break
            d = self.definition(self.source(widened.group(1)))
        pair = _PAIR.match(d)
        if pair and pair.group(1) == "and":
            for side in pair.group(2, 3):
                values = _constants(side)
                if values is not None and all(0 <= v < width for v in values):
                    return True
            return False
        m = _SELECT.match(d)
        if m is None:
            return False
        cond, value, safe = m.groups()
        values = _constants(safe)
        if values is None or not all(0 <= v < width for v in values):
            return False
        compare = _ICMP.match(self.definition(self.source(cond)))
        if compare is None or compare.group(1) != "ult" or compare.group(2) != value:
            return False
        limit = _constants(compare.group(3))
        return limit is not None and all(0 < v <= width for v in limit)

    def stack(self) -> None:
        allocas = list(_ALLOCA.finditer(self.body))
        if not allocas:
            return
        labels = [m.start() for m in re.finditer(rf"^{_NAME}:", self.body, re.M)]
        brace = self.body.find("\n")
        inner = [at for at in labels if self.body[brace:at].strip(" \t\n{")]
        total = 0
        for m in allocas:
            if inner and m.start() > min(inner):
                _fail("C10", "alloca outside the entry block", m.group())
            total += _alloca_size(m.group(1))
        if total > 4096:
            _fail("C10", f"{total} bytes of stack in a function (at most 4096)")


def _alloca_size(rest: str) -> int:
    m = re.match(r"[ \t]+(<[^>]*>|\[[^\]]*\]|[\w]+)[ \t]*(?:,[ \t]*i\d+[ \t]+([^,\s]+))?", rest)
    if m is None:
        _fail("C10", "alloca of an unread form", rest)
        return 0
    t, count = m.group(1), m.group(2) or "1"
    if not count.isdigit():
        _fail("C10", "alloca of a size not fixed", rest)
    lanes = 1
    inner = t.strip("<>[]")
    parts = inner.split(" x ")
    for p in parts[:-1]:
        lanes *= int(p)
    size = _element_size(parts[-1].strip())
    if size == 0:
        _fail("C10", f"alloca of {t}", rest)
    return lanes * size * int(count)


def _constants(operand: str) -> set[int] | None:
    """The elements of a constant operand, or None when it is not a constant."""
    if operand == "zeroinitializer":
        return {0}
    if operand[0] == "<":
        values = re.findall(r"i\d+ (-?\d+)(?:,|>|\s|$)", operand)
        return {int(v) for v in values} if len(values) == operand.count(",") + 1 else None
    return {int(operand)} if re.fullmatch(r"-?\d+", operand) else None
