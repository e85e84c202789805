"""The prompts over which an erasure's divergences are measured: of its concept, and of everything else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, zip_longest

import numpy as np

from studio.training.erase.concept import Concept
from studio.training.erase.texts import sentences, wordings

TRIES = 4  # sentences drawn for each that is wanted: of some languages there are few


def retain_prompts(concepts: Sequence[Concept], in_world: bool, seed: int, count: int) -> list[str]:
    """Different sentences that name none of the concepts; fewer where there are fewer."""
    candidates = islice(sentences(in_world, np.random.default_rng(seed)), TRIES * count)
    unnamed = (text for text in candidates if not any(concept.named_in(text) for concept in concepts))
    return list(dict.fromkeys(unnamed))[:count]


def forget_prompts(concepts: Sequence[Concept], in_world: bool, seed: int, count: int) -> list[str]:
    """Different sentences that name a concept, of each concept in turn; fewer where there are fewer."""
    texts_by_concept = [[text for text, _ in wordings(concept, in_world, seed).pairs] for concept in concepts]
    in_turn = (text for texts in zip_longest(*texts_by_concept) for text in texts if text is not None)
    return list(dict.fromkeys(in_turn))[:count]
