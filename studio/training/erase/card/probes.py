"""Which prompts a card asks, and with which seeds: the same for every card of an erasure, fewer the first of more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle, islice

from studio.training.erase.card.budget import Budget
from studio.training.erase.card.subject import Subject
from studio.training.erase.texts import wordings
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
    "strength": "prompts that name the concept, at other strengths, and completed from half-way",
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
    twin = "forget" if part in ("substitute", "strength") else part
    return FIRST_SEED + APART * list(PARTS).index(twin) + place


@lru_cache(maxsize=8)
def probes_of(subject: Subject, budget: Budget) -> Probes:
    """The pictures of every part that there are any of.

    "substitute" has as many as "forget", and "strength" the first of them.
    """
    sizes = budget.sizes(subject.in_world)
    if subject.in_world:
        from studio.training.erase.card.world import world_probes

        parts = world_probes(subject, sizes)
    else:
        parts = _template_probes(subject, sizes)
    parts["preserve"] = _preserves(subject, sizes["preserve"])
    parts["strength"] = parts["forget"][: sizes["strength"]]
    return {part: probes for part in PARTS if (probes := parts.get(part))}


def _preserves(subject: Subject, most: int) -> list[Probe]:
    """Every text as often, up to so many pictures; with very many texts, the first."""
    texts = islice(cycle(subject.preserves), most if subject.preserves else 0)
    return [Probe(Case(text, seed_of("preserve", i))) for i, text in enumerate(texts)]


def _template_probes(subject: Subject, sizes: Mapping[str, int]) -> dict[str, list[Probe]]:
    """Of models of another language: templates that the erasure was not made with, as far as there are."""
    pairs, unrelated, synonyms = [], [], []
    for place, concept in enumerate(subject.concepts):
        trained = {text for text, _ in wordings(concept, False, subject.seed, subject.preserves).pairs}
        unseen = wordings(concept, False, subject.seed + 1)
        pairs.append([(place, *pair) for pair in _unseen_first(unseen.pairs, trained)])
        unrelated += unseen.unrelated[1:]
        synonyms += [(place, word) for word in concept.synonyms]
    kept = [text for text in dict.fromkeys(unrelated) if not any(c.named_in(text) for c in subject.concepts)]
    asked = list(islice(_in_turns(pairs), sizes["forget"]))
    words = list(islice(cycle(synonyms), sizes["wording"] if synonyms else 0))
    return {
        "forget": [Probe(Case(text, seed_of("forget", i)), place) for i, (place, text, _) in enumerate(asked)],
        "substitute": [Probe(Case(text, seed_of("substitute", i)), place) for i, (place, _, text) in enumerate(asked)],
        "keep": [Probe(Case(text, seed_of("keep", i))) for i, text in enumerate(kept[: sizes["keep"]])],
        "wording": [
            Probe(Case(word, seed_of("wording", i)), place, "synonyms") for i, (place, word) in enumerate(words)
        ],
    }


def _unseen_first(pairs: Sequence[tuple[str, str]], trained: set[str]) -> list[tuple[str, str]]:
    return sorted(pairs, key=lambda pair: pair[0] in trained)


def _in_turns(rows: Sequence[Sequence[tuple[int, str, str]]]) -> Iterator[tuple[int, str, str]]:
    longest = max(map(len, rows))
    return (row[i] for i in range(longest) for row in rows if i < len(row))
