"""The compiled-code cache on disk: one checked file an entry, safe to lose at any moment.

An entry is found by a key, the SHA-256 of everything that decides its bytes; the caller makes it.
A file is magic, format version, key, body length, SHA-256 of key and body, body. Nothing in a file
is believed before the hash agrees, and a file that disagrees is removed. Files appear by
rename, so that readers see a whole one or none; two writers of one key write the same bytes.

A hash is not a signature: who can write the directory can run code in your process. So the
directory must belong to this user and be closed to all others (0700), or it is not used at all.

No failure here reaches the user's program: every one ends as a miss, and is counted.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import threading
import time

__all__ = ["DEFAULT_LIMIT", "Cache", "Counts", "default_directory", "open_cache"]

MAGIC = b"graphc\r\n"
FORMAT = 1
DEFAULT_LIMIT = 256 << 20
_HEADER = struct.Struct("<8sII32s32s")  # magic, format, body length, key, hash of key and body
_MAX_BODY = 64 << 20
_SUFFIX = ".bin"
_STALE = 3600.0  # seconds after which another process's temporary file is litter
_TRIM_EVERY = 3600.0

_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)
_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_BINARY = getattr(os, "O_BINARY", 0)


class Counts:
    """What a cache did: `hits`, `misses`, `stored`, and what went wrong without harm."""

    __slots__ = ("errors", "evicted", "hits", "misses", "rejected", "stored")

    def __init__(self) -> None:
        self.hits = self.misses = self.stored = self.rejected = self.errors = self.evicted = 0


def default_directory(environ: os._Environ[str] | dict[str, str] | None = None) -> str | None:
    """The directory the environment asks for, or None where caching is off.

    ``GRAPHC_CACHE=0`` turns the cache off. Otherwise ``GRAPHC_CACHE_DIR``, else
    ``XDG_CACHE_HOME/graphc``, else ``~/.cache/graphc``.
    """
    env = os.environ if environ is None else environ
    if env.get("GRAPHC_CACHE", "1").lower() in ("0", "off", "no", "false"):
        return None
    if path := env.get("GRAPHC_CACHE_DIR"):
        return path
    if (path := env.get("XDG_CACHE_HOME")) and os.path.isabs(path):
        return os.path.join(path, "graphc")
    home = os.path.expanduser("~")
    return os.path.join(home, ".cache", "graphc") if os.path.isabs(home) else None


class Cache:
    """A directory of checked entries, or nothing at all when `directory` is None.

    Parameters
    ----------
    directory : str or None
        Made with mode 0700 at the first store when it does not exist.
    limit : int
        Bytes above which the entries longest unused are removed.
    """

    def __init__(self, directory: str | None, limit: int = DEFAULT_LIMIT) -> None:
        self.directory = directory
        self.limit = limit
        self.counts = Counts()
        self._usable: bool | None = None
        self._serial = 0
        self._fresh = 0

    @property
    def enabled(self) -> bool:
        """Whether entries can be read or written at all."""
        return self.directory is not None

    def path(self, key: bytes) -> str:
        """The file of an entry."""
        return os.path.join(self.directory or "", key.hex() + _SUFFIX)

    # ------------------------------------------------------------- reading

    def load(self, key: bytes) -> bytes | None:
        """The body stored under `key`, or None; a damaged file is removed."""
        if not self._ready(make=False):
            self.counts.misses += 1
            return None
        path = self.path(key)
        try:
            raw = self._read(path)
        except FileNotFoundError:
            self.counts.misses += 1
            return None
        except OSError:
            self.counts.misses += 1
            self.counts.errors += 1
            return None
        body = _check(raw, key)
        if body is None:
            self.reject(key)
            self.counts.misses += 1
            return None
        self.counts.hits += 1
        return body

    def _read(self, path: str) -> bytes:
        fd = os.open(path, os.O_RDONLY | _NOFOLLOW | _NONBLOCK | _CLOEXEC | _BINARY)
        try:
            st = os.fstat(fd)
            if not stat.S_ISREG(st.st_mode) or not _ours(st) or st.st_mode & 0o022:
                return b""
            if not _HEADER.size <= st.st_size <= _HEADER.size + _MAX_BODY:
                return b""
            left, parts = st.st_size, []
            while left > 0 and (part := os.read(fd, left)):
                parts.append(part)
                left -= len(part)
            if abs(time.time() - st.st_mtime) > 86400.0:  # the eviction order is by last use
                try:
                    os.utime(path)
                except OSError:
                    self.counts.errors += 1
            return b"".join(parts)
        finally:
            os.close(fd)

    def reject(self, key: bytes) -> None:
        """Remove an entry that turned out to be unusable."""
        self.counts.rejected += 1
        try:
            os.unlink(self.path(key))
        except OSError:
            self.counts.errors += 1

    # ------------------------------------------------------------- writing

    def store(self, key: bytes, body: bytes) -> bool:
        """Write an entry; False (and a count) when that is not possible."""
        if not self._ready(make=True) or len(body) > min(_MAX_BODY, self.limit):
            return False
        digest = hashlib.sha256(key + body).digest()
        data = _HEADER.pack(MAGIC, FORMAT, len(body), key, digest) + body
        for attempt in (0, 1):
            try:
                self._write(self.path(key), data)
            except FileNotFoundError:  # the directory went away while we run
                self._usable = None
                if attempt or not self._ready(make=True):
                    self.counts.errors += 1
                    return False
            except OSError:
                self.counts.errors += 1
                return False
            else:
                break
        self.counts.stored += 1
        self._fresh += len(data)
        return True

    def _write(self, path: str, data: bytes) -> None:
        self._serial += 1
        who = f"{os.getpid()}-{threading.get_ident()}-{self._serial}"
        temporary = f"{os.path.dirname(path)}{os.sep}.{who}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _CLOEXEC | _BINARY
        fd = os.open(temporary, flags, 0o600)
        try:
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(fd, view) :]
            finally:
                os.close(fd)
            os.replace(temporary, path)
        except BaseException:
            try:
                os.unlink(temporary)
            except OSError:
                self.counts.errors += 1
            raise

    def _ready(self, *, make: bool) -> bool:
        if self.directory is None:
            return False
        if self._usable is None or (make and not self._usable):
            self._usable = self._prepare(make)
        return self._usable

    def _prepare(self, make: bool) -> bool:
        path = self.directory or ""
        try:
            st = os.stat(path)
        except FileNotFoundError:
            if not make:
                return False
            try:
                os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
                os.mkdir(path, 0o700)
            except FileExistsError:
                pass
            except OSError:
                self.counts.errors += 1
                return False
            try:
                st = os.stat(path)
            except OSError:
                self.counts.errors += 1
                return False
        except OSError:
            self.counts.errors += 1
            return False
        good = stat.S_ISDIR(st.st_mode) and _ours(st) and _private(st)
        if not good and self._usable is None:
            import logging  # seldom needed

            logging.getLogger("graphc").warning(
                "compiled kernels are not kept in %s, where others might put code: it has to be a"
                " directory of yours that is open to nobody else (chmod 700)", path,
            )  # fmt: skip
        return good

    # ------------------------------------------------------------- eviction

    def trim(self, *, force: bool = False) -> None:
        """Remove litter and, above the limit, the entries longest unused.

        Cheap to call after each batch of stores: it looks at the directory once an hour, or when
        this process alone has written a sixteenth of the limit.
        """
        if not self._ready(make=False):
            return
        stamp = os.path.join(self.directory or "", ".trimmed")
        try:
            if not force and self._fresh * 16 <= self.limit:
                try:
                    if abs(time.time() - os.stat(stamp).st_mtime) < _TRIM_EVERY:
                        return
                except FileNotFoundError:
                    pass
            self._fresh = 0
            with open(stamp, "wb"):
                pass
            self._trim()
        except OSError:
            self.counts.errors += 1

    def _trim(self) -> None:
        now, total = time.time(), 0
        entries: list[tuple[float, int, str]] = []
        with os.scandir(self.directory or ".") as files:
            for f in files:
                if not f.name.endswith((_SUFFIX, ".tmp")):
                    continue
                try:
                    st = f.stat(follow_symlinks=False)
                except OSError:
                    continue
                if f.name.endswith(_SUFFIX):
                    entries.append((st.st_mtime, st.st_size, f.path))
                    total += st.st_size
                elif abs(now - st.st_mtime) > _STALE:
                    self._unlink(f.path)
        if total <= self.limit:
            return
        entries.sort()
        for _, size, path in entries:  # down to nine tenths, so that this is rare
            if total * 10 <= self.limit * 9:
                break
            if self._unlink(path):
                self.counts.evicted += 1
            total -= size

    def _unlink(self, path: str) -> bool:
        try:
            os.unlink(path)
        except OSError:
            self.counts.errors += 1
            return False
        return True


def _check(raw: bytes, key: bytes) -> bytes | None:
    if len(raw) < _HEADER.size:
        return None
    magic, version, length, stored, digest = _HEADER.unpack_from(raw)
    if (magic, version, stored) != (MAGIC, FORMAT, key) or len(raw) != _HEADER.size + length:
        return None
    body = raw[_HEADER.size :]
    return body if hashlib.sha256(key + body).digest() == digest else None


def _ours(st: os.stat_result) -> bool:
    return os.name == "nt" or st.st_uid == os.geteuid()


def _private(st: os.stat_result) -> bool:
    return os.name == "nt" or not st.st_mode & 0o077


_open: dict[tuple[str | None, int], Cache] = {}


def open_cache(directory: str | None = None, limit: int = DEFAULT_LIMIT) -> Cache:
    """The cache of a directory (by default the environment's), one object a process.

    Parameters
    ----------
    directory : str, optional
        An empty string means no cache.
    limit : int, optional

    Returns
    -------
    Cache
    """
    where = default_directory() if directory is None else (directory or None)
    if where is not None:
        where = os.path.abspath(where)
    return _open.setdefault((where, limit), Cache(where, limit))
