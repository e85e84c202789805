"""What people answered about a pool, as labels of the studio, frozen into snapshots: each once, whenever it is asked.

A seed is of everything that varies between two trainings: which pairs were asked, the noise of the answers, which
prompts are held out, and the training itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Literal

import numpy as np

from studio.core.errors import BadInput
from studio.evidence.alignment.people import Person
from studio.evidence.alignment.pool import Pool
from studio.evidence.alignment.sizes import HELD_OUT, LIST
from studio.preference.answer import Answer
from studio.preference.label import Label, Picture
from studio.services.labels.plan import CampaignPlan
from studio.services.sources import EMBEDDED
from studio.services.studio import Studio
from studio.storage.labels.items import NewItem

AT_ONCE = 200  # labels that are recorded together
ANNOTATOR = "simulated"
Kind = Literal["pairs", "lists"]


def answered(pool: Pool, person: Person, kind: Kind, number: int, seed: int) -> list[Label]:
    """So many answers of a person: about random pairs, or half as many rankings, which show as many pictures."""
    annotator = person.asked(pool.prompts, pool.names, pool.facts)
    rng = np.random.default_rng((74, seed))
    groups = pool.groups(2 if kind == "pairs" else LIST)
    number = number if kind == "pairs" else number // 2
    chosen = groups[rng.choice(len(groups), min(number, len(groups)), replace=False)]
    if kind == "pairs":
        labels = [annotator.answer(group.tolist(), place, rng) for place, group in enumerate(chosen)]
    else:
        labels = [
            Label(
                id="",
                item=0,
                campaign="",
                annotator=ANNOTATOR,
                prompt=pool.prompts[int(group[0])],
                pictures=(),
                answer=Answer("ranking", annotator.rank(group.tolist(), rng)),
                order=tuple(range(len(group))),
            )
            for group in chosen
        ]
    return [
        replace(label, pictures=tuple(_picture(pool, int(place)) for place in group))
        for label, group in zip(labels, chosen, strict=True)
    ]


def snapshot(studio: Studio, words: str, labels: Sequence[Label], pool: Pool, seed: int) -> str:
    """Freeze labels, in a campaign of their own; where that was done before, nothing is done. Gives its name.

    words: its name begins with; what else is in it follows from pictures and answers.
    """
    content = json.dumps([[[p.sha256 for p in label.pictures], label.answer.as_json()] for label in labels])
    name = f"{words}, {len(labels)} labels {hashlib.sha256(content.encode()).hexdigest()[:12]}"
    if name in {snapshot.name for snapshot in studio.labels.snapshots()}:
        return name
    numbers = {picture.sha256: picture.id for picture in pool.pictures}
    campaign = _campaign(studio, name, "pair" if len(labels[0].pictures) == 2 else "ranking")
    new = [NewItem(label.prompt, tuple(numbers[p.sha256] for p in label.pictures)) for label in labels]
    items = studio.labels.add_items(campaign, new)
    studio.labels.annotator(ANNOTATOR)
    moment = datetime.now(UTC)
    placed = [
        replace(label, id=f"{campaign}-{item}", item=item, annotator=ANNOTATOR, answered_at=moment)
        for label, item in zip(labels, items, strict=True)
    ]
    for first in range(0, len(placed), AT_ONCE):
        studio.labels.record(campaign, placed[first : first + AT_ONCE])
    studio.labels.snapshot(name, [campaign], seed=seed, held_out_share=HELD_OUT)
    return name


def _campaign(studio: Studio, name: str, mode: Literal["pair", "ranking"]) -> int:
    """A new one; what was begun under the name and not frozen is left where it is."""
    for attempt in count(1):
        try:
            plan = CampaignPlan(name if attempt == 1 else f"{name} ({attempt})", source="planned", mode=mode)
            return studio.labels.create(plan).id
        except BadInput:
            if attempt > 100:
                raise
    raise AssertionError("there is always another number")


def _picture(pool: Pool, place: int) -> Picture:
    picture = pool.pictures[place]
    return Picture(picture.sha256, picture.recipe, model=EMBEDDED)
