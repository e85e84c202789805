"""Where features of pictures are kept: one file for each extractor, features/<name>-<id>.rows, to which rows are added.

A row is the picture's sha256, the features as float32 and a checksum of both. One that was cut short or damaged costs
itself alone. Loads no torch: the page reads what the engine wrote.
"""

from __future__ import annotations

import contextlib
import os
import re
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from studio.storage.workspace import PRIVATE_FOLDER, workspace_error

Features = npt.NDArray[np.float32]

MOST_BYTES = 500_000_000  # of all extractors together
_NAME = re.compile(r"[a-z0-9_]{1,40}-[0-9a-f]{16}-([0-9]{1,5})\.rows")


def path_of(folder: Path, extractor: str, id: str, width: int) -> Path:
    """Where an extractor's features are.

    extractor: its name. id: of what its features depend on, in hex. width: how many there are of a picture.
    """
    return folder / f"{extractor}-{id[:16]}-{width}.rows"


def newest(folder: Path, extractor: str) -> Path | None:
    """The file of an extractor that was last written or used: what the page reads, which does not load extractors."""
    stats = [
        (path.stat().st_mtime_ns, path) for path in folder.glob(f"{extractor}-*.rows") if _NAME.fullmatch(path.name)
    ]
    return max(stats)[1] if stats else None


def read(path: Path) -> dict[str, Features]:
    """sha256 of a picture -> its features [width]; {} where there is no file, or it is none of ours."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        return {}
    width = int(match[1])
    size = 32 + 4 * width + 4
    try:
        data = path.read_bytes()
    except OSError:
        return {}
    rows: dict[str, Features] = {}
    for at in range(0, len(data) - size + 1, size):
        row = data[at : at + size]
        if zlib.crc32(row[:-4]) == int.from_bytes(row[-4:], "little"):
            rows[row[:32].hex()] = np.frombuffer(row, "<f4", width, 32)
    return rows


def add(path: Path, rows: Mapping[str, Features]) -> None:
    """Keep further rows; on disk when this returns. Raises WorkspaceError."""
    lines: list[bytes] = []
    for sha256, features in rows.items():
        body = bytes.fromhex(sha256) + features.astype("<f4").tobytes()
        lines.append(body + zlib.crc32(body).to_bytes(4, "little"))
    size = len(lines[0]) if lines else 1
    try:
        path.parent.mkdir(PRIVATE_FOLDER, exist_ok=True)  # in a folder that is there: a workspace may have been moved
        with open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            if rest := file.tell() % size:  # a write was cut short: what follows must begin a row
                file.write(b"\0" * (size - rest))
            file.write(b"".join(lines))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise workspace_error(error, "The features of the pictures") from None


def tidy(folder: Path, in_use: Collection[Path], most_bytes: int = MOST_BYTES) -> None:
    """Let go of the files that were not used for longest until all fit; they are computed anew where they are needed.

    in_use: stay, and count as used now. A file that cannot be removed stays.
    """
    for path in in_use:
        with contextlib.suppress(OSError):
            os.utime(path)
    stats = {path: path.stat() for path in folder.glob("*.rows") if _NAME.fullmatch(path.name)}
    total = sum(stat.st_size for stat in stats.values())
    for path in sorted(stats, key=lambda path: stats[path].st_mtime_ns):
        if total <= most_bytes:
            return
        if path not in in_use:
            with contextlib.suppress(OSError):
                path.unlink()
                total -= stats[path].st_size
