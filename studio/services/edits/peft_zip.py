"""A peft folder that came as a zip file: its two files, unpacked with the limits that strangers' archives call for.

Nothing is believed before it is counted: how long the archive's directory is, what its members would unpack to, and
whether the weights begin with a header that accounts for every byte of them. Only then is anything written.
"""

from __future__ import annotations

import contextlib
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from studio.core.errors import BadInput, StudioError
from studio.engine.edits.bounded_zip import COPY_AGAIN, opened_zip, unpack_member
from studio.engine.edits.header import MAX_FILE_BYTES, header_of

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
LIMITS = {CONFIG: 1_000_000, WEIGHTS: MAX_FILE_BYTES}  # bytes, unpacked
MAX_MEMBERS = 50
# 50 entries with names of 1,000 letters take 52 kB; in search of the directory's place the last 65,558 bytes are read.
MAX_DIRECTORY_BYTES = 66_000
# Trained weights hardly shrink: to a half where one of the two factors is still zero or float32 holds bfloat16. Zeros
# shrink to a thousandth, and are no weights; but a small file may be whatever it is.
MAX_RATIO = 20
SMALL_BYTES = 64 * 1024**2
# Of the others the library unpacks 4 kB at a time into however much that gives, gigabytes with bzip2.
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@contextlib.contextmanager
def opened(path: Path, scratch: Callable[[], Path] = lambda: Path(tempfile.mkdtemp())) -> Iterator[Path]:
    """The file itself, or the folder a zip file holds, for as long as it is needed; afterwards nothing of it is left.

    scratch: makes the folder it is unpacked in.
    Raises as `unpack` does. A StudioError raised within calls the file as its owner does, not by where it lies here.
    """
    if path.suffix.lower() != ".zip":
        with _called({str(path): path.name}):
            yield path
        return
    folder = scratch()
    inside = folder / (path.stem.strip(". ") or "archive")
    names = {f"{inside / name}": f"{name} in {path.name}" for name in LIMITS}
    try:
        with _called({**names, str(inside): path.name}):
            yield unpack(path, inside)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _called(names: dict[str, str]) -> Iterator[None]:
    """Put other words for paths into the sentence of an error that comes by.

    names: path -> what is said of it.
    """
    try:
        yield
    except StudioError as error:
        for place, name in names.items():
            error.message = error.message.replace(place, name)
        error.args = (error.message,)
        raise


def unpack(archive: Path, folder: Path) -> Path:
    """Write the two files into a new folder and give it. Whatever else is in the archive stays there.

    Nothing is written under a name that the archive gives. Raises BadInput for what is no zip, encrypted, damaged, has
    more than 50 members, a member that leads out of it, or a file that is a link, unpacks beyond its limit or to more
    than it says, or lacks one of the two; AssetError for weights that are none by their header.
    """
    name = f"The archive {archive.name[:80]}"
    try:
        with opened_zip(archive, MAX_DIRECTORY_BYTES, lambda: _too_many(name)) as opened:
            members = _checked(opened.infolist(), archive.stat().st_size, name)
            for file_name, member in members.items():
                _check_member(member, file_name, name)
            with opened.open(members[WEIGHTS]) as packed:
                header_of(packed, members[WEIGHTS].file_size, Path(f"{WEIGHTS} in {archive.name[:80]}"))
            folder.mkdir(parents=True)
            for file_name, member in members.items():
                with (folder / file_name).open("wb") as plain:
                    unpack_member(opened, member, plain, name)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        # RuntimeError: encrypted; NotImplementedError: a way of packing that Python does not know; ValueError: a place
        # before the file's first byte.
        raise BadInput(f"{name} cannot be unpacked: {str(error).rstrip('.') or type(error).__name__}.") from None
    return folder


def _too_many(name: str) -> BadInput:
    return BadInput(f"{name} has too many files; a peft folder has two.")


def _checked(members: list[zipfile.ZipInfo], size: int, name: str) -> dict[str, zipfile.ZipInfo]:
    """The two members wanted, of an archive none of whose members is where it should not be.

    size: its bytes.
    """
    if len(members) > MAX_MEMBERS:
        raise BadInput(f"{name} has {len(members)} files; a peft folder has two.")
    by_name: dict[str, list[zipfile.ZipInfo]] = {file_name: [] for file_name in LIMITS}
    for member in members:
        place = PurePosixPath(member.filename.replace("\\", "/"))  # as some programs on Windows write it
        if place.is_absolute() or ".." in place.parts or PureWindowsPath(member.filename).drive:
            raise BadInput(f"{name} has a file that would lie outside of its folder, {member.filename[:80]!r}.")
        if place.name in by_name and not member.is_dir():
            by_name[place.name].append(member)
    for file_name, namesakes in by_name.items():
        if len(namesakes) != 1:
            raise BadInput(f"{name} must hold {file_name} once, as a zipped peft folder does.")
    _check_overlap(members, size, name)
    return {file_name: namesakes[0] for file_name, namesakes in by_name.items()}


def _check_overlap(members: list[zipfile.ZipInfo], size: int, name: str) -> None:
    """Raise BadInput where the bytes of one member are those of another too, or none of the archive's `size`."""
    at = 0
    for member in sorted(members, key=lambda info: info.header_offset):
        if member.header_offset < at:
            raise BadInput(f"{name} has files that overlap.", "Pack the folder again.")
        at = member.header_offset + member.compress_size
    if at > size:
        raise BadInput(f"{name} is cut short: its files take {at} bytes, and it has {size}.", COPY_AGAIN)


def _check_member(member: zipfile.ZipInfo, file_name: str, name: str) -> None:
    """Raise BadInput for what a member's entry alone rules out."""
    if stat.S_ISLNK(member.external_attr >> 16):
        raise BadInput(f"{name} holds a link in place of {file_name}.", "Pack the file itself.")
    if member.compress_type not in _PACKINGS:
        raise BadInput(
            f"{name} packs {file_name} in a way that is not read.", "Pack the folder as an ordinary zip file."
        )
    if member.file_size > LIMITS[file_name]:
        raise BadInput(f"{name} holds {file_name} of {member.file_size} bytes; at most {LIMITS[file_name]} are read.")
    if member.file_size > SMALL_BYTES + MAX_RATIO * member.compress_size:
        message = f"{name} holds {file_name}, which unpacks to {member.file_size / 1e6:.0f} MB"
        raise BadInput(f"{message}, {member.file_size // max(1, member.compress_size)} times its size: no weights do.")
