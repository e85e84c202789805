"""What each picture was, told after an answer or at the end: in campaigns that say so, and never before."""

from __future__ import annotations

from sqlalchemy import Connection, func, select, update

from studio.core.errors import BadInput
from studio.storage.database import Database
from studio.storage.labels import leases as table
from studio.storage.labels.annotators import annotator_of
from studio.storage.labels.campaigns import Campaign, campaign_of
from studio.storage.labels.tallies import COUNTED
from studio.storage.schema import campaign_people, campaigns, items, leases, standing_labels


def is_sighted(connection: Connection, campaign: Campaign, annotator: int) -> bool:
    """Whether what a person answers from now on is not blind: they are told after each answer, or were at the end."""
    if campaign.reveal == "after":
        return True
    people = campaign_people.c
    query = select(people.revealed).where(people.campaign == campaign.id, people.annotator == annotator)
    return bool(connection.execute(query).scalar_one_or_none())


class Reveals:
    """What may be told to whom."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_question(self, token: str) -> list[int]:
        """Numbers of the labels that a person has given about what a token stands for.

        Raises NotFound for a token nobody was given; BadInput before all is answered that is asked of it, and where the
        campaign does not tell after each answer.
        """
        with self._database.read() as connection:
            lease = table.lease_of(connection, token)
            campaign = campaign_of(connection, lease.campaign)
            _check(campaign, "after")
            if table.open_questions(connection, campaign, lease.item, lease.annotator):
                raise BadInput("What these pictures are is told once they are judged.", "Answer first.")
            columns = standing_labels.c
            query = select(columns.label).where(columns.item == lease.item, columns.annotator == lease.annotator)
            return sorted(connection.execute(query).scalars())

    def of_everything(self, campaign: int, alias: str, most: int) -> dict[int, str]:
        """Number of each of a person's newest labels of a campaign -> token of its question, oldest first.

        That they were told is on disk when this returns: what they answer from then on is not blind.
        Raises NotFound; BadInput before nothing is left to ask them, and where the campaign does not tell at the end.
        """
        with self._database.write() as connection:
            record, annotator = campaign_of(connection, campaign), annotator_of(connection, alias).id
            _check(record, "end")
            if not _is_over(connection, record, annotator):
                raise BadInput("What the pictures are is told when everything is answered.", "Answer the rest first.")
            people = campaign_people.c
            mine = (people.campaign == campaign, people.annotator == annotator)
            connection.execute(update(campaign_people).where(*mine).values(revealed=True))
            columns = standing_labels.c
            same = (leases.c.item == columns.item) & (leases.c.annotator == columns.annotator)
            query = select(columns.label, leases.c.token).select_from(standing_labels.join(leases, same))
            query = query.where(columns.campaign == campaign, columns.annotator == annotator)
            rows = connection.execute(query.order_by(columns.label.desc()).limit(most)).all()
            return {row.label: row.token for row in reversed(rows)}


def _check(campaign: Campaign, when: str) -> None:
    if campaign.reveal != when:
        raise BadInput(f"The campaign {campaign.name!r} does not tell what its pictures are.", field="campaign")


def _is_over(connection: Connection, campaign: Campaign, annotator: int) -> bool:
    """Whether nothing is left to ask a person: all is answered, or they have answered everything."""
    columns = campaigns.c
    query = select(columns.queue_items, columns.done_items).where(columns.id == campaign.id)
    total, done_count = connection.execute(query).one()
    if done_count >= total:
        return total > 0
    joined = leases.join(items, items.c.id == leases.c.item)
    mine = select(func.count()).select_from(joined).where(table.own(campaign.id, annotator), leases.c.answered)
    return connection.execute(mine.where(items.c.status.in_(COUNTED))).scalar_one() >= total
