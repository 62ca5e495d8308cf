"""Each codegen rule refuses its violation and accepts what the emitter writes."""

from __future__ import annotations

import time

import pytest
import sample_kernels
from llvmlite import ir

from graphc.runtime.llvm.kernel_options import EXTERNS
from graphc.runtime.llvm.lint import LintError, lint


def body(*lines: str, head: str = "", params: str = "ptr %p, i32 %x, i32 %y, i64 %n") -> str:
    inside = "\n".join("  " + line for line in lines)
    return f"{head}\ndefine i32 @f({params})\n{{\nentry:\n{inside}\n  ret i32 0\n}}\n"


GUARD = (
    "%z = icmp eq i32 %y, 0",
    "%m = icmp eq i32 %y, -1",
    "%b = or i1 %z, %m",
    "%d = select  i1 %b, i32 1, i32 %y",
)
SHIFT = ("%ok = icmp ult i32 %y, 32", "%s = select  i1 %ok, i32 %y, i32 31")

REFUSED = [
    ("C1", body("%q = sdiv i32 %x, %y")),
    ("C1", body("%q = udiv i32 %x, %y")),
    ("C1", body("%q = srem i32 %x, %y")),
    ("C1", body("%q = urem i32 %x, 0")),
    ("C1", body("%q = sdiv i32 %x, -1")),
    ("C1", body("%q = sdiv <2 x i32> <i32 1, i32 1>, <i32 3, i32 0>")),
    ("C1", body("%q = udiv <2 x i32> <i32 1, i32 1>, zeroinitializer")),
    ("C1", body("%z = icmp eq i32 %y, 0", "%d = select  i1 %z, i32 1, i32 %y",
                "%q = sdiv i32 %x, %d")),  # -1 is not excluded
    ("C1", body(*GUARD[:3], "%d = select  i1 %b, i32 0, i32 %y", "%q = sdiv i32 %x, %d")),
    ("C1", body(*GUARD[:3], "%d = select  i1 %b, i32 1, i32 %x", "%q = sdiv i32 %x, %d")),
    ("C1", body("%b = icmp ne i32 %y, 0", "%d = select  i1 %b, i32 1, i32 %y",
                "%q = udiv i32 %x, %d")),
    ("C1", body("%z = icmp eq i32 %y, 0", "%m = icmp eq i32 %y, -1", "%b = and i1 %z, %m",
                "%d = select  i1 %b, i32 1, i32 %y", "%q = sdiv i32 %x, %d")),
    ("C1", "define i32 @g(i32 %y)\n{\nentry:\n" + "\n".join("  " + g for g in GUARD)
     + "\n  ret i32 0\n}\n" + body("%q = sdiv i32 %x, %d")),  # a guard in another function
    ("C2", body("%q = shl i32 %x, %y")),
    ("C2", body("%q = lshr i32 %x, 32")),
    ("C2", body("%q = ashr i32 %x, -1")),
    ("C2", body("%q = shl i8 1, 8")),
    ("C2", body("%ok = icmp ult i32 %y, 33", "%s = select  i1 %ok, i32 %y, i32 31",
                "%q = shl i32 %x, %s")),
    ("C2", body("%ok = icmp slt i32 %y, 32", "%s = select  i1 %ok, i32 %y, i32 31",
                "%q = shl i32 %x, %s")),
    ("C2", body("%s = and i32 %y, 32", "%q = shl i32 %x, %s")),
    ("C3", body("%v = fptosi float 1.0 to i32")),
    ("C3", body("%v = fptoui float 1.0 to i32")),
    ("C4", body("%v = add nsw i32 %x, %y")),
    ("C4", body("%v = add nuw nsw i32 %x, %y")),
    ("C4", body("%v = mul nuw i32 %x, %y")),
    ("C4", body("%v = lshr exact i32 %x, 1")),
    ("C4", body("%v = getelementptr inbounds i8, ptr %p, i64 1")),
    ("C4", body("%v = zext nneg i32 %x to i64")),
    ("C4", body("%v = or disjoint i32 %x, 1")),
    ("C4", body("%v = icmp samesign ult i32 %x, 1")),
    ("C4", body("%v = load i32, ptr %p, align 4, !range !0", head="!0 = !{i32 0, i32 2}")),
    ("C5", body("%v = load i32, ptr %p, align 8")),
    ("C5", body("%v = load <8 x float>, ptr %p, align 32")),
    ("C5", body("%v = load <8 x float>, ptr %p")),
    ("C5", body("store <4 x i32> zeroinitializer, ptr %p, align 16")),
    ("C5", body("store double 1.0, ptr %p, align 16")),
    ("C5", body('%v = call <4 x float> @llvm.masked.load.v4f32.p0(ptr %p, i32 16, '
                '<4 x i1> zeroinitializer, <4 x float> zeroinitializer)')),
    ("C5", body(params="ptr align 64 %p")),
    ("C6", body(params="ptr noalias %p")),
    ("C6", body("%v = call i32 @f(ptr noalias %p)")),
    ("C6", body("%v = load i32, ptr %p, align 4, !alias.scope !0", head="!0 = !{}")),
    ("C6", body("%v = load i32, ptr %p, align 4, !tbaa !0", head="!0 = !{}")),
    *[("C7", body(f"%v = fadd {flag} float 1.0, 2.0"))
      for flag in ("fast", "nnan", "ninf", "nsz", "arcp", "contract", "afn", "reassoc")],
    ("C7", body("%v = fcmp fast olt float 1.0, 2.0")),
    ("C7", body("%v = call fast float @llvm.sqrt.f32(float 1.0)")),
    ("C7", body("%v = tail call fast float @llvm.sqrt.f32(float 1.0)")),
    ("C7", body("%v = select fast i1 true, float 1.0, float 2.0")),
    ("C7", body(head='attributes #0 = { "unsafe-fp-math"="true" }')),
    ("C7", body(head='attributes #0 = { "denormal-fp-math"="preserve-sign" }')),
    ("C9", body(head="declare float @llvm.minnum.f32(float, float)")),
    ("C9", body(head="declare float @llvm.maxnum.f32(float, float)")),
    ("C10", body("%a = alloca i8, i32 4097")),
    ("C10", body("%a = alloca <16 x float>, i32 60", "%b = alloca i64, i32 40")),
    ("C10", body("%a = alloca [5000 x i8]")),
    ("C10", body("%a = alloca i8, i32 %x")),
    ("C10", body("br label %next\nnext:", "%a = alloca i8")),
    ("C12", body("%v = inttoptr i64 %n to ptr")),
    ("C12", body("%v = ptrtoint ptr %p to i64")),
    ("C12", body("%v = load i32, ptr inttoptr (i64 1234 to ptr), align 4")),
    ("C12", body("%v = add i32 %x, undef")),
    ("C12", body("%v = add <2 x i32> <i32 1, i32 poison>, zeroinitializer")),
    ("C12", body("%v = freeze i32 %x")),
    ("C12", body("%v = va_arg ptr %p, i32")),
    ("C12", body('call void asm sideeffect "nop", ""()')),
    ("C12", body("%v = call i32 @llvm.ctlz.i32(i32 %x, i1 true)")),
    ("C12", body("%v = call i32 @llvm.abs.i32(i32 %x, i1 1)")),
    ("C12", body("%v = extractelement <4 x float> zeroinitializer, i32 4")),
    ("C12", body("%v = extractelement <4 x float> zeroinitializer, i32 %x")),
    ("C12", body("%v = insertelement <4 x float> zeroinitializer, float 1.0, i64 %n")),
    ("C12", body(head="@g = internal constant i64 ptrtoint (ptr @f to i64)")),
    ("C12", body(head="@g = internal constant ptr inttoptr (i64 5 to ptr)")),
    ("C12", body(params="ptr dereferenceable(64) %p")),
    ("C12", body(params="ptr nonnull %p")),
    ("C12", body("%v  =  add i32 %x, 1")),  # not the form llvmlite prints
    ("R2", body(head="declare i32 @system(ptr)")),
    ("R2", body(head='declare i32 @"system"(ptr)')),
    ("R2", body(head="@environ = external global ptr")),
    ("R2", body(head="declare void @llvm.assume(i1)")),
    ("R3", body(head="@llvm.global_ctors = appending global [0 x ptr] []")),
    ("R3", body(head="@h = alias i32, ptr @f")),
    ("R3", 'module asm ".globl x"\n' + body()),
]  # fmt: skip

ACCEPTED = [
    body(*GUARD, "%q = sdiv i32 %x, %d", "%r = srem i32 %x, %d", "%u = udiv i32 %x, %d"),
    body("%q = sdiv i32 %x, 3", "%r = urem i32 %x, -1", "%u = udiv <2 x i32> zeroinitializer, "
         "<i32 3, i32 -1>"),
    body(*GUARD, "%i = insertelement <2 x i32> zeroinitializer, i32 %d, i32 0",
         "%v = shufflevector <2 x i32> %i, <2 x i32> zeroinitializer, <2 x i32> <i32 0, i32 0>",
         "%q = sdiv <2 x i32> zeroinitializer, %v"),
    body(*SHIFT, "%q = shl i32 %x, %s", "%r = ashr i32 %x, 31", "%t = lshr i64 %n, 63"),
    body("%s = and i32 %y, 31", "%w = zext i32 %s to i64", "%q = shl i64 %n, %w"),
    body("%s = and i32 %y, 3", "%v = extractelement <4 x float> zeroinitializer, i32 %s"),
    body("%v = load <8 x float>, ptr %p, align 4", "store <8 x float> %v, ptr %p, align 4"),
    body('%"al64.a" = getelementptr float, ptr %p, i64 %n',
         '%v = load <8 x float>, ptr %"al64.a", align 32',
         'store <8 x float> %v, ptr %"al64.a", align 64'),
    body("%a = alloca i64, i32 500, align 64", "%v = load atomic i64, ptr %a seq_cst, align 8"),
    body("%v = call float @sinf(float 1.0)", head="declare float @sinf(float)"),
    body("%v = call i32 @llvm.ctlz.i32(i32 %x, i1 false)",
         head="declare i32 @llvm.ctlz.i32(i32, i1)"),
    body("%v = call i32 @undefined_poison(i32 %x)", head="declare i32 @undefined_poison(i32)"),
    body(head="@table = internal constant [2 x float] [float 1.0, float 2.0]"),
    body("; a comment", "", head='; ModuleID = "x"\ntarget triple = "t"'),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "text"), REFUSED)
def test_refused(rule: str, text: str) -> None:
    with pytest.raises(LintError, match=rf"codegen rule {rule}:"):
        lint(text, EXTERNS)


@pytest.mark.parametrize("text", ACCEPTED)
def test_accepted(text: str) -> None:
    lint(text, (*EXTERNS, "undefined_poison"))


@pytest.mark.parametrize("name", ["chain", "softmax", "gemm", "integers"])
@pytest.mark.parametrize("lanes", [4, 16])
def test_emitter_output_is_accepted(name: str, lanes: int) -> None:
    module = ir.Module("m")
    getattr(sample_kernels, name)(module, lanes=lanes)
    lint(str(module), EXTERNS)


def test_cost() -> None:
    module = ir.Module("m")
    for k in range(8):
        sample_kernels.chain(module, f"c{k}")
        sample_kernels.softmax(module, f"s{k}")
        sample_kernels.integers(module, f"i{k}")
    text = str(module)
    best = 1.0
    for _ in range(5):
        start = time.process_time()
        lint(text, EXTERNS)
        best = min(best, time.process_time() - start)
    assert best / text.count("\n") < 100e-6  # measured: 1.1 µs a line
