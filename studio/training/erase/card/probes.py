"""Which prompts a card asks, and with which seeds: the same for every card of an erasure, fewer the first of more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import cycle, islice

from studio.training.erase.card.attack import one_word
from studio.training.erase.card.budget import Budget
from studio.training.erase.card.probe import PARTS, Probe, Probes, seed_of
from studio.training.erase.card.subject import OPEN_SEEDS, Subject
from studio.training.erase.card.ways import WAYS
from studio.training.erase.card.world import world_probes
from studio.training.erase.texts import wordings
from studio.training.evaluate.cases import Case


@lru_cache(maxsize=8)
def probes_of(subject: Subject, budget: Budget) -> Probes:
    """The pictures of every part that there are any of.

    "substitute" has as many as "forget", and "strength" and those without an edit the first of them.
    """
    sizes = budget.sizes(subject.in_world)
    if subject.open:
        return _of_labels(subject, sizes)
    if subject.in_world:
        parts = world_probes(subject, sizes)
    else:
        parts = _template_probes(subject, sizes)
    parts["preserve"] = _preserves(subject, sizes["preserve"])
    if budget.attack and subject.in_world:
        parts["attack"] = one_word(parts["forget"])
    parts["strength"] = parts["forget"][: sizes["strength"]]
    parts |= dict.fromkeys(WAYS, _negated(parts["forget"][: sizes["unedited"]], subject))
    return {part: probes for part in PARTS if (probes := parts.get(part))}


def _of_labels(subject: Subject, sizes: Mapping[str, int]) -> Probes:
    """Of an edit that erases nothing: prompts that say everything, where any are known, and open ones."""
    stated = world_probes(subject, sizes)["keep"] if subject.in_world else []
    prompts = subject.open[: max(1, sizes["forget"] // OPEN_SEEDS)]
    pairs = [(text, seed) for text in prompts for seed in range(OPEN_SEEDS)]
    open_probes = [Probe(Case(text, seed_of("open", i)), kind="open") for i, (text, _) in enumerate(pairs)]
    return {part: probes for part, probes in (("keep", stated), ("open", open_probes)) if probes}


def _negated(probes: Sequence[Probe], subject: Subject) -> list[Probe]:
    """The same prompts and seeds, with what each names as its negative prompt."""
    return [
        replace(probe, case=replace(probe.case, negative=subject.concepts[probe.concept or 0].words))
        for probe in probes
    ]


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
    unrelated_texts = [text for text in dict.fromkeys(unrelated) if not any(c.named_in(text) for c in subject.concepts)]
    chosen_pairs = list(islice(_in_turns(pairs), sizes["forget"]))
    words = list(islice(cycle(synonyms), sizes["wording"] if synonyms else 0))
    return {
        "forget": [Probe(Case(text, seed_of("forget", i)), place) for i, (place, text, _) in enumerate(chosen_pairs)],
        "substitute": [
            Probe(Case(text, seed_of("substitute", i)), place) for i, (place, _, text) in enumerate(chosen_pairs)
        ],
        "keep": [Probe(Case(text, seed_of("keep", i))) for i, text in enumerate(unrelated_texts[: sizes["keep"]])],
        "wording": [
            Probe(Case(word, seed_of("wording", i)), place, "synonyms") for i, (place, word) in enumerate(words)
        ],
    }


def _unseen_first(pairs: Sequence[tuple[str, str]], trained: set[str]) -> list[tuple[str, str]]:
    return sorted(pairs, key=lambda pair: pair[0] in trained)


def _in_turns(rows: Sequence[Sequence[tuple[int, str, str]]]) -> Iterator[tuple[int, str, str]]:
    longest = max(map(len, rows))
    return (row[i] for i in range(longest) for row in rows if i < len(row))
