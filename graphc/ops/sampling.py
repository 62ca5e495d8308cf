"""Candidate samplers: classes drawn from the numbers TF1 would draw.

A run reserves 512 blocks of the op's Philox stream for each candidate; the draws are lane after
lane of them. Uniform classes and those of Zipf's law are drawn in native code, as each step of a
word model does; the others by the host, where each op keeps its place in its stream in the session.
"""

from __future__ import annotations

import math as _math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.dims import Dim
from graphc.ir.kernel import lit
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node, Value
from graphc.ops import philox
from graphc.ops.convert import convert_to_tensor
from graphc.ops.lowering import Site
from graphc.ops.random import _seeds, seeds_of, state_of
from graphc.ops.record import Attrs, Types, no_grad, op, shape_error

__all__ = [
    "all_candidate_sampler", "compute_accidental_hits", "fixed_unigram_candidate_sampler",
    "learned_unigram_candidate_sampler", "log_uniform_candidate_sampler",
    "uniform_candidate_sampler",
]  # fmt: skip

_BLOCKS = 512


class Stream:
    """Numbers of a Philox stream one after the other."""

    def __init__(self, seeds: tuple[int, int], skip: int) -> None:
        self.seeds, self.skip = seeds, skip
        self.words: list[int] = []
        self.at = 0

    def word(self) -> int:
        """The next 32 bits."""
        if self.at == len(self.words):
            first = len(self.words) // 4
            more = philox.blocks(*self.seeds, self.skip, np.arange(first, first + 64))
            self.words += more.reshape(-1).tolist()
        self.at += 1
        return self.words[self.at - 1]

    def below(self, n: int) -> int:
        """A number in [0, n): of 32 bits, drawn again where it would not be uniform."""
        if n & (n - 1) == 0:
            return self.word() & (n - 1)
        top = 0xFFFFFFFF
        end = top - (top % n + 1) % n if (top % n + 1) != n else top
        while True:
            x = self.word()
            if x <= end:
                return x % n

    def below64(self, n: int) -> int:
        """A number in [0, n): of 64 bits."""
        top = 0xFFFFFFFFFFFFFFFF
        if n & (n - 1) == 0:
            return (self.word() | self.word() << 32) & (n - 1)
        end = top - (top % n + 1)
        while True:
            low = self.word()
            x = low | self.word() << 32
            if x <= end:
                return x % n

    def unit(self) -> float:
        """A number in [0, 1) of 52 bits."""
        high = self.word() & 0xFFFFF
        return ((high << 32) | self.word()) / 2.0**52

    def unit32(self) -> float:
        """A number in [0, 1) of 23 bits."""
        return (self.word() & 0x7FFFFF) / 2.0**23


class Source:
    """Where candidates come from: a draw and the probability of each class."""

    def draw(self, s: Stream) -> int:
        raise NotImplementedError

    def probability(self, x: int) -> float:
        raise NotImplementedError

    def learn(self, true: Sequence[int]) -> None:
        """Take note of the true classes of a run."""


class Uniform(Source):
    def __init__(self, n: int) -> None:
        self.n = n

    def draw(self, s: Stream) -> int:
        return s.below64(self.n)

    def probability(self, x: int) -> float:
        return 1.0 / self.n


class LogUniform(Source):
    """Zipf's law, for classes sorted by frequency."""

    def __init__(self, n: int) -> None:
        self.n, self.log = n, _math.log1p(n)

    def draw(self, s: Stream) -> int:
        return (int(_math.exp(s.unit() * self.log)) - 1) % self.n

    def probability(self, x: int) -> float:
        return _math.log((x + 2.0) / (x + 1.0)) / self.log


class Learned(Source):
    """Classes as often as they were true before, each once at first."""

    def __init__(self, n: int) -> None:
        self.weights = np.ones(n, np.int64)

    def draw(self, s: Stream) -> int:
        sums = np.cumsum(self.weights)
        return int(np.searchsorted(sums, s.below(int(sums[-1])), side="right"))

    def probability(self, x: int) -> float:
        return float(self.weights[x]) / float(self.weights.sum())

    def learn(self, true: Sequence[int]) -> None:
        np.add.at(self.weights, np.asarray(true, np.int64), 1)


class Fixed(Source):
    """Classes by given weights; drawn by Vose's alias method."""

    def __init__(self, weights: Sequence[float]) -> None:
        self.weights = [float(np.float32(w)) for w in weights]
        self.total = float(np.float32(sum(self.weights)))
        n = len(weights)
        share = [w * n / sum(self.weights) for w in self.weights]
        self.other = [-1] * n
        low = [i for i, p in enumerate(share) if p < 1.0]
        high = [i for i, p in enumerate(share) if p >= 1.0]
        while high and low:
            small, big = low.pop(), high.pop()
            self.other[small] = big
            share[big] -= 1.0 - share[small]
            (low if share[big] < 1.0 else high).append(big)
        for i in high + low:
            share[i], self.other[i] = 1.0, i
        self.share = [float(np.float32(p)) for p in share]

    def draw(self, s: Stream) -> int:
        share = s.unit32()
        i = s.below(len(self.share))
        return i if share < self.share[i] else self.other[i]

    def probability(self, x: int) -> float:
        return self.weights[x] / self.total


class _State:
    """What a sampler keeps in a session."""

    def __init__(self, source: Source, seeds: tuple[int, int]) -> None:
        self.source, self.seeds = source, seeds
        self.skip = 0


def _source(attrs: Attrs) -> Source:
    kind, n = attrs["kind"], attrs["range_max"]
    if kind == "uniform":
        return Uniform(n)
    if kind == "log_uniform":
        return LogUniform(n)
    return Learned(n) if kind == "learned" else Fixed(attrs["weights"])


def _expected(p: float, size: int, tries: int) -> float:
    if tries == size:
        return p * size
    return -_math.expm1(tries * _math.log1p(-p)) if p < 1.0 else 1.0


def _check(true: Any, attrs: Attrs) -> None:
    n = attrs["num_sampled"]
    if attrs["unique"] and n > attrs["range_max"]:
        raise InvalidArgumentError(None, None, "Sampler's range is too small.")
    if true.ndim != 2 or true.shape[1] != attrs["num_true"]:
        columns = true.shape[1] if true.ndim == 2 else true.ndim
        raise InvalidArgumentError(
            None, None,
            f"true_classes must have num_true columns, expected: {attrs['num_true']} was: "
            f"{columns}",
        )  # fmt: skip


def _sample(context: Any, true: Any, **attrs: Any) -> Any:
    n = attrs["num_sampled"]
    _check(true, attrs)
    state = context.resource(
        f"sampler/{context.node.name}", lambda: _State(_source(attrs), seeds_of(context.node))
    )
    stream = Stream(state.seeds, state.skip)
    state.skip += _BLOCKS * n
    return _drawn(state.source, stream, true, attrs)


def _drawn(source: Source, stream: Stream, true: Any, attrs: Attrs) -> Any:
    """Classes, and how often true and drawn ones are expected among them."""
    n, unique = attrs["num_sampled"], attrs["unique"]
    drawn: list[int] = []
    seen: set[int] = set()
    tries = 0
    while len(drawn) < n:
        tries += 1
        x = source.draw(stream)
        if not unique or x not in seen:
            seen.add(x)
            drawn.append(x)
    flat = [int(x) for x in true.reshape(-1)]
    for x in flat:
        if not 0 <= x < attrs["range_max"]:
            raise InvalidArgumentError(
                None, None, f"class {x} is outside [0, {attrs['range_max']}): see true_classes"
            )
    of = {x: _expected(source.probability(x), n, tries) for x in {*flat, *drawn}}
    source.learn(flat)
    expected = np.array([of[x] for x in flat], np.float32).reshape(true.shape)
    return np.array(drawn, np.int64), expected, np.array([of[x] for x in drawn], np.float32)


def _infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    true = inputs[0]
    if true.rank not in (2, None):
        raise shape_error(f"Shape must be rank 2 but is rank {true.rank}")
    n = attrs["num_sampled"]
    rows = D.fresh() if true.static_shape is None else true.static_shape[0]
    return [
        (dtypes.int64, (n,)), (dtypes.float32, (rows, attrs["num_true"])), (dtypes.float32, (n,))
    ]  # fmt: skip


def _kind(attrs: Attrs) -> str:
    words = {"uniform": "Uniform", "log_uniform": "LogUniform", "learned": "LearnedUnigram",
             "fixed": "FixedUnigram"}  # fmt: skip
    return words[attrs["kind"]] + "CandidateSampler"


sample_op = op(
    "candidate_sampler", "CandidateSampler", "host", doc="Classes drawn at random.",
    args=("true_classes",), types="i", infer=_infer, host=_sample, grad=no_grad, stateful=True,
    facts={"effect": True, "type": lambda inputs, attrs: _kind(attrs)},
)  # fmt: skip


# ------------------------------------------------------------------------- in native code


def _meaning(true: Any, *, skip: int = 0, stream: int = 0, **attrs: Any) -> Any:
    _check(true, attrs)
    numbers = Stream((attrs["seed"], attrs["seed2"]), skip)
    return _drawn(_source(attrs), numbers, true, attrs)


def _slots(n: int) -> int:
    """Places of a table of `n` classes: a power of two, at most half of them full."""
    return 1 << (2 * n - 1).bit_length()


def _lower(n: Node, s: Site) -> None:
    (true,) = n.inputs
    a, f64, i64, truth = n.attrs, dtypes.float64, dtypes.int64, dtypes.bool_
    size, top, columns = a["num_sampled"], a["range_max"], a["num_true"]
    rows, width = _known(true)
    log = _math.log1p(top)
    k = KernelBuilder(f"{a['kind']}_candidates")
    state, bound = state_of(k, n, s)
    drawn, tries = k.output("drawn", i64, (size,)), k.output("tries", i64, ())
    seen = k.inout("seen", i64, (_slots(size),))
    possible = not a["unique"] or size <= top
    k.check(lit(possible, truth), 1, 0)
    k.check(k.let("equal", k.index(width), k.index(columns), dtype=truth), 2, 0)
    with k.loop("vector", "z", _slots(size)) as z:
        k.store(seen, (z,), lit(-1, i64))
    k.template(
        "philox_candidates", [state, drawn, tries, seen], (size if possible else 0, top),
        classes=a["kind"],
        unique=a["unique"], log=log, slots=_slots(size),
    )  # fmt: skip
    enough = k.let("greater_equal", k.load(tries, ()), lit(size, i64), dtype=truth)
    k.check(enough, 3, 0)
    count = s.temp(i64, 1)
    s.step(
        k.build(), [bound, s.output(0), count, s.temp(i64, _slots(size))],
        [
            "Sampler's range is too small.",
            f"true_classes must have num_true columns, expected: {columns}",
            "The numbers drawn did not give as many different classes as are wanted.",
        ],
    )  # fmt: skip

    def expect(name: str, many: Dim, source: Any, out: Any, *checks: str) -> None:
        k = KernelBuilder(name)
        x, t = k.input("classes", i64, (many,)), k.input("tries", i64, ())
        y = k.output("expected", dtypes.float32, (many,))
        made = k.load(t, ())
        times = k.cast(made, f64)
        with k.loop("parallel vector", "i", many) as i:
            c = k.load(x, (i,))
            if checks:
                low = k.let("greater_equal", c, lit(0, i64), dtype=truth)
                high = k.let("less", c, lit(top, i64), dtype=truth)
                k.check(k.let("logical_and", low, high, dtype=truth), 1, i)
            v = k.cast(c, f64)
            p: Any = lit(1.0 / top, f64)
            if a["kind"] == "log_uniform":
                share = k.let("realdiv", k.let("add", v, lit(2.0, f64)),
                              k.let("add", v, lit(1.0, f64)))  # fmt: skip
                p = k.let("realdiv", k.let("log", share), lit(log, f64))
            never = k.let("multiply", times, k.let("log1p", k.let("negative", p)))
            once = k.let("negative", k.let("expm1", never))
            sure = k.let("greater_equal", p, lit(1.0, f64), dtype=truth)
            each = k.let("equal", made, lit(size, i64), dtype=truth)
            expected = k.select(each, k.let("multiply", p, lit(float(size), f64)),
                                k.select(sure, lit(1.0, f64), once))  # fmt: skip
            k.store(y, (i,), k.cast(expected, dtypes.float32))
        s.step(k.build(), [source, count, out], checks)

    outside = f"a class of true_classes is outside [0, {top})"
    expect("expected_true", rows * width, s.input(0), s.output(1), outside)
    expect("expected_sampled", size, s.output(0), s.output(2))


def _known(v: Value) -> tuple[Dim, ...]:
    assert v.static_shape is not None
    return v.static_shape


drawn_op = op(
    "draw_candidates", "CandidateSampler", "random", doc="Classes drawn at random, in native code.",
    args=("true_classes",), types="i", infer=_infer, numpy=_meaning, lower=_lower, grad=no_grad,
    stateful=True, fails=True, facts={
        "type": lambda inputs, attrs: _kind(attrs),
        "blocks": lambda n: _BLOCKS * n.attrs["num_sampled"],
    },
)  # fmt: skip

#: Beyond so many classes floats do not hold them all, and drawing is left to the host.
_EXACT = 1 << 52


class CandidateSamples(NamedTuple):
    """What a sampler gives."""

    sampled_candidates: Any
    true_expected_count: Any
    sampled_expected_count: Any


def _sampled(
    kind: str, true_classes: Any, num_true: int, num_sampled: int, unique: bool, range_max: int,
    seed: int | None, name: str | None, **more: Any,
) -> CandidateSamples:  # fmt: skip
    true = convert_to_tensor(true_classes, dtypes.int64, "true_classes")
    attrs = {
        "kind": kind, "num_true": int(num_true), "num_sampled": int(num_sampled),
        "unique": bool(unique), "range_max": int(range_max), **_seeds(seed), **more,
    }  # fmt: skip
    for key, least in (("num_true", 1), ("num_sampled", 1), ("range_max", 1)):
        if attrs[key] < least:
            raise ValueError(f"Attr '{key}' of '{_kind(attrs)}' Op passed {attrs[key]} less than "
                             f"minimum {least}.")  # fmt: skip
    native = kind in ("uniform", "log_uniform") and attrs["range_max"] <= _EXACT
    record = drawn_op if native else sample_op
    return CandidateSamples(*build(record, [true], attrs, name or _kind(attrs)).outputs)


def _sampler(kind: str, doc: str) -> Callable[..., CandidateSamples]:
    def f(
        true_classes: Any, num_true: int, num_sampled: int, unique: bool, range_max: int,
        seed: int | None = None, name: str | None = None,
    ) -> CandidateSamples:  # fmt: skip
        return _sampled(kind, true_classes, num_true, num_sampled, unique, range_max, seed, name)

    f.__name__ = f.__qualname__ = f"{kind}_candidate_sampler"
    f.__doc__ = f"""Draw candidate classes {doc}.

    Parameters
    ----------
    true_classes : tensor
        ``[batch, num_true]``.
    num_sampled : int
    unique : bool
        Whether no class is drawn twice.
    range_max : int
        Classes are in [0, range_max).

    Returns
    -------
    sampled_candidates, true_expected_count, sampled_expected_count
        The classes, and how often true and drawn ones are expected among them.
    """
    return f


uniform_candidate_sampler = _sampler("uniform", "uniformly")
log_uniform_candidate_sampler = _sampler(
    "log_uniform", "by Zipf's law: class numbers are ranks of frequency"
)
learned_unigram_candidate_sampler = _sampler("learned", "as often as they were true so far")
learned_unigram_candidate_sampler.__name__ = "learned_unigram_candidate_sampler"


def fixed_unigram_candidate_sampler(
    true_classes: Any, num_true: int, num_sampled: int, unique: bool, range_max: int,
    vocab_file: str = "", distortion: float = 1.0, num_reserved_ids: int = 0, num_shards: int = 1,
    shard: int = 0, unigrams: Sequence[float] = (), seed: int | None = None,
    name: str | None = None,
) -> CandidateSamples:  # fmt: skip
    """Draw candidate classes by given weights, each to the power of `distortion`.

    Parameters
    ----------
    vocab_file : str
        A text file whose lines end in ``,weight``; or
    unigrams : list of float
        the weights.
    num_reserved_ids : int
        Classes at the start that are never drawn.
    num_shards, shard : int
        Draw only every `num_shards`-th class, from `shard` on.

    Raises
    ------
    ValueError
        For both or neither of the two, or for other than `range_max` weights.
    """
    if bool(vocab_file) == bool(len(unigrams)):
        raise ValueError("Must provide either unigrams or a vocab_file, and not both.")
    if vocab_file:
        with open(vocab_file, encoding="utf-8") as f:
            unigrams = [float(line.rsplit(",", 1)[-1]) for line in f if line.strip()]
    weights = [0.0] * num_reserved_ids + [float(u) ** distortion for u in unigrams]
    if len(weights) != range_max:
        raise ValueError(f"range_max is {range_max} but there are {len(weights)} weights")
    if num_shards > 1:
        weights = [w if i % num_shards == shard else 0.0 for i, w in enumerate(weights)]
    return _sampled(
        "fixed", true_classes, num_true, num_sampled, unique, range_max, seed, name,
        weights=tuple(weights),
    )  # fmt: skip


def all_candidate_sampler(
    true_classes: Any, num_true: int, num_sampled: int, unique: bool, seed: int | None = None,
    name: str | None = None,
) -> CandidateSamples:  # fmt: skip
    """All classes as candidates: for tests of what uses samplers."""
    from graphc.ops import (
        fills,  # here only
        math,
        spaced,
    )

    true = convert_to_tensor(true_classes, dtypes.int64, "true_classes")
    return CandidateSamples(
        spaced.range(num_sampled, dtype=dtypes.int64),
        math.cast(fills.ones_like(true), dtypes.float32), fills.ones([num_sampled]),
    )  # fmt: skip


# ------------------------------------------------------------------------- accidental hits


class AccidentalHits(NamedTuple):
    """What `compute_accidental_hits` gives."""

    indices: Any
    ids: Any
    weights: Any


def _hits(true: Any, sampled: Any, *, num_true: int) -> Any:
    where: dict[int, int] = {int(x): i for i, x in enumerate(sampled)}
    found = [
        (row, where[int(x)]) for row, xs in enumerate(true) for x in xs if int(x) in where
    ]  # fmt: skip
    rows = np.array([r for r, _ in found], np.int32)
    places = np.array([p for _, p in found], np.int64)
    return rows, places, np.full(len(found), -np.finfo(np.float32).max, np.float32)


def _hits_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    n = D.fresh()
    return [(dtypes.int32, (n,)), (dtypes.int64, (n,)), (dtypes.float32, (n,))]


hits_op = op(
    "compute_accidental_hits", "ComputeAccidentalHits", "host",
    doc="Where drawn candidates are true classes.", args=("true_classes", "sampled_candidates"),
    types="i", infer=_hits_infer, numpy=_hits, grad=no_grad,
)  # fmt: skip


def compute_accidental_hits(
    true_classes: Any, sampled_candidates: Any, num_true: int, seed: int | None = None,
    name: str | None = None,
) -> AccidentalHits:  # fmt: skip
    """Rows and positions of candidates that are true classes, and a large negative weight each."""
    true = convert_to_tensor(true_classes, dtypes.int64, "true_classes")
    sampled = convert_to_tensor(sampled_candidates, dtypes.int64, "sampled_candidates")
    node = build(hits_op, [true, sampled], {"num_true": num_true}, name)
    return AccidentalHits(*node.outputs)
