"""The colour and the kind of line by which a row is known: at its name, at its pictures, in every curve, on paper.

There are as many as rows. The colours stand in style.css as --row-a to --row-h, at least 3:1 against the page in light
and dark. Four kinds of line take turns, so that each kind has but two colours, and those two lie far from each other in
every kind of colour vision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio.ui.markup import tag

LETTERS = "abcdefgh"
# As in style.css: whole, dashed, dotted, dashed and dotted. In widths of the line, for matplotlib.
DASHES: tuple[tuple[float, ...], ...] = ((), (4, 2), (1, 1.6), (5, 1.6, 1, 1.6))


def marks(rows: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """Row -> mark, 0..7, no two alike. A row keeps its mark while others come, go and move."""
    found: dict[int, int] = {}
    for id in sorted(int(row["id"]) for row in rows):
        free = [mark for mark in range(len(LETTERS)) if mark not in found.values()]
        wanted = (id - 1) % len(LETTERS)
        found[id] = wanted if wanted in free else free[0]
    return found


def class_of(mark: int | None) -> str:
    """The class that brings colour and line; None is ink, for what is of no row."""
    return "mark-ink" if mark is None else f"mark-{LETTERS[mark]}"


def swatch(mark: int | None) -> str:
    """A piece of the row's line. The name beside it says the rest."""
    line = '<path class="line" d="M2 5H32"/>'
    return tag("svg", line, class_=f"swatch {class_of(mark)}", viewBox="0 0 34 10", aria_hidden="true")
