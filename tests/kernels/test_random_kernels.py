"""Random small kernels: native code, on guarded memory, against plain loops."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kernel_harness import check, sample

from graphc.ir import dtypes as dt
from graphc.ir.dims import Expr, maximum, minimum
from graphc.ir.kernel import lit
from graphc.ir.kernel_builder import KernelBuilder

f32, i64, bool_ = dt.float32, dt.int64, dt.bool_
n, m = Expr.symbol("n"), Expr.symbol("m")
TYPES = [f32, dt.float64, dt.int32, dt.uint8, dt.int16, i64]


class Maker:
    """Draws a kernel over x[n, m], v[m] and s[], with outputs of the space's shapes."""

    def __init__(self, draw):
        self.draw = draw
        self.dtype = draw(st.sampled_from(TYPES))
        self.b = KernelBuilder("random", sizes=[n, m])
        self.x = self.b.input("x", self.dtype, (n, m))
        self.v = self.b.input("v", self.dtype, (m,))
        self.s = self.b.input("s", self.dtype, ())
        self.y = self.b.inout("y", self.dtype, (n, m))
        self.r = self.b.inout("r", self.dtype, (n + m,))

    def pick(self, *options):
        return self.draw(st.sampled_from(options))

    def column(self, j):
        """An index below m that is made from j, in [0, m)."""
        shift = self.draw(st.integers(0, 9))
        return self.pick(
            j, m - 1 - j, 0, (j + shift) % m, j // maximum(shift, 1), (3 * j + shift) % m,
            minimum(j + shift, m - 1), j % minimum(m, shift + 1), (j * j) % m,
        )  # fmt: skip

    def value(self, i, j, known, depth):
        """A value at row i and column j."""
        b = self.b
        kind = self.pick("load", "load", "known", "op", "op", "where", "literal")
        if kind == "known" and known:
            return self.draw(st.sampled_from(known))
        if depth == 0 or kind in ("load", "known"):
            return self.pick(
                lambda: b.load(self.x, (i, self.column(j))),
                lambda: b.load(self.v, (self.column(j),)),
                lambda: b.load(self.s, ()),
            )()
        if kind == "literal":
            return lit(self.draw(st.integers(0, 3)), self.dtype)
        first = self.value(i, j, known, depth - 1)
        second = self.value(i, j, known, depth - 1)
        if kind == "where":
            on = b.let("less", first, second, dtype=bool_)
            if self.pick(True, False):
                return b.select(on, second, first)
            return b.load(self.v, (self.column(j),), on, 1)
        return b.let(self.pick("add", "sub", "maximum"), first, second)

    def reduction(self, kind, i, j, extent, known):
        """A reduction along a fresh variable, in place of j (or of i, for columns)."""
        b = self.b
        small = b.let("maximum", lit(0, self.dtype), lit(1, self.dtype))
        with b.reduce(kind, "q", extent, unroll=self.pick(0, 0, 1, 2)) as r:
            at = (i, r.var) if j is None else (r.var, j)
            pairs = []
            for _ in range(self.pick(1, 1, 2)):
                v = self.value(*at, [*known, small], 1)
                pairs.append((self.pick("sum", "max", "min", "argmax", "argmin"), v))
            r.yields(*pairs)
        return [b.cast(v, self.dtype) for v in r.results]

    def rows(self):
        b, known = self.b, []
        with b.loop(self.pick("parallel", "for"), "i", n) as i:
            for _ in range(self.pick(0, 1, 2)):
                known += self.reduction(self.pick("vector", "for"), i, None, m, known)
            hints = {"lanes": self.pick(0, 0, 4, 8), "unroll": self.pick(0, 0, 1, 2)}
            with b.loop("vector", "j", m, **hints) as j:
                v = self.value(i, j, known, 3)
                b.store(self.y, (i, self.pick(j, m - 1 - j)), v, self.pick("set", "add"))
            if known:
                b.store(self.r, (i,), known[0])

    def columns(self):
        b, known = self.b, []
        with b.loop(self.pick("parallel vector", "vector"), "j", m) as j:
            for _ in range(self.pick(1, 2)):
                known += self.reduction("for", None, j, n, known)
            with b.scan("i", n, [("sum", self.dtype)]) as s:
                (after,) = s.step(self.value(s.var, j, known, 2))
                b.store(self.y, (s.var, j), self.pick(after, s.before[0]))
            b.store(self.r, (j,), known[0])

    def kernel(self):
        self.pick(self.rows, self.columns)()
        return self.b.build()


@st.composite
def kernels(draw):
    k = Maker(draw).kernel()
    sizes = [(draw(st.integers(1, 5)), draw(st.sampled_from([1, 2, 7, 16, 33, 70])))
             for _ in range(2)]  # fmt: skip
    return k, sizes, draw(st.integers(0, 2**32)), draw(st.booleans())


@settings(
    max_examples=60, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(kernels())
def test_random_kernels(case):
    k, sizes, seed, at_end = case
    rng = np.random.default_rng(seed)
    for rows, cols in sizes:
        arrays = {
            p.name: sample(rng, p.dtype, tuple(_size(d, rows, cols) for d in p.shape), -3, 4)
            for p in k.params
        }
        check(k, arrays, {"n": rows, "m": cols}, at_end=at_end)


def _size(d, rows, cols):
    return {n: rows, m: cols, n + m: rows + cols}[d]
