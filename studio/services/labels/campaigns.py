"""Campaigns of an open studio: made from prompts and recipes, or from pictures that are there; drawn; enlarged."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection as AnyOf
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.core.recipe import Recipe
from studio.preference.answer import Mode
from studio.preference.arranging import alone, arranged
from studio.preference.campaign import PlannedItem, plan_items, recipes_of
from studio.preference.hidden_words import liking
from studio.services.checks import MAX_IMAGES, check_recipes
from studio.services.edits.library import EditLibrary
from studio.services.estimate import seconds_for
from studio.services.history import History
from studio.services.jobs import JobService
from studio.services.labels.alikeness import Look, alike_groups, look_of
from studio.services.labels.design import FORMS, CampaignDesign
from studio.services.labels.drawing import CampaignDrawing, Standing
from studio.services.labels.incoming import Collection, Incoming
from studio.services.labels.plan import CampaignPlan
from studio.services.labels.service import LabelService
from studio.services.sources import Sources
from studio.storage.archive import Archive
from studio.storage.labels.campaigns import Campaign
from studio.storage.labels.foreign import ForeignPicture
from studio.storage.labels.items import NewItem
from studio.storage.workspace import workspace_error

MAX_FROM_HISTORY = 1000  # pictures of one campaign


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


@dataclass(frozen=True)
class FromPictures:
    """A campaign made of pictures that were there.

    items: that are asked.
    pictures: in them.
    alone: pictures in no item, for there is no other of their prompt and size.
    alike: pictures left out as nearly equal to another.
    """

    campaign: Campaign
    items: int
    pictures: int
    alone: int
    alike: int


class CampaignService:
    """The campaigns of an open studio, beside what `LabelService` does with them. Any method from any thread."""

    def __init__(
        self,
        archive: Archive,
        jobs: JobService,
        history: History,
        sources: Sources,
        edits: EditLibrary,
        labels: LabelService,
    ) -> None:
        self._archive = archive
        self._jobs = jobs
        self._history = history
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
        design = CampaignDesign.load({**stored, "count": count, "seed": secrets.randbits(63)})
        counts = self._archive.planned.counts(campaign)
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
        """What a campaign draws; None for one of pictures that were there."""
        stored = self._archive.planned.design(campaign)
        return None if stored is None else CampaignDesign.load(stored)

    def foreign_share(self, campaign: int) -> float:
        """Share of the pictures a campaign asks about that were brought along, 0 to 1."""
        return self._archive.planned.foreign_share(campaign)

    # -- of pictures that are there -----------------------------------------------------------------------------------

    def from_pictures(self, plan: CampaignPlan, collection: Collection) -> FromPictures:
        """Make a campaign of pictures that were brought along, which are stored, each once.

        Raises BadInput where no two can be compared, or a file is gone; WorkspaceError.
        """
        groups = [[(picture, picture.look) for picture in group.pictures] for group in collection.groups]
        prompts = [group.prompt for group in collection.groups]
        references: dict[int, int | str] = {}

        def refer(picture: Incoming) -> int | str:
            if id(picture) not in references:
                references[id(picture)] = self._kept(picture)
            return references[id(picture)]

        campaign, items = self._arranged(plan, prompts, [[p for p, _ in group] for group in groups], refer)
        sizes = [len(group) for group in groups]
        lonely = alone(sizes, FORMS[plan.mode])
        return FromPictures(campaign, items, sum(sizes) - lonely, lonely, len(collection.duplicates))

    def from_history(self, plan: CampaignPlan, pictures: AnyOf[int]) -> FromPictures:
        """Make a campaign of pictures of the history, by their numbers. Raises as `from_pictures`; NotFound."""
        if not 1 <= len(pictures) <= MAX_FROM_HISTORY:
            message = f"A campaign is made of 1 to {MAX_FROM_HISTORY:,} pictures, not {len(pictures)}."
            raise BadInput(message, field="pictures")
        by_key: dict[tuple[str, int, int], list[tuple[int, Look]]] = {}
        for number in dict.fromkeys(pictures):
            picture = self._history.get(number)
            recipe = picture.recipe
            look = self._look(picture.image_path)
            by_key.setdefault((recipe.prompt, recipe.width, recipe.height), []).append((number, look))
        groups: list[list[int]] = []
        alike = 0
        for members in by_key.values():
            firsts = [first for first, *_ in alike_groups([look for _, look in members])]
            groups.append([members[first][0] for first in firsts])
            alike += len(members) - len(firsts)
        campaign, items = self._arranged(plan, [key[0] for key in by_key], groups, lambda number: number)
        sizes = [len(group) for group in groups]
        lonely = alone(sizes, FORMS[plan.mode])
        return FromPictures(campaign, items, sum(sizes) - lonely, lonely, alike)

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

    def _arranged(
        self, plan: CampaignPlan, prompts: Sequence[str], groups: Sequence[Sequence[Any]], refer: Any
    ) -> tuple[Campaign, int]:
        """A campaign of groups of pictures. refer: gives what an item calls a picture."""
        form = FORMS[plan.mode]
        arrangement = arranged(np.random.default_rng(secrets.randbits(63)), [len(group) for group in groups], form)
        if plan.mode == "best_worst":
            arrangement = [(group, part) for group, part in arrangement if len(part) > 2]
        if not arrangement:
            raise BadInput(
                "No two of these pictures have one prompt and one size, so that none can be compared.",
                "Ask about single pictures, or add others of the same prompt.",
                field="pictures",
            )
        new = [
            NewItem(prompts[group], tuple(refer(groups[group][k]) for k in part), source="pictures")
            for group, part in arrangement
        ]
        campaign = self._labels.create(replace(plan, source="brought", prompts=(), recipes=()))
        self._labels.add_items(campaign.id, new)
        return campaign, len(new)

    def _kept(self, picture: Incoming) -> int | str:
        """Store a picture, unless the history has it; give what an item calls it."""
        number = self._archive.generations.of_image(picture.file_sha256)
        if number is not None:
            return number
        png = picture.png()
        foreign = ForeignPicture(
            image=hashlib.sha256(png).hexdigest(),
            width=picture.width,
            height=picture.height,
            model=picture.model,
            recipe=picture.recipe,
            source=picture.source,
            facts={
                "file_sha256": picture.file_sha256,
                "prompt": picture.prompt,
                "settings": picture.settings,
                "remarks": list(picture.remarks),
            },
        )
        self._archive.keep_foreign(png, foreign)
        return foreign.image

    def _look(self, path: Any) -> Look:
        try:
            with Image.open(path, formats=["PNG"]) as opened:
                return look_of(opened)
        except OSError as error:
            raise workspace_error(error, "A picture of the history") from None


def replace_seed(design: CampaignDesign) -> CampaignDesign:
    """The design with a seed of its own where it names none."""
    return design if design.seed is not None else design.model_copy(update={"seed": secrets.randbits(63)})
