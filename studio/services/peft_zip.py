"""A peft folder that came as a zip file: its two files, unpacked with the limits that strangers' archives call for."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from studio.core.errors import BadInput
from studio.engine.edits.header import MAX_FILE_BYTES

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
LIMITS = {CONFIG: 1_000_000, WEIGHTS: MAX_FILE_BYTES}  # bytes, unpacked
MAX_MEMBERS = 50


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Path]:
    """The file itself, or the folder a zip file holds, for as long as it is needed. Raises as `unpack` does."""
    if path.suffix.lower() != ".zip":
        yield path
        return
    folder = Path(tempfile.mkdtemp(prefix="import-"))
    try:
        yield unpack(path, folder / path.stem)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def unpack(archive: Path, folder: Path) -> Path:
    """Write the two files into a new folder and give it. Whatever else is in the archive stays there.

    Nothing is written under a name that the archive gives. Raises BadInput for what is no zip, encrypted, damaged, has
    more than 50 members or a file of unpacked size beyond its limit, or lacks one of the two.
    """
    name = f"The archive {archive.name[:80]}"
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            if len(members) > MAX_MEMBERS:
                raise BadInput(f"{name} has {len(members)} files; a peft folder has two.")
            folder.mkdir(parents=True)
            for wanted, limit in LIMITS.items():
                found = [one for one in members if PurePosixPath(one.filename).name == wanted and not one.is_dir()]
                if len(found) != 1:
                    raise BadInput(f"{name} must hold {wanted} once, as a zipped peft folder does.")
                _write(opened, found[0], folder / wanted, limit, name)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        # RuntimeError: encrypted; NotImplementedError: a way of packing that Python does not know.
        raise BadInput(f"{name} cannot be unpacked: {str(error).rstrip('.') or type(error).__name__}.") from None
    return folder


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, limit: int, name: str) -> None:
    """Unpack one file, counting what really comes out: the size that the archive announces is a claim."""
    if member.file_size > limit:
        raise BadInput(f"{name} holds a {path.name} of {member.file_size} bytes; at most {limit} are read.")
    left = limit
    with archive.open(member) as packed, path.open("wb") as plain:
        while data := packed.read(1 << 20):
            left -= len(data)
            if left < 0:
                raise BadInput(f"{name} unpacks to more than it says.")
            plain.write(data)
