"""Random numbers against TensorFlow 1.15's, recorded in tests/oracle/random.json."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphc.ops import philox

ORACLE = json.loads((Path(__file__).parent.parent / "oracle" / "random.json").read_text())
CASES = ORACLE["cases"]
GRAPHS = ORACLE["graphs"]
ULPS = {"float16": 1, "bfloat16": 1, "float32": 2, "float64": 2}
SUFFIX = {"float16": "f16", "bfloat16": "bf16", "float32": "f32", "float64": "f64"}
PREFIX = {
    "RandomUniform": "uniform",
    "RandomStandardNormal": "normal",
    "TruncatedNormal": "truncated_normal",
}


def draw(op: str, case: dict[str, Any], run: dict[str, Any], skip: int) -> np.ndarray:
    """Return what the module gives for one recorded run."""
    seeds = case["seed"], case["seed2"], skip
    if op == "RandomShuffle":
        return philox.shuffle_permutation(*seeds, run["n"])
    if op == "RandomUniformInt":
        return philox.uniform_int(*seeds, run["n"], case["lo"], case["hi"], case["dtype"])
    if op == "Multinomial":
        dtype = np.dtype(case["dtype"])
        logits = np.array(run["logits"], f"u{dtype.itemsize}").view(dtype)
        logits = logits.reshape(run["batch"], -1)
        return philox.multinomial(*seeds, logits, run["samples"]).reshape(-1)
    function = getattr(philox, f"{PREFIX[op]}_{SUFFIX[case['dtype']]}")
    return function(*seeds, run["n"])


def ordered(bits: np.ndarray, width: int) -> np.ndarray:
    """Map bit patterns of floats to integers in the order of the numbers, an ulp apart."""
    signed = bits.astype(f"i{width}") if bits.dtype.kind == "u" else bits
    low = np.iinfo(signed.dtype).min
    return np.where(signed < 0, low - signed, signed)


def check(op: str, dtype: str, got: np.ndarray, recorded: list[int]) -> None:
    """Compare values with recorded bit patterns."""
    if got.dtype.kind == "i":
        assert got.tolist() == recorded
        return
    bits = got.view(f"u{got.dtype.itemsize}")
    if dtype == "bfloat16":
        assert not np.any(bits & np.uint32(0xFFFF))
        bits = (bits >> np.uint32(16)).astype(np.uint16)
    want = np.array(recorded, bits.dtype)
    assert bits.shape == want.shape
    if op == "RandomUniform":
        assert np.array_equal(bits, want)
        return
    width = bits.dtype.itemsize
    distance = np.abs(ordered(bits, width) - ordered(want, width))
    assert np.all(distance <= ULPS[dtype]), distance.max()


def name(case: dict[str, Any]) -> str:
    """Return a test id."""
    return f"{case['op']}-{case['dtype']}-{case['seed']}-{case['seed2']}-{case.get('lo', '')}"


@pytest.mark.parametrize("case", CASES, ids=name)
def test_consecutive_runs_equal_tensorflow(case: dict[str, Any]) -> None:
    skip = 0
    for run in case["runs"]:
        got = draw(case["op"], case, run, skip)
        assert len(got) == run["n"]
        check(case["op"], case["dtype"], got[:: case["stride"]], run["bits"])
        skip += philox.reserved(case["op"], run["n"], run.get("batch", 1))


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda g: f"graph-{g['graph_seed']}")
def test_seeded_programs_equal_tensorflow(graph: dict[str, Any]) -> None:
    for op in graph["ops"]:
        seeds = philox.op_seeds(graph["graph_seed"], op["op_seed"], op["last_id"])
        assert (seeds or (0, 0)) == (op["seed"], op["seed2"])
    skips = [0] * len(graph["ops"])
    for run in graph["runs"]:
        for part in run:
            which = part["which"]
            op = {**graph["ops"][which], "lo": 0, "hi": 10}
            got = draw(op["op"], op, part, skips[which])
            check(op["op"], op["dtype"], got, part["bits"])
            skips[which] += philox.reserved(op["op"], part["n"])


@pytest.mark.parametrize(
    ("counter", "key", "lanes"),
    [
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        (
            [0xFFFFFFFF] * 4,
            [0xFFFFFFFF] * 2,
            [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD],
        ),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox_known_answers(counter: list[int], key: list[int], lanes: list[int]) -> None:
    """The vectors published with the Random123 library."""
    block = philox.philox4x32(np.array([counter] * 2, np.uint32), np.array(key, np.uint32))
    assert block.tolist() == [lanes] * 2


def scalar_philox(counter: int, key: list[int]) -> list[int]:
    """Philox4x32-10 in plain integers, word by word."""
    c = [counter >> (32 * i) & 0xFFFFFFFF for i in range(4)]
    k = list(key)
    for _ in range(10):
        p0, p2 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p2 >> 32 ^ c[1] ^ k[0], p2 & 0xFFFFFFFF, p0 >> 32 ^ c[3] ^ k[1], p0 & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


@pytest.mark.parametrize(
    ("seed", "seed2", "skip"),
    [(5, 7, 0), (2**63, 2**64 - 1, 2**64 - 3), (-1, -1, 2**32 - 2), (3, 2**32 - 1, 2**64 - 1)],
)
def test_counter_carries_through_all_words(seed: int, seed2: int, skip: int) -> None:
    got = philox.blocks(seed, seed2, skip, np.arange(6))
    counter, key = philox.start(seed, seed2)
    for i in range(6):
        assert got[i].tolist() == scalar_philox((counter + skip + i) % 2**128, key.tolist())


def test_blocks_do_not_depend_on_chunks() -> None:
    whole = philox.uniform_f32(1, 2, 3, 200_001)
    assert np.array_equal(whole[4 * 40_000 :], philox.uniform_f32(1, 2, 40_003, 40_001))


PER_BLOCK: list[tuple[Callable[..., np.ndarray], int, int]] = [
    (philox.uniform_f16, 4, 1),
    (philox.uniform_bf16, 4, 1),
    (philox.uniform_f32, 4, 1),
    (philox.uniform_f64, 2, 1),
    (philox.normal_f16, 4, 1),
    (philox.normal_bf16, 4, 1),
    (philox.normal_f32, 4, 1),
    (philox.normal_f64, 2, 1),
    (philox.truncated_normal_f16, 4, 256),
    (philox.truncated_normal_bf16, 4, 256),
    (philox.truncated_normal_f32, 4, 256),
    (philox.truncated_normal_f64, 2, 128),
]


@pytest.mark.parametrize(("function", "group", "stride"), PER_BLOCK)
def test_groups_are_independent(
    function: Callable[..., np.ndarray], group: int, stride: int
) -> None:
    """A kernel may compute any run of whole groups by itself, by its own skip."""
    whole = function(21, 22, 5, 103)
    for first in (0, 1, 9):
        part = function(21, 22, 5 + first * stride, 103 - first * group)
        assert np.array_equal(whole[first * group :], part)
    assert len(function(1, 2, 0, 0)) == 0


def test_normal_moments() -> None:
    x = philox.normal_f64(3, 4, 0, 200_000)
    assert abs(x.mean()) < 0.01
    assert abs(x.std() - 1) < 0.01
    t = philox.truncated_normal_f32(3, 4, 0, 200_000)
    assert np.abs(t).max() < 2
    assert abs(t.std() - 0.8796) < 0.01


def test_log_of_zero_is_kept_away() -> None:
    assert philox.uniform_f32(1, 1044200, 0, 12)[8] == 0
    assert 5.67 < np.hypot(*philox.normal_f32(1, 1044200, 0, 12)[8:10]) < 5.68
    assert 0 <= philox.uniform_f64(1, 445423, 0, 1)[0] < 1e-7
    assert 5.67 < np.hypot(*philox.normal_f64(1, 445423, 0, 2)) < 5.68


def test_bfloat16_ties_go_to_even() -> None:
    x = np.array([1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-23, -1 - 2**-8, 0], np.float32)
    want = [1, 1 + 2**-6, 1 + 2**-7, -1, 0]
    assert philox._round_bf16(x).tolist() == want


def test_reserved() -> None:
    assert philox.reserved("TruncatedNormal", 5) == 1280
    assert [philox.reserved("RandomShuffle", n) for n in (0, 1, 2, 5, 6)] == [0, 0, 1, 1, 2]
    assert philox.reserved("Multinomial", 15, batch=3) == 3 * 8 * 2 * 256
    assert philox.reserved("Multinomial", 0, batch=0) == 0
    with pytest.raises(ValueError, match="RandomGamma"):
        philox.reserved("RandomGamma", 1)


def test_seed_rule_edges() -> None:
    assert philox.op_seeds(None, None, 9) is None
    assert philox.op_seeds(0, 0, 9) == (0, 2**31 - 1)
    assert philox.op_seeds(2**31 - 1, None, 0) == (0, 2**31 - 1)
    assert philox.op_seeds(None, 0, 9) == (87654321, 0)
    assert philox.op_seeds(-1, -1, 9) == (2**31 - 2, 2**31 - 2)
    assert philox.fresh_seeds() != philox.fresh_seeds()


def test_uniform_int_refusals() -> None:
    with pytest.raises(ValueError, match="minval < maxval"):
        philox.uniform_int(1, 2, 0, 3, 4, 4, np.int32)
    assert len(philox.uniform_int(1, 2, 0, 0, 4, 4, np.int32)) == 0
    with pytest.raises(TypeError, match="int16"):
        philox.uniform_int(1, 2, 0, 3, 0, 4, np.int16)


def test_multinomial_without_finite_logits() -> None:
    logits = np.array([[np.nan, np.inf], [-np.inf, 0.0]], np.float32)
    assert philox.multinomial(1, 2, 0, logits, 2).tolist() == [[2, 2], [1, 1]]
    with pytest.raises(ValueError, match="num_classes"):
        philox.multinomial(1, 2, 0, np.zeros((2, 0)), 1)
