"""What a balance is made from: its plan, and sentences that leave an attribute unsaid beside the same that say it."""

from __future__ import annotations

from typing import Any

import pytest

from studio.core.errors import BadInput, NotFound
from studio.training.balance.plan import read_plan
from studio.training.balance.sentences import saying, staying, unsaid
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
        ({"attributes": [{"words": "red"}]}, "attributes"),
        ({"attributes": [{"words": "red"}, {"words": "scarlet"}]}, "'red' is wanted twice"),
        ({"attributes": [{"words": "red"}, {"words": "neon"}]}, "'red' is a colour, 'neon' is a style"),
        ({"attributes": [{"words": "red"}, {"words": "star"}]}, "'star' is no colour and no style"),
        ({"attributes": [{"words": "red", "weight": 0}, {"words": "blue"}]}, "weight"),
        ({"preserves": ["a red heart"]}, "'heart' is balanced, so 'a red heart' cannot stay"),
        ({"rounds": 0}, "rounds"),
        ({"tolerance": 2}, "tolerance"),
    ],
)
def test_what_can_only_be_a_mistake_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises((BadInput, NotFound), match=message):
        read_plan(plain(**changes))
