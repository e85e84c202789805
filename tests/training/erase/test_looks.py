"""What a training that erases is looked at in: other prompts than it learns from, and what they are read for."""

from __future__ import annotations

from typing import Any

import pytest

from studio.erasure.columns import CONCEPT
from studio.training.erase.card.budget import BUDGETS
from studio.training.erase.card.probes import probes_of
from studio.training.erase.card.subject import Subject
from studio.training.erase.concept import Concept
from studio.training.erase.looks import PICTURES
from studio.training.erase.methods import METHODS
from studio.training.erase.trained import training_plan
from studio.training.evaluate.cases import Case
from studio.training.lora.plan import Plan
from studio.world.reading import Wanted
from tests.training.erase.test_methods import STAR, request

NEON = {"words": "neon", "substitute": "flat"}
RED = {"words": "red", "substitute": "blue"}


def looks_of(*concepts: dict[str, Any], method: str = "ca", **changes: Any) -> Any:
    plan = training_plan(request(method=method, concepts=list(concepts or (STAR,)), **changes), METHODS.get(method))
    return Plan.load(plan).looks


@pytest.mark.parametrize(
    ("concept", "expectation"),
    [
        (STAR, {"things": (("heart", None),)}),
        (NEON, {"style": "flat"}),
        (RED, {"things": ((None, "blue"),)}),
    ],
)
def test_they_say_the_concept_and_are_read_for_its_substitute(
    concept: dict[str, Any], expectation: dict[str, Any]
) -> None:
    looks = looks_of(concept)
    cases, ceiling = ([Case.load(values) for values in side] for side in (looks.cases, looks.ceiling))
    assert len(cases) == PICTURES and {case.expectation for case in cases} == {Wanted(**expectation)}
    for case, beside in zip(cases, ceiling, strict=True):
        assert case.seed == beside.seed and case.expectation == beside.expectation
        erased = Concept.model_validate(concept).in_world()
        assert erased.named_in(case.prompt) and not erased.named_in(beside.prompt)


def test_they_are_none_that_it_learns_from_and_none_of_its_card() -> None:
    plan = training_plan(request(method="ca"), METHODS.get("ca"))
    looked = {(case["prompt"], case["seed"]) for case in (*plan["looks"]["cases"], *plan["looks"]["ceiling"])}
    assert not {prompt for prompt, _ in looked} & {row[CONCEPT] for row in plan["prompts"]}
    subject = Subject.load({"model": "stencil", "concepts": [STAR]}, True)
    for budget in BUDGETS.values():
        seeds = {probe.case.seed for probes in probes_of(subject, budget).values() for probe in probes}
        assert not {seed for _, seed in looked} & seeds


def test_of_several_concepts_each_has_as_many_and_none_says_another() -> None:
    cases = [Case.load(values) for values in looks_of(STAR, RED).cases]
    expectations = [case.expectation for case in cases]
    hearts, blues = Wanted(things=(("heart", None),)), Wanted(things=((None, "blue"),))
    assert expectations.count(hearts) == expectations.count(blues) == PICTURES // 2
    star, red = (Concept.model_validate(concept).in_world() for concept in (STAR, RED))
    for case in cases:
        erased, other = (star, red) if case.expectation == hearts else (red, star)
        assert erased.named_in(case.prompt) and not other.named_in(case.prompt)


@pytest.mark.parametrize(
    "changes",
    [
        {"training": {"early_stopping": False}},
        {"method": "esd"},
        {"method": "abo", "training": {"towards": "away"}},
        {"concepts": [{"words": "star"}]},
        {"concepts": [{"words": "watercolor"}]},
        {"in_world": False},
    ],
)
def test_without_an_oracle_or_a_substitute_that_is_learned_nothing_is_looked_at(changes: dict[str, Any]) -> None:
    asked = request(**{"method": "ca", **changes})
    assert "looks" not in training_plan(asked, METHODS.get(asked.method))
