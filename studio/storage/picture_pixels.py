"""The pixels of a picture file from anywhere, PNG, JPEG or WebP, as one would see it: upright, in RGB, on white.

Untrusted: sizes are looked at before anything is unpacked, and Pillow is given nothing but what the pixels need. It
would parse EXIF and colour profiles by itself, whose cost their size does not bound.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from studio.core.errors import BadInput
from studio.storage.picture_texts import PictureTexts, read_texts
from studio.storage.png import MAX_IMAGE_PIXELS, open_png

MIN_SIDE_PX, MAX_SIDE_PX = 8, 16_384
_START_OF_SCAN = 0xDA
_KEPT_OF_JPEG = (0xE0, 0xEE)  # JFIF and Adobe, which say how colours are coded
_TURNS = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT, "mirrored"),
    3: (Image.Transpose.ROTATE_180, "turned by 180°"),
    4: (Image.Transpose.FLIP_TOP_BOTTOM, "mirrored from top to bottom"),
    5: (Image.Transpose.TRANSPOSE, "mirrored and turned"),
    6: (Image.Transpose.ROTATE_270, "turned right by 90°"),
    7: (Image.Transpose.TRANSVERSE, "mirrored and turned"),
    8: (Image.Transpose.ROTATE_90, "turned left by 90°"),
}


@dataclass(frozen=True)
class PicturePixels:
    """A picture file, decoded.

    image: RGB.
    remarks: what was done to it, each in a few words: turned as its EXIF says, the first of several frames taken.
    """

    image: Image.Image
    remarks: tuple[str, ...] = ()


def read_pixels(path: Path, name: str) -> tuple[PicturePixels, PictureTexts]:
    """Decode a file; gives its texts as well, of PNG chunks none.

    name: begins sentences. Raises BadInput as `read_texts` does, and for what cannot be decoded or is out of bounds.
    """
    texts = read_texts(path, name, ())
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {error.strerror or error}.") from None
    remarks: list[str] = []
    image = _decoded(data, name, remarks)
    upright, in_words = _TURNS.get(texts.orientation, (None, ""))
    if upright is not None:
        image = image.transpose(upright)
        remarks.append(f"{in_words}, as its EXIF says")
    return PicturePixels(image, tuple(remarks)), texts


def _decoded(data: bytes, name: str, remarks: list[str]) -> Image.Image:
    try:
        if data.startswith(b"\x89PNG"):
            opened = open_png(data, name)
        else:
            is_jpeg = data.startswith(b"\xff\xd8")
            essentials = _plain_jpeg(data) if is_jpeg else data
            opened = Image.open(io.BytesIO(essentials), formats=["JPEG" if is_jpeg else "WEBP"])
        _check_size(opened.size, name)
        if getattr(opened, "n_frames", 1) > 1:
            remarks.append("the first of its frames")
            opened.seek(0)
        opened.load()
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise BadInput(f"{name} is damaged: {str(error).rstrip('.') or type(error).__name__}.") from None
    if opened.mode in ("RGBA", "LA", "PA") or "transparency" in opened.info:
        layer = opened.convert("RGBA")
        if layer.getchannel("A").getextrema() != (255, 255):
            remarks.append("laid on white, for it is transparent")
            return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    if opened.mode.startswith(("I", "F")):
        remarks.append("in 8 bits of its 16")
        return opened.convert("I").point(lambda value: value / 256).convert("L").convert("RGB")
    return opened.convert("RGB")


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > MAX_IMAGE_PIXELS:
        limit = MAX_IMAGE_PIXELS / 1e6
        raise BadInput(f"{name} has {width} x {height} pixels, more than the {limit} million that are read.")
    if not MIN_SIDE_PX <= min(size) <= max(size) <= MAX_SIDE_PX:
        raise BadInput(f"{name} has {width} x {height} pixels; a side has {MIN_SIDE_PX} to {MAX_SIDE_PX:,}.")


def _plain_jpeg(data: bytes) -> bytes:
    """A JPEG without what no pixel needs. Raises ValueError for one that ends before its pixels."""
    essentials, at = bytearray(data[:2]), 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise ValueError("its parts do not add up")
        mark = data[at + 1]
        if mark == _START_OF_SCAN:
            return bytes(essentials + data[at:])
        if mark == 0xFF or mark == 0x01 or 0xD0 <= mark <= 0xD8:  # fill bytes, and marks without a length
            at += 1 if mark == 0xFF else 2
            continue
        end = at + 2 + struct.unpack_from(">H", data, at + 2)[0]
        if mark in _KEPT_OF_JPEG or not (0xE0 <= mark <= 0xEF or mark == 0xFE):
            essentials += data[at:end]
        at = end
    raise ValueError("it ends before its pixels")
