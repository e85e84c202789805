"""Folders of labels as one zip file: packed to be fetched, unpacked with the limits that strangers' files call for."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath

from studio.core.errors import BadInput, Cancelled
from studio.engine.edits.bounded_zip import opened_zip, unpack_member

MAX_FILES = 200_000
MAX_DIRECTORY_BYTES = 32 * 1024**2
# Pictures hardly shrink, lists of labels to a tenth; a small file may be whatever it is.
MAX_RATIO = 50
SMALL_BYTES = 64 * 1024**2
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def pack(folder: Path, target: Path, stop: Callable[[], bool] = lambda: False) -> Path:
    """Put all files of a folder, hidden ones too, into a new zip file by their places in it. Raises Cancelled."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:  # pictures do not get smaller
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            if stop():
                raise Cancelled("The export was stopped; nothing was written.")
            archive.write(file, file.relative_to(folder).as_posix())
    return target


def unpack(archive: Path, folder: Path, stop: Callable[[], bool] = lambda: False) -> Path:
    """Write what is in a zip file into a folder that is there, and give the folder that holds it all.

    That is the only folder within it where there is just one, as of a folder that was packed whole.
    Raises BadInput for what is no zip, is encrypted or damaged, unpacks to far more than it is, or has a file that
    would lie elsewhere; Cancelled. What was written until then stays.
    """
    name = f"The archive {archive.name[:80]}"
    refusal = f"{name} has too many files; {MAX_FILES:,} are unpacked at most."
    try:
        with opened_zip(archive, MAX_DIRECTORY_BYTES, lambda: BadInput(refusal)) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            if len(members) > MAX_FILES:
                raise BadInput(refusal)
            total = sum(member.file_size for member in members)
            if total > SMALL_BYTES + MAX_RATIO * archive.stat().st_size:
                raise BadInput(f"{name} unpacks to {total / 1e6:,.0f} MB, far more than it is: no labels do.")
            for member in members:
                if stop():
                    raise Cancelled("Unpacking was stopped.")
                _write(opened, member, _place(member, folder, name), name)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        # RuntimeError: encrypted; NotImplementedError: a way of packing that Python does not know; ValueError: a place
        # before the file's first byte.
        raise BadInput(f"{name} cannot be unpacked: {str(error).rstrip('.') or type(error).__name__}.") from None
    return only_folder(folder)


def only_folder(folder: Path) -> Path:
    """The folder, or the one within it where nothing else is there."""
    inside = [path for path in folder.iterdir() if path.name != "__MACOSX"]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def place_of(name: str) -> PurePosixPath:
    """A relative path as somebody names it, with forward slashes. Raises BadInput with a clause for one elsewhere."""
    path = PurePosixPath(name.replace("\\", "/"))  # as some programs on Windows write it
    outside = path.is_absolute() or ".." in path.parts or PureWindowsPath(name).drive or "\0" in name
    if outside or not path.parts or any(len(part.encode()) > 255 for part in path.parts) or len(path.parts) > 16:
        raise BadInput(f"has a file that would lie outside of its folder, {name[:80]!r}")
    return path


def _place(member: zipfile.ZipInfo, folder: Path, name: str) -> Path:
    try:
        place = folder / place_of(member.filename)
    except BadInput as error:
        raise BadInput(f"{name} {error.message}.") from None
    if stat.S_ISLNK(member.external_attr >> 16):
        raise BadInput(f"{name} holds a link, {member.filename[:80]!r}.", "Pack the file itself.")
    if member.compress_type not in _PACKINGS:
        message = f"{name} packs {member.filename[:80]!r} in a way that is not read."
        raise BadInput(message, "Pack the folder as an ordinary zip file.")
    return place


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, name: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        plain = path.open("xb")
    except FileExistsError:
        raise BadInput(f"{name} has two files {member.filename[:80]!r}.", "Pack the folder again.") from None
    with plain:
        unpack_member(archive, member, plain, name)
