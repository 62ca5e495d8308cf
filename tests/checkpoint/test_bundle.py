"""Checkpoint files: TensorFlow's and ours, damaged ones, and what a crash leaves."""

import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graphc as tf
from graphc.checkpoint import bundle, files
from graphc.checkpoint.bundle import BundleReader, Item, write_bundle
from graphc.checkpoint.crc import _plain, crc32c, masked_crc32c, unmask
from graphc.checkpoint.slices import parse_spec, slice_key, spec_text
from graphc.checkpoint.table import read_table, unsnap, write_table
from graphc.ir.dtypes import DTYPES, as_dtype

DATA = Path(__file__).parent / "data"
MODEL = str(DATA / "model-7")
F32 = as_dtype("float32")


def test_crc_of_known_data():
    """The values of RFC 3720, appendix B.4."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(b"\0" * 32) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


@pytest.mark.parametrize("size", [0, 1, 2047, 2048, 2049, 5000, 123_457, (4 << 20) + 4099])
def test_crc_by_lanes_is_that_by_bytes(size):
    data = random.Random(size).randbytes(size)
    whole = crc32c(data)
    if size < 200_000:
        assert whole == _plain(data, 0xFFFFFFFF) ^ 0xFFFFFFFF
    cut = size // 3
    assert crc32c(data[cut:], crc32c(data[:cut])) == whole
    assert unmask(masked_crc32c(data)) == whole


@given(st.dictionaries(st.binary(max_size=40), st.binary(max_size=60), max_size=200))
@settings(
    max_examples=30, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_table_gives_back_what_went_in(items):
    data = write_table(sorted(items.items()))
    assert read_table(data) == items


def test_table_of_many_blocks():
    items = {f"layer_{i:05d}/kernel".encode(): bytes(300) for i in range(5000)}
    assert read_table(write_table(sorted(items.items()))) == items


def test_snappy():
    # a literal of 3 bytes, then a copy of 10 bytes from 3 before
    assert unsnap(bytes([13, 2 << 2]) + b"abc" + bytes([9 << 2 | 2, 3, 0])) == b"abcabcabcabca"
    with pytest.raises(ValueError, match="snappy"):
        unsnap(bytes([13, 2 << 2]) + b"abc" + bytes([9 << 2 | 2, 9, 0]))


def recorded():
    with np.load(DATA / "model-7.npz") as f:
        return dict(f)


def test_reads_what_tensorflow_wrote():
    reader = tf.train.NewCheckpointReader(MODEL)
    expected = recorded()
    seen = reader.get_variable_to_shape_map()
    for name in expected:
        if "part_" in name:
            continue
        assert np.array_equal(reader.get_tensor(name), expected[name]), name
        assert seen[name] == list(expected[name].shape)
    whole = np.concatenate([expected["part/part_0"], expected["part/part_1"]])
    assert np.array_equal(reader.get_tensor("part"), whole)
    assert reader.get_tensor("s").tolist() == [b"abc", b"", b"x" * 200]
    types = {n: t.name for n, t in reader.get_variable_to_dtype_map().items()}
    assert types["bf"] == "bfloat16"
    assert types["h"] == "float16"
    assert types["flag"] == "bool"
    assert types["net/b"] == "int64"
    lines = reader.debug_string().split(b"\n")
    assert b"\0part\0\1\1\2\x83\x82\x80\x84 (DT_FLOAT) [2,4]" in lines
    assert b"s (DT_STRING) [3]" in lines


def test_slices_of_a_partitioned_tensor():
    reader, expected = BundleReader(MODEL), recorded()
    for spec, name in (("5 4 0,3:0,4", "part/part_0"), ("5 4 3,2:0,4", "part/part_1")):
        assert np.array_equal(reader.part("part", parse_spec(spec)[1]), expected[name])
    whole = reader.tensor("part")
    assert np.array_equal(reader.part("part", parse_spec("5 4 1,3:-")[1]), whole[1:4])


@pytest.mark.parametrize(
    ("start", "key"),
    [(0, b"\x80"), (63, b"\xbf"), (64, b"\xc0\x40"), (8191, b"\xdf\xff"), 
     (8192, b"\xe0\x20\x00"),
     (-1, b"\x7f"),
     (2**40, b"\xfd\x00\x00\x00\x00\x00"), (2**62, b"\xff\xc0" + b"\x40" + bytes(7))],
)  # fmt: skip
def test_keys_of_slices(start, key):
    """The codes of signed numbers, worked out from the rule: n bytes hold 7 n - 1 bits."""
    part = bundle.Slice(((start, 1),))
    assert slice_key("a", part) == b"\0a\0\1\1\1" + key + b"\x81"


def everything():
    rng = np.random.default_rng(3)
    out = {}
    for t in DTYPES:
        for shape in ((), (0, 3), (7,), (2, 3, 4)):
            name = f"{t.name}/{'_'.join(map(str, shape))}"
            if t.kind == "s":
                a = np.empty(shape, object)
                a[...] = b"\xff\x00 text"
            else:
                a = (rng.random(shape) * 100).astype(t.np)
                if t.name == "bfloat16":
                    a = np.asarray(a.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
            out[name] = (a, t)
    return out


def test_every_type_and_shape(tmp_path):
    prefix = str(tmp_path / "all")
    values = everything()
    write_bundle(prefix, [Item(n, a, t) for n, (a, t) in values.items()])
    reader = BundleReader(prefix)
    assert set(reader.entries) == set(values)
    for name, (a, _) in values.items():
        got = reader.tensor(name)
        assert got.shape == a.shape, name
        assert got.dtype == a.dtype, name
        assert got.tolist() == a.tolist(), name
    assert sorted(os.listdir(tmp_path)) == ["all.data-00000-of-00001", "all.index"]


def test_slices_come_back_whole(tmp_path):
    prefix, a = str(tmp_path / "s"), np.arange(600, dtype=np.float32).reshape(100, 6)
    parts = [((0, 0), (70, 6)), ((70, 0), (30, 6))]
    items = []
    for offset, size in parts:
        full, part = parse_spec(spec_text(a.shape, offset, size))
        items.append(Item("p", a[part.where(a.shape)], F32, full, part))
    write_bundle(prefix, items)
    assert np.array_equal(BundleReader(prefix).tensor("p"), a)
    write_bundle(prefix, items[:1])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"sufficient slices.*p to restore"):
        BundleReader(prefix).tensor("p")


def test_two_of_one_name_are_refused_and_the_old_stays(tmp_path):
    prefix = str(tmp_path / "m")
    write_bundle(prefix, [Item("a", np.float32([1]), F32)])
    with pytest.raises(tf.errors.InvalidArgumentError, match="duplicate key: b"):
        write_bundle(prefix, [Item("b", np.float32([2]), F32)] * 2)
    assert BundleReader(prefix).tensor("a").tolist() == [1]
    assert sorted(os.listdir(tmp_path)) == ["m.data-00000-of-00001", "m.index"]


def test_shards(tmp_path):
    """A checkpoint of several data files, as other writers make them."""
    prefix = str(tmp_path / "m")
    write_bundle(prefix, [Item("a", np.arange(3, dtype="f"), F32)])
    table = read_table(Path(prefix + ".index").read_bytes())
    entry = bundle._decode(table[b"a"])
    entry.shard = 2
    table[b"a"] = entry.encode()
    table[b""] = b"\x08\x03" + table[b""][2:]
    Path(prefix + ".index").write_bytes(write_table(sorted(table.items())))
    os.rename(bundle.data_name(prefix, 0, 1), bundle.data_name(prefix, 2, 3))
    assert BundleReader(prefix).tensor("a").tolist() == [0, 1, 2]
    tf.train.remove_checkpoint(prefix)
    assert os.listdir(tmp_path) == []


# --------------------------------------------------------------------- damage


def copy_model(tmp_path):
    for suffix in (".index", ".data-00000-of-00001"):
        (tmp_path / f"m{suffix}").write_bytes((DATA / f"model-7{suffix}").read_bytes())
    return str(tmp_path / "m")


def read_all(prefix):
    """Everything; of the slots of a variable in parts, which are in one part, that part."""
    reader = BundleReader(prefix)
    return {
        name: (reader.part(name, e.slices[0]) if len(e.slices) == 1 else reader.tensor(name))
        for name, e in reader.entries.items()
    }


@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
def test_cut_at_every_byte(tmp_path, suffix):
    prefix = copy_model(tmp_path)
    path = Path(prefix + suffix)
    whole = path.read_bytes()
    for n in range(len(whole)):
        path.write_bytes(whole[:n])
        with pytest.raises((tf.errors.DataLossError, tf.errors.InvalidArgumentError)) as e:
            read_all(prefix)
        assert prefix in str(e.value)


@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
def test_flipped_bits(tmp_path, suffix):
    """Each is noticed, except in bytes that mean nothing."""
    prefix = copy_model(tmp_path)
    values = {name: repr(a.tolist()) for name, a in read_all(prefix).items()}
    path, rng = Path(prefix + suffix), random.Random(1)
    whole = bytearray(path.read_bytes())
    unnoticed = 0
    for _ in range(400):
        i, bit = rng.randrange(len(whole)), 1 << rng.randrange(8)
        whole[i] ^= bit
        path.write_bytes(whole)
        whole[i] ^= bit
        try:
            found = read_all(prefix)
        except tf.errors.OpError:
            continue
        unnoticed += 1
        assert {name: repr(a.tolist()) for name, a in found.items()} == values
    # the padding of the footer, and shared parts of keys of blocks, mean nothing
    assert unnoticed <= (0 if suffix != ".index" else 40)


@pytest.mark.parametrize("junk", [b"", b"x", bytes(48), bytes(5000), b"\xff" * 5000])
def test_junk_is_no_index(tmp_path, junk):
    prefix = copy_model(tmp_path)
    Path(prefix + ".index").write_bytes(junk)
    with pytest.raises(tf.errors.DataLossError, match=r"m\.index is damaged"):
        BundleReader(prefix)


def test_a_shape_larger_than_the_data_asks_for_no_memory(tmp_path):
    prefix = str(tmp_path / "m")
    write_bundle(prefix, [Item("a", np.arange(3, dtype="f"), F32)])
    table = read_table(Path(prefix + ".index").read_bytes())
    entry = bundle._decode(table[b"a"])
    for shape, size in (((1 << 50,), 12), ((1 << 50,), 1 << 52), ((1 << 40, 1 << 40), 12)):
        entry.shape, entry.size = shape, size
        table[b"a"] = entry.encode()
        Path(prefix + ".index").write_bytes(write_table(sorted(table.items())))
        with pytest.raises(tf.errors.DataLossError, match="tensor a is damaged"):
            BundleReader(prefix).tensor("a")


def test_missing_files(tmp_path):
    with pytest.raises(tf.errors.NotFoundError, match="any matching files for"):
        tf.train.NewCheckpointReader(str(tmp_path / "m"))
    with pytest.raises(tf.errors.InvalidArgumentError, match="No such file or directory"):
        tf.train.NewCheckpointReader(str(tmp_path / "folder" / "m"))
    prefix = copy_model(tmp_path)
    os.remove(prefix + ".data-00000-of-00001")
    with pytest.raises(tf.errors.DataLossError, match=r"is missing, which .*index names for w"):
        BundleReader(prefix).tensor("w")
    with pytest.raises(tf.errors.NotFoundError, match="Key nope not found in checkpoint"):
        BundleReader(prefix).tensor("nope")


# --------------------------------------------------------------------- crashes


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("links", [True, False])
def test_a_kill_at_any_step_keeps_a_whole_checkpoint(tmp_path, monkeypatch, links):
    """Every change to the folder is a step; the process ends after each in turn."""
    prefix = str(tmp_path / "m")
    first, second = np.zeros(1000, "f"), np.ones(1000, "f")
    names = ("replace", "remove", *(("link",) if links else ()))
    real = {n: getattr(os, n) for n in names}
    if not links:
        monkeypatch.setattr(os, "link", lambda *a: (_ for _ in ()).throw(OSError("no links")))
    seen, left = [], 10**9

    def step(name):
        def f(*args):
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            real[name](*args)
            seen.append(name)

        return f

    for n in names:
        monkeypatch.setattr(os, n, step(n))
    write_bundle(prefix, [Item("a", first, F32)])
    seen.clear()
    write_bundle(prefix, [Item("a", second, F32)])
    steps = len(seen)
    assert steps >= 3
    outcomes = set()
    for left in range(steps):
        with pytest.raises(Killed):
            write_bundle(prefix, [Item("a", first, F32)])
        got = BundleReader(prefix).tensor("a")
        assert np.array_equal(got, first) or np.array_equal(got, second)
        outcomes.add(float(got[0]))
        left = 10**9
        write_bundle(prefix, [Item("a", second, F32)])
        assert np.array_equal(BundleReader(prefix).tensor("a"), second)
        last = sorted(os.listdir(tmp_path))
        assert last == ["m.data-00000-of-00001", "m.index"] or not links
        assert not [f for f in last if f.endswith(files.TEMPORARY)]
    assert outcomes == {0.0, 1.0}


def test_only_what_dead_processes_left_is_removed(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    assert dead.wait(60) == 0
    mine = [tmp_path / f"m.index.{n}{files.TEMPORARY}" for n in (dead.pid, f"{dead.pid}-3", "x")]
    others = tmp_path / f"m.index.{os.getppid()}-0{files.TEMPORARY}"
    for path in (*mine, others):
        path.write_bytes(b"")
    with files.replacing(str(tmp_path / "state")) as f:  # as another thread has one open
        f.write(b"whole")
        write_bundle(str(tmp_path / "m"), [Item("a", np.zeros(3, "f"), F32)])
    assert (tmp_path / "state").read_bytes() == b"whole"
    assert others.exists()
    assert not [path for path in mine if path.exists()]


def test_threads_write_into_one_folder(tmp_path):
    values = [np.full(100, i, "f") for i in range(4)]

    def work(i):
        for _ in range(5):
            write_bundle(str(tmp_path / f"m{i}"), [Item("a", values[i], F32)])
            write_bundle(str(tmp_path / "same"), [Item("a", values[i], F32)])
            files.replace(str(tmp_path / "state"), b"whole")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    for i in range(4):
        assert np.array_equal(BundleReader(str(tmp_path / f"m{i}")).tensor("a"), values[i])
    assert len(set(BundleReader(str(tmp_path / "same")).tensor("a"))) == 1
    assert (tmp_path / "state").read_bytes() == b"whole"
    assert not list(tmp_path.glob("*" + files.TEMPORARY))


def test_no_space_left_keeps_the_old(tmp_path, monkeypatch):
    prefix = str(tmp_path / "m")
    write_bundle(prefix, [Item("a", np.zeros(3, "f"), F32)])

    def full(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(tf.errors.ResourceExhaustedError, match="No space"):
        write_bundle(prefix, [Item("a", np.ones(3, "f"), F32)])
    assert BundleReader(prefix).tensor("a").tolist() == [0, 0, 0]
    assert len(os.listdir(tmp_path)) == 2
