"""Campaigns of pictures that are there: of files that were brought along, or of the history."""

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
from studio.preference.arranging import alone, arranged
from studio.services.history import History
from studio.services.labels.alikeness import Look, alike_groups, look_of
from studio.services.labels.design import FORMS
from studio.services.labels.incoming import Collection, Incoming
from studio.services.labels.plan import CampaignPlan
from studio.services.labels.service import LabelService
from studio.storage.archive import Archive
from studio.storage.labels.campaigns import Campaign
from studio.storage.labels.foreign import ForeignPicture
from studio.storage.labels.items import NewItem
from studio.storage.workspace import workspace_error

MAX_FROM_HISTORY = 1000  # pictures of one campaign


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


class PictureCampaigns:
    """Makes them in an open studio. Any method from any thread."""

    def __init__(self, archive: Archive, history: History, labels: LabelService) -> None:
        self._archive = archive
        self._history = history
        self._labels = labels

    def from_files(self, plan: CampaignPlan, collection: Collection) -> FromPictures:
        """Make a campaign of pictures that were brought along, which are stored, each once.

        Raises BadInput where no two can be compared, or a file is gone; WorkspaceError.
        """
        groups = [group.pictures for group in collection.groups]
        prompts = [group.prompt for group in collection.groups]
        references: dict[int, int | str] = {}

        def refer(picture: Incoming) -> int | str:
            if id(picture) not in references:
                references[id(picture)] = self._kept(picture)
            return references[id(picture)]

        with self._archive.bringing():  # their items come after them
            campaign, items = self._arranged(plan, prompts, groups, refer)
        sizes = [len(group) for group in groups]
        lonely = alone(sizes, FORMS[plan.mode])
        return FromPictures(campaign, items, sum(sizes) - lonely, lonely, len(collection.duplicates))

    def from_history(self, plan: CampaignPlan, pictures: AnyOf[int]) -> FromPictures:
        """Make a campaign of pictures of the history, by their numbers. Raises as `from_files`; NotFound."""
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
