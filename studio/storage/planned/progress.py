"""How far campaigns are drawn: pictures that are missing, jobs that are to draw them, what is asked already."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select

from studio.storage.database import Database
from studio.storage.planned.records import ALIKE, ASKED, MADE, OF_ITEM, OPEN, PlannedCounts
from studio.storage.schema import generations, item_pictures, items, planned_items, planned_pictures


class PlannedProgress:
    """Read from the tables of planned items, of what is drawn, and of what is asked."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
            .select_from(planned_pictures.join(planned_items, OF_ITEM).outerjoin(generations, MADE))
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
            .select_from(planned_pictures.join(planned_items, OF_ITEM).outerjoin(generations, MADE))
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
