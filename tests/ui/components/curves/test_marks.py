"""The colours and lines of rows: told apart by everybody, in both themes, and kept."""

from __future__ import annotations

import itertools
import math
import re

import pytest

from studio.ui import theme
from studio.ui.components.curves.marks import DASHES, LETTERS, class_of, marks, swatch
from studio.ui.guidance import board as boards
from tests.ui.test_theme import contrast

# Linear RGB as who lacks one kind of cone sees it. Source: Machado, Oliveira, Fernandes 2009, severity 1.
VISIONS = {
    "all": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def seen(code: str, vision: str) -> tuple[float, float, float]:
    """A colour in OKLab, where distances are what an eye makes of them. Source: Ottosson 2020."""
    parts = [int(code[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    rgb = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    r, g, b = (min(1.0, max(0.0, sum(w * c for w, c in zip(row, rgb, strict=True)))) for row in VISIONS[vision])
    lms = (
        0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b,
        0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b,
        0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b,
    )
    long, middle, short = (value ** (1 / 3) for value in lms)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("ground", ["paper", "sheet"])
def test_lines_stand_out_from_the_page(dark: bool, ground: str) -> None:
    found = theme.colours(dark)
    for letter in LETTERS:
        assert contrast(found[f"row-{letter}"], found[ground]) >= 3, letter


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("vision", VISIONS)
def test_rows_are_told_apart_in_every_colour_vision(dark: bool, vision: str) -> None:
    found = [seen(theme.colours(dark)[f"row-{letter}"], vision) for letter in LETTERS]
    for one, other in itertools.combinations(range(len(LETTERS)), 2):
        same_line = one % len(DASHES) == other % len(DASHES)
        # 0.02 can just be seen side by side; who has but the colour to go by gets eight times that.
        assert math.dist(found[one], found[other]) >= (0.16 if same_line else 0.08), (LETTERS[one], LETTERS[other])


def test_every_mark_has_a_colour_a_line_and_a_class() -> None:
    assert len(LETTERS) == boards.MAX_ROWS
    css = (theme.HERE / "components" / "curves" / "curves.css").read_text(encoding="utf-8")
    dashed = set(re.findall(r"mark-([a-h])", "".join(re.findall(r":is\(([^)]*)\) .line ", css))))
    for mark, letter in enumerate(LETTERS):
        assert f".mark-{letter} {{ --mark: var(--row-{letter}); }}" in css
        assert (letter in dashed) == bool(DASHES[mark % len(DASHES)]), "one line on the page, another on paper"
        assert class_of(mark) in swatch(mark)
    assert class_of(None) == "mark-ink" and ".mark-ink" in css


def test_a_row_keeps_its_mark_while_others_come_go_and_move() -> None:
    first = marks([1, 2, 3, 4])
    assert first == {1: 0, 2: 1, 3: 2, 4: 3}
    assert marks([4, 2, 1, 3]) == first
    assert marks([2, 4, 5]) == {2: 1, 4: 3, 5: 4}


def test_no_two_rows_share_a_mark() -> None:
    assert marks([1, 4, 9, 12]) == {1: 0, 4: 3, 9: 1, 12: 2}
    for ids in (range(1, 9), range(30, 38), (1, 9, 17, 25, 33, 41, 49, 57)):
        assert sorted(marks(ids).values()) == list(range(8))
