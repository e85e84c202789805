"""What concept inversion takes, in plain values: no torch here."""

from __future__ import annotations

from itertools import islice

from studio.training.erase.card.subject import Subject
from studio.training.erase.texts import wordings

INVERTED = "inverted"  # the series of answers under the edit
ARMS = (INVERTED, "inverted base", "inverted gold")  # and the others; the last where there is such a model
PICTURES = 8  # of the concept, by the base
TRAINING_STEPS, BATCH, LR = 150, 4, 2e-2
FORMAT = 1  # of what is kept; counted up when the same request would give other numbers
WORLD_S = 30.0  # of one core, on Stencil, for each arm: its steps, and with room


def inverted_texts(subject: Subject) -> list[str]:
    """Sentences that say the concepts, of which the base draws pictures. subject: in Stencil's world."""
    of_concepts = [wordings(concept, True, subject.seed + 3).pairs for concept in subject.concepts]
    most = max(map(len, of_concepts))
    in_turn = (pairs[place][0] for place in range(most) for pairs in of_concepts if place < len(pairs))
    return list(islice(dict.fromkeys(in_turn), PICTURES))
