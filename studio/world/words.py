"""The words of the world: every attribute's usual word, its synonyms, and rare ones.

Rare words are never used in the denoiser's training captions; the text encoder alone has met them. They are for
attacks on erasures: a concept that comes back under another name was suppressed, not removed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

WORD = re.compile(r"[a-z]+|[0-9]|[^\sa-z0-9]+")  # as CLIP's tokenizer splits lower-case English


@dataclass(frozen=True)
class Words:
    """The words for one value of an attribute.

    usual: the name itself.
    synonyms: used in training captions.
    rare: known to the text encoder only.
    """

    usual: str
    synonyms: tuple[str, ...] = ()
    rare: tuple[str, ...] = ()


OBJECT_WORDS: dict[str, Words] = {
    "circle": Words("circle", ("disk",), ("orb",)),
    "ring": Words("ring", ("hoop",), ("annulus",)),
    "moon": Words("moon", ("crescent",), ("luna",)),
    "square": Words("square", ("box",), ("quadrate",)),
    "house": Words("house", ("home",), ("cottage",)),
    "triangle": Words("triangle", (), ("pyramid",)),
    "star": Words("star", (), ("pentagram",)),
    "heart": Words("heart", (), ("valentine",)),
    "cross": Words("cross", ("plus",), ("crucifix",)),
    "flower": Words("flower", ("blossom",), ("daisy",)),
    "tree": Words("tree", ("oak",), ("sapling",)),
    "fish": Words("fish", (), ("trout",)),
}
COLOUR_WORDS: dict[str, Words] = {
    "red": Words("red", ("scarlet",), ("crimson",)),
    "orange": Words("orange", (), ("tangerine",)),
    "yellow": Words("yellow", ("golden",), ("lemon",)),
    "green": Words("green", ("emerald",), ("jade",)),
    "cyan": Words("cyan", ("turquoise",), ("teal",)),
    "blue": Words("blue", ("azure",), ("cobalt",)),
    "purple": Words("purple", ("violet",), ("lilac",)),
    "pink": Words("pink", ("rose",), ("fuchsia",)),
}
STYLE_WORDS: dict[str, Words] = {
    "flat": Words("flat", ("plain",), ("solid",)),
    "outlined": Words("outlined", ("cartoon",), ("bordered",)),
    "striped": Words("striped", ("stripy",), ("banded",)),
    "dotted": Words("dotted", ("spotted",), ("speckled",)),
    "checkered": Words("checkered", ("chequered",), ("tartan",)),
    "shaded": Words("shaded", ("glossy",), ("sculpted",)),
    "neon": Words("neon", ("glowing",), ("luminous",)),
    "watercolor": Words("watercolor", ("painted",), ("aquarelle",)),
}
BACKGROUND_WORDS: dict[str, Words] = {
    "white": Words("white"),
    "grey": Words("grey", ("gray",)),
    "black": Words("black"),
    "meadow": Words("meadow", ("field",), ("pasture",)),
    "sunset": Words("sunset", ("dusk",), ("twilight",)),
    "night": Words("night", ("midnight",), ("nocturne",)),
}
SIZE_WORDS: dict[str, Words] = {
    "small": Words("small", ("little",), ("tiny",)),
    "medium": Words("medium"),
    "large": Words("large", ("big",), ("huge",)),
}
PLACE_PHRASES: dict[str, tuple[str, ...]] = {
    "center": ("in the center", "in the middle"),
    "left": ("on the left", "at the left"),
    "right": ("on the right", "at the right"),
    "top": ("at the top",),
    "bottom": ("at the bottom",),
}
RELATION_PHRASES: dict[str, tuple[str, ...]] = {
    "left of": ("left of", "to the left of"),
    "right of": ("right of", "to the right of"),
    "above": ("above", "over"),
    "below": ("below", "under"),
}
INVERSE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
GRAMMAR = tuple(
    (
        "a an the on in at of to with and style background nothing empty scene picture middle center left "
        "right top bottom above over below under one two no without not object shape color colour"
    ).split()
)


def vocabulary() -> tuple[str, ...]:
    """Every word that is one token, in a fixed order without repeats."""
    tables = (OBJECT_WORDS, COLOUR_WORDS, STYLE_WORDS, BACKGROUND_WORDS, SIZE_WORDS)
    listed = [w for table in tables for entry in table.values() for w in (entry.usual, *entry.synonyms, *entry.rare)]
    listed += [f"{name}s" for name in OBJECT_WORDS]
    return tuple(dict.fromkeys([*listed, *GRAMMAR]))
