"""The walkthrough: the whole loop once, on the resident model. How far somebody is, is read off the workspace.

Nothing of it is kept: a step is done when there is what it makes, however that came about. So it can be left and gone
on with at any time, and on another browser too.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.core.errors import BadInput, NotFound
from studio.services.labels.design import CampaignDesign, base_recipe
from studio.services.labels.plan import CampaignPlan
from studio.storage.search import HistoryFilter

if TYPE_CHECKING:
    from studio.services.studio import Studio

ENOUGH_LABELS = 10
PAIRS = 12
CAMPAIGN = "First taste"
GUIDELINE = "Whatever you like better: a style, a colour, a shape. Stay with it, and the model can learn it."


@dataclass(frozen=True)
class Step:
    """One step.

    id: "generate", "erase", "compare", "label" or "align".
    is_done: whether the workspace has what it makes.
    count, goal: how many of what it makes there are, and how many there are to be.
    """

    id: str
    is_done: bool
    count: int = 0
    goal: int = 1


def steps(studio: Studio) -> tuple[Step, ...]:
    """All five, in the order of the loop."""
    counts = {
        "generate": (studio.history.count(), 1),
        "erase": (_edits(studio, "erasure"), 1),
        "compare": (studio.history.count(only=HistoryFilter(origins=("comparison",))), 1),
        "label": (_labels(studio), ENOUGH_LABELS),
        "align": (_edits(studio, "alignment"), 1),
    }
    return tuple(Step(id, count >= goal, min(count, goal), goal) for id, (count, goal) in counts.items())


def prepare_labels(studio: Studio) -> int:
    """Make a small campaign of pairs of the embedded model's and have it drawn, once; give its number.

    Raises BadInput, NotFound, AssetError where it cannot be drawn.
    """
    for campaign in studio.labels.campaigns():
        if campaign.name == CAMPAIGN:
            return campaign.id
    arm = {"recipe": base_recipe(studio.sources).model_dump(mode="json")}
    design = CampaignDesign.load({"count": PAIRS, "arms": [arm], "checks": 0.0})
    plan = CampaignPlan(CAMPAIGN, source="planned", guideline=GUIDELINE, repeat_share=0.0, check_share=0.0)
    try:
        return studio.campaigns.make(plan, design).id
    except BadInput:
        with contextlib.suppress(NotFound):  # another page was quicker, or it was archived
            return studio.labels.find(CAMPAIGN).id
        raise


def _labels(studio: Studio) -> int:
    campaigns = studio.labels.campaigns()
    return sum(studio.labels.counts(campaign.id).labels for campaign in campaigns if campaign.purpose == "train")


def _edits(studio: Studio, key: str) -> int:
    """How many edits say in their provenance that they were made this way."""
    return sum(key in entry.provenance for entry in studio.edits.list() if not entry.problem)
