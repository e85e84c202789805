"""Campaigns over pictures of a fake studio."""

from __future__ import annotations

from typing import Any

from studio.core.recipe import Recipe
from studio.preference.answer import Mode
from studio.services.labels.plan import CampaignPlan
from studio.services.studio import Studio
from studio.storage.labels.campaigns import Campaign
from studio.storage.labels.items import NewItem

PICTURES: dict[Mode, int] = {"pair": 2, "best": 4, "best_worst": 4, "ranking": 4, "thumb": 1}
PROMPTS = ("a red ring on a night background", "a blue star", "a green fish at night")


def campaign(studio: Studio, mode: Mode = "pair", items: int = 3, **plan: Any) -> Campaign:
    """A campaign whose items are about pictures drawn for it, without checks and repeats unless they are asked for."""
    count = PICTURES[mode]
    shares = {"overlap_share": 0.0, "repeat_share": 0.0, "check_share": 0.0}
    fields: dict[str, Any] = {"name": f"Asked as {mode}", **shares, **plan}
    made = studio.labels.create(CampaignPlan(source="brought", mode=mode, **fields))
    recipes = [
        Recipe(prompt=PROMPTS[number % len(PROMPTS)], seed=number * count + place, steps=1, width=64, height=64)
        for number in range(items)
        for place in range(count)
    ]
    pictures = studio.pictures.draw(recipes) if recipes else []
    new = [
        NewItem(PROMPTS[number % len(PROMPTS)], tuple(picture.id for picture in pictures[number * count :][:count]))
        for number in range(items)
    ]
    if new:
        studio.labels.add_items(made.id, new)
    return made
