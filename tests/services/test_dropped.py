from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from studio.core.errors import BadInput
from studio.core.recipe import GuidanceSpec, Negative, Recipe
from studio.services import dropped
from studio.services.dropped import read_dropped
from studio.storage.png import encode_png

MODELS = ("stencil",)
A1111 = (
    "a (red:1.2) star <lora:x:1>\nNegative prompt: blur\n"
    "Steps: 30, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 12345678901234567890, Size: 512x768, "
    "Model: dreamshaper, Clip skip: 2, Version: v1.9.4"
)


def png(path: Path, **texts: str) -> Path:
    info = PngInfo()
    for key, value in texts.items():
        info.add_text(key, value)
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)
    return path


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def raw(path: Path, *chunks: bytes, width: int = 8, height: int = 8) -> Path:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b""))
    return path


def test_a_picture_of_ours_gives_its_very_recipe(tmp_path: Path) -> None:
    recipe = Recipe(
        prompt="a ☆ \0 star", seed=2**64 - 1, sampler="ddim", sampler_params={"eta": 0.5}, syntax="compel",
        more_negatives=(Negative(prompt="é", weight=0.5),), guidance=GuidanceSpec(method="apg", params={"eta": 0.5}),
    )  # fmt: skip
    file = tmp_path / "ours.png"
    file.write_bytes(encode_png(Image.new("RGB", (8, 8)), recipe, {}))
    found = read_dropped(file, MODELS)
    assert (found.recipe, found.left_out, found.ours) == (recipe, (), True)


def test_a_model_that_is_not_here_is_told(tmp_path: Path) -> None:
    file = tmp_path / "ours.png"
    file.write_bytes(encode_png(Image.new("RGB", (8, 8)), Recipe(model="gone", steps=7), {}))
    found = read_dropped(file, MODELS)
    assert found.recipe == Recipe(model="stencil", steps=7) and not found.ours and "gone" in found.left_out[0]


def test_a1111_is_taken_over_as_far_as_it_goes(tmp_path: Path) -> None:
    found = read_dropped(png(tmp_path / "a.png", parameters=A1111), MODELS)
    recipe = found.recipe
    assert (recipe.steps, recipe.seed, recipe.width, recipe.height) == (30, 12345678901234567890, 512, 768)
    assert (recipe.sampler, recipe.spacing, recipe.syntax) == ("dpmpp_2m", "karras", "a1111")
    assert recipe.guidance.params["guidance_scale"] == 7 and recipe.negative_prompt == "blur"
    assert not found.ours
    told = " ".join(found.left_out)
    assert "dreamshaper" in told and "Clip skip" in told and "<lora:x:1>" in told


@pytest.mark.parametrize("kind", ["tEXt", "zTXt", "iTXt", "packed iTXt"])
def test_texts_of_every_kind_are_read(tmp_path: Path, kind: str) -> None:
    text = "a é star\nSteps: 5, Sampler: DDIM, CFG scale: 2, Seed: 1, Size: 64x64"
    latin, utf8 = text.encode("latin-1"), text.encode()
    body = {
        "tEXt": b"parameters\0" + latin,
        "zTXt": b"parameters\0\0" + zlib.compress(latin),
        "iTXt": b"parameters\0\0\0en\0x\0" + utf8,
        "packed iTXt": b"parameters\0\1\0\0\0" + zlib.compress(utf8),
    }[kind]
    found = read_dropped(raw(tmp_path / "a.png", chunk(kind[-4:].encode(), body)), MODELS)
    assert found.recipe.prompt == "a é star" and found.recipe.steps == 5


def test_a_picture_that_unpacks_to_gigabytes_is_refused_unopened(tmp_path: Path) -> None:
    recipe = chunk(b"tEXt", b"palimpsest\0" + Recipe().canonical_json().encode())
    with pytest.raises(BadInput, match="65000 x 65000 pixels"):
        read_dropped(raw(tmp_path / "a.png", recipe, width=65000, height=65000), MODELS)


def test_a_text_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(bytes(10_000_000)) for _ in range(30)) + packer.flush()
    with pytest.raises(BadInput, match="text of more than"):
        read_dropped(raw(tmp_path / "a.png", chunk(b"zTXt", b"parameters\0\0" + bomb)), MODELS)


def test_a_file_that_is_too_large_is_not_even_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dropped, "MAX_FILE_BYTES", 50)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail("read"))
    with pytest.raises(BadInput, match="larger than"):
        read_dropped(png(tmp_path / "a.png"), MODELS)


def broken(path: Path) -> list[tuple[bytes, str]]:
    """Bytes of files that are refused, and what is said of them."""
    whole = png(path, parameters=A1111).read_bytes()
    flipped = whole.replace(b"Steps: 30", b"Steps: 31")
    return [
        (b"", "not a PNG"), (b"<html><script>", "not a PNG"), (b"<svg xmlns='x'/>", "not a PNG"),
        (b"GIF89a", "not a PNG"),
        (whole[:8], "damaged"), (whole[:-5], "damaged"), (whole[:60], "damaged"), (flipped, "checksum"),
        (whole[:8] + chunk(b"tEXt", b"a\0b") + whole[8:], "without a header"), (whole[:33], "no end"),
        (whole[:8] + struct.pack(">I", 2**31) + whole[12:], "damaged"),
        (whole[:8] + chunk(b"IHDR", b"") + whole[33:], "header has 0 bytes"),
    ]  # fmt: skip


def test_what_is_no_whole_png_is_refused_in_a_sentence(tmp_path: Path) -> None:
    for data, said in broken(tmp_path / "whole.png"):
        file = tmp_path / "b.png"
        file.write_bytes(data)
        with pytest.raises(BadInput, match=said) as caught:
            read_dropped(file, MODELS)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({}, "holds no settings"), ({"workflow": "{}"}, "ComfyUI"), ({"invokeai_metadata": "{}"}, "InvokeAI"),
        ({"palimpsest": "{"}, "not valid JSON"), ({"palimpsest": '{"steps": 0}'}, "steps"),
        ({"palimpsest": "[" * 5000}, "nested too deep"), ({"palimpsest": '{"version": 99}'}, "version 99"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_read_are_told(tmp_path: Path, texts: dict[str, str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read_dropped(png(tmp_path / "a.png", **texts), MODELS)


def test_there_is_no_such_file(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.png", tmp_path):
        with pytest.raises(BadInput, match="cannot be read"):
            read_dropped(path, MODELS)
