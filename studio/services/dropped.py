"""Picture files from anywhere, read for the settings in them: ours whole, A1111's as far as a recipe holds them.

Untrusted. Only a PNG's text chunks are read, with limits on the file, on each text and on what a packed text unpacks
to; no pixel is decoded, so a picture that unpacks to gigabytes costs nothing. It is refused all the same.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.prompts.infotext import parse_infotext
from studio.storage.png import INFOTEXT_KEY, MAX_IMAGE_PIXELS, RECIPE_KEY

MAX_FILE_BYTES = 20_000_000
MAX_TEXT_BYTES = 1_000_000  # of one text, unpacked
MAX_TEXTS = 32
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXT_KINDS = (b"tEXt", b"zTXt", b"iTXt")
# Keys under which other programs keep their settings, in a form of their own that is not read here.
_OTHERS = {"invokeai_metadata": "InvokeAI", "sd-metadata": "InvokeAI", "workflow": "ComfyUI", "prompt": "ComfyUI"}


@dataclass(frozen=True)
class Dropped:
    """What a file says. recipe: settings it does not name have our defaults. left_out: what could not be taken over.

    ours: whether the recipe is the very one the picture was made with.
    """

    recipe: Recipe
    left_out: tuple[str, ...] = ()
    ours: bool = False


def read_dropped(path: Path, models: Collection[str], fallback: Recipe | None = None) -> Dropped:
    """Read a picture's settings. models: those at hand. fallback: gives what the file does not say.

    Raises BadInput: not a PNG, too large, damaged, without settings, or with a recipe of ours that is refused.
    """
    name = f"The file {path.name[:80]}"
    texts = read_texts(path, name)
    if RECIPE_KEY in texts:
        recipe = Recipe.from_json(texts[RECIPE_KEY])
        left = () if recipe.model in models else (f"model: {recipe.model} (there is no such model here)",)
        if left:
            recipe = recipe.model_copy(update={"model": (fallback or Recipe()).model})
        return Dropped(recipe, left, ours=not left)
    if INFOTEXT_KEY in texts:
        found = parse_infotext(texts[INFOTEXT_KEY], models)
        # What the file does not say stays as the fallback has it; its edits are no part of another program's picture.
        base = (fallback or Recipe()).model_dump(mode="json") | {"edits": [], "more_negatives": []}
        return Dropped(Recipe.load(base | found.values), tuple(map(str, found.left_out)))
    other = next((program for key, program in _OTHERS.items() if key in texts), None)
    if other:
        raise BadInput(f"{name} holds settings of {other}, which are not read.", "Take a PNG of A1111's or ours.")
    raise BadInput(f"{name} holds no settings.", "Take a PNG as this program or A1111's web UI writes it.")


def read_texts(path: Path, name: str) -> dict[str, str]:
    """The text chunks of a PNG by keyword; the first of two with one keyword counts. Raises BadInput as above."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BadInput(f"{name} is larger than {MAX_FILE_BYTES // 1_000_000} MB.")
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {error.strerror or error}.") from None
    if not data.startswith(_SIGNATURE):
        raise BadInput(f"{name} is not a PNG picture.", "Other kinds of pictures are not read.")
    texts: dict[str, str] = {}
    for kind, body in _chunks(data, name):
        if kind == b"IHDR":
            _check_size(body, name)
        elif kind in _TEXT_KINDS and len(texts) < MAX_TEXTS:
            found = _text(kind, body, name)
            texts.setdefault(*found)
    return texts


def _chunks(data: bytes, name: str) -> Iterator[tuple[bytes, bytes]]:
    """Walk the chunks. Raises BadInput where they do not add up: cut off, a wrong checksum, no header first."""
    at, first = len(_SIGNATURE), True
    while at < len(data):
        if len(data) - at < 12:
            raise BadInput(f"{name} is a damaged PNG: it ends in the middle.")
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        end = at + 12 + length
        if end > len(data) or (first and kind != b"IHDR"):
            raise BadInput(f"{name} is a damaged PNG: it ends in the middle or begins without a header.")
        body = data[at + 8 : end - 4]
        if kind in (b"IHDR", *_TEXT_KINDS) and zlib.crc32(kind + body) != struct.unpack(">I", data[end - 4 : end])[0]:
            raise BadInput(f"{name} is a damaged PNG: a checksum in it is wrong.")
        yield kind, body
        if kind == b"IEND":
            return
        at, first = end, False
    raise BadInput(f"{name} is a damaged PNG: it has no end.")


def _check_size(header: bytes, name: str) -> None:
    if len(header) != 13:
        raise BadInput(f"{name} is a damaged PNG: its header has {len(header)} bytes, not 13.")
    width, height = struct.unpack(">II", header[:8])
    if width * height > MAX_IMAGE_PIXELS:
        raise BadInput(f"{name} has {width} x {height} pixels, more than the {MAX_IMAGE_PIXELS / 1e6} million allowed.")


def _text(kind: bytes, body: bytes, name: str) -> tuple[str, str]:
    """Keyword and text of one chunk. Raises BadInput for one that cannot be unpacked, or is too long."""
    keyword, _, rest = body.partition(b"\0")
    packed = kind == b"zTXt"
    if kind == b"zTXt":
        rest = rest[1:]  # the method, of which there is one
    elif kind == b"iTXt":
        packed = rest[:1] == b"\1"
        rest = rest[2:].split(b"\0", 2)[-1]  # past language and translated keyword
    text = _unpacked(rest, name) if packed else rest
    if len(text) > MAX_TEXT_BYTES:
        raise BadInput(f"{name} has a text of more than {MAX_TEXT_BYTES} bytes.")
    return keyword.decode("latin-1"), text.decode("utf-8", errors="replace") if kind == b"iTXt" else text.decode(
        "latin-1"
    )


def _unpacked(data: bytes, name: str) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        return unpacker.decompress(data, MAX_TEXT_BYTES + 1)
    except zlib.error:
        raise BadInput(f"{name} is a damaged PNG: a packed text in it cannot be unpacked.") from None
