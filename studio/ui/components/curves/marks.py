"""The colour and the kind of line by which one of several things is known: at its name, its pictures, in every curve.

The colours stand in style.css as --row-a to --row-h, at least 3:1 against the page in light and dark. Four kinds of
line take turns, so that each kind has but two colours, and those lie far from each other in any colour vision.
"""

from __future__ import annotations

from collections.abc import Iterable

from studio.ui.markup import tag

LETTERS = "abcdefgh"
# As in curves.css: whole, dashed, dotted, dashed and dotted. In widths of the line, for matplotlib.
DASHES: tuple[tuple[float, ...], ...] = ((), (4, 2), (1, 1.6), (5, 1.6, 1, 1.6))


def marks(ids: Iterable[int]) -> dict[int, int]:
    """Id, from 1 -> mark, 0..7, no two alike. Each keeps its mark while others come, go and move."""
    mark_of: dict[int, int] = {}
    for id in sorted(ids):
        free = [mark for mark in range(len(LETTERS)) if mark not in mark_of.values()]
        preferred = (id - 1) % len(LETTERS)
        mark_of[id] = preferred if preferred in free else free[0]
    return mark_of


def class_of(mark: int | None) -> str:
    """The class that brings colour and line; None is ink, for what is alone."""
    return "mark-ink" if mark is None else f"mark-{LETTERS[mark]}"


def swatch(mark: int | None) -> str:
    """A piece of the line. The name beside it says the rest."""
    line = '<path class="line" d="M2 5H32"/>'
    return tag("svg", line, class_=f"swatch {class_of(mark)}", viewBox="0 0 34 10", aria_hidden="true")
