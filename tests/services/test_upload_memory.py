"""What files of strangers cost in memory at most, whatever they hold: none that is taken or refused takes 200 MB."""

from __future__ import annotations

import gzip
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio.core.errors import StudioError
from studio.core.recipe import Recipe
from studio.guidance.presets import read_preset
from studio.preference.exchange.json_files import items, lines
from studio.services.dropped import read_dropped
from studio.services.edits.peft_zip import CONFIG, WEIGHTS, opened
from studio.services.labels import zipped
from studio.services.labels.incoming import read_incoming

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
MOST_BYTES = 200_000_000


def bytes_of(name: str) -> int:
    """VmRSS, what this process holds, or VmHWM, the most it held since the peak was reset."""
    (line,) = (line for line in STATUS.read_text(encoding="ascii").splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


def growth(act: Callable[[], object]) -> int:
    """Bytes that an act takes at its peak, be it refused or not."""
    RESET.write_text("5", encoding="ascii")
    before = bytes_of("VmRSS")
    try:
        act()
    except StudioError as error:
        assert "\n" not in str(error)
    return bytes_of("VmHWM") - before


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def bomb_png(path: Path, side_px: int, texts: int = 0) -> Path:
    """A gray picture of which all is zero: a thousandth of what it unpacks to; and texts that are likewise."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side_px, side_px, 8, 0, 0, 0, 0))
    pixels = zlib.compress(bytes((side_px + 1) * min(side_px, 1000)), 1)
    text = chunk(b"zTXt", b"parameters\0\0" + zlib.compress(bytes(50_000_000)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + text * texts + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))
    return path


def bomb_zip(path: Path, name: str) -> Path:
    """A file of zeros, and what a folder of peft has besides."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(CONFIG, "{}")
        archive.writestr(name, bytes(90_000_000))
    return path


def sparse(path: Path, start: bytes) -> Path:
    """A gigabyte that takes no room on the disk."""
    with path.open("wb") as file:
        file.write(start)
        file.truncate(1_000_000_000)
    return path


def unpacked(archive: Path, folder: Path) -> None:
    folder.mkdir()
    zipped.unpack(archive, folder)


def entered(archive: Path) -> None:
    with opened(archive):
        pass


def acts(folder: Path) -> dict[str, Callable[[], Any]]:
    large = folder / "large.png"
    Image.new("RGB", (4096, 4096), "red").save(large, compress_level=1)  # the largest that is taken
    huge = bomb_png(folder / "huge.png", 16_384)
    texts = bomb_png(folder / "texts.png", 8, texts=20)
    zeros, weights = bomb_zip(folder / "zeros.zip", "a.bin"), bomb_zip(folder / "weights.zip", WEIGHTS)
    settings = sparse(folder / "x.json", b'{"a": 1}')
    rows = sparse(folder / "rows.json", b"[")
    packed = folder / "list.jsonl"
    packed.write_bytes(gzip.compress(bytes(1000)))
    return {
        "the largest picture": lambda: read_incoming(large).png(),
        "16384 x 16384 pixels": lambda: read_incoming(huge),
        "dropped, 16384 x 16384 pixels": lambda: read_dropped(huge, ["stencil"]),
        "texts that unpack to a gigabyte": lambda: read_dropped(texts, ["stencil"]),
        "a zip file that unpacks to 90 MB": lambda: unpacked(zeros, folder / "out"),
        "weights that unpack to 90 MB": lambda: entered(weights),
        "settings of a gigabyte": lambda: read_preset(settings),
        "a recipe of 50 MB": lambda: Recipe.from_json(b"[" * 50_000_000),
        "a list of a gigabyte": lambda: list(items(rows)),
        "lines of something else": lambda: list(lines(packed)),
    }


@pytest.mark.skipif(not RESET.exists(), reason="the system does not tell a process's peak of memory")
def test_no_upload_takes_two_hundred_megabytes(tmp_path: Path) -> None:
    assert growth(lambda: bytearray(b"1") * 250_000_000) > MOST_BYTES, "it is measured"
    taken = {name: growth(act) for name, act in acts(tmp_path).items()}
    print({name: f"{count / 1e6:.0f} MB" for name, count in taken.items()})
    assert max(taken.values()) <= MOST_BYTES, taken
