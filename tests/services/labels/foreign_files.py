"""Picture files as other programs write them, made here: the metadata is theirs in form, the pixels are ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from studio.core.recipe import Recipe
from studio.storage.png import encode_png
from studio.world.render import render
from studio.world.scene import COLOUR_NAMES, one_object
from tests.prompts.test_programs import graph

LINE = "Steps: 12, Sampler: DPM++ 2M, CFG scale: 4.5, Seed: {seed}, Size: 128x128, Model: {model}, Version: {version}"


def pixels(number: int) -> Image.Image:
    """A picture of a star; of every number another one."""
    styles = ("flat", "neon", "striped", "shaded")
    colour = COLOUR_NAMES[number % len(COLOUR_NAMES)]
    return render(one_object("star", colour, style=styles[number // len(COLOUR_NAMES) % 4]))


def ours(path: Path, prompt: str, number: int) -> Path:
    """A PNG of Palimpsest."""
    path.write_bytes(encode_png(pixels(number), Recipe(prompt=prompt, seed=number, model="elsewhere"), {}))
    return path


def png(path: Path, number: int, **texts: str) -> Path:
    """A PNG with text chunks."""
    info = PngInfo()
    for key, value in texts.items():
        info.add_text(key, value)
    pixels(number).save(path, pnginfo=info)
    return path


def infotext(prompt: str, number: int, model: str, version: str) -> str:
    return f"{prompt}\nNegative prompt: blur\n{LINE.format(seed=number, model=model, version=version)}"


def a1111(path: Path, prompt: str, number: int) -> Path:
    return png(path, number, parameters=infotext(prompt, number, "dreamshaper_8", "v1.10.1"))


def forge(path: Path, prompt: str, number: int) -> Path:
    return png(
        path, number, parameters=infotext(prompt, number, "juggernautXL", "f2.0.1v1.10.1-previous-659-gc055f2d4")
    )


def comfyui(path: Path, prompt: str, number: int) -> Path:
    nodes = graph(CLIPTextEncode={"text": prompt}, KSampler={"seed": number})
    nodes["7"]["inputs"]["text"] = "blur"
    return png(path, number, prompt=json.dumps(nodes), workflow=json.dumps({"nodes": []}))


def swarmui(path: Path, prompt: str, number: int) -> Path:
    values = {"prompt": prompt, "negativeprompt": "blur", "model": "sd_xl_base", "seed": number, "steps": 12}
    return png(path, number, parameters=json.dumps({"sui_image_params": values | {"swarm_version": "0.9.2"}}))


def fooocus(path: Path, prompt: str, number: int) -> Path:
    values = {"prompt": prompt, "negative_prompt": "blur", "seed": str(number), "steps": 12, "base_model": "juggernaut"}
    return png(path, number, parameters=json.dumps(values | {"version": "Fooocus v2.5.5"}), fooocus_scheme="fooocus")


def invokeai(path: Path, prompt: str, number: int) -> Path:
    values = {"positive_prompt": prompt, "negative_prompt": "blur", "seed": number, "steps": 12}
    model = {"model": {"name": "sd-1.5", "hash": "x"}, "app_version": "5.0"}
    return png(path, number, invokeai_metadata=json.dumps(values | model))


def with_exif(path: Path, prompt: str, number: int, orientation: int = 1) -> Path:
    """A JPEG or WebP as the web UI writes it: the infotext as EXIF's comment."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    text = infotext(prompt, number, "dreamshaper_8", "v1.10.1")
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + text.encode("utf-16-be")
    pixels(number).save(path, quality=95, exif=exif.tobytes())
    return path


PROGRAMS: dict[str, tuple[Callable[[Path, str, int], Path], str, str]] = {  # -> writer, ending, model that it names
    "Palimpsest": (ours, ".png", "elsewhere"),
    "A1111": (a1111, ".png", "dreamshaper_8"),
    "Forge": (forge, ".png", "juggernautXL"),
    "ComfyUI": (comfyui, ".png", "stencil.safetensors"),
    "SwarmUI": (swarmui, ".png", "sd_xl_base"),
    "Fooocus": (fooocus, ".png", "juggernaut"),
    "InvokeAI": (invokeai, ".png", "sd-1.5"),
    "A1111's JPEG": (with_exif, ".jpg", "dreamshaper_8"),
    "A1111's WebP": (with_exif, ".webp", "dreamshaper_8"),
}
