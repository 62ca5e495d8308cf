"""``tf.keras.utils.get_file``: files of ``~/.keras``."""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
from pathlib import Path

__all__ = ["get_file"]


def get_file(
    fname: str, origin: str, untar: bool = False, md5_hash: str | None = None,
    file_hash: str | None = None, cache_subdir: str = "datasets", hash_algorithm: str = "auto",
    extract: bool = False, archive_format: str = "auto", cache_dir: str | None = None,
) -> str:  # fmt: skip
    """The path of a file in Keras' folder; what TensorFlow would download has to be there.

    Parameters
    ----------
    fname : str
        Its name in the folder, or its path.
    origin : str
        Where TensorFlow gets it from: named in the error.
    untar : bool
        `fname` is a folder that is made of ``fname.tar.gz``.
    file_hash, md5_hash : str, optional
        What the file must hash to.
    hash_algorithm : {"auto", "sha256", "md5"}
    extract : bool
        Whether to extract it, a tar or zip file, beside itself.
    archive_format : {"auto", "tar", "zip", None}
    cache_dir : str, optional
        ``~/.keras`` by default.

    Raises
    ------
    FileNotFoundError
        When it is not there: graphc downloads nothing.
    OSError
        When it does not hash to what it must.
    """
    base = Path(cache_dir).expanduser() if cache_dir else Path("~/.keras").expanduser()
    folder = base / cache_subdir
    wanted = folder / fname
    path = Path(f"{wanted}.tar.gz") if untar else wanted
    if not path.exists() and not (untar and wanted.exists()):
        raise FileNotFoundError(
            f"there is no {str(path)!r}, and graphc downloads nothing: put {origin} there"
        )
    if file_hash is None and md5_hash is not None:
        file_hash, hash_algorithm = md5_hash, "md5"
    if file_hash is not None and path.exists():
        _check(path, file_hash, hash_algorithm, origin)
    if untar:
        if not wanted.exists():
            _extract(path, folder, "tar")
        return str(wanted)
    if extract:
        _extract(path, folder, archive_format)
    return str(path)


def _check(path: Path, wanted: str, algorithm: str, origin: str) -> None:
    if algorithm == "auto":
        algorithm = "sha256" if len(wanted) == 64 else "md5"
    found = hashlib.new(algorithm, path.read_bytes()).hexdigest()
    if found != wanted:
        raise OSError(
            f"{str(path)!r} has the {algorithm} hash {found}, not {wanted}: it is incomplete or "
            f"outdated; put {origin} there"
        )


def _extract(path: Path, folder: Path, kind: str | None) -> None:
    """Extract an archive; a file that is none stays as it is."""
    if kind is None:
        return
    if kind in ("auto", "tar") and tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            if hasattr(tarfile, "data_filter"):
                archive.extraction_filter = tarfile.data_filter  # nothing outside of the folder
            archive.extractall(folder)
    elif kind in ("auto", "zip") and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as zipped:
            zipped.extractall(folder)
