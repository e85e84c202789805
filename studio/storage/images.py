"""Images by the sha256 of their file: written once, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from studio.core.errors import BadInput
from studio.storage.workspace import PRIVATE_FOLDER, workspace_error

ENDINGS = (".png", ".jpg", ".webp")  # all but the first of pictures that were brought along
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_UNFINISHED = ".part"  # what a killed process leaves of it, the next owner of the workspace sweeps


class ImageStore:
    """images/ab/abcd....png. Thread-safe: a file under its final name never changes.

    Beside an image may be its account (.account.npz) and its final latents (.latents.npy).
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str) -> Path:
        """Where the PNG of that hash is, whether or not it exists."""
        return self.root / sha256[:2] / f"{sha256}.png"

    def find(self, sha256: str) -> Path | None:
        """Where the image of that hash is, of whatever format; None where there is none."""
        paths = (self.path(sha256).with_suffix(ending) for ending in ENDINGS)
        return next((path for path in paths if path.is_file()), None)

    def put(self, data: bytes, ending: str = ".png") -> str:
        """Store a file; give its sha256 in hex. It is on disk, name and content, when this returns.

        ending: its name's, of ENDINGS.
        Raises WorkspaceError if the disk is full or cannot be written.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.path(sha256).with_suffix(ending)
        try:
            if not path.exists():
                path.parent.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
                write_durably(path, data)
        except OSError as error:
            raise workspace_error(error, "The picture") from None
        return sha256

    def put_all(self, files: Sequence[tuple[bytes, str]]) -> None:
        """Store several files, each with its name's ending. All are on disk, names and contents, when this returns.

        Much quicker than one after the other: a disk is asked to flush what it has once, and not for each.
        Raises WorkspaceError; those that are whole by then stay.
        """
        unfinished: list[tuple[Path, Path]] = []
        try:
            for data, ending in files:
                path = self.path(hashlib.sha256(data).hexdigest()).with_suffix(ending)
                if not path.exists():
                    path.parent.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
                    part = path.with_name(f"{secrets.token_hex(8)}{_UNFINISHED}")
                    unfinished.append((part, path))
                    _write_new(part, data)
            for part, _ in unfinished:
                _flush(part)
            for part, path in unfinished:
                os.replace(part, path)
            for folder in {path.parent for _, path in unfinished}:
                _flush_folder(folder)
        except BaseException as error:
            for part, _ in unfinished:
                part.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise workspace_error(error, "The pictures") from None
            raise

    def account_path(self, sha256: str) -> Path:
        """Where the account of an image is, if it has one: how guidance went (studio.engine.account)."""
        return self.path(sha256).with_suffix(".account.npz")

    def put_account(self, sha256: str, data: bytes) -> None:
        """Store the account of an image that is there. Raises WorkspaceError."""
        try:
            write_durably(self.account_path(sha256), data)
        except OSError as error:
            raise workspace_error(error, "The account of the picture") from None

    def latents_path(self, sha256: str) -> Path:
        """Where the final latents of an image are, if they were kept (studio.engine.latents)."""
        return self.path(sha256).with_suffix(".latents.npy")

    def put_latents(self, sha256: str, data: bytes) -> None:
        """Store the final latents of an image that is there. Raises WorkspaceError."""
        try:
            write_durably(self.latents_path(sha256), data)
        except OSError as error:
            raise workspace_error(error, "The latents of the picture") from None

    def stored(self) -> list[str]:
        """Hashes of all images there are."""
        return sorted({path.stem for ending in ENDINGS for path in self.root.glob(f"*/*{ending}")})

    def remove(self, sha256: str) -> None:
        """Forget an image; nothing happens if it is not there."""
        images = [self.path(sha256).with_suffix(ending) for ending in ENDINGS]
        for path in (*images, self.account_path(sha256), self.latents_path(sha256)):
            path.unlink(missing_ok=True)


def ending_of(data: bytes) -> str:
    """The ending that a picture's bytes have by what they begin with, of ENDINGS. Raises BadInput for other formats."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return ".png"
    if data.startswith(b"\xff\xd8\xff"):
        return ".jpg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ".webp"
    raise BadInput("A picture that is brought along is a PNG, JPEG or WebP file.", field="picture")


def write_durably(path: Path, data: bytes, *, private: bool = True) -> None:
    """Write a file so that after a crash or power cut it is there whole, as before, or not at all.

    Written beside itself, flushed to the disk, renamed, and the folder flushed, for a rename lives in the folder.
    private: for the owner alone, as the workspace's own files are; else whoever the umask lets may read it, and a file
    that is replaced keeps its mode. Raises OSError.
    """
    unfinished = path.with_name(f"{secrets.token_hex(8)}{_UNFINISHED}")
    # The kernel applies the umask as it makes the file: asking for it would change it for the other threads.
    handle = os.open(unfinished, _NEW, 0o600 if private else 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if not private and path.is_file():
                unfinished.chmod(stat.S_IMODE(path.stat().st_mode))
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def _write_new(path: Path, data: bytes) -> None:
    handle = os.open(path, _NEW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
