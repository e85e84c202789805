"""What is nearest to a word of the world: to Stencil's text encoder, and by what pictures of it look like.

By text: cosine of the mean vectors of short captions, after the last word, centred over the values of the attribute.
By look: cosine of the oracle's features of renders, centred likewise; of colours, their distance in sRGB, for features
that were trained to tell colours apart do not say which look alike. `tests/world/test_neighbours.py` measures them
again.
"""

from __future__ import annotations

from typing import Literal

Way = Literal["text", "look"]

# Attribute -> value -> its two nearest, the nearest first.
BY_TEXT: dict[str, dict[str, tuple[str, str]]] = {
    "object": {
        "circle": ("ring", "heart"),
        "ring": ("flower", "circle"),
        "moon": ("star", "ring"),
        "square": ("house", "cross"),
        "house": ("square", "triangle"),
        "triangle": ("house", "star"),
        "star": ("moon", "cross"),
        "heart": ("cross", "circle"),
        "cross": ("heart", "square"),
        "flower": ("ring", "triangle"),
        "tree": ("triangle", "moon"),
        "fish": ("ring", "house"),
    },
    "colour": {
        "red": ("orange", "blue"),
        "orange": ("red", "cyan"),
        "yellow": ("purple", "pink"),
        "green": ("purple", "red"),
        "cyan": ("blue", "green"),
        "blue": ("red", "cyan"),
        "purple": ("yellow", "green"),
        "pink": ("purple", "yellow"),
    },
    "style": {
        "flat": ("shaded", "dotted"),
        "outlined": ("checkered", "neon"),
        "striped": ("watercolor", "dotted"),
        "dotted": ("striped", "watercolor"),
        "checkered": ("shaded", "outlined"),
        "shaded": ("checkered", "flat"),
        "neon": ("outlined", "striped"),
        "watercolor": ("striped", "dotted"),
    },
}
BY_LOOK: dict[str, dict[str, tuple[str, str]]] = {
    "object": {
        "circle": ("square", "heart"),
        "ring": ("flower", "moon"),
        "moon": ("ring", "flower"),
        "square": ("circle", "fish"),
        "house": ("star", "triangle"),
        "triangle": ("star", "cross"),
        "star": ("triangle", "house"),
        "heart": ("circle", "tree"),
        "cross": ("tree", "triangle"),
        "flower": ("ring", "circle"),
        "tree": ("cross", "heart"),
        "fish": ("heart", "square"),
    },
    "colour": {
        "red": ("orange", "purple"),
        "orange": ("yellow", "red"),
        "yellow": ("orange", "pink"),
        "green": ("blue", "cyan"),
        "cyan": ("blue", "green"),
        "blue": ("purple", "cyan"),
        "purple": ("blue", "pink"),
        "pink": ("purple", "yellow"),
    },
    "style": {
        "flat": ("watercolor", "shaded"),
        "outlined": ("checkered", "flat"),
        "striped": ("dotted", "neon"),
        "dotted": ("striped", "watercolor"),
        "checkered": ("outlined", "neon"),
        "shaded": ("flat", "watercolor"),
        "neon": ("checkered", "striped"),
        "watercolor": ("flat", "dotted"),
    },
}


def neighbours(attribute: str, value: str, likeness: Way) -> tuple[str, ...]:
    """The values nearest to one, the nearest first; () for an attribute that none are known of."""
    return (BY_TEXT if likeness == "text" else BY_LOOK).get(attribute, {}).get(value, ())
