"""Scenes as people ask for them: outside the grammar of captions, much left unsaid, and words that say nothing.

Captions of `studio.world.caption` state nearly everything, in one order. Whoever opens the page types "a star", "draw
me a red heart please" or "star, neon, night". The denoiser trains on both. What is said is true of the scene; what a
word of no table says ("lovely", "please", any string of letters) is nothing, and is there to be passed over.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from studio.world.scene import STEREOTYPES, Scene
from studio.world.words import BACKGROUND_WORDS, COLOUR_WORDS, INVERSE, OBJECT_WORDS, RELATION_PHRASES, Words

# Ways to say a style, as an adjective or after the noun.
STYLE_ADJECTIVES: dict[str, tuple[str, ...]] = {
    "flat": ("flat", "plain"),
    "outlined": ("outlined", "cartoon"),
    "striped": ("striped", "stripy"),
    "dotted": ("dotted", "spotted", "polka dotted", "polka dot"),
    "checkered": ("checkered", "chequered", "checked"),
    "shaded": ("shaded", "glossy", "shiny", "3d"),
    "neon": ("neon", "glowing"),
    "watercolor": ("watercolor", "painted", "watercolour"),
}
STYLE_ENDINGS: dict[str, tuple[str, ...]] = {
    "flat": ("in flat style", "in one flat tone"),
    "outlined": ("with an outline", "in cartoon style", "with dark outlines"),
    "striped": ("with stripes", "made of stripes", "full of stripes"),
    "dotted": ("with dots", "with polka dots", "covered in dots", "with spots"),
    "checkered": ("with checks", "in checks", "with a checkered pattern"),
    "shaded": ("with shading", "in 3d", "in shaded style"),
    "neon": ("in neon", "made of neon", "with a neon glow"),
    "watercolor": ("in watercolor", "painted in watercolor", "in watercolour"),
}
COLOUR_ENDINGS = ("that is {}", "which is {}", "in {}", "{} in color")
PLAIN_ENDINGS = ("on a {} background", "on {}", "on a {} background", "with a {} background", "background {}")
SCENE_ENDINGS: dict[str, tuple[str, ...]] = {
    "meadow": ("in a meadow", "in a field", "on a meadow background", "in the grass", "on a green meadow"),
    "sunset": ("at sunset", "at dusk", "on a sunset background", "in the sunset", "with a sunset sky"),
    "night": ("at night", "at midnight", "on a night background", "in the night", "under the night sky"),
}
OPENINGS = (
    "draw",
    "draw me",
    "show me",
    "there is",
    "i want",
    "please draw",
    "a picture of",
    "picture of",
    "an image of",
    "a drawing of",
    "paint",
    "make",
    "can you draw",
    "here is",
    "i would like",
    "we see",
    "photo of",
)
CLOSINGS = ("please", "!", ".", "thanks", "high quality", "very detailed", "for me", "in the picture", "4k", "now")
ADJECTIVES = tuple(
    (
        "beautiful lovely cute nice simple single pretty odd funny old new good happy perfect clean fine "
        "great famous lonely quiet"
    ).split()
)
SIZES = {"small": ("small", "little"), "medium": ("medium",), "large": ("large", "big")}
SIDES = {
    "left of": ("{} on the left and {} on the right", "{} on the left, {} on the right", "left {}, right {}"),
    "above": ("{} at the top and {} at the bottom", "{} on top, {} below it", "{} over {}"),
}
# Two objects, and not a word of where they are.
TOGETHER = ("{} and {}", "{} and {}", "{} and {}", "{} with {}", "{}, {}", "{} plus {}", "{} together with {}")
BESIDE = ("{} next to {}", "{} beside {}", "{} and {} side by side")
PLACES = {
    "center": ("in the middle", "in the center"),
    "left": ("on the left", "at the left", "on the left side"),
    "right": ("on the right", "at the right", "on the right side"),
    "top": ("at the top", "on top"),
    "bottom": ("at the bottom", "down at the bottom"),
}
USUAL_COLOURS = {
    **{name: colour for name, (colour, _) in STEREOTYPES.items()},
    "circle": "red",
    "ring": "orange",
    "square": "blue",
    "house": "orange",
    "triangle": "green",
    "star": "yellow",
    "cross": "red",
}
_PLAIN = frozenset({"white", "grey", "black"})
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class _Voice:
    """One sentence's choices."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def pick(self, choices: Sequence[str]) -> str:
        return choices[int(self.rng.integers(len(choices)))]

    def word(self, entry: Words) -> str:
        """The usual word, or now and then a synonym; never a rare one."""
        return self.pick(entry.synonyms) if entry.synonyms and self.chance(0.25) else entry.usual

    def filler(self) -> str:
        """A word that says nothing: of a list, or letters at random."""
        if self.chance(0.8):
            return self.pick(ADJECTIVES)
        return "".join(self.pick(_LETTERS) for _ in range(int(self.rng.integers(3, 7))))


def _article(words: str) -> str:
    return ("an " if words[0] in "aeiou" else "a ") + words


def _background(name: str, voice: _Voice) -> str:
    if name in _PLAIN:
        return voice.pick(PLAIN_ENDINGS).format(voice.word(BACKGROUND_WORDS[name]))
    return voice.pick(SCENE_ENDINGS[name])


def _noun_phrase(scene: Scene, index: int, attributes: frozenset[str], voice: _Voice) -> str:
    """One object with what is said of it, an article before it more often than not."""
    thing = scene.things[index]
    noun = voice.word(OBJECT_WORDS[thing.object])
    adjectives: list[str] = []
    endings: list[str] = []
    if "style" in attributes:
        if voice.chance(0.65):
            adjectives.append(voice.pick(STYLE_ADJECTIVES[scene.style]))
        else:
            endings.append(voice.pick(STYLE_ENDINGS[scene.style]))
    if "colour" in attributes:
        colour = voice.word(COLOUR_WORDS[thing.colour])
        if voice.chance(0.7):
            adjectives.append(colour)
        else:
            endings.append(voice.pick(COLOUR_ENDINGS).format(colour))
    if "size" in attributes:
        adjectives.append(voice.pick(SIZES[scene.size]))
    if voice.chance(0.15):
        adjectives.append(voice.filler())
    voice.rng.shuffle(adjectives)
    voice.rng.shuffle(endings)
    words = " ".join([*adjectives, noun])
    with_article = _article(words) if voice.chance(0.8) else "the " + words if voice.chance(0.2) else words
    return " ".join([with_article, *endings])


def _tags(scene: Scene, attributes: frozenset[str], voice: _Voice) -> str:
    """One object as a list of words between commas, in any order."""
    thing = scene.things[0]
    noun, tags = voice.word(OBJECT_WORDS[thing.object]), []
    if "colour" in attributes:
        colour = voice.word(COLOUR_WORDS[thing.colour])
        if voice.chance(0.5):
            noun = f"{colour} {noun}"
        else:
            tags.append(colour)
    if "style" in attributes:
        tags.append(voice.pick(STYLE_ADJECTIVES[scene.style]))
    if "size" in attributes:
        tags.append(voice.pick(SIZES[scene.size]))
    if "place" in attributes:
        tags.append(voice.pick(PLACES[scene.place]))
    if "background" in attributes:
        word = voice.word(BACKGROUND_WORDS[scene.background])
        # a bare "white" between commas would be read as the object's colour
        tags.append(word if scene.background not in _PLAIN and voice.chance(0.5) else f"{word} background")
    if voice.chance(0.2):
        tags.append(voice.filler())
    voice.rng.shuffle(tags)
    at = 0 if voice.chance(0.7) else int(voice.rng.integers(len(tags) + 1))
    return ", ".join([*tags[:at], noun, *tags[at:]])


def _statement(scene: Scene, attributes: frozenset[str], voice: _Voice) -> str:
    """One object told in sentences: "the star is red and striped, the background is black"."""
    thing = scene.things[0]
    adjectives = []
    if "colour" in attributes:
        adjectives.append(voice.word(COLOUR_WORDS[thing.colour]))
    if "style" in attributes:
        adjectives.append(voice.pick(STYLE_ADJECTIVES[scene.style]))
    voice.rng.shuffle(adjectives)
    noun = voice.word(OBJECT_WORDS[thing.object])
    first = f"the {noun} is {' and '.join(adjectives)}" if adjectives else f"there is {_article(noun)}"
    if voice.chance(0.4) and adjectives:
        first = f"{_article(noun)}, it is {' and '.join(adjectives)}"
    place = f" {voice.pick(PLACES[scene.place])}" if "place" in attributes else ""
    if "background" not in attributes:
        return first + place
    word = voice.word(BACKGROUND_WORDS[scene.background])
    if voice.chance(0.6):
        return f"{first}{place}, the background is {word}"
    return f"{first}{place} {_background(scene.background, voice)}"


def _pair(scene: Scene, attributes: frozenset[str], voice: _Voice) -> str:
    relation, order = scene.relation or "left of", [0, 1]
    if relation in ("right of", "below"):
        relation, order = INVERSE[relation], [1, 0]
    style_of = attributes if voice.chance(0.5) else attributes - {"style"}
    phrases = [_noun_phrase(scene, order[0], attributes, voice), _noun_phrase(scene, order[1], style_of, voice)]
    if voice.chance(0.35):
        joints = (*TOGETHER, *BESIDE) if relation == "left of" else TOGETHER
        voice.rng.shuffle(phrases)  # who is told first is no word of it either
        body = voice.pick(joints).format(*phrases)
    elif voice.chance(0.35):
        body = voice.pick(SIDES[relation]).format(*phrases)
    elif voice.chance(0.5):
        body = f"{phrases[0]} {voice.pick(RELATION_PHRASES[relation])} {phrases[1]}"
    else:
        body = f"{phrases[1]} {voice.pick(RELATION_PHRASES[INVERSE[relation]])} {phrases[0]}"
    return f"two objects: {body}" if voice.chance(0.15) else body


def stated_attributes(scene: Scene, rng: np.random.Generator) -> frozenset[str]:
    """Which attributes a sentence states, drawn at random: style, colour, background, size, place.

    Few or many, each as likely. What goes without saying is said less: flat, an object's usual colour, a white
    background. So flat stays what no style means, and "a heart" is oftenest a flat red one, yet not always. A place
    away from the middle is always said: unsaid, the object stands in the middle.
    """
    share = rng.random()
    usual, unusual = 0.5 * share, 0.3 + 0.7 * share
    is_usual = all(thing.colour == USUAL_COLOURS[thing.object] for thing in scene.things)
    chances = {
        "background": usual if scene.background == "white" else unusual,
        "size": 0.15 + 0.4 * share * (scene.size != "medium"),
        "style": 0.5 * share if scene.style == "flat" else 0.6 + 0.4 * share,
        "colour": usual if is_usual else 0.75 + 0.25 * share,
    }
    attributes = {name for name, chance in chances.items() if rng.random() < chance}
    if len(scene.things) != 1 or scene.place != "center":
        attributes.discard("size")
    if len(scene.things) == 1 and (scene.place != "center" or rng.random() < 0.05):
        attributes.add("place")
    return frozenset(attributes)


def phrase(scene: Scene, rng: np.random.Generator) -> str:
    """A sentence somebody might type for a scene of one or two objects, in lower case.

    Raises ValueError for a scene without objects: "nothing" is said by captions alone.
    """
    if not scene.things:
        raise ValueError("a scene without objects has no phrase")
    voice, attributes = _Voice(rng), stated_attributes(scene, rng)
    form = rng.random()
    if len(scene.things) == 1 and form < 0.15:
        body = _tags(scene, attributes, voice)
    elif len(scene.things) == 1 and form < 0.25:
        body = _statement(scene, attributes, voice)
    else:
        if len(scene.things) == 2:
            body = _pair(scene, attributes, voice)
        else:
            body = _noun_phrase(scene, 0, attributes, voice)
            if "place" in attributes:
                body += f" {voice.pick(PLACES[scene.place])}"
        if "background" in attributes:
            background = _background(scene.background, voice)
            body = f"{background}, {body}" if voice.chance(0.12) else f"{body} {background}"
        if voice.chance(0.35):
            body = f"{voice.pick(OPENINGS)} {body}"
    if voice.chance(0.15):
        closing = voice.pick(CLOSINGS)
        body = f"{body}{closing}" if closing in ("!", ".") else f"{body}, {closing}"
    return body
