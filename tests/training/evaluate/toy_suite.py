"""A suite of one file, as a newcomer would write it: imported, it is there."""

from __future__ import annotations

from studio.training.evaluate.cases import SUITES, Case, Suite
from studio.world.reading import Wanted

COLOURS = ("red", "blue")


def stars(pictures: int) -> list[Case]:
    """A red star, a blue star, and again with other seeds."""
    return [
        Case(f"a {COLOURS[i % 2]} star", 900 + i, Wanted((("star", COLOURS[i % 2]),), count=1)) for i in range(pictures)
    ]


SUITES.register("toy-stars")(Suite("Red and blue stars.", pictures=8, quick=4, most=100, make=stars))
