"""Checksums of a model folder: that the files are the ones that were shipped, and a hash that names them."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path, PurePosixPath

from studio.core.errors import AssetError

SUMS_NAME = "SHA256SUMS"
RESTORE = "Restore the file from the distribution."


def verify(folder: Path, *, required: bool) -> dict[str, str]:
    """Check every file that SHA256SUMS lists; give relative path -> sha256 in hex, {} if there is no list.

    The list is in the format of the sha256sum tool. Raises AssetError naming the file and both checksums; also if
    the list itself is missing and `required`, or is not such a list.
    """
    sums = folder / SUMS_NAME
    if not folder.is_dir():
        raise AssetError(f"The model folder {folder} is missing.", "Restore it, or name another with --model-dir.")
    if not sums.exists():
        if required:
            raise AssetError(f"The model folder {folder} has no {SUMS_NAME}, so its files cannot be trusted.", RESTORE)
        return {}
    digests = read_sums(sums)
    for name, expected in digests.items():
        path = folder / name
        if not path.is_file():
            raise AssetError(f"The model file {path} is missing; its sha256 should be {expected}.", RESTORE)
        actual = file_sha256(path)
        if actual != expected:
            raise AssetError(f"The model file {path} is damaged: its sha256 is {actual}, not {expected}.", RESTORE)
    return digests


def read_sums(path: Path) -> dict[str, str]:
    """Read a list of checksums. Raises AssetError for a line that is none, or a path that leaves the folder."""
    digests: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise AssetError(f"The list of checksums {path} cannot be read: {error}.", RESTORE) from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        digest, _, name = line.partition(" ")
        name = name.lstrip(" *")  # two spaces for text, space and star for binary
        pure = PurePosixPath(name)
        if len(digest) != 64 or not name or pure.is_absolute() or ".." in pure.parts:
            raise AssetError(f"Line {number} of {path} is not a checksum and a file of that folder.", RESTORE)
        digests[name] = digest.lower()
    if not digests:
        raise AssetError(f"The list of checksums {path} is empty.", RESTORE)
    return digests


def fingerprint(folder: Path, files: tuple[str, ...], digests: dict[str, str]) -> str:
    """Give one sha256 for a model: over the paths and checksums of the files it is loaded from.

    digests: checksums already computed, by path. Raises AssetError if a file is missing.
    """
    lines: list[str] = []
    for name in sorted(files):
        if name not in digests and not (folder / name).is_file():
            raise AssetError(f"The model file {folder / name} is missing.", RESTORE)
        lines.append(f"{digests.get(name) or file_sha256(folder / name)}  {name}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def known_sha256(path: Path) -> str:
    """Hash a file, or give what was found before if its size and times are still the same.

    Seven gigabytes take seconds each time; the shipped model's list is checked with `verify`, which always reads.
    """
    try:
        status = path.stat()
    except OSError:
        raise AssetError(f"The model file {path} is missing.", RESTORE) from None
    return _known_sha256(path, status.st_size, status.st_mtime_ns, status.st_ino)


@lru_cache(maxsize=1024)
def _known_sha256(path: Path, size: int, changed_ns: int, inode: int) -> str:
    return file_sha256(path)


def file_sha256(path: Path) -> str:
    """Hash a file. Raises AssetError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AssetError(f"The model file {path} cannot be read: {error.strerror}.", RESTORE) from None
