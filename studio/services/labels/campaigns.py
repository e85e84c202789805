"""Campaigns of an open studio whose pictures are drawn for them: made from prompts and recipes, drawn, enlarged."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.core.recipe import Recipe
from studio.preference.answer import Mode
from studio.preference.campaign import PlannedItem, plan_items, recipes_of
from studio.preference.hidden_words import liking
from studio.services.checks import MAX_IMAGES, check_recipes
from studio.services.edits.library import EditLibrary
from studio.services.estimate import seconds_for
from studio.services.jobs import JobService
from studio.services.labels.design import CampaignDesign
from studio.services.labels.drawing import CampaignDrawing, Standing
from studio.services.labels.plan import CampaignPlan
from studio.services.labels.service import LabelService
from studio.services.sources import Sources
from studio.storage.archive import Archive
from studio.storage.labels.campaigns import Campaign

ARMS = "arms"  # of every design; a tuning's questions have none


@dataclass(frozen=True)
class Outlook:
    """What a campaign would take.

    items: that are asked, attention checks among them.
    pictures: to draw.
    prompts: different ones.
    seconds: to draw them on this machine; None where nothing says so yet.
    """

    items: int
    pictures: int
    prompts: int
    seconds: float | None


class CampaignService:
    """The campaigns of an open studio, beside what `LabelService` does with them. Any method from any thread."""

    def __init__(
        self,
        archive: Archive,
        jobs: JobService,
        sources: Sources,
        edits: EditLibrary,
        labels: LabelService,
    ) -> None:
        self._archive = archive
        self._jobs = jobs
        self._sources = sources
        self._edits = edits
        self._labels = labels
        self.drawing = CampaignDrawing(archive, jobs, sources, edits, labels)
        labels.prepare = self.drawing.keep_ahead

    # -- drawn here ---------------------------------------------------------------------------------------------------

    def outlook(self, mode: Mode, design: CampaignDesign) -> Outlook:
        """Say what a campaign would take, without making it. Raises as `make`."""
        items = self._planned(mode, design, design.seed or 0, {}, ())
        recipes = recipes_of(items)
        prompts = {item.prompt for item in items}
        return Outlook(len(items), len(recipes), len(prompts), seconds_for(self._jobs, recipes))

    def make(self, plan: CampaignPlan, design: CampaignDesign, draws: bool = True) -> Campaign:
        """Make a campaign and have it drawn, ahead of whoever labels.

        plan: what is asked, and of whom; its prompts, recipes and seeds are those of the design.
        draws: whether to begin at once; else `resume` does, or the first who labels.
        Raises BadInput, NotFound or AssetError before anything is written, for what cannot be drawn or asked.
        """
        settled_design = replace_seed(design)
        items = self._planned(plan.mode, settled_design, settled_design.seed or 0, self._liked(design), ())
        campaign = self._labels.create(replace(plan, source="planned", prompts=(), recipes=()))
        self._write(campaign, settled_design, items, draws)
        return campaign

    def more(self, campaign: int, count: int) -> int:
        """Plan and draw further items of a campaign, other pictures than there are; give how many, checks aside.

        Hidden words are drawn by what was liked by now. Raises BadInput for a campaign that draws nothing; as `make`.
        """
        record = self._labels.campaign(campaign)
        stored = self._archive.planned.design(campaign)
        if stored is None:
            message = f"The campaign {shown(record.name)} draws no pictures: it is about some that were there."
            raise BadInput(message, "Make another campaign of further pictures.")
        if ARMS not in stored:
            message = f"The campaign {shown(record.name)} is a tuning, which plans its questions by the votes it has."
            raise BadInput(message, "Answer those it asks.")
        design = CampaignDesign.load({**stored, "count": count, "seed": secrets.randbits(63)})
        counts = self._archive.planned_progress.counts(campaign)
        if counts.checks >= design.checks * (counts.items + design.count):
            design = design.model_copy(update={"checks": 0.0})  # those there are will do
        present = self._archive.planned.recipes(campaign)
        items = self._planned(record.mode, design, design.seed or 0, self._liked(design), present)
        self._write(record, CampaignDesign.load({**stored, "seed": design.seed}), items, draws=True)
        return design.count

    def resume(self, campaign: int, retry_of: str | None = None) -> str:
        """Draw what is missing; give the first job's id. Raises NotFound; BadInput where nothing is, or is left to do.

        retry_of: the job whose work is done once more.
        """
        name = shown(self._labels.campaign(campaign).name)
        job_ids = self.drawing.draw(campaign, retry_of)
        if not job_ids:
            raise BadInput(f"Every picture of the campaign {name} is drawn, or about to be.")
        return job_ids[0]

    def standing(self, campaign: int) -> Standing:
        """Say how far a campaign is drawn. Raises WorkspaceError."""
        return self.drawing.standing(campaign)

    def facts(self, campaign: Campaign) -> dict[str, Any]:
        """How a campaign stands, as plain values. Raises WorkspaceError."""
        standing, counts = self.standing(campaign.id), self._labels.counts(campaign.id)
        return {
            "id": campaign.id,
            "name": campaign.name,
            "mode": campaign.mode,
            "questions": list(campaign.questions),
            "reveal": campaign.reveal,
            "state": "archived" if campaign.archived else "paused" if campaign.paused else "open",
            "items": counts.items,
            "done": counts.answered,
            "checks": counts.checks,
            "answers": counts.labels,
            "by_annotator": counts.by_annotator,
            "pictures": standing.counts.pictures,
            "missing": standing.counts.missing,
            "alike": standing.counts.alike,
            "jobs": list(standing.jobs),
            "trouble": standing.trouble,
            "foreign_share": self.foreign_share(campaign.id),
        }

    def design(self, campaign: int) -> CampaignDesign | None:
        """What a campaign draws; None for one of pictures that were there, and for a tuning."""
        stored = self._archive.planned.design(campaign)
        return None if stored is None or ARMS not in stored else CampaignDesign.load(stored)

    def foreign_share(self, campaign: int) -> float:
        """Share of the pictures a campaign asks about that were brought along, 0 to 1."""
        return self._archive.planned_progress.foreign_share(campaign)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _planned(
        self, mode: Mode, design: CampaignDesign, seed: int, liked: dict[str, float], present: Sequence[Recipe]
    ) -> list[PlannedItem]:
        """The items of a design, each checked. Raises as `make`."""
        prompts = design.asked_prompts(seed, self._sources)
        items = plan_items(prompts, design.recipes(), design.planned(mode, seed, liked), present=present)
        # What is the same but for its seed is checked once; a job has so many pictures at most.
        kinds = list(dict.fromkeys(recipe.model_copy(update={"seed": 0}) for recipe in recipes_of(items)))
        for start in range(0, len(kinds), MAX_IMAGES):
            check_recipes(kinds[start : start + MAX_IMAGES], self._sources, self._edits)
        return items

    def _liked(self, design: CampaignDesign) -> dict[str, float]:
        if not design.hidden_share or not design.weigh_liked:
            return {}
        return liking(self._labels.labels())

    def _write(self, campaign: Campaign, design: CampaignDesign, items: Sequence[PlannedItem], draws: bool) -> None:
        rows = [(item.prompt, item.arms, item.wrong, item.recipes) for item in items]
        self._archive.planned.add(campaign.id, rows, design.model_dump(mode="json"))
        if draws:
            self.drawing.draw(campaign.id)


def replace_seed(design: CampaignDesign) -> CampaignDesign:
    """The design with a seed of its own where it names none."""
    return design if design.seed is not None else design.model_copy(update={"seed": secrets.randbits(63)})
