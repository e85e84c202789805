"""What a picture file can cost: bytes unpacked, parts walked over, and files that are cut off or forged."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from studio.core.errors import BadInput
from studio.storage import picture_texts
from studio.storage import png as storage_png
from studio.storage.picture_texts import MAX_TEXT_BYTES, MAX_UNPACKED_BYTES, PictureTexts, read_texts

KEYS = {"parameters", *(f"k{n}" for n in range(100))}


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(path: Path, *chunks: bytes) -> Path:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b""))
    return path


def read(path: Path) -> PictureTexts:
    return read_texts(path, "The file", KEYS)


@pytest.fixture
def unpacked(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many bytes have been unpacked so far."""
    sizes: list[int] = []
    real = zlib.decompressobj

    class Counting:
        def __init__(self) -> None:
            self.inner = real()

        def decompress(self, data: Any, limit: int) -> bytes:
            assert 0 < limit <= MAX_TEXT_BYTES + 1, "unpacked without a limit"
            text = self.inner.decompress(data, limit)
            sizes.append(len(text))
            return text

        @property
        def eof(self) -> bool:
            return self.inner.eof

    monkeypatch.setattr(picture_texts.zlib, "decompressobj", Counting)
    return lambda: sum(sizes)


BOMB = zlib.compress(bytes(3_000_000), 9)
FULL = zlib.compress(bytes(900_000), 9)


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk(b"zTXt", b"parameters\0\0" + BOMB)] * 3000,  # one keyword, again and again
        [chunk(b"zTXt", f"k{n % 100}".encode() + b"\0\0" + BOMB) for n in range(3000)],
        [chunk(b"iTXt", f"k{n % 100}".encode() + b"\0\1\0\0\0" + FULL) for n in range(3000)],
        [chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + BOMB)] * 3000,
    ],
)
def test_texts_unpack_to_a_few_megabytes_whatever_the_file_holds(
    tmp_path: Path, chunks: list[bytes], unpacked: Callable[[], int]
) -> None:
    picture = read(png(tmp_path / "a.png", *chunks))
    assert 0 < unpacked() <= MAX_UNPACKED_BYTES + len(chunks)
    assert sum(map(len, picture.texts.values())) <= MAX_UNPACKED_BYTES and 0 < len(picture.problems) <= 8


def test_texts_nobody_asked_for_are_not_unpacked(tmp_path: Path, unpacked: Callable[[], int]) -> None:
    others = [chunk(b"zTXt", f"x{n}".encode() + b"\0\0" + BOMB) for n in range(500)]
    profile = [chunk(b"iCCP", b"x\0\0" + BOMB), chunk(b"eXIf", bytes(2_000_000))]
    picture = read(png(tmp_path / "a.png", *others, *profile, chunk(b"tEXt", b"parameters\0a")))
    assert (unpacked(), picture.texts) == (0, {"parameters": "a"})
    assert picture.problems == ["text EXIF: it is longer than 1000000 bytes"]


def test_the_wanted_text_is_read_beside_a_bomb(tmp_path: Path) -> None:
    picture = read(png(tmp_path / "a.png", chunk(b"zTXt", b"k1\0\0" + BOMB), chunk(b"tEXt", b"parameters\0a")))
    assert picture.texts == {"parameters": "a"} and picture.problems == ["text k1: it is longer than 1000000 bytes"]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WebP"])
def test_files_of_very_many_parts_are_refused(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_texts, "MAX_PARTS", 50)
    monkeypatch.setattr(storage_png, "MAX_CHUNKS", 50)
    file = tmp_path / "a"
    if kind == "PNG":
        png(file, *[chunk(b"tEXt", b"")] * 60)
    elif kind == "JPEG":
        file.write_bytes(b"\xff\xd8" + b"\xff\xe2\0\2" * 60 + b"\xff\xda\0\2")
    else:
        file.write_bytes(b"RIFF\0\0\0\0WEBP" + b"ABCD\0\0\0\0" * 60)
    with pytest.raises(BadInput, match="more than 50 parts"):
        read(file)


def whole(tmp_path: Path, format: str) -> bytes:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0a red star"
    Image.new("RGB", (8, 8)).save(tmp_path / "whole", format, exif=exif.tobytes())
    return (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_a_file_cut_anywhere_is_refused_or_read_and_never_anything_else(tmp_path: Path, format: str) -> None:
    data = whole(tmp_path, format)
    for end in range(0, len(data), 7):
        (tmp_path / "cut").write_bytes(data[:end])
        try:
            assert set(read(tmp_path / "cut").texts) <= {"usercomment"}
        except BadInput as error:
            assert "\n" not in str(error) and ("damaged" in str(error) or "is not a PNG" in str(error))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 400), value=st.integers(0, 255), format=st.sampled_from(["PNG", "JPEG", "WEBP"]))
def test_a_flipped_byte_never_gets_out_as_anything_but_a_sentence(
    tmp_path: Path, place: int, value: int, format: str
) -> None:
    data = bytearray(whole(tmp_path, format))
    data[place % len(data)] = value
    (tmp_path / "bent").write_bytes(data)
    try:
        read(tmp_path / "bent")
    except BadInput as error:
        assert "\n" not in str(error)


def exif(entries: int, length: int) -> bytes:
    """A folder of entries that all name the same bytes."""
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", entries)
    return head + struct.pack("<HHII", 0x9286, 7, length, 0) * entries + bytes(1000)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (exif(60_000, 700_000), False),
        (exif(1, 2**32 - 1), True),
        (b"II*\0\xff\xff\xff\xff", True),
        (b"XX*\0", True),
        (b"MM\0*\0\0\0\x08\0\1\x87\x69\0\4\0\0\0\1\0\0\0\x08", False),  # a folder that names itself
    ],
)
def test_exif_that_is_forged_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: bytes, problem: bool
) -> None:
    taken: list[str] = []
    monkeypatch.setattr(picture_texts, "_exif_text", lambda tag, *more: (taken.append(tag), "a")[1])
    assert read(png(tmp_path / "a.png", chunk(b"eXIf", body))).texts.keys() == set(taken) and len(taken) <= 512
    monkeypatch.undo()
    picture = read(png(tmp_path / "a.png", chunk(b"eXIf", body)))
    assert bool(picture.problems) == problem and sum(map(len, picture.texts.values())) <= MAX_TEXT_BYTES


def test_xmp_of_a_webp_that_is_too_long_is_named_and_not_read(tmp_path: Path) -> None:
    for length, texts in ((MAX_TEXT_BYTES, {"usercomment": "a"}), (MAX_TEXT_BYTES + 2, {})):
        xmp = b"<exif:UserComment>a</exif:UserComment>".ljust(length)
        (tmp_path / "a.webp").write_bytes(b"RIFF\0\0\0\0WEBPXMP " + struct.pack("<I", length) + xmp)
        picture = read(tmp_path / "a.webp")
        assert picture.texts == texts
    assert picture.problems == ["text XMP: it is longer than 1000000 bytes"]


def test_xmp_is_not_expanded(tmp_path: Path) -> None:
    laughs = '<!DOCTYPE x [<!ENTITY a "ha">]><exif:UserComment><rdf:li>&a;&amp;</rdf:li></exif:UserComment>'
    picture = read(png(tmp_path / "a.png", chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + laughs.encode())))
    assert picture.texts == {"usercomment": "&a;&"}
    hostile = b"<exif:UserComment>" * 50_000
    assert read(png(tmp_path / "b.png", chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + hostile))).texts == {}
