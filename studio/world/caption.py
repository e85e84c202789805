"""Scenes to sentences. Captions vary in order, wording and in what they leave unsaid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from studio.world.scene import Scene
from studio.world.words import (
    BACKGROUND_WORDS,
    COLOUR_WORDS,
    INVERSE,
    OBJECT_WORDS,
    PLACE_PHRASES,
    RELATION_PHRASES,
    SIZE_WORDS,
    STYLE_WORDS,
    Words,
)

_PLAIN = frozenset({"white", "grey", "black"})


def _article(rest: str) -> str:
    return ("an " if rest[0] in "aeiou" else "a ") + rest


def canonical(scene: Scene) -> str:
    """The plain sentence that states every attribute in its usual word."""
    if not scene.things:
        return f"an empty {scene.background} background"
    background = f"on {_article(scene.background)} background"
    first = scene.things[0]
    if len(scene.things) == 1:
        size = f"{scene.size} " if scene.size != "medium" and scene.place == "center" else ""
        place = f" {PLACE_PHRASES[scene.place][0]}" if scene.place != "center" else ""
        return f"{_article(f'{size}{scene.style} {first.colour} {first.object}')}{place} {background}"
    second, relation = scene.things[1], scene.relation or "left of"
    return (
        f"{_article(f'{scene.style} {first.colour} {first.object}')} {relation} "
        f"{_article(f'{scene.style} {second.colour} {second.object}')} {background}"
    )


class _Speaker:
    """One caption's choices. rare: the chance that a word with rare synonyms is replaced by one."""

    def __init__(self, rng: np.random.Generator, rare: float) -> None:
        self.rng, self.rare = rng, rare

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def word(self, table: Mapping[str, Words], name: str) -> str:
        entry = table[name]
        if entry.rare and self.chance(self.rare):
            return str(self.rng.choice(entry.rare))
        if entry.synonyms and self.chance(0.3):
            return str(self.rng.choice(entry.synonyms))
        return entry.usual

    def background(self, name: str) -> str:
        word = self.word(BACKGROUND_WORDS, name)
        if name in _PLAIN:
            return f"on {word}" if self.chance(0.15) else f"on {_article(word)} background"
        ways = {"meadow": f"in {_article(word)}", "sunset": f"at {word}", "night": f"at {word}"}
        if self.chance(0.5):
            return ways[name]
        return f"on {_article(word)} background" if self.chance(0.7) else f"with {_article(word)} background"


def _lone(scene: Scene, say: _Speaker, size: str, colour: str, style: str) -> str:
    noun = say.word(OBJECT_WORDS, scene.things[0].object)
    place = ""
    if scene.place != "center":
        place = " " + str(say.rng.choice(PLACE_PHRASES[scene.place]))
    elif say.chance(0.06):
        place = " " + str(say.rng.choice(PLACE_PHRASES["center"]))
    if style and say.chance(0.3):
        return _article(" ".join(w for w in (size, colour, noun) if w)) + place + f" in {style} style"
    return _article(" ".join(w for w in (size, style, colour, noun) if w)) + place


def _pair(scene: Scene, say: _Speaker, style: str) -> str:
    things, relation = list(scene.things), scene.relation or "left of"
    if say.chance(0.3):  # the same scene told from the other object
        things, relation = things[::-1], INVERSE[relation]
    colours = [say.word(COLOUR_WORDS, t.colour) if not say.chance(0.03) else "" for t in things]
    nouns = [say.word(OBJECT_WORDS, t.object) for t in things]
    joint = "and" if say.chance(0.06) else str(say.rng.choice(RELATION_PHRASES[relation]))
    form = say.rng.random()  # style said of both, of the picture, or of the first alone
    adjectives = [style, style] if form < 0.4 else [style, ""] if form < 0.55 else ["", ""]
    phrases = [_article(" ".join(w for w in trio if w)) for trio in zip(adjectives, colours, nouns, strict=True)]
    ending = f" in {style} style" if style and form >= 0.55 else ""
    return f"{phrases[0]} {joint} {phrases[1]}{ending}"


def caption(scene: Scene, rng: np.random.Generator, *, rare: float = 0.0, full: bool = False) -> str:
    """One caption of a scene.

    rare: chance of rare words (0 for the denoiser's captions). full: leave nothing unsaid. What goes unsaid is drawn:
    style half the time when it is flat (so flat is what no style means) and seldom otherwise; colour and background
    seldom; medium size nearly always.
    """
    say = _Speaker(rng, rare)
    if not scene.things:
        word = say.word(BACKGROUND_WORDS, scene.background)
        return f"an empty {word} background" if say.chance(0.5) else f"nothing {say.background(scene.background)}"
    unsaid = 0.5 if scene.style == "flat" else 0.04
    style = "" if not full and say.chance(unsaid) else say.word(STYLE_WORDS, scene.style)
    if len(scene.things) == 2:
        body = _pair(scene, say, style)
    else:
        tell_size = full or say.chance({"small": 0.8, "medium": 0.1, "large": 0.8}[scene.size])
        if scene.place != "center":
            tell_size = say.chance(0.3)
        size = say.word(SIZE_WORDS, scene.size) if tell_size and (scene.size != "medium" or not full) else ""
        colour = "" if not full and say.chance(0.05) else say.word(COLOUR_WORDS, scene.things[0].colour)
        body = _lone(scene, say, size, colour, style)
    if not full and say.chance(0.04):
        return body
    background = say.background(scene.background)
    return f"{background}, {body}" if say.chance(0.08) else f"{body} {background}"


def swapped(scene: Scene, attribute: str, value: str) -> Scene:
    """The scene with one attribute of the first object (object, colour) or of the picture changed; for diagnostics."""
    if attribute in ("object", "colour"):
        first = replace(scene.things[0], **{attribute: value})
        return replace(scene, things=(first, *scene.things[1:]))
    return replace(scene, **{attribute: value})
