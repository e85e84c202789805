"""What a card asks: held out, the same seeds under the ceiling, fewer the first of more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import GuidanceSpec
from studio.services.cards.service import DRIFT_LEVELS
from studio.training.erase.card.attack import MOST_WORDS
from studio.training.erase.card.budget import BUDGETS, Budget, budget_named
from studio.training.erase.card.inverting import ARMS
from studio.training.erase.card.inverting import WORLD_S as INVERTING_S
from studio.training.erase.card.probe import Probes
from studio.training.erase.card.probes import probes_of
from studio.training.erase.card.relearning import WORLD_S
from studio.training.erase.card.subject import Subject
from studio.training.erase.card.ways import WAYS, protocols_of
from studio.training.erase.texts import wordings
from studio.training.evaluate.protocol import Protocol
from studio.training.evaluate.suites import SUITES
from studio.world.words import vocabulary
from tests.training.erase.card.making import STAR, subject

NEON, RED = {"words": "neon", "kind": "style"}, {"words": "red", "substitute": "blue", "kind": "colour"}
SIZES = {"forget": 12, "keep": 12, "near": 12, "wording": 12, "preserve": 3, "strength": 4, "unedited": 5}
DRAWN = {
    **{part: size for part, size in SIZES.items() if part != "unedited"},
    "substitute": 12,
    **dict.fromkeys(WAYS, 5),
}
SMALL = Budget("small", "", SIZES, SIZES)


def all_of(probes: Probes) -> list[Any]:
    return [probe for part in probes.values() for probe in part]


@pytest.mark.parametrize("concepts", [(STAR,), (NEON,), (RED,), ({**STAR, "substitute": ""}, NEON)])
def test_prompts_of_the_world(concepts: tuple[dict[str, Any], ...]) -> None:
    about = subject(*concepts, preserves=["a circle"])
    probes = probes_of(about, SMALL)
    assert {part: len(rows) for part, rows in probes.items()} == DRAWN
    trained = {text for concept in about.concepts for text, _ in wordings(concept, True, 0).pairs}
    for place, probe in enumerate(probes["forget"]):
        target = about.targets[probe.concept or 0]
        assert probe.case.expectation is not None and target.is_stated(probe.case.expectation)
        assert probe.case.prompt not in trained and about.concepts[probe.concept or 0].named_in(probe.case.prompt)
        twin = probes["substitute"][place]
        assert (twin.case.seed, twin.aim, twin.case.expectation) == (probe.case.seed, probe.aim, probe.aim)
        assert not any(concept.named_in(twin.case.prompt) for concept in about.concepts)
    assert {probe.kind for probe in probes["forget"]} == {"one object", "two objects"}
    for part in ("keep", "near"):
        for probe in probes[part]:
            assert not any(concept.named_in(probe.case.prompt) for concept in about.concepts)
    first = {part: rows[:3] for part, rows in probes.items()}
    fewer = probes_of(about, Budget("", "", dict.fromkeys(SIZES, 3), {}))
    assert {part: list(rows) for part, rows in fewer.items()} == first
    drawn_otherwise = ("strength", *WAYS)
    keys = [probe.case.key for part, rows in probes.items() if part not in drawn_otherwise for probe in rows]
    assert len(set(keys)) == len(keys), "no picture is asked for twice"
    most = max(case.seed for name, suite in SUITES.items() if not name.startswith("toy") for case in suite.cases(2))
    assert min(probe.case.seed for probe in all_of(probes)) > most


def test_without_an_edit_the_word_that_a_prompt_names_is_its_negative_prompt() -> None:
    about = subject(STAR, NEON)
    probes = probes_of(about, SMALL)
    for part in WAYS:
        for probe, twin in zip(probes[part], probes["forget"], strict=False):
            assert replace(probe.case, negative="") == twin.case
            assert probe.case.negative == about.concepts[probe.concept or 0].words
    assert {probe.case.negative for probe in probes["nag"]} == {"star", "neon"}


def test_ways_without_an_edit_are_drawn_as_the_card_is_but_for_guidance() -> None:
    own = Protocol(steps=12)
    protocols = protocols_of(own)
    assert [protocol.guidance.method for protocol in protocols.values()] == ["cfg", "perp_neg", "nag"]
    for protocol in protocols.values():
        assert protocol.guidance.params == {"guidance_scale": 1.5}, "the scale of the card's own pictures"
        assert protocol.model_copy(update={"guidance": own.guidance, "negative": "none"}) == own
    at_one = Protocol(guidance=GuidanceSpec(params={"guidance_scale": 1.0}))
    assert list(protocols_of(at_one)) == ["nag"], "the others have no effect there"


def test_the_concept_in_other_words() -> None:
    kinds: dict[str, list[str]] = {}
    for probe in probes_of(subject({"words": "house", "substitute": "square", "kind": "object"}), SMALL)["wording"]:
        kinds.setdefault(probe.kind, []).append(probe.case.prompt)
    assert set(kinds) == {"synonyms", "paraphrases", "rare words"}
    assert all("home" in text for text in kinds["synonyms"]) and all("cottage" in text for text in kinds["rare words"])
    assert all("house" in text for text in kinds["paraphrases"])
    assert {probe.kind for probe in probes_of(subject(), SMALL)["wording"]} == {"paraphrases", "rare words"}


def test_models_of_another_language_are_asked_by_templates() -> None:
    about = subject({"words": "Monet", "kind": "style"}, in_world=False, preserves=["a lake"])
    probes = probes_of(about, SMALL)
    trained = {text for text, _ in wordings(about.concepts[0], False, 0, about.preserves).pairs}
    assert not trained & {probe.case.prompt for probe in probes["forget"]} or len(trained) < 60
    assert all("Monet" not in probe.case.prompt for part in ("substitute", "keep") for probe in probes[part])
    assert [probe.case.prompt for probe in probes["preserve"]] == ["a lake"] * 3 and "near" not in probes


def test_budgets_draw_so_many_that_their_time_is_kept() -> None:
    """At the slower of the paces measured, 0.4 s of one core a picture: 90 s, 4 and 15 minutes."""
    limits = {"preview": 90, "rates": 240, "standard": 240, "full": 900}
    for name, budget in BUDGETS.items():
        sizes = budget.sizes(True)
        pictures = 3 * sizes["forget"] + 2 * (sizes["keep"] + sizes["near"] + sizes["wording"] + sizes["preserve"])
        further = 2 * budget.is_rounded + budget.is_relearned + len(ARMS) * budget.is_inverted
        pictures += (6 + further) * sizes["strength"] + 19
        pictures += (budget.is_relearned * WORLD_S + budget.is_inverted * len(ARMS) * INVERTING_S) / 0.4
        pictures += 3.5 * sizes["unedited"]  # without an edit three ways: Perp-Neg asks the network half as often again
        if budget.attack:
            pictures += len(vocabulary()) + budget.attack * (MOST_WORDS - 1)
        rows = 2 * budget.drift * (12 + 2 * DRIFT_LEVELS)  # of the network, beside the 24 of a picture
        assert 0.4 * (pictures + rows / 24) <= limits[name]
    with pytest.raises(NotFound, match="There is no budget 'huge'; there are preview, rates, standard, full"):
        budget_named("huge")


def test_what_an_edit_says_of_itself_is_read_or_refused() -> None:
    about = subject(preserves=["a circle"], seed=3)
    assert Subject.load(about.plain(), False) == about
    for values in ({}, {"concepts": [], "model": "x"}, {"concepts": 3, "model": "x"}, {"concepts": [{}], "model": "x"}):
        with pytest.raises(BadInput):
            Subject.load(values, True)
    with pytest.raises(BadInput, match="is no object, style or colour"):
        subject({"words": "Monet", "kind": "style"})
