"""Words that a picture is drawn with and its prompt does not say, and which of them were liked.

Labelled and trained on under the open prompt, such pictures show the model what it seldom draws by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from studio.preference.label import Label, Picture, standing

_WORD = re.compile(r"[^\W_]+")
UNIFORM = 0.25  # share of the drawing that goes to all words alike, so that none is given up


def words_of(picture: Picture, prompt: str) -> tuple[str, ...]:
    """The words a picture was drawn with beyond its prompt, in their order; () where that is not known."""
    if picture.recipe is None:
        return ()
    open_words = set(_WORD.findall(prompt.casefold()))
    return tuple(word for word in _WORD.findall(picture.recipe.prompt.casefold()) if word not in open_words)


def liking(labels: Iterable[Label]) -> dict[str, float]:
    """How much each hidden word was liked, 0 to 1: (wins + 1) / (wins + losses + 2), the mean of a uniform prior.

    Of labels that stand and may be learned from. A word that both pictures have says nothing; ties say nothing.
    """
    wins: dict[str, float] = {}
    losses: dict[str, float] = {}
    for label in standing(list(labels)):
        if not label.trainable:
            continue
        hidden = [set(words_of(picture, label.prompt)) for picture in label.pictures]
        for winner, loser, weight in label.answer.comparisons():
            for word in hidden[winner] - hidden[loser]:
                wins[word] = wins.get(word, 0.0) + weight * label.weight
            for word in hidden[loser] - hidden[winner]:
                losses[word] = losses.get(word, 0.0) + weight * label.weight
    words = wins.keys() | losses.keys()
    return {word: (wins.get(word, 0.0) + 1) / (wins.get(word, 0.0) + losses.get(word, 0.0) + 2) for word in words}


def chances(words: Sequence[str], liked: Mapping[str, float]) -> list[float]:
    """With which chance each word is drawn. liked: as `liking` gives it; a word it does not name counts 1/2."""
    scores = [liked.get(word, 0.5) for word in words]
    total = sum(scores)
    return [UNIFORM / len(words) + (1 - UNIFORM) * (score / total if total else 1 / len(words)) for score in scores]


def draw_words(
    rng: np.random.Generator, groups: Sequence[Sequence[str]], liked: Mapping[str, float]
) -> tuple[str, ...]:
    """One word of each group, in their order."""
    picks = (int(rng.choice(len(words), p=chances(words, liked))) for words in groups)
    return tuple(words[pick] for words, pick in zip(groups, picks, strict=True))
