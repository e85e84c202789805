"""The workspace: one folder, one owner.

workspace.lock   the owner's process id; locked while it lives
studio.db        jobs and generations
images/          PNG files by the sha256 of their content
cache/           what a page has uploaded, for as long as the studio that got it lives
logs/
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import sys
from io import FileIO
from pathlib import Path

from studio.core.errors import WorkspaceError

LOCK_NAME = "workspace.lock"
DATABASE_NAME = "studio.db"
# Folders that hold nothing but what the studio writes, or names; others of a workspace may be the user's own.
_OURS = ("images", "edits", "presets", "exports", "logs")
_UNFINISHED = re.compile(r"tmp\w+\.part")  # of images.write_durably
_UPLOAD = re.compile(r"[0-9a-f]{64}|tmp\w{8}")  # of Gradio: a folder by checksum, and what is still arriving
_ELSEWHERE = "Name another folder with --workspace."


class Workspace:
    """A folder that is ours until `close`. Build it with `open`."""

    def __init__(self, root: Path, lock: FileIO) -> None:
        self.root = root
        self._lock: FileIO | None = lock

    @classmethod
    def open(cls, root: Path) -> Workspace:
        """Make the folder if need be, take it, and sweep what a killed owner left.

        Raises WorkspaceError if it cannot be written, or another process (named by its id) has it.
        """
        root = root.absolute()
        try:
            root.mkdir(parents=True, exist_ok=True)
            # Unbuffered: on a full disk, closing a file with something left to write raises once more.
            lock = (root / LOCK_NAME).open("ab+", buffering=0)
        except OSError as error:
            raise workspace_error(error, f"The workspace {root}") from None
        try:
            _lock(lock)
        except OSError:
            lock.seek(0)
            pid = lock.read().decode(errors="replace").strip() or "unknown"
            lock.close()
            raise WorkspaceError(
                f"The workspace {root} is in use by process {pid}.", f"Stop it. {_ELSEWHERE}"
            ) from None
        try:
            # The lock is what counts, and it goes with the process; the number only tells others whom to look for.
            lock.seek(0)
            lock.truncate()
            lock.write(b"%d\n" % os.getpid())
            for name in ("images", "edits", "logs"):
                (root / name).mkdir(exist_ok=True)
        except OSError as error:
            lock.close()
            raise workspace_error(error, f"The workspace {root}") from None
        sweep(root)
        return cls(root, lock)

    @property
    def database(self) -> Path:
        return self.root / DATABASE_NAME

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def edits(self) -> Path:
        return self.root / "edits"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def close(self) -> None:
        """Let go of the folder. May be called twice."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()  # which also unlocks; the file stays, for removing it would race with the next owner


def sweep(root: Path) -> None:
    """Remove files that a killed owner left half written, and the uploads of its pages. The caller owns the workspace.

    By name, and in our own folders only: a workspace may be a folder that holds other things too. Links are not
    followed. What cannot be removed stays, for it is in nobody's way.
    """
    files = [path for path in _listed(root) if not path.is_dir()]
    files += [Path(folder, name) for ours in _OURS for folder, _, names in os.walk(root / ours) for name in names]
    leftovers = [path for path in files if _UNFINISHED.fullmatch(path.name)]
    for path in [*leftovers, *(path for path in _listed(root / "cache") if _UPLOAD.fullmatch(path.name))]:
        _remove(path)


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # not there, or not for us to see
        return []


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def _lock(file: FileIO) -> None:
    """Lock without waiting. Raises OSError if another holds it. The system unlocks when the process ends, however."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(1 << 20)  # past the number, which others must be able to read
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def workspace_error(error: OSError, what: str) -> WorkspaceError:
    """Give the sentence for a failure of the file system. what: begins it, e.g. "The workspace /x"."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return WorkspaceError(f"{what} cannot be written: the disk is full.", "Free some space and try again.")
        case errno.EROFS | errno.EACCES | errno.EPERM:
            return WorkspaceError(f"{what} cannot be written: it is read-only for this user.", _ELSEWHERE)
        case errno.ENOTDIR | errno.EEXIST:
            return WorkspaceError(f"{what} is not a folder.", _ELSEWHERE)
        case _:
            return WorkspaceError(f"{what} cannot be used: {error.strerror or error}.", _ELSEWHERE)
