"""The workspace: one folder, one owner.

workspace.lock   the owner's process id; locked while it lives
studio.db        jobs and generations
images/          PNG files by the sha256 of their content
edits/ presets/ logs/
comparisons/     those that were saved
trainings/       of each training a folder: its checkpoint, its curves
cache/           what a page has uploaded, for as long as the studio that got it lives
exports/         files for others

Who may read it: the owner's user alone, whatever the umask. Folders are 0700 and files 0600, the database's -wal and
-shm included; what an older version left open is closed when the workspace is opened. exports/ and what is written
elsewhere at the user's word follow the umask. A root folder that was there before keeps its own mode, and so do
uploads within cache/, which nobody else can enter.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
import sys
import tempfile
from io import FileIO
from pathlib import Path

from studio.core.errors import WorkspaceError

LOCK_NAME = "workspace.lock"
DATABASE_NAME = "studio.db"
FOLDERS = ("images", "edits", "presets", "trainings", "reports", "logs", "cache")
PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
SPARE_BYTES = 256 * 1024  # what opening writes: the journal of a migration, and the index of that journal
GONE = "Move it back, or stop the studio and start it again."
MORE_FILES = "Close other programs, or raise the limit (ulimit -n) and start the studio again."
# Folders that hold nothing but what the studio writes, or names; others of a workspace may be the user's own.
_OURS = ("images", "edits", "presets", "comparisons", "readings", "trainings", "reports", "exports", "logs")
_UNFINISHED = re.compile(r"([0-9a-f]{16}|tmp\w+)\.part")  # of images.write_durably, now and in earlier versions
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
            root.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
            # Unbuffered: on a full disk, closing a file with something left to write raises once more.
            lock = open(root / LOCK_NAME, "ab+", buffering=0, opener=_private)
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
            for name in FOLDERS:
                (root / name).mkdir(PRIVATE_FOLDER, exist_ok=True)
            _make_private(root)
            sweep(root)  # which may be what makes room
            _check_room(root)
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

    def check(self) -> None:
        """Raise WorkspaceError unless the folder is where it was taken: what is written elsewhere is lost to its owner.

        The lock file says so: while it is open its number in the file system is nobody else's, so neither a folder made
        anew in the same place nor another studio's in it is taken for this one.
        """
        if (lock := self._lock) is not None:
            check_same(self.root / LOCK_NAME, os.fstat(lock.fileno()), f"The workspace {self.root}")

    def scratch(self) -> Path:
        """Give a new folder for files on their way elsewhere. Whose it is removes it; of a killed owner, a start does.

        Raises WorkspaceError.
        """
        try:
            return Path(tempfile.mkdtemp(dir=self.root / "cache"))  # by its name, `sweep` takes it for an upload
        except OSError as error:
            raise workspace_error(error, "A file of the workspace") from None

    def close(self) -> None:
        """Let go of the folder. May be called twice."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()  # which also unlocks; the file stays, for removing it would race with the next owner


def check_same(path: Path, opened: os.stat_result, name: str) -> None:
    """Raise WorkspaceError unless a path still leads to the file that was opened.

    name: of it, in the sentence.
    """
    try:
        is_same = os.path.samestat(opened, path.stat())
    except (FileNotFoundError, NotADirectoryError):
        is_same = False
    except OSError as error:
        raise workspace_error(error, name) from None
    if not is_same:
        raise WorkspaceError(f"{name} was moved, deleted or replaced while it was open.", GONE)


def open_private(path: Path) -> None:
    """Make an empty file that only its user can read; one that is there keeps its content. Raises OSError."""
    os.close(_private(path, os.O_RDWR | os.O_CREAT))


def _private(path: str | Path, flags: int) -> int:
    return os.open(path, flags, PRIVATE_FILE)


def _make_private(root: Path) -> None:
    """Close to others what an older version left open. A link, and what is another user's, stays as it is."""
    if os.name != "posix":
        return
    database = [root / f"{DATABASE_NAME}{ending}" for ending in ("", "-wal", "-shm")]
    below = [path for name in ("logs", "edits", "presets") for path in (root / name).rglob("*")]
    for path in (*(root / name for name in FOLDERS), root / LOCK_NAME, *database, *below):
        with contextlib.suppress(OSError):
            mode = path.lstat().st_mode
            if not stat.S_ISLNK(mode) and mode & 0o077:
                path.chmod(PRIVATE_FOLDER if stat.S_ISDIR(mode) else PRIVATE_FILE)


def room_left(folder: Path) -> bool:
    """Whether something can still be written to a folder's disk, as far as can be found out."""
    try:
        _check_room(folder)
    except OSError as error:
        return error.errno not in (errno.ENOSPC, errno.EDQUOT)
    return True


def _check_room(root: Path) -> None:
    """Raise OSError on a full disk: SQLite would call it an error of input and output, or begin and break off."""
    with tempfile.TemporaryFile(dir=root) as probe:
        probe.write(b"\0" * SPARE_BYTES)
        probe.flush()


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


def workspace_error(error: OSError, subject: str) -> WorkspaceError:
    """Give the sentence for a failure of the file system.

    subject: begins it, as "The workspace /x".
    """
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return WorkspaceError(f"{subject} cannot be written: the disk is full.", "Free some space and try again.")
        case errno.EROFS | errno.EACCES | errno.EPERM:
            return WorkspaceError(f"{subject} cannot be written: it is read-only for this user.", _ELSEWHERE)
        case errno.EMFILE | errno.ENFILE:
            return WorkspaceError(f"{subject} cannot be used: too many files are open.", MORE_FILES)
        case errno.ENOENT:
            return WorkspaceError(f"{subject} cannot be written: its folder is gone.", GONE)
        case errno.ENOTDIR | errno.EEXIST:
            return WorkspaceError(f"{subject} is not a folder.", _ELSEWHERE)
        case _:
            return WorkspaceError(f"{subject} cannot be used: {error.strerror or error}.", _ELSEWHERE)
