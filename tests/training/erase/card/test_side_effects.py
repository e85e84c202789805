"""The card of an alignment: what nobody asked for, beside the base, and the verdict that follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from studio.core.errors import BadInput
from studio.training.erase.card.answers import BASE, EDIT, Answers
from studio.training.erase.card.budget import BUDGETS
from studio.training.erase.card.card import card
from studio.training.erase.card.probe import Probe
from studio.training.erase.card.probes import probes_of
from studio.training.erase.card.subject import OPEN_SEEDS, Subject
from studio.training.evaluate.cases import Case
from studio.training.evaluate.results import Facts
from tests.training.erase.card.making import facts, feature, probe

SUBJECT = Subject.load({"model": "stencil", "concepts": [], "open": ["a moon", "a star at night"], "seed": 3}, True)
AHEAD, ASIDE = feature(1, 0), feature(0, 1)


def pictures(count: int, broken: int = 0, same: bool = False, pixels: str = "") -> list[Facts]:
    """Of open prompts. same: whether all seeds look alike. pixels: what tells them from the base's."""
    return [
        facts("moon", broken=place < broken, pixels=f"{pixels}{place}", features=AHEAD if same or place % 2 else ASIDE)
        for place in range(count)
    ]


def answers(open_edit: Sequence[Facts], open_base: Sequence[Facts], right: int = 20) -> Answers:
    """right: of 20 stated prompts, those whose colour the edit draws."""
    stated = [probe(place, "circle", "red") for place in range(20)]
    probes = {
        "keep": stated,
        "open": [Probe(Case(f"a moon {place // OPEN_SEEDS}", place), kind="open") for place in range(len(open_edit))],
    }
    base = [facts("circle", "red", features=AHEAD if place % 2 else ASIDE) for place in range(20)]
    edited = [
        one if place < right else replace(facts("circle", "blue"), features=AHEAD) for place, one in enumerate(base)
    ]
    series = {("keep", EDIT): edited, ("keep", BASE): base, ("open", EDIT): open_edit, ("open", BASE): open_base}
    return Answers(SUBJECT, probes, series)


def judged(open_edit: Sequence[Facts], open_base: Sequence[Facts], **values: Any) -> dict[str, Any]:
    return card(answers(open_edit, open_base, **values), BUDGETS["preview"])


def test_what_is_asked_are_prompts_that_say_everything_and_open_ones_at_several_seeds() -> None:
    probes = probes_of(SUBJECT, BUDGETS["standard"])
    assert set(probes) == {"keep", "open"} and all(probe.case.expectation for probe in probes["keep"])
    texts = [probe.case.prompt for probe in probes["open"]]
    assert texts == ["a moon"] * OPEN_SEEDS + ["a star at night"] * OPEN_SEEDS
    seeds = [probe.case.seed for probe in (*probes["open"], *probes["keep"])]
    assert len(set(seeds)) == len(seeds)
    elsewhere = probes_of(replace(SUBJECT, in_world=False), BUDGETS["preview"])
    assert set(elsewhere) == {"open"} and len(elsewhere["open"]) == OPEN_SEEDS
    assert Subject.load(SUBJECT.plain(), False) == SUBJECT
    with pytest.raises(BadInput, match="names no concept"):
        Subject.load({"model": "stencil", "concepts": []}, True)


def test_an_edit_that_spares_the_rest_has_no_side_effects_to_speak_of() -> None:
    said = judged(pictures(24, pixels="other"), pictures(24))
    lines = {line["key"]: line for line in said["lines"]}
    assert said["verdict"]["light"] == "good" and "drawn as before" in said["verdict"]["sentences"][0]
    assert lines["stated"]["edit"]["value"] == 1 and lines["open_invalid"]["apart"]["value"] == 0
    assert lines["diversity"]["edit"]["value"] == pytest.approx(lines["diversity"]["beside"]["value"])
    assert lines["changed"]["edit"]["value"] == 1 and {"drift_retain", "fd_keep"} <= lines.keys()
    assert not {"ua", "fade", "fd_forget"} & lines.keys() and said["strengths"] == [] and said["attack"] is None
    assert "blind test" in said["verdict"]["limits"][0]


@pytest.mark.parametrize(
    ("open_edit", "right", "light", "sentence"),
    [
        (pictures(24, broken=6, pixels="other"), 20, "poor", "Broken, open prompts: 25%, base 0%."),
        (pictures(24, same=True, pixels="other"), 20, "poor", "0.00 as far apart as the base's"),
        (pictures(24, pixels="other"), 18, "fair", "Prompt followed: 98%"),
    ],
)
def test_what_it_harms_is_named(open_edit: list[Facts], right: int, light: str, sentence: str) -> None:
    verdict = judged(open_edit, pictures(24), right=right)["verdict"]
    assert verdict["light"] == light and any(sentence in said for said in verdict["sentences"]), verdict


def test_an_edit_that_changes_nothing_is_called_that() -> None:
    verdict = judged(pictures(24), pictures(24))["verdict"]
    assert (verdict["light"], verdict["headline"]) == ("poor", "No effect")
    unread = [replace(one, reading=None, features=None) for one in pictures(8, pixels="other")]
    other = Answers(
        replace(SUBJECT, in_world=False),
        {"open": answers(unread, unread).probes["open"]},
        {("open", EDIT): unread, ("open", BASE): pictures(8)},
    )
    verdict = card(other, BUDGETS["preview"])["verdict"]
    assert (
        verdict["headline"] == "Not judged"
        and verdict["sentences"][0] == "8 of 8 pictures of open prompts are changed."
    )
