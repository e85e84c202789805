from __future__ import annotations

import html
import json
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from studio.core.errors import BadInput
from studio.core.recipe import GuidanceSpec, Negative, Recipe
from studio.services.dropped import read_dropped
from studio.storage import picture_texts
from studio.storage.png import encode_png
from tests.prompts.test_programs import graph

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
        prompt="a ☆ \0 star",
        seed=2**64 - 1,
        sampler="ddim",
        sampler_params={"eta": 0.5},
        syntax="compel",
        more_negatives=(Negative(prompt="é", weight=0.5),),
        guidance=GuidanceSpec(method="apg", params={"eta": 0.5}),
    )
    file = tmp_path / "ours.png"
    file.write_bytes(encode_png(Image.new("RGB", (8, 8)), recipe, {}))
    found = read_dropped(file, MODELS)
    assert (found.recipe, found.left_out, found.ours) == (recipe, (), True)


def test_a_model_that_is_not_here_is_told(tmp_path: Path) -> None:
    file = tmp_path / "ours.png"
    file.write_bytes(encode_png(Image.new("RGB", (8, 8)), Recipe(model="gone", steps=7), {}))
    found = read_dropped(file, MODELS)
    assert found.recipe == Recipe(model="stencil", steps=7) and not found.ours and "gone" in found.left_out[0]


def test_another_models_picture_comes_in_the_size_of_the_one_that_draws(tmp_path: Path) -> None:
    """Whichever program wrote it; the size of a model at hand stays."""
    ours = tmp_path / "ours.png"
    ours.write_bytes(encode_png(Image.new("RGB", (8, 8)), Recipe(model="gone", width=512, height=768), {}))
    theirs = png(tmp_path / "a.png", parameters=A1111)
    nameless = png(tmp_path / "b.png", parameters="a star\nSteps: 9, Sampler: Euler, Seed: 5, Size: 512x768")
    for file in (ours, theirs, nameless):
        sized = read_dropped(file, MODELS).sized(128)
        assert (sized.recipe.width, sized.recipe.height) == (128, 128), file.name
        assert sized.left_out[-1] == "size: 512 × 768 (another model's; stencil draws 128 × 128)"
        assert read_dropped(file, [*MODELS, "gone"]).sized(128).recipe.width == (512 if file == ours else 128)
    here = tmp_path / "here.png"
    here.write_bytes(encode_png(Image.new("RGB", (8, 8)), Recipe(model="stencil", width=64, height=256), {}))
    assert read_dropped(here, MODELS).sized(128).left_out == ()


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


def test_a_text_that_unpacks_to_megabytes_is_refused(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(30_000_000))
    with pytest.raises(BadInput, match="text parameters: it is longer than 1000000 bytes"):
        read_dropped(raw(tmp_path / "a.png", chunk(b"zTXt", b"parameters\0\0" + bomb)), MODELS)


def test_a_file_that_is_too_large_is_not_even_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_texts, "MAX_FILE_BYTES", 50)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail("read"))
    with pytest.raises(BadInput, match="larger than"):
        read_dropped(png(tmp_path / "a.png"), MODELS)


def broken(path: Path) -> list[tuple[bytes, str]]:
    """Bytes of files that are refused, and what is said of them."""
    whole = png(path, parameters=A1111).read_bytes()
    flipped = whole.replace(b"Steps: 30", b"Steps: 31")
    return [
        (b"", "not a PNG"),
        (b"<html><script>", "not a PNG"),
        (b"<svg xmlns='x'/>", "not a PNG"),
        (b"GIF89a", "not a PNG"),
        (whole[:8], "damaged"),
        (whole[:-5], "damaged"),
        (whole[:60], "damaged"),
        (flipped, "checksum"),
        (whole[:8] + chunk(b"tEXt", b"a\0b") + whole[8:], "without a header"),
        (whole[:33], "no end"),
        (whole[:8] + struct.pack(">I", 2**31) + whole[12:], "damaged"),
        (whole[:8] + chunk(b"IHDR", b"") + whole[33:], "header has 0 bytes"),
    ]


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
        ({}, "holds no settings"),
        ({"workflow": "{}"}, "ComfyUI"),
        ({"invokeai_metadata": "{}"}, "InvokeAI"),
        ({"palimpsest": "{"}, "not valid JSON"),
        ({"palimpsest": '{"steps": 0}'}, "steps"),
        ({"sd-metadata": "{}"}, "InvokeAI"),
        ({"invokeai_metadata": "x"}, "InvokeAI"),
        ({"dream": "x -s"}, "InvokeAI"),
        ({"prompt": "a red star"}, "not known here"),
        ({"parameters": "{}"}, "settings, but its settings are JSON"),
        ({"prompt": '{"1": {"class_type": "KSampler"}}'}, "ComfyUI a prompt comes from no node"),
        ({"comment": "Created with GIMP"}, "holds no settings"),
        ({"software": "x"}, "holds no settings"),
        ({"palimpsest": "[" * 5000}, "nested too deep"),
        ({"palimpsest": '{"version": 99}'}, "version 99"),
    ],
)
def test_settings_that_cannot_be_read_are_told(tmp_path: Path, texts: dict[str, str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read_dropped(png(tmp_path / "a.png", **texts), MODELS)


def test_there_is_no_such_file(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.png", tmp_path):
        with pytest.raises(BadInput, match="cannot be read"):
            read_dropped(path, MODELS)


# -- one bad part costs itself only ---------------------------------------------------------------------------------

LINE = "Steps: 7, Sampler: Euler a, CFG scale: 2, Seed: 41, Size: 64x64"
GOOD = chunk(b"tEXt", b"parameters\0a red star\n" + LINE.encode())


def text(key: str, value: bytes) -> bytes:
    return chunk(b"tEXt", key.encode() + b"\0" + value)


def flipped(part: bytes) -> bytes:
    return part[:-1] + bytes([part[-1] ^ 1])


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ([text("workflow", b"x" * 1_000_001)], "text workflow: it is longer than 1000000 bytes"),
        ([flipped(text("prompt", b"{}"))], "text prompt: its checksum is wrong"),
        ([chunk(b"zTXt", b"comment\0\0junk")], "text comment: it cannot be unpacked"),
        ([chunk(b"zTXt", b"comment\0\0" + zlib.compress(b"abc" * 50)[:-8])], "text comment: it is cut off"),
        ([chunk(b"iTXt", b"comment\0\1\0en")], "text comment: it is cut off"),
        ([chunk(b"eXIf", b"II*\0")], "text EXIF: it is damaged"),
        ([text("palimpsest", b"{")], "text palimpsest: The recipe is not valid JSON"),
        ([flipped(text("parameters", b"b"))], "text parameters: its checksum is wrong"),
        ([text(f"k{n}", b"v") for n in range(200)], None),
        ([flipped(text("unheard of", b"v")), chunk(b"iCCP", b"junk"), chunk(b"acTL", bytes(8))], None),
    ],
)
def test_a_part_that_cannot_be_read_costs_itself_only_and_is_named(
    tmp_path: Path, bad: list[bytes], named: str | None
) -> None:
    for parts in ([*bad, GOOD], [GOOD, *bad]):
        read = read_dropped(raw(tmp_path / "a.png", *parts), MODELS)
        assert (read.recipe.prompt, read.recipe.seed) == ("a red star", 41) and not read.ours
        # The first readable text of a keyword counts; a further one is not looked at.
        expected = [] if named is None or (named.startswith("text parameters") and parts[0] == GOOD) else [named]
        assert [item[: len(named or "")] for item in read.left_out] == expected


def test_our_recipe_with_a_broken_neighbour_is_not_called_whole(tmp_path: Path) -> None:
    ours = text("palimpsest", Recipe(seed=5).canonical_json().encode())
    read = read_dropped(raw(tmp_path / "a.png", ours, flipped(text("workflow", b"{}"))), MODELS)
    assert read.recipe == Recipe(seed=5) and read.left_out == ("text workflow: its checksum is wrong",)


# -- where others keep them -----------------------------------------------------------------------------------------

TEXT = f"a red star, ⭐ é\n{LINE}"


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_texts_are_read_in_the_encoding_they_have(tmp_path: Path, kind: bytes, encoding: str) -> None:
    prompt = "une \u00e9toile rouge \u00e0 c\u00f4t\u00e9" + (
        "\u2b50 \u30c6\u30b9\u30c8" if encoding == "utf-8" else ""
    )
    value = f"{prompt}\n{LINE}".encode(encoding)
    packed = {b"tEXt": value, b"zTXt": b"\0" + zlib.compress(value), b"iTXt": b"\0\0\0\0" + value}[kind]
    assert read_dropped(raw(tmp_path / "a.png", chunk(kind, b"parameters\0" + packed)), MODELS).recipe.prompt == prompt


COMMENTS = {
    "UTF-16 BE": b"UNICODE\0" + TEXT.encode("utf-16-be"),
    "UTF-16 LE": b"UNICODE\0" + TEXT.encode("utf-16-le"),
    "UTF-16 with a mark": b"UNICODE\0" + TEXT.encode("utf-16"),
    "UTF-8 called Unicode": b"UNICODE\0" + TEXT.encode(),
    "UTF-8 called ASCII": b"ASCII\0\0\0" + TEXT.encode(),
    "UTF-8 of no name": bytes(8) + TEXT.encode(),
    "UTF-8 alone": TEXT.encode(),
}


def with_exif(path: Path, comment: bytes | str, format: str, tag: int = 0x9286) -> Path:
    exif = Image.Exif()
    if tag == 0x9286:
        exif.get_ifd(0x8769)[tag] = comment
    else:
        exif[tag] = comment
    Image.new("RGB", (8, 8)).save(path, format, exif=exif.tobytes())
    return path


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "PNG"])
@pytest.mark.parametrize("encoding", COMMENTS)
def test_comments_of_exif_are_read(tmp_path: Path, format: str, encoding: str) -> None:
    read = read_dropped(with_exif(tmp_path / "a", COMMENTS[encoding], format), MODELS)
    assert (read.recipe.prompt, read.recipe.seed, read.left_out) == (TEXT.split("\n")[0], 41, ())


def test_other_places_of_jpeg_and_webp(tmp_path: Path) -> None:
    description = with_exif(tmp_path / "a.jpg", f"a red star\n{LINE}", "JPEG", 0x010E)
    assert read_dropped(description, MODELS).recipe.seed == 41
    comfy = json.dumps(graph())
    assert read_dropped(with_exif(tmp_path / "a.webp", f"prompt:{comfy}", "WEBP", 0x0110), MODELS).recipe.seed == 41
    Image.new("RGB", (8, 8)).save(tmp_path / "b.jpg", comment=f"a red star\n{LINE}".encode())
    assert read_dropped(tmp_path / "b.jpg", MODELS).recipe.seed == 41


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "PNG"])
def test_xmp_is_read(tmp_path: Path, format: str) -> None:
    inner = html.escape(json.dumps({"c": "a <red> star", "uc": "", "seed": 41, "steps": 7}))
    item = f'<rdf:Alt><rdf:li xml:lang="x-default">{inner}</rdf:li></rdf:Alt>'
    xmp = f"<x:xmpmeta><exif:UserComment>{item}</exif:UserComment></x:xmpmeta>"
    file = tmp_path / "a"
    if format == "PNG":
        raw(file, chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp.encode()))
    else:
        Image.new("RGB", (8, 8)).save(file, format, xmp=xmp.encode())
    read = read_dropped(file, MODELS)
    assert (read.recipe.prompt, read.recipe.seed, read.recipe.steps) == ("a <red> star", 41, 7)


@pytest.mark.parametrize("mode", ["RGBA", "P", "L", "1", "I;16", "CMYK"])
def test_pictures_of_any_kind_of_pixel_are_read(tmp_path: Path, mode: str) -> None:
    file = tmp_path / "a"
    if mode == "CMYK":
        exif = Image.Exif()
        exif[0x0112] = 6  # on its side
        exif.get_ifd(0x8769)[0x9286] = COMMENTS["UTF-16 BE"]
        Image.new(mode, (8, 8)).save(file, "JPEG", exif=exif)
    else:
        info = PngInfo()
        info.add_text("parameters", f"a red star\n{LINE}")
        Image.new(mode, (8, 8)).save(file, "PNG", pnginfo=info)
    assert read_dropped(file, MODELS).recipe.seed == 41


def test_a_moving_picture_is_read(tmp_path: Path) -> None:
    info = PngInfo()
    info.add_text("parameters", f"a red star\n{LINE}")
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:], pnginfo=info)
    assert read_dropped(tmp_path / "a.png", MODELS).recipe.seed == 41
