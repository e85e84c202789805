"""Two folders of pictures with the same names, one of those that won: what trainers of pairs read.

Both need a caption on one line beside each picture, and pictures of a pair of the same shape: trainers put them into
batches by shape, and refuse a pair that falls apart.
"""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from studio.core.errors import BadInput
from studio.preference.exchange.folders import one_line_caption
from studio.preference.exchange.picture_files import suffix_of
from studio.preference.exchange.selection import Export
from studio.preference.label import Picture

SHAPES = "pictures of different shapes"
NO_CAPTION = "an empty prompt"


@dataclass(frozen=True)
class Better:
    """A pair of which one is better, and whether its prompt is set apart for validation."""

    prompt: str
    winner: Picture
    loser: Picture
    validates: bool


def better_pairs(export: Export) -> Iterator[Better]:
    """Pairs of the same shape with a winner; others are left out as rows, and counted. Raises Cancelled."""
    apart = validation_prompts(export)
    for pair in export.pairs():
        winner, loser = pair.in_order()
        caption = one_line_caption(pair.label.prompt)
        sizes = [_size(export, picture) for picture in (winner, loser)]
        if sizes[0][0] * sizes[1][1] != sizes[0][1] * sizes[1][0]:
            export.leave_out_row(SHAPES)
        elif not caption:
            export.leave_out_row(NO_CAPTION)
        else:
            yield Better(caption, winner, loser, caption in apart)


def validation_prompts(export: Export) -> set[str]:
    """Prompts that are set apart: the option's share of them, by their hashes, so that the same set is cut the same."""
    prompts = {one_line_caption(label.prompt) for label in export.selection}
    by_hash = sorted(prompts, key=lambda text: hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    return set(by_hash[: math.floor(export.options.validation * len(by_hash))])


def _size(export: Export, picture: Picture) -> tuple[int, int]:
    """Width and height; out of the file where the label does not know."""
    from PIL import Image

    if picture.width and picture.height:
        return picture.width, picture.height
    with Image.open(export.file(picture.sha256)) as opened:
        return opened.size


def put_pair(export: Export, pair: Better, number: int, winners: Path, losers: Path) -> None:
    """Copy a pair into both folders under one name, with its caption beside each."""
    for folder, picture in ((winners, pair.winner), (losers, pair.loser)):
        folder.mkdir(parents=True, exist_ok=True)
        source = export.file(picture.sha256)
        with source.open("rb") as opened:
            suffix = suffix_of(opened.read(16))
        shutil.copyfile(source, folder / f"{name_of(number)}{suffix}")
        (folder / f"{name_of(number)}.txt").write_text(pair.prompt, encoding="utf-8")


def name_of(number: int) -> str:
    """The name of a pair, without its ending."""
    return f"pair_{number:08d}"


def check_folders(winners: Path, losers: Path) -> int:
    """How many pairs two folders hold. Raises BadInput where they do not pair: names, captions, shapes."""
    from PIL import Image

    sides = [{p.stem: p for p in folder.iterdir() if p.suffix != ".txt"} for folder in (winners, losers)]
    if unpaired := sides[0].keys() ^ sides[1].keys():
        raise BadInput(f"{len(unpaired)} pictures have no counterpart, {min(unpaired)} among them.")
    for name, path in sides[0].items():
        counterpart = sides[1][name]
        captions = [p.with_suffix(".txt").read_text(encoding="utf-8") for p in (path, counterpart)]
        if captions[0] != captions[1] or len(captions[0].splitlines()) != 1:
            raise BadInput(f"The captions of {name} differ, or are no single line.")
        with Image.open(path) as first, Image.open(counterpart) as second:
            if first.width * second.height != first.height * second.width:
                raise BadInput(f"The pictures of {name} are of different shapes.")
    return len(sides[0])
