"""Pictures as PNG files that say what made them.

Three text chunks: "palimpsest", the recipe's canonical JSON; "palimpsest-made-by", model hash, versions and device as
JSON; "parameters", the same for other tools, in the one-line-per-part form of the AUTOMATIC1111 web UI.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

import studio
from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.prompts.infotext import quoted
from studio.prompts.samplers import schedule_of

RECIPE_KEY = "palimpsest"
MADE_BY_KEY = "palimpsest-made-by"
INFOTEXT_KEY = "parameters"

MAX_IMAGE_PIXELS = 16_800_000  # 4096 x 4096: a file of tens of kB can unpack to gigabytes otherwise
MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_CHUNKS = 65_536
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_OF_THE_PICTURE = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_OUR_KEYWORDS = (RECIPE_KEY.encode(), MADE_BY_KEY.encode())


@dataclass(frozen=True)
class PngRecord:
    """What a PNG of ours holds.

    image: RGB.
    made_by: {} where the file does not say.
    """

    image: Image.Image
    recipe: Recipe
    made_by: dict[str, Any] = field(default_factory=dict)


def program() -> str:
    """Name and version, as files carry it."""
    return f"Palimpsest {studio.__version__}"


def encode_png(image: Image.Image, recipe: Recipe, made_by: dict[str, Any]) -> bytes:
    """Give the file. The same picture, recipe and made_by give the same bytes: no date goes in."""
    info = PngImagePlugin.PngInfo()
    # Escaped to ASCII, so that any prompt, NUL included, survives every reader of text chunks.
    info.add_text(RECIPE_KEY, json.dumps(recipe.model_dump(mode="json"), sort_keys=True, separators=(",", ":")))
    info.add_text(MADE_BY_KEY, json.dumps(made_by, sort_keys=True, separators=(",", ":")))
    info.add_text(INFOTEXT_KEY, infotext(recipe, made_by).replace("\0", "\N{REPLACEMENT CHARACTER}"))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def infotext(recipe: Recipe, made_by: dict[str, Any]) -> str:
    """Give the recipe in A1111's words: prompt, negative prompt if there is one, then "Steps: 20, Sampler: ..."."""
    # Here and not above: they bring torch, and the page, which imports this file, is painted before that.
    from studio.diffusion.solvers import SOLVERS
    from studio.guidance import build_method

    varied = recipe.variation_seed is not None and recipe.variation_strength > 0
    params = dict(recipe.guidance.params)
    params.pop("guidance_scale", None)
    parts: dict[str, Any] = {
        "Steps": recipe.steps,
        "Sampler": SOLVERS.get(recipe.sampler).label,
        "Schedule type": schedule_of(recipe.spacing) if recipe.spacing != "auto" else None,
        "CFG scale": getattr(build_method(recipe.guidance), "guidance_scale", None),
        "Seed": recipe.seed,
        "Variation seed": recipe.variation_seed if varied else None,
        "Variation seed strength": recipe.variation_strength if varied else None,
        "Size": f"{recipe.width}x{recipe.height}",
        "Model": recipe.model,
        "Model hash": str(made_by.get("model_hash", ""))[:10] or None,
        "Guidance": recipe.guidance.method if recipe.guidance.method != "cfg" else None,
    }
    written = [f"{name}: {quoted(value)}" for name, value in parts.items() if value is not None]
    written += [
        f"Guidance {name.replace('_', ' ')}: {quoted(value, typed=True)}" for name, value in sorted(params.items())
    ]
    for name, value in sorted(recipe.sampler_params.items()):
        written.append(f"Sampler {name.replace('_', ' ')}: {quoted(value, typed=True)}")
    if recipe.syntax != "a1111":
        written.append(f"Prompt syntax: {recipe.syntax}")
    # Named, so that whoever reads this alone sees that there is more.
    for name, rest in (
        ("Edits", recipe.edits),
        ("More negative prompts", recipe.more_negatives),
        ("Around the guidance", recipe.guidance.wrappers),
    ):
        if rest:
            written.append(f"{name}: {quoted(json.dumps([item.model_dump(mode='json') for item in rest]))}")
    lines = [recipe.prompt]
    if recipe.negative_prompt:
        lines.append(f"Negative prompt: {recipe.negative_prompt}")
    lines.append(", ".join([*written, f"Version: {program()}"]))
    return "\n".join(lines)


def read_png(source: Path | bytes) -> PngRecord:
    """Read a picture and its recipe back. Untrusted: sizes are checked before anything is unpacked.

    Raises BadInput: no such file, not a PNG, too large, damaged, without a recipe, or with one that is refused.
    """
    name = f"The file {source.name}" if isinstance(source, Path) else "The file"
    opened = open_png(_bytes(source, name), name)
    texts = {key: str(value) for key, value in getattr(opened, "text", {}).items()}
    image = opened.convert("RGB")
    if RECIPE_KEY not in texts:
        raise BadInput(f"{name} holds no recipe of ours.", "Take a PNG that Palimpsest has written.")
    recipe = Recipe.from_json(texts[RECIPE_KEY])
    return PngRecord(image, recipe, _made_by(texts.get(MADE_BY_KEY, "{}")))


def open_png(data: bytes, name: str) -> Image.Image:
    """Decode a PNG, with no more of its texts than ours. name: of the file, begins sentences. Raises BadInput."""
    _check_header(data, name)
    try:
        with Image.open(io.BytesIO(_plain(data, name)), formats=["PNG"]) as opened:
            opened.load()  # text may follow the pixels
            return opened
    except (OSError, SyntaxError, ValueError, struct.error, EOFError) as error:
        raise BadInput(f"{name} is a damaged PNG: {str(error).rstrip('.') or type(error).__name__}.") from None


def pixels_only(data: bytes, name: str) -> bytes:
    """The file without all that is not the picture itself: texts, times, colour profiles, what else programs write.

    name: of the file, begins sentences. Raises BadInput where it is no PNG, or damaged.
    """
    _check_header(data, name)
    essentials = bytearray(_SIGNATURE)
    for kind, body, checksum in chunks(memoryview(data), name):
        if kind in _OF_THE_PICTURE:
            essentials += struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", checksum)
    return bytes(essentials)


def _bytes(source: Path | bytes, name: str) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        if source.stat().st_size > MAX_FILE_BYTES:
            raise BadInput(f"{name} is larger than {MAX_FILE_BYTES // 1024**2} MB.")
        return source.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"There is no file {source}.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadInput(f"{name} cannot be read: {reason}.") from None


def _check_header(data: bytes, name: str) -> None:
    """Read the size out of the header ourselves: Pillow would warn and unpack."""
    if not data.startswith(_SIGNATURE) or data[12:16] != b"IHDR" or len(data) < 24:
        raise BadInput(f"{name} is not a PNG picture.")
    width, height = struct.unpack(">II", data[16:24])
    if width * height > MAX_IMAGE_PIXELS:
        limit = MAX_IMAGE_PIXELS / 1e6
        raise BadInput(f"{name} has {width} x {height} pixels, more than the {limit} million that are read.")


def chunks(data: memoryview, name: str) -> Iterator[tuple[bytes, memoryview, int]]:
    """Kind, body and checksum of each chunk of a PNG.

    name: of the file, begins sentences.
    Raises BadInput where they do not add up: cut off, no header first, more than MAX_CHUNKS.
    """
    at = len(_SIGNATURE)
    for number in range(MAX_CHUNKS):
        if len(data) - at < 12:
            end = "has no end" if at == len(data) else "ends in the middle"
            raise BadInput(f"{name} is a damaged PNG: it {end}.")
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data) or (number == 0 and kind != b"IHDR"):
            raise BadInput(f"{name} is a damaged PNG: it ends in the middle or begins without a header.")
        yield kind, data[at + 8 : end - 4], struct.unpack_from(">I", data, end - 4)[0]
        if kind == b"IEND":
            return
        at = end
    raise BadInput(f"{name} is a damaged PNG: it is made of more than {MAX_CHUNKS} parts.")


def _plain(data: bytes, name: str) -> bytes:
    """The file without what we do not ask for. Pillow unpacks every colour profile and text it meets, up to a megabyte
    each, and a small file can hold thousands.
    """
    essentials = bytearray(_SIGNATURE)
    texts: set[bytes] = set()
    for kind, body, checksum in chunks(memoryview(data), name):
        keyword = bytes(body[:80]).partition(b"\0")[0] if kind in _TEXTS else b""
        if kind in _OF_THE_PICTURE or (keyword in _OUR_KEYWORDS and keyword not in texts):
            essentials += struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", checksum)
            texts.add(keyword)
    return bytes(essentials)


def _made_by(text: str) -> dict[str, Any]:
    """What made it is told for information only, so a garbled one is dropped and not refused."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
