"""What a balance is made from: its plan, and sentences that leave an attribute unsaid beside the same that say it."""

from __future__ import annotations

from typing import Any

import pytest

from studio.core.errors import BadInput, NotFound
from studio.training.balance.outcome import BROKEN, FARTHEST, OF_BASE, outcome
from studio.training.balance.plan import read_plan
from studio.training.balance.sentences import saying, staying, unsaid
from studio.training.balance.sights import sights
from studio.world.words import COLOUR_WORDS, STYLE_WORDS


def plain(*attributes: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": "b",
        "model": "stencil",
        "concept": "heart",
        "attributes": [{"words": words} for words in attributes or ("red", "orange")],
        **changes,
    }


def said_in(text: str, table: Any) -> set[str]:
    words = set(text.replace(",", " ").split())
    return {name for name, entry in table.items() if words & {entry.usual, *entry.synonyms, *entry.rare}}


def test_sentences_leave_unsaid_what_is_balanced_and_the_same_say_it_right_before_the_object() -> None:
    plan = read_plan(plain("red", "orange"))
    texts = unsaid(plan, 30, 0)
    assert len(set(texts)) > 20 and unsaid(plan, 30, 0) == texts != unsaid(plan, 30, 1)
    assert all("heart" in text and not said_in(text, COLOUR_WORDS) for text in texts)
    assert any(said_in(text, STYLE_WORDS) for text in texts)
    for text, said in saying(plan, texts, "orange"):
        assert said_in(said, COLOUR_WORDS) == {"orange"} and "orange heart" in said and " a orange" not in f" {said}"
        assert said_in(said, STYLE_WORDS) == said_in(text, STYLE_WORDS)
    styles = read_plan(plain("striped", "neon"))
    for text in unsaid(styles, 20, 0):
        assert not said_in(text, COLOUR_WORDS) and not said_in(text, STYLE_WORDS)
    others = staying(plan, 0)
    assert others[0] == "" and not any("heart" in text for text in others) and len(others) > 50


def test_shares_are_those_of_the_weights() -> None:
    attributes = [{"words": "red", "weight": 3}, {"words": "azure", "weight": 1}]
    plan = read_plan({**plain(), "attributes": attributes})
    assert plan.targets == [0.75, 0.25] and plan.values() == ["red", "blue"] and plan.kind == "colour"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"concept": "zebra"}, "'zebra' is no object, style or colour of Stencil's"),
        ({"concept": "neon"}, "'neon' is a style: what is balanced is an object"),
        ({"attributes": [{"words": "red"}]}, "between two attributes at least"),
        ({"attributes": 3}, "attributes"),
        ({"attributes": [{"words": "red"}, {"words": "scarlet"}]}, "'red' is wanted twice"),
        ({"attributes": [{"words": "red"}, {"words": "neon"}]}, "'red' is a colour, 'neon' is a style"),
        ({"attributes": [{"words": "red"}, {"words": "star"}]}, "'star' is no colour and no style"),
        ({"attributes": [{"words": "red", "weight": 0}, {"words": "blue"}]}, "weight must be a number above 0"),
        ({"preserves": ["a red heart"]}, "'heart' is balanced, so 'a red heart' cannot stay"),
        ({"rounds": 0}, "rounds"),
        ({"tolerance": 2}, "tolerance"),
    ],
)
def test_what_can_only_be_a_mistake_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises((BadInput, NotFound), match=message):
        read_plan(plain(**changes))


def test_it_is_looked_at_in_the_concept_whose_attribute_nobody_says_and_in_two_others_that_do_not_name_it() -> None:
    plan = read_plan(plain("red", "blue"))
    *of_concept, neighbour, unrelated = sights(plan)
    assert [sight.role for sight in of_concept] == ["concept"] * 6
    assert all("heart" in sight.prompt and not said_in(sight.prompt, COLOUR_WORDS) for sight in of_concept)
    assert (neighbour.role, unrelated.role) == ("neighbour", "unrelated")
    assert not said_in(neighbour.prompt, COLOUR_WORDS) and "heart" not in neighbour.prompt + unrelated.prompt
    assert sights(read_plan(plain("red", "blue", preserves=["a ring"])))[-2].prompt == "a ring"


def measures(
    red: float, blue: float, broken: float = 0.0, base: tuple[float, float] = (0.875, 0.0)
) -> dict[str, float]:
    """Of a check in which half and half are wanted."""
    values = {"red": red, "blue": blue, FARTHEST: max(abs(red - 0.5), abs(blue - 0.5)), BROKEN: broken}
    far = max(abs(base[0] - 0.5), abs(base[1] - 0.5))
    return values | {
        f"red{OF_BASE}": base[0],
        f"blue{OF_BASE}": base[1],
        f"{FARTHEST}{OF_BASE}": far,
        BROKEN + OF_BASE: 0,
    }


STEERED, STILL = {"red": -0.5, "blue": 0.5}, {"red": 0.0, "blue": 0.0}


@pytest.mark.parametrize(
    ("gammas", "check", "level", "parts"),
    [
        (STEERED, measures(0.45, 0.55), "met", ["to 10 points", "red 45% (50% wanted)", "blue 55%"]),
        (STEERED, measures(0.25, 0.25), "nearer", ["anything else 50%", "25 points off, with the base 50 points"]),
        (STEERED, measures(0.25, 0.25, 0.25), "nearer", ["anything else 25%", "25% are broken, of the base's 0%"]),
        (STEERED, measures(1.0, 0.0), "missed", ["no nearer than the base", "50 points off"]),
        (STILL, measures(0.875, 0.0), "missed", ["No round came nearer", "changes nothing", "red 88%"]),
        (STILL, measures(0.5, 0.5), "needless", ["as wanted already: the edit changes nothing"]),
    ],
)
def test_what_it_came_to_is_told_by_pictures_that_no_look_had(
    gammas: dict[str, float], check: dict[str, float], level: str, parts: list[str]
) -> None:
    told = outcome(read_plan(plain("red", "blue")), [measures(0.875, 0.0)], gammas, check)
    assert told.level == level and all(part in told.sentence for part in parts)


def test_a_first_look_that_was_near_by_chance_is_not_called_as_wanted() -> None:
    told = outcome(read_plan(plain("red", "blue")), [measures(0.5, 0.5)], STILL, measures(0.875, 0.0))
    assert told.level == "missed" and "The first round, of the base model, was near enough" in told.sentence
