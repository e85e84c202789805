"""Planned items as they are read, and when a picture of one is made.

A picture is made when its job has one at its place, as a cell of a grid is: nothing is written twice, so that what is
left to draw follows from the tables alone, whenever the program was killed.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_

from studio.core.recipe import Recipe
from studio.storage.schema import generations, planned_items, planned_pictures
from studio.storage.unreadable import text

OPEN, ASKED, ALIKE = "open", "asked", "alike"  # not all drawn yet; an item of the campaign; left out for good


@dataclass(frozen=True)
class PlannedRecord:
    """One planned item.

    number: in its campaign, from 0.
    wrong: of an attention check, the place of the picture that cannot be the better one; None of all others.
    attempt: how often its pictures came out alike and others were taken.
    recipes: of its pictures, by place.
    generations: number of each picture in the history, None where it is not drawn.
    images: sha256 of each picture's file, "" likewise.
    jobs: the last job that was to draw each, "" for none.
    """

    number: int
    prompt: str
    arms: tuple[int, ...]
    wrong: int | None
    attempt: int
    recipes: tuple[Recipe, ...]
    generations: tuple[int | None, ...]
    images: tuple[str, ...]
    jobs: tuple[str, ...]


@dataclass(frozen=True)
class PlannedCounts:
    """How far a campaign is drawn.

    pictures: of all its items.
    missing: of these, those that are not drawn.
    items: planned, attention checks among them.
    published: of these, those that are items of the campaign.
    alike: of these, those left out for pictures that were nearly equal.
    checks: of these, attention checks.
    """

    pictures: int = 0
    missing: int = 0
    items: int = 0
    published: int = 0
    alike: int = 0
    checks: int = 0

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to draw or to ask."""
        return self.items == self.published + self.alike


OF_ITEM = and_(
    planned_items.c.campaign == planned_pictures.c.campaign, planned_items.c.number == planned_pictures.c.number
)
# A picture in the bin was thrown away by somebody, and is drawn once more.
MADE = and_(
    generations.c.job == planned_pictures.c.job,
    generations.c.place == planned_pictures.c.job_place,
    generations.c.deleted_at.is_(None),
)


_recipe = functools.lru_cache(maxsize=2048)(Recipe.from_json)  # what is planned is read again and again


def record_of(rows: Sequence[Row[Any]]) -> PlannedRecord:
    """Read the rows of one item, by place. Raises what `unreadable.BROKEN` names."""
    first = rows[0]
    return PlannedRecord(
        first.number,
        text(first.prompt, "prompt"),
        tuple(int(arm) for arm in json.loads(first.arms)),
        first.wrong,
        first.attempt,
        tuple(_recipe(text(row.recipe, "recipe")) for row in rows),
        tuple(row.id for row in rows),
        tuple(row.image or "" for row in rows),
        tuple(row.job or "" for row in rows),
    )
