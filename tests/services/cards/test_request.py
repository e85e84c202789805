"""What a card asks for, at the sizes that ship."""

from __future__ import annotations

import pytest

from studio.services.cards.request import for_card, picture_count, request_of, sights_of
from studio.training.erase.card.budget import BUDGETS, FEW
from studio.training.erase.card.subject import Subject
from studio.training.evaluate.protocol import Protocol


@pytest.mark.parametrize("in_world", [True, False])
@pytest.mark.parametrize("count", [1, 3])
def test_a_first_look_is_under_fifty_pictures(in_world: bool, count: int) -> None:
    words = [("star", "heart"), ("moon", "ring"), ("fish", "tree")][:count]
    concepts = [{"words": word, "substitute": other, "kind": "object"} for word, other in words]
    about = {"model": "stencil", "in_world": in_world, "concepts": concepts, "preserves": ["a circle"]}
    subject, budget = Subject.load(about, in_world), BUDGETS["preview"]
    protocol = for_card(Protocol(), in_world)
    shown = sum(len(sight.prompts) for sight in sights_of(subject, budget))
    total = picture_count(request_of(subject, "no-star", budget, protocol), subject, budget) + shown
    assert shown < total < FEW
