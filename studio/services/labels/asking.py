"""Further questions about the pictures that a campaign has: what tells most of a taste, and doubtful answers again."""

from __future__ import annotations

import math

import numpy as np

from studio.core.errors import BadInput, NotFound
from studio.core.params import shown
from studio.preference.label import Label
from studio.services.labels.next_pairs import further_items
from studio.services.labels.service import LabelService
from studio.services.labels.taste import TasteService
from studio.storage.archive import Archive
from studio.storage.labels.items import NewItem

MAX_MORE = 200
DOUBTFUL = 0.2  # likelihood of an answer, below which it may be worth another look


class FurtherQuestions:
    """Those of an open studio. Every method may be called from any thread."""

    def __init__(self, archive: Archive, labels: LabelService, tastes: TasteService) -> None:
        self._pools = archive.labels.pools
        self._labels = labels
        self._tastes = tastes

    def more(self, campaign: int, annotator: str, count: int = 20, seed: int | None = None) -> list[int]:
        """Add further pairs of the campaign's pictures to its queue; give the numbers of the items.

        Those that tell most about the annotator's taste, unlike each other, and a fifth drawn at random, which says so;
        all of them at random before anything is learned. Never a pair that was asked, or one of two pictures that look
        alike. Raises NotFound; BadInput where there is no other pair, or the campaign asks about no pairs.
        """
        if type(count) is not int or not 1 <= count <= MAX_MORE:
            raise BadInput(f"1 to {MAX_MORE} further pairs are added at once, not {shown(count)}.", field="count")
        if self._labels.campaign(campaign).mode != "pair":
            raise BadInput("Further questions are chosen for campaigns that ask about pairs.", field="mode")
        assessment, features = self._tastes.newest(campaign)
        taste = None if assessment is None else assessment.taste
        pool = self._pools.of(campaign)
        items = further_items(pool, features, taste, annotator, count, np.random.default_rng(seed))
        if not items:
            raise BadInput(
                "Every two pictures of a prompt were asked about already, or look alike.",
                "Draw further pictures for this campaign.",
            )
        return self._labels.add_items(campaign, items)

    def doubtful(self, campaign: int, most: int = 6) -> list[tuple[Label, float]]:
        """Answers that the others make least likely, each with that likelihood, the least likely first.

        Only those below DOUBTFUL: their pictures may be worth another look. [] before a taste is learned.
        """
        assessment, _ = self._tastes.newest(campaign)
        if assessment is None:
            return []
        likely = [(label, math.exp(-loss)) for label, loss in assessment.disagreements(most)]
        return [(label, likelihood) for label, likelihood in likely if likelihood < DOUBTFUL]

    def again(self, campaign: int, label: str) -> int:
        """Ask once more about the pictures of an answer, of whoever comes; give the number of the item.

        label: id of one of `doubtful`. Raises NotFound.
        """
        answer = next((doubt for doubt, _ in self.doubtful(campaign) if doubt.id == label), None)
        references = {picture.sha256: picture.reference for picture in self._pools.of(campaign).pictures}
        if answer is None or not all(picture.sha256 in references for picture in answer.pictures):
            raise NotFound(f"There is no doubtful answer {shown(label)}.", "Look again: it may be settled by now.")
        pictures = tuple(references[picture.sha256] for picture in answer.pictures)
        (item,) = self._labels.add_items(campaign, [NewItem(answer.prompt, pictures, chosen_by="disagreement")])
        return item
