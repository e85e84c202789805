"""Files and folders that are written under another name, and get their own when they are whole."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from studio.core.errors import BadInput, WorkspaceError
from studio.preference.exchange.companion import companion_path
from studio.preference.exchange.picture_files import suffix_of

_UNFINISHED = ".part"


@contextmanager
def unfinished(target: Path, *, folder: bool) -> Iterator[Path]:
    """A file to open, or a folder that is there, which becomes `target` when the block ends, and vanishes if it raises.

    A second file that is written beside it (`companion_path`) goes with it.
    Raises BadInput if there is something under that name already; WorkspaceError if it cannot be written.
    """
    for path in (target, companion_path(target)):
        if os.path.lexists(path) and not (folder and _is_empty_folder(path)):
            raise BadInput(f"There is something at {path} already.", "Choose another name: nothing is overwritten.")
    part = target.with_name(f".{secrets.token_hex(8)}{_UNFINISHED}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if folder:
            part.mkdir()
        yield part
        if not folder:
            _flush(part)
        elif target.is_dir():
            target.rmdir()
        second = companion_path(part)
        if second.is_file():  # first: without the file beside it, it is nothing
            _flush(second)
            os.replace(second, companion_path(target))
        os.replace(part, target)
    except OSError as error:
        _remove(part)
        reason = error.strerror or str(error)
        raise WorkspaceError(f"{target} cannot be written: {reason}.", "Nothing was written.") from None
    except BaseException:
        _remove(part)
        raise


class PictureFolder:
    """Pictures of an export as files, each once, named by their sha256.

    root: of the export.
    name: of the folder within it.
    file: where the file of a picture is, by its sha256.
    """

    def __init__(self, root: Path, name: str, file: Callable[[str], Path]) -> None:
        self._folder = root / name
        self._name = name
        self._file = file
        self._names: dict[str, str] = {}
        self._folder.mkdir(parents=True, exist_ok=True)

    def put(self, sha256: str) -> str:
        """Copy a picture unless it is there; give its path within the export, with forward slashes."""
        name = self._names.get(sha256)
        if name is None:
            source = self._file(sha256)
            with source.open("rb") as opened:
                name = f"{sha256}{suffix_of(opened.read(16))}"
            shutil.copyfile(source, self._folder / name)
            self._names[sha256] = name
        return f"{self._name}/{name}"


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not any(path.iterdir())


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    companion_path(path).unlink(missing_ok=True)
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
