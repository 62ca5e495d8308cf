"""The rules of `simplify`, by topic. The pattern is the expression."""

from __future__ import annotations

from graphc.ir import build, dtypes
from graphc.ops import math

from graphc.passes.simplify import constant_wild, rule, wild

__all__: list[str] = []

x, y, z = wild("x"), wild("y"), wild("z")
p = wild("p", dtypes.bool_)
c, d = constant_wild("c"), constant_wild("d")

with build.use(build.Rewriter()):
    # ---- identities
    rule(x * 1, x)
    rule(x / 1, x)
    rule(x - 0, x)
    rule(x + 0, x, kinds="iu")  # -0.0 + 0.0 is +0.0, so not for floats
    rule(x + 0, x, needs="NO_SIGNED_ZERO", kinds="f")
    rule(x + (-0.0), x)
    rule(x * 0, lambda x: x - x, kinds="iu")
    rule(x - x, lambda x: x * 0, needs="NO_NAN", kinds="f")
    rule(x * -1, lambda x: -x)
    rule(-(-x), x)

    # ---- powers
    rule(math.pow(x, 1.0), x, kinds="f")
    rule(math.pow(x, 2.0), lambda x: x * x, kinds="f")
    rule(math.square(x), lambda x: x * x)
