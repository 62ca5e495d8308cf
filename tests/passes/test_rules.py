"""Every rule of every table: its licence holds, it costs less, types stay, and rewriting ends."""

from __future__ import annotations

import itertools
import random
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from ir_run import wide

from graphc.ir import build, dims, dtypes
from graphc.ir.dims import Facts
from graphc.ir.dtypes import DType
from graphc.ir.graph import Graph
from graphc.ir.node import Value
from graphc.ir.text import print_graph
from graphc.ops.convert import make_constant
from graphc.ops.pure import input_op
from graphc.ops.record import OPS, InferError
from graphc.passes.pattern import any_of, wildcard
from graphc.passes.rewrite import DEFAULT, LICENCES, RULES, Rewriting, Rule, cost
from graphc.passes.simplify import simplify
from graphc.passes.stabilize import STABLE
from graphc.runtime import reference

ALL = [*RULES, *STABLE]
FLOATS = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.5, 1e-40, -1e-40, 3e38, -3e38, np.inf, -np.inf, np.nan]
TYPES = {
    "f": (dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16),
    "i": (dtypes.int8, dtypes.int32, dtypes.int64),
    "u": (dtypes.uint8, dtypes.uint32),
    "b": (dtypes.bool_,),
}
ids = [f"{r.name}{' ' + r.needs if r.needs else ''} [{r.kinds}]" for r in ALL]


# ------------------------------------------------------------------------- samples of patterns


def specials(dtype: DType) -> np.ndarray[Any, Any]:
    with np.errstate(all="ignore"):
        if dtype.kind == "f":
            a = np.array(FLOATS).astype(dtype.np)
            return reference.round_bf16(a) if dtype.code == "bf16" else a
    if dtype.kind == "b":
        return np.array([False, True])
    info = np.iinfo(dtype.np)
    low = [-7, -1, info.min + 1] if dtype.kind == "i" else [info.max // 2]
    return np.array([0, 1, 2, 5, info.max, info.max - 1, info.min, *low], dtype.np)


class NoSample(Exception):
    """This pattern has no form in the type that was tried."""


class Sampler:
    """Makes a value that has the form of a pattern, and arrays for its wildcards."""

    def __init__(self, r: Rule, dtype: DType, rng: random.Random, moderate: bool = False) -> None:
        self.rule = r
        self.dtype = dtype
        self.rng = rng
        self.moderate = moderate
        self.made: dict[Value, Value] = {}
        self.wild: dict[str, Value] = {}
        self.attrs: dict[str, Any] = {}
        self.feeds: dict[Value, Any] = {}
        self.plain = all(v.node.op.family in ("elementwise", "state") for v in parts(r.left))
        self.flip = rng.random() < 0.5

    def value(self, p: Value) -> Value:
        """A value of the form of `p`."""
        if p not in self.made:
            self.made[p] = self.make(p)
        return self.made[p]

    def make(self, p: Value) -> Value:
        n = p.node
        if n.op is wildcard:
            return self.wildcard(n.attrs)
        if n.op.name == "constant":
            x = n.attrs["value"].reshape(-1)[0]
            t = dtypes.bool_ if n.outputs[0].dtype.kind == "b" else self.dtype
            a = np.asarray(x).astype(t.np)
            if a.astype(np.float64) != x:
                raise NoSample
            return make_constant(a, t)
        if any("many" in i.node.attrs for i in n.inputs):
            inputs = self.several(n.inputs[0].node.attrs["name"])
        else:
            inputs = [self.value(i) for i in n.inputs]
        attrs = self.attributes(n.op.name, n.attrs, inputs)
        record = n.op
        if any(v.dtype.kind not in record.types for v in inputs if record.name != "select"):
            raise NoSample
        try:
            return build.build(record, inputs, attrs).outputs[0]
        except (InferError, ValueError, TypeError, KeyError, IndexError) as e:
            raise NoSample from e

    def wildcard(self, attrs: Any) -> Value:
        name = attrs["name"]
        if name in self.wild:
            return self.wild[name]
        t = dtypes.bool_ if attrs["dtype"].kind == "b" else self.dtype
        if "constant" in attrs:
            a = self.array(t, self.rng.choice([(), ()]))
            v = make_constant(a, t)
        else:
            v = self.fed(t, self.shape())
        self.wild[name] = v
        return v

    def fed(self, t: DType, shape: Sequence[int]) -> Value:
        attrs = {"index": len(self.feeds), "dtype": t, "shape": tuple(shape)}
        v = build.build(input_op, (), attrs, f"x{len(self.feeds)}").outputs[0]
        self.feeds[v] = None
        return v

    def shape(self) -> tuple[int, ...]:
        if self.plain:
            return (0,)  # the real one follows from the number of wildcards
        name = self.rule.left.node.op.name
        if "matmul" in self.rule.name:
            return (3, 3) if self.flip else (2, 3, 3)
        if "fill(" in self.rule.name:
            return ()
        if name == "concat":
            return (2, 3)
        return tuple(self.rng.choice([1, 1, 2, 3]) for _ in range(3))

    def several(self, name: str) -> list[Value]:
        how = self.rng.randrange(4)
        xs = [
            self.fed(self.dtype, (2, self.rng.choice([0, 1, 2, 3])))
            for _ in range(self.rng.randint(1, 3))
        ]
        if how == 1:
            x = self.fed(self.dtype, (2, 5))
            cut = [OPS["slice"], (x,)]
            xs += [
                build.build(*cut, {"begin": (0, b), "size": (2, n)}).outputs[0]
                for b, n in ((0, 2), (2, 3))
            ]
        if how == 2:
            xs.append(build.build(OPS["concat"], xs, {"axis": 1}).outputs[0])
        self.attrs["a"] = 1
        return xs

    def attributes(self, op_name: str, pattern: Any, inputs: Sequence[Value]) -> dict[str, Any]:
        shape = inputs[0].static_shape or ()
        out = sample_attributes(op_name, shape, self.rng, self.dtype)
        for k, a in pattern.items():
            if isinstance(a, any_of):
                if a.name in self.attrs:
                    out[k] = self.attrs[a.name]
                else:
                    self.attrs[a.name] = out.get(k)
            elif k != "_partial":
                out[k] = a
        return out

    def array(self, t: DType, shape: Sequence[int]) -> Any:
        n = int(np.prod(shape))
        if self.moderate and t.kind == "f":
            a = np.array([self.rng.uniform(-3, 3) for _ in range(n)]).reshape(shape).astype(t.np)
            return reference.round_bf16(a) if t.code == "bf16" else a
        pool = specials(t)
        return np.array([pool[self.rng.randrange(len(pool))] for _ in range(n)], t.np).reshape(
            shape
        )

    def arrays(self) -> dict[Value, Any]:
        """Feeds: for elementwise rules every combination of odd values, else random ones."""
        if not self.plain:
            return {v: self.array(v.dtype, v.static_shape or ()) for v in self.feeds}
        if self.moderate:
            n = 200
            return {v: self.array(v.dtype, (n,)) for v in self.feeds}
        pools = [specials(v.dtype) for v in self.feeds]
        grids = np.meshgrid(*pools, indexing="ij") if pools else []
        return {v: g.reshape(-1) for v, g in zip(self.feeds, grids, strict=True)}


def sample_attributes(
    op_name: str, s: Sequence[int], rng: random.Random, dtype: DType
) -> dict[str, Any]:
    """Attributes that `op_name` may have on an operand of shape `s`."""
    n = len(s)
    axis = rng.sample(range(n), rng.randint(0, n)) if n else []
    if op_name.startswith("reduce_"):
        return {"axis": rng.choice([None, tuple(sorted(axis))]), "keepdims": rng.random() < 0.5}
    total = int(np.prod(s))
    perm = rng.sample(range(n), n)
    if n >= 2 and rng.random() < 0.5:
        perm = [*range(n - 2), n - 1, n - 2]
    begin = tuple(rng.randint(0, d) for d in s)
    size = tuple(rng.randint(0, d - b) for d, b in zip(s, begin, strict=True))
    small = [dtypes.bool_, *TYPES["f"], *TYPES["i"], *TYPES["u"]]
    made: dict[str, Any] = {
        "cast": {"dtype": rng.choice([*small, dtype])},
        "reshape": {"shape": rng.choice([(total,), (1, total), tuple(s), (total, 1, 1)])},
        "expand_dims": {"axis": rng.randint(0, n)},
        "squeeze": {"axis": tuple(i for i, d in enumerate(s) if d == 1)},
        "transpose": {"perm": rng.choice([tuple(perm), tuple(perm), None])},
        "broadcast_to": {"shape": rng.choice([(2, *[d if d != 1 else 4 for d in s]), tuple(s)])},
        "fill": {"dims": rng.choice([(), (2, 3, 1)])},
        "slice": {"begin": begin, "size": size},
        "tile": {"multiples": tuple(rng.choice([1, 1, 2]) for _ in s)},
        "reverse": {"axis": tuple(axis)},
        "concat": {"axis": 1},
        "pad": {"paddings": tuple((rng.randint(0, 1), rng.randint(0, 1)) for _ in s)},
        "mirror_pad": {"paddings": tuple((0, 0) for _ in s), "mode": "REFLECT"},
        "matmul": {"transpose_a": rng.random() < 0.5, "transpose_b": rng.random() < 0.5},
        "softmax": {"axis": max(n - 1, 0)}, "log_softmax": {"axis": max(n - 1, 0)},
    }  # fmt: skip
    if op_name == "slice" and rng.random() < 0.5:
        return {"begin": (0,) * n, "size": tuple(s)}
    return dict(made.get(op_name, {}))


def parts(v: Value) -> list[Value]:
    out, stack = [], [v]
    while stack:
        u = stack.pop()
        out.append(u)
        stack += u.node.inputs
    return out


def attempts(r: Rule, moderate: bool = False, count: int = 400) -> Any:
    """Samples on which the rule applies: (left, right, sampler)."""
    rng = random.Random(zlib.crc32(r.name.encode()))
    # wildcards that are all bool take no other type
    kinds = [k for k in r.kinds if k in TYPES]
    if r.needs and "f" in kinds:
        kinds = ["f"]
    types = [t for k in kinds for t in TYPES[k]]
    rewriting = Rewriting([r], LICENCES)
    found = dict.fromkeys(types, 0)
    with build.use(build.Rewriter()), dims.assuming(Facts()):
        for t, _ in itertools.product(types, range(count)):
            if found[t] >= (
                1
                if all(v.node.op.family in ("elementwise", "state") for v in parts(r.left))
                else 12
            ):
                continue
            s = Sampler(r, t, rng, moderate)
            try:
                left = s.value(r.left)
            except NoSample:
                continue
            s.feeds = {v: None for v in s.feeds}
            right = rewriting.rewrite(left, [r])
            if right is not None:
                found[t] += 1
                yield left, right, s


def same_bits(a: Any, b: Any) -> Any:
    """Equal to the bit, any NaN like any other."""
    if a.dtype.kind != "f":
        return a == b
    return (np.isnan(a) & np.isnan(b)) | ((a == b) & (np.signbit(a) == np.signbit(b)))


def both_sides(left: Value, right: Value, s: Sampler, feeds: Any = None) -> tuple[Any, Any, Any]:
    feeds = s.arrays() if feeds is None else feeds
    roots = [left, right]
    with np.errstate(all="ignore"):
        a, b = run(roots, feeds)
    return a, b, feeds


def run(roots: Sequence[Value], feeds: Any, double: bool = False) -> list[Any]:
    """`reference.evaluate` without checking shapes: elementwise samples grow as they are fed."""
    from graphc.ir.node import reachable
    from graphc.ops.record import meaning

    done = {
        v: (a.astype(np.float64) if double and v.dtype.kind == "f" else a) for v, a in feeds.items()
    }
    for n in reachable([v.node for v in roots]):
        if n.outputs[0] in done:
            continue
        attrs = {k: wide(a) if double else a for k, a in n.attrs.items()}
        if n.op.name == "constant":
            a = n.attrs["value"]
            done[n.outputs[0]] = a.astype(np.float64) if double and a.dtype.kind == "f" else a
            continue
        types = [(wide(v.dtype) if double else v.dtype, None) for v in n.outputs]
        if n.op.name == "fill" and attrs["dims"] == (0,):
            attrs["dims"] = next(iter(done.values())).shape
        for v, a in zip(
            n.outputs, meaning(n.op, [done[i] for i in n.inputs], attrs, types), strict=True
        ):
            done[v] = a
    return [np.broadcast_arrays(done[v], done[roots[0]])[0] for v in roots]


# ------------------------------------------------------------------------- the tests


@pytest.mark.parametrize("r", ALL, ids=ids)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_rule(r: Rule) -> None:
    if "sum_of_exp_gradient" in repr(r.right):
        pytest.skip("test_stabilize has the whole formula")
    applied = 0
    for left, right, s in attempts(r):
        applied += 1
        assert right.type == left.type
        leaves = [*s.wild.values(), *s.feeds]
        assert cost(right, leaves) < cost(left, leaves), (
            f"{cost(right, leaves)} for {cost(left, leaves)}"
        )
        if not r.needs:
            a, b, feeds = both_sides(left, right, s)
            ok = same_bits(a, b)
            if not ok.all():
                at = tuple(int(i[0]) for i in np.nonzero(~ok))
                given = [f.reshape(-1)[at[0]] if s.plain else f for f in feeds.values()]
                raise AssertionError(f"{left.dtype.code} {given}: {a[at]!r} becomes {b[at]!r}")
    assert applied, "no sample of this rule applies"


@pytest.mark.parametrize(
    "r", [r for r in ALL if r.needs], ids=[i for i, r in zip(ids, ALL, strict=True) if r.needs]
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_licence(r: Rule) -> None:
    """What a rule with a licence changes is what the licence says."""
    needs = set(r.needs.split())
    inexact = needs & {"REASSOC", "SUM_ORDER", "SAME_ROUNDING", "STABLER"}
    for left, right, s in attempts(r):
        a, b, _ = both_sides(left, right, s)
        if a.dtype.kind != "f":
            continue
        if not inexact:
            allowed = same_bits(a, b)
            if "NO_SIGNED_ZERO" in needs:
                allowed |= (a == 0) & (b == 0)
            if "NO_NAN" in needs:
                fed = [v for v in s.feeds if v.dtype.kind == "f"]
                assert fed
                allowed |= ~np.isfinite(a)
            assert allowed.all()
    for left, right, s in attempts(r, moderate=True):
        if left.dtype.code != "f32":
            continue
        a, b, feeds = both_sides(left, right, s)
        exact_left, exact = run([left, right], feeds, double=True)
        # as real numbers both sides are the same, wherever the left side is a number
        real = np.isfinite(exact_left) & np.isfinite(exact)
        assert np.allclose(exact_left[real], exact[real], rtol=1e-6, atol=2e-6)
        eps = np.finfo(np.float32).eps
        if "STABLER" in needs:
            off, was = np.abs(b - exact), np.nan_to_num(np.abs(a - exact), nan=np.inf)
            ok = (off <= was + 16 * eps * np.abs(exact) + 4 * eps) | ~np.isfinite(exact)
            assert ok.all()


def test_table_is_written_down() -> None:
    for r in ALL:
        assert all(n in LICENCES for n in r.needs.split())
    names = [(r.name, r.needs, r.kinds, r.takes) for r in ALL]
    assert len(names) > 250
    assert {"STABLER", "FEWER_PRODUCTS"} == DEFAULT


# ------------------------------------------------------------------------- termination


UNARY = (
    "negative abs square exp log sqrt reciprocal relu relu6 sigmoid tanh floor ceil sign".split()
)
BINARY = "add subtract multiply realdiv maximum minimum pow".split()


def random_expression(rng: random.Random, size: int, dtype: DType) -> Graph:
    pool: list[Value] = []
    with build.use(build.Rewriter()), dims.assuming(Facts()):
        for i in range(2):
            attrs = {"index": i, "dtype": dtype, "shape": (2, 3)}
            pool.append(build.build(input_op, (), attrs, f"x{i}").outputs[0])
        for c in (0.0, 1.0, -1.0, 2.0, -0.0):
            pool.append(make_constant(np.asarray(c, dtype.np), dtype))
        inputs = tuple(pool[:2])
        while len(pool) < size:
            name = rng.choice([*UNARY, *BINARY, *BINARY, "transpose", "reshape", "reduce_sum"])
            if dtype.kind not in OPS[name].types:
                continue
            x = rng.choice(pool[-6:])
            values = (x, rng.choice(pool[-6:])) if name in BINARY else (x,)
            attrs = sample_attributes(name, x.static_shape or (), rng, dtype)
            try:
                pool.append(build.build(OPS[name], values, attrs).outputs[0])
            except (InferError, ValueError):
                continue
    return Graph((pool[-1], pool[-2]), (), inputs)


@pytest.mark.parametrize("seed", range(60))
def test_rewriting_ends(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    g = random_expression(rng, 40, rng.choice([dtypes.float32, dtypes.int32]))
    lowest = [Rewriting.LIMIT]
    plain = Rewriting.settle

    def watched(self: Rewriting, v: Value, mark: int) -> Value:
        lowest[0] = min(lowest[0], self.left)
        return plain(self, v, mark)

    monkeypatch.setattr(Rewriting, "settle", watched)
    options = "+".join(LICENCES) if seed % 2 else ""
    once = simplify(g, options)
    assert lowest[0] > 100, "a node set off too many rewrites"
    assert print_graph(simplify(once, options)) == print_graph(once)
