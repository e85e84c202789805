"""The workspace: one folder, one owner.

workspace.lock   the owner's process id; locked while it lives
studio.db        jobs and generations
images/          PNG files by the sha256 of their content
logs/
"""

from __future__ import annotations

import errno
import os
import sys
from io import FileIO
from pathlib import Path

from studio.core.errors import WorkspaceError

LOCK_NAME = "workspace.lock"
DATABASE_NAME = "studio.db"
_ELSEWHERE = "Name another folder with --workspace."


class Workspace:
    """A folder that is ours until `close`. Build it with `open`."""

    def __init__(self, root: Path, lock: FileIO) -> None:
        self.root = root
        self._lock: FileIO | None = lock

    @classmethod
    def open(cls, root: Path) -> Workspace:
        """Make the folder if need be and take it.

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
