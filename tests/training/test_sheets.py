"""Contact sheets: what is where on a card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.training.embedded.sheets import (
    CELL_PX,
    GAP_PX,
    GROUNDS,
    GUIDANCE_PROMPTS,
    LABEL_PX,
    MARGIN_PX,
    SHEETS,
    _font,
    card,
    wrap,
)
from studio.world.scene import BACKGROUND_NAMES, STYLE_NAMES
from studio.world.words import vocabulary


def plain(colour: tuple[int, int, int], size: int = CELL_PX) -> np.ndarray:
    return np.broadcast_to(np.array(colour, np.uint8), (size, size, 3))


def boxes_of(image: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero((np.asarray(image) == colour).all(-1))
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def test_pictures_lie_row_by_row_with_even_gaps_and_margins() -> None:
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0)]
    image = card(np.stack([plain(c) for c in colours]), 2, "Title", "note", top=("a", "b"), side=("one", "two"))
    boxes = [boxes_of(image, c) for c in colours]
    assert all(x1 - x0 == y1 - y0 == CELL_PX for x0, y0, x1, y1 in boxes)
    assert boxes[1][0] - boxes[0][2] == boxes[2][1] - boxes[0][3] == GAP_PX
    assert image.height - boxes[3][3] == MARGIN_PX
    corners = [image.getpixel(at) for at in ((0, 0), (image.width - 1, image.height - 1))]
    assert corners == [(255, 255, 255)] * 2


def test_pictures_of_another_size_are_shown_as_large() -> None:
    image = card(plain((10, 20, 30), 64)[None], 1, "Title", "note")
    x0, y0, x1, y1 = boxes_of(image, (10, 20, 30))
    assert (x1 - x0, y1 - y0) == (CELL_PX, CELL_PX)


def test_captions_make_room_and_stay_below_their_picture() -> None:
    pictures = np.stack([plain((200, 0, 0)), plain((0, 200, 0))])
    bare = card(pictures, 1, "Title", "note")
    told = card(pictures, 1, "Title", "note", below=("a dotted orange heart above a dotted blue house", "short"))
    assert told.height > bare.height
    under = np.asarray(told)[boxes_of(told, (200, 0, 0))[3] + 2 : boxes_of(told, (0, 200, 0))[1] - 2]
    assert under.min() < 160, "the caption is drawn between the pictures"


def test_wrapping_keeps_words_and_width() -> None:
    text = "an outlined yellow star right of an outlined pink square on a black background"
    lines = wrap(text, CELL_PX)
    assert " ".join(lines) == text
    assert len(lines) > 1 and all(_font(LABEL_PX).getlength(line) <= CELL_PX for line in lines)
    assert wrap("", 10) == [] and wrap("unbreakable", 1) == ["unbreakable"]


def test_sheets_speak_the_world_words() -> None:
    assert set(GROUNDS) == set(STYLE_NAMES) and set(GROUNDS.values()) == set(BACKGROUND_NAMES)
    assert {word for prompt in GUIDANCE_PROMPTS for word in prompt.split()} <= set(vocabulary())
    assert set(SHEETS) == {"objects-and-styles", "two-objects", "guidance-scales", "unconditional"}


@pytest.mark.slow
@pytest.mark.parametrize("name", SHEETS)
def test_every_sheet_draws(name: str, stencil_dir: Path) -> None:
    from studio.models.embedded import load_stencil

    image = SHEETS[name](load_stencil(stencil_dir))
    assert image.width > 600 and image.height > 400
