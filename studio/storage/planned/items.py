"""Planned items and the recipes of their pictures: written down, read, given to jobs, settled."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Row, and_, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or_update

from studio.core.recipe import Recipe
from studio.storage.database import Database
from studio.storage.planned.records import ALIKE, ASKED, MADE, OF_ITEM, OPEN, PlannedRecord, record_of
from studio.storage.schema import campaign_designs, generations, planned_items, planned_pictures
from studio.storage.unreadable import BROKEN, text


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

    def every(self, campaign: int) -> list[PlannedRecord]:
        """All items, whether asked, left out or neither, in their order; those that cannot be read are passed over."""
        return self._records(campaign, planned_items.c.state.in_((OPEN, ASKED, ALIKE)))

    def drawn(self, campaign: int, limit: int) -> list[PlannedRecord]:
        """The first of these whose pictures are all made."""
        columns = planned_items.c
        numbers = (
            select(columns.number)
            .select_from(planned_items.join(planned_pictures, OF_ITEM).outerjoin(generations, MADE))
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

    def _records(self, campaign: int, condition: object) -> list[PlannedRecord]:
        pictures = planned_pictures.c
        query = (
            select(planned_items, pictures.place, pictures.recipe, pictures.job, generations.c.id, generations.c.image)
            .select_from(planned_items.join(planned_pictures, OF_ITEM).outerjoin(generations, MADE))
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
                records.append(record_of(of_item))
        return records
