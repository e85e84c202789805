"""Every claim on record as an experiment: it can be drawn, its conditions name what there is, its work is equal."""

import re
from collections.abc import Callable
from functools import cache
from typing import get_args

import pytest

from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.evidence import claims as _claims  # noqa: F401  # registers them
from studio.evidence.claim import CLAIMS, Arm, Claim, Verdict, cfg
from studio.evidence.drawing import protocol_of, suite
from studio.guidance import GUIDANCE, build
from studio.guidance.wrapper import WRAPPERS
from studio.models.card import ModelCard, read_card
from studio.services.budget import network_rows
from studio.training.evaluate.measures import TOLD

UNEQUAL = {"interval"}  # its claim is that it is cheaper


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return read_card(Settings().model_dir)


@pytest.fixture(scope="module")
def recipe_of(card: ModelCard) -> Callable[[Arm, str], Recipe]:
    """The recipe of an arm for the first case of a suite. Many claims have an arm in common, whose steps are sought."""

    @cache
    def first(arm: Arm, name: str) -> Recipe:
        case = suite(name, 1)[0]
        return protocol_of(arm, case, card).recipe(case, "stencil", card.default_size_px)

    return first


@pytest.mark.parametrize(("name", "claim"), CLAIMS.items())
def test_claim(name: str, claim: Claim, card: ModelCard, recipe_of: Callable[[Arm, str], Recipe]) -> None:
    assert re.fullmatch(r"[a-z_]+", name)  # its anchor on the page
    assert claim.method in (*GUIDANCE.names(), *WRAPPERS.names())
    assert claim.source.startswith("arXiv:") and claim.sentence.endswith(".") and claim.chosen.endswith(".")
    assert set(claim.remarks) <= set(get_args(Verdict)) and claim.conditions
    for condition in claim.conditions:
        assert {condition.arm, condition.against} <= set(claim.arms) and condition.arm != condition.against
        assert condition.measure in TOLD and condition.matters > 0
    recipes = {label: recipe_of(arm, claim.suite) for label, arm in claim.arms.items()}
    work = {label: network_rows(recipes[label], card) for label, arm in claim.arms.items()}
    tried = work[claim.conditions[0].arm]
    for condition in claim.conditions:
        # Whole steps do not always come out even; the method never gets more than what it is compared with.
        assert work[condition.arm] <= work[condition.against]
        if name in UNEQUAL:
            assert work[condition.arm] < work[condition.against]
        else:
            assert work[condition.arm] >= 0.85 * work[condition.against]
    assert 0 < tried <= 24
    uses = [build(arm.guidance).describe() for arm in claim.arms.values()]
    assert len(set(zip(uses, (arm.negative for arm in claim.arms.values()), strict=True))) == len(claim.arms)


def test_every_guidance_method_has_a_claim() -> None:
    ours = {name for name in GUIDANCE.names() if not name.startswith("diffusers_")}  # those cross-check ours
    assert ours <= {claim.method for _, claim in CLAIMS.items()}


def test_work_counts_the_rows_that_prompts_add(card: ModelCard, recipe_of: Callable[[Arm, str], Recipe]) -> None:
    plain = cfg(3.0)
    composed = Arm(plain.guidance, negative="composed")
    perp = CLAIMS.get("perp_neg").arms["Perp-Neg"]
    steps = {arm: recipe_of(arm, "full").steps for arm in (plain, composed, perp)}
    assert (steps[plain], steps[composed], steps[perp]) == (12, 8, 8)
    assert network_rows(recipe_of(composed, "full"), card) == 24
    field = recipe_of(Arm(plain.guidance, negative="field"), "full")
    assert field.steps == 12  # it stands in for the empty prompt
