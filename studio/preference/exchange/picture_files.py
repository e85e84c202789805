"""Pictures out of files that anybody may have written: looked at before anything is unpacked, then unpacked whole."""

from __future__ import annotations

import hashlib
import io
import re
import struct
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from studio.core.errors import BadInput
from studio.core.params import shown

MAX_PIXELS = 16_800_000  # 4096 x 4096: a file of tens of kB can unpack to gigabytes otherwise
MAX_BYTES = 64 * 1024 * 1024
_REMEMBERED = 200_000  # pictures whose facts are kept: a picture stands in many rows
_FORMATS = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}
_SIGNATURES = ((b"\x89PNG\r\n\x1a\n", ".png"), (b"\xff\xd8\xff", ".jpg"), (b"RIFF", ".webp"))
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True)
class PictureFacts:
    """What a picture's file says.

    sha256: of the file.
    width, height: in pixels.
    """

    sha256: str
    width: int
    height: int


class PictureChecker:
    """Checks files of pictures, and remembers those it has seen."""

    def __init__(self) -> None:
        self._facts: OrderedDict[str, PictureFacts] = OrderedDict()

    def check(self, data: bytes) -> PictureFacts:
        """Unpack a PNG, JPEG or WebP of one picture whole. Raises BadInput with a clause that says what is wrong."""
        if len(data) > MAX_BYTES:
            raise BadInput(f"a picture is larger than {MAX_BYTES // 1024**2} MB")
        sha256 = hashlib.sha256(data).hexdigest()
        if (facts := self._facts.get(sha256)) is None:
            facts = self._facts[sha256] = PictureFacts(sha256, *_size(data))
            if len(self._facts) > _REMEMBERED:
                self._facts.popitem(last=False)
        return facts


def suffix_of(data: bytes) -> str:
    """The file name's ending that a picture should have, by its first bytes; ".png" for what is none of ours."""
    return next((suffix for start, suffix in _SIGNATURES if data.startswith(start)), ".png")


def file_within(folder: Path, name: object) -> Path:
    """A file that is named by its path within a folder.

    Raises BadInput with a clause: a path that is none, absolute, or leads out, also by a link; no such file, or one
    that is too large.
    """
    if not isinstance(name, str) or not name or "\0" in name:
        raise BadInput(f"{shown(name)} is no path of a file")
    windows = PureWindowsPath(name)
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if name.startswith(("/", "\\")) or windows.drive or _DRIVE.match(name) or ".." in parts:
        raise BadInput(f"the path {shown(name)} leads out of the folder")
    try:
        root = folder.resolve()
        path = folder.joinpath(*parts).resolve()
        if not path.is_relative_to(root):
            raise BadInput(f"the path {shown(name)} leads out of the folder")
        if not path.is_file():
            raise BadInput(f"there is no file {shown(name)}")
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(f"the file {shown(name)} is larger than {MAX_BYTES // 1024**2} MB")
    except (OSError, ValueError, RuntimeError):  # a loop of links, a name too long
        raise BadInput(f"the file {shown(name)} cannot be looked for") from None
    return path


def _size(data: bytes) -> tuple[int, int]:
    from PIL import Image  # late: formats are asked for their names without it

    try:
        with Image.open(io.BytesIO(data), formats=list(_FORMATS)) as opened:
            width, height = opened.size
            if width * height > MAX_PIXELS:
                raise BadInput(f"a picture has {width} x {height} pixels, more than {MAX_PIXELS / 1e6:g} million")
            if getattr(opened, "n_frames", 1) != 1:
                raise BadInput("a picture moves")
            opened.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # the latter where warnings are errors
        raise BadInput("a picture has more pixels than are read") from None
    except (OSError, SyntaxError, ValueError, struct.error, EOFError) as error:
        raise BadInput(f"a picture cannot be read: {str(error)[:120].rstrip('.') or type(error).__name__}") from None
    return width, height
