"""Prompts that leave style and colour unsaid, so that pictures of one prompt differ in what somebody may prefer.

Naming the colour makes nine pictures of ten flat, and saying everything makes them nearly equal; a background may be
said. Of every prompt there are also sentences with words put in: a picture drawn by one of those shows what the prompt
leaves open, and is still a picture of the prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from studio.world.scene import BACKGROUND_NAMES, COLOUR_NAMES, OBJECTS, STYLE_NAMES

BACKGROUND_PHRASES = {"meadow": "in a meadow", "sunset": "at sunset", "night": "at night"}
HIDDEN_WORDS = (STYLE_NAMES, COLOUR_NAMES)  # in the order in which they stand before the object


@dataclass(frozen=True)
class OpenPrompt:
    """A prompt of one object.

    object: what is to be drawn.
    background: behind it; "" unsaid.
    """

    object: str
    background: str = ""

    @property
    def text(self) -> str:
        """The prompt itself: "a star at night"."""
        return self.saying(())

    def saying(self, words: Sequence[str]) -> str:
        """The same with words before the object: "a neon red star at night"."""
        noun_phrase = " ".join((*words, self.object))
        article = "an" if noun_phrase[0] in "aeiou" else "a"
        return f"{article} {noun_phrase}{self._ending()}"

    def _ending(self) -> str:
        if not self.background:
            return ""
        return f" {BACKGROUND_PHRASES.get(self.background, f'on a {self.background} background')}"


def open_prompts(rng: np.random.Generator, count: int, background: float = 0.5) -> list[OpenPrompt]:
    """Different prompts in random order, at most `count` and at most as many as there are.

    background: share of those that say one, 0 to 1; the others name the object alone, of which there are 12.
    """
    plain = [OpenPrompt(name) for name in OBJECTS]
    with_background = [OpenPrompt(name, scenery) for name in OBJECTS for scenery in BACKGROUND_NAMES]
    if background <= 0:
        with_background = []
    if background >= 1:
        plain = []
    plain, with_background = (_shuffled(rng, prompts) for prompts in (plain, with_background))
    chosen: list[OpenPrompt] = []
    while len(chosen) < count and (plain or with_background):
        says_background = with_background and (not plain or rng.random() < background)
        chosen.append((with_background if says_background else plain).pop())
    return chosen


def _shuffled(rng: np.random.Generator, prompts: list[OpenPrompt]) -> list[OpenPrompt]:
    return [prompts[int(k)] for k in rng.permutation(len(prompts))]
