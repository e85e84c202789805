"""The texts in a picture file, where programs keep settings: PNG text chunks, EXIF and XMP of PNG, JPEG and WebP.

Untrusted. No pixel is decoded. What a file can cost is bounded by its bytes: parts are walked over, only texts under
the keywords asked for are looked at, and those are unpacked up to a limit for each and for all together. A text that
cannot be read costs itself only, and is named. Source: the PNG, JPEG (ISO 10918-1), WebP and EXIF 2.3 specifications.
"""

from __future__ import annotations

import html
import struct
import zlib
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from studio.core.errors import BadInput
from studio.storage.png import MAX_IMAGE_PIXELS, chunks

MAX_FILE_BYTES = 20_000_000
MAX_TEXT_BYTES = 1_000_000  # of one text, unpacked
MAX_UNPACKED_BYTES = 4_000_000  # of all packed texts of a file
MAX_PARTS = 65_536  # segments of a JPEG, chunks of a WebP
MAX_PROBLEMS = 8
MAX_KEYWORD_BYTES = 2_000  # of a language or a translated keyword
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_KEYWORD = "xml:com.adobe.xmp"
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
# Marks without a length: fill bytes, TEM, RST0 to 7, SOI.
_BARE_MARKS = (0x01, *range(0xD0, 0xD9))

# EXIF tags that hold settings -> the keyword they are given here.
_EXIF_TEXTS = {0x010E: "imagedescription", 0x010F: "make", 0x0110: "model", 0x9286: "usercomment", 0x9C9C: "xpcomment"}
_EXIF_IFD = 0x8769
_ORIENTATION, _SHORT = 0x0112, 3
_EXIF_SIZES = {1: 1, 2: 1, 7: 1}  # bytes, ASCII, undefined: those that hold text
_MAX_EXIF_ENTRIES = 512


@dataclass
class PictureTexts:
    """Texts by keyword, in lower case; the first readable one of a keyword.

    problems: what could not be read, and why.
    orientation: how the picture is to be turned to stand upright, 1 to 8 as EXIF numbers them; 1 is as it is.
    Texts of EXIF have their tag's name for keyword, those of XMP "xmp", a JPEG's comment "comment".
    """

    texts: dict[str, str] = field(default_factory=dict[str, str])
    problems: list[str] = field(default_factory=list[str])
    orientation: int = 1

    def add(self, keyword: str, text: str | None) -> None:
        """Take a text, if there is none of that keyword yet."""
        if text:
            self.texts.setdefault(keyword, text)

    def miss(self, keyword: str, reason: str) -> None:
        """Name a text that could not be read."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(f"text {keyword}: {reason}")


def read_texts(path: Path, name: str, keywords: Collection[str]) -> PictureTexts:
    """Read the texts of a picture.

    name: begins sentences.
    keywords: in lower case, those of PNG chunks to look at.
    Raises BadInput: cannot be read, too large, not a PNG, JPEG or WebP, cut off, of too many parts or pixels.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BadInput(f"{name} is larger than {MAX_FILE_BYTES // 1_000_000} MB.")
        data = memoryview(path.read_bytes())
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {error.strerror or error}.") from None
    if bytes(data[:8]) == _PNG:
        return _png(data, name, keywords)
    if bytes(data[:3]) == b"\xff\xd8\xff":
        return _jpeg(data, name)
    if bytes(data[:4]) == b"RIFF" and bytes(data[8:12]) == b"WEBP":
        return _webp(data, name)
    raise BadInput(f"{name} is not a PNG picture, nor a JPEG or WebP.", "Other kinds of files are not read.")


def text_of_bytes(data: bytes) -> str:
    """Bytes as text: UTF-8 where they are that, else Latin-1, which a PNG's plain texts should be and seldom are."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


# -- PNG ------------------------------------------------------------------------------------------------------------


def _png(data: memoryview, name: str, keywords: Collection[str]) -> PictureTexts:
    picture = PictureTexts()
    unpacker = _Unpacker()
    is_xmp_read = False
    for kind, body, checksum in chunks(data, name):
        if kind == b"IHDR":
            _check_header(kind, body, checksum, name)
        elif kind == b"eXIf":
            _exif(body, picture)
        elif kind in _PNG_TEXTS:
            keyword = bytes(body[:80]).partition(b"\0")[0]
            key = keyword.decode("latin-1").lower()
            is_asked_for = (key in keywords and key not in picture.texts) or (key == _XMP_KEYWORD and not is_xmp_read)
            if not is_asked_for:
                continue
            if zlib.crc32(body, zlib.crc32(kind)) != checksum:
                picture.miss(key, "its checksum is wrong")
                continue
            try:
                text = _png_text(kind, body[len(keyword) + 1 :], unpacker)
            except ValueError as error:
                picture.miss(key, str(error))
                continue
            if key == _XMP_KEYWORD:
                is_xmp_read = True
                _xmp(text, picture)
            else:
                picture.add(key, text)
    return picture


def _check_header(kind: bytes, body: memoryview, checksum: int, name: str) -> None:
    if len(body) != 13:
        raise BadInput(f"{name} is a damaged PNG: its header has {len(body)} bytes, not 13.")
    if zlib.crc32(body, zlib.crc32(kind)) != checksum:
        raise BadInput(f"{name} is a damaged PNG: the checksum of its header is wrong.")
    width, height = struct.unpack_from(">II", body)
    if width * height > MAX_IMAGE_PIXELS:
        raise BadInput(f"{name} has {width} x {height} pixels, more than the {MAX_IMAGE_PIXELS / 1e6} million allowed.")


class _Unpacker:
    """Unpacks the texts of one file. left: how many bytes may still come out."""

    def __init__(self) -> None:
        self.left = MAX_UNPACKED_BYTES

    def unpack(self, data: memoryview) -> bytes:
        """Raises ValueError: not packed text, too long, or the file's share is used up."""
        unpacker = zlib.decompressobj()
        try:
            text = unpacker.decompress(data, min(MAX_TEXT_BYTES, self.left) + 1)
        except zlib.error:
            raise ValueError("it cannot be unpacked") from None
        self.left = max(self.left - len(text), 0)
        if len(text) <= MAX_TEXT_BYTES and not self.left:
            raise ValueError(f"the file's texts unpack to more than {MAX_UNPACKED_BYTES} bytes")
        if len(text) <= MAX_TEXT_BYTES and not unpacker.eof:
            raise ValueError("it is cut off")
        return text


def _png_text(kind: bytes, rest: memoryview, unpacker: _Unpacker) -> str:
    """The text of a chunk, behind its keyword. Raises ValueError for one that cannot be unpacked, or is too long."""
    packed = kind == b"zTXt"
    if kind == b"zTXt":
        rest = rest[1:]  # the method, of which there is one
    elif kind == b"iTXt":
        packed = bytes(rest[:1]) == b"\1"
        rest = _behind_zero(_behind_zero(rest[2:]))  # past language and translated keyword
    if not packed and len(rest) > MAX_TEXT_BYTES:
        raise ValueError(f"it is longer than {MAX_TEXT_BYTES} bytes")
    text = unpacker.unpack(rest) if packed else bytes(rest)
    if len(text) > MAX_TEXT_BYTES:
        raise ValueError(f"it is longer than {MAX_TEXT_BYTES} bytes")
    return text_of_bytes(text)


def _behind_zero(data: memoryview) -> memoryview:
    head = bytes(data[:MAX_KEYWORD_BYTES])
    if b"\0" not in head:
        raise ValueError("it is cut off")
    return data[head.index(b"\0") + 1 :]


# -- JPEG and WebP --------------------------------------------------------------------------------------------------


def _jpeg(data: memoryview, name: str) -> PictureTexts:
    """Texts stand before the picture's own data, which is not walked over."""
    picture = PictureTexts()
    at = 2
    for _ in range(MAX_PARTS):
        if at + 4 > len(data) or data[at] != 0xFF:
            raise BadInput(f"{name} is a damaged JPEG: it ends in the middle.")
        mark = data[at + 1]
        if mark in (_START_OF_SCAN, _END_OF_IMAGE):
            return picture
        if mark == 0xFF or mark in _BARE_MARKS:
            at += 1 if mark == 0xFF else 2
            continue
        length = struct.unpack_from(">H", data, at + 2)[0]
        end = at + 2 + length
        if length < 2 or end > len(data):
            raise BadInput(f"{name} is a damaged JPEG: it ends in the middle.")
        _segment(mark, data[at + 4 : end], picture)
        at = end
    raise BadInput(f"{name} is made of more than {MAX_PARTS} parts.")


def _segment(mark: int, body: memoryview, picture: PictureTexts) -> None:
    if mark == 0xFE:
        picture.add("comment", text_of_bytes(bytes(body)).strip("\0"))
    elif mark == 0xE1 and bytes(body[:6]) == b"Exif\0\0":
        _exif(body, picture)
    elif mark == 0xE1 and bytes(body[: len(_XMP_HEAD)]) == _XMP_HEAD:
        _xmp(text_of_bytes(bytes(body[len(_XMP_HEAD) :])), picture)


def _webp(data: memoryview, name: str) -> PictureTexts:
    picture = PictureTexts()
    at = 12
    for _ in range(MAX_PARTS):
        if at >= len(data):
            return picture
        if at + 8 > len(data):
            break
        kind, length = struct.unpack_from("<4sI", data, at)
        end = at + 8 + length
        if end > len(data):
            break
        if kind == b"EXIF":
            _exif(data[at + 8 : end], picture)
        elif kind == b"XMP " and length <= MAX_TEXT_BYTES:
            _xmp(text_of_bytes(bytes(data[at + 8 : end])), picture)
        elif kind == b"XMP ":
            picture.miss("XMP", f"it is longer than {MAX_TEXT_BYTES} bytes")
        at = end + length % 2
    else:
        raise BadInput(f"{name} is made of more than {MAX_PARTS} parts.")
    raise BadInput(f"{name} is a damaged WebP: it ends in the middle.")


# -- EXIF and XMP ---------------------------------------------------------------------------------------------------


def _exif(body: memoryview, picture: PictureTexts) -> None:
    """Take the texts of EXIF. Ours and not Pillow's reader, which copies what each entry names: of 65,536 entries that
    all name the same megabyte it makes 64 GB.
    """
    if bytes(body[:6]) == b"Exif\0\0":
        body = body[6:]
    if len(body) > MAX_TEXT_BYTES:
        picture.miss("EXIF", f"it is longer than {MAX_TEXT_BYTES} bytes")
        return
    order = {b"II": "<", b"MM": ">"}.get(bytes(body[:2]))
    try:
        if order is None:
            raise ValueError("no byte order")
        (first,) = struct.unpack_from(f"{order}I", body, 4)
        pointer = _exif_folder(body, first, order, picture)
        if pointer is not None:
            _exif_folder(body, pointer, order, picture)
    except (struct.error, ValueError):
        picture.miss("EXIF", "it is damaged")


def _exif_folder(body: memoryview, at: int, order: str, picture: PictureTexts) -> int | None:
    """Take the texts of one folder; give where the one with the comment is. Raises struct.error, ValueError."""
    (count,) = struct.unpack_from(f"{order}H", body, at)
    pointer = None
    for number in range(min(count, _MAX_EXIF_ENTRIES)):
        entry = at + 2 + 12 * number
        tag, kind, length, value = struct.unpack_from(f"{order}HHII", body, entry)
        if tag == _EXIF_IFD:
            pointer = value
        if tag == _ORIENTATION and kind == _SHORT and length == 1 and picture.orientation == 1:
            (turned,) = struct.unpack_from(f"{order}H", body, entry + 8)
            picture.orientation = turned if 1 <= turned <= 8 else 1
        if tag not in _EXIF_TEXTS or kind not in _EXIF_SIZES:
            continue
        start = value if length > 4 else entry + 8
        if start + length > len(body):
            raise ValueError("a text beyond the end")
        picture.add(_EXIF_TEXTS[tag], _exif_text(_EXIF_TEXTS[tag], bytes(body[start : start + length]), order))
    return pointer


def _exif_text(keyword: str, data: bytes, order: str) -> str:
    if keyword == "xpcomment":
        return data.decode("utf-16-le", errors="replace").strip("\0")
    head, rest = data[:8], data[8:]
    if keyword == "usercomment" and head == b"UNICODE\0":
        return _utf16(rest, order).strip("\0")
    if keyword == "usercomment" and head in (b"ASCII\0\0\0", b"\0" * 8):
        return text_of_bytes(rest).strip("\0 ")
    return text_of_bytes(data).strip("\0 ")


def _utf16(data: bytes, order: str) -> str:
    """UTF-16 of either order, whatever EXIF's own is: writers differ, and few put a mark. Settings are mostly ASCII, so
    the order that gives more of it is the right one. Some write UTF-8, which has no zeros.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    if b"\0" not in data:
        return text_of_bytes(data)
    texts = {name: data.decode(f"utf-16-{name}", errors="replace") for name in ("be", "le")}
    score = {name: sum(letter < "\x80" for letter in text) for name, text in texts.items()}
    usual = "le" if order == "<" else "be"
    return texts[max(("be", "le"), key=lambda name: (score[name], name == usual))]


_XMP_FIELDS = {"exif:UserComment": "usercomment", "dc:description": "xmp"}


def _xmp(text: str, picture: PictureTexts) -> None:
    """Take the comment and the description out of XMP, the first of each. Not parsed as XML, whose entities can grow
    without bounds.
    """
    for name, keyword in _XMP_FIELDS.items():
        inner = _between(text, f"<{name}", f"</{name}>")
        picture.add(keyword, html.unescape(_between(inner, "<rdf:li", "</rdf:li>") or inner).strip())


def _between(text: str, opening: str, closing: str) -> str:
    """What stands in the first element of a name; "" where there is none. In time linear in the text."""
    start = text.find(opening)
    inside = text.find(">", start) + 1 if start >= 0 else 0
    end = text.find(closing, inside) if inside else -1
    return text[inside:end] if end >= 0 else ""
