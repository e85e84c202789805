"""Lights and verdicts: green only where the concept is gone, the pictures are whole and the rest stays."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from studio.training.erase.card.answers import Answers
from studio.training.erase.card.budget import BUDGETS
from studio.training.erase.card.card import card
from studio.training.evaluate.results import Facts
from tests.training.erase.card.making import answers, facts

HEART, STAR, BROKEN, CIRCLE = facts("heart"), facts("star"), facts("fish", broken=True), facts("circle")


def mixed(n: int, *parts: tuple[Facts, int]) -> list[Facts]:
    """So many of each, and hearts for the rest of n."""
    drawn = [kind for kind, count in parts for _ in range(count)]
    return [*drawn, *[HEART] * (n - len(drawn))]


def judged(made: Answers) -> tuple[str, str, str]:
    verdict = card(made, BUDGETS["standard"])["verdict"]
    return verdict["light"], verdict["headline"], " ".join(verdict["sentences"])


@pytest.mark.parametrize(
    ("forget", "ceiling", "light", "headline"),
    [
        (mixed(60), mixed(60), "good", "Suppressed"),
        (mixed(60, (BROKEN, 3)), mixed(60), "good", "Suppressed"),  # 57/60: just 5 points below
        (mixed(60, (BROKEN, 4)), mixed(60), "fair", "Partly suppressed"),
        (mixed(60, (STAR, 9)), mixed(60), "fair", "Partly suppressed"),  # 15 points below
        (mixed(60, (STAR, 10)), mixed(60), "poor", "Only partly erased"),
        (mixed(60, (STAR, 31)), mixed(60), "poor", "Not erased"),
        (mixed(60, (BROKEN, 40)), mixed(60), "poor", "Broken rather than erased"),
        # Beside a ceiling that is as bad, broken pictures are still broken.
        (mixed(60, (BROKEN, 40)), mixed(60, (BROKEN, 40)), "poor", "Broken rather than erased"),
        (mixed(60, (BROKEN, 20)), mixed(60, (BROKEN, 20)), "fair", "Partly suppressed"),
    ],
)
def test_the_concept(forget: Sequence[Facts], ceiling: Sequence[Facts], light: str, headline: str) -> None:
    said = judged(answers(forget, ceiling, keep=[CIRCLE] * 60))
    assert said[:2] == (light, headline)


def test_ua_alone_makes_nothing_green() -> None:
    """UA is 1 here, and every picture is garbage."""
    light, headline, sentences = judged(answers([BROKEN] * 60, keep=[CIRCLE] * 60))
    assert (light, headline) == ("poor", "Broken rather than erased") and "60 more are broken" in sentences


@pytest.mark.parametrize(
    ("wrong", "light", "headline"),
    [(3, "good", "Suppressed"), (6, "fair", "Suppressed, with some harm"), (7, "poor", "Suppressed, and more harmed")],
)
def test_all_else(wrong: int, light: str, headline: str) -> None:
    keep = [*[facts("ring")] * wrong, *[CIRCLE] * (60 - wrong)]
    said = judged(answers([HEART] * 60, keep=keep))
    assert said[:2] == (light, headline)
    assert ("Harmed: the object of other prompts (IRA)" in said[2]) == (light != "good")
    # Nothing is said of neighbours that were not drawn.
    assert ("All else is kept: other prompts are as right as before." in said[2]) == (light == "good")


def test_no_effect_is_said_loudly() -> None:
    light, headline, sentences = judged(answers([STAR] * 60, keep=[CIRCLE] * 60))
    assert (light, headline) == ("poor", "No effect") and "by a single pixel" in sentences
    # Pixels change, and the concept is there as before: half of what the base draws has no star in it either.
    half = [HEART, facts("star", pixels="a")] * 30
    light, headline, sentences = judged(answers(half, base=[HEART, STAR] * 30, keep=[CIRCLE] * 60))
    assert (light, headline) == (
        "poor",
        "No effect",
    ) and "50 % of the pictures with the edit, and from 50 %" in sentences


def test_a_badly_drawn_substitute_is_named_and_few_pictures_are_a_preview() -> None:
    said = judged(answers(mixed(60, (BROKEN, 12)), mixed(60, (BROKEN, 12)), keep=[CIRCLE] * 60))[2]
    assert "draws what takes its place badly" in said and "A first look" not in said
    values = card(answers([HEART] * 49, keep=[CIRCLE] * 49), BUDGETS["standard"])
    assert "49 pictures are too few" in " ".join(values["verdict"]["sentences"])
    limits = values["verdict"]["limits"]
    assert limits[0].startswith("Suppressed, not proven removed")


def test_nothing_is_thought_of_a_handful() -> None:
    values = card(answers([HEART] * 60, keep=[facts("ring")] * 7), BUDGETS["standard"])
    assert next(line["light"] for line in values["lines"] if line["key"] == "ira_object") == ""
