"""The disk cache believes nothing it reads and never fails a run."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import stat
import struct
import time
from pathlib import Path

import pytest
from patience import LONG

from graphc.runtime.llvm import cache as module
from graphc.runtime.llvm.cache import Cache, default_directory, open_cache

KEY = hashlib.sha256(b"key").digest()
BODY = bytes(range(256)) * 4


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    c = Cache(str(tmp_path / "c"))
    assert c.store(KEY, BODY)
    return c


def file(c: Cache, key: bytes = KEY) -> Path:
    return Path(c.path(key))


def test_round_trip(cache: Cache) -> None:
    again = Cache(cache.directory)
    assert again.load(KEY) == BODY
    assert again.load(hashlib.sha256(b"other").digest()) is None
    assert (again.counts.hits, again.counts.misses, again.counts.errors) == (1, 1, 0)
    assert stat.S_IMODE(os.stat(cache.directory or "").st_mode) == 0o700
    assert stat.S_IMODE(file(cache).stat().st_mode) == 0o600
    assert not list(Path(cache.directory or "").glob(".*.tmp"))


def test_empty_body(cache: Cache) -> None:
    assert cache.store(KEY, b"")
    assert cache.load(KEY) == b""


def damage(cache: Cache, data: bytes) -> None:
    file(cache).write_bytes(data)
    assert cache.load(KEY) is None
    assert not file(cache).exists()


def test_truncated_anywhere(cache: Cache) -> None:
    whole = file(cache).read_bytes()
    for n in (*range(0, 100), len(whole) // 2, len(whole) - 1):
        damage(cache, whole[:n])


def test_every_bit_of_the_header_and_some_of_the_body(cache: Cache) -> None:
    whole = file(cache).read_bytes()
    for at in (*range(80 * 8), *range(80 * 8, len(whole) * 8, 97)):
        broken = bytearray(whole)
        broken[at // 8] ^= 1 << at % 8
        damage(cache, bytes(broken))


def test_zero_tail_and_longer_file(cache: Cache) -> None:
    whole = file(cache).read_bytes()
    for n in (1, 512, len(whole)):
        damage(cache, whole[:-n] + bytes(n))
        damage(cache, whole + bytes(n))


def test_entry_of_another_key(cache: Cache) -> None:
    other = hashlib.sha256(b"other").digest()
    file(cache, other).write_bytes(file(cache).read_bytes())
    assert cache.load(other) is None
    assert not file(cache, other).exists()
    assert cache.load(KEY) == BODY


def test_other_version(cache: Cache) -> None:
    whole = bytearray(file(cache).read_bytes())
    struct.pack_into("<I", whole, 8, module.FORMAT + 1)
    damage(cache, bytes(whole))


@pytest.mark.parametrize("kind", ["directory", "fifo", "symlink", "writable by others"])
def test_not_a_plain_file(cache: Cache, tmp_path: Path, kind: str) -> None:
    path, whole = file(cache), file(cache).read_bytes()
    path.unlink()
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "symlink":
        (tmp_path / "elsewhere").write_bytes(whole)
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.write_bytes(whole)
        path.chmod(0o666)
    assert cache.load(KEY) is None
    assert cache.counts.hits == 0


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o755, 0o707, 0o720])
def test_open_directory_is_not_used(
    tmp_path: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    where = tmp_path / "open"
    where.mkdir()
    good = Cache(str(tmp_path / "good"))
    good.store(KEY, BODY)
    c = Cache(str(where))
    file(c).write_bytes(file(good).read_bytes())
    where.chmod(mode)
    assert c.load(KEY) is None
    assert not c.store(hashlib.sha256(b"new").digest(), BODY)
    assert len(os.listdir(where)) == 1
    assert [r.getMessage().split(",")[0] for r in caplog.records] == [
        f"compiled kernels are not kept in {where}"
    ]


def test_directory_of_another_user(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(cache.directory or "").st_uid + 1)
    c = Cache(cache.directory)
    assert c.load(KEY) is None
    assert not c.store(KEY, BODY)


def test_directory_removed_while_running(cache: Cache) -> None:
    file(cache).unlink()
    os.rmdir(cache.directory or "")
    assert cache.load(KEY) is None
    assert cache.store(KEY, BODY)
    assert cache.load(KEY) == BODY


def test_a_file_where_the_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    for where in (tmp_path / "f", tmp_path / "f" / "below"):
        c = Cache(str(where))
        assert not c.store(KEY, BODY)
        assert c.load(KEY) is None


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("call", ["open", "write", "replace", "mkdir"])
def test_failing_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, call: str
) -> None:
    c = Cache(str(tmp_path / "c"))
    if call != "mkdir":
        c.store(hashlib.sha256(b"first").digest(), BODY)

    def fail(*_: object, **__: object) -> int:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as m:
        m.setattr(module.os, call, fail)
        assert not c.store(KEY, BODY)
        assert c.load(KEY) is None
    assert c.counts.errors >= 1
    assert not list(tmp_path.glob("c/.*.tmp"))
    assert c.store(KEY, BODY)


def test_short_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(module.os, "write", lambda fd, b: real(fd, bytes(b[:100])))
    c = Cache(str(tmp_path / "c"))
    assert c.store(KEY, BODY)
    assert c.load(KEY) == BODY


def test_full_disk(tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    with open("/dev/full", "wb", buffering=0) as f, pytest.raises(OSError, match="space"):
        f.write(b"x")  # what the kernel says; the cache sees it in test_failing_calls
    c = Cache("/dev/full/c")
    assert not c.store(KEY, BODY)


def test_interrupt_in_a_write_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    c = Cache(str(tmp_path / "c"))

    def stop(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as m:
        m.setattr(module.os, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            c.store(KEY, BODY)
    assert os.listdir(tmp_path / "c") == []


def test_eviction_of_the_oldest(tmp_path: Path) -> None:
    c = Cache(str(tmp_path / "c"), limit=20_000)
    keys = [hashlib.sha256(b"%d" % k).digest() for k in range(20)]
    for k, key in enumerate(keys):
        assert c.store(key, bytes(2000))
        os.utime(file(c, key), (k, k))
    c.trim()
    left = [k for k, key in enumerate(keys) if file(c, key).exists()]
    assert left == list(range(20 - len(left), 20))
    assert 7 <= len(left) <= 9
    assert c.counts.evicted == 20 - len(left)
    assert not c.store(keys[0], bytes(30_000))


def test_use_makes_an_entry_young(cache: Cache) -> None:
    os.utime(file(cache), (1, 1))
    cache.load(KEY)
    assert file(cache).stat().st_mtime > 1e9


def test_litter_is_removed_and_clocks_do_not_matter(cache: Cache, tmp_path: Path) -> None:
    where = Path(cache.directory or "")
    old, new, future = where / ".1-1-1.tmp", where / ".1-1-2.tmp", where / ".1-1-3.tmp"
    for p, when in ((old, 1.0), (new, time.time()), (future, time.time() + 1e6)):
        p.write_bytes(b"x")
        os.utime(p, (when, when))
    (where / "notes.txt").write_text("mine")
    (where / ".trimmed").write_bytes(b"")
    os.utime(where / ".trimmed", (1e10, 1e10))
    cache.trim()
    assert sorted(p.name for p in where.iterdir() if p.name[0] == "." or p.suffix == ".txt") == [
        ".1-1-2.tmp", ".trimmed", "notes.txt",
    ]  # fmt: skip
    old.write_bytes(b"x")
    os.utime(old, (1, 1))
    cache.trim()  # looked at a moment ago: nothing happens
    assert old.exists()
    cache.trim(force=True)
    assert not old.exists()


def test_environment(tmp_path: Path) -> None:
    home = os.path.expanduser("~")
    assert default_directory({"GRAPHC_CACHE": "0", "GRAPHC_CACHE_DIR": "/x"}) is None
    assert default_directory({"GRAPHC_CACHE_DIR": "/x", "XDG_CACHE_HOME": "/y"}) == "/x"
    assert default_directory({"XDG_CACHE_HOME": "/y"}) == "/y/graphc"
    assert default_directory({"XDG_CACHE_HOME": "relative"}) == f"{home}/.cache/graphc"
    assert default_directory({}) == f"{home}/.cache/graphc"
    assert open_cache("").enabled is False
    assert open_cache(str(tmp_path)) is open_cache(str(tmp_path))


def test_off(tmp_path: Path) -> None:
    c = Cache(None)
    assert not c.store(KEY, BODY)
    assert c.load(KEY) is None
    c.trim()


def _writer(where: str, barrier: object) -> None:
    c = Cache(where)
    for _ in range(200):
        c.store(KEY, BODY)
        if c.load(KEY) != BODY:
            os._exit(1)
    os._exit(0)


def test_two_processes_write_one_key(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_writer, args=(str(tmp_path / "c"), None)) for _ in range(2)]
    for w in workers:
        w.start()
    for w in workers:
        w.join(LONG)
    assert [w.exitcode for w in workers] == [0, 0]
    assert len(os.listdir(tmp_path / "c")) == 1
