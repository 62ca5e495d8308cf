"""Kernel text: printing, parsing, errors by exact place, structure keys, the verifier."""

import math

import pytest

from graphc.errors import ParseError
from graphc.ir import dtypes as dt
from graphc.ir.dims import Expr, maximum, minimum
from graphc.ir.kernel import (
    Buffer,
    Kernel,
    KernelError,
    Let,
    Literal,
    Loop,
    Store,
    Value,
    lit,
    scratch_stride,
)
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.kernel_parse import parse_kernel
from graphc.ir.kernel_text import (
    print_attributes,
    print_kernel,
    structure_text,
)
from graphc.ir.kernel_verify import verify
from graphc.ir.tokens import Tokens, parse_attributes, parse_dim

f32, i64, bool_ = dt.float32, dt.int64, dt.bool_
n, m = Expr.symbol("n"), Expr.symbol("m")

EVERYTHING = """\
kernel every.thing(x: f32[n, m], inout v: bf16[3], scratch t: f32[m], ids: i64[2*n + 1]) \
-> (y: f32[n, m], c: bool[]) sizes(m, n, ?3) {
  %one = const f32 1.0
  alloc s: f64[4, 2]
  parallel i in m*max(n, 1) {
    %a: f32 = pi {}
    %lo, %b = reduce min, argmax vector j in m unroll 4 {
      %0 = load x[i, -j + m - 1] where bool true else -inf
      %1: bool = less %0, f32 nan
      yield %0, %0
    }
    %i = index (%b//(n + 1)) + ((%b + i)%4)
    check %1 else 12 at -%i + 3*i
    for k in min(3, ?3) {
      %s0, %s1 = scan sum %c0: f32 -> %c1, last %d0: i64 -> %d1 from i64 -5 for q in %b {
        %2 = load t[q]
        step %2, %d0
        store t[q] += %c1 where %1 stream
      }
    }
    vector j in ((i%%b)//2) lanes 8 unroll 2 {
      %3 = load ids[((2*n)%(j + 1))]
      %4: f32 = cast %3
      %5 = scale %4 {by=2.5, deep=[1, [f32, none]], name="a\\"b", on=true, to=-inf}
      store y[i, %3] = %5
    }
    template gemm(x, y; n, m + 1) {fast=false} epilogue(p, q)(%acc: f32) {
      %6 = add %acc, f32 1e-30
      yield %6
    }
    template sort(x)
  }
}
"""


def parsed(text):
    k = _Unverified(Tokens(text)).kernel()
    return k


class _Unverified:
    """Parses without verification: the text above shows syntax, not sense."""

    def __init__(self, tokens):
        from graphc.ir import kernel_parse

        self.parser = kernel_parse._Parser(tokens)
        self.module = kernel_parse

    def kernel(self):
        was = self.module.verify
        self.module.verify = lambda k: None
        try:
            return self.parser.kernel()
        finally:
            self.module.verify = was


def test_everything_comes_back():
    text = EVERYTHING.replace(" {}", "").replace("%1 else 12", "bool false else 12")
    text = text.replace("where %1", "where bool true")
    k = parsed(text)
    assert print_kernel(k) == text
    assert parsed(print_kernel(k)) == k
    assert [str(s) for s in k.sizes] == ["m", "n", "?3"]
    assert k.units == maximum(n, 1) * m
    assert parsed(structure_text(k)) == parsed(structure_text(parsed(structure_text(k))))


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        (0.1, f32, "0.1"), (1e30, f32, "1e+30"), (-0.0, f32, "-0.0"), (math.inf, f32, "inf"),
        (-math.inf, dt.float16, "-inf"), (math.nan, dt.float64, "nan"), (2.5, dt.bfloat16, "2.5"),
        (-(2**63), i64, "-9223372036854775808"), (255, dt.uint8, "255"), (True, bool_, "true"),
        (1 / 3, dt.float64, "0.3333333333333333"),
    ],
)  # fmt: skip
def test_literals(value, dtype, text):
    k = Kernel("k", (), (), (Let("0", "const", (Literal(value, dtype),), dtype),))
    assert f"const {dtype.code} {text}\n" in print_kernel(k)
    assert parse_kernel(print_kernel(k)) == k
    assert print_kernel(parse_kernel(print_kernel(k))) == print_kernel(k)


def test_literals_are_equal_that_are_one_text():
    assert Literal(math.nan, f32) == Literal(-float("nan"), f32)
    assert Literal(-0.0, f32) != Literal(0.0, f32)
    assert Literal(0.0, f32) != Literal(0.0, dt.float64)
    assert len({Literal(math.nan, f32), Literal(float("nan"), f32), Literal(0.0, f32)}) == 2


DIMS = [
    "n", "7", "-n", "2*n + 1", "n*m - 3", "(n + 1)//2", "n%4 + n//4", "4*(m%n)", "max(n, m)",
    "min(n//2, m + 1)", "%7 + 1", "n%%7", "(%7%n)//(m + 1)", "((n%3)//2)%m", "-2*n*m + %a.b",
]  # fmt: skip


@pytest.mark.parametrize("text", DIMS)
def test_dims(text):
    d = parse_dim(Tokens(text))
    assert parse_dim(Tokens(str(d))) == d
    t = Tokens(text)
    parse_dim(t)
    assert t.peek().kind == "end"


def test_attributes():
    text = '{axis=[1, -2], deep=[[none]], eps=1e-05, name="\\u00fc\\n", t=bf16, x=-inf, y=true}'
    attrs = parse_attributes(Tokens(text))
    assert print_attributes(attrs) == text
    assert dict(attrs)["t"] is dt.bfloat16
    with pytest.raises(KernelError, match="no text"):
        print_attributes((("f", object()),))


GOOD = """\
kernel k(x: f32[n]) -> (y: f32[n]) {
  vector i in n {
    %0 = load x[i]
    store y[i] = %0
  }
}
"""

ERRORS = [
    # replace, by, line, column, message
    ("kernel k", "kernal k", 1, 1, "expected 'kernel', found 'kernal'"),
    ("x: f32[n]", "x: f33[n]", 1, 13, "expected an element type, found 'f33'"),
    ("x: f32[n]", "x: f32[n, ]]", 1, 20, "expected a size or an index, found ']'"),
    ("-> (y", "-> (x", 1, 25, "two buffers are called x"),
    ("vector i", "vektor i", 2, 3, "unknown statement 'vektor'"),
    ("i in n", "i on n", 2, 12, "expected 'in', found 'on'"),
    ("in n {", "in 2*(n {", 2, 20, "expected ')', found '{'"),
    ("in n {", "in $ {", 2, 15, "unexpected character '$'"),
    ("load x[i]", "load z[i]", 3, 15, "no buffer is called z"),
    ("load x[i]", "load x[i, 0]", 3, 15, "x has 1 axes, not 2"),
    ("load x[i]", "load x[%9]", 3, 17, "%9 is no i64 value defined here"),
    ("load x[i]", "foo", 3, 5, "foo has no operands: write %0: type = foo"),
    ("load x[i]", "neg f32 x", 3, 18, "'x' is no constant of f32"),
    ("load x[i]", "neg u8 256", 3, 17, "'256' is no constant of u8"),
    ("load x[i]", "neg bool 1", 3, 19, "expected true or false, found '1'"),
    ("= %0", "= %1", 4, 18, "%1 is not defined here"),
    ("= %0", "- %0", 4, 16, "expected '=', found '-'"),
    ("store y[i] = %0", "%0 = neg %0", 4, 5, "%0 is defined twice"),
    ("store y[i] = %0", "%1, %2 = neg %0", 4, 5, "neg has one result"),
    ("store y[i] = %0", "store x[i] = %0", 1, 8, "kernel k: x is an input and cannot be stored to"),
    ("store y[i] = %0", "store y[q] = %0", 1, 8,
     "kernel k: store uses q, which is not a size, loop variable or i64 value here"),
    ("  }\n}", "  }\n", 7, 1, "expected a statement, found the end of the text"),
    ("  }\n}", "  }\n} }", 6, 3, "expected the end of the text, found '}'"),
    ("store y[i] = %0", '%1 = foo %0 {a="\\q"}', 4, 20, "a string with a bad escape"),
    ("store y[i] = %0", "%1 = reduce most vector", 4, 17,
     "expected one of sum, prod, max, min, any, all, argmax, argmin, found 'most'"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "column", "message"), ERRORS)
def test_parse_errors(old, new, line, column, message):
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    with pytest.raises(ParseError) as e:
        parse_kernel(text)
    assert (e.value.line, e.value.column, e.value.message) == (line, column, message)
    shown = str(e.value).splitlines()
    assert shown[0] == f"line {line}, column {column}: {message}"
    assert shown[2].index("^") == column + 1


def test_a_long_line_is_cut_around_the_error():
    with pytest.raises(ParseError) as e:
        parse_kernel(GOOD.replace("load x[i]", "load x[" + "i + " * 500 + "$]"))
    _, source, caret = str(e.value).splitlines()
    assert len(source) <= 162
    assert source[caret.index("^")] == "$"


def test_no_text_crashes_the_parser():
    for cut in range(len(EVERYTHING) - 1):
        with pytest.raises(ParseError):
            parsed(EVERYTHING[:cut])
    for deep in ("(" * 5000, "-" * 5000, "max(" * 5000):
        with pytest.raises(ParseError, match="too deep"):
            parse_kernel(GOOD.replace("in n", f"in {deep}"))
    with pytest.raises(ParseError, match="too deep"):
        parse_kernel(GOOD.replace("store", "for k in n { " * 5000))
    with pytest.raises(ParseError, match="too deep"):
        parse_attributes(Tokens("{a=" + "[" * 5000))


def test_comments_and_spacing():
    assert parse_kernel("# a kernel\n" + GOOD.replace("{", "{ # here\n\n").replace(", ", ",")) == (
        parse_kernel(GOOD)
    )


# ------------------------------------------------------------------- structure


def test_structure_text_ignores_names_only():
    other = GOOD.replace("kernel k", "kernel other").replace("x", "in_").replace("n]", "batch]")
    other = other.replace("in n {", "in batch {").replace("%0", "%value").replace("y", "out_")
    k, o = (
        parse_kernel(GOOD),
        parse_kernel(other.replace("vector i", "vector row").replace("[i]", "[row]")),
    )
    assert k != o
    assert structure_text(k) == structure_text(o)
    assert structure_text(k) == structure_text(o)
    assert structure_text(k) != structure_text(parse_kernel(GOOD.replace("f32", "f64")))
    assert structure_text(k) != structure_text(parse_kernel(GOOD.replace("x[i]", "x[n - 1 - i]")))


def test_structure_text_does_not_depend_on_the_order_of_names():
    def kernel(a, b, i):
        text = f"""
        kernel k(x: f32[{a}*{b} + {b}]) -> (y: f32[{a}, {b}]) sizes({a}, {b}) {{
          parallel {i} in {a} {{
            vector j in {b} {{
              %0 = load x[{i}*{b} + j + (j%{a})//2]
              store y[{i}, j] = %0
            }}
          }}
        }}"""
        return parse_kernel(text)

    assert structure_text(kernel("a", "b", "i")) == structure_text(kernel("z", "c", "k"))


# ------------------------------------------------------------------- builder and verifier


def test_builder_collects_sizes_and_renames_variables():
    b = KernelBuilder("k")
    x, y = b.input("x", f32, (n, m + 1)), b.output("y", f32, (n,))
    with b.loop("parallel", "n", n) as i:
        assert str(i) == "n1"
        with b.loop("vector", "n", m) as j:
            assert str(j) == "n2"
            b.load(x, (i, j))
        with b.loop("for", "n", 3) as j:
            assert str(j) == "n2"
        b.store(y, (i,), lit(1, f32))
    k = b.build(cost=7)
    assert [str(s) for s in k.sizes] == ["n", "m"]
    assert k.cost == 7
    assert k == parse_kernel(print_kernel(k))


def test_units():
    b = KernelBuilder("k")
    y = b.output("y", f32, (n,))
    with b.loop("parallel vector", "i", n, block=512) as i:
        b.store(y, (i,), lit(1, f32))
    k = b.build()
    assert str(k.units) == "((n + 511)//512)"
    assert k.buffer("y").direction == "out"
    assert scratch_stride(Buffer("t", f32, (n,))) == 64 * ((4 * n + 63) // 64)


def bad(message, build):
    b = KernelBuilder("k")
    with pytest.raises(KernelError, match=message):  # noqa: PT012 - either may raise
        build(b)
        b.build()


def test_the_verifier():
    x32, v = Value("9", f32), Value("0", f32)

    def store_out(b, value, **kw):
        y = b.output("y", f32, (n,))
        with b.loop("vector", "i", n) as i:
            b.store(y, (i,), value, **kw)

    bad("uses %9: f32, which is not defined", lambda b: store_out(b, x32))
    bad("store of i64", lambda b: store_out(b, lit(1, i64)))
    bad("store of f32 .mul.", lambda b: store_out(b, lit(1, f32), mode="mul"))
    bad("where. of y is not bool", lambda b: store_out(b, lit(1, f32), where=lit(1, f32)))

    def nested(b, outer, inner):
        with b.loop(outer, "i", n), b.loop(inner, "j", m):
            pass

    bad("vector inside a vector loop", lambda b: nested(b, "vector", "vector"))
    bad("'parallel' loop cannot stand", lambda b: nested(b, "for", "parallel"))
    bad("'diagonal' loop cannot stand", lambda b: nested(b, "diagonal", "for"))

    def two_parallel(b):
        for _ in range(2):
            with b.loop("parallel", "i", n):
                pass

    bad("beside a parallel loop", two_parallel)

    def triangle(b):
        with b.loop("vector", "i", n) as i, b.loop("for", "j", i + 1):
            pass

    bad("loop uses i, which differs between lanes", triangle)

    def triangle_by_value(b):
        with b.loop("vector", "i", n) as i:
            v = b.index(i + 1)
            with b.loop("for", "j", v.index):
                pass

    bad("loop uses %0, which differs between lanes", triangle_by_value)

    def leak(b):
        x = b.input("x", f32, (n,))
        y = b.output("y", f32, ())
        with b.loop("for", "i", n) as i:
            v = b.load(x, (i,))
        b.store(y, (), v)

    bad("uses %0: f32, which is not defined here", leak)
    bad("two buffers are called y", lambda b: (b.output("y", f32, ()), b.output("y", f32, ())))
    bad("strings", lambda b: b.input("x", dt.string, (n,)))
    bad("at most 4 kB", lambda b: b.alloc("t", f32, (1025,)))
    bad("not a power of two", lambda b: b.add(Loop("vector", "i", 3, (), 0, 3)))
    bad("not a power of two", lambda b: b.add(Loop("vector", "i", 3, (), 0, 64, 8)))
    bad("block 64 of a vector loop", lambda b: b.add(Loop("vector", "i", 3, (), 64)))
    bad("no well-formed select", lambda b: b.let("select", lit(1, f32), lit(1, f32), lit(2, f32)))
    bad("is defined twice", lambda b: [b.add(Let("0", "const", (lit(1, f32),), f32))] * 2
        and b.add(Let("0", "const", (lit(1, f32),), f32)))  # fmt: skip

    def reduction(b, kind, value):
        with b.reduce("vector", "i", n) as r:
            r.yields((kind, value))

    bad("sum of bool", lambda b: reduction(b, "sum", lit(True, bool_)))
    bad("any of f32", lambda b: reduction(b, "any", lit(1, f32)))
    bad("unknown reduction 'mean'", lambda b: reduction(b, "mean", lit(1, f32)))
    bad("%0 is f32, an index is i64", lambda b: v.index)
    bad("check takes a bool", lambda b: b.check(lit(1, f32), 1, 0))
    bad("must call step", unfinished_scan)


def unfinished_scan(b):
    with b.scan("i", n, [("sum", f32)]):
        pass


def test_verify_accepts_what_the_builder_made():
    y = Buffer("y", f32, (3,), "out")
    k = Kernel(
        "k", (y,), (), (Loop("for", "i", 3, (Store("y", (Expr.symbol("i"),), lit(1, f32)),)),)
    )
    verify(k)
    assert str(minimum(n, 3)) == "min(n, 3)"
