"""PNG files: what goes in comes out, and what is not ours is refused in a sentence."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from studio.core.errors import BadInput
from studio.core.recipe import GuidanceSpec, Recipe
from studio.storage.png import INFOTEXT_KEY, RECIPE_KEY, encode_png, infotext, program, read_png

MADE_BY: dict[str, Any] = {"model_hash": "0123456789abcdef", "torch": "2.13.0", "threads": 2}
PICTURE = Image.frombytes("RGB", (4, 2), bytes(range(24)))

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


def comes_back(prompt: str, negative: str, seed: int, scale: float) -> None:
    recipe = Recipe(
        prompt=prompt, negative_prompt=negative, seed=seed, guidance=GuidanceSpec(params={"guidance_scale": scale})
    )
    record = read_png(encode_png(PICTURE, recipe, MADE_BY))
    assert record.recipe == recipe
    assert record.made_by == MADE_BY
    assert record.image.tobytes() == PICTURE.tobytes()


ANY = given(prompt=texts, negative=texts, seed=st.integers(0, 2**64 - 1), scale=st.floats(0, 30))


def test_round_trip() -> None:
    settings(max_examples=60, deadline=None)(ANY(comes_back))()


@pytest.mark.slow
def test_ten_thousand_round_trips() -> None:
    settings(max_examples=10_000, deadline=None)(ANY(comes_back))()


def test_the_same_picture_gives_the_same_file() -> None:
    recipe = Recipe(prompt="a red star")
    assert encode_png(PICTURE, recipe, MADE_BY) == encode_png(PICTURE, recipe, dict(reversed(MADE_BY.items())))


def test_infotext() -> None:
    recipe = Recipe(prompt="a red star", negative_prompt="a blue square", seed=7)
    assert infotext(recipe, MADE_BY) == (
        "a red star\nNegative prompt: a blue square\n"
        "Steps: 20, Sampler: DPM++ 2M, CFG scale: 1.5, Seed: 7, Size: 128x128, Model: stencil, "
        f"Model hash: 0123456789, Version: {program()}"
    )


def test_infotext_of_another_method() -> None:
    spec = GuidanceSpec(method="apg", params={"guidance_scale": 6.0, "norm_threshold_rms": 0.02})
    said = infotext(Recipe(guidance=spec, sampler="ddim"), {})
    assert said.startswith("\nSteps: 20, Sampler: DDIM, CFG scale: 6.0, ")
    assert "Guidance: apg, Guidance norm threshold rms: 0.02, " in said
    assert "Negative" not in said and "hash" not in said


def test_other_tools_find_their_text() -> None:
    with Image.open(io.BytesIO(encode_png(PICTURE, Recipe(prompt="étoile ⭐"), {}))) as opened:
        assert opened.info[INFOTEXT_KEY].startswith("étoile ⭐\nSteps: 20")


def test_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a b ⭐.png"
    path.write_bytes(encode_png(PICTURE, Recipe(prompt="x"), {}))
    assert read_png(path).recipe.prompt == "x"


def test_what_nobody_asks_for_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow unpacks up to a megabyte for each profile and text, and a file of 20 MB can hold 20,000 of them."""
    bomb = zlib.compress(bytes(1_000_000))
    parts = [chunk(kind, b"x\0\0" + bomb) for kind in (b"iCCP", b"zTXt")] + [chunk(b"acTL", bytes(8))]
    parts += [chunk(b"zTXt", RECIPE_KEY.encode() + b"\0\0" + bomb)]
    unpacked: list[bytes] = []
    real = PngImagePlugin._safe_zlib_decompress
    monkeypatch.setattr(PngImagePlugin, "_safe_zlib_decompress", lambda data: unpacked.append(data) or real(data))
    ends = GOOD[:-12] + b"".join(parts) + GOOD[-12:]
    assert read_png(ends).recipe == Recipe() and unpacked == []


# -- what is not ours -----------------------------------------------------------------------------------------------


def png(width: int, height: int, *chunks: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def text_png(recipe_text: str) -> bytes:
    from PIL.PngImagePlugin import PngInfo

    info, buffer = PngInfo(), io.BytesIO()
    info.add_text(RECIPE_KEY, recipe_text)
    PICTURE.save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def plain(format: str) -> bytes:
    buffer = io.BytesIO()
    PICTURE.save(buffer, format)
    return buffer.getvalue()


GOOD = encode_png(PICTURE, Recipe(), {})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is not a PNG picture"),
        (b"<html></html>", "is not a PNG picture"),
        (plain("JPEG"), "is not a PNG picture"),
        (plain("PNG"), "holds no recipe of ours"),
        (png(20000, 20000), "20000 x 20000 pixels, more than"),
        (png(2**31 - 1, 2**31 - 1), "more than the 16.8 million"),
        (GOOD[: len(GOOD) // 2], "damaged PNG"),
        (GOOD[:30], "damaged PNG"),
        (png(4, 2, chunk(b"IDAT", b"junk")), "damaged PNG"),
        (text_png("{"), "not valid JSON"),
        (text_png('{"version": 99}'), "version 99"),
        (text_png('{"steps": 1e9}'), "steps must be a whole number from 1 to 1000"),
        (text_png('{"unknown": 1}'), "no field 'unknown'"),
        (text_png("[" * 100_000), "nested too deep"),
    ],
)
def test_refused_with_a_sentence(data: bytes, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read_png(data)


@pytest.mark.parametrize("path", ["nowhere.png", "a\0b.png", "."])
def test_no_such_file(tmp_path: Path, path: str) -> None:
    with pytest.raises(BadInput):
        read_png(tmp_path / path)


def test_garbled_remarks_on_its_making_are_dropped() -> None:
    from PIL.PngImagePlugin import PngInfo

    info, buffer = PngInfo(), io.BytesIO()
    info.add_text(RECIPE_KEY, Recipe().canonical_json())
    info.add_text("palimpsest-made-by", "[1")
    PICTURE.save(buffer, "PNG", pnginfo=info)
    assert read_png(buffer.getvalue()).made_by == {}


@settings(max_examples=100, deadline=None)
@given(place=st.integers(8, len(GOOD) - 1), value=st.integers(0, 255))
def test_a_flipped_byte_never_gets_out_as_anything_but_a_sentence(place: int, value: int) -> None:
    try:
        read_png(GOOD[:place] + bytes([value]) + GOOD[place + 1 :])
    except BadInput:
        pass
