"""Where things are in a picture that was read: boxes in picture widths, by the words of the world."""

from __future__ import annotations

from studio.world.reading import Reading
from studio.world.scene import PAIR_OFFSET, PAIR_SIZE, PLACES, SIZES

_OFFSETS_OF_TWO = {
    "left": (-PAIR_OFFSET, 0.0),
    "right": (PAIR_OFFSET, 0.0),
    "top": (0.0, -PAIR_OFFSET),
    "bottom": (0.0, PAIR_OFFSET),
}


def boxes(reading: Reading) -> list[tuple[float, float, float, float]]:
    """Left, top, right, bottom of each thing, y down: a square about the place it is read at.

    The oracle reads sizes and places as words, so that what lies between two of them is taken to be either.
    """
    alone = len(reading.things) == 1
    half = SIZES[reading.size] if alone else PAIR_SIZE
    squares: list[tuple[float, float, float, float]] = []
    for thing in reading.things:
        dx, dy = PLACES[reading.place] if alone else _OFFSETS_OF_TWO[thing.slot]
        squares.append((0.5 + dx - half, 0.5 + dy - half, 0.5 + dx + half, 0.5 + dy + half))
    return squares
