"""What campaigns are to ask once it is drawn: planned items, their pictures' recipes, and which of these are made.

A picture is made when its job has one at its place, as a cell of a grid is: nothing is written twice, so that what is
left to draw follows from the tables alone, whenever the program was killed.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Row, and_, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or_update

from studio.core.recipe import Recipe
from studio.storage.database import Database
from studio.storage.schema import (
    campaign_designs,
    generations,
    item_pictures,
    items,
    planned_items,
    planned_pictures,
)
from studio.storage.unreadable import BROKEN, text

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
    asked: of these, those that are items of the campaign.
    alike: of these, those left out for pictures that were nearly equal.
    checks: of these, attention checks.
    """

    pictures: int = 0
    missing: int = 0
    items: int = 0
    asked: int = 0
    alike: int = 0
    checks: int = 0

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to draw or to ask."""
        return self.items == self.asked + self.alike


class PlannedItems:
    """The tables of planned items and their pictures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        campaign: int,
        planned: Sequence[tuple[str, tuple[int, ...], int | None, Sequence[Recipe]]],
        design: Mapping[str, Any],
    ) -> None:
        """Write items down, behind those of the campaign that are there. They are on disk when this returns.

        planned: prompt, arms, wrong and recipes of each, as `PlannedRecord` has them; at least one.
        design: what they were made from, plain values; of several times the newest is kept.
        """
        count = select(func.count()).select_from(planned_items).where(planned_items.c.campaign == campaign)
        row = {"campaign": campaign, "design": json.dumps(design, sort_keys=True)}
        put = insert_or_update(campaign_designs).values(row)
        with self._database.write() as connection:
            first = connection.execute(count).scalar_one()
            connection.execute(put.on_conflict_do_update(index_elements=["campaign"], set_={"design": row["design"]}))
            connection.execute(
                insert(planned_items),
                [
                    {
                        "campaign": campaign,
                        "number": number,
                        "prompt": prompt,
                        "arms": json.dumps(arms),
                        "wrong": wrong,
                        "state": OPEN,
                    }
                    for number, (prompt, arms, wrong, _) in enumerate(planned, first)
                ],
            )
            connection.execute(
                insert(planned_pictures),
                [
                    {"campaign": campaign, "number": number, "place": place, "recipe": recipe.canonical_json()}
                    for number, (_, _, _, recipes) in enumerate(planned, first)
                    for place, recipe in enumerate(recipes)
                ],
            )

    def design(self, campaign: int) -> dict[str, Any] | None:
        """What the items of a campaign were made from; None for one that draws nothing, or whose record is broken."""
        query = select(campaign_designs.c.design).where(campaign_designs.c.campaign == campaign)
        with self._database.read() as connection:
            stored = connection.execute(query).scalar_one_or_none()
        with contextlib.suppress(*BROKEN):
            design: Any = json.loads(text(stored, "design"))
            return cast("dict[str, Any]", design) if isinstance(design, dict) else None
        return None

    def open(self, campaign: int) -> list[PlannedRecord]:
        """The items that are neither asked nor left out, in their order; those that cannot be read are passed over."""
        return self._records(campaign, planned_items.c.state == OPEN)

    def drawn(self, campaign: int, limit: int) -> list[PlannedRecord]:
        """The first of these whose pictures are all made."""
        columns = planned_items.c
        numbers = (
            select(columns.number)
            .select_from(planned_items.join(planned_pictures, _OF_ITEM).outerjoin(generations, _MADE))
            .where(columns.campaign == campaign, columns.state == OPEN)
            .group_by(columns.number)
            .having(func.count() == func.count(generations.c.id))
            .order_by(columns.number)
            .limit(limit)
        )
        return self._records(campaign, and_(columns.state == OPEN, columns.number.in_(numbers)))

    def recipes(self, campaign: int) -> list[Recipe]:
        """The recipes of all pictures of a campaign."""
        query = select(planned_pictures.c.recipe).where(planned_pictures.c.campaign == campaign)
        with self._database.read() as connection:
            return [Recipe.from_json(text) for text in connection.execute(query).scalars()]

    def assign(self, campaign: int, job: str, pictures: Sequence[tuple[int, int]]) -> None:
        """Say that a job draws these pictures, (number, place) of each, in the order of its recipes."""
        columns = planned_pictures.c
        with self._database.write() as connection:
            for job_place, (number, place) in enumerate(pictures):
                connection.execute(
                    update(planned_pictures)
                    .where(columns.campaign == campaign, columns.number == number, columns.place == place)
                    .values(job=job, job_place=job_place)
                )

    def redraw(self, campaign: int, number: int, recipes: Sequence[Recipe]) -> None:
        """Take other recipes for an open item; what was drawn for it stays in the history."""
        columns = planned_pictures.c
        with self._database.write() as connection:
            for place, recipe in enumerate(recipes):
                connection.execute(
                    update(planned_pictures)
                    .where(columns.campaign == campaign, columns.number == number, columns.place == place)
                    .values(recipe=recipe.canonical_json(), job=None, job_place=None)
                )
            connection.execute(
                update(planned_items)
                .where(planned_items.c.campaign == campaign, planned_items.c.number == number)
                .values(attempt=planned_items.c.attempt + 1)
            )

    def settle(self, campaign: int, numbers: Collection[int], state: str) -> None:
        """Say of items that they are asked, or left out."""
        columns = planned_items.c
        with self._database.write() as connection:
            connection.execute(
                update(planned_items)
                .where(columns.campaign == campaign, columns.number.in_(list(numbers)))
                .values(state=state)
            )

    def counts(self, campaign: int) -> PlannedCounts:
        """How far a campaign is drawn."""
        pictures = planned_pictures.c
        by_state = (
            select(planned_items.c.state, func.count())
            .where(planned_items.c.campaign == campaign)
            .group_by(planned_items.c.state)
        )
        columns = planned_items.c
        of_pictures = select(func.count()).where(pictures.campaign == campaign)
        of_checks = select(func.count()).where(columns.campaign == campaign, columns.wrong.is_not(None))
        missing = (
            select(func.count())
            .select_from(planned_pictures.join(planned_items, _OF_ITEM).outerjoin(generations, _MADE))
            .where(columns.campaign == campaign, columns.state == OPEN, generations.c.id.is_(None))
        )
        with self._database.read() as connection:
            states = {state: count for state, count in connection.execute(by_state).all()}
            total, left, checks = (
                connection.execute(query).scalar_one() for query in (of_pictures, missing, of_checks)
            )
        return PlannedCounts(total, left, sum(states.values()), states.get(ASKED, 0), states.get(ALIKE, 0), checks)

    def jobs(self, campaign: int) -> list[str]:
        """The jobs that draw, or drew, pictures of open items that are not made; in the order of their pictures."""
        pictures = planned_pictures.c
        query = (
            select(pictures.job)
            .select_from(planned_pictures.join(planned_items, _OF_ITEM).outerjoin(generations, _MADE))
            .where(pictures.campaign == campaign, pictures.job.is_not(None), generations.c.id.is_(None))
            .where(planned_items.c.state == OPEN)
            .group_by(pictures.job)
            .order_by(func.min(pictures.number))
        )
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def asked(self, campaign: int, pictures: Collection[int]) -> set[int]:
        """Which of these pictures, by their numbers in the history, the campaign asks about already.

        An item is added and settled in two steps: of one that was added when the program was killed, this tells.
        """
        columns = item_pictures.c
        joined = item_pictures.join(items, items.c.id == columns.item)
        query = select(columns.generation).select_from(joined).where(items.c.campaign == campaign)
        with self._database.read() as connection:
            rows = connection.execute(query.where(columns.generation.in_(list(pictures)))).scalars()
            return {number for number in rows if number is not None}

    def foreign_share(self, campaign: int) -> float:
        """Share of the pictures a campaign asks about that were brought along, 0 to 1; 0 where there are none."""
        columns = item_pictures.c
        joined = item_pictures.join(items, items.c.id == columns.item)
        query = select(func.count(), func.count(columns.foreign_image)).select_from(joined)
        with self._database.read() as connection:
            total, foreign = connection.execute(query.where(items.c.campaign == campaign)).one()
        return foreign / total if total else 0.0

    def campaign_of(self, job: str) -> int | None:
        """The campaign a job draws for; None for any other job."""
        query = select(planned_pictures.c.campaign).where(planned_pictures.c.job == job).limit(1)
        with self._database.read() as connection:
            return connection.execute(query).scalar_one_or_none()

    def _records(self, campaign: int, condition: object) -> list[PlannedRecord]:
        pictures = planned_pictures.c
        query = (
            select(planned_items, pictures.place, pictures.recipe, pictures.job, generations.c.id, generations.c.image)
            .select_from(planned_items.join(planned_pictures, _OF_ITEM).outerjoin(generations, _MADE))
            .where(planned_items.c.campaign == campaign, condition)  # type: ignore[arg-type]
            .order_by(planned_items.c.number, pictures.place)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        by_number: dict[int, list[Row[Any]]] = {}
        for row in rows:
            by_number.setdefault(row.number, []).append(row)
        records: list[PlannedRecord] = []
        for of_item in by_number.values():
            with contextlib.suppress(*BROKEN):
                records.append(_record(of_item))
        return records


_OF_ITEM = and_(
    planned_items.c.campaign == planned_pictures.c.campaign, planned_items.c.number == planned_pictures.c.number
)
# A picture in the bin was thrown away by somebody, and is drawn once more.
_MADE = and_(
    generations.c.job == planned_pictures.c.job,
    generations.c.place == planned_pictures.c.job_place,
    generations.c.deleted_at.is_(None),
)


def _record(rows: Sequence[Row[Any]]) -> PlannedRecord:
    first = rows[0]
    return PlannedRecord(
        first.number,
        text(first.prompt, "prompt"),
        tuple(int(arm) for arm in json.loads(first.arms)),
        first.wrong,
        first.attempt,
        tuple(Recipe.from_json(text(row.recipe, "recipe")) for row in rows),
        tuple(row.id for row in rows),
        tuple(row.image or "" for row in rows),
        tuple(row.job or "" for row in rows),
    )
