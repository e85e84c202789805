"""How far a campaign and its people are, counted as it happens, within the transaction that makes it so.

The rows could be counted when somebody asks, but a page asks after every answer, and of a hundred thousand that takes
longer than to write one down.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select, update

from studio.storage.schema import campaign_people, campaigns, items

COUNTED = ("queued", "done")  # statuses of the items that a campaign's progress is about


def count_answers(connection: Connection, campaign: int, annotator: int, change: int) -> None:
    """A person has so many more answers that stand."""
    columns = campaign_people.c
    query = update(campaign_people).where(columns.campaign == campaign, columns.annotator == annotator)
    if not connection.execute(query.values(answers=columns.answers + change)).rowcount:
        row = {"campaign": campaign, "annotator": annotator, "answers": change}
        connection.execute(insert(campaign_people).values(row))


def recount_items(connection: Connection, campaign: int) -> None:
    """Items were added or retired: count those of a campaign anew."""
    in_queue = select(func.count()).where(items.c.campaign == campaigns.c.id, items.c.status.in_(COUNTED))
    finished = in_queue.where(items.c.answers >= campaigns.c.target_per_item)
    values = {"queue_items": in_queue.scalar_subquery(), "done_items": finished.scalar_subquery()}
    connection.execute(update(campaigns).where(campaigns.c.id == campaign).values(values))


def count_done(connection: Connection, item: int, change: int) -> None:
    """The answers of an item changed by `change`, 1 or -1: where they are just as many as are needed, or were, it is
    done now and was not, or the other way round.
    """
    needed = campaigns.c.target_per_item if change > 0 else campaigns.c.target_per_item - 1
    changed = select(items.c.campaign).where(items.c.id == item, items.c.status.in_(COUNTED), items.c.answers == needed)
    query = update(campaigns).where(campaigns.c.id == changed.scalar_subquery())
    connection.execute(query.values(done_items=campaigns.c.done_items + change))
