"""One picture that a card asks for, the parts such pictures come in, and their seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from studio.training.evaluate.cases import Case
from studio.world.reading import Wanted

FIRST_SEED, APART = 820_000, 10_000  # of the first part, and from one part to the next; above those of all suites
PARTS = {
    "forget": "prompts that name the concept",
    "substitute": "the same prompts with the substitute, at the same seeds: the ceiling",
    "keep": "prompts that do not name it",
    "near": "the concept's nearest neighbours, and its substitute",
    "wording": "the concept in other words",
    "preserve": "the texts that were to stay",
    "attack": "the first of them, with a word of the vocabulary before it",
    "strength": "prompts that name the concept, at other strengths, and completed from half-way",
    "negative": "prompts that name the concept, which is the negative prompt too; the base alone",
    "perp-neg": "the same by Perp-Neg",
    "nag": "the same by NAG",
    "open": "prompts that leave style and colour open, as those it learned from; several seeds each",
}


@dataclass(frozen=True)
class Probe:
    """One picture a card asks for.

    case: prompt, seed, and what the prompt states.
    concept: place of the concept it names; None where it names none.
    kind: which sort of prompt of its part.
    aim: what is stated once the substitute has the concept's place; None where that cannot be said.
    """

    case: Case
    concept: int | None = None
    kind: str = ""
    aim: Wanted | None = None


Probes = Mapping[str, Sequence[Probe]]  # part -> its pictures


def seed_of(part: str, place: int) -> int:
    """The seed of a part's picture. The substitute's are those of the prompts that name the concept."""
    twin = "forget" if part in ("substitute", "strength", "attack") else part
    return FIRST_SEED + APART * list(PARTS).index(twin) + place
